package source

import (
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
// nobody named and the service can do without.
func Wants(svc plugin.Service, n *program.Node) []Want {
	all, err := Of(svc, n.Ext)
	if err != nil {
		return nil
	}
	var out []Want
	for _, src := range all {
		if src.From == FromVariable && !src.Param.Required {
			continue
		}
		for _, name := range Variables([]Source{src}) {
			w := Want{Name: name}
			whole := src.From == FromVariable || src.Expr != nil && src.Expr.Source() == name
			if whole {
				w.Param = &src.Param
			}
			out = append(out, w)
		}
	}
	return out
}
