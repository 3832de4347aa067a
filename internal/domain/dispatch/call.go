package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"sextant/internal/domain/dispatch/answer"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/dispatch/retry"
	"sextant/internal/domain/gateway"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/kit/obs"
	"sextant/internal/kit/secret"
	"sextant/sdk/go/wire"
)

const (
	grace       = 5 * time.Second // after the deadline, for the plugin's own word on it
	cancelFor   = 5 * time.Second // for telling a plugin to stop
	resendFirst = 200 * time.Millisecond
	resendMax   = 5 * time.Second
	notSentMax  = 8 // tries to reach a plugin that certainly has not got the call
	brokenMax   = 5 // tries to get an answer after a connection broke
)

// send makes the call of a chunk and stores what became of its rows. It returns
// without rows when ctx ends before the call, or when the server stops.
//
// The answer of a round's only call is kept for what comes of it to be stored in the
// same write.
func (s *Service) send(ctx context.Context, t *task, c *record.Chunk, only bool) ([]*record.Row, error) {
	resumed, wanted := c.Sent && t.ready == nil, ctx.Err() == nil
	if !wanted && !c.Sent {
		return nil, context.Cause(ctx)
	}
	body, mask, err := s.goOut(ctx, t, c, wanted)
	if c.Free == nil {
		return nil, err
	}
	defer func() { c.Free() }()
	if err == nil {
		defer s.masks.Set(t.callKey(c), mask)()
	}
	var rows []*record.Row
	switch {
	case err == nil:
		rows, err = s.ask(ctx, t, c, body, resumed)
	case resumed && s.ctx.Err() == nil:
		mask, _ = s.masks.Of(t.callKey(c))
		rows, err = s.lost(ctx, t, c, err), nil
	}
	if err != nil || rows == nil {
		return nil, err
	}
	answer.Hide(mask, rows)
	if err := s.keepRest(t, c, mask); err != nil {
		return nil, err
	}
	a := &kept{c, rows}
	if only && !t.Svc.Action.Async {
		t.kept = a
		return rows, nil
	}
	return s.store(ctx, t, a)
}

// keepRest stores what was kept back of the output of a call that is over.
func (s *Service) keepRest(t *task, c *record.Chunk, mask *secret.Mask) error {
	defer s.streams.Turn(t.callKey(c))()
	rest := s.streams.Rest(t.callKey(c), mask)
	if len(rest) == 0 {
		return nil
	}
	return s.keepOutput(int64(t.Job.Run), keyOf(t.Job), c.Round, rest)
}

// goOut readies a call that is about to be sent, and notes that. Without an error it
// has its place.
func (s *Service) goOut(ctx context.Context, t *task, c *record.Chunk, wanted bool) ([]byte, *secret.Mask, error) {
	if r := t.ready; r != nil {
		t.ready = nil
		s.touching(t, c)
		return r.body, r.mask, nil
	}
	resumed := c.Sent
	c.Free = func() {}
	if wanted {
		if err := s.turn(ctx, t, c); err != nil {
			c.Free = nil
			return nil, nil, err
		}
	}
	s.touching(t, c)
	body, mask, err := s.open(t.scope.As(context.WithoutCancel(ctx)), t.scope, t.Svc, c.Body)
	if err == nil {
		err = s.markSent(ctx, t, c, resumed)
	}
	return body, mask, err
}

// prepared gives the only call of a round where it can go out at once: there is a
// place for it, and what it needs can be opened.
func (s *Service) prepared(ctx context.Context, t *task, chunks []*record.Chunk) *ready {
	if len(chunks) != 1 {
		return nil
	}
	c := chunks[0]
	if c.Free = s.tryTurn(t); c.Free == nil {
		return nil
	}
	body, mask, err := s.open(t.scope.As(context.WithoutCancel(ctx)), t.scope, t.Svc, c.Body)
	if err != nil { // it is told where the call is to go out
		c.Free()
		return nil
	}
	return &ready{c, body, mask}
}

// store keeps the answer of a call. It gives the rows that are stored: a call-back may
// have come first.
func (s *Service) store(ctx context.Context, t *task, a *kept) ([]*record.Row, error) {
	stored := false
	err := s.DB.Do(context.WithoutCancel(ctx), func(tx *db.Tx) (err error) {
		stored, err = s.Records.StoreAnswer(tx, int64(t.Job.Run), keyOf(t.Job), a.chunk, a.rows)
		return err
	})
	if err != nil {
		return nil, err
	}
	a.chunk.Answered = true
	if stored {
		s.changed(t.Job.Run, t.Job.Key, a.rows...)
		return a.rows, nil
	}
	return s.stored(ctx, t, a.chunk)
}

// keep stores the answer that was kept for later, where there is one.
func (s *Service) keep(ctx context.Context, t *task) error {
	if t.kept == nil {
		return nil
	}
	rows, err := s.store(ctx, t, t.kept)
	if err == nil {
		t.kept = nil
		t.merge(rows)
	}
	return err
}

// markSent notes that from here on nobody can say that the plugin has not got a
// call. The write that says so finds out that the run still holds what the call
// acts on, and that the step is still wanted. One that was sent before goes out
// in any case where nobody wants it: it is to be stopped.
func (s *Service) markSent(ctx context.Context, t *task, c *record.Chunk, resumed bool) error {
	if resumed && ctx.Err() != nil {
		return nil
	}
	err := s.DB.Do(ctx, func(tx *db.Tx) error {
		if err := s.hold(ctx, tx, t, c); err != nil || c.Sent {
			return err
		}
		return s.Records.MarkSent(tx, int64(t.Job.Run), keyOf(t.Job), c)
	})
	c.Sent = c.Sent || err == nil
	if resumed && ctx.Err() != nil {
		return nil
	}
	return err
}

// hold finds out, in the write that says that a call goes out, that its step is still
// wanted and that the run holds what it acts on.
func (s *Service) hold(ctx context.Context, tx *db.Tx, t *task, c *record.Chunk) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	fences, err := s.door.Held(ctx, tx, int64(t.Job.Run), c.Claims)
	if err != nil {
		return err
	}
	c.Fence = 0
	for _, f := range fences {
		c.Fence = max(c.Fence, f)
	}
	return nil
}

// lost is what became of the rows of a call that was sent before the server was
// started anew, where the plugin cannot be asked about it any more. Where nobody
// wants it the plugin is told to stop: that takes the key alone.
func (s *Service) lost(ctx context.Context, t *task, c *record.Chunk, why error) []*record.Row {
	if ctx.Err() != nil {
		s.cancel(context.WithoutCancel(ctx), t, c)
	}
	return t.all(c, record.Row{Outcome: wire.OutcomeUnknown, Code: record.NoAnswer, Message: record.Lost(errs.As(why).Error())})
}

// stored reads the outcomes of a chunk that was answered already.
func (s *Service) stored(ctx context.Context, t *task, c *record.Chunk) ([]*record.Row, error) {
	all, err := record.Rows(context.WithoutCancel(ctx), s.DB, keyOf(t.Job))
	if err != nil {
		return nil, err
	}
	var rows []*record.Row
	for _, r := range all {
		if r.Round == c.Round && r.Chunk == c.Number {
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// ask sends a chunk until there is an answer, or until it is clear that there
// will be none.
func (s *Service) ask(ctx context.Context, t *task, c *record.Chunk, body []byte, mayRun bool) ([]*record.Row, error) {
	arrived, forget := s.wait.Listen(t.callKey(c))
	defer forget()
	l := s.limit(ctx, t, c)
	defer l.end()
	once := !t.Svc.Action.Idempotent
	if mayRun && once { // it was sent, and is not sent a second time
		if t.Svc.Action.Async {
			return s.await(l, arrived)
		}
		return t.all(c, record.Row{Outcome: wire.OutcomeUnknown, Code: record.NoAnswer, Message: "the server " +
			"stopped while the plugin had the call; the action is not idempotent, so that it is not sent again: find out what was done"}), nil
	}
	for try := 0; ; try++ {
		got, err := s.Router.Do(l.ctx, l.request(body, mayRun))
		switch {
		case s.ctx.Err() != nil:
			return nil, context.Cause(s.ctx)
		case err == nil && got.Status == http.StatusAccepted:
			c.Free() // until it calls back it works on nothing of ours
			return s.await(l, arrived)
		case err == nil && (once || !answer.Again(got.Status)) && !(l.over() && got.Status == http.StatusNotFound):
			return t.answers(c).Interpret(got, mayRun), nil
		case l.ctx.Err() != nil && !mayRun && errors.Is(err, gateway.ErrNotSent):
			return t.all(c, answer.Unreached(false, err)), nil
		case l.ctx.Err() != nil:
			return l.tooLate(), nil
		case l.over() && t.Svc.Action.Settles: // until it is certain
		case err != nil && errors.Is(err, gateway.ErrNotSent):
			if try+1 >= notSentMax {
				return t.all(c, answer.Unreached(mayRun, err)), nil
			}
		default:
			mayRun = true
			if once || try+1 >= brokenMax {
				return t.all(c, record.Row{Outcome: wire.OutcomeUnknown, Code: record.NoAnswer,
					Message: "the plugin gave no answer: " + answer.Describe(got, err)}), nil
			}
		}
		mayRun = mayRun || !errors.Is(err, gateway.ErrNotSent)
		wait := retry.Policy{First: resendFirst, Longest: resendMax}.Wait(try)
		if s.pause(l.ctx, wait) != nil && s.ctx.Err() == nil {
			if !mayRun {
				return t.all(c, answer.Unreached(false, err)), nil
			}
			return l.tooLate(), nil
		}
	}
}

func (s *Service) request(t *task, c *record.Chunk, body []byte) gateway.Call {
	method := t.Svc.Action.Method
	if method == "" {
		method = http.MethodPost
	}
	h := http.Header{}
	h.Set(wire.HeaderIdempotencyKey, t.callKey(c))
	h.Set(wire.HeaderDeadline, c.Deadline.UTC().Format(time.RFC3339Nano))
	h.Set(wire.HeaderRun, fmt.Sprint(int64(t.Job.Run)))
	h.Set(wire.HeaderProject, t.scope.Project())
	h.Set(wire.HeaderFence, itoa(c.Fence))
	h.Set("requestId", t.callKey(c))
	h.Set("transactionId", fmt.Sprint(int64(t.Job.Element)))
	h.Set(wire.HeaderTraceparent, obs.Traceparent(int64(t.Job.Run), t.callKey(c)))
	return gateway.Call{Plugin: t.Svc.Plugin, Method: method, Path: t.Svc.Action.Path, Header: h, Body: body, Once: !t.Svc.Action.Idempotent}
}

// await waits for the call-back of an accepted call.
func (s *Service) await(l *limit, arrived <-chan struct{}) ([]*record.Row, error) {
	defer s.Router.Settled(l.t.Svc.Plugin, l.t.callKey(l.c))
	select {
	case <-arrived:
		return s.stored(l.ctx, l.t, l.c)
	case <-l.ctx.Done():
	}
	if s.ctx.Err() != nil {
		return nil, context.Cause(s.ctx)
	}
	return l.tooLate(), nil
}

// request is the call of a chunk; again says that the plugin may have it. One that is
// over carries a deadline that is over too: a plugin that gets it anew ends what runs,
// and begins nothing.
func (l *limit) request(body []byte, again bool) gateway.Call {
	call := l.s.request(l.t, l.c, body)
	if again {
		call.Header.Set(wire.HeaderAgain, "true")
	}
	if l.over() {
		call.Header.Set(wire.HeaderDeadline, l.s.Clock.Now().Add(-time.Second).UTC().Format(time.RFC3339Nano))
	}
	return call
}

// tooLate gives a call up on which the plugin has not said its word in time: it is
// told to stop, and nobody knows what it did.
func (l *limit) tooLate() []*record.Row {
	message := fmt.Sprintf("no answer came until the deadline %s; the plugin was told to stop, but what it did is not known",
		l.c.Deadline.Format(time.RFC3339))
	switch {
	case errors.Is(context.Cause(l.ctx), errGivenUp):
		message = givenUp
	case l.over():
		message = "the plugin was told to stop and has not said that everything has ended: what it did is not known"
	default:
		l.s.cancel(context.WithoutCancel(l.ctx), l.t, l.c)
	}
	return l.t.all(l.c, record.Row{Outcome: wire.OutcomeUnknown, Code: "sextant.timed_out", Message: message})
}

// cancel tells a plugin that nobody wants a call any more; it reports whether the
// plugin has heard.
func (s *Service) cancel(ctx context.Context, t *task, c *record.Chunk) bool {
	if !t.Svc.Action.Cancel {
		return true
	}
	ctx, stop := context.WithTimeout(ctx, cancelFor)
	defer stop()
	call := s.request(t, c, []byte("{}"))
	call.Method, call.Path = http.MethodPost, call.Path+"/cancel"
	_, err := s.Router.Do(ctx, call)
	if err != nil {
		s.Log.WarnContext(ctx, "a plugin could not be told to stop a call", "key", t.callKey(c), "err", err)
	}
	return err == nil
}

// answers are the rows of a chunk, for what a plugin says of them.
func (t *task) answers(c *record.Chunk) answer.Of {
	return answer.Of{Rows: t.Rows, Round: c.Round, Chunk: c.Number, Output: t.Svc.Action.Output}
}

// all gives every row of a chunk the same outcome.
func (t *task) all(c *record.Chunk, with record.Row) []*record.Row { return t.answers(c).All(with) }

// owns finds the job of a call key that a plugin reports about.
func (s *Service) owns(ctx context.Context, key, name string) (*record.Job, *record.Chunk, error) {
	var job int64
	var round, number int
	if n, err := fmt.Sscanf(key, "%d.%d.%d", &job, &round, &number); err != nil ||
		n != 3 || key != fmt.Sprintf("%d.%d.%d", job, round, number) {
		return nil, nil, errs.New(errs.Malformed, "dispatch.key", "%q is no call key", key)
	}
	r, err := record.Find(ctx, s.DB, job)
	if err != nil {
		return nil, nil, err
	}
	missing := errs.New(errs.NotFound, "dispatch.call_not_found", "there is no call %s of this plugin", key)
	if r == nil || name != "plugin/"+r.Plugin {
		return nil, nil, missing
	}
	all, err := record.Chunks(ctx, s.DB, job, round)
	if err != nil {
		return nil, nil, err
	}
	if number < 0 || number >= len(all) {
		return nil, nil, missing
	}
	return r, all[number], nil
}
