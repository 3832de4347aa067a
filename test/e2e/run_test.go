package e2e_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// asked waits for a person twice, with a gateway that has no way out between.
const asked = opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="first"/>
<userTask id="first" name="First"/><sequenceFlow id="f2" sourceRef="first" targetRef="g"/>
<exclusiveGateway id="g"/><sequenceFlow id="yes" sourceRef="g" targetRef="second">` +
	`<conditionExpression>=answer = "yes"</conditionExpression></sequenceFlow>
<sequenceFlow id="no" sourceRef="g" targetRef="e"><conditionExpression>=answer = "no"</conditionExpression></sequenceFlow>
<userTask id="second" name="Second"/><sequenceFlow id="f3" sourceRef="second" targetRef="e"/>` + closed

// next reads one message of a live view that begins after an id.
func next(t *testing.T, p *platform.Platform, run, after string) (id string, u client.Update) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/api/v1/runs/"+run+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.Token)
	req.Header.Set("Last-Event-ID", after)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "data":
			if err := json.Unmarshal([]byte(value), &u); err != nil {
				t.Fatal(err)
			}
			return id, u
		}
	}
	t.Fatalf("the stream ended with status %s", resp.Status)
	return "", u
}

func elements(u client.Update) string {
	var all []string
	for _, s := range u.Steps {
		all = append(all, s.Element+" "+string(s.State))
	}
	return strings.Join(all, ", ")
}

// task waits for the open task of a run and gives its key.
func task(t *testing.T, p *platform.Platform, run, name string) string {
	t.Helper()
	p.Until(run, 10*time.Second, func(u client.Update) bool {
		for _, s := range u.Steps {
			if s.Name == name && s.State == "active" {
				return true
			}
		}
		return false
	})
	var page client.PageOfWorklistTask
	p.Must("GET", "/api/v1/tasks?run="+run, nil, &page)
	if len(page.Items) != 1 || page.Items[0].Name != name {
		t.Fatalf("the tasks are %+v, want %s", page.Items, name)
	}
	return page.Items[0].Key
}

func complete(p *platform.Platform, task string, vars map[string]any) {
	p.Must("POST", "/api/v1/tasks/"+task+"/complete", map[string]any{"variables": vars}, nil)
}

func TestALiveViewResumes(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	if err := p.Deploy([]byte(asked)); err != nil {
		t.Fatal(err)
	}
	run := p.Run(platform.Request{Process: "p"})
	first := task(t, p, run, "First")
	id, u := next(t, p, run, "")
	if got := elements(u); got != "s completed, first active" {
		t.Fatalf("the first message tells of %q", got)
	}
	complete(p, first, map[string]any{"answer": "yes"})
	second := task(t, p, run, "Second")
	id, u = next(t, p, run, id)
	if got := elements(u); got != "first completed, g completed, second active" {
		t.Fatalf("the message after %s tells of %q", id, got)
	}
	complete(p, second, nil)
	_, u = next(t, p, run, id)
	if got := elements(u); got != "second completed, e completed" || u.Run.State != "completed" {
		t.Fatalf("the last message tells of %q, %s", got, u.Run.State)
	}
}

func TestAnIncidentIsRepaired(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	if err := p.Deploy([]byte(asked)); err != nil {
		t.Fatal(err)
	}
	stuck := func() (run string, i client.ProcessIncident) {
		run = p.Run(platform.Request{Process: "p"})
		complete(p, task(t, p, run, "First"), map[string]any{"answer": 7})
		p.Until(run, 10*time.Second, func(u client.Update) bool { return u.Run.State == "incident" })
		var page client.PageOfProcessIncident
		p.Must("GET", "/api/v1/incidents?run="+run, nil, &page)
		return run, page.Items[0]
	}
	t.Run("retry_with_variables", func(t *testing.T) {
		run, i := stuck()
		if i.Element != "g" || i.Kind != "condition" {
			t.Fatalf("the incident is %+v", i)
		}
		p.Must("POST", "/api/v1/incidents/"+i.Key+"/retry", map[string]any{"variables": map[string]any{"answer": "no"}}, nil)
		if r := p.Ended(run); r.State != "completed" || r.Incidents != 0 {
			t.Errorf("the run is %+v", r)
		}
	})
	t.Run("skip_by_a_flow", func(t *testing.T) {
		run, i := stuck()
		if err := p.Call(t.Context(), "POST", "/api/v1/incidents/"+i.Key+"/skip", map[string]any{"reason": ""}, nil); err == nil {
			t.Error("a step was skipped without a reason")
		}
		p.Must("POST", "/api/v1/incidents/"+i.Key+"/skip", map[string]any{"reason": "decided by hand", "flow": "no"}, nil)
		if r := p.Ended(run); r.State != "completed" {
			t.Errorf("the run is %+v", r)
		}
		if err := p.Call(t.Context(), "POST", "/api/v1/incidents/"+i.Key+"/retry", map[string]any{}, nil); err == nil {
			t.Error("an incident was repaired twice")
		}
	})
	t.Run("cancel", func(t *testing.T) {
		run, _ := stuck()
		p.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "no more"}, nil)
		p.Until(run, 10*time.Second, func(u client.Update) bool { return u.Run.State == "cancelled" })
		if n := len(p.Incidents()); n != 0 {
			t.Errorf("%d incidents are left", n)
		}
	})
	var trail client.PageOfAuditRecord
	p.Must("GET", "/api/v1/audit?limit=500", nil, &trail)
	seen := map[string]bool{}
	for _, r := range trail.Items {
		seen[r.Verb] = true
	}
	for _, verb := range []string{"process.deploy", "run.start", "task.complete", "incident.retry", "incident.skip", "run.cancel"} {
		if !seen[verb] {
			t.Errorf("the audit log has no %s", verb)
		}
	}
}

func TestRightsOnRuns(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	if err := p.Deploy([]byte(asked)); err != nil {
		t.Fatal(err)
	}
	run := p.Run(platform.Request{Process: "p"})
	key := task(t, p, run, "First")
	user := func(name string, grants ...client.IdentityGrant) *client.Client {
		p.Must("POST", "/api/v1/users", client.IdentityNewUser{Name: name, Password: "a long password", Grants: grants}, nil)
		var out client.SessionOutBody
		p.Must("POST", "/api/v1/session", client.LoginInBody{Name: name, Password: "a long password"}, &out)
		return &client.Client{URL: p.URL, Token: out.Token}
	}
	reader := user("reader", client.IdentityGrant{Permission: "run.read", Project: "default"},
		client.IdentityGrant{Permission: "task.read", Project: "default"})
	stranger := user("stranger", client.IdentityGrant{Permission: "*", Project: "other"})
	nobody := &client.Client{URL: p.URL}
	reason := map[string]any{"reason": "because"}
	for name, c := range map[string]struct {
		who          *client.Client
		method, path string
		body         any
		want         int64
	}{
		"reader_sees":           {reader, "GET", "/api/v1/runs/" + run, nil, 0},
		"reader_cannot_cancel":  {reader, "POST", "/api/v1/runs/" + run + "/cancel", reason, 403},
		"reader_cannot_answer":  {reader, "POST", "/api/v1/tasks/" + key + "/complete", map[string]any{}, 403},
		"reader_cannot_start":   {reader, "POST", "/api/v1/runs", map[string]any{"process": "p"}, 403},
		"reader_cannot_deploy":  {reader, "POST", "/api/v1/processes", nil, 403},
		"reader_cannot_stop":    {reader, "PUT", "/api/v1/stop", map[string]any{"active": true, "reason": "x"}, 403},
		"stranger_sees_nothing": {stranger, "GET", "/api/v1/runs/" + run, nil, 404},
		"stranger_steps":        {stranger, "GET", "/api/v1/runs/" + run + "/steps", nil, 404},
		"stranger_events":       {stranger, "GET", "/api/v1/runs/" + run + "/events", nil, 404},
		"stranger_cancels":      {stranger, "POST", "/api/v1/runs/" + run + "/cancel", reason, 404},
		"stranger_answers":      {stranger, "POST", "/api/v1/tasks/" + key + "/complete", map[string]any{}, 404},
		"stranger_lists":        {stranger, "GET", "/api/v1/runs?project=default", nil, 403},
		"stranger_starts":       {stranger, "POST", "/api/v1/runs", map[string]any{"process": "p"}, 403},
		"nobody":                {nobody, "GET", "/api/v1/runs/" + run, nil, 401},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.who.Call(t.Context(), c.method, c.path, c.body, nil)
			var refused *client.Error
			if got := int64(0); errors.As(err, &refused) {
				got = refused.Status
				if got != c.want {
					t.Errorf("%s %s gets %d %s, want %d", c.method, c.path, got, refused.Title, c.want)
				}
			} else if c.want != 0 || err != nil {
				t.Errorf("%s %s gets %v, want %d", c.method, c.path, err, c.want)
			}
		})
	}
	if r := p.Until(run, 5*time.Second, func(client.Update) bool { return true }); r.State != "active" {
		t.Errorf("the run is %s after all that", r.State)
	}
}
