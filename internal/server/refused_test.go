package server_test

import (
	"strings"
	"testing"
)

// Who asks for what they may not do stands in the audit log, a flood by its
// beginning; who may is not mentioned.
func TestRefusedRequestsAreOnRecord(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	g.must("POST", "/api/v1/users", admin,
		map[string]any{"name": "viewer", "password": adminPass, "roles": []map[string]string{{"role": "viewer", "project": "default"}}}, nil)
	viewer := g.login("viewer", adminPass)
	if status, _ := g.ask("PUT", "/api/v1/stop", viewer, map[string]any{"active": true, "reason": "because"}); status != 403 {
		t.Fatalf("a viewer stops everything: %d", status)
	}
	for range 50 {
		if status, _ := g.ask("GET", "/api/v1/users", viewer, nil); status != 403 {
			t.Fatalf("a viewer lists users: %d", status)
		}
	}
	g.must("GET", "/api/v1/runs", viewer, nil, nil)
	_, trail := g.ask("GET", "/api/v1/audit?outcome=refused&limit=500", admin, nil)
	for _, want := range []string{`"object":"PUT /api/v1/stop"`, `"subjectName":"viewer"`, `"verb":"request.refused"`, `"from":"127.0.0.1"`} {
		if !strings.Contains(string(trail), want) {
			t.Errorf("the audit log has no %s", want)
		}
	}
	if n := strings.Count(string(trail), "request.refused"); n != 30 {
		t.Errorf("a flood of 51 left %d records", n)
	}
	if strings.Contains(string(trail), "/api/v1/runs") {
		t.Error("what was possible is among the refusals")
	}
}
