// Package table compiles decision tables, evaluates them and finds what is wrong
// with them.
package table

import (
	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// Compiler makes expressions and types of the texts of a table; nil and a
// problem told elsewhere where it cannot.
type Compiler interface {
	Expression(text string, at model.Place) *feel.Expr
	Tests(text string, at model.Place) *feel.Expr
	Type(ref string, at model.Place) *value.Type
	// Domain are the unary tests that values of an input column pass, empty where
	// nothing is known.
	Domain(in *model.Input) string
	// Order are the values of an output column as a list of tests, in the order of
	// their priority; empty where there are none.
	Order(out *model.Output) string
	Problem(level model.Level, code string, at model.Place, message string)
}

// Host evaluates the expressions of a table where it stands.
type Host interface {
	// Eval evaluates an expression.
	Eval(x *feel.Expr, at model.Place) value.Value
	// Test evaluates unary tests against an input.
	Test(x *feel.Expr, at model.Place, input value.Value) value.Value
	// Coerce makes a value one of a type; false where it is none.
	Coerce(t *value.Type, v value.Value) (value.Value, bool)
	// Warn says why something became null.
	Warn(at model.Place, format string, args ...any)
	// Spend counts work; false means that the evaluation is over.
	Spend(steps int64) bool
}

// Table is a compiled decision table. It is immutable.
type Table struct {
	source  *model.Table
	inputs  []input
	outputs []output
	rules   []rule
	policy  model.HitPolicy
	total   model.Aggregation
	sets    [][]set // what the cells let pass, by column and rule
	index   *index  // nil for small tables
}

type input struct {
	expr    *feel.Expr
	typ     *value.Type
	allowed *feel.Expr
	domain  set // the values that it can have
	place   model.Place
	label   string
}

type output struct {
	name     string
	typ      *value.Type
	allowed  *feel.Expr
	order    []value.Value // the values by priority
	standard *feel.Expr    // what the table gives where no rule matches
	place    model.Place
}

type rule struct {
	tests   []cell
	outputs []entry
}

type cell struct {
	tests *feel.Expr // nil for "-"
	place model.Place
}

type entry struct {
	expr  *feel.Expr
	fixed *value.Value // where it is the same every time
	place model.Place
}

// Result is what a table gives.
type Result struct {
	Value value.Value
	// Inputs are the values of the input columns.
	Inputs []value.Value
	// Matched are the rules that match, from 0, in their order; a table that
	// takes the first looks no further.
	Matched []int
}

// Source is the table as read.
func (t *Table) Source() *model.Table { return t.source }

// Eval evaluates the table.
func (t *Table) Eval(h Host) Result {
	res := Result{Inputs: make([]value.Value, len(t.inputs))}
	for i := range t.inputs {
		v, ok := t.input(h, &t.inputs[i])
		if !ok {
			return res
		}
		res.Inputs[i] = v
	}
	res.Matched = t.match(h, res.Inputs)
	res.Value = t.decide(h, res.Matched)
	return res
}

// input evaluates an input expression; false where its value is not allowed.
func (t *Table) input(h Host, in *input) (value.Value, bool) {
	if in.expr == nil {
		return value.Null(), true
	}
	v := h.Eval(in.expr, in.place)
	c, ok := h.Coerce(in.typ, v)
	if !ok {
		h.Warn(in.place, "the input %s is %s and not %s", in.label, v.Kind(), in.typ)
		return value.Null(), true
	}
	if in.allowed != nil && !c.IsNull() && !holds(h.Test(in.allowed, in.place, c)) {
		h.Warn(in.place, "%s is no value that the input %s allows", short(c), in.label)
		return c, false
	}
	return c, true
}

// short writes a value for a message.
func short(v value.Value) string {
	if v.Weight() > 8 {
		return v.Kind().String()
	}
	return v.String()
}

func holds(v value.Value) bool {
	b, ok := value.AsBool(v)
	return ok && b
}

// match finds the rules that match, by the index where there is one.
func (t *Table) match(h Host, inputs []value.Value) []int {
	if t.index == nil {
		return t.scan(h, inputs)
	}
	codes, rules, ok := t.index.candidates(inputs)
	if !ok {
		return t.scan(h, inputs)
	}
	if !h.Spend(1 + int64(len(rules)/64)) {
		return nil
	}
	var matched []int
	for _, r := range rules {
		if !t.index.passes(r, codes) || !t.opaque(h, r, inputs) {
			continue
		}
		matched = append(matched, int(r))
		if t.policy == model.First {
			break
		}
	}
	return matched
}

// opaque evaluates the cells of a rule that the index does not know.
func (t *Table) opaque(h Host, r int32, inputs []value.Value) bool {
	for _, c := range t.index.opaque[r] {
		cell := &t.rules[r].tests[c]
		if !h.Spend(1) || cell.tests != nil && !holds(h.Test(cell.tests, cell.place, inputs[c])) {
			return false
		}
	}
	return true
}

// scan looks at every rule.
func (t *Table) scan(h Host, inputs []value.Value) []int {
	var matched []int
	for i := range t.rules {
		if !h.Spend(1) {
			return nil
		}
		if !t.matches(h, &t.rules[i], inputs) {
			continue
		}
		matched = append(matched, i)
		if t.policy == model.First {
			break
		}
	}
	return matched
}

func (t *Table) matches(h Host, r *rule, inputs []value.Value) bool {
	for c := range r.tests {
		if x := r.tests[c].tests; x != nil && !holds(h.Test(x, r.tests[c].place, inputs[c])) {
			return false
		}
	}
	return true
}
