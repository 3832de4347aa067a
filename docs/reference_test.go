package docs_test

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"sextant/internal/config"
	"sextant/internal/kit/api"
	"sextant/internal/server"
)

const written = "<!-- Written by go test ./docs -update. Do not edit. -->\n"

// cell is a text that stands in a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// The cases of test/trust, for those who want to know what was tried.
func TestTheSecurityCasesAreCurrent(t *testing.T) {
	t.Parallel()
	rows, err := csv.NewReader(bytes.NewReader([]byte(read(t, "test/trust/cases.csv")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	var b strings.Builder
	group := ""
	for _, r := range rows[1:] {
		id, in, input, answer, status, proof := r[0], r[1], r[2], r[3], r[4], r[5]
		count[status]++
		if in != group {
			group = in
			fmt.Fprintf(&b, "\n## %s\n\n| Case | Input | Answer | Proof |\n|---|---|---|---|\n", group)
		}
		if status != "tested" {
			fmt.Fprintf(&b, "| %s | %s | *%s* | *%s*: %s |\n", id, cell(input), cell(answer), status, cell(proof))
			continue
		}
		var proofs []string
		for p := range strings.SplitSeq(proof, "; ") {
			if dir, name, other := strings.Cut(p, " "); dir == "test/trust" && other {
				proofs = append(proofs, "case "+name)
			} else if other {
				proofs = append(proofs, name+" in `"+dir+"`")
			} else {
				proofs = append(proofs, "`"+p+"`")
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", id, cell(input), cell(answer), strings.Join(proofs, ", "))
	}
	head := written +
		"# Security cases\n\nFor those who decide whether to trust Sextant: what attackers and mistakes send, what a running platform " +
		"has to answer, and the test that proves it. " +
		fmt.Sprintf("%d cases are tested. %d do not apply yet, because what they attack is not built; %d are open: the platform does not "+
			"yet do what it should. ", count["tested"], count["not applicable yet"], count["open"]) +
		"Where an answer is *slanted*, it is what will be wanted.\n\n`go test ./test/trust` runs those of `test/trust` and checks that " +
		"every other test named here is there. Every answer is also searched for stacks, queries, paths and secrets.\n"
	current(t, "docs/reference/security-cases.md", head+b.String())
}

type parameter struct {
	Name, In, Description string
	Required              bool
	Schema                form
}

// operation is an operation of the API's description.
type operation struct {
	ID         string `yaml:"operationId"`
	Summary    string
	Tags       []string
	Permission string `yaml:"x-permission"`
	Public     bool   `yaml:"x-public"`
	Proof      bool   `yaml:"x-fresh-proof"`
	Parameters []parameter
	Body       *struct {
		Content map[string]struct{ Schema form }
	} `yaml:"requestBody"`
	Responses map[string]struct {
		Content map[string]struct{ Schema form }
	}
	method, path string
}

// usual are the parameters that mean the same everywhere.
var usual = map[string]string{
	"ago": "How far back the stream begins, in milliseconds, at most 60000; now without it", "project": "The project that is asked about",
	"run": "Key of the run", "incident": "Key of the incident", "job": "Key of the job", "sha256": "SHA-256 of the content, in hexadecimal",
	"process": "Id of the process", "version": "Number of the version, from 1", "type": "Object type, package:type",
	"environment": "The environment that is asked about", "permission": "The right, domain.verb",
}

// groups are the tags of operations in the order of the reader's interest.
var groups = []struct{ tag, title, about string }{
	{"runs", "Runs", "What was started, and how it goes."},
	{"incidents", "Incidents", "Steps that stopped and wait for help."},
	{"tasks", "Tasks", "Work for people."},
	{"messages", "Messages and signals", "What comes to runs from outside, and what waits for it."},
	{"processes", "Processes", "What can be started."},
	{"decisions", "Decisions", "What DMN files decide, for runs and for who asks."},
	{"objects", "Objects", "What is operated, from all plugins."},
	{"plugins", "Plugins", "What the platform can do."},
	{"jobs", "Jobs", "For plugins: what came of a call; for all: its output."},
	{"settings", "Connections and settings", "Credentials, which never come out again, and plain values."},
	{"control", "The door", "What it said, who holds what, and the global stop."},
	{"identity", "People and tokens", "Log-in, users, roles, rights."},
	{"audit", "Audit", "Who did what."},
	{"files", "Files", "Content by its SHA-256."},
	{"platform", "Platform", "What answers here."},
}

const aboutAPI = `# API

For those who write programs against Sextant. The same in a form for programs: ` +
	`[openapi.yaml](../../api/openapi.yaml), OpenAPI 3.1. The console and the command line use nothing else.

- **Log-in**: ` + "`Authorization: Bearer <token>`" + `, an [API token](../operate/server.md#users-rights-tokens) ` +
	`or the token of a session. A *right* below is checked on the project; *signed in* is everybody who is; ` +
	`*public* asks nobody. *Fresh proof*: a session whose password was given within ten minutes; tokens need none.
- **Bodies** are JSON with ` + "`Content-Type: application/json`" +
	`. Unknown fields and parameters, and names that stand twice, are refused. Required fields are **bold**.
- **Lists** are ` + "`{\"items\": […], \"next\": \"…\"}`" + `: pass ` +
	"`next`" + ` as ` + "`after`" + ` to read on; without it the page is the last.
- **Changes** of what others may change too want ` + "`If-Match: \"<version>\"`" + ` with the version that was read.
- **Repeating**: every POST takes an ` + "`Idempotency-Key`" +
	` of up to 190 characters; a repetition within a day gets the first answer and does nothing.
- **Live views** are server-sent events and resume by ` + "`Last-Event-ID`" + ` (or ` + "`after`" + `).
- **Errors** are [Problem](#problem)s; each code is explained [here](errors.md). ` +
	`Every operation may answer 400 (malformed), 429 and 503 (later) and 500; the line *Errors* of an operation names what else.
- An operation without *Body* or answer takes or gives a file or a stream, as it says.
`

func TestTheAPIReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	var spec struct {
		Paths      map[string]map[string]operation
		Components struct{ Schemas fields }
	}
	if err := yaml.Unmarshal([]byte(read(t, "api/openapi.yaml")), &spec); err != nil {
		t.Fatal(err)
	}
	byTag, listed := map[string][]operation{}, 0
	for path, methods := range spec.Paths {
		for method, op := range methods {
			op.method, op.path = strings.ToUpper(method), path
			byTag[op.Tags[0]] = append(byTag[op.Tags[0]], op)
		}
	}
	var b strings.Builder
	b.WriteString(written + aboutAPI + "\n")
	for _, g := range groups {
		fmt.Fprintf(&b, "- [%s](#%s)\n", g.title, strings.ReplaceAll(strings.ToLower(g.title), " ", "-"))
	}
	b.WriteString("- [Forms](#forms)\n")
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", g.title, g.about)
		ops := byTag[g.tag]
		slices.SortFunc(ops, func(x, y operation) int { return cmp.Or(cmp.Compare(x.path, y.path), cmp.Compare(x.method, y.method)) })
		for _, op := range ops {
			listed++
			op.write(&b)
		}
		delete(byTag, g.tag)
	}
	if len(byTag) > 0 || listed < 50 {
		t.Errorf("%d operations are listed; groups that have no place: %v", listed, byTag)
	}
	b.WriteString("\n## Forms\n\nWhat bodies are made of. Lists that are empty may be `null` in what is sent.\n")
	for _, name := range spec.Components.Schemas.names {
		f := spec.Components.Schemas.of[name]
		if name == "ErrorModel" || strings.HasPrefix(name, "PageOf") {
			continue
		}
		if f.refName() != "" {
			fmt.Fprintf(&b, "\n### %s\n\n%s\n", name, f.kind())
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n", name)
		if f.Description != "" {
			b.WriteString(f.Description + "\n\n")
		}
		f.table(&b)
	}
	current(t, "docs/reference/api.md", b.String())
}

func (op operation) write(b *strings.Builder) {
	who := "right `" + op.Permission + "`"
	switch {
	case op.Public:
		who = "public"
	case op.Permission == "signed-in":
		who = "signed in"
	}
	if op.Proof {
		who += ", fresh proof"
	}
	fmt.Fprintf(b, "\n### %s %s\n\n%s. `%s`, %s.\n", op.method, op.path, op.Summary, op.ID, who)
	if len(op.Parameters) > 0 {
		b.WriteString("\n| Parameter | In | Type | Limits | Meaning |\n|---|---|---|---|---|\n")
	}
	for _, p := range op.Parameters {
		label := "`" + p.Name + "`"
		if p.Required {
			label = "**" + label + "**"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", label, p.In, cell(p.Schema.kind()), cell(p.Schema.limits()),
			cell(cmp.Or(strings.TrimPrefix(p.Description, "Engine key, decimal digits"), usual[p.Name], p.Schema.Description)))
	}
	b.WriteString("\n")
	if op.Body != nil {
		for _, c := range op.Body.Content {
			fmt.Fprintf(b, "- Body: %s\n", of(c.Schema))
		}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		if status == "default" {
			continue
		}
		text := "nothing"
		for _, c := range op.Responses[status].Content {
			text = of(c.Schema)
		}
		fmt.Fprintf(b, "- %s: %s\n", status, text)
	}
	if errors := op.errors(); errors != "" {
		fmt.Fprintf(b, "- Errors: %s\n", errors)
	}
}

// of is the form of a body; pages are told by what they hold.
func of(f form) string {
	if page, ok := strings.CutPrefix(f.refName(), "PageOf"); ok {
		if page == "WireRow" {
			return "a page of objects, each a map of its attributes"
		}
		return "a page of [" + page + "](#" + strings.ToLower(page) + ")"
	}
	return f.kind()
}

// errors are the statuses that follow from what an operation asks for.
func (op operation) errors() string {
	var all []string
	add := func(when bool, texts ...string) {
		if when {
			all = append(all, texts...)
		}
	}
	match := slices.ContainsFunc(op.Parameters, func(p parameter) bool { return p.Name == "If-Match" })
	changes := op.method != "GET"
	add(!op.Public, "401")
	add(!op.Public && op.Permission != "signed-in", "403")
	add(strings.Contains(op.path, "{"), "404")
	add(match, "412", "428")
	add(op.Body != nil, "413", "415")
	add(op.Body != nil || len(op.Parameters) > 0, "422")
	add(changes && !op.Public, "507")
	return strings.Join(all, ", ")
}

func TestTheManifestReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	var schema struct {
		form `yaml:",inline"`
		Defs fields `yaml:"$defs"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "internal/lang/manifest/schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(written +
		"# Manifest\n\nFor authors of plugins: every field of `plugin.yaml`. [Write a plugin](../plugin-authors/write-a-plugin.md) shows " +
		"one at work. Required fields are **bold**; unknown ones are refused, with their line. Editors check and complete with the JSON " +
		"schema of [internal/lang/manifest/schema.json](../../internal/lang/manifest/schema.json).\n\n## The file\n\n")
	schema.table(&b)
	for _, name := range schema.Defs.names {
		f := schema.Defs.of[name]
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", name, f.Description)
		f.ways(&b)
		if len(f.Properties.names) == 0 {
			fmt.Fprintf(&b, "Type: %s. %s\n", f.kind(),
				strings.ToUpper(f.limits()[:min(1, len(f.limits()))])+f.limits()[min(1, len(f.limits())):])
			continue
		}
		f.table(&b)
	}
	current(t, "docs/reference/manifest.md", b.String())
}

// other are the variables of the environment that are no settings.
var other = map[string]string{
	"SEXTANT_ADMIN_PASSWORD": "`sextant server`, first start only: the administrator's password, 10 to 256 characters, in " +
		"place of a random one",
	"SEXTANT_URL":         "command line: where the server is, in place of `--url`",
	"SEXTANT_TOKEN":       "command line: the token to ask with, in place of the one that `sextant login` kept",
	"SEXTANT_CREDENTIALS": "command line: the file that `sextant login` keeps its token in",
}

func TestTheSettingsReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	l, err := config.Load(empty(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	about, flags, kinds := settingDocs(t), help(t, []string{"server"}), map[string]reflect.StructField{}
	kindsOf("", reflect.TypeFor[config.Config](), kinds)
	var b strings.Builder
	b.WriteString(written +
		"# Settings\n\nFor those who run a server. Later wins: built-in, file (`sextant.yaml` in the current folder, or `--config`), " +
		"environment, flag. A key `a.b` is `b` below `a` in the file. An unknown key is an error that names its line. `sextant config " +
		"show` prints every value with its origin.\n\n")
	b.WriteString("| Setting | Type | Values | Default | Environment | Flag | Meaning |\n|---|---|---|---|---|---|---|\n")
	for _, i := range l.Items {
		field, known := kinds[i.Key]
		unit := field.Tag.Get("unit")
		if about[i.Key] == "" || !known || unit == "" {
			t.Errorf("the setting %s has no comment or no unit in internal/config", i.Key)
		}
		given, way := "–", "–"
		if i.Value != "" {
			given = "`" + i.Value + "`"
		}
		if strings.Contains(flags, "--"+i.Key+" ") {
			way = "`--" + i.Key + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | `SEXTANT_%s` | %s | %s |\n", i.Key, field.Type, unit, given,
			strings.ToUpper(strings.ReplaceAll(i.Key, ".", "_")), way, about[i.Key])
	}
	b.WriteString("\n## Other variables of the environment\n\n| Variable | Meaning |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(other)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, other[name])
	}
	for _, m := range regexp.MustCompile(`config\.Variable\("(\w+)"\)`).FindAllStringSubmatch(goSources(t, "internal/cli"), -1) {
		if other[m[1]] == "" && m[1] != "SEXTANT_LISTEN" { // which is a setting of the process that runs a plugin, given by the platform
			t.Errorf("the variable %s is not explained", m[1])
		}
	}
	current(t, "docs/reference/settings.md", b.String())
}

func kindsOf(prefix string, t reflect.Type, into map[string]reflect.StructField) {
	for i := range t.NumField() {
		f := t.Field(i)
		key := prefix + f.Tag.Get("koanf")
		if f.Type.Kind() == reflect.Struct {
			kindsOf(key+".", f.Type, into)
			continue
		}
		into[key] = f
	}
}

func goSources(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v", dir, err)
	}
	var b strings.Builder
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(data)
	}
	return b.String()
}

// The types of events, for those who listen.
func TestTheEventReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(written +
		"# Events\n\nFor those who want to know what happened: each change is written as an event in the commit that makes it. " +
		"`GET /api/v1/events` gives the events of a project in their order, " +
		"in the form of CloudEvents 1.0, to who has the right `event.read` there; " +
		"`sequence` of the last one as `follows` gives what came later. `GET /api/v1/event-types` gives this page with its schemas. " +
		"The stream `GET /api/v1/news` tells that something of a type happened, and no more, to who has the right named here.\n\n" +
		"A type whose data takes another form gets another number at its end. New fields may come at any time.\n")
	for _, d := range server.EventTypes() {
		fmt.Fprintf(&b, "\n## %s\n\n%s Its subject is `%s`; the right is `%s`.\n", d.Type, d.Says, d.Subject, d.Read)
		var form struct {
			Properties map[string]struct {
				Type        any
				Description string
				Enum        []string
			}
			Required []string
		}
		if err := json.Unmarshal(api.Schema(d.Data), &form); err != nil {
			t.Fatal(err)
		}
		b.WriteString("\n| Data | Type | |\n|---|---|---|\n")
		for _, name := range slices.Sorted(maps.Keys(form.Properties)) {
			p := form.Properties[name]
			kind, about := fmt.Sprint(p.Type), p.Description
			if all, ok := p.Type.([]any); ok {
				kind = fmt.Sprint(all[0])
			}
			if len(p.Enum) > 0 {
				about = strings.TrimSpace("`" + strings.Join(p.Enum, "`, `") + "`. " + about)
			}
			if !slices.Contains(form.Required, name) {
				kind += ", may be missing"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, kind, cell(about))
		}
	}
	current(t, "docs/reference/events.md", b.String())
}
