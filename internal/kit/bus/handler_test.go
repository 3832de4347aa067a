package bus_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"sextant/internal/kit/bus"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// book is what handlers have done: within the database, in a table that keeps each
// event as often as it was acted on, and outside of it.
type book struct {
	mu      sync.Mutex
	outside []string
	fails   map[string]error // by type
	before  func(bus.Event)  // while it acts
	news    chan struct{}
}

func newBook() *book { return &book{fails: map[string]error{}, news: make(chan struct{}, 1000)} }

func (b *book) act(e bus.Event) error {
	b.mu.Lock()
	before, err := b.before, b.fails[e.Type]
	b.mu.Unlock()
	if before != nil {
		before(e)
	}
	b.news <- struct{}{}
	return err
}

func (b *book) fail(typ string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails[typ] = err
}

func (b *book) within(_ context.Context, tx *db.Tx, e bus.Event) error {
	if _, err := tx.Exec("INSERT INTO done (seq, type) VALUES (?, ?)", e.Seq, e.Type); err != nil {
		return err
	}
	return b.act(e) // what was written goes, too
}

func (b *book) without(_ context.Context, e bus.Event) error {
	err := b.act(e)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.outside = append(b.outside, e.Type)
	}
	return err
}

func (r *rig) table() {
	r.t.Helper()
	files := fstest.MapFS{
		"migrations/202601010000_create.sql": {Data: []byte("-- +goose Up\nCREATE TABLE done (seq INTEGER NOT NULL, type TEXT NOT NULL);\n")}}
	if err := r.db.Migrate(r.t.Context(), "done", files); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) write(query string, args ...any) {
	r.t.Helper()
	if err := r.db.Do(r.t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(query, args...); return err }); err != nil {
		r.t.Fatal(err)
	}
}

// on publishes one event of a type about a subject.
func (r *rig) on(subject, typ string) {
	r.t.Helper()
	err := r.db.Do(r.t.Context(), func(tx *db.Tx) error {
		return (bus.Kind[struct{}]{Type: typ}).Publish(r.Bus, tx, bus.Of{Subject: subject, Project: "a"}, struct{}{})
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// act lets handlers act until the function is called.
func (r *rig) act(holder string, all ...bus.Handler) (stop func()) {
	r.Handle(holder, all...)
	ctx, cancel := context.WithCancel(r.t.Context())
	done, b := make(chan error, 1), r.Bus
	go func() { done <- b.RunHandlers(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	r.t.Cleanup(stop)
	return stop
}

// until waits for something that handlers bring about.
func (r *rig) until(what string, there func() bool) {
	r.t.Helper()
	for deadline := time.After(patience); !there(); {
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			r.t.Fatalf("it did not come: %s", what)
		}
	}
}

// done are the types of the events that were acted on within the database.
func (r *rig) done() (all []string) {
	rows, err := r.db.Query(r.t.Context(), "SELECT type FROM done ORDER BY seq")
	all, err = db.Scan(rows, err, func(s *sql.Rows) (t string, err error) { return t, s.Scan(&t) })
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

func (r *rig) standing(i int) bus.Standing {
	all, err := r.Standings(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return all[i]
}

// Each event of a handler's types is acted on once, in order, and others are passed.
func TestHandlersActInOrder(t *testing.T) {
	t.Parallel()
	r, b := newRig(t), newBook()
	r.table()
	var want []string
	for i := range 250 {
		want = append(want, fmt.Sprintf("x%d", i%3))
		r.publish("a", "other", want[i])
	}
	types := []string{"x0", "x1", "x2"}
	stop := r.act("one", bus.Handler{Name: "w", Types: types, Within: b.within}, bus.Handler{Name: "o", Types: types, Outside: b.without})
	r.run()
	r.until("all", func() bool { return r.standing(0).Seq == 500 && r.standing(1).Seq == 500 })
	if got := r.done(); !slices.Equal(got, want) || !slices.Equal(b.outside, want) {
		t.Errorf("%d within, %d outside", len(got), len(b.outside))
	}
	stop()
	r.stop()
	_ = r.db.Close()
	r.boot() // which begins where it was
	r.act("one", bus.Handler{Name: "w", Types: types, Within: b.within}, bus.Handler{Name: "o", Types: types, Outside: b.without})
	r.run()
	r.publish("a", "x0", "other")
	r.until("what came after the restart", func() bool { return len(r.done()) == 251 && r.standing(1).Seq == 502 })
	if len(b.outside) != 251 {
		t.Errorf("%d outside", len(b.outside))
	}
}

// A server that is killed between the effect and the advance of the cursor loses
// nothing: within the database it is there once, outside at most twice.
func TestKilledBetweenEffectAndAdvance(t *testing.T) {
	t.Parallel()
	r, b := newRig(t), newBook()
	r.table()
	r.publish("a", "1", "2", "3")
	types := []string{"1", "2", "3"}
	killed, ended := make(chan struct{}), make(chan struct{})
	b.before = func(e bus.Event) {
		if e.Type == "2" {
			select {
			case <-killed:
			default:
				close(killed)
				<-ended
			}
		}
	}
	// The first server gets no further than the effect: its database is taken away, so
	// that nothing it writes from here on is kept.
	first := r.act("one", bus.Handler{Name: "o", Types: types, Outside: func(ctx context.Context, e bus.Event) error {
		_ = b.without(ctx, e)
		return nil
	}})
	r.run()
	<-killed
	stopped := make(chan struct{})
	go func() { first(); close(stopped) }()
	r.write("UPDATE bus_handler SET epoch = epoch + 1") // as a killed one, it cannot move the cursor
	close(ended)
	<-stopped
	r.stop()
	_ = r.db.Close()
	r.boot()
	r.act("one", bus.Handler{Name: "o", Types: types, Outside: b.without}, bus.Handler{Name: "w", Types: types, Within: b.within})
	r.run()
	r.until("all", func() bool { return r.standing(0).Seq == 3 && r.standing(1).Seq == 3 })
	if got := b.outside; !slices.Equal(got, []string{"1", "2", "2", "3"}) {
		t.Errorf("outside: %v", got)
	}
	if got := r.done(); !slices.Equal(got, types) {
		t.Errorf("within: %v", got)
	}
}

// What a handler writes goes with its write, and comes with the one that is kept.
func TestAnEffectThatIsUndoneComesOnce(t *testing.T) {
	t.Parallel()
	r, b := newRig(t), newBook()
	r.table()
	b.fail("2", errors.New("no"))
	r.on("s:s/1", "1")
	r.on("s:s/2", "2")
	r.on("s:s/3", "3")
	r.act("one", bus.Handler{Name: "w", Types: []string{"1", "2", "3"}, Within: b.within})
	r.run()
	r.until("the others", func() bool { return r.standing(0).Again == 1 && len(r.done()) == 2 })
	b.fail("2", nil)
	r.clock.Advance(time.Second)
	r.until("the one that failed", func() bool { return r.standing(0).Again == 0 })
	if got := r.done(); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("%v", got)
	}
}

// A poison event is parked after its tries, with the later ones on its subject behind
// it; all others go on. A person retries it or skips it, and then those behind come in
// their order.
func TestAPoisonEventIsParked(t *testing.T) {
	t.Parallel()
	for name, decide := range map[string]func(*rig, *book) error{
		"skip": func(r *rig, _ *book) error {
			return r.Skip(t.Context(), "w", 2, func(tx *db.Tx, h bus.Held) error {
				if h.Tries != bus.MaxTries || h.Error != "poison" {
					t.Errorf("%+v", h)
				}
				return nil
			})
		},
		"retry": func(r *rig, b *book) error {
			b.fail("bad", nil)
			return r.Retry(t.Context(), "w", 2, func(*db.Tx, bus.Held) error { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, b := newRig(t), newBook()
			r.table()
			b.fail("bad", errors.New("poison"))
			for i, typ := range []string{"a", "bad", "b", "c", "d"} {
				r.on([]string{"s:s/1", "s:s/2"}[i%2], typ) // bad and c are on one subject
			}
			r.act("one", bus.Handler{Name: "w", Types: []string{"a", "bad", "b", "c", "d"}, Within: b.within})
			r.run()
			r.until("the others", func() bool { return slices.Equal(r.done(), []string{"a", "b", "d"}) })
			for n := 1; n < bus.MaxTries; n++ {
				r.until("a try", func() bool {
					held, err := r.Held(t.Context(), "w", "", 0, 10)
					if err != nil || len(held) != 2 || held[1].State != bus.HeldBehind {
						t.Fatalf("%+v, %v", held, err)
					}
					return held[0].Tries == n && held[0].State == bus.HeldAgain
				})
				r.clock.Advance(5 * time.Minute)
			}
			r.until("it is parked", func() bool { return r.standing(0).Parked == 1 })
			if s := r.standing(0); s.Behind != 1 || s.LastError != "poison" || s.Seq != 5 {
				t.Errorf("%+v", s)
			}
			r.on("s:s/3", "a")
			r.until("what comes later", func() bool { return len(r.done()) == 4 })
			if err := r.Retry(t.Context(), "w", 4, nil); errs.As(err).Code != "event.behind" {
				t.Errorf("one that is behind is retried: %v", err)
			}
			if err := decide(r, b); err != nil {
				t.Fatal(err)
			}
			r.until("those behind", func() bool { s := r.standing(0); return s.Again+s.Behind+s.Parked == 0 })
			want := map[string]string{"skip": "a b c d a", "retry": "a bad b c d a"}[name]
			if got := strings.Join(r.done(), " "); got != want {
				t.Errorf("%s", got)
			}
			if err := decide(r, b); errs.As(err).Code != "event.not_held" {
				t.Errorf("it is decided twice: %v", err)
			}
		})
	}
}

// One server acts as a handler at a time; one whose lease is lost while it acts leaves
// nothing, and another one goes on from where the cursor is.
func TestTheLeaseIsLostWhileHandling(t *testing.T) {
	t.Parallel()
	r, b := newRig(t), newBook()
	r.table()
	r.publish("a", "1", "2")
	acting, lost := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() {
		close(acting)
		<-lost
	})
	slow := func(ctx context.Context, e bus.Event) error { once(); return nil }
	first := r.Bus
	r.act("one", bus.Handler{Name: "o", Types: []string{"1", "2"}, Outside: slow})
	r.run()
	<-acting

	second := &rig{t: t, db: r.db, clock: r.clock, file: r.file, Bus: bus.New(r.db, r.clock, slog.New(slog.DiscardHandler))}
	second.act("two", bus.Handler{Name: "o", Types: []string{"1", "2"}, Outside: b.without})
	second.until("it waits", func() bool { return second.standing(0).Holder == "one" && second.standing(0).State == bus.HandlerWaits })
	r.clock.Advance(bus.LeaseFor + time.Second)
	second.until("it took over", func() bool { return second.standing(0).Holder == "two" && second.standing(0).Seq == 2 })
	close(lost)
	r.until("the first gives up", func() bool {
		all, err := first.Standings(t.Context())
		return err == nil && all[0].State == bus.HandlerWaits
	})
	if s := second.standing(0); s.Seq != 2 || s.Holder != "two" || !slices.Equal(b.outside, []string{"1", "2"}) {
		t.Errorf("%+v, %v", s, b.outside)
	}
}

// An event that commits late gets a later number, so that no handler passes it by.
func TestHandlersMissNoLateCommit(t *testing.T) {
	t.Parallel()
	r, b := newRig(t), newBook()
	r.table()
	r.act("one", bus.Handler{Name: "w", Types: []string{"late", "early"}, Within: b.within})
	r.run()
	const writers, each = 8, 40
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				r.publish("a", []string{"early", "late", "other"}[(w+i)%3])
			}
		})
	}
	wg.Wait()
	r.until("all", func() bool { return r.standing(0).Seq == writers*each })
	want := 0
	for i := range writers * each {
		if (i/each+i%each)%3 != 2 {
			want++
		}
	}
	if got := len(r.done()); got != want {
		t.Errorf("%d of %d", got, want)
	}
}

// Events stay that a handler has not come to; what it holds does not keep them.
func TestForgetWaitsForHandlers(t *testing.T) {
	t.Parallel()
	r, b := newRig(t), newBook()
	r.table()
	b.fail("bad", errors.New("poison"))
	r.Handle("one", bus.Handler{Name: "w", Types: []string{"bad", "x"}, Within: b.within})
	r.run()
	r.publish("a", "x", "bad", "other", "x", "other")
	r.follow(0, 5)
	later := r.clock.Now().Add(time.Hour)
	if n, err := r.Forget(t.Context(), later, 10); n != 0 || err != nil {
		t.Errorf("before the handler began %d went, %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.RunHandlers(ctx) }()
	r.until("it has come to the end", func() bool { return r.standing(0).Seq == 5 })
	if n, err := r.Forget(t.Context(), later, 10); n != 4 || err != nil {
		t.Errorf("%d went, %v", n, err)
	}
	b.fail("bad", nil)
	r.clock.Advance(time.Second)
	r.until("the one that failed", func() bool { return r.standing(0).Again == 0 })
	cancel()
	<-ended
	if got := len(r.done()); got != 3 {
		t.Errorf("%v", r.done())
	}
}

// A handler that panics parks its event as any other that fails, and is not let to bring
// the server down.
func TestAPanicIsAFailure(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.publish("a", "1")
	r.act("one", bus.Handler{Name: "o", Types: []string{"1"}, Outside: func(context.Context, bus.Event) error { panic("boom") }})
	r.run()
	r.until("it is held", func() bool { return strings.HasPrefix(r.standing(0).LastError, "panic: boom") })
}
