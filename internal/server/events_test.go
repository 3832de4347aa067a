package server_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

const eventful = `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
	`xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="urn:t">
<error id="E" errorCode="no"/><process id="eventful" isExecutable="true"><startEvent id="s"/><sequenceFlow ` +
	`id="f1" sourceRef="s" targetRef="ask"/><userTask id="ask"><extensionElements><zeebe:userTask/></extensionElements></userTask>
<sequenceFlow id="f2" sourceRef="ask" targetRef="x"/><exclusiveGateway id="x" default="f5"/>` +
	`<sequenceFlow id="f3" sourceRef="x" targetRef="bad"><conditionExpression>=fail</conditionExpression></sequenceFlow>
<endEvent id="bad"><errorEventDefinition errorRef="E"/></endEvent><sequenceFlow id="f5" sourceRef="x" targetRef="e"/>` +
	`<endEvent id="e"/></process></definitions>`

// connected is a plugin elsewhere whose calls are answered by serve, until it is closed.
func connected(t *testing.T, p *platform.Platform, serve http.HandlerFunc) *httptest.Server {
	t.Helper()
	m := wire.Manifest{Plugin: "odd", Version: "1.0.0", Title: wire.Text{"en": "Odd", "zh": "怪"}, Run: &wire.Run{Builtin: true},
		Services: []wire.Service{{Name: "task", Title: wire.Text{"en": "Task", "zh": "工作"}, Actions: []wire.Action{{
			Action: "do", Title: wire.Text{"en": "Do", "zh": "做"}, Path: "/v1/task/do",
			Method: "POST", Batch: 1, Timeout: "PT10M", Risk: wire.RiskChange, Cancel: true,
		}}}}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /manifest", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(wire.Raw(m)) })
	mux.Handle("/", serve)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	p.Must("PUT", "/api/v1/plugins/odd", map[string]any{"url": s.URL}, nil)
	return s
}

// follow listens to the news; what it gives waits for the next.
func follow(t *testing.T, p *platform.Platform) func() {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/api/v1/news?ago=60000", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	return func() {
		if !lines.Scan() {
			t.Fatal("the news end")
		}
	}
}

// Everything that the platform says it publishes it does, in the form it says, and
// nothing else.
func TestEventsAreOfTheirTypes(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	p.Must("POST", "/api/v1/plugins/odd/token", map[string]any{}, nil)
	begun, ends := make(chan struct{}), make(chan struct{})
	s := connected(t, p, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/cancel") {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		begun <- struct{}{}
		<-ends
		http.Error(w, "it broke", http.StatusInternalServerError)
	})
	p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": "h1", "name": "h1", "address": "127.0.0.1"}}, nil)
	p.Edit("host:host", map[string]any{"id": "h1", "name": "h2"})
	p.Edit("host:host", map[string]any{"id": "h1", "state": "up", "state@observed": "down"})
	p.Edit("host:host", map[string]any{"id": "h1", "state@observed": "up"})
	p.Must("DELETE", "/api/v1/objects/host:host/h1", nil, nil)
	if err := p.Deploy([]byte(eventful)); err != nil {
		t.Fatal(err)
	}
	if err := p.Upload(t.Context(), "/api/v1/decisions", "application/xml", strings.NewReader(riskModel("high")), nil); err != nil {
		t.Fatal(err)
	}
	p.Must("POST", "/api/v1/messages", map[string]any{"name": "paid", "correlationKey": "1"}, nil)
	p.Must("POST", "/api/v1/signals", map[string]any{"name": "alarm"}, nil)
	for _, fail := range []bool{false, true} {
		run := p.Run(platform.Request{Process: "eventful"})
		var tasks client.PageOfWorklistTask
		p.Until(run, time.Minute, func(client.Update) bool {
			p.Must("GET", "/api/v1/tasks?run="+run, nil, &tasks)
			return len(tasks.Items) == 1
		})
		p.Must("POST", "/api/v1/tasks/"+tasks.Items[0].Key+"/claim", nil, nil)
		p.Must("POST", "/api/v1/tasks/"+tasks.Items[0].Key+"/complete", map[string]any{"variables": map[string]any{"fail": fail}}, nil)
		p.Ended(run)
	}
	cancel := func(run string) {
		p.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "a test"}, nil)
	}
	// One stops for a person; one is cancelled at its work.
	run := p.Service("odd/task/do", nil)
	<-begun
	ends <- struct{}{}
	if r := p.Ended(run); r.State != "incident" {
		t.Fatalf("%+v", r)
	}
	p.Must("POST", "/api/v1/incidents/"+p.Incidents()[0].Key+"/skip", map[string]any{"reason": "a test"}, nil)
	p.Ended(run)
	run = p.Service("odd/task/do", nil)
	<-begun
	cancel(run)
	p.Until(run, time.Minute, func(u client.Update) bool { return u.Run.State == "stopping" })
	ends <- struct{}{}
	if r := p.Ended(run); r.State != "cancelled" {
		t.Fatalf("%+v", r)
	}
	for _, run := range inLine(t, p) {
		cancel(run)
		p.Ended(run)
	}
	if n, err := p.Server.ForgetRuns(t.Context()); n == 0 || err != nil {
		t.Fatalf("%d runs were removed, %v", n, err)
	}
	// The plugin is gone and comes back.
	s.Close()
	run = p.Service("odd/task/do", nil)
	seen := map[string][]client.ServerEvent{}
	gather := func() {
		clear(seen)
		var page client.PageOfServerEvent
		for next := "?limit=7"; next != ""; {
			page = client.PageOfServerEvent{}
			p.Must("GET", "/api/v1/events"+next, nil, &page)
			for _, e := range page.Items {
				seen[e.Type] = append(seen[e.Type], e)
			}
			if next = ""; page.Next != "" {
				next = "?limit=7&after=" + url.QueryEscape(page.Next)
			}
		}
	}
	news := follow(t, p)
	for gather(); len(seen["sextant.plugin.lost.v1"]) == 0; gather() {
		news()
	}
	cancel(run)
	for _, turn := range []string{"disable", "enable"} {
		p.Must("POST", "/api/v1/plugins/odd/versions/1.0.0/"+turn, map[string]any{}, nil)
	}
	connected(t, p, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) })
	for gather(); len(seen["sextant.plugin.reached.v1"]) == 0; gather() {
		news()
	}
	var types client.PageOfServerEventType
	p.Must("GET", "/api/v1/event-types", nil, &types)
	for _, d := range types.Items {
		c := jsonschema.NewCompiler()
		form, err := jsonschema.UnmarshalJSON(bytes.NewReader(wire.Raw(d.Schema)))
		if err == nil {
			err = c.AddResource("urn:form", form)
		}
		if err != nil {
			t.Fatal(err)
		}
		schema, err := c.Compile("urn:form")
		if err != nil {
			t.Fatalf("%s: %v", d.Type, err)
		}
		if len(seen[d.Type]) == 0 {
			t.Errorf("%s was not published", d.Type)
		}
		for _, e := range seen[d.Type] {
			var data any
			if err := json.Unmarshal(wire.Raw(e.Data), &data); err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(data); err != nil {
				t.Errorf("%s %s: %v", d.Type, e.Subject, err)
			}
		}
		delete(seen, d.Type)
	}
	for typ := range seen {
		t.Errorf("%s is not among the types", typ)
	}
}

// inLine asks for runs of which the first holds what the others wait for, and moves the
// last of them to the front.
func inLine(t *testing.T, p *platform.Platform) (runs []string) {
	t.Helper()
	p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": "line", "name": "line", "address": "192.0.2.1"}}, nil)
	xml := `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" ` +
		`xmlns:sextant="urn:sextant:bpmn:1" targetNamespace="t"><process id="line" isExecutable="true">
<startEvent id="s"><extensionElements><sextant:start object="host:host" onBusy="queue"/></extensionElements></startEvent>` +
		`<sequenceFlow id="f1" sourceRef="s" targetRef="u"/>
<userTask id="u"><extensionElements><zeebe:userTask/></extensionElements></userTask>` +
		`<sequenceFlow id="f2" sourceRef="u" targetRef="e"/><endEvent id="e"/></process></definitions>`
	if err := p.Deploy([]byte(xml)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		runs = append(runs, p.Run(platform.Request{Process: "line", Objects: []string{"host:host/line"}}))
	}
	p.Must("POST", "/api/v1/runs/"+runs[2]+"/move-up", nil, nil)
	return runs
}
