package durable_test

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// A run that cannot be read back while the database is away is not damaged: it is read
// once that is back, and a host that closes or starts meanwhile sets nothing aside.
func TestARunIsNotDamagedBecauseTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	good := compile(t, sequence)
	var away atomic.Int64 // questions that are still to fail
	failed := make(chan struct{}, 1000)
	programs := func(int64) (*program.Program, error) {
		if away.Add(-1) >= 0 {
			failed <- struct{}{}
			return nil, fmt.Errorf("read the process: %w", driver.ErrBadConn)
		}
		return good, nil
	}
	p := newPlace(t, programs)
	key := p.start(1, nil)
	job := <-p.jobs
	refused := errors.New("no")
	refuse := func() error {
		return p.h.Apply(t.Context(), key, engine.JobCompleted{Job: job.Key}, func(*db.Tx) error { return refused })
	}
	away.Store(3)
	if err := refuse(); !errors.Is(err, refused) || len(failed) != 3 {
		t.Errorf("the write that failed: %v; the run could not be read %d times, want 3", err, len(failed))
	}
	if _, kind := p.told.of(key); kind != "" || p.h.Active() != 1 {
		t.Fatalf("the run has the incident %q, %d are active", kind, p.h.Active())
	}
	for len(failed) > 0 {
		<-failed
	}

	away.Store(1000)
	answer := make(chan error, 1)
	go func() { answer <- refuse() }()
	<-failed
	p.h.Close()
	if err := <-answer; !errors.Is(err, refused) {
		t.Errorf("when the host closed: %v", err)
	}
	if err := p.h.Apply(t.Context(), key, engine.Cancel{}, nil); !errs.HasCode(err, "engine.stopped") {
		t.Errorf("afterwards: %v", err)
	}
	deps := durable.Deps{DB: p.d, Clock: clock.Real{}, Log: slog.New(slog.DiscardHandler), Programs: programs}
	if _, err := durable.Open(t.Context(), deps); !errors.Is(err, driver.ErrBadConn) {
		t.Errorf("a start meanwhile: %v", err)
	}

	away.Store(0)
	p.close()
	p.open()
	if _, kind := p.told.of(key); kind != "" || p.h.Active() != 1 {
		t.Fatalf("after a restart the run has the incident %q, %d are active", kind, p.h.Active())
	}
	if err := p.h.Apply(t.Context(), key, engine.JobCompleted{Job: job.Key}, nil); err != nil {
		t.Error(err)
	}
}
