package plan

import (
	"context"
	"encoding/json"

	"sextant/internal/domain/setting"
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
			if _, err := s.Settings.Usable(ctx, project, name); err != nil {
				return err
			}
		}
	}
	return nil
}
