package pattern

import (
	"errors"
	"math"
	"unicode/utf8"
)

const (
	maxStack   = 1 << 20 // places to go back to
	maxVisited = 1 << 27 // bits that remember what failed
	batch      = 64      // instructions that count as one step
)

// ErrTooLarge is returned where pattern and text together would take too much
// memory.
var ErrTooLarge = errors.New("pattern and text are too large together")

// ErrStopped is returned where the caller grants no more steps.
var ErrStopped = errors.New("the matching was stopped")

// frame is a place to go back to: an instruction and a place in the text, or,
// where pc is negative, the slot ^pc and what it held.
type frame struct{ pc, at int32 }

// matcher looks for matches by going on and back. Without back-references a
// branch that failed at some place always fails there: it remembers that and so
// takes time in proportion to pattern and text. With them only steps bound it.
type matcher struct {
	*Pattern
	text    string
	spend   func(int64) bool
	slots   []int
	stack   []frame
	visited []uint64 // one bit for each place and each instruction that branches
	count   int      // instructions not yet counted as steps
}

func (p *Pattern) matcher(text string, spend func(int64) bool) (*matcher, error) {
	if len(text) >= math.MaxInt32 {
		return nil, ErrTooLarge
	}
	m := &matcher{Pattern: p, text: text, spend: spend, slots: make([]int, p.prog.slots)}
	if !p.refs {
		bits := (len(text) + 1) * p.prog.splits
		if bits > maxVisited {
			return nil, ErrTooLarge
		}
		if !spend(int64(bits >> 15)) {
			return nil, ErrStopped
		}
		m.visited = make([]uint64, bits/64+1)
	}
	return m, nil
}

// find looks for the first match that begins at a place or later. The slots
// hold where it and its groups are.
func (m *matcher) find(from int) (bool, error) {
	for i := range m.slots {
		m.slots[i] = -1
	}
	for at := from; ; {
		if ok, err := m.run(at); ok || err != nil {
			return ok, err
		}
		if at >= len(m.text) || m.anchored {
			return false, nil
		}
		_, n := utf8.DecodeRuneInString(m.text[at:])
		at += n
	}
}

// forget makes a place count as not visited, for a match that begins there:
// only what lies behind the end of the last match surely failed.
func (m *matcher) forget(at int) {
	from := at * m.prog.splits
	for i := from; m.visited != nil && i < from+m.prog.splits; i++ {
		m.visited[i/64] &^= 1 << (i % 64)
	}
}

// seen reports whether a branch was tried at a place, and notes that it was.
func (m *matcher) seen(pc, at int) bool {
	if m.visited == nil {
		return false
	}
	i := at*m.prog.splits + m.prog.branch[pc]
	old := m.visited[i/64]
	m.visited[i/64] = old | 1<<(i%64)
	return old&(1<<(i%64)) != 0
}

func (m *matcher) run(at int) (bool, error) {
	m.stack = m.stack[:0]
	pc := 0
	for {
		if m.count++; m.count >= batch {
			if !m.spend(int64(m.count / batch)) {
				return false, ErrStopped
			}
			m.count %= batch
		}
		in := &m.prog.code[pc]
		ok := true
		switch in.op {
		case opDone:
			return true, nil
		case opSplit:
			if ok = !m.seen(pc, at); ok {
				m.stack = append(m.stack, frame{int32(in.y), int32(at)})
				pc = in.x
			}
		case opJump:
			pc = in.x
		case opSave:
			m.set(in.x, at)
			pc++
		case opClear:
			m.set(in.x, -1)
			pc++
		case opSame:
			switch {
			case m.slots[in.x] != at:
				pc++
			case m.slots[in.y] < 0:
				pc += lenAgain
			default:
				ok = false
			}
		default:
			var n int
			n, ok = m.takes(in, at)
			at += n
			pc++
		}
		if !ok {
			if pc, at, ok = m.back(); !ok {
				return false, nil
			}
		}
		if len(m.stack) > maxStack {
			return false, ErrTooLarge
		}
	}
}

// set fills a slot until the matcher goes back behind here.
func (m *matcher) set(slot, to int) {
	m.stack = append(m.stack, frame{^int32(slot), int32(m.slots[slot])})
	m.slots[slot] = to
}

// back gives the last place to go back to.
func (m *matcher) back() (pc, at int, ok bool) {
	for n := len(m.stack) - 1; n >= 0; n-- {
		f := m.stack[n]
		m.stack = m.stack[:n]
		if f.pc >= 0 {
			return int(f.pc), int(f.at), true
		}
		m.slots[^f.pc] = int(f.at)
	}
	return 0, 0, false
}

// takes tells how many bytes an instruction takes at a place, if it can.
func (m *matcher) takes(in *instruction, at int) (int, bool) {
	switch in.op {
	case opSet:
		if at >= len(m.text) {
			return 0, false
		}
		r, n := rune(m.text[at]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(m.text[at:])
		}
		return n, in.set.has(r)
	case opRef:
		return m.repeats(in.x, at)
	case opStart:
		return 0, at == 0
	case opEnd:
		return 0, at == len(m.text)
	case opLineStart:
		return 0, at == 0 || at < len(m.text) && m.text[at-1] == '\n'
	}
	return 0, at == len(m.text) || m.text[at] == '\n'
}

// repeats takes what a group captured once more; what captured nothing is empty.
func (m *matcher) repeats(group, at int) (int, bool) {
	from, to := m.slots[2*group], m.slots[2*group+1]
	if from < 0 || to < 0 {
		return 0, true
	}
	want, rest := m.text[from:to], m.text[at:]
	if !m.fold {
		m.count += len(want) / 64
		return len(want), len(rest) >= len(want) && rest[:len(want)] == want
	}
	m.count += len(want)
	taken := 0
	for _, r := range want {
		if taken >= len(rest) {
			return 0, false
		}
		got, n := utf8.DecodeRuneInString(rest[taken:])
		if got != r && !variant(got, r) {
			return 0, false
		}
		taken += n
	}
	return taken, true
}
