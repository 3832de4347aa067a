package manifest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// problems parses a text that is wrong.
func problems(t *testing.T, text string) []manifest.Problem {
	t.Helper()
	m, err := manifest.Parse([]byte(text))
	var e *manifest.Error
	if !errors.As(err, &e) || m != nil || len(e.Problems) == 0 {
		t.Fatalf("%s\ngave %v, %v", text, m, err)
	}
	return e.Problems
}

func TestTheExampleIsRight(t *testing.T) {
	t.Parallel()
	m, err := manifest.Parse(read(t, "testdata/example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	a := m.Services[0].Actions[0]
	got := []any{m.Plugin, m.Version, m.Title["zh"], m.Requires[0].Version,
		m.Settings[0].Default, m.Objects[0].Scope.Environment, m.Objects[0].Attributes[3].Observed,
		a.Batch, a.Retry.On[0], a.Locks[0].On, a.Effects[0], a.Input[1].Risk, a.Output[1].To, m.Run.Binary, m.Resources.CPU, m.UI.Cards[0].On}
	want := []any{"host", "0.1.0", "主机", ">=0.1", "PT30S", "env", true, 50,
		"transport", "target", "host:host.state", "script", ".state@observed", "bin/host", 0.5, "host:host"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A description is a text by language, or a plain one, which is English.
func TestDescriptionsMayBePlain(t *testing.T) {
	t.Parallel()
	m, err := manifest.Parse(
		[]byte("plugin: p\nversion: 1.0.0\nrun: {builtin: true}\ndescription: Plain.\nobjects: [{type: a, description: {en: " +
			"A thing., zh: 物}, attributes: [{name: id, type: string}]}, {type: " +
			"b, description: Another., attributes: [{name: id, type: string}]}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if m.Description["en"] != "Plain." || m.Objects[0].Description["zh"] != "物" || m.Objects[1].Description["en"] != "Another." {
		t.Errorf("%+v", m)
	}
	var read wire.Manifest
	if err := json.Unmarshal([]byte(`{"plugin":"p","objects":[{"type":"a",`+
		`"description":"Plain."},{"type":"b","description":{"zh":"物"}},{"type":"c","description":""}]}`), &read); err != nil {
		t.Fatal(err)
	}
	if read.Objects[0].Description["en"] != "Plain." || read.Objects[1].Description["zh"] != "物" || read.Objects[2].Description != nil {
		t.Errorf("%+v", read.Objects)
	}
	if json.Unmarshal([]byte(`{"objects":[{"description":7}]}`), &read) == nil {
		t.Error("a number was taken as a description")
	}
}

func TestTheManifestsOfTheBuiltInPluginsAreRight(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../../../plugins/*/plugin.yaml")
	if err != nil || len(paths) < 2 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		if _, err := manifest.Parse(read(t, path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

const head = "plugin: p\nversion: 1.0.0\n"

// object, action and param put something into a manifest that is right otherwise.
func object(rest string) string {
	return head + "run: {builtin: true}\nobjects:\n- type: t\n" + rest
}

func action(rest string) string {
	return head + "run: {builtin: true}\nservices:\n- name: s\n  actions:\n  - action: a\n    path: /a\n" + rest
}

func input(rest string) string { return action("    input:\n    - {name: x, " + rest + "}\n") }

func output(rest string) string { return action("    output:\n    - {name: x, " + rest + "}\n") }

func TestProblems(t *testing.T) {
	t.Parallel()
	many := head + "permissions:\n" + strings.Repeat("- ''\n", 150)
	tests := []struct{ name, text, want string }{
		{"no_yaml", "plugin: [", "2:1  manifest.yaml"},
		{"tab", head + "run:\n\tbuiltin: true\n", "4:1  manifest.yaml"},
		{"deep", "plugin: " + strings.Repeat("[", 40) + strings.Repeat("]", 40), "manifest.yaml"},
		{"two_documents", head + "---\n" + head, "3:1  manifest.yaml"},
		{"too_large", "#" + strings.Repeat("x", 1<<20), "1:1  manifest.too_large"},
		{"empty", "", "1:1  manifest.missing"},
		{"comment", "# nothing\n", "1:1  manifest.missing"},
		{"null", "~", "1:1  manifest.missing"},
		{"no_mapping", "- a\n", "1:1  manifest.wrong_type"},
		{"anchor", "plugin: &x p\nversion: 1.0.0\n", "1:9 plugin manifest.alias"},
		{"alias", "plugin: p\nversion: 1.0.0\ntitle: {en: &x y, zh: *x}\n", "3:13 title.en manifest.alias; 3:23 title.zh manifest.alias"},
		{"merge", head + "title: {<<: {en: x}}\n", "3:13 title.<< manifest.wrong_type"},
		{"unknown_key", head + "colour: red\n", "3:1 colour manifest.key.unknown"},
		{"unknown_key_below", action("    speed: fast\n"), "9:5 services[0].actions[0].speed manifest.key.unknown"},
		{"key_twice", head + "plugin: q\n", "3:1 plugin manifest.key.duplicate"},
		{"odd_key", head + "? [a]\n: b\n", "3:3  manifest.key.unknown"},
		{"text", "plugin: 1\nversion: 1.0.0\n", "1:9 plugin manifest.wrong_type"},
		{"number_for_version", "plugin: p\nversion: 1.0\n", "2:10 version manifest.wrong_type"},
		{"list", head + "menus: {}\n", "3:8 menus manifest.wrong_type"},
		{"mapping", head + "run: x\n", "3:6 run manifest.wrong_type"},
		{"texts", head + "title: Hosts\n", "3:8 title manifest.wrong_type"},
		{"bool", action("    async: 1\n"), "9:12 services[0].actions[0].async manifest.wrong_type"},
		{"int", action("    batch: 1.5\n"), "9:12 services[0].actions[0].batch manifest.wrong_type"},
		{"float", head + "resources: {cpu: many}\n", "3:18 resources.cpu manifest.wrong_type"},
		{"empty_value", head + "run:\n", "3:5 run manifest.wrong_type"},
		{"no_plugin", "version: 1.0.0\n", "1:1 plugin manifest.missing"},
		{"no_version", "plugin: p\n", "1:1 version manifest.missing"},
		{"no_attributes", object(""), "5:3 objects[0].attributes manifest.missing"},
		{"no_actions", head + "run: {builtin: true}\nservices: [{name: s}]\n", "4:12 services[0].actions manifest.missing"},
		{"no_type", input("required: true"), "10:7 services[0].actions[0].input[0].type manifest.missing"},
		{"empty_title", head + "title: {en: ' '}\n", "3:13 title.en manifest.missing"},
		{"expr_without_from", input("type: int, expr: .x"), "10:7 services[0].actions[0].input[0].from manifest.missing"},
		{"from_without_expr", input("type: int, from: feel"), "10:7 services[0].actions[0].input[0].expr manifest.missing"},
		{"lock_on_nothing", action("    locks: [{mode: shared}]\n"), "9:13 services[0].actions[0].locks[0].on manifest.missing"},
		{"no_entry", head + "ui: {pages: []}\n", "3:5 ui.entry manifest.missing"},
		{"plugin_name", "plugin: Host\nversion: 1.0.0\n", "1:9 plugin manifest.name"},
		{"type_name", head + "run: {builtin: true}\nobjects: [{type: a.b, attributes: [{name: x, type: int}]}]\n",
			"4:18 objects[0].type manifest.name"},
		{"attribute_name", object("  attributes: [{name: 'a@observed', type: int}]\n"), "6:23 objects[0].attributes[0].name manifest.name"},
		{"attribute_none", object("  attributes: [{name: NONE, type: int}]\n"), "6:23 objects[0].attributes[0].name manifest.name"},
		{"language", head + "title: {English: x}\n", "3:18 title.English manifest.name"},
		{"export", head + "ui: {entry: a.js, pages: [{path: /a, export: a-b}]}\n", "3:46 ui.pages[0].export manifest.name"},
		{"version", "plugin: p\nversion: v1\n", "2:10 version manifest.version"},
		{"constraint", head + "requires: [{plugin: q, version: newest}]\n", "3:33 requires[0].version manifest.constraint"},
		{"setting_limits", head + "settings: [{name: a, type: int, min: 5, max: 1, default: 9}, {name: b, type: bool, min: 1}]\n",
			"3:46 settings[0].max manifest.range; 3:58 settings[0].default manifest.default; " +
				"3:89 settings[1].min manifest.conflict"},
		{"setting_values", head + "settings: [{name: a, type: enum}, {name: b, type: enum, values: [x], default: y}, " +
			"{name: c, type: string, pattern: '[', default: x}]\n",
			"3:12 settings[0].values manifest.values; 3:79 settings[1].default manifest.default; " +
				"3:116 settings[2].pattern manifest.expression; 3:130 settings[2].default manifest.default"},
		{"route_path", head + "run: {builtin: true}\nroutes: [{path: /api/v1/users}, {path: /in/a}, {path: /in/a}, {}]\n",
			"4:17 routes[0].path manifest.path; 4:55 routes[2].path manifest.duplicate; 4:63 routes[3].path manifest.missing"},
		{"route_methods", head + "run: {builtin: true}\nroutes: [{path: /data/a, methods: [GET, DELETE, GET, CONNECT]}]\n",
			"4:41 routes[0].methods[1] manifest.conflict; 4:49 routes[0].methods[2] manifest.duplicate; 4:54 routes[0].methods[3] manifest.word"},
		{"route_limits", head + "run: {builtin: true}\nroutes: [{path: /in/a, request: 2Ti, answer: 1.5Gi, timeout: P2D, connections: 10001}]\n",
			"4:33 routes[0].request manifest.range; 4:46 routes[0].answer manifest.range; 4:62 routes[0].timeout manifest.duration; " +
				"4:80 routes[0].connections manifest.range"},
		{"nobody_serves_a_route", head + "routes: [{path: /in/a}]\n", "1:1 run manifest.run"},
		{"dimension", head + "menus: [{id: a, dimension: top, path: /a}]\n", "3:28 menus[0].dimension manifest.word"},
		{"setting_type", head + "settings: [{name: a, type: list}]\n", "3:28 settings[0].type manifest.word"},
		{"scope", head + "settings: [{name: a, type: int, scope: world}]\n", "3:40 settings[0].scope manifest.word"},
		{"attribute_type", object("  attributes: [{name: x, type: list}]\n"), "6:32 objects[0].attributes[0].type manifest.word"},
		{"risk", action("    risk: some\n"), "9:11 services[0].actions[0].risk manifest.word"},
		{"method", action("    method: post\n"), "9:13 services[0].actions[0].method manifest.word"},
		{"retry_on", action("    retry: {max: 1, on: [bad]}\n"), "9:26 services[0].actions[0].retry.on[0] manifest.word"},
		{"lock_mode", action("    locks: [{mode: mine, on: target}]\n"), "9:20 services[0].actions[0].locks[0].mode manifest.word"},
		{"source", input("type: int, from: heaven"), "10:34 services[0].actions[0].input[0].from manifest.word"},
		{"param_risk", input("type: int, risk: some"), "10:34 services[0].actions[0].input[0].risk manifest.word"},
		{"ref_without_to", object("  attributes: [{name: x, type: ref}]\n"), "6:16 objects[0].attributes[0].to manifest.missing"},
		{"ref_to_nothing", object("  attributes: [{name: x, type: ref, to: 'p:u'}]\n"), "6:41 objects[0].attributes[0].to manifest.reference"},
		{"ref_without_plugin", object("  attributes: [{name: x, type: ref, to: u}]\n"), "6:41 objects[0].attributes[0].to manifest.reference"},
		{"target", action("    target: 'p:t'\n"), "9:13 services[0].actions[0].target manifest.reference"},
		{"display", object("  display: y\n  attributes: [{name: x, type: int}]\n"), "6:12 objects[0].display manifest.reference"},
		{"lock_on", action("    locks: [{mode: shared, on: something}]\n"), "9:32 services[0].actions[0].locks[0].on manifest.reference"},
		{"card", head + "ui: {entry: a.js, cards: [{on: x, export: a}]}\n", "3:32 ui.cards[0].on manifest.reference"},
		{"attribute_of_target", object("  attributes: [{name: x, type: int}]\n") +
			"services: [{name: s, actions: [{action: a, path: /a, target: 'p:t', input: [{name: i, type: int, from: path, expr: .y}]}]}]\n",
			"7:116 services[0].actions[0].input[0].expr manifest.reference"},
		{"twice", head + "menus: [{id: a, dimension: task, path: /a}, {id: a, dimension: task, path: /b}]\n",
			"3:50 menus[1].id manifest.duplicate"},
		{"path_twice", action("  - {action: b, path: /a, method: POST}\n"), "9:23 services[0].actions[1].path manifest.duplicate"},
		{"value_twice", object("  attributes: [{name: x, type: enum, values: [a, a]}]\n"),
			"6:50 objects[0].attributes[0].values[1] manifest.duplicate"},
		{"page_twice", head + "ui: {entry: a.js, pages: [{path: /a, export: a}, {path: /a, export: b}]}\n",
			"3:57 ui.pages[1].path manifest.duplicate"},
		{"enum_without_values", object("  attributes: [{name: x, type: enum}]\n"), "6:16 objects[0].attributes[0].values manifest.values"},
		{"values_without_enum", input("type: int, values: [1]"), "10:36 services[0].actions[0].input[0].values manifest.values"},
		{"default", head + "settings: [{name: a, type: int, default: many}]\n", "3:42 settings[0].default manifest.default"},
		{"default_of_enum", object("  attributes: [{name: x, type: enum, values: [a], default: b}]\n"),
			"6:60 objects[0].attributes[0].default manifest.default"},
		{"timeout", action("    timeout: 10m\n"), "9:14 services[0].actions[0].timeout manifest.duration"},
		{"no_time", action("    timeout: PT0S\n"), "9:14 services[0].actions[0].timeout manifest.duration"},
		{"backoff", action("    retry: {max: 1, backoff: PT9S..PT5S}\n"), "9:30 services[0].actions[0].retry.backoff manifest.duration"},
		{"batch", action("    batch: 10001\n"), "9:12 services[0].actions[0].batch manifest.range"},
		{"retries", action("    retry: {max: -1}\n"), "9:18 services[0].actions[0].retry.max manifest.range"},
		{"memory", head + "resources: {memory: 1.5Gi}\n", "3:21 resources.memory manifest.range"},
		{"cpu", head + "resources: {cpu: 5000}\n", "3:18 resources.cpu manifest.range"},
		{"cpu_is_a_number", head + "resources: {cpu: .nan}\n", "3:18 resources.cpu manifest.wrong_type"},
		{"route", head + "menus: [{id: a, dimension: task, path: hosts}]\n", "3:40 menus[0].path manifest.path"},
		{"route_up", head + "menus: [{id: a, dimension: task, path: /../x}]\n", "3:40 menus[0].path manifest.path"},
		{"file", head + "run: {binary: ../sh}\n", "3:15 run.binary manifest.path"},
		{"file_of_the_machine", head + "run: {image: /x.tar}\n", "3:14 run.image manifest.path"},
		{"expression", input("type: int, from: path, expr: 'a b'"), "10:46 services[0].actions[0].input[0].expr manifest.expression"},
		{"output_to", output("type: int, to: 'a b'"), "10:32 services[0].actions[0].output[0].to manifest.expression"},
		{"effect", action("    effects: ['p:t.x>q:u']\n"), "9:15 services[0].actions[0].effects[0] manifest.expression"},
		{"nothing_runs", head + "services: [{name: s, actions: [{action: a, path: /a}]}]\n", "1:1 run manifest.run"},
		{"two_ways_to_run", head + "run: {binary: a, image: b}\n", "3:6 run manifest.run"},
		{"requires_itself", head + "requires: [{plugin: p}]\n", "3:21 requires[0].plugin manifest.conflict"},
		{"secret_default", head + "settings: [{name: a, type: string, secret: true, default: x}]\n",
			"3:59 settings[0].default manifest.conflict"},
		{"to_without_ref", object("  attributes: [{name: x, type: int, to: 'p:t'}]\n"), "6:41 objects[0].attributes[0].to manifest.conflict"},
		{"id_is_a_string", object("  attributes: [{name: id, type: int}]\n"), "6:33 objects[0].attributes[0].type manifest.conflict"},
		{"input_to", input("type: int, to: .x"), "10:32 services[0].actions[0].input[0].to manifest.conflict"},
		{"output_pattern", output("type: string, pattern: x"), "services[0].actions[0].output[0].pattern manifest.conflict"},
		{"pattern_of_a_number", input("type: int, pattern: x"), "services[0].actions[0].input[0].pattern manifest.conflict"},
		{"no_pattern", object("  attributes: [{name: x, type: text, pattern: '['}]\n"), "objects[0].attributes[0].pattern manifest.expression"},
		{"fields_of_a_text", input("type: text, fields: [user]"), "services[0].actions[0].input[0].fields manifest.conflict"},
		{"one_of_nothing", action("    oneOf: [[a, b]]\n"), "services[0].actions[0].oneOf[0][0] manifest.reference"},
		{"output_from", output("type: int, from: path, expr: .x"),
			"10:34 services[0].actions[0].output[0].from manifest.conflict; 10:46 services[0].actions[0].output[0].expr manifest.conflict"},
		{"too_many", many, "manifest.too_many_problems"},
		{"in_order", "version: x\nplugin: P\nrun: {}\n", "1:10 version manifest.version; 2:9 plugin manifest.name; 3:6 run manifest.run"},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		found := problems(t, tt.text)
		var got []string
		for _, p := range found {
			got = append(got, fmt.Sprintf("%d:%d %s %s", p.Line, p.Column, p.Path, p.Code))
			seen[p.Code] = true
			if strings.TrimSpace(p.Message) == "" || p.Line < 1 || p.Column < 1 {
				t.Errorf("%s: %+v", tt.name, p)
			}
		}
		whole := strings.Join(got, "; ")
		if part := !strings.Contains(tt.want, ":"); !part && whole != tt.want || part && !strings.Contains(whole, tt.want) {
			t.Errorf("%s: got %.300s, want %s", tt.name, whole, tt.want)
		}
	}
	for name, code := range codes(t) {
		if !seen[code] {
			t.Errorf("%s (%s) comes of nothing", name, code)
		}
	}
	if got := problems(t, many); len(got) != 100 || !strings.HasPrefix(got[99].Message, "51 more problems") {
		t.Errorf("%d problems, the last is %v", len(got), got[len(got)-1])
	}
}

// codes reads the constants of the package.
func codes(t *testing.T) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "problem.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && len(spec.Values) == 1 && strings.HasPrefix(spec.Names[0].Name, "Code") {
			lit := spec.Values[0].(*ast.BasicLit)
			if v, err := strconv.Unquote(lit.Value); err == nil {
				out[spec.Names[0].Name] = v
			}
		}
		return true
	})
	if len(out) < 20 {
		t.Fatal(out)
	}
	return out
}

func TestTheErrorNamesTheFirstProblems(t *testing.T) {
	t.Parallel()
	_, err := manifest.Parse([]byte("plugin: P\nversion: x\nrun: {}\ncolour: red\nsize: 1\n"))
	want := "the manifest is not valid: line 1, column 9: plugin: "
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "; and 2 more") {
		t.Error(err)
	}
}

func TestValuesMayLookLikeAnything(t *testing.T) {
	t.Parallel()
	m, err := manifest.Parse([]byte(
		object("  attributes: [{name: x, type: enum, values: [1, 2.50, true, on], default: 2.50}, {name: y, type: number, default: -1}]\n")))
	if err != nil {
		t.Fatal(err)
	}
	a := m.Objects[0].Attributes
	if diff := cmp.Diff([]string{"1", "2.50", "true", "on", "2.50", "-1"}, append(a[0].Values, a[0].Default, a[1].Default)); diff != "" {
		t.Error(diff)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"int 5": true, "int 5.0": false, "number 5.0": true, "number 1e3": false,
		"bool true": true, "bool yes": false, "duration PT1S": true, "duration 1s": false,
		"datetime 2026-01-31T08:00:00Z": true, "datetime 2026": false, "list [1]": true,
		"list {}": false, `object {"a":1}`: true, "object [1]": false, "string x": true,
	} {
		typ, value, _ := strings.Cut(text, " ")
		m := &wire.Manifest{Plugin: "p", Version: "1.0.0", Run: &wire.Run{Builtin: true},
			Services: []wire.Service{{Name: "s", Actions: []wire.Action{
				{Action: "a", Path: "/a", Input: []wire.Param{{Name: "x", Type: typ, Default: value}}}}}}}
		found := manifest.Validate(m)
		if ok != (len(found) == 0) || !ok && (found[0].Code != manifest.CodeDefault || found[0].Line != 0) {
			t.Errorf("%s: %v", text, found)
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	m := &wire.Manifest{Services: []wire.Service{
		{Name: "script", Actions: []wire.Action{{Action: "run"}, {Action: "check"}}}, {Name: "file", Actions: []wire.Action{{Action: "copy"}}}}}
	tests := []struct {
		service, action string
		want            *wire.Action
	}{
		{"script", "run", &m.Services[0].Actions[0]},
		{"script", "check", &m.Services[0].Actions[1]},
		{"script(nightly)", "run", &m.Services[0].Actions[0]},
		{"script(a(b))", "run", &m.Services[0].Actions[0]},
		{"file", "copy", &m.Services[1].Actions[0]},
		{"file", "run", nil},
		{"script(nightly", "run", nil},
		{"Script", "run", nil},
		{"", "", nil},
	}
	for _, tt := range tests {
		got, ok := manifest.Lookup(m, tt.service, tt.action)
		if got != tt.want || ok != (tt.want != nil) {
			t.Errorf("%s/%s: got %v %v", tt.service, tt.action, got, ok)
		}
	}
}

// Whatever the text, Parse gives a manifest without problems, or problems that
// stand somewhere.
func FuzzParse(f *testing.F) {
	f.Add(string(read(f, "testdata/example.yaml")))
	f.Add("plugin: p\nversion: 1.0.0\ntitle: {<<: &a {en: x}, zh: *a}\n")
	f.Add("? {a: b}\n: [~, 1, .nan]\n")
	f.Add(action("    effects: ['p:t{a eq 1}.x']\n    locks: [{on: 'p:t/ x'}]\n"))
	f.Add("objects: [{attributes: [{default: 0x1F, values: [~, {}]}]}]")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := manifest.Parse([]byte(text))
		if err == nil {
			if found := manifest.Validate(m); len(found) > 0 {
				t.Errorf("a manifest that was taken has problems: %v", found)
			}
			return
		}
		var e *manifest.Error
		if !errors.As(err, &e) || m != nil || len(e.Problems) == 0 || len(e.Problems) > 100 {
			t.Fatalf("%v, %v", m, err)
		}
		if !slices.IsSortedFunc(e.Problems, func(a, b manifest.Problem) int {
			if a.Line != b.Line {
				return a.Line - b.Line
			}
			return a.Column - b.Column
		}) {
			t.Error("the problems are not in the order of the text")
		}
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + strings.Count(text, "\u0085") +
			strings.Count(text, "\u2028") + strings.Count(text, "\u2029") + 2
		for _, p := range e.Problems {
			if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Message == "" || !strings.HasPrefix(p.Code, "manifest.") {
				t.Errorf("%+v stands nowhere", p)
			}
		}
	})
}

func TestLimitsOfRoutes(t *testing.T) {
	t.Parallel()
	got := manifest.Limits(wire.Route{Path: "/in/a"})
	if want := (manifest.RouteLimits{Request: 64 << 20, Answer: 1 << 30, Timeout: 10 * time.Minute, Connections: 32}); got != want {
		t.Errorf("%+v", got)
	}
	got = manifest.Limits(wire.Route{Path: "/in/a", Request: "1Ti", Answer: "3k", Timeout: "PT1S", Connections: 1})
	if want := (manifest.RouteLimits{Request: 1 << 40, Answer: 3000, Timeout: time.Second, Connections: 1}); got != want {
		t.Errorf("%+v", got)
	}
	for want, r := range map[string]wire.Route{"POST": {Path: "/in/a"}, "GET HEAD": {Path: "/data/a"},
		"PUT GET HEAD": {Path: "/in/a", Methods: []string{"PUT", "GET"}}} {
		if got := strings.Join(manifest.RouteMethods(r), " "); got != want {
			t.Errorf("%+v takes %s", r, got)
		}
	}
}
