// Package decision keeps the decisions of DMN files with their versions, evaluates
// them for people, programs and the steps of runs, and remembers why a run got what
// it got.
//
//	deployed ─► version 1, 2, …              (a version never changes)
//	business rule task ─► job ─► evaluated ─► result of the step, and on record
//	                              └─► incident: there is none, or it has a mistake
//
// A run uses the newest version there is when it comes to the step. Evaluation sees
// the variables that the step sees, the time, and nothing else.
package decision

import "embed"

// Migrations holds versions of decisions, and what runs got from them.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "decision"
