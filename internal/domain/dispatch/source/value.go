package source

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/domain/setting"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/bpmn"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
	"sextant/sdk/go/wire"
)

// varRow is the object of a row, as a FEEL input sees it: id, type, object.
const varRow = "row"

// Given is what a value refers to.
type Given struct {
	Connections []string
	File        string
}

// References finds the connections and the file that a value of a parameter names.
func References(p wire.Param, raw json.RawMessage) Given {
	var g Given
	switch {
	case p.Type == wire.TypeConnection:
		g.Connections = []string{strings.TrimPrefix(plain(raw), setting.Prefix)}
	case p.Type == wire.TypeFile:
		g.File = plain(raw)
	case p.Secret:
		g.Connections = setting.Secrets(raw)
	}
	return g
}

// plain is a text without its quotes, or the JSON itself.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}

// OfRow reports whether an expression looks at the row that it is evaluated for.
func (src Source) OfRow() bool { return slices.Contains(src.Expr.Names(), varRow) }

// Single makes the value of a parameter of what a path or an earlier step gave.
func (src Source) Single(ref object.Ref, values []json.RawMessage) (json.RawMessage, error) {
	if src.Param.Multiple || src.Param.Type == wire.TypeList {
		return wire.Raw(values), nil
	}
	var found json.RawMessage
	for _, v := range values {
		if Missing(v) || string(v) == string(found) {
			continue
		}
		if found != nil {
			return nil, errs.New(errs.Invalid, "dispatch.input_many", "the input %s of %s has several values (%s and %s), but takes one",
				src.Param.Name, ref, found, v)
		}
		found = v
	}
	return found, nil
}

// Evaluate gives the value of an expression; ref is the row, nil where it looks at
// none.
func (src Source) Evaluate(vars map[string]json.RawMessage, now time.Time, ref *object.Ref) (json.RawMessage, error) {
	if raw, ok := vars[src.Expr.Source()]; ok && ref == nil { // a variable and nothing else keeps its text
		return raw, nil
	}
	v, err := src.Expr.Eval(&feel.Env{Now: now, Zone: time.LoadLocation, Random: rand.Uint64, Lookup: func(name string) (value.Value, bool) {
		raw, ok := vars[name]
		if name == varRow && ref != nil {
			raw, ok = wire.Raw(map[string]string{"id": ref.ID, "type": ref.TypeRef(), "object": ref.String()}), true
		}
		if !ok {
			return value.Null(), false
		}
		v, err := value.FromJSON(raw)
		return v, err == nil
	}})
	if err != nil {
		return nil, errs.New(errs.Invalid, "dispatch.feel", "the input %s: %s", src.Param.Name, err)
	}
	raw, err := value.ToJSON(v)
	if err != nil {
		return nil, fmt.Errorf("the input %s: %w", src.Param.Name, err)
	}
	return raw, nil
}

// SecretVariables lists the variables that a step takes whole for secret inputs.
func SecretVariables(svc plugin.Service, ext bpmn.Extensions) (names []string) {
	all, err := Of(svc, ext)
	if err != nil {
		return nil // it is a problem of the step already
	}
	for _, src := range all {
		if !src.Param.Secret || src.Param.Type == wire.TypeConnection {
			continue
		}
		switch {
		case src.From == FromVariable:
			names = append(names, src.Text)
		case src.Expr != nil && len(src.Expr.Names()) == 1 && src.Expr.Source() == src.Expr.Names()[0]:
			names = append(names, src.Expr.Source())
		}
	}
	return names
}

// WithoutVariables names, for the end of a message, the variables that an input
// needs and that the run does not have.
func (src Source) WithoutVariables(vars map[string]json.RawMessage) string {
	var absent []string
	for _, name := range Variables([]Source{src}) {
		if _, ok := vars[name]; !ok && (src.Expr == nil || name != varRow) {
			absent = append(absent, name)
		}
	}
	if len(absent) == 0 {
		return ""
	}
	return ": the run has no variable " + strings.Join(absent, ", ")
}

// Whole refuses a row that lacks one of several inputs, and says which variables
// are missing for them.
func Whole(svc plugin.Service, all []Source, row wire.Row, vars map[string]json.RawMessage) error {
	err := CheckOneOf(svc, func(name string) (given, known bool) { return !Missing(row[name]), true })
	if err == nil {
		return nil
	}
	e := *errs.As(err)
	for _, src := range all {
		if src.Expr != nil && Missing(row[src.Param.Name]) {
			if text := src.WithoutVariables(vars); text != "" {
				e.Message += fmt.Sprintf("; %s comes from %s%s", src.Param.Name, src.Text, text)
			}
		}
	}
	return &e
}
