// Package durable runs the engine over SQL. It keeps the state of every active
// run in memory, in 64 shards with one loop each, and stores every change
// before anybody can see its effects.
//
//	command ─► shard loop ─► engine.Step ─► one write: records, history, projection ─► commit ─► effects, answer
//
// A run lives on one shard for ever; its key says on which. A command is
// answered after its commit was synced. A crash loses what was not answered;
// afterwards jobs are offered again and timers armed again from the records.
//
// A run and those that it calls live on one shard. What one step does to several of
// them is one write: the first step of a called run with the word that it has begun,
// its last with what its caller does next, a cancel with the end of all below.
//
// A run that cannot be loaded, whose step breaks off, or at which two processes
// died in a row is set aside: its records stay, one incident tells, the others go
// on. Which runs are at work stands in a file that outlives the process.
//
// Towards the outside a job may be offered more than once; in the state it is
// completed once: a second completion gets engine.ErrGone.
package durable

import "embed"

// Migrations holds the tables of the host: engine_record, engine_history,
// engine_key and engine_held.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "engine"
