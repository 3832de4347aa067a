package dispatch

import (
	"slices"
	"strings"

	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/plugin"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/bpmn"
	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

// settingDefault is the default that a plugin's manifest declares for a setting,
// named as in the manifest or with the plugin before it.
func settingDefault(svc plugin.Service, name string) (string, bool) {
	short := strings.TrimPrefix(name, svc.Plugin+".")
	for _, s := range svc.Settings {
		if s.Name == short && s.Default != "" {
			return s.Default, true
		}
	}
	return "", false
}

// CheckInputs refuses inputs that a service does not know, with the nearest that
// it does, and those that it takes from elsewhere.
func (s *Service) CheckInputs(service string, names []string) error {
	svc, err := s.Plugins.Resolve(plugin.JobPrefix + strings.TrimPrefix(service, plugin.JobPrefix))
	if err != nil {
		return err
	}
	if err := known(svc.Name(), "input", svc.Action.Input, names); err != nil {
		return err
	}
	all, err := source.Of(svc, bpmn.Extensions{})
	if err != nil {
		return err
	}
	return source.Elsewhere(svc, all, source.Variables(all), "inputs.", names)
}

// known refuses names that are none of the parameters, with the nearest that is.
func known(service, kind string, params []wire.Param, names []string) error {
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
	return errs.New(errs.Invalid, code, "%s has no %s %q%s; it has %s", service, kind, first, hint, source.Names(params)).At(all...)
}
