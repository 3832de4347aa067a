package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sextant/internal/testkit/dbserver"
	"strings"
	"syscall"
	"testing"
	"time"
)

func (g *gate) put(token string, i int) int {
	status, _ := g.ask("PUT", fmt.Sprintf("/api/v1/connections/c%d", i), token,
		map[string]any{"type": "http", "fields": map[string]any{"note": strings.Repeat("x", 2000)}})
	return status
}

// With a full disk people read, log in and stop everything; readiness tells, and
// room that comes back is found.
func TestWorkOnAFullDisk(t *testing.T) {
	t.Parallel()
	dbserver.OnSQLite(t, "a disk that is full")
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=48m,mode=700"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	g := newGate(t)
	g.stop()
	g.data = filepath.Join(dir, "data")
	g.first = adminPass
	if err := g.reopen(nil); err != nil {
		t.Fatal(err)
	}
	admin := g.login("admin", adminPass)
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = filler.Write(make([]byte, 4<<10))
	}
	if err := filler.Close(); err != nil {
		t.Fatal(err)
	}
	refused := false
	for i := range 5000 {
		if refused = g.put(admin, i) == 507; refused {
			break
		}
	}
	if !refused {
		t.Fatal("the disk is never full")
	}
	g.clock.ahead.Store(int64(5 * time.Minute)) // the token was last seen long ago
	for _, path := range []string{"/api/v1/me", "/api/v1/connections", "/api/v1/runs", "/api/v1/audit"} {
		if status, data := g.ask("GET", path, admin, nil); status != 200 {
			t.Errorf("reading %s: %d %s", path, status, data)
		}
	}
	if status, data := g.ask("GET", "/readyz", "", nil); status != 503 || !strings.Contains(string(data), "full") {
		t.Errorf("readiness says %d %s", status, data)
	}
	for i := range 200 { // a plugin's database is on the same disk
		status, data := g.ask("POST", "/api/v1/objects/host:host", admin,
			[]map[string]any{{"id": fmt.Sprint("h", i), "name": fmt.Sprint("h", i, strings.Repeat("x", 100)), "address": "192.0.2.1"}})
		if status == 507 && !strings.Contains(string(data), "SQL") {
			break
		}
		if status >= 300 || i == 199 {
			t.Errorf("an object on a full disk: %d %s", status, data)
			break
		}
	}
	again := g.login("admin", adminPass)
	if status, data := g.ask("PUT", "/api/v1/stop", again, map[string]any{"active": true, "reason": "the disk is full"}); status >= 300 {
		t.Errorf("stopping everything: %d %s", status, data)
	}
	if status := g.put(again, 9000); status != 507 {
		t.Errorf("what is not urgent answers %d", status)
	}
	if err := os.Remove(filler.Name()); err != nil {
		t.Fatal(err)
	}
	if status := g.put(again, 9001); status >= 300 {
		t.Errorf("with room again: %d", status)
	}
	if status, data := g.ask("GET", "/readyz", "", nil); status != 200 {
		t.Errorf("readiness with room again: %d %s", status, data)
	}
	if _, trail := g.ask("GET", "/api/v1/audit?limit=500", again, nil); !strings.Contains(string(trail), "the disk is full") {
		t.Error("the audit log does not say why everything was stopped")
	}
}
