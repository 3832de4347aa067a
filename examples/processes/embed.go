// Package processes holds processes that run as they are and are meant to be
// taken as a beginning for others.
package processes

import "embed"

// Files are the BPMN files, which open in any BPMN 2.0 modeler.
//
//go:embed *.bpmn
var Files embed.FS
