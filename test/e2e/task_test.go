package e2e_test

import (
	"errors"
	"strings"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// decide is a task that maps its answer out, before a gateway with a default.
const decide = opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="ask"/>
<userTask id="ask" name="Go on?"><documentation>Say what to do.</documentation><extensionElements><zeebe:userTask/>` +
	`<zeebe:ioMapping>INPUT<zeebe:output source="=decision" target="decision"/></zeebe:ioMapping></extensionElements></userTask>
<sequenceFlow id="f2" sourceRef="ask" targetRef="g"/><exclusiveGateway id="g" default="stop"/>
<sequenceFlow id="again" name="Try again" sourceRef="g" targetRef="ask">` +
	`<conditionExpression>=decision = "retry"</conditionExpression></sequenceFlow>
<sequenceFlow id="stop" sourceRef="g" targetRef="e"/>` + closed

func coded(err error, code string) bool {
	var refused *client.Error
	return errors.As(err, &refused) && refused.Code == code
}

func questions(t *testing.T, p *platform.Platform, run, name string) (client.WorklistTask, string) {
	t.Helper()
	task(t, p, run, name)
	var page client.PageOfWorklistTask
	p.Must("GET", "/api/v1/tasks?run="+run, nil, &page)
	var said []string
	for _, q := range page.Items[0].Questions {
		line := q.Name
		if q.Required {
			line += "!"
		}
		for _, c := range q.Choices {
			line += " " + c.Value
		}
		said = append(said, line)
	}
	return page.Items[0], strings.Join(said, "; ")
}

// A task that decides says what it asks, and is not completed without it; an older
// answer is none.
func TestATaskSaysWhatItAsks(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	for name, c := range map[string]struct {
		input string
		vars  map[string]any
		want  string
	}{
		"nothing_given": {"", nil, "decision! retry stop"},
		"cleared": {`<zeebe:input source="=null" target="decision"/>`, map[string]any{"decision": "retry"},
			"decision! retry stop"},
		"given_with_the_start":  {"", map[string]any{"decision": "retry"}, "decision! retry stop"},
		"a_default_of_the_task": {`<zeebe:input source="=&quot;stop&quot;" target="decision"/>`, nil, "decision retry stop"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := p.Deploy([]byte(strings.Replace(decide, "INPUT", c.input, 1))); err != nil {
				t.Fatal(err)
			}
			run := p.Run(platform.Request{Process: "p", Variables: c.vars})
			got, said := questions(t, p, run, "Go on?")
			if said != c.want || got.Documentation != "Say what to do." || got.Process != "p" {
				t.Errorf("the task is %+v and asks %q, want %q", got, said, c.want)
			}
			err := p.Call(t.Context(), "POST", "/api/v1/tasks/"+got.Key+"/complete",
				map[string]any{"variables": map[string]any{"other": 1}}, nil)
			if strings.Contains(c.want, "!") {
				if !coded(err, "task.unanswered") {
					t.Fatalf("a task was completed with nothing: %v", err)
				}
				complete(p, got.Key, map[string]any{"decision": "retry"})
				if _, said = questions(t, p, run, "Go on?"); said != c.want {
					t.Errorf("the second time it asks %q, want %q", said, c.want)
				}
				complete(p, task(t, p, run, "Go on?"), map[string]any{"decision": "stop"})
			} else if err != nil {
				t.Fatal(err)
			}
			if r := p.Ended(run); r.State != "completed" {
				t.Errorf("the run is %+v", r)
			}
		})
	}
}

// Without a mapping a task asks what the gateways after it decide by, unless the
// run knows it.
func TestATaskAsksWhatIsDecidedAfterIt(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	if err := p.Deploy([]byte(asked)); err != nil {
		t.Fatal(err)
	}
	run := p.Run(platform.Request{Process: "p"})
	if _, said := questions(t, p, run, "First"); said != "answer! yes no" {
		t.Errorf("it asks %q", said)
	}
	run = p.Run(platform.Request{Process: "p", Variables: map[string]any{"answer": nil}})
	if _, said := questions(t, p, run, "First"); said != "answer! yes no" {
		t.Errorf("it asks %q where the start gave nothing", said)
	}
	run = p.Run(platform.Request{Process: "p", Variables: map[string]any{"answer": "yes"}})
	first, said := questions(t, p, run, "First")
	if said != "" {
		t.Errorf("it asks %q for what the start gave", said)
	}
	complete(p, first.Key, nil)
	second, said := questions(t, p, run, "Second")
	if said != "" {
		t.Errorf("a task that decides nothing asks %q", said)
	}
	complete(p, second.Key, nil)
	if r := p.Ended(run); r.State != "completed" {
		t.Errorf("the run is %+v", r)
	}
}

// twice is approved a second time where the amount that the start gave is high.
const twice = `<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:sextant="urn:sextant:bpmn:1">` +
	`<bpmn:process id="p" isExecutable="true">
<bpmn:startEvent id="s"><bpmn:extensionElements><sextant:start><sextant:schema>{"type":"object","required":["amount"],` +
	`"properties":{"amount":{"type":"integer","minimum":100}}}</sextant:schema></sextant:start></bpmn:extensionElements></bpmn:startEvent>
<bpmn:sequenceFlow id="f1" sourceRef="s" targetRef="first"/><bpmn:userTask id="first" name="First"/>` +
	`<bpmn:sequenceFlow id="f2" sourceRef="first" targetRef="g"/>
<bpmn:exclusiveGateway id="g" default="low"/><bpmn:sequenceFlow id="high" sourceRef="g" targetRef="second">` +
	`<bpmn:conditionExpression>=amount &gt; 500</bpmn:conditionExpression></bpmn:sequenceFlow>
<bpmn:sequenceFlow id="low" sourceRef="g" targetRef="e"/><bpmn:userTask id="second" name="Second"/>` +
	`<bpmn:sequenceFlow id="f3" sourceRef="second" targetRef="h"/>
<bpmn:exclusiveGateway id="h" default="done"/><bpmn:sequenceFlow id="again" sourceRef="h" targetRef="second">` +
	`<bpmn:conditionExpression>=answer = "again"</bpmn:conditionExpression></bpmn:sequenceFlow>
<bpmn:sequenceFlow id="done" sourceRef="h" targetRef="e"/><bpmn:endEvent id="e"/></bpmn:process></bpmn:definitions>`

// What the start gave is no question of a task, and is not overwritten by who may
// complete tasks alone; its own question a task may ask again.
func TestATaskDoesNotOverwriteWhatTheStartGave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann", "dev", "task.*")
	if err := w.Deploy([]byte(twice)); err != nil {
		t.Fatal(err)
	}
	answer := func(c *client.Client, key string, vars map[string]any) error {
		return c.Call(t.Context(), "POST", "/api/v1/tasks/"+key+"/complete", map[string]any{"variables": vars}, nil)
	}
	run := w.Run(platform.Request{Process: "p", Variables: map[string]any{"amount": 1000}})
	first, said := questions(t, w.Platform, run, "First")
	if said != "" {
		t.Errorf("it asks %q for what the start declares", said)
	}
	err := answer(ann, first.Key, map[string]any{"amount": 1, "note": "mine"})
	var refused *client.Error
	if !coded(err, "task.overwrites") || !errors.As(err, &refused) || len(refused.Fields) != 1 ||
		refused.Fields[0].Path != "variables.amount" || !strings.Contains(refused.Error(), "run.operate") {
		t.Fatalf("the amount of the start was overwritten: %v", err)
	}
	if err := answer(ann, first.Key, map[string]any{"note": "mine"}); err != nil {
		t.Fatalf("what the run has not is given: %v", err)
	}
	for _, word := range []string{"again", "again", "done"} {
		second, said := questions(t, w.Platform, run, "Second")
		if said != "answer! again done" {
			t.Errorf("it asks %q", said)
		}
		if err := answer(ann, second.Key, map[string]any{"answer": word}); err != nil {
			t.Fatalf("it is answered again: %v", err)
		}
	}
	if r := w.Ended(run); r.State != "completed" {
		t.Errorf("the run is %+v", r)
	}
	run = w.Run(platform.Request{Process: "p", Variables: map[string]any{"amount": 1000}})
	if err := answer(w.Client, task(t, w.Platform, run, "First"), map[string]any{"amount": 1}); err != nil {
		t.Fatalf("who may operate the run sets it: %v", err)
	}
	if r := w.Ended(run); r.State != "completed" {
		t.Errorf("the run is %+v", r)
	}
}
