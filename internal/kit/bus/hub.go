package bus

import "sync"

// Hub tells those who listen to a key that there is news of it. It keeps no news:
// whoever is told reads what is new. The zero Hub is ready for use.
type Hub[K comparable] struct {
	mu   sync.Mutex
	next int
	by   map[K]map[int]chan struct{}
}

// Poke tells all who listen to a key.
func (h *Hub[K]) Poke(key K) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ch := range h.by[key] {
		select {
		case ch <- struct{}{}:
		default: // told already
		}
	}
}

// Listen gives a channel that is poked whenever there is news of a key; stop ends
// it.
func (h *Hub[K]) Listen(key K) (news <-chan struct{}, stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next++
	id, ch := h.next, make(chan struct{}, 1)
	if h.by == nil {
		h.by = map[K]map[int]chan struct{}{}
	}
	if h.by[key] == nil {
		h.by[key] = map[int]chan struct{}{}
	}
	h.by[key][id] = ch
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if delete(h.by[key], id); len(h.by[key]) == 0 {
			delete(h.by, key)
		}
	}
}
