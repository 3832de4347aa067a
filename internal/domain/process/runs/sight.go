package runs

import (
	"context"
	"slices"
	"strings"

	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/object"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// Seen is the condition for rows of a project whose run, named by a column, the
// subject of ctx may see with a permission; nothing where that is every one. Rows of
// a run that never was are seen.
func (s *Service) Seen(ctx context.Context, permission, project, column string) (condition string, args []any) {
	if condition, args = identity.Sight(ctx, permission, project, "seen.places"); condition == "" {
		return "", nil
	}
	return noneUnseen(column, condition), args
}

// InSight reports whether the subject of ctx may see a run of a project.
func (s *Service) InSight(ctx context.Context, project string, run int64) (bool, error) {
	if _, everywhere := identity.From(ctx).Environments("run.read", project); everywhere {
		return true, nil
	}
	places, err := placesOf(ctx, s.DB, run)
	return err == nil && identity.InSight(ctx, "run.read", project, places), err
}

// Reached notes in which environments a run acts, in the write that says so: who may
// not read runs there does not see it any more.
func (s *Service) Reached(tx *db.Tx, run int64, environments []string) error {
	places, err := placesOf(context.Background(), tx, run)
	if err != nil {
		return err
	}
	if all := identity.Join(places, environments); all != places {
		return setPlaces(tx, run, all)
	}
	return nil
}

const unplacedAtOnce = 200 // runs whose objects are looked up together

// Place looks up in which environments runs act of which that was not noted, those
// from before it was. Objects that are gone are nowhere that anybody could tell: their
// runs are seen only by those who may read all. What cannot be looked up now is at the
// next start.
func (s *Service) Place(ctx context.Context) {
	if err := s.placeAll(ctx); err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "it could not be looked up where older runs act", "err", err)
	}
}

func (s *Service) placeAll(ctx context.Context) error {
	for before := int64(-1); ; {
		some, err := unplaced(ctx, s.DB, before)
		if err != nil || len(some) == 0 {
			return err
		}
		before = some[len(some)-1].run
		if err := s.place(ctx, some); err != nil {
			return err
		}
	}
}

func (s *Service) place(ctx context.Context, some []unplacedRun) error {
	acted, byProject := map[int64][]object.Ref{}, map[string][]object.Ref{}
	for _, r := range some {
		refs, err := record.ActedOn(ctx, s.DB, r.run, "")
		if err != nil {
			return err
		}
		for _, text := range append(strings.Split(r.objects, "\n"), refs...) {
			if ref, err := object.ParseRef(text); err == nil {
				acted[r.run] = append(acted[r.run], ref)
				byProject[r.project] = append(byProject[r.project], ref)
			}
		}
	}
	found := map[string]map[object.Ref]string{}
	for project, refs := range byProject {
		slices.SortFunc(refs, func(a, b object.Ref) int { return strings.Compare(a.String(), b.String()) })
		there, err := s.Dispatch.Objects.Where(ctx, project, slices.Compact(refs))
		if err != nil && ctx.Err() == nil && !errs.Is(err, errs.Internal) {
			continue // its plugin is not there now: the next start looks again
		}
		if err != nil {
			return err
		}
		found[project] = there
	}
	return s.DB.Do(ctx, func(tx *db.Tx) error {
		for _, r := range some {
			there, known := found[r.project]
			if !known {
				continue
			}
			var places []string
			for _, ref := range acted[r.run] {
				place, ok := there[ref]
				if !ok {
					place = "*" // it is gone, and nobody can tell where it was
				}
				places = append(places, place)
			}
			now, err := placesOf(ctx, tx, r.run)
			if err != nil {
				return err
			}
			noted := strings.ReplaceAll(now, identity.Places([]string{identity.Unplaced}), "")
			if all := identity.Join(noted, places); all != now {
				if err := setPlaces(tx, r.run, all); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
