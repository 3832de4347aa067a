package eval

import (
	"slices"
	"strings"

	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

var typeKinds = map[string][]value.Kind{
	"boolean":                   {value.KindBool},
	"number":                    {value.KindNumber},
	"string":                    {value.KindString},
	"date":                      {value.KindDate},
	"time":                      {value.KindTime},
	"date and time":             {value.KindDateTime},
	"days and time duration":    {value.KindDaysDuration},
	"years and months duration": {value.KindMonthsDuration},
	"list":                      {value.KindList},
	"context":                   {value.KindContext},
	"function":                  {value.KindFunction},
	"range":                     {value.KindRange},
	"Null":                      {value.KindNull},
	"null":                      {value.KindNull},
}

// typ is a type of FEEL. One without kinds is unknown and has no instances.
type typ struct {
	any    bool
	kinds  []value.Kind
	of     *typ    // what a list or range holds
	fields []field // what a context has at least
}

type field struct {
	name string
	typ  typ
}

func (c *compiler) instanceOf(n *syntax.InstanceOf) code {
	x := c.node(n.X)
	t, _ := readType(n.Type, 0)
	return func(r *run, s *scope) value.Value {
		v := x(r, s)
		if !r.Spend(v.Weight() / 8) {
			return value.Null()
		}
		return value.Bool(t.holds(v))
	}
}

const maxTypeDepth = 32

// readType reads a type such as list<context<a: number>>, and gives the text
// that follows it.
func readType(text string, depth int) (typ, string) {
	end := strings.IndexAny(text, "<>,")
	if end < 0 {
		end = len(text)
	}
	name, rest := strings.TrimSpace(text[:end]), text[end:]
	t := typ{any: name == "Any", kinds: typeKinds[name]}
	if !strings.HasPrefix(rest, "<") || depth > maxTypeDepth {
		return t, rest
	}
	rest = rest[1:]
	for rest != "" && rest[0] != '>' {
		var f field
		if name == "context" {
			key, after, _ := strings.Cut(rest, ":")
			f.name, rest = strings.TrimSpace(key), after
		}
		f.typ, rest = readType(rest, depth+1)
		if name == "context" {
			t.fields = append(t.fields, f)
		} else {
			t.of = &f.typ
		}
		rest = strings.TrimPrefix(rest, ",")
	}
	rest = strings.TrimPrefix(rest, ">")
	if name == "function" { // what it takes and gives is not known
		t.of = nil
		if after := strings.TrimSpace(rest); strings.HasPrefix(after, "->") {
			_, rest = readType(after[2:], depth+1)
		}
	}
	return t, rest
}

func (t typ) holds(v value.Value) bool {
	if t.any {
		return !v.IsNull()
	}
	if !slices.Contains(t.kinds, v.Kind()) {
		return false
	}
	if t.of != nil {
		if l, ok := value.AsList(v); ok {
			return !slices.ContainsFunc(l, func(item value.Value) bool { return !t.of.holds(item) })
		}
		if r, ok := value.AsRange(v); ok {
			return (r.Low.IsNull() || t.of.holds(r.Low)) && (r.High.IsNull() || t.of.holds(r.High))
		}
	}
	if ctx, ok := value.AsContext(v); ok {
		return !slices.ContainsFunc(t.fields, func(f field) bool {
			entry, has := ctx.Get(f.name)
			return !has || !entry.IsNull() && !f.typ.holds(entry)
		})
	}
	return true
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
