package plan

import (
	"strings"

	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/plugin"
	"sextant/internal/lang/bpmn"
)

// CheckInputs refuses inputs that a service does not know, with the nearest that
// it does, and those that it takes from elsewhere.
func (s *Service) CheckInputs(service string, names []string) error {
	svc, err := s.Plugins.Resolve(plugin.JobPrefix + strings.TrimPrefix(service, plugin.JobPrefix))
	if err != nil {
		return err
	}
	if err := source.Known(svc.Name(), "input", svc.Action.Input, names); err != nil {
		return err
	}
	all, err := source.Of(svc, bpmn.Extensions{})
	if err != nil {
		return err
	}
	return source.Elsewhere(svc, all, source.Variables(all), "inputs.", names)
}
