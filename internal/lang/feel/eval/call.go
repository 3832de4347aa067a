package eval

import (
	"errors"
	"fmt"
	"strings"

	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/infer"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

func (c *compiler) function(n *syntax.Function) code {
	pos := n.Place()
	if n.External {
		return func(r *run, _ *scope) value.Value {
			return r.warn(pos, "functions in other languages are not executed")
		}
	}
	params, types := make([]string, len(n.Params)), make([]*value.Type, len(n.Params))
	var wrong error
	for i, p := range n.Params {
		t, err := c.opts.Type(p.Type)
		if err != nil {
			wrong = err
		}
		params[i], types[i] = p.Name, t
	}
	result := infer.Of(n, infer.Env{Named: c.opts.Type})
	var body code
	c.within(params, func() { body = c.node(n.Body) })
	return func(r *run, s *scope) value.Value {
		if wrong != nil {
			return r.warn(pos, "%s", wrong)
		}
		f := &value.Function{Params: params, Types: types, Result: result.Result}
		f.Call = func(args []value.Value) value.Value {
			if !r.Enter() || !r.Spend(1) {
				return value.Null()
			}
			defer r.Leave()
			if len(args) != len(params) {
				return r.warn(pos, "the function wants %d arguments and got %d", len(params), len(args))
			}
			inner := s
			for i, p := range params {
				v, ok := types[i].Coerce(args[i])
				if !ok {
					return r.warn(pos, "%s is no %s, as the parameter %s has to be", args[i].Kind(), types[i], p)
				}
				inner = &scope{name: p, v: v, parent: inner}
			}
			return body(r, inner)
		}
		return value.NewFunction(f)
	}
}

func (c *compiler) call(n *syntax.Call) code {
	args := make([]code, len(n.Args))
	for i, a := range n.Args {
		args[i] = c.node(a)
	}
	names, pos := argumentNames(n), n.Place()
	if name, ok := n.Fn.(*syntax.Name); ok {
		if fn, ok := builtin.Lookup(name.Name); ok {
			return c.builtinCall(fn, n, args)
		}
	}
	if full, ok := c.free(n.Fn); ok {
		c.unknown = append(c.unknown, Warning{n.Fn.Pos(), fmt.Sprintf("there is no function %q", full)})
		if _, ok := n.Fn.(*syntax.Name); ok {
			return c.freeCall(full, n, args)
		}
	}
	fn := c.node(n.Fn)
	return func(r *run, s *scope) value.Value {
		return r.invoke(fn(r, s), values(r, s, args), names, pos)
	}
}

// freeCall calls a function that a variable may hold.
func (c *compiler) freeCall(name string, n *syntax.Call, args []code) code {
	c.seen[name] = true
	names, pos := argumentNames(n), n.Place()
	return func(r *run, s *scope) value.Value {
		given := values(r, s, args)
		v, ok := value.Null(), false
		if r.env.Lookup != nil {
			v, ok = r.env.Lookup(name)
		}
		if !ok {
			return r.warn(n.Fn.Pos(), "there is no function %q", name)
		}
		return r.invoke(v, given, names, pos)
	}
}

// builtinCall calls a built-in, unless a function of the same name hides it.
func (c *compiler) builtinCall(fn *builtin.Func, n *syntax.Call, args []code) code {
	names, pos := argumentNames(n), n.Place()
	if !c.hidden(fn.Name) {
		if v, ok := constant(fn, n); ok {
			return func(*run, *scope) value.Value { return v }
		}
		c.learnPattern(fn, n)
		return func(r *run, s *scope) value.Value { return r.builtinNamed(fn, values(r, s, args), names, pos) }
	}
	if c.opts.Brings != nil && c.opts.Brings(fn.Name) {
		c.seen[fn.Name] = true
	}
	return func(r *run, s *scope) value.Value {
		v, ok := s.find(fn.Name)
		if !ok && r.env.Lookup != nil {
			v, _ = r.env.Lookup(fn.Name)
		}
		if v.Kind() == value.KindFunction {
			return r.invoke(v, values(r, s, args), names, pos)
		}
		return r.builtinNamed(fn, values(r, s, args), names, pos)
	}
}

// free gives the name of a function, such as f or a.f, that the expression does
// not bring.
func (c *compiler) free(fn syntax.Node) (string, bool) {
	switch n := fn.(type) {
	case *syntax.Name:
		_, ok := builtin.Lookup(n.Name)
		return n.Name, !ok && !c.shadowed(n.Name)
	case *syntax.Path:
		of, ok := c.free(n.X)
		return of + "." + n.Name.Name, ok
	}
	return "", false
}

func argumentNames(n *syntax.Call) []string {
	if n.Names == nil {
		return nil
	}
	names := make([]string, len(n.Names))
	for i, id := range n.Names {
		names[i] = id.Name
	}
	return names
}

// constant computes once what a call such as date("2026-01-31") gives: its
// arguments are written out and it looks neither at the clock nor at zones.
func constant(fn *builtin.Func, n *syntax.Call) (value.Value, bool) {
	if !fn.Foldable() || n.Names != nil {
		return value.Null(), false
	}
	for _, a := range n.Args {
		if _, ok := a.(*syntax.Literal); !ok {
			return value.Null(), false
		}
	}
	v := fn.Invoke(&builtin.Call{Host: silent{}, MaxBytes: 1 << 10}, literals(n.Args))
	return v, !v.IsNull() // else it is evaluated, for its warning
}

// silent is a host for calls that are computed once.
type silent struct{}

func (silent) Warn(string, ...any)                      {}
func (silent) Spend(int64) bool                         { return true }
func (silent) Pattern(string) (*builtin.Pattern, error) { return nil, errors.ErrUnsupported }

// learnPattern compiles the regular expression that a call writes out.
func (c *compiler) learnPattern(fn *builtin.Func, n *syntax.Call) {
	text, ok := fn.PatternText(literals(n.Args))
	if !ok || n.Names != nil {
		return
	}
	p, err := builtin.CompilePattern(text)
	if err != nil {
		return // told when it is evaluated
	}
	if c.patterns == nil {
		c.patterns = map[string]*builtin.Pattern{}
	}
	c.patterns[text] = p
}

// literals gives the arguments that are written out, null for the others.
func literals(args []syntax.Node) []value.Value {
	out := make([]value.Value, len(args))
	for i, a := range args {
		if l, ok := a.(*syntax.Literal); ok {
			out[i] = l.Value
		}
	}
	return out
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

// builtin runs a built-in within the limits.
func (r *run) builtin(fn *builtin.Func, args []value.Value, pos int) value.Value {
	if !r.Spend(fn.Cost(args)) {
		return value.Null()
	}
	before := r.at
	r.at = pos
	c := builtin.Call{Host: r, Now: r.env.Now, Zone: r.zoneFinder(), Random: r.env.Random, MaxBytes: r.prog.limits.StringBytes}
	v := r.sized(fn.Invoke(&c, args))
	r.at = before
	return v
}
