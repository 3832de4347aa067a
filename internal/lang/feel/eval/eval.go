// Package eval compiles FEEL trees to closures and runs them. It is total: what
// FEEL cannot answer becomes null with a warning; only a limit ends it.
package eval

import (
	"fmt"
	"slices"
	"time"

	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

// Limits bound what one evaluation may cost.
type Limits struct {
	Steps       int // operations and iterations
	Depth       int // nested calls of user-defined functions
	ListSize    int // items of a list that an expression builds
	StringBytes int // bytes of a string that an expression builds
}

// LimitError says which limit an evaluation exceeded.
type LimitError struct {
	Limit string
	Max   int
}

// Error names the limit.
func (e *LimitError) Error() string {
	return fmt.Sprintf("the expression was stopped: more than %d %s", e.Max, e.Limit)
}

// Env is what an evaluation may see.
type Env struct {
	Lookup func(name string) (value.Value, bool)
	Now    time.Time
	Zone   func(name string) (*time.Location, error)
	Warn   func(pos int, message string)
	Limits Limits
}

// Program is a compiled expression. It is safe for concurrent use.
type Program struct {
	fn    code
	names []string
}

type code func(r *run, s *scope) value.Value

// run is one evaluation.
type run struct {
	env   *Env
	steps int
	depth int
	err   error
}

// scope is a chain of local names; a context brings all its entries.
type scope struct {
	name   string
	v      value.Value
	ctx    *value.Context
	parent *scope
}

func (s *scope) find(name string) (value.Value, bool) {
	for ; s != nil; s = s.parent {
		if s.ctx != nil {
			if v, ok := s.ctx.Get(name); ok {
				return v, true
			}
			continue
		}
		if s.name == name {
			return s.v, true
		}
	}
	return value.Null(), false
}

func (r *run) step() bool {
	r.steps++
	if r.steps > r.env.Limits.Steps {
		r.limit("steps", r.env.Limits.Steps)
	}
	return r.err == nil
}

func (r *run) limit(what string, limit int) {
	if r.err == nil {
		r.err = &LimitError{what, limit}
	}
}

func (r *run) warn(pos int, format string, args ...any) value.Value {
	if r.env.Warn != nil {
		r.env.Warn(pos, fmt.Sprintf(format, args...))
	}
	return value.Null()
}

// sized checks a value that an operation built.
func (r *run) sized(v value.Value) value.Value {
	switch v.Kind() {
	case value.KindString:
		if s, _ := value.AsString(v); len(s) > r.env.Limits.StringBytes {
			r.limit("bytes in a string", r.env.Limits.StringBytes)
			return value.Null()
		}
	case value.KindList:
		if l, _ := value.AsList(v); len(l) > r.env.Limits.ListSize {
			r.limit("items in a list", r.env.Limits.ListSize)
			return value.Null()
		}
	}
	return v
}

// Compile compiles a tree.
func Compile(n syntax.Node) *Program {
	c := &compiler{seen: map[string]bool{}}
	p := &Program{fn: c.node(n)}
	for name := range c.seen {
		p.names = append(p.names, name)
	}
	slices.Sort(p.names)
	return p
}

// Names lists the variables that the expression may ask for, sorted.
func (p *Program) Names() []string { return p.names }

// Eval evaluates; the error is a *LimitError.
func (p *Program) Eval(env *Env) (value.Value, error) {
	r := &run{env: env}
	v := p.fn(r, nil)
	if r.err != nil {
		return value.Null(), r.err
	}
	return v, nil
}

type compiler struct {
	seen  map[string]bool
	local []string
}

// within compiles with local names.
func (c *compiler) within(names []string, fn func()) {
	n := len(c.local)
	c.local = append(c.local, names...)
	fn()
	c.local = c.local[:n]
}

func (c *compiler) node(n syntax.Node) code {
	switch n := n.(type) {
	case *syntax.Literal:
		v := n.Value
		return func(*run, *scope) value.Value { return v }
	case *syntax.Temporal:
		return temporal(n)
	case *syntax.Name:
		return c.name(n)
	case *syntax.Unary:
		x, pos := c.node(n.X), n.Pos()
		return func(r *run, s *scope) value.Value {
			v := x(r, s)
			neg := value.Neg(v)
			if neg.IsNull() && !v.IsNull() {
				return r.warn(pos, "%s cannot be negated", v.Kind())
			}
			return neg
		}
	case *syntax.Binary:
		return c.binary(n)
	case *syntax.Between:
		return c.between(n)
	case *syntax.In:
		return c.in(n)
	case *syntax.Test:
		return c.comparisonRange(n)
	case *syntax.Tests:
		return c.cell(n)
	case *syntax.If:
		return c.conditional(n)
	case *syntax.For:
		return c.loop(n)
	case *syntax.Quantified:
		return c.quantified(n)
	case *syntax.List:
		return c.list(n)
	case *syntax.Context:
		return c.context(n)
	case *syntax.Filter:
		return c.filter(n)
	case *syntax.Path:
		return c.path(n)
	case *syntax.Call:
		return c.call(n)
	case *syntax.Function:
		return c.function(n)
	case *syntax.Range:
		return c.interval(n)
	case *syntax.InstanceOf:
		x, typ := c.node(n.X), n.Type
		return func(r *run, s *scope) value.Value { return value.Bool(instanceOf(x(r, s), typ)) }
	}
	return func(*run, *scope) value.Value { return value.Null() }
}

func temporal(n *syntax.Temporal) code {
	text, pos := n.Text, n.Pos()
	return func(r *run, _ *scope) value.Value {
		v, err := builtin.ParseTemporal(text, r.env.Zone)
		if err != nil {
			return r.warn(pos, "%s", err)
		}
		return v
	}
}

func (c *compiler) name(n *syntax.Name) code {
	name, pos := n.Name, n.Pos()
	if fn, ok := builtin.Lookup(name); ok && !slices.Contains(c.local, name) {
		return func(r *run, s *scope) value.Value {
			if v, ok := s.find(name); ok {
				return v
			}
			if r.env.Lookup != nil {
				if v, ok := r.env.Lookup(name); ok {
					return v
				}
			}
			return value.NewFunction(&value.Function{Params: fn.Params[0], Call: func(args []value.Value) value.Value { return r.builtin(fn, args, pos) }})
		}
	}
	if !slices.Contains(c.local, name) {
		c.seen[name] = true
	}
	return func(r *run, s *scope) value.Value {
		if v, ok := s.find(name); ok {
			return v
		}
		if r.env.Lookup != nil {
			if v, ok := r.env.Lookup(name); ok {
				return v
			}
		}
		return r.warn(pos, "there is no variable %q", name)
	}
}

func (c *compiler) conditional(n *syntax.If) code {
	cond, then, other := c.node(n.Cond), c.node(n.Then), c.node(n.Else)
	return func(r *run, s *scope) value.Value {
		if b, ok := value.AsBool(cond(r, s)); ok && b {
			return then(r, s)
		}
		return other(r, s)
	}
}

func (c *compiler) list(n *syntax.List) code {
	items := make([]code, len(n.Items))
	for i, item := range n.Items {
		items[i] = c.node(item)
	}
	return func(r *run, s *scope) value.Value {
		out := make([]value.Value, len(items))
		for i, item := range items {
			out[i] = item(r, s)
		}
		return value.NewList(out)
	}
}

func (c *compiler) context(n *syntax.Context) code {
	type entry struct {
		key string
		fn  code
	}
	entries := make([]entry, 0, len(n.Entries))
	mark := len(c.local)
	for _, e := range n.Entries {
		entries = append(entries, entry{e.Key, c.node(e.Value)})
		c.local = append(c.local, e.Key)
	}
	c.local = c.local[:mark]
	return func(r *run, s *scope) value.Value {
		ctx := &value.Context{}
		inner := &scope{ctx: ctx, parent: s}
		for _, e := range entries {
			ctx.Put(e.key, e.fn(r, inner))
		}
		return value.NewContext(ctx)
	}
}

func (c *compiler) interval(n *syntax.Range) code {
	low, high, pos := c.node(n.Low), c.node(n.High), n.Pos()
	lowOpen, highOpen := n.LowOpen, n.HighOpen
	return func(r *run, s *scope) value.Value {
		rng := value.Range{Low: low(r, s), High: high(r, s), LowOpen: lowOpen, HighOpen: highOpen}
		if rng.Low.IsNull() || rng.High.IsNull() {
			return r.warn(pos, "a bound of the interval is null")
		}
		if order, ok := value.Compare(rng.Low, rng.High); !ok || order > 0 {
			return r.warn(pos, "%s and %s are no bounds of an interval", rng.Low, rng.High)
		}
		return value.NewRange(rng)
	}
}
