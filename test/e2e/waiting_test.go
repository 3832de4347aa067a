package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// held is a process that holds its objects until a person says that it is done.
func held(id, onBusy string) []byte {
	return fmt.Appendf(nil, `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http:/`+
		`/camunda.org/schema/zeebe/1.0" xmlns:sextant="urn:sextant:bpmn:1" targetNamespace="t"><process id="%s" isExecutable="true">
<startEvent id="s"><extensionElements><sextant:start object="host:host" onBusy="%s"/></extensionElements></startEvent>`+
		`<sequenceFlow id="f1" sourceRef="s" targetRef="hold"/>
<userTask id="hold" name="Hold"><extensionElements><zeebe:userTask/></extensionElements></userTask>`+
		`<sequenceFlow id="f2" sourceRef="hold" targetRef="e"/><endEvent id="e"/></process></definitions>`, id, onBusy)
}

// line is a platform with hosts on which runs wait.
type line struct {
	*platform.Platform
	t *testing.T
}

func newLine(t *testing.T, processes map[string]string) *line {
	t.Helper()
	l := &line{platform.Start(t, nil), t}
	l.Must("POST", "/api/v1/objects/host:host",
		[]map[string]any{{"id": "h1", "name": "h1", "address": "192.0.2.1"}, {"id": "h2", "name": "h2", "address": "192.0.2.2"}}, nil)
	for id, busy := range processes {
		if err := l.Deploy(held(id, busy)); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func (l *line) ask(body map[string]any) client.ControlVerdict {
	l.t.Helper()
	var v client.ControlVerdict
	l.Must("POST", "/api/v1/runs", body, &v)
	return v
}

func (l *line) run(run string) (r client.ProcessRun) {
	l.t.Helper()
	l.Must("GET", "/api/v1/runs/"+run, nil, &r)
	return r
}

// waits is who waits, in the order of the line, each with its place.
func (l *line) waits() (all []string) {
	l.t.Helper()
	var page client.PageOfControlWaiting
	l.Must("GET", "/api/v1/waiting", nil, &page)
	for _, w := range page.Items {
		all = append(all, fmt.Sprintf("%s %d", w.Run, w.Place))
	}
	return all
}

// until waits until a run is in a state.
func (l *line) until(run, state string) client.ProcessRun {
	l.t.Helper()
	return l.Until(run, time.Minute, func(u client.Update) bool { return string(u.Run.State) == state })
}

// done ends a run by completing its task.
func (l *line) done(run string) {
	l.t.Helper()
	l.until(run, "active")
	complete(l.Platform, task(l.t, l.Platform, run, "Hold"), nil)
}

func TestRunsWaitTheirTurn(t *testing.T) {
	t.Parallel()
	l := newLine(t, map[string]string{"p": "queue(maxLength=4)"})
	on := func(hosts ...string) map[string]any {
		var refs []string
		for _, h := range hosts {
			refs = append(refs, "host:host/"+h)
		}
		return map[string]any{"process": "p", "objects": refs, "title": strings.Join(hosts, " "), "variables": map[string]any{}}
	}
	a := l.ask(on("h1"))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.URL+"/api/v1/runs",
		strings.NewReader(`{"process": "p", "objects": ["host:host/h1", "host:host/h2"]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b client.ControlVerdict
	if err := json.NewDecoder(resp.Body).Decode(&b); err != nil || resp.StatusCode != http.StatusAccepted ||
		b.Verdict != "WAIT" || b.Wait.Place != 1 || len(b.Wait.For) != 1 || b.Wait.For[0].Run != a.Run {
		t.Fatalf("%d %+v, %v", resp.StatusCode, b, err)
	}
	c, d, e := l.ask(on("h2")), l.ask(on("h1")), l.ask(on("h1"))
	if got, want := l.waits(), []string{b.Run + " 1", c.Run + " 2", d.Run + " 2", e.Run + " 3"}; !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	if err := l.Call(t.Context(), "POST", "/api/v1/runs", on("h1"), nil); !isCode(err, 429, "control.line_full") {
		t.Errorf("one too many: %v", err)
	}
	var preview client.ProcessPreview
	l.Must("POST", "/api/v1/runs/preview", on("h2"), &preview)
	if preview.Would != "REJECTED" {
		t.Errorf("the preview says %s", preview.Would)
	}
	var list client.PageOfProcessRun
	l.Must("GET", "/api/v1/runs?state=waiting", nil, &list)
	if r := l.run(c.Run); len(list.Items) != 4 || r.State != "waiting" || r.Title != "h2" {
		t.Errorf("%d wait, %+v", len(list.Items), r)
	}
	l.Must("POST", "/api/v1/runs/"+c.Run+"/cancel", map[string]any{"reason": "not today"}, nil)
	if r := l.Ended(c.Run); r.State != "cancelled" || r.Code != "not today" {
		t.Errorf("cancelled: %+v", r)
	}
	l.Must("POST", "/api/v1/runs/"+e.Run+"/move-up", nil, nil)
	if got, want := l.waits(), []string{e.Run + " 1", b.Run + " 2", d.Run + " 3"}; !slices.Equal(got, want) {
		t.Fatalf("moved up: %v, want %v", got, want)
	}
	if err := l.Call(t.Context(), "POST", "/api/v1/runs/"+a.Run+"/move-up", nil, nil); !isCode(err, 409, "control.not_waiting") {
		t.Errorf("one that runs is moved up: %v", err)
	}
	if err := l.Server.Close(); err != nil {
		t.Fatal(err)
	}
	l.Platform = platform.Start(t, map[string]any{"data": l.Data})
	for _, run := range []string{a.Run, e.Run, b.Run, d.Run} {
		for _, other := range l.waits() {
			if strings.HasPrefix(other, run) {
				l.until(run, "active")
			}
		}
		l.done(run)
		if r := l.Ended(run); r.State != "completed" {
			t.Errorf("%s is %s %s", run, r.State, r.Code)
		}
	}
	if got := l.waits(); len(got) != 0 {
		t.Errorf("these wait still: %v", got)
	}
	var verdicts client.PageOfControlVerdict
	l.Must("GET", "/api/v1/verdicts?run="+d.Run, nil, &verdicts)
	if len(verdicts.Items) != 2 {
		t.Errorf("%+v", verdicts.Items)
	}
	var start client.ProcessStart
	l.Must("GET", "/api/v1/runs/"+c.Run+"/start", nil, &start)
	if start.Process != "p" || !slices.Equal(start.Objects, []string{"host:host/h2"}) {
		t.Errorf("what never started was asked for with %+v", start)
	}
}

func isCode(err error, status int, code string) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Status == int64(status) && e.Code == code
}

func TestRunsAreMergedAndReplaced(t *testing.T) {
	t.Parallel()
	l := newLine(t, map[string]string{"m": "merge", "r": "replace", "short": "queue(maxWait=PT1S)", "newest": "queue(latest)"})
	on := func(process string) map[string]any {
		return map[string]any{"process": process, "objects": []string{"host:host/h1"}}
	}
	first := l.ask(on("m"))
	if again := l.ask(on("m")); again.Verdict != "MERGED" || again.Run != first.Run {
		t.Errorf("%+v", again)
	}
	if short := l.ask(on("short")); short.Verdict != "WAIT" {
		t.Errorf("%+v", short)
	} else if r := l.Ended(short.Run); r.State != "failed" || r.Code != "control.waited" {
		t.Errorf("after its time: %s %s", r.State, r.Code)
	}
	l.done(first.Run)
	if r := l.Ended(first.Run); r.State != "completed" {
		t.Errorf("%+v", r)
	}
	old := l.ask(on("r"))
	now := l.ask(on("r"))
	if now.Verdict != "WAIT" {
		t.Errorf("%+v", now)
	}
	if r := l.Ended(old.Run); r.State != "cancelled" || !strings.Contains(r.Code, now.Run) {
		t.Errorf("the one that is replaced: %+v", r)
	}
	l.until(now.Run, "active")
	older, newer := l.ask(on("newest")), l.ask(on("newest"))
	if r := l.Ended(older.Run); r.State != "cancelled" || r.Code != "control.replaced" {
		t.Errorf("the older that waits: %+v", r)
	}
	l.done(now.Run)
	l.done(newer.Run)
	if r := l.Ended(newer.Run); r.State != "completed" {
		t.Errorf("%+v", r)
	}
}

// Who may start no more when his run's turn comes gets none.
func TestWhoMayNoMoreGetsNoTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.Deploy(held("q", "queue")); err != nil {
		t.Fatal(err)
	}
	var holds, waits client.ControlVerdict
	body := map[string]any{"process": "q", "objects": []string{"host:host/dev-1"}}
	w.Must("POST", "/api/v1/runs", body, &holds)
	if err := w.dev.Call(t.Context(), "POST", "/api/v1/runs", body, &waits); err != nil || waits.Verdict != "WAIT" {
		t.Fatalf("%+v, %v", waits, err)
	}
	var users client.PageOfIdentityAccount
	w.Must("GET", "/api/v1/users", nil, &users)
	i := slices.IndexFunc(users.Items, func(u client.IdentityAccount) bool { return u.Name == "dana" })
	version := map[string]string{"If-Match": fmt.Sprintf(`"%d"`, users.Items[i].Version)}
	if err := w.CallWith(t.Context(), "PATCH", "/api/v1/users/"+users.Items[i].Id,
		version, client.IdentityChange{Disabled: true}, nil); err != nil {
		t.Fatal(err)
	}
	complete(w.Platform, task(t, w.Platform, holds.Run, "Hold"), nil)
	if r := w.Ended(waits.Run); r.State != "failed" || r.Code != "identity.gone" {
		t.Errorf("%s %s", r.State, r.Code)
	}
}
