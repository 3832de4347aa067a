package source

import (
	"slices"
	"strings"

	"sextant/internal/domain/plugin"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

// Known refuses names that are none of the parameters, with the nearest that is.
func Known(service, kind string, params []wire.Param, names []string) error {
	slices.Sort(names)
	code := "dispatch.unknown_input"
	if kind == "output" {
		code = "dispatch.unknown_output"
	}
	var all []errs.Field
	for _, name := range names {
		if slices.ContainsFunc(params, func(p wire.Param) bool { return p.Name == name }) {
			continue
		}
		f := errs.Field{Path: kind + "s." + name, Code: code, Message: "the service does not know it"}
		if near := manifest.Nearest(name, params); near != "" {
			f.Message = "the service does not know it, but " + near
		}
		all = append(all, f)
	}
	if len(all) == 0 {
		return nil
	}
	first := strings.TrimPrefix(all[0].Path, kind+"s.")
	hint := ""
	if near := manifest.Nearest(first, params); near != "" {
		hint = "; did you mean " + near + "?"
	}
	return errs.New(errs.Invalid, code, "%s has no %s %q%s; it has %s", service, kind, first, hint, Names(params)).At(all...)
}

// Takes lists the variables that the service of a step takes; all is true where
// that is not known before the step begins.
func Takes(n *program.Node, resolve func(string) (plugin.Service, error)) (names []string, all bool) {
	if n.Task.Type.Expr == nil && !strings.HasPrefix(n.Task.Type.Static, plugin.JobPrefix) {
		return nil, false // nobody here does it
	}
	svc, err := resolve(n.Task.Type.Static)
	if err != nil || n.Task.Type.Expr != nil {
		return nil, true
	}
	sources, err := Of(svc, n.Ext)
	return Variables(sources), err != nil
}

// Chooses lists the variables by which a step chooses its service.
func Chooses(n *program.Node) []string {
	if n.Task == nil || n.Task.Type.Expr == nil {
		return nil
	}
	return slices.Clone(n.Task.Type.Expr.Names())
}
