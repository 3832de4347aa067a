package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sextant/internal/domain/dispatch/record"
	"slices"
	"strconv"
	"strings"
	"time"

	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/bpmn"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
	"sextant/internal/lang/manifest"
	"sextant/internal/lang/objectpath"
	"sextant/sdk/go/wire"
)

// The words for where an input comes from. A parameter for which neither the
// process nor the manifest says anything is the variable of its name.
const (
	fromPath     = "path"
	fromFeel     = "feel"
	fromStep     = "step"
	fromConstant = "constant"
	fromSetting  = "setting"
	fromVariable = "variable"
)

// varRow is the object of a row, as a FEEL input sees it: id, type, object.
const varRow = "row"

// source is where a parameter comes from.
type source struct {
	param wire.Param
	from  string
	text  string
	// own means that the manifest says so: it holds for rows of the action's
	// target type alone.
	own   bool
	expr  *feel.Expr
	path  *objectpath.Path
	index int // of the path in the plan
}

// sources finds out where each parameter of an action comes from: what the
// process says, else what the manifest says, else a variable of the same name.
func sources(svc plugin.Service, ext bpmn.Extensions) ([]source, error) {
	var all []source
	for _, in := range ext.ServiceInputs {
		if !slices.ContainsFunc(svc.Action.Input, func(p wire.Param) bool { return p.Name == in.Name }) {
			return nil, errs.New(errs.Invalid, "dispatch.unknown_input", "%s has no input %q; it has %s", svc.Name(), in.Name, paramNames(svc.Action.Input))
		}
	}
	for _, p := range svc.Action.Input {
		s := source{param: p, from: p.From, text: p.Expr, own: p.From != "", index: -1}
		if s.from == "" {
			s.from, s.text = fromVariable, p.Name
		}
		for _, in := range ext.ServiceInputs {
			if in.Name == p.Name {
				s.from, s.text, s.own = in.From, in.Value, false
			}
		}
		if s.from == fromConstant && p.Secret && p.Type != wire.TypeConnection && !strings.Contains(s.text, `"$secret"`) {
			return nil, errs.New(errs.Invalid, "dispatch.secret_constant", "the input %s is secret, and the process says it in clear: put it into a connection and write {\"$secret\": \"connection/<name>#<field>\"}, or let it be given with the start", p.Name)
		}
		if s.from == fromFeel {
			x, err := feel.Compile(strings.TrimPrefix(s.text, "="))
			if err != nil {
				return nil, errs.New(errs.Invalid, "dispatch.feel", "the input %s does not read as FEEL: %s", p.Name, err)
			}
			if unknown := x.Unknown(); unknown != nil {
				return nil, errs.New(errs.Invalid, "dispatch.feel", "the input %s cannot be evaluated: %s", p.Name, unknown[0])
			}
			s.expr = x
		}
		all = append(all, s)
	}
	return all, nil
}

func paramNames(params []wire.Param) string {
	var all []string
	for _, p := range params {
		all = append(all, p.Name)
	}
	return strings.Join(all, ", ")
}

// CheckTask finds out whether a service task fits the service that it names.
func (s *Service) CheckTask(ctx context.Context, n *program.Node) error {
	if n.Task.Type.Expr != nil || !strings.HasPrefix(n.Task.Type.Static, plugin.JobPrefix) {
		return nil
	}
	svc, err := s.Plugins.Resolve(n.Task.Type.Static)
	if err != nil {
		return err
	}
	all, err := sources(svc, n.Ext)
	if err != nil {
		return err
	}
	for _, out := range n.Ext.ServiceOutputs {
		if !slices.ContainsFunc(svc.Action.Output, func(p wire.Param) bool { return p.Name == out.Name }) {
			return errs.New(errs.Invalid, "dispatch.unknown_output", "%s has no output %q; it has %s", svc.Name(), out.Name, paramNames(svc.Action.Output))
		}
	}
	return s.checkPaths(ctx, n, all)
}

// boundPath is what messages call the path of the rows.
const boundPath = "the bound path"

// checkPaths reads the paths of a task and finds out whether their types exist,
// where they say which those are.
func (s *Service) checkPaths(ctx context.Context, n *program.Node, all []source) error {
	texts := map[string]string{}
	if n.Ext.Bind != nil {
		texts[boundPath] = n.Ext.Bind.Path
	}
	for _, src := range all {
		if src.from == fromPath && !src.own {
			texts["the input "+src.param.Name] = src.text
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

// variables lists the variables that sources need.
func variables(all []source) []string {
	var names []string
	for _, s := range all {
		switch {
		case s.expr != nil:
			names = append(names, s.expr.Names()...)
		case s.from == fromVariable:
			names = append(names, s.text)
		case s.from == fromStep:
			step, _, _ := strings.Cut(s.text, ".")
			names = append(names, step)
		}
	}
	return names
}

// form is what the rows of a call are made of.
type form struct {
	sources []source
	svc     plugin.Service // its target is the type for which the manifest's own sources hold
	given   wire.Row
	shared  wire.Row
	values  *objectpath.Values
}

// build makes the row of a call for each target.
func (s *Service) build(ctx context.Context, sc *scope, f *form, rows []object.Ref, override json.RawMessage) ([]wire.Row, error) {
	var err error
	if f.given, _, err = readOverride(override); err != nil {
		return nil, err
	}
	if f.values, err = s.paths(ctx, sc, f, rows); err != nil {
		return nil, err
	}
	if f.shared, err = s.shared(ctx, sc, f.svc, f.sources); err != nil {
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

func (s *Service) row(ctx context.Context, sc *scope, f *form, ref object.Ref) (wire.Row, error) {
	row := wire.Row{}
	for _, src := range f.sources {
		raw := f.shared[src.param.Name]
		var err error
		switch {
		case src.path != nil:
			raw, err = single(src, ref, f.values.At(ref.ID, src.index))
		case src.from == fromStep:
			raw, err = s.fromEarlier(ctx, sc, src, ref)
		case src.expr != nil && slices.Contains(src.expr.Names(), varRow):
			raw, err = evaluate(src, sc.vars, s, &ref)
		}
		if err != nil {
			return nil, err
		}
		if v, ok := f.given[src.param.Name]; ok {
			raw = v
		}
		if missing(raw) {
			raw = manifest.Standard(src.param)
		}
		if raw = manifest.Typed(src.param, raw); missing(raw) {
			if src.param.Required {
				return nil, errs.New(errs.Invalid, "dispatch.input_missing", "the input %s of %s has no value (from %s %s)", src.param.Name, ref, src.from, src.text).With("input", src.param.Name)
			}
			continue
		}
		row[src.param.Name] = raw
	}
	return row, nil
}

func missing(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null" || string(raw) == `""`
}

// paths evaluates all sources that are object paths together.
func (s *Service) paths(ctx context.Context, sc *scope, f *form, rows []object.Ref) (*objectpath.Values, error) {
	var paths []*objectpath.Path
	if len(rows) == 0 || rows[0].Type == "" {
		return &objectpath.Values{}, nil
	}
	for i, src := range f.sources {
		if src.from != fromPath || src.own && f.svc.Action.Target != "" && f.svc.Action.Target != rows[0].TypeRef() {
			continue
		}
		p, err := object.ParsePath(src.text, rows[0].TypeRef())
		if err != nil {
			return nil, err
		}
		if first := p.Nodes[0].TypeRef(); first != rows[0].TypeRef() {
			return nil, errs.New(errs.Invalid, "dispatch.path_start", "the input %s starts at %s, but the step acts on %s: begin the path with a dot", src.param.Name, first, rows[0].TypeRef())
		}
		f.sources[i].path, f.sources[i].index = p, len(paths)
		paths = append(paths, p)
	}
	if len(paths) == 0 {
		return &objectpath.Values{}, nil
	}
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return s.Objects.Evaluate(ctx, object.Scope{Project: sc.project()}, ids, paths)
}

func single(src source, ref object.Ref, values []json.RawMessage) (json.RawMessage, error) {
	if src.param.Multiple || src.param.Type == wire.TypeList {
		return wire.Raw(values), nil
	}
	var found json.RawMessage
	for _, v := range values {
		if missing(v) || string(v) == string(found) {
			continue
		}
		if found != nil {
			return nil, errs.New(errs.Invalid, "dispatch.input_many", "the input %s of %s has several values (%s and %s), but takes one", src.param.Name, ref, found, v)
		}
		found = v
	}
	return found, nil
}

// fromEarlier takes an output of an earlier step, <element>.<output>: that of
// the same object, else that of the step's only row, else all of them for a
// parameter that takes a list.
func (s *Service) fromEarlier(ctx context.Context, sc *scope, src source, ref object.Ref) (json.RawMessage, error) {
	step, output, ok := strings.Cut(src.text, ".")
	if !ok {
		return nil, errs.New(errs.Invalid, "dispatch.step", "the input %s comes from step %q: write <element>.<output>", src.param.Name, src.text)
	}
	earlier, err := s.earlier(ctx, sc, step)
	if err != nil {
		return nil, errs.New(errs.As(err).Kind, errs.As(err).Code, "the input %s comes from the step %s, which %s", src.param.Name, step, errs.As(err).Message)
	}
	var values []json.RawMessage
	for _, r := range earlier.Rows {
		if r.Object == ref.String() || len(earlier.Rows) == 1 {
			return r.Outputs[output], nil
		}
		values = append(values, r.Outputs[output])
	}
	return single(src, ref, values)
}

// earlier gives the result of an earlier step whole, from its variable or from
// the record of its job. It is read once for all rows.
func (s *Service) earlier(ctx context.Context, sc *scope, step string) (*stepResult, error) {
	if known := sc.earlier[step]; known != nil {
		return known, nil
	}
	raw, ok := sc.vars[step]
	if !ok {
		return nil, errs.New(errs.Invalid, "dispatch.step", "has not run")
	}
	var res stepResult
	if err := json.Unmarshal(raw, &res); err != nil {
		return nil, errs.New(errs.Invalid, "dispatch.step", "is no step that called a service")
	}
	if res.Record != "" {
		if err := s.recorded(ctx, sc, &res); err != nil {
			return nil, err
		}
	}
	if sc.earlier == nil {
		sc.earlier = map[string]*stepResult{}
	}
	sc.earlier[step] = &res
	return &res, nil
}

// recorded fills in the outputs that lie in the record of a job of the same run.
func (s *Service) recorded(ctx context.Context, sc *scope, res *stepResult) error {
	job, err := strconv.ParseInt(res.Record, 10, 64)
	if err != nil {
		return errs.New(errs.Invalid, "dispatch.step", "is no step that called a service")
	}
	r, err := record.Find(ctx, s.DB, job)
	if err != nil {
		return err
	}
	if r == nil || r.Run != int64(sc.run) {
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
func (s *Service) shared(ctx context.Context, sc *scope, svc plugin.Service, all []source) (wire.Row, error) {
	row := wire.Row{}
	for _, src := range all {
		switch {
		case src.from == fromConstant:
			row[src.param.Name] = wire.Raw(src.text)
		case src.from == fromVariable:
			row[src.param.Name] = sc.vars[src.text]
		case src.from == fromSetting:
			v, ok, err := s.Settings.Read(ctx, sc.project(), src.text)
			if err != nil {
				return nil, err
			}
			if !ok {
				v, ok = settingDefault(svc, src.text)
			}
			if ok {
				row[src.param.Name] = wire.Raw(v)
			}
		case src.expr != nil && !slices.Contains(src.expr.Names(), varRow):
			raw, err := evaluate(src, sc.vars, s, nil)
			if err != nil {
				return nil, err
			}
			row[src.param.Name] = raw
		}
	}
	return row, nil
}

func evaluate(src source, vars map[string]json.RawMessage, s *Service, ref *object.Ref) (json.RawMessage, error) {
	if raw, ok := vars[src.expr.Source()]; ok && ref == nil { // a variable and nothing else keeps its text
		return raw, nil
	}
	v, err := src.expr.Eval(&feel.Env{Now: s.Clock.Now(), Zone: time.LoadLocation, Random: rand.Uint64, Lookup: func(name string) (value.Value, bool) {
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
		return nil, errs.New(errs.Invalid, "dispatch.feel", "the input %s: %s", src.param.Name, err)
	}
	raw, err := value.ToJSON(v)
	if err != nil {
		return nil, fmt.Errorf("the input %s: %w", src.param.Name, err)
	}
	return raw, nil
}
