package decision

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

const (
	atOnce   = 4 // decisions of runs that are evaluated at once
	tryAgain = 5 * time.Second
)

// Host is what runs are made of: the durable engine.
type Host interface {
	Read(ctx context.Context, run state.Key, fn func(*state.Run, *program.Program)) error
	Apply(ctx context.Context, run state.Key, ev engine.Event, with func(*db.Tx) error) error
}

// Attach connects the engine. ProjectOf tells the project of a run.
func (s *Service) Attach(h Host) { s.host = h }

// Wait returns once no decision is evaluated for a run any more.
func (s *Service) Wait() { s.jobs.Wait() }

// Accepts tells the engine which jobs are done here.
func Accepts(jobType string) bool { return strings.HasPrefix(jobType, engine.DecisionJob) }

// Offer takes the job of a business rule task.
func (s *Service) Offer(j durable.Job) {
	s.jobs.Go(func() {
		s.slots <- struct{}{}
		defer func() { <-s.slots }()
		s.decide(context.Background(), j)
	})
}

// Withdraw says that nobody waits for a job any more: its answer finds nobody.
func (s *Service) Withdraw(state.Key) {}

// decide evaluates for a run and gives it the result, or an incident.
func (s *Service) decide(ctx context.Context, j durable.Job) {
	project, vars, err := s.seen(ctx, j)
	if err != nil {
		return // the run is over
	}
	a, err := s.evaluate(ctx, project, strings.TrimPrefix(j.Type, engine.DecisionJob), 0, vars)
	var ev engine.Event = engine.JobCompleted{Job: j.Key, Variables: engine.Variables{j.Node.Decision.Result: a.Value}}
	with := func(tx *db.Tx) error { return s.remember(tx, j, project, a) }
	if err != nil {
		ev, with = engine.JobFailed{Job: j.Key, Kind: engine.IncidentDecision, Message: errs.As(err).Message}, nil
	}
	for {
		err := s.host.Apply(ctx, j.Run, ev, with)
		if err == nil || errors.Is(err, engine.ErrGone) || errors.Is(err, durable.ErrNoRun) ||
			errors.Is(err, engine.ErrRefused) || errs.Is(err, errs.Conflict) || errs.Is(err, errs.Unavailable) {
			return // a server that stops offers it again
		}
		s.Log.ErrorContext(ctx, "the result of a decision could not be stored; it is tried again", "run", j.Run, "err", err)
		again, _ := s.Clock.After(tryAgain)
		<-again
	}
}

// seen gives the project of a run and the variables that an element sees.
func (s *Service) seen(ctx context.Context, j durable.Job) (project string, vars map[string]json.RawMessage, err error) {
	vars = map[string]json.RawMessage{}
	err = s.host.Read(ctx, j.Run, func(run *state.Run, _ *program.Program) {
		var m struct {
			Project string `json:"project"`
		}
		_ = json.Unmarshal(run.Mandate, &m) // without one it is of no project, where no decision is
		project = m.Project
		for at := j.Element; ; {
			for _, name := range run.Names(at) {
				if _, nearer := vars[name]; !nearer && !strings.HasPrefix(name, "$") {
					vars[name], _ = run.Local(at, name)
				}
			}
			el := run.Elements[at]
			if el == nil || el.Parent == 0 {
				return
			}
			at = el.Parent
		}
	})
	return project, vars, err
}

// warned keeps the first reasons, a line each.
func warned(all []string) string {
	const most = 20
	lines := make([]string, 0, most)
	for _, w := range all[:min(len(all), most)] {
		lines = append(lines, strings.ReplaceAll(w, "\n", " "))
	}
	return strings.Join(lines, "\n")
}

func (s *Service) remember(tx *db.Tx, j durable.Job, project string, a Answer) error {
	kept := string(a.Value)
	if len(kept) > maxTrace {
		kept = "null"
	}
	return tx.Upsert("decision_made", 1,
		[]string{"job", "run", "node", "project", "decision", "version", "time", "value", "trace", "warnings"},
		int64(j.Key), int64(j.Run), j.Node.ID, project, a.Decision, a.Version,
		clock.Micros(s.Clock.Now()), kept, string(a.Trace), warned(a.Warnings))
}
