package dmn_test

import (
	"strings"
	"testing"

	"sextant/internal/lang/dmn"
)

// Every mistake is told with its code, its place and the element it lies in, and
// leaves the rest of the model usable.
func TestMistakesAreTold(t *testing.T) {
	t.Parallel()
	logic := func(body string) string { return `<decision name="d" id="d">` + "\n" + body + `</decision>` }
	for name, tc := range map[string]struct{ body, code, element string }{
		"no_name":           {`<decision id="d"/>`, "dmn.no_name", "d"},
		"same_id":           {`<decision name="d" id="d"/><decision name="e" id="d"/>`, "dmn.duplicate_id", "d"},
		"same_name":         {`<inputData name="d" id="i"/><decision name="d" id="d"/>`, "dmn.duplicate_name", "d"},
		"empty_requirement": {logic(`<informationRequirement id="r"/>`), "dmn.requirement", "r"},
		"absent_requirement": {logic(`<informationRequirement><requiredInput id="q" href="#x"/></informationRequirement>`),
			"dmn.reference", "q"},
		"wrong_requirement": {`<inputData name="i" id="i"/>` +
			logic(`<knowledgeRequirement><requiredKnowledge id="q" href="#i"/></knowledgeRequirement>`), "dmn.reference", "q"},
		"absent_in_import": {logic(`<informationRequirement><requiredDecision id="q" href="urn:x#x"/></informationRequirement>`),
			"dmn.reference", "q"},
		"cycle": {decision("a", requires("b"), literal("b")) + decision("b", requires("a"), literal("a")), "dmn.cycle", "a"},
		"missing_import": {`<import id="m" name="x" namespace="urn:x" importType="https://www.omg.org/spec/DMN/20230324/MODEL/"/>`,
			"dmn.import.missing", "m"},
		"foreign_import": {`<import id="m" name="x" namespace="urn:x" importType="http://www.dmg.org/PMML-4_2"/>`, "dmn.import.type", "m"},
		"unknown_type":   {`<inputData name="i" id="i"><variable id="v" name="i" typeRef="tX"/></inputData>`, "dmn.type.unknown", "v"},
		"unknown_prefix": {`<inputData name="i" id="i"><variable id="v" name="i" typeRef="p:tX"/></inputData>`, "dmn.type.unknown", "v"},
		"type_of_itself": {`<itemDefinition id="t" name="t"><typeRef>t</typeRef></itemDefinition>`, "dmn.type.cycle", "t"},
		"bad_allowed_values": {`<itemDefinition id="t" name="t"><typeRef>number</typeRef>` +
			`<allowedValues id="av"><text>[1..</text></allowedValues></itemDefinition>`, "dmn.feel", "av"},
		"feel": {logic(`<literalExpression id="l"><text>1 +</text></literalExpression>`), "dmn.feel", "l"},
		"language": {logic(`<literalExpression id="l" expressionLanguage="javascript"><text>1</text></literalExpression>`),
			"dmn.language", "l"},
		"language_of_input": {logic(`<decisionTable><input id="in"><inputExpression expressionLanguage="juel">` +
			`<text>${a}</text></inputExpression></input><output/></decisionTable>`), "dmn.language", "in"},
		"language_of_cell": {logic(`<decisionTable><input><inputExpression>` +
			`<text>1</text></inputExpression></input><output/><rule><inputEntry id="c" expressionLanguage="juel">` +
			`<text>${a}</text></inputEntry><outputEntry><text>1</text></outputEntry></rule></decisionTable>`), "dmn.language", "c"},
		"language_of_result": {logic(`<decisionTable><output/><rule><outputEntry id="c" expressionLanguage="groovy">` +
			`<text>1</text></outputEntry></rule></decisionTable>`), "dmn.language", "c"},
		"empty_expression": {logic(`<literalExpression id="l"><text/></literalExpression>`), "dmn.expression.incomplete", "l"},
		"imported_values": {logic(`<literalExpression id="l"><importedValues name="x" namespace="urn:x" importType="t">` +
			`<importedElement>a</importedElement></importedValues></literalExpression>`), "dmn.expression.imported", "l"},
		"no_else": {logic(`<conditional id="c"><if>` + literal("true") + `</if><then>` + literal("1") + `</then></conditional>`),
			"dmn.expression.incomplete", "c"},
		"empty_then": {logic(`<conditional><if>` + literal("true") +
			`</if><then id="t"/><else>` + literal("1") + `</else></conditional>`), "dmn.expression.incomplete", "t"},
		"no_iterator": {logic(`<for id="f"><in>` + literal("[1]") + `</in><return>` + literal("1") + `</return></for>`),
			"dmn.expression.incomplete", "f"},
		"empty_entry": {logic(`<context><contextEntry id="e"><variable name="x"/></contextEntry></context>`),
			"dmn.expression.incomplete", "e"},
		"calls_nothing": {logic(`<invocation id="i"/>`), "dmn.expression.incomplete", "i"},
		"binds_nothing": {logic(`<invocation><literalExpression><text>abs</text></literalExpression><binding id="b"/></invocation>`),
			"dmn.expression.incomplete", "b"},
		"narrow_row": {logic(`<relation><column name="a"/><column name="b"/><row id="r">` + literal("1") + `</row></relation>`),
			"dmn.relation.width", "r"},
		"function_kind":      {logic(`<functionDefinition id="f" kind="Perl"/>`), "dmn.function.kind", "f"},
		"foreign_function":   {logic(`<functionDefinition id="f" kind="PMML"/>`), "dmn.function.foreign", "f"},
		"service_of_nothing": {`<decisionService name="s" id="s"/>`, "dmn.service.no_output", "s"},
		"hit_policy":         {logic(`<decisionTable id="t" hitPolicy="BEST"/>`), "dmn.table.hit_policy", "t"},
		"aggregation":        {logic(`<decisionTable id="t" hitPolicy="COLLECT" aggregation="AVG"/>`), "dmn.table.aggregation", "t"},
		"no_output":          {logic(`<decisionTable id="t"/>`), "dmn.table.no_output", "t"},
		"narrow_rule": {logic(`<decisionTable><input><inputExpression><text>1</text></inputExpression></input>` +
			`<output/><rule id="r"><outputEntry><text>1</text></outputEntry></rule></decisionTable>`), "dmn.table.width", "r"},
		"no_input_expression": {logic(`<decisionTable><input id="in"/><output/></decisionTable>`), "dmn.table.input", "in"},
		"not_required": {`<inputData name="i" id="i"/>` + logic(`<literalExpression id="l"><text>i + 1</text></literalExpression>`),
			"dmn.variable.not_required", "l"},
		"unknown_name": {logic(`<literalExpression id="l"><text>i + 1</text></literalExpression>`), "dmn.variable.unknown", "l"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			xml := wrap("\n" + tc.body + decision("sound", "", literal("42")))
			file, err := dmn.Read([]byte(xml))
			if err != nil {
				t.Fatal(err)
			}
			m := dmn.Compile([]*dmn.File{file})
			found := false
			for _, p := range m.Check() {
				if p.Code != tc.code {
					continue
				}
				found = true
				if p.Element != tc.element || p.Line < 2 || p.Column < 1 || p.Message == "" ||
					p.Model != "m" || !strings.HasPrefix(p.String(), "line ") {
					t.Errorf("%+v", p)
				}
			}
			if !found {
				t.Errorf("no problem %s: %v", tc.code, m.Check())
			}
			if res, err := m.Decide(dmn.Target{Name: "sound"}, nil, dmn.Env{}); err != nil || res.Value.String() != "42" {
				t.Errorf("the rest of the model: %v, %v", res, err)
			}
			for _, e := range m.Elements() {
				if e.Kind == "decision" && e.Name != "" {
					if _, err := m.Decide(dmn.Target{Name: e.Name}, nil, dmn.Env{}); err != nil {
						t.Errorf("%s: %v", e.Name, err)
					}
				}
			}
		})
	}
}

// A mistake within a text is told at its own place.
func TestMistakesPointIntoTexts(t *testing.T) {
	t.Parallel()
	file, err := dmn.Read([]byte(head +
		"\n<decision name=\"d\" id=\"d\">\n<literalExpression>\n<text>1 +\n  2 * )</text></literalExpression></decision></definitions>"))
	if err != nil {
		t.Fatal(err)
	}
	m := dmn.Compile([]*dmn.File{file})
	if p := m.Check()[0]; p.Line != 5 || p.Column != 7 || p.Owner != "d" {
		t.Errorf("%+v", p)
	}
}
