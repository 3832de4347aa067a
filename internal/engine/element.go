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
	if el.Index == 0 && !s.arm(el, node) {
		return
	}
	if el.Body {
		s.beginBody(el, node)
		return
	}
	if !s.mapInputs(el, node) {
		return
	}
	switch node.Kind {
	case program.ServiceTask:
		s.beginService(el, node)
	case program.UserTask:
		s.beginHuman(el, node)
	case program.ScriptTask:
		s.runScript(el, node)
	case program.SubProcess:
		s.activate(el)
		s.spawn(node.Start, el)
	case program.TimerCatch:
		s.activate(el)
	default: // a boundary event: it has happened already
		s.finish(el)
	}
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

func (s *stepper) beginService(el *state.Element, node *program.Node) {
	kind, err := s.text(node.Task.Type, el.Key)
	if err != nil || kind == "" {
		s.incident(el, IncidentValue, "the job type is no text: "+reason(err))
		return
	}
	retries, err := s.number(node.Task.Retries, el.Key)
	if err != nil {
		s.incident(el, IncidentValue, "the retries are no whole number: "+err.Error())
		return
	}
	s.createJob(el, kind, max(retries, 1))
}

func (s *stepper) createJob(el *state.Element, kind string, retries int32) {
	el.Job = &state.Job{Key: s.env.NextKey(), Type: kind, Retries: retries}
	s.activate(el)
	s.offer(el)
}

// offer hands the job of an element out, for the first time or again.
func (s *stepper) offer(el *state.Element) {
	s.fact(Fact{Kind: FactJob, Node: el.Node, Key: el.Job.Key, Text: el.Job.Type, Data: s.offset(el.Key)})
	s.effect(Effect{Kind: JobCreated, Key: el.Job.Key, Element: el.Key, Node: el.Node, Job: *el.Job})
}

func (s *stepper) beginHuman(el *state.Element, node *program.Node) {
	var task Task
	var err error
	read := func(what string, into *string, v program.Value) {
		if err == nil {
			if *into, err = s.text(v, el.Key); err != nil {
				err = fmt.Errorf("the %s is no text: %w", what, err)
			}
		}
	}
	read("assignee", &task.Assignee, node.Human.Assignee)
	read("form", &task.Form, node.Human.Form)
	if err == nil {
		task.CandidateGroups, err = s.texts(node.Human.CandidateGroups, el.Key)
	}
	if err == nil {
		task.CandidateUsers, err = s.texts(node.Human.CandidateUsers, el.Key)
	}
	if err != nil {
		s.incident(el, IncidentValue, err.Error())
		return
	}
	el.Human = true
	s.activate(el)
	s.effect(Effect{Kind: TaskCreated, Key: el.Key, Element: el.Key, Node: el.Node, Task: task})
}

func (s *stepper) runScript(el *state.Element, node *program.Node) {
	v, err := s.json(program.Value{Expr: node.Script.Expr}, el.Key)
	if err != nil {
		s.incident(el, IncidentValue, "the script cannot be evaluated: "+err.Error())
		return
	}
	s.activate(el)
	s.results(el, Variables{node.Script.Result: v})
	s.finish(el)
}

// results takes in the variables that the work of an element gave: for its
// output mappings where it has some, else as seen from the element.
func (s *stepper) results(el *state.Element, vars Variables) {
	if len(s.p.Nodes[el.Node].Outputs) > 0 {
		s.setAll(el.Key, vars)
		return
	}
	s.propagateAll(el, vars)
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
	s.terminateBelow(root)
	s.clear(root)
	s.run.Remove(root)
	s.ended = true
	s.fact(Fact{Kind: FactEnded, Key: root.Key, Text: how, Data: quoted(code)})
	s.effect(Effect{Kind: RunEnded, Key: root.Key, State: how, Code: code})
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
	s.dropIncident(el)
	s.disarm(el)
}

func (s *stepper) job(key state.Key) (*state.Element, error) {
	el := s.run.JobHolder(key)
	if el == nil {
		return nil, ErrGone
	}
	return el, nil
}

func (s *stepper) dropJob(el *state.Element) {
	if el.Job == nil {
		return
	}
	s.effect(Effect{Kind: JobGone, Key: el.Job.Key, Element: el.Key, Node: el.Node})
	el.Job = nil
	s.run.Touch(el)
}

func (s *stepper) dropTask(el *state.Element) {
	if !el.Human {
		return
	}
	s.effect(Effect{Kind: TaskGone, Key: el.Key, Element: el.Key, Node: el.Node})
	el.Human = false
	s.run.Touch(el)
}
