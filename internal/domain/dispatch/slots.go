package dispatch

import (
	"cmp"
	"context"
	"time"

	"sextant/internal/engine/state"
	"sextant/internal/kit/fair"
	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

const (
	callsAtWork = 64        // calls of one project that a plugin works on at once
	longWait    = time.Hour // a reading action that may take so long waits for something
)

// newTurns shares out the calls at work: each project has its own places with each
// plugin, and none of its services takes all of them.
func newTurns(limit int) *fair.Turns { return fair.New(cmp.Or(limit, callsAtWork)) }

// turn waits until a chunk may be sent. What waits for something, and works on
// nothing, holds no place. The time that a call waited is not part of its own.
func (s *Service) turn(ctx context.Context, t *task, c *chunk) error {
	c.free = func() {}
	if idle(t.svc.Action) {
		return nil
	}
	began := s.Clock.Now()
	free, err := s.turns.Take(ctx, t.scope.project()+"\x00"+t.svc.Plugin, t.svc.Name())
	if err != nil {
		return err
	}
	if c.free = free; !c.sent {
		c.deadline = c.deadline.Add(s.Clock.Now().Sub(began))
	}
	return nil
}

// idle reports whether an action only looks until something has happened.
func idle(a wire.Action) bool {
	d, err := manifest.Duration(a.Timeout)
	return err == nil && a.Risk == wire.RiskRead && d >= longWait
}

// away does what takes its time without a place; only the job's own goroutine may
// call it.
func (s *Service) away(ctx context.Context, job state.Key, do func() error) error {
	s.mu.Lock()
	r := s.jobs[job]
	s.mu.Unlock()
	if r == nil || r.place == nil {
		return do()
	}
	r.place.Leave()
	if err := do(); err != nil {
		return err
	}
	if !r.place.Enter(ctx) {
		return context.Cause(ctx)
	}
	return nil
}
