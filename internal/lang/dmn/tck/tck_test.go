package tck_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"sextant/internal/lang/dmn"
	"sextant/internal/lang/dmn/tck"
	"sextant/internal/lang/feel/value"
)

const model = `<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" name="m" namespace="urn:m">
  <itemDefinition name="tP"><itemComponent name="born"><typeRef>date</typeRef></itemComponent>` +
	`<itemComponent name="marks" isCollection="true"><typeRef>number</typeRef></itemComponent></itemDefinition>
  <inputData name="p" id="p"><variable name="p" typeRef="tP"/></inputData>
  <decision name="d" id="d"><variable name="d"/><informationRequirement><requiredInput href="#p"/></informationRequirement>` +
	`<literalExpression><text>{year: p.born.year, sum: sum(p.marks), third: 1/3, none: p.x}</text></literalExpression></decision>
  <decision name="list" id="list"><variable name="list"/><literalExpression>` +
	`<text>[true, duration("P1D"), time("10:00:00"), date and time("2026-01-31T10:00:00"), "a b"]</text></literalExpression></decision>
  <businessKnowledgeModel name="twice" id="t"><variable name="twice"/><encapsulatedLogic>` +
	`<formalParameter name="n"/><literalExpression><text>n * 2</text></literalExpression></encapsulatedLogic></businessKnowledgeModel>
</definitions>`

func cases(body string) string {
	return `<testCases xmlns="http://www.omg.org/spec/DMN/20160719/testcase" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ` +
		`xmlns:xsd="http://www.w3.org/2001/XMLSchema"><testCasesName>all</testCasesName><modelName>m.dmn</modelName>` + body + `</testCases>`
}

const person = `<inputNode name="p"><component name="born"><value xsi:type="xsd:date">1815-12-10</value></component>` +
	`<component name="marks"><list><item><value xsi:type="xsd:decimal">1</value></item>` +
	`<item><value xsi:type="xsd:double">2.5</value></item></list></component></inputNode>`

func run(t *testing.T, body string) []tck.Outcome {
	t.Helper()
	files := fstest.MapFS{"m.dmn": {Data: []byte(model)}, "cases.xml": {Data: []byte(cases(body))}}
	f, m, err := tck.Load(files, "cases.xml", time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	return tck.Run(m, f, dmn.Env{Zone: time.LoadLocation})
}

func TestCases(t *testing.T) {
	t.Parallel()
	result := func(year, sum, third string) string {
		return `<resultNode name="d"><expected><component name="year"><value xsi:type="xsd:decimal">` +
			year + `</value></component><component name="sum"><value xsi:type="xsd:decimal">` + sum +
			`</value></component><component name="third"><value xsi:type="xsd:decimal">` +
			third + `</value></component><component name="none"><value xsi:nil="true"/></component></expected></resultNode>`
	}
	for name, tc := range map[string]struct {
		body   string
		passed bool
	}{
		"as_expected":  {`<testCase id="1">` + person + result("1815", "3.5", "0.33333333") + `</testCase>`, true},
		"other_number": {`<testCase id="1">` + person + result("1815", "3.5", "0.3333") + `</testCase>`, false},
		"untyped": {`<testCase id="1"><inputNode name="p"><component name="born"><value>1815-12-10</value></component>` +
			`<component name="marks"><list><item><value>1</value></item></list></component></inputNode><resultNode name="d"><expected>` +
			`<component name="year"><value>1815</value></component><component name="sum"><value>1</value></component><component name="third">` +
			`<value>0.33333333</value></component><component name="none"><value/></component></expected></resultNode></testCase>`, true},
		"all_kinds": {`<testCase><resultNode name="list"><expected>` +
			`<list><item><value xsi:type="xsd:boolean">true</value></item><item><value xsi:type="xsd:duration">P1D</value></item>` +
			`<item><value xsi:type="xsd:time">10:00:00</value></item><item><value xsi:type="xsd:dateTime">2026-01-31T10:00:00</value></item>` +
			`<item><value xsi:type="xsd:string">a b</value></item></list></expected></resultNode></testCase>`, true},
		"all_kinds_plain": {`<testCase><resultNode name="list"><expected>` +
			`<list><item><value>true</value></item><item><value>P1D</value></item><item><value>10:00:00</value></item>` +
			`<item><value>2026-01-31T10:00:00</value></item><item><value>a b</value></item></list></expected></resultNode></testCase>`, true},
		"shorter_list": {`<testCase><resultNode name="list"><expected><list/></expected></resultNode></testCase>`, false},
		"nil_list":     {`<testCase><resultNode name="list"><expected><list xsi:nil="true"/></expected></resultNode></testCase>`, false},
		"wants_null":   {`<testCase><resultNode name="list" errorResult="true"/></testCase>`, false},
		"no_such_result": {
			`<testCase><resultNode name="nothing"><expected><value xsi:type="xsd:string">a</value></expected></resultNode></testCase>`, false},
		"knowledge": {`<testCase type="bkm" invocableName="twice"><inputNode name="n"><value xsi:type="xsd:integer">4</value></inputNode>` +
			`<resultNode name="twice"><expected><value xsi:type="xsd:decimal">8</value></expected></resultNode></testCase>`, true},
		"no_such_service": {`<testCase type="decisionService" invocableName="s">` +
			`<resultNode name="d"><expected><value xsi:type="xsd:decimal">8</value></expected></resultNode></testCase>`, false},
	} {
		got := run(t, tc.body)
		if len(got) != 1 || got[0].Passed != tc.passed || !tc.passed && got[0].Reason == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	value := func(kind, text string) string {
		return cases(`<testCase><inputNode name="n">` + "\n" + `<value xsi:type="xsd:` + kind + `">` + text + `</value></inputNode></testCase>`)
	}
	for name, tc := range map[string]struct{ in, want string }{
		"root":    {"<a/>", "not <testCases>"},
		"xml":     {"<a>", "ends before"},
		"number":  {value("decimal", "many"), `line 2: "many" is no number`},
		"kind":    {value("hexBinary", "00"), "hexBinary"},
		"date":    {value("date", "today"), "line 2"},
		"time":    {value("time", "noon"), "line 2"},
		"moment":  {value("dateTime", "now"), "line 2"},
		"lasting": {value("duration", "long"), "line 2"},
	} {
		if _, err := tck.Read([]byte(tc.in), nil); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %s", name, err, tc.want)
		}
	}
	files := fstest.MapFS{"nameless.xml": {Data: []byte(strings.Replace(cases(""), "<modelName>m.dmn</modelName>", "", 1))},
		"absent.xml": {Data: []byte(cases(""))}, "broken.xml": {Data: []byte("<")}}
	for _, name := range []string{"nameless.xml", "absent.xml", "broken.xml", "none.xml"} {
		if _, _, err := tck.Load(files, name, nil); err == nil {
			t.Errorf("%s was loaded", name)
		}
	}
}

func TestNumbersMayLieATinyBitApart(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		a, b  string
		equal bool
	}{{"1", "1.00000001", true}, {"1", "1.0000001", false}, {"100000000000000000000", "100000000000000000001", false},
		{"0", "-0.000000001", true}} {
		a, _ := value.ParseNumber(tc.a)
		b, _ := value.ParseNumber(tc.b)
		if tck.Equal(a, b) != tc.equal {
			t.Errorf("%s and %s", tc.a, tc.b)
		}
	}
}
