// Package rolling cuts a number of targets into batches that follow one another.
//
// An expression is a list of tokens separated by spaces; the last one repeats
// until nothing is left:
//
//	n    n targets
//	p%   p percent of all targets, rounded up
//	+n   the batch before and n more; as first token n
//	*n   n times the batch before; as first token n
package rolling

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	maxTokens = 64
	maxNumber = 1_000_000
)

// Plan is an expression that was understood. The zero Plan puts everything in
// one batch.
type Plan struct {
	text   string
	tokens []token
}

type token struct {
	kind byte // 'n', '%', '+' or '*'
	n    int
}

// Error says what is wrong with an expression, and where: Column counts
// characters from 1.
type Error struct {
	Expression string
	Column     int
	Message    string
}

// Error is the message with the place.
func (e *Error) Error() string {
	return fmt.Sprintf("column %d of %q: %s", e.Column, e.Expression, e.Message)
}

// Parse reads an expression.
func Parse(expr string) (Plan, error) {
	p := Plan{text: expr}
	fail := func(at int, format string, args ...any) (Plan, error) {
		return Plan{}, &Error{Expression: expr, Column: at + 1, Message: fmt.Sprintf(format, args...)}
	}
	for i := 0; i < len(expr); {
		if expr[i] == ' ' || expr[i] == '\t' {
			i++
			continue
		}
		end := i
		for end < len(expr) && expr[end] != ' ' && expr[end] != '\t' {
			end++
		}
		t, problem := parseToken(expr[i:end])
		if problem != "" {
			return fail(i, "%s", problem)
		}
		if len(p.tokens) == maxTokens {
			return fail(i, "more than %d tokens", maxTokens)
		}
		p.tokens = append(p.tokens, t)
		i = end
	}
	if len(p.tokens) == 0 {
		return fail(0, "the expression is empty: write for example 1 50%%")
	}
	return p, nil
}

func parseToken(s string) (token, string) {
	t := token{kind: 'n'}
	digits := s
	switch {
	case strings.HasPrefix(s, "+"), strings.HasPrefix(s, "*"):
		t.kind, digits = s[0], s[1:]
	case strings.HasSuffix(s, "%"):
		t.kind, digits = '%', s[:len(s)-1]
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return t, fmt.Sprintf("%q is not n, p%%, +n or *n", s)
		}
	}
	n, err := strconv.Atoi(digits)
	switch {
	case err != nil || n > maxNumber:
		return t, fmt.Sprintf("%q is not n, p%%, +n or *n with a number up to %d", s, maxNumber)
	case n == 0:
		return t, fmt.Sprintf("%q is zero: a batch has at least one target", s)
	case t.kind == '%' && n > 100:
		return t, fmt.Sprintf("%q is more than all", s)
	}
	t.n = n
	return t, ""
}

// String is the expression.
func (p Plan) String() string { return p.text }

// Sizes gives the sizes of the batches of n targets, none of them 0.
func (p Plan) Sizes(n int) []int {
	if n <= 0 {
		return nil
	}
	if len(p.tokens) == 0 {
		return []int{n}
	}
	var sizes []int
	before := 0
	for i, left := 0, n; left > 0; i++ {
		before = p.tokens[min(i, len(p.tokens)-1)].size(before, n)
		size := min(before, left)
		sizes = append(sizes, size)
		left -= size
	}
	return sizes
}

func (t token) size(before, total int) int {
	switch t.kind {
	case '%':
		return int((int64(total)*int64(t.n) + 99) / 100)
	case '+':
		return clamp(int64(before) + int64(t.n))
	case '*':
		return clamp(int64(max(before, 1)) * int64(t.n))
	}
	return t.n
}

func clamp(n int64) int { return int(min(n, math.MaxInt32)) }

// Split cuts items, which keep their order, into the batches of a plan.
func Split[T any](p Plan, items []T) [][]T {
	sizes := p.Sizes(len(items))
	batches := make([][]T, 0, len(sizes))
	for _, n := range sizes {
		batches = append(batches, items[:n:n])
		items = items[n:]
	}
	return batches
}

// FailureLimit is how many of a frozen number of targets may fail before a
// roll-out stops. Targets that cannot be reached count as failed.
type FailureLimit struct {
	n       int
	percent bool
}

// ParseFailureLimit reads "0", "3" or "5%".
func ParseFailureLimit(s string) (FailureLimit, error) {
	digits, percent := strings.CutSuffix(s, "%")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || strings.HasPrefix(digits, "+") || (percent && n > 100) {
		return FailureLimit{}, &Error{Expression: s, Column: 1, Message: "want a number of targets such as 3, or a percentage such as 5%"}
	}
	return FailureLimit{n, percent}, nil
}

// String is the limit as it is written.
func (l FailureLimit) String() string {
	if l.percent {
		return strconv.Itoa(l.n) + "%"
	}
	return strconv.Itoa(l.n)
}

// Allowed is how many of n targets may fail: the number, or the percentage
// rounded down.
func (l FailureLimit) Allowed(n int) int {
	if l.percent {
		return int(int64(n) * int64(l.n) / 100)
	}
	return l.n
}

// Exceeded reports whether so many failures of n targets stop a roll-out.
func (l FailureLimit) Exceeded(failed, n int) bool { return failed > l.Allowed(n) }
