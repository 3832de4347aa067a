package dispatch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch/gift"
	"sextant/internal/domain/dispatch/outcome"
	"sextant/internal/domain/dispatch/override"
	"sextant/internal/domain/dispatch/plan"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/dispatch/retry"
	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/object"
	"sextant/internal/engine/durable"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/kit/secret"
	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

const (
	defaultTimeout = 10 * time.Minute
	chunksAtOnce   = 4 // calls of one job at the same time
	// noObject stands for the only row of a run that acts on no object.
	noObject = "run"
)

// task is a job with everything that is known about it.
type task struct {
	outcome.Step
	scope  *plan.Scope
	record *record.Job
	chunks []*record.Chunk // of the round under way
	retry  retry.Policy
	ready  *ready
	kept   *kept
}

// ready is the only call of a round, which was stored as sent with the round: it goes
// out next.
type ready struct {
	*record.Chunk
	body []byte
	mask *secret.Mask
}

// kept is the answer of the only call of a round, which is stored with what comes of
// it.
type kept struct {
	chunk *record.Chunk
	rows  []*record.Row
}

// serve does the job of a service task.
func (s *Service) serve(ctx context.Context, j durable.Job) error {
	t, err := s.prepare(ctx, j)
	if err != nil {
		return err
	}
	for {
		err := s.away(ctx, j.Key, func() error { return s.exchange(ctx, t) })
		if errors.Is(err, errDone) {
			return nil
		}
		if errors.Is(context.Cause(ctx), errWithdrawn) {
			if s.ctx.Err() == nil { // else the next start goes on stopping it
				s.stopped(ctx, t)
			}
			return errWithdrawn
		}
		if err != nil {
			return err
		}
		if t.record.Tries >= t.retry.Max || !t.retryable() {
			break
		}
		if err := s.away(ctx, j.Key, func() error { return s.rest(ctx, t) }); err != nil {
			return err
		}
		if err := s.nextRound(ctx, t, t.record.Tries+1); err != nil {
			return err
		}
	}
	return s.conclude(ctx, t)
}

// exchange sends the calls of a round and stores what comes back; errDone says that the
// job is done with that.
func (s *Service) exchange(ctx context.Context, t *task) error {
	err := s.sendAll(ctx, t)
	if err == nil && t.kept != nil && s.completes(t) {
		err = s.complete(ctx, t)
	}
	return errors.Join(err, s.keep(ctx, t))
}

func (s *Service) pause(ctx context.Context, d time.Duration) error {
	tick, stop := s.Clock.After(d)
	defer stop()
	select {
	case <-tick:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// prepare takes up what is stored of a job, or begins its first or next round.
func (s *Service) prepare(ctx context.Context, j durable.Job) (*task, error) {
	svc, err := s.Plugins.Resolve(j.Type)
	if err != nil {
		return nil, err
	}
	t := &task{Step: outcome.Step{Job: j, Svc: svc}}
	if t.retry, err = retry.Of(svc.Action.Retry); err != nil {
		return nil, errs.New(errs.Invalid, "dispatch.retry", "the retry policy of %s is not understood: %s", svc.Name(), err)
	}
	if _, t.Corrected, err = override.Read(j.Override); err != nil {
		return nil, err
	}
	all, err := source.Of(svc, j.Node.Ext)
	if err != nil {
		return nil, err
	}
	if t.scope, err = s.read(ctx, j, source.Variables(all)); err != nil {
		return nil, err
	}
	t.Project = t.scope.Project()
	if !j.New {
		t.record, err = record.Find(ctx, s.DB, keyOf(j))
	}
	if err != nil {
		return nil, err
	}
	if t.record != nil {
		if t.Rows, err = record.Rows(ctx, s.DB, keyOf(j)); err != nil {
			return nil, err
		}
		if t.record.State == record.Open && int(j.Round) <= t.record.Round {
			if t.scope.Given, err = gift.Decode(t.record.Given); err != nil {
				return nil, err
			}
			t.chunks, err = record.Chunks(ctx, s.DB, keyOf(j), t.record.Round)
			return t, err
		}
	}
	if t.record == nil {
		t.record = &record.Job{ID: keyOf(j), Run: int64(j.Run), Node: j.Node.ID, Project: t.scope.Project(), Round: -1}
	}
	return t, s.round(ctx, t, all, 0)
}

// nextRound begins a round for the rows that may be tried again.
func (s *Service) nextRound(ctx context.Context, t *task, tries int) error {
	all, err := source.Of(t.Svc, t.Job.Node.Ext)
	if err != nil {
		return err
	}
	return s.round(ctx, t, all, tries)
}

// round finds the rows that are not done, claims what they act on, makes their
// inputs and stores them as chunks. A round of tries has only the rows that the
// plugin let be tried again.
func (s *Service) round(ctx context.Context, t *task, all []source.Source, tries int) error {
	todo, err := s.intend(ctx, t, all, tries)
	if err != nil {
		return err
	}
	r := *t.record
	r.Plugin, r.Service, r.Version = t.Svc.Plugin, t.Svc.Name(), t.Svc.Version
	r.Round, r.Tries, r.State = max(r.Round+1, int(t.Job.Round)), tries, record.Open
	if r.Given, err = gift.Encode(t.scope.Given); err != nil {
		return err
	}
	chunks, rows, err := s.cut(t, r, todo)
	if err != nil {
		return err
	}
	rows = append(rows, todo.gone...)
	now := s.Clock.Now()
	if t.ready = s.prepared(ctx, t, chunks); t.ready != nil {
		t.ready.Sent = true
	}
	if err := s.DB.Do(ctx, func(tx *db.Tx) error {
		if t.ready != nil {
			if err := s.hold(ctx, tx, t, t.ready.Chunk); err != nil {
				return err
			}
		}
		if err := s.reached(tx, r.Run, todo.places); err != nil {
			return err
		}
		return s.Records.StoreRound(tx, &r, chunks, rows, now)
	}); err != nil {
		if t.ready != nil {
			t.ready.Free()
		}
		return err
	}
	t.record, t.chunks = &r, chunks
	t.merge(rows)
	s.changed(t.Job.Run, t.Job.Key)
	return nil
}

// intent is what a round is about to do, and the fence under which it is held.
type intent struct {
	plan.Intent
	fences map[string]int64
	places []string      // environments of what is acted on and of the connections, where they were found now
	gone   []*record.Row // rows of earlier rounds that the step does not act on any more
}

// intend finds out what a round does and claims it. Where somebody else held a
// part of it, it looks again once it has all, for what it read may have changed.
func (s *Service) intend(ctx context.Context, t *task, all []source.Source, tries int) (intent, error) {
	w := plan.Step{Project: t.scope.Project(), Program: t.Job.Program, Node: t.Job.Node, Svc: t.Svc}
	for {
		var todo intent
		as, noted := object.Noting(t.scope.As(ctx))
		targets, err := s.Planner.Targets(as, w, t.scope.Rows)
		if err != nil {
			return todo, err
		}
		if len(targets) == 0 {
			if bound := t.Job.Node.Ext.Bind; bound != nil {
				return todo, plan.Nothing(bound.Path)
			}
			targets = []object.Ref{{ID: noObject}}
		}
		for _, r := range targets {
			if t.wants(r, tries) {
				todo.Rows = append(todo.Rows, r)
			}
		}
		todo.gone = t.unbound(targets)
		f := &plan.Form{Sources: slices.Clone(all), Svc: t.Svc}
		if todo.Inputs, err = s.Planner.Build(as, t.scope, f, todo.Rows, t.Job.Override); err != nil {
			return todo, err
		}
		if todo.Touched, err = s.Planner.Touched(as, w, f, todo.Rows); err != nil {
			return todo, err
		}
		if todo.places, err = s.places(ctx, t.scope, noted, todo.Touched.All); err != nil {
			return todo, err
		}
		uses, err := s.Planner.Bound(as, w, f, todo.Intent)
		if err != nil {
			return todo, err
		}
		todo.places = append(todo.places, uses...)
		if err := s.settled(ctx, t, todo); err != nil {
			return todo, err
		}
		claims := plan.ClaimsOf(t.Svc, todo.Touched.All)
		waited, err := s.claim(ctx, t, claims)
		if err != nil {
			return todo, err
		}
		if !waited {
			todo.fences, err = s.door.Held(ctx, s.DB, int64(t.Job.Run), claims)
			return todo, err
		}
	}
}

// claim takes what a round acts on; waited tells that it was not free at once.
func (s *Service) claim(ctx context.Context, t *task, claims []control.Claim) (waited bool, err error) {
	h := control.Holder{Run: int64(t.Job.Run), Job: keyOf(t.Job), Project: t.scope.Project(), Subject: t.scope.Requester()}
	defer s.waits.Forget(t.Job.Key)
	err = s.door.Claim(ctx, h, claims, func(against []*control.Lock) {
		waited = true
		s.waits.Set(t.Job.Key, against)
		s.progressed(t.Job.Run, t.Job.Key)
	})
	return waited, err
}

// wants reports whether a row has to be done in the next round.
func (t *task) wants(ref object.Ref, tries int) bool {
	i := slices.IndexFunc(t.Rows, func(r *record.Row) bool { return r.Object == plan.RefText(ref) })
	if i < 0 {
		return true
	}
	if tries > 0 {
		return t.again(t.Rows[i])
	}
	return !t.Rows[i].Done()
}

// unbound gives the rows that are not done and that the step does not act on any
// more: nobody waits for them.
func (t *task) unbound(targets []object.Ref) []*record.Row {
	bound := make(map[string]bool, len(targets))
	for _, r := range targets {
		bound[plan.RefText(r)] = true
	}
	var gone []*record.Row
	for _, r := range t.Rows {
		if r.Done() || bound[r.Object] {
			continue
		}
		row := *r
		row.Outcome, row.Code, row.Message = wire.OutcomeSkipped, "sextant.unbound",
			"the step does not act on it any more: what it is bound to has changed"
		gone = append(gone, &row)
	}
	return gone
}

func (t *task) again(r *record.Row) bool {
	return r.Outcome == wire.OutcomeFailed && r.Retry != "" && slices.Contains(t.retry.On, r.Retry)
}

func (t *task) retryable() bool { return slices.ContainsFunc(t.Rows, t.again) }

// merge takes over newer results of rows.
func (t *task) merge(rows []*record.Row) {
	for _, r := range rows {
		i := slices.IndexFunc(t.Rows, func(o *record.Row) bool { return o.Object == r.Object })
		if i < 0 {
			t.Rows = append(t.Rows, r)
			continue
		}
		t.Rows[i] = r
	}
}

// cut makes the chunks of a round: their bytes are fixed from here on.
func (s *Service) cut(t *task, r record.Job, todo intent) ([]*record.Chunk, []*record.Row, error) {
	size := plan.BatchOf(t.Svc)
	timeout := defaultTimeout
	if t.Svc.Action.Timeout != "" {
		d, err := manifest.Duration(t.Svc.Action.Timeout)
		if err != nil {
			return nil, nil, errs.New(errs.Invalid, "dispatch.timeout", "the time-out of %s: %s", t.Svc.Name(), err)
		}
		timeout = d
	}
	var chunks []*record.Chunk
	var rows []*record.Row
	for from := 0; from < len(todo.Rows); {
		c := &record.Chunk{Round: r.Round, Number: len(chunks), Deadline: s.Clock.Now().Add(timeout)}
		req := wire.Request{RequestID: "proc_req_" + clock.NewID(s.Clock), Operator: t.scope.Requester(),
			ServiceName: t.Svc.Name(), ServicePath: t.Svc.Action.Path}
		fence, to := t.fence(todo, from), from
		for ; to < len(todo.Rows) && to-from < size && t.fence(todo, to) == fence; to++ {
			row, target := todo.Inputs[to], todo.Rows[to]
			ref := plan.RefText(target)
			row[wire.FieldCallback], row[wire.FieldOperator], row[wire.FieldConfirmToken] = wire.Raw(ref),
				wire.Raw(t.scope.Requester()), wire.Raw("")
			req.Inputs = append(req.Inputs, row)
			if target.Type != "" {
				req.EntityInstances = append(req.EntityInstances, wire.EntityInstance{ID: target.ID})
			}
			c.Claims = append(c.Claims, plan.ClaimsOf(t.Svc, todo.Touched.By[target])...)
			found := &record.Row{Pos: t.position(ref, len(rows)), Object: ref, Round: r.Round, Chunk: c.Number, Outputs: wire.Row{}}
			if r.Round > 0 && found.Pos >= len(t.Rows) {
				found.Message = "it came with the new round: what the step is bound to has changed"
			}
			rows = append(rows, found)
		}
		c.Claims, from = control.Merge(c.Claims), to
		body, err := json.Marshal(req)
		if err != nil {
			return nil, nil, err
		}
		sum := sha256.Sum256(body)
		c.Body, c.Digest = body, hex.EncodeToString(sum[:8])
		chunks = append(chunks, c)
	}
	return chunks, rows, nil
}

// fence is that of the claims of one row. Rows of one call have the same, so
// that a plugin may compare it for each object.
func (t *task) fence(todo intent, i int) int64 {
	var fence int64
	for _, c := range plan.ClaimsOf(t.Svc, todo.Touched.By[todo.Rows[i]]) {
		fence = max(fence, todo.fences[c.Object])
	}
	return fence
}

// position keeps a row's place over rounds.
func (t *task) position(ref string, fresh int) int {
	for _, r := range t.Rows {
		if r.Object == ref {
			return r.Pos
		}
	}
	return len(t.Rows) + fresh
}

// sendAll sends every chunk of the round that has no answer yet.
func (s *Service) sendAll(ctx context.Context, t *task) error {
	var open []*record.Chunk
	for _, c := range t.chunks {
		if !c.Answered {
			open = append(open, c)
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failures []error
	slots := make(chan struct{}, chunksAtOnce)
	for _, c := range open {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			rows, err := s.send(ctx, t, c, len(t.chunks) == 1)
			mu.Lock()
			defer mu.Unlock()
			t.merge(rows)
			if err != nil {
				failures = append(failures, err)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(failures...)
}

func (t *task) callKey(c *record.Chunk) string { return callKey(keyOf(t.Job), c) }

func callKey(job int64, c *record.Chunk) string {
	return fmt.Sprintf("%d.%d.%d", job, c.Round, c.Number)
}
