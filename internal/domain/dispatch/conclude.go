package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sextant/internal/domain/object"
	"sextant/internal/engine"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/objectpath"
	"sextant/sdk/go/wire"
)

const (
	maxResult     = 1 << 20 // bytes of a step's result as a variable
	maxOutputText = 4 << 10 // characters of one output in it
	namedRows     = 5       // rows that a message names
)

// stepResult is the variable that a step leaves.
type stepResult struct {
	Rows   []rowResult `json:"rows"`
	OK     int         `json:"ok"`
	Failed int         `json:"failed"`
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
	unknown, failed := t.count(wire.OutcomeUnknown), t.count(wire.OutcomeFailed, wire.OutcomeTimedOut, wire.OutcomeCancelled)
	vars := engine.Variables{t.job.Node.ID: t.result()}
	switch {
	case unknown > 0:
		s.failed(ctx, t, IncidentUnknown, t.describe(wire.OutcomeUnknown))
	case failed > 0:
		code, message := t.failure()
		s.report(ctx, t.job, engine.JobThrew{Job: t.job.Key, Code: code, Message: message, Kind: IncidentService, Variables: vars}, s.marking(t, stateFailed))
	default:
		s.report(ctx, t.job, engine.JobCompleted{Job: t.job.Key, Variables: vars}, nil)
	}
	return nil
}

func (s *Service) failed(ctx context.Context, t *task, kind, message string) {
	s.report(ctx, t.job, engine.JobFailed{Job: t.job.Key, Kind: kind, Message: message}, s.marking(t, stateFailed))
}

func (s *Service) marking(t *task, state string) func(*db.Tx) error {
	return func(tx *db.Tx) error { return setState(tx, keyOf(t.job), state, s.Clock.Now()) }
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
		case r.done():
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

// result is the step's variable. Long outputs are cut, and left out where there
// are too many of them.
func (t *task) result() json.RawMessage {
	res := stepResult{Rows: []rowResult{}, OK: t.count(wire.OutcomeOK, wire.OutcomeSkipped)}
	res.Failed = len(t.rows) - res.OK
	for _, r := range t.rows {
		res.Rows = append(res.Rows, rowResult{r.Object, r.Outcome, r.Code, t.shortened(r.Outputs)})
	}
	raw := wire.Raw(res)
	if len(raw) > maxResult {
		for i := range res.Rows {
			res.Rows[i].Outputs = nil
		}
		raw = wire.Raw(res)
	}
	return raw
}

func (t *task) shortened(outputs wire.Row) wire.Row {
	short := wire.Row{}
	for _, p := range t.svc.Action.Output {
		raw, ok := outputs[p.Name]
		var text string
		switch {
		case !ok || p.Secret:
			continue
		case len(raw) > maxOutputText && json.Unmarshal(raw, &text) == nil:
			short[p.Name] = wire.Raw(strings.ToValidUTF8(text[:min(len(text), maxOutputText)], ""))
		case len(raw) <= maxOutputText:
			short[p.Name] = raw
		}
	}
	return short
}

// goal is where an output is written: a path from the row's object.
type goal struct {
	output string
	path   *objectpath.Path
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
		all = append(all, goal{p.Name, path})
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
		if plain(row[wire.AttrID]) == id {
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
		at := slices.IndexFunc(all, func(c *changeOf) bool { return c.typ == typ })
		if at < 0 {
			all, at = append(all, &changeOf{typ: typ}), len(all)
		}
		for _, id := range ids {
			v, ok := outputs[id][g.output]
			if !ok {
				continue
			}
			for _, reached := range values.Reached(id, i) {
				all[at].set(reached, g.path.Field(), v)
			}
		}
	}
	return slices.DeleteFunc(all, func(c *changeOf) bool { return len(c.rows) == 0 }), nil
}
