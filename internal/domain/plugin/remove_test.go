package plugin_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/gateway"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/plugin"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// connected registers a plugin that runs elsewhere and gives what ends it.
func (r *rig) connected(m wire.Manifest) (stop func(), err error) {
	r.t.Helper()
	var token atomic.Value
	issued, err := r.Token(operator(r.t.Context()), m.Plugin)
	r.must(err)
	token.Store(issued)
	var dead atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if dead.Load() || q.Header.Get("Authorization") != "Bearer "+token.Load().(string) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(m)
	}))
	r.t.Cleanup(s.Close)
	_, err = r.Connect(operator(r.t.Context()), m.Plugin, s.URL)
	return s.Close, err
}

func TestAManifestThatAsksForMoreIsNotRegistered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := manifest("mine", "1.0.0")
	m.Resources, m.Permissions = &wire.Resources{Database: true, Bucket: true}, []string{"object.read"}
	_, err := r.connected(m)
	refused(t, err, errs.Invalid, "plugin.not_yet")
	for _, path := range []string{"resources.database: not yet", "resources.bucket: not yet", "permissions[0]: not yet"} {
		if !strings.Contains(err.Error(), path) {
			t.Errorf("%v does not name %s", err, path)
		}
	}
	if len(errs.As(err).Fields) != 3 {
		t.Errorf("%+v", errs.As(err).Fields)
	}
	if _, ok := r.Registry.Manifest("mine"); ok {
		t.Error("it is registered all the same")
	}
}

func TestWhatAPluginRequiresIsThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	needy := manifest("needy", "1.0.0")
	needy.Requires = []wire.Requirement{{Plugin: "base", Version: ">=1.2"}}
	_, err := r.connected(needy)
	refused(t, err, errs.Conflict, "plugin.requires")
	_, err = r.connected(manifest("base", "1.1.0"))
	r.must(err)
	_, err = r.connected(needy)
	refused(t, err, errs.Conflict, "plugin.requires")
	_, err = r.connected(manifest("base", "1.2.0"))
	r.must(err)
	_, err = r.connected(needy)
	r.must(err)
	// What is required neither goes nor becomes too old.
	refused(t, r.Remove(operator(t.Context()), "base"), errs.Conflict, "plugin.required")
	_, err = r.connected(manifest("base", "1.1.0"))
	refused(t, err, errs.Conflict, "plugin.required")
	if m, _ := r.Registry.Manifest("base"); m.Version != "1.2.0" {
		t.Errorf("base is %s", m.Version)
	}
	r.must(r.Remove(operator(t.Context()), "needy"))
	r.must(r.Remove(operator(t.Context()), "base"))
}

// misses is what would miss a plugin.
type misses struct {
	runs  []string
	types map[string][]wire.ObjectType
}

func (m *misses) AtWork(string) []string { return m.runs }

func (m *misses) Types(_ context.Context, name string) ([]wire.ObjectType, error) {
	return m.types[name], nil
}

func TestAPluginIsRemoved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := operator(t.Context())
	use := &misses{runs: []string{"run-7"}}
	r.Use = use
	for _, name := range []string{"mine", "other"} {
		_, err := r.connected(manifest(name, "1.0.0"))
		r.must(err)
	}
	to, _ := r.Router.Route("mine")
	err := r.Remove(ctx, "mine")
	refused(t, err, errs.Conflict, "plugin.at_work")
	if !strings.Contains(err.Error(), "run-7") {
		t.Errorf("%v does not name the run", err)
	}
	use.runs, use.types = nil, map[string][]wire.ObjectType{
		"mine":  {{Type: "part", Attributes: []wire.Attribute{{Name: "of", To: "mine:part"}}}},
		"other": {{Type: "thing", Attributes: []wire.Attribute{{Name: "part", To: "mine:part"}}}},
	}
	err = r.Remove(ctx, "mine")
	refused(t, err, errs.Conflict, "plugin.referred")
	if !strings.Contains(err.Error(), "other:thing") {
		t.Errorf("%v does not name the type", err)
	}
	use.types["other"] = nil
	viewer := identity.With(t.Context(),
		identity.Subject{ID: "user/v", Kind: identity.User, Grants: []identity.Grant{{Permission: "plugin.read", Project: "*"}}})
	if err := r.Remove(viewer, "mine"); !errs.Is(err, errs.Forbidden) {
		t.Errorf("somebody without the right: %v", err)
	}
	r.must(r.Remove(ctx, "mine"))
	// It is gone, here and after a restart, and its token with it.
	for name, at := range map[string]*plugin.Remote{"now": r.Remote, "after-a-restart": r.boot()} {
		r.must(at.Restore(t.Context()))
		if _, ok := at.Registry.Manifest("mine"); ok {
			t.Errorf("%s it is still registered", name)
		}
		if _, ok := at.Router.Route("mine"); ok {
			t.Errorf("%s it is still called", name)
		}
	}
	if _, err := r.identity.Subject(t.Context(), to.Token); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("its token: %v", err)
	}
	refused(t, r.Remove(ctx, "mine"), errs.NotFound, "plugin.not_found")
	refused(t, r.Remove(ctx, "cmdb"), errs.Conflict, "plugin.builtin")
	// It may come back.
	_, err = r.connected(manifest("mine", "0.9.0"))
	r.must(err)
	if m, _ := r.Registry.Manifest("mine"); m.Version != "0.9.0" {
		t.Errorf("it came back as %s", m.Version)
	}
}

func (r *rig) health() *plugin.Health {
	r.t.Helper()
	r.must(r.db.Migrate(r.t.Context(), bus.Domain, bus.Migrations))
	log := slog.New(slog.DiscardHandler)
	h := &plugin.Health{Registry: r.Registry, Router: r.Router, Clock: r.clock,
		DB: r.db, Audit: audit.New(r.db, r.clock), Bus: bus.New(r.db, r.clock, log), Log: log}
	r.Registry.Health, r.Router.Unreached = h, func(string) { h.Poke() }
	return h
}

func TestADeadPluginIsListedAsSuch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.health()
	r.must(r.Registry.Register(t.Context(), manifest("inside", "1.0.0")))
	r.Router.Set("inside", gateway.Route{Handler: http.NotFoundHandler()})
	if c := h.Of("inside"); c.State != plugin.StateStarting {
		t.Errorf("nobody has asked yet, and it is %+v", c)
	}
	stop, err := r.connected(manifest("mine", "1.0.0"))
	r.must(err)
	r.clock.Advance(time.Minute)
	h.Ask(t.Context())
	for _, name := range []string{"inside", "mine"} {
		if c := h.Of(name); c.State != plugin.StateRunning || c.Since.IsZero() {
			t.Errorf("%s is %+v", name, c)
		}
	}
	stop()
	h.Ask(t.Context())
	h.Ask(t.Context())
	lost := h.Of("mine")
	if lost.State != plugin.StateUnreachable || !lost.Since.Equal(r.clock.Now()) ||
		lost.Reason == "" || h.Of("inside").State != plugin.StateRunning {
		t.Errorf("it is %+v", lost)
	}
	_, err = r.connected(manifest("mine", "1.0.0"))
	r.must(err)
	if c := h.Of("mine"); c.State != plugin.StateRunning {
		t.Errorf("it was connected again and is %+v", c)
	}
	// Each change was told once.
	for _, verb := range []string{"lost", "reached"} {
		var events, records int
		r.must(r.db.QueryRow(t.Context(), "SELECT COUNT(*) FROM bus_event WHERE type = ? AND subject = 'plugin/mine'",
			"sextant.plugin."+verb+".v1").Scan(&events))
		r.must(r.db.QueryRow(t.Context(), "SELECT COUNT(*) FROM audit_record WHERE verb = ? AND object = 'plugin/mine'", "plugin."+verb).
			Scan(&records))
		if events != 1 || records != 1 {
			t.Errorf("%s: %d events, %d records", verb, events, records)
		}
	}
}

// Whoever answers in the place of a plugin is not it.
func TestAnotherProgramIsNotThePlugin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.health()
	r.must(r.Registry.Register(t.Context(), manifest("mine", "1.0.0")))
	for name, answer := range map[string]http.HandlerFunc{
		"other-plugin": func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(manifest("other", "1.0.0"))
		},
		"web-page":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"other-token": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"broken":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
	} {
		s := httptest.NewServer(answer)
		r.Router.Set("mine", gateway.Route{URL: s.URL})
		h.Ask(t.Context())
		if c := h.Of("mine"); c.State != plugin.StateUnreachable {
			t.Errorf("%s: it is %+v", name, c)
		}
		s.Close()
	}
}

// A call that reaches nobody has the plugins asked without waiting for the time.
func TestAFailedCallHasThePluginsAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.health()
	stop, err := r.connected(manifest("mine", "1.0.0"))
	r.must(err)
	stop()
	poked := make(chan struct{}, 1)
	r.Router.Unreached = func(string) { h.Poke(); poked <- struct{}{} }
	if _, err := r.Router.Do(t.Context(), gateway.Call{Plugin: "mine", Method: "POST", Path: "/v1/x"}); err == nil {
		t.Fatal("it answers")
	}
	<-poked
}

func TestAPluginIsListedWithAllThatItSays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.health()
	text := wire.Text{"en": "Words", "zh": "文字"}
	m := manifest("mine", "1.0.0")
	m.Title, m.Description = text, text
	m.Objects = []wire.ObjectType{{Type: "thing", Title: text, Description: wire.Text{"en": "A thing."},
		Attributes: []wire.Attribute{{Name: "id", Type: wire.TypeString, Title: text}}}}
	a := &m.Services[0].Actions[0]
	m.Services[0].Title, a.Title, a.Description, a.Effects = text, text, text, []string{"mine:thing"}
	a.Input = []wire.Param{{Name: "x", Type: wire.TypeString, Title: text, Description: wire.Text{"en": "An x."}}}
	a.Output = []wire.Param{{Name: "y", Type: wire.TypeEnum, Title: text, Description: wire.Text{"en": "A y."}, Values: []string{"a"}}}
	_, err := r.connected(m)
	r.must(err)
	at := api.New(api.Deps{Version: "test", DB: r.db, Clock: r.clock, Log: slog.New(slog.DiscardHandler), Authorize: identity.Require,
		Authenticate: func(q *http.Request) (context.Context, string, error) { return operator(q.Context()), "op", nil }})
	r.Registry.Routes(at)
	r.Routes(at)
	s := httptest.NewServer(at.Handler())
	t.Cleanup(s.Close)
	ask := func(method, path string) (int, []byte) {
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
		r.must(err)
		resp, err := http.DefaultClient.Do(req)
		r.must(err)
		defer resp.Body.Close()
		var raw json.RawMessage
		_ = json.NewDecoder(resp.Body).Decode(&raw)
		return resp.StatusCode, raw
	}
	var page struct{ Items []plugin.Listed }
	_, raw := ask("GET", "/api/v1/plugins")
	r.must(json.Unmarshal(raw, &page))
	if len(page.Items) != 1 || page.Items[0].State != plugin.StateRunning || string(wire.Raw(page.Items[0].Manifest)) != string(wire.Raw(m)) {
		t.Errorf("listed as %s", raw)
	}
	if status, raw := ask("DELETE", "/api/v1/plugins/mine"); status != http.StatusNoContent {
		t.Errorf("%d %s", status, raw)
	}
	if status, _ := ask("GET", "/api/v1/plugins/mine"); status != http.StatusNotFound {
		t.Errorf("afterwards: %d", status)
	}
}

// A plugin runs while one of its instances answers; each says how it is.
func TestEachInstanceIsAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.health()
	r.must(r.Registry.Register(t.Context(), manifest("mine", "1.0.0")))
	there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"plugin":"mine"}`)) }))
	t.Cleanup(there.Close)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"plugin":"other"}`))
	}))
	t.Cleanup(other.Close)
	r.Router.Put("mine", gateway.Instance{ID: "a", Weight: 2, Route: gateway.Route{URL: other.URL}})
	r.Router.Put("mine", gateway.Instance{ID: "b", Route: gateway.Route{URL: there.URL}})
	h.Ask(t.Context())
	c := h.Of("mine")
	if c.State != plugin.StateRunning || c.Reason != "" || len(c.Instances) != 2 {
		t.Fatalf("%+v", c)
	}
	if a, b := c.Instances[0], c.Instances[1]; a.Weight != 2 || a.Error != "another program answers at "+other.URL ||
		b.Error != "" || b.Address != there.URL {
		t.Errorf("%+v", c.Instances)
	}
	there.Close()
	h.Ask(t.Context())
	if c := h.Of("mine"); c.State != plugin.StateUnreachable || c.Instances[1].Error == "" {
		t.Errorf("%+v", c)
	}
}
