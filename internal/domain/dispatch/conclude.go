package dispatch

import (
	"context"
	"errors"

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
		s.report(ctx, t.Job, engine.JobThrew{Job: t.Job.Key, Code: code, Message: message, Kind: IncidentService, Variables: vars},
			s.marking(t, record.Failed))
	default:
		s.report(ctx, t.Job, engine.JobCompleted{Job: t.Job.Key, Variables: vars}, nil)
	}
	return nil
}

// completes reports whether nothing is left to do for a job but to say that it is
// done: every row is, and nothing is written to objects.
func (s *Service) completes(t *task) bool {
	return len(t.Rows) == t.Count(wire.OutcomeOK, wire.OutcomeSkipped) && !s.writer.Writes(&t.Step)
}

// errAnswered says that another answer of a call came before the one that was kept.
var errAnswered = errors.New("the call was answered before")

// errDone says that a job has ended and that this is stored.
var errDone = errors.New("the job is done")

// complete stores the answer that was kept and that the job is done, in one write.
// Where that cannot be, the answer is still kept.
func (s *Service) complete(ctx context.Context, t *task) error {
	result, err := t.Result()
	if err != nil {
		return nil // conclude tells
	}
	err = s.engine.Finish(context.WithoutCancel(ctx), t.Job.Run,
		engine.JobCompleted{Job: t.Job.Key, Variables: engine.Variables{t.Job.Node.ID: result}}, func(tx *db.Tx) error {
			stored, err := s.Records.StoreAnswer(tx, int64(t.Job.Run), keyOf(t.Job), t.kept.chunk, t.kept.rows)
			if err == nil && !stored {
				err = errAnswered
			}
			return err
		})
	if err != nil { // conclude tries it again, and tells
		return context.Cause(ctx)
	}
	s.changed(t.Job.Run, t.Job.Key, t.kept.rows...)
	t.kept.chunk.Answered, t.kept = true, nil
	return errDone
}

func (s *Service) failed(ctx context.Context, t *task, kind, message string) {
	s.report(ctx, t.Job, engine.JobFailed{Job: t.Job.Key, Kind: kind, Message: message}, s.marking(t, record.Failed))
}

func (s *Service) marking(t *task, state string) func(*db.Tx) error {
	return func(tx *db.Tx) error { return record.SetState(tx, keyOf(t.Job), state, s.Clock.Now()) }
}
