package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// toldSteps tells element, state and what matters of each step.
func toldSteps(p *platform.Platform, run string) string {
	var page client.PageOfProcessStep
	p.Must("GET", "/api/v1/runs/"+run+"/steps", nil, &page)
	var all []string
	for _, s := range page.Items {
		line := s.Element + " " + string(s.State)
		if s.Caught {
			line += " caught"
		}
		if s.Failures > 0 {
			line += strings.Repeat(" !", int(s.Failures))
		}
		if len(s.Stopped) > 0 && !s.Stopped[0].To.IsZero() {
			line += " waited"
		}
		if s.Message != "" {
			line += " (" + s.Message + ")"
		}
		all = append(all, line)
	}
	return strings.Join(all, "\n")
}

// What went wrong stands in the steps: what took too long, and the end that is an
// error.
func TestStepsTellWhatWentWrong(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	xml := strings.Replace(opened, "<process ", `<error id="err" errorCode="too-late"/><process `, 1) + `<sequenceFlow ` +
		`id="f1" sourceRef="s" targetRef="slow"/><userTask id="slow" name="Slow"/><sequenceFlow id="f2" sourceRef="slow" targetRef="e"/>
<boundaryEvent id="late" attachedToRef="slow"><timerEventDefinition>` +
		`<timeDuration>PT0.2S</timeDuration></timerEventDefinition></boundaryEvent>
<sequenceFlow id="f3" sourceRef="late" targetRef="bad"/><endEvent id="bad"><errorEventDefinition errorRef="err"/></endEvent>` + closed
	if err := p.Deploy([]byte(xml)); err != nil {
		t.Fatal(err)
	}
	run := p.Run(platform.Request{Process: "p"})
	if r := p.Ended(run); r.State != "failed" || r.Code != "too-late" {
		t.Fatalf("the run is %s %s", r.State, r.Code)
	}
	if got, want := toldSteps(p, run), "s completed\nslow timed_out caught\nlate completed\nbad failed (too-late)"; got != want {
		t.Errorf("the steps are\n%s\nwant\n%s", got, want)
	}
}

// A step that is done after it had failed is done, and tells how often it had
// failed and when it waited.
func TestAStepThatWasRepairedIsDone(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	o := &odd{}
	p.Plug(manifestOf("PT10M"), o.serve(func(w http.ResponseWriter, r *http.Request) {
		if len(o.seen()) < 2 {
			http.Error(w, "not yet", http.StatusUnprocessableEntity)
			return
		}
		echo(w, r)
	}))
	run := p.Service("odd/task/do", map[string]any{"text": "x"})
	if r := p.Ended(run); r.State != "incident" {
		t.Fatalf("the run is %s", r.State)
	}
	if got := toldSteps(p, run); !strings.Contains(got, "call incident ! (") {
		t.Errorf("the stuck step is %q", got)
	}
	p.Must("POST", "/api/v1/incidents/"+p.Incidents()[0].Key+"/retry", map[string]any{}, nil)
	p.Until(run, 10*time.Second, func(u client.Update) bool { return u.Run.State == "completed" })
	if got := toldSteps(p, run); !strings.Contains(got, "call completed ! waited\n") {
		t.Errorf("the repaired step is %q", got)
	}
	var said struct{ Items []client.ProcessDecision }
	p.Must("GET", "/api/v1/runs/"+run+"/decisions", nil, &said)
	if len(said.Items) != 1 || said.Items[0].Verb != "incident.retry" || said.Items[0].Element != "call" || said.Items[0].Who == "" {
		t.Errorf("the decisions are %+v", said.Items)
	}
}

// A step that waits for help when its run is cancelled has failed.
func TestACancelledRunSaysWhoAndWhatWasStuck(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	if err := p.Deploy([]byte(asked)); err != nil {
		t.Fatal(err)
	}
	run := p.Run(platform.Request{Process: "p", Variables: map[string]any{"exact": 9007199254740993}})
	p.Until(run, 10*time.Second, func(u client.Update) bool { return u.Run.Tasks == 1 })
	complete(p, task(t, p, run, "First"), map[string]any{"answer": 7})
	p.Until(run, 10*time.Second, func(u client.Update) bool { return u.Run.State == "incident" && u.Run.Tasks == 0 })
	p.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "the wrong day"}, nil)
	p.Until(run, 10*time.Second, func(u client.Update) bool { return u.Run.State == "cancelled" })
	if got := toldSteps(p, run); !strings.Contains(got, "g failed waited (") {
		t.Errorf("the steps are\n%s", got)
	}
	var said struct{ Items []client.ProcessDecision }
	p.Must("GET", "/api/v1/runs/"+run+"/decisions", nil, &said)
	if len(said.Items) != 2 || said.Items[0].Name != "First" || fmt.Sprint(said.Items[0].Answers["answer"]) != "7" ||
		said.Items[1].Verb != "run.cancel" || said.Items[1].Reason != "the wrong day" {
		t.Errorf("the decisions are %+v", said.Items)
	}
	// Variables stay, digit by digit.
	var vars map[string]rawText
	p.Must("GET", "/api/v1/runs/"+run+"/variables", nil, &vars)
	if vars["exact"] != "9007199254740993" || vars["answer"] != "7" {
		t.Errorf("the variables are %v", vars)
	}
}

type rawText string

func (r *rawText) UnmarshalJSON(b []byte) error {
	*r = rawText(b)
	return nil
}

// Runs are counted by state and hour, and only those that are chosen.
func TestRunsAreCounted(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	if err := p.Deploy([]byte(asked)); err != nil {
		t.Fatal(err)
	}
	waits := p.Run(platform.Request{Process: "p"})
	task(t, p, waits, "First")
	ended := p.Run(platform.Request{Process: "p"})
	p.Must("POST", "/api/v1/runs/"+ended+"/cancel", map[string]any{"reason": "no more"}, nil)
	p.Until(ended, 10*time.Second, func(u client.Update) bool { return u.Run.State == "cancelled" })
	var all, none client.ProcessSummary
	p.Must("GET", client.Query("/api/v1/runs/summary", "since", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)), nil, &all)
	if all.Total != 2 || all.States["active"] != 1 || all.States["cancelled"] != 1 || all.Waiting != 1 {
		t.Errorf("the counts are %+v", all)
	}
	sum := int64(0)
	for _, h := range all.Hours {
		if h.Hour.UTC() != h.Hour.UTC().Truncate(time.Hour) {
			t.Errorf("%s is no full hour", h.Hour)
		}
		sum += h.Runs
	}
	if sum != 2 {
		t.Errorf("the hours hold %d runs", sum)
	}
	p.Must("GET", "/api/v1/runs/summary?process=other", nil, &none)
	if none.Total != 0 || len(none.Hours) != 0 {
		t.Errorf("the counts of another process are %+v", none)
	}
}

// The run of a call says what it does to what, unless whoever asks names it.
func TestACallIsTitledByWhatItDoes(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	o := &odd{}
	p.Plug(manifestOf("PT10M"), o.serve(echo))
	for _, id := range []string{"h1", "h2"} {
		p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": id, "name": id, "address": "127.0.0.1"}}, nil)
	}
	for want, body := range map[string]map[string]any{
		"Do":            {},
		"Do on h1":      {"objects": []string{"host:host/h1"}},
		"Do on 2 hosts": {"objects": []string{"host:host/h1", "host:host/h2"}},
		"As I call it":  {"objects": []string{"host:host/h2"}, "title": "As I call it"},
	} {
		body["service"], body["variables"] = "odd/task/do", map[string]any{"text": "x"}
		var v client.ControlVerdict
		p.Must("POST", "/api/v1/calls", body, &v)
		if r := p.Ended(v.Run); r.Title != want || r.State != "completed" {
			t.Errorf("the run is %q and %s, want %q", r.Title, r.State, want)
		}
	}
}
