package dispatch

import (
	"context"

	"sextant/internal/domain/dispatch/record"

	"sextant/internal/engine"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// conclude ends a job: rows that are ok are written back first, then the step
// completes, throws or stops with an incident.
func (s *Service) conclude(ctx context.Context, t *task) error {
	if err := s.writer.Back(t.scope.As(ctx), &t.Step); err != nil {
		if ctx.Err() != nil {
			return err
		}
		s.failed(ctx, t, IncidentWriteBack, "the service was done, but its outputs cannot be written to the objects: "+errs.As(err).Error())
		return nil
	}
	s.writer.Observed(t.scope.As(ctx), &t.Step)
	unknown, failed := t.Count(wire.OutcomeUnknown), t.Count(wire.OutcomeFailed, wire.OutcomeTimedOut, wire.OutcomeCancelled)
	result, err := t.Result()
	if err != nil {
		s.failed(ctx, t, IncidentResult, errs.As(err).Message)
		return nil
	}
	vars := engine.Variables{t.Job.Node.ID: result}
	switch {
	case unknown > 0:
		s.failed(ctx, t, IncidentUnknown, t.Describe(wire.OutcomeUnknown))
	case failed > 0:
		code, message := t.Failure()
		s.report(ctx, t.Job, engine.JobThrew{Job: t.Job.Key, Code: code, Message: message, Kind: IncidentService, Variables: vars}, s.marking(t, record.Failed))
	default:
		s.report(ctx, t.Job, engine.JobCompleted{Job: t.Job.Key, Variables: vars}, nil)
	}
	return nil
}

func (s *Service) failed(ctx context.Context, t *task, kind, message string) {
	s.report(ctx, t.Job, engine.JobFailed{Job: t.Job.Key, Kind: kind, Message: message}, s.marking(t, record.Failed))
}

func (s *Service) marking(t *task, state string) func(*db.Tx) error {
	return func(tx *db.Tx) error { return record.SetState(tx, keyOf(t.Job), state, s.Clock.Now()) }
}
