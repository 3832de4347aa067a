package eval

import (
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
}

func instanceOf(v value.Value, typ string) bool {
	typ = strings.TrimSpace(typ)
	if typ == "Any" {
		return !v.IsNull()
	}
	if typ == "Null" || typ == "null" {
		return v.IsNull()
	}
	base, inner, generic := strings.Cut(typ, "<")
	base = strings.TrimSpace(base)
	for _, k := range typeKinds[base] {
		if v.Kind() != k {
			continue
		}
		if l, ok := value.AsList(v); ok && generic {
			inner = strings.TrimSuffix(strings.TrimSpace(inner), ">")
			for _, item := range l {
				if !instanceOf(item, inner) {
					return false
				}
			}
		}
		return true
	}
	return false
}

// mentionsInput reports whether an expression uses "?".
func mentionsInput(n syntax.Node) bool {
	found := false
	walk(n, func(n syntax.Node) {
		if name, ok := n.(*syntax.Name); ok && name.Name == "?" {
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
