package dispatch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch/outcome"
	"sextant/internal/domain/dispatch/plan"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/plugin"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/kit/fair"
	"sextant/sdk/go/wire"
)

const (
	stopFor   = 30 * time.Second // for the word of a plugin that cannot tell when all has ended
	stopAgain = 5 * time.Second  // until a plugin that was not reached is told again
	giveUpFor = 10 * time.Second // for what was given up to end
	givenUp   = "a person has given up waiting for the plugin's word that everything has ended: what it did is not known"
)

// errGivenUp ends a stop that a person has given up.
var errGivenUp = errors.New("a person has given the stop up")

// stopping is what is known of a job for when nobody wants it any more: a step
// has ended only when what it began has ended, and until then it holds what it
// acts on.
type stopping struct {
	run       state.Key
	withdrawn bool
	touched   map[string]bool // objects of calls that were sent
	over      chan struct{}   // closed when nothing of the job is at work
	given     chan struct{}   // closed when a person gives the stop up
	giveUp    func()
}

func newStopping(run state.Key) stopping {
	given := make(chan struct{})
	return stopping{run: run, touched: map[string]bool{}, over: make(chan struct{}), given: given, giveUp: sync.OnceFunc(func() {
		close(given)
	})}
}

// touching notes what a call acts on, before it is sent.
func (s *Service) touching(t *task, c *record.Chunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.jobs[t.Job.Key]
	for _, claim := range c.Claims {
		r.touched[claim.Object] = true
	}
	for _, row := range t.Rows {
		if row.Round == c.Round && row.Chunk == c.Number {
			r.touched[row.Object] = true
		}
	}
}

// settled waits until no other step of the run that is being stopped acts on what
// a round is about to act on.
func (s *Service) settled(ctx context.Context, t *task, todo intent) error {
	for {
		s.mu.Lock()
		var wait <-chan struct{}
		for key, r := range s.ofRun[t.Job.Run] {
			if key != t.Job.Key && r.withdrawn && r.meets(t, todo) {
				wait = r.over
			}
		}
		s.mu.Unlock()
		if wait == nil {
			return nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r *running) meets(t *task, todo intent) bool {
	for _, ref := range todo.Touched.All {
		if r.touched[plan.RefText(ref)] {
			return true
		}
	}
	return slices.ContainsFunc(plan.ClaimsOf(t.Svc, todo.Touched.All), func(c control.Claim) bool { return r.touched[c.Object] })
}

// limit bounds a call: by its deadline, and by its step being wanted. A plugin
// that settles is told to stop then, and its word is awaited however long it takes.
type limit struct {
	s      *Service
	t      *task
	c      *record.Chunk
	ctx    context.Context // ends when no word is awaited any more
	cancel context.CancelCauseFunc
	mu     sync.Mutex
	told   bool // the plugin is being told to stop
	stops  []func() bool
}

func (s *Service) limit(ctx context.Context, t *task, c *record.Chunk) *limit {
	l := &limit{s: s, t: t, c: c}
	l.ctx, l.cancel = context.WithCancelCause(s.ctx)
	timer := time.AfterFunc(max(c.Deadline.Sub(s.Clock.Now()), 0)+grace, l.late)
	s.mu.Lock()
	given := s.jobs[t.Job.Key].given
	s.mu.Unlock()
	l.stops = append(l.stops, timer.Stop, context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errWithdrawn) {
			l.unwanted()
			return
		}
		l.cancel(context.Cause(ctx))
	}))
	go func() {
		select {
		case <-given:
			l.cancel(errGivenUp)
		case <-l.ctx.Done():
		}
	}()
	return l
}

// end frees what the limit keeps.
func (l *limit) end() {
	for _, stop := range l.stops {
		stop()
	}
	l.cancel(nil)
}

// late is called when the deadline and the plugin's grace are over.
func (l *limit) late() {
	if !l.t.Svc.Action.Settles {
		l.cancel(context.DeadlineExceeded)
		return
	}
	l.tell()
}

// unwanted is called when the step is wanted no more. A plugin that cannot be told
// is awaited until its deadline, one that can but does not settle for a while.
func (l *limit) unwanted() {
	l.s.Changed(l.t.Job.Run)
	if !l.t.Svc.Action.Cancel {
		return
	}
	if !l.t.Svc.Action.Settles {
		timer := time.AfterFunc(stopFor, func() { l.cancel(context.DeadlineExceeded) })
		context.AfterFunc(l.ctx, func() { timer.Stop() })
	}
	l.tell()
}

// over reports whether the plugin is awaited although nobody wants the call.
func (l *limit) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told
}

// tell tells the plugin to stop, again and again until it has heard.
func (l *limit) tell() {
	l.mu.Lock()
	told := l.told
	l.told = true
	l.mu.Unlock()
	if told {
		return
	}
	go func() {
		for !l.s.cancel(l.ctx, l.t, l.c) && l.s.pause(l.ctx, stopAgain) == nil {
		}
	}()
}

// stopped ends a job that nobody waits for: what was never sent was not begun, and
// what was done all the same is written to the objects.
func (s *Service) stopped(ctx context.Context, t *task) {
	ctx = context.WithoutCancel(ctx)
	if slices.ContainsFunc(t.chunks, func(c *record.Chunk) bool { return c.Sent && !c.Answered }) {
		s.Log.ErrorContext(ctx, "what became of a call that was to be stopped could not be stored", "job", t.Job.Key)
		return
	}
	for _, c := range t.chunks {
		if c.Sent {
			continue
		}
		rows := t.all(c, record.Row{Outcome: wire.OutcomeCancelled, Code: "sextant.not_sent", Message: record.NotSent})
		t.merge(rows)
		err := s.DB.Do(ctx, func(tx *db.Tx) error {
			_, err := s.Records.StoreAnswer(tx, int64(t.Job.Run), keyOf(t.Job), c, rows)
			return err
		})
		s.changed(t.Job.Run, t.Job.Key)
		if err != nil {
			s.Log.ErrorContext(ctx, "that a call was not sent could not be stored", "job", t.Job.Key, "err", err)
		}
	}
	if err := s.writer.Back(t.scope.As(ctx), &t.Step); err != nil {
		s.Log.WarnContext(ctx, "what a stopped step has done could not be written to the objects", "job", t.Job.Key, "err", err)
	}
	err := s.DB.Do(ctx, func(tx *db.Tx) error {
		if err := record.SetState(tx, keyOf(t.Job), record.Stopped, s.Clock.Now()); err != nil {
			return err
		}
		about := bus.Of{Subject: "run/" + t.Job.Run.String(), Project: t.Project}
		return jobStopped.Publish(s.Bus, tx, about, JobEnded{Job: t.Job.Key.String(), Element: t.Job.Node.ID})
	})
	if err != nil {
		s.Log.ErrorContext(ctx, "that a step has stopped could not be stored", "job", t.Job.Key, "err", err)
		return
	}
	s.Changed(t.Job.Run)
}

// unsettled stops a job that was withdrawn before its calls were taken up that an
// earlier server had sent.
func (s *Service) unsettled(ctx context.Context, j durable.Job) {
	if !errors.Is(context.Cause(ctx), errWithdrawn) || s.ctx.Err() != nil {
		return
	}
	all, err := record.Orphans(context.WithoutCancel(ctx), s.DB, int64(j.Run))
	for _, r := range all {
		if r.ID == keyOf(j) {
			err = s.stopAnew(ctx, j, r)
		}
	}
	if err != nil && s.ctx.Err() == nil {
		s.Log.ErrorContext(ctx, "a step that is wanted no more cannot be stopped", "job", j.Key, "err", err)
	}
}

// GiveUp ends the stops of a run whose plugins give no word, and those that nobody
// works on: what they began is unknown from here on. It names the steps that are
// not over all the same.
func (s *Service) GiveUp(ctx context.Context, run state.Key) (left []string, err error) {
	wait, stop := context.WithTimeout(ctx, giveUpFor)
	defer stop()
	for _, over := range s.abandon(run) {
		select {
		case <-over:
		case <-wait.Done():
		}
	}
	all, err := record.Orphans(ctx, s.DB, int64(run))
	for _, r := range all {
		if s.at(state.Key(r.ID)) {
			left = append(left, r.Node)
			continue
		}
		if err := s.DB.Do(ctx, func(tx *db.Tx) error { return record.GiveUp(ctx, tx, r.ID, givenUp, s.Clock.Now()) }); err != nil {
			return nil, err
		}
		s.changed(run, state.Key(r.ID))
	}
	s.Changed(run)
	return left, err
}

// abandon tells all that works for a run that a person has given it up, and gives
// what closes when each is over.
func (s *Service) abandon(run state.Key) (over []<-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.ofRun[run] {
		r.again, r.withdrawn = nil, true
		r.cancel(errWithdrawn)
		r.giveUp()
		over = append(over, r.over)
	}
	return over
}

// at reports whether a job is worked on.
func (s *Service) at(job state.Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jobs[job] != nil
}

// Resume takes up the stops that were under way when the server was ended: calls
// without an answer for which no run waits any more. It comes before jobs are
// offered, so that later steps find what is being stopped.
func (s *Service) Resume(ctx context.Context, waitsFor func(run, job state.Key) bool) error {
	if err := s.Gifts.Load(ctx, s.DB); err != nil {
		return err
	}
	all, err := record.Orphans(ctx, s.DB, 0)
	if err != nil {
		return err
	}
	for _, r := range all {
		if !waitsFor(state.Key(r.Run), state.Key(r.ID)) {
			s.resume(r)
		}
	}
	return nil
}

func (s *Service) resume(r record.Job) {
	j := durable.Job{Key: state.Key(r.ID), Run: state.Key(r.Run), Type: plugin.JobPrefix + r.Service, Node: &program.Node{ID: r.Node}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jobs[j.Key] != nil {
		return
	}
	ctx, cancel := context.WithCancelCause(s.ctx)
	run := &running{cancel: cancel, place: &fair.Place{All: s.slots}, stopping: newStopping(j.Run)}
	run.withdrawn = true
	s.put(j.Key, run)
	cancel(errWithdrawn)
	s.wg.Go(func() {
		defer s.end(j.Key)
		if err := s.stopAnew(ctx, j, r); err != nil && s.ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "a step that was being stopped cannot be taken up again", "job", j.Key, "err", err)
		}
	})
}

// stopAnew sends the calls of a job again that is to be stopped: under the same
// keys, after their time, so that the plugin ends what runs and begins nothing.
func (s *Service) stopAnew(ctx context.Context, j durable.Job, r record.Job) error {
	svc, err := s.Plugins.Resolve(j.Type)
	if err != nil {
		return err
	}
	sc, err := s.scopeOf(context.WithoutCancel(ctx), &r)
	if err != nil {
		return err
	}
	t := &task{Step: outcome.Step{Job: j, Svc: svc, Project: sc.Project()}, scope: sc, record: &r}
	if t.Rows, err = record.Rows(context.WithoutCancel(ctx), s.DB, r.ID); err != nil {
		return err
	}
	if t.chunks, err = record.Chunks(context.WithoutCancel(ctx), s.DB, r.ID, r.Round); err != nil {
		return err
	}
	if err := errors.Join(s.sendAll(ctx, t), s.keep(ctx, t)); err != nil && !errors.Is(err, errWithdrawn) {
		return err
	}
	if s.ctx.Err() != nil {
		return errs.New(errs.Unavailable, "engine.stopped", "the server is stopping")
	}
	s.stopped(ctx, t)
	return nil
}
