package process

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"sextant/internal/engine"
	"sextant/internal/engine/program"
	"sextant/internal/kit/api"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

const (
	maxActive = 20_000 // runs of a project at once
	maxID     = 190    // characters of a process id: a key of the database
	unsure    = 256    // starts and ends that one commit may hold and that are not counted yet
)

// room refuses a start where a project has as many active runs as it may have.
func (s *Service) room(ctx context.Context, tx *db.Tx, project string) error {
	limit := cmp.Or(s.MaxRuns, maxActive)
	read := func() (int, error) {
		var n int
		err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM process_run WHERE project = ? AND state IN (?, ?)", project, StateActive, StateIncident).Scan(&n)
		return n, err
	}
	n, err := s.active.Get(project, read)
	if err != nil || n+unsure < limit {
		return err
	}
	if n, err = read(); err != nil || n < limit {
		return err
	}
	return errs.New(errs.Exhausted, "engine.budget", "the project %q has %d active runs, and no more are possible: wait until some have ended, cancel some, or raise the setting limits.runs", project, n).With("project", project)
}

// bounded refuses a variable that is larger than any may be.
func bounded(vars map[string]json.RawMessage) error {
	for name, v := range vars {
		if len(v) > engine.MaxVariableBytes {
			return errs.New(errs.TooLarge, "run.variable_too_large", "the variable %.100q has %d bytes: at most %d are possible; keep large values as files", name, len(v), engine.MaxVariableBytes).
				At(errs.Field{Path: "variables." + name, Message: "too large"})
		}
	}
	return nil
}

// checkLimits lists what deploys and could then not start, or never rest.
func (s *Service) checkLimits(p *program.Program) []errs.Field {
	var all []errs.Field
	if n := utf8.RuneCountInString(p.ProcessID); n > maxID {
		all = append(all, errs.Field{Path: p.ProcessID[:40] + "…", Code: "process.id_too_long", Line: p.Nodes[0].Line, Message: "the id of the process is longer than 190 characters: shorten it"})
	}
	if n := p.Nodes[0]; utf8.RuneCountInString(p.ProcessID) <= maxID && !api.Segment(p.ProcessID) {
		all = append(all, errs.Field{Path: strconv.QuoteToASCII(p.ProcessID), Code: "process.id", Line: n.Line, Message: "cannot be an id: leave out slashes, spaces, dots alone and characters that are not seen"})
	}
	for _, n := range p.Nodes {
		if n.Timer == nil || n.Timer.Kind != program.TimerCycle || n.Timer.Value.Expr != nil {
			continue
		}
		if _, err := engine.CheckCycle(n.Timer.Value.Static, s.Cycle, nil); err != nil {
			all = append(all, errs.Field{Path: n.ID, Code: "process.cycle", Line: n.Line, Message: err.Error()})
		}
	}
	return all
}
