package runs

import (
	"context"
	"fmt"
	"strings"

	"sextant/internal/domain/dispatch"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/db"
)

// Handlers act on events on runs.
func (s *Service) Handlers() []bus.Handler {
	return []bus.Handler{
		{Name: "run-end", Says: "Ends a run that is stopping, and frees what it holds, once all that it began has ended.",
			Types: []string{dispatch.JobStopped},
			Within: func(ctx context.Context, tx *db.Tx, e bus.Event) error {
				run, err := runOf(e)
				if err != nil {
					return err
				}
				return s.stopped(ctx, tx, run, s.Clock.Now())
			}},
		{Name: "run-output", Says: "Removes from disk what the jobs of a run wrote that is not kept any more.", Types: []string{removed.Type},
			Outside: func(_ context.Context, e bus.Event) error {
				run, err := runOf(e)
				if err != nil {
					return err
				}
				return s.Dispatch.Store.Remove(int64(run))
			}},
	}
}

// runOf is the run that an event is on.
func runOf(e bus.Event) (state.Key, error) {
	text, ok := strings.CutPrefix(e.Subject, "run/")
	var key api.Key
	if err := key.UnmarshalText([]byte(text)); err != nil || !ok {
		return 0, fmt.Errorf("the event %d is on no run: %s", e.Seq, e.Subject)
	}
	return key, nil
}
