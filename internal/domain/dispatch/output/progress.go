package output

import (
	"maps"
	"sync"

	"sextant/internal/engine/state"
	"sextant/sdk/go/wire"
)

// Progress is how far rows are, as their plugins say. It is kept in memory
// alone: after a restart it comes again.
type Progress struct {
	mu sync.Mutex
	by map[state.Key]map[string]wire.Progress
}

// NewProgress makes an empty one.
func NewProgress() *Progress {
	return &Progress{by: map[state.Key]map[string]wire.Progress{}}
}

// Set notes how far a row is.
func (p *Progress) Set(job state.Key, v wire.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by[job] == nil {
		p.by[job] = map[string]wire.Progress{}
	}
	p.by[job][v.Row] = v
}

// Of gives how far the rows of a job are.
func (p *Progress) Of(job state.Key) map[string]wire.Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.by[job])
}

// Forget drops what is known of a job.
func (p *Progress) Forget(job state.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.by, job)
}
