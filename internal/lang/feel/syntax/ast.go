// Package syntax reads FEEL text (DMN 1.5, chapter 10) into a tree.
package syntax

import "sextant/internal/lang/feel/value"

// Node is a piece of an expression. Pos and End are the offsets in bytes of what
// it is made from: End is that of the byte behind it. Where an operator stands
// between operands, Place is that of the operator, else it is Pos.
type Node interface {
	Pos() int
	End() int
	Place() int
}

type at struct{ from, place, to int }

// Pos is the offset of the first byte of the node.
func (a at) Pos() int { return a.from }

// End is the offset behind the last byte of the node.
func (a at) End() int { return a.to }

// Place is where a message about the node points at.
func (a at) Place() int { return a.place }

// Ident is a name where it is declared or used as a member.
type Ident struct {
	Name     string
	Pos, End int
}

// Literal is a constant.
type Literal struct {
	at
	Value value.Value
}

// Temporal is @"…", which may need a time zone and so is read when evaluated.
type Temporal struct {
	at
	Text string
}

// Name refers to a variable, a function, or "?" for the tested input.
type Name struct {
	at
	Name string
}

// Unary is a negation.
type Unary struct {
	at
	X Node
}

// Binary is an operation: + - * / ** = != < <= > >= and or.
type Binary struct {
	at
	Op   string
	X, Y Node
}

// Between is x between low and high.
type Between struct {
	at
	X, Low, High Node
}

// In is x in (tests).
type In struct {
	at
	X     Node
	Tests []Node
}

// Test is one positive unary test: a comparison with the input.
type Test struct {
	at
	Op string
	X  Node
}

// Tests is a list of unary tests as it stands in a cell of a decision table.
type Tests struct {
	at
	Any   bool // "-"
	Not   bool
	Tests []Node
}

// If is a conditional.
type If struct {
	at
	Cond, Then, Else Node
}

// Iterator is one variable of a for, some or every; To is set for a range of
// numbers or dates.
type Iterator struct {
	Name   Ident
	In, To Node
}

// For builds a list.
type For struct {
	at
	Iterators []Iterator
	Body      Node
}

// Quantified is some or every.
type Quantified struct {
	at
	Every     bool
	Iterators []Iterator
	Body      Node
}

// List is a list literal.
type List struct {
	at
	Items []Node
}

// Entry is one entry of a context.
type Entry struct {
	Key   Ident
	Value Node
}

// Context is a context literal.
type Context struct {
	at
	Entries []Entry
}

// Filter is x[f].
type Filter struct {
	at
	X, F Node
}

// Path is x.name.
type Path struct {
	at
	X    Node
	Name Ident
}

// Call calls a function; Names is set where arguments are given by name.
type Call struct {
	at
	Fn    Node
	Args  []Node
	Names []Ident
}

// Param is a parameter of a function literal; Type is nil where none is given.
type Param struct {
	Ident
	Type *Type
}

// Function is a function literal. External ones are written in another language
// and described by their body, a context.
type Function struct {
	at
	Params   []Param
	External bool
	Body     Node
}

// Type is a type as written: number, list<T>, range<T>, context<a: T>,
// function<T, U> -> R, or the name of one that the caller defines.
type Type struct {
	at
	Name   string
	Args   []*Type // what stands between the angle brackets
	Fields []Ident // of a context: the names of Args
	Result *Type   // of a function
}

// Range is an interval literal; a bound may be nil.
type Range struct {
	at
	Low, High         Node
	LowOpen, HighOpen bool
}

// InstanceOf tests the type of a value.
type InstanceOf struct {
	at
	X    Node
	Type *Type
}
