package plugin_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/gateway"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/plugin"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/kit/secret"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/wire"
)

type rig struct {
	*plugin.Remote
	t        *testing.T
	db       *db.DB
	clock    *clock.Fake
	identity *identity.Service
	box      *secret.Box
}

func newRig(t *testing.T) *rig {
	t.Helper()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	r := &rig{t: t, db: d, clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	r.must(err)
	t.Cleanup(func() { _ = d.Close() })
	r.must(d.Migrate(t.Context(), audit.Domain, audit.Migrations))
	r.must(d.Migrate(t.Context(), identity.Domain, identity.Migrations))
	r.must(d.Migrate(t.Context(), plugin.Domain, plugin.Migrations))
	r.must(d.Migrate(t.Context(), api.Domain, api.Migrations))
	r.box, err = secret.New([]byte(strings.Repeat("k", 32)))
	r.must(err)
	r.identity = identity.New(d, r.clock, audit.New(d, r.clock))
	r.Remote = r.boot()
	return r
}

// boot makes the domain anew over the same database, as a restart does.
func (r *rig) boot() *plugin.Remote {
	r.t.Helper()
	registry := plugin.New(r.db, r.clock)
	r.must(registry.Load(r.t.Context()))
	return &plugin.Remote{Registry: registry, Router: gateway.New(), Tokens: r.identity, Box: r.box, Audit: audit.New(r.db, r.clock),
		Reserved: func(name string) bool { return name == "cmdb" }}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func operator(ctx context.Context) context.Context {
	return identity.With(ctx,
		identity.Subject{ID: "user/op", Name: "op", Kind: identity.User, Grants: []identity.Grant{{Permission: "plugin.*", Project: "*"}}})
}

func refused(t *testing.T, err error, kind errs.Kind, code string) {
	t.Helper()
	if !errs.Is(err, kind) || !errs.HasCode(err, code) {
		t.Errorf("got %v, want %s", err, code)
	}
}

// manifest is a plugin with one service; of each version the action's path
// tells which it is.
func manifest(name, version string) wire.Manifest {
	return wire.Manifest{Plugin: name, Version: version, Run: &wire.Run{Builtin: true},
		Services: []wire.Service{{Name: "script", Actions: []wire.Action{{Action: "run", Path: "/" + version}}}}}
}

func TestTheNewestEnabledVersion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, version := range []string{"0.10.0", "0.9.0", "0.10.0"} {
		r.must(r.Registry.Register(t.Context(), manifest("host", version)))
		r.clock.Advance(time.Second)
	}
	check := func(registry *plugin.Registry, want string) {
		t.Helper()
		got, err := registry.Resolve("plugin:host/script/run")
		if err != nil || got.Version != want || got.Action.Path != "/"+want || got.Name() != "host/script/run" {
			t.Errorf("%+v, %v; want %s", got, err, want)
		}
	}
	check(r.Registry, "0.10.0")
	// The order in which versions were stored last is not that of their age.
	r.must(r.db.Do(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec("UPDATE plugin_release SET created = created + 1000000000 WHERE version = '0.9.0'")
		return err
	}))
	check(r.boot().Registry, "0.10.0")
	// An older one that is registered now is the one that runs.
	r.must(r.Registry.Register(t.Context(), manifest("host", "0.9.0")))
	check(r.Registry, "0.9.0")
	check(r.boot().Registry, "0.9.0")
	r.must(r.Registry.Register(t.Context(), manifest("host", "0.10.0")))
	check(r.boot().Registry, "0.10.0")
	r.must(r.db.Do(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec("UPDATE plugin_release SET enabled = 0 WHERE version = '0.10.0'")
		return err
	}))
	check(r.boot().Registry, "0.9.0")
}

func TestNamesOfServices(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(r.Registry.Register(t.Context(), manifest("host", "1.0.0")))
	r.must(r.Registry.Register(t.Context(), manifest("app", "1.0.0")))
	for name, code := range map[string]string{
		"plugin:host/script/run": "", "host/script/run": "", "host/script(nightly)/run": "", "host/script(a b)/run": "",
		"host/script": "plugin.service_name", "host": "plugin.service_name",
		"": "plugin.service_name", "host/script/run/more": "plugin.service_name",
		"none/script/run": "plugin.unknown", "host/none/run": "plugin.unknown_service",
		"host/script/none": "plugin.unknown_service", "host/none(script)/run": "plugin.unknown_service",
	} {
		got, err := r.Registry.Resolve(name)
		if code == "" {
			if err != nil || got.Plugin != "host" || got.Service != "script" || got.Action.Action != "run" {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			continue
		}
		refused(t, err, errs.Invalid, code)
	}
	// The message helps.
	if _, err := r.Registry.Resolve("none/script/run"); !strings.Contains(err.Error(), "app, host") {
		t.Errorf("%v", err)
	}
	if _, err := r.Registry.Resolve("host/none/run"); !strings.Contains(err.Error(), "script/run") {
		t.Errorf("%v", err)
	}
	if all := r.Registry.All(); len(all) != 2 || all[0].Plugin != "app" {
		t.Errorf("%+v", all)
	}
}

// remote is a plugin's process: it wants its token.
func (r *rig) remote(m any, token *atomic.Value) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("Authorization") != "Bearer "+token.Load().(string) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if text, ok := m.(string); ok {
			_, _ = w.Write([]byte(text))
			return
		}
		_ = json.NewEncoder(w).Encode(m)
	}))
	r.t.Cleanup(s.Close)
	return s.URL
}

func TestAPluginThatRunsElsewhere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := operator(t.Context())
	var token atomic.Value
	token.Store("none yet")
	url := r.remote(manifest("mine", "1.2.3"), &token)
	_, err := r.Connect(ctx, "mine", url)
	refused(t, err, errs.NotFound, "plugin.no_token")
	issued, err := r.Token(ctx, "mine")
	r.must(err)
	_, err = r.Connect(ctx, "mine", url) // it was not started with it
	refused(t, err, errs.Unavailable, "plugin.no_manifest")
	token.Store(issued)
	m, err := r.Connect(ctx, "mine", url)
	if err != nil || m.Version != "1.2.3" {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := r.Registry.Resolve("mine/script/run"); err != nil {
		t.Error(err)
	}
	ask := func(remote *plugin.Remote) {
		t.Helper()
		a, err := remote.Router.Do(t.Context(), gateway.Call{Plugin: "mine", Method: "GET", Path: "/manifest"})
		if err != nil || a.Status != 200 {
			t.Errorf("%+v, %v", a, err)
		}
	}
	ask(r.Remote)
	// After a restart it is where it was.
	again := r.boot()
	r.must(again.Restore(t.Context()))
	ask(again)
	// The token is the plugin's own, and stored sealed.
	sub, err := r.identity.Subject(t.Context(), issued)
	if err != nil || sub.ID != "plugin/mine" {
		t.Errorf("%+v, %v", sub, err)
	}
	var stored string
	r.must(r.db.QueryRow(t.Context(), "SELECT token FROM plugin_instance").Scan(&stored))
	if strings.Contains(stored, issued) || !strings.HasPrefix(stored, "sx1:") {
		t.Errorf("stored as %s", stored)
	}
	var audited string
	r.must(r.db.QueryRow(t.Context(), "SELECT verb || ' ' || object || ' ' || subject || detail FROM audit_record").Scan(&audited))
	if !strings.HasPrefix(audited, "plugin.write plugin/mine user/op") || strings.Contains(audited, issued) {
		t.Errorf("audited as %s", audited)
	}
	// A new token ends the old one, and the place has to be told anew.
	fresh, err := r.Token(ctx, "mine")
	r.must(err)
	if _, err := r.identity.Subject(t.Context(), issued); !errs.Is(err, errs.Unauthenticated) || fresh == issued {
		t.Errorf("the old token: %v", err)
	}
}

func TestWhatCannotBeConnected(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := operator(t.Context())
	var token atomic.Value
	issued, err := r.Token(ctx, "mine")
	r.must(err)
	token.Store(issued)
	for _, c := range []struct {
		name, url string
		manifest  any
		kind      errs.Kind
		code      string
	}{
		{"other-name", "", manifest("other", "1.0.0"), errs.Invalid, "plugin.other"},
		{"no-json", "", "<html>", errs.Invalid, "plugin.manifest"},
		{"bad-version", "", manifest("mine", "one"), errs.Invalid, "plugin.manifest"},
		{"nobody-there", "http://127.0.0.1:1", nil, errs.Unavailable, "plugin.unreachable"},
		{"no-scheme", "127.0.0.1:80", nil, errs.Invalid, "plugin.url"},
		{"other-scheme", "file:///etc/passwd", nil, errs.Invalid, "plugin.url"},
		{"with-password", "http://a:b@127.0.0.1:80", nil, errs.Invalid, "plugin.url"},
		{"nothing", "", nil, errs.Invalid, "plugin.url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := c.url
			if c.manifest != nil {
				url = r.remote(c.manifest, &token)
			}
			_, err := r.Connect(ctx, "mine", url)
			refused(t, err, c.kind, c.code)
			if c.name == "bad-version" && len(errs.As(err).Fields) == 0 {
				t.Error("the problem is not named")
			}
		})
	}
	if _, ok := r.Registry.Manifest("mine"); ok {
		t.Error("it is registered all the same")
	}
	if _, err := r.Router.Do(t.Context(), gateway.Call{Plugin: "mine"}); !errors.Is(err, gateway.ErrNotSent) {
		t.Errorf("it is reached all the same: %v", err)
	}
}

func TestWhoMayConnectWhat(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	narrow := identity.With(t.Context(),
		identity.Subject{ID: "user/x", Kind: identity.User, Grants: []identity.Grant{{Permission: "plugin.write", Project: "a"}}})
	for name, ctx := range map[string]context.Context{"nobody": t.Context(), "one-project": narrow} {
		if _, err := r.Token(ctx, "mine"); !errs.Is(err, errs.Forbidden) && !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.Connect(ctx, "mine", "http://127.0.0.1:1"); !errs.Is(err, errs.Forbidden) && !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A built-in plugin is nobody's to replace.
	_, err := r.Token(operator(t.Context()), "cmdb")
	refused(t, err, errs.Conflict, "plugin.builtin")
	_, err = r.Connect(operator(t.Context()), "cmdb", "http://127.0.0.1:1")
	refused(t, err, errs.Conflict, "plugin.builtin")
}

func TestTheEndpoints(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := api.New(api.Deps{Version: "test", DB: r.db, Clock: r.clock, Log: slog.New(slog.DiscardHandler), Authorize: identity.Require,
		Authenticate: func(q *http.Request) (context.Context, string, error) { return operator(q.Context()), "op", nil }})
	r.Registry.Routes(a)
	r.Routes(a)
	s := httptest.NewServer(a.Handler())
	t.Cleanup(s.Close)
	r.must(r.Registry.Register(t.Context(), manifest("host", "1.0.0")))
	ask := func(method, path, body string) (int, http.Header, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		r.must(err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", "k")
		resp, err := http.DefaultClient.Do(req)
		r.must(err)
		defer resp.Body.Close()
		var raw json.RawMessage
		r.must(json.NewDecoder(resp.Body).Decode(&raw))
		return resp.StatusCode, resp.Header, string(raw)
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		has                string
	}{
		{"GET", "/api/v1/plugins", "", 200, `"plugin":"host"`},
		{"GET", "/api/v1/plugins/host", "", 200, `"1.0.0"`},
		{"GET", "/api/v1/plugins/none", "", 404, "plugin.not_found"},
		{"POST", "/api/v1/plugins/cmdb/token", "", 409, "plugin.builtin"},
		{"POST", "/api/v1/plugins/Mine/token", "", 422, "request.invalid"},
		{"PUT", "/api/v1/plugins/mine", `{"url":"http://127.0.0.1:1"}`, 404, "plugin.no_token"},
	} {
		if status, _, body := ask(c.method, c.path, c.body); status != c.status || !strings.Contains(body, c.has) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, status, body, c.status, c.has)
		}
	}
	status, header, body := ask("POST", "/api/v1/plugins/mine/token", "")
	if status != 201 || !strings.Contains(body, "sxp_") || header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", status, header)
	}
	if status, _, body := ask("POST", "/api/v1/plugins/mine/token", ""); status != 410 {
		t.Errorf("the token is remembered: %d %s", status, body)
	}
}
