package world_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sextant/examples/processes"
	"sextant/internal/demo/stage"
	"sextant/internal/demo/world"
	"sextant/internal/engine/program"
	"sextant/internal/lang/bpmn"
	"sextant/internal/lang/objectpath"
	"sextant/internal/testkit/dbserver"
	"sextant/plugins/cmdb"
	"sextant/plugins/host"
	"sextant/sdk/go/objectdoc"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/sqldb"
	"sextant/sdk/go/wire"
)

func setting() *stage.Stage {
	s := &stage.Stage{Balancer: stage.Host{
		Name: "balancer", Address: "127.0.0.14:2214", HostKey: "ssh-ed25519 AAAA", User: "me", AppAddress: "127.0.0.14:8014", Home: "/b"}}
	for i := range 3 {
		s.Hosts = append(s.Hosts, stage.Host{Name: fmt.Sprintf("app-%d", i+1), Address: fmt.Sprintf("127.0.0.%d:221%d", 11+i, 1+i),
			HostKey: "ssh-ed25519 AAAA", User: "me", AppAddress: fmt.Sprintf("127.0.0.%d:801%d", 11+i, 1+i), Home: "/a"})
	}
	return s
}

// serve runs a plugin in process.
func serve(t *testing.T, p *plugin.Plugin) http.Handler {
	t.Helper()
	dir := t.TempDir()
	db, dialect, err := sqldb.Open(dbserver.Address(t, filepath.Join(dir, "db")), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	on := &plugin.Host{DB: db, Dialect: string(dialect), Data: dir}
	h, err := p.Handler(t.Context(), on)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(on.Close)
	return h
}

func post(t *testing.T, h http.Handler, path string, body any) string {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(data))
	req.Header.Set(wire.HeaderIdempotencyKey, path)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

func TestThePluginsTakeTheObjects(t *testing.T) {
	t.Parallel()
	owners := map[string]http.Handler{"cmdb": serve(t, cmdb.New()), "host": serve(t, host.New())}
	doc, err := objectdoc.Parse(wire.Raw(map[string]any{"types": world.Types()}))
	if err != nil {
		t.Fatal(err)
	}
	set := wire.ChangeSet{}
	for _, c := range doc.Body("cmdb", false).Changes {
		set.Changes = append(set.Changes, wire.Change{Op: wire.OpCreate, Type: strings.TrimPrefix(c.Type, "cmdb:"), Row: c.Row})
	}
	if answer := post(t, owners["cmdb"], "/changes", set); !strings.Contains(answer, `"created"`) {
		t.Fatalf("the types: %s", answer)
	}
	n := 0
	for _, set := range world.Objects(setting()) {
		owner, typ, _ := strings.Cut(set.Type, ":")
		post(t, owners[owner], "/entities/"+typ+"/create", set.Rows)
		n += len(set.Rows)
	}
	if n != 10 {
		t.Errorf("there are %d objects", n)
	}
	if got := post(t, owners["cmdb"], "/entities/instance/query",
		wire.Query{Criteria: &wire.Filter{Attr: "unit", Op: wire.OpEq, Condition: wire.Raw(world.Unit)}}); strings.Count(got, `"inbox"`) != 3 {
		t.Errorf("the instances of the unit: %s", got)
	}
}

// typesOf are all object types of the demo by plugin:type.
func typesOf(t *testing.T) map[string]wire.ObjectType {
	t.Helper()
	all := map[string]wire.ObjectType{}
	for _, o := range world.Types() {
		all["cmdb:"+o.Type] = o
	}
	m, err := host.New().Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range m.Objects {
		all["host:"+o.Type] = o
	}
	return all
}

// follow finds the type that a path leads to, and what is wrong with it.
func follow(types map[string]wire.ObjectType, from, src string) (to string, problem string) {
	p, err := objectpath.ParseRelative(src)
	if err != nil {
		return "", err.Error()
	}
	pkg, typ, _ := strings.Cut(from, ":")
	p = p.From(pkg, typ)
	find := func(typ, name string) (wire.Attribute, bool) {
		i := slices.IndexFunc(types[typ].Attributes, func(a wire.Attribute) bool { return a.Name == name })
		if i < 0 {
			return wire.Attribute{}, false
		}
		return types[typ].Attributes[i], true
	}
	for i, n := range p.Nodes {
		if _, ok := types[n.TypeRef()]; !ok {
			return "", "there is no type " + n.TypeRef()
		}
		if i == 0 {
			continue
		}
		before, holder, aim := p.Nodes[i-1].TypeRef(), p.Nodes[i-1].TypeRef(), n.TypeRef()
		if n.Link.Kind == objectpath.RefBy {
			holder, aim = n.TypeRef(), before
		}
		if a, ok := find(holder, n.Link.Attr); !ok || a.To != aim {
			return "", fmt.Sprintf("%s.%s does not refer to %s", holder, n.Link.Attr, aim)
		}
	}
	last := p.Last().TypeRef()
	if p.Attr == "" {
		return last, ""
	}
	a, ok := find(last, p.Attr)
	if !ok || strings.HasSuffix(p.Field(), wire.ObservedSuffix) && !a.Observed {
		return "", fmt.Sprintf("%s has no %s", last, p.Field())
	}
	return last, ""
}

// rows is the type of the rows that a node acts on: of its own binding, else of
// the batch that it is in, else of the run.
func rows(t *testing.T, types map[string]wire.ObjectType, p *program.Program, n *program.Node) string {
	t.Helper()
	from := "cmdb:unit"
	if n.Scope != program.None {
		scope := p.Nodes[n.Scope]
		for scope.Scope != program.None && scope.Loop == nil {
			scope = p.Nodes[scope.Scope]
		}
		if scope.Loop != nil {
			from = rows(t, types, p, scope)
		}
	}
	if n.Ext.Bind == nil {
		return from
	}
	to, problem := follow(types, from, n.Ext.Bind.Path)
	if problem != "" {
		t.Errorf("%s: the binding %s: %s", n.ID, n.Ext.Bind.Path, problem)
	}
	return to
}

// Every path of the example processes leads somewhere in this world.
func TestTheProcessesFindTheirWay(t *testing.T) {
	t.Parallel()
	types := typesOf(t)
	files, err := fs.Glob(processes.Files, "*.bpmn")
	if err != nil {
		t.Fatal(err)
	}
	paths := 0
	for _, file := range files {
		data, err := fs.ReadFile(processes.Files, file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := bpmn.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		m, err := bpmn.Read(doc)
		if err != nil {
			t.Fatal(err)
		}
		p, err := program.Compile(m, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range p.Nodes {
			from := rows(t, types, p, n)
			for _, in := range n.Ext.ServiceInputs {
				if in.From != "path" {
					continue
				}
				paths++
				if _, problem := follow(types, from, in.Value); problem != "" {
					t.Errorf("%s: %s: the input %s from %s of %s: %s", file, n.ID, in.Name, in.Value, from, problem)
				}
			}
			for _, out := range n.Ext.ServiceOutputs {
				paths++
				if _, problem := follow(types, from, out.To); problem != "" {
					t.Errorf("%s: %s: the output %s to %s of %s: %s", file, n.ID, out.Name, out.To, from, problem)
				}
			}
		}
	}
	if paths < 50 {
		t.Errorf("only %d paths were followed", paths)
	}
}
