package program

import (
	"regexp"
	"slices"

	"sextant/internal/lang/bpmn"
	"sextant/internal/lang/feel"
)

// Question is a variable that the person at a user task has to give.
type Question struct {
	Name string
	// Choices are the answers that the process tells apart, in the order of the
	// flows that they lead to; empty where any value does.
	Choices []Choice
	// Local questions are answered within the task alone: what the process knew
	// under that name before is no answer.
	Local bool
	// Decided questions are asked because of what gateways after the task read, not
	// by the task itself: what the start of a run gives is none.
	Decided bool
}

// Choice is an answer that a condition compares with, or one that stands for
// every other answer and leads to a default flow.
type Choice struct {
	Value string
	Title string // the name of its flow
	Else  bool
}

// Other is the answer that leads to a default flow which has neither a name nor
// an id that says something.
const Other = "other"

// Questions lists what a user task asks: what its outputs read, else what the
// gateways after it decide by and nothing in the process writes.
func (p *Program) Questions(n *Node) []Question {
	var all []Question
	ask := func(name string, local bool) {
		if !slices.ContainsFunc(all, func(q Question) bool { return q.Name == name }) {
			all = append(all, Question{Name: name, Local: local, Decided: len(n.Outputs) == 0, Choices: p.choices(n, name)})
		}
	}
	for _, m := range n.Outputs {
		if m.Source.Expr != nil {
			for _, name := range m.Source.Expr.Names() {
				ask(name, p.answered(n, name))
			}
		}
	}
	if len(n.Outputs) > 0 {
		return all
	}
	written := p.written()
	for _, g := range p.following(n) {
		for _, out := range g.Outgoing {
			if x := p.Flows[out].Condition; x != nil {
				for _, name := range x.Names() {
					if !written[name] {
						ask(name, p.returns(n))
					}
				}
			}
		}
	}
	return all
}

// answered reports whether a task writes a name itself: then an older value is an
// older answer.
func (p *Program) answered(n *Node, name string) bool {
	writes := func(m Mapping) bool { return len(m.Target) > 0 && m.Target[0] == name }
	return slices.ContainsFunc(n.Inputs, writes) || slices.ContainsFunc(n.Outputs, writes)
}

func (p *Program) written() map[string]bool {
	f := finder{written: map[string]bool{}}
	for _, n := range p.Nodes {
		f.writes(n)
	}
	return f.written
}

// following are the exclusive gateways that a token passes after a node before
// anything else is done.
func (p *Program) following(n *Node) []*Node {
	var all []*Node
	seen := map[int32]bool{}
	var walk func(*Node)
	walk = func(from *Node) {
		for _, out := range from.Outgoing {
			to := p.Nodes[p.Flows[out].Target]
			if seen[to.Index] || to.Kind != ExclusiveGateway && to.Kind != ParallelGateway {
				continue
			}
			seen[to.Index] = true
			if to.Kind == ExclusiveGateway {
				all = append(all, to)
			}
			walk(to)
		}
	}
	walk(n)
	return all
}

// returns reports whether a token can come to a node again.
func (p *Program) returns(n *Node) bool {
	seen := map[int32]bool{}
	next := []*Node{n}
	for len(next) > 0 {
		at := next[0]
		next = next[1:]
		outs := slices.Clone(at.Outgoing)
		for _, b := range at.Boundary {
			outs = append(outs, p.Nodes[b].Outgoing...)
		}
		for _, out := range outs {
			to := p.Flows[out].Target
			if to == n.Index {
				return true
			}
			if !seen[to] {
				seen[to] = true
				next = append(next, p.Nodes[to])
			}
		}
	}
	for scope := n.Scope; scope > 0; scope = p.Nodes[scope].Scope {
		if p.Nodes[scope].Loop != nil {
			return true
		}
	}
	return n.Loop != nil
}

// choices are the texts that the gateways after a task compare a name with, and
// the way that all others go; without such a gateway, those of the whole process.
func (p *Program) choices(n *Node, name string) []Choice {
	var all []Choice
	add := func(c Choice) {
		if !slices.ContainsFunc(all, func(o Choice) bool { return o.Value == c.Value }) {
			all = append(all, c)
		}
	}
	names := called(n, name)
	compared := func(x *feel.Expr) (values []string) {
		for _, name := range names {
			if slices.Contains(x.Names(), name) {
				values = append(values, comparedWith(x, name)...)
			}
		}
		return values
	}
	for _, g := range p.following(n) {
		only := true
		for _, out := range g.Outgoing {
			f := p.Flows[out]
			if f.Condition == nil {
				continue
			}
			values := compared(f.Condition)
			only = only && len(values) == 1 && len(f.Condition.Names()) == 1
			for _, v := range values {
				title := ""
				if len(values) == 1 {
					title = f.Name
				}
				add(Choice{Value: v, Title: title})
			}
		}
		if only && len(all) > 0 && g.Default >= 0 {
			f := p.Flows[g.Default]
			add(Choice{Value: otherwise(f), Title: f.Name, Else: true})
		}
	}
	if len(all) > 0 {
		return all
	}
	for _, f := range p.Flows {
		if f.Condition != nil {
			for _, v := range compared(f.Condition) {
				add(Choice{Value: v})
			}
		}
	}
	return all
}

// called gives what an answer is called: its own name, and those under which the
// task hands it on as it is.
func called(n *Node, name string) []string {
	names := []string{name}
	for _, m := range n.Outputs {
		if m.Source.Expr != nil && m.Source.Expr.Source() == name && len(m.Target) == 1 && m.Target[0] != name {
			names = append(names, m.Target[0])
		}
	}
	return names
}

// comparedWith gives the texts that an expression compares a name with.
func comparedWith(x *feel.Expr, name string) (values []string) {
	is := regexp.MustCompile(`(?:^|[^\w.])` + regexp.QuoteMeta(name) + `\s*=\s*"([^"\\]*)"`)
	for _, m := range is.FindAllStringSubmatch(x.Source(), -1) {
		values = append(values, m[1])
	}
	return values
}

// telling is an id that a person has given, as a modeler never makes them.
var telling = regexp.MustCompile(`^[a-z]+(?:-[a-z]+){0,2}$`)

// otherwise is the answer that goes by a default flow.
func otherwise(f *Flow) string {
	switch {
	case f.Name != "":
		return f.Name
	case telling.MatchString(f.ID):
		return f.ID
	}
	return Other
}

// document is what the author of an element says about it.
func document(n *bpmn.Node) string {
	if d := n.Child(bpmn.NamespaceBPMN, "documentation"); d != nil {
		return d.Content()
	}
	return ""
}
