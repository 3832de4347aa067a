package process

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/dispatch/gift"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/message"
	"sextant/internal/domain/process/active"
	"sextant/internal/domain/process/number"
	"sextant/internal/domain/process/schema"
	"sextant/internal/domain/worklist"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/blob"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Host is what runs are made of: the durable engine.
type Host interface {
	NewKey() state.Key
	StartTx(tx *db.Tx, start durable.StartRun) error
	Began(ctx context.Context, run state.Key)
	Apply(ctx context.Context, run state.Key, ev engine.Event, with func(*db.Tx) error) error
	Read(ctx context.Context, run state.Key, fn func(*state.Run, *program.Program)) error
}

// Deps is what the service needs.
type Deps struct {
	DB       *db.DB
	Clock    clock.Clock
	Log      *slog.Logger
	Audit    *audit.Log
	Bus      *bus.Bus
	Blobs    blob.Store
	Dispatch *dispatch.Service
	Tasks    *worklist.List
	Messages *message.Service
	// DMN tells which decisions there are.
	DMN interface {
		Has(ctx context.Context, project, decision string) (bool, error)
	}
	// MaxRuns is how many runs of a project may be active; 20,000 where it is 0.
	MaxRuns int
	// Cycle is the shortest time between two firings of a timer; 1 s where it is 0.
	Cycle time.Duration
}

// Service keeps processes and runs. It is safe for concurrent use.
type Service struct {
	Deps
	host     Host
	door     *control.Door
	programs number.Programs
	schemas  schema.Cache
	news     *bus.Hub[int64]
	active   active.Runs
	views    views
}

// New makes the service over a migrated database; Attach connects it.
func New(d Deps) *Service {
	return &Service{Deps: d, news: &bus.Hub[int64]{}}
}

// Attach connects the engine and the door.
func (s *Service) Attach(h Host, d *control.Door) { s.host, s.door = h, d }

// Changed tells those who watch a run that there is news of it.
func (s *Service) Changed(run state.Key) { s.news.Poke(int64(run)) }

// NewKey gives the key of a run that is asked for.
func (s *Service) NewKey() state.Key { return s.host.NewKey() }

// Find gives a version of a process, for the door.
func (s *Service) Find(ctx context.Context, project, process string, version int) (control.Found, error) {
	d, err := s.find(ctx, project, process, version)
	if err != nil {
		return control.Found{}, err
	}
	p, err := s.Program(int64(d.Key))
	return control.Found{Definition: int64(d.Key), Program: p}, err
}

// Start starts a run within the write that admitted it. Only the door calls it.
func (s *Service) Start(ctx context.Context, tx *db.Tx, r control.Run) error {
	if err := s.room(ctx, tx, r.Mandate.Project); err != nil {
		return err
	}
	if err := bounded(r.Variables); err != nil {
		return err
	}
	run := Run{Key: api.Key(r.Key), Project: r.Mandate.Project, Process: r.Process, Title: r.Title, Subject: r.Subject.Name, Verdict: r.Verdict,
		Objects: r.Mandate.Objects, Started: s.Clock.Now(), definition: r.Definition, places: identity.Places(r.Places)}
	if err := insertRun(tx, run); err != nil {
		return err
	}
	mandate, err := r.Mandate.Encode()
	if err != nil {
		return err
	}
	if err := s.publish(tx, run, "started", nil); err != nil {
		return err
	}
	tx.AfterCommit(func() { s.active.Add(r.Mandate.Project, 1) })
	return s.host.StartTx(tx, durable.StartRun{Key: r.Key, Program: r.Definition, Variables: r.Variables, Mandate: mandate, Event: r.Event})
}

// admit asks the door for a run, and answers once it has had its first turn.
func (s *Service) admit(ctx context.Context, req control.Request) (control.Verdict, error) {
	v, err := s.door.Admit(ctx, req)
	if err == nil {
		s.host.Began(ctx, state.Key(v.Run))
	}
	return v, err
}

func (s *Service) publish(tx *db.Tx, r Run, what string, data map[string]any) error {
	if data == nil {
		data = map[string]any{}
	}
	data["process"] = r.Process
	return s.Bus.Publish(tx, bus.Event{Type: "sextant.run." + what + ".v1", Subject: "run/" + r.Key.String(), Project: r.Project, Data: rawJSON(data)})
}

func (s *Service) publishTask(tx *db.Tx, r Run, e engine.Effect, what string) error {
	return s.Bus.Publish(tx, bus.Event{Type: "sextant.task." + what + ".v1", Subject: "task/" + api.Key(e.Key).String(), Project: r.Project, Data: rawJSON(map[string]any{"run": r.Key.String(), "process": r.Process})})
}

// Project keeps the read side in the engine's own write.
func (s *Service) Project(tx *db.Tx, c *durable.Change) error {
	run := int64(c.Run)
	tx.AfterCommit(func() { s.news.Poke(run) })
	project, process := "", ""
	for _, e := range c.Effects {
		switch e.Kind {
		case engine.Unsubscribed:
			if err := s.Messages.Forget(tx, e.Key); err != nil {
				return err
			}
			continue
		case engine.IncidentRaised, engine.IncidentGone, engine.TaskCreated, engine.TaskGone, engine.RunEnded, engine.Subscribed, engine.SignalThrown:
		default:
			continue
		}
		if project == "" {
			var err error
			if project, process, err = projectOf(context.Background(), tx, run); err != nil {
				return err
			}
		}
		if err := s.project(tx, c, e, Run{Key: api.Key(run), Project: project, Process: process}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) project(tx *db.Tx, c *durable.Change, e engine.Effect, r Run) error {
	node := c.Program.Nodes[e.Node]
	switch e.Kind {
	case engine.IncidentRaised:
		i := Incident{Key: api.Key(e.Key), Run: r.Key, Project: r.Project, Element: node.ID, Name: node.Name, Kind: e.Incident.Kind, Message: e.Incident.Message, Since: e.Incident.Since, element: int64(e.Element)}
		if err := insertIncident(tx, i); err != nil {
			return err
		}
		return s.publish(tx, r, "stopped", map[string]any{"element": node.ID, "kind": i.Kind, "message": cutText(i.Message)})
	case engine.IncidentGone:
		if err := dropIncident(tx, int64(r.Key), int64(e.Key)); err != nil {
			return err
		}
		return s.publish(tx, r, "resumed", map[string]any{"element": node.ID})
	case engine.TaskCreated:
		if err := s.publishTask(tx, r, e, "created"); err != nil {
			return err
		}
		return s.Tasks.Put(tx, worklist.Task{Key: api.Key(e.Key), Run: r.Key, Project: r.Project, Element: node.ID, Name: node.Name, Assignee: e.Task.Assignee,
			People: append(e.Task.CandidateGroups, e.Task.CandidateUsers...), Form: e.Task.Form, Created: c.Now})
	case engine.Subscribed:
		return s.Messages.Wait(tx, message.Waiter{Project: r.Project, Process: r.Process, Run: c.Run, Element: e.Element, Node: node.ID, Subscription: e.Subscription})
	case engine.SignalThrown:
		return s.throw(tx, c.Program, r, e)
	case engine.TaskGone:
		if err := s.publishTask(tx, r, e, "closed"); err != nil {
			return err
		}
		return s.Tasks.Drop(tx, int64(e.Key))
	case engine.RunEnded:
		return s.end(tx, r, e, c.Now)
	}
	return nil
}

// throw sends a signal of a run out, with the rights that the run and all have who
// gave it what the signal carries.
func (s *Service) throw(tx *db.Tx, p *program.Program, r Run, e engine.Effect) error {
	m, err := s.door.MandateIn(context.Background(), tx, int64(r.Key))
	if err != nil {
		return err
	}
	given, _ := s.Dispatch.Gifts.Of(state.Key(r.Key))
	by := gift.Signal{Own: m.Rights, Program: p, Node: p.Nodes[e.Node], Variables: e.Variables, Reads: s.Dispatch.Takes}.Carried(given)
	return s.Messages.Throw(tx, message.Thrown{Project: r.Project, Name: e.Name, Run: state.Key(r.Key), Variables: e.Variables, By: by.Run(r.Key.String()).Rights()})
}

func (s *Service) end(tx *db.Tx, r Run, e engine.Effect, now time.Time) error {
	at, err := record.AtWork(context.Background(), tx, int64(r.Key))
	if err != nil {
		return err
	}
	if at { // it has ended when what it began has: until then it keeps its locks
		if err := stopRun(tx, int64(r.Key), e); err != nil {
			return err
		}
		if err := s.Tasks.DropRun(tx, int64(r.Key)); err != nil {
			return err
		}
		return s.publish(tx, r, "stopping", map[string]any{"code": e.Code})
	}
	if err := endRun(tx, int64(r.Key), e, micros(now)); err != nil {
		return err
	}
	tx.AfterCommit(func() { s.active.Add(r.Project, -1) })
	if err := s.Tasks.DropRun(tx, int64(r.Key)); err != nil {
		return err
	}
	if err := s.Dispatch.Gifts.Forget(tx, state.Key(r.Key)); err != nil {
		return err
	}
	if err := s.door.Release(tx, int64(r.Key)); err != nil {
		return err
	}
	if err := s.Messages.Ended(tx, state.Key(r.Key)); err != nil {
		return err
	}
	return s.publish(tx, r, e.State, map[string]any{"code": e.Code})
}

// Stopped ends a run that was only waiting for what it had begun.
func (s *Service) Stopped(ctx context.Context, run state.Key) {
	err := s.DB.Do(ctx, func(tx *db.Tx) error {
		final, code, err := finalOf(ctx, tx, int64(run))
		if err != nil || final == "" {
			return err
		}
		at, err := record.AtWork(ctx, tx, int64(run))
		if err != nil || at {
			return err
		}
		project, process, err := projectOf(ctx, tx, int64(run))
		if err != nil {
			return err
		}
		return s.end(tx, Run{Key: api.Key(run), Project: project, Process: process}, engine.Effect{Kind: engine.RunEnded, Key: run, State: final, Code: code}, s.Clock.Now())
	})
	if err != nil {
		s.Log.ErrorContext(ctx, "a run that has stopped could not be ended", "run", run, "err", err)
		return
	}
	s.news.Poke(int64(run))
}

// Settle ends the runs that were stopping when the server was ended and of which
// nothing is at work any more.
func (s *Service) Settle(ctx context.Context) error {
	all, err := stoppingRuns(ctx, s.DB)
	if err != nil {
		return err
	}
	for _, run := range all {
		s.Stopped(ctx, state.Key(run))
	}
	return nil
}

// GiveUp ends a run that is stopping although a plugin gives no word: what it
// began is unknown, and whoever has the right says so with a reason.
func (s *Service) GiveUp(ctx context.Context, run api.Key, reason string) error {
	r, err := s.readable(ctx, run)
	if err != nil {
		return err
	}
	if err := s.Dispatch.MayOperate(ctx, "lock.override", r.Project, int64(run), "", r.Objects); err != nil {
		return err
	}
	if r.State != StateStopping {
		return errs.New(errs.Conflict, "run.not_stopping", "the run %d is %s: only a run that is stopping is given up", run, r.State)
	}
	if err := s.DB.Do(ctx, s.audited(ctx, r.Project, "run.give_up", run, map[string]any{"reason": reason})); err != nil {
		return err
	}
	left, err := s.Dispatch.GiveUp(ctx, state.Key(run))
	if err != nil {
		return err
	}
	s.Stopped(ctx, state.Key(run))
	if r, err = findRun(ctx, s.DB, run); err != nil || r.State != StateStopping {
		return err
	}
	return errs.New(errs.Conflict, "run.still_stopping", "the run %d was given up, and its steps %s have not ended yet: look at the log of the server, and give it up again", run, strings.Join(left, ", "))
}

// readable finds a run that the subject may see; one of another project, or one that
// was started on or acts on something in another environment, is as if it were not
// there.
func (s *Service) readable(ctx context.Context, key api.Key) (Run, error) {
	r, err := findRun(ctx, s.DB, key)
	if err != nil {
		return r, err
	}
	if identity.Require(ctx, "run.read", r.Project) != nil || !identity.InSight(ctx, "run.read", r.Project, r.places) {
		return Run{}, errs.New(errs.NotFound, "run.not_found", "there is no run %d", key)
	}
	one := []Run{r}
	err = s.withTasks(ctx, one)
	return one[0], err
}

// Visible reports whether the subject may see a run; one that he may not is as if it
// were not there.
func (s *Service) Visible(ctx context.Context, run api.Key) error {
	_, err := s.readable(ctx, run)
	return err
}

// withTasks adds to runs how many tasks of theirs wait for people.
func (s *Service) withTasks(ctx context.Context, all []Run) error {
	var keys []api.Key
	for _, r := range all {
		if !r.Over() {
			keys = append(keys, r.Key)
		}
	}
	open, err := s.Tasks.Open(ctx, keys)
	for i := range all {
		all[i].Tasks = open[all[i].Key]
	}
	return err
}

// Preview tells what a start would do now: what the door would say, and every
// row that every step would touch. It changes nothing.
func (s *Service) Preview(ctx context.Context, req control.Request) (Preview, error) {
	checks, steps, err := s.door.Check(ctx, req)
	if err != nil {
		return Preview{}, err
	}
	d, err := s.find(ctx, req.Project, req.Process, req.Version)
	if err != nil {
		return Preview{}, err
	}
	return Preview{Process: d.Process, Version: d.Version, Door: checks, Steps: steps}, nil
}

// Preview is what a start would do.
type Preview struct {
	Process string            `json:"process"`
	Version int               `json:"version"`
	Door    []control.Step    `json:"door" doc:"Every check of the door, with each obstacle"`
	Steps   []control.Planned `json:"steps"`
}
