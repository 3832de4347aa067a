package e2e_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

// toucher is a plugin that acts on hosts and writes down what reached it.
type toucher struct {
	mu   sync.Mutex
	rows []wire.Row
	// hold keeps calls until the test lets them go.
	hold chan struct{}
	fail bool
}

func touchManifest() wire.Manifest {
	title := wire.Text{"en": "Touch", "zh": "触碰"}
	action := func(name, risk string, locks ...wire.Lock) wire.Action {
		return wire.Action{Action: name, Title: title, Path: "/v1/touch/" + name,
			Method: "POST", Target: "host:host", Batch: 50, Timeout: "PT10M", Risk: risk, Idempotent: true, Cancel: true, Locks: locks,
			Input: []wire.Param{{Name: "address", Type: wire.TypeString, Required: true, From: "path", Expr: ".address"},
				{Name: "credential", Type: wire.TypeConnection, Secret: true},
				{Name: "env", Type: wire.TypeObject, Secret: true}, {Name: "note", Type: wire.TypeList}},
			Output: []wire.Param{{Name: "state", Type: wire.TypeString, To: ".state@observed"}}}
	}
	peek := action("peek", wire.RiskRead) // it holds nothing, so that it writes nothing to what others hold
	peek.Output = []wire.Param{{Name: "state", Type: wire.TypeString}}
	return wire.Manifest{Plugin: "odd", Version: "1.0.0", Title: title, Run: &wire.Run{Builtin: true},
		Services: []wire.Service{{Name: "touch", Title: title, Actions: []wire.Action{
			action("change", wire.RiskChange, wire.Lock{Mode: "exclusive", On: "target"}),
			action("look", wire.RiskRead, wire.Lock{Mode: "shared", On: "target"}), peek}}}}
}

func (x *toucher) serve(string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req wire.Request
		if strings.HasSuffix(r.URL.Path, "/cancel") || json.NewDecoder(r.Body).Decode(&req) != nil {
			return
		}
		x.mu.Lock()
		x.rows = append(x.rows, req.Inputs...)
		hold := x.hold
		x.mu.Unlock()
		if hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
				return
			}
		}
		resp := wire.Response{ResultCode: "0"}
		for _, in := range req.Inputs {
			code := "0"
			if x.fail {
				code = "broken"
			}
			resp.Results.Outputs = append(resp.Results.Outputs,
				wire.Row{"callbackParameter": in["callbackParameter"], "errorCode": wire.Raw(code), "state": wire.Raw("up")})
		}
		_, _ = w.Write(wire.Raw(resp))
	})
}

func (x *toucher) seen() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return string(wire.Raw(x.rows))
}

// world is a platform with units in dev and prod, each on hosts, and a user who
// has rights in dev alone.
type world struct {
	*platform.Platform
	t   *testing.T
	x   *toucher
	dev *client.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Platform: platform.Start(t, nil), t: t, x: &toucher{}}
	w.Plug(touchManifest(), w.x.serve)
	defined := w.Service("cmdb/types/define", map[string]any{"types": []wire.ObjectType{{Type: "box",
		Display: "name", Paging: true, Scope: &wire.ObjectScope{Project: "project", Environment: "environment"}, Attributes: []wire.Attribute{
			{Name: "name", Type: wire.TypeString}, {Name: "project", Type: wire.TypeString}, {Name: "environment", Type: wire.TypeString},
			{Name: "hosts", Type: wire.TypeMultiRef, To: "host:host"}, {Name: "host", Type: wire.TypeRef, To: "host:host"}}}}})
	if r := w.Ended(defined); r.State != "completed" {
		t.Fatalf("%s: %+v", r.State, w.Incidents())
	}
	for _, h := range []string{"dev-1", "dev-2", "prod-1"} {
		env, _, _ := strings.Cut(h, "-")
		w.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": h, "name": h, "address": "192.0.2.1", "environment": env}}, nil)
	}
	w.box("mixed", "dev", "dev-1", "prod-1")
	w.box("clean", "dev", "dev-1", "dev-2")
	w.box("twin", "dev", "dev-2", "dev-1")
	for name, env := range map[string]string{"lab": "dev", "prodlab": "prod"} {
		w.Must("PUT", "/api/v1/connections/"+name, client.SettingInput{
			Type: "ssh", Environment: env, Fields: map[string]any{"user": "u"}, Secrets: map[string]string{"password": "secret-of-" + name}}, nil)
	}
	w.dev = w.user("dana", "dev", "run.*", "object.*", "process.*", "task.*", "connection.*", "plugin.read", "blob.*")
	return w
}

func (w *world) box(id, env string, hosts ...string) {
	w.t.Helper()
	w.Must("POST", "/api/v1/objects/cmdb:box",
		[]map[string]any{{"id": id, "name": id, "environment": env, "hosts": hosts, "host": hosts[len(hosts)-1]}}, nil)
}

// user makes a user with permissions in an environment; those on processes,
// plugins and files hold for the whole project.
func (w *world) user(name, env string, permissions ...string) *client.Client {
	w.t.Helper()
	var grants []client.IdentityGrant
	for _, p := range permissions {
		env := env
		if domain, _, _ := strings.Cut(p, "."); domain == "process" || domain == "plugin" || domain == "blob" {
			env = "*"
		}
		grants = append(grants, client.IdentityGrant{Permission: p, Project: "default", Environment: env})
	}
	w.Must("POST", "/api/v1/users", client.IdentityNewUser{Name: name, Password: "a long password", Grants: grants}, nil)
	var out client.SessionOutBody
	w.Must("POST", "/api/v1/session", client.LoginInBody{Name: name, Password: "a long password"}, &out)
	return &client.Client{URL: w.URL, Token: out.Token}
}

// step is a process of one step; inside is what the step is made of.
func (w *world) step(action, inside string) {
	w.t.Helper()
	xml := opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="w"/><sequenceFlow id="f2" sourceRef="w" targetRef="e"/>` +
		`<serviceTask id="w" name="Work"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/` +
		action + `"/>` + inside + `</extensionElements></serviceTask>` + closed
	if err := w.Deploy([]byte(xml)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) start(c *client.Client, objects ...string) (string, error) {
	var v client.ControlVerdict
	err := c.Call(w.t.Context(), "POST", "/api/v1/runs", platform.Request{Process: "p", Objects: objects}, &v)
	return v.Run, err
}

// refusedAs checks how a request was refused.
func (w *world) refusedAs(err error, status int64, code string, says ...string) {
	w.t.Helper()
	var e *client.Error
	if !errors.As(err, &e) || e.Status != status || e.Code != code {
		w.t.Fatalf("got %v, want %d %s", err, status, code)
	}
	for _, text := range says {
		if !strings.Contains(e.Error(), text) {
			w.t.Errorf("it does not tell %q: %v", text, e)
		}
	}
}

// A run reaches only what its requester may: rows behind a reference, what is
// read on a path, the host behind a row, and what it writes back to.
func TestARunReachesNoFurtherThanItsRequester(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ action, inside string }{
		"rows-behind-a-reference": {"change", `<sextant:bind path=".hosts&gt;host:host"/>`},
		"what-is-read-on-a-path": {"change", `<sextant:bind path=".hosts&gt;host:host{environment eq 'dev'}"/>` +
			`<sextant:input name="note" from="path" value="host:host~(hosts)cmdb:box.hosts&gt;host:host.name"/>`},
		"the-host-behind-a-row":    {"change", `<sextant:input name="address" from="path" value=".host&gt;host:host.address"/>`},
		"only-looking":             {"look", `<sextant:bind path=".hosts&gt;host:host"/>`},
		"looking-without-any-lock": {"peek", `<sextant:bind path=".hosts&gt;host:host"/>`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.step(c.action, c.inside)
			_, err := w.start(w.dev, "cmdb:box/mixed")
			w.refusedAs(err, 403, "object.right", "host:host/prod-1", "prod")
			if got := w.x.seen(); got != "null" {
				t.Errorf("the plugin was called: %s", got)
			}
			// The preview says the same.
			var p client.ProcessPreview
			if err := w.dev.Call(t.Context(), "POST", "/api/v1/runs/preview",
				platform.Request{Process: "p", Objects: []string{"cmdb:box/mixed"}}, &p); err != nil {
				t.Fatal(err)
			}
			if len(p.Steps) != 1 || !strings.Contains(p.Steps[0].Problem, "host:host/prod-1") {
				t.Errorf("the preview says %+v", p)
			}
			// Who may do more does it; and what is in reach is done.
			run, err := w.start(w.Client, "cmdb:box/mixed")
			if err != nil {
				t.Fatal(err)
			}
			if r := w.Ended(run); r.State != "completed" {
				t.Errorf("the administrator's run is %s: %+v", r.State, w.Incidents())
			}
			if name == "what-is-read-on-a-path" {
				return // dev-1 is in both boxes
			}
			if run, err = w.start(w.dev, "cmdb:box/clean"); err != nil {
				t.Fatal(err)
			}
			if r := w.Ended(run); r.State != "completed" {
				t.Errorf("the run in dev is %s: %+v", r.State, w.Incidents())
			}
		})
	}
}

// What changes between admission and step is judged again when it is found.
func TestRowsThatCameLaterAreJudgedToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	xml := opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="a"/><userTask id="a" name="Wait">` +
		`<extensionElements><zeebe:userTask/></extensionElements></userTask><sequenceFlow id="f2" sourceRef="a" targetRef="w"/>` +
		`<sequenceFlow id="f3" sourceRef="w" targetRef="e"/><serviceTask id="w"><extensionElements><zeebe:taskDefinition ` +
		`type="plugin:odd/touch/change"/><sextant:bind path=".hosts&gt;host:host"/></extensionElements></serviceTask>` + closed
	if err := w.Deploy([]byte(xml)); err != nil {
		t.Fatal(err)
	}
	run, err := w.start(w.dev, "cmdb:box/clean")
	if err != nil {
		t.Fatal(err)
	}
	// The administrator moves a host of the box to prod meanwhile, with a reason:
	// the run holds it.
	w.move("dev-2", "prod")
	complete(w.Platform, task(t, w.Platform, run, "Wait"), nil)
	if r := w.Ended(run); r.State != "incident" {
		t.Fatalf("the run is %s", r.State)
	}
	if i := w.Incidents(); len(i) != 1 || i[0].Kind != "rights" || !strings.Contains(i[0].Message, "host:host/dev-2") ||
		!strings.Contains(i[0].Message, "prod") {
		t.Errorf("%+v", i)
	}
	if got := w.x.seen(); got != "null" {
		t.Errorf("the plugin was called: %s", got)
	}
	w.move("dev-2", "dev")
	w.Must("POST", "/api/v1/incidents/"+w.Incidents()[0].Key+"/retry", map[string]any{}, nil)
	if r := w.Until(run, time.Minute, func(u client.Update) bool {
		return u.Run.State != "incident" && u.Run.State != "active"
	}); r.State != "completed" {
		t.Errorf("%s: %+v", r.State, w.Incidents())
	}
}

func (w *world) move(host, environment string) {
	w.t.Helper()
	w.Edit("host:host", map[string]any{"id": host, "environment": environment})
}

// Two runs that reach the same host from two boxes do not work on it at once,
// whatever they were started on.
func TestTwoRunsThatMeetOnOneHost(t *testing.T) {
	t.Parallel()
	for name, inside := range map[string]string{
		"bound":            `<sextant:bind path=".hosts&gt;host:host"/>`,
		"behind-the-rows":  `<sextant:input name="address" from="path" value=".host&gt;host:host.address"/>`,
		"in-batches-later": `<sextant:bind path=".hosts&gt;host:host{name like 'dev'}"/>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.x.hold = make(chan struct{})
			w.step("change", inside)
			first, err := w.start(w.dev, "cmdb:box/clean")
			if err != nil {
				t.Fatal(err)
			}
			second := "cmdb:box/twin"
			if name == "behind-the-rows" {
				w.box("other", "dev", "dev-1", "dev-2") // the same host stands behind it
				second = "cmdb:box/other"
			}
			_, err = w.start(w.dev, second)
			w.refusedAs(err, 423, "control.locked", "host:host/dev-", first)
			var lock struct {
				Held    bool
				Holders []client.ControlLock
			}
			w.Must("GET", "/api/v1/locks?object=host:host/dev-2", nil, &lock)
			if !lock.Held || lock.Holders[0].Run != first || string(lock.Holders[0].Mode) != "exclusive" {
				t.Errorf("%+v", lock)
			}
			close(w.x.hold)
			if r := w.Ended(first); r.State != "completed" {
				t.Fatalf("%s: %+v", r.State, w.Incidents())
			}
			if run, err := w.start(w.dev, second); err != nil {
				t.Error(err)
			} else if r := w.Ended(run); r.State != "completed" {
				t.Errorf("%s: %+v", r.State, w.Incidents())
			}
		})
	}
	t.Run("who-only-looks-shares", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.x.hold = make(chan struct{})
		w.step("look", `<sextant:bind path=".hosts&gt;host:host"/>`)
		first, err := w.start(w.dev, "cmdb:box/clean")
		if err != nil {
			t.Fatal(err)
		}
		second, err := w.start(w.dev, "cmdb:box/clean")
		if err != nil {
			t.Fatal(err)
		}
		close(w.x.hold)
		for _, run := range []string{first, second} {
			if r := w.Ended(run); r.State != "completed" {
				t.Errorf("%s: %+v", r.State, w.Incidents())
			}
		}
	})
}

// A connection, or a secret of one, that the requester may not use is not there,
// whoever names it and where.
func TestASecretIsNotThereForWhoMayNotUseIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.step("change", "")
	for name, vars := range map[string]map[string]any{
		"as-a-connection": {"credential": "connection/prodlab"},
		"as-a-secret":     {"env": map[string]any{"K": map[string]any{"$secret": "connection/prodlab#password"}}},
		"deep-within": {
			"env": map[string]any{"K": []any{map[string]any{"x": map[string]any{"$secret": "connection/prodlab#password"}}}}},
		"in-an-unread-one":     {"anything": map[string]any{"$secret": "connection/prodlab#password"}},
		"a-name-in-a-variable": {"anything": []any{"connection/prodlab"}},
	} {
		t.Run(name, func(t *testing.T) {
			var v client.ControlVerdict
			path, body := "/api/v1/calls", map[string]any{"service": "odd/touch/change", "objects": []string{"host:host/dev-1"}, "variables": vars}
			if vars["anything"] != nil { // a call has only the inputs of its service
				path = "/api/v1/runs"
				delete(body, "service")
				body["process"] = "p"
			}
			err := w.dev.Call(t.Context(), "POST", path, body, &v)
			w.refusedAs(err, 404, "connection.not_found", "prodlab")
		})
	}
	for _, vars := range []map[string]any{{"credential": "connection/lab"},
		{"env": map[string]any{"K": map[string]any{"$secret": "connection/lab#password"}}}} {
		var v client.ControlVerdict
		if err := w.dev.Call(t.Context(), "POST", "/api/v1/calls",
			map[string]any{"service": "odd/touch/change", "objects": []string{"host:host/dev-1"}, "variables": vars}, &v); err != nil {
			t.Fatal(err)
		}
		if r := w.Ended(v.Run); r.State != "completed" {
			t.Errorf("%s: %+v", r.State, w.Incidents())
		}
	}
	// What a diagram builds while it runs is judged when it is used.
	w.step("change", `<sextant:input name="credential" from="feel" value="=&quot;connection/&quot; + &quot;prodlab&quot;"/>`)
	run, err := w.start(w.dev, "host:host/dev-1")
	if err != nil {
		t.Fatal(err)
	}
	if r := w.Ended(run); r.State != "incident" || !strings.Contains(w.Incidents()[0].Message, "prodlab") {
		t.Errorf("%s: %+v", r.State, w.Incidents())
	}
	if got := w.x.seen(); strings.Contains(got, "secret-of-prodlab") || !strings.Contains(got, "secret-of-lab") {
		t.Errorf("the plugin saw %s", got)
	}
}

// A secret goes to the object's own address, or to where its connection is meant
// for: nobody sends it elsewhere, at the start, in a diagram or with a retry.
func TestASecretIsNotSentToAnotherAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const evil = "203.0.113.66"
	w.step("change", `<sextant:input name="address" from="constant" value="`+
		evil+`"/><sextant:input name="credential" from="constant" value="connection/lab"/>`)
	_, err := w.start(w.dev, "host:host/dev-1")
	w.refusedAs(err, 403, "dispatch.secret_moves", "address")
	// What is only known in the run is refused there.
	w.step("change", `<sextant:input name="address" from="feel" value="=&quot;`+
		evil+`&quot;"/><sextant:input name="credential" from="constant" value="connection/lab"/>`)
	run, err := w.start(w.dev, "host:host/dev-1")
	if err != nil {
		t.Fatal(err)
	}
	if r := w.Ended(run); r.State != "incident" || w.Incidents()[0].Kind != "rights" ||
		!strings.Contains(w.Incidents()[0].Message, "address") {
		t.Fatalf("%s: %+v", r.State, w.Incidents())
	}
	w.Must("POST", "/api/v1/incidents/"+w.Incidents()[0].Key+"/skip", map[string]any{"reason": "it was a trick"}, nil)
	if r := w.Ended(run); r.State != "completed" {
		t.Fatal(r.State)
	}
	// With a retry, which may replace inputs.
	w.step("change", `<sextant:input name="credential" from="feel" value="=if retried = null then &quot;connection/none&quot; `+
		`else &quot;connection/lab&quot;"/>`)
	if run, err = w.start(w.dev, "host:host/dev-1"); err != nil {
		t.Fatal(err)
	}
	w.Ended(run)
	incident := w.Incidents()[0].Key
	if err := w.dev.Call(t.Context(), "POST", "/api/v1/incidents/"+incident+"/retry",
		map[string]any{"inputs": map[string]any{"address": evil, "credential": "connection/lab"}}, nil); err != nil {
		t.Fatal(err)
	}
	w.Until(run, time.Minute, func(u client.Update) bool {
		i := w.Incidents()
		return len(i) == 1 && i[0].Key != incident
	})
	if i := w.Incidents(); len(i) != 1 || i[0].Kind != "rights" {
		t.Errorf("%+v", i)
	}
	// A connection of another environment cannot be given either.
	err = w.dev.Call(t.Context(), "POST", "/api/v1/incidents/"+w.Incidents()[0].Key+"/retry",
		map[string]any{"inputs": map[string]any{"credential": "connection/prodlab"}}, nil)
	w.refusedAs(err, 404, "connection.not_found")
	if got := w.x.seen(); strings.Contains(got, evil) {
		t.Errorf("it went there: %s", got)
	}
	// Where the connection names the address, it may.
	w.Must("PUT", "/api/v1/connections/lab", client.SettingInput{Type: "ssh", Environment: "dev", Targets: []string{"203.0.113.*"}}, nil)
	if err := w.dev.Call(t.Context(), "POST", "/api/v1/incidents/"+w.Incidents()[0].Key+"/retry",
		map[string]any{"inputs": map[string]any{"address": evil, "credential": "connection/lab"}}, nil); err != nil {
		t.Fatal(err)
	}
	if r := w.Until(run, time.Minute, func(u client.Update) bool { return u.Run.State == "completed" }); r.State != "completed" ||
		!strings.Contains(w.x.seen(), evil) {
		t.Errorf("%s %s", r.State, w.x.seen())
	}
	// And where it names other objects, its own address does not help.
	w.Must("PUT", "/api/v1/connections/lab", client.SettingInput{
		Type: "ssh", Environment: "dev", Targets: []string{"host:host{name eq 'dev-2'}"}}, nil)
	_, err = w.call(w.dev, "odd/touch/change", map[string]any{"credential": "connection/lab"}, "host:host/dev-1")
	w.refusedAs(err, 403, "dispatch.connection_target", "dev-1")
	run, err = w.call(w.dev, "odd/touch/change", map[string]any{"credential": "connection/lab"}, "host:host/dev-2")
	if err != nil {
		t.Fatal(err)
	}
	if r := w.Ended(run); r.State != "completed" {
		t.Errorf("on dev-2 it is %s: %+v", r.State, w.Incidents())
	}
}

// Names that the platform keeps are refused wherever a diagram can write one.
func TestADiagramCannotWriteWhatThePlatformTrusts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	task := func(id, inside, loop string) string {
		return `<sequenceFlow id="f1" sourceRef="s" targetRef="` + id + `"/><serviceTask id="` +
			id + `"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/change"/>` +
			inside + `</extensionElements>` + loop + `</serviceTask><sequenceFlow id="f2" sourceRef="` + id + `" targetRef="e"/>`
	}
	multi := func(attributes string) string {
		return `<multiInstanceLoopCharacteristics><extensionElements><zeebe:loopCharacteristics inputCollection="=[1]" ` +
			attributes + `/></extensionElements></multiInstanceLoopCharacteristics>`
	}
	for name, body := range map[string]string{
		"input-target":      task("w", `<zeebe:ioMapping><zeebe:input source="default" target="$project"/></zeebe:ioMapping>`, ""),
		"nested-target":     task("w", `<zeebe:ioMapping><zeebe:input source="=1" target="$objects.x"/></zeebe:ioMapping>`, ""),
		"output-target":     task("w", `<zeebe:ioMapping><zeebe:output source="=1" target="$subject"/></zeebe:ioMapping>`, ""),
		"element-id":        task("$objects", "", ""),
		"input-element":     task("w", "", multi(`inputElement="$fence"`)),
		"output-collection": task("w", "", multi(`inputElement="x" outputElement="=x" outputCollection="$items"`)),
		"script-result": `<sequenceFlow id="f1" sourceRef="s" targetRef="w"/><scriptTask id="w"><extensionElements><zeebe:script ` +
			`expression="=1" resultVariable="$items"/></extensionElements></scriptTask><sequenceFlow id="f2" sourceRef="w" targetRef="e"/>`,
		"rows-of-a-batch": task("w", `<sextant:bind path=".hosts&gt;host:host"/><zeebe:ioMapping>`+
			`<zeebe:input source="=[&quot;host:host/prod-1&quot;]" target="batch"/></zeebe:ioMapping>`, `<multiInstanceLoopCharacteristics `+
			`isSequential="true"><extensionElements><sextant:batch expression="1"/></extensionElements></multiInstanceLoopCharacteristics>`),
	} {
		t.Run(name, func(t *testing.T) {
			var e *client.Error
			if err := w.Deploy([]byte(opened + body + closed)); !errors.As(err, &e) || e.Code != "process.reserved_name" {
				t.Errorf("deployed with %v", err)
			}
		})
	}
}

// Who operates a run needs the right on what it touches, too.
func TestWhoOperatesARunNeedsTheRightOnWhatItTouches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.x.fail = true
	xml := opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="w"/>` +
		`<serviceTask id="w"><extensionElements><zeebe:taskDefinition type="plugin:odd/touch/change"/></extensionElements></serviceTask>` +
		`<sequenceFlow id="f2" sourceRef="w" targetRef="a"/><userTask id="a" name="Ask">` +
		`<extensionElements><zeebe:userTask/></extensionElements></userTask><sequenceFlow id="f3" sourceRef="a" targetRef="e"/>` + closed
	if err := w.Deploy([]byte(xml)); err != nil {
		t.Fatal(err)
	}
	run := w.Run(platform.Request{Process: "p", Objects: []string{"host:host/prod-1"}})
	if r := w.Ended(run); r.State != "incident" {
		t.Fatal(r.State)
	}
	incident := "/api/v1/incidents/" + w.Incidents()[0].Key
	// Who may not read runs on prod is not told that there is one.
	w.refusedAs(w.dev.Call(t.Context(), "POST", incident+"/skip", map[string]any{"reason": "let me through"}, nil), 404, "incident.not_found")
	w.refusedAs(w.dev.Call(t.Context(), "POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "I want"}, nil), 404, "run.not_found")
	sees := w.sees("olga")
	for ask, body := range map[string]any{"/retry": map[string]any{"inputs": map[string]any{"note": []string{"mine"}}},
		"/skip": map[string]any{"reason": "let me through"}} {
		w.refusedAs(sees.Call(t.Context(), "POST", incident+ask, body, nil), 403, "object.right", "host:host/prod-1", "run.operate")
	}
	w.Must("POST", incident+"/skip", map[string]any{"reason": "it is enough"}, nil)
	key := task(t, w.Platform, run, "Ask")
	w.refusedAs(w.dev.Call(t.Context(), "POST", "/api/v1/tasks/"+key+"/complete", map[string]any{}, nil), 404, "task.not_found")
	w.refusedAs(sees.Call(t.Context(), "POST", "/api/v1/tasks/"+key+"/complete", map[string]any{}, nil),
		403, "object.right", "host:host/prod-1", "task.complete")
	w.refusedAs(sees.Call(t.Context(), "POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "I want"}, nil),
		403, "object.right", "host:host/prod-1", "run.operate")
	// In his own environment he may.
	own, err := w.start(w.dev, "host:host/dev-1")
	if err != nil {
		t.Fatal(err)
	}
	w.Ended(own)
	if err := w.dev.Call(t.Context(), "POST", "/api/v1/incidents/"+w.Incidents()[0].Key+"/skip",
		map[string]any{"reason": "it is enough"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.dev.Call(t.Context(), "POST", "/api/v1/tasks/"+task(t, w.Platform, own, "Ask")+"/complete",
		map[string]any{}, nil); err != nil {
		t.Error(err)
	}
}

// sees makes a user who sees everything and operates in dev alone.
func (w *world) sees(name string) *client.Client {
	w.t.Helper()
	grants := []client.IdentityGrant{}
	for _, p := range []string{"run.read", "task.read", "object.read"} {
		grants = append(grants, client.IdentityGrant{Permission: p, Project: "default"})
	}
	for _, p := range []string{"run.operate", "task.complete"} {
		grants = append(grants, client.IdentityGrant{Permission: p, Project: "default", Environment: "dev"})
	}
	w.Must("POST", "/api/v1/users", client.IdentityNewUser{Name: name, Password: "a long password", Grants: grants}, nil)
	var out client.SessionOutBody
	w.Must("POST", "/api/v1/session", client.LoginInBody{Name: name, Password: "a long password"}, &out)
	return &client.Client{URL: w.URL, Token: out.Token}
}

// Who lets a run go on needs the right on all that it claims for what is to come,
// and what he gives names no connection that he may not use.
func TestWhoLetsARunGoOnNeedsTheRightOnWhatComes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	step := func(middle string) string {
		return opened + middle + `<sequenceFlow id="f2" sourceRef="w" targetRef="e"/><serviceTask id="w"><extensionElements>` +
			`<zeebe:taskDefinition type="plugin:odd/touch/change"/><sextant:bind path=".hosts&gt;host:host"/></extensionElements></serviceTask>` +
			closed
	}
	asks := step(`<sequenceFlow id="f0" sourceRef="s" targetRef="a"/><userTask id="a" name="Ask">` +
		`<extensionElements><zeebe:userTask/></extensionElements></userTask><sequenceFlow id="f1" sourceRef="a" targetRef="w"/>`)
	stuck := step(`<sequenceFlow id="f0" sourceRef="s" targetRef="g"/><exclusiveGateway id="g"/>` +
		`<sequenceFlow id="f1" sourceRef="g" targetRef="w"><conditionExpression>=go</conditionExpression></sequenceFlow>`)

	if err := w.Deploy([]byte(asks)); err != nil {
		t.Fatal(err)
	}
	run := w.Run(platform.Request{Process: "p", Objects: []string{"cmdb:box/mixed"}})
	for object, seen := range map[string]bool{"host:host/dev-1": true, "host:host/prod-1": false} {
		var lock struct{ Held bool }
		if err := w.dev.Call(t.Context(), "GET", client.Query("/api/v1/locks", "object", object), nil, &lock); err != nil || lock.Held != seen {
			t.Errorf("the lock of %s: %v %v", object, lock.Held, err)
		}
	}
	complete := "/api/v1/tasks/" + task(t, w.Platform, run, "Ask") + "/complete"
	w.refusedAs(w.dev.Call(t.Context(), "POST", complete, map[string]any{"variables": map[string]any{"note": "mine"}}, nil),
		403, "object.right", "host:host/prod-1", "task.complete")
	w.Must("POST", complete, map[string]any{}, nil)
	w.Ended(run)

	if err := w.Deploy([]byte(stuck)); err != nil {
		t.Fatal(err)
	}
	run = w.Run(platform.Request{Process: "p", Objects: []string{"cmdb:box/mixed"}})
	if r := w.Ended(run); r.State != "incident" {
		t.Fatal(r.State)
	}
	retry := "/api/v1/incidents/" + w.Incidents()[0].Key + "/retry"
	w.refusedAs(w.dev.Call(t.Context(), "POST", retry, map[string]any{"variables": map[string]any{"go": true}}, nil),
		403, "object.right", "host:host/prod-1", "run.operate")
	w.Must("POST", retry, map[string]any{"variables": map[string]any{"go": true}}, nil)
	w.Ended(run)

	if err := w.Deploy([]byte(asks)); err != nil {
		t.Fatal(err)
	}
	run = w.Run(platform.Request{Process: "p", Objects: []string{"cmdb:box/clean"}})
	complete = "/api/v1/tasks/" + task(t, w.Platform, run, "Ask") + "/complete"
	for _, given := range []string{"connection/prodlab", "connection/prodlab#password",
		`{"$secret": "connection/prodlab#password"}`} {
		err := w.dev.Call(t.Context(), "POST", complete, map[string]any{"variables": map[string]any{"note": given}}, nil)
		var e *client.Error
		if !errors.As(err, &e) || e.Status != 404 {
			t.Errorf("%s: %v", given, err)
		}
	}
	if err := w.dev.Call(t.Context(), "POST", complete,
		map[string]any{"variables": map[string]any{"note": "use connection/prodlab or connection/nothing"}}, nil); err != nil {
		t.Error(err)
	}
}

// A process says what it is started on and with; what does not fit is refused
// with what is missing.
func TestAProcessDeclaresItsStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	declared := func(attributes, schema string) string {
		start := `<startEvent id="s"><extensionElements><sextant:start ` + attributes +
			`>` + schema + `</sextant:start></extensionElements></startEvent>`
		return strings.Replace(opened, `<startEvent id="s"/>`, start, 1) +
			`<sequenceFlow id="f1" sourceRef="s" targetRef="w"/><sequenceFlow id="f2" sourceRef="w" targetRef="e"/><serviceTask id="w">` +
			`<extensionElements><zeebe:taskDefinition type="plugin:odd/touch/change"/></extensionElements></serviceTask>` + closed
	}
	schema := `<sextant:schema>{"type":"object","required":["version"],` +
		`"properties":{"version":{"type":"string","pattern":"^v[0-9]+$"},"count":{"type":"integer","maximum":3}}}</sextant:schema>`
	if err := w.Deploy([]byte(declared(`object="host:host" min="1" max="2" title="=&quot;Release &quot; + version"`, schema))); err != nil {
		t.Fatal(err)
	}
	ask := func(vars map[string]any, objects ...string) (string, error) {
		var v client.ControlVerdict
		err := w.dev.Call(t.Context(), "POST", "/api/v1/runs", platform.Request{Process: "p", Objects: objects, Variables: vars}, &v)
		return v.Run, err
	}
	good := map[string]any{"version": "v7"}
	for name, c := range map[string]struct {
		vars    map[string]any
		objects []string
		code    string
		says    string
	}{
		"another-type": {good, []string{"cmdb:box/clean"}, "process.object_type", "host:host"},
		"none":         {good, nil, "process.object_count", "at least 1"},
		"too-many":     {good, []string{"host:host/dev-1", "host:host/dev-2", "host:host/prod-1"}, "object.not_found", "prod-1"},
		"missing":      {nil, []string{"host:host/dev-1"}, "process.input", "version"},
		"wrong-form":   {map[string]any{"version": "7"}, []string{"host:host/dev-1"}, "process.input", "variables.version"},
		"wrong-kind":   {map[string]any{"version": "v7", "count": 4}, []string{"host:host/dev-1"}, "process.input", "variables.count"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(c.vars, c.objects...)
			var e *client.Error
			if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Error(), c.says) {
				t.Errorf("got %v, want %s with %q", err, c.code, c.says)
			}
		})
	}
	run, err := ask(good, "host:host/dev-1")
	if err != nil {
		t.Fatal(err)
	}
	if r := w.Ended(run); r.State != "completed" || r.Title != "Release v7" {
		t.Errorf("%+v", r)
	}
	for name, xml := range map[string]string{
		"no-such-type":  declared(`object="host:ship"`, ""),
		"no-type":       declared(`object="host"`, ""),
		"count":         declared(`object="host:host" min="3" max="2"`, ""),
		"count-of-none": declared(`min="1"`, ""),
		"busy":          declared(`onBusy="wait"`, ""),
		"no-json":       declared(``, `<sextant:schema>{</sextant:schema>`),
		"no-schema":     declared(``, `<sextant:schema>{"type":"nonsense"}</sextant:schema>`),
		"outside":       declared(``, `<sextant:schema>{"$ref":"http://127.0.0.1:1/x.json"}</sextant:schema>`),
		"two-schemas":   declared(``, `<sextant:schema>{}</sextant:schema><sextant:schema>{"type":"object"}</sextant:schema>`),
		"unknown":       declared(`objects="host:host"`, ""),
	} {
		t.Run(name, func(t *testing.T) {
			var e *client.Error
			if err := w.Deploy([]byte(xml)); !errors.As(err, &e) || e.Status != 422 {
				t.Errorf("deployed with %v", err)
			}
		})
	}
}

// A service that needs something which nothing gives is refused before it runs.
func TestAStartLacksNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.call(w.dev, "host/script/run", nil, "host:host/dev-1")
	w.refusedAs(err, 422, "process.variable_missing", "script")
	_, err = w.call(w.dev, "odd/touch/change", nil, "cmdb:box/clean")
	w.refusedAs(err, 422, "dispatch.wrong_type", "host:host", "cmdb:box")
	_, err = w.call(w.dev, "odd/touch/change", nil)
	w.refusedAs(err, 422, "dispatch.wrong_type", "host:host")
}

func (w *world) call(c *client.Client, service string, vars map[string]any, objects ...string) (string, error) {
	var v client.ControlVerdict
	err := c.Call(w.t.Context(), "POST", "/api/v1/calls",
		map[string]any{"service": service, "objects": append([]string{}, objects...), "variables": vars}, &v)
	return v.Run, err
}

// A plugin acts on objects for a run while it works on a call of it, with the
// run's rights and on objects alone.
func TestAPluginActsForTheRunThatCalledIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	calls, answer := make(chan *http.Request, 1), make(chan struct{})
	var plugin client.Client
	var token string
	w.Plug(func() wire.Manifest { m := touchManifest(); m.Version = "1.0.1"; return m }(), func(issued string) http.Handler {
		token = issued
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			calls <- r
			<-answer
			echo(rw, r)
		})
	})
	plugin = client.Client{URL: w.URL, Token: token}
	run, err := w.call(w.dev, "odd/touch/change", nil, "host:host/dev-1")
	if err != nil {
		t.Fatal(err)
	}
	key := (<-calls).Header.Get(wire.HeaderIdempotencyKey)
	as := func(method, path string, body any) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, strings.NewReader(string(wire.Raw(body))))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+plugin.Token)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(wire.HeaderJob, key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	var seen client.PageOfWireRow
	look, err := http.NewRequestWithContext(t.Context(), "POST", w.URL+"/api/v1/objects/host:host/query", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json", wire.HeaderJob: key} {
		look.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(look)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(resp.Body).Decode(&seen); err != nil || len(seen.Items) != 2 ||
		strings.Contains(string(wire.Raw(seen)), "prod-1") {
		t.Errorf("it sees %+v: %v", seen, err)
	}
	_ = resp.Body.Close()
	change := func(id string) int {
		return as("PATCH", "/api/v1/objects/host:host", []map[string]any{{"id": id, "user": "touched"}})
	}
	for what, c := range map[string][2]int{
		"its-own-object": {change("dev-1"), 200}, "one-in-prod": {change("prod-1"), 403},
		"a-run":         {as("POST", "/api/v1/runs", map[string]any{"process": "p"}), 403},
		"a-user":        {as("POST", "/api/v1/users", map[string]any{"name": "x", "password": "a long password"}), 403},
		"a-connection":  {as("GET", "/api/v1/connections", nil), 403},
		"the-audit-log": {as("GET", "/api/v1/audit", nil), 403},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %d, want %d", what, c[0], c[1])
		}
	}
	var history struct {
		Items []struct {
			Subject, Verb string
			Name          string `json:"subjectName"`
		}
	}
	w.Must("GET", "/api/v1/audit?object=host:host/dev-1&limit=1", nil, &history)
	if len(history.Items) != 1 || history.Items[0].Subject != "run/"+run || history.Items[0].Name != "dana" {
		t.Errorf("the audit log says %+v", history)
	}
	close(answer)
	if r := w.Ended(run); r.State != "completed" {
		t.Fatalf("%s: %+v", r.State, w.Incidents())
	}
	if got := change("dev-1"); got != 410 {
		t.Errorf("after the call is over: %d", got)
	}
	plugin.Token = w.dev.Token
	if got := change("dev-1"); got != 403 {
		t.Errorf("a person with the header: %d", got)
	}
}
