package plugin

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	if err := h.begin(); err != nil {
		return nil, err
	}
	for _, fn := range p.start {
		if err := fn(ctx, h); err != nil {
			return nil, fmt.Errorf("start plugin %s: %w", p.Name(), err)
		}
	}
	s := &server{p: p, host: h, results: newResults(h)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /manifest", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, p.manifest) })
	mux.HandleFunc("GET /data-model", s.dataModel)
	mux.HandleFunc("POST /entities/{type}/{op}", s.entities)
	if p.changer != nil {
		mux.HandleFunc("POST /changes", s.changes)
		mux.HandleFunc("GET /changes", s.entries)
	}
	if p.files != nil {
		mux.HandleFunc("GET /ui/{path...}", p.file)
	}
	for path, a := range p.actions {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, a) })
		mux.HandleFunc("POST "+path+"/cancel", s.cancel)
	}
	for path, h := range p.routes {
		mux.Handle(path, h)
		mux.Handle(path+"/", h)
	}
	return s.guard(mux), nil
}

// routed reports whether a path leads to a route, whose bodies the platform bounds.
func (p *Plugin) routed(path string) bool {
	for route := range p.routes {
		if path == route || strings.HasPrefix(path, route+"/") {
			return true
		}
	}
	return false
}

// file serves a file of the front end. The platform gives it its type.
func (p *Plugin) file(w http.ResponseWriter, r *http.Request) {
	data, err := fs.ReadFile(p.files, r.PathValue("path"))
	if err != nil {
		fail(w, http.StatusNotFound, "the front end has no such file")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(data) // the caller is gone if this fails
}

// Serve runs the plugin as a process of its own until ctx ends. Calls that run
// then have five seconds to end.
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
	err = srv.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		h.Close() // ends the calls that still run
		return srv.Close()
	}
	return err
}

// guard checks the caller and survives an author's panic.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if s.host.Incoming != "" && r.URL.Path != "/healthz" && subtle.ConstantTimeCompare([]byte(token), []byte(s.host.Incoming)) != 1 {
			fail(w, http.StatusUnauthorized, "the token is not that of this plugin")
			return
		}
		limit := int64(maxBody)
		if r.URL.Path == "/changes" {
			limit = maxSet
		}
		if !s.p.routed(r.URL.Path) {
			r.Body = http.MaxBytesReader(w, r.Body, limit)
		}
		defer func() {
			p := recover()
			if p == http.ErrAbortHandler {
				panic(p)
			}
			if p != nil {
				s.host.Log.ErrorContext(r.Context(), "the plugin panicked", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				if s.p.routed(r.URL.Path) {
					panic(http.ErrAbortHandler) // part of an answer may be out
				}
				fail(w, http.StatusInternalServerError, fmt.Sprintf("the plugin panicked: %v", p))
			}
		}()
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
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", maxBody))
		return
	case err != nil:
		fail(w, http.StatusBadRequest, "the body ends too early")
		return
	}
	req, err := readRequest(body)
	if err != nil {
		fail(w, http.StatusBadRequest, "the body is no service call: "+err.Error())
		return
	}
	key := r.Header.Get(wire.HeaderIdempotencyKey)
	if key == "" {
		fail(w, http.StatusBadRequest, "the header Idempotency-Key is missing")
		return
	}
	ctx, cancel := s.context(r)
	prior, err := s.results.claim(key, body, cancel, !a.spec.Idempotent)
	if !prior.fresh {
		cancel(nil)
	}
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
		s.host.Go(func() { s.callback(key, prior.body) })
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if prior.fresh {
		c := &batch{server: s, action: a, key: key, req: req, run: r.Header.Get(wire.HeaderRun),
			project: r.Header.Get(wire.HeaderProject), fence: r.Header.Get(wire.HeaderFence), again: a.spec.Risk != wire.RiskRead &&
				r.Header.Get(wire.HeaderAgain) != "", lost: prior.begun && !a.spec.Idempotent}
		if !s.host.Go(func() { s.work(ctx, c, prior.work) }) {
			cancel(nil)
			s.results.finish(key, prior.work, nil)
		}
	}
	s.await(w, r, a, prior.work)
}

// readRequest reads a call. Two rows of one id would share one key, so that
// only one of them was done: they are refused.
func readRequest(body []byte) (wire.Request, error) {
	var req wire.Request
	if err := json.Unmarshal(body, &req); err != nil {
		return req, err
	}
	seen := map[string]bool{}
	for i, row := range req.Inputs {
		id := text(row[wire.FieldCallback])
		if seen[id] {
			return req, fmt.Errorf("inputs[%d].%s: %q stands in another row already", i, wire.FieldCallback, id)
		}
		seen[id] = true
	}
	return req, nil
}

// work carries a call out and brings or keeps its answer.
func (s *server) work(ctx context.Context, c *batch, w *work) {
	defer w.cancel(nil)
	body := c.do(ctx)
	if errors.Is(context.Cause(ctx), ErrStopping) {
		body = nil
	}
	s.results.finish(c.key, w, body)
	if c.action.spec.Async && body != nil {
		s.callback(c.key, body)
	}
}

// await answers once the work is done. The work does not need its caller: who
// goes away may come back with the same key.
func (s *server) await(w http.ResponseWriter, r *http.Request, a *action, of *work) {
	if a.spec.Async {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	select {
	case <-of.done:
	case <-r.Context().Done():
		return
	}
	if of.body == nil {
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable, "the plugin is stopping: ask again with the same key")
		return
	}
	answer(w, of.body)
}

func answer(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the caller comes back if this fails
}

// context bounds a call by the deadline of the caller. It does not end with the
// caller's connection.
func (s *server) context(r *http.Request) (context.Context, context.CancelCauseFunc) {
	left := keepResults
	if at, err := time.Parse(time.RFC3339Nano, r.Header.Get(wire.HeaderDeadline)); err == nil {
		left = min(left, at.Sub(s.host.Clock.Now()))
	}
	ctx, cancel := context.WithCancelCause(s.host.ctx)
	ctx, stop := context.WithTimeout(ctx, left)
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
		if err == nil && (status < 300 || status == http.StatusNotFound || status == http.StatusConflict ||
			status == http.StatusGone || status == http.StatusUnprocessableEntity) {
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
	project    string
	again      bool // sent before, and changes something
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
	id := text(in[wire.FieldCallback])
	call := &Call{Host: b.server.host, Key: b.key + "/" + id, Row: id, Operator: b.req.Operator,
		Run: b.run, Project: b.project, Fence: b.fence, Again: b.again, log: log}
	_ = json.Unmarshal(in[wire.FieldTyped], &call.typed) // it is there only where there are some
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, jobKey{}, b.key), b.action.timeout)
	defer cancel()
	var out wire.Row
	err := context.Cause(ctx)
	switch {
	case err != nil && !b.action.settles: // it was cancelled before its turn
		err = call.Early(classify(ctx, err))
	case b.lost:
		err = Unknown("the plugin was ended while it worked on this, and it must not be done twice")
	default:
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
