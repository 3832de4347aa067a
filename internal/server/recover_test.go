package server_test

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sextant/internal/config"
	"sextant/internal/server"
	"sextant/internal/testkit/dbserver"
)

// A copy of a stopped server's folder is a server of its own.
func TestACopyOfTheFolderIsABackup(t *testing.T) {
	t.Parallel()
	dbserver.OnSQLite(t, "a database within the folder")
	g := newGate(t)
	admin := g.login("admin", adminPass)
	g.must("PUT", "/api/v1/connections/lab", admin, map[string]any{"type": "http", "secrets": map[string]any{"password": "hunter2"}}, nil)
	if err := g.server.Close(); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", g.data, copied).CombinedOutput(); err != nil { // as the guide says
		t.Fatalf("%v: %s", err, out)
	}
	l, err := config.Load("", map[string]any{"data": copied, "listen": "127.0.0.1:0", "admin.listen": ""})
	if err != nil {
		t.Fatal(err)
	}
	if g.server,
		err = server.Open(t.Context(), server.Options{Config: l.Config, Clock: g.clock, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	g.url = g.server.URL()
	if _, list := g.ask("GET", "/api/v1/connections", g.login("admin", adminPass), nil); !strings.Contains(string(list), `"name":"lab"`) {
		t.Errorf("%s", list)
	}
}

// Who has the folder and lost the password gets in again, once, on record.
func TestALostPassword(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	l, err := config.Load("", map[string]any{"data": g.data, "database": dbserver.Setting(t, g.data)})
	if err != nil {
		t.Fatal(err)
	}
	o := server.Options{Config: l.Config, Clock: g.clock, Log: slog.New(slog.DiscardHandler)}
	if _, err := server.Recover(t.Context(), o, "admin"); err == nil || !strings.Contains(err.Error(), "another server uses the folder") {
		t.Errorf("while the server runs: %v", err)
	}
	if err := g.server.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Recover(t.Context(), o, "nobody"); err == nil || !strings.Contains(err.Error(), `no user "nobody"`) {
		t.Errorf("%v", err)
	}
	link, err := server.Recover(t.Context(), o, "admin")
	if err != nil {
		t.Fatal(err)
	}
	l, err = config.Load("",
		map[string]any{"data": g.data, "database": dbserver.Setting(t, g.data), "listen": "127.0.0.1:0", "admin.listen": ""})
	if err != nil {
		t.Fatal(err)
	}
	o.Config = l.Config
	if g.server, err = server.Open(t.Context(), o); err != nil { // the rig closes it
		t.Fatal(err)
	}
	g.url = g.server.URL()
	var session struct{ Token string }
	g.must("POST", "/api/v1/session/link", "", map[string]string{"link": link}, &session)
	var me struct{ ID string }
	g.must("GET", "/api/v1/me", session.Token, nil, &me)
	g.must("PUT", "/api/v1/"+strings.Replace(me.ID, "user/", "users/", 1)+"/password",
		session.Token, map[string]string{"password": "another long password"}, nil)
	admin := g.login("admin", "another long password")
	if status, _ := g.ask("POST", "/api/v1/session/link", "", map[string]string{"link": link}); status != 401 {
		t.Errorf("the link works twice: %d", status)
	}
	if _, audit := g.ask("GET", "/api/v1/audit", admin, nil); !strings.Contains(string(audit), "user.recover") ||
		!strings.Contains(string(audit), "system/recover") {
		t.Errorf("not on record: %s", audit)
	}
	none := filepath.Join(t.TempDir(), "none")
	o.Config.Data = none
	if _, err := server.Recover(t.Context(), o, "admin"); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a folder was made")
	}
}
