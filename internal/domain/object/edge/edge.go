// Package edge keeps references between the objects of different plugins true: while one is
// being made, no object of the type that it leads to is deleted, and the other way round.
// A plugin sees to those among its own types by itself.
package edge

import (
	"slices"
	"sync"
)

// Guard holds types. Its zero value holds none.
type Guard struct {
	mu sync.Mutex
	of map[string]*sync.RWMutex // by pkg:type
}

// Hold makes references to some types and deletions of others wait for each
// other until the function that it gives is called.
func (g *Guard) Hold(referred, deleted []string) (free func()) {
	all := slices.Concat(referred, deleted)
	slices.Sort(all)
	all = slices.Compact(all)
	var undo []func()
	for _, typ := range all { // in one order, so that nobody waits in a ring
		m := g.typed(typ)
		if slices.Contains(deleted, typ) {
			m.Lock()
			undo = append(undo, m.Unlock)
		} else {
			m.RLock()
			undo = append(undo, m.RUnlock)
		}
	}
	return func() {
		for _, fn := range undo {
			fn()
		}
	}
}

func (g *Guard) typed(typ string) *sync.RWMutex {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of == nil {
		g.of = map[string]*sync.RWMutex{}
	}
	if g.of[typ] == nil {
		g.of[typ] = &sync.RWMutex{}
	}
	return g.of[typ]
}
