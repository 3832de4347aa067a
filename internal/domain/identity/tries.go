package identity

import (
	"sync"
	"time"

	"sextant/internal/kit/clock"
)

const maxNames = 10_000 // names whose failed tries are remembered

// tries slows down guessing: after some failures a name rests for a while.
type tries struct {
	clock clock.Clock
	mu    sync.Mutex
	names map[string]failures
}

type failures struct {
	n     int
	since time.Time
}

func newTries(c clock.Clock) *tries { return &tries{clock: c, names: map[string]failures{}} }

func (t *tries) allowed(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.names[name]
	if t.clock.Now().Sub(f.since) > failureReset {
		delete(t.names, name)
		return true
	}
	return f.n < maxFailures
}

func (t *tries) failed(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.names) >= maxNames {
		clear(t.names)
	}
	f := t.names[name]
	if f.n == 0 {
		f.since = t.clock.Now()
	}
	f.n++
	t.names[name] = f
}
