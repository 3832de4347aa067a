package engine

import (
	"fmt"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// startEvent is where a process or sub-process begins.
type startEvent struct{ passing }

func (startEvent) enter(s *stepper, node *program.Node, m move) {
	if message := s.mapStart(node, m.scope); message != "" {
		s.incident(s.create(node, m.scope), IncidentMapping, message)
		return
	}
	s.passed(node, m.scope)
	s.pass(node, m.scope)
}

// mapStart sets in the scope what a start event maps out, and says what cannot be.
func (s *stepper) mapStart(node *program.Node, scope *state.Element) string {
	for _, m := range node.Outputs {
		v, err := s.json(m.Source, scope.Key)
		if err == nil {
			v, err = s.place(scope.Key, m.Target, v)
		}
		if err != nil {
			return fmt.Sprintf("the output %s cannot be mapped: %s", joined(m.Target), err)
		}
		s.set(scope.Key, m.Target[0], v)
	}
	return ""
}

// endEvent ends the path that leads to it.
type endEvent struct{ passing }

func (endEvent) enter(s *stepper, node *program.Node, m move) {
	s.passed(node, m.scope)
	s.consume(m.scope)
}
