package eval

import (
	"time"

	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

type iterator struct {
	name   string
	in, to code
	pos    int
}

func (c *compiler) iterators(all []syntax.Iterator, body func()) []iterator {
	mark := len(c.local)
	out := make([]iterator, 0, len(all))
	for _, it := range all {
		i := iterator{name: it.Name.Name, in: c.node(it.In), pos: it.In.Place()}
		if it.To != nil {
			i.to = c.node(it.To)
		}
		out = append(out, i)
		c.local = append(c.local, it.Name.Name)
	}
	body()
	c.local = c.local[:mark]
	return out
}

// each calls visit with every combination; visit returns false to stop.
func each(r *run, s *scope, its []iterator, visit func(*scope) bool) bool {
	if len(its) == 0 {
		return visit(s)
	}
	it := its[0]
	return it.items(r, s, func(item value.Value) bool {
		return r.step() && each(r, &scope{name: it.name, v: item, parent: s}, its[1:], visit)
	})
}

// items visits what an iterator iterates over, without making a list of it.
func (it iterator) items(r *run, s *scope, visit func(value.Value) bool) bool {
	v := it.in(r, s)
	if it.to != nil {
		return r.span(v, it.to(r, s), it.pos, visit)
	}
	if rng, ok := value.AsRange(v); ok {
		if rng.LowOpen || rng.HighOpen {
			r.warn(it.pos, "only an interval with both its bounds can be iterated over")
			return false
		}
		return r.span(rng.Low, rng.High, it.pos, visit)
	}
	if v.IsNull() {
		r.warn(it.pos, "null cannot be iterated over")
		return false
	}
	items, ok := value.AsList(v)
	if !ok {
		return visit(v)
	}
	for _, item := range items {
		if !visit(item) {
			return false
		}
	}
	return true
}

// span counts from a number or date to another, up or down.
func (r *run) span(from, to value.Value, pos int, visit func(value.Value) bool) bool {
	a, ok1 := value.AsInt(from)
	b, ok2 := value.AsInt(to)
	first, ok3 := value.AsDate(from)
	last, ok4 := value.AsDate(to)
	dates := ok3 && ok4
	if dates {
		a, b = first.Unix()/86400, last.Unix()/86400
	} else if !ok1 || !ok2 {
		r.warn(pos, "%s and %s cannot be counted between", from.Kind(), to.Kind())
		return false
	}
	step := int64(1)
	if b < a {
		step = -1
	}
	for i := a; ; i += step {
		item := value.Int(i)
		if dates {
			d := time.Unix(i*86400, 0).UTC()
			item = value.NewDate(d.Year(), d.Month(), d.Day())
		}
		if !visit(item) {
			return false
		}
		if i == b {
			return true
		}
	}
}

func (c *compiler) loop(n *syntax.For) code {
	var body code
	its := c.iterators(n.Iterators, func() {
		c.within([]string{"partial"}, func() { body = c.node(n.Body) })
	})
	partial := mentions(n.Body, "partial")
	return func(r *run, s *scope) value.Value {
		var out value.Builder
		ok := each(r, s, its, func(inner *scope) bool {
			if out.Len() >= r.prog.limits.ListSize {
				r.limit("items in a list", r.prog.limits.ListSize)
				return false
			}
			if partial {
				inner = &scope{name: "partial", v: out.List(), parent: inner}
			}
			out.Add(body(r, inner))
			if out.Weight() > int64(r.prog.limits.ValueSize) {
				r.limit("parts in a value", r.prog.limits.ValueSize)
			}
			return r.err == nil
		})
		if !ok {
			return value.Null()
		}
		return r.sized(out.List())
	}
}

func (c *compiler) quantified(n *syntax.Quantified) code {
	var body code
	its := c.iterators(n.Iterators, func() { body = c.node(n.Body) })
	every := n.Every
	return func(r *run, s *scope) value.Value {
		out, unknown := value.Bool(every), false
		decided := false
		ok := each(r, s, its, func(inner *scope) bool {
			b, isBool := value.AsBool(body(r, inner))
			if isBool && b != every {
				out, decided = value.Bool(!every), true
				return false
			}
			unknown = unknown || !isBool
			return r.err == nil
		})
		if decided {
			return out
		}
		if !ok || unknown {
			return value.Null()
		}
		return out
	}
}

func (c *compiler) filter(n *syntax.Filter) code {
	x := c.node(n.X)
	var f code
	c.filters++
	c.within([]string{"item"}, func() { f = c.node(n.F) })
	c.filters--
	pos := n.Place()
	return func(r *run, s *scope) value.Value {
		v := x(r, s)
		if v.IsNull() {
			return v
		}
		items, ok := value.AsList(v)
		if !ok {
			items = []value.Value{v}
		}
		if len(items) == 0 {
			if f(r, itemScope(s, value.Null())).Kind() == value.KindNumber {
				return value.Null()
			}
			return value.NewList(nil)
		}
		var out []value.Value
		for i, item := range items {
			if !r.step() {
				return value.Null()
			}
			got := f(r, itemScope(s, item))
			if i == 0 && got.Kind() == value.KindNumber {
				return r.index(items, got, pos)
			}
			b, ok := value.AsBool(got)
			if !ok && !got.IsNull() {
				return r.warn(pos, "a filter is true or false, or a position, not %s", got.Kind())
			}
			if ok && b {
				out = append(out, item)
			}
		}
		return value.NewList(out)
	}
}

func itemScope(s *scope, item value.Value) *scope {
	inner := &scope{name: "item", v: item, parent: s}
	if ctx, ok := value.AsContext(item); ok {
		return &scope{ctx: ctx, parent: inner}
	}
	return inner
}

// index gives the item at a place, from 1, or from the end where negative.
func (r *run) index(items []value.Value, at value.Value, pos int) value.Value {
	i, ok := value.Whole(at)
	if ok && i < 0 {
		i += int64(len(items)) + 1
	}
	if !ok || i < 1 || i > int64(len(items)) {
		return r.warn(pos, "the list has no item %s", at)
	}
	return items[i-1]
}

func (c *compiler) path(n *syntax.Path) code {
	x, name, pos := c.node(n.X), n.Name.Name, n.Place()
	return func(r *run, s *scope) value.Value { return r.member(x(r, s), name, pos) }
}

func (r *run) member(v value.Value, name string, pos int) value.Value {
	if ctx, ok := value.AsContext(v); ok {
		if m, ok := ctx.Get(name); ok {
			return m
		}
		return r.warn(pos, "the context has no entry %q", name)
	}
	if l, ok := value.AsList(v); ok {
		out := make([]value.Value, 0, len(l))
		for _, item := range l {
			if !r.step() {
				return value.Null()
			}
			out = append(out, r.member(item, name, pos))
		}
		return value.NewList(out)
	}
	if m, ok := builtin.Property(v, name); ok {
		return m
	}
	return r.warn(pos, "%s has no property %q", v.Kind(), name)
}
