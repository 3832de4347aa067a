package output

import (
	"hash/fnv"
	"slices"
	"sync"

	"sextant/internal/kit/secret"
	"sextant/sdk/go/wire"
)

// Masked hides secrets in streams of output that come in pieces: the end of a
// piece that could be the beginning of a secret is kept back until more comes, or
// the call is over.
type Masked struct {
	mu    sync.Mutex
	kept  map[string]map[string]wire.LogChunk // by call and row
	turns [64]sync.Mutex
}

// Turn gives who takes pieces of a call, and stores them, the time for that: of the same
// pieces that come twice at once one would be stored without what the other was given.
func (m *Masked) Turn(call string) (done func()) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(call)) // a hash takes everything
	turn := &m.turns[h.Sum32()%uint32(len(m.turns))]
	turn.Lock()
	return turn.Unlock
}

// Take gives what may be stored of a piece of a call's output.
func (m *Masked) Take(call string, c wire.LogChunk, mask *secret.Mask) []wire.LogChunk {
	if mask == nil {
		return []wire.LogChunk{c}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil {
		m.kept = map[string]map[string]wire.LogChunk{}
	}
	if m.kept[call] == nil {
		m.kept[call] = map[string]wire.LogChunk{}
	}
	rows := m.kept[call]
	k, goesOn := rows[c.Row]
	if end := c.Offset + int64(len(c.Bytes)); goesOn && c.Lost == 0 && end <= k.Offset+int64(len(k.Bytes)) {
		return again(c, k.Offset, mask) // it was sent a second time: what is kept back stays
	}
	goesOn = goesOn && len(k.Bytes) > 0 && k.Offset+int64(len(k.Bytes)) == c.Offset
	if c.Lost > 0 { // nothing goes on behind a gap
		delete(rows, c.Row)
		if !goesOn {
			return []wire.LogChunk{c}
		}
		k.Bytes = mask.Bytes(k.Bytes)
		return []wire.LogChunk{k, c}
	}
	if goesOn {
		c = wire.LogChunk{Row: c.Row, Offset: k.Offset, Bytes: slices.Concat(k.Bytes, c.Bytes)}
	}
	masked := mask.Bytes(c.Bytes)
	n := len(masked) - mask.Tail(masked)
	rows[c.Row] = wire.LogChunk{Row: c.Row, Offset: c.Offset + int64(n), Bytes: slices.Clone(c.Bytes[n:])}
	return []wire.LogChunk{{Row: c.Row, Offset: c.Offset, Bytes: masked[:n]}}
}

// again gives what may be stored of a piece that was taken before; from is where that
// begins which is kept back.
func again(c wire.LogChunk, from int64, mask *secret.Mask) []wire.LogChunk {
	masked := mask.Bytes(c.Bytes)
	n := min(int64(len(masked)-mask.Tail(masked)), from-c.Offset)
	if n <= 0 {
		return nil
	}
	return []wire.LogChunk{{Row: c.Row, Offset: c.Offset, Bytes: masked[:n]}}
}

// Rest gives what was kept back of a call that is over.
func (m *Masked) Rest(call string, mask *secret.Mask) (all []wire.LogChunk) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.kept[call] {
		if len(c.Bytes) > 0 {
			c.Bytes = mask.Bytes(c.Bytes)
			all = append(all, c)
		}
	}
	delete(m.kept, call)
	return all
}
