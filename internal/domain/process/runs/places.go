package runs

import (
	"context"
	"sync"

	"sextant/internal/engine/state"
	"sextant/internal/kit/db"
)

const mostPlaces = 100_000 // runs whose place is kept

// places knows of which project and process runs are, which never changes.
type places struct {
	mu sync.Mutex
	by map[int64]place
}

type place struct{ project, process string }

func (p *places) add(run state.Key, project, process string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by == nil || len(p.by) >= mostPlaces {
		p.by = map[int64]place{}
	}
	p.by[int64(run)] = place{project, process}
}

// of gives the place of a run, which is read where it is not known.
func (p *places) of(tx *db.Tx, run int64) (project, process string, err error) {
	p.mu.Lock()
	at, known := p.by[run]
	p.mu.Unlock()
	if known {
		return at.project, at.process, nil
	}
	if project, process, err = projectOf(context.Background(), tx, run); err == nil {
		p.add(state.Key(run), project, process)
	}
	return project, process, err
}

func (p *places) drop(run state.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.by, int64(run))
}
