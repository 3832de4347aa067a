package dmn_test

import (
	"bytes"
	"strings"
	"testing"

	"sextant/internal/lang/dmn"
	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/dmn/tck"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// everything is a model with all kinds of elements and boxed expressions.
const everything = `<?xml version="1.0"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" name="all" namespace="urn:all">
  <import name="other" namespace="urn:other" importType="https://www.omg.org/spec/DMN/20230324/MODEL/"/>
  <itemDefinition name="tPerson"><itemComponent name="full name"><typeRef>string</typeRef></itemComponent>` +
	`<itemComponent name="age"><typeRef>number</typeRef><allowedValues><text>[0..150]</text></allowedValues></itemComponent></itemDefinition>
  <itemDefinition name="tTree"><itemComponent name="children" isCollection="true"><typeRef>tTree</typeRef></itemComponent></itemDefinition>
  <itemDefinition name="tFn"><functionItem outputTypeRef="number"><parameters name="n" typeRef="number"/></functionItem></itemDefinition>
  <itemDefinition name="tLevel"><typeRef>string</typeRef><allowedValues><text>"low","high"</text></allowedValues></itemDefinition>
  <itemDefinition name="tFew" isCollection="true"><typeRef>number</typeRef>` +
	`<typeConstraint><text>count(?) &lt; 4</text></typeConstraint></itemDefinition>
  <inputData name="person" id="person"><variable name="person" typeRef="tPerson"/></inputData>
  <inputData name="n" id="n"><variable name="n" typeRef="number"/></inputData>
  <businessKnowledgeModel name="double" id="double"><variable name="double"/><encapsulatedLogic><formalParameter name="x" ` +
	`typeRef="number"/><literalExpression typeRef="number"><text>x * 2</text></literalExpression></encapsulatedLogic></businessKnowledgeModel>
  <decision name="level" id="level"><variable name="level" typeRef="tLevel"/>` +
	`<informationRequirement><requiredInput href="#person"/></informationRequirement>
    <decisionTable hitPolicy="PRIORITY"><input><inputExpression typeRef="number">` +
	`<text>person.age</text></inputExpression><inputValues><text>[0..150]</text></inputValues></input><output name="level"><outputValues>` +
	`<text>"high","low"</text></outputValues><defaultOutputEntry><text>"low"</text></defaultOutputEntry></output><annotation name="why"/>
    <rule id="r1"><inputEntry><text>&gt;= 60</text></inputEntry><outputEntry>` +
	`<text>"high"</text></outputEntry><annotationEntry><text>old</text></annotationEntry></rule>
    <rule id="r2"><inputEntry><text>-</text></inputEntry><outputEntry><text>"low"</text></outputEntry></rule></decisionTable></decision>
  <decision name="boxes" id="boxes"><variable name="boxes"/><informationRequirement>` +
	`<requiredInput href="#n"/></informationRequirement><informationRequirement>` +
	`<requiredDecision href="#level"/></informationRequirement><knowledgeRequirement><requiredKnowledge href="#double"/></knowledgeRequirement>
    <context>
      <contextEntry><variable name="list"/><list><literalExpression>` +
	`<text>1</text></literalExpression><literalExpression><text>n</text></literalExpression></list></contextEntry>
      <contextEntry><variable name="rel"/><relation><column name="a"/><column name="b c"/><row>` +
	`<literalExpression><text>1</text></literalExpression><literalExpression><text>2</text></literalExpression></row></relation></contextEntry>
      <contextEntry><variable name="fn"/><functionDefinition><formalParameter name="x"/>` +
	`<literalExpression><text>if x = 0 then 0 else fn(x - 1)</text></literalExpression></functionDefinition></contextEntry>
      <contextEntry><variable name="inv"/><invocation><literalExpression><text>double</text></literalExpression>` +
	`<binding><parameter name="x"/><literalExpression><text>n</text></literalExpression></binding></invocation></contextEntry>
      <contextEntry><variable name="cond"/><conditional><if><literalExpression>` +
	`<text>n > 1</text></literalExpression></if><then><literalExpression><text>"a"</text></literalExpression></then>` +
	`<else><literalExpression><text>"b"</text></literalExpression></else></conditional></contextEntry>
      <contextEntry><variable name="loop"/><for iteratorVariable="i"><in><literalExpression><text>list</text></literalExpression></in>` +
	`<return><literalExpression><text>i + count(partial)</text></literalExpression></return></for></contextEntry>
      <contextEntry><variable name="any"/><some iteratorVariable="i"><in><literalExpression><text>list</text></literalExpression></in>` +
	`<satisfies><literalExpression><text>i > 1</text></literalExpression></satisfies></some></contextEntry>
      <contextEntry><variable name="all"/><every iteratorVariable="i"><in><literalExpression><text>list</text></literalExpression></in>` +
	`<satisfies><literalExpression><text>i > 0</text></literalExpression></satisfies></every></contextEntry>
      <contextEntry><variable name="some of"/><filter><in><literalExpression><text>rel</text></literalExpression></in>` +
	`<match><literalExpression><text>b c = 2 and item.a = 1</text></literalExpression></match></filter></contextEntry>
      <contextEntry><variable name="java"/><functionDefinition kind="Java">` +
	`<formalParameter name="x"/><context/></functionDefinition></contextEntry>
    </context></decision>
  <decisionService name="service" id="service"><variable name="service"/>` +
	`<outputDecision href="#boxes"/><inputDecision href="#level"/><inputData href="#n"/></decisionService>
  <decision name="called" id="called"><variable name="called"/><knowledgeRequirement><requiredKnowledge ` +
	`href="#service"/></knowledgeRequirement><literalExpression><text>service(3, "low").inv</text></literalExpression></decision>
</definitions>
`

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;")

// fuzzLimits keep fuzzing fast.
var fuzzLimits = dmn.WithLimits(feel.Limits{Steps: 20_000, Depth: 30})

// use reads, checks, analyses and evaluates a model: none of it may panic, and
// what was read is written back as it was.
func use(t *testing.T, data []byte) {
	f, err := dmn.Read(data)
	if err != nil {
		return
	}
	head := bytes.ToLower(data[:min(len(data), 100)])
	if again := f.Document.Write(); !bytes.Equal(again, bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))) &&
		!bytes.Contains(head, []byte("8859")) && !bytes.Contains(head, []byte("1252")) {
		t.Fatalf("%q is written back as %q", data, again)
	}
	m := dmn.Compile([]*dmn.File{f}, fuzzLimits)
	m.Check()
	for _, r := range m.Analyse() {
		r.Findings()
	}
	person := &value.Context{}
	person.Put("full name", value.String("Ada"))
	person.Put("age", value.Int(61))
	inputs := []dmn.Input{{Name: "person", Value: value.NewContext(person)},
		{Name: "n", Value: value.Int(2)}, {Name: "level", Value: value.String("low")}}
	for _, e := range m.Elements() {
		target := dmn.Target{Name: e.Name}
		var res *dmn.Result
		switch e.Kind {
		case "decision":
			res, err = m.Decide(target, inputs[:2], dmn.Env{})
		case "service":
			res, err = m.Serve(target, inputs, dmn.Env{})
		case "knowledge":
			res, err = m.Call(target, inputs, dmn.Env{})
		}
		if err != nil || res == nil {
			continue
		}
		if _, err := res.Trace.MarshalJSON(); err != nil {
			t.Fatalf("the trace has no JSON: %v", err)
		}
	}
}

func TestEverythingIsUsable(t *testing.T) {
	t.Parallel()
	use(t, []byte(everything))
}

// Seeds are small: the fuzzer makes them smaller still before it goes on.
func FuzzRead(f *testing.F) {
	for _, logic := range []string{
		`<list><literalExpression><text>1</text></literalExpression></list>`,
		`<relation><column name="a"/><row><literalExpression><text>1</text></literalExpression></row></relation>`,
		`<for iteratorVariable="i"><in><list/></in><return><literalExpression><text>i</text></literalExpression></return></for>`,
		`<filter><in><list/></in><match><literalExpression><text>true</text></literalExpression></match></filter>`,
		`<conditional><if><list/></if><then><list/></then><else><list/></else></conditional>`,
		`<invocation><literalExpression><text>abs</text></literalExpression><binding><parameter name="n"/></binding></invocation>`,
		`<functionDefinition kind="Java"><formalParameter name="x" typeRef="number"/></functionDefinition>`,
		`<decisionTable hitPolicy="O" aggregation="SUM"><input><inputExpression>` +
			`<text>1</text></inputExpression></input><output name="o"><outputValues><text>1,2</text></outputValues></output>` +
			`<rule><inputEntry><text>1</text></inputEntry><outputEntry><text>2</text></outputEntry></rule></decisionTable>`,
	} {
		f.Add([]byte(wrap(`<decision name="d" id="d">` + logic + `</decision>`)))
	}
	f.Add([]byte(wrap(`<itemDefinition name="t"><itemComponent name="a">` +
		`<typeRef>t</typeRef></itemComponent></itemDefinition><inputData name="n" id="n"><variable name="n" typeRef="t"/></inputData>`)))
	f.Add([]byte(
		wrap(`<decision name="d" id="d"/><decisionService name="s"><outputDecision href="#d"/><inputDecision href="#d"/></decisionService>`)))
	f.Add([]byte(wrap(`<businessKnowledgeModel name="b" id="b"><encapsulatedLogic><formalParameter name="x"/>` +
		`<list/></encapsulatedLogic><knowledgeRequirement><requiredKnowledge href="#b"/></knowledgeRequirement></businessKnowledgeModel>`)))
	f.Add([]byte(wrap(decision("d", "", literal("1 + 1")))))
	f.Add([]byte(`<definitions xmlns="http://www.omg.org/spec/DMN/20151101/dmn.xsd" name="m" namespace="n" xmlns:feel="http:/` +
		`/www.omg.org/spec/FEEL/20140401"><itemDefinition name="t"><typeRef>feel:string</typeRef></itemDefinition></definitions>`))
	f.Fuzz(func(t *testing.T, data []byte) { use(t, data) })
}

// FuzzEvaluate puts texts into the places of expressions.
func FuzzEvaluate(f *testing.F) {
	f.Add("n + 1", "> 5", "tPerson")
	f.Add("fn(3)", "not(1, 2)", "list<number>")
	f.Add("{a b: 1}.a b", "[1..n]", "tTree")
	f.Add("double(n)[1]", "? > n", "function<number>->string")
	f.Fuzz(func(t *testing.T, expr, test, typ string) {
		body := `<itemDefinition name="tTree"><typeRef>` + escaper.Replace(typ) +
			`</typeRef><allowedValues><text>` + escaper.Replace(test) + `</text></allowedValues></itemDefinition>` +
			`<inputData name="n" id="n"><variable name="n"/></inputData>` +
			`<decision name="d" id="d"><variable name="d" typeRef="tTree"/><informationRequirement><requiredInput ` +
			`href="#n"/></informationRequirement><context><contextEntry><variable name="fn"/><functionDefinition><formalParameter name="x"/>` +
			`<literalExpression><text>` + escaper.Replace(expr) + `</text></literalExpression></functionDefinition></contextEntry>` +
			`<contextEntry><decisionTable hitPolicy="COLLECT"><input><inputExpression><text>` +
			escaper.Replace(expr) + `</text></inputExpression></input><output/>` +
			`<rule><inputEntry><text>` + escaper.Replace(test) + `</text></inputEntry><outputEntry><text>` +
			escaper.Replace(expr) + `</text></outputEntry></rule></decisionTable></contextEntry></context></decision>`
		use(t, []byte(wrap(body)))
	})
}

func FuzzTestCases(f *testing.F) {
	f.Add([]byte(`<testCases xmlns="http://www.omg.org/spec/DMN/20160719/testcase" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
		`<modelName>m</modelName><testCase id="1" type="decisionService" invocableName="service">` +
		`<inputNode name="n"><value xsi:type="xsd:decimal">1</value></inputNode><resultNode name="boxes"><expected>` +
		`<list><item><component name="a"><value xsi:nil="true"/></component></item></list></expected></resultNode></testCase></testCases>`))
	file, err := dmn.Read([]byte(everything))
	if err != nil {
		f.Fatal(err)
	}
	m := dmn.Compile([]*dmn.File{file}, fuzzLimits)
	f.Fuzz(func(t *testing.T, data []byte) {
		cases, err := tck.Read(data, nil)
		if err == nil && len(cases.Cases) < 20 {
			tck.Run(m, cases, dmn.Env{})
		}
	})
}

func TestReadRefusesWhatIsNoModel(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, code string }{
		"empty":     {"", "dmn.empty"},
		"no_xml":    {"decision", "dmn.syntax"},
		"bpmn":      {`<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"/>`, "dmn.root"},
		"no_space":  {`<definitions/>`, "dmn.root"},
		"wrong_end": {"<a></b>", "dmn.syntax"},
		"encoding":  {"<a>\xff</a>", "dmn.encoding"},
	} {
		_, err := dmn.Read([]byte(tc.in))
		if refused, ok := err.(*model.Error); !ok || refused.Problems[0].Code != tc.code {
			t.Errorf("%s: got %v, want %s", name, err, tc.code)
		}
	}
}
