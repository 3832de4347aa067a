package schema

import (
	"encoding/json"
	"maps"
	"slices"

	"sextant/internal/engine/program"
	"sextant/sdk/go/wire"
)

// property is what a schema says of one variable.
type property struct {
	Type        string            `json:"type"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Enum        []json.RawMessage `json:"enum"`
	Default     json.RawMessage   `json:"default"`
}

// kinds are the types of parameters by those of JSON Schema.
var kinds = map[string]string{"string": wire.TypeString, "integer": wire.TypeInt,
	"number": wire.TypeNumber, "boolean": wire.TypeBool, "array": wire.TypeList, "object": wire.TypeObject}

// Variables lists what a process says that it is started with, by name.
func Variables(b *program.Begin) []wire.Param {
	var schema struct {
		Properties map[string]property `json:"properties"`
		Required   []string            `json:"required"`
	}
	if b == nil || len(b.Schema) == 0 || json.Unmarshal(b.Schema, &schema) != nil {
		return nil // what is not understood was refused at deployment
	}
	var all []wire.Param
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		v := schema.Properties[name].param(name)
		v.Required = slices.Contains(schema.Required, name)
		all = append(all, v)
	}
	return all
}

// Declares reports whether a process says that it is started with a variable.
func Declares(b *program.Begin, name string) bool {
	return slices.ContainsFunc(Variables(b), func(v wire.Param) bool { return v.Name == name })
}

func (p property) param(name string) wire.Param {
	v := wire.Param{Name: name, Type: kinds[p.Type]}
	if p.Title != "" {
		v.Title = wire.Text{"en": p.Title}
	}
	if p.Description != "" {
		v.Description = wire.Text{"en": p.Description}
	}
	v.Default = text(p.Default)
	for _, e := range p.Enum {
		v.Values = append(v.Values, text(e))
	}
	return v
}

// text is a value as people write it: a number keeps its digits.
func text(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// Lay lays what a process declares of a variable over what is known of it: the type
// of a service's parameter stays.
func Lay(v wire.Param, over *wire.Param) {
	if over.Type == "" {
		over.Type = v.Type
	}
	if v.Title != nil {
		over.Title = v.Title
	}
	if v.Description != nil {
		over.Description = v.Description
	}
	if v.Default != "" {
		over.Default = v.Default
	}
	if len(v.Values) > 0 {
		over.Values = v.Values
	}
	over.Required = over.Required || v.Required
}
