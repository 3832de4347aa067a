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
	"sextant/internal/domain/dispatch/override"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/dispatch/retry"
	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/engine/durable"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

const (
	defaultTimeout = 10 * time.Minute
	defaultBatch   = 50
	chunksAtOnce   = 4 // calls of one job at the same time
	// noObject stands for the only row of a run that acts on no object.
	noObject = "run"
)

// task is a job with everything that is known about it.
type task struct {
	job    durable.Job
	svc    plugin.Service
	scope  *scope
	record *record.Job
	rows   []*record.Row   // of all rounds, in the order of the rows
	chunks []*record.Chunk // of the round under way
	retry  retry.Policy
	// corrected are outputs that a person gave in place of those of the service.
	corrected wire.Row
}

// serve does the job of a service task.
func (s *Service) serve(ctx context.Context, j durable.Job) error {
	t, err := s.prepare(ctx, j)
	if err != nil {
		return err
	}
	for {
		err := s.away(ctx, j.Key, func() error { return s.sendAll(ctx, t) })
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
	t := &task{job: j, svc: svc}
	if t.retry, err = retry.Of(svc.Action.Retry); err != nil {
		return nil, errs.New(errs.Invalid, "dispatch.retry", "the retry policy of %s is not understood: %s", svc.Name(), err)
	}
	if _, t.corrected, err = override.Read(j.Override); err != nil {
		return nil, err
	}
	all, err := source.Of(svc, j.Node.Ext)
	if err != nil {
		return nil, err
	}
	if t.scope, err = s.read(ctx, j, source.Variables(all)); err != nil {
		return nil, err
	}
	if t.record, err = record.Find(ctx, s.DB, keyOf(j)); err != nil {
		return nil, err
	}
	if t.record != nil {
		if t.rows, err = record.Rows(ctx, s.DB, keyOf(j)); err != nil {
			return nil, err
		}
		if t.record.State == record.Open && int(j.Round) <= t.record.Round {
			if t.scope.given, err = gift.Decode(t.record.Given); err != nil {
				return nil, err
			}
			t.chunks, err = record.Chunks(ctx, s.DB, keyOf(j), t.record.Round)
			return t, err
		}
	}
	if t.record == nil {
		t.record = &record.Job{ID: keyOf(j), Run: int64(j.Run), Node: j.Node.ID, Project: t.scope.project(), Round: -1}
	}
	return t, s.round(ctx, t, all, 0)
}

// nextRound begins a round for the rows that may be tried again.
func (s *Service) nextRound(ctx context.Context, t *task, tries int) error {
	all, err := source.Of(t.svc, t.job.Node.Ext)
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
	r.Plugin, r.Service, r.Version = t.svc.Plugin, t.svc.Name(), t.svc.Version
	r.Round, r.Tries, r.State = max(r.Round+1, int(t.job.Round)), tries, record.Open
	if r.Given, err = gift.Encode(t.scope.given); err != nil {
		return err
	}
	chunks, rows, err := s.cut(t, r, todo)
	if err != nil {
		return err
	}
	rows = append(rows, todo.gone...)
	now := s.Clock.Now()
	if err := s.DB.Do(ctx, func(tx *db.Tx) error {
		if err := s.reached(tx, r.Run, todo.places); err != nil {
			return err
		}
		return record.StoreRound(tx, &r, chunks, rows, now)
	}); err != nil {
		return err
	}
	t.record, t.chunks = &r, chunks
	t.merge(rows)
	s.Changed(t.job.Run)
	return nil
}

// intent is what a round is about to do: its rows, what each is sent, what each
// acts on and the fence under which it is held.
type intent struct {
	rows    []object.Ref
	inputs  []wire.Row
	touched touch
	fences  map[string]int64
	places  []string      // environments of what is acted on and of the connections, where they were found now
	gone    []*record.Row // rows of earlier rounds that the step does not act on any more
}

// intend finds out what a round does and claims it. Where somebody else held a
// part of it, it looks again once it has all, for what it read may have changed.
func (s *Service) intend(ctx context.Context, t *task, all []source.Source, tries int) (intent, error) {
	w := step{t.scope.project(), t.job.Program, t.job.Node, t.svc}
	for {
		var todo intent
		as, noted := object.Noting(t.scope.as(ctx))
		targets, err := s.targets(as, w, t.scope.rows)
		if err != nil {
			return todo, err
		}
		if len(targets) == 0 {
			if bound := t.job.Node.Ext.Bind; bound != nil {
				return todo, nothing(bound.Path)
			}
			targets = []object.Ref{{ID: noObject}}
		}
		for _, r := range targets {
			if t.wants(r, tries) {
				todo.rows = append(todo.rows, r)
			}
		}
		todo.gone = t.unbound(targets)
		f := &form{sources: slices.Clone(all), svc: t.svc}
		if todo.inputs, err = s.build(as, t.scope, f, todo.rows, t.job.Override); err != nil {
			return todo, err
		}
		if todo.touched, err = s.touched(as, w, f, todo.rows); err != nil {
			return todo, err
		}
		if todo.places, err = s.places(ctx, t.scope, noted, todo.touched.all); err != nil {
			return todo, err
		}
		uses, err := s.bound(as, w, f, todo)
		if err != nil {
			return todo, err
		}
		todo.places = append(todo.places, uses...)
		if err := s.settled(ctx, t, todo); err != nil {
			return todo, err
		}
		claims := claimsOf(t.svc, todo.touched.all)
		waited, err := s.claim(ctx, t, claims)
		if err != nil {
			return todo, err
		}
		if !waited {
			todo.fences, err = s.door.Held(ctx, s.DB, int64(t.job.Run), claims)
			return todo, err
		}
	}
}

// claim takes what a round acts on; waited tells that it was not free at once.
func (s *Service) claim(ctx context.Context, t *task, claims []control.Claim) (waited bool, err error) {
	h := control.Holder{Run: int64(t.job.Run), Job: keyOf(t.job), Project: t.scope.project(), Subject: t.scope.requester()}
	defer s.waits.Forget(t.job.Key)
	err = s.door.Claim(ctx, h, claims, func(against []*control.Lock) {
		waited = true
		s.waits.Set(t.job.Key, against)
		s.Changed(t.job.Run)
	})
	return waited, err
}

// wants reports whether a row has to be done in the next round.
func (t *task) wants(ref object.Ref, tries int) bool {
	i := slices.IndexFunc(t.rows, func(r *record.Row) bool { return r.Object == refText(ref) })
	if i < 0 {
		return true
	}
	if tries > 0 {
		return t.again(t.rows[i])
	}
	return !t.rows[i].Done()
}

// unbound gives the rows that are not done and that the step does not act on any
// more: nobody waits for them.
func (t *task) unbound(targets []object.Ref) []*record.Row {
	bound := make(map[string]bool, len(targets))
	for _, r := range targets {
		bound[refText(r)] = true
	}
	var gone []*record.Row
	for _, r := range t.rows {
		if r.Done() || bound[r.Object] {
			continue
		}
		row := *r
		row.Outcome, row.Code, row.Message = wire.OutcomeSkipped, "sextant.unbound", "the step does not act on it any more: what it is bound to has changed"
		gone = append(gone, &row)
	}
	return gone
}

func (t *task) again(r *record.Row) bool {
	return r.Outcome == wire.OutcomeFailed && r.Retry != "" && slices.Contains(t.retry.On, r.Retry)
}

func (t *task) retryable() bool { return slices.ContainsFunc(t.rows, t.again) }

// merge takes over newer results of rows.
func (t *task) merge(rows []*record.Row) {
	for _, r := range rows {
		i := slices.IndexFunc(t.rows, func(o *record.Row) bool { return o.Object == r.Object })
		if i < 0 {
			t.rows = append(t.rows, r)
			continue
		}
		t.rows[i] = r
	}
}

func refText(r object.Ref) string {
	if r.Type == "" {
		return r.ID
	}
	return r.String()
}

// cut makes the chunks of a round: their bytes are fixed from here on.
func (s *Service) cut(t *task, r record.Job, todo intent) ([]*record.Chunk, []*record.Row, error) {
	size := batchOf(t.svc)
	timeout := defaultTimeout
	if t.svc.Action.Timeout != "" {
		d, err := manifest.Duration(t.svc.Action.Timeout)
		if err != nil {
			return nil, nil, errs.New(errs.Invalid, "dispatch.timeout", "the time-out of %s: %s", t.svc.Name(), err)
		}
		timeout = d
	}
	var chunks []*record.Chunk
	var rows []*record.Row
	for from := 0; from < len(todo.rows); {
		c := &record.Chunk{Round: r.Round, Number: len(chunks), Deadline: s.Clock.Now().Add(timeout)}
		req := wire.Request{RequestID: "proc_req_" + clock.NewID(s.Clock), Operator: t.scope.requester(), ServiceName: t.svc.Name(), ServicePath: t.svc.Action.Path}
		fence, to := t.fence(todo, from), from
		for ; to < len(todo.rows) && to-from < size && t.fence(todo, to) == fence; to++ {
			row, target := todo.inputs[to], todo.rows[to]
			ref := refText(target)
			row[wire.FieldCallback], row[wire.FieldOperator], row[wire.FieldConfirmToken] = wire.Raw(ref), wire.Raw(t.scope.requester()), wire.Raw("")
			req.Inputs = append(req.Inputs, row)
			if target.Type != "" {
				req.EntityInstances = append(req.EntityInstances, wire.EntityInstance{ID: target.ID})
			}
			c.Claims = append(c.Claims, claimsOf(t.svc, todo.touched.by[target])...)
			found := &record.Row{Pos: t.position(ref, len(rows)), Object: ref, Round: r.Round, Chunk: c.Number, Outputs: wire.Row{}}
			if r.Round > 0 && found.Pos >= len(t.rows) {
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
	for _, c := range claimsOf(t.svc, todo.touched.by[todo.rows[i]]) {
		fence = max(fence, todo.fences[c.Object])
	}
	return fence
}

// position keeps a row's place over rounds.
func (t *task) position(ref string, fresh int) int {
	for _, r := range t.rows {
		if r.Object == ref {
			return r.Pos
		}
	}
	return len(t.rows) + fresh
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
			rows, err := s.send(ctx, t, c)
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

func (t *task) callKey(c *record.Chunk) string { return callKey(keyOf(t.job), c) }

func callKey(job int64, c *record.Chunk) string {
	return fmt.Sprintf("%d.%d.%d", job, c.Round, c.Number)
}
