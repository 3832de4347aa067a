package db

import (
	"sync"
	"time"
)

const (
	memoFor  = time.Second // how long what was read may be told without another look
	memoRoom = 4096        // answers that a memo keeps at most
)

// Memo keeps answers of reads that are asked for again and again. Whoever writes what
// they come from calls Changes within the write: from the moment at which such a write
// is answered nothing older is told. What others write to the database is seen after a
// second. The zero Memo is ready; it is safe for concurrent use.
type Memo[K comparable, V any] struct {
	mu    sync.Mutex
	by    map[K]answer[V]
	epoch uint64
}

type answer[V any] struct {
	value V
	until time.Time
}

// Get gives the answer for key, which read finds where it is not known. now is the
// time. An error is not kept.
func (m *Memo[K, V]) Get(now time.Time, key K, read func() (V, error)) (V, error) {
	m.mu.Lock()
	known, ok := m.by[key]
	epoch := m.epoch
	m.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.value, nil
	}
	v, err := read()
	if err != nil {
		return v, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.epoch != epoch { // it may have been read before the change
		return v, nil
	}
	if len(m.by) >= memoRoom || m.by == nil {
		m.by = map[K]answer[V]{}
	}
	m.by[key] = answer[V]{v, now.Add(memoFor)}
	return v, nil
}

// Changes says that a write changes what answers come from.
func (m *Memo[K, V]) Changes(tx *Tx) { tx.AfterCommit(m.forget) }

func (m *Memo[K, V]) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	m.by = nil
}
