package manifest

import (
	"fmt"
	"strings"
)

const (
	maxProblems = 100    // told of one manifest
	mostFound   = 10_000 // after which nobody looks for more
)

// The codes of problems. They are stable: clients translate by them.
const (
	CodeYAML         = "manifest.yaml"
	CodeTooLarge     = "manifest.too_large"
	CodeAlias        = "manifest.alias"
	CodeUnknownKey   = "manifest.key.unknown"
	CodeDuplicateKey = "manifest.key.duplicate"
	CodeWrongType    = "manifest.wrong_type"
	CodeMissing      = "manifest.missing"
	CodeName         = "manifest.name"
	CodeVersion      = "manifest.version"
	CodeConstraint   = "manifest.constraint"
	CodeWord         = "manifest.word"
	CodeReference    = "manifest.reference"
	CodeDuplicate    = "manifest.duplicate"
	CodeValues       = "manifest.values"
	CodeDefault      = "manifest.default"
	CodeDuration     = "manifest.duration"
	CodeRange        = "manifest.range"
	CodePath         = "manifest.path"
	CodeExpression   = "manifest.expression"
	CodeRun          = "manifest.run"
	CodeConflict     = "manifest.conflict"
	CodeTooMany      = "manifest.too_many_problems"
)

// Problem is one thing that is wrong with a manifest. Path leads to it, such as
// services[0].actions[1].timeout. Line and Column count from 1 and are 0 where
// the manifest was not read from a text.
type Problem struct {
	Path         string
	Line, Column int
	Code         string
	Message      string
}

// String is the problem in one line.
func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", p.Line, p.Column)
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// shown are as many problems as are told; the last says how many are not.
func shown(problems []Problem) []Problem {
	more := len(problems) - maxProblems + 1
	if more <= 1 {
		return problems
	}
	last := problems[maxProblems-1]
	return append(problems[:maxProblems-1:maxProblems-1], Problem{
		Line: last.Line, Column: last.Column, Code: CodeTooMany,
		Message: fmt.Sprintf("%d more problems are not shown: mend these first", more),
	})
}

// Error holds everything that is wrong with a manifest, in the order of the
// text, at most 100 problems.
type Error struct {
	Problems []Problem
}

// Error names the first problems and how many more there are.
func (e *Error) Error() string {
	const shown = 3
	var b strings.Builder
	b.WriteString("the manifest is not valid: ")
	for i, p := range e.Problems {
		if i == shown {
			fmt.Fprintf(&b, "; and %d more", len(e.Problems)-shown)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(p.String())
	}
	return b.String()
}
