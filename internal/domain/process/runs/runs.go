// Package runs keeps runs with what a person may do to them: cancel, help out of an
// incident, answer a task.
//
//	control.Admit ─► Start ─► active ─► completed | failed | cancelled
//	                           ▲ │  └──► stopping ─► the same, once all has ended
//	                all resolved │ an incident is raised
//	                           │ ▼
//	                         incident
//
// The state of a run is the engine's; here are the rows that lists need, written in
// the engine's own commit. It never starts a run by itself: its start endpoint asks
// the door.
package runs

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/job"
	"sextant/internal/domain/message"
	"sextant/internal/domain/process/active"
	"sextant/internal/domain/process/definition"
	"sextant/internal/domain/worklist"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
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
	ApplyIf(ctx context.Context, run state.Key, ev engine.Event, check, with func(*db.Tx) error) error
	Read(ctx context.Context, run state.Key, fn func(*state.Run, *program.Program)) error
	Forget(ctx context.Context, runs ...state.Key) error
	ForgetTx(tx *db.Tx, run state.Key) error
}

// Deps is what the service needs.
type Deps struct {
	DB          *db.DB
	Clock       clock.Clock
	Log         *slog.Logger
	Audit       *audit.Log
	Bus         *bus.Bus
	Definitions *definition.Service
	Dispatch    *dispatch.Service
	Tasks       *worklist.List
	Messages    *message.Service
	Jobs        *job.Service
	// Max is how many runs of a project may be active; 20,000 where it is 0.
	Max int
}

// Service keeps runs. It is safe for concurrent use.
type Service struct {
	Deps
	host      Host
	door      *control.Door
	news      bus.Hub[int64]
	ends      bus.Hub[int64]
	active    active.Runs
	family    family
	where     places
	incidents db.Marks // runs with incidents
}

// New makes the service over a migrated database; Attach connects it.
func New(d Deps) *Service {
	return &Service{Deps: d, incidents: db.Marks{Load: countIncidents}}
}

// Attach connects the engine and the door.
func (s *Service) Attach(h Host, d *control.Door) { s.host, s.door = h, d }

// Recall reads which runs others have called, before the engine starts.
func (s *Service) Recall(ctx context.Context) error { return recall(ctx, s.DB, s.family.add) }

// Changed tells those who watch a run that there is news of it.
func (s *Service) Changed(run state.Key) { s.news.Poke(int64(run)) }

// News is poked when there is news of a run, until the function is called.
func (s *Service) News(run api.Key) (<-chan struct{}, func()) { return s.news.Listen(int64(run)) }

// Ends is poked when a run has ended, until the function is called.
func (s *Service) Ends(run api.Key) (<-chan struct{}, func()) { return s.ends.Listen(int64(run)) }

// Look lets fn read the state of a run that goes on; durable.ErrNoRun where it is over.
func (s *Service) Look(ctx context.Context, run api.Key, fn func(*state.Run, *program.Program)) error {
	return s.host.Read(ctx, run, fn)
}

// NewKey gives the key of a run that is asked for.
func (s *Service) NewKey() state.Key { return s.host.NewKey() }

// Find gives a version of a process, for the door.
func (s *Service) Find(ctx context.Context, project, process string, version int) (control.Found, error) {
	return s.Definitions.Found(ctx, project, process, version)
}

// Fit finds out whether a process is started on what and with what it can be, for the
// door.
func (s *Service) Fit(ctx context.Context, f control.Found, req control.Request) control.Fitness {
	return s.Definitions.Fit(ctx, f, req)
}

// Start starts a run within the write that admitted it. Only the door calls it.
func (s *Service) Start(ctx context.Context, tx *db.Tx, r control.Run) error {
	if err := s.room(ctx, tx, r.Mandate.Project); err != nil {
		return err
	}
	if err := bounded(r.Variables); err != nil {
		return err
	}
	run := s.runOf(r, StateActive)
	if r.Waited.IsZero() {
		s.where.add(r.Key, run.Project, run.Process)
		if err := insertRun(tx, run); err != nil {
			return err
		}
	} else if ok, err := beginRun(tx, run); err != nil || !ok {
		return errors.Join(err, errNotWaiting)
	}
	mandate, err := r.Mandate.Encode()
	if err != nil {
		return err
	}
	if err := started.Publish(s.Bus, tx, about(run), Begun{Process: run.Process}); err != nil {
		return err
	}
	tx.AfterCommit(func() { s.active.Add(r.Mandate.Project, 1) })
	return s.host.StartTx(tx, durable.StartRun{Key: r.Key, Program: r.Definition, Variables: r.Variables, Mandate: mandate, Event: r.Event})
}

var errNotWaiting = errors.New("the run does not wait to start")

func (s *Service) runOf(r control.Run, state string) Run {
	return Run{Key: r.Key, Project: r.Mandate.Project, Process: r.Process,
		Title: r.Title, Subject: r.Subject.Name, Verdict: r.Verdict, State: state,
		Objects: r.Mandate.Objects, Started: s.Clock.Now(), definition: r.Definition, places: identity.Places(r.Places)}
}

// admit asks the door for a run, and answers once it has had its first turn.
func (s *Service) admit(ctx context.Context, req control.Request) (control.Verdict, error) {
	v, err := s.door.Admit(ctx, req)
	if err == nil && v.Verdict == control.Admitted {
		s.host.Began(ctx, v.Run)
	}
	return v, err
}

// stopped ends a run that is stopping, if nothing is at work any more that it began.
func (s *Service) stopped(ctx context.Context, tx *db.Tx, run state.Key, now time.Time) error {
	final, code, err := finalOf(ctx, tx, int64(run))
	if err != nil || final == "" {
		return err
	}
	at, err := s.atWork(ctx, tx, int64(run))
	if err != nil || at {
		return err
	}
	project, process, err := s.where.of(tx, int64(run))
	if err != nil {
		return err
	}
	tx.AfterCommit(func() { s.news.Poke(int64(run)) })
	return s.end(tx, Run{Key: run, Project: project, Process: process},
		engine.Effect{Kind: engine.RunEnded, Key: run, State: final, Code: code}, now)
}

// atWork reports whether something that a run began has not ended: a call of a service,
// or a run.
func (s *Service) atWork(ctx context.Context, tx *db.Tx, run int64) (bool, error) {
	at, err := s.Dispatch.Records.AtWork(ctx, tx, run)
	if err != nil || at || !s.family.calls(run) {
		return at, err
	}
	return callsGoOn(ctx, tx, run)
}

// Settle ends the runs that were stopping when the server was ended and of which
// nothing is at work any more: where it was ended between an answer and the word that
// a job has stopped, no event tells of it.
func (s *Service) Settle(ctx context.Context) error {
	all, err := stoppingRuns(ctx, s.DB)
	if err != nil {
		return err
	}
	for _, run := range all {
		if err := s.DB.Do(ctx, func(tx *db.Tx) error { return s.stopped(ctx, tx, state.Key(run), s.Clock.Now()) }); err != nil {
			return err
		}
	}
	return nil
}

// GiveUp ends a run that is stopping although a plugin gives no word: what it
// began is unknown, and whoever has the right says so with a reason.
func (s *Service) GiveUp(ctx context.Context, run api.Key, reason string) error {
	r, err := s.Readable(ctx, run)
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
	left, err := s.Dispatch.GiveUp(ctx, run)
	if err != nil {
		return err
	}
	if err := s.DB.Do(ctx, func(tx *db.Tx) error { return s.stopped(ctx, tx, run, s.Clock.Now()) }); err != nil {
		return err
	}
	if r, err = findRun(ctx, s.DB, run); err != nil || r.State != StateStopping {
		return err
	}
	return errs.New(errs.Conflict, "run.still_stopping", "the run %d was given up, "+
		"and its steps %s have not ended yet: look at the log of the server, and give it up again", run, strings.Join(left, ", "))
}

// Readable finds a run that the subject may see; one of another project, or one that
// was started on or acts on something in another environment, is as if it were not
// there.
func (s *Service) Readable(ctx context.Context, key api.Key) (Run, error) {
	r, err := findRun(ctx, s.DB, key)
	if err != nil {
		return r, err
	}
	if identity.Require(ctx, "run.read", r.Project) != nil || !identity.InSight(ctx, "run.read", r.Project, r.places) {
		return Run{}, errs.New(errs.NotFound, "run.not_found", "there is no run %d", key)
	}
	one := []Run{r}
	if err = s.withTasks(ctx, one); err == nil {
		one[0].Called, err = called(ctx, s.DB, key)
	}
	return one[0], err
}

// Visible reports whether the subject may see a run; one that he may not is as if it
// were not there.
func (s *Service) Visible(ctx context.Context, run api.Key) error {
	_, err := s.Readable(ctx, run)
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
	look, err := s.door.Check(ctx, req)
	if err != nil {
		return Preview{}, err
	}
	d, err := s.Definitions.Version(ctx, req.Project, req.Process, req.Version)
	if err != nil {
		return Preview{}, err
	}
	return Preview{Process: d.Process, Version: d.Version, By: d.Subject, Deployed: d.Created, Look: look}, nil
}

// Preview is what a start would do.
type Preview struct {
	Process string `json:"process"`
	Version int    `json:"version"`
	// By is whose process the run would do, with the rights of who starts it.
	By       string    `json:"deployedBy,omitempty" doc:"Who deployed this version: a run does what it says with the rights of who starts it"`
	Deployed time.Time `json:"deployed,omitzero" doc:"When it was deployed"`
	control.Look
}
