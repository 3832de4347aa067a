// Package plugin is the registry of plugins: which exist, in which versions,
// what their manifests say, and where their instances run.
//
// A job type plugin:<name>/<service>[(<registered>)]/<action> is resolved to the
// action of the newest enabled version when it is dispatched.
package plugin

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"

	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

// Migrations holds the versions.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "plugin"

// JobPrefix begins the job types that plugins serve.
const JobPrefix = "plugin:"

// Registry knows the plugins. It is safe for concurrent use.
type Registry struct {
	// Health tells how plugins are; set before they are listed.
	Health *Health

	db    *db.DB
	clock clock.Clock
	mu    sync.RWMutex
	by    map[string]wire.Manifest // newest enabled version
	off   map[string]wire.Manifest // of plugins whose versions are all switched off: the newest
}

// New makes a registry over a migrated database.
func New(d *db.DB, c clock.Clock) *Registry {
	return &Registry{db: d, clock: c, by: map[string]wire.Manifest{}, off: map[string]wire.Manifest{}}
}

// Load reads what is offered.
func (r *Registry) Load(ctx context.Context) error { return r.load(ctx, "") }

// load reads what is offered of a plugin, or of all where the name is empty: the newest
// version that is enabled and not switched off.
func (r *Registry) load(ctx context.Context, name string) error {
	query, args := "SELECT manifest, disabled FROM plugin_release WHERE enabled = 1", []any{}
	if name != "" {
		query, args = query+" AND plugin = ?", []any{name}
	}
	type release struct {
		wire.Manifest
		disabled bool
	}
	rows, err := r.db.Query(ctx, query, args...)
	all, err := db.Scan(rows, err, func(s *sql.Rows) (release, error) {
		var data []byte
		var m release
		if err := s.Scan(&data, &m.disabled); err != nil {
			return m, err
		}
		return m, json.Unmarshal(data, &m.Manifest)
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if name != "" {
		delete(r.by, name)
		delete(r.off, name)
	}
	for _, m := range all {
		into := r.by
		if m.disabled {
			into = r.off
		}
		if known, ok := into[m.Plugin]; !ok || manifest.CompareVersions(m.Version, known.Version) > 0 {
			into[m.Plugin] = m.Manifest
		}
	}
	return nil
}

// Register adds or replaces a version of a plugin and enables it, unless somebody has
// switched it off. It is the one that runs, so that newer ones are enabled no more.
func (r *Registry) Register(ctx context.Context, m wire.Manifest) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	err = r.db.Do(ctx, func(tx *db.Tx) error {
		versions, err := r.versions(ctx, tx, m.Plugin)
		if err != nil {
			return err
		}
		for _, v := range versions {
			if manifest.CompareVersions(v, m.Version) <= 0 {
				continue
			}
			if _, err := tx.Exec("UPDATE plugin_release SET enabled = 0 WHERE plugin = ? AND version = ?", m.Plugin, v); err != nil {
				return err
			}
		}
		return tx.Upsert("plugin_release", 2, []string{"plugin", "version", "manifest", "enabled", "created"},
			m.Plugin, m.Version, data, 1, clock.Micros(r.clock.Now()))
	})
	if err != nil {
		return err
	}
	return r.load(ctx, m.Plugin)
}

func (r *Registry) versions(ctx context.Context, q db.Querier, name string) ([]string, error) {
	rows, err := q.Query(ctx, "SELECT version FROM plugin_release WHERE plugin = ? AND enabled = 1", name)
	return db.Scan(rows, err, func(s *sql.Rows) (v string, err error) { return v, s.Scan(&v) })
}

// Manifest gives the manifest of a plugin.
func (r *Registry) Manifest(name string) (wire.Manifest, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	m, ok := r.by[name]
	return m, ok
}

// All lists the manifests by name.
func (r *Registry) All() []wire.Manifest {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]wire.Manifest, 0, len(r.by))
	for _, m := range r.by {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b wire.Manifest) int { return strings.Compare(a.Plugin, b.Plugin) })
	return all
}

// Service is an action of a plugin that a job type names.
type Service struct {
	Plugin, Version, Service string
	Action                   wire.Action
	// Settings are what the plugin's manifest declares.
	Settings []wire.Setting
}

// Name is <plugin>/<service>/<action>.
func (s Service) Name() string { return s.Plugin + "/" + s.Service + "/" + s.Action.Action }

// Resolve finds the action that a job type names.
func (r *Registry) Resolve(jobType string) (Service, error) {
	name := strings.TrimPrefix(jobType, JobPrefix)
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		return Service{}, errs.New(errs.Invalid, "plugin.service_name", "the service %q is not of the form <plugin>/<service>/<action>", name)
	}
	m, ok := r.Manifest(parts[0])
	if _, off := r.switchedOff(parts[0]); !ok && off {
		return Service{}, errs.New(errs.Invalid, "plugin.disabled", "the plugin %s is switched off: enable one of its versions", parts[0])
	}
	if !ok {
		return Service{}, errs.New(errs.Invalid, "plugin.unknown", "there is no plugin %q; there are %s", parts[0], r.names())
	}
	service, _, _ := strings.Cut(parts[1], "(")
	for _, s := range m.Services {
		if s.Name != service {
			continue
		}
		for _, a := range s.Actions {
			if a.Action == parts[2] {
				return Service{m.Plugin, m.Version, s.Name, a, m.Settings}, nil
			}
		}
	}
	return Service{}, errs.New(errs.Invalid, "plugin.unknown_service", "the plugin %s has no service %s/%s; it has %s",
		m.Plugin, service, parts[2], services(m))
}

func (r *Registry) names() string {
	var all []string
	for _, m := range r.All() {
		all = append(all, m.Plugin)
	}
	return strings.Join(all, ", ")
}

func services(m wire.Manifest) string {
	var all []string
	for _, s := range m.Services {
		for _, a := range s.Actions {
			all = append(all, s.Name+"/"+a.Action)
		}
	}
	return strings.Join(all, ", ")
}

// Listed is a plugin as it is listed: what its manifest says, and how it is.
type Listed struct {
	wire.Manifest
	Condition
}

func (r *Registry) listed(m wire.Manifest) Listed {
	if _, ok := r.Manifest(m.Plugin); !ok {
		return Listed{m, Condition{State: StateDisabled}}
	}
	l := Listed{m, Condition{State: StateStarting}}
	if r.Health != nil {
		l.Condition = r.Health.Of(m.Plugin)
	}
	return l
}

// Routes adds the endpoints.
func (r *Registry) Routes(a *api.API) {
	type list struct{ Body api.Page[Listed] }
	api.Register(a, api.Endpoint{ID: "listPlugins", Method: http.MethodGet,
		Path: "/api/v1/plugins", Tag: "plugins", Summary: "Plugins with their manifests and states", Permission: "plugin.read"},
		func(context.Context, *struct{}) (*list, error) {
			all := []Listed{}
			for _, m := range r.known() {
				all = append(all, r.listed(m))
			}
			return &list{api.Page[Listed]{Items: all}}, nil
		})
	type in struct {
		Name string `path:"name"`
	}
	type one struct{ Body Listed }
	api.Register(a, api.Endpoint{ID: "getPlugin", Method: http.MethodGet,
		Path: "/api/v1/plugins/{name}", Tag: "plugins", Summary: "A plugin's manifest and state", Permission: "plugin.read"},
		func(_ context.Context, i *in) (*one, error) {
			m, ok := r.Manifest(i.Name)
			if !ok {
				m, ok = r.switchedOff(i.Name)
			}
			if !ok {
				return nil, errs.New(errs.NotFound, "plugin.not_found", "there is no plugin %q", i.Name)
			}
			return &one{r.listed(m)}, nil
		})
}
