// Package outcome is what becomes of a step once all its calls are answered: what it
// leaves for later steps, what it writes to its objects, the error that it throws.
package outcome

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"sextant/internal/domain/dispatch/answer"
	"sextant/internal/domain/dispatch/plan"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/manifest"
	"sextant/internal/lang/objectpath"
	"sextant/sdk/go/wire"
)

const (
	// maxInline is how many bytes of outputs lie in the variable of a step whose
	// outputs only services read, which find them in the record as well.
	maxInline = 64 << 10
	namedRows = 5 // rows that a message names
)

// Step is a step whose calls have ended, with the rows of all rounds.
type Step struct {
	Job     durable.Job
	Svc     plugin.Service
	Project string
	Rows    []*record.Row // in their order
	// Corrected are outputs that a person gave in place of those of the service.
	Corrected wire.Row
}

// Writer writes what steps have found out to their objects.
type Writer struct {
	Objects *object.Service
	Log     *slog.Logger
}

// Count counts the rows with some outcomes.
func (t *Step) Count(outcomes ...wire.Outcome) int {
	n := 0
	for _, r := range t.Rows {
		if slices.Contains(outcomes, r.Outcome) {
			n++
		}
	}
	return n
}

// Failure is the error that a step throws: the code of its first failed row.
func (t *Step) Failure() (code, message string) {
	for _, r := range t.Rows {
		switch {
		case r.Done():
		case r.Code != "" && r.Code != wire.CodeFailed:
			return r.Code, t.Describe(wire.OutcomeFailed, wire.OutcomeTimedOut, wire.OutcomeCancelled)
		case r.Outcome == wire.OutcomeTimedOut:
			return "sextant.timed_out", t.Describe(wire.OutcomeTimedOut)
		default:
			return "sextant.failed", t.Describe(wire.OutcomeFailed, wire.OutcomeTimedOut, wire.OutcomeCancelled)
		}
	}
	return "sextant.failed", ""
}

// Describe names the rows with some outcomes and what happened to them.
func (t *Step) Describe(outcomes ...wire.Outcome) string {
	var named []string
	n := 0
	for _, r := range t.Rows {
		if !slices.Contains(outcomes, r.Outcome) {
			continue
		}
		if n++; n <= namedRows {
			named = append(named, fmt.Sprintf("%s %s: %s", r.Object, r.Outcome, r.Message))
		}
	}
	if n > namedRows {
		named = append(named, fmt.Sprintf("and %d more", n-namedRows))
	}
	return fmt.Sprintf("%d of %d rows: %s", n, len(t.Rows), strings.Join(named, "; "))
}

// Result is the step's variable. Outputs lie in it whole, or not at all: what is
// too large for a variable stays in the record of the job, where services find
// it. Where expressions would read it, that is an error.
func (t *Step) Result() (json.RawMessage, error) {
	res := plan.Result{Rows: []plan.RowResult{}, OK: t.Count(wire.OutcomeOK, wire.OutcomeSkipped)}
	res.Failed = len(t.Rows) - res.OK
	for _, r := range t.Rows {
		res.Rows = append(res.Rows, plan.RowResult{Object: r.Object, Outcome: r.Outcome, Code: r.Code, Outputs: t.open(r.Outputs)})
	}
	read := t.Job.Program.Reads(t.Job.Node.ID)
	raw := wire.Raw(res)
	switch {
	case len(raw) <= maxInline, read && len(raw) <= engine.MaxVariableBytes:
		return raw, nil
	case read:
		return nil, errs.New(errs.TooLarge, "dispatch.result_too_large",
			"the outputs of the step have %d bytes, and expressions of the process read them: at most %d bytes are possible there; "+
				"give them to a service with <sextant:input from=\"step\">, or let the service say less", len(raw), engine.MaxVariableBytes)
	}
	res.Record = strconv.FormatInt(int64(t.Job.Key), 10)
	for i := range res.Rows {
		res.Rows[i].Outputs = nil
	}
	return wire.Raw(res), nil
}

// open are the outputs that are no secrets.
func (t *Step) open(outputs wire.Row) wire.Row {
	open := wire.Row{}
	for _, p := range t.Svc.Action.Output {
		if raw, ok := outputs[p.Name]; ok && !p.Secret {
			open[p.Name] = raw
		}
	}
	return open
}

// goal is where an output is written: a path from the row's object.
type goal struct {
	output wire.Param
	path   *objectpath.Path
}

// attribute is what a goal writes.
func (w *Writer) attribute(ctx context.Context, g goal) (wire.Attribute, error) {
	t, err := w.Objects.Type(ctx, g.path.Last().TypeRef())
	if err != nil {
		return wire.Attribute{}, err
	}
	name := strings.TrimSuffix(g.path.Field(), wire.ObservedSuffix)
	i := slices.IndexFunc(t.Attributes, func(a wire.Attribute) bool { return a.Name == name })
	if i < 0 {
		return wire.Attribute{}, nil // the owner says whether there is one
	}
	return t.Attributes[i], nil
}

// Writes reports whether something that a step found out may be written to objects.
func (w *Writer) Writes(t *Step) bool {
	for _, r := range t.Rows {
		if !strings.Contains(r.Object, "/") {
			continue
		}
		ref, err := object.ParseRef(r.Object)
		if err != nil {
			return true // Back tells
		}
		goals, err := t.goals(ref.TypeRef())
		return err != nil || len(goals) > 0
	}
	return false
}

// Back writes the outputs of rows that are ok to where their paths point.
// It can be done again without harm.
func (w *Writer) Back(ctx context.Context, t *Step) error {
	var refs []object.Ref
	outputs := map[string]wire.Row{}
	for _, r := range t.Rows {
		if r.Outcome != wire.OutcomeOK || !strings.Contains(r.Object, "/") {
			continue
		}
		ref, err := object.ParseRef(r.Object)
		if err != nil {
			return err
		}
		refs = append(refs, ref)
		outputs[ref.ID] = r.Outputs
	}
	if len(refs) == 0 {
		return nil
	}
	goals, err := t.goals(refs[0].TypeRef())
	if err != nil || len(goals) == 0 {
		return err
	}
	return w.to(ctx, t, refs, goals, outputs)
}

// to writes outputs of rows to where goals lead.
func (w *Writer) to(ctx context.Context, t *Step, refs []object.Ref, goals []goal, outputs map[string]wire.Row) error {
	changes, err := w.changes(ctx, t, refs, goals, outputs)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if _, err := w.Objects.Update(ctx, c.typ, object.Scope{Project: t.Project}, c.rows); err != nil {
			return err
		}
	}
	return nil
}

// goals lists the outputs that are written somewhere: what the process says,
// else, for rows of the action's own target type, what the manifest says.
func (t *Step) goals(typ string) ([]goal, error) {
	var all []goal
	for _, p := range t.Svc.Action.Output {
		to := p.To
		if t.Svc.Action.Target != "" && t.Svc.Action.Target != typ {
			to = ""
		}
		for _, o := range t.Job.Node.Ext.ServiceOutputs {
			if o.Name == p.Name {
				to = o.To
			}
		}
		if to == "" {
			continue
		}
		path, err := object.ParsePath(to, typ)
		if err != nil {
			return nil, err
		}
		if path.None {
			continue
		}
		all = append(all, goal{p, path})
	}
	return all, nil
}

// changeOf is the changes to objects of one type.
type changeOf struct {
	typ  string
	rows []wire.Row
}

func (c *changeOf) set(id, attr string, v json.RawMessage) {
	for _, row := range c.rows {
		if answer.Plain(row[wire.AttrID]) == id {
			row[attr] = v
			return
		}
	}
	c.rows = append(c.rows, wire.Row{wire.AttrID: wire.Raw(id), attr: v})
}

func (w *Writer) changes(ctx context.Context, t *Step, refs []object.Ref, goals []goal, outputs map[string]wire.Row) ([]*changeOf, error) {
	ids := make([]string, len(refs))
	for i, r := range refs {
		ids[i] = r.ID
	}
	paths := make([]*objectpath.Path, len(goals))
	for i, g := range goals {
		paths[i] = g.path
	}
	values, err := w.Objects.Evaluate(ctx, object.Scope{Project: t.Project}, ids, paths)
	if err != nil {
		return nil, err
	}
	var all []*changeOf
	for i, g := range goals {
		typ := g.path.Last().TypeRef()
		attr, err := w.attribute(ctx, g)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(all, func(c *changeOf) bool { return c.typ == typ })
		if at < 0 {
			all, at = append(all, &changeOf{typ: typ}), len(all)
		}
		for _, id := range ids {
			v, ok := outputs[id][g.output.Name]
			if given, is := t.Corrected[g.output.Name]; is {
				v, ok = given, true
			}
			if !ok {
				continue
			}
			v = manifest.Stored(g.output, attr, v)
			for _, reached := range values.Reached(id, i) {
				all[at].set(reached, g.path.Field(), v)
			}
		}
	}
	return slices.DeleteFunc(all, func(c *changeOf) bool { return len(c.rows) == 0 }), nil
}
