package runs

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"

	"sextant/internal/domain/control"
	"sextant/internal/domain/identity"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Await notes a run that waits, within the write that says so. Only the door calls it.
func (s *Service) Await(_ context.Context, tx *db.Tx, r control.Run) error {
	if err := bounded(r.Variables); err != nil {
		return err
	}
	run := s.runOf(r, StateWaiting)
	if err := insertRun(tx, run); err != nil {
		return err
	}
	return queued.Publish(s.Bus, tx, about(run), Begun{Process: run.Process})
}

// Drop ends a run that waited and will not start. Only the door calls it.
func (s *Service) Drop(ctx context.Context, tx *db.Tx, run int64, end control.End) error {
	project, process, err := projectOf(ctx, tx, run)
	if err != nil {
		return err
	}
	if err := dropRun(tx, run, end.State, end.Code, clock.Micros(s.Clock.Now())); err != nil {
		return err
	}
	if err := s.Messages.Ended(tx, state.Key(run)); err != nil {
		return err
	}
	tx.AfterCommit(func() { s.news.Poke(run) })
	return ended[end.State].Publish(s.Bus, tx, about(Run{Key: api.Key(run), Project: project}), Ended{process, end.Code})
}

// MayReplace reports whether the subject of ctx may see a run and end it.
func (s *Service) MayReplace(ctx context.Context, run int64) bool {
	r, err := s.Readable(ctx, api.Key(run))
	return err == nil && s.Dispatch.MayOperate(ctx, "run.operate", r.Project, run, "", r.Objects) == nil
}

// Replace ends a run whose place another takes. It was allowed when that one came.
func (s *Service) Replace(ctx context.Context, run, by int64) error {
	r, err := findRun(ctx, s.DB, api.Key(by))
	if err != nil {
		return err
	}
	reason := "run " + r.Key.String() + " takes its place"
	as := identity.With(ctx, identity.Subject{ID: "run/" + r.Key.String(), Name: r.Subject, Kind: identity.Run})
	err = s.host.Apply(ctx, state.Key(run), engine.Cancel{Reason: reason},
		s.audited(as, r.Project, "run.replace", api.Key(run), map[string]any{"reason": reason}))
	if errors.Is(err, durable.ErrNoRun) || errors.Is(err, engine.ErrGone) {
		return nil
	}
	return err
}

// leave cancels a run that waits; false where it does not wait any more.
func (s *Service) leave(ctx context.Context, r Run, reason string) (bool, error) {
	return s.door.Leave(ctx, r.Key, control.End{State: "cancelled", Code: reason},
		s.audited(ctx, r.Project, "run.cancel", r.Key, map[string]any{"reason": reason}))
}

// MoveUp lets a run that waits come before all others that want something of the same.
func (s *Service) MoveUp(ctx context.Context, run api.Key) error {
	r, err := s.Readable(ctx, run)
	if err != nil {
		return err
	}
	if err := s.Dispatch.MayOperate(ctx, "run.operate", r.Project, int64(run), "", r.Objects); err != nil {
		return err
	}
	if r.State != StateWaiting {
		return errs.New(errs.Conflict, "control.not_waiting", "the run %d does not wait to start", run)
	}
	return s.door.MoveUp(ctx, run, func(tx *db.Tx) error {
		if err := movedUp.Publish(s.Bus, tx, about(r), Begun{Process: r.Process}); err != nil {
			return err
		}
		return s.audited(ctx, r.Project, "run.move_up", run, map[string]any{})(tx)
	})
}

// AskedWith gives the variables that a run was asked for with that waits, or waited and
// never started.
func (s *Service) AskedWith(ctx context.Context, run api.Key) (map[string]json.RawMessage, error) {
	asked, _, err := s.door.Asked(ctx, run)
	vars := map[string]json.RawMessage{}
	maps.Copy(vars, asked.Variables)
	return vars, err
}

func (s *Service) waitRoutes(a *api.API) {
	api.Register(a, api.Endpoint{ID: "moveUpRun", Method: http.MethodPost, Path: "/api/v1/runs/{run}/move-up", Tag: "runs",
		Summary: "Let a run that waits come before all others that want the same", Permission: "run.operate", Status: http.StatusNoContent},
		func(ctx context.Context, in *RunKey) (*struct{}, error) {
			return nil, s.MoveUp(ctx, in.Run.Key)
		})
}
