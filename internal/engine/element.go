package engine

import (
	"encoding/json"
	"fmt"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// begin takes an element instance from Activating as far as it gets: into a
// wait, through to its end, or into an incident.
func (s *stepper) begin(el *state.Element) {
	node := s.p.Nodes[el.Node]
	if !s.awaitAll(el, node) {
		return
	}
	if el.Body {
		s.beginBody(el, node)
		return
	}
	if s.mapInputs(el, node) {
		of(node).work(s, el, node)
	}
}

// awaitAll has an element instance wait for its own event and for those on its
// boundary. In a loop each iteration has its own event, and the body the boundary. An
// event on a boundary has happened when it becomes an instance.
func (s *stepper) awaitAll(el *state.Element, node *program.Node) bool {
	if len(el.Timers)+len(el.Subscriptions) > 0 {
		return true // taken up again after an incident
	}
	if !el.Body && node.AttachedTo == program.None && !of(node).await(s, el, node) {
		return false
	}
	if el.Index > 0 && !el.Body {
		return true
	}
	for _, i := range node.Boundary {
		if b := s.p.Nodes[i]; !of(b).await(s, el, b) {
			return false
		}
	}
	return true
}

func (s *stepper) activate(el *state.Element) {
	el.Phase = state.Active
	s.run.Touch(el)
}

func (s *stepper) mapInputs(el *state.Element, node *program.Node) bool {
	for _, m := range node.Inputs {
		v, err := s.json(m.Source, el.Key)
		if err == nil {
			v, err = s.place(el.Key, m.Target, v)
		}
		if err != nil {
			s.incident(el, IncidentMapping, fmt.Sprintf("the input %s cannot be mapped: %s", joined(m.Target), err))
			return false
		}
		s.set(el.Key, m.Target[0], v)
		if s.full(el) {
			return false
		}
	}
	return true
}

func (s *stepper) mapOutputs(el *state.Element, node *program.Node) bool {
	for _, m := range node.Outputs {
		v, err := s.json(m.Source, el.Key)
		if err == nil {
			v, err = s.place(el.Parent, m.Target, v)
		}
		if err != nil {
			s.incident(el, IncidentMapping, fmt.Sprintf("the output %s cannot be mapped: %s", joined(m.Target), err))
			return false
		}
		s.propagate(el.Parent, m.Target[0], v)
		if s.full(el) {
			return false
		}
	}
	return true
}

func (s *stepper) propagateAll(scope *state.Element, vars Variables) {
	for _, name := range sortedNames(vars) {
		s.propagate(scope.Key, name, vars[name])
	}
}

// propagate sets a variable in the nearest scope that has it, else in the
// process.
func (s *stepper) propagate(scope state.Key, name string, v json.RawMessage) {
	for {
		if _, ok := s.run.Local(scope, name); ok {
			break
		}
		el := s.run.Elements[scope]
		if el == nil || el.Parent == 0 {
			break
		}
		scope = el.Parent
	}
	s.set(scope, name, v)
}

// finish ends the work of an element instance: outputs are mapped, timers are
// forgotten, its token moves on.
func (s *stepper) finish(el *state.Element) {
	node := s.p.Nodes[el.Node]
	if el.Phase != state.Completing {
		el.Phase = state.Completing
		s.run.Touch(el)
		if len(node.Handlers) > 0 {
			s.deafen(el)
		}
	}
	if el.Parent == 0 {
		s.end(el, Completed, "")
		return
	}
	if el.Body {
		s.finishBody(el, node)
		return
	}
	if !s.mapOutputs(el, node) {
		return
	}
	if el.Index > 0 {
		s.finishIteration(el, node)
		return
	}
	s.clear(el)
	s.leave(el, node.Outgoing)
}

// leave removes an element instance and sends its token along the flows.
func (s *stepper) leave(el *state.Element, flows []int32) {
	scope := s.run.Elements[el.Parent]
	s.fact(Fact{Kind: FactLeft, Node: el.Node, Key: el.Key})
	s.run.Remove(el)
	for _, f := range flows {
		s.take(f, scope)
	}
	s.consume(scope)
}

// end ends the run; whatever is still active is terminated.
func (s *stepper) end(root *state.Element, how, code string) {
	s.endWith(root, Effect{State: how, Code: code})
}

func (s *stepper) endWith(root *state.Element, e Effect) {
	e.Kind, e.Key = RunEnded, root.Key
	if root.Caller != nil && e.State == Completed {
		e.Variables = s.locals(root.Key)
	}
	s.terminateBelow(root)
	s.clear(root)
	s.run.Remove(root)
	s.ended = true
	s.fact(Fact{Kind: FactEnded, Key: root.Key, Text: e.State, Data: quoted(e.Code)})
	s.effect(e)
}

// locals are the variables of exactly one scope.
func (s *stepper) locals(scope state.Key) Variables {
	vars := Variables{}
	for _, n := range s.run.Names(scope) {
		vars[n], _ = s.run.Local(scope, n)
	}
	return vars
}

// terminateBelow ends everything within an element instance.
func (s *stepper) terminateBelow(el *state.Element) {
	if el.Children > 0 {
		below := map[state.Key][]*state.Element{}
		for _, e := range s.run.Sorted() {
			below[e.Parent] = append(below[e.Parent], e)
		}
		s.terminate(below, el)
	}
	s.count(el, -el.Children)
	el.Tokens, el.Joins = 0, nil
	s.run.Touch(el)
}

func (s *stepper) terminate(below map[state.Key][]*state.Element, el *state.Element) {
	for _, child := range below[el.Key] {
		s.terminate(below, child)
		s.clear(child)
		if child.Phase != state.Parked { // a token on its way has not come to anything
			s.fact(Fact{Kind: FactTerminated, Node: child.Node, Key: child.Key})
		}
		s.run.Remove(child)
	}
}

// clear withdraws everything that waits for an element instance.
func (s *stepper) clear(el *state.Element) {
	s.dropJob(el)
	s.dropTask(el)
	s.dropCall(el)
	s.dropIncident(el)
	s.forget(el)
}

// forget has an element instance wait for no event any more.
func (s *stepper) forget(el *state.Element) {
	s.disarm(el, nil)
	s.unsubscribe(el, nil)
}
