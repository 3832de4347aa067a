package infer

import (
	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

func (i *inference) list(n *syntax.List, s *Scope) *value.Type {
	var elem *value.Type
	for k, item := range n.Items {
		t := i.node(item, s)
		if k == 0 {
			elem = t
		} else {
			elem = either(elem, t)
		}
	}
	return value.ListType(elem)
}

func (i *inference) context(n *syntax.Context, s *Scope) *value.Type {
	t := &value.Type{Kind: value.KindContext}
	for _, e := range n.Entries {
		inner := s
		if _, ok := e.Value.(*syntax.Function); ok { // which may call itself
			inner = s.with(e.Key, nil)
		}
		entry := i.node(e.Value, inner)
		t.Fields = append(t.Fields, value.Field{Name: e.Key.Name, Type: entry})
		s = s.with(e.Key, entry)
	}
	return t
}

func (i *inference) function(n *syntax.Function, s *Scope) *value.Type {
	t := &value.Type{Kind: value.KindFunction, Params: make([]*value.Type, len(n.Params))}
	for k, p := range n.Params {
		if i.Named != nil && p.Type != nil {
			if named, err := i.Named(p.Type); err == nil {
				t.Params[k] = named
			}
		}
		s = s.with(p.Ident, t.Params[k])
	}
	result := i.node(n.Body, s)
	if !n.External {
		t.Result = result
	}
	return t
}

func (i *inference) interval(n *syntax.Range, s *Scope) *value.Type {
	return &value.Type{Kind: value.KindRange, Elem: either(i.node(n.Low, s), i.node(n.High, s))}
}

func (i *inference) iteration(n syntax.Node, s *Scope) *value.Type {
	switch n := n.(type) {
	case *syntax.For:
		inner := i.iterators(n.Iterators, s)
		partial := value.ListType(nil)
		return value.ListType(i.node(n.Body, inner.with(implicit("partial"), partial)))
	case *syntax.Quantified:
		i.node(n.Body, i.iterators(n.Iterators, s))
	}
	return value.SimpleType(value.KindBool)
}

func (i *inference) iterators(all []syntax.Iterator, s *Scope) *Scope {
	for _, it := range all {
		t := i.node(it.In, s)
		if it.To != nil {
			i.node(it.To, s)
		} else if t != nil && (t.Kind == value.KindList || t.Kind == value.KindRange) {
			t = t.Elem
		}
		s = s.with(it.Name, t)
	}
	return s
}

// filter gives a list, or an item where a number chooses it.
func (i *inference) filter(n *syntax.Filter, s *Scope) *value.Type {
	t := i.node(n.X, s)
	elem := t
	if t != nil && t.Kind == value.KindList {
		elem = t.Elem
	}
	inner := s.with(implicit("item"), elem)
	if elem != nil && elem.Kind == value.KindContext {
		for _, f := range elem.Fields {
			inner = inner.with(implicit(f.Name), f.Type)
		}
	}
	by := i.node(n.F, inner)
	switch {
	case t == nil || by == nil:
		return nil
	case by.Kind == value.KindNumber:
		return elem
	}
	return value.ListType(elem)
}

// properties are the parts that values of a kind have (DMN 1.5, 10.3.2.6).
var properties = map[value.Kind]map[string]value.Kind{
	value.KindDate: {"year": value.KindNumber, "month": value.KindNumber, "day": value.KindNumber, "weekday": value.KindNumber},
	value.KindDateTime: {"year": value.KindNumber, "month": value.KindNumber,
		"day": value.KindNumber, "weekday": value.KindNumber, "hour": value.KindNumber,
		"minute": value.KindNumber, "second": value.KindNumber, "time offset": value.KindDaysDuration, "timezone": value.KindString},
	value.KindTime: {"hour": value.KindNumber, "minute": value.KindNumber,
		"second": value.KindNumber, "time offset": value.KindDaysDuration, "timezone": value.KindString},
	value.KindDaysDuration:   {"days": value.KindNumber, "hours": value.KindNumber, "minutes": value.KindNumber, "seconds": value.KindNumber},
	value.KindMonthsDuration: {"years": value.KindNumber, "months": value.KindNumber},
	value.KindRange:          {"start included": value.KindBool, "end included": value.KindBool},
}

// Members lists what may stand behind a dot after a value of the type.
func Members(t *value.Type) []value.Field {
	if t == nil {
		return nil
	}
	switch t.Kind {
	case value.KindContext:
		return t.Fields
	case value.KindList:
		return Members(t.Elem)
	}
	var all []value.Field
	if t.Kind == value.KindRange {
		all = append(all, value.Field{Name: "start", Type: t.Elem}, value.Field{Name: "end", Type: t.Elem})
	}
	for name, kind := range properties[t.Kind] {
		all = append(all, value.Field{Name: name, Type: value.SimpleType(kind)})
	}
	return all
}

func member(t *value.Type, name string) *value.Type {
	if t == nil {
		return nil
	}
	if t.Kind == value.KindList {
		return value.ListType(member(t.Elem, name))
	}
	for _, f := range Members(t) {
		if f.Name == name {
			return f.Type
		}
	}
	return nil
}

func (i *inference) call(n *syntax.Call, s *Scope) *value.Type {
	given := make([]*value.Type, len(n.Args))
	for k, a := range n.Args {
		given[k] = i.node(a, s)
	}
	fn := i.node(n.Fn, s)
	if name, ok := n.Fn.(*syntax.Name); ok && n.Names == nil && s.Find(name.Name) == nil {
		if f, ok := builtin.Lookup(name.Name); ok && !i.variable(name.Name) {
			_, result := f.Signature(given)
			return result
		}
	}
	if fn == nil {
		return nil
	}
	return fn.Result
}

// variable reports whether the caller brings a variable of the name.
func (i *inference) variable(name string) bool {
	if i.Var == nil {
		return false
	}
	_, ok := i.Var(name)
	return ok
}
