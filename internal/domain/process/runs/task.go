package runs

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"sextant/internal/domain/dispatch/gift"
	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/process/definition"
	"sextant/internal/domain/process/schema"
	"sextant/internal/domain/worklist"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// MayComplete asks for the right to complete tasks on all that the run of a task acts on.
func (s *Service) MayComplete(ctx context.Context, t worklist.Task) error {
	r, err := findRun(ctx, s.DB, t.Run)
	if err != nil {
		return err
	}
	return s.Dispatch.MayOperate(ctx, "task.complete", t.Project, int64(t.Run), "", r.Objects)
}

// CompleteTask ends a user task of a run, for the inbox.
func (s *Service) CompleteTask(ctx context.Context, t worklist.Task, vars map[string]json.RawMessage, with func(*db.Tx) error) error {
	r, err := findRun(ctx, s.DB, t.Run)
	if err != nil {
		return err
	}
	if err := s.mayGive(ctx, t.Project, vars); err != nil {
		return err
	}
	if err := s.overwrites(ctx, r, t, vars); err != nil {
		return err
	}
	return s.hand(ctx, t.Run, gift.Giving{Event: engine.TaskCompleted{Element: t.Key, Variables: vars}, Chosen: t.Chosen(vars)},
		with)
}

// overwrites refuses what a task does not ask for and the run has already, unless
// who completes it may operate the run. What a task with outputs is given stays in
// it.
func (s *Service) overwrites(ctx context.Context, r Run, t worklist.Task, vars map[string]json.RawMessage) error {
	var over []string
	err := s.host.Read(ctx, t.Run, func(run *state.Run, p *program.Program) {
		el := run.Elements[t.Key]
		if el == nil || len(p.Nodes[el.Node].Outputs) > 0 {
			return
		}
		for _, name := range names(vars) {
			asked := slices.ContainsFunc(t.Questions, func(q worklist.Question) bool { return q.Name == name })
			if _, own := run.Local(el.Key, name); !asked && !own && has(run, el.Key, name) {
				over = append(over, name)
			}
		}
	})
	if err != nil || len(over) == 0 {
		return s.refusal(t.Run, err)
	}
	err = s.Dispatch.MayOperate(ctx, "run.operate", t.Project, int64(t.Run), "", r.Objects)
	if err == nil || errs.Is(err, errs.Internal) {
		return err
	}
	slices.Sort(over)
	e := errs.New(errs.Forbidden, "task.overwrites", "the task %q does not ask for %s, and the run has that already: "+
		"leave it out, or let somebody complete the task who may operate the run (run.operate)", t.Name, strings.Join(over, ", "))
	for _, name := range over {
		e = e.At(errs.Field{Path: "variables." + name, Message: "is not asked for, and the run has it already"})
	}
	return e
}

// has reports whether a scope sees a value.
func has(run *state.Run, scope state.Key, name string) bool {
	value, ok := run.Lookup(scope, name)
	return ok && strings.TrimSpace(string(value)) != "null"
}

// ExplainTasks adds to open tasks which run they belong to and what they ask, for
// the inbox.
func (s *Service) ExplainTasks(ctx context.Context, tasks []worklist.Task) error {
	found := map[api.Key]Run{}
	for i := range tasks {
		t := &tasks[i]
		r, ok := found[t.Run]
		if !ok {
			var err error
			if r, err = findRun(ctx, s.DB, t.Run); err != nil {
				return err
			}
			found[t.Run] = r
		}
		t.Process, t.Title, t.ObjectCount = r.Process, r.Title, r.ObjectCount
		t.Objects = r.Objects[:min(len(r.Objects), listedObjects)]
		if err := s.explain(ctx, r, t); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) explain(ctx context.Context, r Run, t *worklist.Task) error {
	p, err := s.Definitions.Program(r.definition)
	if err != nil {
		return err
	}
	n, ok := p.Lookup(t.Element)
	if !ok || n.Human == nil {
		return nil
	}
	t.Documentation = n.Human.Documentation
	asked, err := s.open(ctx, r, p, n)
	if err != nil || len(asked) == 0 {
		return err
	}
	given := make([]bool, len(asked))
	err = s.host.Read(ctx, t.Run, func(run *state.Run, _ *program.Program) {
		for i, q := range asked {
			given[i] = known(run, t.Key, q)
		}
	})
	// A run that is over or held cannot be looked into: then all has to be answered.
	if err != nil && !errors.Is(err, durable.ErrNoRun) && !errs.Is(err, errs.Conflict) {
		return err
	}
	needs := s.Definitions.NeedsOf(ctx, r.Project, r.definition, p)
	for i, q := range asked {
		t.Questions = append(t.Questions, s.question(p, q, needs, given[i]))
	}
	return nil
}

// open lists what a task of a run asks: what the process declares of its start, or
// the run was started with, is no question of a task that gateways decide by.
func (s *Service) open(ctx context.Context, r Run, p *program.Program, n *program.Node) ([]program.Question, error) {
	asked := p.Questions(n)
	if !slices.ContainsFunc(asked, func(q program.Question) bool { return q.Decided }) {
		return asked, nil
	}
	given, err := s.startedWith(ctx, r.Key)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(asked, func(q program.Question) bool {
		return q.Decided && (schema.Declares(p.Begin, q.Name) || slices.ContainsFunc(given, func(f engine.Fact) bool {
			return f.Text == q.Name && string(f.Data) != "null"
		}))
	}), nil
}

// known reports whether a task has a value for a question without its person: one
// that the task maps in for itself, or one that the run has and that is no older
// answer.
func known(run *state.Run, task state.Key, q program.Question) bool {
	if !q.Local {
		return has(run, task, q.Name)
	}
	value, ok := run.Local(task, q.Name)
	return ok && strings.TrimSpace(string(value)) != "null"
}

// question is what is known of a variable that a task asks for.
func (s *Service) question(p *program.Program, asked program.Question, needs []definition.Need, given bool) worklist.Question {
	q := worklist.Question{Name: asked.Name, Required: !given}
	for _, c := range asked.Choices {
		q.Choices = append(q.Choices, worklist.Choice{Value: c.Value, Title: c.Title, Else: c.Else})
	}
	i := slices.IndexFunc(needs, func(n definition.Need) bool { return n.Name == asked.Name })
	if i >= 0 {
		n := needs[i]
		q.Title, q.Description, q.Type, q.Secret = n.Title, n.Description, n.Type, n.Secret
		if len(q.Choices) == 0 {
			for _, v := range n.Values {
				q.Choices = append(q.Choices, worklist.Choice{Value: v})
			}
		}
	}
	q.Secret = q.Secret || slices.ContainsFunc(p.Nodes, func(n *program.Node) bool {
		return slices.ContainsFunc(s.Dispatch.Planner.Wants(n), func(w source.Want) bool {
			return w.Name == asked.Name && w.Param != nil && w.Param.Secret
		})
	})
	return q
}
