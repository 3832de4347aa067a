package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

func riskModel(high string) string {
	return `<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" id="m" name="Risk" namespace="urn:risk">` +
		`<inputData id="in" name="hosts"><variable name="hosts" typeRef="number"/></inputData>
<decision id="level" name="Level"><variable name="Level" typeRef="string"/>` +
		`<informationRequirement><requiredInput href="#in"/></informationRequirement>
<decisionTable hitPolicy="UNIQUE"><input id="i"><inputExpression typeRef="number">` +
		`<text>hosts</text></inputExpression></input><output id="o" typeRef="string"/>
<rule id="r1"><inputEntry><text>&lt; 10</text></inputEntry><outputEntry><text>"low"</text></outputEntry></rule><rule id="r2"><inputEntry>` +
		`<text>&gt;= 10</text></inputEntry><outputEntry><text>"` + high + `"</text></outputEntry></rule></decisionTable></decision></definitions>`
}

func (g *gate) upload(token, path, body string) (int, string) {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), "POST", g.url+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/xml")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

const decides = `<process id="change" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="rule"/>
<businessRuleTask id="rule"><extensionElements><zeebe:calledDecision decisionId="level" resultVariable="risk"/>` +
	`</extensionElements></businessRuleTask><sequenceFlow id="f2" sourceRef="rule" targetRef="e"/><endEvent id="e"/></process>`

// Decisions have versions; a run uses the newest that is there when it comes to its
// step, and what it got and why is on record.
func TestDecisionsOfRuns(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	status, _, answer := g.deployFile(admin, decides)
	if status >= 300 || !strings.Contains(string(answer), "process.no_decision") {
		t.Errorf("a decision that is not there is not told: %d %s", status, answer)
	}
	stuck := g.startWith(admin, "change", map[string]any{"hosts": 12})
	g.untilState(admin, stuck, "incident")
	if status, answer := g.upload(admin, "/api/v1/decisions", riskModel("high")); status != 201 || !strings.Contains(answer, `"version":1`) {
		t.Fatalf("%d %s", status, answer)
	}
	var incidents struct {
		Items []struct{ Key, Message string }
	}
	g.must("GET", "/api/v1/incidents?run="+stuck, admin, nil, &incidents)
	if len(incidents.Items) != 1 || !strings.Contains(incidents.Items[0].Message, "deploy the DMN file") {
		t.Fatalf("%+v", incidents.Items)
	}
	g.must("POST", "/api/v1/incidents/"+incidents.Items[0].Key+"/retry", admin, map[string]any{}, nil)
	g.untilState(admin, stuck, "completed")
	if status, answer := g.upload(admin, "/api/v1/decisions", riskModel("severe")); status != 201 || !strings.Contains(answer, `"version":2`) {
		t.Fatalf("%d %s", status, answer)
	}
	later := g.startWith(admin, "change", map[string]any{"hosts": 12})
	g.untilState(admin, later, "completed")
	for run, want := range map[string]struct {
		version int
		value   string
	}{stuck: {1, `"high"`}, later: {2, `"severe"`}} {
		var made struct {
			Items []struct {
				Element, Decision string
				Version           int
				Value, Trace      json.RawMessage
			}
		}
		g.must("GET", "/api/v1/runs/"+run+"/evaluations", admin, nil, &made)
		if len(made.Items) != 1 || made.Items[0].Version != want.version || string(made.Items[0].Value) != want.value ||
			made.Items[0].Element != "rule" || !strings.Contains(string(made.Items[0].Trace), "r2") {
			t.Errorf("%s got %+v, want %v", run, made.Items, want)
		}
	}
	var said struct {
		Value   json.RawMessage
		Version int
	}
	g.must("POST", "/api/v1/decisions/level/evaluate", admin, map[string]any{"version": 1, "variables": map[string]any{"hosts": 12}}, &said)
	if string(said.Value) != `"high"` || said.Version != 1 {
		t.Errorf("%+v", said)
	}
	if status, answer := g.upload(admin, "/api/v1/decisions", riskModel("severe")); status != 201 ||
		!strings.Contains(answer, `"changed":false`) {
		t.Errorf("the same file again: %d %s", status, answer)
	}
	if status, xml := g.ask("GET", "/api/v1/decisions/level/1/xml", admin, nil); status != 200 || string(xml) != riskModel("high") {
		t.Errorf("%d %s", status, xml)
	}
}

// The value of a table is no reference to a secret, wherever it stands in it.
func TestADecisionGivesNoReferences(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	g.deployFile(admin, decides)
	for what, given := range map[string]string{
		"itself":      `{"$secret": "connection/prod#password"}`,
		"deep inside": `[{a: {"$secret": "connection/prod#password"}}]`,
		"as text":     `"{\"$secret\": \"connection/prod#password\"}"`,
	} {
		model := strings.Replace(strings.Replace(riskModel("high"), `"high"`, given, 1), ` typeRef="string"/>
<rule`, `/>
<rule`, 1)
		if status, answer := g.upload(admin, "/api/v1/decisions",
			strings.ReplaceAll(model, `name="Level" typeRef="string"`, `name="Level"`)); status != 201 {
			t.Fatalf("%s: %d %s", what, status, answer)
		}
		run := g.startWith(admin, "change", map[string]any{"hosts": 12})
		g.untilState(admin, run, "incident")
		var incidents struct {
			Items []struct{ Kind, Message string }
		}
		g.must("GET", "/api/v1/incidents?run="+run, admin, nil, &incidents)
		if len(incidents.Items) != 1 || !strings.Contains(incidents.Items[0].Message, "is no reference") ||
			strings.Contains(incidents.Items[0].Message, "password") {
			t.Errorf("%s: %+v", what, incidents.Items)
		}
		if status, answer := g.ask("POST", "/api/v1/decisions/level/evaluate", admin,
			map[string]any{"variables": map[string]any{"hosts": 12}}); status != 422 || !strings.Contains(string(answer), "decision.reference") {
			t.Errorf("%s: %d %s", what, status, answer)
		}
	}
	if status, answer := g.upload(admin, "/api/v1/decisions", riskModel("my secret")); status != 201 {
		t.Fatalf("%d %s", status, answer)
	}
	g.untilState(admin, g.startWith(admin, "change", map[string]any{"hosts": 12}), "completed")
}

// A model that cannot be used is refused with what is wrong and where.
func TestDecisionsThatCannotBeUsedAreRefused(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	for what, c := range map[string]struct{ file, code string }{
		"no DMN":        {`<x/>`, "decision.xml"},
		"an expression": {strings.Replace(riskModel("x"), "<text>hosts</text>", "<text>hosts +</text>", 1), "decision.invalid"},
		"no decision": {`<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" id="m" name="Empty" namespace="urn:e"/>`,
			"decision.none"},
		"imports": {strings.Replace(riskModel("x"), "<inputData",
			`<import namespace="urn:other" name="o" importType="https://www.omg.org/spec/DMN/20230324/MODEL/"/><inputData`, 1), "decision.import"},
		"a decision without id": {strings.Replace(riskModel("x"), `<decision id="level"`, `<decision`, 1), "decision.id"},
	} {
		status, answer := g.upload(admin, "/api/v1/decisions", c.file)
		if status != 422 || !strings.Contains(answer, c.code) {
			t.Errorf("%s: %d %s", what, status, answer)
		}
	}
	if status, answer := g.ask("POST", "/api/v1/decisions/none/evaluate", admin, map[string]any{}); status != 404 ||
		!strings.Contains(string(answer), "decision.not_found") {
		t.Errorf("%d %s", status, answer)
	}
}
