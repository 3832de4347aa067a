package plugin

import (
	"context"
	"errors"

	"sextant/sdk/go/wire"
)

// Error ends a row with an outcome other than ok.
type Error struct {
	Outcome wire.Outcome
	// Code is stable and dotted, such as host.refused; processes catch it.
	Code    string
	Message string
	// Retry says that the same call may succeed later: transport or throttled.
	Retry string
	// Err is the cause; may be nil.
	Err error
}

// Error is the message.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fail ends a row as failed.
func Fail(code, message string) *Error {
	return &Error{Outcome: wire.OutcomeFailed, Code: code, Message: message}
}

// Unknown ends a row of which nobody can tell whether it was done.
func Unknown(message string) *Error {
	return &Error{Outcome: wire.OutcomeUnknown, Code: "unknown", Message: message}
}

// TimedOut ends a row that took too long and was stopped.
func TimedOut(message string) *Error {
	return &Error{Outcome: wire.OutcomeTimedOut, Code: "timed_out", Message: message}
}

// Skip ends a row for which nothing had to be done.
func Skip(message string) *Error {
	return &Error{Outcome: wire.OutcomeSkipped, Code: "", Message: message}
}

// Transient marks a failure that may be gone at the next try; on is the word
// that the manifest's retry lists: transport or throttled.
func Transient(on string, e *Error) *Error {
	e.Retry = on
	return e
}

// ErrStopping is the cause of a context that ends because the plugin is being
// stopped. No answer is kept for such a call: it comes again with the same key.
var ErrStopping = errors.New("the plugin is stopping")

// ErrCancelled is the cause of a context that ends because the call was
// cancelled.
var ErrCancelled = errors.New("cancelled")

// classify turns whatever a row ended with into an outcome.
func classify(ctx context.Context, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrCancelled):
		return &Error{Outcome: wire.OutcomeCancelled, Code: "cancelled", Message: "cancelled"}
	case errors.Is(cause, ErrStopping):
		return Unknown("the plugin was stopped while it worked on this")
	case errors.Is(cause, context.DeadlineExceeded):
		return TimedOut("not done within the time-out")
	}
	return Fail("failed", err.Error())
}
