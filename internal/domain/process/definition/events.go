package definition

import "sextant/internal/kit/bus"

// VersionDeployed is the data of the event that a process has a new version.
type VersionDeployed struct {
	Version int `json:"version" minimum:"1"`
}

var deployed = bus.Kind[VersionDeployed]{
	Type: "sextant.process.deployed.v1", Subject: "process/{id}", Says: "A new version of a process was deployed.", Read: "process.read"}

// Events are the kinds of events on definitions of processes.
func Events() []bus.Declared { return []bus.Declared{deployed.Declared()} }
