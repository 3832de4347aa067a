package manifest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"

	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

// node is the part of a JSON Schema that ours is written in.
type node struct {
	Ref         string `json:"$ref"`
	Type        any
	Description string
	Properties  map[string]node
	Required    []string
	Enum        []string
	Items       *node
	Additional  json.RawMessage `json:"additionalProperties"`
	Defs        map[string]node `json:"$defs"`
}

func schema(t testing.TB) node {
	t.Helper()
	var n node
	if err := json.Unmarshal(manifest.Schema(), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// at follows references.
func (n node) at(root node) node {
	for n.Ref != "" {
		n = root.Defs[strings.TrimPrefix(n.Ref, "#/$defs/")]
	}
	return n
}

// The schema has every field of the manifest, each of its type, and no other.
func TestTheSchemaHasTheFieldsOfTheManifest(t *testing.T) {
	t.Parallel()
	root := schema(t)
	compare(t, root, root, reflect.TypeFor[wire.Manifest](), "")
}

func compare(t *testing.T, root, n node, typ reflect.Type, path string) {
	t.Helper()
	if n.Description == "" {
		t.Errorf("%s has no description", path)
	}
	n = n.at(root)
	kinds := map[reflect.Kind]string{reflect.String: "string", reflect.Bool: "boolean",
		reflect.Int: "integer", reflect.Float64: "number", reflect.Slice: "array", reflect.Struct: "object", reflect.Map: "object"}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	want := any(kinds[typ.Kind()])
	if strings.HasSuffix(path, ".default") || strings.HasSuffix(path, ".values[]") {
		want = []any{"string", "number", "boolean"}
	}
	if strings.HasSuffix(path, ".description") {
		want = []any{"string", "object"}
	}
	if !reflect.DeepEqual(n.Type, want) {
		t.Errorf("%s is %v, not %v", path, n.Type, want)
	}
	switch typ.Kind() {
	case reflect.Slice:
		if n.Items == nil {
			t.Errorf("%s has no items", path)
			return
		}
		items := *n.Items
		if items.Description == "" {
			items.Description = n.Description // the list says what they are
		}
		compare(t, root, items, typ.Elem(), path+"[]")
	case reflect.Struct:
		var fields []string
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			fields = append(fields, name)
			property, ok := n.Properties[name]
			if ok {
				compare(t, root, property, f.Type, path+"."+name)
			}
			if slices.Contains(n.Required, name) && options != "" {
				t.Errorf("%s.%s is required by the schema and may be left out of the manifest", path, name)
			}
		}
		slices.Sort(fields)
		if diff := cmp.Diff(fields, slices.Sorted(maps.Keys(n.Properties))); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		if string(n.Additional) != "false" {
			t.Errorf("%s takes more than it knows", path)
		}
	}
}

func TestTheSchemaHasTheWordsOfThePackage(t *testing.T) {
	t.Parallel()
	root := schema(t)
	for path, want := range map[string][]string{
		"menu.dimension": manifest.Dimensions(), "setting.type": manifest.SettingTypes(),
		"setting.scope": manifest.SettingScopes(), "attribute.type": manifest.AttributeTypes(),
		"action.method": manifest.Methods(), "action.risk": manifest.Risks(),
		"lock.mode": manifest.LockModes(), "param.type": manifest.ParamTypes(),
		"param.risk": manifest.ParamRisks(), "param.from": manifest.Sources(),
	} {
		def, property, _ := strings.Cut(path, ".")
		if diff := cmp.Diff(want, root.Defs[def].Properties[property].Enum); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	if diff := cmp.Diff(manifest.RetryClasses(), root.Defs["retry"].Properties["on"].Items.Enum); diff != "" {
		t.Error(diff)
	}
}

func compile(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(manifest.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("manifest.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// document reads YAML into what the schema is asked about.
func document(t rapid.TB, text []byte) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := yaml.Load(text, &doc); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return out.(map[string]any)
}

func TestTheSchemaTakesWhatIsRight(t *testing.T) {
	t.Parallel()
	s := compile(t)
	paths, err := filepath.Glob("../../../plugins/*/plugin.yaml")
	if err != nil || len(paths) < 2 {
		t.Fatal(paths, err)
	}
	for _, path := range append(paths, "testdata/example.yaml") {
		if err := s.Validate(document(t, read(t, path))); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestTheSchemaRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := compile(t)
	for name, text := range map[string]string{
		"no plugin": "version: 1.0.0", "unknown key": head + "colour: red", "wrong type": "plugin: 1\nversion: 1.0.0",
		"version": "plugin: p\nversion: v1",
		"word":    action("    risk: some"), "name": object("  attributes: [{name: 'a@observed', type: int}]"),
		"list": head + "menus: {}", "duration": action("    timeout: 10m"),
		"two ways to run": head + "run: {binary: a, image: b}", "no way to run": head + "run: {}", "not built in": head + "run: {builtin: false}",
		"range": action("    batch: 10001"), "ref": object("  attributes: [{name: x, type: ref, to: u}]"),
		"language": head + "title: {English: x}",
		"text":     head + "title: Hosts", "input to": input("type: int, to: .x"),
		"output from": output("type: int, from: path, expr: .x"), "null": head + "run: ~",
		"lock": action("    locks: [{mode: shared, on: something}]"), "memory": head + "resources: {memory: 1.5Gi}",
		"route": head + "menus: [{id: a, dimension: task, path: hosts}]",
	} {
		if err := s.Validate(document(t, []byte(text))); err == nil {
			t.Errorf("%s was taken", name)
		}
		problems(t, text)
	}
}

// change makes one change somewhere in a document.
func change(t *rapid.T, v any) any {
	words := []any{"p", "x", "", "1.0.0", "PT5S", "PT1S..PT9S", "host:host", ".address", "/a", "target", "string", "enum",
		"ref", "read", "POST", "5", true, false, json.Number("3"), json.Number("0.5"), json.Number("-1"), []any{}, []any{"a"}, map[string]any{}}
	switch v := v.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		if len(keys) == 0 {
			return v
		}
		key := rapid.SampledFrom(keys).Draw(t, "key")
		switch rapid.IntRange(0, 5).Draw(t, "what") {
		case 0:
			delete(v, key)
		case 1:
			v[key] = rapid.SampledFrom(words).Draw(t, "value")
		case 2:
			v[rapid.SampledFrom([]string{"default", "values", "to", "from", "expr", "secret", "risk", "observed",
				"title", "binary", "builtin", "display", "scope", "on", "colour"}).Draw(t, "new key")] = rapid.SampledFrom(words).Draw(t, "value")
		default:
			v[key] = change(t, v[key])
		}
	case []any:
		if len(v) > 0 {
			i := rapid.IntRange(0, len(v)-1).Draw(t, "index")
			v[i] = change(t, v[i])
		}
		return v
	default:
		return rapid.SampledFrom(words).Draw(t, "value")
	}
	return v
}

// hollow reports whether something empty is written, which Parse takes for left
// out and the schema tells in an editor.
func hollow(v any) bool {
	switch v := v.(type) {
	case string:
		return v == ""
	case []any:
		return len(v) == 0 || slices.ContainsFunc(v, hollow)
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), hollow)
	}
	return false
}

// What Parse takes, the schema takes too: an editor shows no mistake where there
// is none.
func TestTheSchemaIsNotStricterThanParse(t *testing.T) {
	t.Parallel()
	s, example := compile(t), read(t, "testdata/example.yaml")
	taken := 0
	rapid.Check(t, func(rt *rapid.T) {
		doc, text := accepted(rt, example)
		if doc == nil {
			return
		}
		taken++
		if err := s.Validate(doc); err != nil {
			rt.Errorf("%s\nwas taken by Parse, but: %v", text, err)
		}
	})
	if taken < 50 {
		t.Errorf("only %d of the documents were right", taken)
	}
}

// accepted changes the example until Parse still takes it; most changes make it
// wrong, and it gives up after thirty.
func accepted(t *rapid.T, example []byte) (doc any, text []byte) {
	for range 30 {
		doc := document(t, example)
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			change(t, doc)
		}
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := manifest.Parse(text); err == nil && !hollow(doc) {
			return doc, text
		}
	}
	return nil, nil
}

func TestTheSchemaIsACopy(t *testing.T) {
	t.Parallel()
	manifest.Schema()[0] = 'x'
	if got := manifest.Schema(); got[0] != '{' || !strings.Contains(string(got), "https://json-schema.org/draft/2020-12/schema") {
		t.Error(fmt.Sprintf("%.40s", got))
	}
}
