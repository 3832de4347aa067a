package dispatch

import (
	"context"
	"slices"
	"sync"
	"time"

	"sextant/internal/engine/state"
	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

const (
	callsAtWork = 64        // calls of one project that a plugin works on at once
	share       = 4         // one service leaves this part of them to the others
	longWait    = time.Hour // a reading action that may take so long waits for something
)

// turns shares out the calls at work, so that no project, plugin or service takes
// the places of others. Each project has its own with each plugin, and none of its
// services takes all of them. Who comes first is first within a service.
type turns struct {
	limit int
	mu    sync.Mutex
	of    map[string]*group
}

// group is a project with a plugin.
type group struct {
	busy     int
	services map[string]int
	queue    []*ticket
}

type ticket struct {
	service string
	ready   chan struct{}
}

func newTurns(limit int) *turns {
	if limit <= 0 {
		limit = callsAtWork
	}
	return &turns{limit: limit, of: map[string]*group{}}
}

func (t *turns) room(g *group, service string) bool {
	return g.busy < t.limit && g.services[service] < max(t.limit-t.limit/share, 1)
}

// take waits for a place. The function that it gives frees the place, once.
func (t *turns) take(ctx context.Context, project, plugin, service string) (func(), error) {
	key := project + "\x00" + plugin
	t.mu.Lock()
	g := t.of[key]
	if g == nil {
		g = &group{services: map[string]int{}}
		t.of[key] = g
	}
	mine := &ticket{service: service, ready: make(chan struct{})}
	g.queue = append(g.queue, mine)
	t.serve(key, g)
	t.mu.Unlock()
	free := sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		g.busy--
		if g.services[service]--; g.services[service] == 0 {
			delete(g.services, service)
		}
		t.serve(key, g)
	})
	select {
	case <-mine.ready:
		return free, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(g.queue, mine)
	if i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
	}
	t.mu.Unlock()
	if i < 0 {
		free() // it was given meanwhile
	}
	return nil, context.Cause(ctx)
}

// serve gives places to those who wait; the lock is held.
func (t *turns) serve(key string, g *group) {
	g.queue = slices.DeleteFunc(g.queue, func(k *ticket) bool {
		if !t.room(g, k.service) {
			return false
		}
		g.busy++
		g.services[k.service]++
		close(k.ready)
		return true
	})
	if g.busy == 0 && len(g.queue) == 0 {
		delete(t.of, key)
	}
}

// turn waits until a chunk may be sent. What waits for something, and works on
// nothing, holds no place. The time that a call waited is not part of its own.
func (s *Service) turn(ctx context.Context, t *task, c *chunk) error {
	c.free = func() {}
	if idle(t.svc.Action) {
		return nil
	}
	began := s.Clock.Now()
	free, err := s.turns.take(ctx, t.scope.project(), t.svc.Plugin, t.svc.Name())
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

// place is one of the places for jobs that the server itself works on: reads,
// evaluates, stores. A job leaves it while its plugin has the word.
type place struct {
	all  chan struct{}
	held bool
}

func (p *place) enter(ctx context.Context) bool {
	select {
	case p.all <- struct{}{}:
		p.held = true
	case <-ctx.Done():
	}
	return p.held
}

func (p *place) leave() {
	if p.held {
		<-p.all
		p.held = false
	}
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
	r.place.leave()
	if err := do(); err != nil {
		return err
	}
	if !r.place.enter(ctx) {
		return context.Cause(ctx)
	}
	return nil
}
