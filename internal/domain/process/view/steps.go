package view

import (
	"context"
	"strconv"
	"time"

	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/process/runs"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
)

// States of a step.
const (
	StepActive     = "active"
	StepIncident   = "incident"
	StepCompleted  = "completed"
	StepTerminated = "terminated"
	StepSkipped    = "skipped"
	// StepFailed and StepTimedOut are how a step ended that did not do its work,
	// be it that the process caught that.
	StepFailed   = "failed"
	StepTimedOut = "timed_out"
)

const historyPage = 500 // chunks of history read at once

// Step is one passage through an element: a task, a sub-process, an iteration,
// or an event or gateway that a token has passed.
type Step struct {
	Key     string    `json:"key"`
	Parent  string    `json:"parent,omitempty" doc:"The step around it"`
	Element string    `json:"element"`
	Name    string    `json:"name,omitempty"`
	Type    string    `json:"type" enum:"start,end,timer,message,event,boundary,service,user,script,decision,task,gateway,subprocess,call"`
	State   string    `json:"state" enum:"active,incident,completed,terminated,skipped,failed,timed_out"`
	Loop    bool      `json:"loop,omitempty" doc:"It runs many times; its iterations lie within it"`
	Index   int       `json:"index,omitempty" doc:"Number of the iteration, from 1"`
	Entered time.Time `json:"entered"`
	Left    time.Time `json:"left,omitzero"`
	Message string    `json:"message,omitempty" doc:"What an incident, an error or a skip says"`
	Caught  bool      `json:"caught,omitempty" doc:"It failed, and the process goes on by a way of its own for that"`
	// Stopped are the times in which the step waited for help.
	Stopped []Span `json:"stopped,omitempty" doc:"When it waited for help"`
	// Incident is the open one of the step.
	Incident string `json:"incident,omitempty"`
	// Called is the run that a call activity has called.
	Called string `json:"called,omitempty" doc:"The run that the step has called"`
	// Service and Rows are of service tasks.
	Job      string `json:"job,omitempty"`
	Service  string `json:"service,omitempty"`
	Failures int    `json:"failures,omitempty" doc:"How often its calls have failed; a step that is done took one try more"`
	Rows     *Rows  `json:"rows,omitempty"`

	seq int64 // number of the last history chunk that changed it
}

// Span is a time from one moment to another, or until now.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to,omitzero"`
}

// Rows counts the objects of a service step by what became of them.
type Rows struct {
	Total    int            `json:"total"`
	Outcomes map[string]int `json:"outcomes,omitempty"`
	Percent  int            `json:"percent" doc:"How far all rows are together"`
}

// fold turns the history of a run into its steps.
type fold struct {
	run   state.Key
	prog  *program.Program
	seq   int64 // number of the next chunk
	steps []*Step
	by    map[state.Key]*Step
	jobs  map[string]*Step
	stuck map[string]*Step // by incident
	log   []*Step          // what changed, in order, so that a look costs what is new and not what is there
	// thrown is the step whose error goes outwards, fired the activity whose time
	// is over.
	thrown *Step
	fired  int32
}

func newFold(run api.Key, p *program.Program) *fold {
	return &fold{run: run, prog: p, by: map[state.Key]*Step{},
		jobs: map[string]*Step{}, stuck: map[string]*Step{}, fired: program.None}
}

// read takes in what the history has more.
func (f *fold) read(ctx context.Context, s *Service) error {
	for {
		chunks, err := durable.History(ctx, s.DB, f.run, f.seq, historyPage)
		if err != nil {
			return err
		}
		for _, c := range chunks {
			f.take(c)
		}
		if len(chunks) < historyPage {
			return nil
		}
	}
}

func (f *fold) take(c durable.Chunk) {
	f.seq = c.Seq + 1
	for _, fact := range c.Facts {
		if step := f.add(fact); step != nil {
			f.touch(step)
		}
	}
}

// touch notes that the history changed a step.
func (f *fold) touch(step *Step) {
	step.seq = f.seq - 1
	f.log = append(f.log, step)
}

func (f *fold) key(k state.Key) string { return strconv.FormatInt(int64(k), 10) }

// other is the element instance that a fact refers to.
func (f *fold) other(fact engine.Fact) *Step {
	n, err := strconv.ParseInt(string(fact.Data), 10, 64)
	if err != nil {
		return nil
	}
	return f.by[f.run+state.Key(n)]
}

func (f *fold) add(fact engine.Fact) *Step {
	switch fact.Kind {
	case engine.FactEntered:
		return f.enter(fact)
	case engine.FactPassed:
		step := f.begin(fact)
		step.State, step.Left = StepCompleted, fact.Time
		if f.prog.Nodes[fact.Node].Kind == program.ErrorEnd {
			step.State, step.Message, f.thrown = StepFailed, f.prog.Nodes[fact.Node].Code, step
		}
		return step
	case engine.FactVariable:
		if step := f.by[fact.Key]; step != nil && fact.Text == "loopCounter" && step.Index == 0 {
			step.Index, _ = strconv.Atoi(string(fact.Data))
			step.Loop = false
			return step
		}
		return nil
	case engine.FactLeft:
		return f.leave(fact, StepCompleted)
	case engine.FactTerminated:
		return f.terminated(fact)
	case engine.FactTimer:
		if n := f.prog.Nodes[fact.Node]; n.Kind == program.BoundaryTimer && n.Interrupting {
			f.fired = n.AttachedTo
		}
	case engine.FactSkipped:
		step := f.leave(fact, StepSkipped)
		if step != nil {
			step.Message = fact.Text
		}
		return step
	case engine.FactJob:
		if step := f.other(fact); step != nil {
			step.Job = f.key(fact.Key)
			f.jobs[step.Job] = step
			return step
		}
	case engine.FactJobFailed, engine.FactJobThrew:
		if step := f.jobs[f.key(fact.Key)]; step != nil {
			return f.failed(step, fact)
		}
	case engine.FactIncident:
		if step := f.other(fact); step != nil {
			step.State, step.Message, step.Incident = StepIncident, fact.Text, f.key(fact.Key)
			step.Stopped = append(step.Stopped, Span{From: fact.Time})
			f.stuck[step.Incident], f.thrown = step, nil
			return step
		}
	case engine.FactResolved:
		step := f.stuck[f.key(fact.Key)]
		delete(f.stuck, f.key(fact.Key))
		if step != nil && step.Incident == f.key(fact.Key) {
			step.State, step.Incident = StepActive, ""
			step.goOn(fact.Time)
			return step
		}
	case engine.FactCalled:
		if step := f.by[fact.Key]; step != nil {
			n, _ := strconv.ParseInt(string(fact.Data), 10, 64) // the engine wrote it
			step.Called = f.key(f.run + state.Key(n))
			return step
		}
	case engine.FactEnded:
		f.ended(fact)
	}
	return nil
}

// begin makes a step; whatever has the run's own key is the process itself.
func (f *fold) begin(fact engine.Fact) *Step {
	n := f.prog.Nodes[fact.Node]
	step := &Step{Key: f.key(fact.Key), Element: n.ID, Name: n.Name, Type: typeOf(n.Kind),
		State: StepActive, Loop: n.Loop != nil, Entered: fact.Time}
	if fact.Kind == engine.FactPassed {
		// A passage has no key of its own: it is named by its place in the history.
		step.Key = "p" + strconv.Itoa(len(f.steps))
		if around := f.by[fact.Key]; around != nil {
			step.Parent = around.Key
		}
		step.Loop = false
	}
	f.steps = append(f.steps, step)
	return step
}

func (f *fold) enter(fact engine.Fact) *Step {
	step := f.begin(fact)
	if around := f.other(fact); around != nil {
		step.Parent = around.Key
	}
	f.by[fact.Key] = step
	if f.thrown != nil && f.prog.Nodes[fact.Node].Kind == program.EventSubProcess {
		f.thrown.Caught = true
		f.touch(f.thrown)
	}
	return step
}

func (f *fold) leave(fact engine.Fact, how string) *Step {
	step := f.by[fact.Key]
	if step == nil || step.Over() {
		return nil
	}
	step.State, step.Left, step.Incident = how, fact.Time, ""
	step.goOn(fact.Time)
	if how == StepCompleted {
		step.Message = "" // it is done: what failed before is told by its tries
	}
	return step
}

// goOn ends the time in which a step waited for help.
func (s *Step) goOn(at time.Time) {
	if n := len(s.Stopped); n > 0 && s.Stopped[n-1].To.IsZero() {
		s.Stopped[n-1].To = at
	}
}

// terminated closes a step that was interrupted: by its own error or its own
// timer, which the process catches, or with what lies around it.
func (f *fold) terminated(fact engine.Fact) *Step {
	how := StepTerminated
	step := f.by[fact.Key]
	if step != nil && step.State == StepIncident {
		if step = f.leave(fact, StepFailed); step != nil {
			return step // it waited for help, and none came
		}
	}
	switch {
	case step != nil && f.fired == fact.Node:
		how, f.fired = StepTimedOut, program.None
	case step != nil && f.thrown != nil && f.within(f.thrown, step):
		how = StepFailed
	}
	if step = f.leave(fact, how); step != nil && how != StepTerminated {
		step.Caught = true
		if step.Message == "" && f.thrown != nil && how == StepFailed {
			step.Message = f.thrown.Message
		}
		if f.thrown != nil {
			f.thrown.Caught = true
			f.touch(f.thrown)
		}
	}
	return step
}

// within reports whether a step is another or lies in it.
func (f *fold) within(inner, outer *Step) bool {
	for at := inner; at != nil; {
		if at == outer {
			return true
		}
		n, err := strconv.ParseInt(at.Parent, 10, 64)
		if err != nil {
			return false
		}
		at = f.by[state.Key(n)]
	}
	return false
}

// failed notes that calls of a step failed, or that it threw.
func (f *fold) failed(step *Step, fact engine.Fact) *Step {
	step.Message = fact.Text
	step.Failures++
	if fact.Kind == engine.FactJobThrew {
		f.thrown = step
	}
	return step
}

// ended closes what was open when the run ended.
func (f *fold) ended(fact engine.Fact) {
	for _, step := range f.steps {
		if !step.Over() {
			step.State, step.Left = StepTerminated, fact.Time
			f.touch(step)
		}
	}
}

// Over reports whether the step has ended.
func (s *Step) Over() bool { return !s.Left.IsZero() }

func typeOf(k program.Kind) string {
	switch k {
	case program.StartEvent, program.StartTimer, program.StartError, program.StartEscalation, program.StartSubscribed, program.StartByEvent:
		return "start"
	case program.EndEvent, program.ErrorEnd, program.TerminateEnd, program.EscalationEnd, program.SignalEnd:
		return "end"
	case program.TimerCatch:
		return "timer"
	case program.PassEvent, program.EscalationThrow, program.SignalThrow:
		return "event"
	case program.EventCatch, program.ReceiveTask:
		return "message"
	case program.BoundaryTimer, program.BoundaryError, program.BoundaryEscalation, program.BoundaryEvent:
		return "boundary"
	case program.UserTask:
		return "user"
	case program.ScriptTask:
		return "script"
	case program.DecisionTask:
		return "decision"
	case program.PlainTask:
		return "task"
	case program.ExclusiveGateway, program.ParallelGateway, program.EventGateway:
		return "gateway"
	case program.SubProcess, program.EventSubProcess:
		return "subprocess"
	case program.CallActivity:
		return "call"
	}
	return "service"
}

// dress adds to the steps what is known of their rows.
func (f *fold) dress(known []dispatch.JobState) {
	for _, k := range known {
		step := f.jobs[k.Job]
		if step == nil {
			continue
		}
		rows := count(k)
		late := step.State == StepFailed && rows.Outcomes["timed_out"] > 0 && rows.Outcomes["failed"] == 0
		if step.Rows == nil || late || !sameRows(step.Rows, rows) {
			f.log = append(f.log, step)
		}
		if late {
			step.State = StepTimedOut
		}
		step.Service, step.Rows = k.Service, rows
	}
}

func count(k dispatch.JobState) *Rows {
	rows := &Rows{Total: len(k.Rows), Outcomes: map[string]int{}}
	percent := 0
	for _, r := range k.Rows {
		if r.Outcome == "" {
			percent += k.Progress[r.Object].Percent
			continue
		}
		rows.Outcomes[string(r.Outcome)]++
		percent += 100
	}
	rows.Percent = 100
	if rows.Total > 0 {
		rows.Percent = percent / rows.Total
	}
	return rows
}

func sameRows(a, b *Rows) bool {
	if a.Total != b.Total || a.Percent != b.Percent || len(a.Outcomes) != len(b.Outcomes) {
		return false
	}
	for k, v := range a.Outcomes {
		if b.Outcomes[k] != v {
			return false
		}
	}
	return true
}

// steps folds the whole history of a run.
func (s *Service) steps(ctx context.Context, r runs.Run) (*fold, error) {
	p, err := s.Definitions.Program(r.Definition())
	if err != nil {
		return nil, err
	}
	f := newFold(r.Key, p)
	if err := f.read(ctx, s); err != nil {
		return nil, err
	}
	known, err := s.Dispatch.Outcomes(ctx, f.run)
	if err != nil {
		return nil, err
	}
	f.dress(known)
	return f, nil
}
