package table

import (
	"fmt"
	"slices"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

// constantText is the value of an expression that is the same every time.
func constantText(text string) (value.Value, bool) {
	n, err := syntax.Parse(text, builtin.SpacedNames())
	if err != nil {
		return value.Null(), false
	}
	r := &cellReader{text: text}
	return r.constant(n)
}

// overlaps finds rules that match at once. Where the hit policy expects that,
// there is nothing to find.
func (s *space) overlaps() {
	switch s.table.policy {
	case model.Collect, model.RuleOrder, model.OutputOrder:
		return
	}
	s.pairs(func(a, b int) bool {
		box, ok := s.shared(a, b)
		if !ok {
			return true
		}
		if !s.sure(a) || !s.sure(b) {
			s.out.OverlapsComplete = false
			return true
		}
		if len(s.out.Overlaps) == maxOverlaps {
			s.out.OverlapsComplete = false
			s.note("there are more overlaps than the %d listed", maxOverlaps)
			return false
		}
		region, example := s.describe(box)
		s.out.Overlaps = append(s.out.Overlaps, Overlap{[2]int{a + 1, b + 1}, region, example, !s.table.allows(a, b), s.within(box, a, b)})
		return true
	})
	if s.work < 0 {
		s.out.OverlapsComplete = false
		s.note("the search for overlaps was ended: the table is too large")
	}
	slices.SortStableFunc(s.out.Overlaps, func(a, b Overlap) int {
		if a.Rules[0] != b.Rules[0] {
			return a.Rules[0] - b.Rules[0]
		}
		return a.Rules[1] - b.Rules[1]
	})
}

// within is the rule of two that matches only where both do, 0 for none.
func (s *space) within(box [][]interval, rules ...int) int {
	for _, r := range rules {
		if s.same(box, r) {
			return r + 1
		}
	}
	return 0
}

// same tells that a rule matches only within a box.
func (s *space) same(box [][]interval, r int) bool {
	for c := range box {
		if !sameIntervals(box[c], overlap(s.boxes[c][r], s.domain[c])) {
			return false
		}
	}
	return true
}

// hull is what a rule spans in a column.
type hull struct{ rule, low, high int32 }

// pairs visits the pairs of rules that may share something, found in the column
// that tells most of them apart.
func (s *space) pairs(visit func(a, b int) bool) {
	best, fewest := []hull(nil), -1
	for c := range s.columns {
		hulls := s.hulls(c)
		if n := meetings(hulls); fewest < 0 || n < fewest {
			best, fewest = hulls, n
		}
	}
	if len(s.columns) == 0 {
		for r := range s.rules {
			best = append(best, hull{int32(r), 0, 0})
		}
	}
	var open []hull
	for _, h := range best {
		open = slices.DeleteFunc(open, func(o hull) bool { return o.high < h.low })
		for _, o := range open {
			if s.work--; s.work < 0 {
				return
			}
			if !visit(int(min(o.rule, h.rule)), int(max(o.rule, h.rule))) {
				return
			}
		}
		open = append(open, h)
	}
}

// hulls are those of the rules that can match, by where they begin.
func (s *space) hulls(c int) []hull {
	var out []hull
	for r := range s.rules {
		if all := overlap(s.boxes[c][r], s.domain[c]); len(all) > 0 {
			out = append(out, hull{int32(r), all[0].low, all[len(all)-1].high})
		}
	}
	slices.SortStableFunc(out, func(a, b hull) int { return int(a.low - b.low) })
	return out
}

// meetings counts the pairs of hulls that meet.
func meetings(hulls []hull) int {
	ends := make([]int32, len(hulls))
	for i, h := range hulls {
		ends[i] = h.high
	}
	slices.Sort(ends)
	n, ended := 0, 0
	for i, h := range hulls {
		for ended < len(ends) && ends[ended] < h.low {
			ended++
		}
		n += i - ended
	}
	return n
}

// unreachable finds rules that never decide: those that match nothing, and in
// tables that take one hit those that others hide.
func (s *space) unreachable() {
	hiders := s.hiders()
	for r := range s.rules {
		if s.matchesNothing(r) {
			continue
		}
		if len(hiders[r]) == 0 || s.work < 0 {
			continue
		}
		box := make([][]interval, len(s.columns))
		for c := range box {
			box[c] = overlap(s.boxes[c][r], s.domain[c])
		}
		s.hidden(r, box, hiders[r])
	}
	if s.work < 0 {
		s.note("the search for rules that never decide was ended: the table is too large")
	}
}

// matchesNothing tells a rule with a cell that no value passes.
func (s *space) matchesNothing(r int) bool {
	for c := range s.columns {
		if len(overlap(s.boxes[c][r], s.domain[c])) == 0 && !s.table.sets[c][r].null {
			s.never(r, fmt.Sprintf("no value of %s passes %q", s.table.inputs[c].label, s.table.source.Rules[r].Tests[c].Text))
			return true
		}
	}
	return false
}

func (s *space) never(r int, why string) {
	if len(s.out.Unreachable) < maxOverlaps {
		s.out.Unreachable = append(s.out.Unreachable, Unreachable{r + 1, why})
	}
}

// hiders are for each rule those that decide before it where both match.
func (s *space) hiders() [][]int32 {
	all := make([][]int32, s.rules)
	if s.table.policy != model.First && s.table.policy != model.Priority {
		return all
	}
	s.pairs(func(a, b int) bool {
		if _, ok := s.shared(a, b); !ok {
			return true
		}
		if s.before(a, b) && s.sure(a) && s.hides(a, b) {
			all[b] = append(all[b], int32(a))
		} else if s.before(b, a) && s.sure(b) && s.hides(b, a) {
			all[a] = append(all[a], int32(b))
		}
		return true
	})
	for r := range all {
		slices.Sort(all[r])
	}
	return all
}

// hides tells that a rule can hide another one in columns of times: those with a
// zone and those without have no order, and only a cell that lets every value pass
// covers both.
func (s *space) hides(a, b int) bool {
	for c := range s.columns {
		k := s.columns[c].kind
		if k != value.KindTime && k != value.KindDateTime {
			continue
		}
		sets := s.table.sets[c]
		if (sets[b].any || s.opaque[c][b]) && !sets[a].any {
			return false
		}
	}
	return true
}

// before tells that a rule decides where another one matches as well.
func (s *space) before(a, b int) bool {
	switch s.table.policy {
	case model.First:
		return a < b
	case model.Priority:
		x, y := s.outputs(a), s.outputs(b)
		if x == nil || y == nil {
			return false
		}
		order := s.table.before(x, y)
		return order < 0 || order == 0 && a < b
	}
	return false
}

// outputs are those of a rule where they are the same every time, or nil.
func (s *space) outputs(r int) hit {
	if s.results == nil {
		s.results = map[int]hit{}
	}
	out, known := s.results[r]
	if known {
		return out
	}
	for i := range s.table.outputs {
		v, ok := constantText(s.table.source.Rules[r].Outputs[i].Text)
		if !ok {
			out = nil
			break
		}
		out = append(out, v)
	}
	s.results[r] = out
	return out
}

// hidden tells a rule whose box others cover.
func (s *space) hidden(r int, box [][]interval, by []int32) {
	outer := s.seen
	s.seen = map[uint64]bool{}
	open := false
	done := s.uncovered(by, 0, box, func([][]interval) bool { open = true; return false })
	s.seen = outer
	if !done || open {
		return
	}
	if s.table.policy == model.Priority {
		s.never(r, "rules with a higher priority match wherever it does")
		return
	}
	for _, b := range by {
		if s.covers([]int32{b}, 0, box) {
			s.never(r, fmt.Sprintf("rule %d matches wherever it does", b+1))
			return
		}
	}
	s.never(r, "the rules before it match wherever it does")
}
