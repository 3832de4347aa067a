package process

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"sextant/internal/domain/dispatch/gift"
	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/worklist"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// CompleteTask ends a user task of a run, for the inbox.
func (s *Service) CompleteTask(ctx context.Context, t worklist.Task, vars map[string]json.RawMessage, with func(*db.Tx) error) error {
	r, err := findRun(ctx, s.DB, t.Run)
	if err != nil {
		return err
	}
	if err := s.Dispatch.MayOperate(ctx, "task.complete", t.Project, int64(t.Run), "", r.Objects); err != nil {
		return err
	}
	if err := s.mayGive(ctx, t.Project, vars); err != nil {
		return err
	}
	return s.hand(ctx, t.Run, gift.Giving{Event: engine.TaskCompleted{Element: state.Key(t.Key), Variables: vars}, Chosen: t.Chosen(vars)}, with)
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
	p, err := s.Program(r.definition)
	if err != nil {
		return err
	}
	n, ok := p.Lookup(t.Element)
	if !ok || n.Human == nil {
		return nil
	}
	t.Documentation = n.Human.Documentation
	asked := p.Questions(n)
	if len(asked) == 0 {
		return nil
	}
	given := make([]bool, len(asked))
	err = s.host.Read(ctx, state.Key(t.Run), func(run *state.Run, _ *program.Program) {
		for i, q := range asked {
			given[i] = known(run, state.Key(t.Key), q)
		}
	})
	// A run that is over or held cannot be looked into: then all has to be answered.
	if err != nil && !errors.Is(err, durable.ErrNoRun) && !errs.Is(err, errs.Conflict) {
		return err
	}
	needs := s.needs(p)
	for i, q := range asked {
		t.Questions = append(t.Questions, s.question(p, q, needs, given[i]))
	}
	return nil
}

// known reports whether a task has a value for a question without its person: one
// that the task maps in for itself, or one that the run has and that is no older
// answer.
func known(run *state.Run, task state.Key, q program.Question) bool {
	value, ok := run.Local(task, q.Name)
	if !ok && !q.Local {
		value, ok = run.Lookup(task, q.Name)
	}
	return ok && strings.TrimSpace(string(value)) != "null"
}

// question is what is known of a variable that a task asks for.
func (s *Service) question(p *program.Program, asked program.Question, needs []Need, given bool) worklist.Question {
	q := worklist.Question{Name: asked.Name, Required: !given}
	for _, c := range asked.Choices {
		q.Choices = append(q.Choices, worklist.Choice{Value: c.Value, Title: c.Title, Else: c.Else})
	}
	i := slices.IndexFunc(needs, func(n Need) bool { return n.Name == asked.Name })
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
		return slices.ContainsFunc(s.Dispatch.Wants(n), func(w source.Want) bool { return w.Name == asked.Name && w.Param != nil && w.Param.Secret })
	})
	return q
}
