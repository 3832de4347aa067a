package message_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/control"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/message"
	"sextant/internal/engine"
	"sextant/internal/engine/state"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/db"
)

var errKilled = errors.New("the server was killed")

// mortal are runs and a door of a server that is killed at a boundary between two
// commits: from there on nothing that it does is stored. What is stored is in two tables,
// as what runs hear and begin is.
type mortal struct {
	db   *db.DB
	mu   sync.Mutex
	left int // boundaries that it lives through; less than none for ever
}

// boundary reports that the server is dead.
func (m *mortal) boundary() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left == 0 {
		return errKilled
	}
	m.left--
	return nil
}

// stored stores an effect with what notes it; the server may die before and after that.
func (m *mortal) stored(ctx context.Context, what string, with func(*db.Tx) error) error {
	if err := m.boundary(); err != nil {
		return err
	}
	if err := m.db.Do(ctx, func(tx *db.Tx) error {
		if err := with(tx); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO effect (what) VALUES (?)", what)
		return err
	}); err != nil {
		return err
	}
	return m.boundary()
}

func (m *mortal) Hear(ctx context.Context, run state.Key, _ engine.EventCame, _ identity.Rights, with func(*db.Tx) error) error {
	return m.stored(ctx, fmt.Sprint("heard by ", int64(run)%10), with)
}

func (m *mortal) Admit(ctx context.Context, req control.Request) (control.Verdict, error) {
	return control.Verdict{Run: 77, Verdict: control.Admitted},
		m.stored(ctx, "began "+req.Process, func(tx *db.Tx) error { return req.With(tx, 77) })
}

func (m *mortal) Mandate(context.Context, int64) (control.Mandate, error) {
	return control.Mandate{}, nil
}

// reborn is the service of a server that was started anew.
func (r *rig) reborn(left int) (*message.Service, *mortal) {
	log, m := slog.New(slog.DiscardHandler), &mortal{db: r.db, left: left}
	deps := r.Deps
	deps.Log, deps.Audit, deps.Bus = log, audit.New(r.db, r.clock), bus.New(r.db, r.clock, log)
	s := message.New(deps)
	s.Attach(m, m)
	return s, m
}

func (r *rig) table() {
	r.Helper()
	r.must(r.db.Do(r.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec("CREATE TABLE effect (what VARCHAR(64) NOT NULL)")
		return err
	}))
}

func (r *rig) effects() []string {
	r.Helper()
	rows, err := r.db.Query(r.Context(), "SELECT what FROM effect ORDER BY what")
	all, err := db.Scan(rows, err, func(r *sql.Rows) (what string, err error) { return what, r.Scan(&what) })
	r.must(err)
	return all
}

// rest is how many posts and targets are left.
func (r *rig) rest() (n int) {
	r.Helper()
	r.must(r.db.QueryRow(r.Context(), "SELECT (SELECT COUNT(*) FROM message_post) + (SELECT COUNT(*) FROM message_target)").Scan(&n))
	return n
}

// run lets the service catch up once, and ends it.
func (r *rig) run(s *message.Service, until func() bool) {
	r.Helper()
	ctx, end := context.WithCancel(r.Context())
	over := make(chan error, 1)
	go func() { over <- s.Run(ctx) }()
	for deadline := time.Now().Add(time.Minute); !until(); {
		if time.Now().After(deadline) {
			r.Fatal("nothing comes of what is left")
		}
	}
	end()
	r.must(<-over)
}

// Wherever the server is killed between two commits while it brings a message or a signal
// to runs of other shards and begins runs with it, each hears it once and each process
// begins once.
func TestAKillBetweenTwoCommitsNeitherLosesNorDoubles(t *testing.T) {
	for _, signal := range []bool{true, false} {
		t.Run(fmt.Sprint("signal=", signal), func(t *testing.T) {
			killEverywhere(newRig(t), signal)
		})
	}
}

func killEverywhere(r *rig, signal bool) {
	r.table()
	want := []string{"began a", "began b", "heard by 1", "heard by 2", "heard by 3"}
	for n, alive := 0, false; !alive; n++ {
		r.must(r.db.Do(r.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec("DELETE FROM effect")
			return err
		}))
		sub := state.Subscription{Name: fmt.Sprint("alarm", n), Signal: signal}
		for run := range int64(3) {
			r.waits(int64(n)*10+run+1, fmt.Sprint("p", run), sub)
		}
		for _, process := range []string{"a", "b"} {
			r.begins(process, message.Start{Event: "s", Name: sub.Name, Signal: signal})
		}
		s, _ := r.reborn(n)
		var err error
		ctx := as(r.Context(), "ann")
		if signal {
			_, err = s.Broadcast(ctx, message.Signal{Project: "a", Name: sub.Name})
		} else {
			_, err = s.Publish(ctx, message.Message{Project: "a", Name: sub.Name})
		}
		alive = err == nil
		if !alive && !errors.Is(err, errKilled) {
			r.Fatalf("killed at %d: %v", n, err)
		}
		next, _ := r.reborn(-1)
		r.run(next, func() bool { return r.rest() == 0 })
		if got := r.effects(); !slices.Equal(got, want) {
			r.Fatalf("killed at boundary %d: %q, want %q", n, got, want)
		}
		if n > 50 {
			r.Fatal("it never lives to the end")
		}
	}
}

// meeting are runs and a door at which two who bring a signal meet before each effect.
type meeting struct {
	*mortal
	met sync.WaitGroup
}

func (m *meeting) Admit(ctx context.Context, req control.Request) (control.Verdict, error) {
	m.met.Done()
	m.met.Wait()
	return m.mortal.Admit(ctx, req)
}

// A signal that two bring at once is heard once: the one who broadcasts it and the one who
// goes on with what is left.
func TestASignalThatTwoBringIsHeardOnce(t *testing.T) {
	r := newRig(t)
	r.table()
	r.begins("a", message.Start{Event: "s", Name: "alarm", Signal: true})
	s, m := r.reborn(-1)
	both := &meeting{mortal: m}
	both.met.Add(2)
	s.Attach(both, both)
	told := make(chan error, 1)
	go func() {
		_, err := s.Broadcast(as(t.Context(), "ann"), message.Signal{Project: "a", Name: "alarm"})
		told <- err
	}()
	for r.rest() == 0 { // until it is stored
		if t.Context().Err() != nil {
			t.Fatal("it is never stored")
		}
	}
	r.run(s, func() bool { return r.rest() == 0 })
	r.must(<-told)
	if got := r.effects(); !slices.Equal(got, []string{"began a"}) {
		t.Errorf("came of it: %q", got)
	}
}
