package plugin

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

// The states of a version.
const (
	VersionOffered    = "offered"    // its services are what job types resolve to
	VersionEnabled    = "enabled"    // a newer one is offered
	VersionDisabled   = "disabled"   // somebody has switched it off
	VersionSuperseded = "superseded" // an older one was registered after it
)

// Version is a version of a plugin that was registered once.
type Version struct {
	Version string    `json:"version"`
	State   string    `json:"state" enum:"offered,enabled,disabled,superseded"`
	Created time.Time `json:"created" doc:"When it was registered last"`
	// Requires are what the version needs, RequiredBy who would miss it.
	Requires   []Need   `json:"requires" doc:"The plugins that it requires"`
	RequiredBy []string `json:"requiredBy" doc:"Plugins that would not have what they require, were it switched off"`
	AtWork     []string `json:"atWork" doc:"Runs that wait for calls of the offered version; the calls end where they are"`
}

// Need is a requirement, and why it is not met.
type Need struct {
	Plugin  string `json:"plugin"`
	Version string `json:"version,omitempty"`
	Missing string `json:"missing,omitempty" doc:"Why it is not met; empty if it is"`
}

// Versions switches versions of plugins on and off.
//
//	offered, enabled ──disable──► disabled ──enable──► offered, or enabled where a newer one is
type Versions struct {
	Registry *Registry
	DB       *db.DB
	Audit    *audit.Log
	Bus      *bus.Bus
	// Use tells which runs wait for a plugin; may be nil.
	Use Use

	mu sync.Mutex // held while a version is switched
}

type release struct {
	wire.Manifest
	enabled, disabled bool
	created           int64
}

// List gives the versions of a plugin, the newest first.
func (v *Versions) List(ctx context.Context, name string) ([]Version, error) {
	all, err := v.releases(ctx, name)
	if err != nil {
		return nil, err
	}
	offered, _ := v.Registry.Manifest(name)
	list := []Version{}
	for _, r := range all {
		one := Version{Version: r.Version, State: VersionEnabled, Created: clock.FromMicros(r.created),
			Requires: []Need{}, RequiredBy: []string{}, AtWork: []string{}}
		for _, need := range r.Requires {
			one.Requires = append(one.Requires, Need{need.Plugin, need.Version, v.Registry.missing(need)})
		}
		switch {
		case r.disabled:
			one.State = VersionDisabled
		case !r.enabled:
			one.State = VersionSuperseded
		case r.Version == offered.Version:
			one.State = VersionOffered
			one.RequiredBy = append(one.RequiredBy, v.Registry.dependents(name, next(all, r.Version))...)
			if v.Use != nil {
				one.AtWork = append(one.AtWork, v.Use.AtWork(name)...)
			}
		}
		list = append(list, one)
	}
	return list, nil
}

// releases reads the versions of a plugin, the newest first.
func (v *Versions) releases(ctx context.Context, name string) ([]release, error) {
	rows, err := v.DB.Query(ctx, "SELECT manifest, enabled, disabled, created FROM plugin_release WHERE plugin = ? LIMIT 10000", name)
	all, err := db.Scan(rows, err, func(s *sql.Rows) (release, error) {
		var r release
		var data []byte
		if err := s.Scan(&data, &r.enabled, &r.disabled, &r.created); err != nil {
			return r, err
		}
		return r, json.Unmarshal(data, &r.Manifest)
	})
	if err == nil && !slices.ContainsFunc(all, func(r release) bool { return r.enabled }) { // un-registered, or never there
		err = errs.New(errs.NotFound, "plugin.not_found", "there is no plugin %q", name)
	}
	slices.SortFunc(all, func(a, b release) int { return manifest.CompareVersions(b.Version, a.Version) })
	return all, err
}

// next is the version that would be offered without one; empty for none.
func next(all []release, without string) string {
	for _, r := range all {
		if r.enabled && !r.disabled && r.Version != without {
			return r.Version
		}
	}
	return ""
}

// Disable switches a version off: its services are not offered any more, and starts
// that need them are refused. Calls under way end. Refused with Conflict where other
// plugins would not have what they require.
func (v *Versions) Disable(ctx context.Context, name, version string) error {
	return v.turn(ctx, name, version, func(all []release, r release) error {
		if r.disabled {
			return errs.New(errs.Conflict, "plugin.version_state", "version %s of the plugin %s is switched off already", version, name)
		}
		if dependents := v.Registry.dependents(name, next(all, version)); r.enabled && len(dependents) > 0 {
			return errs.New(errs.Conflict, "plugin.required", "the plugin %s %s is required by %s: switch them off first",
				name, version, strings.Join(dependents, ", "))
		}
		return nil
	}, disabled, "UPDATE plugin_release SET disabled = 1 WHERE plugin = ? AND version = ?")
}

// Enable switches a version on again. Refused with Conflict where what it requires is
// not there, or others would not have what they require.
func (v *Versions) Enable(ctx context.Context, name, version string) error {
	return v.turn(ctx, name, version, func(all []release, r release) error {
		if r.enabled && !r.disabled {
			return errs.New(errs.Conflict, "plugin.version_state", "version %s of the plugin %s is switched on already", version, name)
		}
		if err := v.Registry.Check(r.Manifest, false); err != nil {
			return err
		}
		newest := next(all, version)
		if newest == "" || manifest.CompareVersions(version, newest) > 0 {
			newest = version
		}
		if dependents := v.Registry.dependents(name, newest); len(dependents) > 0 {
			return errs.New(errs.Conflict, "plugin.required", "version %s of the plugin %s will not do for %s",
				newest, name, strings.Join(dependents, ", "))
		}
		return nil
	}, enabled, "UPDATE plugin_release SET disabled = 0, enabled = 1 WHERE plugin = ? AND version = ?")
}

// turn switches a version, with event and audit record in the same commit.
func (v *Versions) turn(ctx context.Context, name, version string, may func(all []release, r release) error,
	kind bus.Kind[Offered], update string) error {
	if err := identity.Require(ctx, "plugin.write", "*"); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	all, err := v.releases(ctx, name)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(r release) bool { return r.Version == version })
	if at < 0 {
		return errs.New(errs.NotFound, "plugin.no_version", "the plugin %s has no version %q", name, version)
	}
	if err := may(all, all[at]); err != nil {
		return err
	}
	all[at].disabled = kind.Type == disabled.Type
	all[at].enabled = all[at].enabled || !all[at].disabled
	said := Offered{version, next(all, "")}
	err = v.DB.Do(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(update, name, version); err != nil {
			return err
		}
		if err := kind.Publish(v.Bus, tx, bus.Of{Subject: "plugin/" + name, Project: "default"}, said); err != nil {
			return err
		}
		return v.Audit.Write(ctx, tx, audit.Record{Project: "default", Actor: identity.From(ctx).Actor(), Verb: "plugin.write",
			Object: "plugin/" + name, Detail: wire.Raw(map[string]string{"version": version, "done": kind.Type, "offered": said.Offered})})
	})
	if err != nil {
		return err
	}
	if err := v.Registry.load(ctx, name); err != nil {
		return err
	}
	if h := v.Registry.Health; h != nil {
		h.Poke()
	}
	return nil
}

// switchedOff is the newest version of a plugin of which none is offered.
func (r *Registry) switchedOff(name string) (wire.Manifest, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if _, ok := r.by[name]; ok {
		return wire.Manifest{}, false
	}
	m, ok := r.off[name]
	return m, ok
}

// known lists all plugins by name, those too of which no version is offered.
func (r *Registry) known() []wire.Manifest {
	all := r.All()
	r.mu.RLock()
	defer r.mu.RUnlock()
	for name, m := range r.off {
		if _, ok := r.by[name]; !ok {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b wire.Manifest) int { return strings.Compare(a.Plugin, b.Plugin) })
	return all
}

// Routes adds the endpoints.
func (v *Versions) Routes(a *api.API) {
	type Named struct {
		Name string `path:"name" maxLength:"64" pattern:"^[a-z0-9][a-z0-9_-]*$"`
	}
	type VersionKey struct {
		Named
		Version string `path:"version" maxLength:"190"`
	}
	type listOut struct{ Body api.Page[Version] }
	list := func(ctx context.Context, name string) (*listOut, error) {
		all, err := v.List(ctx, name)
		return &listOut{api.Page[Version]{Items: all}}, err
	}
	const path, tag = "/api/v1/plugins/{name}/versions", "plugins"
	api.Register(a, api.Endpoint{ID: "listPluginVersions", Method: http.MethodGet, Path: path, Tag: tag,
		Summary: "Versions of a plugin, what they require and who would miss them, the newest first", Permission: "plugin.read"},
		func(ctx context.Context, in *Named) (*listOut, error) { return list(ctx, in.Name) })
	api.Register(a, api.Endpoint{ID: "disablePluginVersion", Method: http.MethodPost, Path: path + "/{version}/disable", Tag: tag,
		Summary: "Switch a version of a plugin off", Permission: "plugin.write"},
		func(ctx context.Context, in *VersionKey) (*listOut, error) {
			if err := v.Disable(ctx, in.Name, in.Version); err != nil {
				return nil, err
			}
			return list(ctx, in.Name)
		})
	api.Register(a, api.Endpoint{ID: "enablePluginVersion", Method: http.MethodPost, Path: path + "/{version}/enable", Tag: tag,
		Summary: "Switch a version of a plugin on", Permission: "plugin.write"},
		func(ctx context.Context, in *VersionKey) (*listOut, error) {
			if err := v.Enable(ctx, in.Name, in.Version); err != nil {
				return nil, err
			}
			return list(ctx, in.Name)
		})
}
