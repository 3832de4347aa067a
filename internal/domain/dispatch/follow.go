package dispatch

import (
	"context"
	"errors"

	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/identity"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

// RunOf is the run of a job that the subject may see; another job is as if it
// were not there.
func (s *Service) RunOf(ctx context.Context, job api.Key) (int64, error) {
	r, err := record.Find(ctx, s.DB, int64(job))
	if err != nil {
		return 0, err
	}
	missing := errs.New(errs.NotFound, "job.not_found", "there is no job %d", job)
	if r == nil || identity.Require(ctx, "run.read", r.Project) != nil {
		return 0, missing
	}
	seen, err := s.InSight(ctx, r.Project, r.Run)
	if err == nil && !seen {
		err = missing
	}
	return r.Run, err
}

// News is poked when a job has written something.
func (s *Service) News(job api.Key) (<-chan struct{}, func()) {
	return s.followers.Listen(job)
}

// Poke says that there is more to read of a job.
func (s *Service) Poke(job api.Key) { s.followers.Poke(job) }

// over reports whether a run has ended: its output may make room.
func (s *Service) over(run int64) bool {
	err := s.engine.Read(s.ctx, state.Key(run), func(*state.Run, *program.Program) {})
	return errors.Is(err, durable.ErrNoRun)
}
