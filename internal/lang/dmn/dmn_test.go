package dmn_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"sextant/internal/lang/dmn"
	"sextant/internal/lang/dmn/tck"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
	"sextant/internal/testkit/corpora"
)

func feelValue(t testing.TB, text string) value.Value {
	t.Helper()
	x, err := feel.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	v, err := x.Eval(nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// evaluate computes a decision of a model with inputs as a FEEL context.
func evaluate(t testing.TB, xml, name, inputs string) *dmn.Result {
	t.Helper()
	file, err := dmn.Read([]byte(xml))
	if err != nil {
		t.Fatal(err)
	}
	ctx, ok := value.AsContext(feelValue(t, inputs))
	if !ok {
		t.Fatalf("%s is no context", inputs)
	}
	res, err := dmn.Compile([]*dmn.File{file}).Decide(dmn.Target{Name: name}, dmn.Inputs(ctx), dmn.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestBoxedExpressions(t *testing.T) {
	t.Parallel()
	want := feelValue(t,
		`{list: [1, 2], rel: [{a: 1, "b c": 2}], inv: 4, cond: "a", loop: [1, 3], any: true, all: true, "some of": [{a: 1, "b c": 2}]}`)
	res := evaluate(t, everything, "boxes", `{n: 2, person: {"full name": "Ada", age: 61}}`)
	got, _ := value.AsContext(res.Value)
	expected, _ := value.AsContext(want)
	for _, key := range expected.Keys() {
		a, _ := expected.Get(key)
		if b, ok := got.Get(key); !ok || !value.Same(a, b) {
			t.Errorf("%s: got %s, want %s", key, b, a)
		}
	}
	if fn, _ := got.Get("java"); fn.Kind() != value.KindFunction {
		t.Errorf("a function in Java stays a function that gives null: %s", fn)
	}
	if raw := dmn.JSON(res.Value); !strings.Contains(string(raw), `"fn":null`) || !json.Valid(raw) {
		t.Errorf("functions are null in JSON: %s", raw)
	}
	if v := evaluate(t, everything, "called", `{}`).Value; !value.Same(v, value.Int(6)) {
		t.Errorf("a service called as function: %s", v)
	}
}

func TestTheTraceTellsWhatHappened(t *testing.T) {
	t.Parallel()
	res := evaluate(t, everything, "boxes", `{n: 2, person: {"full name": "Ada", age: 61}}`)
	raw, err := json.Marshal(res.Trace.Steps)
	if err != nil {
		t.Fatal(err)
	}
	var steps []struct {
		Kind, Name string
		Value      any
		Tables     []struct {
			Inputs []struct {
				Label string
				Value any
			}
			Rules []struct {
				Number      int
				ID          string
				Annotations []string
			}
		}
		Steps []struct{ Kind, Name string }
	}
	if err := json.Unmarshal(raw, &steps); err != nil {
		t.Fatal(err)
	}
	if len(steps) != 2 || steps[0].Name != "level" || steps[0].Value != "high" || steps[1].Name != "boxes" {
		t.Fatalf("%s", raw)
	}
	table := steps[0].Tables[0]
	if table.Inputs[0].Label != "person.age" || table.Inputs[0].Value != 61.0 ||
		len(table.Rules) != 2 || table.Rules[0].ID != "r1" || table.Rules[0].Annotations[0] != "old" {
		t.Errorf("%+v", table)
	}
	if len(steps[1].Steps) != 1 || steps[1].Steps[0].Kind != "knowledge" || steps[1].Steps[0].Name != "double" {
		t.Errorf("%+v", steps[1].Steps)
	}
}

func TestDecisionsSeeWhatTheyRequire(t *testing.T) {
	t.Parallel()
	xml := wrap(`<inputData name="given" id="given"/><inputData name="hidden" id="hidden"/>` +
		decision("a", `<informationRequirement><requiredInput href="#given"/></informationRequirement>`, literal("[given, hidden, free]")) +
		decision("computed", "", literal("1")) + decision("b", requires("computed"), literal("computed")) +
		`<decision name="open" id="open"/>` + decision("c", requires("open"), literal("open")) +
		decision("broken", "", literal("1 +")) + decision("d", requires("broken"), literal(`if broken = null then "none" else "some"`)))
	for name, tc := range map[string]struct{ decision, inputs, want string }{
		"required":            {"a", `{given: 1, hidden: 2, free: 3}`, "[1, null, 3]"},
		"missing":             {"a", `{}`, "[null, null, null]"},
		"computed_not_given":  {"b", `{computed: 7}`, "1"},
		"without_logic":       {"c", `{open: 7}`, "7"},
		"by_id":               {"c", `{open: 8}`, "8"},
		"beside_a_broken_one": {"d", `{}`, `"none"`},
		"broken":              {"broken", `{}`, "null"},
	} {
		if got := evaluate(t, xml, tc.decision, tc.inputs).Value; !value.Same(got, feelValue(t, tc.want)) {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
	file, err := dmn.Read([]byte(xml))
	if err != nil {
		t.Fatal(err)
	}
	m := dmn.Compile([]*dmn.File{file})
	for _, code := range []string{"dmn.variable.not_required", "dmn.variable.unknown", "dmn.feel"} {
		if !hasCode(m.Check(), code) {
			t.Errorf("no problem %s: %v", code, m.Check())
		}
	}
	if _, err := m.Decide(dmn.Target{Name: "nothing"}, nil, dmn.Env{}); err == nil {
		t.Error("a decision that there is not was computed")
	}
}

func TestTypesHoldTheirValues(t *testing.T) {
	t.Parallel()
	types := `<itemDefinition name="tLevel"><typeRef>string</typeRef><allowedValues><text>"low","high"</text></allowedValues></itemDefinition>
		<itemDefinition name="tLevels" isCollection="true"><typeRef>tLevel</typeRef></itemDefinition>
		<itemDefinition name="tMore" isCollection="true"><typeRef>string</typeRef>` +
		`<allowedValues><text>"a","b"</text></allowedValues></itemDefinition>
		<itemDefinition name="tFew" isCollection="true"><typeRef>number</typeRef>` +
		`<typeConstraint><text>count(?) &lt; 3</text></typeConstraint></itemDefinition>
		<itemDefinition name="tEven"><typeRef>number</typeRef><allowedValues><text>even(?)</text></allowedValues></itemDefinition>
		<itemDefinition name="tEvens" isCollection="true"><typeRef>tEven</typeRef></itemDefinition>
		<itemDefinition name="tTree"><itemComponent name="value"><typeRef>tEven</typeRef></itemComponent>` +
		`<itemComponent name="children" isCollection="true"><typeRef>tTree</typeRef></itemComponent></itemDefinition>
		<itemDefinition name="tFn"><functionItem outputTypeRef="number"><parameters name="n" typeRef="number"/></functionItem></itemDefinition>
		<itemDefinition name="tMoment"><typeRef>date and time</typeRef></itemDefinition>`
	for _, tc := range []struct{ typ, text, want string }{
		{"tLevel", `"low"`, `"low"`}, {"tLevel", `"mid"`, "null"}, {"tLevel", "null", "null"}, {"tLevel", `["high"]`, `"high"`},
		{"tLevels", `["low","high"]`, `["low","high"]`}, {"tLevels", `["low","mid"]`, "null"},
		{"tMore", `["a"]`, `["a"]`}, {"tMore", `["a","c"]`, "null"},
		{"tFew", "[1,2]", "[1,2]"}, {"tFew", "[1,2,3]", "null"},
		{"tEven", "4", "4"}, {"tEven", "5", "null"}, {"tEvens", "[2,4]", "[2,4]"}, {"tEvens", "[2,3]", "null"},
		{"tTree", "{value: 2, children: [{value: 4, children: []}]}", "{value: 2, children: [{value: 4, children: []}]}"},
		{"tTree", "{value: 2, children: [{value: 3, children: []}]}", "null"}, {"tTree", "{value: 2}", "null"},
		{"tMoment", `date("2026-01-31")`, `date and time("2026-01-31T00:00:00Z")`},
		{"number", `"1"`, "null"}, {"integer", "1", "1"}, {"list&lt;number>", "[1]", "[1]"}, {"list&lt;number>", `["a"]`, "null"},
		{"context&lt;a: number>", "{a: 1}", "{a: 1}"}, {"days and time duration", `duration("PT1H")`, `duration("PT1H")`},
	} {
		xml := wrap(types + `<decision name="d" id="d"><variable name="d" typeRef="` + tc.typ + `"/>` + literal(tc.text) + `</decision>`)
		if got := evaluate(t, xml, "d", "{}").Value; !value.Same(got, feelValue(t, tc.want)) {
			t.Errorf("%s as %s: got %s, want %s", tc.text, tc.typ, got, tc.want)
		}
	}
	fn := wrap(types + `<decision name="d" id="d"><context><contextEntry><variable name="f" typeRef="tFn"/>` +
		literal("function(n: number) n + 1") + `</contextEntry><contextEntry>` + literal("f(1)") + `</contextEntry></context></decision>`)
	if got := evaluate(t, fn, "d", "{}").Value; !value.Same(got, value.Int(2)) {
		t.Errorf("a function of a function type: %s", got)
	}
}

func TestNamesWithSpacesAndSigns(t *testing.T) {
	t.Parallel()
	xml := wrap(`<itemDefinition name="tP"><itemComponent name="first-name">` +
		`<typeRef>string</typeRef></itemComponent><itemComponent name="monthly income"><typeRef>number</typeRef></itemComponent></itemDefinition>
		<inputData name="the person" id="p"><variable name="the person" typeRef="tP"/></inputData>` +
		`<inputData name="a" id="a"/><inputData name="b" id="b"/>` +
		`<businessKnowledgeModel name="max" id="max"><variable name="max"/><encapsulatedLogic><formalParameter name="x"/>` +
		literal(`"own " + x`) + `</encapsulatedLogic></businessKnowledgeModel>` +
		decision("d", `<informationRequirement><requiredInput href="#p"/></informationRequirement><informationRequirement><requiredInput `+
			`href="#a"/></informationRequirement><informationRequirement><requiredInput href="#b"/></informationRequirement>`+knows("max"),
			`<context><contextEntry><variable name="a-b"/>`+literal("a-b")+`</contextEntry>`+
				`<contextEntry><variable name="name"/>`+literal("the person.first-name")+`</contextEntry>`+
				`<contextEntry><variable name="net income"/>`+literal("the person.monthly income * 2")+`</contextEntry>`+
				`<contextEntry><variable name="again"/>`+literal("net income / 2")+`</contextEntry>`+
				`<contextEntry><variable name="mine"/>`+literal(`max("x")`)+`</contextEntry></context>`))
	got := evaluate(t, xml, "d", `{"the person": {"first-name": "Ada", "monthly income": 10}, a: 5, b: 3}`).Value
	if want := feelValue(t, `{"a-b": 2, name: "Ada", "net income": 20, again: 10, mine: "own x"}`); !value.Same(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestInvocations(t *testing.T) {
	t.Parallel()
	call := func(fn string, bindings ...string) string {
		var b strings.Builder
		for i := 0; i < len(bindings); i += 2 {
			b.WriteString(`<binding><parameter name="` + bindings[i] + `"/>` + literal(bindings[i+1]) + `</binding>`)
		}
		return `<invocation>` + literal(fn) + b.String() + `</invocation>`
	}
	knowledge := `<businessKnowledgeModel name="greet" id="greet"><variable name="greet"/><encapsulatedLogic><formalParameter ` +
		`name="first name"/><formalParameter name="title"/>` + literal(`[title, first name]`) + `</encapsulatedLogic></businessKnowledgeModel>`
	for name, tc := range map[string]struct{ logic, want string }{
		"knowledge":        {call("greet", "first name", `"Ada"`, "title", `"Dr"`), `["Dr", "Ada"]`},
		"argument_missing": {call("greet", "first name", `"Ada"`), `[null, "Ada"]`},
		"argument_unknown": {call("greet", "name", `"Ada"`), `null`},
		"by_name_in_text":  {literal(`greet(first name: "Ada", title: "Dr")`), `["Dr", "Ada"]`},
		"built_in":         {call("substring", "string", `"abc"`, "start position", "2"), `"bc"`},
		"built_in_all":     {call("substring", "string", `"abc"`, "start position", "2", "length", "1"), `"b"`},
		"built_in_unknown": {call("substring", "text", `"abc"`), `null`},
		"no_function":      {call("1"), `null`},
	} {
		xml := wrap(knowledge + decision("d", knows("greet"), tc.logic))
		if got := evaluate(t, xml, "d", "{}").Value; !value.Same(got, feelValue(t, tc.want)) {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}

// Priorities come from the values of the column, of its type, or of the decision.
func TestPrioritiesOfTypes(t *testing.T) {
	t.Parallel()
	table := func(output string) string {
		return `<decisionTable hitPolicy="PRIORITY"><input><inputExpression><text>1</text></inputExpression></input>` +
			output + `<rule><inputEntry><text>-</text></inputEntry><outputEntry><text>"low"</text></outputEntry></rule>` +
			`<rule><inputEntry><text>1</text></inputEntry><outputEntry><text>"high"</text></outputEntry></rule></decisionTable>`
	}
	for name, tc := range map[string]struct{ variable, output string }{
		"values":   {"", `<output><outputValues><text>"high","low"</text></outputValues></output>`},
		"type":     {"", `<output typeRef="tR"/>`},
		"decision": {` typeRef="tR"`, `<output/>`},
	} {
		xml := wrap(`<itemDefinition name="tR"><typeRef>string</typeRef><allowedValues><text>"high","low"</text>` +
			`</allowedValues></itemDefinition><decision name="d" id="d"><variable name="d"` + tc.variable + `/>` + table(tc.output) + `</decision>`)
		if got := evaluate(t, xml, "d", "{}").Value; got.String() != "high" {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// Imports bring elements and types under their name, or plainly without one.
func TestImports(t *testing.T) {
	t.Parallel()
	model := func(name, imports, body string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(`<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" name="` +
			name + `" namespace="urn:` + name + `">` + imports + body + `</definitions>`)}
	}
	imp := func(name, as string) string {
		return `<import name="` + as + `" namespace="urn:` + name + `" importType="https://www.omg.org/spec/DMN/20230324/MODEL/"/>`
	}
	files := fstest.MapFS{
		"base.dmn": model("base", "", `<itemDefinition name="tLow"><typeRef>number</typeRef><allowedValues>`+
			`<text>&lt; 10</text></allowedValues></itemDefinition><inputData name="n" id="n"><variable name="n" typeRef="tLow"/></inputData>`+
			decision("twice", `<informationRequirement><requiredInput href="#n"/></informationRequirement>`, literal("n * 2"))+
			`<businessKnowledgeModel name="add one" id="add"><variable name="add one"/><encapsulatedLogic><formalParameter name="x"/>`+
			literal("x + 1")+`</encapsulatedLogic></businessKnowledgeModel>`),
		"named.dmn": model("named", imp("base", "my base"), decision("d", `<informationRequirement><requiredDecision `+
			`href="urn:base#twice"/></informationRequirement><knowledgeRequirement><requiredKnowledge href="urn:base#add"/></knowledgeRequirement>`,
			`<literalExpression typeRef="number"><text>my base.add one(my base.twice)</text></literalExpression>`)+
			`<decision name="typed" id="typed"><variable name="typed" typeRef="my base.tLow"/>`+literal("12")+`</decision>`),
		"plain.dmn": model("plain", imp("base", ""),
			decision("d", `<informationRequirement><requiredDecision href="urn:base#twice"/></informationRequirement>`+
				`<knowledgeRequirement><requiredKnowledge href="urn:base#add"/></knowledgeRequirement>`, literal("add one(twice)"))+
				`<decision name="typed" id="typed"><variable name="typed" typeRef="tLow"/>`+literal("12")+`</decision>`),
	}
	for file, inputs := range map[string][]dmn.Input{
		"named.dmn": {{Namespace: "urn:base", Name: "n", Value: value.Int(4)}},
		"plain.dmn": {{Namespace: "urn:base", Name: "n", Value: value.Int(4)}},
	} {
		set, err := dmn.Load(files, file)
		if err != nil {
			t.Fatal(err)
		}
		m := dmn.Compile(set)
		if len(m.Check()) > 0 {
			t.Errorf("%s: %v", file, m.Check())
		}
		for name, want := range map[string]value.Value{"d": value.Int(9), "typed": value.Null()} {
			res, err := m.Decide(dmn.Target{Name: name}, inputs, dmn.Env{})
			if err != nil || !value.Same(res.Value, want) {
				t.Errorf("%s: %s: got %v, %v", file, name, res, err)
			}
		}
	}
	set, err := dmn.Load(files, "named.dmn")
	if err != nil {
		t.Fatal(err)
	}
	ctx, _ := value.AsContext(feelValue(t, `{"my base": {n: 3}}`))
	if res, err := dmn.Compile(set).Decide(dmn.Target{Name: "d"}, dmn.Inputs(ctx), dmn.Env{}); err != nil ||
		!value.Same(res.Value, value.Int(7)) {
		t.Errorf("inputs of an import as a context under its name: %v, %v", res, err)
	}
}

func TestTextsOfJSONBecomeTimes(t *testing.T) {
	t.Parallel()
	file, err := dmn.Read([]byte(wrap(`<itemDefinition name="tW"><itemComponent name="at" isCollection="true">` +
		`<typeRef>date</typeRef></itemComponent><itemComponent name="note"><typeRef>string</typeRef></itemComponent></itemDefinition>
		<inputData name="w" id="w"><variable name="w" typeRef="tW"/></inputData>` +
		`<inputData name="d" id="dd"><variable name="d" typeRef="days and time duration"/></inputData>` +
		decision("x", `<informationRequirement><requiredInput href="#w"/></informationRequirement>`+
			`<informationRequirement><requiredInput href="#dd"/></informationRequirement>`, literal("[w.at[1].year, w.note, d.hours]")))))
	if err != nil {
		t.Fatal(err)
	}
	m := dmn.Compile([]*dmn.File{file})
	v, err := value.FromJSON([]byte(`{"w": {"at": ["2026-01-31"], "note": "2026-01-31"}, "d": "PT90M"}`))
	if err != nil {
		t.Fatal(err)
	}
	ctx, _ := value.AsContext(v)
	res, err := m.Decide(dmn.Target{Name: "x"}, m.JSONInputs(ctx, time.LoadLocation), dmn.Env{})
	if err != nil || !value.Same(res.Value, feelValue(t, `[2026, "2026-01-31", 1]`)) {
		t.Errorf("got %v, %v", res, err)
	}
}

// A model serves many evaluations at once.
func TestModelsAreSharedSafely(t *testing.T) {
	t.Parallel()
	file, err := dmn.Read([]byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	m := dmn.Compile([]*dmn.File{file})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				res, err := m.Decide(dmn.Target{Name: "called"}, []dmn.Input{{Name: "n", Value: value.Int(int64(i))}}, dmn.Env{})
				if err != nil || !value.Same(res.Value, value.Int(6)) {
					t.Errorf("got %v, %v", res, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestModelsAreWrittenBackByteForByte(t *testing.T) {
	t.Parallel()
	n := 0
	for _, file := range corpora.Files(t, "dmn-tck", ".dmn") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := dmn.Read(data)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		if string(f.Document.Write()) != strings.TrimPrefix(string(data), "\xef\xbb\xbf") {
			t.Errorf("%s is written back differently", filepath.Base(file))
		}
		n++
	}
	t.Logf("%d files", n)
}

// The models of the kit give the same in the namespaces of other versions.
func TestVersionsOfDMN(t *testing.T) {
	t.Parallel()
	const current = "https://www.omg.org/spec/DMN/20230324/MODEL/"
	for version, space := range map[string]string{
		"1.1": "http://www.omg.org/spec/DMN/20151101/dmn.xsd", "1.2": "http://www.omg.org/spec/DMN/20180521/MODEL/",
		"1.3": "https://www.omg.org/spec/DMN/20191111/MODEL/",
		"1.4": "https://www.omg.org/spec/DMN/20211108/MODEL/", "1.6": "https://www.omg.org/spec/DMN/20240513/MODEL/",
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			for _, dir := range suites(t, "compliance-level-2") {
				files := fstest.MapFS{}
				for _, name := range corpora.Files(t, "dmn-tck/TestCases/compliance-level-2/"+filepath.Base(dir), "") {
					data, err := os.ReadFile(name)
					if err != nil {
						t.Fatal(err)
					}
					files[filepath.Base(name)] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(string(data), current, space))}
				}
				for name := range files {
					if !strings.HasSuffix(name, ".xml") {
						continue
					}
					f, m, err := tck.Load(files, name, time.LoadLocation)
					if err != nil {
						t.Fatal(err)
					}
					for _, o := range tck.Run(m, f, tckEnv) {
						if !o.Passed {
							t.Errorf("%s: %s: %s", name, o.Case.ID, o.Reason)
						}
					}
				}
			}
		})
	}
	old := `<definitions xmlns="http://www.omg.org/spec/DMN/20151101/dmn.xsd" ` +
		`xmlns:feel="http://www.omg.org/spec/FEEL/20140401" xmlns:my="urn:m" name="m" namespace="urn:m">
		<itemDefinition name="tN"><typeRef>feel:number</typeRef></itemDefinition>
		<decision name="d" id="d"><variable name="d" typeRef="my:tN"/><literalExpression><text>"a"</text></literalExpression></decision>
		<decision name="e" id="e"><variable name="e" typeRef="feel:days and time duration"/>` +
		`<literalExpression><text>duration("PT1H")</text></literalExpression></decision></definitions>`
	if got := evaluate(t, old, "d", "{}").Value; !got.IsNull() {
		t.Errorf("a text is no my:tN: %s", got)
	}
	if got := evaluate(t, old, "e", "{}").Value; got.Kind() != value.KindDaysDuration {
		t.Errorf("got %s", got)
	}
}
