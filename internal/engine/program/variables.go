package program

import (
	"maps"
	"slices"
	"strings"

	"sextant/internal/lang/feel"
)

// Variable is a name that expressions of a process read and nothing in it
// writes, so that a start, a task or a job has to bring it; or one that a user
// task maps out, so that the person has to.
type Variable struct {
	Name string
	// Nodes are the elements that read it, in the order of the process.
	Nodes []*Node
	// Decides is true where only conditions of flows read it: then it is often
	// what a person or a job decides on the way.
	Decides bool
	// Values are the texts that conditions compare it with, in the order of the
	// process.
	Values []string

	asked bool
}

// Variables lists what the process reads from outside, by name. reads gives
// what else a node reads, such as the inputs of the service that it calls.
func (p *Program) Variables(reads func(*Node) []string) []Variable {
	f := finder{by: map[string]*Variable{}, written: map[string]bool{
		"loopCounter": true, "batch": true, "batchIndex": true, "row": true, "errorCode": true, "errorMessage": true}}
	for _, n := range p.Nodes {
		f.writes(n)
		for _, x := range n.expressions() {
			f.reads(n, false, x.Names()...)
		}
		f.reads(n, false, reads(n)...)
		if n.Human != nil {
			f.asks(n)
		}
		for _, out := range n.Outgoing {
			if x := p.Flows[out].Condition; x != nil {
				f.reads(n, true, x.Names()...)
				f.compares(x)
			}
		}
	}
	var all []Variable
	for _, name := range slices.Sorted(maps.Keys(f.by)) {
		if v := f.by[name]; v.asked || !f.written[name] {
			all = append(all, *f.by[name])
		}
	}
	return all
}

// Hears reports whether a message or a signal may bring variables.
func (p *Program) Hears() bool {
	return slices.ContainsFunc(p.Nodes, func(n *Node) bool { return n.Event != nil && n.Kind != SignalThrow && n.Kind != SignalEnd })
}

// Correlates reports whether a name is read to find out for which message a run waits.
func (p *Program) Correlates(name string) bool {
	return slices.ContainsFunc(p.Nodes, func(n *Node) bool {
		return n.Event != nil && n.Event.Correlation != nil && slices.Contains(n.Event.Correlation.Names(), name)
	})
}

// Reads reports whether an expression of the process reads a variable.
func (p *Program) Reads(name string) bool {
	for _, n := range p.Nodes {
		for _, x := range n.expressions() {
			if slices.Contains(x.Names(), name) {
				return true
			}
		}
		for _, m := range n.Outputs { // a task of a person maps out what he gives
			if m.Source.Expr != nil && slices.Contains(m.Source.Expr.Names(), name) {
				return true
			}
		}
		for _, in := range n.Ext.ServiceInputs {
			if in.From == "feel" && strings.Contains(in.Value, name) {
				return true
			}
		}
	}
	for _, f := range p.Flows {
		if f.Condition != nil && slices.Contains(f.Condition.Names(), name) {
			return true
		}
	}
	return false
}

type finder struct {
	by      map[string]*Variable
	written map[string]bool
}

func (f finder) reads(n *Node, decides bool, names ...string) {
	for _, name := range names {
		v := f.by[name]
		if v == nil {
			v = &Variable{Name: name, Decides: true}
			f.by[name] = v
		}
		v.Decides = v.Decides && decides
		if !slices.Contains(v.Nodes, n) {
			v.Nodes = append(v.Nodes, n)
		}
	}
}

// asks notes what a user task maps out: it is what the person gives.
func (f finder) asks(n *Node) {
	for _, m := range n.Outputs {
		if m.Source.Expr == nil {
			continue
		}
		f.reads(n, true, m.Source.Expr.Names()...)
		for _, name := range m.Source.Expr.Names() {
			f.by[name].asked = true
		}
	}
}

// compares notes which texts a condition compares its variables with.
func (f finder) compares(x *feel.Expr) {
	for _, name := range x.Names() {
		for _, value := range comparedWith(x, name) {
			if v := f.by[name]; !slices.Contains(v.Values, value) {
				v.Values = append(v.Values, value)
			}
		}
	}
}

// writes notes what a node sets: what is mapped, what a script or a loop gives,
// and the results of its service under its own id.
func (f finder) writes(n *Node) {
	for _, m := range append(slices.Clone(n.Inputs), n.Outputs...) {
		if len(m.Target) > 0 {
			f.written[m.Target[0]] = true
		}
	}
	if n.Script != nil {
		f.written[n.Script.Result] = true
	}
	if n.Decision != nil {
		f.written[n.Decision.Result] = true
	}
	if n.Loop != nil {
		f.written[n.Loop.InputElement], f.written[n.Loop.OutputCollection] = true, true
	}
	if n.Task != nil {
		f.written[n.ID] = true
	}
}

// expressions gives all that a node evaluates, without its flows.
func (n *Node) expressions() []*feel.Expr {
	var all []*feel.Expr
	add := func(exprs ...*feel.Expr) {
		for _, x := range exprs {
			if x != nil {
				all = append(all, x)
			}
		}
	}
	for _, m := range n.Inputs {
		add(m.Source.Expr)
	}
	for _, m := range n.Outputs {
		if n.Human == nil {
			add(m.Source.Expr)
		}
	}
	if n.Task != nil {
		add(n.Task.Type.Expr, n.Task.Retries.Expr)
	}
	if n.Human != nil {
		add(n.Human.Assignee.Expr, n.Human.CandidateGroups.Expr, n.Human.CandidateUsers.Expr, n.Human.Form.Expr,
			n.Human.Due.Expr, n.Human.FollowUp.Expr)
	}
	if n.Script != nil {
		add(n.Script.Expr)
	}
	if n.Timer != nil {
		add(n.Timer.Value.Expr)
	}
	if n.Decision != nil {
		add(n.Decision.ID.Expr)
	}
	if n.Call != nil {
		add(n.Call.Process.Expr)
	}
	if n.Event != nil {
		add(n.Event.Name.Expr, n.Event.Correlation)
	}
	if l := n.Loop; l != nil {
		add(l.Input, l.Cardinality, l.OutputElement, l.Completion)
	}
	return all
}
