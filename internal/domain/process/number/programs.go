package number

import (
	"sync"

	"sextant/internal/engine/program"
)

// Programs keeps compiled versions by key. It is safe for concurrent use.
type Programs struct {
	mu sync.RWMutex
	by map[int64]*program.Program
}

// Get gives a version, or nil.
func (p *Programs) Get(key int64) *program.Program {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.by[key]
}

// Put keeps a version.
func (p *Programs) Put(key int64, prog *program.Program) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by == nil {
		p.by = map[int64]*program.Program{}
	}
	p.by[key] = prog
}
