package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

// Use tells what would miss a plugin.
type Use interface {
	// Types are the object types of a plugin.
	Types(ctx context.Context, plugin string) ([]wire.ObjectType, error)
	// AtWork are the runs that wait for a call of a plugin.
	AtWork(plugin string) []string
}

// Check refuses a manifest that asks for what is not done yet, or for plugins
// that are not there.
func (r *Registry) Check(m wire.Manifest, elsewhere bool) error {
	if problems := manifest.NotYet(&m, elsewhere); len(problems) > 0 {
		var all []string
		e := errs.New(errs.Invalid, "plugin.not_yet", "")
		for _, p := range problems {
			all = append(all, p.Path+": "+p.Message)
			e.At(errs.Field{Path: p.Path, Code: p.Code, Message: p.Message})
		}
		e.Message = fmt.Sprintf("the manifest of %s asks for what the platform does not do yet: %s", m.Plugin, strings.Join(all, "; "))
		return e
	}
	if err := r.taken(m); err != nil {
		return err
	}
	for i, need := range m.Requires {
		if why := r.missing(need); why != "" {
			return errs.New(errs.Conflict, "plugin.requires", "the plugin %s requires %s: %s",
				m.Plugin, strings.TrimSpace(need.Plugin+" "+need.Version), why).
				At(errs.Field{Path: fmt.Sprintf("requires[%d]", i), Code: "plugin.requires", Message: why})
		}
	}
	return nil
}

// missing tells why a requirement is not met.
func (r *Registry) missing(need wire.Requirement) string {
	m, ok := r.Manifest(need.Plugin)
	if !ok {
		return "it is not there; there are " + r.names()
	}
	if fits, err := manifest.SatisfiesVersion(m.Version, need.Version); err != nil || !fits {
		return "here is " + m.Version
	}
	return ""
}

// dependents are the plugins that require one, and would not have it in a
// version; an empty version is none.
func (r *Registry) dependents(name, version string) (all []string) {
	for _, m := range r.All() {
		for _, need := range m.Requires {
			fits, err := manifest.SatisfiesVersion(version, need.Version)
			if need.Plugin == name && (version == "" || err != nil || !fits) {
				all = append(all, strings.TrimSpace(m.Plugin+" "+need.Version))
			}
		}
	}
	return all
}

// Remove un-registers a plugin that runs elsewhere. Whatever still needs it is
// named, and it stays.
func (r *Remote) Remove(ctx context.Context, name string) error {
	if err := r.allowed(ctx, name); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.unused(ctx, name); err != nil {
		return err
	}
	err := r.Registry.db.Do(ctx, func(tx *db.Tx) error {
		known, err := tx.Exec("DELETE FROM plugin_instance WHERE plugin = ?", name)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM plugin_place WHERE plugin = ?", name); err != nil {
			return err
		}
		enabled, err := tx.Exec("UPDATE plugin_release SET enabled = 0 WHERE plugin = ? AND enabled = 1", name)
		if err != nil {
			return err
		}
		if known+enabled == 0 {
			return errs.New(errs.NotFound, "plugin.not_found", "there is no plugin %q", name)
		}
		if err := r.Tokens.RevokePlugin(tx, name); err != nil {
			return err
		}
		return r.Audit.Write(ctx, tx, audit.Record{Project: "default", Actor: identity.From(ctx).Actor(),
			Verb: "plugin.write", Object: "plugin/" + name, Detail: wire.Raw(map[string]bool{"removed": true})})
	})
	if err != nil {
		return err
	}
	r.Router.Unset(name)
	r.Registry.forget(name)
	return nil
}

// unused refuses with whatever needs the plugin.
func (r *Remote) unused(ctx context.Context, name string) error {
	if all := r.Registry.dependents(name, ""); len(all) > 0 {
		return errs.New(errs.Conflict, "plugin.required", "the plugin %s is required by %s: remove them first", name, strings.Join(all, ", "))
	}
	if r.Use == nil {
		return nil
	}
	if runs := r.Use.AtWork(name); len(runs) > 0 {
		return errs.New(errs.Conflict, "plugin.at_work", "%d run(s) wait for calls of the plugin %s: let them end or cancel them: %s",
			len(runs), name, strings.Join(runs[:min(len(runs), 5)], ", "))
	}
	var referring []string
	for _, m := range r.Registry.All() {
		if m.Plugin == name {
			continue
		}
		types, err := r.Use.Types(ctx, m.Plugin)
		if err != nil {
			return fmt.Errorf("plugin: who refers to %s: %w", name, err)
		}
		for _, t := range types {
			if slices.ContainsFunc(t.Attributes, func(a wire.Attribute) bool { return strings.HasPrefix(a.To, name+":") }) {
				referring = append(referring, m.Plugin+":"+t.Type)
			}
		}
	}
	if len(referring) > 0 {
		return errs.New(errs.Conflict, "plugin.referred", "objects of %s refer to objects of the plugin %s: take the attributes away first",
			strings.Join(referring, ", "), name)
	}
	return nil
}

// forget drops a plugin that is enabled no more.
func (r *Registry) forget(name string) {
	r.mu.Lock()
	delete(r.by, name)
	delete(r.off, name)
	r.mu.Unlock()
	if r.Health != nil {
		r.Health.forget(name)
	}
}
