package plan

import (
	"encoding/json"
	"strings"

	"sextant/internal/domain/dispatch/override"
	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/plugin"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// Seal seals the inputs that are secrets, for the run alone.
func (s *Service) Seal(n *program.Node, o override.Values, project, run string) error {
	svc, err := s.Plugins.Resolve(n.Task.Type.Static)
	if err != nil {
		return err
	}
	for _, p := range svc.Action.Input {
		raw, ok := o.Inputs[p.Name]
		if !ok || !p.Secret || p.Type == wire.TypeConnection {
			continue
		}
		if o.Inputs[p.Name], err = s.Settings.SealFor(project, run, raw); err != nil {
			return err
		}
	}
	return nil
}

// CheckOverride refuses inputs and outputs that the service of a step does not
// know.
func (s *Service) CheckOverride(n *program.Node, o override.Values) error {
	if len(o.Inputs) == 0 && len(o.Outputs) == 0 {
		return nil
	}
	if n == nil || n.Task == nil || n.Task.Type.Expr != nil || !strings.HasPrefix(n.Task.Type.Static, plugin.JobPrefix) {
		return errs.New(errs.Invalid, "dispatch.override",
			"the step calls no service of a plugin: it has no inputs to replace and no outputs to correct")
	}
	svc, err := s.Plugins.Resolve(n.Task.Type.Static)
	if err != nil {
		return err
	}
	if err := source.Known(svc.Name(), "input", svc.Action.Input, names(o.Inputs)); err != nil {
		return err
	}
	return source.Known(svc.Name(), "output", svc.Action.Output, names(o.Outputs))
}

func names(m map[string]json.RawMessage) []string {
	all := make([]string, 0, len(m))
	for name := range m {
		all = append(all, name)
	}
	return all
}
