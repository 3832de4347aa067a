package trust_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sextant/internal/config"
	"sextant/sdk/go/wire"
)

func TestRights(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.person(t, "viewer", "viewer", "default")
	h.person(t, "operator", "operator", "default")
	h.person(t, "other", "operator", "other")
	h.person(t, "auditor", "auditor", "default")
	run := h.waiting(t)
	h.must(t,
		request{method: "PUT", path: "/api/v1/connections/lab", token: h.admin,
			body: map[string]any{"type": "http", "secrets": map[string]any{"password": canary}}}, nil)
	viewer, other := h.tokens["viewer"], h.tokens["other"]
	proves(t, "D-02 a suffix that is public elsewhere opens nothing", func(t *testing.T) {
		for _, suffix := range []string{"/health-check", "/healthz", ".css", ".js", "/x.css", ";healthz", "/swagger", "/public", "/docs"} {
			for _, path := range []string{"/api/v1/users", "/api/v1/me", "/api/v1/connections"} {
				if a := h.ask(t, request{method: "GET", path: path + suffix}); a.status != 401 && a.status != 404 && a.status != 405 {
					t.Errorf("%s%s: %d %s", path, suffix, a.status, a.body)
				}
			}
		}
	})
	proves(t, "D-03 names of roles that look like others are refused", func(t *testing.T) {
		h.unchanged(t, func() {
			for _, name := range []string{"XSUB_SYSTEMX", "admin,viewer", "ADMIN", "admin%20", "Admin"} {
				h.wants(t,
					request{method: "PUT", path: "/api/v1/roles/" + name, token: h.admin,
						body: map[string]any{"permissions": []string{"run.read"}}}, 422, "role.name")
			}
			h.wants(t,
				request{method: "POST", path: "/api/v1/users", token: h.admin,
					body: map[string]any{"name": "x", "password": adminPass,
						"roles": []any{map[string]any{"role": "ADMIN", "project": "*"}}}}, 422, "role.not_found")
		})
	})
	proves(t, "D-04 no header or parameter makes a method another one", func(t *testing.T) {
		h.unchanged(t, func() {
			for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
				h.wants(t, request{method: "POST", path: "/api/v1/connections/lab", token: h.admin, header: []string{name, "DELETE"}}, 405,
					"request.method")
				h.wants(t, request{method: "GET", path: "/api/v1/me", token: viewer, header: []string{name, "DELETE"}}, 200, "")
			}
			h.wants(t, request{method: "GET", path: "/api/v1/connections?_method=DELETE", token: h.admin}, 422, "request.invalid")
			h.wants(t, request{method: "PATCH", path: "/api/v1/connections/lab", token: h.admin}, 405, "request.method")
			h.wants(t, request{method: "HEAD", path: "/api/v1/connections", token: other}, 403, "")
		})
	})
	proves(t, "D-06 no setting turns log-in or rights off", func(t *testing.T) {
		l, err := config.Load("", map[string]any{"data": t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range l.Items {
			for _, word := range []string{"auth", "anonym", "guest", "login", "permission", "disable"} {
				if strings.Contains(i.Key, word) {
					t.Errorf("there is a setting %s", i.Key)
				}
			}
		}
		for _, key := range []string{"auth.enabled", "disable_auth", "anonymous"} {
			if _, err := config.Load("", map[string]any{key: "false"}); err == nil {
				t.Errorf("the setting %s is taken", key)
			}
		}
	})
	proves(t, "D-07 what belongs to another project is as absent as what is nowhere", func(t *testing.T) {
		for _, c := range []struct{ method, path string }{
			{"GET", "/api/v1/runs/%s"}, {"GET", "/api/v1/runs/%s/steps"}, {"GET", "/api/v1/runs/%s/variables"},
			{"GET", "/api/v1/runs/%s/jobs"}, {"GET", "/api/v1/runs/%s/events"}, {"POST", "/api/v1/runs/%s/cancel"},
		} {
			none := strings.Repeat("7", len(run))
			ask := func(key string) answer {
				return h.ask(t,
					request{method: c.method, path: fmt.Sprintf(c.path, key), token: other, body: map[string]any{"reason": "because"}})
			}
			foreign, absent := ask(run), ask(none)
			clean := func(a answer, key string) string {
				return strings.ReplaceAll(strings.ReplaceAll(a.body, a.header.Get("X-Request-Id"), ""), key, "KEY")
			}
			if foreign.status != 404 || absent.status != 404 || clean(foreign, run) != clean(absent, none) {
				t.Errorf("%s: %d %s, where nothing is %d %s", c.path, foreign.status, foreign.body, absent.status, absent.body)
			}
		}
		h.wants(t, request{method: "GET", path: "/api/v1/runs/" + run, token: viewer}, 200, "")
	})
	proves(t, "D-08 filters of lists widen nothing", func(t *testing.T) {
		for _, list := range []string{"runs", "processes", "connections", "incidents", "tasks", "verdicts"} {
			for _, filter := range []string{"scope=all", "user=admin", "team=*", "includeDeleted=true", "all=1"} {
				h.wants(t, request{method: "GET", path: "/api/v1/" + list + "?" + filter, token: other}, 422, "request.invalid")
			}
			for _, project := range []string{"default", "*", "%2a", "DEFAULT"} {
				a := h.ask(t, request{method: "GET", path: "/api/v1/" + list + "?project=" + project, token: other})
				if a.status != 403 {
					t.Errorf("%s of %s: %d %s", list, project, a.status, a.body)
				}
			}
			h.wants(t, request{method: "GET", path: "/api/v1/" + list + "?project=other&project=default", token: other}, 400,
				"request.query")
		}
	})
	proves(t, "D-10 fields that are not the client's to set are refused", func(t *testing.T) {
		h.unchanged(t, func() {
			for _, field := range []string{`"id":"x"`, `"version":9`, `"created":"2020-01-01T00:00:00Z"`, `"ownerId":"x"`,
				`"approved":true`, `"state":"active"`, `"createdBy":"admin"`, `"ROLE":"admin"`, `"Roles":[]`,
				`"PASSWORD":"another long one"`} {
				h.wants(t,
					request{method: "POST", path: "/api/v1/users", token: h.admin,
						body: `{"name":"eve","password":"` + adminPass + `",` + field + `}`}, 422, "request.invalid")
			}
			for _, field := range []string{`"state":"completed"`, `"source":"system"`, `"requester":"admin"`, `"approved":true`,
				`"key":"1"`, `"Process":"q"`} {
				h.wants(t,
					request{method: "POST", path: "/api/v1/runs", token: h.tokens["operator"], body: `{"process":"p",` + field + `}`}, 422,
					"request.invalid")
			}
			h.wants(t, request{method: "POST", path: "/api/v1/runs", token: h.tokens["operator"], body: `{"process":"p","process":"q"}`},
				400, "request.malformed")
		})
	})
	proves(t, "D-12 who may not start a run cannot do so by a way around", func(t *testing.T) {
		h.unchanged(t, func() {
			for _, q := range []request{
				{method: "POST", path: "/api/v1/runs", body: map[string]any{"process": "p"}},
				{method: "POST", path: "/api/v1/runs/preview", body: map[string]any{"process": "p"}},
				{method: "POST", path: "/api/v1/calls", body: map[string]any{"service": "host/wait/http"}},
				{method: "POST", path: "/api/v1/calls/preview", body: map[string]any{"service": "host/wait/http"}},
				{method: "POST", path: "/api/v1/incidents/1/retry", body: map[string]any{}},
				{method: "POST", path: "/api/v1/incidents/1/skip", body: map[string]any{"reason": "x"}},
				{method: "POST", path: "/api/v1/runs/" + run + "/cancel", body: map[string]any{"reason": "x"}},
				{method: "POST", path: "/api/v1/tasks/1/complete", body: map[string]any{}},
				{method: "POST", path: "/api/v1/objects/host:host", body: []any{}},
				{method: "PUT", path: "/api/v1/settings/x", body: map[string]any{"value": "1"}},
				{method: "PUT", path: "/api/v1/stop", body: map[string]any{"active": false, "reason": "x"}},
				{method: "PUT", path: "/api/v1/plugins/x", body: map[string]any{"url": "http://127.0.0.1:1"}},
			} {
				q.token = viewer
				h.wants(t, q, 403, "identity.forbidden")
			}
			h.wants(t,
				request{method: "POST", path: "/api/v1/processes", token: viewer, body: waits,
					header: []string{"Content-Type", "", "Content-Type", "application/xml"}}, 403, "identity.forbidden")
		})
	})
	proves(t, "N-06 the audit log is for auditors, and for nobody to change", func(t *testing.T) {
		h.wants(t, request{method: "GET", path: "/api/v1/audit", token: viewer}, 403, "identity.forbidden")
		h.wants(t, request{method: "GET", path: "/api/v1/audit?project=default", token: other}, 403, "identity.forbidden")
		h.wants(t, request{method: "GET", path: "/api/v1/audit", token: h.tokens["auditor"]}, 200, "")
		h.unchanged(t, func() {
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
				for _, token := range []string{h.tokens["auditor"], h.admin} {
					h.wants(t, request{method: method, path: "/api/v1/audit", token: token, body: map[string]any{}}, 405, "request.method")
				}
			}
		})
	})
	proves(t, "S-03 what is only to be read is not to be written", func(t *testing.T) {
		id := h.ids["viewer"]
		h.unchanged(t, func() {
			for _, field := range []string{"id", "name", "version", "created", "password", "proved", "origin"} {
				h.wants(t,
					request{method: "PATCH", path: "/api/v1/users/" + id, token: h.admin, header: []string{"If-Match", `"1"`},
						body: map[string]any{field: "x"}}, 422, "request.invalid")
			}
			for _, field := range []string{"name", "version", "project", "updated", "sealed"} {
				h.wants(t,
					request{method: "PUT", path: "/api/v1/connections/lab", token: h.admin,
						body: map[string]any{"type": "http", field: "x"}}, 422, "request.invalid")
			}
		})
	})
}

// A plugin answers for its own jobs alone.
func TestForeignJobs(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	proves(t, "D-16 a plugin that answers for another's job changes nothing", func(t *testing.T) {
		keys, carried := make(chan string, 1), make(chan string, 1)
		m := wire.Manifest{Plugin: "slow", Version: "1.0.0", Title: wire.Text{"en": "Slow", "zh": "慢"}, Run: &wire.Run{Builtin: true},
			Services: []wire.Service{{Name: "task", Title: wire.Text{"en": "Task", "zh": "工作"},
				Actions: []wire.Action{{Action: "do", Title: wire.Text{"en": "Do", "zh": "做"}, Path: "/do", Method: "POST",
					Timeout: "PT10M",
					Risk:    wire.RiskChange, Idempotent: true}}}}}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /manifest", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(wire.Raw(m)) })
		mux.HandleFunc("POST /do", func(w http.ResponseWriter, r *http.Request) {
			carried <- fmt.Sprint(r.Header)
			keys <- r.Header.Get("Idempotency-Key")
			w.WriteHeader(http.StatusAccepted)
		})
		s := httptest.NewServer(mux)
		t.Cleanup(s.Close)
		var mine, foreign struct{ Token string }
		h.must(t, request{method: "POST", path: "/api/v1/plugins/slow/token", token: h.admin}, &mine)
		h.must(t, request{method: "POST", path: "/api/v1/plugins/thief/token", token: h.admin}, &foreign)
		h.must(t, request{method: "PUT", path: "/api/v1/plugins/slow", token: h.admin, body: map[string]any{"url": s.URL}}, nil)
		h.must(t,
			request{method: "POST", path: "/api/v1/calls", token: h.admin,
				body: map[string]any{"service": "slow/task/do", "objects": []string{}, "variables": map[string]any{}}}, nil)
		key := <-keys
		result := map[string]any{"resultCode": "0",
			"results": map[string]any{"outputs": []any{map[string]any{"callbackParameter": "run", "errorCode": "0"}}}}
		for suffix, body := range map[string]any{"result": result,
			"progress": map[string]any{"callbackParameter": "run", "done": 1, "total": 2},
			"log":      map[string]any{"pieces": []any{map[string]any{"callbackParameter": "run", "offset": 0, "text": "x"}}}} {
			a := h.ask(t, request{method: "POST", path: "/api/v1/jobs/" + key + "/" + suffix, token: foreign.Token, body: body})
			absent := h.ask(t, request{method: "POST", path: "/api/v1/jobs/9/" + suffix, token: foreign.Token, body: body})
			if a.status != 404 && (a.status != absent.status || a.code != absent.code) || a.status < 400 {
				t.Errorf("%s: %d %s %s, for none %d %s", suffix, a.status, a.code, a.body, absent.status, absent.code)
			}
		}
		h.wants(t, request{method: "POST", path: "/api/v1/jobs/" + key + "/result", token: mine.Token, body: result}, 204, "")
		proves(t, "J-07 a call carries the plugin's own token and nobody else's", func(t *testing.T) {
			if head := <-carried; !strings.Contains(head, "Bearer "+mine.Token) || strings.Contains(head, h.admin) ||
				strings.Contains(head, foreign.Token) || strings.Contains(head, "Cookie") {
				t.Errorf("it carries %s", head)
			}
		})
	})
}
