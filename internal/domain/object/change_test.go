package object_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/gateway"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/object"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/wire"
)

// in1 is a user with rights on objects of project a in some environments alone.
func in1(ctx context.Context, environments ...string) context.Context {
	s := identity.Subject{ID: "user/dan", Name: "dan", Kind: identity.User}
	for _, e := range environments {
		s.Grants = append(s.Grants, identity.Grant{Permission: "object.*", Project: "a", Environment: e})
	}
	return identity.With(ctx, s)
}

func put(typ string, pairs ...string) object.Change {
	row := wire.Row{}
	for i := 0; i < len(pairs); i += 2 {
		row[pairs[i]] = wire.Raw(pairs[i+1])
	}
	return object.Change{Op: object.OpPut, Type: typ, Row: row}
}

// fields are the places at fault of an error.
func fields(err error) string {
	var all []string
	for _, f := range errs.As(err).Fields {
		all = append(all, f.Path)
	}
	return strings.Join(all, " ")
}

// effects is what became of changes.
func effects(done []object.Done) string {
	var all []string
	for _, d := range done {
		all = append(all, strings.TrimPrefix(d.Object, "cmdb:")+" "+d.Effect)
	}
	return strings.Join(all, ", ")
}

func (g *graphRig) there(ref string) bool {
	g.t.Helper()
	r, err := object.ParseRef(ref)
	g.must(err)
	_, err = g.Get(as(g.t.Context(), "a"), r, in("a"))
	if err != nil && !errs.Is(err, errs.NotFound) {
		g.t.Fatal(err)
	}
	return err == nil
}

func TestWhatIsReferredToIsNotDeleted(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	g.define("- {type: use, scope: {project: project, environment: env}, " +
		"attributes: [{name: of, type: ref, to: \"p:thing\"}, {name: seen, type: ref, to: \"p:thing\", observed: true}]}")
	g.post("/entities/use/create", []wire.Row{
		{"id": wire.Raw("u1"), "project": wire.Raw("a"), "env": wire.Raw("dev"), "of": wire.Raw("a1")},
		{"id": wire.Raw("u2"), "project": wire.Raw("a"), "env": wire.Raw("prod"), "of": wire.Raw("a1")},
		{"id": wire.Raw("u3"), "project": wire.Raw("b"), "env": wire.Raw("dev"), "seen@observed": wire.Raw("a2")},
	})
	g.owner.rows["part"] = nil
	err := g.Delete(as(t.Context(), "a"), "p:thing", in("a"), []string{"a1"})
	refused(t, err, errs.Conflict, "object.referred")
	if got := fields(err); got != "cmdb:use/u1 cmdb:use/u2" ||
		!strings.Contains(err.Error(), "2 objects refer to it, such as cmdb:use/u1, cmdb:use/u2") {
		t.Error(err)
	}
	err = g.Delete(in1(t.Context(), "dev"), "p:thing", in("a"), []string{"a1"})
	if got := fields(err); got != "cmdb:use/u1" || strings.Contains(err.Error(), "u2") || errs.As(err).Params["count"] != "2" {
		t.Error(err)
	}
	err = g.Delete(as(t.Context(), "a"), "p:thing", in("a"), []string{"a2"})
	refused(t, err, errs.Conflict, "object.referred")
	if got := fields(err); got != "" || strings.Contains(err.Error(), "u3") || errs.As(err).Params["count"] != "1" {
		t.Error(err)
	}
	// Among the types of one plugin, and for what goes or lets go in the same set.
	ctx := as(t.Context(), "a")
	refused(t, g.Delete(ctx, "cmdb:host", in("a"), []string{"h1"}), errs.Conflict, "object.referred")
	drop := func(typ, id string) object.Change {
		return object.Change{Op: wire.OpDelete, Type: typ, Row: wire.Row{"id": wire.Raw(id)}}
	}
	done, err := g.Change(ctx, in("a"), []object.Change{drop("cmdb:host", "h1"),
		drop("cmdb:instance", "shop-1"), drop("cmdb:host", "h2"), put("cmdb:instance", "id", "shop-2", "host", "h3")}, object.Options{})
	if got := effects(done); err != nil || got != "host/h1 deleted, instance/shop-1 deleted, host/h2 deleted, instance/shop-2 changed" {
		t.Errorf("%s %v", got, err)
	}
	// Where it cannot be known what refers to it, it stays.
	g.deps.Router.Set("cmdb", gateway.Route{URL: "http://127.0.0.1:1"})
	if err := g.Delete(ctx, "p:thing", in("a"), []string{"a3"}); !errs.Is(err, errs.Unavailable) {
		t.Error(err)
	}
}

func TestASetIsCheckedLikeAnyChange(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	g.define("- {type: use, scope: {project: project}, attributes: [{name: " +
		"of, type: ref, to: \"p:thing\"}, {name: host, type: multiref, to: \"cmdb:host\"}, {name: n, type: int}]}")
	ctx := as(t.Context(), "a")
	_, err := g.Change(ctx, in("a"), []object.Change{
		put("cmdb:use", "id", "ok", "of", "a1"),
		put("cmdb:use", "id", "foreign", "of", "b1"),
		put("cmdb:instance", "id", "i", "service", "nowhere", "host", "h1"),
		put("cmdb:use", "id", "other", "project", "b"),
		put("cmdb:rack", "id", "r"),
		put("cmdb:use", "id", "ok", "of", "a2"),
		put("cmdb:host", "id", "h1", "colour", "red"),
	}, object.Options{})
	refused(t, err, errs.Invalid, "object.changes")
	if got := fields(err); got != "changes[1].of changes[2].service changes[3].project changes[4] changes[5].id" {
		t.Errorf("%s\n%v", got, err)
	}
	_, err = g.Change(ctx, in("a"), []object.Change{
		put("cmdb:use", "id", "ok", "n", "many"), put("cmdb:host", "id", "h1", "colour", "red"), put("cmdb:use", "id", "fine")}, object.Options{})
	if got := fields(err); got != "changes[0].n changes[1].colour" {
		t.Errorf("%s\n%v", got, err)
	}
	// Many references of one attribute that lead nowhere are one fault.
	var nowhere []string
	for i := range 3000 {
		nowhere = append(nowhere, fmt.Sprint("x", i))
	}
	many := put("cmdb:use", "id", "many")
	many.Row["host"] = wire.Raw(nowhere)
	_, err = g.Change(ctx, in("a"), []object.Change{many, put("cmdb:use", "id", "one")}, object.Options{})
	if got := fields(err); got != "changes[0].host" || !strings.Contains(err.Error(), "of 2999 more there is none") {
		t.Error(err)
	}
	if g.there("cmdb:use/ok") || g.there("cmdb:use/fine") {
		t.Error("a part of a set that was refused is there")
	}
	// What create refuses, a set refuses too, with the same code.
	_, err = g.Create(ctx, "cmdb:use", in("a"), []wire.Row{{"id": wire.Raw("x"), "of": wire.Raw("b1")}})
	refused(t, err, errs.Invalid, "object.reference")
	_, err = g.Change(ctx, in("a"), []object.Change{put("cmdb:use", "id", "x", "of", "b1")}, object.Options{})
	refused(t, err, errs.Invalid, "object.reference")
	_, err = g.Change(in1(t.Context(), "dev"), in("a"), []object.Change{put("cmdb:host", "id", "h9", "env", "prod")}, object.Options{})
	refused(t, err, errs.Forbidden, "object.environment")
	_, err = g.Change(in1(t.Context(), "dev"), in("a"), []object.Change{put("cmdb:use", "id", "x", "host", "h3")}, object.Options{})
	refused(t, err, errs.Invalid, "object.reference")

	done, err := g.Change(ctx, in("a"), []object.Change{
		put("cmdb:instance", "id", "new", "service", "later", "host", "h8"),
		put("cmdb:service", "id", "later", "needs", "db"), put("cmdb:host", "id", "h8", "env", "dev"),
		put("cmdb:host", "id", "h1", "name", "First"),
	}, object.Options{})
	if got := effects(done); err != nil || got != "instance/new created, service/later created, host/h8 created, host/h1 changed" {
		t.Errorf("%s %v", got, err)
	}
	done, err = g.Change(ctx, in("a"), []object.Change{put("cmdb:host", "id", "h7", "env", "dev")}, object.Options{DryRun: true})
	if effects(done) != "host/h7 created" || err != nil || g.there("cmdb:host/h7") {
		t.Errorf("%v %v", done, err)
	}
}

func TestDefinitionsAreARightOfTheirOwn(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	doc := g.changes("types:\n- type: rack\n  scope: {project: team}\n" +
		"  attributes: [{name: height, type: int}]\nobjects:\n  rack:\n  - {id: r1, height: 42}\n")
	for name, ctx := range map[string]context.Context{"everything about objects": as(t.Context(), "default"),
		"in one project": identity.With(t.Context(), identity.Subject{ID: "user/x", Name: "x", Kind: identity.User,
			Grants: []identity.Grant{{Permission: "object.*", Project: "*"}, {Permission: "type.write", Project: "default"}}})} {
		_, err := g.Change(ctx, in("default"), doc, object.Options{})
		if !errs.Is(err, errs.Forbidden) || !strings.Contains(err.Error(), "type.write") {
			t.Errorf("%s: %v", name, err)
		}
		_, err = g.Update(ctx, "cmdb:object_type", in("default"),
			[]wire.Row{{"id": wire.Raw("host"), "scope_environment": json.RawMessage("null")}})
		refused(t, err, errs.Forbidden, "identity.forbidden")
		refused(t, g.Delete(ctx, "cmdb:object_attribute", in("default"), []string{"room.name"}), errs.Forbidden, "identity.forbidden")
	}
	if _, err := g.Type(t.Context(), "cmdb:rack"); err == nil {
		t.Error("it is there")
	}
	done, err := g.Change(architect(t.Context()), in("a"), doc, object.Options{})
	if got := effects(done); err != nil || got != "object_type/rack created, object_attribute/rack.height created, rack/r1 created" {
		t.Errorf("%s %v", got, err)
	}
	row, err := g.Get(as(t.Context(), "a"), object.Ref{Package: "cmdb", Type: "rack", ID: "r1"}, in("a"))
	if err != nil || string(row["team"]) != `"a"` {
		t.Errorf("%v %v", row, err)
	}
	// A type that cannot be is not there in part.
	_, err = g.Change(architect(t.Context()), in("a"),
		g.changes("types:\n- {type: bad, attributes: [{name: x, type: int}, {name: y, type: enum}]}\n"), object.Options{})
	if err == nil || fields(err) != "changes[2].values" {
		t.Error(err)
	}
	if _, err := g.Type(t.Context(), "cmdb:bad"); err == nil {
		t.Error("a type whose creation was refused is there")
	}
	// With a type go its attributes, but not its objects.
	err = g.Delete(architect(t.Context()), "cmdb:object_type", in("default"), []string{"rack"})
	if err == nil || !strings.Contains(err.Error(), "there is 1 object of cmdb:rack: remove them first") {
		t.Error(err)
	}
	g.must(g.Delete(as(t.Context(), "a"), "cmdb:rack", in("a"), []string{"r1"}))
	g.must(g.Delete(architect(t.Context()), "cmdb:object_type", in("default"), []string{"rack"}))
	left, _, err := g.Query(architect(t.Context()), "cmdb:object_attribute",
		in("default"), wire.Query{AdditionalFilters: []wire.Filter{{Attr: "object_type", Op: wire.OpEq, Condition: wire.Raw("rack")}}})
	if err != nil || len(left) != 0 {
		t.Errorf("%v %v", left, err)
	}
	// Who may see prod is not for a definition to change.
	_, err = g.Update(architect(t.Context()), "cmdb:object_type", in("default"),
		[]wire.Row{{"id": wire.Raw("host"), "scope_environment": json.RawMessage("null")}})
	refused(t, err, errs.Invalid, "object.refused")
}

func TestAnOldVersionIsNotChanged(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	ctx := as(t.Context(), "a")
	row, err := g.Get(ctx, cmdbRef("service", "shop"), in("a"))
	if g.must(err); string(row["@version"]) != "1" {
		t.Fatalf("%v", row)
	}
	update := func(pairs ...string) error {
		_, err := g.Update(ctx, "cmdb:service", in("a"), []wire.Row{put("", append([]string{"id", "shop"}, pairs...)...).Row})
		return err
	}
	g.must(update("@version", "1", "name", "theirs"))
	err = update("@version", "1", "name", "mine", "secret", "hunter2")
	refused(t, err, errs.Stale, "object.stale")
	c, ok := errs.As(err).Data.(object.Conflict)
	if !ok || c.Version != "2" || string(c.Stored["name"]) != `"theirs"` ||
		string(c.Yours["name"]) != `"mine"` || strings.Contains(string(wire.Raw(c)), "hunter2") {
		t.Errorf("%s", wire.Raw(c))
	}
	_, err = g.Change(ctx, in("a"), []object.Change{
		{Op: wire.OpDelete, Type: "cmdb:service", Row: wire.Row{"id": wire.Raw("shop"), "@version": wire.Raw(1)}}}, object.Options{})
	refused(t, err, errs.Stale, "object.stale")
	// Of an owner that keeps no versions none is promised.
	_, err = g.Update(ctx, "p:thing", in("a"), []wire.Row{{"id": wire.Raw("a1"), "@version": wire.Raw(1), "name": wire.Raw("x")}})
	refused(t, err, errs.Invalid, "object.no_versions")
}

func TestVersionsOverHTTP(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	h := g.edge(func(r *http.Request) context.Context { return as(r.Context(), "a") })
	ask := func(method, path, ifMatch, body string) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(t.Context(), method, "http://x"+path+"?project=a", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		if ifMatch != "" {
			req.Header.Set("If-Match", ifMatch)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		return w
	}
	const one, all = "/api/v1/objects/cmdb:service/shop", "/api/v1/objects/cmdb:service"
	if w := ask("GET", one, "", ""); w.Header().Get("ETag") != `"1"` {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	if w := ask("PATCH", all, `"1"`, `[{"id":"shop","name":"a"}]`); w.Code != 200 || w.Header().Get("ETag") != `"2"` {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	w := ask("PATCH", all, `"1"`, `[{"id":"shop","name":"b"}]`)
	var p struct {
		Code string
		Data object.Conflict
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 412 ||
		p.Code != "object.stale" || p.Data.Version != "2" || string(p.Data.Stored["name"]) != `"a"` || string(p.Data.Yours["name"]) != `"b"` {
		t.Errorf("%d %s %v", w.Code, w.Body, err)
	}
	if w := ask("DELETE", "/api/v1/objects/cmdb:instance/db-1", `"7"`, ""); w.Code != 412 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask("DELETE", "/api/v1/objects/cmdb:instance/db-1", `"1"`, ""); w.Code != 204 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask("PATCH", all, `"1"`, `[{"id":"shop"},{"id":"db"}]`); w.Code != 422 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask("PATCH", all, `x`, `[{"id":"shop"}]`); w.Code != 400 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// edge is the API of the objects for a subject that a test finds.
func (g *graphRig) edge(who func(*http.Request) context.Context) http.Handler {
	a := api.New(api.Deps{DB: g.db, Clock: g.deps.Clock, Authenticate: func(r *http.Request) (context.Context, string, error) {
		ctx := who(r)
		return ctx, identity.From(ctx).ID, nil
	}, Authorize: func(ctx context.Context, permission, project string) error {
		return identity.Require(ctx, permission, project)
	}})
	g.Routes(a)
	return a.Handler()
}

// A service of the plugin writes what the run may write, where the run is, and in
// its name.
func TestAPluginWritesWithTheRightsOfItsRun(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	g.up.to = g.edge(func(r *http.Request) context.Context {
		job := r.Header.Get(wire.HeaderJob)
		if r.Header.Get("Authorization") != "Bearer of cmdb" || job == "" {
			return r.Context()
		}
		rights := identity.Rights{Name: "dan", Grants: []identity.Grant{{Permission: "object.*", Project: "a", Environment: "dev"}}}
		return object.OnBehalfOf(identity.With(r.Context(), rights.Run(job)), job)
	})
	call := func(path, key, project string, in map[string]any) string {
		in["callbackParameter"] = "1"
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path,
			strings.NewReader(string(wire.Raw(map[string]any{"inputs": []any{in}}))))
		req.Header.Set(wire.HeaderIdempotencyKey, key)
		req.Header.Set(wire.HeaderProject, project)
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, req)
		var out struct {
			Results struct {
				Outputs []struct{ ErrorCode, ErrorMessage, Outcome string }
			}
		}
		g.must(json.Unmarshal(w.Body.Bytes(), &out))
		o := out.Results.Outputs[0]
		return strings.TrimSpace(o.Outcome + " " + o.ErrorCode + " " + o.ErrorMessage)
	}
	text := func(env string) map[string]any {
		return map[string]any{"text": "objects:\n  host:\n  - {id: h1, name: mine}\n  - {id: " + env + "-1, env: " + env + "}\n"}
	}
	if got := call("/v1/import/yaml", "1.1.1", "a", text("prod")); !strings.Contains(got,
		`failed cmdb.import line 4, column 23: host/prod-1: env: you may change objects in dev only`) {
		t.Error(got)
	}
	if got := call("/v1/import/yaml", "1.1.2", "b", text("dev")); !strings.Contains(got, "failed identity.forbidden") {
		t.Error(got)
	}
	if got := call("/v1/types/define", "1.1.3", "a", map[string]any{"types": "[{type: host, scope: null}]"}); !strings.Contains(got,
		"failed identity.forbidden") || !strings.Contains(got, "type.write") {
		t.Error(got)
	}
	overwrite := map[string]any{"text": "objects:\n  host:\n  - {id: h3, name: stolen}\n"}
	if got := call("/v1/import/yaml", "1.1.4", "a", overwrite); !strings.Contains(got, "failed object.right") {
		t.Error(got)
	}
	if got := call("/v1/import/yaml", "1.1.5", "a", text("dev")); got != "ok 0" {
		t.Error(got)
	}
	page, err := g.History(as(t.Context(), "a"), cmdbRef("host", "dev-1"), in("a"), api.Paging{Limit: 5})
	if g.must(err); len(page.Items) != 1 || page.Items[0].Subject != "run/1.1.5" ||
		page.Items[0].Name != "dan" || page.Items[0].Environment != "dev" || !strings.Contains(string(page.Items[0].Detail), `"run":"1.1.5"`) {
		t.Errorf("%+v", page.Items)
	}
	row, err := g.Get(as(t.Context(), "a"), cmdbRef("host", "h3"), in("a"))
	if g.must(err); string(row["name"]) != `"Third"` {
		t.Errorf("%v", row)
	}
}

// Rights of the requester elsewhere are not the run's to use.
func TestWhatIsDoneForARunStaysInItsProject(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	ctx := object.Within(architect(t.Context()), "a")
	_, err := g.Change(ctx, in("b"), []object.Change{put("cmdb:service", "id", "x")}, object.Options{})
	refused(t, err, errs.Forbidden, "object.outside")
	_, _, err = g.Query(ctx, "cmdb:service", in("b"), wire.Query{})
	refused(t, err, errs.Forbidden, "object.outside")
	_, err = g.Get(ctx, cmdbRef("service", "shop"), in("default"))
	refused(t, err, errs.Forbidden, "object.outside")
	if _, err = g.Change(ctx, in("a"), []object.Change{put("cmdb:service", "id", "x")}, object.Options{}); err != nil {
		t.Error(err)
	}
}

// guard refuses objects of one name, and counts those who were let in and have
// not left.
type guard struct {
	held   string
	inside int
}

// Edit refuses it.
func (g *guard) Edit(ctx context.Context, _ string, objects []string, reason string) (func(), error) {
	for _, o := range objects {
		if o == g.held && identity.From(ctx).ID != "run/7" && reason == "" {
			return nil, errs.New(errs.Locked, "control.locked", "%s is held by run 7", o)
		}
	}
	g.inside++
	return func() { g.inside-- }, nil
}

func TestAGuardIsAskedInEveryWay(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	lock := &guard{held: "cmdb:service/shop"}
	g.Attach(lock)
	ctx := as(t.Context(), "a")
	shop := []wire.Row{{"id": wire.Raw("shop"), "name": wire.Raw("x")}}
	_, err := g.Update(ctx, "cmdb:service", in("a"), shop)
	refused(t, err, errs.Locked, "control.locked")
	_, err = g.Change(ctx, in("a"), []object.Change{put("cmdb:service", "id", "free"), put("cmdb:service", "id", "shop", "name", "x")},
		object.Options{})
	refused(t, err, errs.Locked, "control.locked")
	if g.there("cmdb:service/free") {
		t.Error("a part was made")
	}
	g.must(g.Delete(ctx, "cmdb:instance", in("a"), []string{"shop-1", "shop-2"}))
	refused(t, g.Delete(ctx, "cmdb:service", in("a"), []string{"shop"}), errs.Locked, "control.locked")
	holder := identity.With(t.Context(), identity.Subject{ID: "run/7", Name: "ann", Grants: identity.From(ctx).Grants})
	_, err = g.Update(holder, "cmdb:service", in("a"), shop)
	g.must(err)
	g.must(g.Delete(holder, "cmdb:service", in("a"), []string{"shop"}))
	_, err = g.Create(ctx, "cmdb:service", in("a"), shop)
	refused(t, err, errs.Locked, "control.locked")
	_, err = g.Create(object.WithReason(ctx, "the run is stuck"), "cmdb:service", in("a"), shop)
	g.must(err)
	page, err := g.trail.List(ctx, audit.Filter{Project: "a", Object: "cmdb:service/shop", Paging: api.Paging{Limit: 1}})
	if g.must(err); !strings.Contains(string(page.Items[0].Detail), "the run is stuck") || lock.inside != 0 {
		t.Errorf("%s, %d inside", page.Items[0].Detail, lock.inside)
	}
}

// Whoever changed the types: what was believed of them is not, from the commit on.
func TestTypesAreThoseOfTheCommitThatChangedThem(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	ctx := as(t.Context(), "a")
	other := object.New(g.deps) // as on another node
	read := func(s *object.Service) string {
		t.Helper()
		row, err := s.Get(ctx, cmdbRef("service", "shop"), in("a"))
		g.must(err)
		return string(row["key"])
	}
	for _, s := range []*object.Service{g.Service, other} {
		if read(s) != "" {
			t.Fatal("there is a key")
		}
	}
	g.define("- {type: service, attributes: [{name: key, type: string, secret: true}]}")
	rows, err := other.Update(ctx, "cmdb:service", in("a"), []wire.Row{{"id": wire.Raw("shop"), "key": wire.Raw("hunter2")}})
	if g.must(err); string(rows[0]["key"]) != `"***"` {
		t.Errorf("the answer tells the secret: %v", rows)
	}
	for name, s := range map[string]*object.Service{"here": g.Service, "there": other} {
		if got := read(s); got != `"***"` {
			t.Errorf("%s it is %s", name, got)
		}
	}
	// By the plugin itself.
	g.post("/changes", wire.ChangeSet{Changes: []wire.Change{{Op: "create", Type: "object_attribute",
		Row: wire.Row{"object_type": wire.Raw("service"), "name": wire.Raw("pin"), "type": wire.Raw("string"), "secret": wire.Raw(true)}}}})
	g.post("/entities/service/update", []wire.Row{{"id": wire.Raw("shop"), "pin": wire.Raw("1234")}})
	for name, s := range map[string]*object.Service{"here": g.Service, "there": other} {
		rows, _, err := s.Query(ctx, "cmdb:service", in("a"), wire.Query{})
		g.must(err)
		if strings.Contains(string(wire.Raw(rows)), "1234") {
			t.Errorf("%s a new secret is readable", name)
		}
	}
	// A type that is new to one of them.
	g.define("- {type: rack, scope: {project: project}}")
	_, err = other.Create(ctx, "cmdb:rack", in("a"), []wire.Row{{"id": wire.Raw("r")}})
	g.must(err)
	_, err = other.Rows(ctx, in("a"), []object.Ref{cmdbRef("rack", "r")}, ":cmdb:rack")
	if err != nil && !errs.HasCode(err, "object.path") {
		t.Log(err)
	}
}

func TestWhatAnotherProjectHasIsNotTold(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	g.define("- {type: box, scope: {project: project, environment: env}, attributes: [{name: name, type: string, unique: true}]}")
	_, err := g.Create(as(t.Context(), "a"), "cmdb:box", in("a"),
		[]wire.Row{{"id": wire.Raw("x"), "name": wire.Raw("plan"), "env": wire.Raw("prod")}})
	g.must(err)
	_, err = g.Create(as(t.Context(), "b"), "cmdb:box", in("b"), []wire.Row{{"id": wire.Raw("y"), "name": wire.Raw("plan")}})
	if err != nil {
		t.Errorf("a value that another project has: %v", err)
	}
	for name, ctx := range map[string]context.Context{"b": as(t.Context(), "b"), "a": in1(t.Context(), "dev")} {
		_, err = g.Create(ctx, "cmdb:box", in(name), []wire.Row{{"id": wire.Raw("x"), "env": wire.Raw("dev")}})
		if err == nil || strings.Contains(err.Error(), "taken") || strings.Contains(err.Error(), "already") ||
			strings.Contains(err.Error(), "exist") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = g.Create(as(t.Context(), "a"), "cmdb:box", in("a"), []wire.Row{{"id": wire.Raw("x")}})
	refused(t, err, errs.Conflict, "object.exists")
}

func TestTypesSayWhatCanBeWritten(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	ask := func(ctx context.Context) map[string]bool {
		h := g.edge(func(*http.Request) context.Context { return ctx })
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "http://x/api/v1/object-types", http.NoBody))
		var list object.TypeList
		g.must(json.Unmarshal(w.Body.Bytes(), &list))
		out := map[string]bool{}
		for _, i := range list.Items {
			if i.Creatable != i.Writable {
				t.Errorf("%+v", i)
			}
			out[i.Type] = i.Creatable
		}
		return out
	}
	if got := ask(architect(t.Context())); got["history"] || !got["object_type"] || !got["host"] {
		t.Errorf("%v", got)
	}
	if got := ask(as(t.Context(), "a")); got["history"] || got["object_type"] || got["object_attribute"] || !got["host"] {
		t.Errorf("%v", got)
	}
	_, err := g.Create(architect(t.Context()), "cmdb:history", in("default"), []wire.Row{{"id": wire.Raw("1")}})
	refused(t, err, errs.Invalid, "object.read_only")
}

// told counts the records and events about an object.
func (g *graphRig) told(object string) (records, events int) {
	g.t.Helper()
	g.must(g.db.QueryRow(g.t.Context(), "SELECT COUNT(*) FROM audit_record WHERE object = ?", object).Scan(&records))
	g.must(g.db.QueryRow(g.t.Context(), "SELECT COUNT(*) FROM bus_event WHERE subject = ?", object).Scan(&events))
	return records, events
}

func TestTheHistoryHasWhatThePluginWritesItself(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	g.must(g.Collect(t.Context(), "cmdb"))
	g.post("/entities/service/update", []wire.Row{{"id": wire.Raw("shop"), "name": wire.Raw("by itself"), "secret": wire.Raw("hunter2")}})
	ctx := object.OnBehalfOf(as(t.Context(), "a"), "77")
	_, err := g.Update(ctx, "cmdb:service", in("a"), []wire.Row{{"id": wire.Raw("shop"), "name": wire.Raw("by a run")}})
	g.must(err)
	page, err := g.History(as(t.Context(), "a"), cmdbRef("service", "shop"), in("a"), api.Paging{Limit: 5})
	g.must(err)
	var got []string
	for _, r := range page.Items {
		got = append(got, fmt.Sprint(r.Subject, " ", r.Verb, " ", string(wire.Raw(r.Changes)), " ", string(r.Detail)))
	}
	want := []string{
		`user/ann object.update {"before":{"name":"by itself"},"after":{"name":"by a run"}} {"attributes":["name"],"run":"77","version":3}`,
		`plugin/cmdb object.update {"after":{"name":"by itself"},"secret":["secret"]} {"attributes":["name","secret"],"version":2}`,
		`plugin/cmdb object.create null {"attributes":["id","needs","project"],"version":1}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for range 3 {
		g.must(g.Collect(t.Context(), "cmdb"))
	}
	if records, events := g.told("cmdb:service/shop"); records != 3 || events != 3 {
		t.Errorf("%d records, %d events", records, events)
	}
}

func TestTheHistoryIsReadWithRightsInTheEnvironmentOfThen(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	ctx := as(t.Context(), "a")
	for _, row := range []wire.Row{{"id": wire.Raw("h3"), "name": wire.Raw("of prod")}, {"id": wire.Raw("h3"), "name": wire.Raw("plain")},
		{"id": wire.Raw("h3"), "env": wire.Raw("dev")}, {"id": wire.Raw("h3"), "name": wire.Raw("of dev")}} {
		g.deps.Clock.(*clock.Fake).Advance(1e9)
		_, err := g.Update(ctx, "cmdb:host", in("a"), []wire.Row{row})
		g.must(err)
	}
	verbs := func(ctx context.Context) string {
		page, err := g.History(ctx, cmdbRef("host", "h3"), in("a"), api.Paging{Limit: 10})
		g.must(err)
		var all []string
		for _, r := range page.Items {
			all = append(all, r.Environment)
		}
		return strings.Join(all, "; ")
	}
	if got := verbs(ctx); got != "dev; prod, dev; prod; prod; prod" {
		t.Error(got)
	}
	if got := verbs(in1(t.Context(), "dev")); got != "dev" {
		t.Error(got)
	}
	// The plugin's own history, of all objects together.
	rows, _, err := g.Query(in1(t.Context(), "dev"), "cmdb:history", in("a"), wire.Query{})
	g.must(err)
	if text := string(wire.Raw(rows)); strings.Contains(text, "of prod") || !strings.Contains(text, "of dev") {
		t.Error(text)
	}
}

// Several nodes read one outbox: each change is told of by one of them.
func TestManyReadersTellOfEachChangeOnce(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	nodes := []*object.Service{g.Service, object.New(g.deps), object.New(g.deps)}
	for _, n := range nodes {
		g.must(n.Collect(t.Context(), "cmdb"))
	}
	var wg sync.WaitGroup
	const each = 15
	for n, s := range nodes {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprint("of-", n, "-", i)
				if _, err := s.Create(as(t.Context(), "a"), "cmdb:service", in("a"), []wire.Row{{"id": wire.Raw(id)}}); err != nil {
					t.Error(err)
				}
				if records, events := g.told("cmdb:service/" + id); records != 1 || events != 1 {
					t.Errorf("%s: %d records, %d events when the answer came", id, records, events)
				}
			}
		})
	}
	wg.Wait()
	for n := range nodes {
		for i := range each {
			if records, events := g.told(fmt.Sprint("cmdb:service/of-", n, "-", i)); records != 1 || events != 1 {
				t.Errorf("%d-%d: %d records, %d events", n, i, records, events)
			}
		}
	}
}

// killer answers for a plugin, and ends the platform between the plugin's commit
// and the platform's own.
type killer struct {
	http.Handler
	kill func()
}

// ServeHTTP lets the plugin do its work first.
func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.Handler.ServeHTTP(w, r)
	if r.Method == http.MethodPost && r.URL.Path == "/changes" && k.kill != nil {
		k.kill()
	}
}

func TestWhatAKilledPlatformLeftIsToldOnce(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	k := &killer{Handler: g.handler}
	g.deps.Router.Set("cmdb", gateway.Route{Handler: k})
	ctx := as(t.Context(), "a")
	k.kill = func() { g.must(g.db.Close()) }
	_, _ = g.Create(ctx, "cmdb:service", in("a"), []wire.Row{{"id": wire.Raw("last")}, {"id": wire.Raw("words")}}) // nobody hears the answer
	k.kill = nil

	again, err := db.Open(t.Context(), dbserver.Address(t, g.file))
	g.must(err)
	t.Cleanup(func() { _ = again.Close() })
	g.db, g.deps.DB = again, again
	g.deps.Audit, g.deps.Bus = audit.New(again, g.deps.Clock), bus.New(again, g.deps.Clock, g.deps.Log)
	if records, events := g.told("cmdb:service/last"); records+events != 0 {
		t.Fatalf("%d records, %d events: the test kills too late", records, events)
	}
	run, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	started := object.New(g.deps)
	go func() { ended <- started.Run(run) }()
	g.must(started.Collect(t.Context(), "cmdb")) // waits for its turn
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, id := range []string{"last", "words"} {
		if records, events := g.told("cmdb:service/" + id); records != 1 || events != 1 {
			t.Errorf("%s: %d records, %d events", id, records, events)
		}
	}
	page, err := started.History(ctx, cmdbRef("service", "last"), in("a"), api.Paging{Limit: 5})
	rows, _, err2 := g.Query(ctx, "cmdb:history", in("a"),
		wire.Query{Limit: 1, AdditionalFilters: []wire.Filter{{Attr: "object_id", Op: wire.OpEq, Condition: wire.Raw("last")}}})
	if err != nil || err2 != nil || len(page.Items) != 1 || page.Items[0].Subject != "user/ann" ||
		string(wire.Raw(page.Items[0].Time)) != string(rows[0]["time"]) {
		t.Errorf("%+v %v", page.Items, err)
	}
}
