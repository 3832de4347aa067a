package server_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sextant/internal/testkit/dbserver"
	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/sqldb"
	"sextant/sdk/go/ssh/sshtest"
)

// Of a run that is forgotten nothing is left anywhere; of others nothing is missing,
// and what has not ended is no such run.
func TestOfAForgottenRunNothingIsLeft(t *testing.T) {
	t.Parallel()
	p, h := platform.Start(t, map[string]any{"retention.runs": 1, "retention.audit": 1}), sshtest.Start(t)
	p.Must("PUT", "/api/v1/connections/h1", client.SettingInput{
		Type: "ssh", Fields: map[string]any{"user": h.User}, Secrets: map[string]string{"private_key": h.PrivateKey}}, nil)
	p.Must("POST", "/api/v1/objects/host:host",
		[]map[string]any{{"id": "h1", "name": "h1", "address": h.Address, "host_key": strings.TrimSpace(h.HostKey)}}, nil)
	script := func() string {
		return p.Service("host/script/run", map[string]any{"script": "echo hello; exit 3", "credential": "connection/h1"}, "host:host/h1")
	}
	old := script()
	if r := p.Ended(old); r.State != "incident" {
		t.Fatalf("%+v", r)
	}
	p.Must("POST", "/api/v1/incidents/"+p.Incidents()[0].Key+"/skip", map[string]any{"reason": "a test"}, nil)
	p.Ended(old)
	waits := script()
	p.Ended(waits)
	if err := p.Call(t.Context(), "POST", "/api/v1/calls",
		map[string]any{"service": "host/script/run", "objects": []string{"host:host/none"}, "variables": map[string]any{}}, nil); err == nil {
		t.Fatal("a start on nothing was not refused")
	}
	keys := map[string][]string{"run": {old}}
	for _, j := range p.Jobs(old) {
		keys["job"] = append(keys["job"], j.Job)
	}
	if all := places(t, p, keys); len(all) < 6 {
		t.Fatalf("it lies in %q alone", all)
	}
	count := func(what string) int {
		var page struct{ Items []any }
		p.Must("GET", what, nil, &page)
		return len(page.Items)
	}
	before := count("/api/v1/verdicts")
	p.Server.CaughtUp(t)
	removed, err := p.Server.Forget(t.Context(), time.Now().Add(time.Hour), 100)
	if err != nil || removed["runs"] != 1 || removed["refusals"] != before-2 || removed["audit"] < 3 {
		t.Fatalf("%v of %d verdicts, %v", removed, before, err)
	}
	if left := places(t, p, keys); len(left) > 0 {
		t.Errorf("it still lies in %q", left)
	}
	p.Server.CaughtUp(t)
	if _, err := os.Stat(filepath.Join(p.Data, "output", old)); err == nil {
		t.Error("its output is still there")
	}
	var gone *client.Error
	if err := p.Call(t.Context(), http.MethodGet, "/api/v1/runs/"+old, nil, nil); !errors.As(err, &gone) ||
		gone.Status != http.StatusNotFound {
		t.Errorf("it is answered with %v", err)
	}
	if n := count("/api/v1/verdicts"); n != 1 {
		t.Errorf("%d verdicts are left", n)
	}
	if rows := p.Jobs(waits)[0].Rows; len(rows) != 1 || rows[0].Code != "3" && rows[0].Outcome != "failed" ||
		count("/api/v1/runs/"+waits+"/steps") == 0 {
		t.Errorf("the other has %+v", rows)
	}
	if err := p.Call(t.Context(), http.MethodGet, "/api/v1/events?follows=1", nil, nil); !errors.As(err, &gone) || gone.Code != "event.gone" {
		t.Errorf("events that are not kept any more are answered with %v", err)
	}
	if n := count("/api/v1/events"); n != 2 {
		t.Errorf("%d events are left, and not the newest and that a run was removed", n)
	}
	var reports struct {
		Items []struct{ Kind, State string }
	}
	p.Must("GET", "/api/v1/retention", nil, &reports)
	if len(reports.Items) != 7 {
		t.Errorf("%+v", reports.Items)
	}
}

// places are the tables in which one of the keys stands in the column of its name.
func places(t *testing.T, p *platform.Platform, keys map[string][]string) (all []string) {
	t.Helper()
	db, kind, err := sqldb.Open(dbserver.Address(t, filepath.Join(p.Data, "sextant.db")), true)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const catalog = "SELECT table_name, column_name FROM information_schema.columns WHERE column_name IN ('run', 'job') AND table_schema = "
	rows, err := db.QueryContext(t.Context(), map[sqldb.Dialect]string{
		sqldb.SQLite: "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c " +
			"WHERE m.type = 'table' AND c.name IN ('run', 'job')",
		sqldb.Postgres: catalog + "current_schema()", sqldb.MySQL: catalog + "DATABASE()",
	}[kind])
	if err != nil {
		t.Fatal(err)
	}
	columns := [][2]string{}
	for rows.Next() {
		var c [2]string
		if err := rows.Scan(&c[0], &c[1]); err != nil {
			t.Fatal(err)
		}
		columns = append(columns, c)
	}
	for _, c := range columns {
		for _, key := range keys[c[1]] {
			var n int
			if err := db.QueryRowContext(t.Context(), fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE %s = ?", c[0], c[1]), key).Scan(&n); err != nil {
				t.Fatal(err)
			}
			if n > 0 && !slices.Contains(all, c[0]) {
				all = append(all, c[0])
			}
		}
	}
	return all
}
