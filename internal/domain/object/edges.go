package object

import (
	"slices"
	"sync"
)

// edges keeps references into other plugins true: while one is being made, no
// object of the type that it leads to is deleted, and the other way round. A
// plugin sees to those among its own types by itself.
type edges struct {
	mu sync.Mutex
	of map[string]*sync.RWMutex // by pkg:type
}

// hold makes references to some types and deletions of others wait for each
// other until the function that it gives is called.
func (e *edges) hold(referred, deleted []string) (free func()) {
	all := slices.Concat(referred, deleted)
	slices.Sort(all)
	all = slices.Compact(all)
	var undo []func()
	for _, typ := range all { // in one order, so that nobody waits in a ring
		e.mu.Lock()
		if e.of == nil {
			e.of = map[string]*sync.RWMutex{}
		}
		m := e.of[typ]
		if m == nil {
			m = &sync.RWMutex{}
			e.of[typ] = m
		}
		e.mu.Unlock()
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
