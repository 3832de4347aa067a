package dispatch

import "sextant/internal/kit/bus"

// JobEnded is the data of the event that what a step began has ended.
type JobEnded struct {
	Job     string `json:"job" doc:"Key of the job"`
	Element string `json:"element" doc:"Id of the step in its process"`
}

// JobStopped is the type of that event.
const JobStopped = "sextant.job.stopped.v1"

var jobStopped = bus.Kind[JobEnded]{Type: JobStopped, Subject: "run/{key}",
	Says: "All that a step began which is wanted no more has ended.", Read: "run.read"}

// Events are the kinds of events on jobs.
func Events() []bus.Declared { return []bus.Declared{jobStopped.Declared()} }
