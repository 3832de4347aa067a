package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

// answered is the whole of what a caller is told, without what differs each time: the
// names that he gave and the number of his request.
func answered(err error, names ...string) string {
	var e *client.Error
	if !errors.As(err, &e) {
		if err != nil {
			return err.Error()
		}
		return "done"
	}
	said := fmt.Sprint(e.Status, " ", e.Code, " ", e.Error())
	for _, n := range append(names, e.RequestId) {
		if n != "" {
			said = strings.ReplaceAll(said, n, "…")
		}
	}
	return said
}

// A connection that somebody may not use and one that there is not are answered the
// same, whatever names them: nobody finds out what another environment has.
func TestAnAnswerDoesNotTellWhatConnectionsThereAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.step("change", input("credential", "=through"))
	on := []string{"host:host/dev-1"}
	started := func(given any) func() error {
		return func() error {
			return w.dev.Call(t.Context(), "POST", "/api/v1/runs",
				platform.Request{Process: "p", Objects: on, Variables: map[string]any{"through": "connection/lab", "remark": given}}, nil)
		}
	}
	for name, ask := range map[string]func(connection string) func() error{
		"a-variable": func(c string) func() error { return started("connection/" + c) },
		"in-a-list":  func(c string) func() error { return started([]any{1, "connection/" + c}) },
		"a-secret": func(c string) func() error {
			return started(map[string]any{"$secret": "connection/" + c + "#password"})
		},
		"among-words": func(c string) func() error { return started("see connection/" + c + ", please") },
		"an-address":  func(c string) func() error { return started("https://example.org/connection/" + c) },
		"an-input": func(c string) func() error {
			return func() error {
				return w.dev.Call(t.Context(), "POST", "/api/v1/calls", map[string]any{"service": "odd/touch/change", "objects": on,
					"variables": map[string]any{"credential": "connection/" + c}}, nil)
			}
		},
		"a-preview": func(c string) func() error {
			return func() error {
				var p client.ProcessPreview
				err := w.dev.Call(t.Context(), "POST", "/api/v1/calls/preview", map[string]any{"service": "odd/touch/change", "objects": on,
					"variables": map[string]any{"credential": "connection/" + c}}, &p)
				if err != nil {
					return err
				}
				for _, s := range p.Door {
					if s.Name == "touch" && !s.Ok {
						return errors.New(s.Code + " " + strings.ReplaceAll(s.Reason, c, "…"))
					}
				}
				return nil
			}
		},
		"deleted": func(c string) func() error {
			return func() error { return w.dev.Call(t.Context(), "DELETE", "/api/v1/connections/"+c, nil, nil) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			told := func(connection string) string {
				err := ask(connection)()
				if coded(err, "control.locked") { // a run before it is at work yet: this one got past the names
					err = nil
				}
				return answered(err, connection)
			}
			there, absent := told("prodlab"), told("nonelab")
			if there != absent {
				t.Errorf("of one that there is:  %s\nof one that there is not: %s", there, absent)
			}
			if name == "deleted" {
				return
			}
			if own := told("lab"); own != "done" {
				t.Errorf("of one's own: %s", own)
			}
		})
	}
}

// The numbers of a summary are those of the runs that its filter selects and that the
// caller may see: the open tasks in them, too.
func TestASummaryCountsWhatItsFilterSelects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	vic := w.user("vic", "dev", "run.read", "task.read")
	ask := asks("", reading("odd/touch/change", ""))
	if err := w.Deploy([]byte(ask)); err != nil {
		t.Fatal(err)
	}
	if err := w.Deploy([]byte(strings.Replace(ask, `process id="p"`, `process id="q"`, 1))); err != nil {
		t.Fatal(err)
	}
	for _, r := range []platform.Request{{Process: "p", Objects: []string{"host:host/dev-1"}},
		{Process: "q", Objects: []string{"host:host/dev-2"}},
		{Process: "p", Objects: []string{"host:host/prod-1"}}} {
		task(t, w.Platform, w.Run(r), "Ask")
	}
	for query, want := range map[string][2]int64{"": {3, 2}, "process=p": {2, 1}, "process=q": {1, 1}, "process=none": {0, 0},
		"called=only": {0, 0}, "object=host:host/prod-1": {1, 0}, "subject=nobody": {0, 0}, "text=q": {1, 1},
		"until=2020-01-01T00:00:00Z": {0, 0}} {
		for i, c := range []*client.Client{w.Client, vic} {
			var s client.ProcessSummary
			if err := c.Call(t.Context(), "GET", "/api/v1/runs/summary?"+query, nil, &s); err != nil {
				t.Fatal(query, err)
			}
			if s.Waiting != want[i] || s.Total < want[i] {
				t.Errorf("%q: %d tasks in %d runs, want %d", query, s.Waiting, s.Total, want[i])
			}
		}
	}
}

// grant makes a user with rights of several environments and roles, and logs in.
func (w *world) grant(name string, grants []client.IdentityGrant, roles ...client.IdentityMembership) *client.Client {
	w.t.Helper()
	w.Must("POST", "/api/v1/users",
		client.IdentityNewUser{Name: name, Password: "a long password", Grants: grants, Roles: roles}, nil)
	var out client.SessionOutBody
	w.Must("POST", "/api/v1/session", client.LoginInBody{Name: name, Password: "a long password"}, &out)
	return &client.Client{URL: w.URL, Token: out.Token}
}

func rights(environment string, permissions ...string) (all []client.IdentityGrant) {
	for _, p := range permissions {
		all = append(all, client.IdentityGrant{Permission: p, Project: "default", Environment: environment})
	}
	return all
}

// of gives the task of a run as a client finds it among those of the run.
func (w *world) of(c *client.Client, run string) (all []client.WorklistTask) {
	w.t.Helper()
	var page client.PageOfWorklistTask
	if err := c.Call(w.t.Context(), "GET", "/api/v1/tasks?run="+run, nil, &page); err != nil {
		w.t.Fatal(err)
	}
	return page.Items
}

// A task is passed on to somebody who may see its run and complete tasks on what that
// acts on, and taken by such alone.
func TestATaskGoesToWhoMayDoIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.Deploy([]byte(asks("", reading("odd/touch/change", "")))); err != nil {
		t.Fatal(err)
	}
	run := w.Run(platform.Request{Process: "p", Objects: []string{"host:host/prod-1"}})
	key := task(t, w.Platform, run, "Ask")
	w.grant("blind", rights("dev", "task.read", "task.complete"))
	half := w.grant("half", append(rights("*", "task.read"), rights("dev", "task.complete")...))
	w.grant("reader", rights("*", "task.read"))
	able := w.grant("able", rights("prod", "task.read", "task.complete"))
	for name, want := range map[string]struct{ code, says string }{
		"blind":  {"task.delegate_right", "blind has not the right task.read"},
		"half":   {"task.delegate_right", "half has not the right task.complete"},
		"reader": {"task.delegate", "nobody called"}, "nobody": {"task.delegate", "nobody called"},
	} {
		err := w.Call(t.Context(), "POST", "/api/v1/tasks/"+key+"/delegate", map[string]any{"to": name}, nil)
		w.refusedAs(err, 422, want.code, want.says)
	}
	for _, verb := range []string{"claim", "release", "complete"} {
		err := half.Call(t.Context(), "POST", "/api/v1/tasks/"+key+"/"+verb, map[string]any{}, nil)
		if verb != "complete" {
			err = half.Call(t.Context(), "POST", "/api/v1/tasks/"+key+"/"+verb, nil, nil)
		}
		if err == nil || coded(err, "task.not_claimed") {
			t.Errorf("who may not complete it may %s it: %v", verb, err)
		}
	}
	if got := w.of(w.Client, run); len(got) != 1 || got[0].Assignee != "" || got[0].Nobody {
		t.Errorf("%+v", got)
	}
	w.Must("POST", "/api/v1/tasks/"+key+"/delegate", map[string]any{"to": "able"}, nil)
	if err := able.Call(t.Context(), "POST", "/api/v1/tasks/"+key+"/complete", map[string]any{}, nil); err != nil {
		t.Error(err)
	}
}

// Who has a role in one environment is not asked as one of it in another; where nobody
// who is asked may do a task, those who look at its run are told.
func TestARoleAsksWhereItIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := asks("", reading("odd/touch/change", ""))
	asked := strings.Replace(ask, "<zeebe:userTask/>", `<zeebe:userTask/><zeebe:assignmentDefinition candidateGroups="crew"/>`, 1)
	if err := w.Deploy([]byte(asked)); err != nil || asked == ask {
		t.Fatal(err)
	}
	w.Must("PUT", "/api/v1/roles/crew", map[string]any{"permissions": []string{"task.read"}}, nil)
	in := func(environment string) client.IdentityMembership {
		return client.IdentityMembership{Role: "crew", Project: "default", Environment: environment}
	}
	ed := w.grant("ed", rights("*", "task.read", "task.complete"), in("dev"))
	run := func(object string) (string, string) {
		r := w.Run(platform.Request{Process: "p", Objects: []string{object}})
		return r, task(t, w.Platform, r, "Ask")
	}
	far, prod := run("host:host/prod-1")
	near, dev := run("host:host/dev-1")
	for _, verb := range []string{"claim", "complete"} {
		var body any
		if verb == "complete" {
			body = map[string]any{}
		}
		err := ed.Call(t.Context(), "POST", "/api/v1/tasks/"+prod+"/"+verb, body, nil)
		w.refusedAs(err, 403, "task.not_asked", "crew")
		if err := ed.Call(t.Context(), "POST", "/api/v1/tasks/"+dev+"/"+verb, body, nil); err != nil {
			t.Errorf("where he has the role: %s: %v", verb, err)
		}
	}
	if got := w.of(w.Client, far); len(got) != 1 || !got[0].Nobody {
		t.Errorf("nobody who is asked may do it, and that is not told: %+v", got)
	}
	if got := w.of(w.Client, near); len(got) > 0 {
		t.Errorf("%+v", got)
	}
	w.grant("flo", rights("prod", "task.read", "task.complete"), in("prod"))
	if got := w.of(w.Client, far); len(got) != 1 || got[0].Nobody {
		t.Errorf("one who is asked may do it: %+v", got)
	}
}

// Who holds an object is told to those who may see the object; which run that is, and
// whose, to those who may see that run. Every answer says the same.
func TestARunOutOfSightHoldsWithoutAName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for id, busy := range map[string]string{"strict": "reject", "line": "queue"} {
		if err := w.Deploy(held(id, busy)); err != nil {
			t.Fatal(err)
		}
	}
	holds := w.Run(platform.Request{Process: "strict", Objects: []string{"host:host/prod-1", "host:host/dev-1"}})
	looks := w.grant("looks", append(rights("*", "object.read"), rights("prod", "run.read")...))
	body := func(process string) map[string]any {
		return map[string]any{"process": process, "objects": []string{"host:host/dev-1"}}
	}
	var waits client.ControlVerdict
	if err := w.dev.Call(t.Context(), "POST", "/api/v1/runs", body("line"), &waits); err != nil || waits.Verdict != "WAIT" {
		t.Fatalf("%+v, %v", waits, err)
	}
	said := func(c *client.Client) map[string]string {
		all := map[string]string{}
		for name, path := range map[string]string{"locks": "/locks?object=host:host/dev-1", "line": "/waiting", "verdicts": "/verdicts",
			"verdict": "/verdicts?run=" + waits.Run} {
			var raw json.RawMessage
			if err := c.Call(t.Context(), "GET", "/api/v1"+path, nil, &raw); err != nil {
				t.Fatal(path, err)
			}
			all[name] = string(raw)
		}
		for _, path := range []string{"/runs", "/runs/preview"} {
			var raw json.RawMessage
			err := c.Call(t.Context(), "POST", "/api/v1"+path, body("strict"), &raw)
			all[path] = string(raw) + answered(err)
			raw = nil
			if err = c.Call(t.Context(), "POST", "/api/v1/runs/preview", body("line"), &raw); err != nil {
				t.Fatal(err)
			}
			all[path+" in line"] = string(raw)
		}
		err := c.Call(t.Context(), "PATCH", "/api/v1/objects/host:host", []map[string]any{{"id": "dev-1", "user": "x"}}, nil)
		all["edit"] = answered(err)
		return all
	}
	for where, text := range said(w.dev) {
		if strings.Contains(text, holds) || strings.Contains(text, "by admin") {
			t.Errorf("%s names the run that dana may not see: %s", where, text)
		}
		if !strings.Contains(text, "host:host/dev-1") {
			t.Errorf("%s does not tell that dev-1 is held: %s", where, text)
		}
	}
	for where, text := range said(w.Client) {
		if !strings.Contains(text, holds) {
			t.Errorf("%s does not name it to who may see it: %s", where, text)
		}
	}
	for c, want := range map[*client.Client]string{looks: "dev-1 prod-1", w.dev: "dev-1"} {
		var got []string
		for _, o := range []string{"dev-1", "prod-1"} {
			var l struct {
				Held bool
				Lock client.ControlLock
			}
			if err := c.Call(t.Context(), "GET", "/api/v1/locks?object=host:host/"+o, nil, &l); err != nil {
				t.Fatal(err)
			}
			if l.Held && l.Lock.Run == "" && l.Lock.Subject == "" && !l.Lock.Since.IsZero() {
				got = append(got, o)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("held by a run without a name are %v, want %s", got, want)
		}
	}
}

// What a plugin says under the key of a call counts for the rows of that call alone: of
// others nothing is kept, and it is told so.
func TestAPluginSpeaksForTheRowsOfItsCall(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	o, keys, token := &odd{}, make(chan string, 4), ""
	p.Plug(manifestOf("PT10M"), func(issued string) http.Handler {
		token = issued
		return o.serve(func(w http.ResponseWriter, r *http.Request) {
			keys <- r.Header.Get("Idempotency-Key")
			w.WriteHeader(http.StatusAccepted)
		})(issued)
	})
	for _, id := range []string{"h1", "h2"} {
		p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": id, "name": id, "address": "127.0.0.1"}}, nil)
	}
	own := p.Service("odd/task/do", map[string]any{"text": "x"}, "host:host/h1")
	key := <-keys
	other := p.Service("odd/task/do", map[string]any{"text": "x"}, "host:host/h2")
	<-keys
	job, _, _ := strings.Cut(key, ".")
	plugin := client.Client{URL: p.URL, Token: token}
	say := func(what string, body any) error {
		return plugin.Call(t.Context(), "POST", "/api/v1/jobs/"+key+"/"+what, body, nil)
	}
	for _, strange := range []string{"host:host/h2", "host:host/nowhere", "h1", ""} {
		err := say("log", wire.LogBatch{Chunks: []wire.LogChunk{{Row: strange, Bytes: []byte("forged\n")}}})
		if !isCode(err, 422, "dispatch.foreign_row") {
			t.Errorf("output of %q: %v", strange, err)
		}
		if err := say("progress", wire.Progress{Row: strange, Percent: 70}); !isCode(err, 422, "dispatch.foreign_row") {
			t.Errorf("progress of %q: %v", strange, err)
		}
		if got := outputText(t, p, job, strange); strings.Contains(got, "forged") {
			t.Errorf("of %q is kept %q", strange, got)
		}
	}
	err := say("log", wire.LogBatch{Chunks: []wire.LogChunk{{Row: "host:host/h2", Bytes: []byte("forged\n")},
		{Row: "host:host/h1", Bytes: []byte("true\n")}}})
	if got := outputText(t, p, job, "host:host/h1"); !isCode(err, 422, "dispatch.foreign_row") || got != "true\n" {
		t.Errorf("of its own beside another is kept %q: %v", got, err)
	}
	if jobs := p.Jobs(own); len(jobs) != 1 || len(jobs[0].Progress) > 0 {
		t.Errorf("%+v", jobs)
	}
	err = say("result", json.RawMessage(`{"resultCode":"0","results":{"outputs":[`+
		`{"callbackParameter":"host:host/h2","errorCode":"0","answer":"forged"},`+
		`{"callbackParameter":"host:host/h1","errorCode":"0","answer":"true"}]}}`))
	if r := p.Ended(own); !isCode(err, 422, "dispatch.foreign_row") || r.State != "completed" {
		t.Errorf("%s: %v", r.State, err)
	}
	if rows := p.Jobs(own)[0].Rows; len(rows) != 1 || fmt.Sprint(rows[0].Outputs["answer"]) != "true" {
		t.Errorf("%+v", rows)
	}
	if rows := p.Jobs(other)[0].Rows; len(rows) != 1 || rows[0].Outcome != "" {
		t.Errorf("the row of another call: %+v", rows)
	}
}

// Who said what of a job is on record: the account, the token and the name of the
// worker, be it done, failed or ended with an error.
func TestWhoDidAJobIsOnRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.Deploy([]byte(working)); err != nil {
		t.Fatal(err)
	}
	session := w.grant("hand", rights("*", "job.work"))
	var made struct{ ID, Token string }
	if err := session.Call(t.Context(), "POST", "/api/v1/tokens", map[string]any{"name": "w", "days": 2, "scope": []string{"job.work"}},
		&made); err != nil {
		t.Fatal(err)
	}
	worker := &client.Client{URL: w.URL, Token: made.Token}
	for verb, body := range map[string]map[string]any{"complete": {"variables": map[string]any{"y": 1}},
		"fail": {"message": "no brush", "retries": 0}, "error": {"code": "dry", "message": "no paint"}} {
		run := w.Run(platform.Request{Process: "p"})
		j := one(t, worker, "brush-7", map[string]any{"wait": 10})
		if err := says(worker, j, verb, body); err != nil {
			t.Fatal(verb, err)
		}
		var page client.PageOfAuditRecord
		w.Must("GET", "/api/v1/audit?object=job/"+j.Key, nil, &page)
		if len(page.Items) != 1 || page.Items[0].SubjectName != "hand" || page.Items[0].Verb != "job."+verb {
			t.Fatalf("%s: %+v", verb, page.Items)
		}
		said := fmt.Sprint(page.Items[0].Detail)
		for _, want := range []string{run, "brush-7", made.ID} {
			if !strings.Contains(said, want) {
				t.Errorf("the record of %s does not have %s: %s", verb, want, said)
			}
		}
		var all struct{ Items []client.ProcessDecision }
		w.Must("GET", "/api/v1/runs/"+run+"/decisions", nil, &all)
		if len(all.Items) != 1 || all.Items[0].Who != "hand" || all.Items[0].Worker != "brush-7" || all.Items[0].Token != made.ID ||
			string(all.Items[0].Verb) != "job."+verb {
			t.Errorf("%s: %+v", verb, all.Items)
		}
	}
}
