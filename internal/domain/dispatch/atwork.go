package dispatch

import (
	"slices"
	"strings"

	"sextant/internal/domain/plugin"
)

// AtWork lists the runs that wait for a call of a plugin, in the order of their
// keys.
func (s *Service) AtWork(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, r := range s.jobs {
		if strings.HasPrefix(strings.TrimPrefix(r.of.Type, plugin.JobPrefix), name+"/") {
			all = append(all, r.of.Run.String())
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
