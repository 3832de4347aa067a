// Package message brings messages and signals to the runs that wait for them, and
// starts those that begin with one.
//
//	message:  published ─► told ─► gone             (nothing buffers it)
//	                        └────► buffered ─► taken by one run of each process that
//	                                           comes to wait for it ─► expired
//	signal:   broadcast ─► a target for everything that waits now ─► gone
//
// A message goes to at most one run of each process; a signal to everything that
// waits for it in its project. Both are stored before anybody is told. What a run
// takes is noted in the commit of the step that takes it, so that after a crash the
// telling goes on where it was and nobody hears a thing twice.
//
// A start goes through the door, with the rights of who published: there is no other
// way to begin a run.
package message

import "embed"

// Migrations holds what waits, what begins processes, and what was published.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "message"
