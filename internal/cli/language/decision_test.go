package language_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const examples = "../../../examples/decisions/"

// dmnFile writes a DMN file that holds a body.
func dmnFile(t *testing.T, body string) string {
	t.Helper()
	return write(t, "model.dmn", `<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" name="m" namespace="urn:m">
`+body+`
</definitions>`)
}

func logic(name, text string) string {
	return `<decision name="` + name + `" id="` + name + `"><variable name="` +
		name + `"/><literalExpression><text>` + text + `</text></literalExpression></decision>`
}

func TestDecisionEval(t *testing.T) {
	t.Parallel()
	change := write(t, "change.json",
		`{"Change": {"environment": "prod", "tier": 1, "objects": 3, "can roll back": true}, "Start": "2026-03-03T09:30:00"}`)
	one := dmnFile(t, logic("twice", "2 * n"))
	broken := dmnFile(t, logic("good", "1")+"\n"+logic("bad", "1 +"))
	needs := dmnFile(t, `<decision name="d" id="d"><variable name="d"/><informationRequirement><requiredDecision href="#bad"/>`+
		`</informationRequirement><literalExpression><text>bad = null</text></literalExpression></decision>`+"\n"+logic("bad", "1 +"))
	endless := dmnFile(t, logic("long", "count(for i in 1..100000, j in 1..100000 return i)"))
	for _, tt := range []struct {
		name     string
		args     []string
		code     int
		out, err string
	}{
		{"decision", []string{examples + "change-risk.dmn", "--decision", "Risk", "--input", "@" + change}, 0, "\"high\"\n", ""},
		{"by_id", []string{examples + "change-risk.dmn", "--decision", "risk", "--input", "@" + change}, 0, "\"high\"\n", ""},
		{"the_only_one", []string{one, "--input", `{"n": 4}`}, 0, "8\n", ""},
		{"feel_input", []string{one, "--input", `{n: 1.5}`}, 0, "3\n", ""},
		{"explained", []string{examples + "change-risk.dmn", "--service", "Gate", "--input", "@" + change, "--explain"},
			0, "rule 2 matched: The core is touched while people work.", ""},
		{"json", []string{"--json", one, "--input", `{"n": 4}`}, 0, `"value": 8`, ""},
		{"json_explained", []string{"--json", examples + "change-risk.dmn", "--decision", "Approval", "--input", "@" + change, "--explain"},
			0, `"why"`, ""},
		{"warning", []string{one, "--input", `{"n": "a"}`}, 0, "null\n", "twice: line 2:"},
		{"now", []string{dmnFile(t, logic("d", "today()")), "--now", "2026-01-31T12:00:00Z"}, 0, "2026-01-31\n", ""},
		{"broken", []string{broken, "--decision", "bad"}, 1, "null\n", "error: line 3, bad:"},
		{"needs_a_broken_one", []string{needs, "--decision", "d"}, 1, "true\n", "error: line 3, bad:"},
		{"beside_a_broken_one", []string{broken, "--decision", "good"}, 0, "1\n", ""},
		{"limit", []string{endless}, 1, "", "stopped"},
		{"no_such_decision", []string{one, "--decision", "thrice"}, 3, "", "it has: twice"},
		{"no_such_service", []string{one, "--service", "s"}, 3, "", "it has: none"},
		{"which_decision", []string{broken}, 2, "", "--decision: good, bad"},
		{"both", []string{one, "--decision", "a", "--service", "b"}, 2, "", "not both"},
		{"no_file", nil, 2, "", "want a DMN file"},
		{"absent", []string{"absent.dmn"}, 1, "", "absent.dmn"},
		{"no_model", []string{write(t, "x.dmn", "<a/>")}, 1, "", "not <definitions> of DMN"},
		{"input_no_context", []string{one, "--input", "[1]"}, 2, "", "--input is a list"},
		{"odd_time", []string{one, "--now", "noon"}, 2, "", "no time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := sextant(t, "", append([]string{"decision", "eval"}, tt.args...)...)
			if tt.name == "json_explained" {
				tt.out = `"There is no way back."`
				if strings.Contains(got.out, tt.out) {
					t.Errorf("a rule that did not match is told: %s", got.out)
				}
				tt.out = "The core is touched while people work."
			}
			if got.code != tt.code || !strings.Contains(got.out, tt.out) || !strings.Contains(got.err, tt.err) || tt.err == "" && got.err != "" {
				t.Errorf("%q: %d %q %q, want %d %q %q", tt.args, got.code, got.out, got.err, tt.code, tt.out, tt.err)
			}
		})
	}
}

// Models that a file imports lie beside it.
func TestDecisionEvalImports(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.dmn": `<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" name="main" namespace="urn:main">` +
			`<import name="rates" namespace="urn:rates" importType="https://www.omg.org/spec/DMN/20230324/MODEL/"/>` +
			`<decision name="d" id="d"><variable name="d"/><informationRequirement><requiredDecision href="urn:rates#r"/></informationRequirement>` +
			`<literalExpression><text>rates.base rate * 2</text></literalExpression></decision></definitions>`,
		"rates.dmn": `<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" name="Rates" namespace="urn:rates"><decision ` +
			`name="base rate" id="r"><variable name="base rate"/><literalExpression><text>21</text></literalExpression></decision></definitions>`,
		"other.dmn": `no model`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := sextant(t, "", "decision", "eval", filepath.Join(dir, "main.dmn")); got.code != 0 || got.out != "42\n" {
		t.Errorf("%+v", got)
	}
	if err := os.Remove(filepath.Join(dir, "rates.dmn")); err != nil {
		t.Fatal(err)
	}
	if got := sextant(t, "", "decision", "check", filepath.Join(dir, "main.dmn")); got.code != 1 ||
		!strings.Contains(got.out, "dmn.import.missing") {
		t.Errorf("%+v", got)
	}
}

func TestDecisionCheck(t *testing.T) {
	t.Parallel()
	table := func(policy, rules string) string {
		return dmnFile(t, `<inputData name="n" id="n"><variable name="n" typeRef="number"/></inputData>
<decision name="d" id="d"><variable name="d"/><informationRequirement><requiredInput href="#n"/></informationRequirement><decisionTable `+
			`hitPolicy="`+policy+`"><input><inputExpression><text>n</text></inputExpression></input><output/>`+rules+`</decisionTable></decision>`)
	}
	rule := func(test, out string) string {
		return `<rule><inputEntry><text>` + test + `</text></inputEntry><outputEntry><text>` + out + `</text></outputEntry></rule>`
	}
	for _, tt := range []struct {
		name string
		file string
		code int
		out  string
	}{
		{"fine", examples + "change-risk.dmn", 0, "no problems, 2 decision tables"},
		{"not_analysed", examples + "alarm-routing.dmn", 0, "is not analysed"},
		{"gap", table("UNIQUE", rule("&lt; 5", "1")+rule("&gt; 7", "2")), 0, "warning: d: no rule matches where n is [5..7] (dmn.table.gap)"},
		{"overlap", table("UNIQUE", rule("&lt;= 5", "1")+rule("&gt;= 5", "2")),
			0, "warning: d: rules 1 and 2 match both where n is 5: the hit policy UNIQUE does not allow it (dmn.table.overlap)"},
		{"unreachable", table("FIRST", rule("-", "1")+rule("&gt;= 5", "2")),
			0, "rule 2 never decides: rule 1 matches wherever it does (dmn.table.unreachable)"},
		{"mistake", dmnFile(t, logic("d", "1 +")), 1, "model.dmn:2:"},
		{"unknown_name", dmnFile(t, logic("d", "limit + 1")), 0, "dmn.variable.unknown"},
		{"no_model", write(t, "x.dmn", "<a>"), 1, "dmn.syntax"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := sextant(t, "", "decision", "check", tt.file)
			if got.code != tt.code || !strings.Contains(got.out, tt.out) || got.err != "" {
				t.Errorf("%d %q %q, want %d %q", got.code, got.out, got.err, tt.code, tt.out)
			}
		})
	}
	if got := sextant(t, "", "--json", "decision", "check", examples+"change-risk.dmn"); got.code != 0 ||
		!strings.Contains(got.out, `"gapsComplete": true`) {
		t.Errorf("%+v", got)
	}
	if got := sextant(t, "", "decision", "check"); got.code != 2 || !strings.Contains(got.err, "want one or more DMN files") {
		t.Errorf("%+v", got)
	}
	if got := sextant(t, "", "decision", "check", "absent.dmn"); got.code != 1 || !strings.Contains(got.err, "absent.dmn") {
		t.Errorf("%+v", got)
	}
}

func TestDecisionTest(t *testing.T) {
	t.Parallel()
	if got := sextant(t, "", "decision", "test", examples+"change-risk-test.xml", examples+"alarm-routing-test.xml"); got.code != 0 ||
		!strings.Contains(got.out, "15 of 15 results as expected") {
		t.Errorf("%+v", got)
	}
	dir := filepath.Dir(dmnFile(t, logic("twice", "2 * n")))
	cases := filepath.Join(dir, "cases.xml")
	text := `<testCases xmlns="http://www.omg.org/spec/DMN/20160719/testcase"><modelName>model.dmn</modelName><testCase id="a"><inputNode ` +
		`name="n"><value>3</value></inputNode><resultNode name="twice"><expected><value>7</value></expected></resultNode></testCase></testCases>`
	if err := os.WriteFile(cases, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := sextant(t, "", "decision", "test", cases); got.code != 1 ||
		!strings.Contains(got.out, "FAIL  "+cases+": a: twice: expected 7, got null") {
		t.Errorf("%+v", got)
	}
	if got := sextant(t, "", "--json", "decision", "test", cases); got.code != 1 || !strings.Contains(got.out, `"passed": false`) {
		t.Errorf("%+v", got)
	}
	if err := os.WriteFile(cases, []byte(strings.Replace(text, "model.dmn", "none.dmn", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{cases}, {filepath.Join(dir, "absent.xml")}, {filepath.Join(dir, "model.dmn")}} {
		if got := sextant(t, "", append([]string{"decision", "test"}, args...)...); got.code != 1 || got.err == "" {
			t.Errorf("%q: %+v", args, got)
		}
	}
	if got := sextant(t, "", "decision", "test"); got.code != 2 {
		t.Errorf("%+v", got)
	}
}
