package dispatch

import (
	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/plugin"
	"sextant/internal/engine/program"
	"sextant/sdk/go/wire"
)

// Want is a variable that a service task reads. Param is the parameter that it
// fills whole, nil where it is a part of an expression.
type Want struct {
	Name  string
	Param *wire.Param
}

// Wants lists the variables that the inputs of a task read, without those that
// nobody named and the service can do without. A task of no known service wants
// nothing.
func (s *Service) Wants(n *program.Node) []Want {
	if n.Task == nil || n.Task.Type.Expr != nil {
		return nil
	}
	svc, err := s.Plugins.Resolve(n.Task.Type.Static)
	if err != nil {
		return nil
	}
	return wants(svc, n)
}

func wants(svc plugin.Service, n *program.Node) []Want {
	all, err := source.Of(svc, n.Ext)
	if err != nil {
		return nil
	}
	var out []Want
	for _, src := range all {
		if src.From == source.FromVariable && !src.Param.Required {
			continue
		}
		for _, name := range source.Variables([]source.Source{src}) {
			w := Want{Name: name}
			whole := src.From == source.FromVariable || src.Expr != nil && src.Expr.Source() == name
			if whole {
				w.Param = &src.Param
			}
			out = append(out, w)
		}
	}
	return out
}
