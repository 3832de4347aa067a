package dmn_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"sextant/internal/lang/dmn"
	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

const head = `<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" name="m" namespace="urn:m">`

func wrap(body string) string { return head + body + `</definitions>` }

func decision(name, needs, logic string) string {
	return fmt.Sprintf(`<decision name="%s" id="%s"><variable name="%s"/>%s%s</decision>`, name, name, name, needs, logic)
}

func literal(text string) string {
	return "<literalExpression><text>" + escaper.Replace(text) + "</text></literalExpression>"
}

func requires(id string) string {
	return `<informationRequirement><requiredDecision href="#` + id + `"/></informationRequirement>`
}

func knows(id string) string {
	return `<knowledgeRequirement><requiredKnowledge href="#` + id + `"/></knowledgeRequirement>`
}

// maxAllocated bounds the memory that a hostile model may ask for altogether, in
// MB. What takes time asks for memory too, and the time itself is that of the
// machine.
const maxAllocated = 800

// bounded runs something that has to end soon and in little memory, and tells
// what it took.
func bounded(t *testing.T, name string, run func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	run()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
	t.Logf("%-24s %6d ms, %4d MB allocated", name, took.Milliseconds(), allocated)
	if allocated > maxAllocated {
		t.Errorf("%s allocated %d MB", name, allocated)
	}
}

func decide(t *testing.T, xml, name string) (*dmn.Result, []dmn.Problem, error) {
	t.Helper()
	file, err := dmn.Read([]byte(xml))
	if err != nil {
		return nil, nil, err
	}
	m := dmn.Compile([]*dmn.File{file})
	for _, r := range m.Analyse() {
		r.Findings()
	}
	res, err := m.Decide(dmn.Target{Name: name}, nil, dmn.Env{})
	return res, m.Check(), err
}

func hasCode(problems []dmn.Problem, code string) bool {
	for _, p := range problems {
		if p.Code == code {
			return true
		}
	}
	return false
}

// Models that nobody means well with are refused, or stopped within limits; none
// brings anything down.
func TestHostileModels(t *testing.T) {
	for name, tc := range map[string]struct {
		xml  func() string
		code string // of a problem, where one has to be told
	}{
		"billion_laughs": {func() string {
			return `<!DOCTYPE a [<!ENTITY l "ha"><!ENTITY m "&l;&l;&l;&l;">]>` + wrap(`<decision name="&m;"/>`)
		}, "dmn.doctype"},
		"too_large": {func() string { return wrap(strings.Repeat(" ", 17<<20)) }, "dmn.too_large"},
		"deep_xml":  {func() string { return wrap(strings.Repeat("<a>", 100_000)) }, "dmn.depth"},
		"deep_contexts": {func() string {
			return wrap(`<decision name="d">` + strings.Repeat(`<context><contextEntry>`, 120) +
				literal("1") + strings.Repeat(`</contextEntry></context>`, 120) + `</decision>`)
		}, ""},
		"deep_expression": {func() string {
			return wrap(decision("d", "", literal(strings.Repeat("(", 60_000)+"1"+strings.Repeat(")", 60_000))))
		}, "dmn.feel"},
		"many_nodes": {func() string { return wrap(strings.Repeat("<a/>", 1_200_000)) }, "dmn.nodes"},
		"many_decisions": {func() string {
			var b strings.Builder
			for i := range 60_000 {
				fmt.Fprintf(&b, `<decision name="d%d" id="d%d"><literalExpression><text>1 + %d</text></literalExpression></decision>`, i, i, i)
			}
			return wrap(strings.Replace(b.String(), "d7\"", "d\"", 1))
		}, ""},
		"long_chain": {func() string {
			var b strings.Builder
			b.WriteString(decision("d", requires("d0"), literal("d0 + 1")))
			for i := range 30_000 {
				b.WriteString(decision(fmt.Sprint("d", i), requires(fmt.Sprint("d", i+1)), literal(fmt.Sprintf("d%d + 1", i+1))))
			}
			b.WriteString(decision("d30000", "", literal("1")))
			return wrap(b.String())
		}, ""},
		"decision_cycle": {func() string {
			return wrap(decision("d", requires("e"), literal("e")) + decision("e", requires("f"), literal("f")) +
				decision("f", requires("d"), literal("d")))
		}, "dmn.cycle"},
		"type_cycle": {func() string {
			return wrap(`<itemDefinition name="a"><typeRef>b</typeRef></itemDefinition><itemDefinition name="b">` +
				`<typeRef>a</typeRef></itemDefinition>` + decision("d", "", `<literalExpression typeRef="a"><text>1</text></literalExpression>`))
		}, "dmn.type.cycle"},
		"type_chain": {func() string {
			var b strings.Builder
			for i := range 60_000 {
				fmt.Fprintf(&b, `<itemDefinition name="t%d"><typeRef>t%d</typeRef></itemDefinition>`, i, i+1)
			}
			return wrap(b.String() + decision("d", "", `<literalExpression typeRef="t0"><text>1</text></literalExpression>`))
		}, "dmn.type.depth"},
		"same_names": {func() string {
			var b strings.Builder
			for i := range 20_000 {
				fmt.Fprintf(&b, `<inputData name="a b c%d" id="i%d"/>`, i, i)
			}
			for range 2_000 {
				b.WriteString(decision("d", "", literal("a b c + a b c1")))
			}
			return wrap(b.String())
		}, "dmn.duplicate_id"},
		"names_alike": {func() string { // many names of the same few words, in many expressions
			var b strings.Builder
			for i := range 8_000 {
				fmt.Fprintf(&b, `<itemDefinition name="t%d"><itemComponent name="`, i)
				for bit := range 14 {
					b.WriteString([]string{"a ", "b ", "a-"}[(i>>bit&1)*(1+i%2)])
				}
				b.WriteString(`c"><typeRef>number</typeRef></itemComponent></itemDefinition>`)
			}
			for i := range 10_000 {
				b.WriteString(decision(fmt.Sprint("d", i), "", literal("a b a b a a b a b b a a b c")))
			}
			return wrap(b.String() + decision("d", "", literal("1")))
		}, ""},
		"long_name": {func() string {
			name := strings.Repeat("a ", 200_000) + "b"
			return wrap(`<inputData name="` + name + `" id="i"/>` +
				decision("d", `<informationRequirement><requiredInput href="#i"/></informationRequirement>`, literal("a a a a")))
		}, ""},
		"wide_requirements": {func() string {
			var b, needs strings.Builder
			for i := range 20_000 {
				fmt.Fprintf(&b, `<inputData name="in %d" id="i%d"/>`, i, i)
				fmt.Fprintf(&needs, `<informationRequirement><requiredInput href="#i%d"/></informationRequirement>`, i)
			}
			return wrap(b.String() + decision("d", needs.String(), `<context>`+
				strings.Repeat(`<contextEntry>`+literal("in 1 = in 2")+`</contextEntry>`, 20_000)+`</context>`))
		}, ""},
		"long_context": {func() string {
			var b strings.Builder
			b.WriteString("<context>")
			for i := range 30_000 {
				fmt.Fprintf(&b, `<contextEntry><variable name="e %d"/><literalExpression><text>%d</text></literalExpression></contextEntry>`, i, i)
			}
			return wrap(decision("d", "", b.String()+"</context>"))
		}, ""},
		"huge_table": {func() string {
			var b strings.Builder
			b.WriteString(`<decisionTable hitPolicy="UNIQUE"><input><inputExpression>` +
				`<text>1</text></inputExpression></input><input><inputExpression><text>"k3"</text></inputExpression></input><output/>`)
			for i := range 20_000 {
				fmt.Fprintf(&b, `<rule><inputEntry><text>[%d..%d]</text></inputEntry>`+
					`<inputEntry><text>"k%d"</text></inputEntry><outputEntry><text>%d</text></outputEntry></rule>`, i%1000, i%1000+500, i, i)
			}
			return wrap(decision("d", "", b.String()+`</decisionTable>`))
		}, ""},
		"opaque_table": {func() string {
			var b strings.Builder
			b.WriteString(`<decisionTable hitPolicy="COLLECT"><input><inputExpression><text>1</text></inputExpression></input><output/>`)
			for i := range 20_000 {
				fmt.Fprintf(&b, `<rule><inputEntry><text>? > %d and ? > x</text></inputEntry><outputEntry><text>x + %d</text></outputEntry></rule>`,
					i, i)
			}
			return wrap(decision("d", "", b.String()+`</decisionTable>`))
		}, ""},
	} {
		var xml string
		xml = tc.xml()
		bounded(t, name, func() {
			_, problems, err := decide(t, xml, "d")
			var limit *feel.LimitError
			if err != nil && !errors.As(err, &limit) {
				var refused *model.Error
				if !errors.As(err, &refused) || !hasCode(refused.Problems, tc.code) {
					t.Errorf("%s: got %v, want %s", name, err, tc.code)
				}
				return
			}
			if tc.code != "" && !hasCode(problems, tc.code) {
				t.Errorf("%s: no problem %s", name, tc.code)
			}
		})
	}
}

// Evaluations that would not end are ended by a limit.
func TestHostileEvaluations(t *testing.T) {
	loop := `<businessKnowledgeModel name="f" id="f"><variable name="f"/><encapsulatedLogic><formalParameter name="n"/>` +
		literal("f(n + 1)") + `</encapsulatedLogic></businessKnowledgeModel>`
	fork := `<businessKnowledgeModel name="f" id="f"><variable name="f"/><encapsulatedLogic><formalParameter name="n"/>` +
		literal("if n = 0 then 1 else f(n - 1) + f(n - 1)") + `</encapsulatedLogic></businessKnowledgeModel>`
	service := `<decisionService name="s" id="s"><variable name="s"/><outputDecision href="#o"/></decisionService>` +
		decision("o", knows("s"), literal("s()"))
	check := `<itemDefinition name="t" isCollection="true"><typeRef>number</typeRef>` +
		`<allowedValues><text>count(for i in 1..1000 return i) = ?</text></allowedValues></itemDefinition>`
	pair := `<businessKnowledgeModel name="g" id="g"><variable name="g"/><encapsulatedLogic><formalParameter name="n"/>` +
		literal("h(n)") + `</encapsulatedLogic>` + knows("h") + `</businessKnowledgeModel>` +
		`<businessKnowledgeModel name="h" id="h"><variable name="h"/><encapsulatedLogic><formalParameter name="n"/>` +
		literal("g(n)") + `</encapsulatedLogic>` + knows("g") + `</businessKnowledgeModel>`
	for name, xml := range map[string]string{
		"recursion":         loop + decision("d", knows("f"), literal("f(1)")),
		"branching":         fork + decision("d", knows("f"), literal("f(60)")),
		"mutual_recursion":  pair + decision("d", knows("g"), literal("g(1)")),
		"service_recursion": service + decision("d", knows("s"), literal("s()")),
		"long_list":         decision("d", "", literal("for i in 1..1000, j in 1..1000, k in 1..1000 return i")),
		"boxed_loops": decision("d", "", `<for iteratorVariable="i"><in>`+literal("[1..90000]")+
			`</in><return><for iteratorVariable="j"><in>`+literal("[1..90000]")+`</in><return>`+literal("i * j")+`</return></for></return></for>`),
		"costly_types": check +
			decision("d", "", `<literalExpression typeRef="t"><text>for i in 1..90000 return i - i + 1000</text></literalExpression>`),
		"many_warnings": decision("d", "", literal("for i in 1..90000 return [1,2,3,4] + i")),
	} {
		bounded(t, name, func() {
			res, _, err := decide(t, wrap(xml), "d")
			var limit *feel.LimitError
			if err == nil && name != "many_warnings" {
				t.Errorf("%s: ended with %s", name, res.Value)
			} else if err != nil && !errors.As(err, &limit) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

func TestRingsOfImportsEnd(t *testing.T) {
	t.Parallel()
	file := func(name, other string) *dmn.File {
		f, err := dmn.Read([]byte(`<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" name="` +
			name + `" namespace="urn:` + name + `">
			<import name="` + other + `" namespace="urn:` + other + `" importType="https://www.omg.org/spec/DMN/20230324/MODEL/"/>
			<itemDefinition name="t"><typeRef>` + other + `.t</typeRef></itemDefinition>
			<decision name="d" id="d"><variable name="d"/><informationRequirement><requiredDecision href="urn:` +
			other + `#d"/></informationRequirement>` + literal(other+".d") + `</decision></definitions>`))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	m := dmn.Compile([]*dmn.File{file("a", "b"), file("b", "a")})
	res, err := m.Decide(dmn.Target{Name: "d"}, nil, dmn.Env{})
	if err != nil || !res.Value.IsNull() {
		t.Errorf("got %v, %v", res, err)
	}
	for _, code := range []string{"dmn.cycle", "dmn.type.cycle"} {
		if !hasCode(m.Check(), code) {
			t.Errorf("no problem %s: %v", code, m.Check())
		}
	}
}

// What is recorded of an evaluation stays small, whatever it computes.
func TestTracesAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(decision("d0", "", literal("for i in 1..90000 return i")))
	for i := range 100 {
		b.WriteString(decision(fmt.Sprint("d", i+1), requires(fmt.Sprint("d", i)), literal(fmt.Sprint("d", i))))
	}
	res, _, err := decide(t, wrap(b.String()), "d100")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := res.Trace.MarshalJSON()
	if err != nil || len(raw) > 16<<20 {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
	if l, _ := value.AsList(res.Value); len(l) != 90000 {
		t.Errorf("the value itself is whole: %d items", len(l))
	}
}
