package engine

import "sextant/internal/engine/program"

// startEvent is where a process or sub-process begins.
type startEvent struct{ passing }

func (startEvent) enter(s *stepper, node *program.Node, m move) {
	s.passed(node, m.scope)
	s.pass(node, m.scope)
}

// endEvent ends the path that leads to it.
type endEvent struct{ passing }

func (endEvent) enter(s *stepper, node *program.Node, m move) {
	s.passed(node, m.scope)
	s.consume(m.scope)
}
