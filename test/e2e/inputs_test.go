package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"sextant/examples/processes"
	"sextant/internal/testkit/platform"
)

// What a start should give is read off the process: a variable that fills a
// parameter has its type, and what a step makes itself is not asked for.
func TestWhatAStartShouldGive(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	deploy := func(xml []byte) {
		t.Helper()
		if err := p.Deploy(xml); err != nil {
			t.Fatal(err)
		}
	}
	rolling, err := processes.Files.ReadFile("rolling-release.bpmn")
	if err != nil {
		t.Fatal(err)
	}
	deploy(rolling)
	deploy([]byte(opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="first"/>
<scriptTask id="first"><extensionElements><zeebe:script expression="=base + 1" resultVariable="sum"/></extensionElements></scriptTask>` +
		`<sequenceFlow id="f2" sourceRef="first" targetRef="g"/>
<exclusiveGateway id="g"/><sequenceFlow id="yes" sourceRef="g" targetRef="e">` +
		`<conditionExpression>=sum &gt; 1 and answer = "yes"</conditionExpression></sequenceFlow>
<sequenceFlow id="no" sourceRef="g" targetRef="e"><conditionExpression>=answer = "no"</conditionExpression></sequenceFlow>` + closed))
	var page struct {
		Items []struct {
			Name, Type    string
			Required      bool
			Later         bool
			Steps, Values []string
			Title         map[string]string
		}
	}
	for process, want := range map[string]string{
		"rolling-release": "credential:connection!=Connection decision:?retry package:file! version:text",
		"p":               "answer:?yes|no base:",
	} {
		p.Must("GET", "/api/v1/processes/"+process+"/1/inputs", nil, &page)
		var got []string
		for _, i := range page.Items {
			text := i.Name + ":" + i.Type
			if i.Required {
				text += "!"
			}
			if i.Later {
				text += "?" + strings.Join(i.Values, "|")
			}
			if i.Title != nil { // that of the parameter, where the process calls it the same
				text += "=" + i.Title["en"]
			}
			if len(i.Steps) == 0 {
				t.Errorf("%s of %s is read by no step", i.Name, process)
			}
			got = append(got, text)
		}
		if all := strings.Join(got, " "); all != want {
			t.Errorf("%s: %s, want %s", process, all, want)
		}
		page.Items = nil
	}
	if err := p.Call(t.Context(), "GET", "/api/v1/processes/rolling-release/9/inputs", nil, nil); err == nil ||
		!strings.Contains(err.Error(), "version 9") {
		t.Errorf("a version that is not there: %v", err)
	}
}

// A run tells what it was started with, also when it is over and its variables
// have changed since.
func TestWhatARunWasStartedWith(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	if err := p.Deploy([]byte(opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="a"/>
<scriptTask id="a"><extensionElements><zeebe:script expression="=n + 1" resultVariable="n"/></extensionElements></scriptTask>` +
		`<sequenceFlow id="f2" sourceRef="a" targetRef="e"/>` + closed)); err != nil {
		t.Fatal(err)
	}
	p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": "h1", "name": "h1", "address": "127.0.0.1"}}, nil)
	run := p.Run(platform.Request{Process: "p", Objects: []string{"host:host/h1"}, Variables: map[string]any{"n": 1, "who": "ann"}})
	if r := p.Ended(run); r.State != "completed" {
		t.Fatalf("the run is %s", r.State)
	}
	var start struct {
		Process   string
		Version   int
		Objects   []string
		Variables map[string]any
	}
	p.Must("GET", "/api/v1/runs/"+run+"/start", nil, &start)
	if start.Process != "p" || start.Version != 1 || len(start.Objects) != 1 || fmt.Sprint(start.Variables) != "map[n:1 who:ann]" {
		t.Errorf("it was started with %+v", start)
	}
}
