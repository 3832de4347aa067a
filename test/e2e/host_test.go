package e2e_test

import (
	"strings"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/ssh/sshtest"
)

// host makes an object and a connection for a real sshd.
func host(t *testing.T, p *platform.Platform, id string) *sshtest.Server {
	t.Helper()
	s := sshtest.Start(t)
	p.Must("PUT", "/api/v1/connections/"+id, client.SettingInput{Type: "ssh", Fields: map[string]any{"user": s.User}, Secrets: map[string]string{"private_key": s.PrivateKey}}, nil)
	p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": id, "name": id, "address": s.Address, "host_key": strings.TrimSpace(s.HostKey), "state": "up"}}, nil)
	return s
}

func TestAScriptOnARealHost(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	host(t, p, "h1")
	run := p.Service("host/script/run", map[string]any{"script": "echo hello from $(basename \"$HOME\"); echo $1", "args": []string{"it's $HOME"}, "credential": "connection/h1"}, "host:host/h1")
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
	var log client.PageOfOutputPiece
	p.Must("GET", "/api/v1/jobs/"+p.Jobs(run)[0].Job+"/output", nil, &log)
	if len(log.Items) == 0 || !strings.Contains(log.Items[0].Text, "hello from the home") {
		t.Fatalf("the live output is %+v", log.Items)
	}
}
