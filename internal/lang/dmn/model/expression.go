package model

import (
	"strings"

	"sextant/internal/lang/xmltree"
)

func (r *reader) box(n *xmltree.Node) Box { return Box{Place: placeOf(n), TypeRef: r.typeRefOf(n)} }

// typeRefOf is the type of an expression: an attribute, never an element.
func (r *reader) typeRefOf(n *xmltree.Node) string { return name(n.Attr("typeRef")) }

// expression reads a boxed expression; nil where the element is none.
func (r *reader) expression(n *xmltree.Node) Expression {
	switch n.Local {
	case "literalExpression":
		return r.literal(n)
	case "decisionTable":
		return r.table(n)
	case "context":
		return r.context(n)
	case "list":
		return r.list(n)
	case "relation":
		return r.relation(n)
	case "functionDefinition":
		return r.function(n)
	case "invocation":
		return r.invocation(n)
	case "conditional":
		return &Conditional{Box: r.box(n), If: r.part(n, "if"), Then: r.part(n, "then"), Else: r.part(n, "else")}
	case "for":
		return r.iteration(n, KindFor, "return")
	case "some":
		return r.iteration(n, KindSome, "satisfies")
	case "every":
		return r.iteration(n, KindEvery, "satisfies")
	case "filter":
		return &Filter{Box: r.box(n), In: r.part(n, "in"), Match: r.part(n, "match")}
	}
	return nil
}

// only is the expression within an element, nil where there is none.
func (r *reader) only(n *xmltree.Node) Expression {
	for _, c := range r.children(n) {
		if e := r.expression(c); e != nil {
			return e
		}
	}
	return nil
}

// part is the expression within a named part of another one.
func (r *reader) part(n *xmltree.Node, local string) Expression {
	c := r.child(n, local)
	if c == nil {
		r.problem(n, "dmn.expression.incomplete", "<%s> has no <%s>", n.Local, local)
		return &Invalid{r.box(n)}
	}
	e := r.only(c)
	if e == nil {
		r.problem(c, "dmn.expression.incomplete", "<%s> of <%s> holds no expression", local, n.Local)
		return &Invalid{r.box(c)}
	}
	return e
}

func (r *reader) literal(n *xmltree.Node) Expression {
	l := r.literalText(n)
	if r.child(n, "importedValues") != nil {
		r.problem(n, "dmn.expression.imported", "values imported from other files are not read: write them into the model")
		return &Invalid{l.Box}
	}
	return l
}

func (r *reader) literalText(n *xmltree.Node) *Literal {
	l := &Literal{Box: r.box(n), Text: r.text(n, "text")}
	l.Place = r.textPlace(n)
	l.Language = r.language(n)
	return l
}

// language is that of an expression, or of all where it names none; empty for
// FEEL.
func (r *reader) language(n *xmltree.Node) string {
	language := n.Attr("expressionLanguage")
	if language == "" {
		language = r.d.Document.Root.Attr("expressionLanguage")
	}
	if isFEEL(language) {
		return ""
	}
	return language
}

// isFEEL accepts the names that tools write for FEEL.
func isFEEL(language string) bool {
	l := strings.ToLower(strings.TrimSpace(language))
	return l == "" || l == "feel" || l == "s-feel" || strings.Contains(l, "omg.org/spec/feel") ||
		strings.Contains(l, "omg.org/spec/dmn") && strings.Contains(l, "feel")
}

func (r *reader) context(n *xmltree.Node) Expression {
	c := &Context{Box: r.box(n)}
	for _, e := range r.children(n) {
		if e.Local != "contextEntry" {
			continue
		}
		entry := Entry{Value: r.only(e), Variable: Variable{Place: placeOf(e)}}
		if v := r.child(e, "variable"); v != nil {
			entry.Variable = r.information(v)
		}
		if entry.Value == nil {
			r.problem(e, "dmn.expression.incomplete", "the entry %q of the context holds no expression", entry.Variable.Name)
			entry.Value = &Invalid{r.box(e)}
		}
		c.Entries = append(c.Entries, entry)
	}
	return c
}

func (r *reader) list(n *xmltree.Node) *List {
	l := &List{Box: r.box(n)}
	for _, c := range r.children(n) {
		if e := r.expression(c); e != nil {
			l.Items = append(l.Items, e)
		}
	}
	return l
}

func (r *reader) relation(n *xmltree.Node) Expression {
	rel := &Relation{Box: r.box(n)}
	for _, c := range r.children(n) {
		switch c.Local {
		case "column":
			rel.Columns = append(rel.Columns, r.information(c))
		case "row":
			row := r.list(c)
			if len(row.Items) != len(rel.Columns) {
				r.problem(c, "dmn.relation.width", "the row has %d expressions for %d columns", len(row.Items), len(rel.Columns))
				return &Invalid{rel.Box}
			}
			rel.Rows = append(rel.Rows, row)
		}
	}
	return rel
}

func (r *reader) function(n *xmltree.Node) *Function {
	f := &Function{Box: r.box(n), Kind: KindFEEL}
	switch kind := strings.TrimSpace(n.Attr("kind")); strings.ToUpper(strings.TrimPrefix(kind, "feel:")) {
	case "", "FEEL", "F":
	case "JAVA", "J":
		f.Kind = KindJava
	case "PMML", "P":
		f.Kind = KindPMML
	default:
		r.problem(n, "dmn.function.kind", "a function of kind %q is not known: FEEL, Java and PMML are", kind)
	}
	for _, c := range r.children(n) {
		if c.Local == "formalParameter" {
			f.Params = append(f.Params, r.information(c))
		} else if e := r.expression(c); e != nil && f.Body == nil {
			f.Body = e
		}
	}
	return f
}

func (r *reader) invocation(n *xmltree.Node) Expression {
	inv := &Invocation{Box: r.box(n), Called: r.only(n)}
	if inv.Called == nil {
		r.problem(n, "dmn.expression.incomplete", "the invocation does not say what it calls")
		return &Invalid{inv.Box}
	}
	for _, c := range r.children(n) {
		if c.Local != "binding" {
			continue
		}
		p := r.child(c, "parameter")
		if p == nil {
			r.problem(c, "dmn.expression.incomplete", "the binding has no <parameter>")
			return &Invalid{inv.Box}
		}
		inv.Bindings = append(inv.Bindings, Binding{Param: r.information(p), Value: r.only(c)})
	}
	return inv
}

func (r *reader) iteration(n *xmltree.Node, kind IterationKind, body string) Expression {
	it := &Iteration{Box: r.box(n), Kind: kind, Variable: name(n.Attr("iteratorVariable")), In: r.part(n, "in"), Body: r.part(n, body)}
	if in := r.child(n, "in"); in != nil {
		it.InType = r.typeRefOf(in)
	}
	if it.Variable == "" {
		r.problem(n, "dmn.expression.incomplete", "<%s> has no iteratorVariable", n.Local)
		return &Invalid{it.Box}
	}
	return it
}

// policies are the names of hit policies, in full and in the letters of tables.
var policies = map[string]HitPolicy{
	"": Unique, "UNIQUE": Unique, "U": Unique, "ANY": Any, "A": Any, "PRIORITY": Priority, "P": Priority, "FIRST": First, "F": First,
	"RULE ORDER": RuleOrder, "RULE_ORDER": RuleOrder, "R": RuleOrder, "OUTPUT ORDER": OutputOrder,
	"OUTPUT_ORDER": OutputOrder, "O": OutputOrder,
	"COLLECT": Collect, "C": Collect,
}

func (r *reader) table(n *xmltree.Node) Expression {
	t := &Table{Box: r.box(n), OutputLabel: n.Attr("outputLabel")}
	var ok bool
	if t.HitPolicy, ok = policies[strings.ToUpper(name(n.Attr("hitPolicy")))]; !ok {
		r.problem(n, "dmn.table.hit_policy", "the hit policy %q is not known", n.Attr("hitPolicy"))
		return &Invalid{t.Box}
	}
	switch a := Aggregation(strings.ToUpper(name(n.Attr("aggregation")))); a {
	case "", Sum, Min, Max, Count:
		t.Aggregation = a
	default:
		r.problem(n, "dmn.table.aggregation", "the aggregation %q is not known: SUM, MIN, MAX and COUNT are", a)
		return &Invalid{t.Box}
	}
	sound := true
	for _, c := range r.children(n) {
		switch c.Local {
		case "input":
			t.Inputs = append(t.Inputs, r.input(c))
		case "output":
			t.Outputs = append(t.Outputs, r.output(c))
		case "annotation":
			t.Annotations = append(t.Annotations, c.Attr("name"))
		case "rule":
			sound = r.rule(t, c) && sound
		}
	}
	if len(t.Outputs) == 0 {
		r.problem(n, "dmn.table.no_output", "the table has no output column")
		sound = false
	}
	if !sound {
		return &Invalid{t.Box}
	}
	return t
}

func (r *reader) input(n *xmltree.Node) Input {
	in := Input{Place: placeOf(n), Label: n.Attr("label")}
	if e := r.child(n, "inputExpression"); e != nil {
		in.Text, in.TypeRef, in.Language = r.text(e, "text"), r.typeRefOf(e), r.language(e)
		place := r.textPlace(e)
		in.Line, in.Column = place.Line, place.Column
	}
	if v := r.child(n, "inputValues"); v != nil {
		in.Values = r.tests(v)
	}
	if in.Label == "" {
		in.Label = in.Text
	}
	return in
}

func (r *reader) output(n *xmltree.Node) Output {
	o := Output{Place: placeOf(n), Name: name(n.Attr("name")), Label: n.Attr("label"), TypeRef: r.typeRefOf(n)}
	if v := r.child(n, "outputValues"); v != nil {
		o.Values = r.tests(v)
	}
	if d := r.child(n, "defaultOutputEntry"); d != nil {
		if l := r.literalText(d); l.Text != "" {
			o.Default = l
		}
	}
	return o
}

// rule reads a row; false where it does not fit the columns.
func (r *reader) rule(t *Table, n *xmltree.Node) bool {
	rule := Rule{Place: placeOf(n), Tests: make([]Tests, 0, len(t.Inputs)), Outputs: make([]Literal, 0, len(t.Outputs))}
	for _, c := range r.children(n) {
		switch c.Local {
		case "inputEntry":
			rule.Tests = append(rule.Tests, Tests{Place: r.textPlace(c), Text: r.text(c, "text"), Language: r.language(c)})
		case "outputEntry":
			rule.Outputs = append(rule.Outputs, *r.literalText(c))
		case "annotationEntry":
			rule.Annotations = append(rule.Annotations, r.text(c, "text"))
		}
	}
	if len(rule.Tests) != len(t.Inputs) || len(rule.Outputs) != len(t.Outputs) {
		r.problem(n, "dmn.table.width", "rule %d has %d conditions and %d results, the table has %d inputs and %d outputs",
			len(t.Rules)+1, len(rule.Tests), len(rule.Outputs), len(t.Inputs), len(t.Outputs))
		return false
	}
	t.Rules = append(t.Rules, rule)
	return true
}
