// Package eval compiles FEEL trees to closures and runs them. It is total: what
// FEEL cannot answer becomes null with a warning; only a limit ends it.
package eval

import (
	"slices"

	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

// Program is a compiled expression. It is safe for concurrent use.
type Program struct {
	fn       code
	names    []string
	limits   Limits
	patterns map[string]*builtin.Pattern // the regular expressions it holds
	unknown  []Warning
}

type code func(r *run, s *scope) value.Value

// Options say how a tree is compiled.
type Options struct {
	Limits Limits
	// Types finds the types that the caller defines; nil where there are none.
	Types func(name string) (*value.Type, bool)
	// Brings reports whether the caller brings a variable of the name: it hides
	// the built-in function of that name where it holds a function too. nil where
	// variables are data.
	Brings func(name string) bool
}

// Compile compiles a tree.
func Compile(n syntax.Node, opts Options) *Program {
	c := &compiler{seen: map[string]bool{}, opts: opts}
	p := &Program{fn: c.node(n), limits: opts.Limits.WithDefaults(), patterns: c.patterns, unknown: c.unknown}
	for name := range c.seen {
		p.names = append(p.names, name)
	}
	slices.Sort(p.names)
	return p
}

// Names lists the variables that the expression may ask for, sorted.
func (p *Program) Names() []string { return slices.Clone(p.names) }

// Unknown lists the calls of functions that neither the language nor the
// expression brings: they give null unless a variable holds such a function.
func (p *Program) Unknown() []Warning { return slices.Clone(p.unknown) }

// Eval evaluates; the error is a *LimitError. A nil env is an empty one.
func (p *Program) Eval(env *Env) (value.Value, error) {
	if env == nil {
		env = &Env{}
	}
	r := &run{env: env, prog: p, Budget: env.Budget}
	if r.Budget == nil {
		r.own.limits = &p.limits
		r.Budget = &r.own
	}
	v := p.fn(r, nil)
	if r.err != nil {
		return value.Null(), r.err
	}
	return v, nil
}

type compiler struct {
	opts     Options
	seen     map[string]bool
	local    []string
	filters  int // how many filters the code lies in: their items bring names
	patterns map[string]*builtin.Pattern
	unknown  []Warning
}

// within compiles with local names.
func (c *compiler) within(names []string, fn func()) {
	n := len(c.local)
	c.local = append(c.local, names...)
	fn()
	c.local = c.local[:n]
}

// shadowed reports whether a name may have a local meaning.
func (c *compiler) shadowed(name string) bool {
	return c.filters > 0 || slices.Contains(c.local, name)
}

// hidden reports whether something else may have the name of a built-in.
func (c *compiler) hidden(name string) bool {
	return c.shadowed(name) || c.opts.Brings != nil && c.opts.Brings(name)
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
		return c.unary(n)
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
		return c.instanceOf(n)
	}
	return func(*run, *scope) value.Value { return value.Null() }
}

func (c *compiler) unary(n *syntax.Unary) code {
	x, pos := c.node(n.X), n.Place()
	return func(r *run, s *scope) value.Value {
		v := x(r, s)
		neg := value.Neg(v)
		if neg.IsNull() && !v.IsNull() {
			return r.warn(pos, "%s cannot be negated", v.Kind())
		}
		return neg
	}
}

// temporal reads a literal such as @"2026-01-31" once, unless it needs a zone.
func temporal(n *syntax.Temporal) code {
	text, pos := n.Text, n.Place()
	if v, err := builtin.ParseTemporal(text, nil); err == nil {
		return func(*run, *scope) value.Value { return v }
	}
	return func(r *run, _ *scope) value.Value {
		v, err := builtin.ParseTemporal(text, r.zoneFinder())
		if err != nil {
			return r.warn(pos, "%s", err)
		}
		return v
	}
}

func (c *compiler) name(n *syntax.Name) code {
	name, pos := n.Name, n.Place()
	local := slices.Contains(c.local, name)
	shadowed := c.shadowed(name)
	if !local {
		c.seen[name] = true
	}
	fn, isBuiltin := builtin.Lookup(name)
	return func(r *run, s *scope) value.Value {
		if shadowed {
			if v, ok := s.find(name); ok {
				return v
			}
		}
		if r.env.Lookup != nil {
			if v, ok := r.env.Lookup(name); ok {
				return v
			}
		}
		if isBuiltin {
			return r.reference(fn, pos)
		}
		return r.warn(pos, "there is no variable %q", name)
	}
}

// reference is a built-in as a value.
func (r *run) reference(fn *builtin.Func, pos int) value.Value {
	types, result := fn.Signature(nil)
	return value.NewFunction(&value.Function{Params: fn.Names(), Types: types,
		Result: result, Variadic: fn.Variadic(), Optional: fn.Optional(), Call: func(args []value.Value) value.Value {
			return r.builtin(fn, args, pos)
		}})
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
		if !r.Spend(int64(len(items))) {
			return value.Null()
		}
		out := make([]value.Value, len(items))
		for i, item := range items {
			out[i] = item(r, s)
		}
		return r.sized(value.NewList(out))
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
		key := e.Key.Name
		if _, ok := e.Value.(*syntax.Function); ok { // which may call itself
			c.local = append(c.local, key)
		}
		entries = append(entries, entry{key, c.node(e.Value)})
		c.local = append(c.local, key)
	}
	c.local = c.local[:mark]
	return func(r *run, s *scope) value.Value {
		if !r.Spend(int64(len(entries))) {
			return value.Null()
		}
		ctx := &value.Context{}
		inner := &scope{ctx: ctx, parent: s}
		for _, e := range entries {
			ctx.Put(e.key, e.fn(r, inner))
		}
		return r.sized(value.NewContext(ctx))
	}
}

func (c *compiler) interval(n *syntax.Range) code {
	low, high, pos := c.node(n.Low), c.node(n.High), n.Place()
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
