package engine

import (
	"fmt"
	"slices"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/lang/feel/value"
)

// exclusiveGateway takes the first flow whose condition is true.
type exclusiveGateway struct{ passing }

func (exclusiveGateway) enter(s *stepper, node *program.Node, m move) {
	flow, message := s.choose(node, m.scope)
	if message != "" {
		s.incident(s.create(node, m.scope), IncidentCondition, message)
		return
	}
	s.passed(node, m.scope)
	if flow != program.None {
		s.take(flow, m.scope)
	}
	s.consume(m.scope)
}

// exits is the one flow that the person names, since no condition has chosen.
func (exclusiveGateway) exits(s *stepper, node *program.Node, flow string) ([]int32, error) {
	for _, f := range node.Outgoing {
		if s.p.Flows[f].ID == flow {
			return []int32{f}, nil
		}
	}
	return nil, fmt.Errorf("%w: name the flow to leave %s by; %q does not leave it", ErrRefused, node.ID, flow)
}

func (exclusiveGateway) evaluates(s *stepper, node *program.Node, _ move) bool {
	return slices.ContainsFunc(node.Outgoing, func(f int32) bool { return s.p.Flows[f].Condition != nil })
}

// choose finds the flow to leave an exclusive gateway by. Otherwise it tells the
// message of the incident.
func (s *stepper) choose(node *program.Node, scope *state.Element) (flow int32, message string) {
	if len(node.Outgoing) == 0 {
		return program.None, ""
	}
	for _, i := range node.Outgoing {
		f := s.p.Flows[i]
		if i == node.Default {
			continue
		}
		if f.Condition == nil {
			return i, ""
		}
		v, err := s.eval(f.Condition, scope.Key, nil)
		if err != nil {
			return 0, fmt.Sprintf("the condition of flow %s cannot be evaluated: %s", f.ID, err)
		}
		b, ok := value.AsBool(v)
		if !ok {
			return 0, fmt.Sprintf("the condition %q of flow %s %s", f.Condition.Source(), f.ID, s.unfit(f.Condition, v, "true or false"))
		}
		if b {
			return i, ""
		}
	}
	if node.Default != program.None {
		return node.Default, ""
	}
	return 0, "no condition of the gateway is true and it has no default flow"
}

// parallelGateway waits for a token on each flow that leads to it, and sends one
// along each that leaves it.
type parallelGateway struct{ passing }

// enter counts a token and lets the gateway fire when every incoming flow has one;
// further tokens on the same flow wait for another round.
func (parallelGateway) enter(s *stepper, node *program.Node, m move) {
	if len(node.Incoming) < 2 {
		s.passed(node, m.scope)
		s.pass(node, m.scope)
		return
	}
	scope := m.scope
	i := slices.IndexFunc(scope.Joins, func(j state.Join) bool { return j.Flow == m.flow })
	if i < 0 {
		scope.Joins = append(scope.Joins, state.Join{Flow: m.flow})
		i = len(scope.Joins) - 1
	}
	scope.Joins[i].Count++
	scope.Tokens++
	s.count(scope, -1)
	s.run.Touch(scope)
	arrived := 0
	for _, j := range scope.Joins {
		if s.leadsTo(j, node) {
			arrived++
		}
	}
	switch {
	case arrived == len(node.Incoming):
		s.release(node, scope)
	case scope.Children == 0:
		s.stuck(scope)
	}
}

// leadsTo reports whether tokens that have arrived wait at a gateway.
func (s *stepper) leadsTo(j state.Join, node *program.Node) bool {
	return j.Count > 0 && s.p.Flows[j.Flow].Target == node.Index
}

// release takes one token off each incoming flow and passes the gateway.
func (s *stepper) release(node *program.Node, scope *state.Element) {
	for i := range scope.Joins {
		if s.leadsTo(scope.Joins[i], node) {
			scope.Joins[i].Count--
			scope.Tokens--
		}
	}
	scope.Joins = slices.DeleteFunc(scope.Joins, func(j state.Join) bool { return j.Count == 0 })
	s.count(scope, 1)
	s.passed(node, scope)
	s.pass(node, scope)
}

// stuck raises an incident for a scope in which nothing is active any more while
// tokens wait at a join that can no longer fire.
func (s *stepper) stuck(scope *state.Element) {
	node := s.p.Nodes[s.p.Flows[scope.Joins[0].Flow].Target]
	s.incident(scope, IncidentDeadlock, fmt.Sprintf("the parallel gateway %s waits for a token that cannot come any more", node.ID))
}
