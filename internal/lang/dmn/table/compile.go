package table

import (
	"fmt"
	"slices"
	"strings"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// Compile compiles a table. What is wrong with it is told to the compiler.
func Compile(m *model.Table, c Compiler) *Table {
	t := &Table{source: m, policy: m.HitPolicy, total: m.Aggregation}
	for i := range m.Inputs {
		t.inputs = append(t.inputs, compileInput(&m.Inputs[i], c))
	}
	for i := range m.Outputs {
		t.outputs = append(t.outputs, t.compileOutput(i, c))
	}
	b := &builder{Compiler: c, tests: map[string]*feel.Expr{}, exprs: map[string]entry{}}
	t.rules = make([]rule, len(m.Rules))
	for i := range m.Rules {
		t.rules[i] = b.rule(&m.Rules[i])
	}
	t.sets = b.columns(m)
	t.index = newIndex(t.sets)
	t.check(c)
	return t
}

// columns reads the cells into sets, column by column.
func (b *builder) columns(m *model.Table) [][]set {
	sets := make([][]set, len(m.Inputs))
	seen := map[string]set{}
	for c := range sets {
		sets[c] = make([]set, len(m.Rules))
		for r := range m.Rules {
			text := m.Rules[r].Tests[c].Text
			s, ok := seen[text]
			if !ok {
				s = b.readCell(text)
				seen[text] = s
			}
			sets[c][r] = s
		}
	}
	return sets
}

// readCell reads a cell; one that calls something that is not FEEL's own is not
// known by its text.
func (b *builder) readCell(text string) set {
	s := readCell(text)
	if x := b.tests[text]; !s.any && !s.opaque && x != nil && slices.ContainsFunc(x.Names(), func(name string) bool { return name != "?" }) {
		return opaque
	}
	return s
}

func compileInput(m *model.Input, c Compiler) input {
	in := input{typ: c.Type(m.TypeRef, m.Place), place: m.Place, label: m.Label, domain: readCell(c.Domain(m))}
	if m.Text == "" {
		c.Problem(model.Failure, "dmn.table.input", m.Place,
			fmt.Sprintf("the input column %q has no expression: it needs <inputExpression>", m.Label))
		return in
	}
	if foreign(c, m.Language, m.Place) {
		return in
	}
	in.expr = c.Expression(m.Text, m.Place)
	if m.Values != nil {
		in.allowed = c.Tests(m.Values.Text, m.Values.Place)
	}
	return in
}

// foreign tells a text in another language than FEEL, which is not evaluated.
func foreign(c Compiler, language string, at model.Place) bool {
	if language != "" {
		c.Problem(model.Failure, "dmn.language", at, fmt.Sprintf("the expression language %q is not evaluated: write FEEL", language))
	}
	return language != ""
}

func (t *Table) compileOutput(i int, c Compiler) output {
	m := &t.source.Outputs[i]
	out := output{name: m.Name, typ: c.Type(m.TypeRef, m.Place), place: m.Place}
	if m.Default != nil {
		out.standard = c.Expression(m.Default.Text, m.Default.Place)
	}
	if m.Values != nil {
		out.allowed = c.Tests(m.Values.Text, m.Values.Place)
	}
	if t.policy != model.Priority && t.policy != model.OutputOrder {
		return out
	}
	if text := c.Order(m); text != "" {
		if x := c.Expression("["+text+"]", m.Place); x != nil {
			v, _ := x.Eval(nil) // what passes a limit has no order
			out.order, _ = value.AsList(v)
		}
	}
	return out
}

// check finds mistakes of the table as a whole.
func (t *Table) check(c Compiler) {
	problem := func(code, format string, args ...any) {
		c.Problem(model.Failure, code, t.source.Place, fmt.Sprintf(format, args...))
	}
	seen := map[string]bool{}
	for _, o := range t.outputs {
		if len(t.outputs) > 1 && o.name == "" {
			problem("dmn.table.output_name", "an output column has no name: each needs one where there are several")
		} else if seen[o.name] {
			problem("dmn.table.output_name", "two output columns have the name %q", o.name)
		}
		seen[o.name] = true
	}
	if t.total != "" && t.policy != model.Collect {
		problem("dmn.table.aggregation", "%s needs the hit policy COLLECT, the table has %s", t.total, t.policy)
	}
	if t.total != "" && t.total != model.Count && len(t.outputs) > 1 {
		problem("dmn.table.aggregation", "%s needs a single output column", t.total)
	}
	if t.policy == model.Priority || t.policy == model.OutputOrder {
		for _, o := range t.outputs {
			if len(o.order) > 0 {
				return
			}
		}
		problem("dmn.table.priority", "%s needs the output values of a column in the order of their priority", t.policy)
	}
}

// builder compiles each text once.
type builder struct {
	Compiler
	tests map[string]*feel.Expr
	exprs map[string]entry
}

func (b *builder) rule(m *model.Rule) rule {
	r := rule{tests: make([]cell, len(m.Tests)), outputs: make([]entry, len(m.Outputs))}
	for i, test := range m.Tests {
		r.tests[i].place = test.Place
		if !irrelevant(test.Text) {
			r.tests[i].tests = b.cell(test)
		}
	}
	for i := range m.Outputs {
		r.outputs[i] = b.entry(&m.Outputs[i])
	}
	return r
}

// irrelevant tells a cell that every value passes.
func irrelevant(text string) bool {
	text = strings.TrimSpace(text)
	return text == "" || text == "-" || text == "–" || text == "—"
}

func (b *builder) cell(m model.Tests) *feel.Expr {
	x, ok := b.tests[m.Text]
	if !ok && !foreign(b, m.Language, m.Place) {
		x = b.Tests(m.Text, m.Place)
		b.tests[m.Text] = x
	}
	return x
}

func (b *builder) entry(m *model.Literal) entry {
	e, ok := b.exprs[m.Text]
	if !ok {
		if text := strings.TrimSpace(m.Text); text != "" && text != "-" && !foreign(b, m.Language, m.Place) {
			e.expr = b.Expression(m.Text, m.Place)
		}
		b.exprs[m.Text] = e
	}
	e.place = m.Place
	return e
}
