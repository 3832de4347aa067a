package e2e_test

import (
	"strings"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/ssh/sshtest"
)

// host makes an object and a connection for a real sshd.
func host(t *testing.T, p *platform.Platform, id string) *sshtest.Server {
	t.Helper()
	s := sshtest.Start(t)
	p.Must("PUT", "/api/v1/connections/"+id, client.SettingInput{
		Type: "ssh", Fields: map[string]any{"user": s.User}, Secrets: map[string]string{"private_key": s.PrivateKey}}, nil)
	p.Must("POST", "/api/v1/objects/host:host",
		[]map[string]any{{"id": id, "name": id, "address": s.Address, "host_key": strings.TrimSpace(s.HostKey), "state": "up"}}, nil)
	return s
}

func TestAScriptOnARealHost(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	host(t, p, "h1")
	run := p.Service("host/script/run", map[string]any{"script": "echo hello from $(basename \"$HOME\"); echo $1",
		"args": []string{"it's $HOME"}, "credential": "connection/h1"}, "host:host/h1")
	if r := p.Ended(run); r.State != "completed" {
		t.Fatalf("the run is %s: %+v", r.State, p.Incidents())
	}
	row := p.Jobs(run)[0].Rows[0]
	if row.Outcome != "ok" || !strings.Contains(row.Outputs["stdout"].(string), "it's $HOME\n") {
		t.Fatalf("the row is %+v", row)
	}
	var object map[string]any
	p.Must("GET", "/api/v1/objects/host:host/h1", nil, &object)
	if object["state@observed"] != "up" {
		t.Fatalf("the observed state was not written back: %v", object)
	}
	var log client.PageOfDispatchPiece
	p.Must("GET", "/api/v1/jobs/"+p.Jobs(run)[0].Job+"/output", nil, &log)
	if len(log.Items) == 0 || !strings.Contains(log.Items[0].Text, "hello from the home") {
		t.Fatalf("the live output is %+v", log.Items)
	}
}

// What is said of a host is what was seen of it: only one that has answered is up,
// also where the script failed. While rows are tried again, their output says so.
func TestTheStateOfAHostIsWhatWasSeen(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	good, other := host(t, p, "good"), sshtest.Start(t)
	for id, with := range map[string]map[string]any{
		"closed":  {"address": "127.0.0.1:1", "host_key": strings.TrimSpace(good.HostKey)},
		"changed": {"address": good.Address, "host_key": strings.TrimSpace(other.HostKey)},
		"never":   {"address": good.Address},
		"broken":  {"address": good.Address, "host_key": strings.TrimSpace(good.HostKey), "user": "nobody-there"},
	} {
		with["id"], with["name"], with["state"] = id, id, "up"
		p.Must("POST", "/api/v1/objects/host:host", []map[string]any{with}, nil)
	}
	want := map[string]any{"good": "up", "closed": "down", "changed": "unknown", "never": "unknown", "broken": "unknown"}
	runs := map[string]string{}
	for id := range want {
		runs[id] = p.Service("host/script/run", map[string]any{"script": "exit 3", "credential": "connection/good"}, "host:host/"+id)
	}
	for id, state := range want {
		p.Until(runs[id], time.Minute, func(u client.Update) bool { return u.Run.State != "active" })
		var object map[string]any
		p.Must("GET", "/api/v1/objects/host:host/"+id, nil, &object)
		if object["state@observed"] != state {
			t.Errorf("%s is %v, want %v", id, object["state@observed"], state)
		}
	}
	text := outputText(t, p, p.Jobs(runs["closed"])[0].Job, "host:host/closed")
	for _, line := range []string{"[sextant] try 2 of 3 in ", "[sextant] try 3 of 3 in 1", "the connection was refused"} {
		if !strings.Contains(text, line) {
			t.Errorf("the output lacks %q: %q", line, text)
		}
	}
}
