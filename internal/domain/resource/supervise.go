package resource

import (
	"context"
	"log/slog"
	"time"

	"sextant/internal/kit/clock"
)

const (
	superviseEvery = time.Second
	superviseMax   = time.Minute // longest wait between starts of what keeps ending
)

// Supervisor keeps instances running.
//
//	running ──ended──► started again ──► running
//	                    │        ▲
//	                    └─ waits ┘ twice as long each time, a minute at most
type Supervisor struct {
	Driver Driver
	Clock  clock.Clock
	Log    *slog.Logger
	// Ended is told when an instance was found ended, Began when one runs in its place.
	// Both are set before the first Watch.
	Ended func(name string)
	Began func(Instance)
}

// Keep brings an instance to run; one that an earlier server started is found again.
// Watch has to follow.
func (s *Supervisor) Keep(ctx context.Context, spec Spec) (Instance, error) {
	if err := s.Driver.Allocate(ctx, spec); err != nil {
		return Instance{}, err
	}
	if err := s.Driver.Create(ctx, spec); err != nil {
		return Instance{}, err
	}
	return s.Driver.Start(ctx, spec.Name)
}

// Watch starts an instance again when it has ended, less and less often where it
// keeps ending. It returns when ctx ends, and leaves the instance running.
func (s *Supervisor) Watch(ctx context.Context, of Instance) error {
	for wait := superviseEvery; ; {
		tick, stop := s.Clock.After(wait)
		select {
		case <-ctx.Done():
			stop()
			return ctx.Err()
		case <-tick:
		}
		found, err := s.Driver.Observe(ctx, of.Name)
		if err == nil && found.State == StateRunning && found.Key == of.Key {
			wait = superviseEvery
			continue
		}
		if s.Ended != nil {
			s.Ended(of.Name)
		}
		s.Log.WarnContext(ctx, "an instance has ended; it is started again", "instance", of.Name, "err", err)
		wait = min(2*wait, superviseMax)
		next, err := s.Driver.Start(ctx, of.Name)
		if err != nil {
			if ctx.Err() == nil {
				s.Log.ErrorContext(ctx, "an instance cannot be started", "instance", of.Name, "err", err)
			}
			continue
		}
		of = next
		if s.Began != nil {
			s.Began(of)
		}
	}
}
