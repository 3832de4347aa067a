package runs

import (
	"context"
	"encoding/json"
	"strings"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/dispatch/gift"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/job"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/db"
)

// Pulled reports whether workers pull the jobs of a type: those that nothing here does.
func Pulled(jobType string) bool {
	return !dispatch.Accepts(jobType) && !strings.HasPrefix(jobType, engine.DecisionJob)
}

// pulls reports whether workers may pull the jobs of a step.
func pulls(n *program.Node) bool {
	return n.Task != nil && (n.Task.Type.Expr != nil || Pulled(n.Task.Type.Static))
}

// projectJob keeps the jobs that workers pull.
func (s *Service) projectJob(tx *db.Tx, c *durable.Change, e engine.Effect, r Run) error {
	node := c.Program.Nodes[e.Node]
	switch e.Kind {
	case engine.JobCreated:
		return s.Jobs.Put(tx, job.Job{Key: e.Key, Type: e.Job.Type,
			Run: r.Key, Process: r.Process, Element: node.ID, Retries: e.Job.Retries}, e.Element, r.Project, e.Job.NotBefore)
	case engine.IncidentRaised:
		return s.Jobs.Stop(tx, c.Run, e.Element)
	}
	return s.Jobs.Drop(tx, e.Key)
}

// Finish hands the outcome of a job that a worker has pulled to its run, after a check
// within the write, and keeps who said it. What the worker gives is used with his rights,
// too.
func (s *Service) Finish(ctx context.Context, ev engine.Event, by job.Word, check func(*db.Tx) error) error {
	run := by.Run
	if err := possible(variablesOf(ev)); err != nil {
		return err
	}
	with := s.worked(ctx, by, variablesOf(ev))
	if len(variablesOf(ev)) > 0 {
		keep, done, err := s.giving(ctx, run, gift.Giving{Event: ev, By: identity.From(ctx).Rights()})
		if err != nil {
			return s.refusal(run, err)
		}
		defer done()
		with, ctx = both(with, keep), context.WithoutCancel(ctx)
	}
	return s.refusal(run, s.host.ApplyIf(ctx, run, ev, check, with))
}

// worked keeps on record who said what of a job: the account, its token and the name of
// the worker, and of what he gave the names.
func (s *Service) worked(ctx context.Context, by job.Word, vars map[string]json.RawMessage) func(*db.Tx) error {
	who := identity.From(ctx)
	detail := map[string]any{"run": by.Run.String(), "element": by.Element, "type": by.Type, "worker": by.Worker}
	for key, value := range map[string]string{"token": who.Token, "reason": by.Reason} {
		if value != "" {
			detail[key] = value
		}
	}
	if given := names(vars); len(given) > 0 {
		detail["variables"] = given
	}
	return func(tx *db.Tx) error {
		return s.Audit.Write(ctx, tx, audit.Record{Project: by.Project, Actor: who.Actor(),
			Verb: by.Verb, Object: "job/" + by.Job.String(), Detail: rawJSON(detail)})
	}
}

// Sees gives the variables that a step of a run sees, and the headers of its task.
func (s *Service) Sees(ctx context.Context, run, element state.Key) (vars engine.Variables, headers map[string]string, err error) {
	err = s.host.Read(ctx, run, func(r *state.Run, p *program.Program) {
		if el := r.Elements[element]; el != nil {
			headers = headersOf(p.Nodes[el.Node])
		}
		vars = engine.Visible(r, element)
		for name, v := range vars { // the state goes on
			vars[name] = append(json.RawMessage(nil), v...)
		}
	})
	return vars, headers, err
}

func headersOf(n *program.Node) map[string]string {
	if n.Task == nil || len(n.Task.Headers) == 0 {
		return nil
	}
	all := map[string]string{}
	for _, h := range n.Task.Headers {
		all[h.Key] = h.Value
	}
	return all
}
