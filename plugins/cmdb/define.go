package cmdb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

type defineIn struct {
	Types json.RawMessage `sx:"types,type=text,required" title:"en=Types;zh=类型" doc:"List of object types with their attributes, as YAML or JSON: type, title, description, display, scope, paging, attributes (name, type, title, required, unique, values, to, observed, secret, default, position)."`
}

type defineOut struct {
	Types    []typeResult `sx:"types" title:"en=Types;zh=类型" doc:"What was done about each type."`
	Problems []Problem    `sx:"problems" title:"en=Problems;zh=问题" doc:"What is wrong, with line and column; then nothing was changed."`
}

// typeResult tells what was done about a type.
type typeResult struct {
	Type string `json:"type"`
	// Result is created, changed or unchanged.
	Result  objectstore.Effect `json:"result"`
	Created []string           `json:"created,omitempty"` // attributes
	Changed []string           `json:"changed,omitempty"` // attributes
}

// define stores definitions of types.
func (s *store) define(ctx context.Context, call *plugin.Call, in defineIn) (defineOut, error) {
	types, err := parseTypes(source(in.Types))
	if err != nil {
		return defineOut{Problems: found(err)}, failed("cmdb.definition", err)
	}
	var out []typeResult
	err = s.alter(ctx, byCall(call), func(faults []fault) error { return blame(types, faults) }, func(tx *objectstore.Tx) (err error) {
		out, err = putTypes(ctx, tx, types)
		return err
	})
	if err != nil {
		return defineOut{Problems: found(err)}, failed("cmdb.definition", err)
	}
	return defineOut{Types: out}, nil
}

func byCall(c *plugin.Call) plugin.By { return plugin.By{Operator: c.Operator, Run: c.Run} }

// source is the text of an input that may come as text or as the structure itself.
func source(raw json.RawMessage) []byte {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return []byte(s)
	}
	return bytes.TrimSpace(raw)
}

// found gives the problems that an error tells of.
func found(err error) []Problem {
	var e *ImportError
	if errors.As(err, &e) {
		return e.Problems
	}
	return nil
}

// failed ends a call with what is wrong with its text; other errors stay.
func failed(code string, err error) error {
	var e *ImportError
	if errors.As(err, &e) {
		return plugin.Fail(code, e.Error())
	}
	return err
}

// putTypes stores definitions and tells what changed.
func putTypes(ctx context.Context, tx *objectstore.Tx, types []Definition) ([]typeResult, error) {
	out := []typeResult{}
	var wrong []Problem
	put := func(e Entry) (objectstore.Effect, error) {
		effect, err := tx.Put(ctx, e.Type, e.Row)
		more, err := rowProblems(e, e.ID, err)
		wrong = append(wrong, more...)
		return effect, err
	}
	for _, d := range types {
		effect, err := put(d.Row)
		if err != nil {
			return nil, err
		}
		r := typeResult{Type: d.Type, Result: effect}
		last, err := lastPosition(ctx, tx, d.Type)
		if err != nil {
			return nil, err
		}
		for _, a := range d.Attributes {
			if last, err = position(ctx, tx, a, last); err != nil {
				return nil, err
			}
			if effect, err = put(a); err != nil {
				return nil, err
			}
			r.note(text(a.Row["name"]), effect)
		}
		out = append(out, r)
	}
	if len(wrong) > 0 {
		return nil, problems(wrong)
	}
	return out, nil
}

func (r *typeResult) note(attr string, effect objectstore.Effect) {
	switch effect {
	case objectstore.Created:
		r.Created = append(r.Created, attr)
	case objectstore.Changed:
		r.Changed = append(r.Changed, attr)
	case objectstore.Unchanged:
		return
	}
	if r.Result == objectstore.Unchanged {
		r.Result = objectstore.Changed
	}
}

// lastPosition is the greatest position of a type's attributes.
func lastPosition(ctx context.Context, tx *objectstore.Tx, typ string) (int64, error) {
	rows, _, err := tx.Query(ctx, typeAttribute, wire.Query{AdditionalFilters: []wire.Filter{{Attr: "object_type", Op: wire.OpEq, Condition: wire.Raw(typ)}}})
	var last int64
	for _, row := range rows {
		last = max(last, number(row["position"]))
	}
	return last, err
}

// position puts a new attribute that says nothing about it behind the others.
func position(ctx context.Context, tx *objectstore.Tx, a Entry, last int64) (int64, error) {
	if given, ok := a.Row["position"]; ok {
		return max(last, number(given)), nil
	}
	existing, err := tx.Get(ctx, typeAttribute, a.ID)
	if err != nil || existing != nil {
		return last, err
	}
	a.Row["position"] = wire.Raw(last + 1)
	return last + 1, nil
}

// rowProblems says where in the text a row is wrong; other errors stay.
func rowProblems(e Entry, object string, err error) ([]Problem, error) {
	var row *objectstore.RowError
	var refused *plugin.Error
	switch {
	case errors.As(err, &row):
		var out []Problem
		for attr, message := range row.At {
			at := e.place(attr)
			out = append(out, Problem{at.Line, at.Column, object, attr, message})
		}
		return out, nil
	case errors.As(err, &refused):
		return []Problem{{e.At.Line, e.At.Column, object, "", refused.Error()}}, nil
	}
	return nil, err
}

// blame says where in the text a definition is wrong. A fault of a definition that
// the text does not have is told at its beginning.
func blame(types []Definition, faults []fault) error {
	var out []Problem
	for _, f := range faults {
		at := Place{1, 1}
		for _, d := range types {
			for _, e := range append([]Entry{d.Row}, d.Attributes...) {
				if e.Type == f.typ && e.ID == f.id {
					at = e.place(f.attr)
				}
			}
		}
		out = append(out, Problem{at.Line, at.Column, f.id, f.attr, f.message})
	}
	return problems(out)
}
