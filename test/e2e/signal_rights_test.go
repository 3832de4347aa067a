package e2e_test

import (
	"strings"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

const signalDefs = `<message id="M" name="q"><extensionElements><zeebe:subscription correlationKey="=&quot;k&quot;"/></extensionElements></message><signal id="S" name="sgq"/><signal id="L" name="loop"/>`

// deployed deploys a process of its own name; from names the element that leads to the end.
func (w *world) deployed(id, from, inside string) {
	w.t.Helper()
	xml := definitions + signalDefs + `<process id="` + id + `" isExecutable="true">` + inside + `<sequenceFlow id="last" sourceRef="` + from + `" targetRef="e"/><endEvent id="e"/></process></definitions>`
	if err := w.Deploy([]byte(xml)); err != nil {
		w.t.Fatal(err)
	}
}

const (
	throwsSignal = `<intermediateThrowEvent id="t"><extensionElements><zeebe:ioMapping><zeebe:input source="=value" target="sent"/></zeebe:ioMapping></extensionElements><signalEventDefinition signalRef="S"/></intermediateThrowEvent>`
	hearsSignal  = `<extensionElements><zeebe:ioMapping><zeebe:output source="=sent" target="got"/></zeebe:ioMapping></extensionElements><signalEventDefinition signalRef="S"/>`
)

// peeks is a step that asks for the connection whose name it heard.
func peeks() string {
	return `<serviceTask id="w" name="Work"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/peek"/>` + input("credential", `="connection/" + got`) + `</extensionElements></serviceTask>`
}

// A signal that a run throws carries who gave the run what it brings: what hears it
// and what begins with it is held to the rights of all of them, over any number of
// runs.
func TestASignalCarriesWhoGaveItsValues(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		asks string
		give func(w *world, run string)
		who  string
	}{
		"published": {`<intermediateCatchEvent id="a"><messageEventDefinition messageRef="M"/></intermediateCatchEvent>`, func(w *world, _ string) {
			by := w.user("mpub", "*", "message.publish")
			if err := by.Call(w.t.Context(), "POST", "/api/v1/messages", map[string]any{"name": "q", "correlationKey": "k", "variables": map[string]any{"value": "prodlab"}}, nil); err != nil {
				w.t.Fatal(err)
			}
		}, "mpub"},
		"answered": {`<userTask id="a" name="Ask"><extensionElements><zeebe:userTask/></extensionElements></userTask>`, func(w *world, run string) {
			w.complete(run, w.user("ann", "*", "task.read", "task.complete", "run.read", "object.read"), map[string]any{"value": "prodlab"})
		}, "ann"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.deployed("tells", "t", `<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="a"/>`+c.asks+`<sequenceFlow id="f2" sourceRef="a" targetRef="t"/>`+throwsSignal)
			w.deployed("hears", "w", `<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="h"/><intermediateCatchEvent id="h">`+hearsSignal+`</intermediateCatchEvent><sequenceFlow id="f2" sourceRef="h" targetRef="w"/>`+peeks())
			w.deployed("begins", "s", `<startEvent id="s">`+hearsSignal+`</startEvent>`)
			hearing := w.Run(platform.Request{Process: "hears", Objects: []string{"host:host/prod-1"}})
			telling := w.Run(platform.Request{Process: "tells"})
			c.give(w, telling)
			w.stopped(hearing, "admin and "+c.who+", who gave sent", "run.start")
			if got := w.x.seen(); strings.Contains(got, "secret-of-prodlab") {
				t.Errorf("the plugin saw %s", got)
			}
			v := w.verdicts("begins")
			if len(v) != 1 || v[0].Verdict != "REJECTED" || !strings.Contains(v[0].Reason, "admin and "+c.who) {
				t.Errorf("the door says of the run that begins with it: %+v", v)
			}
			// What the starter gives himself goes where he may go.
			hearing = w.Run(platform.Request{Process: "hears", Objects: []string{"host:host/prod-1"}})
			w.deployed("tells", "t", `<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="t"/>`+throwsSignal)
			w.Run(platform.Request{Process: "tells", Variables: map[string]any{"value": "prodlab"}})
			if r := w.Ended(hearing); r.State != "completed" {
				t.Errorf("%s: %+v", r.State, w.Incidents())
			}
			if v := w.verdicts("begins"); v[0].Verdict != "ADMIT" {
				t.Errorf("the starter's own begins nothing: %+v", v)
			}
		})
	}
}

// A value that goes through several runs is still that of who gave it first.
func TestASignalThatIsPassedOnCarriesWhoGaveItsValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deployed("tells", "t", `<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="a"/><userTask id="a" name="Ask"><extensionElements><zeebe:userTask/></extensionElements></userTask><sequenceFlow id="f2" sourceRef="a" targetRef="t"/>`+throwsSignal)
	w.deployed("passes", "t", `<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="h"/><intermediateCatchEvent id="h">`+hearsSignal+`</intermediateCatchEvent><sequenceFlow id="f2" sourceRef="h" targetRef="b"/><userTask id="b" name="Wait"><extensionElements><zeebe:userTask/></extensionElements></userTask><sequenceFlow id="f3" sourceRef="b" targetRef="t"/><intermediateThrowEvent id="t"><extensionElements><zeebe:ioMapping><zeebe:input source="=got" target="sent"/></zeebe:ioMapping></extensionElements><signalEventDefinition signalRef="L"/></intermediateThrowEvent>`)
	w.deployed("hears", "w", `<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="h"/><intermediateCatchEvent id="h">`+strings.ReplaceAll(hearsSignal, `"S"`, `"L"`)+`</intermediateCatchEvent><sequenceFlow id="f2" sourceRef="h" targetRef="w"/>`+peeks())
	hearing := w.Run(platform.Request{Process: "hears", Objects: []string{"host:host/prod-1"}})
	passing := w.Run(platform.Request{Process: "passes"})
	telling := w.Run(platform.Request{Process: "tells"})
	w.complete(telling, w.user("ann", "*", "task.read", "task.complete", "run.read", "object.read"), map[string]any{"value": "prodlab"})
	wait := task(t, w.Platform, passing, "Wait")
	if err := w.Server.Close(); err != nil {
		t.Fatal(err)
	}
	w.Platform = platform.Start(t, map[string]any{"data": w.Data})
	complete(w.Platform, wait, nil)
	w.stopped(hearing, "admin and ann, who gave sent")
}

// verdicts are those of the door on a process, the newest first.
func (w *world) verdicts(process string) (all []client.ControlVerdict) {
	w.t.Helper()
	var page client.PageOfControlVerdict
	w.Must("GET", "/api/v1/verdicts", nil, &page)
	for _, v := range page.Items {
		if v.Process == process {
			all = append(all, v)
		}
	}
	return all
}
