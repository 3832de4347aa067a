package server_test

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sextant/internal/config"
	"sextant/internal/server"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/sqldb"
)

// older takes the tables of a domain out of a stopped server's database, as if the
// program that wrote it had not known them.
func (g *gate) older(domain string) {
	g.t.Helper()
	g.sql(func(d *sql.DB) error {
		d.SetMaxOpenConns(1)
		rows, err := d.QueryContext(g.t.Context(), "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, ?) = ?",
			len(domain)+1, domain+"_")
		if err != nil {
			return err
		}
		var names []string
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			names = append(names, name)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		if len(names) < 2 {
			return fmt.Errorf("the tables of %s are %v", domain, names)
		}
		for _, name := range names {
			if _, err := d.ExecContext(g.t.Context(), "DROP TABLE "+name); err != nil {
				return err
			}
		}
		return nil
	})
}

// sql works on the database of a stopped server.
func (g *gate) sql(fn func(*sql.DB) error) {
	g.t.Helper()
	d, _, err := sqldb.Open("sqlite:"+filepath.Join(g.data, "sextant.db"), false)
	if err == nil {
		err = fn(d)
		_ = d.Close()
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *gate) check() *server.Upgrade {
	g.t.Helper()
	u, err := server.CheckUpgrade(g.t.Context(), config.Config{Data: g.data})
	if err != nil {
		g.t.Fatal(err)
	}
	return u
}

// sums are the files of a folder with their content.
func sums(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	all := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		all[p] = sha256.Sum256(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func same(t *testing.T, before, after map[string][32]byte) {
	t.Helper()
	if len(before) != len(after) {
		t.Errorf("there were %d files and there are %d", len(before), len(after))
	}
	for name, sum := range before {
		if after[name] != sum {
			t.Errorf("%s was changed", name)
		}
	}
}

// The check tells what a start would do, changes nothing, and works beside a server;
// the start copies the database and migrates it.
func TestAnUpgradeIsToldAndCopiedBefore(t *testing.T) {
	t.Parallel()
	dbserver.OnSQLite(t, "a file that is copied")
	g := newGate(t)
	if u := g.check(); u.Needed() || !u.Running || u.Refused != "" || len(u.Domains) < 14 || len(u.Copies) != 0 {
		t.Errorf("beside the server: %+v", u)
	}
	g.stop()
	if u := g.check(); u.Needed() || u.Running {
		t.Errorf("of the stopped server: %+v", u)
	}
	g.older("bus")
	before := sums(t, g.data)
	u := g.check()
	same(t, before, sums(t, g.data))
	var pending []string
	for _, d := range u.Domains {
		if len(d.Pending) > 0 {
			pending = append(pending, d.Domain)
		}
		if d.Domain == "bus" && (d.Now != 0 || d.Wanted < 202611000000) {
			t.Errorf("%+v", d)
		}
	}
	if !u.Needed() || !slices.Equal(pending, []string{"bus"}) || !slices.Equal(u.Copies, []string{"sextant.db"}) ||
		u.Room < 4096 || u.Free < u.Room {
		t.Errorf("%+v", u)
	}
	if err := g.reopen(nil); err != nil {
		t.Fatal(err)
	}
	if u := g.check(); u.Needed() {
		t.Errorf("after the start: %+v", u)
	}
	g.stop()
	copies, err := filepath.Glob(filepath.Join(g.data, "before", "*", "sextant.db"))
	if err != nil || len(copies) != 1 {
		t.Fatalf("copies: %v, %v", copies, err)
	}
	if sums(t, filepath.Dir(copies[0]))[copies[0]] != before[filepath.Join(g.data, "sextant.db")] {
		t.Error("the copy is not the database as it was before")
	}
}

// A migration that fails leaves the copy of the first try, however often it is tried.
func TestAFailedUpgradeKeepsTheFirstCopy(t *testing.T) {
	t.Parallel()
	dbserver.OnSQLite(t, "a file that is copied")
	g := newGate(t)
	g.stop()
	g.older("bus")
	g.sql(func(d *sql.DB) error {
		_, err := d.ExecContext(t.Context(), "CREATE TABLE bus_event (mine INTEGER)")
		return err
	})
	first := sums(t, g.data)[filepath.Join(g.data, "sextant.db")]
	for range 2 {
		if err := g.reopen(nil); err == nil || !strings.Contains(err.Error(), "bus") {
			t.Fatalf("the start says %v", err)
		}
	}
	g.sql(func(d *sql.DB) error {
		_, err := d.ExecContext(t.Context(), "DROP TABLE bus_event")
		return err
	})
	if err := g.reopen(nil); err != nil {
		t.Fatal(err)
	}
	g.stop()
	all := sums(t, filepath.Join(g.data, "before"))
	if len(all) != 1 {
		t.Errorf("the folder before/ has %d files", len(all))
	}
	for name, sum := range all {
		if sum != first {
			t.Errorf("%s is not the database before the first try", name)
		}
	}
}

func TestAnUpgradeThatCannotBe(t *testing.T) {
	t.Parallel()
	dbserver.OnSQLite(t, "a file that is copied")
	g := newGate(t)
	g.stop()
	if err := os.WriteFile(filepath.Join(g.data, "format"), []byte("99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if u := g.check(); !strings.Contains(u.Refused, "newer sextant") {
		t.Errorf("a newer form: %+v", u)
	}
	if err := os.WriteFile(filepath.Join(g.data, "format"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.sql(func(d *sql.DB) error {
		_, err := d.ExecContext(t.Context(), "INSERT INTO audit_version (version_id, is_applied) VALUES (299901010000, 1)")
		return err
	})
	if u := g.check(); !strings.Contains(u.Refused, "audit") || !strings.Contains(u.Refused, "299901010000") {
		t.Errorf("newer tables: %+v", u)
	}
	if _, err := server.CheckUpgrade(t.Context(), config.Config{Data: t.TempDir()}); err == nil ||
		!strings.Contains(err.Error(), "no server has used") {
		t.Errorf("an empty folder: %v", err)
	}
}

// Without room for the copy nothing is touched.
func TestAnUpgradeWithoutRoom(t *testing.T) {
	t.Parallel()
	dbserver.OnSQLite(t, "a file that is copied")
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m,mode=700"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	g := newGate(t)
	g.stop()
	g.older("bus")
	to := filepath.Join(dir, "data")
	if err := os.Remove(filepath.Join(g.data, "reserve")); err != nil { // which is as large as this disk
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(g.data)); err != nil {
		t.Fatal(err)
	}
	g.data = to
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = filler.Write(make([]byte, 4<<10))
	}
	_ = filler.Close() // it is full
	before := sums(t, g.data)[filepath.Join(g.data, "sextant.db")]
	if u := g.check(); !strings.Contains(u.Refused, "make room") {
		t.Errorf("%+v", u)
	}
	if err := g.reopen(nil); err == nil || !strings.Contains(err.Error(), "make room") {
		t.Errorf("the start says %v", err)
	}
	if sums(t, g.data)[filepath.Join(g.data, "sextant.db")] != before {
		t.Error("the database was changed")
	}
}

// Of a database on a server the check tells the versions too, and that nothing of it
// is copied.
func TestAnUpgradeOfADatabaseOnAServer(t *testing.T) {
	t.Parallel()
	kind := dbserver.Chosen(t)
	if kind == sqldb.SQLite {
		t.Skip("SEXTANT_TEST_DATABASE asks for no server")
	}
	address := dbserver.Fresh(t, kind)
	g := newGate(t)
	g.stop()
	g.data, g.first = filepath.Join(t.TempDir(), "data"), adminPass
	if err := g.reopen(map[string]any{"database": address}); err != nil {
		t.Fatal(err)
	}
	look := func() *server.Upgrade {
		t.Helper()
		u, err := server.CheckUpgrade(t.Context(), config.Config{Data: g.data, Database: address})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	if u := look(); u.Needed() || !u.Running || len(u.Domains) < 14 {
		t.Errorf("beside the server: %+v", u)
	}
	g.stop()
	d, _, err := sqldb.Open(address, false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, table := range []string{"audit_record", "audit_version"} {
		if _, err := d.ExecContext(t.Context(), "DROP TABLE "+table); err != nil {
			t.Fatal(err)
		}
	}
	if u := look(); !u.Needed() || u.Running || len(u.Copies) != 0 || u.Refused != "" {
		t.Errorf("of an older database: %+v", u)
	}
	if err := g.reopen(map[string]any{"database": address}); err != nil {
		t.Fatal(err)
	}
	if u := look(); u.Needed() {
		t.Errorf("after the start: %+v", u)
	}
}
