package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// calling is a process with one call activity.
func calling(id, attrs, inside string) string {
	return fmt.Sprintf(`<process id="%[1]s" isExecutable="true"><startEvent id="%[1]s-s"/>`+
		`<endEvent id="%[1]s-e"/><sequenceFlow id="%[1]s-1" sourceRef="%[1]s-s" targetRef="%[1]s-call"/>`+
		`<sequenceFlow id="%[1]s-2" sourceRef="%[1]s-call" targetRef="%[1]s-e"/><callActivity id="%[1]s-call" name="Call">`+
		`<extensionElements><zeebe:calledElement %[2]s/>%[3]s</extensionElements></callActivity></process>`, id, attrs, inside)
}

// doing is a process with one service task.
func doing(id, service, inside string) string {
	return fmt.Sprintf(`<process id="%[1]s" isExecutable="true"><startEvent id="%[1]s-s"/>`+
		`<endEvent id="%[1]s-e"/><sequenceFlow id="%[1]s-1" sourceRef="%[1]s-s" targetRef="%[1]s-w"/>`+
		`<sequenceFlow id="%[1]s-2" sourceRef="%[1]s-w" targetRef="%[1]s-e"/><serviceTask id="%[1]s-w">`+
		`<extensionElements><zeebe:taskDefinition type="plugin:%[2]s"/>%[3]s</extensionElements></serviceTask></process>`, id, service, inside)
}

// saying is a process that leaves a value in a variable.
func saying(id, tag, value string) string {
	if tag != "" {
		tag = `<extensionElements><zeebe:versionTag value="` + tag + `"/></extensionElements>`
	}
	return fmt.Sprintf(`<process id="%[1]s" isExecutable="true">%[2]s<startEvent id="%[1]s-s"/>`+
		`<endEvent id="%[1]s-e"/><sequenceFlow id="%[1]s-1" sourceRef="%[1]s-s" targetRef="%[1]s-w"/>`+
		`<sequenceFlow id="%[1]s-2" sourceRef="%[1]s-w" targetRef="%[1]s-e"/><scriptTask id="%[1]s-w"><extensionElements>`+
		`<zeebe:script expression="=&quot;%[3]s&quot;" resultVariable="said"/></extensionElements></scriptTask></process>`, id, tag, value)
}

func deployAll(t *testing.T, p *platform.Platform, processes ...string) {
	t.Helper()
	if err := p.Deploy([]byte(definitions + strings.Join(processes, "\n") + "</definitions>")); err != nil {
		t.Fatal(err)
	}
}

func runOf(p *platform.Platform, key string) (r client.ProcessRun) {
	p.Must("GET", "/api/v1/runs/"+key, nil, &r)
	return r
}

// below waits for the run that a run has called.
func below(p *platform.Platform, key string) client.ProcessRun {
	var called string
	p.Until(key, 30*time.Second, func(u client.Update) bool {
		for _, s := range u.Steps {
			if s.Called != "" {
				called = s.Called
			}
		}
		return called != ""
	})
	return runOf(p, called)
}

// A called run acts on what its caller does and holds it in the name of the run above;
// both know each other; it ends with that, which waits until its work has ended.
func TestACalledRunBelongsToItsCaller(t *testing.T) {
	t.Parallel()
	p, x := platform.Start(t, nil), newSlow()
	p.Plug(slowManifest(), x.serve)
	refs := hosts(p, "h1")
	deployAll(t, p, calling("outer", `processId="middle"`, ""), calling("middle", `processId="inner"`, ""),
		doing("inner", "odd/task/long", ""))
	run := p.Run(platform.Request{Process: "outer", Objects: refs})
	received(t, x.begun, "the work does not begin")
	middle := below(p, run)
	inner := below(p, middle.Key)
	if inner.Process != "inner" || inner.Parent != middle.Key || inner.Root != run ||
		inner.Caller != "middle-call" || len(inner.Objects) != 1 || inner.Subject != "admin" {
		t.Errorf("the called run is %+v", inner)
	}
	top := runOf(p, run)
	if len(top.Called) != 1 || top.Called[0].Run != middle.Key || top.Called[0].Step != "outer-call" || top.Parent != "" {
		t.Errorf("the run is %+v", top)
	}
	for query, want := range map[string]string{"?called=no": run, "?called=only": inner.Key + " " + middle.Key, "?parent=" + run: middle.Key} {
		var page client.PageOfProcessRun
		p.Must("GET", "/api/v1/runs"+query, nil, &page)
		var got []string
		for _, r := range page.Items {
			if r.Process == "outer" || r.Process == "middle" || r.Process == "inner" {
				got = append(got, r.Key)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s lists %v", query, got)
		}
	}
	err := p.Call(t.Context(), "POST", "/api/v1/runs/"+inner.Key+"/cancel", map[string]any{"reason": "not wanted"}, nil)
	if err == nil || !strings.Contains(err.Error(), "run.called") && !strings.Contains(err.Error(), "was called by the run "+middle.Key) {
		t.Errorf("a called run is cancelled alone: %v", err)
	}
	p.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "not wanted"}, nil)
	received(t, x.told, "the plugin is not told")
	for _, key := range []string{run, middle.Key, inner.Key} {
		if got := stateOf(p, key); got != "stopping" {
			t.Errorf("while its work is being stopped the run is %s", got)
		}
	}
	err = p.Call(t.Context(), "POST", "/api/v1/calls", map[string]any{"service": "odd/task/quick", "objects": refs}, nil)
	if err == nil || !strings.Contains(err.Error(), "is held by run "+run) {
		t.Errorf("while it is stopping: %v", err)
	}
	close(x.end)
	for _, key := range []string{run, middle.Key, inner.Key} {
		if r := p.Ended(key); r.State != "cancelled" {
			t.Errorf("%+v", r)
		}
	}
	if r := p.Ended(p.Service("odd/task/quick", nil, refs...)); r.State != "completed" {
		t.Errorf("after it: %s", r.State)
	}
}

// A call goes on over a restart of the server, with what it holds.
func TestACallGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	p, x := platform.Start(t, nil), newSlow()
	p.Plug(slowManifest(), x.serve)
	refs := hosts(p, "h1")
	deployAll(t, p, calling("outer", `processId="inner"`, ""), doing("inner", "odd/task/long", ""))
	run := p.Run(platform.Request{Process: "outer", Objects: refs})
	key := received(t, x.begun, "the work does not begin")
	if err := p.Server.Close(); err != nil {
		t.Fatal(err)
	}
	p = platform.Start(t, map[string]any{"data": p.Data})
	if again := received(t, x.begun, "the call does not come again"); again != key {
		t.Errorf("it comes as %s, not as %s", again, key)
	}
	p.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "not wanted"}, nil)
	received(t, x.told, "the plugin is not told")
	close(x.end)
	if r := p.Ended(run); r.State != "cancelled" {
		t.Errorf("%+v", r)
	}
}

// What is called is there later: the incident names it, and trying again finds it.
func TestACalledProcessThatIsNotThere(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	deployAll(t, p, calling("outer", `processId="missing"`, ""))
	var preview client.ProcessPreview
	p.Must("POST", "/api/v1/runs/preview", platform.Request{Process: "outer"}, &preview)
	if len(preview.Steps) != 1 || !strings.Contains(preview.Steps[0].Problem, `no process "missing"`) {
		t.Errorf("the preview says %+v", preview.Steps)
	}
	run := p.Run(platform.Request{Process: "outer"})
	if r := p.Ended(run); r.State != "incident" {
		t.Fatalf("the run is %s", r.State)
	}
	i := p.Incidents()[0]
	if i.Kind != "called_run" || i.Element != "outer-call" ||
		!strings.Contains(i.Message, `there is no process "missing" in the project "default": deploy it and retry`) {
		t.Errorf("the incident is %+v", i)
	}
	deployAll(t, p, saying("missing", "", "here"))
	p.Must("POST", "/api/v1/incidents/"+i.Key+"/retry", map[string]any{}, nil)
	if r := p.Until(run, time.Minute, func(u client.Update) bool { return u.Run.State == "completed" }); r.State != "completed" {
		t.Errorf("the run is %s", r.State)
	}
}

// The newest version, the one of the same file and the newest with a tag are called as
// the binding says, at the time of the call.
func TestWhichVersionIsCalled(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	deployAll(t, p, calling("latest", `processId="say"`, ""), calling("same", `processId="say" bindingType="deployment"`, ""),
		calling("tagged", `processId="=&quot;say&quot;" bindingType="versionTag" versionTag="stable"`, ""), saying("say", "stable", "first"))
	deployAll(t, p, saying("say", "stable", "second"))
	deployAll(t, p, saying("say", "", "third"))
	for process, want := range map[string]string{"latest": "third", "same": "first", "tagged": "second"} {
		run := p.Run(platform.Request{Process: process})
		if r := p.Ended(run); r.State != "completed" {
			t.Fatalf("%s: %+v", r.State, p.Incidents())
		}
		called := runOf(p, runOf(p, run).Called[0].Run)
		if got := map[int64]string{1: "first", 2: "second", 3: "third"}[called.Version]; got != want {
			t.Errorf("%s calls the version %d, which says %s", process, called.Version, got)
		}
	}
}

// The door judges what a called process touches; what its services need is asked for
// with the start of the one that calls it.
func TestTheDoorLooksIntoCalledProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Must("POST", "/api/v1/objects/cmdb:box",
		[]map[string]any{{"id": "only", "name": "only", "environment": "dev", "hosts": []string{"dev-1"}, "host": "dev-1"}}, nil)
	deployAll(t, w.Platform, calling("p", `processId="inner"`, ""),
		doing("inner", "odd/touch/change", `<sextant:bind path=".hosts&gt;host:host"/>`))
	_, err := w.start(w.dev, "cmdb:box/mixed")
	w.refusedAs(err, 403, "object.right", "host:host/prod-1", "prod")
	var preview client.ProcessPreview
	w.Must("POST", "/api/v1/runs/preview", platform.Request{Process: "p", Objects: []string{"cmdb:box/clean"}}, &preview)
	if len(preview.Steps) != 1 || preview.Steps[0].Element != "p-call/inner-w" ||
		len(preview.Steps[0].Rows) != 2 || len(preview.Steps[0].Locks) != 2 {
		t.Errorf("the preview says %+v", preview.Steps)
	}
	run, err := w.start(w.dev, "cmdb:box/clean")
	if err != nil {
		t.Fatal(err)
	}
	if r := w.Ended(run); r.State != "completed" {
		t.Errorf("the run is %s: %+v", r.State, w.Incidents())
	}
	// Batches are cut by the call and are all that the called runs act on.
	batch := strings.Replace(calling("p", `processId="inner"`, `<sextant:bind path=".hosts&gt;host:host"/>`), "</callActivity>",
		`<multiInstanceLoopCharacteristics isSequential="true"><extensionElements>`+
			`<sextant:batch expression="1"/></extensionElements></multiInstanceLoopCharacteristics></callActivity>`, 1)
	deployAll(t, w.Platform, batch, doing("inner", "odd/touch/change", ""))
	run, err = w.start(w.dev, "cmdb:box/clean")
	if err != nil {
		t.Fatal(err)
	}
	if r := w.Ended(run); r.State != "completed" {
		t.Fatalf("the run in batches is %s: %+v", r.State, w.Incidents())
	}
	called := runOf(w.Platform, run).Called
	if len(called) != 2 {
		t.Fatalf("%d runs were called", len(called))
	}
	for _, c := range called {
		if jobs := w.Jobs(c.Run); len(jobs) != 1 || len(jobs[0].Rows) != 1 || len(runOf(w.Platform, c.Run).Objects) != 1 {
			t.Errorf("a called run acted on %+v", jobs)
		}
	}
}

// What somebody gives to a run is used by the runs that it calls with the rights of
// both; so it is once it has come back.
func TestWhatIsGivenGoesAlongWithCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	peek := func(from string) string { return input("credential", `="connection/" + `+from) }
	inner := doing("inner", "odd/touch/peek", peek("x"))
	ask := func(next string) string { return asks("", `<sequenceFlow id="f2" sourceRef="a" targetRef="c"/>`+next) }
	call := func(attrs, inside string) string {
		return `<callActivity id="c"><extensionElements><zeebe:calledElement ` +
			attrs + `/>` + inside + `</extensionElements></callActivity><sequenceFlow id="f3" sourceRef="c" targetRef="e"/>`
	}
	with := func(xml string, others ...string) string {
		return strings.Replace(xml, "</definitions>", strings.Join(others, "")+"</definitions>", 1)
	}
	back := strings.Replace(call(`processId="say"`, ""), `targetRef="e"`, `targetRef="w"`, 1) +
		strings.TrimPrefix(reading("odd/touch/peek", peek("said")), `<sequenceFlow id="f2" sourceRef="a" targetRef="w"/>`)
	back = strings.Replace(back, `id="f3" sourceRef="w"`, `id="f4" sourceRef="w"`, 1)
	say := strings.Replace(saying("say", "", "@"), `=&quot;@&quot;`, "=x", 1)
	for name, xml := range map[string]string{
		"all-variables": with(ask(call(`processId="inner"`, "")), inner),
		"a-mapped-variable": with(ask(call(`processId="inner" propagateAllParentVariables="false"`,
			`<zeebe:ioMapping><zeebe:input source="=x" target="x"/></zeebe:ioMapping>`)), inner),
		"what-comes-back": with(ask(back), say),
	} {
		run := w.asked(xml, w.dev, map[string]any{"x": "prodlab"}, "host:host/dev-1")
		if m := w.stoppedBelow(run).Message; !strings.Contains(m, "dana, who gave x") || !strings.Contains(m, "prodlab") {
			t.Errorf("%s: %s", name, m)
		}
	}
	if got := w.x.seen(); strings.Contains(got, "secret-of-prodlab") {
		t.Errorf("the plugin saw %s", got)
	}
	// Who chooses the process is asked for all that it does.
	run := w.asked(with(ask(call(`processId="=which"`, "")), doing("inner", "odd/touch/peek", input("credential", `="connection/prodlab"`))),
		w.dev, map[string]any{"which": "inner"}, "host:host/dev-1")
	i := w.stoppedBelow(run)
	if !strings.Contains(i.Message, "prodlab") || !strings.Contains(i.Message, "connection.use") {
		t.Errorf("chosen by dana: %+v", i)
	}
}

// stoppedBelow waits for an incident of a run or of those that it has called.
func (w *world) stoppedBelow(run string) client.ProcessIncident {
	w.t.Helper()
	var page client.PageOfProcessIncident
	w.Until(run, 30*time.Second, func(client.Update) bool {
		w.Must("GET", "/api/v1/incidents?run="+run, nil, &page)
		return len(page.Items) > 0
	})
	if len(page.Items) == 0 {
		w.t.Fatalf("the run is %s", stateOf(w.Platform, run))
	}
	return page.Items[0]
}
