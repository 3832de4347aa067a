package schema_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sextant/internal/domain/process/schema"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/bpmn"
	"sextant/sdk/go/wire"
)

const release = `{
  "type": "object",
  "required": ["version", "plan"],
  "additionalProperties": false,
  "properties": {
    "version": {"type": "string", "pattern": "^\\d+\\.\\d+$", "title": "Version", "description": "Which one goes out"},
    "plan": {"type": "string", "enum": ["all", "1 50%"], "default": "all"},
    "wait": {"type": "integer", "minimum": 0, "default": 30},
    "limit": {"type": "number", "enum": [0.1, 12345678901234567890, 1e3]},
    "day": {"type": "string", "format": "date"},
    "hosts": {"type": "array", "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}},
    "dry": {"type": "boolean"},
    "extra": {"type": "object"},
    "any": {}
  }
}`

func vars(pairs ...string) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = json.RawMessage(pairs[i+1])
	}
	return all
}

// Every place at fault is named, with what is wrong there.
func TestVariablesAreThoseOfTheSchema(t *testing.T) {
	t.Parallel()
	b := &program.Begin{Schema: []byte(release)}
	for _, c := range []struct {
		name string
		vars map[string]json.RawMessage
		want []string // places
	}{
		{"all", vars("version", `"1.2"`, "plan", `"1 50%"`, "wait", "0", "day",
			`"2026-02-28"`, "hosts", `[{"name": "a"}]`, "dry", "true", "any", "null"), nil},
		{"large numbers", vars("version", `"1.2"`, "plan", `"all"`, "limit", "12345678901234567890"), nil},
		{"numbers by value", vars("version", `"1.2"`, "plan", `"all"`, "limit", "1000"), nil},
		{"nothing", nil, []string{"variables"}},
		{"one missing", vars("plan", `"all"`), []string{"variables"}},
		{"a form", vars("version", `"12"`, "plan", `"all"`), []string{"variables.version"}},
		{"several", vars("version", `12`, "plan", `"some"`, "wait", "-1", "day", `"2026-02-30"`),
			[]string{"variables.day", "variables.plan", "variables.version", "variables.wait"}},
		{"within a list", vars("version", `"1.2"`, "plan", `"all"`, "hosts", `[{"name": "a"}, {"name": 2}, {}]`),
			[]string{"variables.hosts.1.name", "variables.hosts.2"}},
		{"half a number", vars("version", `"1.2"`, "plan", `"all"`, "wait", "1.5"), []string{"variables.wait"}},
		{"not declared", vars("version", `"1.2"`, "plan", `"all"`, "more", "1"), []string{"variables"}},
		{"a number nearby", vars("version", `"1.2"`, "plan", `"all"`, "limit", "12345678901234567891"), []string{"variables.limit"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var cache schema.Cache
			err := cache.Matches(b, c.vars)
			if len(c.want) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errs.Is(err, errs.Invalid) || errs.As(err).Code != "process.input" {
				t.Fatalf("%v", err)
			}
			var places []string
			for _, f := range errs.As(err).Fields {
				places = append(places, f.Path)
				if f.Message == "" || !strings.Contains(err.Error(), f.Path+": "+f.Message) {
					t.Errorf("%+v is not told in %q", f, err)
				}
			}
			if diff := cmp.Diff(c.want, places); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestASchemaThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	var cache schema.Cache
	for _, text := range []string{`{`, `{"type": "text"}`, `{"$ref": "https://example.com/other.json"}`,
		`{"$ref": "file:///etc/passwd"}`, `{"pattern": "("}`} {
		b := &program.Begin{Schema: []byte(text)}
		if _, err := schema.Compile(b); err == nil {
			t.Errorf("%s is compiled", text)
		}
		if err := cache.Matches(b, nil); !errs.Is(err, errs.Invalid) || errs.As(err).Code != "process.start_schema" {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := cache.Matches(&program.Begin{}, vars("a", "1")); err != nil {
		t.Errorf("without a schema: %v", err)
	}
}

// Many starts at once use one schema.
func TestSchemasAreKept(t *testing.T) {
	t.Parallel()
	var cache schema.Cache
	b := &program.Begin{Schema: []byte(release)}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if err := cache.Matches(b, vars("version", `"1.2"`, "plan", `"all"`)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestVariablesThatASchemaNames(t *testing.T) {
	t.Parallel()
	b := &program.Begin{Schema: []byte(release)}
	got := map[string]wire.Param{}
	for _, v := range schema.Variables(b) {
		got[v.Name] = v
	}
	want := map[string]wire.Param{
		"version": {Name: "version", Type: wire.TypeString, Required: true, Title: wire.Text{"en": "Version"},
			Description: wire.Text{"en": "Which one goes out"}},
		"plan":  {Name: "plan", Type: wire.TypeString, Required: true, Values: []string{"all", "1 50%"}, Default: "all"},
		"wait":  {Name: "wait", Type: wire.TypeInt, Default: "30"},
		"limit": {Name: "limit", Type: wire.TypeNumber, Values: []string{"0.1", "12345678901234567890", "1e3"}},
		"day":   {Name: "day", Type: wire.TypeString},
		"hosts": {Name: "hosts", Type: wire.TypeList},
		"dry":   {Name: "dry", Type: wire.TypeBool},
		"extra": {Name: "extra", Type: wire.TypeObject},
		"any":   {Name: "any"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !schema.Declares(b, "dry") || schema.Declares(b, "wet") || schema.Declares(nil, "dry") ||
		schema.Declares(&program.Begin{Schema: []byte("{")}, "dry") {
		t.Error("what is declared is not known")
	}
}

// What a process says lies over what a service says, but for the type.
func TestLay(t *testing.T) {
	t.Parallel()
	service := wire.Param{Name: "a", Type: wire.TypeText, Title: wire.Text{"en": "of the service"}, Default: "x", Required: true}
	over := service
	schema.Lay(wire.Param{Name: "a", Type: wire.TypeString, Title: wire.Text{"en": "of the process"}, Values: []string{"x", "y"}}, &over)
	want := wire.Param{Name: "a", Type: wire.TypeText, Title: wire.Text{"en": "of the process"},
		Default: "x", Required: true, Values: []string{"x", "y"}}
	if diff := cmp.Diff(want, over); diff != "" {
		t.Error(diff)
	}
	bare := wire.Param{Name: "a"}
	schema.Lay(wire.Param{Type: wire.TypeInt, Default: "1", Description: wire.Text{"en": "d"}, Required: true}, &bare)
	if diff := cmp.Diff(wire.Param{Name: "a", Type: wire.TypeInt, Default: "1", Description: wire.Text{"en": "d"}, Required: true},
		bare); diff != "" {
		t.Error(diff)
	}
}

func TestObjectsOfAStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		begin   program.Begin
		objects []string
		code    string
	}{
		{program.Begin{}, []string{"a:b/1", "no reference"}, ""},
		{program.Begin{Object: "host:host", Min: 1}, []string{"host:host/1"}, ""},
		{program.Begin{Object: "host:host"}, nil, ""},
		{program.Begin{Object: "host:host", Min: 1}, nil, "process.object_count"},
		{program.Begin{Object: "host:host", Min: 1, Max: 1}, []string{"host:host/1", "host:host/2"}, "process.object_count"},
		{program.Begin{Object: "host:host", Max: 0, Min: 2}, []string{"host:host/1", "host:host/2", "host:host/3"}, ""},
		{program.Begin{Object: "host:host"}, []string{"host:host/1", "app:app/1"}, "process.object_type"},
		{program.Begin{Object: "host:host"}, []string{"host"}, "object.reference"},
	} {
		err := schema.FitObjects(&c.begin, c.objects)
		if c.code == "" && err != nil || c.code != "" && (err == nil || errs.As(err).Code != c.code) {
			t.Errorf("%+v on %q: %v, want %q", c.begin, c.objects, err, c.code)
		}
	}
}

func TestStartEvents(t *testing.T) {
	t.Parallel()
	const both = `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="t">` +
		`<message id="m" name="order"/><process id="p" isExecutable="true">%s
<startEvent id="heard"><messageEventDefinition messageRef="m"/></startEvent>` +
		`<sequenceFlow id="g" sourceRef="heard" targetRef="e"/><endEvent id="e"/></process></definitions>`
	for _, c := range []struct {
		plain, event string
		ok           bool
	}{
		{`<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/>`, "", true},
		{`<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/>`, "heard", true},
		{"", "heard", true},
		{"", "", false},
		{"", "e", false},
		{"", "nothing", false},
		{`<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/>`, "s", false},
	} {
		doc, err := bpmn.Parse([]byte(strings.Replace(both, "%s", c.plain, 1)))
		if err != nil {
			t.Fatal(err)
		}
		model, err := bpmn.Read(doc)
		if err != nil {
			t.Fatal(err)
		}
		all, err := program.All(model)
		if err != nil {
			t.Fatal(err)
		}
		err = schema.Startable(all[0], c.event)
		if c.ok != (err == nil) || err != nil && errs.As(err).Code != "process.start_event" {
			t.Errorf("%q by %q: %v", c.plain, c.event, err)
		}
	}
}
