package runs

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/dispatch/gift"
	"sextant/internal/domain/dispatch/override"
	"sextant/internal/domain/identity"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Retry is how a person takes an incident up again.
type Retry struct {
	// Inputs replace inputs of the step's service by name, for this and all later
	// rounds.
	Inputs    map[string]json.RawMessage `json:"inputs,omitempty" doc:"Inputs of the service to replace, by name"`
	Variables map[string]json.RawMessage `json:"variables,omitempty" doc:"Variables to set in the step's scope first"`
	// Outputs are written to the objects in place of those that cannot be.
	Outputs map[string]json.RawMessage `json:"outputs,omitempty" doc:"Outputs to write to the objects in place of those that could not be written, by name"`
}

// Retry takes up what an incident stopped. Rows that were done are not done
// again.
func (s *Service) Retry(ctx context.Context, incident api.Key, r Retry) error {
	i, err := s.operable(ctx, incident, len(r.Variables)+len(r.Inputs) > 0)
	if err != nil {
		return err
	}
	if err := s.mayGive(ctx, i.Project, r.Variables, r.Inputs, r.Outputs); err != nil {
		return err
	}
	ev := engine.Resolve{Incident: i.Key, Variables: r.Variables}
	if ev.Inputs, err = s.override(ctx, i, override.Values{Inputs: r.Inputs, Outputs: r.Outputs}); err != nil {
		return err
	}
	detail := map[string]any{"element": i.Element, "kind": i.Kind}
	if len(r.Inputs) > 0 {
		detail["inputs"] = names(r.Inputs)
	}
	if len(r.Outputs) > 0 {
		detail["outputs"] = names(r.Outputs)
	}
	if len(r.Variables) > 0 {
		detail["variables"] = names(r.Variables)
	}
	return s.hand(ctx, i.Run, r.given(ev), s.audited(ctx, i.Project, "incident.retry", i.Run, detail))
}

// override checks what a person gives in place of inputs and outputs of a step.
func (s *Service) override(ctx context.Context, i *Incident, o override.Values) (json.RawMessage, error) {
	r, err := findRun(ctx, s.DB, i.Run)
	if err != nil {
		return nil, err
	}
	p, err := s.Definitions.Program(r.definition)
	if err != nil {
		return nil, err
	}
	n, _ := p.Lookup(i.Element)
	if err := s.Dispatch.Planner.CheckOverride(n, o); err != nil {
		return nil, err
	}
	if len(o.Inputs) > 0 {
		if err := s.Dispatch.Planner.Seal(n, o, i.Project, i.Run.String()); err != nil {
			return nil, err
		}
	}
	return o.Encode()
}

// minReason is the shortest reason that says something.
const minReason = 3

// Skip is how a person leaves a step out.
type Skip struct {
	Reason    string                     `json:"reason" minLength:"3" maxLength:"500" doc:"Why; it is kept for ever"`
	Variables map[string]json.RawMessage `json:"variables,omitempty" doc:"Results that the step would have given"`
	Flow      string                     `json:"flow,omitempty" maxLength:"190" doc:"Flow to leave an exclusive gateway by"`
}

// Skip leaves the step that an incident stopped as if it had completed.
func (s *Service) Skip(ctx context.Context, incident api.Key, k Skip) error {
	i, err := s.operable(ctx, incident, true)
	if err != nil {
		return err
	}
	if len(strings.TrimSpace(k.Reason)) < minReason {
		return errs.New(errs.Invalid, "incident.reason", "say why in at least %d characters", minReason).
			At(errs.Field{Path: "reason", Message: "say why"})
	}
	if err := s.mayGive(ctx, i.Project, k.Variables); err != nil {
		return err
	}
	ev := engine.Skip{Element: state.Key(i.element), Variables: k.Variables, Reason: k.Reason, Flow: k.Flow}
	return s.hand(ctx, i.Run, gift.Giving{Event: ev},
		s.audited(ctx, i.Project, "incident.skip", i.Run, map[string]any{"element": i.Element, "reason": k.Reason}))
}

// operable finds an incident that the subject may act on: on what its step acts
// on, or on all that the run does where he gives what later steps read.
func (s *Service) operable(ctx context.Context, key api.Key, gives bool) (*Incident, error) {
	i, err := incidentByKey(ctx, s.DB, key)
	if err != nil {
		return nil, err
	}
	hidden := func(i *Incident) bool {
		return i == nil || identity.Require(ctx, "run.read", i.Project) != nil || !identity.InSight(ctx, "run.read", i.Project, i.places)
	}
	if hidden(i) {
		missing := errs.New(errs.NotFound, "incident.not_found", "there is no open incident %d", key)
		if now, err := newerIncident(ctx, s.DB, key); err != nil || !hidden(now) {
			if err != nil {
				return nil, err
			}
			missing = errs.New(errs.NotFound, "incident.not_found",
				"the incident %d is over: its step %s has stopped again since, with the incident %d", key, now.Element, now.Key).
				With("incident", now.Key.String())
		}
		return nil, missing
	}
	r, err := findRun(ctx, s.DB, i.Run)
	if err != nil {
		return nil, err
	}
	step := i.Element
	if gives {
		step = ""
	}
	return i, s.Dispatch.MayOperate(ctx, "run.operate", i.Project, int64(i.Run), step, r.Objects)
}

// mayGive checks the references in what a person gives a run: they are resolved
// with his rights before the run uses them with its own.
func (s *Service) mayGive(ctx context.Context, project string, given ...map[string]json.RawMessage) error {
	for _, g := range given {
		if err := s.Dispatch.Planner.MayRefer(ctx, project, g); err != nil {
			return err
		}
	}
	return nil
}

// Cancel ends a run. What its steps have begun is told to stop.
func (s *Service) Cancel(ctx context.Context, run api.Key, reason string) error {
	r, err := s.Readable(ctx, run)
	if err != nil {
		return err
	}
	if err := s.Dispatch.MayOperate(ctx, "run.operate", r.Project, int64(run), "", r.Objects); err != nil {
		return err
	}
	if r.State == StateWaiting {
		if left, err := s.leave(ctx, r, reason); err != nil || left {
			return err
		}
	}
	if err := r.alone(); err != nil {
		return err
	}
	return s.apply(ctx, run, engine.Cancel{Reason: reason}, s.audited(ctx, r.Project, "run.cancel", run, map[string]any{"reason": reason}))
}

// Fail ends a run that stands still as one that failed, with the kind of its first
// incident as its code: for a run to which nobody would come back. What its steps
// have begun is told to stop.
func (s *Service) Fail(ctx context.Context, run api.Key, reason string) error {
	r, err := s.Readable(ctx, run)
	if err != nil {
		return err
	}
	if err := s.Dispatch.MayOperate(ctx, "run.operate", r.Project, int64(run), "", r.Objects); err != nil {
		return err
	}
	if err := r.alone(); err != nil {
		return err
	}
	first, err := firstIncident(ctx, s.DB, run)
	if err != nil {
		return err
	}
	if first == nil {
		return errs.New(errs.Conflict, "run.not_stuck", "the run %d is %s: only one that stands still with an incident ends as failed; cancel it",
			run, r.State)
	}
	return s.apply(ctx, run, engine.Cancel{Reason: first.Kind, Failed: true},
		s.audited(ctx, r.Project, "run.fail", run, map[string]any{"reason": reason, "element": first.Element}))
}

func (s *Service) audited(ctx context.Context, project, verb string, run api.Key, detail map[string]any) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		return s.Audit.Write(ctx, tx,
			audit.Record{Project: project, Actor: identity.From(ctx).Actor(), Verb: verb, Object: "run/" + run.String(), Detail: rawJSON(detail)})
	}
}

// apply hands an event to a run and tells what its refusals mean.
func (s *Service) apply(ctx context.Context, run api.Key, ev engine.Event, with func(*db.Tx) error) error {
	if err := possible(variablesOf(ev)); err != nil {
		return err
	}
	return s.refusal(run, s.host.Apply(ctx, run, ev, with))
}

// possible refuses variables that no run can have.
func possible(vars engine.Variables) error {
	for name, v := range vars {
		if name == "" || strings.HasPrefix(name, "$") || !json.Valid(v) {
			return errs.New(errs.Invalid, "run.variable", "the variable %q is not possible: names do not begin with $, values are JSON", name).
				At(errs.Field{Path: "variables." + name, Message: "not possible"})
		}
	}
	return bounded(vars)
}

// refusal tells what the engine's refusals mean.
func (s *Service) refusal(run api.Key, err error) error {
	switch {
	case errors.Is(err, durable.ErrNoRun):
		return errs.New(errs.Conflict, "run.over", "the run %d is over", run)
	case errors.Is(err, engine.ErrGone):
		return errs.New(errs.Gone, "run.moved_on", "the run %d has moved on: look at it again", run)
	case errors.Is(err, engine.ErrRefused):
		return errs.New(errs.Conflict, "run.refused", "%s", err)
	}
	return err
}

func variablesOf(ev engine.Event) engine.Variables {
	switch ev := ev.(type) {
	case engine.Resolve:
		return ev.Variables
	case engine.Skip:
		return ev.Variables
	case engine.TaskCompleted:
		return ev.Variables
	case engine.JobCompleted:
		return ev.Variables
	case engine.JobThrew:
		return ev.Variables
	}
	return nil
}

func names(m map[string]json.RawMessage) []string {
	return slices.Sorted(maps.Keys(m))
}
