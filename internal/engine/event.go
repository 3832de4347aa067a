package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// ErrGone is returned for an event whose job, timer, task or incident no longer
// exists; the state is unchanged. A second completion of the same job gets it.
var ErrGone = errors.New("it no longer exists")

// ErrRefused is returned for an event that does not fit what it is for.
var ErrRefused = errors.New("not possible")

// Event is something that happened to a run.
type Event interface{ apply(s *stepper) error }

// Variables are values by name; the values are JSON.
type Variables map[string]json.RawMessage

// Start begins the run. Its state must be new.
// Mandate is kept beside the state, out of reach of the process.
type Start struct {
	Variables Variables
	Mandate   []byte
	// Event is the id of the start event, empty for the one without a trigger.
	Event string
	// Caller is what has called the run, nil for nothing.
	Caller *state.Caller
}

// JobCompleted ends a job with its results.
type JobCompleted struct {
	Job       state.Key
	Variables Variables
}

// JobFailed says that a try failed. With retries left the job is offered again
// after Backoff, without it becomes an incident of the given kind.
type JobFailed struct {
	Job     state.Key
	Retries int32
	Backoff time.Duration
	Kind    string
	Message string
}

// JobThrew throws a BPMN error from a job. Where nothing catches it the job
// becomes an incident of the given kind.
type JobThrew struct {
	Job           state.Key
	Code, Message string
	Kind          string
	Variables     Variables
}

// TimerFired says that a timer is due.
type TimerFired struct{ Element, Timer state.Key }

// EventCame says that the message or signal has come for which a subscription waits.
type EventCame struct {
	Element, Subscription state.Key
	Variables             Variables
	// Keep refuses, with *Overwrites, what would change variables that are there,
	// unless the process maps them out.
	Keep bool
}

// TaskCompleted ends a user task.
type TaskCompleted struct {
	Element   state.Key
	Variables Variables
}

// Resolve takes up again what an incident stopped. Variables are set first: in
// the scope of the element, or as seen from a gateway or event. Inputs replace inputs of a service by name and
// begin a new round of its job.
type Resolve struct {
	Incident  state.Key
	Variables Variables
	Inputs    json.RawMessage
}

// Skip leaves an element as if it had completed with the variables. Flow names
// the flow to leave an exclusive gateway by.
type Skip struct {
	Element   state.Key
	Variables Variables
	Reason    string
	Flow      string
}

// Cancel ends the run. Failed ends it as one that failed, with the reason as its
// code: for a run that stands still and that nobody will help.
type Cancel struct {
	Reason string
	Failed bool
}

func (e Start) apply(s *stepper) error {
	if len(s.run.Elements) > 0 {
		return fmt.Errorf("%w: the run has begun", ErrRefused)
	}
	if message := tooLarge(e.Variables); message != "" {
		return fmt.Errorf("%w: %s", ErrRefused, message)
	}
	start, err := s.startOf(e.Event)
	if err != nil {
		return err
	}
	root := &state.Element{Key: s.run.Key, Start: start, Caller: e.Caller}
	s.run.Put(root)
	begun := Fact{Kind: FactStarted, Key: root.Key}
	if e.Caller != nil {
		begun.Data = s.offset(e.Caller.Run)
	}
	s.fact(begun)
	if e.Mandate != nil {
		s.run.SetMandate(e.Mandate, s.env.NextKey())
	}
	s.setAll(root.Key, e.Variables)
	if s.opensLater() {
		s.queue = append(s.queue, move{scope: root, iterate: true})
		return nil
	}
	s.begin(root)
	return nil
}

// startOf finds the start event of a run; 0 stands for the one without a trigger.
func (s *stepper) startOf(event string) (int32, error) {
	if event == "" {
		if s.p.Nodes[0].Start == program.None {
			return 0, fmt.Errorf("%w: the process begins with an event alone", ErrRefused)
		}
		return 0, nil
	}
	n, ok := s.p.Lookup(event)
	if !ok || n.Kind != program.StartByEvent {
		return 0, fmt.Errorf("%w: %q is no start event that waits for a message or a signal", ErrRefused, event)
	}
	return n.Index, nil
}

func (e EventCame) apply(s *stepper) error {
	el := s.run.Elements[e.Element]
	if el == nil {
		return ErrGone
	}
	i := slices.IndexFunc(el.Subscriptions, func(sub state.Subscription) bool { return sub.Key == e.Subscription })
	if i < 0 {
		return ErrGone
	}
	if message := tooLarge(e.Variables); message != "" {
		return fmt.Errorf("%w: %s", ErrRefused, message)
	}
	sub := el.Subscriptions[i]
	if e.Keep {
		if names := s.overwritten(el, s.p.Nodes[sub.Node], e.Variables); len(names) > 0 {
			return &Overwrites{Names: names}
		}
	}
	s.fact(Fact{Kind: FactEvent, Node: sub.Node, Key: sub.Key, Text: sub.Name})
	s.occur(el, s.p.Nodes[sub.Node], &thrown{vars: e.Variables, plain: true})
	return nil
}

func (e JobCompleted) apply(s *stepper) error {
	el, err := s.job(e.Job)
	if err != nil {
		return err
	}
	if message := tooLarge(e.Variables); message != "" {
		return JobFailed{Job: e.Job, Kind: IncidentLimit, Message: message}.apply(s)
	}
	s.fact(Fact{Kind: FactJobDone, Node: el.Node, Key: e.Job})
	s.dropJob(el)
	s.dropIncident(el)
	if el.Body {
		return s.bound(el, e.Variables)
	}
	s.results(el, e.Variables)
	s.finish(el)
	return nil
}

func (e JobFailed) apply(s *stepper) error {
	el, err := s.job(e.Job)
	if err != nil {
		return err
	}
	if el.Incident != nil {
		return fmt.Errorf("%w: the job waits for an incident", ErrRefused)
	}
	s.fact(Fact{Kind: FactJobFailed, Node: el.Node, Key: e.Job, Text: e.Message})
	el.Job.Retries = max(e.Retries, 0)
	s.run.Touch(el)
	if el.Job.Retries == 0 {
		s.incident(el, orDefault(e.Kind, IncidentJob), e.Message)
		return nil
	}
	el.Job.NotBefore = s.env.Now.Add(e.Backoff)
	s.offer(el, false)
	return nil
}

func (e JobThrew) apply(s *stepper) error {
	el, err := s.job(e.Job)
	if err != nil {
		return err
	}
	if message := tooLarge(e.Variables); message != "" {
		return JobFailed{Job: e.Job, Kind: IncidentLimit, Message: message}.apply(s)
	}
	s.fact(Fact{Kind: FactJobThrew, Node: el.Node, Key: e.Job, Text: e.Code + ": " + e.Message})
	if s.throw(el, &thrown{code: e.Code, message: e.Message, vars: e.Variables}) {
		return nil
	}
	el.Job.Retries = 0
	s.run.Touch(el)
	message := e.Message
	if message == "" {
		message = fmt.Sprintf("the error %q was thrown and nothing catches it", e.Code)
	}
	s.incident(el, orDefault(e.Kind, IncidentUnhandled), message)
	return nil
}

func (e TimerFired) apply(s *stepper) error {
	el := s.run.Elements[e.Element]
	if el == nil {
		return ErrGone
	}
	for i := range el.Timers {
		if el.Timers[i].Key == e.Timer {
			s.fire(el, i)
			return nil
		}
	}
	return ErrGone
}

func (e TaskCompleted) apply(s *stepper) error {
	el := s.run.Elements[e.Element]
	if el == nil || !el.Human {
		return ErrGone
	}
	if el.Incident != nil {
		return fmt.Errorf("%w: the task has an incident, resolve it first", ErrRefused)
	}
	if message := tooLarge(e.Variables); message != "" {
		return fmt.Errorf("%w: %s", ErrRefused, message)
	}
	s.dropTask(el)
	s.results(el, e.Variables)
	s.finish(el)
	return nil
}

func (e Resolve) apply(s *stepper) error {
	el := s.holder(e.Incident)
	if el == nil {
		return ErrGone
	}
	if e.Inputs != nil && el.Job == nil {
		return fmt.Errorf("%w: the incident is not about a job, so there are no inputs to replace", ErrRefused)
	}
	if message := tooLarge(e.Variables); message != "" {
		return fmt.Errorf("%w: %s", ErrRefused, message)
	}
	s.fact(Fact{Kind: FactResolved, Node: el.Node, Key: e.Incident})
	held := s.held()
	s.dropIncident(el)
	of(s.p.Nodes[el.Node]).given(s, el, e.Variables)
	if held && el.Parent == 0 {
		s.unpark()
		return nil
	}
	s.takeUp(el, e.Inputs)
	return nil
}

func (e Skip) apply(s *stepper) error {
	el := s.run.Elements[e.Element]
	if el == nil {
		return ErrGone
	}
	if message := tooLarge(e.Variables); message != "" {
		return fmt.Errorf("%w: %s", ErrRefused, message)
	}
	node := s.p.Nodes[el.Node]
	flows, err := of(node).exits(s, node, e.Flow)
	if err != nil {
		return err
	}
	s.fact(Fact{Kind: FactSkipped, Node: el.Node, Key: el.Key, Text: e.Reason})
	s.terminateBelow(el)
	s.clear(el)
	s.propagateAll(s.run.Elements[el.Parent], e.Variables)
	if el.Index > 0 && !el.Body {
		s.iterationDone(el, false)
		return nil
	}
	s.leave(el, flows)
	return nil
}

func (e Cancel) apply(s *stepper) error {
	root := s.run.Root()
	if root == nil {
		return ErrGone
	}
	how := Cancelled
	if e.Failed {
		how = Failed
	}
	s.end(root, how, e.Reason)
	return nil
}

// tooLarge names a variable that is larger than any may be.
func tooLarge(vars Variables) string {
	for _, name := range sortedNames(vars) {
		if n := len(vars[name]); n > MaxVariableBytes {
			return fmt.Sprintf("the variable %q has %d bytes: at most %d are possible", name, n, MaxVariableBytes)
		}
	}
	return ""
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
