package cli_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sextant/internal/cli"
	"sextant/internal/cli/command"
	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// said is what a command wrote and how it ended.
type said struct {
	out, err string
	code     int
}

// sextant runs a command line.
func sextant(t *testing.T, in string, args ...string) said {
	t.Helper()
	var out, err bytes.Buffer
	code := cli.Run(t.Context(), command.Streams{In: strings.NewReader(in), Out: &out, Err: &err}, "test", args)
	return said{out.String(), err.String(), code}
}

func bpmn(id, body string) string {
	return `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" ` +
		`id="d" targetNamespace="t"><process id="` + id + `" name="A test" isExecutable="true">` + body + `</process></definitions>`
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// rig is a platform with two processes: one that ends by itself, one that asks.
type rig struct {
	*platform.Platform
	t    *testing.T
	base []string // the options that lead to it
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{Platform: platform.Start(t, nil), t: t}
	r.base = []string{"--url", r.URL, "--token", r.Token, "--credentials", filepath.Join(t.TempDir(), "none.json")}
	straight := write(t, "straight.bpmn",
		bpmn("straight", `<startEvent id="s"/><sequenceFlow id="a" sourceRef="s" targetRef="e"/><endEvent id="e"/>`))
	asks := write(t, "asks.bpmn", bpmn("asks", `<startEvent id="s"/><sequenceFlow id="a" sourceRef="s" targetRef="u"/>`+
		`<userTask id="u" name="Really?"/><sequenceFlow id="b" sourceRef="u" targetRef="e"/><endEvent id="e"/>`))
	if got := r.do("process", "deploy", straight, asks); got.code != 0 || !strings.Contains(got.out, "version 1") {
		t.Fatalf("%+v", got)
	}
	return r
}

func (r *rig) do(args ...string) said {
	r.t.Helper()
	return sextant(r.t, "", append(append([]string{}, r.base...), args...)...)
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	bad := write(t, "bad.bpmn", bpmn("bad", `<startEvent id="s"/><sequenceFlow id="a" sourceRef="s" targetRef="nowhere"/>`))
	if got := r.do("stop", "--reason", "fire"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	stopped := r.do("run", "straight")
	if got := r.do("stop", "--off"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	if stopped.code != 4 || !strings.Contains(stopped.err, "fire") {
		t.Errorf("while everything is stopped: %+v", stopped)
	}
	elsewhere := []string{"--url", "http://127.0.0.1:1", "--token", "x"}
	for _, c := range []struct {
		name string
		code int
		has  string // on standard error
		args []string
	}{
		{"help", 0, "", []string{"--help"}},
		{"version", 0, "", []string{"--version"}},
		{"noun-alone", 0, "", []string{"runs"}},
		{"run", 0, "", []string{"run", "straight"}},
		{"detached", 0, "", []string{"run", "straight", "--detach"}},
		{"waits-for-a-person", 1, "", []string{"run", "asks"}},
		{"unknown-noun", 2, "unknown command", []string{"nonsense"}},
		{"unknown-verb", 2, `"nonsense" of runs`, []string{"runs", "nonsense"}},
		{"unknown-flag", 2, "--nope", []string{"runs", "list", "--nope"}},
		{"flag-without-value", 2, "--state", []string{"runs", "list", "--state"}},
		{"flag-of-other-kind", 2, "--limit", []string{"runs", "list", "--limit", "many"}},
		{"too-many-arguments", 2, "no arguments", []string{"runs", "list", "x"}},
		{"too-few-arguments", 2, "the key of a run", []string{"runs", "show"}},
		{"no-file", 2, "BPMN", []string{"process", "deploy"}},
		{"required-flag", 2, "reason", []string{"runs", "cancel", "1"}},
		{"reason-that-says-nothing", 2, "say why in at least 3 characters", []string{"runs", "cancel", "1", "--reason", "no"}},
		{"reason-to-skip-that-says-nothing", 2, "say why in at least 3 characters", []string{"incident", "skip", "1", "--reason", "no"}},
		{"no-reason-to-stop", 2, "--reason", []string{"stop"}},
		{"bad-var", 2, "name=value", []string{"run", "straight", "--var", "x"}},
		{"bad-where", 2, "attribute=value", []string{"object", "list", "cmdb:type", "--where", "x"}},
		{"bad-object", 2, "package:type/id", []string{"object", "show", "nonsense"}},
		{"bad-service", 2, "plugin/service/action", []string{"plugin", "call", "nonsense"}},
		{"bad-vars-file", 2, "JSON", []string{"run", "straight", "--vars", bad}},
		{"bad-setting", 2, "loud", []string{"config", "show", "--log.level", "loud"}},
		{"bad-secret", 2, "name=value", []string{"connection", "set", "x", "--secret", "pw"}},
		{"absent-file", 1, "absent.bpmn", []string{"process", "deploy", "absent.bpmn"}},
		{"absent-run", 3, "99", []string{"runs", "show", "99"}},
		{"absent-process", 3, "nothing", []string{"run", "nothing"}},
		{"absent-task", 3, "99", []string{"task", "complete", "99"}},
		{"absent-object", 3, "none", []string{"object", "show", "host:host/none"}},
		{"absent-token", 3, "none", []string{"token", "revoke", "none"}},
		{"odd-name-is-no-path", 4, "", []string{"connection", "set", "../../me", "--field", "a=b"}},
		{"refused-process", 4, "line", []string{"process", "deploy", bad}},
		{"refused-scope", 4, "nonsense", []string{"token", "create", "x", "--scope", "nonsense"}},
		{"refused-log-in", 4, "log in again", []string{"--token", "wrong", "runs", "list"}},
		{"refused-object", 4, "", []string{"run", "straight", "--object", "nonsense"}},
		{"unreachable", 5, "cannot be reached", append(elsewhere, "runs", "list")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := sextant(t, "", append(append([]string{}, r.base...), c.args...)...)
			if got.code != c.code || !strings.Contains(got.err, c.has) {
				t.Errorf("%q ended with %d, want %d; it says %q and %q", c.args, got.code, c.code, got.err, got.out)
			}
			if c.code >= 2 && (got.err == "" || got.out != "") {
				t.Errorf("%q: a failure on standard output or without a word: %q, %q", c.args, got.out, got.err)
			}
			if strings.Contains(got.err, r.Token) {
				t.Errorf("%q tells the token", c.args)
			}
		})
	}
}

// A server that is busy or starting is unavailable, whatever it says.
func TestStatusesOfServers(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]int{200: 0, 400: 4, 401: 4, 403: 4,
		404: 3, 409: 4, 410: 4, 412: 4, 413: 4, 422: 4, 423: 4, 428: 4, 429: 5, 500: 1, 502: 1, 503: 5, 507: 5} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"title":"it is so","items":[]}`))
		}))
		got := sextant(t, "", "--url", s.URL, "--token", "x", "runs", "list")
		s.Close()
		if got.code != code || status >= 300 && got.err != "sextant: it is so\n" {
			t.Errorf("%d: %+v, want %d", status, got, code)
		}
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	t.Cleanup(s.Close)
	if got := sextant(t, "", "--url", s.URL, "--token", "x", "runs", "list"); got.code != 1 || !strings.Contains(got.err, "not understood") {
		t.Errorf("no JSON: %+v", got)
	}
}

// Every command that lists, and others that tell something, speak JSON.
func TestJSON(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	file := write(t, "types.yaml",
		"types:\n  - type: widget\n    attributes:\n      - {name: name, type: string}\nobjects:\n  widget:\n    - {id: w1, name: one}\n")
	if got := r.do("object", "import", file); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	var detached client.ControlVerdict
	if got := r.do("--json", "run", "asks", "--detach"); json.Unmarshal([]byte(got.out), &detached) != nil || detached.Run == "" {
		t.Fatalf("%+v", got)
	}
	for _, args := range [][]string{
		{"process", "list"}, {"runs", "list"}, {"runs", "show", detached.Run},
		{"runs", "log", detached.Run}, {"incident", "list"}, {"task", "list"},
		{"object", "types"}, {"object", "list", "cmdb:widget"}, {"object", "show", "cmdb:widget/w1"},
		{"object", "path", "cmdb:widget/w1", "cmdb:widget.name"},
		{"object", "set", "cmdb:widget/w1", "--set", "name=two"}, {"connection", "set", "web", "--secret", "password=hunter2"},
		{"connection", "list"}, {"token", "create", "ci"}, {"token", "list"},
		{"plugin", "list"}, {"config", "show"}, {"stop", "--off"}, {"run", "straight"}, {"run", "straight", "--detach"},
		{"run", "asks"}, {"run", "straight", "--preview"}, {"runs", "cancel", detached.Run, "--reason", "a test"},
		{"file", "put", file}, {"process", "deploy",
			write(t, "again.bpmn", bpmn("again", `<startEvent id="s"/><sequenceFlow id="a" sourceRef="s" targetRef="e"/><endEvent id="e"/>`))},
	} {
		got := r.do(append([]string{"--json"}, args...)...)
		wantCode := 0
		if args[len(args)-1] == "asks" {
			wantCode = 1 // it waits for a person
		}
		d := json.NewDecoder(strings.NewReader(got.out))
		var v any
		if err := d.Decode(&v); err != nil || d.More() || v == nil || got.code != wantCode {
			t.Errorf("%q: code %d, %v: %s%s", args, got.code, err, got.out, got.err)
		}
		if strings.HasSuffix(args[len(args)-1], "list") {
			if m, ok := v.(map[string]any); !ok || m["items"] == nil {
				t.Errorf("%q: no items: %s", args, got.out)
			}
		}
		if strings.Contains(got.out+got.err, "hunter2") {
			t.Errorf("%q tells a secret", args)
		}
	}
	// For people it is no JSON.
	if got := r.do("object", "list", "cmdb:widget"); got.out != "cmdb:widget/w1  name=two\n" {
		t.Errorf("%q", got.out)
	}
}

// What blocks a run is told by the exit code in every form.
func TestAPreviewThatIsBlocked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, form := range [][]string{{}, {"--json"}} {
		if got := r.do(append(form, "run", "straight", "--preview")...); got.code != 0 {
			t.Errorf("%v free: %+v", form, got)
		}
	}
	if got := r.do("stop", "--reason", "fire"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	for _, form := range [][]string{{}, {"--json"}} {
		if got := r.do(append(form, "run", "straight", "--preview")...); got.code != 4 || !strings.Contains(got.out, "fire") {
			t.Errorf("%v blocked: %+v", form, got)
		}
	}
	if got := r.do("runs", "list"); strings.Contains(got.out, "straight") {
		t.Errorf("a preview started something: %s", got.out)
	}
}

func TestATaskByCommandLine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := r.do("run", "asks", "--title", "Today")
	_, rest, ok := strings.Cut(got.out, "sextant task complete ")
	if got.code != 1 || !ok || !strings.Contains(got.out, "task: Really?") {
		t.Fatalf("%+v", got)
	}
	key := strings.Fields(rest)[0]
	if got := r.do("task", "list"); !strings.Contains(got.out, key) {
		t.Errorf("%+v", got)
	}
	if got := r.do("task", "complete", key, "--var", "sure=true", "--reason", "all is quiet"); got.code != 0 || got.out != "completed\n" {
		t.Errorf("%+v", got)
	}
	var page client.PageOfProcessRun
	r.Must("GET", "/api/v1/runs", nil, &page)
	if run := r.Ended(page.Items[0].Key); run.State != "completed" || run.Title != "Today" {
		t.Errorf("%+v", run)
	}
	var decided struct{ Items []client.ProcessDecision }
	r.Must("GET", "/api/v1/runs/"+page.Items[0].Key+"/decisions", nil, &decided)
	if d := decided.Items; len(d) != 1 || d[0].Verb != "task.complete" || d[0].Reason != "all is quiet" {
		t.Errorf("decided: %+v", d)
	}
	if got := r.do("runs", "watch", page.Items[0].Key); got.code != 0 || !strings.Contains(got.out, "completed") ||
		!strings.Contains(got.err, "Really?") {
		t.Errorf("%+v", got)
	}
}

func TestLogIn(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	file := filepath.Join(t.TempDir(), "deep", "credentials.json")
	at := func(in string, args ...string) said {
		return sextant(t, in, append([]string{"--url", p.URL, "--credentials", file}, args...)...)
	}
	if got := at("", "runs", "list"); got.code != 2 || !strings.Contains(got.err, "sextant login") {
		t.Errorf("without a log-in: %+v", got)
	}
	for in, code := range map[string]int{"": 2, "wrong\n": 4} {
		if got := at(in, "login"); got.code != code {
			t.Errorf("password %q: %+v", in, got)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a failed log-in is kept")
	}
	if got := at("", "login", "--link", "sxl_nonsense"); got.code != 4 {
		t.Errorf("%+v", got)
	}
	if got := at("", "login", "--link", p.Server.First.Link); got.code != 0 {
		t.Errorf("by link: %+v", got)
	}
	if got := at("", "login", "--link", p.Server.First.Link); got.code != 4 {
		t.Errorf("by link again: %+v", got)
	}
	// A file that others could read is theirs no more.
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	got := at(platform.Password+"\n", "login")
	if got.code != 0 || !strings.HasPrefix(got.out, "Logged in at ") || strings.Contains(got.out+got.err, platform.Password) {
		t.Errorf("%+v", got)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	if got := at("", "runs", "list"); got.code != 0 {
		t.Errorf("with the log-in: %+v", got)
	}
	// It is for its own server alone.
	seen := make(chan string, 1)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { seen <- q.Header.Get("Authorization") }))
	t.Cleanup(other.Close)
	if got := sextant(t, "", "--url", other.URL, "--credentials", file, "runs", "list"); got.code != 2 {
		t.Errorf("elsewhere: %+v", got)
	}
	select {
	case token := <-seen:
		t.Errorf("another server was asked with %q", token)
	default:
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := at("", "runs", "list"); got.code != 1 || !strings.Contains(got.err, "log in again") {
		t.Errorf("damaged: %+v", got)
	}
}

// A list that goes on says so, beside what it prints.
func TestAListThatGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 3 {
		if got := r.do("run", "straight", "--detach"); got.code != 0 {
			t.Fatalf("%+v", got)
		}
	}
	if got := r.do("runs", "list", "--limit", "2"); got.code != 0 || strings.Count(got.out, "straight") != 2 ||
		!strings.Contains(got.err, "more") {
		t.Errorf("%+v", got)
	}
	if got := r.do("runs", "list", "--limit", "3"); got.err != "" || strings.Count(got.out, "straight") != 3 {
		t.Errorf("%+v", got)
	}
	if got := r.do("runs", "list", "--limit", "501"); got.code != 4 {
		t.Errorf("%+v", got)
	}
}

// Every help text tells what the exit codes mean.
func TestHelpTellsTheExitCodes(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"run"}, {"runs"}, {"runs", "list"},
		{"server"}, {"login"}, {"process", "deploy"}, {"plugin", "call"}, {"task", "complete"}} {
		got := sextant(t, "", append(append([]string{}, args...), "--help")...)
		if got.code != 0 || !strings.Contains(got.out, "Exit codes: 0 done") {
			t.Errorf("%q: %d %s", args, got.code, got.out)
		}
	}
}

// A message and a signal are told from the command line, and who heard them is said.
func TestTellingByCommandLine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	pays := strings.Replace(
		bpmn("pays", `<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="w"/><intermediateCatchEvent id="w">`+
			`<messageEventDefinition messageRef="M"/></intermediateCatchEvent>`+
			`<sequenceFlow id="f2" sourceRef="w" targetRef="e"/><endEvent id="e"/>`),
		"<process",
		`<message id="M" name="paid"><extensionElements><zeebe:subscription correlationKey="=order"/></extensionElements></message><process`, 1)
	if err := r.Deploy([]byte(pays)); err != nil {
		t.Fatal(err)
	}
	if got := r.do("run", "pays", "--var", "order=A-7", "--detach"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	if got := r.do("message", "waits"); got.code != 0 || !strings.Contains(got.out, "paid") || !strings.Contains(got.out, "A-7") {
		t.Errorf("%+v", got)
	}
	if got := r.do("message", "publish", "paid", "--key", "nobody"); got.code != 0 || got.out != "Nobody waits for it.\n" {
		t.Errorf("%+v", got)
	}
	if got := r.do("message", "publish", "paid", "--key", "A-7", "--json-var", "amount=3", "--ttl", "PT1H"); got.code != 0 ||
		!strings.Contains(got.out, "heard") || !strings.Contains(got.out, "waits for others until") {
		t.Errorf("%+v", got)
	}
	if got := r.do("message", "publish", "paid", "--ttl", "soon"); got.code != 4 || !strings.Contains(got.err, "PT1H") {
		t.Errorf("%+v", got)
	}
	if got := r.do("signal", "broadcast", "alarm", "--json"); got.code != 0 || !strings.Contains(got.out, `"runs":`) {
		t.Errorf("%+v", got)
	}
}
