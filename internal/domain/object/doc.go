// Package object finds and changes objects, which plugins own.
//
// It knows the object types from the manifests, those that people define while
// a plugin runs included, adds the project to every query, checks rights and
// references, and evaluates object paths: one call per hop for all rows and
// paths together. Of its own it
// stores only how far it has read what plugins changed.
//
// The reference to an object is pkg:type/id.
package object

import (
	"strings"

	"sextant/internal/kit/errs"
)

// Ref names an object.
type Ref struct{ Package, Type, ID string }

// ParseRef reads pkg:type/id.
func ParseRef(s string) (Ref, error) {
	typ, id, ok1 := strings.Cut(s, "/")
	pkg, name, ok2 := strings.Cut(typ, ":")
	if !ok1 || !ok2 || pkg == "" || name == "" || id == "" {
		return Ref{}, errs.New(errs.Invalid, "object.reference", "%q names no object: write package:type/id", s).
			At(errs.Field{Path: "objects", Message: "want package:type/id"})
	}
	return Ref{pkg, name, id}, nil
}

// TypeRef is pkg:type.
func (r Ref) TypeRef() string { return r.Package + ":" + r.Type }

// String is pkg:type/id.
func (r Ref) String() string { return r.TypeRef() + "/" + r.ID }
