// Package retention removes what has been kept long enough, kind by kind.
//
//	every hour ─► of each kind: the oldest ─► a little in one write ─► until nothing is older
//
// It never holds the writer for long: each write removes a portion, and others come
// between. What a kind is, and what removing it means, its own domain knows.
package retention

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sextant/internal/kit/clock"
)

const (
	every   = time.Hour
	portion = 500 // things that one write removes
)

// Kind is one kind of thing that is kept for a while.
type Kind struct {
	Name string
	// Keep is for how long; 0 is for ever.
	Keep time.Duration
	// Forget removes the oldest of what is older than a time, at most so many, and
	// says how many it removed.
	Forget func(ctx context.Context, before time.Time, limit int) (int, error)
}

// Report is how it stands with a kind.
type Report struct {
	Kind    string     `json:"kind"`
	Days    int        `json:"days" doc:"For how long it is kept; 0 is for ever"`
	State   string     `json:"state" enum:"forever,waiting,working,failed" doc:"What is being done; waiting is for the next hour"`
	Began   *time.Time `json:"began,omitempty" doc:"When old things were looked for last"`
	Ended   *time.Time `json:"ended,omitempty"`
	Removed int64      `json:"removed" doc:"How many were removed since the server started"`
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
	if k.Keep == 0 || ctx.Err() != nil {
		return
	}
	now := s.clock.Now()
	s.tell(i, func(r *Report) { r.State, r.Began, r.Ended = "working", &now, nil })
	for {
		n, err := k.Forget(ctx, now.Add(-k.Keep), portion)
		if err != nil {
			if ctx.Err() == nil {
				s.log.WarnContext(ctx, "what is old could not be removed; it is tried again within an hour", "kind", k.Name, "err", err)
			}
			s.tell(i, func(r *Report) { r.State, r.Reason = "failed", err.Error() })
			return
		}
		s.tell(i, func(r *Report) { r.Removed += int64(n) })
		if n < portion {
			break
		}
	}
	end := s.clock.Now()
	s.tell(i, func(r *Report) { r.State, r.Ended, r.Reason = "waiting", &end, "" })
}
