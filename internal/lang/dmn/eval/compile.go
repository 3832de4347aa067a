package eval

import (
	"fmt"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/dmn/table"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/value"
)

// code is a compiled boxed expression.
type code func(s *session, f *frame) value.Value

// compiler compiles the nodes of a model.
type compiler struct {
	program *Program
	unit    *unit
	members *members
	node    *Node             // the node that is being compiled
	scope   *names            // what the expression sees that is being compiled
	refs    map[string]string // types of parameters in force, by name
}

func (c *compiler) report(level model.Level, code string, at model.Place, owner, message string) {
	c.program.tell(model.Problem{Level: level, Code: code, Model: c.unit.def.Name,
		Owner: owner, Element: at.ID, Line: at.Line, Column: at.Column, Message: message})
}

// Problem tells what is wrong with the node that is being compiled.
func (c *compiler) Problem(level model.Level, code string, at model.Place, message string) {
	c.report(level, code, at, c.node.Name, message)
	if level == model.Failure && code != "dmn.type.unknown" {
		c.node.broken = true
	}
}

// typeTests compiles the allowed values of a type.
func (c *compiler) typeTests(t *model.Tests, owner string) *feel.Expr {
	x, err := feel.CompileUnaryTests(t.Text, feel.KnownNames(c.members.known(t.Text, newNames())...),
		feel.Types(c.unit.types.defined), feel.WithLimits(c.program.limits))
	if err != nil {
		c.report(model.Failure, "dmn.feel", placeWithin(t.Place, err), owner, fmt.Sprintf("%q is not FEEL: %s", shorten(t.Text), err))
		return nil
	}
	return x
}

// nodeTypes makes the types of all nodes, which others ask for.
func (c *compiler) nodeTypes() {
	for _, it := range c.unit.def.Items {
		c.unit.types.item(it)
	}
	for _, n := range c.unit.nodes {
		c.node = n
		n.Type = c.Type(n.info.TypeRef, n.info.Place)
		if n.Kind == KindKnowledge || n.Kind == KindService {
			n.Type = resultType(n.Type)
		}
	}
}

// resultType is what a function gives: the type of its variable may be that of
// the function or that of its result.
func resultType(t *value.Type) *value.Type {
	if t != nil && t.Kind == value.KindFunction {
		return t.Result
	}
	return t
}

// compile compiles the nodes.
func (c *compiler) compile() {
	at := 0
	next := func() *Node {
		c.node = c.unit.nodes[at]
		c.scope, c.refs = newNames(), map[string]string{}
		c.visible(c.node)
		at++
		return c.node
	}
	for range c.unit.def.Inputs {
		next()
	}
	for _, k := range c.unit.def.Knowledge {
		c.knowledge(next(), k)
	}
	for range c.unit.def.Services {
		n := next()
		for i := range n.params {
			n.params[i].typ = n.params[i].node.Type
		}
	}
	for _, d := range c.unit.def.Decisions {
		n := next()
		if d.Logic != nil {
			n.logic = c.expression(d.Logic)
		}
	}
}

// visible brings the names that the expressions of a node see into force.
func (c *compiler) visible(n *Node) {
	for name := range n.scope {
		c.scope.push(name)
	}
	for name := range n.remote {
		c.scope.push(name)
	}
}

func (c *compiler) knowledge(n *Node, k *model.Knowledge) {
	if k.Logic == nil {
		return
	}
	n.params = c.params(k.Logic.Params)
	if n.Type == nil {
		n.Type = resultType(c.Type(k.Logic.TypeRef, k.Logic.Place))
	}
	n.logic = c.body(k.Logic)
}

// Type makes the type that a reference names; nil for any.
func (c *compiler) Type(ref string, at model.Place) *value.Type {
	t := c.unit.types.ref(ref, at, c.node.Name)
	c.unit.types.checked(t)
	return t
}

// Domain are the unary tests that values of an input column pass: its own, or
// those of its type.
func (c *compiler) Domain(in *model.Input) string {
	if in.Values != nil {
		return in.Values.Text
	}
	ref := in.TypeRef
	if text := c.unit.types.allowed(c.refs[in.Text]); text != "" {
		return text
	}
	if n := c.node.scope[in.Text]; n != nil && n.unit == c.unit {
		if text := c.unit.types.allowed(n.info.TypeRef); text != "" {
			return text
		}
	}
	return c.unit.types.allowed(ref)
}

// Order are the values of an output column by priority: its own, or those of its
// type, for which that of the decision stands in where it is the only column.
func (c *compiler) Order(out *model.Output) string {
	if out.Values != nil {
		return out.Values.Text
	}
	ref := out.TypeRef
	if ref == "" && out.Name == "" {
		ref = c.node.info.TypeRef
	}
	return c.unit.types.allowed(ref)
}

// Expression compiles a FEEL expression where it stands.
func (c *compiler) Expression(text string, at model.Place) *feel.Expr {
	return c.feel(text, at, feel.Compile)
}

// Tests compiles unary tests where they stand.
func (c *compiler) Tests(text string, at model.Place) *feel.Expr {
	return c.feel(text, at, feel.CompileUnaryTests)
}

func (c *compiler) feel(text string, at model.Place, compile func(string, ...feel.Option) (*feel.Expr, error)) *feel.Expr {
	x, err := compile(text, feel.KnownNames(c.members.known(text, c.scope)...),
		feel.Types(c.unit.types.defined), feel.WithLimits(c.program.limits))
	if err != nil {
		c.Problem(model.Failure, "dmn.feel", placeWithin(at, err), fmt.Sprintf("%q is not FEEL: %s", shorten(text), err))
		return nil
	}
	c.checkNames(x, at)
	return x
}

// checkNames warns of names that nothing in force has. Names of members may come
// from the items of a filter.
func (c *compiler) checkNames(x *feel.Expr, at model.Place) {
	for _, name := range x.Names() {
		_, isBuiltin := builtin.Lookup(name)
		if isBuiltin || c.scope.has(name) || name == "?" || name == "item" || name == "partial" {
			continue
		}
		if c.unit.declared[name] {
			c.Problem(model.Caution, "dmn.variable.not_required", at, fmt.Sprintf("%q is not known here: add a requirement for it", name))
		} else if !c.members.all[name] {
			c.Problem(model.Caution, "dmn.variable.unknown", at,
				fmt.Sprintf("%q is no input, decision or entry of the model: it has to be given with the inputs", name))
		}
	}
}

// placeWithin is the place of a mistake within a text.
func placeWithin(at model.Place, err error) model.Place {
	e, ok := err.(*feel.Error)
	if !ok {
		return at
	}
	if e.Line > 1 {
		at.Column = e.Column
	} else {
		at.Column += e.Column - 1
	}
	at.Line += e.Line - 1
	return at
}

func shorten(text string) string {
	if r := []rune(text); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return text
}

// within compiles with more names.
func (c *compiler) within(list []string, compile func()) {
	mark := len(c.scope.stack)
	c.scope.push(list...)
	compile()
	c.scope.pop(mark)
}

func nothing(*session, *frame) value.Value { return value.Null() }

// expression compiles a boxed expression and sees that its value has its type.
func (c *compiler) expression(e model.Expression) code {
	if e == nil {
		return nothing
	}
	fn := c.untyped(e)
	if _, isFunction := e.(*model.Function); isFunction {
		return fn // the type is that of what it gives
	}
	return c.typed(fn, e.Type(), e.Where())
}

// typed sees that a value has a type.
func (c *compiler) typed(fn code, ref string, at model.Place) code {
	return c.conforming(fn, c.Type(ref, at), at)
}

func (c *compiler) conforming(fn code, t *value.Type, at model.Place) code {
	if t == nil {
		return fn
	}
	return func(s *session, f *frame) value.Value { return s.conform(t, fn(s, f), at) }
}

func (c *compiler) untyped(e model.Expression) code {
	switch e := e.(type) {
	case *model.Literal:
		return c.literal(e)
	case *model.Table:
		return c.table(e)
	case *model.Context:
		return c.context(e)
	case *model.List:
		return c.list(e.Items)
	case *model.Relation:
		return c.relation(e)
	case *model.Function:
		return c.function(e)
	case *model.Invocation:
		return c.invocation(e)
	case *model.Conditional:
		return c.conditional(e)
	case *model.Iteration:
		return c.iteration(e)
	case *model.Filter:
		return c.filter(e)
	}
	c.node.broken = true // a problem says why
	return nothing
}

func (c *compiler) literal(e *model.Literal) code {
	if e.Language != "" {
		c.Problem(model.Failure, "dmn.language", e.Place, fmt.Sprintf("the expression language %q is not evaluated: write FEEL", e.Language))
		return nothing
	}
	if e.Text == "" {
		c.Problem(model.Failure, "dmn.expression.incomplete", e.Place, "the expression is empty")
		return nothing
	}
	x, at := c.Expression(e.Text, e.Place), e.Place
	if x == nil {
		return nothing
	}
	return func(s *session, f *frame) value.Value { return s.eval(x, at, f) }
}

func (c *compiler) table(e *model.Table) code {
	t := table.Compile(e, c)
	c.program.tables = append(c.program.tables, Table{c.node, t})
	return func(s *session, f *frame) value.Value {
		h := &tableHost{session: s, frame: f}
		res := t.Eval(h)
		s.table(t, &res)
		return res.Value
	}
}
