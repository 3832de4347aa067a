// Package feel is the expression language of the house: FEEL of DMN 1.5, chapter
// 10, with names in back quotes as Zeebe allows them.
//
// An expression has no side effect and always gives a value: what has no answer
// is null, with a warning that says why and where. Only a limit stops it with an
// error.
package feel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/eval"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

const maxSource = 64 << 10 // bytes of an expression

// Limits bound what one evaluation may cost.
type Limits = eval.Limits

// LimitError says which limit an evaluation exceeded.
type LimitError = eval.LimitError

// DefaultLimits are the limits where none are given.
func DefaultLimits() Limits {
	return Limits{Steps: 1_000_000, Depth: 200, ListSize: 100_000, StringBytes: 1 << 20}
}

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

// Warning says why something became null. Offset counts bytes from 0.
type Warning struct {
	Offset  int
	Message string
}

// Option changes how an expression is compiled.
type Option func(*options)

type options struct {
	known  []string
	limits Limits
}

// KnownNames makes names that hold spaces or signs readable.
func KnownNames(names ...string) Option {
	return func(o *options) { o.known = append(o.known, names...) }
}

// WithLimits replaces the limits.
func WithLimits(l Limits) Option { return func(o *options) { o.limits = l } }

// Expr is a compiled expression. It is immutable and safe for concurrent use.
type Expr struct {
	source  string
	program *eval.Program
	limits  Limits
}

// Compile reads an expression, without a leading "=". The error is an *Error.
func Compile(src string, opts ...Option) (*Expr, error) {
	return compile(src, syntax.Parse, opts)
}

// CompileUnaryTests reads the tests of a cell in a decision table; the input is
// the variable "?".
func CompileUnaryTests(src string, opts ...Option) (*Expr, error) {
	return compile(src, syntax.ParseTests, opts)
}

func compile(src string, parse func(string, []string) (syntax.Node, error), opts []Option) (*Expr, error) {
	o := options{known: builtin.SpacedNames(), limits: DefaultLimits()}
	for _, opt := range opts {
		opt(&o)
	}
	if len(src) > maxSource {
		return nil, &Error{Line: 1, Column: 1, Message: fmt.Sprintf("the expression has %d bytes: at most %d are possible", len(src), maxSource)}
	}
	n, err := parse(src, slices.Clone(o.known))
	if err != nil {
		return nil, located(src, err)
	}
	return &Expr{source: src, program: eval.Compile(n), limits: o.limits}, nil
}

func located(src string, err error) *Error {
	var s *syntax.Error
	if !errors.As(err, &s) {
		return &Error{Line: 1, Column: 1, Message: err.Error(), Source: src}
	}
	before := src[:min(s.Offset, len(src))]
	line := strings.Count(before, "\n") + 1
	column := len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1
	return &Error{Offset: s.Offset, Line: line, Column: column, Message: s.Message, Source: src}
}

// Env is what an evaluation may see. All fields may be left empty.
type Env struct {
	// Lookup finds variables.
	Lookup func(name string) (value.Value, bool)
	// Now is what now() and today() give; they are null without it.
	Now time.Time
	// Zone finds time zones by IANA name.
	Zone func(name string) (*time.Location, error)
	// Warn is told why something became null.
	Warn func(Warning)
}

// Eval evaluates the expression. The error is a *LimitError.
func (x *Expr) Eval(env *Env) (value.Value, error) {
	e := eval.Env{Lookup: env.Lookup, Now: env.Now, Zone: env.Zone, Limits: x.limits}
	if env.Warn != nil {
		e.Warn = func(pos int, message string) { env.Warn(Warning{pos, message}) }
	}
	return x.program.Eval(&e)
}

// Source is the text of the expression.
func (x *Expr) Source() string { return x.source }

// Names lists the variables that the expression may ask for, sorted.
func (x *Expr) Names() []string { return x.program.Names() }

// IsExpression tells an expression from plain text where both are possible: it
// begins with "=".
func IsExpression(s string) (expr string, ok bool) { return strings.CutPrefix(s, "=") }
