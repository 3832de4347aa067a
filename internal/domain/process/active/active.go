// Package active knows how many runs of each project are active.
package active

import "sync"

// Runs counts the active runs of each project as far as commits are known, so
// that a start counts exactly only near the limit. It is safe for
// concurrent use.
type Runs struct {
	mu sync.Mutex
	of map[string]int
}

// Get gives the count, which read finds where it is not known yet.
func (a *Runs) Get(project string, read func() (int, error)) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, known := a.of[project]
	if known {
		return n, nil
	}
	n, err := read()
	if err != nil {
		return 0, err
	}
	if a.of == nil {
		a.of = map[string]int{}
	}
	a.of[project] = n
	return n, nil
}

// Add counts runs that were started, or ended where n is negative.
func (a *Runs) Add(project string, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.of[project]; known {
		a.of[project] += n
	}
}
