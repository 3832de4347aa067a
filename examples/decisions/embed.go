// Package decisions holds decision models that run as they are and are meant to
// be taken as a beginning for others, with the cases that test them.
package decisions

import "embed"

// Files are the models and their test cases.
//
//go:embed *.dmn *.xml
var Files embed.FS
