package dispatch

import (
	"context"
	"time"

	"sextant/internal/domain/dispatch/record"

	"sextant/internal/engine/state"
	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

const (
	callsAtWork = 64        // calls of one project that a plugin works on at once
	longWait    = time.Hour // a reading action that may take so long waits for something
)

// turn waits until a chunk may be sent. What waits for something, and works on
// nothing, holds no place. The time that a call waited is not part of its own.
func (s *Service) turn(ctx context.Context, t *task, c *record.Chunk) error {
	if idle(t.Svc.Action) {
		return nil
	}
	began := s.Clock.Now()
	free, err := s.turns.Take(ctx, t.turns(), t.Svc.Name())
	if err != nil {
		return err
	}
	if c.Free = free; !c.Sent {
		c.Deadline = c.Deadline.Add(s.Clock.Now().Sub(began))
	}
	return nil
}

// turns names those with whom a call shares places.
func (t *task) turns() string { return t.scope.Project() + "\x00" + t.Svc.Plugin }

// tryTurn takes a place for a call, where none has to be waited for; nil else.
func (s *Service) tryTurn(t *task) (free func()) {
	if idle(t.Svc.Action) {
		return func() {}
	}
	return s.turns.Try(t.turns(), t.Svc.Name())
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
	p := s.jobs[job].place
	s.mu.Unlock()
	return p.Away(ctx, do)
}
