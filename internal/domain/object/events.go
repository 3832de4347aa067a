package object

import (
	"sextant/internal/kit/bus"
	"sextant/sdk/go/wire"
)

// Changed is the data of the events that an object was made, changed or removed.
type Changed struct {
	Attributes     []string `json:"attributes" doc:"Names of what changed"`
	OverrideReason string   `json:"overrideReason,omitempty" doc:"Why a lock did not bind the change"`
	Run            string   `json:"run,omitempty" doc:"Key of the run that did it"`
	Version        int64    `json:"version,omitempty" doc:"That of the object afterwards, where its owner has versions"`
}

// Parted is the data of the events that what is observed of an object parted from
// what is desired, or came to it.
type Parted struct {
	Attributes []string `json:"attributes" doc:"Names of those of which this change did so"`
	Run        string   `json:"run,omitempty" doc:"Key of the run that did it"`
	Version    int64    `json:"version" doc:"That of the object afterwards"`
}

const of = "{type}/{id}"

var (
	created = bus.Kind[Changed]{Type: "sextant.object.created.v1", Subject: of, Says: "An object was made.", Read: "object.read"}
	updated = bus.Kind[Changed]{Type: "sextant.object.updated.v1", Subject: of, Says: "Attributes of an object changed.", Read: "object.read"}
	drifted = bus.Kind[Parted]{Type: "sextant.object.drifted.v1", Subject: of,
		Says: "Something else is observed of an object than is desired, since a change of one or the other.", Read: "object.read"}
	settled = bus.Kind[Parted]{Type: "sextant.object.settled.v1", Subject: of,
		Says: "What is observed of an object came to what is desired, or the wish to what is.", Read: "object.read"}
	deleted = bus.Kind[Changed]{Type: "sextant.object.deleted.v1", Subject: of, Says: "An object was removed.", Read: "object.read"}
)

// Events are the kinds of events on objects.
func Events() []bus.Declared {
	return []bus.Declared{created.Declared(), updated.Declared(), deleted.Declared(), drifted.Declared(), settled.Declared()}
}

// kindOf is the kind of event that tells of an operation.
func kindOf(op string) bus.Kind[Changed] {
	switch op {
	case wire.OpCreate:
		return created
	case wire.OpDelete:
		return deleted
	}
	return updated
}
