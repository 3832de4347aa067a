package e2e_test

import (
	"strings"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

const signalDefs = `<message id="M" name="q"><extensionElements><zeebe:subscription ` +
	`correlationKey="=&quot;k&quot;"/></extensionElements></message><signal id="S" name="sgq"/><signal id="L" name="loop"/>`

// deployed deploys a process of its own name; from names the element that leads to the end.
func (w *world) deployed(id, from, inside string) {
	w.t.Helper()
	xml := definitions + signalDefs + `<process id="` + id + `" isExecutable="true">` +
		inside + `<sequenceFlow id="last" sourceRef="` + from + `" targetRef="e"/><endEvent id="e"/></process></definitions>`
	if err := w.Deploy([]byte(xml)); err != nil {
		w.t.Fatal(err)
	}
}

const (
	throwsSignal = `<intermediateThrowEvent id="t"><extensionElements><zeebe:ioMapping><zeebe:input ` +
		`source="=value" target="sent"/></zeebe:ioMapping></extensionElements><signalEventDefinition signalRef="S"/></intermediateThrowEvent>`
	hearsSignal = `<extensionElements><zeebe:ioMapping><zeebe:output source="=sent" target="got"/></zeebe:ioMapping></extensionElements>` +
		`<signalEventDefinition signalRef="S"/>`
)

// peeks is a step that asks for the connection whose name it heard.
func peeks() string {
	return `<serviceTask id="w" name="Work"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/peek"/>` +
		input("credential", `="connection/" + got`) + `</extensionElements></serviceTask>`
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
		"published": {`<intermediateCatchEvent id="a"><messageEventDefinition messageRef="M"/></intermediateCatchEvent>`,
			func(w *world, _ string) {
				by := w.user("mpub", "*", "message.publish")
				if err := by.Call(w.t.Context(), "POST", "/api/v1/messages",
					map[string]any{"name": "q", "correlationKey": "k", "variables": map[string]any{"value": "prodlab"}}, nil); err != nil {
					w.t.Fatal(err)
				}
			}, "mpub"},
		"answered": {`<userTask id="a" name="Ask"><extensionElements><zeebe:userTask/></extensionElements></userTask>`,
			func(w *world, run string) {
				w.complete(run, w.user("ann", "*", "task.read", "task.complete", "run.read", "object.read"), map[string]any{"value": "prodlab"})
			}, "ann"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.deployed("tells", "t", `<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="a"/>`+
				c.asks+`<sequenceFlow id="f2" sourceRef="a" targetRef="t"/>`+throwsSignal)
			w.deployed("hears", "w", `<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="h"/><intermediateCatchEvent id="h">`+
				hearsSignal+`</intermediateCatchEvent><sequenceFlow id="f2" sourceRef="h" targetRef="w"/>`+peeks())
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
	w.deployed("tells", "t", `<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="a"/><userTask id="a" name="Ask">`+
		`<extensionElements><zeebe:userTask/></extensionElements></userTask><sequenceFlow id="f2" sourceRef="a" targetRef="t"/>`+throwsSignal)
	w.deployed("passes", "t", `<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="h"/><intermediateCatchEvent id="h">`+
		hearsSignal+`</intermediateCatchEvent><sequenceFlow id="f2" sourceRef="h" targetRef="b"/>`+
		`<userTask id="b" name="Wait"><extensionElements><zeebe:userTask/></extensionElements></userTask>`+
		`<sequenceFlow id="f3" sourceRef="b" targetRef="t"/><intermediateThrowEvent id="t"><extensionElements><zeebe:ioMapping><zeebe:input `+
		`source="=got" target="sent"/></zeebe:ioMapping></extensionElements><signalEventDefinition signalRef="L"/></intermediateThrowEvent>`)
	w.deployed("hears", "w", `<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="h"/><intermediateCatchEvent id="h">`+
		strings.ReplaceAll(hearsSignal, `"S"`, `"L"`)+`</intermediateCatchEvent><sequenceFlow id="f2" sourceRef="h" targetRef="w"/>`+peeks())
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

// What a run throws, and what somebody publishes whose rights end at an environment,
// comes to no runs of another environment.
func TestWhatIsToldStaysInItsEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Must("POST", "/api/v1/users", client.IdentityNewUser{
		Name: "petra", Password: "a long password", Grants: []client.IdentityGrant{{Permission: "run.*", Project: "default", Environment: "prod"},
			{Permission: "object.*", Project: "default", Environment: "prod"},
			{Permission: "message.publish", Project: "default", Environment: "*"}}}, nil)
	var out client.SessionOutBody
	w.Must("POST", "/api/v1/session", client.LoginInBody{Name: "petra", Password: "a long password"}, &out)
	prod := &client.Client{URL: w.URL, Token: out.Token}
	w.Must("POST", "/api/v1/objects/host:host",
		[]map[string]any{{"id": "prod-2", "name": "prod-2", "address": "192.0.2.1", "environment": "prod"}}, nil)
	start := func(by *client.Client, process, host string) string {
		t.Helper()
		var v client.ControlVerdict
		if err := by.Call(t.Context(), "POST", "/api/v1/runs",
			platform.Request{Process: process, Objects: []string{"host:host/" + host}, Variables: map[string]any{"value": host}}, &v); err != nil {
			t.Fatal(err)
		}
		return v.Run
	}
	waits := func(event string) string {
		return `<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="h"/><intermediateCatchEvent id="h">` +
			event + `</intermediateCatchEvent>`
	}
	w.deployed("tells", "t", `<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="t"/>`+throwsSignal)
	w.deployed("hears", "h", waits(hearsSignal))
	w.deployed("takes", "h", waits(`<messageEventDefinition messageRef="M"/>`))
	dev, own := start(w.dev, "hears", "dev-1"), start(prod, "hears", "prod-1")
	start(prod, "tells", "prod-2")
	if r := w.Ended(own); r.State != "completed" {
		t.Errorf("in its own environment it is %s", r.State)
	}
	active := func(run, why string) {
		t.Helper()
		var r client.ProcessRun
		w.Must("GET", "/api/v1/runs/"+run, nil, &r)
		if r.State != "active" {
			t.Errorf("%s: %s", why, r.State)
		}
	}
	active(dev, "a signal of prod came to dev")
	start(w.dev, "tells", "dev-2")
	if r := w.Ended(dev); r.State != "completed" {
		t.Errorf("in its own environment it is %s", r.State)
	}
	for run, want := range map[string]string{own: "prod-2", dev: "dev-2"} {
		raw, err := w.Download(t.Context(), "/api/v1/runs/"+run+"/variables")
		if err != nil || !strings.Contains(string(raw), `"`+want+`"`) {
			t.Errorf("it heard %s, want %s: %v", raw, want, err)
		}
	}
	dev = start(w.dev, "takes", "dev-1")
	own = start(prod, "takes", "prod-1")
	if err := prod.Call(t.Context(), "POST", "/api/v1/messages", map[string]any{"name": "q", "correlationKey": "k"}, nil); err != nil {
		t.Fatal(err)
	}
	if r := w.Ended(own); r.State != "completed" {
		t.Errorf("its own run is %s", r.State)
	}
	active(dev, "a message of prod came to dev")
	// Who publishes for the whole project reaches all.
	if err := w.user("mpub", "*", "message.publish").
		Call(t.Context(), "POST", "/api/v1/messages", map[string]any{"name": "q", "correlationKey": "k"}, nil); err != nil {
		t.Fatal(err)
	}
	if r := w.Ended(dev); r.State != "completed" {
		t.Errorf("of the whole project it is %s", r.State)
	}
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
