// Package errs is the one error type that crosses package borders with a
// meaning for the caller: a kind (which decides the HTTP status), a stable
// dotted code (which clients translate) and the fields at fault.
package errs

import (
	"errors"
	"fmt"
	"net/http"
)

// Kind is the class of an error; each has one HTTP status.
type Kind int

// The kinds. The zero kind is Internal: an error nobody classified.
const (
	Internal Kind = iota
	Malformed
	Unauthenticated
	Forbidden
	NotFound
	Conflict
	Gone
	Stale
	TooLarge
	Invalid
	Locked
	Required
	Exhausted
	Unavailable
	Full
	Method
	Slow
	LongAddress
	Media
	Misdirected
)

var statuses = map[Kind]int{
	Internal: http.StatusInternalServerError, Malformed: http.StatusBadRequest,
	Unauthenticated: http.StatusUnauthorized, Forbidden: http.StatusForbidden,
	NotFound: http.StatusNotFound, Conflict: http.StatusConflict, Gone: http.StatusGone,
	Stale: http.StatusPreconditionFailed, TooLarge: http.StatusRequestEntityTooLarge,
	Invalid: http.StatusUnprocessableEntity, Locked: http.StatusLocked,
	Required: http.StatusPreconditionRequired, Exhausted: http.StatusTooManyRequests,
	Unavailable: http.StatusServiceUnavailable, Full: http.StatusInsufficientStorage,
	Method: http.StatusMethodNotAllowed, Slow: http.StatusRequestTimeout,
	LongAddress: http.StatusRequestURITooLong, Media: http.StatusUnsupportedMediaType,
	Misdirected: http.StatusMisdirectedRequest,
}

// Status is the HTTP status of the kind.
func (k Kind) Status() int { return statuses[k] }

// KindOf finds the kind that an HTTP status stands for; Internal if none does.
func KindOf(status int) Kind {
	for k, s := range statuses {
		if s == status {
			return k
		}
	}
	return Internal
}

// Field is one place at fault within the input.
type Field struct {
	// Path names the place: a JSON path, an element id, a line.
	Path string `json:"path"`
	// Code is stable and dotted; Message is English for people.
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
	// Line and Column are 1-based; 0 where there is none.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// Error is an error with a meaning for the caller of the API.
type Error struct {
	Kind    Kind
	Code    string
	Message string
	Fields  []Field
	Params  map[string]string
	// Data is more about it for clients, as JSON; what it holds follows from the code.
	Data any
	Err  error
}

// New makes an error of a kind. Code is stable and dotted, such as
// process.definition.not_draft; the message is formatted English.
func New(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes an error of a kind around err, whose text is for the log and not
// for the client when the kind is Internal.
func Wrap(err error, kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message, Err: err}
}

// With adds a parameter for the translated text and returns e.
func (e *Error) With(name, value string) *Error {
	if e.Params == nil {
		e.Params = map[string]string{}
	}
	e.Params[name] = value
	return e
}

// At adds a field at fault and returns e.
func (e *Error) At(fields ...Field) *Error {
	e.Fields = append(e.Fields, fields...)
	return e
}

// Error is the whole text, for logs and the command line.
func (e *Error) Error() string {
	s := e.Message
	for _, f := range e.Fields {
		s += "\n  " + f.Path + ": " + f.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// As finds the Error in err's chain. An error without one is Internal.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Code: "internal", Message: "internal error", Err: err}
}

// Is reports whether err is of the kind.
func Is(err error, kind Kind) bool { return err != nil && As(err).Kind == kind }

// HasCode reports whether err carries the code.
func HasCode(err error, code string) bool { return err != nil && As(err).Code == code }
