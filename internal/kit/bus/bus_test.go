package bus_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/testkit/dbserver"
)

const patience = 30 * time.Second

type rig struct {
	*bus.Bus
	t     *testing.T
	db    *db.DB
	clock *clock.Fake
	file  string
	stop  func()
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, file: filepath.Join(t.TempDir(), "x.db"), clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	r.boot()
	return r
}

// boot opens the database with a bus over it, whose sequencer does not run yet.
func (r *rig) boot() {
	r.t.Helper()
	d, err := db.Open(r.t.Context(), dbserver.Address(r.t, r.file))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = d.Close() })
	if err := d.Migrate(r.t.Context(), bus.Domain, bus.Migrations); err != nil {
		r.t.Fatal(err)
	}
	r.db, r.Bus = d, bus.New(d, r.clock, slog.New(slog.DiscardHandler))
}

// run starts the sequencer.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			r.t.Errorf("the sequencer ended with %v", err)
		}
	})
	r.t.Cleanup(r.stop)
}

func (r *rig) publish(project string, types ...string) {
	r.t.Helper()
	err := r.db.Do(r.t.Context(), func(tx *db.Tx) error {
		for _, typ := range types {
			if err := (bus.Kind[struct{}]{Type: typ}).Publish(r.Bus, tx, bus.Of{Subject: "a:b/c", Project: project}, struct{}{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.t.Error(err)
	}
}

// follow reads from a number on until n events have come.
func (r *rig) follow(after int64, n int) []bus.Event {
	r.t.Helper()
	news, stop := r.Listen()
	defer stop()
	deadline := time.After(patience)
	var all []bus.Event
	for {
		got, err := r.After(r.t.Context(), after, nil, 7)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, e := range got {
			after = e.Seq
			all = append(all, e)
		}
		if len(all) >= n {
			return all
		}
		if len(got) > 0 {
			continue
		}
		select {
		case <-news:
		case <-deadline:
			r.t.Fatalf("%d events of %d", len(all), n)
		}
	}
}

func types(events []bus.Event) (all []string) {
	for _, e := range events {
		all = append(all, e.Type)
	}
	return all
}

func TestAReaderMissesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run()
	const publishers, each = 8, 60
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				r.publish("a", fmt.Sprintf("%d/%d", p, i))
				// One that is undone takes no number.
				_ = r.db.Do(t.Context(), func(tx *db.Tx) error {
					return errors.Join((bus.Kind[struct{}]{Type: "undone"}).Publish(r.Bus, tx, bus.Of{}, struct{}{}), errors.New("no"))
				})
			}
		})
	}
	got := r.follow(0, publishers*each)
	wg.Wait()
	last := make([]int, publishers)
	for i, e := range got {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d has the number %d", i+1, e.Seq)
		}
		var p, n int
		if _, err := fmt.Sscanf(e.Type, "%d/%d", &p, &n); err != nil {
			t.Fatalf("%q: %v", e.Type, err)
		}
		if n != last[p] {
			t.Fatalf("of publisher %d event %d came, want %d", p, n, last[p])
		}
		last[p]++
	}
	if len(got) != publishers*each {
		t.Errorf("%d events, want %d", len(got), publishers*each)
	}
}

// The order of making is that of the numbers, within a millisecond and when the
// machine's clock is set back.
func TestTheOrderOfMaking(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	want := []string{"1", "2", "3", "4", "5", "6", "7", "8"}
	r.publish("a", want[:4]...)
	r.clock.Advance(-time.Hour)
	r.publish("a", want[4:6]...)
	r.publish("a", want[6:]...)
	r.run()
	if got := types(r.follow(0, 8)); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestARestartNumbersWhatWasLeft(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run()
	r.publish("a", "1", "2")
	r.follow(0, 2)
	r.stop()
	r.clock.Advance(time.Second)
	r.publish("a", "3", "4") // nobody numbers it any more
	if err := r.db.Close(); err != nil {
		t.Fatal(err)
	}
	r.boot()
	if got, err := r.After(t.Context(), 0, nil, 10); err != nil || len(got) != 2 {
		t.Errorf("before the sequencer runs: %v, %v", types(got), err)
	}
	r.run()
	r.clock.Advance(time.Second)
	got := r.follow(2, 2)
	if got[0].Seq != 3 || !slices.Equal(types(got), []string{"3", "4"}) {
		t.Errorf("%v from %d", types(got), got[0].Seq)
	}
	r.publish("a", "5")
	if got := r.follow(4, 1); got[0].Seq != 5 {
		t.Errorf("%v", got)
	}
}

func TestMoreThanOneBatch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var all []string
	for i := range 1203 {
		all = append(all, fmt.Sprint(i))
	}
	r.publish("a", all...)
	r.run()
	if got := types(r.follow(0, len(all))); !slices.Equal(got, all) {
		t.Errorf("%d events", len(got))
	}
}

func TestProjects(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run()
	for _, p := range []string{"a", "b", "c", "a"} {
		r.publish(p, "of-"+p)
		r.clock.Advance(time.Second)
	}
	r.follow(0, 4)
	for _, c := range []struct {
		projects []string
		after    int64
		limit    int
		want     []string
	}{
		{nil, 0, 10, []string{"of-a", "of-b", "of-c", "of-a"}}, {[]string{}, 0, 10, nil}, {[]string{"a"}, 0, 10, []string{"of-a", "of-a"}},
		{[]string{"a", "c"}, 1, 10, []string{"of-c", "of-a"}}, {[]string{"a", "b"}, 0, 2, []string{"of-a", "of-b"}},
		{[]string{"none"}, 0, 10, nil},
	} {
		got, err := r.After(t.Context(), c.after, c.projects, c.limit)
		if err != nil || !slices.Equal(types(got), c.want) {
			t.Errorf("%v after %d: %v, %v", c.projects, c.after, types(got), err)
		}
	}
	events, err := r.After(t.Context(), 0, nil, 1)
	if e := events[0]; err != nil || e.ID == "" || e.Subject != "a:b/c" ||
		e.Project != "a" || string(e.Data) != "{}" || !e.Time.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestBefore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	begun := r.clock.Now()
	if seq, err := r.Before(t.Context(), begun, 10); seq != 0 || err != nil {
		t.Errorf("of nothing: %d, %v", seq, err)
	}
	r.run()
	for range 5 {
		r.publish("a", "x")
		r.clock.Advance(time.Second)
	}
	r.follow(0, 5)
	for _, c := range []struct {
		since time.Duration
		limit int
		want  int64
	}{{0, 10, 0}, {time.Microsecond, 10, 1}, {2 * time.Second, 10, 2}, {time.Hour, 10, 5},
		{0, 2, 3}, {4*time.Second + time.Microsecond, 1, 5}} {
		if seq, err := r.Before(t.Context(), begun.Add(c.since), c.limit); seq != c.want || err != nil {
			t.Errorf("before %v, of the last %d: %d, %v, want %d", c.since, c.limit, seq, err, c.want)
		}
	}
}

func TestAListenerThatStopped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	gone, stop := r.Listen()
	stop()
	stop()
	r.run()
	r.publish("a", "1")
	r.follow(0, 1)
	select {
	case <-gone:
		t.Error("it is still told")
	default:
	}
}

// Numbering that failed is tried again, though no other event comes.
func TestNumberingIsTriedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.publish("a", "1")
	change := func(query string) {
		t.Helper()
		if err := r.db.Do(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(query); return err }); err != nil {
			t.Fatal(err)
		}
	}
	change("ALTER TABLE bus_event RENAME TO away")
	failed := make(chan struct{})
	r.Bus = bus.New(r.db, r.clock, slog.New(signal{slog.DiscardHandler, sync.OnceFunc(func() { close(failed) })}))
	r.run()
	select {
	case <-failed:
	case <-time.After(patience):
		t.Fatal("no failure was logged")
	}
	change("ALTER TABLE away RENAME TO bus_event")
	news, stop := r.Listen()
	defer stop()
	deadline := time.After(patience)
	for {
		r.clock.Advance(time.Second)
		select {
		case <-news:
			r.follow(0, 1)
			return
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatal("it was not tried again")
		}
	}
}

// signal tells of the first line that is logged.
type signal struct {
	slog.Handler
	told func()
}

func (s signal) Enabled(context.Context, slog.Level) bool { return true }

func (s signal) Handle(context.Context, slog.Record) error {
	s.told()
	return nil
}
