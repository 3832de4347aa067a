package engine

import (
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// errorEnd throws an error; where nothing catches it the run has failed.
type errorEnd struct{ passing }

func (errorEnd) enter(s *stepper, node *program.Node, m move) {
	s.passed(node, m.scope)
	if !s.throwIn(m.scope, &thrown{code: node.Code}) {
		s.end(s.run.Root(), Failed, node.Code)
	}
}

// evaluates is so, since who catches the error is not known yet.
func (errorEnd) evaluates(*stepper, *program.Node, move) bool { return true }

// escalationThrow tells the scopes around of something. Where what catches it does
// not interrupt, or nothing does, the token goes on.
type escalationThrow struct{ passing }

func (escalationThrow) enter(s *stepper, node *program.Node, m move) {
	s.passed(node, m.scope)
	if t := (&thrown{code: node.Code, escalation: true}); s.throwIn(m.scope, t) && t.interrupted {
		return
	}
	s.pass(node, m.scope)
}

func (escalationThrow) evaluates(*stepper, *program.Node, move) bool { return true }

// escalationEnd is escalationThrow at the end of a path.
type escalationEnd struct{ escalationThrow }

// caught is an event that something thrown brings about.
type caught struct{ waiting }

func (caught) work(s *stepper, el *state.Element, _ *program.Node) { s.finish(el) }

func (caught) fits(node *program.Node, t *thrown) fit {
	switch node.Code {
	case t.code:
		return fitsExactly
	case "":
		return fitsAll
	}
	return fitsNot
}

// boundaryError takes the token of an activity in which an error was thrown,
// startError ends a scope in which one was.
type (
	boundaryError struct{ caught }
	startError    struct{ boundaryError }
)

func (e boundaryError) catches(node *program.Node, t *thrown) fit {
	if t.escalation {
		return fitsNot
	}
	return e.fits(node, t)
}

func (startError) enter(s *stepper, node *program.Node, m move) { startEvent{}.enter(s, node, m) }

// boundaryEscalation takes the token of an activity that tells of something, or
// sends another; startEscalation begins an event sub-process.
type (
	boundaryEscalation struct{ caught }
	startEscalation    struct{ boundaryEscalation }
)

func (e boundaryEscalation) catches(node *program.Node, t *thrown) fit {
	if !t.escalation {
		return fitsNot
	}
	return e.fits(node, t)
}

func (startEscalation) enter(s *stepper, node *program.Node, m move) { startEvent{}.enter(s, node, m) }

// thrown is a BPMN error or an escalation on its way outwards, or what a message or
// signal brings.
type thrown struct {
	code, message string
	vars          Variables
	escalation    bool
	plain         bool // a message or a signal: it brings its variables alone
	interrupted   bool // what caught it has ended where it was thrown
}

// throw looks for an event that catches what an element instance throws and lets it
// happen: on the boundary of the instance, in the event sub-processes of the scope
// around it, on the boundary of that, and so on outwards. At one place an event that
// names the code goes before one that catches all.
func (s *stepper) throw(el *state.Element, t *thrown) bool { return s.caught(s.catcher(el, t), t) }

// throwIn is throw for what a token within a scope throws.
func (s *stepper) throwIn(scope *state.Element, t *thrown) bool {
	if start := s.handler(scope, t); start != nil {
		return s.caught(place{scope, start}, t)
	}
	return s.throw(scope, t)
}

// place is where something is caught: by an event on the boundary of an element
// instance, or by the start event of an event sub-process within it.
type place struct {
	el    *state.Element
	event *program.Node
}

// catcher finds where something is caught that an element instance throws; a place
// without an event where it is not caught within the run.
func (s *stepper) catcher(el *state.Element, t *thrown) place {
	for cur := el; cur.Parent != 0; cur = s.run.Elements[cur.Parent] {
		if cur.Index == 0 || cur.Body { // the boundary events of an iteration sit on its body
			if b := s.best(s.p.Nodes[cur.Node].Boundary, t); b != nil {
				return place{cur, b}
			}
		}
		scope := s.run.Elements[cur.Parent]
		if start := s.handler(scope, t); start != nil {
			return place{scope, start}
		}
	}
	return place{}
}

func (s *stepper) caught(at place, t *thrown) bool {
	switch {
	case at.event == nil:
		return s.throwOut(t)
	case at.event.AttachedTo != program.None:
		s.reach(at.el, at.event, t)
	default:
		t.interrupted = at.event.Interrupting
		s.handle(at.el, at.event, t)
	}
	return true
}

// best is the event that fits best, the first of several that fit as well.
func (s *stepper) best(events []int32, t *thrown) *program.Node {
	var best *program.Node
	found := fitsNot
	for _, i := range events {
		e := s.p.Nodes[i]
		if f := of(e).catches(e, t); f > found {
			best, found = e, f
		}
	}
	return best
}

// reach lets an event on the boundary of an activity happen.
func (s *stepper) reach(el *state.Element, boundary *program.Node, t *thrown) {
	if boundary.Interrupting {
		if t != nil {
			t.interrupted = true
		}
		s.interrupt(el, boundary, t)
		return
	}
	scope := s.run.Elements[el.Parent]
	s.count(scope, 1)
	s.happen(boundary, scope, t)
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
	s.bring(event, t)
	s.begin(event)
}

// bring gives an event the variables of what was thrown.
func (s *stepper) bring(event *state.Element, t *thrown) {
	if t == nil {
		return
	}
	if !t.escalation && !t.plain {
		s.set(event.Key, "errorCode", quoted(t.code))
		s.set(event.Key, "errorMessage", quoted(t.message))
	}
	if s.p.Nodes[event.Node].Kind == program.EventSubProcess {
		s.setAll(event.Key, t.vars) // they are its own
		return
	}
	s.results(event, t.vars)
}
