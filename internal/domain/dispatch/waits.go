package dispatch

import (
	"sync"

	"sextant/internal/domain/control"
	"sextant/internal/engine/state"
)

// waits is which jobs wait for locks, and what stands against them. It is kept
// in memory alone: after a restart each job asks again.
type waits struct {
	mu sync.Mutex
	by map[state.Key][]*control.Lock
}

func (w *waits) set(job state.Key, against []*control.Lock) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = map[state.Key][]*control.Lock{}
	}
	w.by[job] = against
}

func (w *waits) of(job state.Key) []*control.Lock {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.by[job]
}

func (w *waits) forget(job state.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.by, job)
}
