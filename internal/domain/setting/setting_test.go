package setting_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/setting"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/kit/secret"
	"sextant/internal/testkit/dbserver"
)

type rig struct {
	*setting.Service
	t     *testing.T
	db    *db.DB
	trail *audit.Log
	clock *clock.Fake
}

func newRig(t *testing.T) *rig {
	t.Helper()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	r := &rig{t: t, db: d, clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	r.must(err)
	t.Cleanup(func() { _ = d.Close() })
	r.must(d.Migrate(t.Context(), audit.Domain, audit.Migrations))
	r.must(d.Migrate(t.Context(), setting.Domain, setting.Migrations))
	r.must(d.Migrate(t.Context(), api.Domain, api.Migrations))
	r.trail = audit.New(d, r.clock)
	r.Service = r.with(1)
	return r
}

// with gives a service whose master key is made of one byte.
func (r *rig) with(key byte) *setting.Service {
	r.t.Helper()
	box, err := secret.New([]byte(strings.Repeat(string(rune(key)), 32)))
	r.must(err)
	return setting.New(r.db, r.clock, box, r.trail)
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// as is the context of a user with a permission on one project.
func as(ctx context.Context, project string, permissions ...string) context.Context {
	s := identity.Subject{ID: "user/" + project, Name: project, Kind: identity.User}
	for _, p := range permissions {
		s.Grants = append(s.Grants, identity.Grant{Permission: p, Project: project})
	}
	return identity.With(ctx, s)
}

func owner(ctx context.Context, project string) context.Context {
	return as(ctx, project, "connection.*", "setting.*")
}

func raw(v any) json.RawMessage {
	data, _ := json.Marshal(v) // of constants
	return data
}

// using is who may use the connections of a project.
func using(ctx context.Context, project string) context.Context {
	return as(ctx, project, "connection.use")
}

func input(host, password string) setting.Input {
	in := setting.Input{Type: "ssh", Environment: "prod", Fields: map[string]json.RawMessage{"host": raw(host), "port": raw(22)}}
	if password != "" {
		in.Secrets = map[string]string{"password": password}
	}
	return in
}

func refused(t *testing.T, err error, kind errs.Kind, code string) {
	t.Helper()
	if !errs.Is(err, kind) || !errs.HasCode(err, code) {
		t.Errorf("got %v, want %s", err, code)
	}
}

func (r *rig) resolved(project, ref, field string) string {
	r.t.Helper()
	got, err := r.Resolve(using(r.t.Context(), project), project, ref)
	r.must(err)
	var s string
	r.must(json.Unmarshal(got[field], &s))
	return s
}

func TestConnectionsKeepTheirSecrets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := owner(t.Context(), "a")
	c, err := r.Put(ctx, "a", "web", input("one", "hunter2"))
	r.must(err)
	if c.Version != 1 || c.Environment != "prod" || string(c.Fields["password"]) != `{"$secret":"connection/web#password"}` ||
		string(c.Fields["host"]) != `"one"` {
		t.Errorf("%+v", c)
	}
	for _, ref := range []string{"web", "connection/web"} {
		if got := r.resolved("a", ref, "password"); got != "hunter2" {
			t.Errorf("%s resolves to %q", ref, got)
		}
	}
	// Replaced without naming the secret, and with another one beside it.
	c, err = r.Put(ctx, "a", "web", input("two", ""))
	r.must(err)
	if c.Version != 2 || r.resolved("a", "web", "password") != "hunter2" || r.resolved("a", "web", "host") != "two" {
		t.Errorf("%+v", c)
	}
	in := input("two", "")
	in.Secrets = map[string]string{"private_key": "pem"}
	_, err = r.Put(ctx, "a", "web", in)
	r.must(err)
	if r.resolved("a", "web", "password") != "hunter2" || r.resolved("a", "web", "private_key") != "pem" {
		t.Error("a new secret drops the old one")
	}
	_, err = r.Put(ctx, "a", "web", input("two", "hunter3"))
	r.must(err)
	if got := r.resolved("a", "web", "password"); got != "hunter3" {
		t.Errorf("after it was changed: %q", got)
	}
	for _, field := range []string{"password", "private_key", "passphrase", "token", "secret"} {
		in := input("x", "")
		in.Fields[field] = raw("hunter2")
		_, err := r.Put(ctx, "a", "other", in)
		refused(t, err, errs.Invalid, "connection.secret_field")
	}
}

// Nothing that is stored, listed or audited holds a secret in clear.
func TestSecretsAreNowhereInClear(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.Put(owner(t.Context(), "a"), "a", "web", input("one", "hunter2-very-secret"))
	r.must(err)
	page, err := r.List(owner(t.Context(), "a"), "a", api.Paging{Limit: 10})
	r.must(err)
	told := fmt.Sprintf("%+v %s", page, raw(page))
	for _, query := range []string{"SELECT secrets FROM setting_connection",
		"SELECT fields FROM setting_connection", "SELECT detail FROM audit_record", "SELECT object FROM audit_record"} {
		var data []byte
		r.must(r.db.QueryRow(t.Context(), query).Scan(&data))
		told += string(data)
	}
	if strings.Contains(told, "hunter2") {
		t.Errorf("%s", told)
	}
}

// A sealed text opens in its own project, connection and field alone.
func TestASealedFieldCannotBeMoved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, p := range []string{"a", "b"} {
		for _, name := range []string{"mine", "other"} {
			in := input("one", "of "+p+" "+name)
			in.Secrets["token"] = "token"
			_, err := r.Put(owner(t.Context(), p), p, name, in)
			r.must(err)
		}
	}
	var mine []byte
	r.must(r.db.QueryRow(t.Context(), "SELECT secrets FROM setting_connection WHERE project = 'a' AND name = 'mine'").Scan(&mine))
	var sealed map[string]string
	r.must(json.Unmarshal(mine, &sealed))
	for name, c := range map[string]struct {
		project, name string
		secrets       map[string]string
	}{
		"other-connection": {"a", "other", sealed},
		"other-project":    {"b", "mine", sealed},
		"other-field":      {"a", "mine", map[string]string{"token": sealed["password"]}},
		"damaged":          {"a", "mine", map[string]string{"password": sealed["password"][:20] + "AAAA" + sealed["password"][24:]}},
	} {
		r.must(r.db.Do(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec("UPDATE setting_connection SET secrets = ? WHERE project = ? AND name = ?", []byte(raw(c.secrets)), c.project, c.name)
			return err
		}))
		_, err := r.Resolve(using(t.Context(), c.project), c.project, c.name)
		if !errs.HasCode(err, "connection.sealed") || !errs.Is(err, errs.Unavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnotherMasterKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.Put(owner(t.Context(), "a"), "a", "web", input("one", "hunter2"))
	r.must(err)
	_, err = r.with(2).Resolve(using(t.Context(), "a"), "a", "web")
	refused(t, err, errs.Unavailable, "connection.sealed")
}

func TestProjectsAreApart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, p := range []string{"a", "b"} {
		_, err := r.Put(owner(t.Context(), p), p, "web-"+p, input(p, "pw"))
		r.must(err)
		if _, err := r.SetValue(owner(t.Context(), p), p, "limit", p, nil); err != nil {
			t.Fatal(err)
		}
	}
	ctx := owner(t.Context(), "a")
	page, err := r.List(ctx, "a", api.Paging{Limit: 10})
	if err != nil || len(page.Items) != 1 || page.Items[0].Name != "web-a" {
		t.Errorf("%+v, %v", page, err)
	}
	_, err = r.List(ctx, "b", api.Paging{Limit: 10})
	refused(t, err, errs.Forbidden, "identity.forbidden")
	_, err = r.Put(ctx, "b", "web-b", input("x", ""))
	refused(t, err, errs.Forbidden, "identity.forbidden")
	refused(t, r.Delete(ctx, "b", "web-b"), errs.Forbidden, "identity.forbidden")
	_, err = r.SetValue(ctx, "b", "limit", "x", nil)
	refused(t, err, errs.Forbidden, "identity.forbidden")
	// What another project has is not there in one's own.
	refused(t, r.Delete(ctx, "a", "web-b"), errs.NotFound, "connection.not_found")
	_, err = r.Resolve(using(t.Context(), "a"), "a", "web-b")
	refused(t, err, errs.NotFound, "connection.not_found")
	if v, ok, err := r.Value(t.Context(), "a", "limit"); err != nil || !ok || v != "a" {
		t.Errorf("%q, %v, %v", v, ok, err)
	}
	if _, ok, err := r.Value(t.Context(), "c", "limit"); err != nil || ok {
		t.Errorf("%v, %v", ok, err)
	}
	r.must(r.Delete(ctx, "a", "web-a"))
	refused(t, r.Delete(ctx, "a", "web-a"), errs.NotFound, "connection.not_found")
	_, err = r.Resolve(using(t.Context(), "b"), "b", "web-b")
	r.must(err)
	// Reading is a right of its own.
	_, err = r.List(as(t.Context(), "a", "connection.write"), "a", api.Paging{Limit: 1})
	refused(t, err, errs.Forbidden, "identity.forbidden")
}

func TestPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := owner(t.Context(), "a")
	for _, name := range []string{"c", "a", "e", "b", "d"} {
		_, err := r.Put(ctx, "a", name, input(name, ""))
		r.must(err)
	}
	var names string
	for after := ""; ; {
		page, err := r.List(ctx, "a", api.Paging{Limit: 2, After: after})
		r.must(err)
		for _, c := range page.Items {
			names += c.Name
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if names != "abcde" {
		t.Error(names)
	}
}

func TestChangesAreAudited(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := owner(t.Context(), "a")
	_, err := r.Put(ctx, "a", "web", input("x", "pw"))
	r.must(err)
	r.clock.Advance(time.Second)
	_, err = r.SetValue(ctx, "a", "limit", "1", nil)
	r.must(err)
	r.clock.Advance(time.Second)
	r.must(r.Delete(ctx, "a", "web"))
	page, err := r.trail.List(ctx, audit.Filter{Project: "a", Paging: api.Paging{Limit: 10}})
	r.must(err)
	var verbs []string
	for _, rec := range page.Items {
		verbs = append(verbs, rec.Verb+" "+rec.Object+" "+rec.Subject)
	}
	if got := strings.Join(verbs, ", "); got != "connection.delete connection/web user/a, "+
		"setting.write setting/limit user/a, connection.write connection/web user/a" {
		t.Error(got)
	}
}

func TestTheEndpoints(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := api.New(api.Deps{Version: "test", DB: r.db, Clock: r.clock, Log: slog.New(slog.DiscardHandler),
		Authenticate: func(q *http.Request) (context.Context, string, error) { return owner(q.Context(), "a"), "a", nil },
		Authorize:    identity.Require,
	})
	r.Routes(a)
	s := httptest.NewServer(a.Handler())
	t.Cleanup(s.Close)
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"PUT", "/api/v1/connections/web?project=a", `{"type":"ssh","fields":{"host":"x"},"secrets":{"password":"hunter2"}}`, 200},
		{"PUT", "/api/v1/connections/Web?project=a", `{"type":"ssh"}`, 422},
		{"PUT", "/api/v1/connections/web?project=b", `{"type":"ssh"}`, 403},
		{"PUT", "/api/v1/connections/web", `{"type":"ssh"}`, 403},
		{"PUT", "/api/v1/connections/web?project=a", `{"type":""}`, 422},
		{"GET", "/api/v1/connections?project=a", "", 200},
		{"GET", "/api/v1/connections?project=b", "", 403},
		{"PUT", "/api/v1/settings/limit?project=a", `{"value":"1"}`, 200},
		{"PUT", "/api/v1/settings/no%20name?project=a", `{"value":"1"}`, 422},
		{"GET", "/api/v1/settings?project=a", "", 200},
		{"GET", "/api/v1/settings?project=b", "", 403},
		{"DELETE", "/api/v1/settings/none?project=a", "", 404},
		{"DELETE", "/api/v1/settings/limit?project=b", "", 403},
		{"DELETE", "/api/v1/settings/limit?project=a", "", 204},
		{"PUT", "/api/v1/settings/limit?project=b", `{"value":"1"}`, 403},
		{"DELETE", "/api/v1/connections/none?project=a", "", 404},
		{"DELETE", "/api/v1/connections/web?project=a", "", 204},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, s.URL+c.path, strings.NewReader(c.body))
		r.must(err)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		r.must(err)
		var body map[string]any
		_ = json.NewDecoder(resp.Body).Decode(&body) // 204 has none
		_ = resp.Body.Close()
		if resp.StatusCode != c.want || strings.Contains(fmt.Sprint(body), "hunter2") {
			t.Errorf("%s %s: %d %v, want %d", c.method, c.path, resp.StatusCode, body, c.want)
		}
	}
}

// Rights in one environment open the connections of that one alone.
func TestRightsInAnEnvironment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, environment := range map[string]string{"dev-db": "dev", "prod-db": "prod", "any-db": ""} {
		in := input("x", "")
		in.Environment = environment
		_, err := r.Put(owner(t.Context(), "a"), "a", name, in)
		r.must(err)
	}
	ctx := identity.With(t.Context(), identity.Subject{ID: "user/bob", Name: "bob",
		Kind: identity.User, Grants: []identity.Grant{{Permission: "connection.*", Project: "a", Environment: "dev"}}})
	page, err := r.List(ctx, "a", api.Paging{Limit: 10})
	r.must(err)
	if len(page.Items) != 1 || page.Items[0].Name != "dev-db" {
		t.Errorf("sees %+v", page.Items)
	}
	put := func(name, environment string) error {
		in := input("y", "")
		in.Environment = environment
		_, err := r.Put(ctx, "a", name, in)
		return err
	}
	r.must(put("dev-db", "dev"))
	r.must(put("new", "dev"))
	refused(t, put("new", "prod"), errs.Forbidden, "identity.forbidden")
	refused(t, put("new", ""), errs.Forbidden, "identity.forbidden")
	refused(t, put("prod-db", "dev"), errs.Conflict, "connection.environment")
	refused(t, r.Delete(ctx, "a", "prod-db"), errs.NotFound, "connection.not_found")
	refused(t, r.Delete(ctx, "a", "any-db"), errs.NotFound, "connection.not_found")
	r.must(r.Delete(ctx, "a", "dev-db"))
}

// A value is replaced by whoever has read it; who was slower reads it again.
func TestVersionsOfValues(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := owner(t.Context(), "a")
	at := func(v int64) *int64 { return &v }
	set := func(value string, expect *int64) (setting.Value, error) {
		return r.SetValue(ctx, "a", "limit", value, expect)
	}
	_, err := set("1", at(1))
	refused(t, err, errs.Stale, "setting.stale")
	v, err := set("1", at(0))
	if err != nil || v.Version != 1 || !v.Updated.Equal(r.clock.Now()) {
		t.Errorf("%+v, %v", v, err)
	}
	_, err = set("2", at(0))
	refused(t, err, errs.Stale, "setting.stale")
	v, err = set("2", at(1))
	if err != nil || v.Version != 2 || v.Value != "2" {
		t.Errorf("%+v, %v", v, err)
	}
	_, err = set("3", nil)
	r.must(err)
	refused(t, r.DeleteValue(ctx, "a", "limit", at(2)), errs.Stale, "setting.stale")
	r.must(r.DeleteValue(ctx, "a", "limit", at(3)))
	refused(t, r.DeleteValue(ctx, "a", "limit", nil), errs.NotFound, "setting.not_found")
	if _, ok, err := r.Value(ctx, "a", "limit"); ok || err != nil {
		t.Errorf("it is still there: %v", err)
	}
}

func TestListOfValues(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, p := range []string{"a", "b"} {
		for i := range 3 {
			_, err := r.SetValue(owner(t.Context(), p), p, fmt.Sprint("s", i), p, nil)
			r.must(err)
		}
	}
	var names []string
	for after := ""; ; {
		page, err := r.Values(as(t.Context(), "a", "setting.read"), "a", api.Paging{Limit: 2, After: after})
		r.must(err)
		for _, v := range page.Items {
			names = append(names, v.Project+v.Name+v.Value)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "as0a as1a as2a" {
		t.Error(got)
	}
	_, err := r.Values(as(t.Context(), "a", "setting.write"), "a", api.Paging{Limit: 2})
	refused(t, err, errs.Forbidden, "identity.forbidden")
}

// A connection that somebody may not use is as if it were not there, wherever it
// is named; one that belongs to no environment serves all.
func TestWhoMayUseAConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, environment := range map[string]string{"prod": "prod", "dev": "dev", "all": ""} {
		in := input("h", "secret")
		in.Environment = environment
		_, err := r.Put(owner(t.Context(), "a"), "a", name, in)
		r.must(err)
	}
	in := func(environment string, permissions ...string) context.Context {
		s := identity.Subject{ID: "user/x", Name: "x", Kind: identity.User}
		for _, p := range permissions {
			s.Grants = append(s.Grants, identity.Grant{Permission: p, Project: "a", Environment: environment})
		}
		return identity.With(t.Context(), s)
	}
	for _, c := range []struct {
		who  context.Context
		name string
		may  bool
	}{
		{in("dev", "connection.use"), "dev", true}, {in("dev", "connection.use"), "all", true}, {in("dev", "connection.use"), "prod", false},
		{in("*", "connection.use"), "prod", true}, {in("*", "connection.read", "run.start"), "dev", false},
		{in("*", "connection.*"), "dev", true},
		{as(t.Context(), "b", "connection.use"), "dev", false}, {t.Context(), "all", false},
	} {
		_, used := r.Usable(c.who, "a", c.name)
		fields, err := r.Resolve(c.who, "a", "connection/"+c.name)
		if c.may != (err == nil) || c.may != (used == nil) || c.may != (fields != nil) {
			t.Errorf("%s by %+v: %v, %v", c.name, identity.From(c.who).Grants, used, err)
		}
		if !c.may {
			refused(t, err, errs.NotFound, "connection.not_found")
		}
	}
}

func TestTargetsOfAConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for target, ok := range map[string]bool{
		"host:host": true, "host:host{environment eq 'dev'}": true, "10.1.*": true,
		"web-?.example:22": true, "[::1]:22": true, "192.0.2.[0-9]": true,
		"": false, "host:host.zone>cmdb:zone": false, "host:host.address": false, "host:host{nonsense": false, "10.[": false, "a\nb": false,
	} {
		in := input("h", "secret")
		in.Targets = []string{target}
		c, err := r.Put(owner(t.Context(), "a"), "a", "c", in)
		if ok != (err == nil) || ok && (len(c.Targets) != 1 || c.Targets[0] != target) {
			t.Errorf("%q: %+v, %v", target, c, err)
		}
		if !ok {
			refused(t, err, errs.Invalid, "connection.target")
		}
	}
}
