package source_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/domain/setting"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/bpmn"
	"sextant/sdk/go/wire"
)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func code(err error) string {
	if err == nil {
		return ""
	}
	return errs.As(err).Code
}

// A value is taken as it is or refused with what is wanted; none is bent.
func TestEveryTypeTakesItsValuesAlone(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("0aF", 21) + "b"
	for _, c := range []struct {
		param     wire.Param
		good, bad []string
	}{
		{wire.Param{Type: wire.TypeInt}, []string{"0", "-7", "9223372036854775807"},
			[]string{"1.0", "1e3", `"1"`, "true", "9223372036854775808", "[1]"}},
		{wire.Param{Type: wire.TypeNumber}, []string{"0.1", "-1e300", "12345678901234567890.5"}, []string{`"1"`, "true", "{}", "[1]"}},
		{wire.Param{Type: wire.TypeBool}, []string{"true", "false"}, []string{`"true"`, "1", "[true]"}},
		{wire.Param{Type: wire.TypeList}, []string{"[]", `["a", 1]`}, []string{`"a"`, "{}", "1"}},
		{wire.Param{Type: wire.TypeObject}, []string{"{}", `{"a": [1]}`}, []string{`"a"`, "[]", "1"}},
		{wire.Param{Type: wire.TypeEnum, Values: []string{"up", "down", "1"}},
			[]string{`"up"`, "1", `"1"`}, []string{`"UP"`, `"up "`, "2", "true"}},
		{wire.Param{Type: wire.TypeDuration}, []string{`"PT90S"`, `"10m"`, `"P1D"`}, []string{`"P1M"`, `"soon"`, "90", `"P400D"`, `"-PT1S"`}},
		{wire.Param{Type: wire.TypeDateTime}, []string{`"2026-01-31T08:00:00Z"`, `"2026-01-31T08:00:00.5+02:00"`},
			[]string{`"2026-01-31"`, `"2026-02-30T08:00:00Z"`, "1", `"2026-01-31T08:00:00"`}},
		{wire.Param{Type: wire.TypeConnection}, []string{`"connection/db-1"`, `"connection/a.b_c"`},
			[]string{`"db-1"`, `"connection/"`, `"connection/A"`, `"connection/../x"`, `"connection/a\nb"`, "1", `{"name": "db"}`}},
		{wire.Param{Type: wire.TypeFile}, []string{`"` + sum + `"`, `"sha256:` + sum + `"`, `{"sha256": "` + sum + `", "name": "x"}`},
			[]string{`"abc"`, `{"name": "x"}`, "[]", `"` + sum + `0"`}},
		{wire.Param{Type: wire.TypeString}, []string{`"a"`, "1", "true"}, []string{"{}", "[]"}},
		{wire.Param{Type: wire.TypeText}, []string{`"a\nb"`, "1", "{}", "[]"}, nil},
		{wire.Param{Type: wire.TypeString, Pattern: "[a-z]+"}, []string{`"abc"`}, []string{`"abc1"`, `"ABC"`, "1", `"a\nb"`}},
		{wire.Param{Type: wire.TypeString, Pattern: "a|b"}, []string{`"a"`, `"b"`}, []string{`"ab"`, `"xa"`}},
		{wire.Param{Type: wire.TypeInt, Multiple: true}, []string{"[]", "[1, 2]"}, []string{"1", `[1, "a"]`, "[1.5]", "{}"}},
		{wire.Param{Type: wire.TypeString, Secret: true}, []string{`"x"`, `{"$secret": "connection/a#b"}`}, []string{`{"secret": "x"}`, "[]"}},
	} {
		c.param.Name = "x"
		for _, v := range c.good {
			if err := source.Check(c.param, raw(v), "at"); err != nil {
				t.Errorf("%+v refuses %s: %v", c.param, v, err)
			}
		}
		for _, v := range c.bad {
			err := source.Check(c.param, raw(v), "at")
			if code(err) != "dispatch.input_value" || !strings.Contains(err.Error(), "want ") || errs.As(err).Fields[0].Path != "at" {
				t.Errorf("%+v takes %s: %v", c.param, v, err)
			}
			if c.param.Secret && strings.Contains(err.Error(), strings.Trim(v, `"{}`)) && len(v) > 3 {
				t.Errorf("a secret is told: %v", err)
			}
		}
		for _, none := range []string{"", "null", `""`} {
			if err := source.Check(c.param, raw(none), "at"); err != nil {
				t.Errorf("%+v refuses that nothing is given: %v", c.param, err)
			}
		}
	}
	long := source.Check(wire.Param{Name: "x", Type: wire.TypeInt}, raw(`"`+strings.Repeat("中", 500)+`"`), "at")
	if long == nil || len([]rune(long.Error())) > 250 || !strings.Contains(long.Error(), "中…") {
		t.Errorf("%v", long)
	}
	said := source.Check(wire.Param{Name: "x", Type: wire.TypeString, Pattern: "[a-z]+",
		Description: wire.Text{"en": "a name in small letters."}}, raw(`"A"`), "at")
	if said == nil || !strings.HasSuffix(errs.As(said).Message, "want a name in small letters") {
		t.Errorf("%v", said)
	}
}

var svc = plugin.Service{Plugin: "host", Service: "script",
	Action: wire.Action{Action: "run", Target: "host:host", OneOf: [][]string{{"script", "file"}}, Input: []wire.Param{
		{Name: "address", Type: wire.TypeString, Required: true, From: source.FromPath, Expr: ".address"},
		{Name: "script", Type: wire.TypeText},
		{Name: "file", Type: wire.TypeFile},
		{Name: "credential", Type: wire.TypeConnection, Required: true, Fields: []string{"user", "password|key"}},
		{Name: "token", Type: wire.TypeString, Secret: true},
		{Name: "limit", Type: wire.TypeInt, From: source.FromSetting, Expr: "limit"},
		{Name: "kind", Type: wire.TypeString, From: source.FromConstant, Expr: "plain"},
	}}, Settings: []wire.Setting{{Name: "limit", Type: wire.TypeInt, Default: "5"}, {Name: "bare", Type: wire.TypeString}}}

func given(all ...bpmn.ServiceInput) bpmn.Extensions { return bpmn.Extensions{ServiceInputs: all} }

// What the process says comes first, then the manifest, then the variable of the name.
func TestWhereInputsComeFrom(t *testing.T) {
	t.Parallel()
	all, err := source.Of(svc, given(bpmn.ServiceInput{Name: "address", From: source.FromConstant, Value: "::1"},
		bpmn.ServiceInput{Name: "script", From: source.FromFeel, Value: `="echo " + name`},
		bpmn.ServiceInput{Name: "token", From: source.FromStep, Value: "login.token"}))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range all {
		from := s.Param.Name + " " + s.From + " " + s.Text
		if s.Own {
			from += " own"
		}
		got = append(got, from)
	}
	want := []string{"address constant ::1", `script feel ="echo " + name`,
		"file variable file", "credential variable credential", "token step login.token", "limit setting limit own", "kind constant plain own"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"name", "file", "credential", "login"}, source.Variables(all)); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		in   bpmn.ServiceInput
		code string
	}{
		{bpmn.ServiceInput{Name: "adress", From: source.FromConstant}, "dispatch.unknown_input"},
		{bpmn.ServiceInput{Name: "token", From: source.FromConstant, Value: "hunter2"}, "dispatch.secret_constant"},
		{bpmn.ServiceInput{Name: "token", From: source.FromConstant, Value: `{"$secret": "connection/a#b"}`}, ""},
		{bpmn.ServiceInput{Name: "script", From: source.FromFeel, Value: "= 1 +"}, "dispatch.feel"},
		{bpmn.ServiceInput{Name: "script", From: source.FromFeel, Value: "= nothing(1)"}, "dispatch.feel"},
	} {
		if _, err := source.Of(svc, given(c.in)); code(err) != c.code {
			t.Errorf("%+v: %v, want %s", c.in, err, c.code)
		}
	}
}

// Values that an input takes from elsewhere are refused where nothing reads them.
func TestWhatIsTakenFromElsewhereIsNotGiven(t *testing.T) {
	t.Parallel()
	all, err := source.Of(svc, bpmn.Extensions{})
	if err != nil {
		t.Fatal(err)
	}
	err = source.Elsewhere(svc, all, []string{"kind"}, "variables.", []string{"address", "kind", "limit", "script", "other"})
	var places []string
	for _, f := range errs.As(err).Fields {
		places = append(places, f.Path+" "+f.Message)
	}
	want := []string{"variables.address is taken from the object that the step acts on (host:host.address)",
		"variables.limit is taken from the setting limit"}
	if diff := cmp.Diff(want, places); diff != "" || code(err) != "dispatch.input_elsewhere" {
		t.Errorf("%v: %s", err, diff)
	}
	if err := source.Elsewhere(svc, all, nil, "variables.", []string{"script", "credential"}); err != nil {
		t.Error(err)
	}
	resolve := func(name string) (plugin.Service, error) {
		if name == "plugin:host/script/run" {
			return svc, nil
		}
		return plugin.Service{}, errors.New("nobody")
	}
	task := func(kind string) *program.Node {
		return &program.Node{ID: "t", Kind: program.ServiceTask, Task: &program.Task{Type: program.Value{Static: kind}}}
	}
	for _, c := range []struct {
		nodes []*program.Node
		code  string
	}{
		{[]*program.Node{task("plugin:host/script/run")}, "dispatch.input_elsewhere"},
		{[]*program.Node{task("plugin:host/script/run"), task("other")}, ""},                                     // a worker may read it
		{[]*program.Node{task("plugin:host/script/run"), {Kind: program.UserTask, Human: &program.Human{}}}, ""}, // a person may
		// a called process may
		{[]*program.Node{task("plugin:host/script/run"), {Kind: program.CallActivity, Call: &program.Call{In: true}}}, ""},
	} {
		if err := source.CheckStart(&program.Program{Nodes: c.nodes}, resolve, []string{"address"}); code(err) != c.code {
			t.Errorf("%d nodes: %v", len(c.nodes), err)
		}
	}
}

func TestNamesThatNobodyKnows(t *testing.T) {
	t.Parallel()
	err := source.Known(svc.Name(), "input", svc.Action.Input, []string{"adress", "script", "zzz"})
	if code(err) != "dispatch.unknown_input" || len(errs.As(err).Fields) != 2 ||
		!strings.Contains(err.Error(), "did you mean address?") || errs.As(err).Fields[1].Path != "inputs.zzz" {
		t.Errorf("%v", err)
	}
	if err := source.Known(svc.Name(), "output", nil, []string{"x"}); code(err) != "dispatch.unknown_output" {
		t.Errorf("%v", err)
	}
	if err := source.Known(svc.Name(), "input", svc.Action.Input, []string{"script"}); err != nil {
		t.Error(err)
	}
}

// Exactly one of several inputs is wanted; nothing is said before that is known.
func TestOneOfSeveral(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		given, known []string
		code         string
	}{
		{[]string{"script"}, []string{"script", "file"}, ""},
		{[]string{"script", "file"}, []string{"script", "file"}, "dispatch.input_one_of"},
		{nil, []string{"script", "file"}, "dispatch.input_one_of"},
		{nil, []string{"script"}, ""},
		{[]string{"script", "file"}, nil, "dispatch.input_one_of"},
	} {
		err := source.CheckOneOf(svc, func(name string) (bool, bool) {
			return slices.Contains(c.given, name), slices.Contains(c.known, name)
		})
		if code(err) != c.code {
			t.Errorf("%v of %v: %v", c.given, c.known, err)
		}
	}
	all, err := source.Of(svc, given(bpmn.ServiceInput{Name: "script", From: source.FromFeel, Value: "=body"}))
	if err != nil {
		t.Fatal(err)
	}
	err = source.Whole(svc, all, wire.Row{}, nil)
	if code(err) != "dispatch.input_one_of" || !strings.Contains(err.Error(), "the run has no variable body") {
		t.Errorf("%v", err)
	}
}

func TestConnectionsHaveWhatAnInputNeeds(t *testing.T) {
	t.Parallel()
	p := svc.Action.Input[3]
	for _, c := range []struct {
		fields map[string]json.RawMessage
		raw    string
		says   string
	}{
		{map[string]json.RawMessage{"user": raw(`"a"`), "key": raw(`{"$sealed": "x"}`)}, `"connection/c"`, ""},
		{map[string]json.RawMessage{"user": raw(`"a"`), "password": raw(`""`)}, `"connection/c"`, "no field password or key"},
		{map[string]json.RawMessage{"key": raw(`"k"`)}, `"connection/c"`, "no field user"},
	} {
		err := source.CheckFields(p, raw(c.raw), "at", setting.Connection{Name: "c", Fields: c.fields})
		if c.says == "" && err != nil || c.says != "" && (code(err) != "dispatch.connection_field" || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%v: %v", c.fields, err)
		}
	}
	err := source.CheckFields(svc.Action.Input[4], raw(`{"$secret": "connection/c#token"}`),
		"at", setting.Connection{Name: "c", Fields: map[string]json.RawMessage{"user": raw(`"a"`)}})
	if code(err) != "dispatch.connection_field" || !strings.Contains(err.Error(), "no field token") {
		t.Errorf("%v", err)
	}
}

// One value is taken of several that are the same; several are many, unless a list is
// wanted.
func TestASingleValueOfMany(t *testing.T) {
	t.Parallel()
	ref := object.Ref{Package: "a", Type: "b", ID: "1"}
	one, many := source.Source{Param: wire.Param{Name: "x", Type: wire.TypeString}},
		source.Source{Param: wire.Param{Name: "x", Type: wire.TypeString, Multiple: true}}
	for _, c := range []struct {
		src    source.Source
		values []json.RawMessage
		want   string
		code   string
	}{
		{one, nil, "", ""},
		{one, []json.RawMessage{raw("null"), raw(`"a"`), raw(`""`), raw(`"a"`)}, `"a"`, ""},
		{one, []json.RawMessage{raw(`"a"`), raw(`"b"`)}, "", "dispatch.input_many"},
		{one, []json.RawMessage{raw("1"), raw("1.0")}, "", "dispatch.input_many"},
		{many, []json.RawMessage{raw(`"a"`), raw(`"b"`)}, `["a","b"]`, ""},
	} {
		got, err := c.src.Single(ref, c.values)
		if string(got) != c.want || code(err) != c.code {
			t.Errorf("%s: %s, %v", c.values, got, err)
		}
	}
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ expr, want string }{
		{"=n", "1.10"}, // a variable and nothing else keeps its text
		{"=n + 1", "2.1"},
		{`=row.id + "!"`, `"1!"`},
		{"=row.object", `"a:b/1"`},
		{"=missing", "null"},
	} {
		all, err := source.Of(svc, given(bpmn.ServiceInput{Name: "script", From: source.FromFeel, Value: c.expr}))
		if err != nil {
			t.Fatal(err)
		}
		src := all[1]
		var ref *object.Ref
		if src.OfRow() {
			ref = &object.Ref{Package: "a", Type: "b", ID: "1"}
		}
		got, err := src.Evaluate(map[string]json.RawMessage{"n": raw("1.10"), "row": raw(`"mine"`)}, time.Unix(0, 0), ref)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v; want %s", c.expr, got, err, c.want)
		}
		if says := src.WithoutVariables(map[string]json.RawMessage{"n": raw("1")}); (c.expr == "=missing") != strings.Contains(says,
			"no variable missing") {
			t.Errorf("%s: %q", c.expr, says)
		}
	}
}

// A setting that was set comes first if it reads as the manifest declares, then the
// default.
func TestSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		set        bool
		want       string
		ok         bool
		code       string
	}{
		{"limit", "", false, "5", true, ""},
		{"host.limit", "7", true, "7", true, ""},
		{"limit", "seven", true, "", false, "dispatch.setting"},
		{"bare", "", false, "", false, ""},
		{"of.another", "x", true, "x", true, ""},
		{"of.another", "", false, "", false, ""},
	} {
		got, ok, err := source.Setting(svc, c.name, c.text, c.set)
		if got != c.want || ok != c.ok || code(err) != c.code {
			t.Errorf("%s: %q, %v, %v", c.name, got, ok, err)
		}
	}
}

// What a preview knows is what is written down or given; the rest comes later.
func TestWhatIsKnownBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	all, err := source.Of(svc, given(bpmn.ServiceInput{Name: "script", From: source.FromFeel, Value: "=body"},
		bpmn.ServiceInput{Name: "file", From: source.FromFeel, Value: "=a + b"}))
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]json.RawMessage{"body": raw(`"true"`), "credential": raw(`"connection/c"`), "a": raw("1"), "b": raw("2")}
	got := map[string]string{}
	for _, src := range all {
		value, at := src.Known(vars)
		got[src.Param.Name] = string(value) + " " + at
	}
	want := map[string]string{"address": " inputs.address", "script": `"true" variables.body`, "file": " inputs.file",
		"credential": `"connection/c" variables.credential`, "token": " variables.token", "limit": " inputs.limit", "kind": `"plain" inputs.kind`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	service := &program.Node{Kind: program.ServiceTask}
	for _, c := range []struct {
		nodes        []*program.Node
		name         string
		given, known bool
	}{
		{[]*program.Node{service}, "script", true, true},
		{[]*program.Node{service}, "token", false, true},
		{[]*program.Node{service, service}, "token", false, false},
		{[]*program.Node{service, {Kind: program.UserTask}}, "token", false, false},
		{[]*program.Node{service}, "file", false, false},
		{[]*program.Node{service}, "nobody", false, true},
	} {
		has, sure := source.Foreseen(all, vars, &program.Program{Nodes: c.nodes})(c.name)
		if has != c.given || sure != c.known {
			t.Errorf("%s of %d: given %v, known %v", c.name, len(c.nodes), has, sure)
		}
	}
}
