package outcome_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sextant/internal/domain/dispatch/outcome"
	"sextant/internal/domain/dispatch/plan"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/plugin"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/bpmn"
	"sextant/sdk/go/wire"
)

const model = `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
	`xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="t">
<process id="p" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="look"/>
<serviceTask id="look"><extensionElements><zeebe:taskDefinition type="plugin:a/b/c"/></extensionElements></serviceTask>
<sequenceFlow id="f2" sourceRef="look" targetRef="quiet"/>
<serviceTask id="quiet"><extensionElements><zeebe:taskDefinition type="plugin:a/b/c"/></extensionElements></serviceTask>
<sequenceFlow id="f3" sourceRef="quiet" targetRef="x"/>
<exclusiveGateway id="x" default="no"/><sequenceFlow id="yes" sourceRef="x" targetRef="e">` +
	`<conditionExpression>=look.failed = 0</conditionExpression></sequenceFlow>
<sequenceFlow id="no" sourceRef="x" targetRef="e"/><endEvent id="e"/></process></definitions>`

// step is a step of the model on rows with some outcomes.
func step(t *testing.T, id string, rows ...*record.Row) *outcome.Step {
	t.Helper()
	doc, err := bpmn.Parse([]byte(model))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bpmn.Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	all, err := program.All(m)
	if err != nil {
		t.Fatal(err)
	}
	node, ok := all[0].Lookup(id)
	if !ok {
		t.Fatalf("no %s", id)
	}
	svc := plugin.Service{Plugin: "a", Service: "b", Action: wire.Action{Action: "c", Target: "host:host", Output: []wire.Param{
		{Name: "state", Type: wire.TypeString, To: ".state@observed"}, {Name: "text", Type: wire.TypeText},
		{Name: "token", Type: wire.TypeString, Secret: true}}}}
	return &outcome.Step{Job: durable.Job{Key: 7, Program: all[0], Node: node}, Svc: svc, Project: "p", Rows: rows}
}

func row(n int, o wire.Outcome, code string) *record.Row {
	return &record.Row{Pos: n, Object: fmt.Sprintf("host:host/%d", n), Outcome: o, Code: code, Message: fmt.Sprint("said ", n)}
}

// A step throws the code of its first row that is not done.
func TestAFailedStepThrowsTheCodeOfItsFirstRow(t *testing.T) {
	t.Parallel()
	ok, skipped := row(1, wire.OutcomeOK, ""), row(2, wire.OutcomeSkipped, "sextant.unbound")
	for _, c := range []struct {
		rows []*record.Row
		code string
	}{
		{[]*record.Row{ok, row(2, wire.OutcomeFailed, "disk.full")}, "disk.full"},
		{[]*record.Row{ok, skipped, row(3, wire.OutcomeFailed, wire.CodeFailed)}, "sextant.failed"},
		{[]*record.Row{row(1, wire.OutcomeFailed, "")}, "sextant.failed"},
		{[]*record.Row{row(1, wire.OutcomeTimedOut, "")}, "sextant.timed_out"},
		{[]*record.Row{row(1, wire.OutcomeTimedOut, wire.CodeFailed), row(2, wire.OutcomeFailed, "disk.full")}, "sextant.timed_out"},
		{[]*record.Row{row(1, wire.OutcomeFailed, "a.b"), row(2, wire.OutcomeTimedOut, "")}, "a.b"},
	} {
		code, message := step(t, "look", c.rows...).Failure()
		if code != c.code || message == "" {
			t.Errorf("%s %q, want %s", code, message, c.code)
		}
		for _, r := range c.rows {
			if done := r.Done(); done == strings.Contains(message, r.Object+" ") &&
				(c.code != "sextant.timed_out" || r.Outcome == wire.OutcomeTimedOut) {
				t.Errorf("%q names %s: %v", message, r.Object, !done)
			}
		}
	}
}

// Of many rows some are named, and the number of all is told.
func TestFewRowsAreNamed(t *testing.T) {
	t.Parallel()
	var rows []*record.Row
	for i := range 9 {
		rows = append(rows, row(i, wire.OutcomeUnknown, ""))
	}
	text := step(t, "look", append(rows, row(9, wire.OutcomeOK, ""))...).Describe(wire.OutcomeUnknown)
	if !strings.HasPrefix(text, "9 of 10 rows: host:host/0 unknown: said 0; ") ||
		!strings.HasSuffix(text, "; and 4 more") || strings.Count(text, "host:host/") != 5 {
		t.Error(text)
	}
}

// The variable of a step holds its outputs whole or not at all, and no secret.
func TestOutputsAreWholeOrInTheRecord(t *testing.T) {
	t.Parallel()
	result := func(id string, bytes int) (plan.Result, error) {
		r, failed := row(1, wire.OutcomeOK, ""), row(2, wire.OutcomeFailed, "x")
		r.Outputs = wire.Row{"text": wire.Raw(strings.Repeat("x", bytes)), "token": wire.Raw("hunter2"), "other": wire.Raw("undeclared")}
		raw, err := step(t, id, r, failed).Result()
		if strings.Contains(string(raw), "hunter2") || strings.Contains(string(raw), "undeclared") {
			t.Errorf("the variable holds %.200s", raw)
		}
		var out plan.Result
		if err == nil {
			err = json.Unmarshal(raw, &out)
		}
		return out, err
	}
	for _, id := range []string{"look", "quiet"} {
		small, err := result(id, 1000)
		if err != nil || small.OK != 1 || small.Failed != 1 || len(small.Rows[0].Outputs["text"]) != 1002 ||
			small.Record != "" || small.Rows[1].Code != "x" {
			t.Errorf("%s: %+v, %v", id, small, err)
		}
	}
	if much, err := result("look", 100_000); err != nil || len(much.Rows[0].Outputs["text"]) != 100_002 {
		t.Errorf("what is read is not there: %v", err)
	}
	if much, err := result("quiet", 100_000); err != nil || much.Record != "7" ||
		len(much.Rows) != 2 || much.Rows[0].Outputs != nil || much.OK != 1 {
		t.Errorf("%+v, %v", much, err)
	}
	if _, err := result("look", 20<<20); !errs.Is(err, errs.TooLarge) {
		t.Errorf("%v", err)
	}
	if much, err := result("quiet", 20<<20); err != nil || much.Record != "7" {
		t.Errorf("%v", err)
	}
}

// Whether a step may write is told before it does: by where its outputs lead.
func TestWhetherAStepWrites(t *testing.T) {
	t.Parallel()
	var w outcome.Writer
	none := step(t, "look", row(1, wire.OutcomeOK, ""))
	none.Svc.Action.Output[0].To = ""
	foreign := step(t, "look", &record.Row{Object: "app:app/1", Outcome: wire.OutcomeOK})
	bound := step(t, "look", row(1, wire.OutcomeOK, ""))
	node := *bound.Job.Node
	bound.Svc.Action.Output[0].To = ""
	node.Ext.ServiceOutputs = []bpmn.ServiceOutput{{Name: "text", To: ".note"}}
	bound.Job.Node = &node
	for name, c := range map[string]struct {
		step *outcome.Step
		want bool
	}{
		"the manifest says so":       {step(t, "look", row(1, wire.OutcomeOK, "")), true},
		"nothing says so":            {none, false},
		"not of the target":          {foreign, false},
		"the process says so":        {bound, true},
		"it acts on nothing":         {step(t, "look", &record.Row{Object: "run", Outcome: wire.OutcomeOK}), false},
		"it has no rows":             {step(t, "look"), false},
		"an object that none can be": {step(t, "look", &record.Row{Object: "/", Outcome: wire.OutcomeOK}), true},
	} {
		if got := w.Writes(c.step); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
