package wire

import "encoding/json"

// Headers that accompany a service call besides the standard ones.
const (
	// HeaderIdempotencyKey carries <jobKey>.<round>.<chunk>: the same key always
	// comes with the same bytes.
	HeaderIdempotencyKey = "Idempotency-Key"
	// HeaderDeadline is the moment (RFC 3339, UTC) after which the platform no
	// longer waits for an answer.
	HeaderDeadline = "Sextant-Deadline"
	// HeaderRun is the key of the run on whose behalf the call is made.
	HeaderRun = "Sextant-Run"
	// HeaderFence is the fencing number of the run's lock, growing with each
	// new holder; a service may refuse a smaller one than it has seen.
	HeaderFence = "Sextant-Fence"
	// HeaderProject is the project of that run.
	HeaderProject = "Sextant-Project"
	// HeaderJob carries the Idempotency-Key of the call at work when a plugin asks
	// the platform on behalf of the run that made it: it then has the rights of
	// that run on objects and types, and no others.
	HeaderJob = "Sextant-Job"
	// HeaderAgain stands with a call that was sent before, by this server or the one
	// before it, and of which nobody knows what became of it: what fails before the
	// plugin has found that out is unknown.
	HeaderAgain = "Sextant-Again"
	// HeaderTraceparent is the W3C trace context.
	HeaderTraceparent = "traceparent"
)

// Input and output fields that every row carries.
const (
	FieldCallback     = "callbackParameter"
	FieldErrorCode    = "errorCode"
	FieldErrorMessage = "errorMessage"
	FieldOutcome      = "outcome"
	FieldConfirmToken = "confirmToken"
	FieldOperator     = "operator"
	// FieldTyped lists the inputs of a row that the manifest takes from the object and
	// that came from elsewhere: somebody typed them. It is there only where there are
	// some.
	FieldTyped = "typedInputs"
)

// Request is the body of every service call.
type Request struct {
	RequestID       string           `json:"requestId"`
	Operator        string           `json:"operator"`
	ServiceName     string           `json:"serviceName,omitempty"`
	ServicePath     string           `json:"servicePath,omitempty"`
	EntityInstances []EntityInstance `json:"entityInstances,omitempty"`
	DueDate         string           `json:"dueDate,omitempty"`
	AllowedOptions  []string         `json:"allowedOptions,omitempty"`
	Inputs          []Row            `json:"inputs"`
}

// EntityInstance names one bound object of a call.
type EntityInstance struct {
	ID               string `json:"id"`
	BusinessKeyValue string `json:"businessKeyValue,omitempty"`
}

// Row is one object of the inputs or outputs of a call. Numbers keep their
// decimal text.
type Row map[string]json.RawMessage

// Response is the answer to a service call, or the body of a call-back.
type Response struct {
	ResultCode    string  `json:"resultCode"`
	ResultMessage string  `json:"resultMessage"`
	Results       Results `json:"results"`
}

// Results wraps the rows of a Response.
type Results struct {
	Outputs []Row `json:"outputs"`
}

// Result codes of a Response and of a row.
const (
	CodeOK     = "0"
	CodeFailed = "1"
)

// Outcome is the closed set of words for what became of one row.
type Outcome string

// The outcomes. Unknown means that nobody can say whether the row took effect;
// it is never shown or treated as success.
const (
	OutcomeOK        Outcome = "ok"
	OutcomeFailed    Outcome = "failed"
	OutcomeSkipped   Outcome = "skipped"
	OutcomeCancelled Outcome = "cancelled"
	OutcomeTimedOut  Outcome = "timed_out"
	OutcomeUnknown   Outcome = "unknown"
)

// Valid reports whether o is one of the closed set.
func (o Outcome) Valid() bool {
	switch o {
	case OutcomeOK, OutcomeFailed, OutcomeSkipped, OutcomeCancelled, OutcomeTimedOut, OutcomeUnknown:
		return true
	}
	return false
}

// LogBatch is the body of POST /api/v1/jobs/{key}/log: output of some rows of
// the job, at most 1 MiB in all.
type LogBatch struct {
	Chunks []LogChunk `json:"chunks"`
}

// LogChunk is output of one row, appended at an offset in bytes. What was stored
// up to an offset is not stored again, so sending again is harmless. A chunk with
// Lost stands for as many bytes that were written and are not sent; the chunk
// after it begins behind them.
type LogChunk struct {
	Row    string `json:"row"`
	Offset int64  `json:"offset"`
	Bytes  []byte `json:"bytes,omitempty"`
	Lost   int64  `json:"lost,omitempty"`
	Lines  int64  `json:"lines,omitempty"` // that ended in what is lost
}

// Progress is the body of POST /api/v1/jobs/{key}/progress.
type Progress struct {
	Row     string `json:"row"`
	Percent int    `json:"percent"`
	Message string `json:"message,omitempty"`
}
