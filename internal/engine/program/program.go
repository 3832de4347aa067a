// Package program turns a process of a BPMN file into the form that the engine
// runs: nodes and flows in arrays, every expression compiled, every reference
// resolved. What the engine cannot execute is refused here, with element id and
// line; nothing is ignored silently.
package program

import (
	"sextant/internal/lang/bpmn"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/rolling"
)

// Kind is what a node does.
type Kind uint8

// The kinds of nodes. Process is the node of the process itself.
const (
	Process Kind = iota
	StartEvent
	EndEvent
	ErrorEnd
	TimerCatch
	BoundaryTimer
	BoundaryError
	ServiceTask
	UserTask
	ScriptTask
	ExclusiveGateway
	ParallelGateway
	SubProcess
	// PlainTask is a task that nobody does, PassEvent an event that asks for
	// nothing, such as one without a trigger or a link.
	PlainTask
	PassEvent
	TerminateEnd
	EscalationThrow
	EscalationEnd
	BoundaryEscalation
	// EventSubProcess begins with one of the start events after it.
	EventSubProcess
	StartTimer
	StartError
	StartEscalation
	// Events and tasks that wait for a message or a signal.
	EventCatch
	BoundaryEvent
	StartSubscribed
	ReceiveTask
	// StartByEvent begins a process when a message or a signal comes.
	StartByEvent
	SignalThrow
	SignalEnd
	EventGateway
	// DecisionTask asks for a decision.
	DecisionTask
	// CallActivity calls another process.
	CallActivity
)

// None stands for "no node" or "no flow" where an index is wanted.
const None int32 = -1

// Program is a compiled process. It is immutable and safe for concurrent use.
type Program struct {
	ProcessID string
	Name      string
	// VersionTag is what people call this version, empty where they do not.
	VersionTag string
	// Nodes holds the process at 0 and every element after it.
	Nodes []*Node
	Flows []*Flow
	// Events are the start events of the process that wait for a message or a signal.
	Events []int32
	// Begin is what a run is started on and with; nil where the process does not
	// say.
	Begin *Begin
	byID  map[string]int32
	lost  []string
}

// Lookup finds a node by its element id.
func (p *Program) Lookup(id string) (*Node, bool) {
	i, ok := p.byID[id]
	if !ok {
		return nil, false
	}
	return p.Nodes[i], true
}

// Node is one element. Indexes refer to Program.Nodes and Program.Flows.
type Node struct {
	Index    int32
	ID, Name string
	Kind     Kind
	Line     int
	// Scope is the node of the process or sub-process that the node lies in.
	Scope    int32
	Incoming []int32
	Outgoing []int32
	Default  int32
	// Start is the start event of a process or sub-process.
	Start int32
	// Handlers are the event sub-processes within a process or sub-process.
	Handlers []int32
	// Boundary are the boundary events attached to an activity; AttachedTo is
	// the activity of a boundary event.
	Boundary     []int32
	AttachedTo   int32
	Interrupting bool
	Inputs       []Mapping
	Outputs      []Mapping
	Task         *Task
	Human        *Human
	Script       *Script
	Timer        *Timer
	// Code is that of the error or escalation that an event throws or catches; one
	// that catches with an empty code catches every one.
	Code string
	Loop *Loop
	// Decision is what a business rule task calls.
	Decision *Decision
	// Event is the message or signal that it waits for or throws.
	Event *Event
	// Call is what a call activity calls.
	Call *Call
	// Ext gives the service details (binding, inputs, outputs, risk) that the
	// engine hands on untouched.
	Ext bpmn.Extensions

	// refused nodes have been told as problems: nothing is said of what only follows.
	refused bool
	event   bool   // it is drawn as an event
	link    string // name of the link that leads away from it
	cancels bool   // a cancel event on a boundary
	begins  bool   // a start event that is not executed
	broken  bool   // a scope with a flow that leads to nothing or comes from nothing
	free    bool   // a scope whose elements need not be connected
}

// Begin is what a process declares of its starts.
type Begin struct {
	// Object is the type pkg:type of what it acts on, Min and Max how many; Max is
	// 0 for any number.
	Object   string
	Min, Max int
	// Title is an expression over the variables of the start, as is a text without
	// "=" before it itself.
	Title Value
	// Schema is the JSON Schema of the variables, empty for none.
	Schema []byte
	// Busy is what becomes of a start on something that is held.
	Busy Busy
	Line int
}

// Flow is a sequence flow.
type Flow struct {
	Index          int32
	ID, Name       string
	Source, Target int32
	Condition      *feel.Expr
	conditional    bool // it has a condition, be it one that does not compile
}

// Value is a text that is either static or an expression.
type Value struct {
	Static string
	Expr   *feel.Expr
}

// Mapping copies the value of an expression to a variable; Target is the path
// of names, outermost first.
type Mapping struct {
	Source Value
	Target []string
}

// Task is the job of a service task.
type Task struct {
	Type    Value
	Retries Value
	Headers []bpmn.Header
}

// Human is a user task.
type Human struct {
	Assignee, CandidateGroups, CandidateUsers, Form Value
	// Due and FollowUp are dates and times, or empty.
	Due, FollowUp Value
	// Documentation is what its author says about the task.
	Documentation string
}

// Script is a FEEL script.
type Script struct {
	Expr   *feel.Expr
	Result string
}

// Decision is a decision by id; Result is the variable for what it says.
type Decision struct {
	ID     Value
	Result string
}

// Binding says which version of a process is called.
type Binding string

// The bindings: the newest version, the one of the same file, the newest with a tag.
const (
	Latest     Binding = "latest"
	Deployment Binding = "deployment"
	VersionTag Binding = "versionTag"
)

// Call is a process by id. In and Out are whether all variables are handed over and
// taken back.
type Call struct {
	Process Value
	Binding Binding
	Tag     string
	In, Out bool
}

// Event is a message or a signal by name. A message has the key by which its run is
// found, nil for none.
type Event struct {
	Name        Value
	Signal      bool
	Correlation *feel.Expr
}

// TimerKind says how a timer is given.
type TimerKind uint8

// The kinds of timers.
const (
	TimerDuration TimerKind = iota
	TimerDate
	TimerCycle
)

// Timer is when a timer event fires.
type Timer struct {
	Kind  TimerKind
	Value Value
}

// Loop is how an activity runs many times.
type Loop struct {
	Sequential       bool
	Input            *feel.Expr
	Cardinality      *feel.Expr
	InputElement     string
	OutputCollection string
	OutputElement    *feel.Expr
	Completion       *feel.Expr
	// Batch cuts the bound rows; the iterations then see batch and batchIndex.
	Batch *rolling.Plan
	// Bind is the object path of the rows to cut.
	Bind string
}
