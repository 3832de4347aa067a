package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sextant/internal/cli"
	"sextant/internal/cli/command"
	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/ssh/sshtest"
	"sextant/sdk/go/wire"
)

// An object that keeps a run from going on is corrected past the run's lock, for
// a reason that is kept, and the run goes on.
func TestAnObjectThatAStoppedRunHoldsIsCorrected(t *testing.T) {
	t.Parallel()
	p, s, other := platform.Start(t, nil), sshtest.Start(t), sshtest.Start(t)
	do := func(args ...string) said {
		t.Helper()
		return sextant(t, "", append([]string{"--url", p.URL, "--token", p.Token}, args...)...)
	}
	p.Must("PUT", "/api/v1/connections/h1", client.SettingInput{
		Type: "ssh", Fields: map[string]any{"user": s.User}, Secrets: map[string]string{"private_key": s.PrivateKey}}, nil)
	p.Must("POST", "/api/v1/objects/host:host",
		[]map[string]any{{"id": "h1", "name": "h1", "address": s.Address, "host_key": strings.TrimSpace(other.HostKey)}}, nil)
	run := p.Service("host/script/run", map[string]any{"script": "echo done", "credential": "connection/h1"}, "host:host/h1")
	if r := p.Ended(run); r.State != "incident" {
		t.Fatalf("with the key of another host the run is %s", r.State)
	}
	correct := []string{"object", "set", "host:host/h1", "--set", "host_key=" + strings.TrimSpace(s.HostKey)}
	remove := []string{"object", "delete", "host:host/h1"}
	for _, args := range [][]string{correct, remove} {
		if got := do(args...); got.code != 4 || !strings.Contains(got.err, "is held by run "+run) {
			t.Errorf("%q without a reason: %+v", args[:2], got)
		}
		if got := do(append(args, "--override-reason", "two\nlines")...); got.code != 2 || !strings.Contains(got.err, "--override-reason") {
			t.Errorf("%q with two lines: %+v", args[:2], got)
		}
	}
	if got := do(append(correct, "--override-reason", "主机换了密钥")...); got.code != 0 {
		t.Fatalf("with a reason: %+v", got)
	}
	var changes client.PageOfAuditRecord
	p.Must("GET", "/api/v1/objects/host:host/h1/history", nil, &changes)
	if len(changes.Items) == 0 || !strings.Contains(fmt.Sprint(changes.Items[0].Detail), "主机换了密钥") {
		t.Errorf("the reason is not on record: %+v", changes.Items)
	}
	if got := do("incident", "retry", p.Incidents()[0].Key); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	if r := p.Ended(run); r.State != "completed" {
		t.Errorf("with the right key the run is %s", r.State)
	}
	run = p.Service("host/script/run", map[string]any{"script": "exit 3", "credential": "connection/h1"}, "host:host/h1")
	if r := p.Ended(run); r.State != "incident" {
		t.Fatalf("the script fails and the run is %s", r.State)
	}
	if got := do(append(remove, "--override-reason", "it is scrap")...); got.code != 0 {
		t.Errorf("delete with a reason: %+v", got)
	}
	create := []string{"object", "create", "host:host/h1", "--set", "name=h1", "--set", "address=" + s.Address}
	if got := do(create...); got.code != 4 || !strings.Contains(got.err, "is held by run "+run) {
		t.Errorf("create without a reason: %+v", got)
	}
	if got := do(append(create, "--override-reason", "it was needed")...); got.code != 0 {
		t.Errorf("create with a reason: %+v", got)
	}
}

// A call that failed is found among the failed runs, be it that its step stands
// still first.
func TestACallThatFailedIsListedAsFailed(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	do := func(args ...string) said {
		t.Helper()
		return sextant(t, "", append([]string{"--url", p.URL, "--token", p.Token}, args...)...)
	}
	if got := do("plugin", "call", "cmdb/import/yaml", "--var", "text=- a"); got.code != 1 ||
		!strings.Contains(got.err, "a mapping is wanted") {
		t.Fatalf("%+v", got)
	}
	p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": "h1", "name": "h1", "address": "192.0.2.1"}}, nil)
	p.Must("PUT", "/api/v1/connections/key", client.SettingInput{Type: "ssh", Targets: []string{"host:host{name eq 'another'}"},
		Fields: map[string]any{"user": "u"}, Secrets: map[string]string{"password": "hunter22"}}, nil)
	call := []string{"--object", "host:host/h1", "--var", "credential=connection/key", "--var"}
	if got := do(append([]string{"plugin", "call", "host/script/run"}, append(call, "script=true")...)...); got.code != 4 ||
		!strings.Contains(got.err, "is not meant for host:host/h1") {
		t.Fatalf("%+v", got)
	}
	p.Must("PUT", "/api/v1/connections/key", client.SettingInput{Type: "ssh"}, nil)
	if got := do(append([]string{"plugin", "call", "host/file/render"},
		append(call, "path=/x", "--var", "template={{.no}}")...)...); got.code != 1 || !strings.Contains(got.err, "template") {
		t.Fatalf("%+v", got)
	}
	if got := do("runs", "list", "--state", "failed"); !strings.Contains(got.out, "call-once-host-file-render") {
		t.Errorf("%+v", got)
	}
	for state, there := range map[string]bool{"failed": true, "cancelled": false, "incident": false} {
		if got := do("runs", "list", "--state", state); got.code != 0 || strings.Contains(got.out, "call-once-cmdb-import-yaml") != there {
			t.Errorf("among those that are %s: %+v", state, got)
		}
	}
}

// What may still be at work keeps its objects: the client does not end such a run.
func TestACallOfUnknownOutcomeIsLeftToAPerson(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	m := wire.Manifest{Plugin: "odd", Version: "1.0.0", Title: wire.Text{"en": "Odd", "zh": "怪"}, Run: &wire.Run{Builtin: true},
		Services: []wire.Service{{Name: "task", Title: wire.Text{"en": "Task", "zh": "工作"}, Actions: []wire.Action{{
			Action: "do", Title: wire.Text{"en": "Do", "zh": "做"}, Path: "/v1/task/do",
			Method: "POST", Batch: 1, Timeout: "PT10M", Risk: wire.RiskChange,
		}}}}}
	p.Plug(m, func(string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "boom", http.StatusInternalServerError) })
	})
	got := sextant(t, "", "--url", p.URL, "--token", p.Token, "plugin", "call", "odd/task/do")
	if got.code != 1 || !strings.Contains(got.err, "waits and keeps its objects") {
		t.Fatalf("%+v", got)
	}
	if i := p.Incidents(); len(i) != 1 || i[0].Kind != "unknown" {
		t.Errorf("the incidents are %+v", i)
	}
}

// Who ends a call on the command line is told that its run goes on.
func TestACallThatIsLeftGoesOn(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	m := wire.Manifest{Plugin: "slow", Version: "1.0.0", Title: wire.Text{"en": "Slow", "zh": "慢"}, Run: &wire.Run{Builtin: true},
		Services: []wire.Service{{Name: "task", Title: wire.Text{"en": "Task", "zh": "工作"}, Actions: []wire.Action{{
			Action: "do", Title: wire.Text{"en": "Do", "zh": "做"}, Path: "/v1/task/do",
			Method: "POST", Batch: 1, Timeout: "PT10M", Risk: wire.RiskChange,
		}}}}}
	begun, ends := make(chan struct{}), make(chan struct{})
	p.Plug(m, func(string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(begun)
			<-ends
			_,
				_ = w.Write([]byte(`{"resultCode":"0","resultMessage":"success","results":{"outputs":[{"callbackParameter":"run","errorCode":"0"}]}}`))
		})
	})
	ctx, interrupt := context.WithCancel(t.Context())
	var out, err bytes.Buffer
	code := make(chan int)
	go func() {
		code <- cli.Run(ctx, command.Streams{In: strings.NewReader(""), Out: &out, Err: &err},
			"test", []string{"--url", p.URL, "--token", p.Token, "plugin", "call", "slow/task/do"})
	}()
	<-begun
	interrupt()
	if got := <-code; got != 0 || !strings.Contains(err.String(), "goes on; look at it with: sextant runs show ") {
		t.Errorf("%d %s %s", got, out.String(), err.String())
	}
	close(ends)
}
