package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

// asks is a process that asks somebody and then does what is in the middle.
func asks(outputs, middle string) string {
	return opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="a"/><userTask id="a" name="Ask"><extensionElements><zeebe:userTask/>` +
		outputs + `</extensionElements></userTask>` + middle + closed
}

// reading is a service step after the question.
func reading(service, inside string) string {
	return `<sequenceFlow id="f2" sourceRef="a" targetRef="w"/><serviceTask id="w" name="Work"><extensionElements><zeebe:taskDefinition ` +
		`type="plugin:` + service + `"/>` + inside + `</extensionElements></serviceTask><sequenceFlow id="f3" sourceRef="w" targetRef="e"/>`
}

func input(name, expression string) string {
	return `<sextant:input name="` + name + `" from="feel" value="` + strings.ReplaceAll(expression, `"`, "&quot;") + `"/>`
}

// asked deploys a process, starts it as the administrator and completes its task
// as another.
func (w *world) asked(xml string, by *client.Client, vars map[string]any, objects ...string) string {
	w.t.Helper()
	if err := w.Deploy([]byte(xml)); err != nil {
		w.t.Fatal(err)
	}
	run := w.Run(platform.Request{Process: "p", Objects: objects})
	w.complete(run, by, vars)
	return run
}

func (w *world) complete(run string, by *client.Client, vars map[string]any) {
	w.t.Helper()
	if err := by.Call(w.t.Context(), "POST", "/api/v1/tasks/"+task(w.t, w.Platform, run, "Ask")+"/complete",
		map[string]any{"variables": vars}, nil); err != nil {
		w.t.Fatal(err)
	}
}

// stopped waits for the incident of a run, which has to tell all the texts.
func (w *world) stopped(run string, says ...string) client.ProcessIncident {
	w.t.Helper()
	if r := w.Ended(run); r.State != "incident" {
		w.t.Fatalf("the run is %s", r.State)
	}
	var page client.PageOfProcessIncident
	w.Must("GET", "/api/v1/incidents?run="+run, nil, &page)
	for _, text := range says {
		if !strings.Contains(page.Items[0].Message, text) {
			w.t.Errorf("it does not tell %q: %s", text, page.Items[0].Message)
		}
	}
	return page.Items[0]
}

func (w *world) retried(i client.ProcessIncident, by *client.Client, body map[string]any) client.ProcessRun {
	w.t.Helper()
	if err := by.Call(w.t.Context(), "POST", "/api/v1/incidents/"+i.Key+"/retry", body, nil); err != nil {
		w.t.Fatal(err)
	}
	return w.Until(i.Run, time.Minute, func(u client.Update) bool {
		if u.Run.State != "incident" {
			return u.Run.State != "active"
		}
		var page client.PageOfProcessIncident
		w.Must("GET", "/api/v1/incidents?run="+i.Run, nil, &page)
		return len(page.Items) > 0 && page.Items[0].Key != i.Key
	})
}

// What somebody gives to a run of another is used with the rights that both have,
// however the run comes to it; given anew by who has the right it goes on.
func TestWhatIsGivenIsUsedWithTheRightsOfBoth(t *testing.T) {
	t.Parallel()
	const doc = "objects:\n  box:\n  - {id: clean, name: mine}\n"
	both := `<zeebe:ioMapping><zeebe:input source="=x" target="y"/></zeebe:ioMapping>`
	script := `<sequenceFlow id="f2" sourceRef="a" targetRef="m"/><scriptTask id="m"><extensionElements><zeebe:script expression="=&quot;` +
		`connection/&quot; + x" resultVariable="y"/></extensionElements></scriptTask><sequenceFlow id="f4" sourceRef="m" targetRef="w"/>`
	each := `<multiInstanceLoopCharacteristics isSequential="true"><extensionElements>` +
		`<zeebe:loopCharacteristics inputCollection="=[x]" inputElement="y"/></extensionElements></multiInstanceLoopCharacteristics>`
	through := strings.Replace(reading("odd/touch/peek", input("note", "=[x]")),
		`sourceRef="w" targetRef="e"`, `sourceRef="w" targetRef="v"`, 1) +
		`<serviceTask id="v"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/peek"/>` +
		input("credential", `="connection/" + (if w.ok > 0 then "prodlab" else "")`) +
		`</extensionElements></serviceTask><sequenceFlow id="f5" sourceRef="v" targetRef="e"/>`
	for name, c := range map[string]struct {
		xml       string
		evil      map[string]any
		good      map[string]any
		objects   []string
		says      []string
		withdrawn bool // what was computed has to be given, too
	}{
		"a-connection-put-together": {xml: asks("", reading("odd/touch/peek", input("credential", `="connection/" + x`))),
			evil: map[string]any{"x": "prodlab"}, good: map[string]any{"x": "lab"},
			objects: []string{"host:host/dev-1"}, says: []string{"dana, who gave x,", "connection.use", "prodlab"}},
		"a-name-that-is-mapped-in": {xml: asks("", reading("odd/touch/peek", both+input("credential", `="connection/" + y`))),
			evil: map[string]any{"x": "prodlab"}, good: map[string]any{"x": "lab"},
			objects: []string{"host:host/dev-1"}, says: []string{"dana, who gave x (of which y is made),", "prodlab"}, withdrawn: true},
		"a-name-that-a-script-makes": {xml: asks("", script+strings.TrimPrefix(reading("odd/touch/peek", input("credential", `=y`)),
			`<sequenceFlow id="f2" sourceRef="a" targetRef="w"/>`)), evil: map[string]any{"x": "prodlab"}, good: map[string]any{"x": "lab"},
			objects: []string{"host:host/dev-1"}, says: []string{"dana, who gave x (of which y is made),", "prodlab"}, withdrawn: true},
		"an-element-of-a-list": {xml: asks("", strings.Replace(reading("odd/touch/peek", input("credential", `="connection/" + y`)),
			"</extensionElements></serviceTask>", "</extensionElements>"+each+"</serviceTask>", 1)),
			evil: map[string]any{"x": "prodlab"}, good: map[string]any{"x": "lab"},
			objects: []string{"host:host/dev-1"}, says: []string{"dana, who gave x", "prodlab"}, withdrawn: true},
		"what-a-service-makes-of-it": {xml: asks("", through), evil: map[string]any{"x": "anything"},
			objects: []string{"host:host/dev-1"}, says: []string{"dana, who gave x", "prodlab"}},
		"what-a-task-maps-out": {xml: asks(`<zeebe:ioMapping><zeebe:output source="=x" target="y"/></zeebe:ioMapping>`, reading("odd/touch/peek",
			input("credential", `="connection/" + y`))), evil: map[string]any{"x": "prodlab"}, good: map[string]any{"x": "lab"},
			objects: []string{"host:host/dev-1"}, says: []string{"dana, who gave x", "prodlab"}, withdrawn: true},
		"a-document-with-an-object-of-prod": {xml: asks("", reading("cmdb/import/yaml", input("text", `=if x = null then "" else x`))),
			evil: map[string]any{"x": doc + "  - {id: secret, name: stolen}\n"}, good: map[string]any{"x": doc},
			says: []string{"dana, who gave x,", "object.write", "cmdb:box/secret"}},
		"a-document-with-a-new-object-in-prod": {xml: asks("", reading("cmdb/import/yaml", input("text", `=if x = null then "" else x`))),
			evil: map[string]any{"x": doc + "  - {id: new, environment: prod}\n"}, good: map[string]any{"x": doc},
			says: []string{"dana, who gave x,", "object.write", "prod"}},
		"a-document-with-a-type": {xml: asks("", reading("cmdb/import/yaml", input("text", `=if x = null then "" else x`))),
			evil: map[string]any{"x": "types:\n- {type: other}\n" + doc}, good: map[string]any{"x": doc},
			says: []string{"dana, who gave x,", "type.write"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.box("secret", "prod", "prod-1")
			run := w.asked(c.xml, w.dev, c.evil, c.objects...)
			i := w.stopped(run, c.says...)
			if got := w.x.seen(); strings.Contains(got, "secret-of-prodlab") {
				t.Errorf("the plugin saw %s", got)
			}
			// Who asks for nothing but the same once more changes nothing.
			if r := w.retried(i, w.dev, map[string]any{}); r.State != "incident" {
				t.Fatalf("tried again it is %s", r.State)
			}
			again := map[string]any{}
			for name, v := range c.evil {
				again[name] = v
				if c.withdrawn {
					again["y"] = "connection/" + v.(string)
					if strings.Contains(c.xml, `&quot;connection/&quot; + y`) {
						again["y"] = v
					}
				}
			}
			if c.good == nil {
				again = map[string]any{"w": map[string]any{"ok": 1, "rows": []any{}}}
			}
			// The starter gives it anew.
			if r := w.retried(w.stopped(run), w.Client, map[string]any{"variables": again}); r.State != "completed" {
				t.Errorf("given by who started it, it is %s: %+v", r.State, w.Incidents())
			}
			if c.good == nil {
				return
			}
			if r := w.Ended(w.asked(c.xml, w.dev, c.good, c.objects...)); r.State != "completed" {
				t.Errorf("what is within the rights of both is %s: %+v", r.State, w.Incidents())
			}
		})
	}
}

// A retry gives a step new inputs, and a skip gives what it would have given.
func TestInputsAndResultsThatAreGivenNeedTheRightsOfBoth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.step("peek", input("credential", `=if x = null then "connection/none" else "connection/" + x`))
	run := w.Run(platform.Request{Process: "p", Objects: []string{"host:host/dev-1"}})
	i := w.stopped(run)
	w.refusedAs(w.dev.Call(t.Context(), "POST", "/api/v1/incidents/"+i.Key+"/retry",
		map[string]any{"inputs": map[string]any{"credential": "connection/prodlab"}}, nil), 404, "connection.not_found")
	if r := w.retried(i, w.dev, map[string]any{"variables": map[string]any{"x": "prodlab"}}); r.State != "incident" {
		t.Fatal(r.State)
	}
	i = w.stopped(run, "dana, who gave x,", "prodlab")
	if r := w.retried(i, w.Client, map[string]any{"inputs": map[string]any{"credential": "connection/prodlab"}}); r.State != "incident" {
		t.Errorf("the expression still reads what dana gave: %s", r.State)
	}
	if r := w.retried(w.stopped(run), w.Client, map[string]any{"variables": map[string]any{"x": "prodlab"}}); r.State != "completed" {
		t.Errorf("%s: %+v", r.State, w.Incidents())
	}
	xml := opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="g"/><exclusiveGateway id="g"/>` +
		`<sequenceFlow id="f2" sourceRef="g" targetRef="w"><conditionExpression>=go</conditionExpression></sequenceFlow><sequenceFlow ` +
		`id="f3" sourceRef="w" targetRef="e"/><serviceTask id="w"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/peek"/>` +
		input("credential", `="connection/" + x`) + `</extensionElements></serviceTask>` + closed
	if err := w.Deploy([]byte(xml)); err != nil {
		t.Fatal(err)
	}
	run = w.Run(platform.Request{Process: "p", Objects: []string{"host:host/dev-1"}})
	i = w.stopped(run)
	if err := w.dev.Call(t.Context(), "POST", "/api/v1/incidents/"+i.Key+"/skip",
		map[string]any{"reason": "go on", "flow": "f2", "variables": map[string]any{"x": "prodlab"}}, nil); err != nil {
		t.Fatal(err)
	}
	w.Until(run, time.Minute, func(client.Update) bool {
		var page client.PageOfProcessIncident
		w.Must("GET", "/api/v1/incidents?run="+run, nil, &page)
		return len(page.Items) > 0 && page.Items[0].Key != i.Key
	})
	w.stopped(run, "dana, who gave x,", "prodlab")
}

// What a plugin does for a run while it works on a call is done for those, too,
// who gave what the call is about, be it that it only reads.
func TestAPluginActsForThoseWhoGaveWhatItIsAbout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mu sync.Mutex
	var token string
	answers := map[string]int{}
	w.Plug(func() wire.Manifest { m := touchManifest(); m.Version = "1.0.3"; return m }(), func(issued string) http.Handler {
		token = issued
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			var call wire.Request
			body := new(strings.Builder)
			if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
				return
			}
			var ids []string
			_ = json.Unmarshal(call.Inputs[0]["note"], &ids)
			req, err := http.NewRequestWithContext(r.Context(), "GET", w.URL+"/api/v1/objects/host:host/"+ids[0], strings.NewReader(body.String()))
			if err != nil {
				return
			}
			req.Header.Set("Authorization", "Bearer "+token)
			req.Header.Set(wire.HeaderJob, r.Header.Get(wire.HeaderIdempotencyKey))
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return
			}
			_ = resp.Body.Close()
			mu.Lock()
			answers[r.Header.Get(wire.HeaderRun)] = resp.StatusCode
			mu.Unlock()
			_, _ = rw.Write(wire.Raw(wire.Response{ResultCode: "0",
				Results: wire.Results{Outputs: []wire.Row{{"callbackParameter": call.Inputs[0]["callbackParameter"], "errorCode": wire.Raw("0")}}}}))
		})
	})
	xml := asks("", reading("odd/touch/peek", input("note", "=[x]")))
	for id, want := range map[string][2]int{"prod-1": {404, 200}, "dev-1": {200, 200}} {
		for i, by := range []*client.Client{w.dev, w.Client} {
			run := w.asked(xml, by, map[string]any{"x": id}, "host:host/dev-1")
			if r := w.Ended(run); r.State != "completed" {
				t.Fatalf("%s: %+v", r.State, w.Incidents())
			}
			mu.Lock()
			if answers[run] != want[i] {
				t.Errorf("%s given by number %d: %d, want %d", id, i, answers[run], want[i])
			}
			mu.Unlock()
		}
	}
}

// Who may only complete tasks approves and says why; what he says is held against
// him where a step reads it, and nowhere else.
func TestAnApproverApproves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	approver := w.user("ann", "*", "task.read", "task.complete", "run.read", "object.read")
	gate := func(inputs string) string {
		return asks("", `<sequenceFlow id="f2" sourceRef="a" targetRef="g"/>`+
			`<exclusiveGateway id="g" default="no"/><sequenceFlow id="no" sourceRef="g" targetRef="e"/>`+
			`<sequenceFlow id="yes" sourceRef="g" targetRef="w"><conditionExpression>=decision = "yes"</conditionExpression></sequenceFlow>`+
			strings.TrimPrefix(reading("odd/touch/change", inputs), `<sequenceFlow id="f2" sourceRef="a" targetRef="w"/>`))
	}
	for name, c := range map[string]struct {
		inputs string
		vars   map[string]any
		state  string
	}{
		"a-choice-and-a-comment":    {"", map[string]any{"decision": "yes", "comment": "it looks good"}, "completed"},
		"a-choice-that-a-step-read": {input("note", "=[decision]"), map[string]any{"decision": "yes"}, "completed"},
		"a-comment-that-is-read":    {input("note", "=[comment]"), map[string]any{"decision": "yes", "comment": "it looks good"}, "incident"},
	} {
		t.Run(name, func(t *testing.T) {
			run := w.asked(gate(c.inputs), approver, c.vars, "host:host/dev-1")
			if r := w.Ended(run); string(r.State) != c.state {
				t.Fatalf("%s: %+v", r.State, w.Incidents())
			}
			if c.state == "completed" {
				return
			}
			i := w.stopped(run, "ann, who gave comment,", "run.start")
			if r := w.retried(i, w.Client, map[string]any{"variables": map[string]any{"comment": "mine"}}); r.State != "completed" {
				t.Errorf("%s: %+v", r.State, w.Incidents())
			}
		})
	}
}

// A restart forgets nobody who gave something.
func TestWhoGaveWhatIsKnownAfterARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wait := `<sequenceFlow id="f2" sourceRef="a" targetRef="b"/><userTask id="b" name="Wait">` +
		`<extensionElements><zeebe:userTask/></extensionElements></userTask><sequenceFlow id="f4" sourceRef="b" targetRef="w"/>`
	xml := asks("", wait+strings.TrimPrefix(reading("cmdb/import/yaml", input("text", `=if x = null then "" else x`)),
		`<sequenceFlow id="f2" sourceRef="a" targetRef="w"/>`))
	run := w.asked(xml, w.dev, map[string]any{"x": "objects:\n  box:\n  - {id: new, environment: prod}\n"})
	task(t, w.Platform, run, "Wait")
	if err := w.Server.Close(); err != nil {
		t.Fatal(err)
	}
	w.Platform = platform.Start(t, map[string]any{"data": w.Data})
	complete(w.Platform, task(t, w.Platform, run, "Wait"), nil)
	w.stopped(run, "dana, who gave x,", "object.write")
}

// A value that is given anew to one step is given to that one alone: what others
// read is still what was given before.
func TestWhatIsGivenAnewToOneStepIsGivenToItAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	step := func(id, next string) string {
		return `<serviceTask id="` + id + `"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/peek"/>` +
			input("credential", `="connection/" + x`) + `</extensionElements></serviceTask><sequenceFlow id="from_` +
			id + `" sourceRef="` + id + `" targetRef="` + next + `"/>`
	}
	run := w.asked(asks("", `<sequenceFlow id="f2" sourceRef="a" targetRef="w"/>`+step("w", "v")+step("v", "e")),
		w.dev, map[string]any{"x": "prodlab"}, "host:host/dev-1")
	i := w.stopped(run, "dana, who gave x,")
	if r := w.retried(i, w.Client, map[string]any{"variables": map[string]any{"x": "prodlab"}}); r.State != "incident" {
		t.Fatalf("the second step is %s", r.State)
	}
	if i = w.stopped(run, "dana, who gave x,"); i.Element != "v" {
		t.Errorf("it stands still at %s", i.Element)
	}
	if r := w.retried(i, w.Client, map[string]any{"variables": map[string]any{"x": "prodlab"}}); r.State != "completed" {
		t.Errorf("%s: %+v", r.State, w.Incidents())
	}
	if got := strings.Count(w.x.seen(), "secret-of-prodlab"); got != 2 {
		t.Errorf("the plugin got it %d times: %s", got, w.x.seen())
	}
}

// Once its call is over a plugin acts for a run no more, be it that the run goes on.
func TestAPluginActsNoMoreOnceItsCallIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	calls, answer := make(chan string, 1), make(chan struct{})
	var token string
	w.Plug(func() wire.Manifest { m := touchManifest(); m.Version = "1.0.4"; return m }(), func(issued string) http.Handler {
		token = issued
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			calls <- r.Header.Get(wire.HeaderIdempotencyKey)
			<-answer
			echo(rw, r)
		})
	})
	xml := opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="w"/>` +
		`<serviceTask id="w"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/peek"/></extensionElements></serviceTask>` +
		`<sequenceFlow id="f2" sourceRef="w" targetRef="a"/><userTask id="a" name="Ask">` +
		`<extensionElements><zeebe:userTask/></extensionElements></userTask><sequenceFlow id="f3" sourceRef="a" targetRef="e"/>` + closed
	if err := w.Deploy([]byte(xml)); err != nil {
		t.Fatal(err)
	}
	run := w.Run(platform.Request{Process: "p", Objects: []string{"host:host/dev-1"}})
	key := <-calls
	look := func() int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.URL+"/api/v1/objects/host:host/dev-1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set(wire.HeaderJob, key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if got := look(); got != 200 {
		t.Errorf("while it works: %d", got)
	}
	close(answer)
	task(t, w.Platform, run, "Ask")
	if got := look(); got != 410 {
		t.Errorf("once it has answered: %d", got)
	}
}
