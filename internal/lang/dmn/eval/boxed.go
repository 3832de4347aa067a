package eval

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/value"
)

func (c *compiler) context(e *model.Context) code {
	type entry struct {
		name string
		fn   code
	}
	entries := make([]entry, 0, len(e.Entries))
	mark := len(c.scope.stack)
	for _, x := range e.Entries {
		own := x.Variable.Name
		_, recursive := x.Value.(*model.Function) // which may call itself
		if recursive {
			c.scope.push(own)
		}
		fn := c.expression(x.Value)
		entries = append(entries, entry{own, c.typed(fn, x.Variable.TypeRef, x.Variable.Place)})
		if !recursive {
			c.scope.push(own)
		}
	}
	c.scope.pop(mark)
	return func(s *session, f *frame) value.Value {
		ctx := &value.Context{}
		inner := &frame{parent: f, ctx: ctx}
		for _, x := range entries {
			if !s.Spend(1) {
				return value.Null()
			}
			v := x.fn(s, inner)
			if x.name == "" {
				return v
			}
			ctx.Put(x.name, v)
		}
		return s.sized(value.NewContext(ctx))
	}
}

func (c *compiler) list(items []model.Expression) code {
	fns := make([]code, len(items))
	for i, item := range items {
		fns[i] = c.expression(item)
	}
	return func(s *session, f *frame) value.Value {
		out := make([]value.Value, len(fns))
		for i, fn := range fns {
			if !s.Spend(1) {
				return value.Null()
			}
			out[i] = fn(s, f)
		}
		return s.sized(value.NewList(out))
	}
}

func (c *compiler) relation(e *model.Relation) code {
	rows := make([][]code, len(e.Rows))
	for i, row := range e.Rows {
		for j, item := range row.Items {
			rows[i] = append(rows[i], c.typed(c.expression(item), e.Columns[j].TypeRef, e.Columns[j].Place))
		}
	}
	return func(s *session, f *frame) value.Value {
		out := make([]value.Value, len(rows))
		for i, row := range rows {
			ctx := &value.Context{}
			for j, fn := range row {
				if !s.Spend(1) {
					return value.Null()
				}
				ctx.Put(e.Columns[j].Name, fn(s, f))
			}
			out[i] = value.NewContext(ctx)
		}
		return s.sized(value.NewList(out))
	}
}

func (c *compiler) conditional(e *model.Conditional) code {
	cond, then, other, at := c.expression(e.If), c.expression(e.Then), c.expression(e.Else), e.Place
	return func(s *session, f *frame) value.Value {
		v := cond(s, f)
		b, ok := value.AsBool(v)
		switch {
		case !ok && !v.IsNull():
			s.warn(at, "the condition is %s, not true or false", v.Kind())
			return value.Null()
		case b:
			return then(s, f)
		}
		return other(s, f)
	}
}

// Iterations go through the operators of FEEL, so that boxed and written ones
// mean the same; the body is a function for them.
var loops = map[model.IterationKind]*feel.Expr{
	model.KindFor:   mustCompile("for item in list return body(item, partial)"),
	model.KindSome:  mustCompile("some item in list satisfies body(item)"),
	model.KindEvery: mustCompile("every item in list satisfies body(item)"),
}

var filtering = mustCompile("list[body(item)]")

func mustCompile(text string) *feel.Expr {
	x, err := feel.Compile(text)
	if err != nil {
		panic(err)
	}
	return x
}

func (c *compiler) iteration(e *model.Iteration) code {
	in := c.typed(c.expression(e.In), e.InType, e.Place)
	local := []string{e.Variable}
	if e.Kind == model.KindFor {
		local = append(local, "partial")
	}
	var body code
	c.within(local, func() { body = c.expression(e.Body) })
	x, at := loops[e.Kind], e.Place
	return func(s *session, f *frame) value.Value {
		step := &value.Function{Params: local, Call: func(args []value.Value) value.Value {
			inner := f
			for i, name := range local {
				inner = &frame{parent: inner, name: name, v: args[i]}
			}
			return body(s, inner)
		}}
		if e.Kind == model.KindFor {
			return s.loop(x, at, in(s, f), step)
		}
		return s.asked(x, at, in(s, f), step)
	}
}

func (c *compiler) filter(e *model.Filter) code {
	in := c.expression(e.In)
	var match code
	c.within([]string{"item"}, func() { match = c.expression(e.Match) })
	at := e.Place
	return func(s *session, f *frame) value.Value {
		step := &value.Function{Params: []string{"item"}, Call: func(args []value.Value) value.Value {
			inner := &frame{parent: f, name: "item", v: args[0]}
			if ctx, ok := value.AsContext(args[0]); ok {
				inner = &frame{parent: inner, ctx: ctx}
			}
			return match(s, inner)
		}}
		return s.asked(filtering, at, in(s, f), step)
	}
}

// asked is loop where the body has to give true or false, or null for neither.
func (s *session) asked(x *feel.Expr, at model.Place, list value.Value, body *value.Function) value.Value {
	odd := value.Null()
	checked := &value.Function{Params: body.Params, Call: func(args []value.Value) value.Value {
		v := body.Call(args)
		if _, ok := value.AsBool(v); !ok && !v.IsNull() {
			odd, v = v, value.Null()
		}
		return v
	}}
	out := s.loop(x, at, list, checked)
	if !odd.IsNull() {
		s.warn(at, "what is asked of an item gives %s, not true or false", odd.Kind())
		return value.Null()
	}
	return out
}

// loop runs an operator over a list with a body.
func (s *session) loop(x *feel.Expr, at model.Place, list value.Value, body *value.Function) value.Value {
	ctx := &value.Context{}
	ctx.Put("list", list)
	ctx.Put("body", value.NewFunction(body))
	return s.eval(x, at, &frame{ctx: ctx})
}

func (c *compiler) params(list []model.Variable) []param {
	out := make([]param, len(list))
	for i, p := range list {
		out[i] = param{name: p.Name, typ: c.Type(p.TypeRef, p.Place)}
	}
	return out
}

// body compiles what a function computes, within its parameters.
func (c *compiler) body(e *model.Function) code {
	if e.Kind != model.KindFEEL {
		c.Problem(model.Caution, "dmn.function.foreign", e.Place, fmt.Sprintf("a function in %s is not run here: it gives null", e.Kind))
		at, kind := e.Place, e.Kind
		return func(s *session, _ *frame) value.Value {
			s.warn(at, "a function in %s is not run here", kind)
			return value.Null()
		}
	}
	if e.Body == nil {
		return nothing
	}
	list := make([]string, len(e.Params))
	outer := c.refs
	c.refs = maps.Clone(outer)
	for i, p := range e.Params {
		list[i], c.refs[p.Name] = p.Name, p.TypeRef
	}
	defer func() { c.refs = outer }()
	var fn code
	c.within(list, func() { fn = c.expression(e.Body) })
	return c.conforming(fn, resultType(c.Type(e.TypeRef, e.Place)), e.Place)
}

func (c *compiler) function(e *model.Function) code {
	fn := &callable{name: "the function", params: c.params(e.Params), result: resultType(c.Type(e.TypeRef, e.Place)),
		body: c.body(e), at: e.Place}
	return func(s *session, f *frame) value.Value { return s.function(fn, f) }
}

func (c *compiler) invocation(e *model.Invocation) code {
	args := make([]code, len(e.Bindings))
	for i, b := range e.Bindings {
		args[i] = nothing
		if b.Value != nil {
			args[i] = c.typed(c.expression(b.Value), b.Param.TypeRef, b.Param.Place)
		}
	}
	at := e.Place
	if l, ok := e.Called.(*model.Literal); ok && l.TypeRef == "" && !c.scope.has(l.Text) {
		if _, ok := builtin.Lookup(l.Text); ok {
			return c.builtinCall(l, e, args)
		}
	}
	called := c.expression(e.Called)
	return func(s *session, f *frame) value.Value {
		v := called(s, f)
		fn, ok := value.AsFunction(v)
		if !ok {
			s.warn(at, "%s cannot be called", v.Kind())
			return value.Null()
		}
		placed := make([]value.Value, len(fn.Params))
		for i, b := range e.Bindings {
			p := slices.Index(fn.Params, b.Param.Name)
			if p < 0 {
				s.warn(at, "the function has no parameter %q", b.Param.Name)
				return value.Null()
			}
			placed[p] = args[i](s, f)
		}
		if !s.Spend(1) {
			return value.Null()
		}
		return fn.Call(placed)
	}
}

// builtinCall is the invocation of a function of FEEL, which has parameters that
// may be left out.
func (c *compiler) builtinCall(l *model.Literal, e *model.Invocation, args []code) code {
	named := make([]string, len(args))
	for i, b := range e.Bindings {
		named[i] = fmt.Sprintf("%s: arg%d", b.Param.Name, i)
	}
	x, err := feel.Compile(l.Text + "(" + strings.Join(named, ", ") + ")")
	if err != nil {
		c.Problem(model.Failure, "dmn.feel", e.Place, fmt.Sprintf("%s has no such parameters: %s", l.Text, err))
		return nothing
	}
	at := e.Place
	return func(s *session, f *frame) value.Value {
		ctx := &value.Context{}
		for i, arg := range args {
			ctx.Put(fmt.Sprint("arg", i), arg(s, f))
		}
		return s.eval(x, at, &frame{ctx: ctx})
	}
}
