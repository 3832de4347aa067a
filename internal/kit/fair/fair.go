// Package fair shares out places among those who ask for them, so that none takes
// those of the others.
package fair

import (
	"context"
	"slices"
	"sync"
)

// share is the part of a group's places that one kind leaves to the others.
const share = 4

// Turns shares out places within groups. Each group has its own, and no kind within
// it takes all of them. Who comes first is first within a kind.
type Turns struct {
	limit int
	mu    sync.Mutex
	of    map[string]*group
}

// group is who shares places.
type group struct {
	busy  int
	kinds map[string]int
	queue []*ticket
}

type ticket struct {
	kind  string
	ready chan struct{}
}

// New shares out so many places within each group.
func New(limit int) *Turns {
	return &Turns{limit: limit, of: map[string]*group{}}
}

func (t *Turns) room(g *group, kind string) bool {
	return g.busy < t.limit && g.kinds[kind] < max(t.limit-t.limit/share, 1)
}

func (t *Turns) group(key string) *group {
	g := t.of[key]
	if g == nil {
		g = &group{kinds: map[string]int{}}
		t.of[key] = g
	}
	return g
}

// Try takes a place where one is free and nobody waits; nil where that is not so.
func (t *Turns) Try(key, kind string) (free func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.group(key)
	if len(g.queue) > 0 || !t.room(g, kind) {
		return nil
	}
	g.busy++
	g.kinds[kind]++
	return t.free(key, kind, g)
}

// free gives what frees a place, once.
func (t *Turns) free(key, kind string, g *group) func() {
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		g.busy--
		if g.kinds[kind]--; g.kinds[kind] == 0 {
			delete(g.kinds, kind)
		}
		t.serve(key, g)
	})
}

// Take waits for a place. The function that it gives frees the place, once.
func (t *Turns) Take(ctx context.Context, key, kind string) (func(), error) {
	t.mu.Lock()
	g := t.group(key)
	mine := &ticket{kind: kind, ready: make(chan struct{})}
	g.queue = append(g.queue, mine)
	t.serve(key, g)
	t.mu.Unlock()
	free := t.free(key, kind, g)
	select {
	case <-mine.ready:
		return free, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(g.queue, mine)
	if i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
		t.serve(key, g)
	}
	t.mu.Unlock()
	if i < 0 {
		free() // it was given meanwhile
	}
	return nil, context.Cause(ctx)
}

// serve gives places to those who wait; the lock is held.
func (t *Turns) serve(key string, g *group) {
	g.queue = slices.DeleteFunc(g.queue, func(k *ticket) bool {
		if !t.room(g, k.kind) {
			return false
		}
		g.busy++
		g.kinds[k.kind]++
		close(k.ready)
		return true
	})
	if g.busy == 0 && len(g.queue) == 0 {
		delete(t.of, key)
	}
}

// Place is one of the places of a channel, for a goroutine that leaves it now and
// then and comes back.
type Place struct {
	All  chan struct{}
	held bool
}

// Enter waits for a place; it reports whether there is one before ctx ends.
func (p *Place) Enter(ctx context.Context) bool {
	select {
	case p.All <- struct{}{}:
		p.held = true
	case <-ctx.Done():
	}
	return p.held
}

// Leave gives the place up, if there is one.
func (p *Place) Leave() {
	if p.held {
		<-p.All
		p.held = false
	}
}

// Away does what takes its time without a place, and comes back.
func (p *Place) Away(ctx context.Context, do func() error) error {
	p.Leave()
	if err := do(); err != nil {
		return err
	}
	if !p.Enter(ctx) {
		return context.Cause(ctx)
	}
	return nil
}

// Groups counts the groups in which somebody has a place or waits for one.
func (t *Turns) Groups() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.of)
}
