package eval

import (
	"strings"
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
		i := iterator{name: it.Name, in: c.node(it.In), pos: it.In.Pos()}
		if it.To != nil {
			i.to = c.node(it.To)
		}
		out = append(out, i)
		c.local = append(c.local, it.Name)
	}
	body()
	c.local = c.local[:mark]
	return out
}

// each calls visit with every combination; visit returns false to stop.
func each(r *run, s *scope, its []iterator, visit func(*scope) bool) bool {
	if len(its) == 0 {
		return r.step() && visit(s)
	}
	it := its[0]
	items, ok := it.items(r, s)
	if !ok {
		return false
	}
	for _, item := range items {
		if !each(r, &scope{name: it.name, v: item, parent: s}, its[1:], visit) {
			return false
		}
	}
	return true
}

func (it iterator) items(r *run, s *scope) ([]value.Value, bool) {
	v := it.in(r, s)
	if it.to != nil {
		return r.span(v, it.to(r, s), it.pos)
	}
	if l, ok := value.AsList(v); ok {
		return l, true
	}
	if rng, ok := value.AsRange(v); ok {
		return r.span(rng.Low, rng.High, it.pos)
	}
	if v.IsNull() {
		r.warn(it.pos, "null cannot be iterated over")
		return nil, false
	}
	return []value.Value{v}, true
}

// span counts from a number or date to another, up or down.
func (r *run) span(from, to value.Value, pos int) ([]value.Value, bool) {
	a, ok1 := value.AsInt(from)
	b, ok2 := value.AsInt(to)
	date1, ok3 := value.AsDate(from)
	date2, ok4 := value.AsDate(to)
	if ok3 && ok4 {
		a, b = date1.Unix()/86400, date2.Unix()/86400
	} else if !ok1 || !ok2 {
		r.warn(pos, "%s and %s cannot be counted between", from.Kind(), to.Kind())
		return nil, false
	}
	step := int64(1)
	if b < a {
		step = -1
	}
	if n := (b - a) * step; n < 0 || n >= int64(r.env.Limits.ListSize) {
		r.limit("items in a list", r.env.Limits.ListSize)
		return nil, false
	}
	var out []value.Value
	for i := a; i != b+step; i += step {
		if ok3 {
			d := time.Unix(i*86400, 0).UTC()
			out = append(out, value.NewDate(d.Year(), d.Month(), d.Day()))
			continue
		}
		out = append(out, value.Int(i))
	}
	return out, true
}

func (c *compiler) loop(n *syntax.For) code {
	var body code
	its := c.iterators(n.Iterators, func() {
		c.within([]string{"partial"}, func() { body = c.node(n.Body) })
	})
	return func(r *run, s *scope) value.Value {
		out := []value.Value{}
		ok := each(r, s, its, func(inner *scope) bool {
			if len(out) >= r.env.Limits.ListSize {
				r.limit("items in a list", r.env.Limits.ListSize)
				return false
			}
			out = append(out, body(r, &scope{name: "partial", v: value.NewList(out[:len(out):len(out)]), parent: inner}))
			return r.err == nil
		})
		if !ok {
			return value.Null()
		}
		return value.NewList(out)
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
	c.within([]string{"item"}, func() { f = c.node(n.F) })
	pos := n.Pos()
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
			if b, ok := value.AsBool(got); ok && b {
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

func (r *run) index(items []value.Value, at value.Value, pos int) value.Value {
	i, ok := value.AsInt(at)
	if ok && i < 0 {
		i += int64(len(items)) + 1
	}
	if !ok || i < 1 || i > int64(len(items)) {
		return r.warn(pos, "the list has no item %s", at)
	}
	return items[i-1]
}

func (c *compiler) path(n *syntax.Path) code {
	x, name, pos := c.node(n.X), n.Name, n.Pos()
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

func (c *compiler) function(n *syntax.Function) code {
	var body code
	c.within(n.Params, func() { body = c.node(n.Body) })
	params := n.Params
	return func(r *run, s *scope) value.Value {
		return value.NewFunction(&value.Function{Params: params, Call: func(args []value.Value) value.Value {
			r.depth++
			defer func() { r.depth-- }()
			if r.depth > r.env.Limits.Depth {
				r.limit("nested calls", r.env.Limits.Depth)
				return value.Null()
			}
			if !r.step() || len(args) != len(params) {
				return value.Null()
			}
			inner := s
			for i, p := range params {
				inner = &scope{name: p, v: args[i], parent: inner}
			}
			return body(r, inner)
		}})
	}
}

func (c *compiler) call(n *syntax.Call) code {
	args := make([]code, len(n.Args))
	for i, a := range n.Args {
		args[i] = c.node(a)
	}
	names, pos := n.Names, n.Pos()
	if name, ok := n.Fn.(*syntax.Name); ok {
		if fn, ok := builtin.Lookup(name.Name); ok {
			return func(r *run, s *scope) value.Value {
				if _, shadowed := s.find(name.Name); shadowed {
					v, _ := s.find(name.Name)
					return r.invoke(v, values(r, s, args), names, pos)
				}
				return r.builtinNamed(fn, values(r, s, args), names, pos)
			}
		}
	}
	fn := c.node(n.Fn)
	return func(r *run, s *scope) value.Value {
		return r.invoke(fn(r, s), values(r, s, args), names, pos)
	}
}

func values(r *run, s *scope, args []code) []value.Value {
	out := make([]value.Value, len(args))
	for i, a := range args {
		out[i] = a(r, s)
	}
	return out
}

func (r *run) invoke(v value.Value, args []value.Value, names []string, pos int) value.Value {
	fn, ok := value.AsFunction(v)
	if !ok {
		return r.warn(pos, "%s cannot be called", v.Kind())
	}
	if names != nil {
		placed, ok := builtin.Place([][]string{fn.Params}, args, names)
		if !ok {
			return r.warn(pos, "the function has the parameters %s", strings.Join(fn.Params, ", "))
		}
		args = placed
	}
	if len(args) != len(fn.Params) && fn.Params != nil {
		return r.warn(pos, "the function wants %d arguments and got %d", len(fn.Params), len(args))
	}
	if !r.step() {
		return value.Null()
	}
	return fn.Call(args)
}

func (r *run) builtinNamed(fn *builtin.Func, args []value.Value, names []string, pos int) value.Value {
	if names != nil {
		placed, ok := builtin.Place(fn.Params, args, names)
		if !ok {
			return r.warn(pos, "%s has no such parameters", fn.Name)
		}
		args = placed
	}
	return r.builtin(fn, args, pos)
}

func (r *run) builtin(fn *builtin.Func, args []value.Value, pos int) value.Value {
	if !r.step() {
		return value.Null()
	}
	total := 0
	for _, a := range args {
		if l, ok := value.AsList(a); ok {
			total += len(l)
		}
	}
	r.steps += total
	c := builtin.Call{Now: r.env.Now, Zone: r.env.Zone, Step: r.step, MaxBytes: r.env.Limits.StringBytes, Warn: func(format string, args ...any) { r.warn(pos, format, args...) }}
	return r.sized(fn.Invoke(&c, args))
}
