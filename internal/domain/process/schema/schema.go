// Package schema checks a start against what its process declares: its event, its
// objects, and its variables by their JSON Schema.
package schema

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
)

// Compile compiles the schema of the variables; it may refer to nothing outside.
func Compile(b *program.Begin) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b.Schema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{}) // nothing is fetched
	c.AssertFormat()
	if err := c.AddResource("sextant:start", doc); err != nil {
		return nil, err
	}
	return c.Compile("sextant:start")
}

// Matches checks variables against the schema that the process declares.
func (c *Cache) Matches(b *program.Begin, vars map[string]json.RawMessage) error {
	if len(b.Schema) == 0 {
		return nil
	}
	schema, err := c.of(b)
	if err != nil {
		return errs.New(errs.Invalid, "process.start_schema", "the schema of the start is not understood: %s", err)
	}
	raw, err := json.Marshal(vars)
	if err != nil {
		return err
	}
	if vars == nil {
		raw = []byte("{}")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return errs.New(errs.Invalid, "control.variable", "the variables are no JSON: %s", err)
	}
	err = schema.Validate(doc)
	if err == nil {
		return nil
	}
	e := errs.New(errs.Invalid, "process.input", "the variables are not what the process is started with")
	bad, ok := err.(*jsonschema.ValidationError)
	if !ok {
		return e
	}
	places := map[string]string{}
	leaves(bad, places)
	var said []string
	for _, at := range slices.Sorted(maps.Keys(places)) {
		e.At(errs.Field{Path: at, Code: "process.input", Message: places[at]})
		said = append(said, at+": "+places[at])
	}
	e.Message += ": " + strings.Join(said, "; ")
	return e
}

// leaves collects the places at fault, each with what is wrong there.
func leaves(e *jsonschema.ValidationError, into map[string]string) {
	if len(e.Causes) > 0 {
		for _, c := range e.Causes {
			leaves(c, into)
		}
		return
	}
	at := strings.Join(append([]string{"variables"}, e.InstanceLocation...), ".")
	into[at] = e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
}

// Cache keeps the compiled schemas of starts. It is safe for concurrent use.
type Cache struct {
	mu sync.Mutex
	by map[*program.Begin]*jsonschema.Schema
}

func (c *Cache) of(b *program.Begin) (*jsonschema.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.by[b]; known != nil {
		return known, nil
	}
	schema, err := Compile(b)
	if err != nil {
		return nil, err
	}
	if c.by == nil {
		c.by = map[*program.Begin]*jsonschema.Schema{}
	}
	c.by[b] = schema
	return schema, nil
}
