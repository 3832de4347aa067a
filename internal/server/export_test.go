package server

import (
	"context"
	"time"
)

// Forget removes what was over before a time of each kind that a setting keeps for a
// while, and tells how many of each.
func (s *Server) Forget(ctx context.Context, before time.Time, limit int) (map[string]int, error) {
	removed := map[string]int{}
	for _, k := range kept(s.parts, s.Config.Retention) {
		n, err := k.Forget(ctx, before, limit)
		if err != nil {
			return nil, err
		}
		removed[k.Name] = n
	}
	return removed, nil
}
