package sqldb_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/sqldb"
)

// on runs a test on each kind of database.
func on(t *testing.T, fn func(t *testing.T, db *sql.DB, kind sqldb.Dialect, address string)) {
	t.Helper()
	for _, kind := range dbserver.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			address := dbserver.Fresh(t, kind)
			db, dialect, err := sqldb.Open(address, false)
			if err != nil || dialect != kind {
				t.Fatalf("%v, dialect %q", err, dialect)
			}
			t.Cleanup(func() { _ = db.Close() })
			fn(t, db, kind, address)
		})
	}
}

const sample = `CREATE TABLE sample (
    id    INTEGER NOT NULL PRIMARY KEY,
    name  VARCHAR(190) NOT NULL,
    note  TEXT NOT NULL DEFAULT 'it''s',
    data  BLOB NOT NULL,
    hash  VARBINARY(32) NOT NULL
);
CREATE UNIQUE INDEX sample_name ON sample (name);
CREATE TABLE other (
    a INTEGER NOT NULL,
    b VARCHAR(64) NOT NULL,
    PRIMARY KEY (a, b)
) WITHOUT ROWID;
`

func migrated(t *testing.T, db *sql.DB, kind sqldb.Dialect) {
	t.Helper()
	for range 2 {
		if err := sqldb.Migrate(t.Context(), db, kind, "sample", fstest.MapFS{"202601010000_create.sql": script(sample)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := sqldb.Check(t.Context(), db, kind); err != nil {
		t.Fatal(err)
	}
}

const insert = "INSERT INTO sample (id, name, data, hash) VALUES (?, ?, ?, ?)"

func TestOneTextServesAll(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, db *sql.DB, kind sqldb.Dialect, _ string) {
		migrated(t, db, kind)
		data := []byte{0, 1, 0xff, '\\', '\'', '?'}
		exec(t, db, insert, 1, "a 'quoted' ? \\ 名字", data, `{"a":"\"b\\"}`)
		var name, note, hash string
		var got []byte
		if err := db.QueryRowContext(t.Context(), "SELECT name, note, data, hash FROM sample WHERE id = ? AND note <> '?' -- no ?", 1).
			Scan(&name, &note, &got, &hash); err != nil {
			t.Fatal(err)
		}
		if name != "a 'quoted' ? \\ 名字" || note != "it's" || !bytes.Equal(got, data) || hash != `{"a":"\"b\\"}` {
			t.Errorf("got %q %q %v %q", name, note, got, hash)
		}
		for range 2 {
			exec(t, db, sqldb.Upsert("sample", 1, []string{"id", "name", "note", "data", "hash"}),
				1, "b", []byte("bytes for a text"), "text for bytes \\x41", "")
			exec(t, db, sqldb.Upsert("other", 2, []string{"a", "b"}), true, "b") // a bool is 0 or 1
		}
		var large int64
		const most = 1<<62 + 1
		if err := db.QueryRowContext(t.Context(), "SELECT MAX(CASE WHEN a = 7 THEN 1 ELSE ? END) FROM other", int64(most)).
			Scan(&large); err != nil || large != most {
			t.Errorf("a large number beside a small one: %d, %v", large, err)
		}
		if n := number(t, db, "SELECT COUNT(*) FROM other WHERE a = 1"); n != 1 {
			t.Errorf("%d rows", n)
		}
		if err := db.QueryRowContext(t.Context(), "SELECT note || '/' || name, data FROM sample").Scan(&name, &note); err != nil ||
			name != "bytes for a text/b" || note != "text for bytes \\x41" {
			t.Errorf("%q %q, %v", name, note, err)
		}
	})
}

// Texts are compared by their bytes: case, accents and spaces at the end count,
// and the order is that of the bytes.
func TestTextsAreComparedByBytes(t *testing.T) {
	t.Parallel()
	names := []string{"b", "B", "a", "A", "ä", "a ", "A-b", "Ab", "_", "", "名", "\U0001F600", "a\t"}
	on(t, func(t *testing.T, db *sql.DB, kind sqldb.Dialect, _ string) {
		migrated(t, db, kind)
		for i, n := range names {
			exec(t, db, insert, i, n, "", "")
		}
		want := slices.Sorted(slices.Values(names))
		rows, err := db.QueryContext(t.Context(), "SELECT name FROM sample WHERE name >= ? ORDER BY name", "")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var got []string
		for rows.Next() {
			var n string
			if err := rows.Scan(&n); err != nil {
				t.Fatal(err)
			}
			got = append(got, n)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if n := number(t, db, "SELECT COUNT(*) FROM sample WHERE name LIKE 'A%'"); kind != sqldb.SQLite && n != 3 {
			t.Errorf("LIKE finds %d", n)
		}
	})
}

func TestServersClassify(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, db *sql.DB, kind sqldb.Dialect, address string) {
		migrated(t, db, kind)
		exec(t, db, insert, 1, "one", "", "")
		expect := func(name string, err error, want sqldb.Fault) {
			t.Helper()
			if err == nil || sqldb.Classify(fmt.Errorf("wrapped: %w", err)) != want {
				t.Errorf("%s: %v is %d, want %d", name, err, sqldb.Classify(err), want)
			}
		}
		try := func(query string, args ...any) error {
			_, err := db.ExecContext(t.Context(), query, args...)
			return err
		}
		expect("same key", try(insert, 1, "two", "", ""), sqldb.FaultConflict)
		expect("same name", try(insert, 2, "one", "", ""), sqldb.FaultConflict)
		expect("no value", try(insert, 2, nil, "", ""), sqldb.FaultOther)
		expect("no table", try("INSERT INTO nothing (a) VALUES (?)", 1), sqldb.FaultOther)
		if kind == sqldb.SQLite {
			return
		}
		var long strings.Builder
		for i := range 2000 {
			fmt.Fprintf(&long, "%x", i*i)
		}
		expect("too long", try(insert, 2, long.String(), "", ""), sqldb.FaultValue)
		expect("no text", try(insert, 2, "a\xff", "", ""), sqldb.FaultValue)
		read, _, err := sqldb.Open(address, true)
		if err != nil {
			t.Fatal(err)
		}
		defer read.Close()
		_, err = read.ExecContext(t.Context(), insert, 3, "three", "", "")
		expect("read only", err, sqldb.FaultReadOnly)
		none, _, err := sqldb.Open(strings.Replace(address, "/t", "/none", 1), false)
		if err != nil {
			t.Fatal(err)
		}
		defer none.Close()
		expect("no such database", none.PingContext(t.Context()), sqldb.FaultDenied)
		away, _, err := sqldb.Open(map[sqldb.Dialect]string{
			sqldb.Postgres: "postgres://u:hunter2@127.0.0.1:1/d", sqldb.MySQL: "mysql://u:hunter2@127.0.0.1:1/d"}[kind], false)
		if err != nil {
			t.Fatal(err)
		}
		defer away.Close()
		err = away.PingContext(t.Context())
		expect("nobody listens", err, sqldb.FaultAway)
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the message tells the password: %v", err)
		}
	})
}

// Two transactions that wait for each other: one of them may be done again.
func TestDeadlockIsToldApart(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, db *sql.DB, kind sqldb.Dialect, _ string) {
		if kind == sqldb.SQLite {
			t.Skip("SQLite has one writer")
		}
		migrated(t, db, kind)
		exec(t, db, insert, 1, "one", "", "")
		exec(t, db, insert, 2, "two", "", "")
		begin := func(id int) *sql.Tx {
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(t.Context(), "UPDATE sample SET note = 'x' WHERE id = ?", id); err != nil {
				t.Fatal(err)
			}
			return tx
		}
		a, b := begin(1), begin(2)
		first := make(chan error, 1)
		go func() {
			_, err := a.ExecContext(context.WithoutCancel(t.Context()), "UPDATE sample SET note = 'y' WHERE id = ?", 2)
			first <- errors.Join(err, a.Rollback())
		}()
		_, err := b.ExecContext(t.Context(), "UPDATE sample SET note = 'y' WHERE id = ?", 1)
		_ = b.Rollback() // it may be over
		if other := <-first; err == nil {
			err = other
		}
		if sqldb.Classify(err) != sqldb.FaultSerial {
			t.Errorf("%v is %d", err, sqldb.Classify(err))
		}
	})
}

func TestSessionsHaveTheirSettings(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, db *sql.DB, kind sqldb.Dialect, _ string) {
		if kind == sqldb.SQLite {
			t.Skip("see TestEveryConnectionHasTheSettings")
		}
		for range 3 {
			c, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for query, want := range map[sqldb.Dialect]map[string]string{
				sqldb.Postgres: {"SHOW transaction_isolation": "read committed", "SHOW timezone": "UTC"},
				sqldb.MySQL: {"SELECT @@session.tx_isolation": "READ-COMMITTED",
					"SELECT @@session.time_zone": "+00:00", "SELECT @@session.collation_connection": "utf8mb4_bin"},
			}[kind] {
				var got string
				if err := c.QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != want {
					t.Errorf("%s is %q (%v), want %q", query, got, err, want)
				}
			}
		}
	})
}

func TestCheckRefusesByName(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, db *sql.DB, kind sqldb.Dialect, address string) {
		if kind == sqldb.SQLite {
			t.Skip("a file has nothing to refuse")
		}
		exec(t, db, map[sqldb.Dialect]string{
			sqldb.Postgres: "CREATE TABLE foreign_text (a TEXT NOT NULL)",
			sqldb.MySQL:    "CREATE TABLE foreign_text (a VARCHAR(10) NOT NULL)",
		}[kind])
		err := sqldb.Check(t.Context(), db, kind)
		if !errors.Is(err, sqldb.ErrUnfit) || !strings.Contains(err.Error(), "foreign_text") {
			t.Errorf("another collation: %v", err)
		}
		exec(t, db, "DROP TABLE foreign_text")
		// One who may look and no more.
		server := dbserver.Own(t, kind)
		address = server.Fresh(t)
		name := address[strings.Index(address, "/t")+1 : strings.Index(address, "?")]
		for _, text := range map[sqldb.Dialect][]string{
			sqldb.Postgres: {"ALTER DATABASE " + name + " OWNER TO postgres"},
			sqldb.MySQL: {"REVOKE ALL PRIVILEGES ON `" + name + "`.* FROM 'sextant'@'localhost'",
				"GRANT SELECT ON `" + name + "`.* TO 'sextant'@'localhost'"},
		}[kind] {
			exec(t, server.Admin(), text)
		}
		poor, _, err := sqldb.Open(address, false)
		if err != nil {
			t.Fatal(err)
		}
		defer poor.Close()
		if err := sqldb.Check(t.Context(), poor, kind); !errors.Is(err, sqldb.ErrUnfit) || !strings.Contains(err.Error(), "GRANT") {
			t.Errorf("a user without rights: %v", err)
		}
	})
}

func TestMigrationsOfAnotherVersionAreRefused(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, db *sql.DB, kind sqldb.Dialect, _ string) {
		files := fstest.MapFS{"202601010000_create.sql": script("CREATE TABLE t (x INTEGER);"),
			"202601020000_more.sql": script("CREATE TABLE u (x INTEGER);")}
		if err := sqldb.Migrate(t.Context(), db, kind, "one", files); err != nil {
			t.Fatal(err)
		}
		delete(files, "202601020000_more.sql")
		if err := sqldb.Migrate(t.Context(), db, kind, "one", files); !errors.Is(err, sqldb.ErrNewer) {
			t.Errorf("got %v, want ErrNewer", err)
		}
	})
}

// A file of a dialect stands in the place of the common one.
func TestMigrationsOfADialect(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, db *sql.DB, kind sqldb.Dialect, _ string) {
		files := fstest.MapFS{"202601010000_create.sql": script("CREATE TABLE t (x INTEGER);"),
			string(kind) + "/202601010000_create.sql": script("CREATE TABLE special (x INTEGER);")}
		if err := sqldb.Migrate(t.Context(), db, kind, "one", files); err != nil {
			t.Fatal(err)
		}
		if n := number(t, db, "SELECT COUNT(*) FROM special"); n != 0 {
			t.Error(n)
		}
	})
}

// A server that does not answer, over a connection that stays, is not waited for longer
// than it may be silent; a migration takes as long as it takes, and whoever has a limit of
// their own keeps to that.
func TestASilentServerIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	for _, kind := range []sqldb.Dialect{sqldb.Postgres, sqldb.MySQL} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			server := dbserver.Shared(t, kind)
			line := server.Line(t)
			const silence = 2 * time.Second
			db, err := sqldb.OpenHasty(line.Address(t, server.Fresh(t)), silence)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			pause := map[sqldb.Dialect]string{sqldb.Postgres: "SELECT pg_sleep(3);", sqldb.MySQL: "SELECT SLEEP(3);"}[kind]
			slow := fstest.MapFS{"202601010000_wait.sql": script("CREATE TABLE slow (id INTEGER NOT NULL PRIMARY KEY);\n" + pause)}
			if err := sqldb.Migrate(t.Context(), db, kind, "slow", slow); err != nil {
				t.Errorf("a migration that takes longer: %v", err)
			}
			ask := func(ctx context.Context) (time.Duration, error) {
				begun := time.Now()
				var n int
				err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM slow WHERE id > ?", 0).Scan(&n)
				return time.Since(begun), err
			}
			if _, err := ask(t.Context()); err != nil {
				t.Fatal(err)
			}
			line.Still()
			if took, err := ask(t.Context()); sqldb.Classify(err) != sqldb.FaultAway || took < silence || took > 3*silence {
				t.Errorf("a read: %v after %s", err, took)
			}
			if took, err := ask(t.Context()); sqldb.Classify(err) != sqldb.FaultAway || took > 15*time.Second {
				t.Errorf("a read on a new connection: %v after %s", err, took)
			}
			short, cancel := context.WithTimeout(t.Context(), time.Second/2)
			defer cancel()
			if took, err := ask(short); err == nil || took > silence {
				t.Errorf("a read of somebody in a hurry: %v after %s", err, took)
			}
			line.Up()
			if _, err := ask(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}
