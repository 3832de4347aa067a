// Package builtin holds the functions that FEEL brings (DMN 1.5, 10.3.4).
package builtin

import (
	"slices"
	"strings"
	"time"

	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

// Host is the evaluation that calls a function.
type Host interface {
	// Warn tells why the function gives null.
	Warn(format string, args ...any)
	// Spend counts work; false means that the evaluation is over.
	Spend(steps int64) bool
	// Pattern compiles a regular expression.
	Pattern(text string) (*Pattern, error)
}

// Call is what a function may see of the evaluation that calls it.
type Call struct {
	Host
	Now      time.Time
	Zone     func(name string) (*time.Location, error)
	Random   func() uint64
	MaxBytes int // of a string
}

// Step counts one piece of work; false means that the evaluation is over.
func (c *Call) Step() bool { return c.Spend(1) }

func (c *Call) null(format string, args ...any) value.Value {
	c.Warn(format, args...)
	return value.Null()
}

// Func is a function. Params are its parameter lists; a name that ends in "?"
// may be left out.
type Func struct {
	Name     string
	Params   [][]string
	variadic bool   // also takes its one list as separate arguments
	repeats  bool   // takes any number of arguments for its last parameter
	deep     bool   // walks through all of its arguments
	cost     int64  // steps beyond one
	picky    bool   // its overloads are told apart by the kinds of arguments
	scalar   []bool // the parameters that a list of one item stands for its item
	fn       func(c *Call, a []value.Value) value.Value
}

// Variadic reports whether the function also takes the items of its one list one
// by one.
func (f *Func) Variadic() bool { return f.variadic }

// Names lists the parameters of the first list.
func (f *Func) Names() []string {
	names := make([]string, len(f.Params[0]))
	for i, p := range f.Params[0] {
		names[i] = strings.TrimSuffix(p, "?")
	}
	return names
}

// Optional is how many of the parameters of the first list may be left out.
func (f *Func) Optional() int { return len(f.Params[0]) - required(f.Params[0]) }

// Cost is how many steps a call counts for: what it walks through.
func (f *Func) Cost(args []value.Value) int64 {
	cost := 1 + f.cost
	for _, a := range args {
		if f.deep {
			cost += a.Weight() / 8
		} else if l, ok := value.AsList(a); ok {
			cost += int64(len(l))
		} else if s, ok := value.AsString(a); ok {
			cost += int64(len(s) / 256)
		}
	}
	return cost
}

// Foldable reports whether the function gives the same for the same constants
// whatever the evaluation, so that a call of it can be computed once.
func (f *Func) Foldable() bool {
	switch f.Name {
	case "date", "time", "date and time", "duration", "number":
		return true
	}
	return false
}

// Lookup finds a function by name.
func Lookup(name string) (*Func, bool) {
	f, ok := functions[name]
	return f, ok
}

// SpacedNames gives the names that hold spaces, for the parser; also those of
// properties.
func SpacedNames() *syntax.Names { return spacedNames }

var spacedNames = spaced()

func spaced() *syntax.Names {
	names := []string{"time offset", "start included", "end included"}
	for name := range functions {
		names = append(names, name)
	}
	slices.Sort(names)
	return syntax.NewNames(names)
}

var functions = table(numeric, texts, lists, contexts, temporals, ranges)

func table(groups ...[]Func) map[string]*Func {
	all := map[string]*Func{}
	for _, g := range groups {
		for i := range g {
			g[i].scalar, g[i].picky = scalars(&g[i]), picky(&g[i])
			all[g[i].Name] = &g[i]
		}
	}
	return all
}

func picky(f *Func) bool {
	return slices.ContainsFunc(f.Params, func(params []string) bool {
		return slices.ContainsFunc(params, func(p string) bool {
			return p == "key" || p == "keys" || p == "range" || p == "range1" || p == "point1"
		})
	})
}

// scalars tells which parameters of a function take neither lists nor anything.
func scalars(f *Func) []bool {
	types, _ := f.Signature(nil)
	out := make([]bool, len(types))
	for i, t := range types {
		out[i] = t != nil && t.Kind != value.KindList
	}
	return out
}

// unwrapped gives the items of lists of one where a parameter takes no list
// (DMN 1.5, 10.3.2.9.4).
func (f *Func) unwrapped(args []value.Value) []value.Value {
	copied := false
	for i, a := range args {
		l, ok := value.AsList(a)
		if !ok || len(l) != 1 || i >= len(f.scalar) || !f.scalar[i] {
			continue
		}
		if !copied {
			args, copied = slices.Clone(args), true
		}
		args[i] = l[0]
	}
	return args
}

// Invoke calls the function with arguments by place.
func (f *Func) Invoke(c *Call, args []value.Value) value.Value {
	args = f.unwrapped(args)
	if f.variadic {
		if len(args) == 1 {
			if _, ok := value.AsList(args[0]); ok || args[0].IsNull() {
				return f.fn(c, args)
			}
		}
		if len(args) == 0 {
			return c.null("%s wants a list or values", f.Name)
		}
		return f.fn(c, []value.Value{value.NewList(args)})
	}
	for _, params := range f.Params {
		if (len(args) <= len(params) || f.repeats) && len(args) >= required(params) && (!f.picky || fits(params, args)) {
			return f.fn(c, args)
		}
	}
	return c.null("%s wants other arguments than these %d", f.Name, len(args))
}

// fits tells whether arguments by place suit the names of an overload.
func fits(params []string, args []value.Value) bool {
	for i, a := range args {
		if i < len(params) && !fitsName(params[i], a) {
			return false
		}
	}
	return true
}

func required(params []string) int {
	n := 0
	for _, p := range params {
		if !strings.HasSuffix(p, "?") {
			n++
		}
	}
	return n
}

// Place orders arguments that were given by name. Where two overloads have the
// same names, the one that has them in the order given is meant.
func Place(variants [][]string, args []value.Value, names []string) ([]value.Value, bool) {
	for _, inOrder := range []bool{true, false} {
		for _, params := range variants {
			if inOrder && (len(variants) == 1 || !slices.Equal(params, names)) {
				continue
			}
			if placed, ok := place(params, args, names); ok {
				return placed, true
			}
		}
	}
	return nil, false
}

func place(params []string, args []value.Value, names []string) ([]value.Value, bool) {
	placed := make([]value.Value, len(params))
	given := make([]bool, len(params))
	for i, name := range names {
		at := slices.IndexFunc(params, func(p string) bool { return strings.TrimSuffix(p, "?") == name })
		if at < 0 || given[at] || !fitsName(name, args[i]) {
			return nil, false
		}
		placed[at], given[at] = args[i], true
	}
	last := 0
	for i, p := range params {
		if !given[i] && !strings.HasSuffix(p, "?") {
			return nil, false
		}
		if given[i] {
			last = i + 1
		}
	}
	return placed[:last], true
}

// fitsName tells functions with several parameter lists apart, such as context
// put with a key or with keys, and includes with a point or with a range.
func fitsName(name string, v value.Value) bool {
	switch name {
	case "key":
		return v.Kind() != value.KindList
	case "keys":
		return v.Kind() == value.KindList || v.IsNull()
	case "point", "point1", "point2":
		return v.Kind() != value.KindRange
	case "range", "range1", "range2":
		return v.Kind() == value.KindRange
	}
	return true
}

// list gives an argument as a list; a single value is a list of one.
func list(v value.Value) ([]value.Value, bool) {
	if v.IsNull() {
		return nil, false
	}
	if l, ok := value.AsList(v); ok {
		return l, true
	}
	return []value.Value{v}, true
}

func arg(a []value.Value, i int) value.Value {
	if i < len(a) {
		return a[i]
	}
	return value.Null()
}

func one(params ...string) [][]string { return [][]string{params} }
