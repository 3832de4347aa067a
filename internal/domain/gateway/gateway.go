// Package gateway carries calls and streams to plugins, and shares them out among
// the instances of each. A plugin in this process is called through its handler, one
// of its own through a socket: the same bytes, the same limits. Identity headers are
// set here and never taken from outside.
package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// MaxAnswer is the largest answer of a plugin, in bytes.
const MaxAnswer = 16 << 20

// Router knows where plugins are.
type Router struct {
	mu      sync.Mutex
	fleets  map[string][]*member
	client  *http.Client
	once    *http.Client // never sends a request a second time by itself
	streams http.RoundTripper
	// Unreached is told of a plugin that gave no answer; set before the first call.
	Unreached func(plugin string)
}

// New makes a router without routes.
func New() *Router {
	t := &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute}
	// A redirect is an answer like any other: followed, the plugin could send the
	// call and its token elsewhere.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	// The library sends a request again by itself where a connection that was used
	// before breaks, a POST too if it has an Idempotency-Key: not on fresh ones.
	fresh := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	streams := &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true}
	return &Router{fleets: map[string][]*member{}, streams: streams,
		client: &http.Client{Transport: t, CheckRedirect: stay}, once: &http.Client{Transport: fresh, CheckRedirect: stay}}
}

// Call is a request to a plugin.
type Call struct {
	Plugin string
	Method string
	Path   string
	Header http.Header
	Body   []byte
	// Once has it sent a single time, whatever becomes of the connection.
	Once bool
}

// Answer is what a plugin said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// ErrNotSent marks an error of a call that certainly did not reach the plugin.
var ErrNotSent = errors.New("the plugin was not reached")

// Do makes a call to an instance of the plugin; to another one where it certainly did
// not reach the first. An error wraps ErrNotSent where the plugin certainly did not
// get it; after any other error nobody knows.
func (r *Router) Do(ctx context.Context, c Call) (*Answer, error) {
	var tried []*member
	key := c.Header.Get(wire.HeaderIdempotencyKey)
	err := fmt.Errorf("%w: %w", ErrNotSent, errs.New(errs.Unavailable, "plugin.not_running", "the plugin %q does not run", c.Plugin))
	for {
		m, ok := r.take(c.Plugin, key, tried)
		if !ok {
			return nil, err // that of the last one that was tried
		}
		var got *Answer
		got, err = r.Ask(ctx, m.Route, c)
		r.give(c.Plugin, key, m, err == nil && got.Status == http.StatusAccepted && !strings.HasSuffix(c.Path, "/cancel"))
		if err == nil {
			r.answered(m, nil)
			return got, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		if r.Unreached != nil {
			r.Unreached(c.Plugin)
		}
		if !errors.Is(err, ErrNotSent) {
			return nil, err
		}
		r.answered(m, err)
		tried = append(tried, m)
	}
}

// Ask makes a call by a route that is not known yet.
func (r *Router) Ask(ctx context.Context, to Route, c Call) (*Answer, error) {
	req, err := http.NewRequestWithContext(ctx, c.Method, strings.TrimSuffix(to.URL, "/")+c.Path, bytes.NewReader(c.Body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	for k, values := range c.Header {
		for _, v := range values {
			req.Header.Add(k, v)
		}
	}
	req.Header.Del("Content-Type")
	if len(c.Body) > 0 { // of a call; streams carry what they like
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+to.Token)
	if to.Handler != nil {
		return direct(ctx, to.Handler, req)
	}
	client := r.client
	if c.Once {
		client, req.GetBody = r.once, nil
	}
	resp, err := client.Do(req)
	if err != nil {
		if connecting(err) {
			return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
		}
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("the plugin's answer broke off: %w", err)
	}
	if len(body) > MaxAnswer {
		return nil, fmt.Errorf("the plugin answered more than %d bytes", MaxAnswer)
	}
	return &Answer{resp.StatusCode, resp.Header, body}, nil
}

// connecting reports whether an error comes from before the connection stood.
func connecting(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// plain carries the end of a context and nothing else: a plugin in this process
// gets no more of its caller than one behind a socket.
type plain struct{ context.Context }

// Value gives nothing.
func (plain) Value(any) any { return nil }

// direct calls a handler of this process. The handler goes on when ctx ends, as
// a process of its own would; the caller does not wait for it.
func direct(ctx context.Context, h http.Handler, req *http.Request) (*Answer, error) {
	rec := httptest.NewRecorder()
	done := make(chan error, 1)
	req = req.WithContext(plain{ctx})
	req.RequestURI = ""
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("the plugin panicked: %v", p)
			}
		}()
		h.ServeHTTP(rec, req)
		done <- nil
	}()
	select {
	case err := <-done:
		if err != nil {
			return nil, err
		}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if rec.Body.Len() > MaxAnswer {
		return nil, fmt.Errorf("the plugin answered more than %d bytes", MaxAnswer)
	}
	return &Answer{rec.Code, rec.Header(), rec.Body.Bytes()}, nil
}
