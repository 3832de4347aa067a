package engine

import (
	"encoding/json"
	"time"

	"sextant/internal/engine/state"
)

// BindJob is the type of the job that asks for the rows of a bound activity; it
// is completed with the variable rows.
const BindJob = "sextant:bind"

// DecisionJob begins the type of the job that asks for a decision; its id follows.
const DecisionJob = "sextant:decision:"

// Limits on one run, so that an endless loop or a huge list stops with an
// incident instead of taking the server down.
const (
	// MaxVisits is how often one element may be entered without a wait.
	MaxVisits = 10_000
	// MaxFanOut is the most iterations of one multi-instance.
	MaxFanOut = 10_000
	// MaxVariableBytes is the most that one variable may hold as JSON.
	MaxVariableBytes = 4 << 20
	// MaxCorrelation is the most bytes of a correlation key: it is a key of the
	// database.
	MaxCorrelation = 190
)

// EffectKind is what the host has to do after the commit.
type EffectKind uint8

// The effects.
const (
	// JobCreated offers a job, also again after a failure (see NotBefore).
	JobCreated EffectKind = iota + 1
	// JobGone withdraws a job: it is done, or its element was terminated.
	JobGone
	// TimerArmed wakes the run at Due.
	TimerArmed
	// TimerGone forgets a timer.
	TimerGone
	// TaskCreated asks a person.
	TaskCreated
	// TaskGone withdraws a task.
	TaskGone
	// IncidentRaised stops an element instance until a person helps.
	IncidentRaised
	// IncidentGone says that an incident is no more.
	IncidentGone
	// RunEnded says that the run is over.
	RunEnded
	// Subscribed waits for a message or a signal, Unsubscribed no longer does.
	Subscribed
	Unsubscribed
	// SignalThrown goes to everything that waits for the signal.
	SignalThrown
	// CallAsked wants a run of another process, with the key of the effect. The host
	// answers with CallBegun or CallFailed.
	CallAsked
	// CallGone wants the end of a run that was called.
	CallGone
	// Escalated tells what has called the run of an escalation, by its Code.
	Escalated
)

// Effect is one thing to do after the commit. Key names the job, timer, task
// (the element's own key) or incident.
type Effect struct {
	Kind    EffectKind
	Key     state.Key
	Element state.Key
	Node    int32
	// Job is set with JobCreated; it is a copy. New says that nobody has been offered it
	// before.
	New bool
	Job state.Job
	// Due is set with TimerArmed.
	Due time.Time
	// Task is set with TaskCreated.
	Task Task
	// Incident is set with IncidentRaised.
	Incident state.Incident
	// Subscription is set with Subscribed.
	Subscription state.Subscription
	// Name and Variables are set with SignalThrown.
	Name      string
	Variables Variables
	// State and Code are set with RunEnded: completed, failed (with the error
	// code) or cancelled (with the reason).
	State string
	Code  string
	// Of a run that was called RunEnded has in Variables what it leaves, in Message
	// what the error says, and in Escalation the code of one that ended it.
	Message, Escalation string
}

// Task is what a person is asked.
type Task struct {
	Assignee        string
	CandidateGroups []string
	CandidateUsers  []string
	Form            string
	// Due is by when it should be done, FollowUp when somebody should look at it; zero
	// for no such time.
	Due, FollowUp time.Time
}

// How a run ends.
const (
	Completed = "completed"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// FactKind is what happened, for the history. The numbers are stored: they
// never change.
type FactKind uint8

// The facts.
const (
	FactStarted FactKind = iota + 1
	FactEntered
	FactLeft
	FactTerminated
	FactPassed
	FactFlow
	FactJob
	FactJobDone
	FactJobFailed
	FactJobThrew
	FactTimer
	FactIncident
	FactResolved
	FactVariable
	FactSkipped
	FactEnded
	FactRetried
	FactEvent
	FactCalled
)

// Fact is one line of a run's history. Node is an index into the program, of a
// flow for FactFlow; Text and Data depend on the kind: FactVariable has name and
// JSON value, the failing kinds a message. FactEntered has in Data the element
// instance around it where that is not the process, FactJob and FactIncident the
// one that they belong to, FactCalled the run that was called and FactStarted the one
// that has called this one, each as a number that is added to the run's key.
type Fact struct {
	Kind FactKind
	Time time.Time
	Node int32
	Key  state.Key
	Text string
	Data json.RawMessage
}
