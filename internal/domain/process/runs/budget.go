package runs

import (
	"cmp"
	"context"
	"encoding/json"

	"sextant/internal/engine"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

const (
	maxActive = 20_000 // runs of a project at once
	unsure    = 256    // starts and ends that one commit may hold and that are not counted yet
)

// room refuses a start where a project has as many active runs as it may have.
func (s *Service) room(ctx context.Context, q db.Querier, project string) error {
	limit := cmp.Or(s.Max, maxActive)
	read := func() (int, error) { return countActive(ctx, q, project) }
	n, err := s.active.Get(project, read)
	if err != nil || n+unsure < limit {
		return err
	}
	if n, err = read(); err != nil || n < limit {
		return err
	}
	return errs.New(errs.Exhausted, "engine.budget", "the project %q has %d active runs, and no more are possible: "+
		"wait until some have ended, cancel some, or raise the setting limits.runs", project, n).With("project", project)
}

// bounded refuses a variable that is larger than any may be.
func bounded(vars map[string]json.RawMessage) error {
	for name, v := range vars {
		if len(v) > engine.MaxVariableBytes {
			return errs.New(errs.TooLarge, "run.variable_too_large",
				"the variable %.100q has %d bytes: at most %d are possible; keep large values as files", name, len(v), engine.MaxVariableBytes).
				At(errs.Field{Path: "variables." + name, Message: "too large"})
		}
	}
	return nil
}
