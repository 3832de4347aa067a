package plugin

import (
	"context"
	"database/sql"
	"net/http"
	"slices"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/gateway"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// mainPlace is the instance that a plugin is connected by.
const mainPlace = "main"

// The states of an instance besides StateRunning and StateUnreachable.
const (
	StateDraining = "draining" // no new calls; those under way end
	StateDrained  = "drained"  // none is left: it can be stopped, resumed or removed
)

// maxPlaces is how many instances a plugin may have.
const maxPlaces = 64

// Instance is one place where a plugin that runs elsewhere answers.
//
//	running ◄─► unreachable    either ──drain──► draining ─► drained ──remove──► gone
//	    ▲                                            │          │
//	    └───────────────────resume───────────────────┴──────────┘
type Instance struct {
	ID      string    `json:"id"`
	URL     string    `json:"url"`
	Weight  int       `json:"weight" doc:"Its share of the calls beside the others'"`
	State   string    `json:"state" enum:"running,unreachable,draining,drained"`
	Calls   int       `json:"calls" doc:"Calls under way, and those that it will call back for"`
	Error   string    `json:"error,omitempty" doc:"Why it did not answer last time"`
	Created time.Time `json:"created,omitzero"`
}

type place struct {
	plugin, id, url string
	weight          int
	draining        bool
	created         int64
}

// places reads the places of a plugin, or of all where the name is empty.
func (r *Remote) places(ctx context.Context, name string) ([]place, error) {
	query, args := "SELECT plugin, id, url, weight, draining, created FROM plugin_place", []any{}
	if name != "" {
		query, args = query+" WHERE plugin = ?", []any{name}
	}
	rows, err := r.Registry.db.Query(ctx, query+" ORDER BY plugin, created, id LIMIT 100000", args...)
	return db.Scan(rows, err, func(s *sql.Rows) (p place, err error) {
		return p, s.Scan(&p.plugin, &p.id, &p.url, &p.weight, &p.draining, &p.created)
	})
}

func (r *Remote) put(tx *db.Tx, p place) error {
	draining := 0
	if p.draining {
		draining = 1
	}
	if p.created == 0 {
		p.created = clock.Micros(r.Registry.clock.Now())
	}
	return tx.Upsert("plugin_place", 2, []string{"plugin", "id", "url", "weight", "draining", "created"},
		p.plugin, p.id, p.url, p.weight, draining, p.created)
}

// lead has calls go to the places of a plugin.
func (r *Remote) lead(ctx context.Context, name string) error {
	token, err := r.token(ctx, name)
	if err != nil {
		return err
	}
	all, err := r.places(ctx, name)
	if err != nil {
		return err
	}
	for _, at := range all {
		if !at.draining {
			r.Router.Put(name, gateway.Instance{ID: at.id, Route: gateway.Route{URL: at.url, Token: token}, Weight: at.weight})
		}
	}
	return nil
}

// Instances lists the places of a plugin that runs elsewhere.
func (r *Remote) Instances(ctx context.Context, name string) ([]Instance, error) {
	if _, ok := r.Registry.Manifest(name); !ok {
		return nil, errs.New(errs.NotFound, "plugin.not_found", "there is no plugin %q", name)
	}
	all, err := r.places(ctx, name)
	if err != nil {
		return nil, err
	}
	seen := []Instance{}
	for _, p := range all {
		seen = append(seen, r.seen(p))
	}
	return seen, nil
}

// seen is how a place is.
func (r *Remote) seen(p place) Instance {
	i := Instance{ID: p.id, URL: p.url, Weight: p.weight, State: StateRunning, Created: clock.FromMicros(p.created)}
	if p.created == 0 {
		i.Created = time.Time{}
	}
	known := r.Router.Instances(p.plugin)
	at := slices.IndexFunc(known, func(s gateway.Status) bool { return s.ID == p.id })
	if at >= 0 {
		i.Calls, i.Error = known[at].Calls+known[at].Accepted, told(known[at].Err)
	}
	switch {
	case p.draining && at >= 0:
		i.State = StateDraining
	case p.draining:
		i.State = StateDrained
	case i.Error != "":
		i.State = StateUnreachable
	}
	return i
}

// Add adds an instance of a plugin that runs elsewhere. It has to be started with the
// plugin's token, and to run the version that is registered.
func (r *Remote) Add(ctx context.Context, name, address string, weight int) (Instance, error) {
	if err := r.allowed(ctx, name); err != nil {
		return Instance{}, err
	}
	if err := gateway.CheckAddress(address, r.Plain); err != nil {
		return Instance{}, err
	}
	known, ok := r.Registry.Manifest(name)
	if !ok {
		return Instance{}, errs.New(errs.NotFound, "plugin.not_found", "there is no plugin %q: connect its first instance", name)
	}
	token, err := r.token(ctx, name)
	if err != nil {
		return Instance{}, err
	}
	m, err := r.read(ctx, name, gateway.Route{URL: address, Token: token})
	if err != nil {
		return Instance{}, err
	}
	if m.Version != known.Version {
		return Instance{}, errs.New(errs.Conflict, "plugin.instance_version", "version %s of the plugin %s runs at %s, and %s is registered: "+
			"start that, or connect the newer one first", m.Version, name, address, known.Version)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all, err := r.places(ctx, name)
	if err != nil {
		return Instance{}, err
	}
	if slices.ContainsFunc(all, func(p place) bool { return p.url == address }) {
		return Instance{}, errs.New(errs.Conflict, "plugin.instance_known", "an instance of the plugin %s at %s is known already", name, address)
	}
	if len(all) >= maxPlaces {
		return Instance{}, errs.New(errs.Conflict, "plugin.instances", "the plugin %s has %d instances: remove one first", name, len(all))
	}
	now := r.Registry.clock
	p := place{plugin: name, id: clock.NewID(now), url: address, weight: max(weight, 1), created: clock.Micros(now.Now())}
	if err := r.change(ctx, "added", p, func(tx *db.Tx) error { return r.put(tx, p) }); err != nil {
		return Instance{}, err
	}
	return r.seen(p), r.lead(ctx, name)
}

// change stores what becomes of an instance, and who did it.
func (r *Remote) change(ctx context.Context, verb string, p place, store func(*db.Tx) error) error {
	return r.Registry.db.Do(ctx, func(tx *db.Tx) error {
		if err := store(tx); err != nil {
			return err
		}
		return r.Audit.Write(ctx, tx, audit.Record{Project: "default", Actor: identity.From(ctx).Actor(), Verb: "plugin.write",
			Object: "plugin/" + p.plugin, Detail: wire.Raw(map[string]string{"instance": p.id, "url": p.url, "done": verb})})
	})
}

// one finds an instance, and whether another takes calls besides.
func (r *Remote) one(ctx context.Context, name, id string) (p place, others bool, err error) {
	all, err := r.places(ctx, name)
	if err != nil {
		return place{}, false, err
	}
	at := slices.IndexFunc(all, func(p place) bool { return p.id == id })
	if at < 0 {
		return place{}, false, errs.New(errs.NotFound, "plugin.no_instance", "the plugin %s has no instance %q", name, id)
	}
	others = slices.ContainsFunc(all, func(p place) bool { return p.id != id && !p.draining })
	return all[at], others, nil
}

// Drain gives an instance no new calls; those under way end where they are. The last
// one that takes calls is not drained.
func (r *Remote) Drain(ctx context.Context, name, id string) (Instance, error) {
	if err := r.allowed(ctx, name); err != nil {
		return Instance{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p, others, err := r.one(ctx, name, id)
	if err == nil && !others {
		err = lastInstance(name)
	}
	if err != nil {
		return Instance{}, err
	}
	p.draining = true
	if err := r.change(ctx, "draining", p, func(tx *db.Tx) error { return r.put(tx, p) }); err != nil {
		return Instance{}, err
	}
	r.Router.Retire(name, id)
	return r.seen(p), nil
}

func lastInstance(name string) error {
	return errs.New(errs.Conflict, "plugin.last_instance",
		"no other instance of the plugin %s takes calls: add one first, or un-register the plugin", name)
}

// Resume has an instance that was drained take calls again.
func (r *Remote) Resume(ctx context.Context, name, id string) (Instance, error) {
	if err := r.allowed(ctx, name); err != nil {
		return Instance{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p, _, err := r.one(ctx, name, id)
	if err != nil {
		return Instance{}, err
	}
	p.draining = false
	if err := r.change(ctx, "resumed", p, func(tx *db.Tx) error { return r.put(tx, p) }); err != nil {
		return Instance{}, err
	}
	return r.seen(p), r.lead(ctx, name)
}

// RemoveInstance forgets an instance that has no calls any more.
func (r *Remote) RemoveInstance(ctx context.Context, name, id string) error {
	if err := r.allowed(ctx, name); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p, others, err := r.one(ctx, name, id)
	if err != nil {
		return err
	}
	if !others {
		return lastInstance(name)
	}
	if i := r.seen(p); i.State == StateDraining || i.Calls > 0 {
		return errs.New(errs.Conflict, "plugin.not_drained", "the instance %s of the plugin %s has %d calls: drain it, and let them end",
			id, name, i.Calls)
	}
	if err := r.change(ctx, "removed", p, func(tx *db.Tx) error {
		_, err := tx.Exec("DELETE FROM plugin_place WHERE plugin = ? AND id = ?", name, id)
		return err
	}); err != nil {
		return err
	}
	r.Router.Retire(name, id)
	return nil
}

// placeRoutes adds the endpoints of instances.
func (r *Remote) placeRoutes(a *api.API) {
	type Named struct {
		Name string `path:"name" maxLength:"64" pattern:"^[a-z0-9][a-z0-9_-]*$"`
	}
	type InstanceKey struct {
		Named
		ID string `path:"id" maxLength:"64"`
	}
	type listOut struct{ Body api.Page[Instance] }
	type one struct{ Body Instance }
	type addIn struct {
		Named
		Body struct {
			URL    string `json:"url" maxLength:"512" doc:"Where it answers; off this machine with https"`
			Weight int    `json:"weight,omitempty" minimum:"1" maximum:"1000" default:"1" doc:"Its share of the calls beside the others'"`
		}
	}
	const path, tag = "/api/v1/plugins/{name}/instances", "plugins"
	api.Register(a, api.Endpoint{ID: "listPluginInstances", Method: http.MethodGet, Path: path, Tag: tag,
		Summary: "The places where a plugin that runs elsewhere answers", Permission: "plugin.read"},
		func(ctx context.Context, in *Named) (*listOut, error) {
			all, err := r.Instances(ctx, in.Name)
			return &listOut{api.Page[Instance]{Items: all}}, err
		})
	api.Register(a, api.Endpoint{ID: "addPluginInstance", Method: http.MethodPost, Path: path, Tag: tag, Status: http.StatusCreated,
		Summary: "Add an instance of a plugin that runs elsewhere", Permission: "plugin.write"},
		func(ctx context.Context, in *addIn) (*one, error) {
			i, err := r.Add(ctx, in.Name, in.Body.URL, in.Body.Weight)
			return &one{i}, err
		})
	api.Register(a, api.Endpoint{ID: "drainPluginInstance", Method: http.MethodPost, Path: path + "/{id}/drain", Tag: tag,
		Summary: "Give an instance no new calls", Permission: "plugin.write"},
		func(ctx context.Context, in *InstanceKey) (*one, error) {
			i, err := r.Drain(ctx, in.Name, in.ID)
			return &one{i}, err
		})
	api.Register(a, api.Endpoint{ID: "resumePluginInstance", Method: http.MethodPost, Path: path + "/{id}/resume", Tag: tag,
		Summary: "Have an instance that was drained take calls again", Permission: "plugin.write"},
		func(ctx context.Context, in *InstanceKey) (*one, error) {
			i, err := r.Resume(ctx, in.Name, in.ID)
			return &one{i}, err
		})
	api.Register(a, api.Endpoint{ID: "removePluginInstance", Method: http.MethodDelete, Path: path + "/{id}", Tag: tag,
		Summary: "Forget an instance without calls", Permission: "plugin.write", Status: http.StatusNoContent},
		func(ctx context.Context, in *InstanceKey) (*struct{}, error) {
			return nil, r.RemoveInstance(ctx, in.Name, in.ID)
		})
}
