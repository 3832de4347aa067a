package decision

import "sextant/internal/kit/bus"

// VersionDeployed is the data of the event that a decision has a new version.
type VersionDeployed struct {
	Version int    `json:"version" minimum:"1"`
	Digest  string `json:"digest" doc:"SHA-256 of the file"`
}

var deployed = bus.Kind[VersionDeployed]{
	Type: "sextant.decision.deployed.v1", Subject: "decision/{id}", Says: "A new version of a decision was deployed.", Read: "decision.read"}

// Events are the kinds of events on decisions.
func Events() []bus.Declared { return []bus.Declared{deployed.Declared()} }
