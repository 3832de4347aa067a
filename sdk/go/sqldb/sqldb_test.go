package sqldb_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"sextant/sdk/go/sqldb"
)

func open(t *testing.T, file string, readOnly bool) *sql.DB {
	t.Helper()
	db, dialect, err := sqldb.Open("sqlite:"+file, readOnly)
	if err != nil || dialect != sqldb.SQLite {
		t.Fatalf("%v, dialect %q", err, dialect)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func exec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func number(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestOpenRefusesWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "sqlite:", "file.db", "mysql://root:hunter2@db",
		"postgres://u:hunter2@h", "mysql://root:hunter2@db/x?charset=latin1", "postgres://u:hunter2@h/d?sslmode=hunter2",
		"mysql://root:hunt%er2@db/x", "postgres://u:hunt%er2@h/d", "root:hunter2@tcp(db:3306)/x", "host=db password=hunter2", "::hunter2",
		"postgres://u:hunter2@a:1,b:2/d?target_session_attrs=standby"} {
		t.Run(strings.ReplaceAll(address, "/", "_"), func(t *testing.T) {
			t.Parallel()
			_, _, err := sqldb.Open(address, false)
			if !errors.Is(err, sqldb.ErrURL) {
				t.Fatalf("got %v, want ErrURL", err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the message tells the password: %v", err)
			}
		})
	}
}

// Any file name is a file of that name, not a query string or an escape.
func TestFileNamesAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	for i, name := range []string{"plain.db", "with space.db", "question?mark=1.db", "hash#x.db", "per%20cent.db", "数据.db", "a&b=c.db"} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			db := open(t, filepath.Join(dir, name), false)
			exec(t, db, "CREATE TABLE t (x INTEGER)")
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Error(err)
			}
		})
	}
}

// Durability rests on these: they hold on every connection of the pool.
func TestEveryConnectionHasTheSettings(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "x.db"), false)
	for range 3 {
		c, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "10000", "foreign_keys": "0"} {
			var got string
			if err := c.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %q (%v), want %q", pragma, got, err, want)
			}
		}
	}
}

func TestReadOnlyConnectionsCannotWrite(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.db")
	write := open(t, file, false)
	exec(t, write, "CREATE TABLE t (x INTEGER)")
	exec(t, write, "INSERT INTO t VALUES (7)")
	read := open(t, file, true)
	if got := number(t, read, "SELECT x FROM t"); got != 7 {
		t.Errorf("read %d", got)
	}
	_, err := read.ExecContext(t.Context(), "INSERT INTO t VALUES (8)")
	if err == nil || sqldb.Classify(err) != sqldb.FaultReadOnly {
		t.Errorf("got %v, want a read-only fault", err)
	}
	if got := number(t, write, "SELECT COUNT(*) FROM t"); got != 1 {
		t.Errorf("there are %d rows", got)
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	fresh := func(t *testing.T) *sql.DB {
		db := open(t, filepath.Join(t.TempDir(), "x.db"), false)
		db.SetMaxOpenConns(1)
		exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, CHECK (id < 100))")
		exec(t, db, "INSERT INTO t VALUES (1, 'one')")
		return db
	}
	run := func(query string) func(*testing.T) error {
		return func(t *testing.T) error {
			_, err := fresh(t).ExecContext(t.Context(), query)
			return err
		}
	}
	for _, c := range []struct {
		name string
		make func(*testing.T) error
		want sqldb.Fault
	}{
		{"same-key", run("INSERT INTO t VALUES (1, 'two')"), sqldb.FaultConflict},
		{"same-name", run("INSERT INTO t VALUES (2, 'one')"), sqldb.FaultConflict},
		{"no-name", run("INSERT INTO t VALUES (2, NULL)"), sqldb.FaultOther},
		{"check", run("INSERT INTO t VALUES (200, 'x')"), sqldb.FaultOther},
		{"syntax", run("INSERT INTO nothing"), sqldb.FaultOther},
		{"no-database-error", func(*testing.T) error { return errors.New("x") }, sqldb.FaultOther},
		{"wrapped", func(t *testing.T) error { return fmt.Errorf("a: %w", run("INSERT INTO t VALUES (1, 'two')")(t)) }, sqldb.FaultConflict},
		{"full", func(t *testing.T) error {
			db := fresh(t)
			exec(t, db, "PRAGMA max_page_count = 4")
			_, err := db.ExecContext(t.Context(), "INSERT INTO t VALUES (2, ?)", strings.Repeat("x", 1<<20))
			return err
		}, sqldb.FaultFull},
		{"no-database", func(t *testing.T) error {
			file := filepath.Join(t.TempDir(), "x.db")
			if err := os.WriteFile(file, []byte(strings.Repeat("this is no database\n", 200)), 0o600); err != nil {
				t.Fatal(err)
			}
			return open(t, file, false).PingContext(t.Context())
		}, sqldb.FaultCorrupt},
		{"folder-is-not-there", func(t *testing.T) error {
			return open(t, filepath.Join(t.TempDir(), "none", "x.db"), false).PingContext(t.Context())
		}, sqldb.FaultReadOnly},
		{"held-by-another", func(t *testing.T) error {
			file := filepath.Join(t.TempDir(), "x.db")
			first := open(t, file, false)
			exec(t, first, "CREATE TABLE t (x INTEGER)")
			hold, err := first.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = hold.Rollback() }()
			if _, err := hold.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); err != nil {
				t.Fatal(err)
			}
			second := open(t, file, false)
			second.SetMaxOpenConns(1)
			exec(t, second, "PRAGMA busy_timeout = 0")
			_, err = second.ExecContext(t.Context(), "INSERT INTO t VALUES (2)")
			return err
		}, sqldb.FaultBusy},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.make(t)
			if err == nil {
				t.Fatal("no error")
			}
			if got := sqldb.Classify(err); got != c.want {
				t.Errorf("%v is %d, want %d", err, got, c.want)
			}
		})
	}
}

func script(text string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("-- +goose Up\n" + text)}
}

func TestMigrateGoesForwardOnce(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "x.db"), false)
	files := fstest.MapFS{"202601010000_create.sql": script("CREATE TABLE t (x INTEGER);\nINSERT INTO t VALUES (1);")}
	for range 2 {
		if err := sqldb.Migrate(t.Context(), db, sqldb.SQLite, "one", files); err != nil {
			t.Fatal(err)
		}
	}
	// Another domain counts for itself.
	if err := sqldb.Migrate(t.Context(), db, sqldb.SQLite, "two",
		fstest.MapFS{"202601010000_create.sql": script("CREATE TABLE u (x INTEGER);")}); err != nil {
		t.Fatal(err)
	}
	files["202601020000_more.sql"] = script("INSERT INTO t VALUES (2);")
	if err := sqldb.Migrate(t.Context(), db, sqldb.SQLite, "one", files); err != nil {
		t.Fatal(err)
	}
	if got := number(t, db, "SELECT COUNT(*) FROM t"); got != 2 {
		t.Errorf("there are %d rows, want 2", got)
	}
	if got := number(t, db, "SELECT COUNT(*) FROM u"); got != 0 {
		t.Errorf("the other domain has %d rows", got)
	}
	// One that was put in between later is refused instead of skipped.
	files["202601011200_between.sql"] = script("INSERT INTO t VALUES (3);")
	if err := sqldb.Migrate(t.Context(), db, sqldb.SQLite, "one", files); err == nil {
		t.Error("a migration older than the newest applied one was accepted")
	}
}

func TestFailedMigrationLeavesNothing(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "x.db"), false)
	files := fstest.MapFS{"202601010000_create.sql": script("CREATE TABLE t (x INTEGER);\nINSERT INTO nothing VALUES (1);")}
	if err := sqldb.Migrate(t.Context(), db, sqldb.SQLite, "one", files); err == nil || !strings.Contains(err.Error(), "migrate one") {
		t.Fatalf("got %v, want an error that names the domain", err)
	}
	if got := number(t, db, "SELECT COUNT(*) FROM sqlite_master WHERE name = 't'"); got != 0 {
		t.Error("the table of a failed migration is there")
	}
	files["202601010000_create.sql"] = script("CREATE TABLE t (x INTEGER);")
	if err := sqldb.Migrate(t.Context(), db, sqldb.SQLite, "one", files); err != nil {
		t.Errorf("the corrected migration does not run: %v", err)
	}
}

func TestMigrateWithoutFilesOrDialect(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "x.db"), false)
	if err := sqldb.Migrate(t.Context(), db, sqldb.SQLite, "one", fstest.MapFS{}); err == nil {
		t.Error("a domain without migrations passes as migrated")
	}
	if err := sqldb.Migrate(t.Context(), db, "oracle", "one",
		fstest.MapFS{"202601010000_create.sql": script("CREATE TABLE t (x INTEGER);")}); err == nil {
		t.Error("an unknown dialect passes")
	}
}
