package plugin

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/gateway"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/kit/secret"
	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

const manifestWithin = 10 * time.Second

// Tokens issues and checks the tokens of plugins.
type Tokens interface {
	IssuePlugin(ctx context.Context, plugin string) (string, error)
	RevokePlugin(tx *db.Tx, plugin string) error
}

// Remote knows the plugins that run elsewhere, started by somebody else: those of
// a plugin's author, or of a host that the platform does not manage.
//
//	token is issued ─► the plugin is started with it ─► its address is told ─► its manifest is read and registered
type Remote struct {
	Registry *Registry
	Router   *gateway.Router
	Tokens   Tokens
	Box      *secret.Box
	Audit    *audit.Log
	// Plain says that an administrator consents to plain HTTP off this machine.
	Plain bool
	// Reserved are the names of built-in plugins.
	Reserved func(name string) bool
	// Use tells what would miss a plugin.
	Use Use

	mu sync.Mutex // held while a plugin comes or goes
}

// Token gives the plugin of a name a new token, with which it has to be started.
func (r *Remote) Token(ctx context.Context, name string) (string, error) {
	if err := r.allowed(ctx, name); err != nil {
		return "", err
	}
	token, err := r.Tokens.IssuePlugin(ctx, name)
	if err != nil {
		return "", err
	}
	sealed, err := r.Box.Seal("plugin/"+name, []byte(token))
	if err != nil {
		return "", err
	}
	err = r.Registry.db.Do(ctx, func(tx *db.Tx) error {
		if err := tx.Upsert("plugin_instance", 1, []string{"plugin", "token"}, name, sealed); err != nil {
			return err
		}
		return r.Audit.Write(ctx, tx,
			audit.Record{Project: "default", Actor: identity.From(ctx).Actor(), Verb: "plugin.write", Object: "plugin/" + name})
	})
	return token, err
}

func (r *Remote) allowed(ctx context.Context, name string) error {
	if err := identity.Require(ctx, "plugin.write", "*"); err != nil {
		return err
	}
	if r.Reserved(name) {
		return errs.New(errs.Conflict, "plugin.builtin", "the plugin %s is built in", name).With("name", name)
	}
	return nil
}

// Connect reads the manifest of a plugin that runs at an address and registers
// it.
func (r *Remote) Connect(ctx context.Context, name, address string) (wire.Manifest, error) {
	if err := r.allowed(ctx, name); err != nil {
		return wire.Manifest{}, err
	}
	if err := gateway.CheckAddress(address, r.Plain); err != nil {
		return wire.Manifest{}, err
	}
	token, err := r.token(ctx, name)
	if err != nil {
		return wire.Manifest{}, err
	}
	m, err := r.read(ctx, name, gateway.Route{URL: address, Token: token})
	if err != nil {
		return m, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.Registry.Check(m, true); err != nil {
		return m, err
	}
	if all := r.Registry.dependents(name, m.Version); len(all) > 0 {
		return m, errs.New(errs.Conflict, "plugin.required", "version %s of the plugin %s will not do for %s",
			m.Version, name, strings.Join(all, ", "))
	}
	err = r.Registry.db.Do(ctx, func(tx *db.Tx) error { return r.put(tx, place{plugin: name, id: mainPlace, url: address, weight: 1}) })
	if err == nil {
		err = r.Registry.Register(ctx, m)
	}
	if err == nil {
		err = r.lead(ctx, name)
	}
	if h := r.Registry.Health; err == nil && h != nil {
		h.note(ctx, name, StateRunning, "")
		h.Poke() // the other instances may run another version
	}
	return m, err
}

// token opens the token of a plugin.
func (r *Remote) token(ctx context.Context, name string) (string, error) {
	var sealed string
	err := r.Registry.db.QueryRow(ctx, "SELECT token FROM plugin_instance WHERE plugin = ?", name).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", errs.New(errs.NotFound, "plugin.no_token", "the plugin %s has no token yet: ask for one and start the plugin with it", name)
	}
	if err != nil {
		return "", err
	}
	token, err := r.Box.Open("plugin/"+name, sealed)
	return string(token), err
}

func (r *Remote) read(ctx context.Context, name string, at gateway.Route) (wire.Manifest, error) {
	ctx, cancel := context.WithTimeout(ctx, manifestWithin)
	defer cancel()
	var m wire.Manifest
	got, err := r.Router.Ask(ctx, at, gateway.Call{Method: http.MethodGet, Path: "/manifest"})
	if err != nil {
		return m, errs.Wrap(err, errs.Unavailable, "plugin.unreachable", "the plugin "+name+" does not answer at "+at.URL)
	}
	if got.Status != http.StatusOK {
		return m, errs.New(errs.Unavailable, "plugin.no_manifest",
			"the plugin %s answered %d when it was asked for its manifest; was it started with its token?", name, got.Status)
	}
	if err := json.Unmarshal(got.Body, &m); err != nil {
		return m, errs.New(errs.Invalid, "plugin.manifest", "the manifest of %s is no JSON of a manifest: %s", name, err)
	}
	if m.Plugin != name {
		return m, errs.New(errs.Invalid, "plugin.other", "the plugin at %s says that it is %q and not %q", at.URL, m.Plugin, name)
	}
	if problems := manifest.Validate(&m); len(problems) > 0 {
		e := errs.New(errs.Invalid, "plugin.manifest", "the manifest of %s has %d problem(s)", name, len(problems))
		for _, p := range problems {
			e.At(errs.Field{Path: p.Path, Code: p.Code, Message: p.Message, Line: p.Line, Column: p.Column})
		}
		return m, e
	}
	return m, nil
}

// Restore connects the plugins again that ran elsewhere when the server stopped.
func (r *Remote) Restore(ctx context.Context) error {
	all, err := r.places(ctx, "")
	if err != nil {
		return err
	}
	for _, at := range all {
		token, err := r.token(ctx, at.plugin)
		if err != nil {
			return err
		}
		if !at.draining {
			r.Router.Put(at.plugin, gateway.Instance{ID: at.id, Route: gateway.Route{URL: at.url, Token: token}, Weight: at.weight})
		}
	}
	return nil
}

// Routes adds the endpoints.
func (r *Remote) Routes(a *api.API) {
	type Named struct {
		Name string `path:"name" maxLength:"64" pattern:"^[a-z0-9][a-z0-9-]*$"`
	}
	type tokenOut struct {
		Body struct {
			Token string `json:"token" doc:"Start the plugin with it as SEXTANT_TOKEN; shown once"`
		}
	}
	api.Register(a, api.Endpoint{ID: "issuePluginToken", Method: http.MethodPost, Path: "/api/v1/plugins/{name}/token", Tag: "plugins",
		Summary: "A new token for a plugin that runs elsewhere", Permission: "plugin.write", Status: http.StatusCreated, Secret: true},
		func(ctx context.Context, in *Named) (*tokenOut, error) {
			token, err := r.Token(ctx, in.Name)
			o := &tokenOut{}
			o.Body.Token = token
			return o, err
		})
	api.Register(a, api.Endpoint{ID: "removePlugin", Method: http.MethodDelete, Path: "/api/v1/plugins/{name}",
		Tag: "plugins", Summary: "Un-register a plugin that runs elsewhere", Permission: "plugin.write", Status: http.StatusNoContent},
		func(ctx context.Context, in *Named) (*struct{}, error) { return nil, r.Remove(ctx, in.Name) })
	r.placeRoutes(a)
	type connect struct {
		Named
		Body struct {
			URL string `json:"url" maxLength:"512" doc:"Where the plugin answers"`
		}
	}
	type one struct{ Body wire.Manifest }
	api.Register(a, api.Endpoint{ID: "connectPlugin", Method: http.MethodPut, Path: "/api/v1/plugins/{name}",
		Tag: "plugins", Summary: "Register a plugin that runs elsewhere by its own manifest", Permission: "plugin.write"},
		func(ctx context.Context, in *connect) (*one, error) {
			m, err := r.Connect(ctx, in.Name, in.Body.URL)
			return &one{m}, err
		})
}
