package sqldb_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/sqldb"
)

const various = `CREATE TABLE various (
    id    INTEGER NOT NULL,
    name  VARCHAR(64) NOT NULL,
    note  TEXT,
    data  BLOB,
    fixed INTEGER NOT NULL,
    PRIMARY KEY (id, name)
);
`

// Rows that go out together are stored as those that go out one by one.
func TestRowsThatAreSentTogether(t *testing.T) {
	t.Parallel()
	db, kind, err := sqldb.Open(dbserver.Fresh(t, sqldb.Postgres), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := sqldb.Migrate(t.Context(), db, kind, "various", fstest.MapFS{"202601010000_create.sql": script(various)}); err != nil {
		t.Fatal(err)
	}
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	send := func(all ...sqldb.Rows) error {
		t.Helper()
		sent, err := sqldb.Send(t.Context(), c, all)
		if err == nil && !sent {
			t.Errorf("%v was not sent", all)
		}
		return err
	}
	stored := func() (all []string) {
		t.Helper()
		rows, err := c.QueryContext(t.Context(), "SELECT id, name, note, data, fixed FROM various ORDER BY id, name")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var id, fixed int64
			var name string
			var note *string
			var data []byte
			if err := rows.Scan(&id, &name, &note, &data, &fixed); err != nil {
				t.Fatal(err)
			}
			told := "none"
			if note != nil {
				told = fmt.Sprintf("%q", *note)
			}
			all = append(all, fmt.Sprintf("%d %s %s %v %t %d", id, name, told, data, data == nil, fixed))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
	add := "INSERT INTO various (id, name, note, data, fixed) VALUES (?, ?, ?, ?, 7)"
	columns := []string{"id", "name", "note", "data", "fixed"}
	var values [][]any
	for i := range 300 {
		values = append(values, []any{i, "x", "long", []byte{byte(i)}})
	}
	if err := send(sqldb.Rows{Text: add, Counted: true, Values: values},
		sqldb.Rows{Text: "DELETE FROM various WHERE id = ?", Removes: true}); err != nil {
		t.Fatal(err)
	}
	var ids [][]any
	for i := range 297 {
		ids = append(ids, []any{i + 3})
	}
	err = send(
		sqldb.Rows{Text: "DELETE FROM various WHERE id = ?", Removes: true, Values: ids},
		sqldb.Rows{Text: add, Counted: true, Values: [][]any{{int64(1) << 40, "a,'\"{}\\", nil, []byte{}},
			{true, "ü", "", "text"}, {5, "n", []byte("bytes"), nil}}},
		sqldb.Rows{Text: "DELETE FROM various WHERE (id, name) = (?, ?)", Removes: true, Values: [][]any{{2, "x"}, {1, "other"}}},
		sqldb.Rows{Text: sqldb.Upsert("various", 2, columns), Values: [][]any{{0, "x", "new", []byte{9}, 8}, {6, "y", nil, nil, 8}}},
	)
	want := []string{`0 x "new" [9] false 8`, `1 x "long" [1] false 7`, `1 ü "" [116 101 120 116] false 7`, `5 n "bytes" [] true 7`,
		`6 y none [] true 8`, `1099511627776 a,'"{}\ none [] false 7`}
	if got := stored(); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v; stored is\n%s\nwant\n%s", err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err := send(sqldb.Rows{Text: "UPDATE various SET note = ?, data = ? WHERE id = ? AND name = ?", Counted: true,
		Values: [][]any{{"set", nil, 0, "x"}, {nil, []byte{1}, 6, "y"}}}); err != nil {
		t.Fatal(err)
	}
	want[0], want[4] = `0 x "set" [] true 8`, `6 y none [1] false 8`
	if got := stored(); !slices.Equal(got, want) {
		t.Errorf("after updates is stored\n%s", strings.Join(got, "\n"))
	}
	if err := send(sqldb.Rows{Text: "UPDATE various SET note = ? WHERE id = ?", Counted: true,
		Values: [][]any{{"set", 0}, {"set", 77}}}); err == nil {
		t.Error("an update of a row that is not there was counted")
	}
	for what, bad := range map[string]sqldb.Rows{
		"a number that is none": {Text: add, Values: [][]any{{"one", "x", "", nil}}},
		"a value too few":       {Text: add, Values: [][]any{{1, "x", ""}}},
	} {
		if err := send(sqldb.Rows{Text: add, Values: [][]any{{50, "before", "", nil}}}, bad); err == nil {
			t.Errorf("%s was sent", what)
		}
	}
	err = send(sqldb.Rows{Text: add, Values: [][]any{{60, "before", "", nil}}},
		sqldb.Rows{Text: add, Values: [][]any{{61, "one", "", nil}, {0, "x", "", nil}}})
	if sqldb.Classify(err) != sqldb.FaultConflict {
		t.Errorf("a row that is there: %v", err)
	}
	if got := stored(); !slices.Equal(got, want) {
		t.Errorf("after what failed is stored\n%s", strings.Join(got, "\n"))
	}
	other, _, err := sqldb.Open(dbserver.Fresh(t, sqldb.MySQL), false)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	oc, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer oc.Close()
	if sent, err := sqldb.Send(t.Context(), oc, []sqldb.Rows{{Text: add, Values: values}}); sent || err != nil {
		t.Errorf("to another server: %t, %v", sent, err)
	}
}
