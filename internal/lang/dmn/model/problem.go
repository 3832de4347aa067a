package model

import (
	"fmt"

	"sextant/internal/lang/xmltree"
)

// Level is how grave a problem is.
type Level string

// The levels.
const (
	// Failure is a mistake: a model that has one should not be put to use.
	Failure Level = "error"
	// Caution is allowed and probably not meant.
	Caution Level = "warning"
)

// Problem is one thing wrong with a model. Model is the name of the model it
// lies in, Owner that of the decision, business knowledge model, service or item
// definition; Element is the id of the nearest element that has one.
type Problem struct {
	Level   Level  `json:"level"`
	Code    string `json:"code"`
	Model   string `json:"model,omitempty"`
	Owner   string `json:"owner,omitempty"`
	Element string `json:"element,omitempty"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// String is the problem for people: "line 12, decision Risk: …".
func (p Problem) String() string {
	s := fmt.Sprintf("line %d", p.Line)
	switch {
	case p.Owner != "":
		s += ", " + p.Owner
	case p.Element != "":
		s += ", element " + p.Element
	}
	return s + ": " + p.Message
}

// Place is where something stands in a file.
type Place struct {
	ID           string
	Line, Column int
}

func placeOf(n *xmltree.Node) Place {
	return Place{ID: n.Attr("id"), Line: n.Line, Column: n.Column}
}
