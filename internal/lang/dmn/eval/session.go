package eval

import (
	"fmt"
	"slices"
	"time"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// Env is what an evaluation may see besides its inputs.
type Env struct {
	// Now is what now() and today() give; they are null without it.
	Now time.Time
	// Zone finds time zones by IANA name; none are known without it.
	Zone func(name string) (*time.Location, error)
	// Random gives random bits; nothing is random without it.
	Random func() uint64
}

// run is what all sessions of one evaluation share.
type run struct {
	env      Env
	program  *Program
	budget   *feel.Budget
	warnings []Warning
	dropped  int      // warnings beyond those kept
	broken   []string // nodes with a mistake that were needed
	entries  int      // of the trace
	weight   int64    // of the values in the trace
}

// session holds the inputs and results of a node and of all it requires.
type session struct {
	*run
	values  map[*Node]value.Value
	remotes map[remote]value.Value
	extra   map[string]value.Value // inputs by names that stand for no element
	trace   *Step
	place   model.Place // of the expression that runs now
	owner   *Node
}

// remote is what a node sees of an imported model.
type remote struct {
	node *Node
	name string
}

// Spend counts work; false means that the evaluation is over.
func (r *run) Spend(steps int64) bool { return r.budget.Spend(steps) }

// frame is a chain of what an expression sees, the innermost first: a name, the
// entries of a context, or what a node requires.
type frame struct {
	parent *frame
	name   string
	v      value.Value
	ctx    *value.Context
	node   *Node
	s      *session // of the node
	env    *feel.Env
}

func (f *frame) find(name string) (value.Value, bool) {
	for ; f != nil; f = f.parent {
		switch {
		case f.node != nil:
			if v, ok := f.s.required(f.node, name); ok {
				return v, true
			}
		case f.ctx != nil:
			if v, ok := f.ctx.Get(name); ok {
				return v, true
			}
		case f.name == name:
			return f.v, true
		}
	}
	return value.Null(), false
}

// required is what a node sees under a name.
func (s *session) required(n *Node, name string) (value.Value, bool) {
	if other, ok := n.scope[name]; ok {
		return s.valueOf(other), true
	}
	if _, ok := n.remote[name]; ok {
		return s.imported(n, name), true
	}
	if n.unit.declared[name] {
		return value.Null(), false
	}
	v, ok := s.extra[name]
	return v, ok
}

// imported is a context of what a node requires of an imported model.
func (s *session) imported(n *Node, name string) value.Value {
	at := remote{n, name}
	if v, ok := s.remotes[at]; ok {
		return v
	}
	ctx := &value.Context{}
	for _, need := range n.needs {
		if need.model == name && s.Spend(1) {
			ctx.Put(need.name, s.valueOf(need.node))
		}
	}
	if s.remotes == nil {
		s.remotes = map[remote]value.Value{}
	}
	s.remotes[at] = value.NewContext(ctx)
	return s.remotes[at]
}

// valueOf is what a node is for those that require it; decisions are computed
// before.
func (s *session) valueOf(n *Node) value.Value {
	switch n.Kind {
	case KindKnowledge:
		return s.knowledge(n)
	case KindService:
		return s.serviceFunction(n)
	}
	return s.values[n]
}

// environment is what FEEL sees of a frame.
func (s *session) environment(f *frame) *feel.Env {
	if f.env == nil {
		f.env = &feel.Env{Lookup: f.find, Now: s.env.Now, Zone: s.env.Zone, Random: s.env.Random, Budget: s.budget, Warn: s.feelWarning}
	}
	return f.env
}

func (s *session) eval(x *feel.Expr, at model.Place, f *frame) value.Value {
	outer := s.place
	s.place = at
	v, err := x.Eval(s.environment(f))
	s.place = outer
	if err != nil {
		return value.Null()
	}
	return v
}

// conform makes a value one of a type, null where it is none.
func (s *session) conform(t *value.Type, v value.Value, at model.Place) value.Value {
	out, ok := s.coerce(t, v)
	if !ok {
		s.warn(at, "%s is not %s", describe(v), t)
	}
	return out
}

// coerce makes a value one of a type; false where it is none.
func (s *session) coerce(t *value.Type, v value.Value) (value.Value, bool) {
	if t == nil || v.IsNull() {
		return v, true
	}
	if !s.Spend(1 + v.Weight()/8) {
		return value.Null(), true
	}
	out, ok := t.Coerce(v)
	if ok && len(s.program.checks) > 0 && !s.check(t, out) {
		return value.Null(), false
	}
	return out, ok
}

// check evaluates the allowed values of a type and of those within it that are
// no constants.
func (s *session) check(t *value.Type, v value.Value) bool {
	if t == nil || v.IsNull() || !s.program.checked(t) {
		return true
	}
	for _, x := range s.program.checks[t] {
		b, ok := value.AsBool(s.eval(x, s.place, &frame{name: "?", v: v}))
		if !ok || !b {
			return false
		}
	}
	if l, ok := value.AsList(v); ok && t.Kind == value.KindList {
		return !slices.ContainsFunc(l, func(item value.Value) bool { return !s.check(t.Elem, item) })
	}
	if c, ok := value.AsContext(v); ok {
		return !slices.ContainsFunc(t.Fields, func(f value.Field) bool {
			entry, _ := c.Get(f.Name)
			return !s.check(f.Type, entry)
		})
	}
	return true
}

// describe writes a value for a message, in few words.
func describe(v value.Value) string {
	if v.Weight() > 64 {
		return v.Kind().String()
	}
	text := v.String()
	if r := []rune(text); len(r) > 40 {
		text = string(r[:40]) + "…"
	}
	return text
}

// sized checks a value that was built.
func (s *session) sized(v value.Value) value.Value {
	if !s.Spend(1 + v.Weight()/8) {
		return value.Null()
	}
	return v
}

// tableHost evaluates the expressions of a table in a frame.
type tableHost struct {
	*session
	frame *frame
}

// Eval evaluates an expression.
func (h *tableHost) Eval(x *feel.Expr, at model.Place) value.Value {
	return h.eval(x, at, h.frame)
}

// Test evaluates unary tests against an input.
func (h *tableHost) Test(x *feel.Expr, at model.Place, input value.Value) value.Value {
	return h.eval(x, at, &frame{parent: h.frame, name: "?", v: input})
}

// Coerce makes a value one of a type; false where it is none.
func (h *tableHost) Coerce(t *value.Type, v value.Value) (value.Value, bool) { return h.coerce(t, v) }

// Warn says why something became null.
func (h *tableHost) Warn(at model.Place, format string, args ...any) { h.warn(at, format, args...) }

// Warning says why something became null, and where.
type Warning struct {
	Model   string `json:"model,omitempty"`
	Owner   string `json:"owner,omitempty"`
	Element string `json:"element,omitempty"`
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
}

// maxWarnings bounds how many warnings an evaluation keeps.
const maxWarnings = 200

func (s *session) warn(at model.Place, format string, args ...any) {
	if len(s.warnings) >= maxWarnings {
		s.dropped++
		return
	}
	w := Warning{Element: at.ID, Line: at.Line, Message: fmt.Sprintf(format, args...)}
	if s.owner != nil {
		w.Model, w.Owner = s.owner.Model, s.owner.Name
	}
	s.warnings = append(s.warnings, w)
}

// cannot tells that a node with a mistake was needed.
func (s *session) cannot(n *Node) value.Value {
	if len(s.broken) < maxWarnings && !slices.Contains(s.broken, n.Name) {
		s.broken = append(s.broken, n.Name)
	}
	s.warn(n.Place, "%s cannot be computed: the model has a mistake there", n.Name)
	return value.Null()
}

func (s *session) feelWarning(w feel.Warning) {
	if len(s.warnings) >= maxWarnings {
		s.dropped++
		return
	}
	s.warn(s.place, "%s", w.Message)
}
