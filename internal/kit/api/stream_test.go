package api_test

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

// feed is what a test sends: message n has the id n.
type feed struct {
	sent  []string
	done  bool
	fail  error
	news  chan struct{}
	asked chan string
}

func newFeed() *feed { return &feed{news: make(chan struct{}, 1), asked: make(chan string, 100)} }

func (f *feed) after(_ context.Context, id string) ([]api.Message, bool, error) {
	f.asked <- id
	from := 0
	if id != "" {
		var err error
		if from, err = strconv.Atoi(id); err != nil {
			return nil, false, errs.New(errs.Malformed, "x.id", "no id")
		}
	}
	if f.fail != nil {
		return nil, false, f.fail
	}
	var out []api.Message
	for i := from; i < len(f.sent); i++ {
		out = append(out, api.Message{ID: strconv.Itoa(i + 1), Event: "thing", Data: []byte(f.sent[i])})
	}
	return out, f.done, nil
}

func (r *rig) stream(f *feed) {
	r.Handle(api.Endpoint{Method: "GET", Path: "/events", Permission: api.SignedIn, Query: []string{"after"}},
		func(w http.ResponseWriter, q *http.Request) error {
			return r.Stream(w, q, api.Feed{After: f.after, News: f.news})
		})
}

// listen opens a stream and gives its frames; ok is false at its end.
func (r *rig) listen(path string, header ...string) (next func() (frame string, ok bool), leave func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", r.url+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer ann")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { cancel(); _ = resp.Body.Close() })
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		r.t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	lines := bufio.NewReader(resp.Body)
	return func() (string, bool) {
		var b strings.Builder
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return b.String(), false
			}
			if line == "\n" {
				return b.String(), true
			}
			b.WriteString(line)
		}
	}, cancel
}

func TestFramesOfAStream(t *testing.T) {
	t.Parallel()
	r, f := newRig(t), newFeed()
	f.sent, f.done = []string{`{"a":1}`, "two\nlines", "cr\rand\r\ncrlf"}, true
	r.stream(f)
	next, _ := r.listen("/events")
	for i, want := range []string{"id: 1\nevent: thing\ndata: {\"a\":1}\n",
		"id: 2\nevent: thing\ndata: two\ndata: lines\n", "id: 3\nevent: thing\ndata: cr\ndata: and\ndata: crlf\n"} {
		if got, ok := next(); got != want || !ok {
			t.Errorf("frame %d: %q", i+1, got)
		}
	}
	if got, ok := next(); ok {
		t.Errorf("after the end: %q", got)
	}
}

func TestAStreamGoesOnAndIsResumed(t *testing.T) {
	t.Parallel()
	r, f := newRig(t), newFeed()
	f.sent = []string{"a", "b"}
	r.stream(f)
	next, leave := r.listen("/events", "Last-Event-ID", "1")
	if got, _ := next(); got != "id: 2\nevent: thing\ndata: b\n" {
		t.Errorf("resumed with %q", got)
	}
	if id := <-f.asked; id != "1" {
		t.Errorf("asked after %q", id)
	}
	f.sent = append(f.sent, "c")
	f.news <- struct{}{}
	if got, _ := next(); got != "id: 3\nevent: thing\ndata: c\n" {
		t.Errorf("news %q", got)
	}
	if id := <-f.asked; id != "2" {
		t.Errorf("asked after %q", id)
	}
	leave()
	// The address does as well, for clients that cannot set the header.
	next, _ = r.listen("/events?after=2")
	if got, _ := next(); got != "id: 3\nevent: thing\ndata: c\n" {
		t.Errorf("by address %q", got)
	}
}

// What changes often is told of now and then, and its end at once.
func TestTheLastNewsWaitForNothing(t *testing.T) {
	t.Parallel()
	r, f := newRig(t), newFeed()
	f.sent = []string{"a"}
	last := make(chan struct{}, 1)
	r.Handle(api.Endpoint{Method: "GET", Path: "/events", Permission: api.SignedIn, Query: []string{"after"}},
		func(w http.ResponseWriter, q *http.Request) error {
			return r.Stream(w, q, api.Feed{After: f.after, News: f.news, Every: time.Hour, Last: last})
		})
	next, _ := r.listen("/events")
	next()
	<-f.asked
	f.sent = append(f.sent, "b")
	f.news <- struct{}{}
	told := make(chan string, 1)
	go func() { got, _ := next(); told <- got }()
	eventually(t, func() error {
		if len(f.news) > 0 {
			return errors.New("the news were not taken")
		}
		return nil
	})
	if len(f.asked) > 0 {
		t.Error("it did not wait")
	}
	last <- struct{}{}
	select {
	case got := <-told:
		if got != "id: 2\nevent: thing\ndata: b\n" {
			t.Errorf("%q", got)
		}
	case <-time.After(patience):
		t.Error("the last news are not told")
	}
}

func TestAStreamIsKeptAlive(t *testing.T) {
	t.Parallel()
	r, f := newRig(t), newFeed()
	f.sent = []string{"a"}
	r.stream(f)
	next, _ := r.listen("/events")
	if got, _ := next(); !strings.Contains(got, "data: a") {
		t.Fatalf("%q", got)
	}
	for range 3 {
		beat := make(chan string, 1)
		go func() { got, _ := next(); beat <- got }()
		eventually(t, func() error { // the timer is set after the flush
			r.clock.Advance(15 * time.Second)
			select {
			case got := <-beat:
				if got != "event: ping\ndata: {}\n" {
					t.Errorf("%q", got)
				}
				return nil
			case <-time.After(5 * time.Millisecond):
				return errors.New("no sign of life")
			}
		})
	}
}

func TestAStreamEndsWithItsClient(t *testing.T) {
	t.Parallel()
	r, f := newRig(t), newFeed()
	f.sent = []string{"a"}
	ended := make(chan error, 1)
	r.Handle(api.Endpoint{Method: "GET", Path: "/events", Permission: api.SignedIn, Query: []string{"after"}},
		func(w http.ResponseWriter, q *http.Request) error {
			err := r.Stream(w, q, api.Feed{After: f.after, News: f.news})
			ended <- err
			return err
		})
	next, leave := r.listen("/events")
	next()
	leave()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it goes on without a client")
	}
}

func TestAStreamThatCannotBegin(t *testing.T) {
	t.Parallel()
	r, f := newRig(t), newFeed()
	r.stream(f)
	r.wants(r.ask("GET", "/events", "", "Last-Event-ID", "nonsense"), 400, "x.id")
	f.fail = errs.New(errs.NotFound, "x.none", "none")
	r.wants(r.ask("GET", "/events", ""), 404, "x.none")
	r.wants(r.ask("GET", "/events?after=1%0A2", ""), 400, "stream.last_event_id")
	r.wants(r.ask("GET", "/events", "", "Authorization", ""), 401, "x.unauthenticated")
}

// One subject cannot take every connection with live views, and what it closes it
// may open again.
func TestLiveViewsAreCounted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Handle(api.Endpoint{Method: "GET", Path: "/quiet", Permission: api.SignedIn}, func(w http.ResponseWriter, q *http.Request) error {
		return r.Stream(w, q, api.Feed{After: func(context.Context, string) ([]api.Message, bool, error) {
			return []api.Message{{ID: "1", Event: "hello", Data: []byte("{}")}}, false, nil
		}})
	})
	var leave func()
	for range 64 {
		_, leave = r.listen("/quiet")
	}
	r.wants(r.ask("GET", "/quiet", ""), 429, "stream.too_many")
	if _, gone := r.listen("/quiet", "Authorization", "Bearer bob"); gone == nil {
		t.Error("another subject is held up")
	}
	leave()
	for r.ask("GET", "/things-that-are-not", "").StatusCode == 404 { // until the server has noticed that it left
		resp, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/quiet", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Header.Set("Authorization", "Bearer ann")
		a, err := http.DefaultClient.Do(resp)
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close()
		if a.StatusCode == 200 {
			return
		}
	}
}
