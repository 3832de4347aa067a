package dispatch

import (
	"context"
	"encoding/json"

	"sextant/internal/domain/dispatch/answer"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// foreign gives those of some rows that a call does not have: what a plugin says of them
// under the key of this call is not taken.
func (s *Service) foreign(ctx context.Context, r *record.Job, c *record.Chunk, names []string) (map[string]bool, error) {
	strange := map[string]bool{}
	known := map[string]bool{}
	for _, name := range names {
		if known[name] || strange[name] {
			continue
		}
		own, err := record.InCall(ctx, s.DB, r.ID, c, name)
		if err != nil {
			return nil, err
		}
		if known[name] = own; !own {
			strange[name] = true
		}
	}
	if len(strange) == 0 {
		return nil, nil
	}
	var req wire.Request // of a round that is over: its rows have come into others since
	if err := json.Unmarshal(c.Body, &req); err != nil {
		return nil, err
	}
	for _, row := range req.Inputs {
		delete(strange, answer.Plain(row[wire.FieldCallback]))
	}
	return strange, nil
}

// refuse tells the plugin, and those who read the log, that it said something of a row
// that its call does not have.
func (s *Service) refuse(ctx context.Context, r *record.Job, key string, strange map[string]bool) error {
	for name := range strange {
		s.Log.WarnContext(ctx, "a plugin reported on a row that its call does not have, and nothing of it was kept",
			"plugin", r.Plugin, "call", key, "row", name)
		return errs.New(errs.Invalid, "dispatch.foreign_row", "the call %s has no row %.190q: nothing was kept of what was said of it", key, name)
	}
	return nil
}
