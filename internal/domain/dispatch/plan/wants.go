package plan

import (
	"sextant/internal/domain/dispatch/source"
	"sextant/internal/engine/program"
)

// Wants lists the variables that the inputs of a task read, without those that
// nobody named and the service can do without. A task of no known service wants
// nothing.
func (s *Service) Wants(n *program.Node) []source.Want {
	if n.Task == nil || n.Task.Type.Expr != nil {
		return nil
	}
	svc, err := s.Plugins.Resolve(n.Task.Type.Static)
	if err != nil {
		return nil
	}
	return source.Wants(svc, n)
}
