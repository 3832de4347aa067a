// Package source says where the inputs of a service step come from: what the
// process says of each, else the manifest, else the variable of its name.
package source

import (
	"encoding/json"
	"slices"
	"strings"

	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/bpmn"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/objectpath"
	"sextant/sdk/go/wire"
)

// The words for where an input comes from. A parameter for which neither the
// process nor the manifest says anything is the variable of its name.
const (
	FromPath     = "path"
	FromFeel     = "feel"
	FromStep     = "step"
	FromConstant = "constant"
	FromSetting  = "setting"
	FromVariable = "variable"
)

// Source is where a parameter comes from.
type Source struct {
	Param wire.Param
	From  string
	Text  string
	// Own means that the manifest says so: it holds for rows of the action's
	// target type alone.
	Own   bool
	Expr  *feel.Expr
	Path  *objectpath.Path
	Index int // of the path in the plan
}

// Of finds out where each parameter of an action comes from: what the
// process says, else what the manifest says, else a variable of the same name.
func Of(svc plugin.Service, ext bpmn.Extensions) ([]Source, error) {
	var all []Source
	for _, in := range ext.ServiceInputs {
		if !slices.ContainsFunc(svc.Action.Input, func(p wire.Param) bool { return p.Name == in.Name }) {
			return nil, errs.New(errs.Invalid, "dispatch.unknown_input", "%s has no input %q; it has %s",
				svc.Name(), in.Name, Names(svc.Action.Input))
		}
	}
	for _, p := range svc.Action.Input {
		s := Source{Param: p, From: p.From, Text: p.Expr, Own: p.From != "", Index: -1}
		if s.From == "" {
			s.From, s.Text = FromVariable, p.Name
		}
		for _, in := range ext.ServiceInputs {
			if in.Name == p.Name {
				s.From, s.Text, s.Own = in.From, in.Value, false
			}
		}
		if s.From == FromConstant && p.Secret && p.Type != wire.TypeConnection && !strings.Contains(s.Text, `"$secret"`) {
			return nil, errs.New(errs.Invalid, "dispatch.secret_constant", "the input %s is secret, and the process says it in clear: "+
				"put it into a connection and write {\"$secret\": \"connection/<name>#<field>\"}, or let it be given with the start", p.Name)
		}
		if s.From == FromFeel {
			x, err := feel.Compile(strings.TrimPrefix(s.Text, "="))
			if err != nil {
				return nil, errs.New(errs.Invalid, "dispatch.feel", "the input %s does not read as FEEL: %s", p.Name, err)
			}
			if unknown := x.Unknown(); unknown != nil {
				return nil, errs.New(errs.Invalid, "dispatch.feel", "the input %s cannot be evaluated: %s", p.Name, unknown[0])
			}
			s.Expr = x
		}
		all = append(all, s)
	}
	return all, nil
}

// Names lists the names of parameters.
func Names(params []wire.Param) string {
	var all []string
	for _, p := range params {
		all = append(all, p.Name)
	}
	return strings.Join(all, ", ")
}

// Variables lists the Variables that sources need.
func Variables(all []Source) []string {
	var names []string
	for _, s := range all {
		switch {
		case s.Expr != nil:
			names = append(names, s.Expr.Names()...)
		case s.From == FromVariable:
			names = append(names, s.Text)
		case s.From == FromStep:
			step, _, _ := strings.Cut(s.Text, ".")
			names = append(names, step)
		}
	}
	return names
}

// Missing reports whether a value says nothing.
func Missing(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null" || string(raw) == `""`
}

// Through reports whether a source takes from another object what the manifest
// takes from the object that the service acts on.
func (src Source) Through(svc plugin.Service) bool {
	return src.Path != nil && !src.Own && src.Param.From == FromPath && !src.Path.None && src.Path.Last().TypeRef() == svc.Action.Target
}

// Fits refuses a step on rows of a type from which its service cannot take its
// inputs.
func Fits(svc plugin.Service, all []Source, row object.Ref, rows bool) error {
	target := svc.Action.Target
	if target == "" || rows && row.Type == "" || row.Type != "" && row.TypeRef() == target {
		return nil
	}
	for _, src := range all {
		if src.Own && src.From == FromPath && src.Param.Required && src.Param.Default == "" {
			if row.Type == "" {
				return errs.New(errs.Invalid, "dispatch.wrong_type", "%s acts on objects of %s: name some", svc.Name(), target)
			}
			return errs.New(errs.Invalid, "dispatch.wrong_type", "%s acts on objects of %s, "+
				"but here it would get %s: start it on others, or bind a path that leads to them", svc.Name(), target, row.TypeRef())
		}
	}
	return nil
}
