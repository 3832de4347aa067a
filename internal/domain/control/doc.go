// Package control is the door: whoever asks for a run asks Admit, and nothing
// else starts one.
//
//	request ─► global stop ─► permission ─► input ─► objects ─► locks ─► ADMIT
//	               └──────────┴────────────┴─────────┴──────────┴─────► REJECTED
//
// The first step that says no gives the reason; all steps are told. Every
// verdict is stored, the refusals too. An admitted run holds an exclusive lock
// on each object that it was given until it ends; the lock has a lease, which
// the host of the engine renews, and a fence that grows with every holder.
//
// It never waits and never touches a target.
package control

import "embed"

// Migrations holds verdicts, locks and the global stop.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "control"
