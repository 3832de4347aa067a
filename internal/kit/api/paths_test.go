package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sextant/internal/kit/api"
)

// What two readers could understand in two ways is refused before it is looked
// up.
func TestTheBorder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoints()
	r.Handle(api.Endpoint{Method: "GET", Path: "/api/v1/one", Permission: api.SignedIn, Query: []string{"project"}},
		func(w http.ResponseWriter, _ *http.Request) error {
			_, err := io.WriteString(w, "{}")
			return err
		})
	many := make([]string, 40)
	for i := range many {
		many[i] = fmt.Sprintf("p%d=1", i)
	}
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code                     string
	}{
		{"dot-dot", "GET", "/public/%2e%2e/things/1", "", nil, 400, "request.path"},
		{"encoded-slash", "GET", "/public/..%2fthings", "", nil, 400, "request.path"},
		{"two-slashes", "GET", "//things/1", "", nil, 400, "request.path"},
		{"backslash", "GET", "/public%5cx", "", nil, 400, "request.path"},
		{"nul", "GET", "/public%00", "", nil, 400, "request.path"},
		{"no-utf8", "GET", "/public%c0%ae", "", nil, 400, "request.path"},
		{"twice", "GET", "/things/1?run=1&run=2", "", nil, 400, "request.query"},
		{"many", "GET", "/things/1?" + strings.Join(many, "&"), "", nil, 400, "request.query"},
		{"broken-query", "GET", "/things/1?run=%zz", "", nil, 400, "request.query"},
		{"long", "GET", "/things/1?run=" + strings.Repeat("1", 9000), "", nil, 414, "request.address_too_long"},
		{"other-method", "POST", "/api/v1/one", "", nil, 405, "request.method"},
		{"preflight", "OPTIONS", "/api/v1/one", "", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "PUT"},
			403, "request.cross_origin"},
		{"plain-query", "GET", "/api/v1/one?projct=a", "", nil, 422, "request.invalid"},
		{"no-media", "POST", "/things", `{"name":"a"}`, []string{"Content-Type", ""}, 415, "request.media_type"},
		{"name-twice", "POST", "/things", `{"name":"a","name":"b"}`, nil, 400, "request.malformed"},
		{"other-case", "POST", "/things", `{"Name":"a"}`, nil, 422, "request.invalid"},
		{"case-beside", "POST", "/things", `{"name":"a","NAME":"b"}`, nil, 422, "request.invalid"},
		{"trailing", "POST", "/things", `{"name":"a"}{}`, nil, 400, "request.malformed"},
	} {
		t.Run(c.name, func(t *testing.T) { r.wants(r.ask(c.method, c.path, c.body, c.header...), c.status, c.code) })
	}
	if n := r.things(); n != 0 {
		t.Errorf("%d things were made", n)
	}
	if got := r.ask("POST", "/api/v1/one", "").Header.Get("Allow"); got != "GET, HEAD" {
		t.Errorf("Allow is %q", got)
	}
	one := r.ask("GET", "/api/v1/one?project=a", "")
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff"} {
		if got := one.Header.Get(name); one.StatusCode != 200 || !strings.Contains(got, want) {
			t.Errorf("%d, %s is %q", one.StatusCode, name, got)
		}
	}
}

// A name of a request that holds more than letters and digits is not taken over.
func TestRequestNames(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoints()
	for name, kept := range map[string]bool{"abc-1.x": true, "a b": false, `"><script>`: false, strings.Repeat("a", 65): false} {
		if got := r.ask("GET", "/public", "", "X-Request-Id", name).Header.Get("X-Request-Id"); (got == name) != kept || got == "" {
			t.Errorf("%q became %q", name, got)
		}
	}
}

// A body that stops coming is not waited for.
func TestASlowBody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.boot(func(d *api.Deps) { d.Stall = 50 * time.Millisecond })
	r.endpoints()
	r.Handle(api.Endpoint{Method: "POST", Path: "/plain", Permission: api.SignedIn}, func(w http.ResponseWriter, q *http.Request) error {
		_, err := api.ReadBody(w, q, 100)
		return err
	})
	for _, path := range []string{"/things", "/plain"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ann\r\n"+
			"Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{", path); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(body), "request.timeout") {
			t.Errorf("%s: %d %s %v", path, resp.StatusCode, body, err)
		}
	}
}

// What is done with a body that has come may take longer than the body may.
func TestWorkAfterABodyTakesItsTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const stall = 30 * time.Millisecond
	r.boot(func(d *api.Deps) { d.Stall = stall })
	work := func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * stall):
			return nil
		}
	}
	api.Register(r.API, api.Endpoint{ID: "typed", Method: "POST", Path: "/typed", Permission: api.SignedIn},
		func(ctx context.Context, _ *thingIn) (*struct{}, error) { return nil, work(ctx) })
	r.Handle(api.Endpoint{Method: "POST", Path: "/plain", Permission: api.SignedIn}, func(w http.ResponseWriter, q *http.Request) error {
		if _, err := api.ReadBody(w, q, 100); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return work(q.Context())
	})
	for _, path := range []string{"/typed", "/plain"} {
		for _, key := range []string{"", "k"} {
			if a := r.ask("POST", path, `{"name":"a"}`, "Idempotency-Key", key); a.StatusCode != 204 {
				t.Errorf("%s with key %q: %d %s", path, key, a.StatusCode, a.body)
			}
		}
	}
}
