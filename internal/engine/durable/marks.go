package durable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"sextant/internal/engine/state"
)

const (
	markBytes = 16 // a run and the number of its next history chunk
	markArea  = Shards * markBytes
)

// mark says that a shard was at work on a run, before the chunk seq of its
// history was there.
type mark struct {
	run state.Key
	seq int64
}

// marks tells after a crash which runs were at work when the process died. Each
// shard has a place in a file that is mapped into memory: to write there costs
// nothing, and what was written outlives the process, which is all that is asked.
// The second half of the file holds what the crash before has left.
type marks struct {
	memory  []byte
	killers []mark // at work when the last two processes died, without a step forward
}

// openMarks reads what the last process left and begins anew.
func openMarks(file string) (*marks, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("marks of runs at work: %w", err)
	}
	left := make([]byte, 2*markArea)
	n, _ := f.ReadAt(left, 0) // a shorter file is that of the first start
	clear(left[n:])
	m := &marks{}
	next := make([]byte, 2*markArea)
	for i := range Shards {
		now := readMark(left, i)
		if now.run == 0 {
			continue
		}
		if before := readMark(left[markArea:], i); before == now {
			m.killers = append(m.killers, now)
		}
		copy(next[markArea+i*markBytes:], left[i*markBytes:(i+1)*markBytes])
	}
	// Written as a whole, so that the file has its blocks before it is mapped.
	if _, err = f.WriteAt(next, 0); err == nil {
		m.memory, err = syscall.Mmap(int(f.Fd()), 0, len(next), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("marks of runs at work: %w", err)
	}
	return m, nil
}

func readMark(area []byte, shard int) mark {
	at := area[shard*markBytes:]
	return mark{state.Key(binary.LittleEndian.Uint64(at)), int64(binary.LittleEndian.Uint64(at[8:]))}
}

// at notes that a shard is at work on a run. Only the shard's loop calls it.
func (m *marks) at(shard int, r *run) {
	if m == nil {
		return
	}
	at := m.memory[shard*markBytes:]
	binary.LittleEndian.PutUint64(at[8:], uint64(r.seq))
	binary.LittleEndian.PutUint64(at, uint64(r.key))
}

func (m *marks) clear(shard int) {
	if m != nil {
		binary.LittleEndian.PutUint64(m.memory[shard*markBytes:], 0)
	}
}

func (m *marks) close() {
	if m != nil {
		_ = syscall.Munmap(m.memory) // the process ends
		m.memory = nil
	}
}
