// Package objectdoctest has a document for the tests of all who read one.
package objectdoctest

import _ "embed"

// Landscape defines two types that refer to each other and has objects of them, with
// a value of every kind and in every way of writing it.
//
//go:embed landscape.yaml
var Landscape string
