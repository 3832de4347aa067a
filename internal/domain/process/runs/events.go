package runs

import (
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
)

// Begun is the data of the event that a run began.
type Begun struct {
	Process string `json:"process"`
	Parent  string `json:"parent,omitempty" doc:"Key of the run that has called it"`
}

// Ended is the data of the events that a run is over, or about to be.
type Ended struct {
	Process string `json:"process"`
	Code    string `json:"code,omitempty" doc:"Why it failed or was cancelled"`
}

// Stopped is the data of the event that a step of a run waits for a person.
type Stopped struct {
	Process string `json:"process"`
	Element string `json:"element" doc:"Id of the step in its process"`
	Kind    string `json:"kind" doc:"What sort of thing went wrong"`
	Message string `json:"message" maxLength:"1000"`
}

// Resumed is the data of the event that a step of a run goes on.
type Resumed struct {
	Process string `json:"process"`
	Element string `json:"element" doc:"Id of the step in its process"`
}

// Work is the data of the events on a person's task.
type Work struct {
	Run     string `json:"run" doc:"Key of the run"`
	Process string `json:"process"`
}

const ofRun, ofTask = "run/{key}", "task/{key}"

var (
	started = bus.Kind[Begun]{Type: "sextant.run.started.v1", Subject: ofRun, Says: "A run began.", Read: "run.read"}
	queued  = bus.Kind[Begun]{Type: "sextant.run.queued.v1", Subject: ofRun,
		Says: "A run was asked for and waits to start.", Read: "run.read"}
	movedUp = bus.Kind[Begun]{Type: "sextant.run.moved_up.v1", Subject: ofRun,
		Says: "A run that waits to start comes before the others now.", Read: "run.read"}
	stopped = bus.Kind[Stopped]{Type: "sextant.run.stopped.v1", Subject: ofRun,
		Says: "A step of a run has an incident and waits for a person.", Read: "run.read"}
	resumed  = bus.Kind[Resumed]{Type: "sextant.run.resumed.v1", Subject: ofRun, Says: "An incident of a run is gone.", Read: "run.read"}
	stopping = bus.Kind[Ended]{Type: "sextant.run.stopping.v1", Subject: ofRun,
		Says: "A run is over, and what it began elsewhere has not ended yet.", Read: "run.read"}
	ended = map[string]bus.Kind[Ended]{
		"completed": {Type: "sextant.run.completed.v1", Subject: ofRun, Says: "A run reached its end.", Read: "run.read"},
		"failed":    {Type: "sextant.run.failed.v1", Subject: ofRun, Says: "A run ended with an error.", Read: "run.read"},
		"cancelled": {Type: "sextant.run.cancelled.v1", Subject: ofRun,
			Says: "A run was ended by a person or by what replaced it.", Read: "run.read"},
	}
	removed = bus.Kind[Begun]{Type: "sextant.run.removed.v1", Subject: ofRun,
		Says: "A run that had ended was removed, since it was kept long enough.", Read: "run.read"}
	taskCreated = bus.Kind[Work]{Type: "sextant.task.created.v1", Subject: ofTask,
		Says: "A run asks a person for something.", Read: "task.read"}
	taskClosed = bus.Kind[Work]{Type: "sextant.task.closed.v1", Subject: ofTask,
		Says: "A task was done, or is not asked for any more.", Read: "task.read"}
)

// Events are the kinds of events on runs and tasks.
func Events() []bus.Declared {
	return []bus.Declared{
		queued.Declared(), movedUp.Declared(), started.Declared(), stopped.Declared(),
		resumed.Declared(), stopping.Declared(), ended["completed"].Declared(), ended["failed"].Declared(),
		ended["cancelled"].Declared(), removed.Declared(), taskCreated.Declared(), taskClosed.Declared(),
	}
}

// about says which run an event is on.
func about(r Run) bus.Of { return bus.Of{Subject: "run/" + r.Key.String(), Project: r.Project} }

// aboutTask says which task an event is on, and of which run.
func aboutTask(r Run, key int64) (bus.Of, Work) {
	return bus.Of{Subject: "task/" + api.Key(key).String(), Project: r.Project}, Work{r.Key.String(), r.Process}
}
