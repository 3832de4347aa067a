package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/rolling"
	"sextant/sdk/go/wire"
)

// Plan tells what every service step of a program would touch if it ran now on
// these objects, with the rights of the subject of ctx. Branches that may not be
// taken are listed too.
func (s *Service) Plan(ctx context.Context, ask control.Ask) (control.Plan, error) {
	plan := control.Plan{Steps: []control.Planned{}, Reads: true}
	if err := s.MayRefer(ctx, ask.Project, ask.Variables); err != nil {
		return plan, err
	}
	services := 0
	for _, n := range ask.Program.Nodes {
		if n.Kind != program.ServiceTask {
			continue
		}
		services++
		if n.Task.Type.Expr != nil {
			plan.Reads = false
			plan.Steps = append(plan.Steps, control.Planned{Element: n.ID, Name: n.Name, Rows: []string{}, Later: "= " + n.Task.Type.Expr.Source()})
			continue
		}
		if !strings.HasPrefix(n.Task.Type.Static, plugin.JobPrefix) {
			plan.Reads = false
			continue
		}
		one, err := s.planStep(ctx, ask, n)
		if err != nil {
			return plan, err
		}
		plan.Reads = plan.Reads && one.Risk == wire.RiskRead
		if svc, err := s.Plugins.Resolve(n.Task.Type.Static); err == nil {
			plan.Secrets = append(plan.Secrets, source.SecretVariables(svc, n.Ext)...)
		}
		plan.Steps = append(plan.Steps, one)
	}
	plan.Reads = plan.Reads && services > 0
	return plan, nil
}

// planStep tells what one step would touch. An error is a fault of the platform;
// what stands against the step is a problem of it.
func (s *Service) planStep(ctx context.Context, ask control.Ask, n *program.Node) (control.Planned, error) {
	one := control.Planned{Element: n.ID, Name: n.Name, Service: strings.TrimPrefix(n.Task.Type.Static, plugin.JobPrefix), Rows: []string{}}
	svc, err := s.Plugins.Resolve(n.Task.Type.Static)
	if err == nil {
		one.Risk = svc.Action.Risk
		if n.Ext.Risk != "" {
			one.Risk = n.Ext.Risk
		}
		if n.Ext.Bind != nil {
			one.Later = n.Ext.Bind.Path
		}
		err = s.planTouch(ctx, &one, step{ask.Project, ask.Program, n, svc}, ask)
	}
	if err == nil {
		return one, nil
	}
	if errs.Is(err, errs.Internal) {
		return one, err
	}
	one.Err, one.Problem = err, errs.As(err).Message
	if n.Name != "" || n.ID != "" {
		e := *errs.As(err)
		e.Message = fmt.Sprintf("the step %q: %s", stepName(n), e.Message)
		one.Err = &e
	}
	return one, nil
}

func stepName(n *program.Node) string {
	if n.Name != "" {
		return n.Name
	}
	return n.ID
}

// step is a step of a program that calls a service.
type step struct {
	project string
	program *program.Program
	node    *program.Node
	svc     plugin.Service
}

// planTouch fills in what a step would touch: its rows, and what it is given.
func (s *Service) planTouch(ctx context.Context, one *control.Planned, w step, ask control.Ask) error {
	all, err := source.Of(w.svc, w.node.Ext)
	if err != nil {
		return err
	}
	if err := s.planGiven(ctx, one, w, all, ask.Variables); err != nil {
		return err
	}
	batches, cut, err := s.planBatches(ctx, w, ask.Objects)
	if err != nil {
		return err
	}
	size := batchOf(w.svc)
	var reached []object.Ref
	for _, rows := range batches {
		found, err := s.targets(ctx, w, rows)
		if err != nil {
			return err
		}
		refs := refTexts(found)
		one.Rows = append(one.Rows, refs...)
		if cut {
			one.Batches = append(one.Batches, refs)
		}
		one.Calls += (len(refs) + size - 1) / size
		reached = append(reached, found...)
	}
	if len(reached) == 0 {
		one.Locks = claimsOf(w.svc, nil)
		if w.node.Ext.Bind != nil {
			one.Problem = errs.As(nothing(w.node.Ext.Bind.Path)).Message
			return nil
		}
		return source.Fits(w.svc, all, object.Ref{}, len(ask.Objects) > 0)
	}
	if err := source.Fits(w.svc, all, reached[0], true); err != nil {
		return err
	}
	// What is read of the rows is read now, so that a right that is missing is
	// known before anything was done.
	f := &form{sources: all, svc: w.svc}
	sc := &scope{mandate: control.Mandate{Project: w.project}}
	if f.values, err = s.paths(ctx, sc, f, reached); err != nil {
		return err
	}
	touched, err := s.touched(ctx, w, f, reached)
	if err != nil {
		return err
	}
	one.Locks = claimsOf(w.svc, touched.all)
	places, err := s.bound(ctx, w, f, intent{rows: reached, inputs: source.Foresee(all, reached, f.values, ask.Variables), touched: touched})
	one.Places = append(one.Places, places...)
	return err
}

// touch is all that a step acts on: its rows, and what it reaches through each.
type touch struct {
	all []object.Ref
	by  map[object.Ref][]object.Ref
}

// touched finds all that a step acts on: its rows, and the objects of the
// service's target type from which the process takes an input that the manifest
// takes from the target, such as the address of the host behind a unit. All of
// them need the right to start runs there.
func (s *Service) touched(ctx context.Context, w step, f *form, rows []object.Ref) (touch, error) {
	t := touch{slices.Clone(rows), make(map[object.Ref][]object.Ref, len(rows))}
	seen := make(map[object.Ref]bool, len(rows))
	for _, r := range rows {
		t.by[r], seen[r] = []object.Ref{r}, true
	}
	for _, src := range f.sources {
		if !src.Through(w.svc) {
			continue
		}
		last := src.Path.Last()
		for _, r := range rows {
			for _, id := range f.values.Reached(r.ID, src.Index) {
				ref := object.Ref{Package: last.Package, Type: last.Type, ID: id}
				if !slices.Contains(t.by[r], ref) {
					t.by[r] = append(t.by[r], ref)
				}
				if !seen[ref] {
					seen[ref], t.all = true, append(t.all, ref)
				}
			}
		}
	}
	return t, s.Objects.Permit(ctx, w.project, "run.start", t.all[len(rows):])
}

// planGiven finds the connections and files that a step is given by its
// constants and by what the run is started with.
func (s *Service) planGiven(ctx context.Context, one *control.Planned, w step, all []source.Source, vars map[string]json.RawMessage) error {
	for _, src := range all {
		raw, at := src.Known(vars)
		if err := source.Check(src.Param, raw, at); err != nil {
			return err
		}
		if source.Missing(raw) {
			continue
		}
		given := source.References(src.Param, raw)
		for _, name := range given.Connections {
			c, err := s.Settings.Usable(ctx, w.project, name)
			if err == nil {
				err = source.CheckFields(src.Param, raw, at, c)
			}
			if err != nil {
				return err
			}
			if !slices.Contains(one.Connections, name) {
				one.Connections, one.Places = append(one.Connections, name), append(one.Places, c.Environment)
			}
		}
		if given.File != "" {
			if err := mayRead(ctx, w.project); err != nil {
				return err
			}
			one.Files = append(one.Files, given.File)
		}
	}
	return source.CheckOneOf(w.svc, source.Foreseen(all, vars, w.program))
}

// planBatches finds the rows that a step starts from: those of the nearest batch
// around it, else the objects of the run.
func (s *Service) planBatches(ctx context.Context, w step, objects []object.Ref) ([][]object.Ref, bool, error) {
	for n := w.node; ; n = w.program.Nodes[n.Scope] {
		if n.Loop != nil && n.Loop.Batch != nil {
			outer := w
			outer.node = w.program.Nodes[n.Scope]
			from, _, err := s.planBatches(ctx, outer, objects)
			if err != nil {
				return nil, false, err
			}
			var all [][]object.Ref
			for _, rows := range from {
				reached, err := s.reach(ctx, w.project, rows, n.Loop.Bind)
				if err != nil {
					return nil, false, err
				}
				all = append(all, rolling.Split(*n.Loop.Batch, reached)...)
			}
			return all, true, nil
		}
		if n.Scope == program.None {
			return [][]object.Ref{objects}, false, nil
		}
	}
}

// targets finds the rows that a step acts on, from those it starts from. The plan
// of a request and the run itself ask the same.
func (s *Service) targets(ctx context.Context, w step, from []object.Ref) ([]object.Ref, error) {
	if w.node.Ext.Bind == nil || w.node.Loop != nil && w.node.Loop.Batch != nil {
		return from, s.Objects.Permit(ctx, w.project, "run.start", from)
	}
	return s.reach(ctx, w.project, from, w.node.Ext.Bind.Path)
}

// reach follows a path to rows that a run acts on: each hop needs the right to
// read, what it ends at the right to start runs there.
func (s *Service) reach(ctx context.Context, project string, from []object.Ref, path string) ([]object.Ref, error) {
	rows, err := s.Objects.Rows(ctx, object.Scope{Project: project}, from, path)
	if err != nil {
		return nil, err
	}
	return rows, s.Objects.Permit(ctx, project, "run.start", rows)
}

// claimsOf lists what a step on these rows has to hold: what its service
// declares, else every row exclusively. One that only reads holds nothing, unless it
// writes down on the row what it saw: then it shares the row, so that nobody who has
// it alone comes upon that.
func claimsOf(svc plugin.Service, rows []object.Ref) []control.Claim {
	declared := svc.Action.Locks
	switch writes := slices.ContainsFunc(svc.Action.Output, func(p wire.Param) bool { return p.To != "" }); {
	case len(declared) > 0:
	case svc.Action.Risk != wire.RiskRead:
		declared = []wire.Lock{{Mode: string(control.Exclusive), On: wire.LockTarget}}
	case writes:
		declared = []wire.Lock{{Mode: string(control.Shared), On: wire.LockTarget}}
	}
	var all []control.Claim
	for _, l := range declared {
		if l.On != wire.LockTarget {
			all = append(all, control.Claim{Object: l.On, Mode: control.Mode(l.Mode)})
			continue
		}
		for _, r := range rows {
			if r.Type != "" {
				all = append(all, control.Claim{Object: r.String(), Mode: control.Mode(l.Mode)})
			}
		}
	}
	return control.Merge(all)
}

func batchOf(svc plugin.Service) int {
	if svc.Action.Batch > 0 {
		return svc.Action.Batch
	}
	return defaultBatch
}

func refTexts(rows []object.Ref) []string {
	refs := make([]string, len(rows))
	for i, r := range rows {
		refs[i] = r.String()
	}
	return refs
}
