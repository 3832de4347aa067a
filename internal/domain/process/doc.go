// Package process keeps processes with their versions, and runs with what a
// person may do to them.
//
//	deploy ─► version 1, 2, …            (a version never changes)
//	control.Admit ─► Start ─► active ─► completed | failed | cancelled
//	                             ▲ │  └──► stopping ─► the same, once all has ended
//	                  all resolved │ an incident is raised
//	                             │ ▼
//	                           incident
//
// The state of a run is the engine's; here are the rows that lists need, written
// in the engine's own commit. The steps of a run are folded from its history
// whenever somebody looks.
//
// It never starts a run by itself: its start endpoint asks the door.
package process

import "embed"

// Migrations holds definitions, runs and incidents.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "process"
