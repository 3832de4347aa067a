package runs

import (
	"context"
	"errors"
	"strings"

	"sextant/internal/domain/control"
	"sextant/internal/domain/dispatch/gift"
	"sextant/internal/domain/identity"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// hand is apply for what a person gives with an event: who gave it is kept with
// it, so that what the run does with it needs his rights, too.
func (s *Service) hand(ctx context.Context, run api.Key, g gift.Giving, with func(*db.Tx) error) error {
	if len(variablesOf(g.Event))+len(g.Inputs)+len(g.Outputs) == 0 {
		return s.apply(ctx, run, g.Event, with)
	}
	g.By = identity.From(ctx).Rights()
	keep, done, err := s.giving(ctx, run, g)
	if _, retry := g.Event.(engine.Resolve); retry && errors.Is(err, durable.ErrNoRun) {
		return s.apply(ctx, run, g.Event, with) // it is over, or was set aside and takes no values
	}
	if err != nil {
		return s.refusal(run, err)
	}
	defer done()
	// Who asked may go away meanwhile: that the value has come is waited for.
	return s.apply(context.WithoutCancel(ctx), run, g.Event, both(with, keep))
}

func both(a, b func(*db.Tx) error) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		if err := a(tx); err != nil {
			return err
		}
		return b(tx)
	}
}

// giving notes what is given to a run before the event that brings it. keep shares
// the commit of the event, done follows it.
func (s *Service) giving(ctx context.Context, run state.Key, g gift.Giving) (keep func(*db.Tx) error, done func(), err error) {
	var gifts []gift.Gift
	var prog *program.Program
	var unread error
	err = s.host.Read(ctx, run, func(r *state.Run, p *program.Program) {
		m, err := control.ReadMandate(r.Mandate)
		unread, prog = err, p
		g.Of = m.Rights
		gifts = g.In(r, p)
	})
	if err = errors.Join(err, unread); err != nil {
		return nil, nil, err
	}
	keep, done = s.Dispatch.Gifts.Give(run, prog, s.Dispatch.Planner.Takes, gifts)
	return keep, done, nil
}

// Hear lets a run hear a message or a signal: what that brings is used with the
// rights of who published it, too, and changes what the run has already only where he
// may operate the run.
func (s *Service) Hear(ctx context.Context, run state.Key, ev engine.EventCame, by identity.Rights, with func(*db.Tx) error) error {
	if len(ev.Variables) == 0 {
		return s.host.Apply(ctx, run, ev, with)
	}
	keep, done, err := s.giving(ctx, run, gift.Giving{Event: ev, By: by})
	if err != nil {
		return err
	}
	defer done()
	ev.Keep, with = true, both(with, keep)
	var over *engine.Overwrites
	if err := s.host.Apply(ctx, run, ev, with); !errors.As(err, &over) {
		return err
	}
	if err := s.mayOverwrite(ctx, run, by, over.Names); err != nil {
		return err
	}
	ev.Keep = false
	return s.host.Apply(ctx, run, ev, with)
}

// mayOverwrite asks whether who published something may change what a run has.
func (s *Service) mayOverwrite(ctx context.Context, run api.Key, by identity.Rights, names []string) error {
	r, err := findRun(ctx, s.DB, run)
	if err != nil {
		return err
	}
	err = s.Dispatch.MayOperate(identity.With(ctx, by.Again()), "run.operate", r.Project, int64(run), "", r.Objects)
	if err == nil || errs.Is(err, errs.Internal) {
		return err
	}
	return errs.New(errs.Forbidden, "message.overwrites", "the run %d has %s already, and %s may not change that: give "+
		"the event an output mapping, or publish with the right run.operate on what the run acts on", run, strings.Join(names, ", "), by.Name)
}

// given is what a retry gives.
func (r Retry) given(ev engine.Event) gift.Giving {
	return gift.Giving{Event: ev, Inputs: names(r.Inputs), Outputs: names(r.Outputs)}
}
