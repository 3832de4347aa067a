package cmdb_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sextant/sdk/go/objectdoc/objectdoctest"
	"sextant/sdk/go/wire"
)

func (r *rig) load(key, text string, more ...any) map[string]any {
	r.Helper()
	in := map[string]any{"text": text}
	for i := 0; i+1 < len(more); i += 2 {
		in[more[i].(string)] = more[i+1]
	}
	return r.action("/v1/import/yaml", key, in)
}

// did is what an import did, in short.
func did(got map[string]any) string {
	return fmt.Sprint(got["outcome"], " ", got["created"], " ", got["changed"], " ", got["unchanged"])
}

func TestImport(t *testing.T) {
	t.Parallel()
	r := start(t)
	if got := r.load("dry", objectdoctest.Landscape, "dry_run", true); did(got) != "ok 3 0 0" || len(got["types"].([]any)) != 2 {
		t.Fatal(got)
	}
	if got := r.query("object_type", `{}`); len(got) != 0 {
		t.Fatalf("a dry run left %v", got)
	}
	if got := r.load("first", objectdoctest.Landscape); did(got) != "ok 3 0 0" {
		t.Fatal(got)
	}
	want := []map[string]any{
		{"id": "web-1", "@version": json.Number("1"), "displayName": "web-1",
			"name": "web-1", "serial": "0080", "load": json.Number("1.10"), "cpus": json.Number("9007199254740993"), "on": true,
			"since": "2026-01-31T08:00:00Z", "state": "on", "state@observed": "off", "zone": "north", "peers": []any{"web-2", "web-1"}},
		{"id": "web-2", "@version": json.Number("1"), "displayName": "1e3", "name": "1e3",
			"load": json.Number("123456789012345678901234567890.50"), "zone": "north", "peers": []any{"web-1"}},
	}
	if diff := cmp.Diff(want, r.query("host", `{}`)); diff != "" {
		t.Error(diff)
	}
	if got := r.query("zone", `{}`)[0]; got["label"] != "yes" || got["main"] != "web-1" {
		t.Error(got)
	}
	if got := r.load("again", objectdoctest.Landscape); did(got) != "ok 0 0 3" {
		t.Error(got)
	}
	if got := r.load("some", "objects:\n  host:\n    - {id: web-1, load: null, state@observed: on}\n"+
		"    - {id: web-2}\n    - {id: web-3, name: three, zone: north}\n"); did(got) != "ok 1 1 1" {
		t.Error(got)
	}
	got := r.query("host", `{"criteria":{"attrName":"id","op":"eq","condition":"web-1"}}`)[0]
	if _, there := got["load"]; there || got["state@observed"] != "on" || got["serial"] != "0080" {
		t.Error(got)
	}
	history := r.query("history", `{"criteria":{"attrName":"object_id","op":"eq","condition":"web-1"}}`)
	if len(history) != 2 || history[0]["operator"] != "bob" || history[0]["run"] != "43" {
		t.Error(history)
	}
}

func TestImportSaysWhereAndChangesNothing(t *testing.T) {
	t.Parallel()
	r := start(t)
	if got := r.load("first", objectdoctest.Landscape); got["outcome"] != "ok" {
		t.Fatal(got)
	}
	before := r.must("history", "query", `{}`)
	tests := []struct{ name, text, want string }{
		{"no YAML", "objects:\n  host: [\n", "this is no YAML"},
		{"tab", "objects:\n\thost: 1\n", "line 2, column 1: this is no YAML"},
		{"no mapping", "- a\n", "line 1, column 1: a mapping is wanted"},
		{"two documents", "objects: {}\n---\nobjects: {}\n", "line 2, column 1: another document begins"},
		{"unknown key", "things: {}\n", "the key things is not known here: possible are objects, types"},
		{"key twice", "objects:\n  host:\n    - id: a\n      cpus: 1\n      cpus: 2\n", "line 5, column 7: "},
		{"no id", "objects:\n  host:\n    - name: x\n", "line 3, column 7: host: the object has no id"},
		{"same object twice", "objects:\n  host:\n    - {id: a}\n    - {id: a}\n",
			"line 4, column 7: host/a: the object stands on line 3 already"},
		{"no such type", "objects:\n  rack:\n    - {id: a}\n", "line 3, column 7: rack/a: there is no object type cmdb:rack"},
		{"definitions", "objects:\n  object_type:\n    - {id: a}\n", "objects of this type are not imported"},
		{"no such attribute", "objects:\n  host:\n    - id: web-1\n      colour: red\n",
			"line 4, column 15: host/web-1: colour: it is unknown: host has the attributes"},
		{"wrong value", "objects:\n  host:\n    - id: web-1\n      cpus: many\n",
			`line 4, column 13: host/web-1: cpus: "many" is no whole number`},
		{"hexadecimal", "objects:\n  host:\n    - id: web-1\n      cpus: 0x10\n", `cpus: "0x10" is no whole number`},
		{"nested", "objects:\n  host:\n    - id: web-1\n      serial: {a: 1}\n",
			"line 4, column 15: host/web-1: serial: a value, a list of ids or null is wanted"},
		{"list for a value", "objects:\n  host:\n    - id: web-1\n      serial: [a]\n", "serial: one value is wanted"},
		{"required", "objects:\n  host:\n    - {id: new, zone: north}\n", "line 3, column 7: host/new: name: it is required"},
		{"taken", "objects:\n  host:\n    - {id: new, name: web-1, zone: north}\n",
			`line 3, column 23: host/new: name: another host has "web-1" already`},
		{"reference", "objects:\n  host:\n    - {id: new, name: new, zone: south}\n",
			`line 3, column 34: host/new: zone: there is no cmdb:zone with the id "south"`},
		{"bad id", "objects:\n  host:\n    - {id: a/b, name: x, zone: north}\n", "host/a/b: id: an id has letters"},
		{"type", "types:\n  - type: host\n    display: name\n    attributes:\n      - {name: cpus, type: text}\n",
			"line 5, column 28: host.cpus: type: there is 1 object"},
		{"alias", "objects:\n  host:\n    - {id: &x a, name: *x}\n", "line 3, column 12: anchors and aliases"},
		{"several", "objects:\n  host:\n    - {id: ok, name: ok, zone: north}\n    - {id: web-1, cpus: x, load: y}\n",
			"column 34: host/web-1: load:"},
	}
	for _, tt := range tests {
		got := r.load(tt.name, tt.text)
		if got["outcome"] != "failed" || got["errorCode"] != "cmdb.import" ||
			!strings.Contains(fmt.Sprint(got["errorMessage"]), tt.want) || got["problems"] == nil {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if after := r.must("history", "query", `{}`); after != before {
		t.Errorf("something was changed: %s", after)
	}
}

func TestImportOrderAndRings(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.defined(`
- type: a
  attributes:
    - {name: next, type: ref, to: cmdb:b, required: true}
- type: b
  attributes:
    - {name: next, type: ref, to: cmdb:a}
    - {name: must, type: ref, to: cmdb:b}
`)
	if got := r.load("ring", "objects:\n  a:\n    - {id: a1, next: b1}\n  b:\n    - {id: b1, next: a1}\n    - {id: b2, must: b2}\n"); did(
		got) != "ok 3 0 0" {
		t.Error(got)
	}
	r.defined(`[{type: c, attributes: [{name: d, type: ref, to: "cmdb:d", ` +
		`required: true}]}, {type: d, attributes: [{name: c, type: ref, to: "cmdb:c", required: true}]}]`)
	if got := r.load("required ring", "objects:\n  c:\n    - {id: c1, d: d1}\n  d:\n    - {id: d1, c: c1}\n"); did(got) != "ok 2 0 0" {
		t.Error(got)
	}
	r.refused("c", "delete", `[{"id":"c1"}]`, "refers to")
	code, out := r.request(http.MethodPost, "/changes",
		`{"changes":[{"op":"delete","type":"c","row":{"id":"c1"}},{"op":"delete","type":"d","row":{"id":"d1"}}]}`, by("ann", ""))
	if code != http.StatusOK {
		t.Errorf("those of a ring go together: %d %s", code, out)
	}
}

// The plugin writes nothing by itself: it asks the platform, for the call at work
// and the project of its run.
func TestAnImportIsAskedOfThePlatform(t *testing.T) {
	t.Parallel()
	r := start(t)
	if got := r.load("one", "types:\n  - {type: a, scope: {project: team}}\nobjects:\n  a:\n    - {id: a1}\n"); did(got) != "ok 1 0 0" {
		t.Fatal(got)
	}
	r.defined(`[{type: b}]`)
	if len(r.up.asked) != 2 || r.up.asked[0] != "project=blue Bearer its own one" ||
		!strings.HasPrefix(r.up.asked[1], "project=blue Bearer its own define") {
		t.Errorf("%q", r.up.asked)
	}
	_, out := r.request(http.MethodGet, "/manifest", "", nil)
	var m wire.Manifest
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		t.Fatal(err)
	}
	for _, s := range m.Services {
		for _, p := range s.Actions[0].Input {
			if p.Name == "project" {
				t.Errorf("%s takes a project from whoever writes its inputs", s.Name)
			}
		}
	}
}

func TestALargeImport(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.defined(hosts)
	var b strings.Builder
	b.WriteString("objects:\n  host:\n")
	const n = 2000
	for i := range n {
		fmt.Fprintf(&b, "    - {id: h%d, name: n%d, peers: [h%d]}\n", i, i, (i+1)%n)
	}
	if got := r.load("many", b.String()); did(got) != fmt.Sprintf("ok %d 0 0", n) {
		t.Errorf("%.300v", got)
	}
	if got := r.load("many again", b.String()); did(got) != fmt.Sprintf("ok 0 0 %d", n) {
		t.Errorf("%.300v", got)
	}
}
