// Package control is the door: whoever asks for a run asks Admit, and nothing
// else starts one.
//
//	request ─► global stop ─► permission ─► input ─► objects ─► touch ─► locks ─► ADMIT
//	               └──────────┴────────────┴─────────┴──────────┴─────────┴─────► REJECTED
//
// The first step that says no gives the reason; all steps are told. Every
// verdict is stored, the refusals too. An admitted run holds what its plan knows
// that it will act on, each object in the mode that its service declares, until it
// ends; what its steps find later is claimed before their first call. A claim has a
// lease, which Renew keeps up, and a fence that grows with every claim.
//
// Admit never waits; the claim of a step waits in line. Neither touches a target.
package control

import "embed"

// Migrations holds verdicts, claims, those who wait for them, and the global stop.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "control"
