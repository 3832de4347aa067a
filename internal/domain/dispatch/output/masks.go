package output

import (
	"sync"

	"sextant/internal/kit/secret"
)

// Masks is what has to be hidden of each call that is at work.
type Masks struct {
	mu sync.Mutex
	by map[string]*secret.Mask
}

// Set notes what has to be hidden of a call, until forget is called.
func (m *Masks) Set(key string, mask *secret.Mask) (forget func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by == nil {
		m.by = map[string]*secret.Mask{}
	}
	m.by[key] = mask
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.by[key] == mask {
			delete(m.by, key)
		}
	}
}

// Of gives what has to be hidden of a call; false where it is not known.
func (m *Masks) Of(key string) (*secret.Mask, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mask, ok := m.by[key]
	return mask, ok
}
