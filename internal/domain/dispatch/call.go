package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sextant/internal/domain/dispatch/record"
	"strings"
	"time"

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
func (s *Service) send(ctx context.Context, t *task, c *record.Chunk) ([]*record.Row, error) {
	resumed, wanted := c.Sent, ctx.Err() == nil
	if !wanted && !resumed {
		return nil, context.Cause(ctx)
	}
	c.Free = func() {}
	if wanted {
		if err := s.turn(ctx, t, c); err != nil {
			return nil, err
		}
	}
	defer func() { c.Free() }()
	body, mask, err := s.open(t.scope.as(context.WithoutCancel(ctx)), t.scope, t.svc, c.Body)
	if err != nil {
		return nil, err
	}
	defer s.masks.Set(t.callKey(c), mask)()
	s.touching(t, c)
	if wanted {
		if err := s.markSent(ctx, t, c); err != nil {
			return nil, err
		}
	}
	rows, err := s.ask(ctx, t, c, body, resumed)
	if err != nil || rows == nil {
		return nil, err
	}
	hide(mask, rows)
	if rest := s.streams.Rest(t.callKey(c), mask); len(rest) > 0 {
		if err := s.keepOutput(int64(t.job.Run), keyOf(t.job), c.Round, rest); err != nil {
			return nil, err
		}
	}
	stored := false
	err = s.DB.Do(context.WithoutCancel(ctx), func(tx *db.Tx) error {
		var err error
		stored, err = record.StoreAnswer(tx, keyOf(t.job), c, rows)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.Answered = true
	s.Changed(t.job.Run)
	if stored {
		return rows, nil
	}
	return s.stored(ctx, t, c) // a call-back came first
}

// markSent notes that from here on nobody can say that the plugin has not got a
// call. The write that says so finds out that the run still holds what the call
// acts on, and that the step is still wanted.
func (s *Service) markSent(ctx context.Context, t *task, c *record.Chunk) error {
	err := s.DB.Do(ctx, func(tx *db.Tx) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		fences, err := s.door.Held(ctx, tx, int64(t.job.Run), c.Claims)
		if err != nil {
			return err
		}
		c.Fence = 0
		for _, f := range fences {
			c.Fence = max(c.Fence, f)
		}
		if c.Sent {
			return nil
		}
		return record.MarkSent(tx, keyOf(t.job), c)
	})
	c.Sent = c.Sent || err == nil
	return err
}

// hide takes secrets out of what a plugin said of rows.
func hide(mask *secret.Mask, rows []*record.Row) {
	if mask == nil {
		return
	}
	for _, r := range rows {
		r.Code, r.Message = mask.Text(r.Code), mask.Text(r.Message)
		for name, v := range r.Outputs {
			r.Outputs[name] = mask.JSON(v)
		}
	}
}

// stored reads the outcomes of a chunk that was answered already.
func (s *Service) stored(ctx context.Context, t *task, c *record.Chunk) ([]*record.Row, error) {
	all, err := record.Rows(context.WithoutCancel(ctx), s.DB, keyOf(t.job))
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
	once := !t.svc.Action.Idempotent
	if mayRun && once { // it was sent, and is not sent a second time
		if t.svc.Action.Async {
			return s.await(l, arrived)
		}
		return t.all(c, record.Row{Outcome: wire.OutcomeUnknown, Code: "sextant.no_answer", Message: "the server stopped while the plugin had the call; the action is not idempotent, so that it is not sent again: find out what was done"}), nil
	}
	for try := 0; ; try++ {
		answer, err := s.Router.Do(l.ctx, l.request(body))
		switch {
		case s.ctx.Err() != nil:
			return nil, context.Cause(s.ctx)
		case err == nil && answer.Status == http.StatusAccepted:
			c.Free() // until it calls back it works on nothing of ours
			return s.await(l, arrived)
		case err == nil && (once || !again(answer.Status)) && !(l.over() && answer.Status == http.StatusNotFound):
			return t.interpret(c, answer, mayRun), nil
		case l.ctx.Err() != nil && !mayRun && errors.Is(err, gateway.ErrNotSent):
			return t.all(c, unreached(false, err)), nil
		case l.ctx.Err() != nil:
			return l.tooLate(), nil
		case l.over() && t.svc.Action.Settles: // until it is certain
		case err != nil && errors.Is(err, gateway.ErrNotSent):
			if try+1 >= notSentMax {
				return t.all(c, unreached(mayRun, err)), nil
			}
		default:
			mayRun = true
			if once || try+1 >= brokenMax {
				return t.all(c, record.Row{Outcome: wire.OutcomeUnknown, Code: "sextant.no_answer", Message: "the plugin gave no answer: " + describe(answer, err)}), nil
			}
		}
		mayRun = mayRun || !errors.Is(err, gateway.ErrNotSent)
		wait := retry.Policy{First: resendFirst, Longest: resendMax}.Wait(try)
		if s.pause(l.ctx, wait) != nil && s.ctx.Err() == nil {
			if !mayRun {
				return t.all(c, unreached(false, err)), nil
			}
			return l.tooLate(), nil
		}
	}
}

// again reports whether a status says that the call may be sent once more under
// the same key.
func again(status int) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusTooManyRequests, http.StatusRequestTimeout:
		return true
	}
	return false
}

func describe(a *gateway.Answer, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("it answered with status %d", a.Status)
}

// unreached is what became of rows whose call could not be delivered.
func unreached(mayRun bool, err error) record.Row {
	if mayRun {
		return record.Row{Outcome: wire.OutcomeUnknown, Code: "sextant.no_answer", Message: "the plugin had the call and cannot be reached any more: " + err.Error()}
	}
	return record.Row{Outcome: wire.OutcomeFailed, Code: "sextant.not_sent", Retry: "transport", Message: "the plugin cannot be reached, nothing was done: " + err.Error()}
}

func (s *Service) request(t *task, c *record.Chunk, body []byte) gateway.Call {
	method := t.svc.Action.Method
	if method == "" {
		method = http.MethodPost
	}
	h := http.Header{}
	h.Set(wire.HeaderIdempotencyKey, t.callKey(c))
	h.Set(wire.HeaderDeadline, c.Deadline.UTC().Format(time.RFC3339Nano))
	h.Set(wire.HeaderRun, fmt.Sprint(int64(t.job.Run)))
	h.Set(wire.HeaderProject, t.scope.project())
	h.Set(wire.HeaderFence, itoa(c.Fence))
	h.Set("requestId", t.callKey(c))
	h.Set("transactionId", fmt.Sprint(int64(t.job.Element)))
	h.Set(wire.HeaderTraceparent, obs.Traceparent(int64(t.job.Run), t.callKey(c)))
	return gateway.Call{Plugin: t.svc.Plugin, Method: method, Path: t.svc.Action.Path, Header: h, Body: body, Once: !t.svc.Action.Idempotent}
}

// await waits for the call-back of an accepted call.
func (s *Service) await(l *limit, arrived <-chan struct{}) ([]*record.Row, error) {
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

// request is the call of a chunk. One that is over carries a deadline that is over
// too: a plugin that gets it anew ends what runs, and begins nothing.
func (l *limit) request(body []byte) gateway.Call {
	call := l.s.request(l.t, l.c, body)
	if l.over() {
		call.Header.Set(wire.HeaderDeadline, l.s.Clock.Now().Add(-time.Second).UTC().Format(time.RFC3339Nano))
	}
	return call
}

// tooLate gives a call up on which the plugin has not said its word in time: it is
// told to stop, and nobody knows what it did.
func (l *limit) tooLate() []*record.Row {
	message := fmt.Sprintf("no answer came until the deadline %s; the plugin was told to stop, but what it did is not known", l.c.Deadline.Format(time.RFC3339))
	switch {
	case errors.Is(context.Cause(l.ctx), errGivenUp):
		message = "a person has given up waiting for the plugin's word that everything has ended: what it did is not known"
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
	if !t.svc.Action.Cancel {
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

// all gives every row of a chunk the same outcome.
func (t *task) all(c *record.Chunk, with record.Row) []*record.Row {
	var rows []*record.Row
	for _, r := range t.rows {
		if r.Round == c.Round && r.Chunk == c.Number {
			row := with
			row.Pos, row.Object, row.Round, row.Chunk = r.Pos, r.Object, r.Round, r.Chunk
			if row.Outputs == nil {
				row.Outputs = wire.Row{}
			}
			rows = append(rows, &row)
		}
	}
	return rows
}

// interpret turns the answer of a plugin into outcomes. What is not an answer
// leaves it open what was done.
func (t *task) interpret(c *record.Chunk, a *gateway.Answer, mayRun bool) []*record.Row {
	var resp wire.Response
	err := json.Unmarshal(a.Body, &resp)
	switch {
	case a.Status >= 400 && a.Status < 500 && !mayRun:
		message := resp.ResultMessage
		if err != nil || message == "" {
			message = fmt.Sprintf("status %d", a.Status)
		}
		return t.all(c, record.Row{Outcome: wire.OutcomeFailed, Code: "sextant.refused", Message: "the plugin refused the call: " + message})
	case a.Status >= 400:
		return t.all(c, record.Row{Outcome: wire.OutcomeUnknown, Code: "sextant.plugin_failed", Message: fmt.Sprintf("the plugin answered with status %d: %.200s", a.Status, a.Body)})
	case err != nil:
		return t.all(c, record.Row{Outcome: wire.OutcomeUnknown, Code: "sextant.garbage", Message: fmt.Sprintf("the plugin's answer is not the JSON of a service call: %.100q", a.Body)})
	}
	return t.outcomes(c, resp)
}

// outcomes takes the outcome of each row of a chunk from an answer. A row that
// the plugin does not mention is unknown.
func (t *task) outcomes(c *record.Chunk, resp wire.Response) []*record.Row {
	byID := map[string]wire.Row{}
	for _, o := range resp.Results.Outputs {
		byID[plain(o[wire.FieldCallback])] = o
	}
	rows := t.all(c, record.Row{})
	for _, r := range rows {
		o, ok := byID[r.Object]
		if !ok {
			o, ok = byID[alone(rows, r)]
		}
		if !ok {
			r.Outcome, r.Code = wire.OutcomeUnknown, "sextant.row_missing"
			r.Message = fmt.Sprintf("the plugin's answer has no row with callbackParameter %q", r.Object)
			if resp.ResultCode != wire.CodeOK && len(resp.Results.Outputs) == 0 {
				r.Outcome, r.Code, r.Message = wire.OutcomeFailed, "sextant.failed", resp.ResultMessage
			}
			continue
		}
		t.outcome(r, o)
	}
	return rows
}

// alone is the id of a row's object where no other row of the call has the same:
// a plugin may answer by it, too.
func alone(rows []*record.Row, r *record.Row) string {
	id := idOf(r.Object)
	for _, other := range rows {
		if other != r && idOf(other.Object) == id {
			return r.Object
		}
	}
	return id
}

// idOf is what stands behind the type in the reference of an object.
func idOf(ref string) string {
	_, id, ok := strings.Cut(ref, "/")
	if !ok {
		return ref
	}
	return id
}

func (t *task) outcome(r *record.Row, o wire.Row) {
	r.Code, r.Message, r.Retry = plain(o[wire.FieldErrorCode]), plain(o[wire.FieldErrorMessage]), plain(o["retryOn"])
	r.Outcome = wire.Outcome(plain(o[wire.FieldOutcome]))
	switch {
	case r.Outcome == "" && (r.Code == wire.CodeOK || r.Code == ""):
		r.Outcome = wire.OutcomeOK
	case r.Outcome == "":
		r.Outcome = wire.OutcomeFailed
	case !r.Outcome.Valid():
		r.Message = fmt.Sprintf("the plugin says %q, which is no outcome", r.Outcome)
		r.Outcome, r.Code = wire.OutcomeUnknown, "sextant.garbage"
	}
	if r.Done() {
		r.Code = ""
	}
	r.Outputs = wire.Row{}
	for _, p := range t.svc.Action.Output {
		if v, ok := o[p.Name]; ok && !p.Secret {
			r.Outputs[p.Name] = v
		}
	}
}

func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}

// owns finds the job of a call key that a plugin reports about.
func (s *Service) owns(ctx context.Context, key, name string) (*record.Job, *record.Chunk, error) {
	var job int64
	var round, number int
	if n, err := fmt.Sscanf(key, "%d.%d.%d", &job, &round, &number); err != nil || n != 3 || key != fmt.Sprintf("%d.%d.%d", job, round, number) {
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
