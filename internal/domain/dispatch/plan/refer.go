package plan

import (
	"context"
	"encoding/json"

	"sextant/internal/domain/setting"
	"sextant/internal/kit/errs"
)

// CheckType finds out whether an object type exists.
func (s *Service) CheckType(ctx context.Context, typ string) error {
	_, err := s.Objects.Type(ctx, typ)
	return err
}

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
