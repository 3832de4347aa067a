package definition

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/process/schema"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// Fit finds out whether a process is started on what and with what it can be: by
// what it declares, else by what its services need.
func (s *Service) Fit(ctx context.Context, f control.Found, req control.Request) control.Fitness {
	fit := control.Fitness{Title: req.Title, Input: lacking(s.NeedsOf(ctx, req.Project, f.Definition, f.Program), req.Variables)}
	if err := schema.Startable(f.Program, req.Event); err != nil {
		fit.Input = err
	}
	b := f.Program.Begin
	if fit.Input == nil {
		fit.Input = s.unused(f.Program, req.Variables)
	}
	if b == nil {
		return fit
	}
	if err := s.schemas.Matches(b, req.Variables); err != nil {
		fit.Input = err
	}
	fit.Objects = schema.FitObjects(b, req.Objects)
	if fit.Title == "" {
		fit.Title = s.title(b, req.Variables)
	}
	return fit
}

// lacking names the variables that services need and nothing in the process makes.
func lacking(needs []Need, vars map[string]json.RawMessage) error {
	var all []errs.Field
	for _, n := range needs {
		raw := vars[n.Name]
		if !n.Required || n.Later || n.Default != "" || len(raw) > 0 && string(raw) != "null" && string(raw) != `""` {
			continue
		}
		all = append(all, errs.Field{Path: "variables." + n.Name, Code: "process.variable_missing",
			Message: "is needed by " + strings.Join(n.Steps, ", ")})
	}
	if len(all) == 0 {
		return nil
	}
	var names []string
	for _, f := range all {
		names = append(names, strings.TrimPrefix(f.Path, "variables."))
	}
	return errs.New(errs.Invalid, "process.variable_missing", "these variables have no value: %s; give them with the start",
		strings.Join(names, ", ")).At(all...)
}

// unused refuses variables that would be given for nothing. What the process
// declares is given for a reason.
func (s *Service) unused(p *program.Program, vars map[string]json.RawMessage) error {
	given := slices.Sorted(maps.Keys(vars))
	if b := p.Begin; b != nil {
		given = slices.DeleteFunc(given, func(name string) bool {
			return b.Title.Expr != nil && slices.Contains(b.Title.Expr.Names(), name) || schema.Declares(b, name)
		})
	}
	return source.CheckStart(p, s.Planner.Plugins.Resolve, given)
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
		if _, err := schema.Compile(b); err != nil {
			all = append(all, at("process.start_schema", "the schema is not understood: %s", err))
		}
	}
	if b.Object != "" {
		if err := s.Planner.CheckType(ctx, b.Object); err != nil {
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
	v, err := b.Title.Expr.Eval(&feel.Env{Now: s.Clock.Now(), Zone: time.LoadLocation,
		Random: rand.Uint64, Lookup: func(name string) (value.Value, bool) {
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
