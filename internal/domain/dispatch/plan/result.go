package plan

import "sextant/sdk/go/wire"

// Result is the variable that a step leaves.
type Result struct {
	Rows   []RowResult `json:"rows"`
	OK     int         `json:"ok"`
	Failed int         `json:"failed"`
	// Record is the job whose record holds the outputs, where they are too large to
	// lie here. No expression reads them then: that is seen to.
	Record string `json:"record,omitempty"`
}

// RowResult is what became of a row.
type RowResult struct {
	Object  string       `json:"object"`
	Outcome wire.Outcome `json:"outcome"`
	Code    string       `json:"code,omitempty"`
	Outputs wire.Row     `json:"outputs,omitempty"`
}
