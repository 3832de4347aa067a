// Package dispatch does the jobs of service tasks whose type is
// plugin:<plugin>/<service>/<action>, and finds the rows of bound activities.
//
//	job ─► rows ─► inputs ─► chunks (stored) ─► calls ─► outcomes (stored) ─► write-back ─► complete, throw or incident
//
// A chunk is stored before it is sent, with a key made of the job, the round and
// its number: after a crash the same bytes go out under the same key, and a
// plugin gives the answer of the first. A round is one intent to do rows. A new
// one begins when a person retries, and when rows are tried again that a plugin
// said were certainly not done; it holds only the rows that are not done yet.
//
// Rows end ok, failed, skipped, cancelled, timed_out or unknown. Unknown is
// never shown as success: it is always an incident. Rows that are ok are written
// back to their objects before anything else happens.
//
// A step leaves a variable with the id of its element: {rows, ok, failed}, each
// row with its object, outcome and outputs. The source "step" reads it.
package dispatch

import "embed"

// Migrations holds jobs, chunks and rows.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "dispatch"
