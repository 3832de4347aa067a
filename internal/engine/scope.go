package engine

import (
	"fmt"
	"slices"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// process is the process itself: the scope in which all else lies.
type process struct{ waiting }

func (process) work(s *stepper, el *state.Element, node *program.Node) { s.open(el, node) }

func (process) exits(*stepper, *program.Node, string) ([]int32, error) {
	return nil, fmt.Errorf("%w: a whole process cannot be skipped, cancel it", ErrRefused)
}

// subProcess is a scope within another.
type subProcess struct{ waiting }

func (subProcess) work(s *stepper, el *state.Element, node *program.Node) { s.open(el, node) }

// eventSubProcess is a scope that an event opens in the one around it.
type eventSubProcess struct{ waiting }

func (eventSubProcess) work(s *stepper, el *state.Element, node *program.Node) { s.open(el, node) }

// open begins a scope: its event sub-processes wait for their events, and a token
// stands in front of its start event.
func (s *stepper) open(el *state.Element, node *program.Node) {
	for _, i := range node.Handlers {
		start := s.p.Nodes[s.p.Nodes[i].Start]
		if !of(start).await(s, el, start) {
			return
		}
	}
	s.activate(el)
	if el.Start != 0 {
		s.spawn(el.Start, el)
		return
	}
	s.spawn(node.Start, el)
}

// opensLater reports whether the start of a process evaluates something, so that it
// has to wait for a turn of its own.
func (s *stepper) opensLater() bool {
	return slices.ContainsFunc(s.p.Nodes[0].Handlers, func(i int32) bool { return evaluating(s.p.Nodes[s.p.Nodes[i].Start]) })
}

// handle begins an event sub-process of a scope. One that interrupts ends all else
// within the scope, and is the last that the scope hears.
func (s *stepper) handle(scope *state.Element, start *program.Node, t *thrown) {
	if start.Interrupting {
		s.empty(scope)
		s.deafen(scope)
		s.dropIncident(scope)
		scope.Interrupted = true
		s.run.Touch(scope)
	}
	s.count(scope, 1)
	el := s.create(s.p.Nodes[start.Scope], scope)
	s.bring(el, t)
	s.begin(el)
}

// handler finds the event sub-process of a scope that fits best what was thrown.
func (s *stepper) handler(scope *state.Element, t *thrown) *program.Node {
	if scope.Interrupted || scope.Body || scope.Phase == state.Completing {
		return nil
	}
	var starts []int32
	for _, i := range s.p.Nodes[scope.Node].Handlers {
		starts = append(starts, s.p.Nodes[i].Start)
	}
	return s.best(starts, t)
}

// empty ends all that is active or on its way within a scope, which goes on.
func (s *stepper) empty(scope *state.Element) {
	s.queue = slices.DeleteFunc(s.queue, func(m move) bool { return m.scope == scope })
	s.terminateBelow(scope)
}

// deafen has a scope wait for none of the events of its event sub-processes.
func (s *stepper) deafen(scope *state.Element) {
	handles := func(node int32) bool { return node != scope.Node && s.p.Nodes[node].AttachedTo == program.None }
	s.disarm(scope, handles)
	s.unsubscribe(scope, handles)
}

// endEvaluates reports whether something is evaluated where a token is the last of
// its scope: that scope may end, and the one around it with that.
func (s *stepper) endEvaluates(scope *state.Element) bool {
	for ; scope != nil; scope = s.run.Elements[scope.Parent] {
		node := s.p.Nodes[scope.Node]
		if evaluating(node) {
			return true
		}
		if len(node.Outgoing) > 0 {
			return false // the token is looked at again
		}
	}
	return false
}

// terminateEnd ends the scope with all that is still active in it.
type terminateEnd struct{ passing }

func (terminateEnd) enter(s *stepper, node *program.Node, m move) {
	s.passed(node, m.scope)
	s.empty(m.scope)
	s.dropIncident(m.scope)
	s.finish(m.scope)
}
