package identity

import (
	"sync"
	"time"

	"sextant/internal/kit/clock"
)

const (
	maxByName    = 20
	maxByOrigin  = 100
	failureReset = time.Hour
	maxTold      = 20     // failures of an address within an hour that are recorded
	maxTried     = 20_000 // names and addresses whose failed tries are remembered
)

// tries slows down guessing: after some failures within an hour a name, or an
// address, rests until the hour is over.
type tries struct {
	clock clock.Clock
	mu    sync.Mutex
	of    map[string]failures
}

type failures struct {
	n     int
	since time.Time
}

func newTries(c clock.Clock) *tries { return &tries{clock: c, of: map[string]failures{}} }

// keys are what a try counts for: names and addresses cannot be mixed up.
func keys(name, origin string) map[string]int {
	return map[string]int{"name " + name: maxByName, "from " + origin: maxByOrigin}
}

func (t *tries) allowed(name, origin string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, limit := range keys(name, origin) {
		f := t.of[key]
		if t.clock.Now().Sub(f.since) > failureReset {
			delete(t.of, key)
			continue
		}
		if f.n >= limit {
			return false
		}
	}
	return true
}

// failed counts a failure. It reports whether it is worth a record: a flood from
// one address is told by its beginning.
func (t *tries) failed(name, origin string) (tell bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	for key := range keys(name, origin) {
		f := t.of[key]
		if f.n == 0 {
			f.since = t.clock.Now()
		}
		f.n++
		t.of[key] = f
	}
	return t.of["from "+origin].n <= maxTold
}

// forget makes room: first for what is over, then for all but those that are at
// their limit.
func (t *tries) forget() {
	if len(t.of) < maxTried {
		return
	}
	for key, f := range t.of {
		if t.clock.Now().Sub(f.since) > failureReset || f.n < maxByName {
			delete(t.of, key)
		}
	}
}
