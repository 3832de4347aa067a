package process

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/object"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// Fit finds out whether a process is started on what and with what it can be: by
// what it declares, else by what its services need.
func (s *Service) Fit(_ context.Context, f control.Found, req control.Request) control.Fitness {
	fit := control.Fitness{Title: req.Title, Input: s.lacking(f.Program, req.Variables)}
	if err := startable(f.Program, req.Event); err != nil {
		fit.Input = err
	}
	b := f.Program.Begin
	if fit.Input == nil {
		fit.Input = s.unused(f.Program, req.Variables)
	}
	if b == nil {
		return fit
	}
	if err := s.matches(b, req.Variables); err != nil {
		fit.Input = err
	}
	fit.Objects = fitObjects(b, req.Objects)
	if fit.Title == "" {
		fit.Title = s.title(b, req.Variables)
	}
	return fit
}

// startable finds out whether a process has the start event that is asked for.
func startable(p *program.Program, event string) error {
	if event == "" {
		if p.Nodes[0].Start == program.None {
			return errs.New(errs.Invalid, "process.start_event", "the process %s begins with a message or a signal alone: publish it, or draw a start event without a trigger", p.ProcessID)
		}
		return nil
	}
	if n, ok := p.Lookup(event); !ok || n.Kind != program.StartByEvent {
		return errs.New(errs.Invalid, "process.start_event", "the process %s has no start event %q that waits for a message or a signal", p.ProcessID, event)
	}
	return nil
}

// lacking names the variables that services need and nothing in the process makes.
func (s *Service) lacking(p *program.Program, vars map[string]json.RawMessage) error {
	var all []errs.Field
	for _, n := range s.needs(p) {
		raw := vars[n.Name]
		if !n.Required || n.Later || n.Default != "" || len(raw) > 0 && string(raw) != "null" && string(raw) != `""` {
			continue
		}
		all = append(all, errs.Field{Path: "variables." + n.Name, Code: "process.variable_missing", Message: "is needed by " + strings.Join(n.Steps, ", ")})
	}
	if len(all) == 0 {
		return nil
	}
	var names []string
	for _, f := range all {
		names = append(names, strings.TrimPrefix(f.Path, "variables."))
	}
	return errs.New(errs.Invalid, "process.variable_missing", "these variables have no value: %s; give them with the start", strings.Join(names, ", ")).At(all...)
}

// unused refuses variables that would be given for nothing. What the process
// declares is given for a reason.
func (s *Service) unused(p *program.Program, vars map[string]json.RawMessage) error {
	given := names(vars)
	if b := p.Begin; b != nil {
		all := declared(b, nil)
		given = slices.DeleteFunc(given, func(name string) bool {
			return b.Title.Expr != nil && slices.Contains(b.Title.Expr.Names(), name) || slices.ContainsFunc(all, func(n Need) bool { return n.Name == name })
		})
	}
	return source.CheckStart(p, s.Dispatch.Plugins.Resolve, given)
}

func fitObjects(b *program.Begin, objects []string) error {
	if b.Object == "" {
		return nil
	}
	for _, text := range objects {
		ref, err := object.ParseRef(text)
		if err != nil {
			return err
		}
		if ref.TypeRef() != b.Object {
			return errs.New(errs.Invalid, "process.object_type", "the process is started on objects of %s, and %s is none", b.Object, text).With("object", text).With("type", b.Object)
		}
	}
	switch n := len(objects); {
	case n < b.Min:
		return errs.New(errs.Invalid, "process.object_count", "the process wants at least %d objects of %s, and %d are named", b.Min, b.Object, n)
	case b.Max > 0 && n > b.Max:
		return errs.New(errs.Invalid, "process.object_count", "the process wants at most %d objects of %s, and %d are named", b.Max, b.Object, n)
	}
	return nil
}

// schemaOf compiles the schema of the variables; it may refer to nothing outside.
func schemaOf(b *program.Begin) (*jsonschema.Schema, error) {
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

// matches checks variables against the schema that the process declares.
func (s *Service) matches(b *program.Begin, vars map[string]json.RawMessage) error {
	if len(b.Schema) == 0 {
		return nil
	}
	schema, err := s.schemas.of(b)
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

// checkBegin finds out at deployment whether what a process declares of its
// starts can be used.
func (s *Service) checkBegin(ctx context.Context, p *program.Program) []errs.Field {
	b := p.Begin
	if b == nil {
		return nil
	}
	start := p.Nodes[max(p.Nodes[0].Start, 0)] // where <sextant:start> stands
	at := func(code, format string, args ...any) errs.Field {
		return errs.Field{Path: start.ID, Code: code, Line: b.Line, Message: fmt.Sprintf(format, args...)}
	}
	var all []errs.Field
	if len(b.Schema) > 0 {
		if _, err := schemaOf(b); err != nil {
			all = append(all, at("process.start_schema", "the schema is not understood: %s", err))
		}
	}
	if b.Object != "" {
		if err := s.Dispatch.CheckType(ctx, b.Object); err != nil {
			all = append(all, at("process.start_object", "%s", errs.As(err).Message))
		}
	}
	return all
}

// title works out what a process calls a run that nobody gave a title.
func (s *Service) title(b *program.Begin, vars map[string]json.RawMessage) string {
	if b.Title.Expr == nil {
		return b.Title.Static
	}
	v, err := b.Title.Expr.Eval(&feel.Env{Now: s.Clock.Now(), Zone: time.LoadLocation, Random: rand.Uint64, Lookup: func(name string) (value.Value, bool) {
		v, err := value.FromJSON(vars[name])
		return v, err == nil && len(vars[name]) > 0
	}})
	if err != nil {
		return ""
	}
	text, _ := value.AsString(v) // another kind is no title
	return strings.ToValidUTF8(text[:min(len(text), maxTitle)], "")
}

const maxTitle = 200 // bytes

// schemas keeps the compiled schemas of starts.
type schemas struct {
	mu sync.Mutex
	by map[*program.Begin]*jsonschema.Schema
}

func (c *schemas) of(b *program.Begin) (*jsonschema.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.by[b]; known != nil {
		return known, nil
	}
	schema, err := schemaOf(b)
	if err != nil {
		return nil, err
	}
	if c.by == nil {
		c.by = map[*program.Begin]*jsonschema.Schema{}
	}
	c.by[b] = schema
	return schema, nil
}
