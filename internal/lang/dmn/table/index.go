package table

import (
	"slices"
	"sort"

	"sextant/internal/lang/feel/value"
)

// The index turns each column into numbers. The bounds of all its cells are
// sorted; the i-th of n is the code 2i+1, what lies before it 2i, what lies
// behind the last 2n. A cell is then one or several intervals of codes, an input
// one code, and a comparison that of small numbers.
//
// For columns where it pays, the codes are cut into groups, each with the rules
// that may match there: the smallest group of all columns is where a look for
// matching rules begins.

// codes of inputs that have no place among the bounds.
const (
	codeNull    = -1
	codeForeign = -2 // of another kind: matches where every value does
	codeUnknown = -3 // cannot be told: cells have to be evaluated
)

type interval struct{ low, high int32 }

type column struct {
	kind   value.Kind
	bounds []value.Value
	low    []int32 // the hull of each rule's intervals
	high   []int32
	more   map[int32][]interval // of rules with several intervals
	every  bits                 // rules that let every value pass, or have to be evaluated
	null   bits                 // rules that let null pass
	sets   bool                 // some rule does not let every value pass
	groups [][]int32
	width  int32 // codes of a group
}

type bits []uint64

func newBits(n int) bits              { return make(bits, (n+63)/64) }
func (b bits) set(i int)              { b[i/64] |= 1 << (i % 64) }
func (b bits) has(i int32) bool       { return b[i/64]&(1<<(i%64)) != 0 }
func (c *column) codes() int32        { return 2*int32(len(c.bounds)) + 1 }
func (c *column) group(p int32) int32 { return p / c.width }

type index struct {
	columns []column
	opaque  [][]int32 // by rule: the columns whose cells have to be evaluated
	all     []int32   // every rule
}

// indexed is from how many rules on a table has an index.
const indexed = 8

// newIndex makes the index of the sets of a table, column by column.
func newIndex(sets [][]set) *index {
	if len(sets) == 0 || len(sets[0]) < indexed {
		return nil
	}
	rules := len(sets[0])
	x := &index{columns: make([]column, len(sets)), opaque: make([][]int32, rules), all: make([]int32, rules)}
	for i := range x.all {
		x.all[i] = int32(i)
	}
	for c := range sets {
		x.columns[c] = newColumn(sets[c])
		for r, s := range sets[c] {
			if s.opaque {
				x.opaque[r] = append(x.opaque[r], int32(c))
			}
		}
	}
	return x
}

func newColumn(sets []set) column {
	c := column{low: make([]int32, len(sets)), high: make([]int32, len(sets)),
		more: map[int32][]interval{}, every: newBits(len(sets)), null: newBits(len(sets))}
	c.collect(sets)
	last := c.codes() - 1
	for r := range sets {
		s := &sets[r]
		if s.any || s.opaque {
			c.every.set(r)
			c.high[r] = last
			continue
		}
		c.sets = true
		if s.null {
			c.null.set(r)
		}
		all := c.intervals(s)
		if len(all) == 0 {
			c.low[r], c.high[r] = 1, 0
			continue
		}
		c.low[r], c.high[r] = all[0].low, all[len(all)-1].high
		if len(all) > 1 {
			c.more[int32(r)] = all
		}
	}
	if c.sets {
		c.makeGroups(sets)
	}
	return c
}

// collect finds the kind and the bounds of a column; sets of other kinds become
// opaque.
func (c *column) collect(sets []set) {
	for r := range sets {
		s := &sets[r]
		if s.any || s.opaque || s.kind == value.KindNull {
			continue
		}
		if c.kind == value.KindNull {
			c.kind = s.kind
		}
		if s.kind != c.kind || !c.comparable(s) {
			*s = opaque
			continue
		}
		for _, sp := range s.spans {
			for _, b := range []value.Value{sp.low, sp.high} {
				if !b.IsNull() {
					c.bounds = append(c.bounds, ordinal(b))
				}
			}
		}
	}
	if c.kind == value.KindBool {
		c.bounds = append(c.bounds, value.Int(0), value.Int(1)) // there are no others
	}
	slices.SortFunc(c.bounds, compare)
	c.bounds = slices.CompactFunc(c.bounds, func(a, b value.Value) bool { return compare(a, b) == 0 })
}

// comparable reports whether the bounds of a set have an order among those of
// the column and one another: local times have none among those with a zone.
func (c *column) comparable(s *set) bool {
	var first value.Value
	if len(c.bounds) > 0 {
		first = c.bounds[0]
	}
	for _, sp := range s.spans {
		for _, b := range []value.Value{sp.low, sp.high} {
			if b.IsNull() {
				continue
			}
			if b = ordinal(b); first.IsNull() {
				first = b
			}
			if _, ok := value.Compare(b, first); !ok {
				return false
			}
		}
	}
	return true
}

func compare(a, b value.Value) int {
	c, _ := value.Compare(a, b)
	return c
}

// place finds a value among the bounds.
func (c *column) place(v value.Value) (i int, exact bool) {
	return slices.BinarySearchFunc(c.bounds, v, compare)
}

// intervals are those of a set, in order and apart.
func (c *column) intervals(s *set) []interval {
	var all []interval
	for _, sp := range s.spans {
		iv := interval{0, c.codes() - 1}
		if !sp.low.IsNull() {
			i, _ := c.place(ordinal(sp.low))
			iv.low = int32(2*i + 1)
			if sp.lowOpen {
				iv.low++
			}
		}
		if !sp.high.IsNull() {
			i, _ := c.place(ordinal(sp.high))
			iv.high = int32(2*i + 1)
			if sp.highOpen {
				iv.high--
			}
		}
		if iv.low <= iv.high {
			all = append(all, iv)
		}
	}
	slices.SortFunc(all, func(a, b interval) int { return int(a.low - b.low) })
	all = joined(all)
	if s.not {
		all = complement(all, c.codes()-1)
	}
	return all
}

// joined joins intervals that touch.
func joined(all []interval) []interval {
	var out []interval
	for _, iv := range all {
		if n := len(out); n > 0 && iv.low <= out[n-1].high+1 {
			out[n-1].high = max(out[n-1].high, iv.high)
			continue
		}
		out = append(out, iv)
	}
	return out
}

func complement(all []interval, last int32) []interval {
	var out []interval
	from := int32(0)
	for _, iv := range all {
		if iv.low > from {
			out = append(out, interval{from, iv.low - 1})
		}
		from = iv.high + 1
	}
	if from <= last {
		out = append(out, interval{from, last})
	}
	return out
}

// maxGroups bounds the groups of a column, perRule the rules in all of them.
const (
	maxGroups = 4096
	perRule   = 8
)

// makeGroups cuts the codes into as many groups as the rules in them allow.
func (c *column) makeGroups(sets []set) {
	each := func(visit func(r int32, from, to int32)) {
		for r := range sets {
			r := int32(r)
			last := int32(-1)
			for _, iv := range c.of(r) {
				from := max(c.group(iv.low), last+1)
				last = c.group(iv.high)
				if from <= last {
					visit(r, from, last)
				}
			}
		}
	}
	for n := min(maxGroups, c.codes()); n > 1; n /= 2 {
		c.width = (c.codes() + n - 1) / n
		total := 0
		each(func(_, from, to int32) { total += int(to - from + 1) })
		if total > perRule*len(sets)+1024 {
			continue
		}
		c.groups = make([][]int32, c.group(c.codes()-1)+1)
		each(func(r, from, to int32) {
			for g := from; g <= to; g++ {
				c.groups[g] = append(c.groups[g], r)
			}
		})
		return
	}
}

// of are the intervals of a rule.
func (c *column) of(r int32) []interval {
	if all, ok := c.more[r]; ok {
		return all
	}
	if c.low[r] > c.high[r] {
		return nil
	}
	return []interval{{c.low[r], c.high[r]}}
}

// code is the code of an input.
func (c *column) code(v value.Value) int32 {
	switch k := v.Kind(); {
	case !c.sets:
		return codeForeign // every rule lets it pass
	case v.IsNull():
		return codeNull
	case !simple(k):
		return codeUnknown
	case k != c.kind || len(c.bounds) == 0:
		return codeForeign
	}
	v = ordinal(v)
	if _, ok := value.Compare(v, c.bounds[0]); !ok {
		return codeForeign
	}
	i := sort.Search(len(c.bounds), func(i int) bool { return compare(c.bounds[i], v) >= 0 })
	if i < len(c.bounds) && compare(c.bounds[i], v) == 0 {
		return int32(2*i + 1)
	}
	return int32(2 * i)
}

// passes tells whether a rule lets the code pass.
func (c *column) passes(r, code int32) bool {
	switch {
	case code >= 0:
		if code < c.low[r] || code > c.high[r] {
			return false
		}
		if len(c.more) == 0 {
			return true
		}
		all, several := c.more[r]
		return !several || slices.ContainsFunc(all, func(iv interval) bool { return iv.low <= code && code <= iv.high })
	case code == codeNull && c.null.has(r):
		return true
	}
	return c.every.has(r)
}

// candidates gives the codes of the inputs and the rules to look at; false where
// the index cannot tell.
func (x *index) candidates(inputs []value.Value) (codes, rules []int32, ok bool) {
	codes = make([]int32, len(inputs))
	rules = x.all
	for i := range x.columns {
		c := &x.columns[i]
		codes[i] = c.code(inputs[i])
		if codes[i] == codeUnknown {
			return nil, nil, false
		}
		if codes[i] >= 0 && c.groups != nil {
			if g := c.groups[c.group(codes[i])]; len(g) < len(rules) {
				rules = g
			}
		}
	}
	return codes, rules, true
}

// passes tells whether a rule matches as far as the index knows.
func (x *index) passes(r int32, codes []int32) bool {
	for i := range codes {
		if !x.columns[i].passes(r, codes[i]) {
			return false
		}
	}
	return true
}
