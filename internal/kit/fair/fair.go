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
	last  uint64 // number of the newest ticket
	kinds map[string]*line
}

// line is who is of one kind: how many have a place, and who waits, in order.
type line struct {
	busy    int
	waiting []*ticket
}

type ticket struct {
	number uint64
	ready  chan struct{}
}

// New shares out so many places within each group.
func New(limit int) *Turns {
	return &Turns{limit: limit, of: map[string]*group{}}
}

func (t *Turns) room(g *group, l *line) bool {
	return g.busy < t.limit && l.busy < max(t.limit-t.limit/share, 1)
}

func (t *Turns) line(key, kind string) (*group, *line) {
	g := t.of[key]
	if g == nil {
		g = &group{kinds: map[string]*line{}}
		t.of[key] = g
	}
	l := g.kinds[kind]
	if l == nil {
		l = &line{}
		g.kinds[kind] = l
	}
	return g, l
}

// Try takes a place where one is free and nobody of its kind waits; nil where that is
// not so.
func (t *Turns) Try(key, kind string) (free func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, l := t.line(key, kind)
	if len(l.waiting) > 0 || !t.room(g, l) {
		return nil
	}
	g.busy++
	l.busy++
	return t.free(key, kind)
}

// free gives what frees a place, once.
func (t *Turns) free(key, kind string) func() {
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		g, l := t.line(key, kind)
		g.busy--
		l.busy--
		t.serve(key, g)
	})
}

// Take waits for a place. The function that it gives frees the place, once.
func (t *Turns) Take(ctx context.Context, key, kind string) (func(), error) {
	t.mu.Lock()
	g, l := t.line(key, kind)
	g.last++
	mine := &ticket{g.last, make(chan struct{})}
	l.waiting = append(l.waiting, mine)
	t.serve(key, g)
	t.mu.Unlock()
	free := t.free(key, kind)
	select {
	case <-mine.ready:
		return free, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(l.waiting, mine)
	if i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
		t.serve(key, g)
	}
	t.mu.Unlock()
	if i < 0 {
		free() // it was given meanwhile
	}
	return nil, context.Cause(ctx)
}

// serve gives places to those who wait, and forgets who is gone; the lock is held.
func (t *Turns) serve(key string, g *group) {
	for g.busy < t.limit {
		next := t.next(g)
		if next == nil {
			break
		}
		g.busy++
		next.busy++
		close(next.waiting[0].ready)
		next.waiting[0] = nil
		next.waiting = next.waiting[1:]
	}
	for kind, l := range g.kinds {
		if l.busy == 0 && len(l.waiting) == 0 {
			delete(g.kinds, kind)
		}
	}
	if len(g.kinds) == 0 {
		delete(t.of, key)
	}
}

// next is the line whose turn it is: of those that have room the one whose first came
// first; nil where none has.
func (t *Turns) next(g *group) *line {
	var next *line
	for _, l := range g.kinds {
		if len(l.waiting) > 0 && t.room(g, l) && (next == nil || l.waiting[0].number < next.waiting[0].number) {
			next = l
		}
	}
	return next
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
