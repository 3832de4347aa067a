// Package plan tells what service steps act on and what they are sent: the rows, the
// inputs of each, the claims, connections and files. Preview, admission and the run
// itself ask it, with the rights that the run has; it changes nothing.
package plan

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
	"sextant/internal/domain/setting"
	"sextant/internal/engine/program"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/rolling"
	"sextant/sdk/go/wire"
)

// Deps is what the service needs.
type Deps struct {
	DB       *db.DB
	Clock    clock.Clock
	Plugins  *plugin.Registry
	Objects  *object.Service
	Settings *setting.Service
	// Called finds the process that a version of another one calls by its id; a NotFound
	// error where there is none.
	Called func(ctx context.Context, project string, caller int64, c *program.Call) (control.Found, error)
}

// Service plans what steps do. It is safe for concurrent use.
type Service struct{ Deps }

// New makes the service.
func New(d Deps) *Service { return &Service{d} }

const defaultBatch = 50 // rows of a call

// Takes lists the variables that the service of a step takes.
func (s *Service) Takes(n *program.Node) (names []string, all bool) {
	return source.Takes(n, s.Plugins.Resolve)
}

// Plan tells what every service step of a program would touch if it ran now on
// these objects, with the rights of the subject of ctx. Branches that may not be
// taken are listed too, and the steps of the processes that it calls.
func (s *Service) Plan(ctx context.Context, ask control.Ask) (control.Plan, error) {
	plan := control.Plan{Steps: []control.Planned{}, Reads: true}
	if err := s.MayRefer(ctx, ask.Project, ask.Variables); err != nil {
		return plan, err
	}
	services, err := s.planAll(ctx, &plan, ask, way{})
	plan.Reads = plan.Reads && services > 0
	return plan, err
}

// planAll plans the steps of a process that is called by a way, and counts those that
// are services.
func (s *Service) planAll(ctx context.Context, plan *control.Plan, ask control.Ask, w way) (services int, err error) {
	for _, n := range ask.Program.Nodes {
		switch n.Kind {
		case program.ServiceTask:
			services++
			err = s.planService(ctx, plan, ask, w, n)
		case program.CallActivity:
			var within int
			within, err = s.planCall(ctx, plan, ask, w, n)
			services += within
		}
		if err != nil {
			return services, err
		}
	}
	return services, nil
}

func (s *Service) planService(ctx context.Context, plan *control.Plan, ask control.Ask, w way, n *program.Node) error {
	if n.Task.Type.Expr != nil {
		plan.Reads = false
		plan.Steps = append(plan.Steps,
			control.Planned{Element: w.path + n.ID, Name: n.Name, Rows: []string{}, Later: "= " + n.Task.Type.Expr.Source()})
		return nil
	}
	if !strings.HasPrefix(n.Task.Type.Static, plugin.JobPrefix) {
		plan.Reads = false
		return nil
	}
	one, err := s.planStep(ctx, ask, n)
	if err != nil {
		return err
	}
	one.Element = w.path + n.ID
	plan.Reads = plan.Reads && one.Risk == wire.RiskRead
	if svc, err := s.Plugins.Resolve(n.Task.Type.Static); err == nil {
		plan.Secrets = append(plan.Secrets, source.SecretVariables(svc, n.Ext)...)
	}
	plan.Steps = append(plan.Steps, one)
	return nil
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
		err = s.planTouch(ctx, &one, Step{ask.Project, ask.Program, n, svc}, ask)
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

// Step is a step of a program that calls a service.
type Step struct {
	Project string
	Program *program.Program
	Node    *program.Node
	Svc     plugin.Service
}

// planTouch fills in what a step would touch: its rows, and what it is given.
func (s *Service) planTouch(ctx context.Context, one *control.Planned, w Step, ask control.Ask) error {
	all, err := source.Of(w.Svc, w.Node.Ext)
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
	size := BatchOf(w.Svc)
	var reached []object.Ref
	for _, rows := range batches {
		found, err := s.Targets(ctx, w, rows)
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
		one.Locks = ClaimsOf(w.Svc, nil)
		if w.Node.Ext.Bind != nil {
			one.Problem = errs.As(Nothing(w.Node.Ext.Bind.Path)).Message
			return nil
		}
		return source.Fits(w.Svc, all, object.Ref{}, len(ask.Objects) > 0)
	}
	if err := source.Fits(w.Svc, all, reached[0], true); err != nil {
		return err
	}
	// What is read of the rows is read now, so that a right that is missing is
	// known before anything was done.
	f := &Form{Sources: all, Svc: w.Svc}
	sc := &Scope{Mandate: control.Mandate{Project: w.Project}}
	if f.values, err = s.paths(ctx, sc, f, reached); err != nil {
		return err
	}
	touched, err := s.Touched(ctx, w, f, reached)
	if err != nil {
		return err
	}
	one.Locks = ClaimsOf(w.Svc, touched.All)
	places, err := s.Bound(ctx, w, f, Intent{Rows: reached, Inputs: source.Foresee(all, reached, f.values, ask.Variables), Touched: touched})
	one.Places = append(one.Places, places...)
	return err
}

// Touch is all that a step acts on: its rows, and what it reaches through each.
type Touch struct {
	All []object.Ref
	By  map[object.Ref][]object.Ref
}

// Touched finds all that a step acts on: its rows, and the objects of the
// service's target type from which the process takes an input that the manifest
// takes from the target, such as the address of the host behind a unit. All of
// them need the right to start runs there.
func (s *Service) Touched(ctx context.Context, w Step, f *Form, rows []object.Ref) (Touch, error) {
	t := Touch{slices.Clone(rows), make(map[object.Ref][]object.Ref, len(rows))}
	seen := make(map[object.Ref]bool, len(rows))
	for _, r := range rows {
		t.By[r], seen[r] = []object.Ref{r}, true
	}
	for _, src := range f.Sources {
		if !src.Through(w.Svc) {
			continue
		}
		last := src.Path.Last()
		for _, r := range rows {
			for _, id := range f.values.Reached(r.ID, src.Index) {
				ref := object.Ref{Package: last.Package, Type: last.Type, ID: id}
				if !slices.Contains(t.By[r], ref) {
					t.By[r] = append(t.By[r], ref)
				}
				if !seen[ref] {
					seen[ref], t.All = true, append(t.All, ref)
				}
			}
		}
	}
	return t, s.Objects.Permit(ctx, w.Project, "run.start", t.All[len(rows):])
}

// planGiven finds the connections and files that a step is given by its
// constants and by what the run is started with.
func (s *Service) planGiven(ctx context.Context, one *control.Planned, w Step, all []source.Source, vars map[string]json.RawMessage) error {
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
			c, err := s.Settings.Usable(ctx, w.Project, name)
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
			if err := mayRead(ctx, w.Project); err != nil {
				return err
			}
			one.Files = append(one.Files, given.File)
		}
	}
	return source.CheckOneOf(w.Svc, source.Foreseen(all, vars, w.Program))
}

// planBatches finds the rows that a step starts from: those of the nearest batch
// around it, else the objects of the run.
func (s *Service) planBatches(ctx context.Context, w Step, objects []object.Ref) ([][]object.Ref, bool, error) {
	for n := w.Node; ; n = w.Program.Nodes[n.Scope] {
		if n.Loop != nil && n.Loop.Batch != nil {
			outer := w
			outer.Node = w.Program.Nodes[n.Scope]
			from, _, err := s.planBatches(ctx, outer, objects)
			if err != nil {
				return nil, false, err
			}
			var all [][]object.Ref
			for _, rows := range from {
				reached, err := s.Reach(ctx, w.Project, rows, n.Loop.Bind)
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

// Targets finds the rows that a step acts on, from those it starts from. The plan
// of a request and the run itself ask the same.
func (s *Service) Targets(ctx context.Context, w Step, from []object.Ref) ([]object.Ref, error) {
	if w.Node.Ext.Bind == nil || w.Node.Loop != nil && w.Node.Loop.Batch != nil {
		return from, s.Objects.Permit(ctx, w.Project, "run.start", from)
	}
	return s.Reach(ctx, w.Project, from, w.Node.Ext.Bind.Path)
}

// Reach follows a path to rows that a run acts on: each hop needs the right to
// read, what it ends at the right to start runs there.
func (s *Service) Reach(ctx context.Context, project string, from []object.Ref, path string) ([]object.Ref, error) {
	rows, err := s.Objects.Rows(ctx, object.Scope{Project: project}, from, path)
	if err != nil {
		return nil, err
	}
	return rows, s.Objects.Permit(ctx, project, "run.start", rows)
}

// ClaimsOf lists what a step on these rows has to hold: what its service
// declares, else every row exclusively. One that only reads holds nothing, unless it
// writes down on the row what it saw: then it shares the row, so that nobody who has
// it alone comes upon that.
func ClaimsOf(svc plugin.Service, rows []object.Ref) []control.Claim {
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

// BatchOf is how many rows one call of a service has.
func BatchOf(svc plugin.Service) int {
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

// Intent is what a round is about to do: its rows, what each is sent and what each
// acts on.
type Intent struct {
	Rows    []object.Ref
	Inputs  []wire.Row
	Touched Touch
}

// RefText names a row; the only row of a run that acts on no object has an id alone.
func RefText(r object.Ref) string {
	if r.Type == "" {
		return r.ID
	}
	return r.String()
}
