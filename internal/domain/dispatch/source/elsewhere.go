package source

import (
	"slices"

	"sextant/internal/domain/plugin"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
)

// CheckStart refuses variables for a start that are inputs of a service of the
// process, which takes them from elsewhere, where nothing else can read them
// either.
func CheckStart(p *program.Program, resolve func(string) (plugin.Service, error), names []string) error {
	type call struct {
		svc plugin.Service
		all []Source
	}
	var calls []call
	var read []string
	for _, n := range p.Nodes {
		if n.Human != nil || n.Task != nil && n.Task.Type.Expr != nil || n.Call != nil && n.Call.In {
			return nil // who does that may read every variable
		}
		if n.Task == nil {
			continue
		}
		svc, err := resolve(n.Task.Type.Static)
		if err != nil {
			return nil // a worker of another kind, or a problem of the step
		}
		all, err := Of(svc, n.Ext)
		if err != nil {
			return nil // a problem of the step
		}
		calls, read = append(calls, call{svc, all}), append(read, Variables(all)...)
	}
	names = slices.DeleteFunc(names, p.Reads)
	for _, c := range calls {
		if err := Elsewhere(c.svc, c.all, read, "variables.", names); err != nil {
			return err
		}
	}
	return nil
}

// Elsewhere refuses names that a manifest fills from elsewhere and that nothing
// reads as a variable.
func Elsewhere(svc plugin.Service, all []Source, read []string, at string, names []string) error {
	var fields []errs.Field
	var first string
	for _, src := range all {
		name := src.Param.Name
		if !src.Own || !slices.Contains(names, name) || slices.Contains(read, name) {
			continue
		}
		if first == "" {
			first = name + " of " + svc.Name() + " is taken from " + src.origin(svc)
		}
		fields = append(fields, errs.Field{Path: at + name, Code: "dispatch.input_elsewhere", Message: "is taken from " + src.origin(svc)})
	}
	if fields == nil {
		return nil
	}
	return errs.New(errs.Invalid, "dispatch.input_elsewhere",
		"the input %s, so that what is given here is not used: take it out and change it there, or bind it in a process", first).At(fields...)
}

// origin tells people where a manifest takes an input from.
func (src Source) origin(svc plugin.Service) string {
	switch src.From {
	case FromPath:
		return "the object that the step acts on (" + svc.Action.Target + src.Text + ")"
	case FromSetting:
		return "the setting " + src.Text
	case FromConstant:
		return "the manifest of the plugin " + svc.Plugin
	}
	return "the " + src.From + " " + src.Text
}
