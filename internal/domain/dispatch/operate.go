package dispatch

import (
	"context"
	"slices"

	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/object"
)

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
	rows, err := record.ActedOn(ctx, s.DB, run, node)
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
