package table

import (
	"fmt"
	"slices"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel/value"
)

// Analysis is what the rules of a table leave out and where they meet.
type Analysis struct {
	Gaps     []Gap
	Overlaps []Overlap
	// Unreachable rules can never decide.
	Unreachable []Unreachable
	// GapsComplete says that there are no gaps but those listed,
	// OverlapsComplete the same of overlaps that the hit policy is about.
	GapsComplete, OverlapsComplete bool
	// Notes say what could not be analysed, and where the search ended.
	Notes []string
}

// Gap is a region of inputs where no rule matches, as unary tests by column, and
// a point of it. Inputs that are null are not looked at.
type Gap struct {
	Region  []string
	Example []value.Value
}

// Overlap is a region where two rules match. Rules count from 1.
type Overlap struct {
	Rules   [2]int
	Region  []string
	Example []value.Value
	// Contradiction says that the hit policy does not allow it.
	Contradiction bool
	// Within is the rule that matches nowhere else, 0 for none.
	Within int
}

// Unreachable is a rule that never decides. Rule counts from 1.
type Unreachable struct {
	Rule int
	Why  string
}

// Bounds of an analysis: what is listed, and the work for it, in looks at rules.
const (
	maxGaps     = 20
	maxOverlaps = 100
	maxWork     = 4_000_000
)

// space is a table as boxes of codes.
type space struct {
	table   *Table
	columns []column
	domain  [][]interval // the codes that inputs can have
	order   []int        // columns in the order of the search
	opaque  [][]bool     // cells that only evaluation knows, by column and rule
	boxes   [][][]interval
	rules   int
	work    int
	out     *Analysis
	results map[int]hit     // constant outputs by rule, nil for others
	seen    map[uint64]bool // sets of rules that leave nothing out
}

// Analyse looks for gaps, overlaps and rules that never decide.
func (t *Table) Analyse() *Analysis {
	a := &Analysis{GapsComplete: true, OverlapsComplete: true}
	s := newSpace(t, a)
	s.gaps()
	s.work = maxWork
	s.overlaps()
	s.work = maxWork
	s.unreachable()
	return a
}

func newSpace(t *Table, a *Analysis) *space {
	s := &space{table: t, rules: len(t.rules), work: maxWork, out: a, seen: map[uint64]bool{}}
	for c := range t.inputs {
		s.column(c, slices.Clone(t.sets[c]))
		s.order = append(s.order, c)
	}
	meet := make([]int, len(s.columns)) // the column that tells most rules apart comes first
	for c := range meet {
		meet[c] = meetings(s.hulls(c))
	}
	slices.SortStableFunc(s.order, func(a, b int) int { return meet[a] - meet[b] })
	return s
}

func (s *space) note(format string, args ...any) {
	if len(s.out.Notes) < 20 {
		s.out.Notes = append(s.out.Notes, fmt.Sprintf(format, args...))
	}
}

// column adds a column. The values that the input allows are a rule of their own
// behind the others: they bound the codes.
func (s *space) column(c int, sets []set) {
	in := &s.table.inputs[c]
	sets = append(sets, in.domain)
	col := newColumn(sets)
	s.columns = append(s.columns, col)
	opaque := make([]bool, s.rules)
	boxes := make([][]interval, s.rules+1)
	for r := range sets {
		boxes[r] = col.of(int32(r))
		if r == s.rules || !sets[r].opaque {
			continue
		}
		if !slices.Contains(opaque, true) {
			s.note("rule %d: the cell %q of %s is not analysed", r+1, s.table.source.Rules[r].Tests[c].Text, in.label)
		}
		opaque[r] = true
	}
	if sets[s.rules].opaque {
		s.note("the values that %s allows are not analysed: it is taken as if it allowed all", in.label)
	}
	s.opaque = append(s.opaque, opaque)
	s.domain = append(s.domain, col.possible(boxes[s.rules]))
	s.boxes = append(s.boxes, boxes[:s.rules])
}

// possible are the codes of intervals that some value has.
func (c *column) possible(all []interval) []interval {
	var out []interval
	for _, iv := range all {
		for code := iv.low; code <= iv.high; code++ {
			if _, ok := c.sample(code); ok {
				out = extended(out, interval{code, code})
			}
		}
	}
	return out
}

// extended adds an interval behind the others.
func extended(all []interval, iv interval) []interval {
	if n := len(all); n > 0 && all[n-1].high+1 == iv.low {
		all[n-1].high = iv.high
		return all
	}
	return append(all, iv)
}

// overlap is what two lists of intervals share.
func overlap(a, b []interval) []interval {
	var out []interval
	for i, j := 0, 0; i < len(a) && j < len(b); {
		low, high := max(a[i].low, b[j].low), min(a[i].high, b[j].high)
		if low <= high {
			out = append(out, interval{low, high})
		}
		if a[i].high < b[j].high {
			i++
		} else {
			j++
		}
	}
	return out
}

// describe writes a box, and a point of it.
func (s *space) describe(box [][]interval) (region []string, example []value.Value) {
	for c := range s.columns {
		region = append(region, s.columns[c].text(box[c], s.domain[c]))
		v, _ := s.columns[c].sample(box[c][0].low)
		example = append(example, v)
	}
	return region, example
}

// gaps finds the regions where no rule matches.
func (s *space) gaps() {
	box := make([][]interval, len(s.columns))
	for c := range box {
		if box[c] = s.domain[c]; len(box[c]) == 0 {
			s.note("%s allows no value", s.table.inputs[c].label)
			return
		}
	}
	all := make([]int32, s.rules)
	for i := range all {
		all[i] = int32(i)
	}
	found := func(box [][]interval) bool {
		if len(s.out.Gaps) == maxGaps {
			s.out.GapsComplete = false
			s.note("there are more gaps than the %d listed", maxGaps)
			return false
		}
		region, example := s.describe(box)
		s.out.Gaps = append(s.out.Gaps, Gap{region, example})
		return true
	}
	if !s.uncovered(all, 0, box, found) && len(s.out.Gaps) < maxGaps {
		s.out.GapsComplete = false
		s.note("the search for gaps was ended: the table is too large")
	}
	for c := range s.columns {
		if slices.Contains(s.opaque[c], true) {
			s.out.GapsComplete = false // such a cell may match less than it is taken for
		}
		if k := s.columns[c].kind; k == value.KindTime || k == value.KindDateTime {
			s.out.GapsComplete = false
			s.note("%s: times with a zone and without have no order, only those like the bounds are looked at", s.table.inputs[c].label)
		}
	}
}

// uncovered tells the parts of a box where none of the rules matches, from the
// i-th column of the order on; false where the search ended early. It leaves the
// box as it was.
func (s *space) uncovered(rules []int32, i int, box [][]interval, found func([][]interval) bool) bool {
	if len(rules) == 0 {
		return found(box)
	}
	if i == len(s.order) || s.covers(rules, i, box) {
		return true
	}
	key := fingerprint(rules) ^ mix(uint64(i)+1<<40)
	if s.seen[key] {
		return true
	}
	c := s.order[i]
	outer := box[c]
	before := len(s.out.Gaps)
	ok := true
	for _, part := range s.cut(rules, c, outer) {
		if s.work -= 1 + len(part.rules); s.work < 0 {
			ok = false
			break
		}
		box[c] = part.codes
		if ok = s.uncovered(part.rules, i+1, box, found); !ok {
			break
		}
	}
	box[c] = outer
	if ok && before == len(s.out.Gaps) {
		s.seen[key] = true
	}
	return ok
}

// covers tells that one of the rules lets everything pass in the columns left.
func (s *space) covers(rules []int32, i int, box [][]interval) bool {
	return slices.ContainsFunc(rules, func(r int32) bool {
		for _, c := range s.order[i:] {
			if !sameIntervals(overlap(s.boxes[c][r], box[c]), box[c]) {
				return false
			}
		}
		return true
	})
}

// part is a part of a column where the same rules pass.
type part struct {
	codes []interval
	rules []int32
}

// cut cuts the codes of a column into parts by the rules that pass.
func (s *space) cut(rules []int32, c int, within []interval) []part {
	type event struct {
		code int32
		rule int32
		in   bool
	}
	var events []event
	for _, r := range rules {
		for _, iv := range overlap(s.boxes[c][r], within) {
			events = append(events, event{iv.low, r, true}, event{iv.high + 1, r, false})
		}
	}
	for _, iv := range within {
		events = append(events, event{iv.low, -1, true}, event{iv.high + 1, -1, false})
	}
	s.work -= len(events)
	slices.SortFunc(events, func(a, b event) int { return int(a.code - b.code) })
	var parts []part
	byKey := map[uint64]int{}
	active := map[int32]bool{}
	inside := 0
	key := uint64(0)
	for i := 0; i < len(events) && s.work >= 0; {
		code := events[i].code
		for ; i < len(events) && events[i].code == code; i++ {
			e := events[i]
			switch {
			case e.rule < 0 && e.in:
				inside++
			case e.rule < 0:
				inside--
			case e.in:
				active[e.rule] = true
				key ^= mix(uint64(e.rule))
			default:
				delete(active, e.rule)
				key ^= mix(uint64(e.rule))
			}
		}
		if inside == 0 || i == len(events) {
			continue
		}
		iv := interval{code, events[i].code - 1}
		n, known := byKey[key]
		if !known {
			n = len(parts)
			byKey[key] = n
			s.work -= len(active)
			parts = append(parts, part{rules: sortedKeys(active)})
		}
		parts[n].codes = extended(parts[n].codes, iv)
	}
	return parts
}

func sortedKeys(m map[int32]bool) []int32 {
	out := make([]int32, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// fingerprint stands for a set of rules.
func fingerprint(rules []int32) uint64 {
	key := uint64(0)
	for _, r := range rules {
		key ^= mix(uint64(r))
	}
	return key
}

// mix spreads a number over 64 bits.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// sure tells that the rule has no cell that only evaluation knows.
func (s *space) sure(r int) bool {
	return !slices.ContainsFunc(s.opaque, func(o []bool) bool { return o[r] })
}

// shared is the box where two rules match; false where there is none.
func (s *space) shared(a, b int) ([][]interval, bool) {
	box := make([][]interval, len(s.columns))
	for c := range box {
		box[c] = overlap(overlap(s.boxes[c][a], s.boxes[c][b]), s.domain[c])
		if len(box[c]) == 0 {
			return nil, false
		}
	}
	return box, true
}

// allows tells whether the hit policy lets two rules match at once.
func (t *Table) allows(a, b int) bool {
	switch t.policy {
	case model.Unique:
		return false
	case model.Any:
		return t.sameOutputs(a, b)
	}
	return true
}

// sameOutputs tells that two rules give the same for certain: the same text, or
// constants that are equal.
func (t *Table) sameOutputs(a, b int) bool {
	for i := range t.outputs {
		x, y := &t.source.Rules[a].Outputs[i], &t.source.Rules[b].Outputs[i]
		if x.Text == y.Text {
			continue
		}
		v, ok := constantText(x.Text)
		w, ok2 := constantText(y.Text)
		if !ok || !ok2 || !value.Same(v, w) {
			return false
		}
	}
	return true
}
