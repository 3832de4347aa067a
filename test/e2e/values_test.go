package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

// scripted is a plugin without the kit: the test says what becomes of a row.
type scripted struct {
	mu   sync.Mutex
	rows []wire.Row
	say  func(row wire.Row) wire.Row
}

func (s *scripted) serve(string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req wire.Request
		if json.NewDecoder(r.Body).Decode(&req) != nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		resp := wire.Response{ResultCode: "0"}
		for _, in := range req.Inputs {
			s.rows = append(s.rows, in)
			out := wire.Row{"errorCode": wire.Raw("0")}
			for k, v := range s.say(in) {
				out[k] = v
			}
			out["callbackParameter"] = in["callbackParameter"]
			resp.Results.Outputs = append(resp.Results.Outputs, out)
		}
		_, _ = w.Write(wire.Raw(resp))
	})
}

func (s *scripted) got(name string) (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		all = append(all, string(r[name]))
	}
	return all
}

// plainManifest is a service that asks for nothing and acts on anything.
func plainManifest() wire.Manifest {
	title := wire.Text{"en": "Odd", "zh": "怪"}
	return wire.Manifest{Plugin: "odd", Version: "1.0.0", Title: title, Run: &wire.Run{Builtin: true},
		Settings: []wire.Setting{{Name: "colour", Type: wire.TypeString, Default: "teal"}},
		Services: []wire.Service{{Name: "task", Title: title, Actions: []wire.Action{{
			Action: "do", Title: title, Path: "/v1/task/do", Method: "POST", Batch: 50, Timeout: "PT10M", Risk: wire.RiskChange, Idempotent: true,
			Retry: &wire.Retry{Max: 2, Backoff: "PT0.01S", On: []string{"transport"}},
			Input: []wire.Param{{Name: "text", Type: wire.TypeText}, {Name: "count", Type: wire.TypeInt, Default: "3"},
				{Name: "dry_run", Type: wire.TypeBool, Default: "false"},
				{Name: "colour", Type: wire.TypeString, From: "setting", Expr: "odd.colour"}, {Name: "shape", Type: wire.TypeObject}},
			Output: []wire.Param{{Name: "stdout", Type: wire.TypeText}, {Name: "answer", Type: wire.TypeString}},
		}}}}}
}

func plug(t *testing.T, say func(wire.Row) wire.Row) (*platform.Platform, *scripted) {
	t.Helper()
	p, s := platform.Start(t, nil), &scripted{say: say}
	p.Plug(plainManifest(), s.serve)
	return p, s
}

func hosts(p *platform.Platform, ids ...string) (refs []string) {
	for _, id := range ids {
		p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": id, "name": id, "address": "192.0.2.1"}}, nil)
		refs = append(refs, "host:host/"+id)
	}
	return refs
}

func fine(wire.Row) wire.Row { return nil }

// tasks is a process of services one after the other, each with what is in it.
func tasks(steps ...string) []byte {
	from, out := "s", opened
	for i, inside := range steps {
		id := string(rune('A' + i))
		out += fmt.Sprintf(`<sequenceFlow id="to%[1]s" sourceRef="%[2]s" targetRef="%[1]s"/><serviceTask id="%[1]s">`+
			`<extensionElements><zeebe:taskDefinition type="plugin:odd/task/do"/>%[3]s</extensionElements></serviceTask>`, id, from, inside)
		from = id
	}
	return []byte(out + `<sequenceFlow id="last" sourceRef="` + from + `" targetRef="e"/>` + closed)
}

func (s *scripted) count(object string) int {
	return strings.Count(strings.Join(s.got("callbackParameter"), " "), `"`+object+`"`)
}

// Automatic retries do again what failed, never what was done, and never nothing.
func TestAutomaticRetriesKeepToTheRowsThatFailed(t *testing.T) {
	t.Parallel()
	p, s := plug(t, func(row wire.Row) wire.Row {
		if strings.Contains(string(row["callbackParameter"]), "bad") {
			return wire.Row{"errorCode": wire.Raw("host.unreachable"), "errorMessage": wire.Raw("no way"),
				"outcome": wire.Raw("failed"), "retryOn": wire.Raw("transport")}
		}
		return nil
	})
	refs := hosts(p, "good", "bad", "fine", "bad-too")
	run := p.Service("odd/task/do", nil, refs...)
	if r := p.Ended(run); r.State != "incident" {
		t.Fatalf("the run is %s", r.State)
	}
	rows := p.Jobs(run)[0].Rows
	if len(rows) != 4 {
		t.Errorf("%d rows: %+v", len(rows), rows)
	}
	for object, want := range map[string]int{"host:host/good": 1, "host:host/fine": 1, "host:host/bad": 3, "host:host/bad-too": 3} {
		if n := s.count(object); n != want {
			t.Errorf("%s was called %d times, want %d", object, n, want)
		}
	}
	if n := len(s.got("callbackParameter")); n != 8 {
		t.Errorf("%d rows were sent: %v", n, s.got("callbackParameter"))
	}
}

// What a step says arrives whole at the next one, however much it is and on
// however many objects.
func TestAValueArrivesWhole(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789", 30_000) // 300 kB on each of 20 objects
	p, s := plug(t, func(row wire.Row) wire.Row {
		return wire.Row{"stdout": wire.Raw(large + plainText(row["callbackParameter"]))}
	})
	if err := p.Deploy(tasks("", `<sextant:input name="text" from="step" value="A.stdout"/>`)); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range 20 {
		ids = append(ids, fmt.Sprint("h", i))
	}
	refs := hosts(p, ids...)
	run := p.Run(platform.Request{Process: "p", Objects: refs})
	if r := p.Ended(run); r.State != "completed" {
		t.Fatalf("%s: %+v", r.State, p.Incidents())
	}
	texts, objects := s.got("text"), s.got("callbackParameter")
	for i := range objects[20:] {
		if want := string(wire.Raw(large + plainText(json.RawMessage(objects[20+i])))); texts[20+i] != want {
			t.Errorf("%s got %d bytes, want %d", objects[20+i], len(texts[20+i]), len(want))
		}
	}
	// A small one lies in the variable, as expressions read it.
	s.say = func(wire.Row) wire.Row { return wire.Row{"stdout": wire.Raw(strings.Repeat("x", 9000))} }
	read := strings.Replace(string(
		tasks("", `<sextant:input name="text" from="feel" value="=string(string length(A.rows[1].outputs.stdout))"/>`)), `id="p"`, `id="q"`, 1)
	if err := p.Deploy([]byte(read)); err != nil {
		t.Fatal(err)
	}
	run = p.Run(platform.Request{Process: "q", Objects: refs[:1]})
	if r := p.Ended(run); r.State != "completed" {
		t.Fatalf("%s: %+v", r.State, p.Incidents())
	}
	if all := s.got("text"); all[len(all)-1] != `"9000"` {
		t.Errorf("the expression saw %s", all[len(all)-1])
	}
	// What no variable can hold and an expression would read is told.
	s.say = func(wire.Row) wire.Row { return wire.Row{"stdout": wire.Raw(strings.Repeat("x", 5<<20))} }
	run = p.Run(platform.Request{Process: "q", Objects: refs[:1]})
	if r := p.Ended(run); r.State != "incident" || p.Incidents()[0].Kind != "result" ||
		!strings.Contains(p.Incidents()[0].Message, "4194304") {
		t.Errorf("%s: %+v", r.State, p.Incidents())
	}
}

func plainText(raw json.RawMessage) (text string) {
	_ = json.Unmarshal(raw, &text) // no text is the empty one
	return text
}

// A retry looks again at what the step is bound to: what went is told and waited
// for no more, what came is done too.
func TestARetryLooksAgainAtWhatIsBound(t *testing.T) {
	t.Parallel()
	broken := true
	p, s := plug(t, func(row wire.Row) wire.Row {
		if broken && strings.Contains(string(row["callbackParameter"]), "h2") {
			return wire.Row{"errorCode": wire.Raw("1"), "errorMessage": wire.Raw("broken")}
		}
		return nil
	})
	hosts(p, "seed", "h1", "h2", "h3")
	zone := func(zone string, ids ...string) {
		for _, id := range ids {
			p.Edit("host:host", map[string]any{"id": id, "zone": zone})
		}
	}
	zone("here", "seed", "h1", "h2")
	zone("away", "h3")
	if err := p.Deploy(tasks(`<sextant:bind path="host:host{id eq 'seed'}.zone"/>`)); err == nil {
		t.Fatal("a path that ends at an attribute binds no rows")
	}
	if err := p.Deploy(tasks(`<sextant:bind path="host:host{zone eq 'here'}"/>`)); err != nil {
		t.Fatal(err)
	}
	run := p.Run(platform.Request{Process: "p", Objects: []string{"host:host/seed", "host:host/h1", "host:host/h2", "host:host/h3"}})
	if r := p.Ended(run); r.State != "incident" {
		t.Fatalf("%s", r.State)
	}
	zone("away", "h2")
	zone("here", "h3")
	p.Must("POST", "/api/v1/incidents/"+p.Incidents()[0].Key+"/retry", map[string]any{}, nil)
	if r := p.Until(run, time.Minute, func(u client.Update) bool { return u.Run.State == "completed" }); r.State != "completed" {
		t.Fatalf("%s: %+v", r.State, p.Incidents())
	}
	outcomes := map[string]string{}
	for _, r := range p.Jobs(run)[0].Rows {
		outcomes[r.Object] = string(r.Outcome) + r.Code
	}
	if outcomes["host:host/h2"] != "skippedsextant.unbound" || outcomes["host:host/h3"] != "ok" ||
		s.count("host:host/h2") != 1 || s.count("host:host/h1") != 1 || s.count("host:host/h3") != 1 {
		t.Errorf("%v", outcomes)
	}
}

// What never reached the plugin did nothing, and may be done again.
func TestACallThatNeverArrivedDidNothing(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	m := plainManifest()
	m.Services[0].Actions[0].Timeout = "PT0.3S"
	var issued client.TokenOutBody
	p.Must("POST", "/api/v1/plugins/odd/token", map[string]any{}, &issued)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(wire.Raw(m)) }))
	p.Must("PUT", "/api/v1/plugins/odd", map[string]any{"url": s.URL}, nil)
	s.Close() // nobody listens there any more
	run := p.Service("odd/task/do", nil)
	if r := p.Ended(run); r.State != "incident" {
		t.Fatalf("%s", r.State)
	}
	if row := p.Jobs(run)[0].Rows[0]; row.Outcome != "failed" || row.Code != "sextant.not_sent" {
		t.Errorf("%+v", row)
	}
}

// Ids are opaque: objects whose ids differ before a slash alone are two.
func TestIdsWithSlashesAreKeptApart(t *testing.T) {
	t.Parallel()
	p, s := plug(t, func(row wire.Row) wire.Row {
		if strings.Contains(string(row["callbackParameter"]), "prod/") {
			return wire.Row{"errorCode": wire.Raw("1"), "errorMessage": wire.Raw("not so")}
		}
		return wire.Row{"answer": row["callbackParameter"]}
	})
	title := wire.Text{"en": "Thing", "zh": "物"}
	owner := wire.Manifest{Plugin: "shelf", Version: "1.0.0", Title: title, Run: &wire.Run{Builtin: true},
		Objects: []wire.ObjectType{{Type: "thing", Title: title, Attributes: []wire.Attribute{{Name: "id", Type: wire.TypeString}}}}}
	p.Plug(owner, func(string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body) // what is cut off holds no id
			out := wire.Envelope[[]wire.Row]{Status: wire.StatusOK, Data: []wire.Row{}}
			for _, id := range []string{"prod/web", "dev/web", "web"} {
				if strings.Contains(string(body), `"`+id+`"`) {
					out.Data = append(out.Data, wire.Row{"id": wire.Raw(id), "displayName": wire.Raw(id)})
				}
			}
			_, _ = w.Write(wire.Raw(out))
		})
	})
	run := p.Service("odd/task/do", nil, "shelf:thing/prod/web", "shelf:thing/dev/web", "shelf:thing/web")
	if r := p.Ended(run); r.State != "incident" {
		t.Fatalf("%s", r.State)
	}
	for _, row := range p.Jobs(run)[0].Rows {
		want, answer := "ok", row.Object
		if row.Object == "shelf:thing/prod/web" {
			want, answer = "failed", "<nil>"
		}
		if string(row.Outcome) != want || fmt.Sprint(row.Outputs["answer"]) != answer {
			t.Errorf("%+v", row)
		}
	}
	if n := len(s.got("text")); n != 3 {
		t.Errorf("%d rows", n)
	}
}

// An input that a service does not know is refused with the nearest that it does.
func TestInputsThatNobodyKnowsAreRefused(t *testing.T) {
	t.Parallel()
	p, s := plug(t, func(wire.Row) wire.Row { return wire.Row{"errorCode": wire.Raw("1")} })
	for given, near := range map[string]string{"dryrun": "dry_run", "cuont": "count", "TEXT": "text", "anything": ""} {
		err := p.Call(t.Context(), "POST", "/api/v1/calls",
			map[string]any{"service": "odd/task/do", "variables": map[string]any{given: "x"}}, nil)
		if err == nil || !strings.Contains(err.Error(), given) || near != "" && !strings.Contains(err.Error(), "did you mean "+near+"?") {
			t.Errorf("%s: %v", given, err)
		}
	}
	run := p.Service("odd/task/do", nil)
	p.Ended(run)
	for _, body := range []map[string]any{{"inputs": map[string]any{"txt": "x"}},
		{"outputs": map[string]any{"answr": "x"}}, {"inputs": map[string]any{"$outputs": map[string]any{}}}} {
		if err := p.Call(t.Context(), "POST", "/api/v1/incidents/"+p.Incidents()[0].Key+"/retry", body, nil); err == nil ||
			!strings.Contains(err.Error(), "has no ") {
			t.Errorf("%v: %v", body, err)
		}
	}
	if n := len(s.got("text")); n != 1 {
		t.Errorf("%d rows were sent", n)
	}
}

// An input that the manifest fills is refused with where it comes from, unless
// something may read a variable of that name.
func TestInputsThatAreTakenFromElsewhereAreRefused(t *testing.T) {
	t.Parallel()
	p, _ := plug(t, fine)
	host := hosts(p, "h")
	refused := func(path string, body map[string]any, want ...string) {
		t.Helper()
		var problem *client.Error
		err := p.Call(t.Context(), "POST", path, body, nil)
		if !errors.As(err, &problem) || problem.Status != 422 || problem.Code != "dispatch.input_elsewhere" {
			t.Fatalf("%s %v: %v", path, body, err)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s does not say %q", err, w)
			}
		}
	}
	for _, path := range []string{"/api/v1/calls", "/api/v1/calls/preview"} {
		refused(path, map[string]any{"service": "odd/task/do", "variables": map[string]any{"text": "x", "colour": "red"}},
			"colour of odd/task/do", "the setting odd.colour")
		for _, name := range []string{"address", "port", "user", "host_key"} {
			refused(path, map[string]any{"service": "host/script/run", "objects": host, "variables": map[string]any{"script": "whoami", name: "1"}},
				name+" of host/script/run", "(host:host."+name+")")
		}
	}
	person := `<sequenceFlow id="f1" sourceRef="s" targetRef="u"/><userTask id="u"/>` +
		`<sequenceFlow id="f2" sourceRef="u" targetRef="w"/><serviceTask id="w"><extensionElements>` +
		`<zeebe:taskDefinition type="plugin:odd/task/do"/></extensionElements></serviceTask><sequenceFlow id="f3" sourceRef="w" targetRef="e"/>`
	declared := `<extensionElements><sextant:start title="=&quot;in &quot; + colour"/></extensionElements>`
	for _, c := range []struct {
		name string
		xml  []byte
		ok   bool
	}{
		{"nobody reads it", tasks(``), false},
		{"it is bound to another", tasks(`<sextant:input name="text" from="feel" value="=text"/>`), false},
		{"it is bound", tasks(`<sextant:input name="colour" from="feel" value="=colour"/>`), true},
		{"another step reads it", tasks(``, `<sextant:input name="text" from="feel" value="=colour"/>`), true},
		{"the title reads it",
			[]byte(strings.Replace(string(tasks(``)), `<startEvent id="s"/>`, `<startEvent id="s">`+declared+`</startEvent>`, 1)), true},
		{"a person may read it", []byte(opened + person + closed), true},
	} {
		if err := p.Deploy(c.xml); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		start := map[string]any{"process": "p", "variables": map[string]any{"colour": "red"}}
		if !c.ok {
			refused("/api/v1/runs", start, "colour of odd/task/do", "the setting odd.colour")
		} else if err := p.Call(t.Context(), "POST", "/api/v1/runs", start, nil); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Defaults of the manifest hold for a plugin without the kit, too, and a text is
// given in the type that the input declares.
func TestInputsHaveTheirDefaultsAndTypes(t *testing.T) {
	t.Parallel()
	p, s := plug(t, fine)
	call := func(vars map[string]any) wire.Row {
		t.Helper()
		if r := p.Ended(p.Service("odd/task/do", vars)); r.State != "completed" {
			t.Fatalf("%s: %+v", r.State, p.Incidents())
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.rows[len(s.rows)-1]
	}
	for _, c := range []struct {
		vars map[string]any
		want map[string]string
	}{
		{nil, map[string]string{"count": "3", "dry_run": "false", "colour": `"teal"`, "text": ""}},
		{map[string]any{"count": "007", "dry_run": "true", "text": "1.10", "shape": `{"a": 1.10}`},
			map[string]string{"count": "7", "dry_run": "true", "text": `"1.10"`, "shape": `{"a": 1.10}`}},
		{map[string]any{"count": json.RawMessage("9007199254740993"), "text": "true", "shape": map[string]any{"n": json.RawMessage("1.10")}},
			map[string]string{"count": "9007199254740993", "text": `"true"`, "shape": `{"n":1.10}`}},
	} {
		row := call(c.vars)
		for name, want := range c.want {
			if got := string(row[name]); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
				t.Errorf("%v: %s is %s, want %s", c.vars, name, got, want)
			}
		}
	}
	p.Must("PUT", "/api/v1/settings/odd.colour", map[string]any{"value": "red"}, nil)
	if row := call(nil); string(row["colour"]) != `"red"` {
		t.Errorf("%s", row["colour"])
	}
}

// What a run was started with is told as it was given, and nothing that the
// process set itself.
func TestNumbersKeepTheirTextFromTheStartToThePlugin(t *testing.T) {
	t.Parallel()
	p, s := plug(t, fine)
	xml := opened + `<sequenceFlow id="f1" sourceRef="s" targetRef="x"/>` +
		`<scriptTask id="x"><extensionElements><zeebe:script expression="=version" resultVariable="made"/></extensionElements></scriptTask>` +
		`<sequenceFlow id="f2" sourceRef="x" targetRef="w"/><serviceTask id="w"><extensionElements>` +
		`<zeebe:taskDefinition type="plugin:odd/task/do"/><sextant:input name="text" from="feel" value="=version"/><sextant:input name="shape" ` +
		`from="feel" value="={n: large, m: made}"/></extensionElements></serviceTask><sequenceFlow id="f3" sourceRef="w" targetRef="e"/>` + closed
	if err := p.Deploy([]byte(xml)); err != nil {
		t.Fatal(err)
	}
	run := p.Run(platform.Request{
		Process: "p", Variables: map[string]any{"version": json.RawMessage("1.10"), "large": json.RawMessage("9007199254740993")}})
	if r := p.Ended(run); r.State != "completed" {
		t.Fatalf("%s: %+v", r.State, p.Incidents())
	}
	if got := strings.Join(append(s.got("shape"), s.got("text")...), " "); !strings.Contains(got, "9007199254740993") ||
		!strings.HasSuffix(got, "1.10") {
		t.Errorf("the plugin got %s", got)
	}
	data, err := p.Download(t.Context(), "/api/v1/runs/"+run+"/start")
	if err != nil {
		t.Fatal(err)
	}
	if text := string(data); !strings.Contains(text, `"version":1.10`) ||
		!strings.Contains(text, `"large":9007199254740993`) || strings.Contains(text, "made") {
		t.Errorf("it was started with %s", text)
	}
}

// An output is written in the type of its attribute, without the newline that
// ends a stream; what cannot be written a person corrects.
func TestOutputsAreWrittenInTheTypeOfTheAttribute(t *testing.T) {
	t.Parallel()
	said := "42\n"
	p, _ := plug(t, func(wire.Row) wire.Row { return wire.Row{"stdout": wire.Raw(said)} })
	hosts(p, "h")
	get := func(attr string) any {
		var row map[string]any
		p.Must("GET", "/api/v1/objects/host:host/h", nil, &row)
		return row[attr]
	}
	write := func(attr string) client.ProcessRun {
		t.Helper()
		if err := p.Deploy(tasks(`<sextant:output name="stdout" to=".` + attr + `"/>`)); err != nil {
			t.Fatal(err)
		}
		return p.Ended(p.Run(platform.Request{Process: "p", Objects: []string{"host:host/h"}}))
	}
	if r := write("port"); r.State != "completed" || fmt.Sprint(get("port")) != "42" {
		t.Fatalf("%s: %v, %+v", r.State, get("port"), p.Incidents())
	}
	said = "# two lines\n# of text\r\n"
	if r := write("host_key"); r.State != "completed" || get("host_key") != "# two lines\n# of text" {
		t.Fatalf("%s: %q, %+v", r.State, get("host_key"), p.Incidents())
	}
	said = "about 50"
	r := write("port")
	if r.State != "incident" || p.Incidents()[0].Kind != "write_back" {
		t.Fatalf("%s: %+v", r.State, p.Incidents())
	}
	p.Must("POST", "/api/v1/incidents/"+p.Incidents()[0].Key+"/retry", map[string]any{"outputs": map[string]any{"stdout": "50"}}, nil)
	if r := p.Until(r.Key, time.Minute, func(u client.Update) bool { return u.Run.State == "completed" }); r.State != "completed" ||
		fmt.Sprint(get("port")) != "50" {
		t.Errorf("%s: %v, %+v", r.State, get("port"), p.Incidents())
	}
}

// A path does not read what is secret: it is refused at deployment where its types
// are known, else at the start, else at the call.
func TestNoPathReadsASecret(t *testing.T) {
	t.Parallel()
	p, s := plug(t, fine)
	defined := p.Service("cmdb/types/define",
		map[string]any{"types": []wire.ObjectType{{Type: "svc", Display: "name", Paging: true, Attributes: []wire.Attribute{
			{Name: "name", Type: wire.TypeString}, {Name: "pw", Type: wire.TypeString, Secret: true},
			{Name: "host", Type: wire.TypeRef, To: "host:host"}}}}})
	if r := p.Ended(defined); r.State != "completed" {
		t.Fatalf("%s: %+v", r.State, p.Incidents())
	}
	host := hosts(p, "h")[0]
	const says = "the attribute pw of cmdb:svc is secret and is not read by a path; use a connection"
	refused := func(what string, err error) {
		t.Helper()
		var problem *client.Error
		if !errors.As(err, &problem) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "text") {
			t.Fatalf("%s: %v", what, err)
		}
	}
	refused("deployment", p.Deploy(tasks(`<sextant:input name="text" from="path" value="host:host~(host)cmdb:svc.pw"/>`)))
	must := func(xml []byte) {
		t.Helper()
		if err := p.Deploy(xml); err != nil {
			t.Fatal(err)
		}
	}
	start := platform.Request{Process: "p", Objects: []string{host}}
	must(tasks(`<sextant:input name="text" from="path" value="~(host)cmdb:svc.pw"/>`))
	refused("start", p.Call(t.Context(), "POST", "/api/v1/runs", start, nil))

	must(tasks(`<sextant:bind path="~(host)cmdb:svc"/><sextant:input name="text" from="path" value=".pw"/>`))
	run := p.Run(start) // nothing is bound yet
	if r := p.Ended(run); r.State != "incident" {
		t.Fatal(r.State)
	}
	p.Must("POST", "/api/v1/objects/cmdb:svc", []map[string]any{{"id": "one", "name": "one", "pw": "hunter2", "host": "h"}}, nil)
	p.Must("POST", "/api/v1/incidents/"+p.Incidents()[0].Key+"/retry", map[string]any{}, nil)
	p.Until(run, time.Minute, func(client.Update) bool {
		open := p.Incidents()
		return len(open) == 1 && strings.Contains(open[0].Message, says)
	})
	if open := p.Incidents(); len(open) != 1 || open[0].Kind != "input" || !strings.Contains(open[0].Message, "the input text") {
		t.Errorf("%+v", open)
	}
	if got := s.got("text"); len(got) != 0 {
		t.Errorf("%v were sent", got)
	}

	must(tasks(`<sextant:output name="stdout" to="host:host~(host)cmdb:svc.pw"/>`)) // it may be written
}
