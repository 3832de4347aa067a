package wire

import "encoding/json"

// Operators of the entity protocol. The value of is and isnot is "NULL".
const (
	OpEq      = "eq"
	OpNeq     = "neq"
	OpIn      = "in"
	OpLike    = "like"
	OpNotLike = "notLike"
	OpGt      = "gt"
	OpLt      = "lt"
	OpIs      = "is"
	OpIsNot   = "isnot"
)

// Filter is one condition on an attribute; the filters of a query are ANDed.
type Filter struct {
	Attr      string          `json:"attrName"`
	Op        string          `json:"op"`
	Condition json.RawMessage `json:"condition"`
}

// Query is the body of POST /entities/{type}/query.
type Query struct {
	Criteria          *Filter  `json:"criteria,omitempty"`
	AdditionalFilters []Filter `json:"additionalFilters,omitempty"`
	// Fields limits the attributes answered; id and displayName always are.
	Fields []string `json:"fields,omitempty"`
	// OrderBy lists attributes; a leading "-" orders descending.
	OrderBy []string `json:"orderBy,omitempty"`
	// Limit is the most rows wanted, After the cursor of the page before.
	Limit int    `json:"limit,omitempty"`
	After string `json:"after,omitempty"`
}

// Envelope wraps every answer of the entity protocol.
type Envelope[T any] struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
	Data    T      `json:"data,omitempty"`
	// Next is the cursor of the next page, empty on the last.
	Next string `json:"next,omitempty"`
	// Fields names the attributes at fault when Status is ERROR.
	Fields map[string]string `json:"fields,omitempty"`
}

// Envelope states.
const (
	StatusOK    = "OK"
	StatusError = "ERROR"
)

// Names that every object row carries, and the suffix of observed values.
const (
	AttrID          = "id"
	AttrDisplayName = "displayName"
	ObservedSuffix  = "@observed"
)

// HeaderOperator and HeaderRun accompany writes, so that the owner's history
// can say who changed what in which run.
const HeaderOperator = "Sextant-Operator"
