package eval

import (
	"fmt"
	"slices"
	"strings"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/dmn/table"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// Kind is what a node is.
type Kind string

// The kinds of nodes.
const (
	KindInput     Kind = "input"
	KindDecision  Kind = "decision"
	KindKnowledge Kind = "knowledge"
	KindService   Kind = "service"
)

// Program is a compiled set of models. It is immutable and safe for concurrent
// use.
type Program struct {
	main     *unit
	units    []*unit
	problems []model.Problem
	told     map[model.Problem]bool
	tables   []Table
	checks   map[*value.Type][]*feel.Expr // of types, see typing
	deep     map[*value.Type]bool
	limits   feel.Limits
}

// unit is one model of the set.
type unit struct {
	def      *model.Definitions
	imports  []*imported
	types    *types
	nodes    []*Node
	byID     map[string]*Node
	byName   map[string][]*Node
	declared map[string]bool // names that stand for an element
}

// imported is another model under the name that it has here.
type imported struct {
	name string
	unit *unit
}

// Node is an input, decision, business knowledge model or decision service.
type Node struct {
	Kind Kind
	// Name is what people call it, ID what files refer to.
	Name, ID string
	// Model is the name of the model it belongs to.
	Model string
	// Type is that of its value; that of what a function gives.
	Type  *value.Type
	Place model.Place

	unit     *unit
	variable string // the name of its variable
	info     model.Variable
	needs    []need
	scope    map[string]*Node            // what it requires, by name
	remote   map[string]map[string]*Node // the same of imported models
	logic    code                        // nil where the file has none
	params   []param                     // of a function
	service  *service
	broken   bool
}

// need is something a node requires.
type need struct {
	name, model string // model is the name of the import, empty for its own
	node        *Node
}

type param struct {
	name string
	typ  *value.Type
	node *Node // the input or decision that it stands for, for services
}

type service struct{ outputs []*Node }

// Limits of one evaluation of decisions, where none are given.
const (
	defaultSteps = 2_000_000
	defaultDepth = 200
)

// Options change how models are compiled.
type Options struct {
	// Limits are those of one evaluation, all decisions together.
	Limits feel.Limits
}

// Compile compiles the first model with the others at hand for its imports. It
// always gives a program; Problems says what is wrong with it.
func Compile(models []*model.Definitions, o Options) *Program {
	p := &Program{limits: o.Limits, told: map[model.Problem]bool{}}
	if p.limits.Steps == 0 {
		p.limits.Steps = defaultSteps
	}
	if p.limits.Depth == 0 {
		p.limits.Depth = defaultDepth
	}
	l := &linker{program: p, models: models, units: map[*model.Definitions]*unit{}}
	if len(models) > 0 {
		p.main = l.unit(models[0])
	}
	for _, u := range p.units {
		l.declare(u)
	}
	names := newMembers(p.units)
	for _, u := range p.units {
		l.connect(u)
	}
	l.rings()
	compilers := make([]*compiler, len(p.units))
	shared := &typing{open: map[*value.Type]bool{}, checks: map[*value.Type][]*feel.Expr{}, deep: map[*value.Type]bool{}}
	p.checks = shared.checks
	for i, u := range p.units {
		c := &compiler{program: p, unit: u, members: names, node: &Node{}}
		u.types = newTypes(u, shared)
		u.types.wrong = c.report
		u.types.tests = c.typeTests
		compilers[i] = c
	}
	for _, c := range compilers {
		c.nodeTypes()
	}
	for _, c := range compilers {
		c.compile()
	}
	p.deep = shared.deep
	slices.SortStableFunc(p.problems, p.order)
	return p
}

// maxProblems bounds how many problems are kept.
const maxProblems = 1000

// tell adds a problem, once.
func (p *Program) tell(problem model.Problem) {
	if len(p.problems) < maxProblems && !p.told[problem] {
		p.told[problem] = true
		p.problems = append(p.problems, problem)
	}
}

// order puts problems into the order of models and lines.
func (p *Program) order(a, b model.Problem) int {
	place := func(x model.Problem) int {
		return slices.IndexFunc(p.units, func(u *unit) bool { return u.def.Name == x.Model })
	}
	if d := place(a) - place(b); d != 0 {
		return d
	}
	if a.Line != b.Line {
		return a.Line - b.Line
	}
	return a.Column - b.Column
}

// Problems lists what is wrong, in the order of the models and their lines; at
// most 1,000.
func (p *Program) Problems() []model.Problem { return p.problems }

// Table is a decision table and the node it lies in.
type Table struct {
	Node  *Node
	Table *table.Table
}

// checked tells whether a type or one within it has checks.
func (p *Program) checked(t *value.Type) bool { return p.deep[t] }

// Tables lists the decision tables of all models.
func (p *Program) Tables() []Table { return p.tables }

// Main is the first model, nil without one.
func (p *Program) Main() *model.Definitions {
	if p.main == nil {
		return nil
	}
	return p.main.def
}

// Nodes lists the nodes of the first model, those of a kind in the order of the
// file.
func (p *Program) Nodes() []*Node {
	if p.main == nil {
		return nil
	}
	return p.main.nodes
}

// FindIn finds a node by its name, else by its id, in the model with a namespace:
// the first model where it is empty.
func (p *Program) FindIn(namespace, name string, kinds ...Kind) (*Node, error) {
	u := p.main
	if namespace != "" {
		u = nil
		for _, other := range p.units {
			if other.def.Namespace == namespace {
				u = other
			}
		}
	}
	if u == nil {
		return nil, fmt.Errorf("there is no model %q", namespace)
	}
	is := func(n *Node) bool {
		for _, k := range kinds {
			if n.Kind == k {
				return true
			}
		}
		return len(kinds) == 0
	}
	name = strings.Join(strings.Fields(name), " ")
	for _, n := range u.byName[name] {
		if is(n) {
			return n, nil
		}
	}
	if n := u.byID[name]; n != nil && is(n) {
		return n, nil
	}
	return nil, fmt.Errorf("the model %q has no %s %q", u.def.Name, kindText(kinds), name)
}

func kindText(kinds []Kind) string {
	if len(kinds) == 0 {
		return "element"
	}
	parts := make([]string, len(kinds))
	for i, k := range kinds {
		parts[i] = string(k)
	}
	return strings.Join(parts, " or ")
}

// Broken reports whether the node cannot be computed.
func (n *Node) Broken() bool { return n.broken }

// Requires lists the nodes that the node requires directly.
func (n *Node) Requires() []*Node {
	all := make([]*Node, len(n.needs))
	for i := range n.needs {
		all[i] = n.needs[i].node
	}
	return all
}

// Params lists the parameters of a function: names with types.
func (n *Node) Params() []Param {
	all := make([]Param, len(n.params))
	for i, p := range n.params {
		all[i] = Param{p.name, p.typ}
	}
	return all
}

// Param is a parameter of a business knowledge model or service.
type Param struct {
	Name string
	Type *value.Type
}
