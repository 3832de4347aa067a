package dispatch

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"

	"sextant/internal/domain/control"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/object"
	"sextant/internal/domain/setting"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// CheckType finds out whether an object type exists.
func (s *Service) CheckType(ctx context.Context, typ string) error {
	_, err := s.Objects.Type(ctx, typ)
	return err
}

// MayOperate checks that the subject of ctx has a permission on what a step of a
// run acts on, in the environment of each object: on the rows of the step. Where
// it has none, or no step is named, it is on the objects of the run, on all that
// its jobs acted on, and on what it claims for the steps that are to come.
func (s *Service) MayOperate(ctx context.Context, permission, project string, run int64, node string, objects []string) error {
	if err := identity.Require(ctx, permission, project); err != nil {
		return err
	}
	if _, everywhere := identity.From(ctx).Environments(permission, project); everywhere {
		return nil
	}
	rows, err := actedOn(ctx, s.DB, run, node)
	if err != nil {
		return err
	}
	if node == "" || len(rows) == 0 {
		if rows, err = s.reachOf(ctx, run, rows, objects); err != nil {
			return err
		}
	}
	var refs []object.Ref
	for _, text := range rows {
		if ref, err := object.ParseRef(text); err == nil { // a lock of another name is no object
			refs = append(refs, ref)
		}
	}
	// Asked as a run would, so that the answer names the object.
	ctx = identity.With(ctx, identity.From(ctx).Rights().Run(itoa(run)))
	return s.Objects.Permit(ctx, project, permission, refs)
}

// reachOf adds to what the jobs of a run acted on the objects that it was started
// on, and what it claims.
func (s *Service) reachOf(ctx context.Context, run int64, acted, objects []string) ([]string, error) {
	claimed, err := s.door.Claimed(ctx, s.DB, run)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(acted, objects, claimed)
	slices.Sort(all)
	return slices.Compact(all), nil
}

// ActedOn lists what the jobs of a run act on.
func ActedOn(ctx context.Context, q db.Querier, run int64) ([]string, error) {
	return actedOn(ctx, q, run, "")
}

// actedOn lists what the jobs of a step, or of a whole run, act on.
func actedOn(ctx context.Context, q db.Querier, run int64, node string) ([]string, error) {
	where, args := "j.run = ?", []any{run}
	if node != "" {
		where, args = where+" AND j.node = ?", append(args, node)
	}
	rows, err := q.Query(ctx, "SELECT c.claims FROM dispatch_chunk c JOIN dispatch_job j ON j.job = c.job WHERE "+where, args...)
	claims, err := db.Scan(rows, err, scanText)
	if err != nil {
		return nil, err
	}
	rows, err = q.Query(ctx, "SELECT DISTINCT r.object FROM dispatch_row r JOIN dispatch_job j ON j.job = r.job WHERE "+where, args...)
	all, err := db.Scan(rows, err, scanText)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(all))
	for _, o := range all {
		known[o] = true
	}
	for _, raw := range claims {
		var held []control.Claim
		if err := json.Unmarshal([]byte(raw), &held); err != nil {
			return nil, err
		}
		for _, c := range held {
			if !known[c.Object] {
				known[c.Object], all = true, append(all, c.Object)
			}
		}
	}
	return slices.DeleteFunc(all, func(o string) bool { return !strings.Contains(o, "/") }), nil
}

func scanText(r *sql.Rows) (text string, err error) { return text, r.Scan(&text) }

// MayRefer checks every reference that a person writes into variables or inputs:
// a connection that he may not use is as if it were not there.
func (s *Service) MayRefer(ctx context.Context, project string, given map[string]json.RawMessage) error {
	for _, raw := range given {
		for _, name := range setting.Named(raw) {
			_, err := s.Settings.Usable(ctx, project, name.Connection)
			if err != nil && !(errs.Is(err, errs.NotFound) && !name.Certain && !s.exists(ctx, project, name.Connection)) {
				return err
			}
		}
	}
	return nil
}

// exists reports whether there is a connection at all, whoever may use it.
func (s *Service) exists(ctx context.Context, project, name string) bool {
	all, err := s.Settings.Exists(ctx, project, name)
	return err != nil || all
}
