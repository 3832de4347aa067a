package table

import (
	"slices"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

// span is an interval of values of one kind; a bound that is null is none.
type span struct {
	low, high         value.Value
	lowOpen, highOpen bool
}

// set is what a cell lets pass, where the text alone shows it.
type set struct {
	any    bool // every value
	opaque bool // only evaluation tells
	kind   value.Kind
	spans  []span
	not    bool // everything of the kind but the spans
	null   bool // null passes
}

// answer is what a test says about null.
type answer int

const (
	no answer = iota
	yes
	unknown
)

var opaque = set{opaque: true}

// cellReader reads a cell into a set.
type cellReader struct {
	text string
	set  set
	// what the tests say about null
	anyYes, anyUnknown bool
}

// readCell tells what a cell lets pass. It holds for values of simple kinds:
// those of another kind than the set pass nowhere but where all do.
func readCell(text string) set {
	if irrelevant(text) {
		return set{any: true}
	}
	n, err := syntax.ParseTests(text, builtin.SpacedNames())
	if err != nil {
		return opaque
	}
	tests, ok := n.(*syntax.Tests)
	if !ok {
		return opaque
	}
	if tests.Any {
		return set{any: true}
	}
	r := &cellReader{text: text}
	for _, t := range tests.Tests {
		if !r.test(t, tests.Not) {
			return opaque
		}
	}
	r.set.not = tests.Not
	r.set.null = r.anyYes
	if tests.Not {
		r.set.null = !r.anyYes && !r.anyUnknown
	}
	return r.set
}

// Constants makes a test of a value of a text of unary tests, where these are
// constants alone; false where they are not.
func Constants(text string) (passes func(value.Value) bool, ok bool) {
	s := readCell(text)
	if s.any {
		return func(value.Value) bool { return true }, true
	}
	sets := []set{s}
	col := newColumn(sets)
	if sets[0].opaque {
		return nil, false
	}
	return func(v value.Value) bool {
		code := col.code(v)
		return code != codeUnknown && col.passes(0, code)
	}, true
}

// test adds a test; false where it is none of constants.
func (r *cellReader) test(n syntax.Node, not bool) bool {
	switch n := n.(type) {
	case *syntax.Test:
		return r.comparison(n)
	case *syntax.Range:
		low, ok := r.constant(n.Low)
		high, ok2 := r.constant(n.High)
		if !ok || !ok2 {
			return false
		}
		if c, ok := value.Compare(low, high); !ok || c > 0 {
			return false
		}
		return r.add(low, unknown, span{low, high, n.LowOpen, n.HighOpen})
	case *syntax.List:
		for _, item := range n.Items {
			v, ok := r.constant(item)
			if !ok || not || !r.equal(v) {
				return false
			}
		}
		return true
	}
	v, ok := r.constant(n)
	if !ok || not && v.IsNull() {
		return false
	}
	return r.equal(v)
}

func (r *cellReader) equal(v value.Value) bool {
	if v.IsNull() {
		r.anyYes = true
		return true
	}
	return r.add(v, no, span{low: v, high: v})
}

func (r *cellReader) comparison(n *syntax.Test) bool {
	v, ok := r.constant(n.X)
	if !ok || v.IsNull() {
		return false
	}
	if v.Kind() == value.KindBool && n.Op != "=" && n.Op != "!=" {
		return false
	}
	switch n.Op {
	case "=":
		return r.equal(v)
	case "!=":
		return r.add(v, yes, span{high: v, highOpen: true}, span{low: v, lowOpen: true})
	case "<":
		return r.add(v, unknown, span{high: v, highOpen: true})
	case "<=":
		return r.add(v, unknown, span{high: v})
	case ">":
		return r.add(v, unknown, span{low: v, lowOpen: true})
	case ">=":
		return r.add(v, unknown, span{low: v})
	}
	return false
}

// add adds spans of the kind of a value.
func (r *cellReader) add(v value.Value, null answer, spans ...span) bool {
	if !simple(v.Kind()) || r.set.kind != value.KindNull && r.set.kind != v.Kind() {
		return false
	}
	r.set.kind = v.Kind()
	r.set.spans = append(r.set.spans, spans...)
	r.anyYes = r.anyYes || null == yes
	r.anyUnknown = r.anyUnknown || null == unknown
	return true
}

// simple kinds have constants that can be put in order; booleans are put in one.
func simple(k value.Kind) bool {
	switch k {
	case value.KindBool, value.KindNumber, value.KindString, value.KindDate,
		value.KindTime, value.KindDateTime, value.KindDaysDuration, value.KindMonthsDuration:
		return true
	}
	return false
}

// constructors are the functions that make a constant of constants.
var constructors = []string{"date", "time", "date and time", "duration", "years and months duration", "number"}

// constant is the value of an expression that is the same every time.
func (r *cellReader) constant(n syntax.Node) (value.Value, bool) {
	switch n := n.(type) {
	case *syntax.Literal:
		return n.Value, true
	case *syntax.Unary:
		v, ok := r.constant(n.X)
		return value.Neg(v), ok && v.Kind() == value.KindNumber
	case *syntax.Temporal:
		return r.computed(n)
	case *syntax.Call:
		name, ok := n.Fn.(*syntax.Name)
		if !ok || !slices.Contains(constructors, name.Name) {
			return value.Null(), false
		}
		for _, a := range n.Args {
			if _, ok := r.constant(a); !ok {
				return value.Null(), false
			}
		}
		return r.computed(n)
	}
	return value.Null(), false
}

func (r *cellReader) computed(n syntax.Node) (value.Value, bool) {
	x, err := feel.Compile(r.text[n.Pos():n.End()])
	if err != nil {
		return value.Null(), false
	}
	v, err := x.Eval(nil)
	return v, err == nil && !v.IsNull()
}

// ordinal puts booleans in an order; other values have one.
func ordinal(v value.Value) value.Value {
	if b, ok := value.AsBool(v); ok {
		if b {
			return value.Int(1)
		}
		return value.Int(0)
	}
	return v
}
