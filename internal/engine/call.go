package engine

import (
	"fmt"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// callActivity waits for a run of another process, which it calls. What the run throws
// and does not catch is thrown by the call activity.
type callActivity struct{ waiting }

func (callActivity) work(s *stepper, el *state.Element, node *program.Node) {
	id, err := s.text(node.Call.Process, el.Key)
	if err != nil || id == "" {
		s.incident(el, IncidentValue, "the id of the called process is no text: "+reason(err))
		return
	}
	if depth := s.depth() + 1; depth > s.budget.Depth {
		s.incident(el, IncidentBudget, fmt.Sprintf("the call of %q would be the %d. within one another: at most %d runs call one another. "+
			"Look whether the processes call themselves without an end, or raise the limit in the settings and try again",
			id, depth, s.budget.Depth))
		return
	}
	el.Call = &state.Call{Run: s.env.NextKey(), Process: id}
	s.activate(el)
	s.effect(Effect{Kind: CallAsked, Key: el.Call.Run, Element: el.Key, Node: el.Node})
}

// resume calls anew; what it waits for on its boundary it has waited for already.
func (c callActivity) resume(s *stepper, el *state.Element, node *program.Node) {
	switch {
	case el.Phase != state.Active:
		s.begin(el)
	case s.mapInputs(el, node):
		c.work(s, el, node)
	}
}

// depth counts the runs above this one.
func (s *stepper) depth() int {
	if c := s.run.Caller(); c != nil {
		return int(c.Depth)
	}
	return 0
}

// dropCall wants a called run to end for which nobody waits any more.
func (s *stepper) dropCall(el *state.Element) {
	if el.Call == nil {
		return
	}
	if el.Call.Begun {
		s.effect(Effect{Kind: CallGone, Key: el.Call.Run, Element: el.Key, Node: el.Node})
	}
	el.Call = nil
	s.run.Touch(el)
}

// throwOut lets what called the run catch what nothing in it does. Where that ends the
// call the run is over: an error has failed it.
func (s *stepper) throwOut(t *thrown) bool {
	if s.env.Caller == nil || t.plain {
		return false
	}
	caught, interrupts := s.env.Caller(t.code, t.escalation)
	if !caught {
		return false
	}
	root := s.run.Root()
	switch t.interrupted = interrupts; {
	case !interrupts:
		s.effect(Effect{Kind: Escalated, Key: root.Key, Code: t.code})
	case t.escalation:
		s.endWith(root, Effect{State: Cancelled, Code: "the escalation " + t.code, Escalation: t.code})
	default:
		s.endWith(root, Effect{State: Failed, Code: t.code, Message: t.message, Variables: t.vars})
	}
	return true
}

// Catches reports whether a run catches what the run throws that one of its element
// instances has called, here or further out, and whether that ends the call.
func Catches(env *Env, run *state.Run, element state.Key, code string, escalation bool) (caught, interrupts bool) {
	el := run.Elements[element]
	if el == nil {
		return false, false
	}
	s := &stepper{env: env, p: env.Program, run: run}
	at := s.catcher(el, &thrown{code: code, escalation: escalation})
	switch {
	case at.event != nil:
		return true, at.event.Interrupting
	case env.Caller != nil:
		return env.Caller(code, escalation)
	}
	return false, false
}

// Handed gives the variables that a call activity hands to the run that it calls: all
// that it sees, or those that are its own.
func Handed(p *program.Program, run *state.Run, element state.Key) Variables {
	if p.Nodes[run.Elements[element].Node].Call.In {
		return Visible(run, element)
	}
	vars := Variables{}
	for _, n := range run.Names(element) {
		vars[n], _ = run.Local(element, n)
	}
	return vars
}

// Visible gives all variables that an element instance sees.
func Visible(run *state.Run, element state.Key) Variables {
	vars := Variables{}
	for el := run.Elements[element]; el != nil; el = run.Elements[el.Parent] {
		for _, n := range run.Names(el.Key) {
			if _, inner := vars[n]; !inner && n != itemsVariable {
				vars[n], _ = run.Local(el.Key, n)
			}
		}
	}
	return vars
}

// CallBegun says that the run which a call activity asked for has begun.
type CallBegun struct{ Element, Run state.Key }

// CallFailed says why the run which a call activity asked for cannot begin.
type CallFailed struct {
	Element, Run  state.Key
	Kind, Message string
}

// CallEnded says how a called run has ended, as its RunEnded does.
type CallEnded struct {
	Element, Run        state.Key
	State, Code         string
	Message, Escalation string
	Variables           Variables
}

// CallEscalated says that a called run which goes on has told of something.
type CallEscalated struct {
	Element, Run state.Key
	Code         string
}

// calling finds the element instance that waits for a called run.
func (s *stepper) calling(element, run state.Key) (*state.Element, error) {
	el := s.run.Elements[element]
	if el == nil || el.Call == nil || el.Call.Run != run {
		return nil, ErrGone
	}
	return el, nil
}

func (e CallBegun) apply(s *stepper) error {
	el, err := s.calling(e.Element, e.Run)
	if err != nil {
		return err
	}
	el.Call.Begun = true
	s.run.Touch(el)
	s.fact(Fact{Kind: FactCalled, Node: el.Node, Key: el.Key, Text: el.Call.Process, Data: s.offset(e.Run)})
	return nil
}

func (e CallFailed) apply(s *stepper) error {
	el, err := s.calling(e.Element, e.Run)
	if err != nil {
		return err
	}
	s.uncall(el, e.Kind, e.Message)
	return nil
}

// uncall stops a call activity whose run is none; it calls anew when it is taken up.
func (s *stepper) uncall(el *state.Element, kind, message string) {
	el.Call = nil
	s.incident(el, orDefault(kind, IncidentCalled), message)
}

func (e CallEnded) apply(s *stepper) error {
	el, err := s.calling(e.Element, e.Run)
	if err != nil {
		return err
	}
	process := el.Call.Process
	el.Call = nil
	s.run.Touch(el)
	switch {
	case e.State == Completed:
		if s.p.Nodes[el.Node].Call.Out {
			s.results(el, e.Variables)
		} else {
			s.setAll(el.Key, e.Variables)
		}
		s.finish(el)
	case e.Escalation != "":
		if !s.throw(el, &thrown{code: e.Escalation, escalation: true}) {
			s.uncall(el, "", fmt.Sprintf("the run of %q ended with the escalation %q and nothing catches it any more: "+
				"retry to call the process again, or skip the call", process, e.Escalation))
		}
	case e.State == Failed:
		if !s.throw(el, &thrown{code: e.Code, message: e.Message, vars: e.Variables}) {
			s.end(s.run.Root(), Failed, e.Code)
		}
	default:
		s.uncall(el, "", fmt.Sprintf("the run of %q was cancelled (%s): retry to call the process again, or skip the call", process, e.Code))
	}
	return nil
}

func (e CallEscalated) apply(s *stepper) error {
	el, err := s.calling(e.Element, e.Run)
	if err != nil {
		return err
	}
	s.throw(el, &thrown{code: e.Code, escalation: true})
	return nil
}
