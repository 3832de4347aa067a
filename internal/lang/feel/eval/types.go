package eval

import (
	"fmt"

	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

func (c *compiler) instanceOf(n *syntax.InstanceOf) code {
	x, pos := c.node(n.X), n.Place()
	t, err := c.opts.Type(n.Type)
	return func(r *run, s *scope) value.Value {
		v := x(r, s)
		if err != nil {
			return r.warn(pos, "%s", err)
		}
		if !r.Spend(v.Weight() / 8) {
			return value.Null()
		}
		return value.Bool(t.Holds(v))
	}
}

// Type makes a type as written one of values; the error names the type that is
// not known.
func (o Options) Type(t *syntax.Type) (*value.Type, error) {
	if t == nil {
		return nil, nil
	}
	if o.Types != nil {
		if named, ok := o.Types(t.Name); ok {
			return named, nil
		}
	}
	out, ok := value.NamedType(t.Name)
	if !ok {
		return nil, fmt.Errorf("there is no type %q", t.Name)
	}
	args := make([]*value.Type, len(t.Args))
	for i, a := range t.Args {
		var err error
		if args[i], err = o.Type(a); err != nil {
			return nil, err
		}
	}
	switch out.Kind {
	case value.KindList, value.KindRange:
		if len(args) == 1 {
			out.Elem = args[0]
		}
	case value.KindContext:
		for i, f := range t.Fields {
			out.Fields = append(out.Fields, value.Field{Name: f.Name, Type: args[i]})
		}
	case value.KindFunction:
		var err error
		if out.Result, err = o.Type(t.Result); err != nil {
			return nil, err
		}
		if t.Result != nil {
			out.Params = args
		}
	}
	return out, nil
}

// mentions reports whether an expression uses a name anywhere.
func mentions(n syntax.Node, name string) bool {
	found := false
	walk(n, func(n syntax.Node) {
		if x, ok := n.(*syntax.Name); ok && x.Name == name {
			found = true
		}
	})
	return found
}

// walk visits a tree, its root first.
func walk(n syntax.Node, visit func(syntax.Node)) {
	if n == nil {
		return
	}
	visit(n)
	for _, c := range children(n) {
		walk(c, visit)
	}
}

func children(n syntax.Node) []syntax.Node {
	switch n := n.(type) {
	case *syntax.Unary:
		return []syntax.Node{n.X}
	case *syntax.Binary:
		return []syntax.Node{n.X, n.Y}
	case *syntax.Between:
		return []syntax.Node{n.X, n.Low, n.High}
	case *syntax.In:
		return append([]syntax.Node{n.X}, n.Tests...)
	case *syntax.Test:
		return []syntax.Node{n.X}
	case *syntax.Tests:
		return n.Tests
	case *syntax.If:
		return []syntax.Node{n.Cond, n.Then, n.Else}
	case *syntax.For:
		return append(sources(n.Iterators), n.Body)
	case *syntax.Quantified:
		return append(sources(n.Iterators), n.Body)
	case *syntax.List:
		return n.Items
	case *syntax.Context:
		var all []syntax.Node
		for _, e := range n.Entries {
			all = append(all, e.Value)
		}
		return all
	case *syntax.Filter:
		return []syntax.Node{n.X, n.F}
	case *syntax.Path:
		return []syntax.Node{n.X}
	case *syntax.Call:
		return append([]syntax.Node{n.Fn}, n.Args...)
	case *syntax.Function:
		return []syntax.Node{n.Body}
	case *syntax.Range:
		return []syntax.Node{n.Low, n.High}
	case *syntax.InstanceOf:
		return []syntax.Node{n.X}
	}
	return nil
}

func sources(its []syntax.Iterator) []syntax.Node {
	var all []syntax.Node
	for _, it := range its {
		all = append(all, it.In)
		if it.To != nil {
			all = append(all, it.To)
		}
	}
	return all
}
