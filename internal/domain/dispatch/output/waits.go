package output

import (
	"sync"

	"sextant/internal/domain/control"
	"sextant/internal/engine/state"
)

// Waits is which jobs wait for locks, and what stands against them. It is kept
// in memory alone: after a restart each job asks again.
type Waits struct {
	mu sync.Mutex
	by map[state.Key][]*control.Lock
}

// Set notes what stands against the claims of a job.
func (w *Waits) Set(job state.Key, against []*control.Lock) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = map[state.Key][]*control.Lock{}
	}
	w.by[job] = against
}

// Of gives what stands against the claims of a job.
func (w *Waits) Of(job state.Key) []*control.Lock {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.by[job]
}

// Forget notes that a job waits no more.
func (w *Waits) Forget(job state.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.by, job)
}
