package pattern

// op is what an instruction does. Those that fail make the matcher go back.
type op uint8

const (
	opSet       op = iota // take a character of the set
	opSplit               // go on at x, and if that fails at y
	opJump                // go on at x
	opSave                // note the place in slot x
	opClear               // empty slot x
	opSame                // where the place is that of slot x: leave the loop if slot y is empty, else fail
	opRef                 // take what group x captured
	opStart               // at the start of the text
	opEnd                 // at its end
	opLineStart           // behind a newline, but for the last of the text
	opLineEnd             // before a newline, or at the end
	opDone
)

// lenAgain is how many instructions lie between opSame and the end of its loop.
const lenAgain = 4

type instruction struct {
	op   op
	x, y int
	set  set
}

// program is what the matcher runs. Slots 2n and 2n+1 are the ends of group n;
// behind them stand the places where loops began a round.
type program struct {
	code   []instruction
	slots  int
	splits int // instructions that branch; each has its number in order
	branch []int
}

// size tells how many instructions a piece takes, without making them.
func (n *node) size() int {
	const most = 1 << 20
	total := 0
	for _, s := range n.subs {
		total += s.size()
	}
	switch n.kind {
	case kindSet:
		total = 1 + len(n.set)/16
	case kindAlt:
		total += 2 * len(n.subs)
	case kindGroup:
		total += 2
	case kindRepeat:
		total = total*max(n.min, n.max, 1) + max(n.max-n.min, 0)
		if n.max < 0 {
			total += 7
		}
	case kindRef, kindStart, kindEnd, kindLineStart, kindLineEnd:
		total = 1
	}
	return min(total, most)
}

// empty reports whether a piece may match without taking a character.
func (n *node) empty() bool {
	switch n.kind {
	case kindSet:
		return false
	case kindAlt:
		for _, s := range n.subs {
			if s.empty() {
				return true
			}
		}
		return false
	case kindCat, kindGroup:
		for _, s := range n.subs {
			if !s.empty() {
				return false
			}
		}
		return true
	case kindRepeat:
		return n.min == 0 || n.subs[0].empty()
	}
	return true
}

func build(n *node, groups int) *program {
	p := &program{slots: 2 * (groups + 1)}
	p.add(instruction{op: opSave, x: 0})
	p.node(n)
	p.add(instruction{op: opSave, x: 1})
	p.add(instruction{op: opDone})
	p.branch = make([]int, len(p.code))
	for i, in := range p.code {
		if in.op == opSplit {
			p.branch[i] = p.splits
			p.splits++
		}
	}
	return p
}

// spans counts what all sets hold, a set of one character as nothing.
func (p *program) spans() int {
	n := 0
	for _, in := range p.code {
		if len(in.set) > 1 {
			n += len(in.set)
		}
	}
	return n
}

func (p *program) add(in instruction) int {
	p.code = append(p.code, in)
	return len(p.code) - 1
}

func (p *program) node(n *node) {
	switch n.kind {
	case kindSet:
		p.add(instruction{op: opSet, set: n.set})
	case kindCat:
		for _, s := range n.subs {
			p.node(s)
		}
	case kindAlt:
		p.alternatives(n.subs)
	case kindRepeat:
		p.repeat(n)
	case kindGroup:
		p.add(instruction{op: opSave, x: 2 * n.group})
		p.node(n.subs[0])
		p.add(instruction{op: opSave, x: 2*n.group + 1})
	case kindRef:
		p.add(instruction{op: opRef, x: n.group})
	case kindStart:
		p.add(instruction{op: opStart})
	case kindEnd:
		p.add(instruction{op: opEnd})
	case kindLineStart:
		p.add(instruction{op: opLineStart})
	case kindLineEnd:
		p.add(instruction{op: opLineEnd})
	}
}

func (p *program) alternatives(subs []*node) {
	var jumps []int
	for _, s := range subs[:len(subs)-1] {
		split := p.add(instruction{op: opSplit})
		p.code[split].x = len(p.code)
		p.node(s)
		jumps = append(jumps, p.add(instruction{op: opJump}))
		p.code[split].y = len(p.code)
	}
	p.node(subs[len(subs)-1])
	for _, j := range jumps {
		p.code[j].x = len(p.code)
	}
}

// repeat writes x{2,4} as xx(x(x)?)?, x{2,} as xx+ and x* as (x+)?.
func (p *program) repeat(n *node) {
	x := n.subs[0]
	if n.max < 0 {
		for range n.min - 1 {
			p.node(x)
		}
		skip := -1
		if n.min == 0 {
			skip = p.split(n.lazy)
		}
		p.loop(x, n.lazy)
		p.land(skip, n.lazy)
		return
	}
	for range n.min {
		p.node(x)
	}
	skips := make([]int, n.max-n.min)
	for i := range skips {
		skips[i] = p.split(n.lazy)
		p.node(x)
	}
	for _, s := range skips {
		p.land(s, n.lazy)
	}
}

// split branches between what follows and a place that land tells later.
func (p *program) split(lazy bool) int {
	at := p.add(instruction{op: opSplit})
	p.aim(at, len(p.code), !lazy)
	return at
}

func (p *program) land(split int, lazy bool) {
	if split >= 0 {
		p.aim(split, len(p.code), lazy)
	}
}

// aim sets the branch that is tried first, or the other one.
func (p *program) aim(split, to int, first bool) {
	if first {
		p.code[split].x = to
	} else {
		p.code[split].y = to
	}
}

// loop writes x+. Where a round may take nothing, the first one that does ends
// the loop and any other one fails, as in RE2: one slot holds where the round
// began, another whether it is the first.
func (p *program) loop(x *node, lazy bool) {
	if !x.empty() {
		begin := len(p.code)
		p.node(x)
		again := p.add(instruction{op: opSplit})
		p.aim(again, begin, !lazy)
		p.aim(again, len(p.code), lazy)
		return
	}
	mark, later := p.slots, p.slots+1
	p.slots += 2
	p.add(instruction{op: opClear, x: later})
	begin := p.add(instruction{op: opSave, x: mark})
	p.node(x)
	same := p.add(instruction{op: opSame, x: mark, y: later})
	again := p.add(instruction{op: opSplit})
	p.aim(again, len(p.code), !lazy)
	p.add(instruction{op: opSave, x: later})
	p.add(instruction{op: opJump, x: begin})
	p.aim(again, same+lenAgain, lazy)
}
