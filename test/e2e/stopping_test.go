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

// slow is a plugin whose work ends only when the test lets it, whoever asks it to
// stop: it answers once it has ended.
type slow struct {
	mu    sync.Mutex
	told  chan string
	begun chan string
	end   chan struct{}
	seen  []string
}

func newSlow() *slow {
	return &slow{told: make(chan string, 100), begun: make(chan string, 100), end: make(chan struct{})}
}

func (x *slow) serve(string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get(wire.HeaderIdempotencyKey)
		if strings.HasSuffix(r.URL.Path, "/cancel") {
			x.told <- key
			w.WriteHeader(http.StatusAccepted)
			return
		}
		var req wire.Request
		if json.NewDecoder(r.Body).Decode(&req) != nil {
			return
		}
		if strings.HasSuffix(r.URL.Path, "/quick") {
			x.note("quick " + plainText(req.Inputs[0]["callbackParameter"]))
			answer(w, req, wire.OutcomeOK)
			return
		}
		x.note("begin")
		x.begun <- key
		select {
		case <-x.end:
		case <-r.Context().Done():
			return
		}
		x.note("end")
		answer(w, req, wire.OutcomeCancelled)
	})
}

func (x *slow) note(what string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seen = append(x.seen, what)
}

func (x *slow) order() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.Join(x.seen, ", ")
}

func answer(w http.ResponseWriter, req wire.Request, outcome wire.Outcome) {
	resp := wire.Response{ResultCode: "0"}
	for _, in := range req.Inputs {
		resp.Results.Outputs = append(resp.Results.Outputs,
			wire.Row{"callbackParameter": in["callbackParameter"], "outcome": wire.Raw(outcome), "errorCode": wire.Raw("0")})
	}
	_, _ = w.Write(wire.Raw(resp))
}

func slowManifest() wire.Manifest {
	title := wire.Text{"en": "Slow", "zh": "慢"}
	action := func(name string) wire.Action {
		return wire.Action{Action: name, Title: title, Path: "/v1/task/" + name, Method: "POST", Target: "host:host", Timeout: "PT1H",
			Risk: wire.RiskChange, Idempotent: true, Cancel: true, Settles: true}
	}
	return wire.Manifest{Plugin: "odd", Version: "1.0.0", Title: title, Run: &wire.Run{Builtin: true},
		Services: []wire.Service{{Name: "task", Title: title, Actions: []wire.Action{action("long"), action("quick")}}}}
}

func received(t *testing.T, c <-chan string, what string) string {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal(what)
	}
	return ""
}

func stateOf(p *platform.Platform, run string) string {
	var r client.ProcessRun
	p.Must("GET", "/api/v1/runs/"+run, nil, &r)
	return string(r.State)
}

// A run that is cancelled is stopping until the plugin says that everything has
// ended: it keeps its locks, and nobody else comes in.
func TestACancelledRunHoldsItsObjectsUntilEverythingHasEnded(t *testing.T) {
	t.Parallel()
	p, x := platform.Start(t, nil), newSlow()
	p.Plug(slowManifest(), x.serve)
	refs := hosts(p, "h1")
	run := p.Service("odd/task/long", nil, refs...)
	key := received(t, x.begun, "the work does not begin")
	p.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "not wanted"}, nil)
	if told := received(t, x.told, "the plugin is not told"); told != key {
		t.Errorf("it is told of %s, not of %s", told, key)
	}
	if got := stateOf(p, run); got != "stopping" {
		t.Errorf("the run is %s", got)
	}
	err := p.Call(t.Context(), "POST", "/api/v1/calls", map[string]any{"service": "odd/task/quick", "objects": refs}, nil)
	if err == nil || !strings.Contains(err.Error(), "is held by run "+run) {
		t.Errorf("while it is stopping: %v", err)
	}
	close(x.end)
	if r := p.Ended(run); r.State != "cancelled" || r.Code != "not wanted" {
		t.Errorf("%+v", r)
	}
	if row := p.Jobs(run)[0].Rows[0]; row.Outcome != "cancelled" {
		t.Errorf("%+v", row)
	}
	if r := p.Ended(p.Service("odd/task/quick", nil, refs...)); r.State != "completed" {
		t.Errorf("after it: %s", r.State)
	}
	if got := x.order(); got != "begin, end, quick host:host/h1" {
		t.Errorf("the order was %s", got)
	}
}

// A later step waits until what a time-out interrupted has ended; steps on other
// objects go on meanwhile. By the time that three of them are over one that did not
// wait would have been called.
func TestALaterStepWaitsForWhatATimeOutInterrupted(t *testing.T) {
	t.Parallel()
	p, x := platform.Start(t, nil), newSlow()
	p.Plug(slowManifest(), x.serve)
	refs := hosts(p, "h1", "h2")
	step := func(id, service, host, next string) string {
		return `<serviceTask id="` + id + `"><extensionElements><zeebe:taskDefinition type="plugin:odd/task/` +
			service + `"/><sextant:bind path="host:host{name eq '` + host + `'}"/></extensionElements></serviceTask>
<sequenceFlow id="from-` + id + `" sourceRef="` + id + `" targetRef="` + next + `"/>`
	}
	xml := opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="w"/>` + step("w", "long", "h1", "e") + `
<boundaryEvent id="late" attachedToRef="w"><timerEventDefinition>` +
		`<timeDuration>PT0.2S</timeDuration></timerEventDefinition></boundaryEvent><sequenceFlow id="f3" sourceRef="late" targetRef="both"/>
<parallelGateway id="both"/><sequenceFlow id="f4" sourceRef="both" targetRef="back"/>` +
		`<sequenceFlow id="f5" sourceRef="both" targetRef="o1"/>` +
		step("back", "quick", "h1", "e") + step("o1", "quick", "h2", "o2") + step("o2", "quick", "h2", "o3") +
		step("o3", "quick", "h2", "e") + closed
	if err := p.Deploy([]byte(xml)); err != nil {
		t.Fatal(err)
	}
	run := p.Run(platform.Request{Process: "p", Objects: refs})
	received(t, x.begun, "the work does not begin")
	received(t, x.told, "the plugin is not told")
	p.Until(run, 30*time.Second, func(client.Update) bool { return strings.Count(x.order(), "quick host:host/h2") == 3 })
	close(x.end)
	if r := p.Ended(run); r.State != "completed" {
		t.Errorf("%s: %+v", r.State, p.Incidents())
	}
	if got, want := x.order(), "begin"+strings.Repeat(", quick host:host/h2", 3)+", end, quick host:host/h1"; got != want {
		t.Errorf("the order was %s", got)
	}
}

// A server that is started anew goes on stopping what it was stopping: under the
// same key, after its time, so that nothing is begun.
func TestAStopGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	p, x := platform.Start(t, nil), newSlow()
	p.Plug(slowManifest(), x.serve)
	refs := hosts(p, "h1")
	run := p.Service("odd/task/long", nil, refs...)
	key := received(t, x.begun, "the work does not begin")
	p.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "not wanted"}, nil)
	received(t, x.told, "the plugin is not told")
	if err := p.Server.Close(); err != nil {
		t.Fatal(err)
	}
	p = platform.Start(t, map[string]any{"data": p.Data})
	if again := received(t, x.begun, "the call does not come again"); again != key {
		t.Errorf("it comes as %s, not as %s", again, key)
	}
	if got := stateOf(p, run); got != "stopping" {
		t.Errorf("the run is %s", got)
	}
	close(x.end)
	if r := p.Ended(run); r.State != "cancelled" {
		t.Errorf("%+v", r)
	}
}

// A plugin that gives no word at all is given up by who has the right, with a
// reason; what it did is unknown.
func TestAStopThatNeverEndsIsGivenUp(t *testing.T) {
	t.Parallel()
	p, x := platform.Start(t, nil), newSlow()
	p.Plug(slowManifest(), x.serve)
	t.Cleanup(func() { close(x.end) })
	refs := hosts(p, "h1")
	run := p.Service("odd/task/long", nil, refs...)
	received(t, x.begun, "the work does not begin")
	if err := p.Call(t.Context(), "POST", "/api/v1/runs/"+run+"/give-up", map[string]any{"reason": "too early"}, nil); err == nil ||
		!strings.Contains(err.Error(), "only a run that is stopping") {
		t.Errorf("a run at work: %v", err)
	}
	p.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "not wanted"}, nil)
	received(t, x.told, "the plugin is not told")
	p.Must("POST", "/api/v1/runs/"+run+"/give-up", map[string]any{"reason": "the host is gone"}, nil)
	if r := p.Ended(run); r.State != "cancelled" {
		t.Errorf("%+v", r)
	}
	if row := p.Jobs(run)[0].Rows[0]; row.Outcome != "unknown" || !strings.Contains(row.Message, "given up") {
		t.Errorf("%+v", row)
	}
}
