package plugin

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"sextant/sdk/go/wire"
)

const (
	maxBody     = 16 << 20
	callbackFor = 24 * time.Hour // how long a call-back is tried
)

// server answers the calls of a plugin.
type server struct {
	p       *Plugin
	host    *Host
	results *results
}

// Handler makes the plugin ready on a host and gives what answers its calls.
func (p *Plugin) Handler(ctx context.Context, h *Host) (http.Handler, error) {
	if p.err != nil {
		return nil, p.err
	}
	h.begin()
	for _, fn := range p.start {
		if err := fn(ctx, h); err != nil {
			return nil, fmt.Errorf("start plugin %s: %w", p.Name(), err)
		}
	}
	s := &server{p: p, host: h, results: newResults(h)}
	s.results.sweep(h.Clock.Now())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /manifest", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, p.manifest) })
	mux.HandleFunc("GET /data-model", s.dataModel)
	mux.HandleFunc("POST /entities/{type}/{op}", s.entities)
	for path, a := range p.actions {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, a) })
		mux.HandleFunc("POST "+path+"/cancel", s.cancel)
	}
	return s.guard(mux), nil
}

// Serve runs the plugin as a process of its own until ctx ends.
func Serve(ctx context.Context, p *Plugin, h *Host, listen string) error {
	handler, err := p.Handler(ctx, h)
	if err != nil {
		return err
	}
	defer h.Close()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", listen, err)
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	h.Log.Info("plugin is ready", "plugin", p.Name(), "listen", l.Addr().String())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return srv.Shutdown(stop)
}

// guard checks the caller and survives an author's panic.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if s.host.Incoming != "" && r.URL.Path != "/healthz" && subtle.ConstantTimeCompare([]byte(token), []byte(s.host.Incoming)) != 1 {
			fail(w, http.StatusUnauthorized, "the token is not that of this plugin")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller is gone if this fails
}

func fail(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, wire.Response{ResultCode: wire.CodeFailed, ResultMessage: message})
}

func (s *server) serve(w http.ResponseWriter, r *http.Request, a *action) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", maxBody))
		return
	}
	var req wire.Request
	if err := json.Unmarshal(body, &req); err != nil {
		fail(w, http.StatusBadRequest, "the body is no service call: "+err.Error())
		return
	}
	key := r.Header.Get(wire.HeaderIdempotencyKey)
	if key == "" {
		fail(w, http.StatusBadRequest, "the header Idempotency-Key is missing")
		return
	}
	prior, err := s.results.claim(key, body)
	switch {
	case errors.Is(err, errOtherBody):
		fail(w, http.StatusUnprocessableEntity, err.Error())
		return
	case err != nil:
		fail(w, http.StatusInternalServerError, "what is known about earlier calls cannot be read: "+err.Error())
		return
	case prior.body != nil && !a.spec.Async:
		answer(w, prior.body)
		return
	case prior.body != nil:
		w.WriteHeader(http.StatusAccepted)
		go s.callback(key, prior.body)
		return
	}
	if prior.fresh {
		ctx, cancel := s.context(r, a)
		prior.work.cancel = cancel
		c := &batch{server: s, action: a, key: key, req: req, run: r.Header.Get(wire.HeaderRun), fence: r.Header.Get(wire.HeaderFence), lost: prior.begun && !a.spec.Idempotent}
		go func() {
			defer cancel(nil)
			s.results.finish(key, prior.work, c.do(ctx))
			if a.spec.Async {
				s.callback(key, prior.work.body)
			}
		}()
	}
	if a.spec.Async {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	select {
	case <-prior.work.done:
		answer(w, prior.work.body)
	case <-r.Context().Done(): // the caller may come back with the same key
	}
}

func answer(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the caller comes back if this fails
}

// context bounds a call: by the deadline of the caller and by the action's own
// time-out. It does not end with the caller's connection.
func (s *server) context(r *http.Request, a *action) (context.Context, context.CancelCauseFunc) {
	deadline := s.host.Clock.Now().Add(24 * time.Hour)
	if at, err := time.Parse(time.RFC3339Nano, r.Header.Get(wire.HeaderDeadline)); err == nil && at.Before(deadline) {
		deadline = at
	}
	_ = a
	ctx, cancel := context.WithCancelCause(s.host.ctx)
	ctx, stop := context.WithDeadline(ctx, deadline)
	return ctx, func(cause error) { cancel(cause); stop() }
}

func (s *server) cancel(w http.ResponseWriter, r *http.Request) {
	if !s.results.cancel(r.Header.Get(wire.HeaderIdempotencyKey)) {
		fail(w, http.StatusNotFound, "no call with this key is running")
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// callback brings an answer to the platform until it is taken or known to be
// unwanted.
func (s *server) callback(key string, body []byte) {
	ctx, cancel := context.WithTimeout(s.host.ctx, callbackFor)
	defer cancel()
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		status, err := s.host.post(ctx, "/api/v1/jobs/"+url.PathEscape(key)+"/result", json.RawMessage(body))
		if err == nil && (status < 300 || status == http.StatusNotFound || status == http.StatusConflict || status == http.StatusGone || status == http.StatusUnprocessableEntity) {
			return
		}
		s.host.Log.Warn("the platform did not take a result; it is brought again", "key", key, "status", status, "err", err)
		tick, stop := s.host.Clock.After(wait)
		select {
		case <-ctx.Done():
			stop()
			return
		case <-tick:
		}
	}
}

// batch is one call with its rows.
type batch struct {
	server     *server
	action     *action
	key        string
	req        wire.Request
	run, fence string
	lost       bool // begun by a process that is gone, and not to be repeated
}

func (b *batch) do(ctx context.Context) []byte {
	log := newLogger(b.server.host, b.key)
	logCtx, stopLog := context.WithCancel(context.WithoutCancel(ctx))
	flushed := make(chan struct{})
	go func() { defer close(flushed); log.run(logCtx) }()
	outputs := make([]wire.Row, len(b.req.Inputs))
	slots := make(chan struct{}, b.action.at)
	var wg sync.WaitGroup
	for i, row := range b.req.Inputs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			outputs[i] = b.row(ctx, row, log)
		})
	}
	wg.Wait()
	stopLog()
	<-flushed
	resp := wire.Response{ResultCode: wire.CodeOK, ResultMessage: "success", Results: wire.Results{Outputs: outputs}}
	for _, o := range outputs {
		if string(o[wire.FieldErrorCode]) != `"0"` {
			resp.ResultCode, resp.ResultMessage = wire.CodeFailed, "some rows were not done"
		}
	}
	return wire.Raw(resp)
}

func (b *batch) row(ctx context.Context, in wire.Row, log *logger) wire.Row {
	var id string
	_ = json.Unmarshal(in[wire.FieldCallback], &id) // an empty id is answered as it came
	call := &Call{Host: b.server.host, Key: b.key + "/" + id, Row: id, Operator: b.req.Operator, Run: b.run, Fence: b.fence, log: log}
	ctx, cancel := context.WithTimeout(ctx, parseDuration(b.action.spec.Timeout))
	defer cancel()
	var out wire.Row
	var err error
	if b.lost {
		err = Unknown("the plugin was ended while it worked on this, and it must not be done twice")
	} else {
		out, err = protected(func() (wire.Row, error) { return b.action.run(ctx, call, in) })
	}
	if out == nil {
		out = wire.Row{}
	}
	out[wire.FieldCallback] = wire.Raw(id)
	out[wire.FieldErrorCode], out[wire.FieldErrorMessage], out[wire.FieldOutcome] = wire.Raw("0"), wire.Raw(""), wire.Raw(wire.OutcomeOK)
	if err != nil {
		e := classify(ctx, err)
		code := e.Code
		if e.Outcome == wire.OutcomeSkipped {
			code = "0"
		} else if code == "" {
			code = "1"
		}
		out[wire.FieldErrorCode], out[wire.FieldErrorMessage], out[wire.FieldOutcome] = wire.Raw(code), wire.Raw(e.Error()), wire.Raw(e.Outcome)
		if e.Retry != "" {
			out["retryOn"] = wire.Raw(e.Retry)
		}
	}
	return out
}

// protected turns a panic of an author's function into a failed row.
func protected(fn func() (wire.Row, error)) (row wire.Row, err error) {
	defer func() {
		if p := recover(); p != nil {
			stack := string(debug.Stack())
			err = Fail("panic", fmt.Sprintf("the plugin panicked: %v\n%s", p, stack[:min(len(stack), 2000)]))
		}
	}()
	return fn()
}

// parseDuration reads the durations that formatDuration writes.
func parseDuration(s string) time.Duration {
	d, err := time.ParseDuration(strings.ToLower(strings.TrimPrefix(s, "PT")))
	if err != nil || d <= 0 {
		return defaultTimeout
	}
	return d
}
