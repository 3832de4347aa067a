package plan

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"sextant/internal/domain/control"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
)

// way is how a called process is come to: the calls, and the versions that make them.
type way struct {
	path    string
	callers []int64
}

// planCall plans the steps of the process that a call activity calls, on what they
// would act on there. A process that is called again by what it calls is planned once.
func (s *Service) planCall(ctx context.Context, plan *control.Plan, ask control.Ask, w way, n *program.Node) (services int, err error) {
	later := func(p control.Planned) (int, error) {
		p.Element, p.Name, p.Rows = w.path+n.ID, n.Name, []string{}
		plan.Reads, plan.Steps = false, append(plan.Steps, p)
		return 0, nil
	}
	if n.Call.Process.Expr != nil {
		return later(control.Planned{Later: "= " + n.Call.Process.Expr.Source()})
	}
	found, err := s.Called(ctx, ask.Project, ask.Definition, n.Call)
	switch {
	case errs.Is(err, errs.NotFound):
		return later(control.Planned{Problem: errs.As(err).Message})
	case err != nil:
		return 0, err
	}
	callers := append(slices.Clone(w.callers), ask.Definition)
	if slices.Contains(callers, found.Definition) {
		return 0, nil
	}
	batches, _, err := s.planBatches(ctx, Step{Project: ask.Project, Program: ask.Program, Node: n}, ask.Objects)
	if err != nil && !errs.Is(err, errs.Internal) {
		return later(control.Planned{Problem: errs.As(err).Message, Err: err})
	}
	if err != nil {
		return 0, err
	}
	below := control.Ask{Project: ask.Project, Definition: found.Definition,
		Program: found.Program, Objects: slices.Concat(batches...), Variables: handed(n, ask.Variables)}
	return s.planAll(ctx, plan, below, way{w.path + n.ID + "/", callers})
}

// handed are the variables of a start that a called process has too.
func handed(n *program.Node, vars map[string]json.RawMessage) map[string]json.RawMessage {
	if !n.Call.In {
		return nil
	}
	all := maps.Clone(vars)
	for _, m := range n.Inputs {
		delete(all, m.Target[0])
	}
	return all
}
