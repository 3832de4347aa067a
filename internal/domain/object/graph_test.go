package object_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sextant/internal/domain/gateway"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/object"
	"sextant/internal/kit/errs"
	"sextant/internal/testkit/dbserver"
	"sextant/plugins/cmdb"
	"sextant/sdk/go/objectdoc"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/sqldb"
	"sextant/sdk/go/wire"
)

// asked counts the questions that a plugin gets, by type.
type asked struct {
	http.Handler
	mu sync.Mutex
	n  map[string]int
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if typ, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/entities/"), "/query"); ok {
		a.mu.Lock()
		a.n[typ]++
		a.mu.Unlock()
	}
	a.Handler.ServeHTTP(w, r)
}

// graphTypes: services need services, instances are of a service and on a host,
// hosts stand in a room.
const graphTypes = `
- type: room
  scope: {project: project}
  attributes: [{name: name, type: string}]
- type: host
  display: name
  scope: {project: project, environment: env}
  attributes: [{name: name, type: string}, {name: room, type: ref, to: "cmdb:room"}]
- type: service
  display: name
  scope: {project: project}
  attributes: [{name: name, type: string}, {name: needs, type: multiref, to: "cmdb:service"}, {name: secret, type: string, secret: true}]
- type: instance
  scope: {project: project}
  attributes: [{name: service, type: ref, to: "cmdb:service"}, {name: host, type: ref, to: "cmdb:host"}]
`

// graphRig is the service with the real cmdb plugin:
//
//	shop → stock → db; shop → db
//	shop-1 → shop, h1 → r1; shop-2 → shop, h2 → r1; db-1 → db, h3 (prod) → r2
type graphRig struct {
	*rig
	asked   *asked
	handler http.Handler
	up      *upward
}

// upward carries what a plugin asks of the platform to a handler that a test sets.
type upward struct{ to http.Handler }

// RoundTrip asks it.
func (u *upward) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	u.to.ServeHTTP(w, r)
	return w.Result(), nil
}

// architect may change definitions and every object.
func architect(ctx context.Context) context.Context {
	return identity.With(ctx, identity.Subject{ID: "user/eve", Name: "eve",
		Kind: identity.User, Grants: []identity.Grant{{Permission: "object.*", Project: "*"}, {Permission: "type.write", Project: "*"}}})
}

// changes reads a document.
func (g *graphRig) changes(text string) []object.Change {
	g.t.Helper()
	doc, err := objectdoc.Parse([]byte(text))
	g.must(err)
	var out []object.Change
	for _, c := range doc.Body("cmdb", false).Changes {
		out = append(out, object.Change(c))
	}
	return out
}

func (g *graphRig) define(types string) {
	g.t.Helper()
	_, err := g.Change(architect(g.t.Context()), in("default"), g.changes("types:\n"+types), object.Options{})
	g.must(err)
}

func newGraphRig(t *testing.T) *graphRig {
	t.Helper()
	up := &upward{}
	r := newRig(t)
	p := cmdb.New()
	m, err := p.Manifest()
	r.must(err)
	r.must(r.deps.Plugins.Register(t.Context(), m))
	dir := t.TempDir()
	db, dialect, err := sqldb.Open(dbserver.Address(t, filepath.Join(dir, "db")), false)
	r.must(err)
	t.Cleanup(func() { _ = db.Close() })
	on := &plugin.Host{DB: db, Dialect: string(dialect), Data: dir, URL: "http://sextant",
		Token: "of cmdb", Client: &http.Client{Transport: up}}
	h, err := p.Handler(t.Context(), on)
	r.must(err)
	t.Cleanup(on.Close)
	g := &graphRig{r, &asked{Handler: h, n: map[string]int{}}, h, up}
	s := httptest.NewServer(g.asked)
	t.Cleanup(s.Close)
	r.deps.Router.Set("cmdb", gateway.Route{URL: s.URL})
	g.define(graphTypes)
	g.put("room", "r1", "r2")
	g.put("host", "h1 room=r1 env=dev", "h2 room=r1 env=dev", "h3 room=r2 env=prod name=Third")
	g.put("service", "db", "stock needs=db", "shop needs=stock,db")
	g.put("instance", "shop-1 service=shop host=h1", "shop-2 service=shop host=h2", "db-1 service=db host=h3")
	return g
}

func (g *graphRig) post(path string, body any) {
	g.t.Helper()
	data, err := json.Marshal(body)
	g.must(err)
	req := httptest.NewRequestWithContext(g.t.Context(), http.MethodPost, path, bytes.NewReader(data))
	req.Header.Set(wire.HeaderIdempotencyKey, path)
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, req)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"OK"`) && !strings.Contains(w.Body.String(), `"outcome":"ok"`) {
		g.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
}

// put creates objects of project a, each as "id attribute=value,value …".
func (g *graphRig) put(typ string, objects ...string) {
	g.t.Helper()
	rows := make([]wire.Row, len(objects))
	for i, text := range objects {
		words := strings.Fields(text)
		rows[i] = wire.Row{"id": wire.Raw(words[0]), "project": wire.Raw("a")}
		for _, w := range words[1:] {
			k, v, _ := strings.Cut(w, "=")
			if k == "needs" {
				rows[i][k] = wire.Raw(strings.Split(v, ","))
			} else {
				rows[i][k] = wire.Raw(v)
			}
		}
	}
	g.post("/entities/"+typ+"/create", rows)
}

// drawn is a graph in words: nodes as name@distance, edges as from.attribute>to.
func drawn(g object.Graph) (nodes, edges string) {
	short := func(ref string) string { return ref[strings.Index(ref, "/")+1:] }
	var n, e []string
	for _, x := range g.Nodes {
		n = append(n, fmt.Sprintf("%s@%d", short(x.Object), x.Distance))
	}
	for _, x := range g.Edges {
		e = append(e, short(x.From)+"."+x.Attribute+">"+short(x.To))
	}
	slices.Sort(e)
	return strings.Join(n, " "), strings.Join(e, " ")
}

func cmdbRef(typ, id string) object.Ref { return object.Ref{Package: "cmdb", Type: typ, ID: id} }

func TestGraph(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	ctx := as(t.Context(), "a")
	for _, c := range []struct {
		name         string
		from         object.Ref
		depth        int
		along        object.Direction
		nodes, edges string
	}{
		{"what it needs", cmdbRef("service", "shop"), 1, object.Out, "shop@0 db@1 stock@1", "shop.needs>db shop.needs>stock stock.needs>db"},
		{"what it needs, further", cmdbRef("instance", "shop-1"), 2, object.Out,
			"shop-1@0 h1@1 shop@1 r1@2 db@2 stock@2", "h1.room>r1 shop-1.host>h1 shop-1.service>shop shop.needs>db shop.needs>stock stock.needs>db"},
		{"what depends on it", cmdbRef("room", "r1"), 1, object.In, "r1@0 h1@1 h2@1", "h1.room>r1 h2.room>r1"},
		{"what depends on it, further", cmdbRef("service", "db"), 4, object.In, "db@0 db-1@1 shop@1 stock@1 shop-1@2 shop-2@2",
			"db-1.service>db shop-1.service>shop shop-2.service>shop shop.needs>db shop.needs>stock stock.needs>db"},
		{"both", cmdbRef("host", "h3"), 1, object.Both, "h3@0 db-1@1 r2@1", "db-1.host>h3 h3.room>r2"},
		{"nothing", cmdbRef("room", "r1"), 4, object.Out, "r1@0", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := g.Graph(ctx, c.from, in("a"), c.depth, c.along)
			g.must(err)
			nodes, edges := drawn(got)
			if d := cmp.Diff([]string{c.nodes, c.edges}, []string{nodes, edges}); d != "" || got.Truncated || got.Missing != nil {
				t.Errorf("%s %+v", d, got)
			}
		})
	}
	got, err := g.Graph(ctx, cmdbRef("instance", "db-1"), in("a"), 1, object.Out)
	if g.must(err); !slices.ContainsFunc(got.Nodes, func(n object.GraphNode) bool { return n.Name == "Third" && n.Type == "cmdb:host" }) {
		t.Errorf("the name is not that which the type shows: %+v", got.Nodes)
	}
}

// However many objects stand at the border, there is one question for each
// attribute that leads there.
func TestGraphAsksForAllAtOnce(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	for i := range 60 {
		g.put("host", fmt.Sprintf("x%d room=r1 env=dev", i))
		g.put("instance", fmt.Sprintf("i%d service=shop host=x%d", i, i))
	}
	g.asked.n = map[string]int{}
	got, err := g.Graph(as(t.Context(), "a"), cmdbRef("room", "r1"), in("a"), 3, object.In)
	g.must(err)
	if len(got.Nodes) != 1+62+62 {
		t.Errorf("%d nodes", len(got.Nodes))
	}
	if want := map[string]int{"room": 1, "host": 1, "instance": 1}; !cmp.Equal(want, g.asked.n) {
		t.Errorf("asked %v", g.asked.n)
	}
}

func TestGraphIsBounded(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	var hosts []string
	for i := range object.MaxNodes + 50 {
		hosts = append(hosts, fmt.Sprintf("x%d room=r1 env=dev", i))
	}
	g.put("host", hosts...)
	g.asked.n = map[string]int{}
	got, err := g.Graph(as(t.Context(), "a"), cmdbRef("room", "r1"), in("a"), 4, object.Both)
	g.must(err)
	if len(got.Nodes) != object.MaxNodes || len(got.Edges) != object.MaxNodes-1 ||
		!got.Truncated || g.asked.n["host"] > 3 || g.asked.n["instance"] > 0 {
		t.Errorf("%d nodes, %d edges, truncated %v, asked %v", len(got.Nodes), len(got.Edges), got.Truncated, g.asked.n)
	}
}

// What somebody may not see is not there, and nothing tells that it is: neither a
// node nor an edge, nor what is reached through it alone.
func TestGraphHidesWhatIsHidden(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	g.post("/entities/instance/create",
		[]wire.Row{{"id": wire.Raw("foreign"), "project": wire.Raw("b"), "service": wire.Raw("db"), "host": wire.Raw("h1")}})
	dev := identity.With(t.Context(), identity.Subject{ID: "user/bob", Name: "bob",
		Kind: identity.User, Grants: []identity.Grant{{Permission: "object.read", Project: "a", Environment: "dev"}}})
	got, err := g.Graph(dev, cmdbRef("instance", "db-1"), in("a"), 2, object.Out)
	g.must(err)
	if nodes, edges := drawn(got); nodes != "db-1@0 db@1" || edges != "db-1.service>db" {
		t.Errorf("%s; %s", nodes, edges)
	}
	got, err = g.Graph(as(t.Context(), "a"), cmdbRef("service", "db"), in("a"), 4, object.Both)
	g.must(err)
	if nodes, _ := drawn(got); strings.Contains(nodes, "foreign") || !strings.Contains(nodes, "h3@2") {
		t.Errorf("%s", nodes)
	}
	_, err = g.Graph(dev, cmdbRef("host", "h3"), in("a"), 1, object.Both)
	refused(t, err, errs.NotFound, "object.not_found")
	_, err = g.Graph(as(t.Context(), "b"), cmdbRef("host", "h1"), in("a"), 1, object.Both)
	refused(t, err, errs.Forbidden, "identity.forbidden")
}

// A plugin that is away takes nothing with it but its own objects, and is named.
func TestGraphWithoutAPlugin(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	g.deps.Router.Set("cmdb", gateway.Route{URL: "http://127.0.0.1:1"})
	got, err := g.Graph(as(t.Context(), "a"), object.Ref{Package: "p", Type: "thing", ID: "a1"}, in("a"), 1, object.In)
	g.must(err)
	if nodes, edges := drawn(got); nodes != "a1@0 a1-0@1 a1-1@1" || edges != "a1-0.of>a1 a1-1.of>a1" ||
		!slices.Equal(got.Missing, []string{"cmdb"}) {
		t.Errorf("%s; %s; %v", nodes, edges, got.Missing)
	}
}

// A type that somebody defines is there at once, and so is an attribute.
func TestDefinitionsAreThereAtOnce(t *testing.T) {
	t.Parallel()
	g := newGraphRig(t)
	ctx := architect(t.Context())
	def := in("default")
	_, err := g.Type(ctx, "cmdb:room") // the model is read, and believed for a while
	g.must(err)
	_, err = g.Create(ctx, "cmdb:object_type", def, []wire.Row{{"id": wire.Raw("rack")}})
	g.must(err)
	_, err = g.Create(ctx, "cmdb:rack", def, []wire.Row{{"id": wire.Raw("r")}})
	g.must(err)
	_, err = g.Create(ctx, "cmdb:object_attribute", def,
		[]wire.Row{{"id": wire.Raw("rack.size"), "object_type": wire.Raw("rack"), "name": wire.Raw("size"), "type": wire.Raw("int")}})
	g.must(err)
	rack, err := g.Type(ctx, "cmdb:rack")
	if g.must(err); len(rack.Attributes) != 2 {
		t.Errorf("%+v", rack)
	}
}
