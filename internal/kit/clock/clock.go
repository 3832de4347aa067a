// Package clock gives time, identifiers and randomness, so that everything
// that depends on them can be tested without waiting and without chance.
package clock

import (
	"crypto/rand"
	"encoding/base64"
	"strconv"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// Clock tells the time and wakes waiters.
type Clock interface {
	// Now is the current time in UTC.
	Now() time.Time
	// After sends the time once d has passed; the returned stop releases the
	// timer early.
	After(d time.Duration) (<-chan time.Time, func())
}

// Real is the machine's clock.
type Real struct{}

// Now is the machine's time in UTC.
func (Real) Now() time.Time { return time.Now().UTC() }

// After wakes after d by the machine's monotonic clock.
func (Real) After(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

// Fake is a clock that moves only when told. It is safe for concurrent use.
type Fake struct {
	mu      sync.Mutex
	now     time.Time
	waiters []*waiter
}

type waiter struct {
	at time.Time
	ch chan time.Time
}

// NewFake starts a fake clock at the given time.
func NewFake(at time.Time) *Fake { return &Fake{now: at.UTC()} }

// Now is the time that the clock was last moved to.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// After wakes once the clock has been advanced by d or more.
func (f *Fake) After(d time.Duration) (<-chan time.Time, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &waiter{at: f.now.Add(d), ch: make(chan time.Time, 1)}
	if d <= 0 {
		w.ch <- f.now
		return w.ch, func() {}
	}
	f.waiters = append(f.waiters, w)
	return w.ch, func() { f.drop(w) }
}

// Advance moves the clock and wakes whoever is due.
func (f *Fake) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	kept := f.waiters[:0]
	for _, w := range f.waiters {
		if w.at.After(f.now) {
			kept = append(kept, w)
			continue
		}
		w.ch <- f.now
	}
	f.waiters = kept
}

func (f *Fake) drop(w *waiter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, o := range f.waiters {
		if o == w {
			f.waiters = append(f.waiters[:i], f.waiters[i+1:]...)
			return
		}
	}
}

// NewID makes an identifier: a ULID, 26 characters that sort by time of making.
func NewID(c Clock) string {
	return ulid.MustNew(ulid.Timestamp(c.Now()), rand.Reader).String()
}

// IDBefore is what sorts before every identifier that was made at a time or later, and
// after all earlier ones.
func IDBefore(t time.Time) string {
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(t)) // fails after the year 10889
	return id.String()
}

// NewToken makes a secret of 32 random bytes, written in URL-safe base64 after
// the prefix.
func NewToken(prefix string) string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // crypto/rand.Read never fails; it ends the process instead
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

// Micros turns a time into the form in which databases hold it.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// FromMicros reads the stored form; 0 is the zero time.
func FromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// Decimal is an engine key as JSON and addresses carry it.
func Decimal(key int64) string { return strconv.FormatInt(key, 10) }
