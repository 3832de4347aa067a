package plan

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"sextant/internal/domain/dispatch/record"

	"sextant/internal/domain/dispatch/override"
	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/manifest"
	"sextant/internal/lang/objectpath"
	"sextant/sdk/go/wire"
)

// CheckTask finds out whether a service task fits the service that it names.
func (s *Service) CheckTask(ctx context.Context, n *program.Node) error {
	if n.Task.Type.Expr != nil || !strings.HasPrefix(n.Task.Type.Static, plugin.JobPrefix) {
		return nil
	}
	svc, err := s.Plugins.Resolve(n.Task.Type.Static)
	if err != nil {
		return err
	}
	all, err := source.Of(svc, n.Ext)
	if err != nil {
		return err
	}
	for _, out := range n.Ext.ServiceOutputs {
		if !slices.ContainsFunc(svc.Action.Output, func(p wire.Param) bool { return p.Name == out.Name }) {
			return errs.New(errs.Invalid, "dispatch.unknown_output", "%s has no output %q; it has %s",
				svc.Name(), out.Name, source.Names(svc.Action.Output))
		}
	}
	return s.checkPaths(ctx, n, all)
}

// boundPath is what messages call the path of the rows.
const boundPath = "the bound path"

// inputPrefix is what stands in messages before the name of an input.
const inputPrefix = "the input "

// checkPaths reads the paths of a task and finds out whether their types exist,
// where they say which those are.
func (s *Service) checkPaths(ctx context.Context, n *program.Node, all []source.Source) error {
	texts := map[string]string{}
	if n.Ext.Bind != nil {
		texts[boundPath] = n.Ext.Bind.Path
	}
	for _, src := range all {
		if src.From == source.FromPath && !src.Own {
			texts[inputPrefix+src.Param.Name] = src.Text
		}
	}
	for _, out := range n.Ext.ServiceOutputs {
		texts["the output "+out.Name] = out.To
	}
	for what, text := range texts {
		if text == "" {
			continue
		}
		p, err := objectpath.ParseRelative(text)
		if err == nil && p.Attr != "" && n.Ext.Bind != nil && what == boundPath {
			return errs.New(errs.Invalid, "dispatch.path", "%s %q ends at the attribute %s: rows are objects, end at their type", what, text, p.Attr)
		}
		if err == nil && !p.Relative {
			err = s.Objects.CheckPath(ctx, p)
			if err == nil && strings.HasPrefix(what, inputPrefix) {
				err = s.Objects.CheckReadable(ctx, p)
			}
		}
		if err != nil {
			e := errs.As(err)
			if e.Kind == errs.Internal {
				return errs.New(errs.Invalid, "dispatch.path", "%s %q is not understood: %s", what, text, err)
			}
			return errs.New(e.Kind, e.Code, "%s %q: %s", what, text, e.Message)
		}
	}
	return nil
}

// Form is what the rows of a call are made of.
type Form struct {
	Sources []source.Source
	Svc     plugin.Service // its target is the type for which the manifest's own sources hold
	given   wire.Row
	shared  wire.Row
	values  *objectpath.Values
}

// Build makes the row of a call for each target.
func (s *Service) Build(ctx context.Context, sc *Scope, f *Form, rows []object.Ref, given json.RawMessage) ([]wire.Row, error) {
	var err error
	if f.given, _, err = override.Read(given); err != nil {
		return nil, err
	}
	if f.values, err = s.paths(ctx, sc, f, rows); err != nil {
		return nil, err
	}
	if f.shared, err = s.shared(ctx, sc, f.Svc, f.Sources); err != nil {
		return nil, err
	}
	out := make([]wire.Row, 0, len(rows))
	for _, ref := range rows {
		row, err := s.row(ctx, sc, f, ref)
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, nil
}

func (s *Service) row(ctx context.Context, sc *Scope, f *Form, ref object.Ref) (wire.Row, error) {
	row := wire.Row{}
	for _, src := range f.Sources {
		raw := f.shared[src.Param.Name]
		var err error
		switch {
		case src.Path != nil:
			raw, err = src.Single(ref, f.values.At(ref.ID, src.Index))
		case src.From == source.FromStep:
			raw, err = s.fromEarlier(ctx, sc, src, ref)
		case src.Expr != nil && src.OfRow():
			raw, err = src.Evaluate(sc.Vars, s.Clock.Now(), &ref)
		}
		if err != nil {
			return nil, err
		}
		if v, ok := f.given[src.Param.Name]; ok {
			raw = v
		}
		if source.Missing(raw) {
			raw = manifest.Standard(src.Param)
		}
		if raw = manifest.Typed(src.Param, raw); source.Missing(raw) {
			if src.Param.Required {
				return nil, errs.New(errs.Invalid, "dispatch.input_missing", "the input %s of %s has no value (from %s %s)%s",
					src.Param.Name, ref, src.From, src.Text, src.WithoutVariables(sc.Vars)).With("input", src.Param.Name)
			}
			continue
		}
		row[src.Param.Name] = raw
	}
	if typed := f.typed(row); len(typed) > 0 {
		row[wire.FieldTyped] = wire.Raw(typed)
	}
	return row, source.Whole(f.Svc, f.Sources, row, sc.Vars)
}

// paths evaluates all sources that are object paths together.
func (s *Service) paths(ctx context.Context, sc *Scope, f *Form, rows []object.Ref) (*objectpath.Values, error) {
	var paths []*objectpath.Path
	if len(rows) == 0 || rows[0].Type == "" {
		return &objectpath.Values{}, nil
	}
	for i, src := range f.Sources {
		if src.From != source.FromPath || src.Own && f.Svc.Action.Target != "" && f.Svc.Action.Target != rows[0].TypeRef() {
			continue
		}
		p, err := object.ParsePath(src.Text, rows[0].TypeRef())
		if err != nil {
			return nil, err
		}
		if first := p.Nodes[0].TypeRef(); first != rows[0].TypeRef() {
			return nil, errs.New(errs.Invalid, "dispatch.path_start",
				"the input %s starts at %s, but the step acts on %s: begin the path with a dot", src.Param.Name, first, rows[0].TypeRef())
		}
		if err := s.Objects.CheckReadable(ctx, p); err != nil {
			e := *errs.As(err)
			e.Message = inputPrefix + src.Param.Name + ": " + e.Message
			return nil, &e
		}
		f.Sources[i].Path, f.Sources[i].Index = p, len(paths)
		paths = append(paths, p)
	}
	if len(paths) == 0 {
		return &objectpath.Values{}, nil
	}
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return s.Objects.Evaluate(ctx, object.Scope{Project: sc.Project()}, ids, paths)
}

// fromEarlier takes an output of an earlier step, <element>.<output>: that of
// the same object, else that of the step's only row, else all of them for a
// parameter that takes a list.
func (s *Service) fromEarlier(ctx context.Context, sc *Scope, src source.Source, ref object.Ref) (json.RawMessage, error) {
	step, output, ok := strings.Cut(src.Text, ".")
	if !ok {
		return nil, errs.New(errs.Invalid, "dispatch.step", "the input %s comes from step %q: write <element>.<output>", src.Param.Name, src.Text)
	}
	earlier, err := s.earlier(ctx, sc, step)
	if err != nil {
		return nil, errs.New(errs.As(err).Kind, errs.As(err).Code, "the input %s comes from the step %s, which %s",
			src.Param.Name, step, errs.As(err).Message)
	}
	var values []json.RawMessage
	for _, r := range earlier.Rows {
		if r.Object == ref.String() || len(earlier.Rows) == 1 {
			return r.Outputs[output], nil
		}
		values = append(values, r.Outputs[output])
	}
	return src.Single(ref, values)
}

// earlier gives the result of an earlier step whole, from its variable or from
// the record of its job. It is read once for all rows.
func (s *Service) earlier(ctx context.Context, sc *Scope, step string) (*Result, error) {
	if known := sc.earlier[step]; known != nil {
		return known, nil
	}
	raw, ok := sc.Vars[step]
	if !ok {
		return nil, errs.New(errs.Invalid, "dispatch.step", "has not run")
	}
	var res Result
	if err := json.Unmarshal(raw, &res); err != nil {
		return nil, errs.New(errs.Invalid, "dispatch.step", "is no step that called a service")
	}
	if res.Record != "" {
		if err := s.recorded(ctx, sc, &res); err != nil {
			return nil, err
		}
	}
	if sc.earlier == nil {
		sc.earlier = map[string]*Result{}
	}
	sc.earlier[step] = &res
	return &res, nil
}

// recorded fills in the outputs that lie in the record of a job of the same run.
func (s *Service) recorded(ctx context.Context, sc *Scope, res *Result) error {
	job, err := strconv.ParseInt(res.Record, 10, 64)
	if err != nil {
		return errs.New(errs.Invalid, "dispatch.step", "is no step that called a service")
	}
	r, err := record.Find(ctx, s.DB, job)
	if err != nil {
		return err
	}
	if r == nil || r.Run != int64(sc.Run) {
		return errs.New(errs.Invalid, "dispatch.step", "left its outputs in a record that is not there any more")
	}
	rows, err := record.Rows(ctx, s.DB, job)
	if err != nil {
		return err
	}
	by := make(map[string]wire.Row, len(rows))
	for _, row := range rows {
		by[row.Object] = row.Outputs
	}
	for i := range res.Rows {
		res.Rows[i].Outputs = by[res.Rows[i].Object]
	}
	return nil
}

// shared evaluates the sources that are the same for all rows.
func (s *Service) shared(ctx context.Context, sc *Scope, svc plugin.Service, all []source.Source) (wire.Row, error) {
	row := wire.Row{}
	for _, src := range all {
		switch {
		case src.From == source.FromConstant:
			row[src.Param.Name] = wire.Raw(src.Text)
		case src.From == source.FromVariable:
			row[src.Param.Name] = sc.Vars[src.Text]
		case src.From == source.FromSetting:
			v, ok, err := s.Settings.Read(ctx, sc.Project(), source.SettingName(svc, src.Text))
			if err == nil {
				v, ok, err = source.Setting(svc, src.Text, v, ok)
			}
			if err != nil {
				return nil, err
			}
			if ok {
				row[src.Param.Name] = wire.Raw(v)
			}
		case src.Expr != nil && !src.OfRow():
			raw, err := src.Evaluate(sc.Vars, s.Clock.Now(), nil)
			if err != nil {
				return nil, err
			}
			row[src.Param.Name] = raw
		}
	}
	return row, nil
}
