package source_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sextant/internal/domain/dispatch/source"
	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/domain/setting"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/bpmn"
	"sextant/sdk/go/wire"
)

func service(input ...wire.Param) plugin.Service {
	return plugin.Service{Plugin: "host", Version: "1.0.0", Service: "script",
		Action: wire.Action{Action: "run", Target: "host:host", Input: input}}
}

func says(name, from, value string) bpmn.Extensions {
	return bpmn.Extensions{ServiceInputs: []bpmn.ServiceInput{{Name: name, From: from, Value: value}}}
}

// What the process says goes before what the manifest says, and a variable of the
// name is the last.
func TestOf(t *testing.T) {
	t.Parallel()
	own := wire.Param{Name: "x", Type: wire.TypeString, From: source.FromPath, Expr: ".address"}
	for name, c := range map[string]struct {
		param wire.Param
		ext   bpmn.Extensions
		want  string // from text own
		code  string
	}{
		"nobody-says":         {param: wire.Param{Name: "x"}, want: "variable x false"},
		"the-manifest-says":   {param: own, want: "path .address true"},
		"the-process-says":    {param: own, ext: says("x", "constant", "1"), want: "constant 1 false"},
		"an-expression":       {param: own, ext: says("x", "feel", "=a + b"), want: "feel =a + b false"},
		"of-no-input":         {param: own, ext: says("y", "constant", "1"), code: "dispatch.unknown_input"},
		"unreadable":          {param: own, ext: says("x", "feel", "=a +"), code: "dispatch.feel"},
		"an-unknown-function": {param: own, ext: says("x", "feel", "=shout(a)"), code: "dispatch.feel"},
		"a-secret-in-clear": {param: wire.Param{Name: "x", Secret: true},
			ext: says("x", "constant", "hunter2"), code: "dispatch.secret_constant"},
		"a-secret-by-its-name": {param: wire.Param{Name: "x", Secret: true},
			ext: says("x", "constant", `{"$secret":"connection/a#b"}`), want: `constant {"$secret":"connection/a#b"} false`},
		"a-connection-is-no-secret": {param: wire.Param{Name: "x", Secret: true, Type: wire.TypeConnection},
			ext: says("x", "constant", "connection/lab"), want: "constant connection/lab false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, err := source.Of(service(c.param), c.ext)
			if c.code != "" {
				if errs.As(err).Code != c.code {
					t.Fatalf("%v, want %s", err, c.code)
				}
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("the secret stands in the message: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join([]string{all[0].From, all[0].Text, map[bool]string{true: "true", false: "false"}[all[0].Own]},
				" "); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("ab", 32)
	for _, c := range []struct {
		param        wire.Param
		right, wrong []string
	}{
		{wire.Param{Type: wire.TypeInt}, []string{`1`, `-7`, `9007199254740993`}, []string{`1.5`, `"1"`, `true`, `[1]`, `99999999999999999999`}},
		{wire.Param{Type: wire.TypeNumber}, []string{`1`, `1.10`, `-2e9`}, []string{`"1"`, `true`, `{}`}},
		{wire.Param{Type: wire.TypeBool}, []string{`true`, `false`}, []string{`"true"`, `1`}},
		{wire.Param{Type: wire.TypeString}, []string{`"a"`, `7`, `true`}, []string{`["a"]`, `{}`}},
		{wire.Param{Type: wire.TypeText}, []string{`"a"`, `{"a":1}`, `[1]`}, nil},
		{wire.Param{Type: wire.TypeList}, []string{`[]`, `[1,"a"]`}, []string{`"a"`, `{}`}},
		{wire.Param{Type: wire.TypeObject}, []string{`{}`}, []string{`[]`, `"a"`}},
		{wire.Param{Type: wire.TypeEnum, Values: []string{"a", "b"}}, []string{`"a"`}, []string{`"c"`, `["a"]`}},
		{wire.Param{Type: wire.TypeDuration}, []string{`"PT5S"`, `"90s"`}, []string{`"soon"`, `5`}},
		{wire.Param{Type: wire.TypeDateTime}, []string{`"2026-01-31T08:00:00Z"`}, []string{`"31.1.2026"`, `"2026-01-31"`}},
		{wire.Param{Type: wire.TypeConnection, Secret: true}, []string{`"connection/lab"`},
			[]string{`"lab"`, `"connection/Lab"`, `{"$secret":"connection/a#b"}`}},
		{wire.Param{Type: wire.TypeFile}, []string{`"` + hash + `"`, `{"sha256":"` + hash + `"}`}, []string{`"abc"`, `{"sha256":""}`, `[]`}},
		{wire.Param{Type: wire.TypeString, Pattern: "[a-z]+"}, []string{`"abc"`}, []string{`"abc1"`, `"a\nb"`}},
		{wire.Param{Type: wire.TypeString, Secret: true}, []string{`"x"`, `{"$secret":"connection/a#b"}`}, []string{`{"secret":"hunter2"}`}},
		{wire.Param{Type: wire.TypeInt, Multiple: true}, []string{`[1,2]`, `[]`}, []string{`1`, `[1,"x"]`, `"a"`}},
	} {
		c.param.Name = "x"
		check := func(raw string) error { return source.Check(c.param, json.RawMessage(raw), "inputs.x") }
		for _, raw := range append(c.right, `null`, `""`, ``) {
			if err := check(raw); err != nil {
				t.Errorf("%s %s: %v", c.param.Type, raw, err)
			}
		}
		for _, raw := range c.wrong {
			err := check(raw)
			if e := errs.As(err); err == nil || e.Code != "dispatch.input_value" || len(e.Fields) != 1 || e.Fields[0].Path != "inputs.x" {
				t.Errorf("%s %s: %v", c.param.Type, raw, err)
			} else if c.param.Secret && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret stands in the message: %v", err)
			}
		}
	}
}

// However long a wrong value is, the message stays short and is one line.
func TestAWrongValueIsCut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(1, 500, -1).Draw(t, "text")
		err := source.Check(wire.Param{Name: "x", Type: wire.TypeInt}, wire.Raw(text), "x")
		if said := errs.As(err).Message; err == nil || strings.Contains(said, "\n") || len([]rune(said)) > 160 {
			t.Fatalf("%v", err)
		}
	})
}

func TestCheckFields(t *testing.T) {
	t.Parallel()
	lab := setting.Connection{
		Name: "lab", Fields: map[string]json.RawMessage{"user": wire.Raw("u"), "key": wire.Raw("k"), "note": wire.Raw("")}}
	for name, c := range map[string]struct {
		need []string
		raw  string
		bad  string
	}{
		"has-it":                   {need: []string{"user"}},
		"has-one-of-two":           {need: []string{"password|key"}},
		"has-none-of-two":          {need: []string{"password|token"}, bad: "password or token"},
		"has-it-empty":             {need: []string{"note"}, bad: "note"},
		"the-second-one-is-absent": {need: []string{"user", "port"}, bad: "port"},
		"a-reference-to-a-field":   {raw: `{"$secret":"connection/lab#key"}`},
		"a-reference-to-no-field":  {raw: `{"$secret":"connection/lab#pin"}`, bad: "pin"},
		"a-reference-to-another":   {raw: `{"$secret":"connection/other#pin"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := source.CheckFields(wire.Param{Name: "c", Fields: c.need}, json.RawMessage(c.raw), "inputs.c", lab)
			if c.bad == "" && err != nil || c.bad != "" &&
				(errs.As(err).Code != "dispatch.connection_field" || !strings.Contains(err.Error(), "no field "+c.bad)) {
				t.Errorf("%v, want that %q is absent", err, c.bad)
			}
		})
	}
}

func TestCheckOneOf(t *testing.T) {
	t.Parallel()
	svc := service()
	svc.Action.OneOf = [][]string{{"script", "file"}}
	for name, c := range map[string]struct {
		given, unknown []string
		bad            bool
	}{
		"one": {given: []string{"file"}}, "none": {bad: true}, "both": {given: []string{"script", "file"}, bad: true},
		"none-yet": {unknown: []string{"file"}}, "one-and-one-not-yet": {given: []string{"script"}, unknown: []string{"file"}},
		"another-one": {given: []string{"other"}, bad: true},
	} {
		err := source.CheckOneOf(svc, func(name string) (given, known bool) {
			return slices.Contains(c.given, name), !slices.Contains(c.unknown, name)
		})
		if c.bad != (errs.As(err) != nil && errs.As(err).Code == "dispatch.input_one_of") || !c.bad && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSingle(t *testing.T) {
	t.Parallel()
	ref := object.Ref{Package: "host", Type: "host", ID: "a"}
	for name, c := range map[string]struct {
		param  wire.Param
		values []string
		want   string
		bad    bool
	}{
		"nothing": {}, "one": {values: []string{`"a"`}, want: `"a"`}, "the-same-twice": {values: []string{`1`, `1`}, want: `1`},
		"what-says-nothing-does-not-count": {values: []string{`null`, `""`, `2`}, want: `2`},
		"two":                              {values: []string{`1`, `2`}, bad: true},
		"several-are-wanted":               {param: wire.Param{Multiple: true}, values: []string{`1`, `2`}, want: `[1,2]`},
		"a-list-is-wanted":                 {param: wire.Param{Type: wire.TypeList}, values: []string{`1`}, want: `[1]`},
	} {
		var values []json.RawMessage
		for _, v := range c.values {
			values = append(values, json.RawMessage(v))
		}
		got, err := source.Source{Param: c.param}.Single(ref, values)
		if string(got) != c.want || c.bad != (err != nil) || c.bad && errs.As(err).Code != "dispatch.input_many" {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	vars := map[string]json.RawMessage{"n": json.RawMessage(`1.10`), "text": wire.Raw("a")}
	ref := &object.Ref{Package: "host", Type: "host", ID: "h1"}
	for name, c := range map[string]struct {
		expr string
		row  *object.Ref
		want string
	}{
		"a-variable-keeps-its-text": {expr: "=n", want: `1.10`},
		"computed":                  {expr: "=n * 2", want: `2.20`},
		"of-the-row":                {expr: `=row.id + "@" + row.type`, row: ref, want: `"h1@host:host"`},
		"the-row-as-a-reference":    {expr: "=row.object", row: ref, want: `"host:host/h1"`},
		"nothing-of-that-name":      {expr: "=absent", want: `null`},
	} {
		all, err := source.Of(service(wire.Param{Name: "x"}), says("x", "feel", c.expr))
		if err != nil {
			t.Fatal(err)
		}
		got, err := all[0].Evaluate(vars, time.Unix(0, 0), c.row)
		if err != nil || string(got) != c.want && name != "computed" || name == "computed" && string(got) != "2.20" && string(got) != "2.2" {
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
		}
		if all[0].OfRow() != (c.row != nil) {
			t.Errorf("%s: looks at the row: %v", name, all[0].OfRow())
		}
		if lacks := all[0].WithoutVariables(vars); (lacks == ": the run has no variable absent") != (name == "nothing-of-that-name") {
			t.Errorf("%s lacks %q", name, lacks)
		}
	}
}

func TestSetting(t *testing.T) {
	t.Parallel()
	svc := service()
	svc.Settings = []wire.Setting{{Name: "retries", Type: wire.TypeInt, Default: "3"}, {Name: "proxy", Type: wire.TypeString}}
	for name, c := range map[string]struct {
		setting, text string
		set           bool
		want          string
		found, bad    bool
	}{
		"set": {"retries", "5", true, "5", true, false}, "by-its-long-name": {"host.retries", "5", true, "5", true, false},
		"the-default": {"retries", "", false, "3", true, false}, "no-default": {"proxy", "", false, "", false, false},
		"of-the-wrong-type": {"retries", "many", true, "", false, true}, "that-nobody-declares": {"other.name", "x", true, "x", true, false},
	} {
		got, found, err := source.Setting(svc, c.setting, c.text, c.set)
		if got != c.want || found != c.found || c.bad != (err != nil) {
			t.Errorf("%s: %q %v %v", name, got, found, err)
		}
	}
}

func TestKnownNamesTheNearest(t *testing.T) {
	t.Parallel()
	params := []wire.Param{{Name: "script"}, {Name: "timeout"}}
	if err := source.Known("host/script/run", "input", params, []string{"timeout", "script"}); err != nil {
		t.Error(err)
	}
	e := errs.As(source.Known("host/script/run", "output", params, []string{"zzz", "scirpt"}))
	if e.Code != "dispatch.unknown_output" || !strings.Contains(e.Message, `no output "scirpt"; did you mean script?`) || len(e.Fields) != 2 {
		t.Errorf("%+v", e)
	}
}

// What a manifest takes from the object is not given with a start, unless something
// reads the variable.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	svc := service(wire.Param{Name: "address", From: source.FromPath, Expr: ".address"}, wire.Param{Name: "script"})
	resolve := func(string) (plugin.Service, error) { return svc, nil }
	task := &program.Node{Kind: program.ServiceTask, Task: &program.Task{}}
	for name, c := range map[string]struct {
		nodes []*program.Node
		names []string
		bad   bool
	}{
		"taken-from-the-object": {[]*program.Node{task}, []string{"address"}, true},
		"a-variable":            {[]*program.Node{task}, []string{"script"}, false},
		"a-person-may-read-it":  {[]*program.Node{task, {Human: &program.Human{}}}, []string{"address"}, false},
	} {
		err := source.CheckStart(&program.Program{Nodes: c.nodes}, resolve, c.names)
		if c.bad != (err != nil) || c.bad &&
			(errs.As(err).Code != "dispatch.input_elsewhere" || !strings.Contains(err.Error(), "host:host.address")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	foreign := func(string) (plugin.Service, error) { return plugin.Service{}, errors.New("no") }
	if err := source.CheckStart(&program.Program{Nodes: []*program.Node{task}}, foreign, []string{"address"}); err != nil {
		t.Errorf("a worker of another kind: %v", err)
	}
}

func TestVariablesAndSecrets(t *testing.T) {
	t.Parallel()
	svc := service(wire.Param{Name: "a"}, wire.Param{Name: "b"}, wire.Param{Name: "pw", Secret: true}, wire.Param{Name: "key", Secret: true})
	ext := bpmn.Extensions{
		ServiceInputs: []bpmn.ServiceInput{{Name: "a", From: "feel", Value: "=m + n"}, {Name: "b", From: "step", Value: "check.rows"},
			{Name: "key", From: "feel", Value: "=mine"}}}
	all, err := source.Of(svc, ext)
	if err != nil {
		t.Fatal(err)
	}
	names := source.Variables(all)
	slices.Sort(names)
	if d := cmp.Diff([]string{"check", "m", "mine", "n", "pw"}, names); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"pw", "mine"}, source.SecretVariables(svc, ext)); d != "" {
		t.Error(d)
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		param wire.Param
		raw   string
		want  source.Given
	}{
		"a-connection": {wire.Param{Type: wire.TypeConnection}, `"connection/lab"`, source.Given{Connections: []string{"lab"}}},
		"a-file":       {wire.Param{Type: wire.TypeFile}, `"abc"`, source.Given{File: "abc"}},
		"a-secret":     {wire.Param{Secret: true}, `{"$secret":"connection/lab#pw"}`, source.Given{Connections: []string{"lab"}}},
		"a-text":       {wire.Param{}, `"connection/lab"`, source.Given{}},
	} {
		if d := cmp.Diff(c.want, source.References(c.param, json.RawMessage(c.raw))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	svc := service(wire.Param{Name: "address", From: source.FromPath, Expr: ".address", Required: true})
	all, err := source.Of(svc, bpmn.Extensions{})
	if err != nil {
		t.Fatal(err)
	}
	host, box := object.Ref{Package: "host", Type: "host", ID: "a"}, object.Ref{Package: "cmdb", Type: "box", ID: "a"}
	for name, c := range map[string]struct {
		row  object.Ref
		rows bool
		bad  bool
	}{"its-type": {host, false, false}, "another": {box, true, true}, "none": {object.Ref{}, false, true},
		"bound-later": {object.Ref{}, true, false}} {
		if err := source.Fits(svc, all, c.row, c.rows); c.bad != (err != nil) || c.bad && errs.As(err).Code != "dispatch.wrong_type" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
