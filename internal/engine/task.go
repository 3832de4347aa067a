package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// serviceTask has a job, which somebody outside does.
type serviceTask struct{ waiting }

func (serviceTask) work(s *stepper, el *state.Element, node *program.Node) {
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
	s.offer(el, true)
}

// decisionTask asks for a decision, by the job of that.
type decisionTask struct{ waiting }

func (decisionTask) work(s *stepper, el *state.Element, node *program.Node) {
	id, err := s.text(node.Decision.ID, el.Key)
	if err != nil || id == "" {
		s.incident(el, IncidentValue, "the id of the decision is no text: "+reason(err))
		return
	}
	s.createJob(el, DecisionJob+id, 1)
}

// plainTask is done as soon as a token comes: nobody here does it.
type plainTask struct{ waiting }

func (plainTask) work(s *stepper, el *state.Element, _ *program.Node) { s.finish(el) }

// offer hands the job of an element out, for the first time or again.
func (s *stepper) offer(el *state.Element, first bool) {
	s.fact(Fact{Kind: FactJob, Node: el.Node, Key: el.Job.Key, Text: el.Job.Type, Data: s.offset(el.Key)})
	s.effect(Effect{Kind: JobCreated, Key: el.Job.Key, Element: el.Key, Node: el.Node, New: first, Job: *el.Job})
}

// userTask asks a person.
type userTask struct{ waiting }

func (userTask) work(s *stepper, el *state.Element, node *program.Node) {
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
	when := func(what string, into *time.Time, v program.Value) {
		text := ""
		if read(what, &text, v); err != nil || text == "" {
			return
		}
		if *into, err = program.ParseDate(text, s.env.Zone); err != nil {
			err = fmt.Errorf("the %s is no date and time: %w", what, err)
		}
	}
	when("due date", &task.Due, node.Human.Due)
	when("follow-up date", &task.FollowUp, node.Human.FollowUp)
	if err != nil {
		s.incident(el, IncidentValue, err.Error())
		return
	}
	el.Human = true
	s.activate(el)
	s.effect(Effect{Kind: TaskCreated, Key: el.Key, Element: el.Key, Node: el.Node, Task: task})
}

// scriptTask evaluates an expression.
type scriptTask struct{ waiting }

func (scriptTask) work(s *stepper, el *state.Element, node *program.Node) {
	v, err := s.json(program.Value{Expr: node.Script.Expr}, el.Key)
	if err != nil {
		s.incident(el, IncidentValue, "the script cannot be evaluated: "+err.Error())
		return
	}
	s.activate(el)
	s.results(el, Variables{node.Script.Result: v})
	s.finish(el)
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

// results takes in the variables that the work of an element gave: for its
// output mappings where it has some, else as seen from the element.
func (s *stepper) results(el *state.Element, vars Variables) {
	if len(s.p.Nodes[el.Node].Outputs) > 0 {
		s.setAll(el.Key, vars)
		return
	}
	s.propagateAll(el, vars)
}

// offerAnew hands a job out once more after an incident. With inputs that replace
// some of its own a new round begins.
func (s *stepper) offerAnew(el *state.Element, inputs json.RawMessage) {
	el.Job.Retries, el.Job.NotBefore = max(el.Job.Retries, 1), time.Time{}
	if inputs != nil {
		el.Job.Round++
		el.Job.Override = inputs
	}
	s.run.Touch(el)
	s.offer(el, false)
}
