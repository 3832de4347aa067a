// Package feel is the expression language of the house: FEEL of DMN 1.5, chapter
// 10, with names in back quotes as Zeebe allows them.
//
// An expression has no side effect and always gives a value: what has no answer
// is null, with a warning that says why and where. Only a limit stops it with an
// error. Time, time zones, chance and variables come from the caller, so that the
// same input gives the same value everywhere and for ever.
//
// Text goes through syntax (lexer, parser, tree) and eval (closures) to value;
// builtin holds the functions that the language brings. What an expression may
// cost is counted in steps, roughly in proportion to the time it takes, and the
// weight of what it builds is known without walking through it, see Limits and
// value.Weight: a hostile expression ends after about a second in little memory.
//
// Beyond the standard there are names in back quotes, and functions that Zeebe
// brings: get or else, is defined, is blank, is empty, assert, extract, trim,
// partition, duplicate values, to json, from json, last day of month, put, put all,
// uuid, random number and others. Regular expressions are those of XPath 3.1, see
// pattern. A days and time duration reaches 292 years. Functions in other languages
// are null.
package feel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/eval"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

// Limits bound what one expression may cost; a field that is 0 has its default.
type Limits = eval.Limits

// LimitError says which limit an evaluation exceeded.
type LimitError = eval.LimitError

// Env is what an evaluation may see. All fields may be left empty.
type Env = eval.Env

// Budget is what several evaluations that belong together may cost.
type Budget = eval.Budget

// NewBudget makes a budget; limits that are 0 have their defaults.
func NewBudget(l Limits) *Budget { return eval.NewBudget(l) }

// Warning says why something became null. Offset counts bytes from 0.
type Warning = eval.Warning

// DefaultLimits are the limits where none are given.
func DefaultLimits() Limits { return Limits{}.WithDefaults() }

// Error says what does not read as FEEL. Offset counts bytes from 0, Line and
// Column characters from 1.
type Error struct {
	Offset, Line, Column int
	Message              string
	Source               string
}

// Error is the message with the place.
func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Option changes how an expression is compiled.
type Option func(*options)

type options struct {
	known []string
	eval  eval.Options
}

// KnownNames makes names that hold spaces or signs readable. A function that the
// caller has under the name of a built-in hides it where the name is known.
func KnownNames(names ...string) Option {
	return func(o *options) { o.known = append(o.known, names...) }
}

// WithLimits replaces the limits; those that are 0 keep their defaults.
func WithLimits(l Limits) Option { return func(o *options) { o.eval.Limits = l } }

// Types lets expressions name the types that the caller defines, behind
// "instance of" and for parameters of functions.
func Types(find func(name string) (*value.Type, bool)) Option {
	return func(o *options) { o.eval.Types = find }
}

// Expr is a compiled expression. It is immutable and safe for concurrent use.
type Expr struct {
	source  string
	program *eval.Program
}

// Compile reads an expression, without a leading "=". The error is an *Error.
func Compile(src string, opts ...Option) (*Expr, error) {
	return compile(src, syntax.Parse, opts)
}

// CompileUnaryTests reads the tests of a cell in a decision table; the input is
// the variable "?". An empty cell is as "-": every input passes.
func CompileUnaryTests(src string, opts ...Option) (*Expr, error) {
	return compile(src, syntax.ParseTests, opts)
}

func compile(src string, parse func(string, ...*syntax.Names) (syntax.Node, error), opts []Option) (*Expr, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	o.eval.Limits = o.eval.Limits.WithDefaults()
	if limit := o.eval.Limits.SourceBytes; len(src) > limit {
		return nil, &Error{Line: 1, Column: 1, Message: fmt.Sprintf("the expression has %d bytes: at most %d are possible", len(src), limit)}
	}
	if len(o.known) > 0 {
		known := o.known
		o.eval.Brings = func(name string) bool { return slices.Contains(known, name) }
	}
	n, err := parse(src, o.names()...)
	if err != nil {
		return nil, located(src, err)
	}
	return &Expr{source: src, program: eval.Compile(n, o.eval)}, nil
}

// names are those that hold spaces or signs.
func (o *options) names() []*syntax.Names {
	names := []*syntax.Names{builtin.SpacedNames()}
	if len(o.known) > 0 {
		names = append(names, syntax.NewNames(o.known))
	}
	return names
}

// ParseType reads a type as FEEL writes it: number, list<string>, or one that
// the option Types finds. The error is an *Error.
func ParseType(src string, opts ...Option) (*value.Type, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	n, err := syntax.ParseType(src, o.names()...)
	if err != nil {
		return nil, located(src, err)
	}
	t, err := o.eval.Type(n)
	if err != nil {
		return nil, located(src, &syntax.Error{Offset: n.Pos(), Message: err.Error()})
	}
	return t, nil
}

func located(src string, err error) *Error {
	var s *syntax.Error
	if !errors.As(err, &s) {
		return &Error{Line: 1, Column: 1, Message: err.Error(), Source: src}
	}
	line, column := position(src, s.Offset)
	return &Error{Offset: s.Offset, Line: line, Column: column, Message: s.Message, Source: src}
}

// position counts lines and characters from 1.
func position(src string, offset int) (line, column int) {
	before := src[:max(0, min(offset, len(src)))]
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}

// Position gives the place of an offset, such as that of a warning: line and
// character, both from 1.
func (x *Expr) Position(offset int) (line, column int) { return position(x.source, offset) }

// Eval evaluates the expression; a nil env is an empty one. The error is a
// *LimitError: whatever else goes wrong gives null and a warning.
func (x *Expr) Eval(env *Env) (value.Value, error) { return x.program.Eval(env) }

// Source is the text of the expression.
func (x *Expr) Source() string { return x.source }

// Names lists the variables that the expression may ask for, sorted.
func (x *Expr) Names() []string { return x.program.Names() }

// Unknown lists the calls of functions that neither FEEL nor the expression
// brings. They give null unless a variable holds such a function, so it is an
// error where variables are data.
func (x *Expr) Unknown() []*Error {
	var all []*Error
	for _, w := range x.program.Unknown() {
		all = append(all, located(x.source, &syntax.Error{Offset: w.Offset, Message: w.Message}))
	}
	return all
}

// IsExpression tells an expression from plain text where both are possible: it
// begins with "=".
func IsExpression(s string) (expr string, ok bool) { return strings.CutPrefix(s, "=") }
