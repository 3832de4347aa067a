package objectpath

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Code says what kind of mistake a text holds. Codes are stable: clients
// translate by them.
type Code string

// The codes of this package.
const (
	CodeEmpty       Code = "objectpath.empty"
	CodeTooLong     Code = "objectpath.too_long"
	CodeTooMany     Code = "objectpath.too_many"
	CodeNoNode      Code = "objectpath.node.missing"
	CodeNoPackage   Code = "objectpath.node.package_missing"
	CodeNoType      Code = "objectpath.node.type_missing"
	CodeNoAttr      Code = "objectpath.attribute.missing"
	CodeDottedAttr  Code = "objectpath.attribute.dotted"
	CodeObserved    Code = "objectpath.attribute.observed"
	CodeLink        Code = "objectpath.link.malformed"
	CodeFilterAttr  Code = "objectpath.filter.attribute"
	CodeFilterOp    Code = "objectpath.filter.operator"
	CodeFilterValue Code = "objectpath.filter.value"
	CodeFilterQuote Code = "objectpath.filter.quote"
	CodeFilterList  Code = "objectpath.filter.list"
	CodeFilterClose Code = "objectpath.filter.close"
	CodeOperation   Code = "objectpath.operation.missing"
	CodeUnexpected  Code = "objectpath.unexpected"
)

// Error says what does not read as a path, where, and what to write instead.
// Offset counts bytes from 0, Line and Column characters from 1.
type Error struct {
	Offset, Line, Column int
	Code                 Code
	Message              string
	Remedy               string
	Source               string
}

// Error is the message with place and remedy.
func (e *Error) Error() string {
	s := fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
	if e.Remedy != "" {
		s += ": " + e.Remedy
	}
	return s
}

func newError(src string, at int, code Code, message, remedy string) *Error {
	before := src[:min(at, len(src))]
	return &Error{
		Offset:  at,
		Line:    strings.Count(before, "\n") + 1,
		Column:  utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1,
		Code:    code,
		Message: message,
		Remedy:  remedy,
		Source:  src,
	}
}
