package object_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/gateway"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/kit/secret"
	"sextant/internal/lang/objectpath"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/wire"
)

// owner is a plugin that owns the types p:thing, p:part (scoped, parts refer to
// things) and p:zone (without a project). It keeps rows in memory, answers pages
// of a few, and obeys the filters eq and in.
type owner struct {
	mu     sync.Mutex
	rows   map[string][]wire.Row
	page   int
	asked  []string
	answer func(w http.ResponseWriter, q *http.Request) bool // takes a call over
}

func scoped(name string, more ...wire.Attribute) wire.ObjectType {
	return wire.ObjectType{Type: name, Scope: &wire.ObjectScope{Project: "project"}, Paging: true, Attributes: append([]wire.Attribute{
		{Name: "id", Type: wire.TypeString}, {Name: "project", Type: wire.TypeString}, {Name: "name", Type: wire.TypeString}}, more...)}
}

func manifest() wire.Manifest {
	return wire.Manifest{Plugin: "p", Version: "1.0.0", Objects: []wire.ObjectType{
		scoped("thing", wire.Attribute{Name: "password", Type: wire.TypeString, Secret: true, Observed: true}, wire.Attribute{
			Name: "zone", Type: wire.TypeRef, To: "p:zone"}, wire.Attribute{Name: "state", Type: wire.TypeEnum, Values: []string{"up", "down"}}),
		scoped("part", wire.Attribute{Name: "of", Type: wire.TypeRef, To: "p:thing"}),
		{Type: "zone", Attributes: []wire.Attribute{{Name: "id", Type: wire.TypeString}}},
		{Type: "box", Paging: true, Scope: &wire.ObjectScope{Project: "project", Environment: "stage"}, Attributes: []wire.Attribute{
			{Name: "id", Type: wire.TypeString}, {Name: "project", Type: wire.TypeString},
			{Name: "stage", Type: wire.TypeString}, {Name: "name", Type: wire.TypeString}}},
	}}
}

func (o *owner) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, q.Method+" "+q.URL.Path+" by "+q.Header.Get(wire.HeaderOperator)+" in "+q.Header.Get(wire.HeaderRun))
	if o.answer != nil && o.answer(w, q) {
		return
	}
	parts := strings.Split(strings.Trim(q.URL.Path, "/"), "/")
	var out any
	if parts[2] == "query" {
		var ask wire.Query
		if err := json.NewDecoder(q.Body).Decode(&ask); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out = o.query(parts[1], ask)
	} else {
		var rows []wire.Row
		if err := json.NewDecoder(q.Body).Decode(&rows); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out = o.change(parts[1], parts[2], rows)
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (o *owner) query(typ string, ask wire.Query) wire.Envelope[[]wire.Row] {
	var found []wire.Row
	for _, row := range o.rows[typ] {
		if matches(row, ask.AdditionalFilters) {
			found = append(found, row)
		}
	}
	from, _ := strconv.Atoi(ask.After) // empty is 0
	size := o.page
	if ask.Limit > 0 {
		size = min(size, ask.Limit)
	}
	out := wire.Envelope[[]wire.Row]{Status: wire.StatusOK, Data: found[min(from, len(found)):min(from+size, len(found))]}
	if from+size < len(found) {
		out.Next = strconv.Itoa(from + size)
	}
	return out
}

func matches(row wire.Row, filters []wire.Filter) bool {
	for _, f := range filters {
		var wants []json.RawMessage
		if json.Unmarshal(f.Condition, &wants) != nil {
			wants = []json.RawMessage{f.Condition}
		}
		if !slices.ContainsFunc(wants, func(w json.RawMessage) bool { return bytes.Equal(w, row[f.Attr]) }) {
			return false
		}
	}
	return true
}

func (o *owner) change(typ, op string, rows []wire.Row) wire.Envelope[[]wire.Row] {
	out := wire.Envelope[[]wire.Row]{Status: wire.StatusOK}
	for _, row := range rows {
		i := slices.IndexFunc(o.rows[typ], func(r wire.Row) bool { return bytes.Equal(r["id"], row["id"]) })
		switch {
		case op == "delete":
			o.rows[typ] = slices.Delete(o.rows[typ], i, i+1)
			continue
		case op == "create":
			o.rows[typ] = append(o.rows[typ], wire.Row{})
			i = len(o.rows[typ]) - 1
		}
		for k, v := range row {
			o.rows[typ][i][k] = v
		}
		out.Data = append(out.Data, o.rows[typ][i])
	}
	return out
}

type rig struct {
	*object.Service
	t     *testing.T
	owner *owner
	db    *db.DB
	trail *audit.Log
	deps  object.Deps
	file  string
}

func box(t *testing.T) *secret.Box {
	t.Helper()
	b, err := secret.New(bytes.Repeat([]byte{3}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newRig(t *testing.T) *rig {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.db")
	d, err := db.Open(t.Context(), dbserver.Address(t, file))
	r := &rig{t: t, db: d, file: file, owner: &owner{rows: map[string][]wire.Row{}, page: 3}}
	r.must(err)
	t.Cleanup(func() { _ = d.Close() })
	r.must(d.Migrate(t.Context(), audit.Domain, audit.Migrations))
	r.must(d.Migrate(t.Context(), bus.Domain, bus.Migrations))
	r.must(d.Migrate(t.Context(), plugin.Domain, plugin.Migrations))
	r.must(d.Migrate(t.Context(), api.Domain, api.Migrations))
	r.must(d.Migrate(t.Context(), object.Domain, object.Migrations))
	c := clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	r.trail = audit.New(d, c)
	registry, router := plugin.New(d, c), gateway.New()
	r.must(registry.Register(t.Context(), manifest()))
	s := httptest.NewServer(r.owner)
	t.Cleanup(s.Close)
	router.Set("p", gateway.Route{URL: s.URL})
	r.deps = object.Deps{DB: d, Clock: c, Plugins: registry, Router: router,
		Audit: r.trail, Bus: bus.New(d, c, slog.New(slog.DiscardHandler)), Log: slog.New(slog.DiscardHandler), Box: box(t)}
	r.Service = object.New(r.deps)
	for _, p := range []string{"a", "b"} {
		for i := range 5 {
			r.add("thing", fmt.Sprint(p, i), p, "password", "hunter2", "password@observed", "hunter3", "name", "n")
			for j := range 2 {
				r.add("part", fmt.Sprint(p, i, "-", j), p, "of", fmt.Sprint(p, i), "name", fmt.Sprint(j))
			}
		}
	}
	r.owner.rows["zone"] = []wire.Row{{"id": wire.Raw("z")}}
	return r
}

func (r *rig) add(typ, id, project string, pairs ...string) {
	row := wire.Row{"id": wire.Raw(id), "project": wire.Raw(project)}
	for i := 0; i < len(pairs); i += 2 {
		row[pairs[i]] = wire.Raw(pairs[i+1])
	}
	r.owner.rows[typ] = append(r.owner.rows[typ], row)
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// as is a user who may do everything with objects of one project.
func as(ctx context.Context, project string) context.Context {
	return identity.With(ctx, identity.Subject{ID: "user/ann", Name: "ann",
		Kind: identity.User, Grants: []identity.Grant{{Permission: "object.*", Project: project}, {Permission: "audit.read", Project: project}}})
}

func in(project string) object.Scope { return object.Scope{Project: project} }

func ids(rows []wire.Row) string {
	var all []string
	for _, row := range rows {
		var id string
		_ = json.Unmarshal(row["id"], &id) // a text, made here
		all = append(all, id)
	}
	return strings.Join(all, " ")
}

func refused(t *testing.T, err error, kind errs.Kind, code string) {
	t.Helper()
	if !errs.Is(err, kind) || !errs.HasCode(err, code) {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestQueriesStayInTheirProject(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := as(t.Context(), "a")
	rows, next, err := r.Query(ctx, "p:thing", in("a"), wire.Query{})
	if err != nil || ids(rows) != "a0 a1 a2" || next != "3" {
		t.Errorf("%s, %q, %v", ids(rows), next, err)
	}
	rows, next, err = r.Query(ctx, "p:thing", in("a"), wire.Query{After: next})
	if err != nil || ids(rows) != "a3 a4" || next != "" {
		t.Errorf("%s, %q, %v", ids(rows), next, err)
	}
	_, _, err = r.Query(ctx, "p:thing", in("b"), wire.Query{})
	refused(t, err, errs.Forbidden, "identity.forbidden")
	// What somebody asks cannot widen the project.
	rows, _, err = r.Query(ctx, "p:thing", in("a"),
		wire.Query{AdditionalFilters: []wire.Filter{{Attr: "project", Op: wire.OpEq, Condition: wire.Raw("b")}}})
	if err != nil || len(rows) != 0 || rows == nil {
		t.Errorf("%v, %v", rows, err)
	}
	if _, err := r.Get(ctx, object.Ref{Package: "p", Type: "thing", ID: "a1"}, in("a")); err != nil {
		t.Error(err)
	}
	_, err = r.Get(ctx, object.Ref{Package: "p", Type: "thing", ID: "b1"}, in("a"))
	refused(t, err, errs.NotFound, "object.not_found")
	// Types without a project belong to default.
	if rows, _, err := r.Query(as(t.Context(), "default"), "p:zone", in("default"), wire.Query{}); err != nil || ids(rows) != "z" {
		t.Errorf("%v, %v", rows, err)
	}
	if rows, _, err := r.Query(ctx, "p:zone", in("a"), wire.Query{}); err != nil || len(rows) != 0 {
		t.Errorf("%v, %v", rows, err)
	}
	_, _, err = r.Query(ctx, "p:none", in("a"), wire.Query{})
	refused(t, err, errs.Invalid, "object.unknown_type")
	_, _, err = r.Query(ctx, "q:thing", in("a"), wire.Query{})
	refused(t, err, errs.Invalid, "object.package")
}

// No answer shows a secret, neither desired nor observed, and what was hidden
// can be written back without harm.
func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := as(t.Context(), "a")
	row, err := r.Get(ctx, object.Ref{Package: "p", Type: "thing", ID: "a1"}, in("a"))
	r.must(err)
	created, err := r.Create(ctx, "p:thing", in("a"),
		[]wire.Row{{"id": wire.Raw("new"), "password": wire.Raw("hunter2"), "password@observed": wire.Raw("hunter3")}})
	r.must(err)
	updated, err := r.Update(ctx, "p:thing", in("a"),
		[]wire.Row{{"id": wire.Raw("a1"), "name": wire.Raw("other"), "password": row["password"], "password@observed": row["password@observed"]}})
	r.must(err)
	for _, row := range []wire.Row{row, created[0], updated[0]} {
		if string(row["password"]) != `"***"` || string(row["password@observed"]) != `"***"` {
			t.Errorf("%s", wire.Raw(row))
		}
	}
	if got := r.owner.rows["thing"][1]; string(got["password"]) != `"hunter2"` ||
		string(got["password@observed"]) != `"hunter3"` || string(got["name"]) != `"other"` {
		t.Errorf("the owner has %s", wire.Raw(got))
	}
	// By a path neither.
	p, err := object.ParsePath("p:part.of>p:thing.password", "p:part")
	r.must(err)
	got, err := r.Evaluate(ctx, in("a"), []string{"a1-0"}, []*objectpath.Path{p})
	r.must(err)
	if v := got.At("a1-0", 0); len(v) != 1 || string(v[0]) != `"***"` {
		t.Errorf("%s", v)
	}
}

func TestWritesStayInTheirProject(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := as(t.Context(), "a")
	created, err := r.Create(ctx, "p:thing", in("a"), []wire.Row{{"id": wire.Raw("new")}})
	r.must(err)
	if string(created[0]["project"]) != `"a"` {
		t.Errorf("%s", wire.Raw(created))
	}
	_, err = r.Create(ctx, "p:thing", in("a"), []wire.Row{{"id": wire.Raw("x"), "project": wire.Raw("b")}})
	refused(t, err, errs.Forbidden, "object.project")
	_, err = r.Update(ctx, "p:thing", in("a"), []wire.Row{{"id": wire.Raw("a1"), "project": wire.Raw("b")}})
	refused(t, err, errs.Forbidden, "object.project")
	_, err = r.Update(ctx, "p:thing", in("a"), []wire.Row{{"id": wire.Raw("b1"), "name": wire.Raw("stolen")}})
	refused(t, err, errs.NotFound, "object.not_found")
	refused(t, r.Delete(ctx, "p:thing", in("a"), []string{"b1"}), errs.NotFound, "object.not_found")
	_, err = r.Create(ctx, "p:part", in("a"), []wire.Row{{"id": wire.Raw("y"), "of": wire.Raw("b1")}})
	refused(t, err, errs.Invalid, "object.reference")
	_, err = r.Create(ctx, "p:thing", in("b"), []wire.Row{{"id": wire.Raw("x")}})
	refused(t, err, errs.Forbidden, "identity.forbidden")
	_, err = r.Create(ctx, "p:zone", in("a"), []wire.Row{{"id": wire.Raw("x")}})
	refused(t, err, errs.Invalid, "object.project")
	r.must(r.Delete(ctx, "p:part", in("a"), []string{"a0-0", "a0-1"}))
	r.must(r.Delete(ctx, "p:thing", in("a"), []string{"a0"}))
	if n := len(r.owner.rows["thing"]); n != 10 {
		t.Errorf("%d things", n)
	}
	for _, row := range r.owner.rows["thing"] {
		if string(row["name"]) == `"stolen"` {
			t.Error("an object of another project was changed")
		}
	}
}

// Every change is an event and an audit record, by name and run, without values.
func TestChangesAreTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := object.OnBehalfOf(as(t.Context(), "a"), "77")
	_, err := r.Create(ctx, "p:thing", in("a"), []wire.Row{{"id": wire.Raw("new"), "password": wire.Raw("hunter2")}})
	r.must(err)
	_, err = r.Update(ctx, "p:thing", in("a"), []wire.Row{{"id": wire.Raw("new"), "name": wire.Raw("other")}})
	r.must(err)
	r.must(r.Delete(ctx, "p:thing", in("a"), []string{"new"}))
	rows, err := r.db.Query(t.Context(), "SELECT type || ' ' || subject || ' ' || project || ' ' || data FROM bus_event ORDER BY id")
	r.must(err)
	defer rows.Close()
	var told []string
	for rows.Next() {
		var s string
		r.must(rows.Scan(&s))
		told = append(told, s)
	}
	r.must(rows.Err())
	page, err := r.trail.List(ctx, audit.Filter{Project: "a", Paging: api.Paging{Limit: 10}})
	r.must(err)
	for _, rec := range page.Items {
		told = append(told, fmt.Sprint(rec.Verb, " ", rec.Object, " ", rec.Subject, " ", string(rec.Detail)))
	}
	all := strings.Join(told, "\n")
	for _, want := range []string{"sextant.object.created.v1 p:thing/new a", "sextant.object.deleted.v1 p:thing/new a",
		`object.update p:thing/new user/ann {"attributes":["id","name","project"]}`,
		"object.create p:thing/new user/ann", "object.delete p:thing/new user/ann"} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing tells %q:\n%s", want, all)
		}
	}
	if strings.Contains(all, "hunter2") {
		t.Errorf("a secret is told:\n%s", all)
	}
	if !slices.Contains(r.owner.asked, "POST /entities/thing/create by ann in 77") {
		t.Errorf("%q", r.owner.asked)
	}
}

// A hop goes on through every page; one call per page, not one per row.
func TestPathsFollowEveryPage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 40 {
		r.add("part", fmt.Sprintf("extra-%02d", i), "a", "of", "a0")
	}
	r.owner.page = 7
	r.owner.asked = nil
	ctx := as(t.Context(), "a")
	got, err := r.Rows(ctx, in("a"), []object.Ref{{Package: "p", Type: "thing", ID: "a0"}, {Package: "p", Type: "thing", ID: "a1"}},
		"p:thing~(of)p:part")
	r.must(err)
	if len(got) != 44 {
		t.Errorf("%d parts, want 44", len(got))
	}
	if n := len(r.owner.asked); n > 9 {
		t.Errorf("%d calls: %q", n, r.owner.asked)
	}
	ids := make([]string, 5)
	for i := range ids {
		ids[i] = fmt.Sprint("a", i)
	}
	r.owner.page = 2
	if err := r.Exist(ctx, "p:thing", in("a"), ids); err != nil {
		t.Errorf("on three pages: %v", err)
	}
	refused(t, r.Exist(ctx, "p:thing", in("a"), append(ids, "b0")), errs.NotFound, "object.not_found")
}

func TestTooMuchIsSaid(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range object.MaxRows + 1 {
		r.add("part", strconv.Itoa(i), "a", "of", "a0")
	}
	r.owner.page = 10_000
	from := []object.Ref{{Package: "p", Type: "thing", ID: "a0"}}
	_, err := r.Rows(as(t.Context(), "a"), in("a"), from, "p:thing~(of)p:part")
	refused(t, err, errs.TooLarge, "object.path_too_much")
	if err == nil || !strings.Contains(err.Error(), "p:part") {
		t.Errorf("the hop is not named: %v", err)
	}
	// Pages that lead nowhere end too.
	r.owner.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = w.Write([]byte(`{"status":"OK","data":[{"id":"x"}],"next":"again"}`))
		return true
	}
	_, err = r.Rows(as(t.Context(), "a"), in("a"), from, "p:thing~(of)p:part")
	refused(t, err, errs.Unavailable, "object.owner_garbage")
}

func TestPathsStayInTheirProject(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := as(t.Context(), "a")
	r.add("part", "cross", "b", "of", "a0") // of another project, points here
	got, err := r.Rows(ctx, in("a"), []object.Ref{{Package: "p", Type: "thing", ID: "a0"}, {Package: "p", Type: "thing", ID: "b0"}},
		"p:thing~(of)p:part")
	r.must(err)
	var names []string
	for _, g := range got {
		names = append(names, g.String())
	}
	slices.SortFunc(names, cmp.Compare[string])
	if want := "p:part/a0-0 p:part/a0-1"; strings.Join(names, " ") != want {
		t.Errorf("%v", names)
	}
	for _, c := range []struct{ path, code string }{{"p:thing~(nothing)p:part", "object.unknown_attribute"},
		{"p:part.of>p:thing", "object.path_start"}, {"p:thing~(of)p:none", "object.unknown_type"}} {
		_, err := r.Rows(ctx, in("a"), []object.Ref{{Package: "p", Type: "thing", ID: "a0"}}, c.path)
		refused(t, err, errs.Invalid, c.code)
	}
	if _, err := object.ParsePath("p:thing{", "p:thing"); !errs.Is(err, errs.Invalid) ||
		len(errs.As(err).Fields) != 1 || errs.As(err).Fields[0].Column == 0 {
		t.Errorf("%+v", err)
	}
}

func TestWhatAnOwnerMayAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		status     int
		kind       errs.Kind
		code       string
	}{
		{"garbage", "<html>", 200, errs.Unavailable, "object.owner_garbage"},
		{"row-without-id", `{"status":"OK","data":[{"name":"x"}]}`, 200, errs.Unavailable, "object.owner_garbage"},
		{"refused", `{"status":"ERROR","message":"name is taken","fields":{"name":"taken"}}`, 200, errs.Invalid, "object.refused"},
		{"not-found", `{"status":"ERROR","message":"none"}`, 404, errs.NotFound, "object.refused"},
		{"failed", `{"status":"ERROR","message":"boom"}`, 500, errs.Unavailable, "object.owner_failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.owner.answer = func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
				return true
			}
			_, _, err := r.Query(as(t.Context(), "a"), "p:thing", in("a"), wire.Query{})
			refused(t, err, c.kind, c.code)
			if c.name == "refused" && (len(errs.As(err).Fields) != 1 || errs.As(err).Fields[0].Path != "name") {
				t.Errorf("%+v", errs.As(err).Fields)
			}
		})
	}
	r := newRig(t)
	r.deps.Router.Set("p", gateway.Route{URL: "http://127.0.0.1:1"})
	_, _, err := r.Query(as(t.Context(), "a"), "p:thing", in("a"), wire.Query{})
	refused(t, err, errs.Unavailable, "object.owner")
}

// A row's numbers keep their decimal text.
func TestNumbersKeepTheirText(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.owner.rows["thing"] = []wire.Row{{"id": wire.Raw("x"), "project": wire.Raw("a"), "name": json.RawMessage(`12345678901234567890.10`)}}
	rows, _, err := r.Query(as(t.Context(), "a"), "p:thing", in("a"), wire.Query{})
	if err != nil || string(rows[0]["name"]) != "12345678901234567890.10" {
		t.Errorf("%s, %v", wire.Raw(rows), err)
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{"a:b/c": true, "a:b/c/d": true,
		"a:b/": false, "a:/c": false, ":b/c": false, "a/c": false, "": false, "a:b": false} {
		ref, err := object.ParseRef(text)
		if (err == nil) != ok || ok && ref.String() != text {
			t.Errorf("%q: %v, %v", text, ref, err)
		}
	}
}

func TestTheEndpoints(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := api.New(api.Deps{Version: "test", DB: r.db, Clock: r.deps.Clock, Log: slog.New(slog.DiscardHandler),
		Authenticate: func(q *http.Request) (context.Context, string, error) {
			return as(q.Context(), "a"), "ann", nil
		}, Authorize: identity.Require})
	r.Routes(a)
	s := httptest.NewServer(a.Handler())
	t.Cleanup(s.Close)
	for _, c := range []struct {
		method, path, body string
		status             int
		has                string
	}{
		{"GET", "/api/v1/object-types", "", 200, `"type":"thing"`},
		{"POST", "/api/v1/objects/p:thing/query?project=a", `{}`, 200, `"next":"3"`},
		{"POST", "/api/v1/objects/p:thing/query?project=b", `{}`, 403, "identity.forbidden"},
		{"GET", "/api/v1/objects/p:thing/a1?project=a", "", 200, `"***"`},
		{"GET", "/api/v1/objects/p:thing/b1?project=a", "", 404, "object.not_found"},
		{"POST", "/api/v1/objects/p:thing?project=a", `[{"id":"n","password":"hunter2"}]`, 201, `"***"`},
		{"PATCH", "/api/v1/objects/p:thing?project=a", `[{"id":"n","name":"x"}]`, 200, `"***"`},
		{"POST", "/api/v1/object-paths/evaluate?project=a", `{"from":["p:part/a1-0"],"path":"p:part.of>p:thing.name"}`, 200, `"values":["n"]`},
		{"POST", "/api/v1/object-paths/evaluate?project=a", `{"from":["p:part/a1-0","p:thing/a1"],"path":"p:part.name"}`, 422, "object.mixed"},
		{"DELETE", "/api/v1/objects/p:thing/n?project=a", "", 204, ""},
		{"DELETE", "/api/v1/objects/p:thing/n?project=a", "", 404, "object.not_found"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, s.URL+c.path, strings.NewReader(c.body))
		r.must(err)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		r.must(err)
		var b bytes.Buffer
		_, err = b.ReadFrom(resp.Body)
		r.must(err)
		_ = resp.Body.Close()
		if resp.StatusCode != c.status || !strings.Contains(b.String(), c.has) || strings.Contains(b.String(), "hunter") {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, resp.StatusCode, b.String(), c.status, c.has)
		}
	}
}

// Who has a right in some environments sees and changes the objects of those
// alone; the others are as if they were not there.
func TestRightsInAnEnvironment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, id := range []string{"dev", "prod", ""} {
		r.add("box", "box-"+id, "a", "stage", id)
	}
	reader := func(permission, environment string) identity.Grant {
		return identity.Grant{Permission: permission, Project: "a", Environment: environment}
	}
	ctx := identity.With(t.Context(), identity.Subject{ID: "user/bob", Name: "bob", Kind: identity.User, Grants: []identity.Grant{
		reader("object.read", "dev"), reader("object.read", "prod"), reader("object.write", "dev"), reader("run.start", "prod")}})
	rows, _, err := r.Query(ctx, "p:box", in("a"), wire.Query{})
	r.must(err)
	if got := ids(rows); got != "box-dev box-prod" {
		t.Errorf("sees %q", got)
	}
	r.must(r.Exist(ctx, "p:box", object.Scope{Project: "a", For: "run.start"}, []string{"box-prod"}))
	refused(t, r.Exist(ctx, "p:box", object.Scope{Project: "a", For: "run.start"}, []string{"box-dev"}), errs.NotFound, "object.not_found")
	_, err = r.Update(ctx, "p:box", in("a"), []wire.Row{{"id": wire.Raw("box-dev"), "name": wire.Raw("x")}})
	r.must(err)
	for name, row := range map[string]wire.Row{
		"another": {"id": wire.Raw("box-prod"), "name": wire.Raw("x")},
		"none":    {"id": wire.Raw("box-"), "name": wire.Raw("x")},
	} {
		if _, err := r.Update(ctx, "p:box", in("a"), []wire.Row{row}); !errs.HasCode(err, "object.not_found") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = r.Update(ctx, "p:box", in("a"), []wire.Row{{"id": wire.Raw("box-dev"), "stage": wire.Raw("prod")}})
	refused(t, err, errs.Forbidden, "object.environment")
	for stage, ok := range map[string]bool{"dev": true, "prod": false, "": false} {
		_, err := r.Create(ctx, "p:box", in("a"), []wire.Row{{"id": wire.Raw("new-" + stage), "stage": wire.Raw(stage)}})
		if (err == nil) != ok {
			t.Errorf("create in %q: %v", stage, err)
		}
	}
	if _, err := r.Create(ctx, "p:box", in("a"), []wire.Row{{"id": wire.Raw("nowhere")}}); !errs.HasCode(err, "object.environment") {
		t.Errorf("create nowhere: %v", err)
	}
	refused(t, r.Delete(ctx, "p:box", in("a"), []string{"box-prod"}), errs.NotFound, "object.not_found")
	r.must(r.Delete(ctx, "p:box", in("a"), []string{"box-dev"}))
}

// Secrets could be guessed bit by bit by whoever may filter or order by them.
func TestNobodyAsksBySecrets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := as(t.Context(), "a")
	filter := wire.Filter{Attr: "password", Op: wire.OpEq, Condition: wire.Raw("hunter2")}
	observed := wire.Filter{Attr: "password@observed", Op: wire.OpLike, Condition: wire.Raw("h")}
	for name, q := range map[string]wire.Query{
		"filter": {AdditionalFilters: []wire.Filter{filter}}, "criteria": {Criteria: &observed}, "order": {OrderBy: []string{"-password"}}} {
		_, _, err := r.Query(ctx, "p:thing", in("a"), q)
		if !errs.HasCode(err, "object.secret_filter") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.owner.answer = func(w http.ResponseWriter, q *http.Request) bool {
		data, err := io.ReadAll(q.Body)
		if err != nil || !strings.Contains(string(data), `"like"`) || !strings.Contains(string(data), `"web"`) {
			t.Errorf("asked %s %v", data, err)
		}
		if !strings.Contains(q.URL.Path, "/thing/") {
			http.Error(w, "away", http.StatusBadGateway)
			return true
		}
		_, _ = io.WriteString(w, `{"status":"OK","data":[{"id":"2","displayName":"my web"},{"id":"1","displayName":"web-1"}]}`)
		return true
	}
	got, err := r.Search(as(t.Context(), "a"), "a", " web ")
	r.must(err)
	if fmt.Sprint(got) != "[{p:thing/1 web-1} {p:thing/2 my web}]" {
		t.Errorf("got %v", got)
	}
	_, err = r.Search(as(t.Context(), "a"), "a", " ")
	refused(t, err, errs.Invalid, "object.search")
	_, err = r.Search(as(t.Context(), "b"), "a", "web")
	refused(t, err, errs.Forbidden, "identity.forbidden")
}
