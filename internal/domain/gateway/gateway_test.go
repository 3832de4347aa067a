package gateway_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sextant/internal/domain/gateway"
	"sextant/internal/kit/errs"
)

const patience = 30 * time.Second

type key struct{}

// both tests a handler in this process and behind a socket.
func both(t *testing.T, h http.HandlerFunc, test func(t *testing.T, r *gateway.Router)) {
	t.Helper()
	t.Run("in-process", func(t *testing.T) {
		t.Parallel()
		r := gateway.New()
		r.Set("p", gateway.Route{Handler: h, Token: "of-p"})
		test(t, r)
	})
	t.Run("by-socket", func(t *testing.T) {
		t.Parallel()
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		r := gateway.New()
		r.Set("p", gateway.Route{URL: s.URL + "/", Token: "of-p"})
		test(t, r)
	})
}

func call(path, body string) gateway.Call {
	return gateway.Call{Plugin: "p", Method: "POST", Path: path, Body: []byte(body)}
}

// A plugin sees the same call either way.
func TestACall(t *testing.T) {
	t.Parallel()
	h := func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		if q.Context().Value(key{}) != nil {
			t.Error("the plugin gets what the platform keeps in its context")
		}
		w.Header().Set("X-Seen", q.Method+" "+q.URL.RequestURI()+" "+strings.Join(q.Header["Authorization"], "|")+
			" "+strings.Join(q.Header["Content-Type"], "|")+" "+q.Header.Get("Sextant-Run"))
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write(append([]byte("got "), body...))
	}
	both(t, h, func(t *testing.T, r *gateway.Router) {
		c := call("/v1/x?y=1", "hello")
		// Whatever a caller passes on as identity is replaced.
		c.Header = http.Header{"Authorization": {"Bearer of-somebody"}, "authorization": {"Bearer of-somebody"},
			"content-type": {"text/evil"}, "Sextant-Run": {"7"}}
		a, err := r.Do(context.WithValue(t.Context(), key{}, 1), c)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Header.Get("X-Seen"); a.Status != http.StatusTeapot || string(a.Body) != "got hello" ||
			got != "POST /v1/x?y=1 Bearer of-p application/json 7" {
			t.Errorf("%d %q %q", a.Status, a.Body, got)
		}
	})
}

func TestAnswersHaveALimit(t *testing.T) {
	t.Parallel()
	h := func(w http.ResponseWriter, q *http.Request) {
		n := gateway.MaxAnswer
		if q.URL.Path == "/more" {
			n++
		}
		_, _ = w.Write(make([]byte, n))
	}
	both(t, h, func(t *testing.T, r *gateway.Router) {
		if a, err := r.Do(t.Context(), call("/most", "")); err != nil || len(a.Body) != gateway.MaxAnswer {
			t.Errorf("the largest: %v", err)
		}
		if _, err := r.Do(t.Context(), call("/more", "")); err == nil || errors.Is(err, gateway.ErrNotSent) {
			t.Errorf("one more: %v", err)
		}
	})
}

// A plugin that panics harms itself alone, and nobody says that it got nothing.
func TestAPanic(t *testing.T) {
	t.Parallel()
	h := func(_ http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
		panic("bug")
	}
	r := gateway.New()
	r.Set("p", gateway.Route{Handler: http.HandlerFunc(h)})
	for _, path := range []string{"/bug", "/abort"} {
		if _, err := r.Do(t.Context(), call(path, "")); err == nil || errors.Is(err, gateway.ErrNotSent) ||
			!strings.Contains(err.Error(), "panicked") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// The caller leaves; the plugin is told and finishes what it does.
func TestACallerThatLeaves(t *testing.T) {
	t.Parallel()
	both(t, nil, func(t *testing.T, _ *gateway.Router) {
		entered, left, finished := make(chan struct{}), make(chan struct{}), make(chan struct{})
		h := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			_, _ = io.ReadAll(q.Body) // a server notices the end of a connection once it has read
			close(entered)
			<-q.Context().Done()
			<-left
			_, _ = w.Write([]byte("nobody reads this"))
			close(finished)
		})
		r := gateway.New()
		if strings.HasSuffix(t.Name(), "by-socket") {
			s := httptest.NewServer(h)
			t.Cleanup(s.Close)
			r.Set("p", gateway.Route{URL: s.URL})
		} else {
			r.Set("p", gateway.Route{Handler: h})
		}
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error, 1)
		go func() { _, err := r.Do(ctx, call("/", "x")); done <- err }()
		<-entered
		cancel(gone)
		select {
		case err := <-done:
			if err == nil || errors.Is(err, gateway.ErrNotSent) {
				t.Errorf("got %v", err)
			}
		case <-time.After(patience):
			t.Fatal("the caller still waits")
		}
		close(left)
		select {
		case <-finished:
		case <-time.After(patience):
			t.Error("the plugin did not go on")
		}
	})
}

func TestWhatCertainlyWasNotSent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := gateway.New()
	r.Set("p", gateway.Route{URL: closed})
	r.Set("bad", gateway.Route{URL: "::no address"})
	for name, plugin := range map[string]string{"nobody-listens": "p", "unknown": "nothing", "no-address": "bad"} {
		c := call("/", "")
		c.Plugin = plugin
		if _, err := r.Do(t.Context(), c); !errors.Is(err, gateway.ErrNotSent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.Do(t.Context(), gateway.Call{Plugin: "nothing"}); !errs.HasCode(err, "plugin.not_running") {
		t.Errorf("%v", err)
	}
}

// A connection that breaks after the request was sent leaves everything open.
func TestWhatMayHaveBeenSent(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.Path {
		case "/half":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("half"))
			panic(http.ErrAbortHandler)
		default:
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(s.Close)
	r := gateway.New()
	r.Set("p", gateway.Route{URL: s.URL})
	for _, path := range []string{"/half", "/none", "/connect:%20x"} {
		if _, err := r.Do(t.Context(), call(path, "")); err == nil || errors.Is(err, gateway.ErrNotSent) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A redirect is an answer: following it would send the call, and the token,
// elsewhere, and a failure there would look as if nothing had been sent.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	h := func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/there" {
			t.Error("the redirect was followed")
		}
		http.Redirect(w, q, "/there", http.StatusTemporaryRedirect)
	}
	both(t, h, func(t *testing.T, r *gateway.Router) {
		if a, err := r.Do(t.Context(), call("/here", "x")); err != nil || a.Status != http.StatusTemporaryRedirect {
			t.Errorf("%v %v", a, err)
		}
	})
}
