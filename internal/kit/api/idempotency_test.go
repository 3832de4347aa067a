package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/kit/api"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

func (r *rig) insert(q *http.Request, name string) error {
	return r.db.Do(q.Context(), func(tx *db.Tx) error { _, err := tx.Exec("INSERT INTO thing VALUES (?)", name); return err })
}

func TestARepeatedPostIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoints()
	key := []string{"Idempotency-Key", "k1"}
	first := r.ask("POST", "/things", `{"name":"a"}`, key...)
	again := r.ask("POST", "/things", `{"name":"a"}`, key...)
	if first.StatusCode != 201 || again.StatusCode != 201 || first.body != again.body ||
		first.Header.Get("Content-Type") != again.Header.Get("Content-Type") {
		t.Errorf("first %d %s, then %d %s", first.StatusCode, first.body, again.StatusCode, again.body)
	}
	if first.Header.Get("Idempotent-Replay") != "" || again.Header.Get("Idempotent-Replay") != "true" {
		t.Errorf("Idempotent-Replay: %q, then %q", first.Header.Get("Idempotent-Replay"), again.Header.Get("Idempotent-Replay"))
	}
	if r.things() != 1 {
		t.Errorf("%d things", r.things())
	}
	r.wants(r.ask("POST", "/things", `{"name":"b"}`, key...), 422, "idempotency.reused")
	// The query is part of the request.
	r.wants(r.ask("POST", "/things?project=b", `{"name":"a"}`, key...), 422, "idempotency.reused")
	// Another principal, another key and another route are other requests.
	for _, other := range [][]string{{"Idempotency-Key", "k1", "Authorization", "Bearer bob"}, {"Idempotency-Key", "k2"}} {
		if a := r.ask("POST", "/things", `{"name":"a"}`, other...); a.StatusCode != 201 || a.Header.Get("Idempotent-Replay") != "" {
			t.Errorf("%v: %d %s", other, a.StatusCode, a.body)
		}
	}
	if r.things() != 3 {
		t.Errorf("%d things", r.things())
	}
	// A restart forgets nothing.
	r.boot()
	r.endpoints()
	if a := r.ask("POST", "/things", `{"name":"a"}`, key...); a.StatusCode != 201 || a.body != first.body || r.things() != 3 {
		t.Errorf("after a restart: %d %s, %d things", a.StatusCode, a.body, r.things())
	}
}

func TestRefusalsAreRememberedAndFailuresAreNot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := map[string]int{}
	status := map[string]int{"locked": 423, "unproved": 401, "full": 507,
		"exists": 409, "malformed": 400, "over": 410, "failed": 500, "down": 503, "busy": 429, "empty": 204, "bare": 202}
	r.Handle(api.Endpoint{Method: "POST", Path: "/do/{what}", Permission: api.SignedIn}, func(w http.ResponseWriter, q *http.Request) error {
		what := q.PathValue("what")
		n[what]++
		if s := status[what]; s >= 400 {
			return errs.New(errs.KindOf(s), "x."+what, "call %d", n[what])
		}
		w.WriteHeader(status[what])
		return nil
	})
	for _, c := range []struct {
		what  string
		calls int
	}{{"locked", 2}, {"unproved", 2}, {"full", 2}, {"exists", 2}, {"malformed", 1},
		{"over", 1}, {"failed", 2}, {"down", 2}, {"busy", 2}, {"empty", 1}, {"bare", 1}} {
		t.Run(c.what, func(t *testing.T) {
			first := r.ask("POST", "/do/"+c.what, "", "Idempotency-Key", "k")
			again := r.ask("POST", "/do/"+c.what, "", "Idempotency-Key", "k")
			if first.StatusCode != status[c.what] || again.StatusCode != status[c.what] || n[c.what] != c.calls {
				t.Errorf("%d, then %d; %d calls, want %d", first.StatusCode, again.StatusCode, n[c.what], c.calls)
			}
			if c.calls == 1 && again.body != first.body {
				t.Errorf("%s, then %s", first.body, again.body)
			}
		})
	}
}

func TestAConcurrentRepetitionWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	entered, let := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(entered) })
	r.Handle(api.Endpoint{Method: "POST", Path: "/slow", Permission: api.SignedIn}, func(w http.ResponseWriter, q *http.Request) error {
		once()
		<-let
		if err := r.insert(q, "slow"); err != nil {
			return err
		}
		_, err := io.WriteString(w, "done")
		return err
	})
	first := make(chan reply, 1)
	go func() { first <- r.ask("POST", "/slow", "", "Idempotency-Key", "k") }()
	<-entered
	a := r.ask("POST", "/slow", "", "Idempotency-Key", "k")
	r.wants(a, 409, "idempotency.running")
	if a.Header.Get("Retry-After") == "" {
		t.Error("409 without Retry-After")
	}
	close(let)
	if a := <-first; a.body != "done" {
		t.Errorf("the first: %d %s", a.StatusCode, a.body)
	}
	if a := r.ask("POST", "/slow", "", "Idempotency-Key", "k"); a.body != "done" || r.things() != 1 {
		t.Errorf("after it: %d %s, %d things", a.StatusCode, a.body, r.things())
	}
}

// The process ends between the first write and the answer: that it was carried
// out is known, and it is not done twice.
func TestEndedBetweenTheWriteAndTheAnswer(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*rig, *http.Request) error{
		"abort":  func(*rig, *http.Request) error { panic(http.ErrAbortHandler) },
		"panic":  func(*rig, *http.Request) error { panic("no") },
		"failed": func(*rig, *http.Request) error { return errors.New("no") },
		"second-write-fails": func(r *rig, q *http.Request) error {
			return errors.Join(errs.New(errs.Unavailable, "x.down", "down"), r.db.Do(q.Context(), func(*db.Tx) error { return errors.New("no") }))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			serve := func() {
				r.Handle(api.Endpoint{Method: "POST", Path: "/do", Permission: api.SignedIn}, func(_ http.ResponseWriter, q *http.Request) error {
					if err := r.insert(q, "x"); err != nil {
						return err
					}
					return end(r, q)
				})
			}
			serve()
			req, err := http.NewRequestWithContext(t.Context(), "POST", r.url+"/do", strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer ann")
			req.Header.Set("Idempotency-Key", "k")
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode < 500 {
					t.Errorf("answered %d", resp.StatusCode)
				}
			}
			r.boot()
			serve()
			r.wants(r.ask("POST", "/do", "x", "Idempotency-Key", "k", "Content-Type", ""), 410, "idempotency.answer_lost")
			r.wants(r.ask("POST", "/do", "y", "Idempotency-Key", "k", "Content-Type", ""), 422, "idempotency.reused")
			if r.things() != 1 {
				t.Errorf("%d things", r.things())
			}
		})
	}
}

// A first write that is refused leaves the memory to the next one.
func TestTheMemoryGoesWithTheFirstWriteThatIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Handle(api.Endpoint{Method: "POST", Path: "/do", Permission: api.SignedIn}, func(_ http.ResponseWriter, q *http.Request) error {
		_ = r.db.Do(q.Context(), func(*db.Tx) error { return errors.New("no") })
		if err := r.insert(q, "x"); err != nil {
			return err
		}
		panic("no")
	})
	if a := r.ask("POST", "/do", "", "Idempotency-Key", "k"); a.StatusCode != 500 {
		t.Errorf("%d", a.StatusCode)
	}
	r.wants(r.ask("POST", "/do", "", "Idempotency-Key", "k"), 410, "idempotency.answer_lost")
}

func TestAnswersAreForgottenAfterADay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoints()
	rows := func() (n int) {
		if err := r.db.QueryRow(t.Context(), "SELECT COUNT(*) FROM api_idempotency").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	post := func() bool {
		return r.ask("POST", "/things", `{"name":"a"}`, "Idempotency-Key", "k").Header.Get("Idempotent-Replay") == "true"
	}
	if post() {
		t.Error("the first is a replay")
	}
	r.clock.Advance(24 * time.Hour)
	day := func() time.Time { return r.clock.Now().Add(-24 * time.Hour) }
	if n, err := r.Forget(t.Context(), day(), 10); n != 0 || err != nil || rows() != 1 || !post() {
		t.Errorf("within a day: %v, %d rows", err, rows())
	}
	r.clock.Advance(time.Microsecond)
	if post() || r.things() != 2 {
		t.Errorf("after a day it is still a replay, %d things", r.things())
	}
	r.clock.Advance(24*time.Hour + time.Second)
	for i := range 4 {
		if r.ask("POST", "/things", `{"name":"a"}`, "Idempotency-Key", fmt.Sprint(i)); rows() != i+2 {
			t.Fatalf("%d rows", rows())
		}
		r.clock.Advance(time.Second)
	}
	if n, err := r.Forget(t.Context(), day().Add(24*time.Hour), 2); n != 2 || err != nil || rows() != 3 {
		t.Errorf("%d went, %v, %d rows are left", n, err, rows())
	}
	if n, err := r.Forget(t.Context(), day().Add(24*time.Hour-time.Second), 10); n != 2 || err != nil || rows() != 1 {
		t.Errorf("%d went, %v, %d rows are left", n, err, rows())
	}
}

func TestWhatIsNotKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Handle(api.Endpoint{Method: "POST", Path: "/do/secret", Permission: api.SignedIn, Secret: true},
		func(w http.ResponseWriter, _ *http.Request) error {
			_, err := io.WriteString(w, "hunter2")
			return err
		})
	r.Handle(api.Endpoint{Method: "POST", Path: "/do/long", Permission: api.SignedIn}, func(w http.ResponseWriter, _ *http.Request) error {
		_, err := io.WriteString(w, strings.Repeat("x", 64<<10))
		return err
	})
	for _, what := range []string{"secret", "long"} {
		if a := r.ask("POST", "/do/"+what, "", "Idempotency-Key", "k"); a.StatusCode != 200 {
			t.Errorf("%s: %d", what, a.StatusCode)
		}
		r.wants(r.ask("POST", "/do/"+what, "", "Idempotency-Key", "k"), 410, "idempotency.answer_lost")
	}
	var n int
	if err := r.db.QueryRow(t.Context(), "SELECT COUNT(*) FROM api_idempotency WHERE length(body) > 0").Scan(&n); err != nil || n != 0 {
		t.Errorf("%v, %d bodies are stored", err, n)
	}
	r.wants(r.ask("POST", "/do/long", "", "Idempotency-Key", strings.Repeat("k", 191)), 400, "idempotency.key")
	r.wants(r.ask("POST", "/do/long", strings.Repeat("x", api.MaxBody+1), "Idempotency-Key", "big"), 413, "request.too_large")
}

// Not logged in, nothing is remembered; other methods know no keys.
func TestWhereKeysMeanNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoints()
	for i := range 2 {
		r.wants(r.ask("POST", "/things", `{"name":"a"}`, "Idempotency-Key", "k", "Authorization", ""), 401, "x.unauthenticated")
		if a := r.ask("PUT", fmt.Sprint("/plain/", i), "", "Idempotency-Key", "k"); a.StatusCode != 204 ||
			a.Header.Get("Idempotent-Replay") != "" {
			t.Errorf("PUT: %d", a.StatusCode)
		}
	}
	if a := r.ask("POST", "/things", `{"name":"a"}`, "Idempotency-Key", "k"); a.StatusCode != 201 {
		t.Errorf("after the log-in: %d %s", a.StatusCode, a.body)
	}
}

// An answer is repeated only to who may still do what was done, with the rights
// of then.
func TestAnAnswerIsNotRepeatedToWhoMayNoLonger(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rights, may := "all", true
	r.boot(func(d *api.Deps) {
		d.Rights = func(context.Context) string { return rights }
		d.Authorize = func(context.Context, string, string) error {
			if !may {
				return errs.New(errs.Forbidden, "x.forbidden", "no")
			}
			return nil
		}
	})
	r.Handle(api.Endpoint{Method: "POST", Path: "/do", Permission: "thing.write"}, func(w http.ResponseWriter, q *http.Request) error {
		if err := r.insert(q, "x"); err != nil {
			return err
		}
		_, err := io.WriteString(w, "the secret of the house")
		return err
	})
	ask := func() reply { return r.ask("POST", "/do", "", "Idempotency-Key", "k") }
	first := ask()
	if again := ask(); again.body != first.body {
		t.Fatalf("%s, then %s", first.body, again.body)
	}
	rights = "fewer"
	r.wants(ask(), 410, "idempotency.rights_changed")
	may = false
	r.wants(ask(), 403, "x.forbidden")
	rights, may = "all", true
	if again := ask(); again.body != first.body || r.things() != 1 {
		t.Errorf("with the rights of then: %s, %d things", again.body, r.things())
	}
}

// A refusal that came after something was written is no answer for later either.
func TestARefusalAfterAWriteIsForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	locked := true
	r.Handle(api.Endpoint{Method: "POST", Path: "/do", Permission: api.SignedIn}, func(w http.ResponseWriter, q *http.Request) error {
		if err := r.insert(q, fmt.Sprint(locked)); err != nil {
			return err
		}
		if locked {
			return errs.New(errs.Locked, "x.locked", "held")
		}
		_, err := io.WriteString(w, "done")
		return err
	})
	r.wants(r.ask("POST", "/do", "", "Idempotency-Key", "k"), 423, "x.locked")
	locked = false
	if a := r.ask("POST", "/do", "", "Idempotency-Key", "k"); a.body != "done" {
		t.Errorf("after the lock: %d %s", a.StatusCode, a.body)
	}
}
