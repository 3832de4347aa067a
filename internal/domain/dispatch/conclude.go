package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"sextant/internal/domain/dispatch/record"
	"slices"
	"strings"

	"sextant/internal/domain/dispatch/answer"
	"sextant/internal/domain/object"
	"sextant/internal/engine"
	"sextant/internal/kit/db"
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

// stepResult is the variable that a step leaves.
type stepResult struct {
	Rows   []rowResult `json:"rows"`
	OK     int         `json:"ok"`
	Failed int         `json:"failed"`
	// Record is the job whose record holds the outputs, where they are too large to
	// lie here. No expression reads them then: that is seen to.
	Record string `json:"record,omitempty"`
}

type rowResult struct {
	Object  string       `json:"object"`
	Outcome wire.Outcome `json:"outcome"`
	Code    string       `json:"code,omitempty"`
	Outputs wire.Row     `json:"outputs,omitempty"`
}

// conclude ends a job: rows that are ok are written back first, then the step
// completes, throws or stops with an incident.
func (s *Service) conclude(ctx context.Context, t *task) error {
	if err := s.writeBack(t.scope.as(ctx), t); err != nil {
		if ctx.Err() != nil {
			return err
		}
		s.failed(ctx, t, IncidentWriteBack, "the service was done, but its outputs cannot be written to the objects: "+errs.As(err).Error())
		return nil
	}
	s.observed(t.scope.as(ctx), t)
	unknown, failed := t.count(wire.OutcomeUnknown), t.count(wire.OutcomeFailed, wire.OutcomeTimedOut, wire.OutcomeCancelled)
	result, err := t.result()
	if err != nil {
		s.failed(ctx, t, IncidentResult, errs.As(err).Message)
		return nil
	}
	vars := engine.Variables{t.job.Node.ID: result}
	switch {
	case unknown > 0:
		s.failed(ctx, t, IncidentUnknown, t.describe(wire.OutcomeUnknown))
	case failed > 0:
		code, message := t.failure()
		s.report(ctx, t.job, engine.JobThrew{Job: t.job.Key, Code: code, Message: message, Kind: IncidentService, Variables: vars}, s.marking(t, record.Failed))
	default:
		s.report(ctx, t.job, engine.JobCompleted{Job: t.job.Key, Variables: vars}, nil)
	}
	return nil
}

func (s *Service) failed(ctx context.Context, t *task, kind, message string) {
	s.report(ctx, t.job, engine.JobFailed{Job: t.job.Key, Kind: kind, Message: message}, s.marking(t, record.Failed))
}

func (s *Service) marking(t *task, state string) func(*db.Tx) error {
	return func(tx *db.Tx) error { return record.SetState(tx, keyOf(t.job), state, s.Clock.Now()) }
}

func (t *task) count(outcomes ...wire.Outcome) int {
	n := 0
	for _, r := range t.rows {
		if slices.Contains(outcomes, r.Outcome) {
			n++
		}
	}
	return n
}

// failure is the error that a step throws: the code of its first failed row.
func (t *task) failure() (code, message string) {
	for _, r := range t.rows {
		switch {
		case r.Done():
		case r.Code != "" && r.Code != wire.CodeFailed:
			return r.Code, t.describe(wire.OutcomeFailed, wire.OutcomeTimedOut, wire.OutcomeCancelled)
		case r.Outcome == wire.OutcomeTimedOut:
			return "sextant.timed_out", t.describe(wire.OutcomeTimedOut)
		default:
			return "sextant.failed", t.describe(wire.OutcomeFailed, wire.OutcomeTimedOut, wire.OutcomeCancelled)
		}
	}
	return "sextant.failed", ""
}

// describe names the rows with some outcomes and what happened to them.
func (t *task) describe(outcomes ...wire.Outcome) string {
	var named []string
	n := 0
	for _, r := range t.rows {
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
	return fmt.Sprintf("%d of %d rows: %s", n, len(t.rows), strings.Join(named, "; "))
}

// result is the step's variable. Outputs lie in it whole, or not at all: what is
// too large for a variable stays in the record of the job, where services find
// it. Where expressions would read it, that is an error.
func (t *task) result() (json.RawMessage, error) {
	res := stepResult{Rows: []rowResult{}, OK: t.count(wire.OutcomeOK, wire.OutcomeSkipped)}
	res.Failed = len(t.rows) - res.OK
	for _, r := range t.rows {
		res.Rows = append(res.Rows, rowResult{r.Object, r.Outcome, r.Code, t.open(r.Outputs)})
	}
	read := t.job.Program.Reads(t.job.Node.ID)
	raw := wire.Raw(res)
	switch {
	case len(raw) <= maxInline, read && len(raw) <= engine.MaxVariableBytes:
		return raw, nil
	case read:
		return nil, errs.New(errs.TooLarge, "dispatch.result_too_large", "the outputs of the step have %d bytes, and expressions of the process read them: at most %d bytes are possible there; give them to a service with <sextant:input from=\"step\">, or let the service say less", len(raw), engine.MaxVariableBytes)
	}
	res.Record = itoa(keyOf(t.job))
	for i := range res.Rows {
		res.Rows[i].Outputs = nil
	}
	return wire.Raw(res), nil
}

// open are the outputs that are no secrets.
func (t *task) open(outputs wire.Row) wire.Row {
	open := wire.Row{}
	for _, p := range t.svc.Action.Output {
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
func (s *Service) attribute(ctx context.Context, g goal) (wire.Attribute, error) {
	t, err := s.Objects.Type(ctx, g.path.Last().TypeRef())
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

// writeBack writes the outputs of rows that are ok to where their paths point.
// It can be done again without harm.
func (s *Service) writeBack(ctx context.Context, t *task) error {
	var refs []object.Ref
	outputs := map[string]wire.Row{}
	for _, r := range t.rows {
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
	return s.writeTo(ctx, t, refs, goals, outputs)
}

// writeTo writes outputs of rows to where goals lead.
func (s *Service) writeTo(ctx context.Context, t *task, refs []object.Ref, goals []goal, outputs map[string]wire.Row) error {
	changes, err := s.changes(ctx, t, refs, goals, outputs)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if _, err := s.Objects.Update(ctx, c.typ, object.Scope{Project: t.scope.project()}, c.rows); err != nil {
			return err
		}
	}
	return nil
}

// goals lists the outputs that are written somewhere: what the process says,
// else, for rows of the action's own target type, what the manifest says.
func (t *task) goals(typ string) ([]goal, error) {
	var all []goal
	for _, p := range t.svc.Action.Output {
		to := p.To
		if t.svc.Action.Target != "" && t.svc.Action.Target != typ {
			to = ""
		}
		for _, o := range t.job.Node.Ext.ServiceOutputs {
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

func (s *Service) changes(ctx context.Context, t *task, refs []object.Ref, goals []goal, outputs map[string]wire.Row) ([]*changeOf, error) {
	ids := make([]string, len(refs))
	for i, r := range refs {
		ids[i] = r.ID
	}
	paths := make([]*objectpath.Path, len(goals))
	for i, g := range goals {
		paths[i] = g.path
	}
	values, err := s.Objects.Evaluate(ctx, object.Scope{Project: t.scope.project()}, ids, paths)
	if err != nil {
		return nil, err
	}
	var all []*changeOf
	for i, g := range goals {
		typ := g.path.Last().TypeRef()
		attr, err := s.attribute(ctx, g)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(all, func(c *changeOf) bool { return c.typ == typ })
		if at < 0 {
			all, at = append(all, &changeOf{typ: typ}), len(all)
		}
		for _, id := range ids {
			v, ok := outputs[id][g.output.Name]
			if given, is := t.corrected[g.output.Name]; is {
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
