package wire

import (
	"encoding/json"
	"time"
)

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

// Counting is the body of POST /entities/{type}/count: how many rows match, by the
// values of attributes. An owner that has no such operation is asked for the rows.
type Counting struct {
	Criteria          *Filter  `json:"criteria,omitempty"`
	AdditionalFilters []Filter `json:"additionalFilters,omitempty"`
	// By lists attributes of few values; without any all rows are one tally.
	By []string `json:"by,omitempty"`
}

// Tally is how many rows have these values, in the order of Counting.By. An empty
// text stands for no value.
type Tally struct {
	Values []string `json:"values"`
	Count  int      `json:"count"`
}

// Envelope wraps every answer of the entity protocol.
type Envelope[T any] struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
	Data    T      `json:"data,omitempty"`
	// Next is the cursor of the next page, empty on the last.
	Next string `json:"next,omitempty"`
	// Code says what is wrong in one word, where that matters to the caller.
	Code string `json:"code,omitempty"`
	// Fields names the attributes at fault when Status is ERROR.
	Fields map[string]string `json:"fields,omitempty"`
	// Faults lists what is wrong with the changes of a set, by their place in it.
	Faults []Fault `json:"faults,omitempty"`
}

// Codes of an envelope and of a fault.
const (
	// CodeModel refuses what was asked under another model than the one that holds.
	CodeModel = "model"
	// CodeStale refuses a change of another version than the one that is there.
	CodeStale = "stale"
)

// Fault is what is wrong with one change of a set. Attr is empty where it is the
// whole row.
type Fault struct {
	Index   int    `json:"index"`
	Attr    string `json:"attr,omitempty"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
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
	// AttrVersion stands in every row of an owner that keeps versions, and grows
	// with each change. In a row that is sent it is the version to be changed.
	// Names of attributes have no @, so that it is never one of theirs.
	AttrVersion = "@version"
)

// Headers of the entity protocol.
const (
	// HeaderOperator and HeaderRun accompany writes, so that the owner's history
	// can say who changed what in which run.
	HeaderOperator = "Sextant-Operator"
	// HeaderChange is a sealed note of the platform about who makes a change. An
	// owner with an outbox keeps it as it is and gives it back with each entry.
	HeaderChange = "Sextant-Change"
	// HeaderModel is a mark of the object types of a plugin whose types change: in
	// an answer those that hold, in a write those that it was checked against.
	HeaderModel = "Sextant-Model"
)

// Operations of a Change.
const (
	OpCreate = "create"
	OpUpdate = "update"
	OpDelete = "delete"
)

// Change is one change of a set. Type is a type of the plugin, without its name.
type Change struct {
	Op   string `json:"op"`
	Type string `json:"type"`
	Row  Row    `json:"row"`
}

// ChangeSet is the body of POST /changes: changes of objects of several types
// that are made together or not at all. References among them may come in any
// order. Definitions of types hold for the objects of the same set.
type ChangeSet struct {
	Changes []Change `json:"changes"`
	// DryRun asks what would become of it and changes nothing.
	DryRun bool `json:"dryRun,omitempty"`
	// Rows asks for the rows as they are afterwards, Model for the object types.
	Rows  bool `json:"rows,omitempty"`
	Model bool `json:"model,omitempty"`
}

// Changed is the answer to a ChangeSet.
type Changed struct {
	Results []Result     `json:"results"`
	Model   []ObjectType `json:"model,omitempty"`
}

// Result is what became of one change: created, changed, unchanged or deleted.
type Result struct {
	ID      string `json:"id"`
	Effect  string `json:"effect"`
	Version int64  `json:"version,omitempty"`
	Row     Row    `json:"row,omitempty"`
}

// Entry is one change that an owner has stored, whoever asked for it: its outbox
// (GET /changes?after=<seq>) gives each once, in order. Values of secrets are not
// among the attributes; their names are.
type Entry struct {
	Seq         int64     `json:"seq"`
	Type        string    `json:"type"`
	ID          string    `json:"id"`
	Version     int64     `json:"version"`
	Time        time.Time `json:"time"`
	Op          string    `json:"op"`
	Project     string    `json:"project"`
	Environment string    `json:"environment"`
	Change      string    `json:"change,omitempty"`
	Operator    string    `json:"operator,omitempty"`
	Run         string    `json:"run,omitempty"`
	Before      Row       `json:"before,omitempty"`
	After       Row       `json:"after,omitempty"`
	Secret      []string  `json:"secret,omitempty"`
	// Drifted are attributes of which something else is observed than is desired,
	// Settled those of which the same is, since this change.
	Drifted []string `json:"drifted,omitempty"`
	Settled []string `json:"settled,omitempty"`
}
