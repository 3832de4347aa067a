// Package retention removes what has been kept long enough, kind by kind.
//
//	every hour ─► of each kind: the oldest ─► a little in one write ─► until nothing is older
//
// It never holds the writer for long: a write removes a portion that takes some ten
// milliseconds, and others have the writer for themselves before the next for as long as
// it and its commit took.
// What a kind is, and what removing it means, its own domain knows.
package retention

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sextant/internal/kit/clock"
)

const (
	every = time.Hour
	stale = time.Minute // after which what is kept is counted anew for who asks
)

// Kind is one kind of thing that is kept for a while.
type Kind struct {
	Name string
	// Keep is for how long; 0 is for ever.
	Keep time.Duration
	// Forget removes the oldest of what is older than a time, at most so many, and
	// says how many it removed.
	Forget func(ctx context.Context, before time.Time, limit int) (int, error)
	// Stock counts what is kept; nil where nobody can tell quickly.
	Stock func(ctx context.Context) (Stock, error)
}

// Stock is what is kept of a kind.
type Stock struct {
	// Count is how many, about where Name says so.
	Count int64
	// Bytes is how much of the disk it takes, -1 where that is not known.
	Bytes int64
	// Oldest is when the oldest was written; zero where there is none, or nobody knows.
	Oldest time.Time
}

// Report is how it stands with a kind.
type Report struct {
	Kind    string     `json:"kind"`
	Days    int        `json:"days" doc:"For how long it is kept; 0 is for ever"`
	State   string     `json:"state" enum:"forever,waiting,working,failed" doc:"What is being done; waiting is for the next hour"`
	Began   *time.Time `json:"began,omitempty" doc:"When old things were looked for last"`
	Ended   *time.Time `json:"ended,omitempty"`
	Removed int64      `json:"removed" doc:"How many were removed since the server started"`
	Last    *time.Time `json:"last,omitempty" doc:"When something was removed last, since the server started"`
	Count   *int64     `json:"count,omitempty" doc:"How many there are, counted within the last minute"`
	Bytes   *int64     `json:"bytes,omitempty" doc:"How much of the disk they take, where that is known"`
	Oldest  *time.Time `json:"oldest,omitempty" doc:"When the oldest was written"`
	Reason  string     `json:"reason,omitempty" doc:"Why it failed; it is tried again within an hour"`
}

// Sweeper removes what is old.
type Sweeper struct {
	clock clock.Clock
	log   *slog.Logger
	kinds []Kind
	wake  chan struct{}

	mu      sync.Mutex
	reports []Report
	counted time.Time
}

// New makes a sweeper; Run has to be started.
func New(c clock.Clock, log *slog.Logger, kinds ...Kind) *Sweeper {
	s := &Sweeper{clock: c, log: log, kinds: kinds, wake: make(chan struct{}, 1)}
	for _, k := range kinds {
		r := Report{Kind: k.Name, Days: int(k.Keep / (24 * time.Hour)), State: "waiting"}
		if k.Keep == 0 {
			r.State = "forever"
		}
		s.reports = append(s.reports, r)
	}
	return s
}

// Run looks for what is old every hour, first at once, until ctx ends.
func (s *Sweeper) Run(ctx context.Context) error {
	for {
		for i := range s.kinds {
			s.sweep(ctx, i)
		}
		tick, stop := s.clock.After(every)
		select {
		case <-ctx.Done():
			stop()
			return ctx.Err()
		case <-tick:
		case <-s.wake:
			stop()
		}
	}
}

// Now has old things looked for without waiting for the hour.
func (s *Sweeper) Now() {
	select {
	case s.wake <- struct{}{}:
	default: // it is about to
	}
}

// Count takes stock of every kind anew, if that was done longer than a minute ago.
func (s *Sweeper) Count(ctx context.Context) {
	now := s.clock.Now()
	s.mu.Lock()
	fresh := now.Sub(s.counted) < stale
	if !fresh {
		s.counted = now
	}
	s.mu.Unlock()
	for i := 0; !fresh && i < len(s.kinds); i++ {
		s.count(ctx, i)
	}
}

// Reports tells of every kind.
func (s *Sweeper) Reports() []Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Report(nil), s.reports...)
}

func (s *Sweeper) tell(i int, change func(*Report)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.reports[i])
}

func (s *Sweeper) sweep(ctx context.Context, i int) {
	k := s.kinds[i]
	if ctx.Err() != nil {
		return
	}
	defer s.count(ctx, i)
	if k.Keep == 0 {
		return
	}
	now := s.clock.Now()
	s.tell(i, func(r *Report) { r.State, r.Began, r.Ended = "working", &now, nil })
	for portion := first; ; {
		m := &meter{}
		n, err := k.Forget(context.WithValue(ctx, meterKey{}, m), now.Add(-k.Keep), portion)
		if err != nil {
			if ctx.Err() == nil {
				s.log.WarnContext(ctx, "what is old could not be removed; it is tried again within an hour", "kind", k.Name, "err", err)
			}
			s.tell(i, func(r *Report) { r.State, r.Reason = "failed", err.Error() })
			return
		}
		if at := s.clock.Now(); n > 0 {
			s.tell(i, func(r *Report) { r.Removed, r.Last = r.Removed+int64(n), &at })
		}
		if n < portion {
			break
		}
		portion = m.next(portion)
		m.rest(ctx)
	}
	end := s.clock.Now()
	s.tell(i, func(r *Report) { r.State, r.Ended, r.Reason = "waiting", &end, "" })
}

// count takes stock of a kind.
func (s *Sweeper) count(ctx context.Context, i int) {
	k := s.kinds[i]
	if k.Stock == nil || ctx.Err() != nil {
		return
	}
	st, err := k.Stock(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "what is kept could not be counted", "kind", k.Name, "err", err)
		}
		return
	}
	s.tell(i, func(r *Report) {
		r.Count, r.Bytes, r.Oldest = &st.Count, nil, nil
		if st.Bytes >= 0 {
			r.Bytes = &st.Bytes
		}
		if !st.Oldest.IsZero() {
			r.Oldest = &st.Oldest
		}
	})
}
