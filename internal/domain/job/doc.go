// Package job keeps the jobs that workers pull: those of types that no plugin serves.
//
//	created by a run ─► free ─► leased by a worker ─► completed, or an error thrown
//	                     ▲ ▲            │
//	                     │ └────────────┤ its time is over
//	                     └── pause ◄────┤ failed, with tries left
//	                          stuck ◄───┘ failed, without: until the incident is resolved
//
// A job is a row, written and dropped in the write of the step that asks for it. A
// lease has a number that each new one changes; what a worker says counts only under
// its own, which is checked in the write that it brings about. Nothing looks again and
// again: who waits is told of new jobs, and wakes when the next lease runs out.
package job

import "embed"

// Migrations holds the open jobs.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "job"
