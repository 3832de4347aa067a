package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/sdk/go/client"
)

// platform is a server that answers as a test says and remembers what it was asked.
type platform struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
	conns map[net.Conn]bool
}

func serve(t *testing.T, answer http.HandlerFunc) (*platform, *client.Client) {
	t.Helper()
	p := &platform{conns: map[net.Conn]bool{}}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		p.asked = append(p.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+
			" "+r.Header.Get("Authorization")+" "+r.Header.Get("If-Match")+" "+r.Header.Get("Last-Event-ID")+" "+string(body)))
		p.mu.Unlock()
		answer(w, r)
	}))
	p.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if s == http.StateNew {
			p.mu.Lock()
			p.conns[c] = true
			p.mu.Unlock()
		}
	}
	p.Start()
	t.Cleanup(p.Close)
	return p, &client.Client{URL: p.URL + "/", Token: "secret", HTTP: p.Client()}
}

func (p *platform) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

func (p *platform) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

func TestCalls(t *testing.T) {
	t.Parallel()
	p, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "DELETE" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		_, _ = io.WriteString(w, `{"name": "web-1", "big": 12345678901234567890}`)
	})
	var out struct {
		Name string
		Big  fmt.Stringer
	}
	var loose map[string]any
	if err := c.Call(t.Context(), "POST", "/api/v1/x?a=b", map[string]int{"n": 1}, &loose); err != nil {
		t.Fatal(err)
	}
	if loose["name"] != "web-1" || fmt.Sprint(loose["big"]) != "12345678901234567890" {
		t.Errorf("%v: a number has lost digits", loose)
	}
	if err := c.CallWith(t.Context(), "PUT", "/api/v1/x", map[string]string{"If-Match": `"7"`, "Empty": ""}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Call(t.Context(), "DELETE", "/api/v1/x", nil, &out); err != nil {
		t.Errorf("an answer without a body: %v", err)
	}
	want := []string{`POST /api/v1/x?a=b Bearer secret   {"n":1}`, `PUT /api/v1/x Bearer secret "7"`, `DELETE /api/v1/x Bearer secret`}
	if got := p.heard(); !slices.Equal(got, want) {
		t.Errorf("it asked %q, want %q", got, want)
	}
}

func TestUploadsAndDownloads(t *testing.T) {
	t.Parallel()
	p, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			_, _ = io.WriteString(w, "as it is\n")
			return
		}
		_, _ = fmt.Fprintf(w, `{"type": %q}`, r.Header.Get("Content-Type"))
	})
	var got struct{ Type string }
	if err := c.Upload(t.Context(), "/up", "application/zip", strings.NewReader("PK"), &got); err != nil || got.Type != "application/zip" {
		t.Errorf("%+v, %v", got, err)
	}
	if data, err := c.Download(t.Context(), "/down"); err != nil || string(data) != "as it is\n" {
		t.Errorf("%q, %v", data, err)
	}
	if asked := p.heard(); asked[0] != "POST /up Bearer secret   PK" {
		t.Errorf("%q", asked)
	}
}

// Whether its answers are read or not, one caller after the other uses one connection.
func TestUnreadAnswersKeepTheConnection(t *testing.T) {
	t.Parallel()
	p, c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"much": "`+strings.Repeat("x", 10_000)+`"}`+"\n")
	})
	for range 20 {
		if err := c.Call(t.Context(), "POST", "/x", nil, nil); err != nil {
			t.Fatal(err)
		}
		var out struct{ Much string }
		if err := c.Call(t.Context(), "GET", "/x", nil, &out); err != nil || len(out.Much) != 10_000 {
			t.Fatal(err)
		}
	}
	if n := p.connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// A refusal tells what the platform said and where; what is no problem is told as it is.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body, want, code string
		status                 int
	}{
		{"problem", `{"code": "process.invalid", "title": "it cannot be executed", ` +
			`"status": 200, "fields": [{"path": "u", "message": "no type", "line": 3}, {"path": "v", "message": "no flow"}]}`,
			"it cannot be executed\n  line 3: u: no type\n  v: no flow", "process.invalid", 422},
		{"other", "<h1>Bad gateway</h1>", "the server answered 502 Bad Gateway: <h1>Bad gateway</h1>", "", 502},
		{"empty", "", "the server answered 503 Service Unavailable: ", "", 503},
		{"long", strings.Repeat("y", 1000), "the server answered 500 Internal Server Error: " + strings.Repeat("y", 200), "", 500},
		{"redirect", `{"title": "over there"}`, "over there", "", 304},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, cl := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				if c.status != http.StatusNotModified {
					_, _ = io.WriteString(w, c.body)
				}
			})
			err := cl.Call(t.Context(), "GET", "/x", nil, nil)
			var refused *client.Error
			if !errors.As(err, &refused) || int(refused.Status) != c.status || refused.Code != c.code {
				t.Fatalf("%#v", err)
			}
			if c.status != http.StatusNotModified && err.Error() != c.want {
				t.Errorf("%q, want %q", err, c.want)
			}
		})
	}
}

func TestAnAnswerThatIsNoJSON(t *testing.T) {
	t.Parallel()
	_, c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	var out map[string]any
	if err := c.Call(t.Context(), "GET", "/x", nil, &out); err == nil || !strings.Contains(err.Error(), "not understood") {
		t.Errorf("%v", err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	p, c := serve(t, func(http.ResponseWriter, *http.Request) {})
	p.Close()
	err := c.Call(t.Context(), "GET", "/x", nil, nil)
	if !errors.Is(err, client.ErrUnreachable) || !strings.Contains(err.Error(), p.URL) || strings.Contains(err.Error(), "Get \"") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if err := c.Call(ctx, "GET", "/x", nil, nil); !errors.Is(err, enough) {
		t.Errorf("who gives up gets %v", err)
	}
}

// A view goes on where its connection broke, until the run is over.
func TestWatchGoesOnWhereItBroke(t *testing.T) {
	t.Parallel()
	event := func(id int, state, ended string) string {
		return fmt.Sprintf("id: %d\nevent: run\ndata: {\"run\": {\"key\": "+
			"\"1\", \"state\": %q, \"ended\": %q}, \"steps\": [{\"key\": \"%d\"}]}\n\n", id, state, ended, id)
	}
	const open, over = "0001-01-01T00:00:00Z", "2026-01-02T03:04:05Z"
	n := 0
	p, c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		switch n++; n {
		case 1:
			_, _ = io.WriteString(w, ": hello\n\n"+event(1, "active", open)+"id: 9\nevent: other\ndata: {}\n\n"+
				event(2, "active", open)+"id: 3\nevent: run\ndata: {\"ru")
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			_, _ = io.WriteString(w, event(3, "completed", over)+event(4, "completed", over))
		}
	})
	var told, lost []string
	err := c.Watch(t.Context(), "1", func(err error) { lost = append(lost, fmt.Sprint(err)) }, func(u client.Update) bool {
		told = append(told, u.Steps[0].Key+" "+string(u.Run.State))
		return true
	})
	if err != nil || !slices.Equal(told, []string{"1 active", "2 active", "3 completed"}) {
		t.Errorf("%v, %q", err, told)
	}
	if len(lost) != 2 || lost[0] != "<nil>" || !strings.Contains(lost[1], "503") {
		t.Errorf("%q was lost", lost)
	}
	if got, want := p.heard(), []string{"GET /api/v1/runs/1/events Bearer secret",
		"GET /api/v1/runs/1/events Bearer secret  2", "GET /api/v1/runs/1/events Bearer secret  2"}; !slices.Equal(got, want) {
		t.Errorf("it asked %q, want %q", got, want)
	}
}

func TestWatchEnds(t *testing.T) {
	t.Parallel()
	_, gone := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"title": "there is no run 1", "code": "run.not_found"}`)
	})
	var refused *client.Error
	if err := gone.Watch(t.Context(), "1", nil, nil); !errors.As(err, &refused) || refused.Code != "run.not_found" {
		t.Errorf("%v", err)
	}
	release := make(chan struct{})
	defer close(release)
	p, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "id: 1\nevent: run\ndata: {\"run\": {\"key\": \"1\"}, \"steps\": []}\n\n")
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	if err := c.Watch(t.Context(), "1", nil, func(client.Update) bool { return false }); err != nil {
		t.Errorf("who has seen enough gets %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Watch(ctx, "a b", nil, func(client.Update) bool { return true }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if got := p.heard(); !strings.HasPrefix(got[1], "GET /api/v1/runs/a%20b/events") {
		t.Errorf("%q", got)
	}
	_, garbled := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "event: run\ndata: {\n\n") })
	ctx, stop := context.WithCancel(t.Context())
	told := ""
	err := garbled.Watch(ctx, "1", func(err error) { told = err.Error(); stop() }, nil)
	if !errors.Is(err, context.Canceled) || !strings.Contains(told, "not understood") {
		t.Errorf("%v, %q", err, told)
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pairs []string
		want  string
	}{
		{nil, "/x"},
		{[]string{"a", ""}, "/x"},
		{[]string{"b", "1 & 2", "a", "ö", "c", ""}, "/x?a=%C3%B6&b=1+%26+2"},
		{[]string{"limit", client.Limit(20), "odd"}, "/x?limit=20"},
	} {
		if got := client.Query("/x", c.pairs...); got != c.want {
			t.Errorf("%q: %s, want %s", c.pairs, got, c.want)
		}
	}
}
