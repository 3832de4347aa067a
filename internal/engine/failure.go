package engine

import (
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// errorEnd throws an error; where nothing catches it the run has failed.
type errorEnd struct{ passing }

func (errorEnd) enter(s *stepper, node *program.Node, m move) {
	s.passed(node, m.scope)
	if !s.throw(m.scope, thrown{code: node.ErrorCode}) {
		s.end(s.run.Root(), Failed, node.ErrorCode)
	}
}

// evaluates is so, since who catches the error is not known yet.
func (errorEnd) evaluates(*stepper, *program.Node, move) bool { return true }

// boundaryError takes the token of an activity in which an error was thrown.
type boundaryError struct{ waiting }

func (boundaryError) work(s *stepper, el *state.Element, _ *program.Node) { s.finish(el) }

func (boundaryError) catches(node *program.Node, t *thrown) fit {
	switch node.ErrorCode {
	case t.code:
		return fitsExactly
	case "":
		return fitsAll
	}
	return fitsNot
}

// thrown is a BPMN error on its way outwards.
type thrown struct {
	code, message string
	vars          Variables
}

// throw looks for a boundary event that catches the error, from an element
// instance outwards, and takes it. At one activity an event that names the code
// goes before one that catches all.
func (s *stepper) throw(el *state.Element, t thrown) bool {
	for cur := el; cur != nil; cur = s.run.Elements[cur.Parent] {
		if cur.Index > 0 && !cur.Body {
			continue // the boundary events of an iteration sit on its body
		}
		if b := s.catcher(s.p.Nodes[cur.Node], &t); b != nil {
			s.interrupt(cur, b, &t)
			return true
		}
	}
	return false
}

// catcher is the event on the boundary of a node that fits best, the first of
// several that fit as well.
func (s *stepper) catcher(node *program.Node, t *thrown) *program.Node {
	var best *program.Node
	found := fitsNot
	for _, i := range node.Boundary {
		b := s.p.Nodes[i]
		if f := of(b).catches(b, t); f > found {
			best, found = b, f
		}
	}
	return best
}

// interrupt ends an activity by one of its boundary events, which takes its
// token over.
func (s *stepper) interrupt(el *state.Element, boundary *program.Node, t *thrown) {
	scope := s.run.Elements[el.Parent]
	s.terminateBelow(el)
	s.clear(el)
	s.fact(Fact{Kind: FactTerminated, Node: el.Node, Key: el.Key})
	s.run.Remove(el)
	s.happen(boundary, scope, t)
}

// happen runs a boundary event whose token is counted in the scope already.
func (s *stepper) happen(boundary *program.Node, scope *state.Element, t *thrown) {
	event := s.create(boundary, scope)
	if t != nil {
		s.set(event.Key, "errorCode", quoted(t.code))
		s.set(event.Key, "errorMessage", quoted(t.message))
		s.results(event, t.vars)
	}
	s.begin(event)
}
