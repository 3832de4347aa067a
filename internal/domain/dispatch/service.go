package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"

	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch/gift"
	"sextant/internal/domain/dispatch/outcome"
	"sextant/internal/domain/dispatch/output"
	"sextant/internal/domain/dispatch/plan"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/gateway"
	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/domain/setting"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/kit/fair"
)

// Kinds of incidents that come from here.
const (
	IncidentInput     = "input"
	IncidentUnknown   = "unknown"
	IncidentService   = "service_failed"
	IncidentWriteBack = "write_back"
	IncidentRights    = "rights"
	IncidentLock      = "lock"
	IncidentResult    = "result"
)

const maxJobs = 256 // jobs worked on at once

// Engine is what dispatch needs of the durable host.
type Engine interface {
	Apply(ctx context.Context, run state.Key, ev engine.Event, with func(*db.Tx) error) error
	Finish(ctx context.Context, run state.Key, ev engine.Event, own func(*db.Tx) error) error
	Read(ctx context.Context, run state.Key, fn func(*state.Run, *program.Program)) error
}

// Door is what dispatch needs of the door: the claims of a run.
type Door interface {
	Claim(ctx context.Context, h control.Holder, claims []control.Claim, told func([]*control.Lock)) error
	Held(ctx context.Context, q db.Querier, run int64, claims []control.Claim) (map[string]int64, error)
	Mandate(ctx context.Context, run int64) (control.Mandate, error)
	Claimed(ctx context.Context, q db.Querier, run int64) ([]string, error)
	Told(ctx context.Context, locks []*control.Lock) ([]*control.Lock, error)
}

// Deps is what the service needs.
type Deps struct {
	DB       *db.DB
	Clock    clock.Clock
	Log      *slog.Logger
	Plugins  *plugin.Registry
	Router   *gateway.Router
	Objects  *object.Service
	Settings *setting.Service
	Planner  *plan.Service
	// Calls is how many calls of one project a plugin works on at once; 64 where it
	// is 0.
	Calls int
	Store *output.Store
	Bus   *bus.Bus
	// Changed is told that there is news of a run: outcomes, output, progress.
	Changed func(run state.Key)
	// Reached is told in which environments a run acts, in the write that says so.
	Reached func(tx *db.Tx, run int64, environments []string) error
	// InSight reports whether the subject of ctx may see a run of a project.
	InSight func(ctx context.Context, project string, run int64) (bool, error)
}

// Service does jobs. It is safe for concurrent use.
type Service struct {
	Deps
	Gifts     gift.Store
	Records   *record.Calls
	writer    outcome.Writer
	engine    Engine
	door      Door
	ctx       context.Context
	slots     chan struct{} // for jobs that the server itself works on
	turns     *fair.Turns
	wg        sync.WaitGroup
	mu        sync.Mutex
	jobs      map[state.Key]*running
	ofRun     map[state.Key]map[state.Key]*running // the same, by their runs
	progress  *output.Progress
	wait      bus.Hub[string] // pokes who waits for the result of an accepted call
	waits     output.Waits
	masks     output.Masks
	streams   output.Masked
	followers bus.Hub[state.Key]
	watches   watches
}

// running is a job that is worked on; again is the same job offered meanwhile.
type running struct {
	cancel context.CancelCauseFunc
	place  *fair.Place
	of     durable.Job
	again  *durable.Job
	stopping
}

var (
	errWithdrawn = errors.New("nobody waits for the job any more")
	errStopping  = errors.New("the server is stopping")
)

// New makes the service; Attach gives it the engine before jobs come.
func New(d Deps) *Service {
	if d.Changed == nil {
		d.Changed = func(state.Key) {}
	}
	if d.InSight == nil {
		d.InSight = func(context.Context, string, int64) (bool, error) { return true, nil }
	}
	return &Service{Deps: d, Records: record.NewCalls(), writer: outcome.Writer{Objects: d.Objects, Log: d.Log},
		slots: make(chan struct{}, maxJobs), turns: fair.New(cmp.Or(d.Calls, callsAtWork)),
		jobs: map[state.Key]*running{}, ofRun: map[state.Key]map[state.Key]*running{}, progress: output.NewProgress()}
}

// Attach connects the engine and the door. Jobs are worked on until ctx ends.
func (s *Service) Attach(ctx context.Context, e Engine, d Door) {
	s.ctx, s.engine, s.door = ctx, e, d
	s.Store.Ended(s.over)
}

// Wait returns once no job is worked on any more; the context given to Attach
// must have ended.
func (s *Service) Wait() { s.wg.Wait() }

// Accepts tells the engine which jobs are done here.
func Accepts(jobType string) bool {
	return jobType == engine.BindJob || strings.HasPrefix(jobType, plugin.JobPrefix)
}

// Offer takes a job. It returns at once. A job that is offered while it is
// worked on is taken up again afterwards.
func (s *Service) Offer(j durable.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.jobs[j.Key]; r != nil {
		j.New, r.again = false, &j
		return
	}
	s.begin(j)
}

// begin works on a job; the lock is held.
func (s *Service) begin(j durable.Job) {
	ctx, cancel := context.WithCancelCause(s.ctx)
	p := &fair.Place{All: s.slots}
	s.put(j.Key, &running{cancel: cancel, place: p, of: j, stopping: newStopping(j.Run)})
	s.wg.Go(func() {
		defer s.end(j.Key)
		defer p.Leave()
		if !p.Enter(ctx) || !s.work(ctx, j) {
			s.unsettled(ctx, j)
		}
	})
}

// put notes a job that is worked on; the lock is held.
func (s *Service) put(key state.Key, r *running) {
	s.jobs[key] = r
	if s.ofRun[r.run] == nil {
		s.ofRun[r.run] = map[state.Key]*running{}
	}
	s.ofRun[r.run][key] = r
}

func (s *Service) end(key state.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.jobs[key]
	r.cancel(nil)
	close(r.over)
	delete(s.jobs, key)
	if delete(s.ofRun[r.run], key); len(s.ofRun[r.run]) == 0 {
		delete(s.ofRun, r.run)
	}
	s.progress.Forget(key)
	if r.again != nil && s.ctx.Err() == nil {
		s.begin(*r.again)
	}
}

// Withdraw says that a job is wanted no more: its plugin is told to stop, and its
// word that everything has ended is awaited.
func (s *Service) Withdraw(job state.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.jobs[job]; r != nil {
		r.again, r.withdrawn = nil, true
		r.cancel(errWithdrawn)
	}
}

// work does a job; over says that it has come to its end.
func (s *Service) work(ctx context.Context, j durable.Job) (over bool) {
	var err error
	if j.Type == engine.BindJob {
		err = s.bind(ctx, j)
	} else {
		err = s.serve(ctx, j)
	}
	if err == nil || ctx.Err() != nil || errors.Is(err, engine.ErrGone) || errors.Is(err, durable.ErrNoRun) {
		return err == nil
	}
	e := errs.As(err)
	kind := IncidentInput
	switch e.Kind {
	case errs.Unavailable, errs.Internal:
		kind = e.Code
	case errs.Forbidden:
		kind = IncidentRights
	case errs.Locked, errs.Conflict:
		kind = IncidentLock
	}
	s.Log.WarnContext(ctx, "a job cannot be done", "job", j.Key, "type", j.Type, "err", err)
	message := e.Error()
	unknown := false
	err = s.DB.Do(context.WithoutCancel(ctx), func(tx *db.Tx) (err error) {
		unknown, err = record.Lose(ctx, tx, keyOf(j), record.Lost(message))
		return err
	})
	if err != nil {
		s.Log.ErrorContext(ctx, "what became of a job could not be stored", "job", j.Key, "err", err)
		s.later(j)
		return false
	}
	s.changed(j.Run, j.Key)
	if unknown {
		kind, message = IncidentUnknown, message+
			"; of rows that were sent it is unknown what became of them: look at what they act on before you try again"
	}
	s.report(ctx, j, engine.JobFailed{Job: j.Key, Kind: kind, Message: message}, func(tx *db.Tx) error {
		return record.SetState(tx, int64(j.Key), record.Failed, s.Clock.Now())
	})
	return false
}

// report tells the engine how a job ended. What cannot be stored now is done
// again when the server starts the next time.
func (s *Service) report(ctx context.Context, j durable.Job, ev engine.Event, with func(*db.Tx) error) {
	err := s.engine.Apply(context.WithoutCancel(ctx), j.Run, ev, with)
	if err != nil && !errors.Is(err, engine.ErrGone) && !errors.Is(err, durable.ErrNoRun) {
		s.Log.ErrorContext(ctx, "the outcome of a job could not be stored", "job", j.Key, "err", err)
		s.later(j)
	}
}

// later takes a job up again after a while, for when the database is back.
func (s *Service) later(j durable.Job) {
	j.New = false
	s.wg.Go(func() {
		tick, stop := s.Clock.After(storeAgain)
		defer stop()
		select {
		case <-tick:
			s.Offer(j)
		case <-s.ctx.Done():
		}
	})
}

// read looks at the run of a job: its mandate, the rows it starts from, the
// variables with the given names as its element sees them, and who gave them. Where
// something was given meanwhile it looks again, so that each value is known with
// who gave it.
func (s *Service) read(ctx context.Context, j durable.Job, names []string) (*plan.Scope, error) {
	sc := &plan.Scope{Run: j.Run}
	var mandate []byte
	var batch json.RawMessage
	batched := false
	for {
		given, version := s.Gifts.Of(j.Run)
		sc.Vars = map[string]json.RawMessage{}
		err := s.engine.Read(ctx, j.Run, func(r *state.Run, p *program.Program) {
			mandate = r.Mandate
			batch, batched = engine.Batch(r, p, j.Element)
			for _, n := range names {
				if raw, ok := r.Lookup(j.Element, n); ok {
					sc.Vars[n] = raw
				}
			}
			sc.Given = gift.Touching(given,
				gift.Look{Run: r, Program: p, Element: j.Element, Names: append(source.Chooses(j.Node), names...), Reads: s.Planner.Takes})
		})
		if err != nil {
			return nil, err
		}
		if _, now := s.Gifts.Of(j.Run); now == version {
			break
		}
	}
	var err error
	if sc.Mandate, err = control.ReadMandate(mandate); err != nil {
		return nil, errs.New(errs.Internal, "dispatch.mandate", "it is not known on whose behalf the run acts: cancel it and start it again")
	}
	refs := sc.Mandate.Objects
	if batched {
		refs = nil
		if err := json.Unmarshal(batch, &refs); err != nil {
			return nil, err
		}
	}
	for _, text := range refs {
		ref, err := object.ParseRef(text)
		if err != nil {
			return nil, err
		}
		sc.Rows = append(sc.Rows, ref)
	}
	return sc, nil
}

// scopeOf is the scope of a job whose run may be over.
func (s *Service) scopeOf(ctx context.Context, r *record.Job) (*plan.Scope, error) {
	sc := &plan.Scope{Run: state.Key(r.Run)}
	var mandate []byte
	err := s.engine.Read(ctx, sc.Run, func(run *state.Run, _ *program.Program) { mandate = run.Mandate })
	if err == nil {
		sc.Mandate, err = control.ReadMandate(mandate)
	} else { // it is over, and the door remembers
		sc.Mandate, err = s.door.Mandate(ctx, r.Run)
	}
	if err != nil {
		return nil, errs.New(errs.Gone, "dispatch.answered", "the run of the call is over")
	}
	sc.Given, err = gift.Decode(r.Given)
	return sc, err
}

// bind finds the rows of a bound activity.
func (s *Service) bind(ctx context.Context, j durable.Job) error {
	sc, err := s.read(ctx, j, nil)
	if err != nil {
		return err
	}
	as, noted := object.Noting(sc.As(ctx))
	rows, err := s.Planner.Reach(as, sc.Project(), sc.Rows, j.Node.Ext.Bind.Path)
	if err != nil {
		return err
	}
	places, err := s.places(ctx, sc, noted, rows)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return plan.Nothing(j.Node.Ext.Bind.Path)
	}
	refs := make([]string, len(rows))
	for i, r := range rows {
		refs[i] = r.String()
	}
	raw, err := json.Marshal(refs)
	if err != nil {
		return err
	}
	return s.engine.Apply(ctx, j.Run, engine.JobCompleted{Job: j.Key, Variables: engine.Variables{"rows": raw}}, func(tx *db.Tx) error {
		return s.reached(tx, int64(j.Run), places)
	})
}

// places are the environments of what a run acts on, besides what it starts from:
// that is noted already.
func (s *Service) places(ctx context.Context, sc *plan.Scope, noted *object.Noted, all []object.Ref) ([]string, error) {
	if s.Reached == nil {
		return nil, nil
	}
	known := make(map[object.Ref]bool, len(sc.Rows))
	for _, r := range sc.Rows {
		known[r] = true
	}
	var refs []object.Ref
	for _, r := range all {
		if !known[r] {
			refs = append(refs, r)
		}
	}
	places, unread := noted.Of(refs)
	if len(unread) == 0 {
		return places, nil
	}
	found, err := s.Objects.Where(ctx, sc.Project(), unread)
	for _, place := range found {
		places = append(places, place)
	}
	return places, err
}

func (s *Service) reached(tx *db.Tx, run int64, places []string) error {
	if s.Reached == nil || len(places) == 0 {
		return nil
	}
	return s.Reached(tx, run, places)
}
