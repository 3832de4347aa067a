package identity

import (
	"context"
	"database/sql"
	"errors"
	"net/netip"
	"sync"
	"time"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

const (
	maxByName    = 20  // tries of a name from one address before they rest
	maxByOrigin  = 100 // tries from one address, whatever the names
	failureReset = time.Hour
	longestRest  = 8 * time.Hour
	maxTold      = 20     // failures of an address within an hour that are recorded
	maxTried     = 20_000 // counts that are remembered beside the database
)

// tries slows down guessing. What is counted is a name together with an address,
// so that strangers lock nobody out: past the limit the pair rests, for an hour at
// first and twice as long after each further failure. An address rests in the
// same way for all names but those that have logged in from there before. The
// counts are stored: a restart forgets nothing.
type tries struct {
	clock clock.Clock
	db    *db.DB // nil keeps them in memory alone
	mu    sync.Mutex
	of    map[string]failures
}

type failures struct {
	n           int
	open        int // tries that are being checked now
	since, last time.Time
}

func newTries(c clock.Clock, d *db.DB) *tries {
	return &tries{clock: c, db: d, of: map[string]failures{}}
}

// counter is something that tries are counted for.
type counter struct {
	key   string
	limit int
}

// counters are what a try counts for. Someone who proves a session that is open
// already counts for that session, where strangers have no part.
func counters(name, origin string) []counter {
	origin = network(origin)
	if origin == "" {
		return []counter{{"self " + name, maxByName}}
	}
	return []counter{{"name " + name + " from " + origin, maxByName}, {"from " + origin, maxByOrigin}}
}

// network is what one subscriber has: an address of IPv4, the first half of one
// of IPv6.
func network(origin string) string {
	a, err := netip.ParseAddr(origin)
	if err != nil || a.Unmap().Is4() {
		return origin
	}
	p, err := a.Prefix(64)
	if err != nil {
		return origin
	}
	return p.Masked().String()
}

// rest is how long a counter past its limit rests after the last failure.
func (f failures) rest(limit int) time.Duration {
	return min(failureReset<<min(f.n-limit, 8), longestRest)
}

// over reports whether what was counted is forgotten.
func (f failures) over(limit int, now time.Time) bool {
	if f.n >= limit {
		return now.Sub(f.last) > 3*longestRest
	}
	return f.open == 0 && now.Sub(f.since) > failureReset
}

func (f failures) full(limit int, now time.Time) bool {
	if f.n >= limit {
		return f.open > 0 || now.Sub(f.last) < f.rest(limit)
	}
	return f.n+f.open >= limit
}

// allowed begins a try, unless too many failed; every try that began ends with
// failed or passed. known tells whether the name has logged in from there before.
func (t *tries) allowed(name, origin string, known func() bool) bool {
	all := counters(name, origin)
	for _, c := range all {
		t.recall(c.key)
	}
	t.mu.Lock()
	now, spared := t.clock.Now(), -1
	for i, c := range all {
		f := t.of[c.key]
		if f.over(c.limit, now) {
			f = failures{}
			t.of[c.key] = f
		}
		if !f.full(c.limit, now) {
			continue
		}
		if i == 0 {
			t.mu.Unlock()
			return false
		}
		spared = i
	}
	if spared > 0 {
		t.mu.Unlock()
		if !known() {
			return false
		}
		t.mu.Lock()
	}
	defer t.mu.Unlock()
	for _, c := range all {
		f := t.of[c.key]
		f.open++
		t.of[c.key] = f
	}
	return true
}

// failed counts a failure. It reports whether it is worth a record: a flood from
// one address is told by its beginning.
func (t *tries) failed(name, origin string) (tell bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	now, most := t.clock.Now(), 0
	for _, c := range counters(name, origin) {
		f := t.of[c.key]
		if f.n == 0 {
			f.since = now
		}
		f.n, f.open, f.last = f.n+1, max(f.open-1, 0), now
		t.of[c.key] = f
		most = f.n
		t.store(c.key, f)
	}
	return most <= maxTold
}

// passed ends a try that has not failed; right forgets the failures of the pair.
func (t *tries) passed(name, origin string, right bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, c := range counters(name, origin) {
		f := t.of[c.key]
		f.open = max(f.open-1, 0)
		if right && i == 0 && f.n > 0 {
			f = failures{open: f.open}
			t.store(c.key, f)
		}
		t.of[c.key] = f
	}
}

// forget makes room: first for what is over, then for all but those that are at
// their limit.
func (t *tries) forget() {
	if len(t.of) < maxTried {
		return
	}
	for key, f := range t.of {
		if f.open == 0 && (t.clock.Now().Sub(f.since) > failureReset || f.n < maxByName) {
			delete(t.of, key)
		}
	}
}

// recall reads a count that another process, or this one before, has stored.
func (t *tries) recall(key string) {
	t.mu.Lock()
	_, known := t.of[key]
	t.mu.Unlock()
	if known || t.db == nil {
		return
	}
	var f failures
	var since, last int64
	err := t.db.QueryRow(context.Background(), "SELECT n, since, last FROM identity_try WHERE what = ?", digest(key)).Scan(&f.n, &since, &last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return // what cannot be read is counted from here
	}
	f.since, f.last = clock.FromMicros(since), clock.FromMicros(last)
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.of[key]; !known && f.n > 0 {
		t.of[key] = f
	}
}

// store keeps a count. Nobody waits for it: it holds here at once, and a crash in
// between forgets one try.
func (t *tries) store(key string, f failures) {
	if t.db == nil {
		return
	}
	_, _ = t.db.Submit(db.Urgent(context.Background()), func(tx *db.Tx) error {
		if f.n == 0 {
			_, err := tx.Exec("DELETE FROM identity_try WHERE what = ?", digest(key))
			return err
		}
		return tx.Upsert("identity_try", 1, []string{"what", "n", "since", "last"}, digest(key), f.n, clock.Micros(f.since), clock.Micros(f.last))
	})
}
