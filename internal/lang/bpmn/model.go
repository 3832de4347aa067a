package bpmn

// Model is what the processes of a file say.
type Model struct {
	Processes []*Process
	// Errors are the <error> definitions by id.
	Errors map[string]ErrorRef
	// Escalations are the <escalation> definitions by id.
	Escalations map[string]EscalationRef
	// Messages and Signals are the <message> and <signal> definitions by id.
	Messages map[string]MessageRef
	Signals  map[string]SignalRef
	// Warnings name what is kept but has no meaning here.
	Warnings []Problem
	// Problems are those that refuse the file.
	Problems []Problem
}

// ErrorRef is a BPMN error definition.
type ErrorRef struct{ ID, Name, Code string }

// EscalationRef is a BPMN escalation definition.
type EscalationRef struct{ ID, Name, Code string }

// MessageRef is a message definition. Correlation is the expression of the key by
// which a run is found, empty for none.
type MessageRef struct {
	ID, Name, Correlation string
	Node                  *Node
}

// SignalRef is a signal definition.
type SignalRef struct{ ID, Name string }

// Process is one <process>.
type Process struct {
	ID, Name   string
	Executable bool
	Scope      *Scope
	Node       *Node
	Ext        Extensions
}

// Scope holds elements and the flows between them: a process or a sub-process.
type Scope struct {
	Elements []*Element
	// Flows are those that connect two elements.
	Flows []*Flow
	// Broken is whether another flow leads to nothing or comes from nothing.
	Broken bool
}

// Element is a flow node: an event, an activity or a gateway.
type Element struct {
	// Type is the local name of the XML element, such as serviceTask.
	Type     string
	ID, Name string
	Node     *Node
	// Incoming and Outgoing are the flows in the order of their declaration.
	Incoming, Outgoing []*Flow
	// Default is the id of the default flow.
	Default string
	// AttachedTo is the id of the activity that a boundary event sits on;
	// Interrupting is its cancelActivity, or isInterrupting of a start event.
	AttachedTo string
	// MessageRef is the id of the <message> that a receive task waits for.
	MessageRef   string
	Interrupting bool
	Events       []EventDefinition
	Loop         *Loop
	// TriggeredByEvent marks an event sub-process.
	TriggeredByEvent bool
	// Scope is the content of a sub-process, nil elsewhere.
	Scope *Scope
	Ext   Extensions
	// Refused elements have been told as problems already.
	Refused bool
}

// EventDefinition is what an event waits for or throws. Type is the local name
// without EventDefinition: timer, error, message, …
type EventDefinition struct {
	Type string
	// ErrorRef is the id of an <error>, EscalationRef that of an <escalation>.
	ErrorRef, EscalationRef string
	// MessageRef is the id of a <message>, SignalRef that of a <signal>.
	MessageRef, SignalRef string
	// Name is that of a link.
	Name string
	// One of these is set for a timer; Kinds counts them.
	Date, Duration, Cycle string
	Kinds                 int
	Node                  *Node
}

// Loop is how an activity repeats.
type Loop struct {
	// Standard marks a <standardLoopCharacteristics>, otherwise multi-instance.
	Standard   bool
	Sequential bool
	// Cardinality and CompletionCondition are expression texts.
	Cardinality, CompletionCondition string
	InputCollection, InputElement    string
	OutputCollection, OutputElement  string
	Batch                            *Batch
	Node                             *Node
	// Refused loops have been told as problems already.
	Refused bool
}

// Batch is <sextant:batch>: the bound rows are cut into batches, each iteration
// works on one.
type Batch struct{ Expression, OnFail, MaxFail string }

// Flow is a sequence flow.
type Flow struct {
	ID, Name, Source, Target string
	Condition                string
	HasCondition             bool
	// Refused conditions have been told as problems already.
	Refused bool
	Node    *Node
}

// Extensions are the extension elements with a meaning here.
type Extensions struct {
	TaskType, TaskRetries string
	HasTask               bool
	Inputs, Outputs       []Mapping
	Headers               []Header
	Correlation           string
	Decision              *CalledDecision
	Called                *CalledElement
	VersionTag            string
	Script                *Script
	UserTask              bool
	FormKey, FormID       string
	Assignee              string
	CandidateGroups       string
	CandidateUsers        string
	Due, FollowUp         string
	Bind                  *Bind
	ServiceInputs         []ServiceInput
	ServiceOutputs        []ServiceOutput
	Risk                  string
	Start                 *StartSpec
}

// CalledDecision is what a business rule task calls.
type CalledDecision struct{ ID, Result string }

// CalledElement is what a call activity calls.
type CalledElement struct {
	Process, Binding, VersionTag string
	// ParentVariables and ChildVariables are whether all variables go in and out.
	ParentVariables, ChildVariables bool
}

// Mapping is a zeebe input or output mapping.
type Mapping struct {
	Source, Target string
	Node           *Node
}

// Header is a zeebe task header.
type Header struct{ Key, Value string }

// Script is <zeebe:script>.
type Script struct{ Expression, ResultVariable string }

// Bind is <sextant:bind>: the rows that an activity acts on.
type Bind struct {
	Path    string
	Dynamic bool
	Node    *Node
}

// StartSpec is <sextant:start>: what a run of the process is started on and with.
// Schema is the text of <sextant:schema>, a JSON Schema of the variables.
type StartSpec struct {
	Object, Min, Max, Title, OnBusy, Schema string
	Node                                    *Node
}

// ServiceInput is <sextant:input>: where a parameter of a service comes from.
// Exactly one of Path, Feel, Step, Constant and Setting is set, named by From.
type ServiceInput struct {
	Name, From, Value string
	Node              *Node
}

// ServiceOutput is <sextant:output>: the object path that an output is written
// to.
type ServiceOutput struct {
	Name, To string
	Node     *Node
}
