package transfer_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"sextant/internal/kit/db/transfer"
	"sextant/sdk/go/sqldb"
)

const columns = "id INTEGER NOT NULL PRIMARY KEY, name TEXT, body BLOB, n INTEGER"

func open(t *testing.T, name string, statements ...string) *sql.DB {
	t.Helper()
	db, _, err := sqldb.Open("sqlite:"+filepath.Join(t.TempDir(), name), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return db
}

// A copy holds every row with every value as it was: nothing and empty are two.
func TestEachValueIsCopied(t *testing.T) {
	t.Parallel()
	from := open(t, "from.db", "CREATE TABLE thing ("+columns+")")
	values := [][3]any{{"a", []byte{0, 1, 255}, 1}, {"", []byte{}, 0}, {nil, nil, nil},
		{"发布 '\"\\", []byte("text"), int64(-1 << 62)}, {strings.Repeat("long ", 20_000), make([]byte, 100_000), int64(1<<63 - 1)}}
	for i, v := range values {
		if _, err := from.ExecContext(t.Context(), "INSERT INTO thing (id, name, body, n) VALUES (?, ?, ?, ?)", i, v[0], v[1], v[2]); err != nil {
			t.Fatal(err)
		}
	}
	to := open(t, "to.db", "CREATE TABLE thing (n INTEGER, body BLOB, id INTEGER NOT NULL PRIMARY KEY, name TEXT)") // in another order
	table, err := transfer.Copy(t.Context(), from, to, "thing")
	if err != nil || table.Rows != int64(len(values)) || len(table.Digest) != 64 {
		t.Fatalf("%+v, %v", table, err)
	}
	for i, v := range values {
		var name sql.NullString
		var body []byte
		var n sql.NullInt64
		missing := false
		if err := to.QueryRowContext(t.Context(), "SELECT name, body, body IS NULL, n FROM thing WHERE id = ?", i).
			Scan(&name, &body, &missing, &n); err != nil {
			t.Fatal(err)
		}
		if name.Valid != (v[0] != nil) || name.Valid && name.String != v[0] ||
			missing != (v[1] == nil) || !missing && string(body) != string(v[1].([]byte)) || n.Valid != (v[2] != nil) {
			t.Errorf("row %d is %.20q, %.20q, %v", i, name.String, body, n)
		}
	}
}

// More rows than one commit takes are copied, and one that is other is found.
func TestACopyThatDiffersIsFound(t *testing.T) {
	t.Parallel()
	fill := "WITH RECURSIVE some(i) AS (SELECT 1 UNION ALL SELECT i + 1 " +
		"FROM some WHERE i < 5001) INSERT INTO thing SELECT i, 'name ' || i, x'00', i FROM some"
	from := open(t, "from.db", "CREATE TABLE thing ("+columns+")", fill)
	whole := open(t, "whole.db", "CREATE TABLE thing ("+columns+")")
	was, err := transfer.Copy(t.Context(), from, whole, "thing")
	if err != nil || was.Rows != 5001 {
		t.Fatalf("%+v, %v", was, err)
	}
	for name, trigger := range map[string]string{
		"one-other":   "CREATE TRIGGER x AFTER INSERT ON thing WHEN NEW.id = 4000 BEGIN UPDATE thing SET name = 'other' WHERE id = 4000; END",
		"one-missing": "CREATE TRIGGER x AFTER INSERT ON thing WHEN NEW.id = 4000 BEGIN DELETE FROM thing WHERE id = 4000; END",
		"one-empty":   "CREATE TRIGGER x AFTER INSERT ON thing WHEN NEW.id = 4000 BEGIN UPDATE thing SET name = NULL WHERE id = 4000; END",
		"exchanged": "CREATE TRIGGER x AFTER INSERT ON thing WHEN NEW.id " +
			"= 4001 BEGIN UPDATE thing SET n = 8001 - n WHERE id IN (4000, 4001); END",
	} {
		to := open(t, name+".db", "CREATE TABLE thing ("+columns+")", trigger)
		if _, err := transfer.Copy(t.Context(), from, to, "thing"); !errors.Is(err, transfer.ErrDiffers) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := transfer.Copy(ctx, from, open(t, "late.db", "CREATE TABLE thing ("+columns+")"), "thing"); !errors.Is(err, context.Canceled) {
		t.Errorf("who gives up gets %v", err)
	}
}

func TestOnlyAnEmptyTargetIsTaken(t *testing.T) {
	t.Parallel()
	db := open(t, "x.db", "CREATE TABLE a ("+columns+")", "CREATE TABLE b ("+columns+")")
	if err := transfer.Empty(t.Context(), db, []string{"a", "b"}); err != nil {
		t.Error(err)
	}
	if _, err := db.ExecContext(t.Context(), "INSERT INTO b (id) VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if err := transfer.Empty(t.Context(), db, []string{"a", "b"}); !errors.Is(err, transfer.ErrNotEmpty) ||
		!strings.Contains(err.Error(), "b has 1 rows") {
		t.Errorf("%v", err)
	}
	if err := transfer.Empty(t.Context(), db, []string{"none"}); err == nil ||
		errors.Is(err, transfer.ErrNotEmpty) || !strings.Contains(err.Error(), "none") {
		t.Errorf("%v", err)
	}
}
