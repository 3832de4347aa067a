package e2e_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sextant/internal/kit/db"
	"sextant/internal/testkit/dbserver"
	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

// seenBy asks for all that tells of a run, and gives what tells of this one.
func (w *world) seenBy(c *client.Client, run string) (told []string) {
	w.t.Helper()
	job := "0"
	if jobs := w.Jobs(run); len(jobs) > 0 {
		job = jobs[0].Job
	}
	for _, path := range []string{"", "/steps", "/jobs", "/start", "/variables", "/decisions"} {
		if c.Call(w.t.Context(), "GET", "/api/v1/runs/"+run+path, nil, nil) == nil {
			told = append(told, "/runs/{run}"+path)
		}
	}
	for _, path := range []string{"/output", "/output/search?q=a", "/output/text", "/output/events", "/row?object=host:host/prod-1"} {
		if resp := w.get(c, "/api/v1/jobs/"+job+path); resp.StatusCode != http.StatusNotFound {
			told = append(told, "/jobs/{job}"+path)
		}
	}
	if w.get(c, "/api/v1/runs/"+run+"/events").StatusCode != http.StatusNotFound {
		told = append(told, "/runs/{run}/events")
	}
	for _, path := range []string{"/runs", "/runs?text=p", "/runs?process=p",
		"/verdicts", "/verdicts?run=" + run, "/incidents", "/incidents?run=" + run,
		"/tasks", "/tasks?run=" + run, "/locks?run=" + run, "/locks?object=host:host/prod-1", "/runs?object=host:host/prod-1"} {
		var any json.RawMessage
		if err := c.Call(w.t.Context(), "GET", "/api/v1"+path, nil, &any); err != nil {
			w.t.Fatal(path, err)
		}
		if strings.Contains(string(any), `"`+run+`"`) { // the number of one run may begin that of another
			told = append(told, path)
		}
	}
	return told
}

// get asks for a path and reads the head of the answer alone.
func (w *world) get(c *client.Client, path string) *http.Response {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), "GET", w.URL+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}

func (w *world) counted(c *client.Client) client.ProcessSummary {
	w.t.Helper()
	var s client.ProcessSummary
	if err := c.Call(w.t.Context(), "GET", "/api/v1/runs/summary?process=p", nil, &s); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// A run is there for who may read runs in the environment of all that it was started
// on and acted on; for anybody else there is none, whichever way he looks.
func TestARunIsReadWhereItActs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.x.fail = true
	ask := asks("", reading("odd/touch/change", ""))
	vic := w.user("vic", "dev", "run.read", "task.read")
	for _, at := range []string{"task", "incident"} {
		for object, sees := range map[string]bool{"host:host/dev-1": true, "host:host/prod-1": false} {
			if err := w.Deploy([]byte(ask)); err != nil {
				t.Fatal(err)
			}
			run := w.Run(platform.Request{Process: "p", Objects: []string{object}})
			key := task(t, w.Platform, run, "Ask")
			if at == "incident" {
				w.Must("POST", "/api/v1/tasks/"+key+"/complete", map[string]any{}, nil)
				w.stopped(run)
			}
			got := w.seenBy(vic, run)
			if !sees && len(got) > 0 {
				t.Errorf("at its %s the run on %s is told by %v", at, object, got)
			}
			if whole := w.seenBy(w.Client, run); sees && len(got) < len(whole)-2 || len(whole) < 14 { // those of another object
				t.Errorf("at its %s the run on %s is told by %v only, and to the administrator by %v", at, object, got, whole)
			}
			if s := w.counted(vic); sees && s.Total == 0 {
				t.Errorf("%+v", s)
			}
			w.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "it is enough"}, nil)
			w.Ended(run)
		}
	}
	if s, whole := w.counted(vic), w.counted(w.Client); s.Total != 2 || whole.Total != 4 {
		t.Errorf("counted %+v of %+v", s, whole)
	}
}

// A run on no object that works through a connection is there for who may read runs
// in the environment of the connection: from its start on where the plan knows it,
// else from when a call uses it.
func TestARunIsReadWhereItsConnectionsAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	vic := w.user("vic", "dev", "run.read", "task.read")
	for name, env := range map[string]string{"lab": "dev", "prodlab": "prod"} {
		w.Must("PUT", "/api/v1/connections/"+name, client.SettingInput{
			Type: "ssh", Environment: env, Fields: map[string]any{"user": "u"}, Targets: []string{"192.0.2.*"}}, nil)
	}
	address := `<sextant:input name="address" from="constant" value="192.0.2.1"/>`
	for name, c := range map[string]struct {
		credential string
		start      map[string]any
		answer     string
		atTask     bool // the connection is known then
	}{
		"constant":             {`<sextant:input name="credential" from="constant" value="connection/%"/>`, nil, "", true},
		"given_with_the_start": {input("credential", "=through"), map[string]any{"through": "connection/%"}, "", true},
		"found_on_the_way":     {input("credential", `="connection/" + through`), nil, "%", false},
	} {
		for connection, sees := range map[string]bool{"lab": true, "prodlab": false} {
			t.Run(name+"/"+connection, func(t *testing.T) {
				put := func(text string) string { return strings.ReplaceAll(text, "%", connection) }
				if err := w.Deploy([]byte(asks("", reading("odd/touch/change", address+put(c.credential))))); err != nil {
					t.Fatal(err)
				}
				vars := map[string]any{}
				for k, v := range c.start {
					vars[k] = put(v.(string))
				}
				if c.answer != "" {
					vars["through"] = "" // a name that nobody knows yet
				}
				run := w.Run(platform.Request{Process: "p", Variables: vars})
				key := task(t, w.Platform, run, "Ask")
				if got := w.seenBy(vic, run); (sees || !c.atTask) != (len(got) > 0) {
					t.Errorf("at its task the run is told by %v", got)
				}
				answer := map[string]any{}
				if c.answer != "" {
					answer["through"] = put(c.answer)
				}
				w.Must("POST", "/api/v1/tasks/"+key+"/complete", map[string]any{"variables": answer}, nil)
				if r := w.Ended(run); r.State != "completed" {
					t.Fatalf("%s: %+v", r.State, w.Incidents())
				}
				if got := w.seenBy(vic, run); sees != (len(got) > 0) {
					t.Errorf("at its end the run is told by %v", got)
				}
			})
		}
	}
}

// What a run reaches on its way is what it acts on, in a batch too: from then on it
// is there only for who may read there.
func TestARunThatReachesAnotherEnvironmentIsReadThere(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]string{
		"bound": `<serviceTask id="w"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/change"/>` +
			`<sextant:bind path=".hosts&gt;host:host"/></extensionElements></serviceTask>`,
		"batches": `<serviceTask id="w"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/change"/>` +
			`<sextant:bind path=".hosts&gt;host:host"/></extensionElements><multiInstanceLoopCharacteristics isSequential="true">` +
			`<extensionElements><sextant:batch expression="1"/></extensionElements></multiInstanceLoopCharacteristics></serviceTask>`,
		"through": `<serviceTask id="w"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/change"/>` +
			`<sextant:input name="address" from="path" value=".host&gt;host:host.address"/></extensionElements></serviceTask>`,
		"looking": `<serviceTask id="w"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/peek"/>` +
			`<sextant:bind path=".hosts&gt;host:host"/></extensionElements></serviceTask>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			vic := w.user("vic", "dev", "run.read", "task.read", "object.read")
			xml := asks("", `<sequenceFlow id="f2" sourceRef="a" targetRef="w"/>`+step+`<sequenceFlow id="f3" sourceRef="w" targetRef="e"/>`)
			if err := w.Deploy([]byte(xml)); err != nil {
				t.Fatal(err)
			}
			for box, sees := range map[string]bool{"mixed": false, "clean": true} {
				run := w.Run(platform.Request{Process: "p", Objects: []string{"cmdb:box/" + box}})
				key := task(t, w.Platform, run, "Ask")
				if err := vic.Call(t.Context(), "GET", "/api/v1/runs/"+run, nil, nil); err != nil {
					t.Fatalf("it has reached nothing yet: %v", err)
				}
				w.Must("POST", "/api/v1/tasks/"+key+"/complete", map[string]any{}, nil)
				if r := w.Ended(run); r.State != "completed" {
					t.Fatalf("%s: %+v", r.State, w.Incidents())
				}
				if got := w.seenBy(vic, run); sees != (len(got) > 0) {
					t.Errorf("the run on %s is told by %v", box, got)
				}
			}
		})
	}
}

// A preview tells nothing of who holds an object that one may not see.
func TestAPreviewTellsNothingOfObjectsOutOfSight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.Deploy([]byte(asks("", reading("odd/touch/change", "")))); err != nil {
		t.Fatal(err)
	}
	held := w.Run(platform.Request{Process: "p", Objects: []string{"host:host/prod-1", "host:host/dev-1"}})
	for object, told := range map[string]bool{"host:host/prod-1": false, "host:host/dev-1": true} {
		for path, body := range map[string]map[string]any{
			"/api/v1/calls/preview": {"service": "odd/touch/change", "objects": []string{object}},
			"/api/v1/runs/preview":  {"process": "p", "objects": []string{object}},
		} {
			var p client.ProcessPreview
			if err := w.dev.Call(t.Context(), "POST", path, body, &p); err != nil {
				t.Fatal(err)
			}
			var locks *client.ControlStep
			for i, s := range p.Door {
				if s.Name == "locks" {
					locks = &p.Door[i]
				}
			}
			if locks == nil || locks.Ok == told || strings.Contains(locks.Reason, "a run that you may not see") != told ||
				strings.Contains(locks.Reason, held) {
				t.Errorf("%s of %s says %+v", path, object, p.Door)
			}
		}
	}
	_, err := w.call(w.dev, "odd/touch/change", nil, "host:host/prod-1")
	w.refusedAs(err, 404, "object.not_found")
	var verdicts client.PageOfControlVerdict
	if err := w.dev.Call(t.Context(), "GET", "/api/v1/verdicts", nil, &verdicts); err != nil || len(verdicts.Items) == 0 {
		t.Fatal(err)
	}
	for _, v := range verdicts.Items {
		for _, s := range v.Steps {
			if strings.Contains(s.Reason, held) {
				t.Errorf("the verdict tells %s", s.Reason)
			}
		}
	}
}

// A run that stands still can be ended as one that failed: it gives up what it
// holds, and is found among the failed ones.
func TestARunThatStandsStillEndsAsFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.x.fail = true
	run, err := w.call(w.dev, "odd/touch/change", nil, "host:host/dev-1")
	if err != nil {
		t.Fatal(err)
	}
	w.stopped(run)
	end := map[string]any{"reason": "the call failed", "failed": true}
	w.refusedAs(w.sees("olga").Call(t.Context(), "POST", "/api/v1/runs/"+w.Run(
		platform.Request{Process: "call-odd-touch-change", Objects: []string{"host:host/prod-1"}})+"/cancel", end, nil), 403, "object.right")
	if err := w.dev.Call(t.Context(), "POST", "/api/v1/runs/"+run+"/cancel", end, nil); err != nil {
		t.Fatal(err)
	}
	if r := w.Ended(run); r.State != "failed" || r.Code != "service_failed" {
		t.Errorf("%+v", r)
	}
	var failed client.PageOfProcessRun
	if err := w.dev.Call(t.Context(), "GET", "/api/v1/runs?state=failed", nil, &failed); err != nil ||
		len(failed.Items) != 1 || failed.Items[0].Key != run {
		t.Errorf("%+v %v", failed, err)
	}
	var lock struct{ Held bool }
	w.Must("GET", "/api/v1/locks?object=host:host/dev-1", nil, &lock)
	if lock.Held {
		t.Error("it still holds its object")
	}
	if err := w.Deploy([]byte(asks("", reading("odd/touch/change", "")))); err != nil {
		t.Fatal(err)
	}
	waits := w.Run(platform.Request{Process: "p", Objects: []string{"host:host/dev-1"}})
	task(t, w.Platform, waits, "Ask")
	w.refusedAs(w.Call(t.Context(), "POST", "/api/v1/runs/"+waits+"/cancel", end, nil), 409, "run.not_stuck")
}

// Who asks for an incident that is over is told of the newer one of its step, where
// he may see it.
func TestAnOldIncidentTellsOfTheNewOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.x.fail = true
	run, err := w.call(w.Client, "odd/touch/change", nil, "host:host/prod-1")
	if err != nil {
		t.Fatal(err)
	}
	old := w.stopped(run)
	if r := w.retried(old, w.Client, map[string]any{"inputs": map[string]any{"note": []string{"again"}}}); r.State != "incident" {
		t.Fatal(r.State)
	}
	now := w.stopped(run)
	again := func(c *client.Client) error {
		return c.Call(t.Context(), "POST", "/api/v1/incidents/"+old.Key+"/retry", map[string]any{}, nil)
	}
	w.refusedAs(again(w.Client), 404, "incident.not_found", now.Key, "has stopped again")
	if err := again(w.dev); err == nil || strings.Contains(err.Error(), now.Key) {
		t.Errorf("who may not see it is told %v", err)
	}
	w.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "it is enough"}, nil)
	w.Ended(run)
	if err := again(w.Client); err == nil || strings.Contains(err.Error(), "stopped again") {
		t.Errorf("the run is over, and it says %v", err)
	}
}

// A lock says what to do about it.
func TestALockSaysWhatToDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.x.hold = make(chan struct{})
	defer close(w.x.hold)
	run, err := w.call(w.dev, "odd/touch/change", nil, "host:host/dev-1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.call(w.dev, "odd/touch/change", nil, "host:host/dev-1")
	w.refusedAs(err, 423, "control.locked", run, "dana", "wait until it has ended")
	err = w.dev.Call(t.Context(), "PATCH", "/api/v1/objects/host:host", []map[string]any{{"id": "dev-1", "user": "x"}}, nil)
	w.refusedAs(err, 423, "control.locked", run, "dana", "wait until it has ended", "--override-reason", "lock.override")
}

// Runs from before it was noted where they act are looked up after the start.
func TestWhereOlderRunsActIsLookedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	vic := w.user("vic", "dev", "run.read")
	if err := w.Deploy([]byte(asks("", reading("odd/touch/peek", `<sextant:bind path=".hosts&gt;host:host"/>`)))); err != nil {
		t.Fatal(err)
	}
	runs := map[string]string{}
	for _, box := range []string{"mixed", "clean", "twin"} {
		runs[box] = w.Run(platform.Request{Process: "p", Objects: []string{"cmdb:box/" + box}})
		w.complete(runs[box], w.Client, nil)
		if r := w.Ended(runs[box]); r.State != "completed" {
			t.Fatalf("%s: %+v", r.State, w.Incidents())
		}
	}
	w.Must("DELETE", "/api/v1/objects/cmdb:box/twin", nil, nil)
	if err := w.Server.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(w.Data, "sextant.db")))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Do(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec("UPDATE process_run SET places = ?", "\n?\n")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	w.Platform = platform.Start(t, map[string]any{"data": w.Data})
	vic.URL = w.URL
	seen := func(box string) bool { return vic.Call(t.Context(), "GET", "/api/v1/runs/"+runs[box], nil, nil) == nil }
	for until := time.Now().Add(time.Minute); !seen("clean"); {
		if time.Now().After(until) {
			t.Fatal("the run on the clean box stays out of sight")
		}
	}
	if seen("mixed") || seen("twin") {
		t.Error("a run that acted on prod, or on what is gone, is in sight")
	}
}

// A call may be asked for that ends as failed where its service fails, whoever
// looks at it meanwhile.
func TestACallEndsAsFailedWhereThatIsAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for fails, state := range map[bool]string{true: "failed", false: "completed"} {
		w.x.mu.Lock()
		w.x.fail = fails
		w.x.mu.Unlock()
		var v client.ControlVerdict
		if err := w.dev.Call(t.Context(), "POST", "/api/v1/calls",
			map[string]any{"service": "odd/touch/change", "objects": []string{"host:host/dev-1"}, "onFailure": "fail"}, &v); err != nil {
			t.Fatal(err)
		}
		if r := w.Ended(v.Run); string(r.State) != state || fails && r.Code != "call.failed" {
			t.Errorf("%+v: %+v", r, w.Incidents())
		}
		var lock struct{ Held bool }
		w.Must("GET", "/api/v1/locks?object=host:host/dev-1", nil, &lock)
		if lock.Held || len(w.Incidents()) > 0 {
			t.Errorf("it holds its object: %v, and waits for help: %+v", lock.Held, w.Incidents())
		}
	}
	var steps client.PageOfProcessStep
	var failed client.PageOfProcessRun
	w.Must("GET", "/api/v1/runs?state=failed", nil, &failed)
	w.Must("GET", "/api/v1/runs/"+failed.Items[0].Key+"/steps", nil, &steps)
	if said := string(wire.Raw(steps)); !strings.Contains(said, "host:host/dev-1 failed") {
		t.Errorf("the steps say %s", said)
	}
	w.refusedAs(w.Call(t.Context(), "POST", "/api/v1/calls", map[string]any{"service": "odd/touch/change", "onFailure": "nothing"}, nil),
		422, "request.invalid")
}
