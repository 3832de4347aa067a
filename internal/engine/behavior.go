package engine

import (
	"encoding/json"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// behavior is what the elements of one kind do. The stepper knows tokens, scopes
// and instances; all that differs from kind to kind stands in the behavior, which
// is embedded from passing or waiting and says what is its own.
type behavior interface {
	// enter takes a token that has come to the node. It is counted in the scope.
	enter(s *stepper, node *program.Node, m move)
	// await has an instance wait for the event of a node: its own, or that of an
	// event on its boundary. False says that it has an incident instead.
	await(s *stepper, el *state.Element, node *program.Node) bool
	// work does what an instance is for, once its inputs are mapped.
	work(s *stepper, el *state.Element, node *program.Node)
	// catches reports how well an event on a boundary fits what was thrown.
	catches(node *program.Node, t *thrown) fit
	// given sets what a person gives with the end of an incident.
	given(s *stepper, el *state.Element, vars Variables)
	// resume goes on where an incident stopped an instance.
	resume(s *stepper, el *state.Element, node *program.Node)
	// exits are the flows by which an instance leaves that a person skips.
	exits(s *stepper, node *program.Node, flow string) ([]int32, error)
	// evaluates reports whether a token that enters comes upon expressions of
	// others than the node.
	evaluates(s *stepper, node *program.Node, m move) bool
}

// behaviors has one for each kind.
var behaviors = [...]behavior{
	program.Process:            process{},
	program.StartEvent:         startEvent{},
	program.EndEvent:           endEvent{},
	program.ErrorEnd:           errorEnd{},
	program.TimerCatch:         timerCatch{},
	program.BoundaryTimer:      boundaryTimer{},
	program.BoundaryError:      boundaryError{},
	program.ServiceTask:        serviceTask{},
	program.UserTask:           userTask{},
	program.ScriptTask:         scriptTask{},
	program.ExclusiveGateway:   exclusiveGateway{},
	program.ParallelGateway:    parallelGateway{},
	program.SubProcess:         subProcess{},
	program.DecisionTask:       decisionTask{},
	program.PlainTask:          plainTask{},
	program.PassEvent:          startEvent{},
	program.TerminateEnd:       terminateEnd{},
	program.EscalationThrow:    escalationThrow{},
	program.EscalationEnd:      escalationEnd{},
	program.BoundaryEscalation: boundaryEscalation{},
	program.EventSubProcess:    eventSubProcess{},
	program.StartTimer:         startTimer{},
	program.StartError:         startError{},
	program.StartEscalation:    startEscalation{},
	program.EventCatch:         eventCatch{},
	program.ReceiveTask:        receiveTask{},
	program.BoundaryEvent:      boundaryEvent{},
	program.StartSubscribed:    startSubscribed{},
	program.StartByEvent:       startEvent{},
	program.SignalThrow:        signalThrow{},
	program.SignalEnd:          signalEnd{},
	program.EventGateway:       eventGateway{},
	program.CallActivity:       callActivity{},
}

// of gives the behavior of a node.
func of(node *program.Node) behavior { return behaviors[node.Kind] }

// fit is how well an event fits what was thrown; the best takes it.
type fit uint8

const (
	fitsNot fit = iota
	fitsAll     // it catches whatever comes
	fitsExactly
)

// passing is what tokens go through at once. An instance exists only while it has
// an incident.
type passing struct{}

func (passing) await(*stepper, *state.Element, *program.Node) bool { return true }

func (passing) work(s *stepper, el *state.Element, _ *program.Node) { s.finish(el) }

func (passing) catches(*program.Node, *thrown) fit { return fitsNot }

// given goes to the scope around, since the instance ends with its incident.
func (passing) given(s *stepper, el *state.Element, vars Variables) {
	s.propagateAll(s.run.Elements[el.Parent], vars)
}

// resume lets the token enter anew.
func (passing) resume(s *stepper, el *state.Element, node *program.Node) {
	scope := s.run.Elements[el.Parent]
	flow := program.None
	if len(node.Incoming) > 0 {
		flow = node.Incoming[0]
	}
	s.run.Remove(el)
	s.queue = append(s.queue, move{node: node.Index, scope: scope, flow: flow})
}

func (passing) exits(_ *stepper, node *program.Node, _ string) ([]int32, error) {
	return node.Outgoing, nil
}

func (passing) evaluates(*stepper, *program.Node, move) bool { return false }

// waiting is what becomes an instance that lives until its work is done.
type waiting struct{}

func (waiting) enter(s *stepper, node *program.Node, m move) { s.begin(s.create(node, m.scope)) }

func (waiting) await(*stepper, *state.Element, *program.Node) bool { return true }

func (waiting) catches(*program.Node, *thrown) fit { return fitsNot }

func (waiting) given(s *stepper, el *state.Element, vars Variables) { s.setAll(el.Key, vars) }

func (waiting) resume(s *stepper, el *state.Element, _ *program.Node) { s.begin(el) }

func (waiting) exits(_ *stepper, node *program.Node, _ string) ([]int32, error) {
	return node.Outgoing, nil
}

func (waiting) evaluates(*stepper, *program.Node, move) bool { return false }

// takeUp goes on where an incident stopped an element instance: with what its
// state says, else as its kind does.
func (s *stepper) takeUp(el *state.Element, inputs json.RawMessage) {
	switch {
	case el.Children == 0 && el.Tokens > 0:
		s.stuck(el)
	case el.Job != nil:
		s.offerAnew(el, inputs)
	case el.Phase == state.Completing:
		s.finish(el)
	case s.unfinished(el):
		s.queue = append(s.queue, move{scope: el, iterate: true})
	default:
		node := s.p.Nodes[el.Node]
		of(node).resume(s, el, node)
	}
}

// scoped are behaviors whose instances have variables of their own.
type scoped interface{ scoped() }

func (waiting) scoped() {}

// Scoped reports whether elements of a kind have variables of their own: those
// with which their incidents are resolved are set there.
func Scoped(kind program.Kind) bool {
	_, is := behaviors[kind].(scoped)
	return is
}
