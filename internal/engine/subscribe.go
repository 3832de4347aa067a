package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/lang/feel/value"
)

// eventCatch waits for a message or a signal, receiveTask for a message as a task.
type (
	eventCatch  struct{ waiting }
	receiveTask struct{ eventCatch }
)

func (eventCatch) await(s *stepper, el *state.Element, node *program.Node) bool {
	return s.subscribe(el, node)
}

func (eventCatch) work(s *stepper, el *state.Element, _ *program.Node) { s.activate(el) }

// boundaryEvent takes the token of an activity when a message or a signal comes, or
// sends one of its own where it does not interrupt.
type boundaryEvent struct{ waiting }

func (boundaryEvent) await(s *stepper, el *state.Element, node *program.Node) bool {
	return s.subscribe(el, node)
}

func (boundaryEvent) work(s *stepper, el *state.Element, _ *program.Node) { s.finish(el) }

// startSubscribed begins an event sub-process when a message or a signal comes.
type startSubscribed struct{ startEvent }

func (startSubscribed) await(s *stepper, el *state.Element, node *program.Node) bool {
	return s.subscribe(el, node)
}

// signalThrow tells a signal to everything that waits for it, in this run and in
// others; signalEnd does so at the end of a path.
type (
	signalThrow struct{ waiting }
	signalEnd   struct{ signalThrow }
)

func (signalThrow) work(s *stepper, el *state.Element, node *program.Node) {
	name, err := s.text(node.Event.Name, el.Key)
	if err != nil || name == "" {
		s.incident(el, IncidentValue, "the signal name is no text: "+reason(err))
		return
	}
	s.effect(Effect{Kind: SignalThrown, Key: el.Key, Element: el.Key, Node: node.Index, Name: name, Variables: s.locals(el.Key)})
	s.finish(el)
}

// eventGateway waits for the first of the events that its flows lead to.
type eventGateway struct{ waiting }

func (eventGateway) await(s *stepper, el *state.Element, node *program.Node) bool {
	for _, f := range node.Outgoing {
		to := s.p.Nodes[s.p.Flows[f].Target]
		if !of(to).await(s, el, to) {
			return false
		}
	}
	return true
}

func (eventGateway) work(s *stepper, el *state.Element, _ *program.Node) { s.activate(el) }

// exits is the one flow that the person names, since no event has chosen.
func (eventGateway) exits(s *stepper, node *program.Node, flow string) ([]int32, error) {
	return exclusiveGateway{}.exits(s, node, flow)
}

func (eventGateway) evaluates(s *stepper, node *program.Node, _ move) bool {
	return slices.ContainsFunc(node.Outgoing, func(f int32) bool { return evaluating(s.p.Nodes[s.p.Flows[f].Target]) })
}

// occur lets the event of a node happen for the element instance that waits for it:
// its own, one on its boundary, one of an event sub-process in it, or one that its
// event-based gateway leads to.
func (s *stepper) occur(el *state.Element, node *program.Node, t *thrown) {
	switch {
	case node.Index == el.Node:
		s.dropIncident(el)
		if t != nil {
			s.results(el, t.vars)
		}
		s.finish(el)
	case node.AttachedTo != program.None:
		s.reach(el, node, t)
	case s.p.Nodes[el.Node].Kind == program.EventGateway:
		s.chosen(el, node, t)
	default:
		s.handle(el, node, t)
	}
}

// Overwrites refuses an event that would change variables that are there.
type Overwrites struct{ Names []string }

// Error names them.
func (o *Overwrites) Error() string {
	return "it would change what the run has already: " + strings.Join(o.Names, ", ")
}

// overwritten lists the variables that are there and that mean another thing once the
// event of a node has happened. What the process maps out is its own will; null is as
// good as none.
func (s *stepper) overwritten(el *state.Element, node *program.Node, vars Variables) (names []string) {
	scope, inner := el.Key, false
	switch {
	case node.Index == el.Node:
	case node.AttachedTo != program.None, s.p.Nodes[el.Node].Kind == program.EventGateway:
		scope = el.Parent
	default:
		inner = true // an event sub-process, in which they hide those outside
	}
	if !inner && len(node.Outputs) > 0 {
		return nil
	}
	for _, name := range sortedNames(vars) {
		mapped := slices.ContainsFunc(node.Outputs, func(m program.Mapping) bool { return m.Target[0] == name })
		if old, ok := s.run.Lookup(scope, name); ok && !mapped && !same(old, vars[name]) && !same(old, []byte("null")) {
			names = append(names, name)
		}
	}
	return names
}

// same compares two JSON texts but for the space in them.
func same(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// chosen leaves an event-based gateway by the event that came first, which has
// happened with that.
func (s *stepper) chosen(el *state.Element, node *program.Node, t *thrown) {
	scope := s.run.Elements[el.Parent]
	s.clear(el)
	s.fact(Fact{Kind: FactLeft, Node: el.Node, Key: el.Key})
	s.run.Remove(el)
	for _, f := range s.p.Nodes[el.Node].Outgoing {
		if s.p.Flows[f].Target == node.Index {
			s.fact(Fact{Kind: FactFlow, Node: f, Key: scope.Key})
		}
	}
	event := s.create(node, scope)
	if !s.mapInputs(event, node) {
		return
	}
	if t != nil {
		s.results(event, t.vars)
	}
	s.finish(event)
}

// subscribe has an element instance wait for the message or signal of a node.
func (s *stepper) subscribe(el *state.Element, node *program.Node) bool {
	sub := state.Subscription{Key: s.env.NextKey(), Node: node.Index, Signal: node.Event.Signal}
	var err error
	if sub.Name, err = s.text(node.Event.Name, el.Key); err == nil && sub.Name == "" {
		err = fmt.Errorf("its name is empty")
	}
	if err == nil && node.Event.Correlation != nil {
		sub.Correlation, err = s.correlation(node, el.Key)
	}
	if err != nil {
		s.forget(el)
		s.incident(el, IncidentValue, fmt.Sprintf("%s cannot wait for its event: %s", node.ID, err))
		return false
	}
	el.Subscriptions = append(el.Subscriptions, sub)
	s.run.Touch(el)
	s.effect(Effect{Kind: Subscribed, Key: sub.Key, Element: el.Key, Node: node.Index, Subscription: sub})
	return true
}

// correlation is the key by which a message finds its run: a text or a number.
func (s *stepper) correlation(node *program.Node, scope state.Key) (string, error) {
	v, err := s.eval(node.Event.Correlation, scope, nil)
	if err != nil {
		return "", err
	}
	if k := v.Kind(); k != value.KindString && k != value.KindNumber {
		return "", fmt.Errorf("the correlation key %q %s", node.Event.Correlation.Source(),
			s.unfit(node.Event.Correlation, v, "a text or a number"))
	}
	text, err := asText(node.Event.Correlation, v)
	switch {
	case err != nil:
		return "", err
	case text == "":
		return "", fmt.Errorf("the correlation key %q is empty", node.Event.Correlation.Source())
	case len(text) > MaxCorrelation:
		return "", fmt.Errorf("the correlation key has %d bytes: at most %d are possible", len(text), MaxCorrelation)
	}
	return text, nil
}

// unsubscribe has an element instance no longer wait for the events of some nodes, of
// all where which is nil.
func (s *stepper) unsubscribe(el *state.Element, which func(node int32) bool) {
	el.Subscriptions = slices.DeleteFunc(el.Subscriptions, func(sub state.Subscription) bool {
		if which != nil && !which(sub.Node) {
			return false
		}
		s.effect(Effect{Kind: Unsubscribed, Key: sub.Key, Element: el.Key, Node: sub.Node})
		return true
	})
	if len(el.Subscriptions) == 0 {
		el.Subscriptions = nil
	}
}
