package job

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"time"

	"sextant/internal/domain/identity"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Limits of one activation.
const (
	maxJobs  = 200
	maxLease = 24 * time.Hour
	maxWait  = time.Minute
	maxBytes = 8 << 20 // of variables
)

const never = math.MaxInt64 // when a job is free that waits for help

// Job is work that a worker has taken.
type Job struct {
	Key       api.Key                    `json:"key"`
	Type      string                     `json:"type"`
	Run       api.Key                    `json:"run"`
	Process   string                     `json:"process"`
	Element   string                     `json:"element" doc:"Id of the step"`
	Retries   int32                      `json:"retries" doc:"Tries that are left, with this one"`
	Worker    string                     `json:"worker"`
	Lease     api.Key                    `json:"lease" doc:"Number of the lease: whoever says what came of the job names it"`
	Deadline  time.Time                  `json:"deadline" doc:"When the lease runs out and others may have the job"`
	Headers   map[string]string          `json:"headers,omitempty" doc:"What the process says to the worker: zeebe:taskHeaders of the step"`
	Variables map[string]json.RawMessage `json:"variables" doc:"What the step sees: all, or those that were asked for"`

	element int64
}

// Runs are what jobs are for.
type Runs interface {
	// Finish hands the outcome of a job to its run, after a check within the write, and
	// keeps on record who said it.
	Finish(ctx context.Context, ev engine.Event, by Word, check func(*db.Tx) error) error
	// Sees gives the variables that a step of a run sees and what its process says to the
	// worker; durable.ErrNoRun where it is over.
	Sees(ctx context.Context, run, element state.Key) (engine.Variables, map[string]string, error)
	// Seen is the condition for rows of a project whose run, named by a column, the
	// subject of ctx may see with a permission; nothing where that is every one.
	Seen(ctx context.Context, permission, project, column string) (condition string, args []any)
}

// Word is what a worker said of a job.
type Word struct {
	Run                    state.Key
	Job                    api.Key
	Project, Element, Type string
	// Worker is what the activation called itself; who asked is the subject of the
	// context.
	Worker string
	Verb   string // job.complete, job.fail or job.error
	Reason string // of what failed
}

// Service keeps jobs. It is safe for concurrent use.
type Service struct {
	db    *db.DB
	clock clock.Clock
	runs  func() Runs
	news  bus.Hub[string]
}

// New makes the service over a migrated database. What jobs are for is asked for with
// the first one.
func New(d *db.DB, c clock.Clock, r func() Runs) *Service {
	return &Service{db: d, clock: c, runs: r}
}

// Put keeps a job that is offered, for the first time or again, in the write of the
// step that offers it.
func (s *Service) Put(tx *db.Tx, j Job, element state.Key, of string, free time.Time) error {
	return put(tx, j, int64(element), of, free)
}

// Drop removes a job that is done or wanted no more.
func (s *Service) Drop(tx *db.Tx, key state.Key) error { return drop(tx, int64(key)) }

// DropRun removes all jobs of a run.
func (s *Service) DropRun(tx *db.Tx, run state.Key) error {
	return dropRun(tx, int64(run))
}

// Stop keeps a job from workers whose step waits for help, until it is offered again.
func (s *Service) Stop(tx *db.Tx, run, element state.Key) error {
	return stop(tx, int64(run), int64(element))
}

// Offer tells who waits that a job is there, or again once its pause is over.
func (s *Service) Offer(j durable.Job) { s.news.Poke(j.Type) }

// Withdraw finds nothing to do: the row went with the step.
func (s *Service) Withdraw(state.Key) {}

// Pull is how a worker asks for jobs.
type Pull struct {
	Project   string   `json:"project,omitempty" default:"default" maxLength:"64"`
	Type      string   `json:"type" minLength:"1" maxLength:"190" doc:"Type of the jobs"`
	Worker    string   `json:"worker" minLength:"1" maxLength:"190" doc:"Who takes them"`
	Max       int      `json:"max,omitempty" default:"32" minimum:"1" maximum:"200" doc:"How many at most"`
	Lease     int      `json:"lease,omitempty" default:"300" minimum:"1" maximum:"86400" doc:"Seconds until others may have them"`
	Wait      int      `json:"wait,omitempty" default:"0" minimum:"0" maximum:"60" doc:"Seconds to wait for the first one; 0 answers at once"`
	Variables []string `json:"variables,omitempty" maxItems:"500" doc:"Names of the variables that are wanted; all without"`
}

// Activate takes free jobs of a type, and waits for one where there is none.
func (s *Service) Activate(ctx context.Context, p Pull) ([]Job, error) {
	if err := identity.Require(ctx, "job.work", p.Project); err != nil {
		return nil, err
	}
	until := s.clock.Now().Add(min(time.Duration(p.Wait)*time.Second, maxWait))
	news, stop := s.news.Listen(p.Type)
	defer stop()
	for {
		all, next, err := s.take(ctx, p)
		if err != nil || len(all) > 0 {
			return s.dress(ctx, p, all, err)
		}
		left := until.Sub(s.clock.Now())
		if left <= 0 {
			return []Job{}, nil
		}
		if !next.IsZero() {
			left = min(left, next.Sub(s.clock.Now()))
		}
		due, done := s.clock.After(max(left, time.Millisecond))
		select {
		case <-news:
		case <-due:
		case <-ctx.Done():
			done()
			return nil, context.Cause(ctx)
		}
		done()
		if ctx, err = api.Again(ctx); err == nil {
			err = identity.Require(ctx, "job.work", p.Project)
		}
		if err != nil { // it was taken away while the worker waited
			return nil, err
		}
	}
}

// take leases what is free now, and tells when something will be where nothing is.
func (s *Service) take(ctx context.Context, p Pull) (all []Job, next time.Time, err error) {
	c := choice{pull: p}
	c.seen, c.args = s.runs().Seen(ctx, "job.work", p.Project, "job_open.run")
	if next, err = soonest(ctx, s.db, c); err != nil || next.IsZero() || next.After(s.clock.Now()) {
		return nil, next, err
	}
	err = s.db.Do(ctx, func(tx *db.Tx) error {
		now := s.clock.Now()
		all, err = lease(ctx, tx, c, now, now.Add(min(time.Duration(p.Lease)*time.Second, maxLease)))
		return err
	})
	return all, next, err
}

// dress adds what the steps see. Jobs whose run is over are left out, and so are those
// that would make the answer too large: they are free again at once.
func (s *Service) dress(ctx context.Context, p Pull, all []Job, err error) ([]Job, error) {
	if err != nil {
		return nil, err
	}
	out, size := []Job{}, 0
	for i, j := range all {
		vars, headers, err := s.runs().Sees(ctx, j.Run, state.Key(j.element))
		if err != nil {
			continue // it has ended meanwhile, or is set aside
		}
		j.Variables, j.Headers = chosen(vars, p.Variables), headers
		for _, v := range j.Variables {
			size += len(v)
		}
		if size > maxBytes && len(out) > 0 {
			return out, s.db.Do(ctx, func(tx *db.Tx) error { return release(tx, all[i:]) })
		}
		out = append(out, j)
	}
	return out, nil
}

func chosen(vars engine.Variables, names []string) map[string]json.RawMessage {
	if len(names) == 0 {
		return vars
	}
	some := map[string]json.RawMessage{}
	for _, n := range names {
		if v, ok := vars[n]; ok {
			some[n] = v
		}
	}
	return some
}

// Held names a job by the lease under which a worker has it.
type Held struct {
	Key   api.Key
	Lease api.Key
}

// finish hands the outcome of a job to its run, under the lease of the worker.
func (s *Service) finish(ctx context.Context, h Held, by Word, ev func(row) engine.Event) error {
	r, err := s.own(ctx, h)
	if err != nil {
		return err
	}
	by.Run, by.Job, by.Project = state.Key(r.run), h.Key, r.project
	by.Element, by.Type, by.Worker = r.node, r.kind, r.workerOf
	return s.runs().Finish(ctx, ev(r), by, func(tx *db.Tx) error { return s.under(ctx, tx, h) })
}

// own finds a job that the subject of ctx may work on.
func (s *Service) own(ctx context.Context, h Held) (row, error) {
	gone := errs.New(errs.Gone, "job.gone", "there is no open job %d: it is done, or its run has moved on", h.Key)
	r, err := find(ctx, s.db, int64(h.Key))
	if err != nil {
		return row{}, err
	}
	if r == nil || identity.Require(ctx, "job.work", r.project) != nil {
		return row{}, gone
	}
	seen, args := s.runs().Seen(ctx, "job.work", r.project, "job_open.run")
	ok, err := visible(ctx, s.db, r.key, seen, args)
	switch {
	case err != nil:
		return row{}, err
	case !ok:
		return row{}, gone
	}
	return *r, s.under(ctx, s.db, h)
}

// under checks that a lease holds.
func (s *Service) under(ctx context.Context, q db.Querier, h Held) error {
	r, err := find(ctx, q, int64(h.Key))
	switch {
	case err != nil:
		return err
	case r == nil:
		return errs.New(errs.Gone, "job.gone", "there is no open job %d: it is done, or its run has moved on", h.Key)
	case r.lease != int64(h.Lease):
		return errs.New(errs.Conflict, "job.lease", "the job %d is no longer yours: its time was over, and %s may have it now", h.Key, r.holder())
	case r.free == never:
		return errs.New(errs.Conflict, "job.stuck", "the job %d has no tries left and waits for help: resolve the incident of its run", h.Key)
	case r.free <= clock.Micros(s.clock.Now()):
		return errs.New(errs.Conflict, "job.lease", "the time of the job %d is over: activate it again", h.Key)
	}
	return nil
}

// Complete ends a job with its results.
func (s *Service) Complete(ctx context.Context, h Held, vars map[string]json.RawMessage) error {
	return s.finish(ctx, h, Word{Verb: "job.complete"}, func(row) engine.Event {
		return engine.JobCompleted{Job: h.Key, Variables: vars}
	})
}

// Fail says that a try failed. Without retries it has one less than before.
func (s *Service) Fail(ctx context.Context, h Held, message string, retries *int32, backoff time.Duration) error {
	return s.finish(ctx, h, Word{Verb: "job.fail", Reason: message}, func(r row) engine.Event {
		left := r.retries - 1
		if retries != nil {
			left = *retries
		}
		return engine.JobFailed{Job: h.Key, Retries: left, Backoff: backoff, Message: message}
	})
}

// Throw throws a BPMN error from a job.
func (s *Service) Throw(ctx context.Context, h Held, code, message string, vars map[string]json.RawMessage) error {
	return s.finish(ctx, h, Word{Verb: "job.error", Reason: strings.TrimSpace(code + " " + message)}, func(row) engine.Event {
		return engine.JobThrew{Job: h.Key, Code: code, Message: message, Variables: vars}
	})
}

// Extend gives a worker more time, from now on.
func (s *Service) Extend(ctx context.Context, h Held, lease time.Duration) (deadline time.Time, err error) {
	if _, err := s.own(ctx, h); err != nil {
		return time.Time{}, err
	}
	err = s.db.Do(ctx, func(tx *db.Tx) error {
		if err := s.under(ctx, tx, h); err != nil {
			return err
		}
		deadline = s.clock.Now().Add(min(lease, maxLease))
		return setFree(tx, int64(h.Key), clock.Micros(deadline))
	})
	return deadline, err
}
