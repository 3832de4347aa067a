package dispatch

import (
	"context"
	"strings"

	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/engine/program"
	"sextant/internal/lang/rolling"
)

// Planned is a step as it would act now: every row it would touch.
type Planned struct {
	Element string     `json:"element"`
	Name    string     `json:"name,omitempty"`
	Service string     `json:"service"`
	Risk    string     `json:"risk,omitempty"`
	Rows    []string   `json:"rows" doc:"Objects that the step would act on"`
	Batches [][]string `json:"batches,omitempty" doc:"The same rows by the batch in which they come"`
	Calls   int        `json:"calls" doc:"Calls to the plugin that these rows take"`
	Problem string     `json:"problem,omitempty" doc:"Why the rows cannot be told"`
}

// Plan tells which rows every service step of a program would touch if it ran
// now on these objects. Branches that may not be taken are listed too.
func (s *Service) Plan(ctx context.Context, project string, p *program.Program, objects []object.Ref) []Planned {
	all := []Planned{}
	for _, n := range p.Nodes {
		if n.Kind != program.ServiceTask || n.Task.Type.Expr != nil || !strings.HasPrefix(n.Task.Type.Static, plugin.JobPrefix) {
			continue
		}
		one := Planned{Element: n.ID, Name: n.Name, Service: strings.TrimPrefix(n.Task.Type.Static, plugin.JobPrefix), Rows: []string{}}
		svc, err := s.Plugins.Resolve(n.Task.Type.Static)
		if err == nil {
			one.Risk = svc.Action.Risk
			if n.Ext.Risk != "" {
				one.Risk = n.Ext.Risk
			}
			err = s.planRows(ctx, &one, svc, planned{project, p, n, objects})
		}
		if err != nil {
			one.Problem = err.Error()
		}
		all = append(all, one)
	}
	return all
}

// planned is a step of a program that would act on objects.
type planned struct {
	project string
	program *program.Program
	node    *program.Node
	objects []object.Ref
}

func (s *Service) planRows(ctx context.Context, one *Planned, svc plugin.Service, w planned) error {
	batches, cut, err := s.planBatches(ctx, w)
	if err != nil {
		return err
	}
	size := svc.Action.Batch
	if size <= 0 {
		size = defaultBatch
	}
	for _, rows := range batches {
		sc := &scope{project: w.project, rows: rows}
		reached, err := s.target(ctx, sc, w.node)
		if err != nil {
			return err
		}
		var refs []string
		for _, r := range reached {
			refs = append(refs, r.String())
		}
		one.Rows = append(one.Rows, refs...)
		if cut {
			one.Batches = append(one.Batches, refs)
		}
		one.Calls += (len(refs) + size - 1) / size
	}
	return nil
}

// planBatches finds the rows that a step starts from: those of the nearest batch
// around it, else the objects of the run.
func (s *Service) planBatches(ctx context.Context, w planned) ([][]object.Ref, bool, error) {
	for n := w.node; ; n = w.program.Nodes[n.Scope] {
		if n.Loop != nil && n.Loop.Batch != nil {
			outer := w
			outer.node = w.program.Nodes[n.Scope]
			from, _, err := s.planBatches(ctx, outer)
			if err != nil {
				return nil, false, err
			}
			var all [][]object.Ref
			for _, rows := range from {
				reached, err := s.Objects.Rows(ctx, object.Scope{Project: w.project}, rows, n.Loop.Bind)
				if err != nil {
					return nil, false, err
				}
				all = append(all, rolling.Split(*n.Loop.Batch, reached)...)
			}
			return all, true, nil
		}
		if n.Scope == program.None {
			return [][]object.Ref{w.objects}, false, nil
		}
	}
}
