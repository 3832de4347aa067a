// Package engine is the BPMN machine: Step takes the state of a run and an
// event, changes the state and returns the effects that the change calls for
// and the facts that history keeps. It has no clock, no goroutine, no database
// and no chance in it: the same state and event always give the same result.
//
// The host (package durable) stores the changed records and the effects in one
// transaction and only then carries the effects out.
//
// # The life of an element instance
//
//	token ─► Activating ─► Active ─► Completing ─► gone, tokens on the outgoing flows
//	            │            │           │
//	            └── incident ┴───────────┘   resolved: the phase is taken up again
//
// An instance exists only where something can wait: tasks, timers,
// sub-processes, bodies of multi-instances, the process itself, and whatever
// has an incident. Tokens pass everything else within one step.
//
// A step may stop half-way: after so many moves, when the host says so, before the
// first expression, or with an incident when the budget of the run is used up. The
// tokens that are on their way are then parked in the state, and Continue, or the
// end of the incident, takes them up in the same order. However often a run stops,
// it does the same.
//
// # Invariants
//
//   - A scope completes when it has no child, no token in flight and no token
//     at a join.
//   - Every job, timer, task and incident belongs to exactly one element
//     instance and ends with it.
//   - A step on one of n parallel iterations changes a fixed number of records,
//     whatever n is.
//
// Where it differs from Zeebe: an error end event that nothing catches ends the
// run as failed (Zeebe raises an incident), because a process that says it
// failed should read as failed.
package engine
