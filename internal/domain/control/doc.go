// Package control is the door: whoever asks for a run asks Admit, and nothing
// else starts one.
//
//	request ─► global stop ─► permission ─► chain ─► input ─► objects ─► touch ─► locks ─► ADMIT
//	               └──────────┴────────────┴────────┴────────┴──────────┴─────► REJECTED │
//	                                                    what its process says of that: └─► REJECTED
//	                              WAIT ─► judged again ─► ADMIT | REJECTED | REPLACED ◄────┤
//	                                                          MERGED with another run ◄────┘
//
// The first check that says no gives the reason; all are told. Every verdict is
// stored, the refusals too. An admitted run holds what its plan knows that it will act
// on, each object in the mode that its service declares, until it ends; what its steps
// find later is claimed before their first call. A claim has a lease, which Renew keeps
// up, and a fence that grows with every claim.
//
// A request that waits is stored with its place in the line and holds nothing. It never
// stands in the way of a run that has begun, but of every start that comes after it on
// the same objects: nobody is passed by. When something is released the first in line
// are judged again, as if they came now. Admit never waits itself, and touches no
// target.
package control

import "embed"

// Migrations holds verdicts, claims, those who wait for them, requests that wait, and
// the global stop.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "control"
