package eval

import (
	"fmt"
	"slices"
	"strings"

	"sextant/internal/lang/dmn/model"
)

// linker joins models and their elements.
type linker struct {
	program *Program
	models  []*model.Definitions
	units   map[*model.Definitions]*unit
}

// MaxModels bounds how many models one set may hold.
const MaxModels = 200

// unit makes the unit of a model and of all it imports; a ring of imports ends
// where it closes.
func (l *linker) unit(d *model.Definitions) *unit {
	if u, ok := l.units[d]; ok {
		return u
	}
	u := &unit{def: d, byID: map[string]*Node{}, byName: map[string][]*Node{}, declared: map[string]bool{}}
	l.units[d] = u
	l.program.units = append(l.program.units, u)
	for _, p := range d.Problems {
		l.program.tell(p)
	}
	for _, imp := range d.Imports {
		other := l.find(imp)
		if other == nil && !model.IsModelNamespace(imp.Type) {
			l.wrong(d, model.Problem{Level: model.Caution, Code: "dmn.import.type", Owner: imp.Name},
				imp.Place, "the import %q is of type %q, which is not read: models of DMN are", imp.Name, imp.Type)
			continue
		}
		if other == nil {
			l.wrong(d, model.Problem{Level: model.Failure, Code: "dmn.import.missing", Owner: imp.Name},
				imp.Place, "there is no model with the namespace %q, which is imported as %q", imp.Namespace, imp.Name)
			continue
		}
		if len(l.program.units) >= MaxModels {
			l.wrong(d, model.Problem{Level: model.Failure, Code: "dmn.import.limit", Owner: imp.Name},
				imp.Place, "more than %d models import one another", MaxModels)
			return u
		}
		u.imports = append(u.imports, &imported{imp.Name, l.unit(other)})
		if imp.Name != "" {
			u.declared[imp.Name] = true
		}
	}
	return u
}

// wrong tells a problem; its level, code and owner are given.
func (l *linker) wrong(d *model.Definitions, p model.Problem, at model.Place, format string, args ...any) {
	p.Model, p.Element, p.Line, p.Column = d.Name, at.ID, at.Line, at.Column
	p.Message = fmt.Sprintf(format, args...)
	l.program.tell(p)
}

func (l *linker) find(imp *model.Import) *model.Definitions {
	for _, d := range l.models {
		if d.Namespace == imp.Namespace {
			return d
		}
	}
	return nil
}

// declare makes the nodes of a model.
func (l *linker) declare(u *unit) {
	d := u.def
	for _, in := range d.Inputs {
		l.node(u, &Node{Kind: KindInput, Name: in.Name, ID: in.ID, Place: in.Place, info: in.Variable})
	}
	for _, k := range d.Knowledge {
		l.node(u, &Node{Kind: KindKnowledge, Name: k.Name, ID: k.ID, Place: k.Place, info: k.Variable})
	}
	for _, s := range d.Services {
		l.node(u, &Node{Kind: KindService, Name: s.Name, ID: s.ID, Place: s.Place, info: s.Variable, service: &service{}})
	}
	for _, dec := range d.Decisions {
		l.node(u, &Node{Kind: KindDecision, Name: dec.Name, ID: dec.ID, Place: dec.Place, info: dec.Variable})
	}
}

func (l *linker) node(u *unit, n *Node) {
	n.unit, n.Model = u, u.def.Name
	n.scope, n.remote = map[string]*Node{}, map[string]map[string]*Node{}
	n.variable = n.info.Name
	if n.variable == "" {
		n.variable = n.Name
	}
	if n.Name != "" && u.declared[n.Name] {
		l.wrong(u.def, model.Problem{Level: model.Failure, Code: "dmn.duplicate_name", Owner: n.Name},
			n.Place, "the name %q is used twice: each element needs its own", n.Name)
	}
	u.declared[n.Name], u.declared[n.variable] = true, true
	u.nodes = append(u.nodes, n)
	for _, name := range []string{n.Name, n.variable} {
		if all := u.byName[name]; !slices.Contains(all, n) {
			u.byName[name] = append(all, n)
		}
	}
	if n.ID != "" && u.byID[n.ID] == nil {
		u.byID[n.ID] = n
	}
}

// connect resolves what the nodes of a model require.
func (l *linker) connect(u *unit) {
	at := 0
	next := func() *Node { at++; return u.nodes[at-1] }
	for range u.def.Inputs {
		next()
	}
	for _, k := range u.def.Knowledge {
		n := next()
		n.scope[n.variable], n.scope[n.Name] = n, n // which may call itself
		l.require(n, k.Knows, KindKnowledge, KindService)
	}
	for _, s := range u.def.Services {
		l.connectService(next(), s)
	}
	for _, d := range u.def.Decisions {
		n := next()
		l.require(n, d.Requires, KindInput, KindDecision)
		l.require(n, d.Knows, KindKnowledge, KindService)
	}
}

func (l *linker) require(n *Node, refs []model.Reference, kinds ...Kind) {
	for _, ref := range refs {
		other, name := l.resolve(n, ref, kinds...)
		if other == nil {
			continue
		}
		n.needs = append(n.needs, need{other.variable, name, other})
		if name == "" {
			n.scope[other.variable], n.scope[other.Name] = other, other
			continue
		}
		if n.remote[name] == nil {
			n.remote[name] = map[string]*Node{}
		}
		n.remote[name][other.variable] = other
	}
}

// resolve finds what a reference means, and the name of the import that it goes
// through.
func (l *linker) resolve(n *Node, ref model.Reference, kinds ...Kind) (*Node, string) {
	u, name := n.unit, ""
	if ref.Namespace != "" {
		u, name = l.through(n.unit, ref.Namespace)
	}
	if u != nil {
		if other := u.byID[ref.ID]; other != nil {
			for _, k := range kinds {
				if other.Kind == k {
					return other, name
				}
			}
			l.wrong(n.unit.def, model.Problem{Level: model.Failure, Code: "dmn.reference", Owner: n.Name},
				ref.Place, "%q is a %s, which cannot stand here", other.Name, other.Kind)
			return nil, ""
		}
	}
	l.wrong(n.unit.def, model.Problem{Level: model.Failure, Code: "dmn.reference", Owner: n.Name},
		ref.Place, "there is no %s with the id %q", kindText(kinds), strings.TrimPrefix(ref.Namespace+"#"+ref.ID, "#"))
	return nil, ""
}

// through finds the model of a namespace among the imports, directly or through
// those of another import: the name is that of the way.
func (l *linker) through(u *unit, namespace string) (*unit, string) {
	for _, imp := range u.imports {
		if imp.unit.def.Namespace == namespace {
			return imp.unit, imp.name
		}
	}
	for _, other := range l.program.units {
		if other.def.Namespace == namespace {
			return other, other.def.Name
		}
	}
	return nil, ""
}

func (l *linker) connectService(n *Node, s *model.Service) {
	for _, ref := range s.Outputs {
		if other, _ := l.resolve(n, ref, KindDecision); other != nil {
			n.service.outputs = append(n.service.outputs, other)
			n.needs = append(n.needs, need{node: other})
		}
	}
	for _, ref := range s.InputData {
		if other, _ := l.resolve(n, ref, KindInput); other != nil {
			n.params = append(n.params, param{name: other.variable, node: other})
		}
	}
	for _, ref := range s.InputDecisions {
		if other, _ := l.resolve(n, ref, KindDecision); other != nil {
			n.params = append(n.params, param{name: other.variable, node: other})
		}
	}
}

// rings finds decisions that require themselves; none of a ring can be computed.
func (l *linker) rings() {
	const (
		open = 1
		done = 2
	)
	state := map[*Node]int{}
	for _, u := range l.program.units {
		for _, n := range u.nodes {
			if n.Kind != KindDecision || state[n] != 0 {
				continue
			}
			path, at := []*Node{n}, []int{0}
			state[n] = open
			for len(path) > 0 {
				top := len(path) - 1
				n, i := path[top], at[top]
				if i == len(n.needs) {
					state[n] = done
					path, at = path[:top], at[:top]
					continue
				}
				at[top]++
				next := n.needs[i].node
				switch {
				case next.Kind != KindDecision:
				case state[next] == open:
					l.ring(path, next)
				case state[next] == 0:
					state[next] = open
					path, at = append(path, next), append(at, 0)
				}
			}
		}
	}
}

// ring marks the decisions of a ring, which begins with the one given.
func (l *linker) ring(path []*Node, first *Node) {
	from := len(path) - 1
	for from > 0 && path[from] != first {
		from--
	}
	names := make([]string, 0, 8)
	for i, n := range path[from:] {
		n.broken = true
		if i < 8 {
			names = append(names, n.Name)
		}
	}
	if len(path)-from > 8 {
		names = append(names, "…")
	}
	names = append(names, first.Name)
	l.wrong(first.unit.def, model.Problem{Level: model.Failure, Code: "dmn.cycle", Owner: first.Name},
		first.Place, "the decision requires itself: %s", strings.Join(names, " → "))
}
