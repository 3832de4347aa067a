package runs

import (
	"time"

	"sextant/internal/kit/api"
)

// States of a run.
const (
	// StateWaiting is a run that the door keeps until what it wants is free.
	StateWaiting  = "waiting"
	StateActive   = "active"
	StateIncident = "incident"
	// StateStopping is a run that is over but for what it began and what has not
	// ended yet.
	StateStopping = "stopping"
)

// Run is a process acting on named objects.
type Run struct {
	Key       api.Key  `json:"key"`
	Project   string   `json:"project"`
	Process   string   `json:"process"`
	Version   int      `json:"version"`
	Title     string   `json:"title,omitempty"`
	Subject   string   `json:"subject" doc:"Who started it"`
	Verdict   string   `json:"verdict" doc:"Why it was admitted"`
	State     string   `json:"state" enum:"waiting,active,incident,stopping,completed,failed,cancelled"`
	Code      string   `json:"code,omitempty" doc:"Error code of a failed run, reason of a cancelled one"`
	Incidents int      `json:"incidents"`
	Tasks     int      `json:"tasks,omitempty" doc:"Open tasks: it waits for people"`
	Objects   []string `json:"objects" doc:"What it acts on; a list names the first five"`
	// ObjectCount is how many there are.
	ObjectCount int       `json:"objectCount"`
	Started     time.Time `json:"started" doc:"When it began; of one that waits or never began, when it was asked for"`
	Ended       time.Time `json:"ended,omitzero"`
	// Parent is the run that has called this one.
	Parent api.Key     `json:"parent,omitzero" doc:"The run that has called it, by its step caller"`
	Root   api.Key     `json:"root,omitzero" doc:"The run above all that called it; it holds what they need"`
	Caller string      `json:"caller,omitempty" doc:"Id of the call activity"`
	Called []CalledRun `json:"called,omitempty" doc:"Runs that it has called, the newest 200; a list names none"`

	definition int64
	places     string // environments, as identity.Places writes them
}

// Definition is the key of the version that the run is of.
func (r Run) Definition() int64 { return r.definition }

// Over reports whether the run has ended.
func (r Run) Over() bool { return !r.Ended.IsZero() }

// Incident stops a step until a person helps.
type Incident struct {
	Key     api.Key   `json:"key"`
	Run     api.Key   `json:"run"`
	Project string    `json:"project"`
	Process string    `json:"process"`
	Title   string    `json:"title,omitempty" doc:"Title of the run"`
	Element string    `json:"element" doc:"Id of the step"`
	Name    string    `json:"name,omitempty"`
	Kind    string    `json:"kind"`
	Message string    `json:"message"`
	Since   time.Time `json:"since"`

	element int64
	places  string // of the run
}
