package message

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/errs"
)

// reaches reports whether a post is for a run: whose rights to read runs end at
// environments reaches those that he may read, and what a run throws is heard by runs
// whose requester may read it, or do all that it may.
func (s *Service) reaches(ctx context.Context, p post, run int64) (bool, error) {
	key, thrown := strings.CutPrefix(p.rights.Subject, "run/")
	if !thrown {
		user := p.rights
		user.Scope = nil // a token that is narrowed reaches no further than its user
		as := identity.With(ctx, user.Again())
		if some, _ := identity.From(as).Environments("run.read", p.project); len(some) == 0 {
			return true, nil
		}
		return s.sees(as, p.project, run)
	}
	thrower, err := strconv.ParseInt(key, 10, 64)
	if err != nil || thrower == run {
		return err == nil, err
	}
	hearer, err := s.door.Mandate(ctx, run)
	own, unknown := s.door.Mandate(ctx, thrower)
	switch err = errors.Join(err, unknown); {
	case errors.Is(err, sql.ErrNoRows): // nobody can tell
		return false, nil
	case err != nil || hearer.Rights.Cover(own.Rights):
		return err == nil, err
	}
	as := identity.With(ctx, hearer.Rights.Again())
	if identity.Require(as, "run.read", p.project) != nil {
		return false, nil
	}
	return s.sees(as, p.project, thrower)
}

// sees is InSight; a run that is not there is not seen.
func (s *Service) sees(ctx context.Context, project string, run int64) (bool, error) {
	in, err := s.InSight(ctx, project, run)
	if errs.Is(err, errs.NotFound) {
		err = nil
	}
	return in, err
}
