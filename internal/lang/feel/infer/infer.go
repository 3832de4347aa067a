// Package infer tells the types of expressions without evaluating them, as far
// as the text shows them: what a function literal gives, and what an editor
// shows where the pointer rests.
package infer

import (
	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

// Env is what is known besides the text. All fields may be left empty.
type Env struct {
	// Var finds the type of a variable; nil where only its name is known.
	Var func(name string) (t *value.Type, ok bool)
	// Named makes a type as written one of values.
	Named func(*syntax.Type) (*value.Type, error)
	// Visit is told the type of every node, nil where it is not known, and the
	// names that are in force there; inner nodes come first.
	Visit func(n syntax.Node, t *value.Type, s *Scope)
}

// Scope is a chain of local names, the innermost first; nil is empty.
type Scope struct {
	Name   syntax.Ident // its Pos is -1 where nothing in the text declares it
	Type   *value.Type
	Parent *Scope
}

// Find gives the innermost declaration of a name, or nil.
func (s *Scope) Find(name string) *Scope {
	for ; s != nil; s = s.Parent {
		if s.Name.Name == name {
			return s
		}
	}
	return nil
}

func (s *Scope) with(name syntax.Ident, t *value.Type) *Scope { return &Scope{name, t, s} }

func implicit(name string) syntax.Ident { return syntax.Ident{Name: name, Pos: -1, End: -1} }

// Of tells the type of an expression; nil is an unknown one.
func Of(n syntax.Node, env Env) *value.Type {
	i := &inference{env}
	return i.node(n, nil)
}

type inference struct{ Env }

func (i *inference) node(n syntax.Node, s *Scope) *value.Type {
	if n == nil {
		return nil
	}
	t := i.typeOf(n, s)
	if i.Visit != nil {
		i.Visit(n, t, s)
	}
	return t
}

func (i *inference) typeOf(n syntax.Node, s *Scope) *value.Type {
	switch n := n.(type) {
	case *syntax.Literal:
		return value.SimpleType(n.Value.Kind())
	case *syntax.Temporal:
		return temporalType(n.Text)
	case *syntax.Name:
		return i.name(n.Name, s)
	case *syntax.Unary:
		return i.node(n.X, s)
	case *syntax.Binary:
		return arithmetic(n.Op, i.node(n.X, s), i.node(n.Y, s))
	case *syntax.If:
		i.node(n.Cond, s)
		return either(i.node(n.Then, s), i.node(n.Else, s))
	case *syntax.List:
		return i.list(n, s)
	case *syntax.Context:
		return i.context(n, s)
	case *syntax.Function:
		return i.function(n, s)
	case *syntax.Range:
		return i.interval(n, s)
	case *syntax.For, *syntax.Quantified:
		return i.iteration(n, s)
	case *syntax.Filter:
		return i.filter(n, s)
	case *syntax.Path:
		return member(i.node(n.X, s), n.Name.Name)
	case *syntax.Call:
		return i.call(n, s)
	case *syntax.Test:
		return &value.Type{Kind: value.KindRange, Elem: i.node(n.X, s)}
	}
	return i.truth(n, s)
}

// truth visits what is true or false.
func (i *inference) truth(n syntax.Node, s *Scope) *value.Type {
	switch n := n.(type) {
	case *syntax.Between:
		i.node(n.X, s)
		i.node(n.Low, s)
		i.node(n.High, s)
	case *syntax.In:
		input := s.with(implicit("?"), i.node(n.X, s))
		for _, t := range n.Tests {
			i.node(t, input)
		}
	case *syntax.Tests:
		for _, t := range n.Tests {
			i.node(t, s)
		}
	case *syntax.InstanceOf:
		i.node(n.X, s)
	}
	return value.SimpleType(value.KindBool)
}

func temporalType(text string) *value.Type {
	if v, err := builtin.ParseTemporal(text, nil); err == nil {
		return value.SimpleType(v.Kind())
	}
	return nil
}

func (i *inference) name(name string, s *Scope) *value.Type {
	if local := s.Find(name); local != nil {
		return local.Type
	}
	if i.Var != nil {
		if t, ok := i.Var(name); ok {
			return t
		}
	}
	if f, ok := builtin.Lookup(name); ok {
		params, result := f.Signature(nil)
		return &value.Type{Kind: value.KindFunction, Params: params, Result: result}
	}
	return nil
}

// arithmetic is the type of an operation.
func arithmetic(op string, x, y *value.Type) *value.Type {
	switch op {
	case "+", "-", "*", "/", "**":
		return calculated(op, x, y)
	}
	return value.SimpleType(value.KindBool)
}

func calculated(op string, x, y *value.Type) *value.Type {
	if x == nil || y == nil {
		return nil
	}
	duration := func(t *value.Type) bool {
		return t.Kind == value.KindDaysDuration || t.Kind == value.KindMonthsDuration
	}
	switch {
	case x.Kind == y.Kind && x.Kind == value.KindNumber, op == "+" && x.Kind == y.Kind && x.Kind == value.KindString:
		return x
	case op == "/" && duration(x) && x.Kind == y.Kind:
		return value.SimpleType(value.KindNumber)
	case op == "-" && !duration(x) && x.Kind == y.Kind && temporal(x):
		return value.SimpleType(value.KindDaysDuration)
	case duration(y) && (temporal(x) || duration(x)):
		return x
	case duration(x) && (temporal(y) || y.Kind == value.KindNumber && op != "+"):
		if y.Kind == value.KindNumber {
			return x
		}
		return y
	case x.Kind == value.KindNumber && duration(y) && op == "*":
		return y
	}
	return nil
}

func temporal(t *value.Type) bool {
	return t.Kind == value.KindDate || t.Kind == value.KindTime || t.Kind == value.KindDateTime
}

// either is the type of what is one or the other; nil where one is not known.
func either(a, b *value.Type) *value.Type {
	if a == nil || b == nil {
		return nil
	}
	if b.Conforms(a) {
		return a
	}
	if a.Conforms(b) {
		return b
	}
	return value.AnyType()
}
