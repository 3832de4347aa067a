// Package gift remembers who gave a run of another which value, so that a step
// uses it with the rights that both have.
//
// A value is given when a person completes a task, takes a step up again or leaves
// one out, or publishes a message or a signal. It lies at a place: the scope of the run that the engine sets it in. A
// value that is given there again takes the place of the one before. What a
// process computes from a value is found by name alone (see trace.go): more than
// need be is held against who gave it, and never less.
//
// What was given is stored in the commit of the event that brings it. From before
// that event until after its commit it counts beside what was there, so that no
// step reads a value and misses who gave it.
package gift

import (
	"slices"

	"sextant/internal/domain/identity"
	"sextant/internal/engine"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// The kinds of what is given.
const (
	Variable = "variable"
	Input    = "input"  // of the service of one step, in place of its own
	Output   = "output" // to be written in place of that of the service
)

// Anywhere is the place of a value that may lie in any scope.
const Anywhere state.Key = 0

// Gift is a value that somebody gave. Without a giver it is one of the run's own
// requester, or of somebody who may do all that he may.
type Gift struct {
	Place  state.Key
	Kind   string
	Name   string
	Giver  string
	Node   string // the step whose input or output it is
	Label  string // what it was called when it was given
	Rights identity.Rights
}

func (g Gift) same(o Gift) bool { return g.Place == o.Place && g.Kind == o.Kind && g.Name == o.Name }

// Giving is what a person hands over with an event.
type Giving struct {
	Event engine.Event
	// Inputs and Outputs are the names of those that an incident is retried with.
	Inputs, Outputs []string
	// Chosen are the names of answers that the process itself has written down:
	// whoever chooses one has given nothing of his own.
	Chosen []string
	By     identity.Rights
	// Of are the rights of the run.
	Of identity.Rights
}

// In finds out what a giving is in a run as it is now: each value with the place
// where the engine will set it.
func (g Giving) In(r *state.Run, p *program.Program) []Gift {
	own := g.By.Cover(g.Of)
	var all []Gift
	add := func(place state.Key, kind, name, node string) {
		one := Gift{Place: place, Kind: kind, Name: name, Node: node, Label: name}
		if !own && !(kind == Variable && slices.Contains(g.Chosen, name)) {
			one.Giver, one.Rights = token(g.By), g.By
		}
		all = append(all, one)
	}
	switch ev := g.Event.(type) {
	case engine.TaskCompleted:
		el := r.Elements[ev.Element]
		if el == nil {
			return nil
		}
		for name := range ev.Variables {
			place := el.Key
			if len(p.Nodes[el.Node].Outputs) == 0 {
				place = outwards(r, el.Key, name)
			}
			add(place, Variable, name, "")
		}
	case engine.JobCompleted:
		el := r.JobHolder(ev.Job)
		if el == nil {
			return nil
		}
		for name := range ev.Variables {
			place := el.Key
			if len(p.Nodes[el.Node].Outputs) == 0 {
				place = outwards(r, el.Key, name)
			}
			add(place, Variable, name, "")
		}
	case engine.JobThrew:
		for name := range ev.Variables {
			add(Anywhere, Variable, name, "")
		}
	case engine.EventCame: // which of several elements takes it up is the engine's to know
		for name := range ev.Variables {
			add(Anywhere, Variable, name, "")
		}
	case engine.Skip:
		if el := r.Elements[ev.Element]; el != nil {
			for name := range ev.Variables {
				add(outwards(r, el.Parent, name), Variable, name, "")
			}
		}
	case engine.Resolve:
		el := stuck(r, ev.Incident)
		if el == nil {
			return nil
		}
		node := p.Nodes[el.Node]
		for name := range ev.Variables {
			add(resolved(r, el, node, name), Variable, name, "")
		}
		for _, name := range g.Inputs {
			add(el.Key, Input, name, node.ID)
		}
		for _, name := range g.Outputs {
			add(el.Key, Output, name, node.ID)
		}
	}
	return all
}

// resolved is the place of a value with which an incident is taken up again. Where
// the step maps its inputs anew it may be overwritten.
func resolved(r *state.Run, el *state.Element, n *program.Node, name string) state.Key {
	mapped := slices.ContainsFunc(n.Inputs, func(m program.Mapping) bool { return len(m.Target) > 0 && m.Target[0] == name })
	switch {
	case engine.Scoped(n.Kind) || el.Parent == 0:
		if el.Job == nil && mapped {
			return Anywhere
		}
		return el.Key
	case el.Parent != 0:
		return outwards(r, el.Parent, name)
	}
	return Anywhere
}

// outwards is where the engine sets a variable that goes out of a scope: the
// nearest that has it, else the process.
func outwards(r *state.Run, scope state.Key, name string) state.Key {
	for {
		if _, ok := r.Local(scope, name); ok {
			return scope
		}
		el := r.Elements[scope]
		if el == nil || el.Parent == 0 {
			return scope
		}
		scope = el.Parent
	}
}

func stuck(r *state.Run, incident state.Key) *state.Element {
	for _, el := range r.Elements {
		if el.Incident != nil && el.Incident.Key == incident {
			return el
		}
	}
	return nil
}
