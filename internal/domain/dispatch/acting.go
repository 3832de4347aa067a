package dispatch

import (
	"context"

	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch/gift"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/object"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/errs"
)

// Acting gives the context in which a plugin acts on objects for a run, while it
// is at work on a call of it: with the rights of the run and of those who gave it
// what the call is about, and of those only the ones on objects and their types, and
// in its project. The subject of ctx is the plugin.
func (s *Service) Acting(ctx context.Context, key string) (context.Context, error) {
	who := identity.From(ctx)
	if who.Kind != identity.Plugin {
		return nil, errs.New(errs.Forbidden, "dispatch.acting", "only a plugin acts for a run, by the key of the call that it works on")
	}
	r, c, err := s.owns(ctx, key, who.ID)
	if err != nil {
		return nil, err
	}
	if !c.Sent || c.Answered || r.State != record.Open || c.Round != r.Round {
		return nil, errs.New(errs.Gone, "dispatch.answered", "the call %s is over: nothing is done for its run any more", key)
	}
	var mandate []byte
	if err := s.engine.Read(ctx, state.Key(r.Run), func(run *state.Run, _ *program.Program) { mandate = run.Mandate }); err != nil {
		return nil, errs.New(errs.Gone, "dispatch.answered", "the run of the call %s is over", key)
	}
	m, err := control.ReadMandate(mandate)
	if err != nil {
		return nil, err
	}
	given, err := gift.Decode(r.Given)
	if err != nil {
		return nil, err
	}
	run := itoa(r.Run)
	ctx = identity.With(ctx, m.Rights.With(given).Run(run).Narrow("object.*", "type.*"))
	return object.Within(object.OnBehalfOf(ctx, run), m.Project), nil
}
