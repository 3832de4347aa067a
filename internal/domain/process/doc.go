// Package process holds what is stored of processes. The rooms within it are one noun
// each; each knows those before it alone:
//
//	schema    what a process declares of its starts
//	number    the numbers of its elements
//	active    how many runs are active
//	definition  versions: deploy, compile, what a start needs
//	runs      runs, incidents, what people do to them
//	view      how people see a run
package process

import "embed"

// Migrations holds definitions, runs and incidents.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "process"
