package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"sextant/internal/kit/db"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/sqldb"
)

// stepRows is a table of numbers by key, and what writes do to it.
type stepRows struct {
	d    *db.DB
	base int64
}

func newStepRows(t *testing.T) *stepRows {
	t.Helper()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	const create = "-- +goose Up\nCREATE TABLE step_row (k INTEGER NOT NULL PRIMARY KEY, v INTEGER NOT NULL, name VARCHAR(64) NOT NULL);\n"
	files := fstest.MapFS{"migrations/202601010000_create.sql": {Data: []byte(create)}}
	if err := d.Migrate(t.Context(), "step", files); err != nil {
		t.Fatal(err)
	}
	return &stepRows{d: d}
}

var errStep = errors.New("no")

// stepDone is one thing that a write does, in the database and in the model.
type stepDone struct {
	kind string
	key  int64
	v    int
}

// in does it within a write; told is what it found out.
func (o stepDone) in(tx *db.Tx) (told string, err error) {
	name := fmt.Sprint("n", o.v)
	switch o.kind {
	case "insert":
		return "", tx.Later("step_row", o.key, "INSERT INTO step_row (k, v, name) VALUES (?, ?, ?)", o.key, o.v, name)
	case "upsert":
		return "", tx.Later("step_row", o.key, sqldb.Upsert("step_row", 1, []string{"k", "v", "name"}), o.key, o.v, name)
	case "update":
		return "", tx.Later("step_row", o.key, "UPDATE step_row SET v = ?, name = ? WHERE k = ?", o.v, name, o.key)
	case "remove":
		return "", tx.Later("step_row", o.key, "DELETE FROM step_row WHERE k = ?", o.key)
	case "once":
		ok, err := tx.Once("step_row", o.key, "UPDATE step_row SET v = ? WHERE k = ? AND v < ?", o.v, o.key, o.v)
		return fmt.Sprint(ok), err
	case "read":
		var v int
		err := tx.QueryRow(context.Background(), "SELECT v FROM step_row WHERE k = ?", o.key).Scan(&v)
		if errors.Is(err, sql.ErrNoRows) {
			return "none", nil
		}
		return fmt.Sprint(v), err
	}
	return "", errStep
}

type stepRow struct {
	v    int
	name string
}

// model does it to the rows there are.
func (o stepDone) model(rows map[int64]stepRow) (told string, err error) {
	now, there := rows[o.key]
	name := fmt.Sprint("n", o.v)
	switch o.kind {
	case "insert":
		if there {
			return "", errStep
		}
		rows[o.key] = stepRow{o.v, name}
	case "upsert":
		rows[o.key] = stepRow{o.v, name}
	case "update":
		if there {
			rows[o.key] = stepRow{o.v, name}
		}
	case "remove":
		delete(rows, o.key)
	case "once":
		if there && now.v < o.v {
			rows[o.key] = stepRow{o.v, now.name}
			return "true", nil
		}
		return "false", nil
	case "read":
		if !there {
			return "none", nil
		}
		return fmt.Sprint(now.v), nil
	default:
		return "", errStep
	}
	return "", nil
}

// What writes change later is changed in their order, what they read in between has it,
// and each is told what it changed, whichever of them share a commit and fail.
func TestStepsAgreeWithAModel(t *testing.T) {
	t.Parallel()
	s := newStepRows(t)
	rapid.Check(t, func(t *rapid.T) {
		s.base += 10
		rows := map[int64]stepRow{}
		type write struct {
			wait        <-chan error
			told, wants []string
			fails       bool
		}
		var all []*write
		for range rapid.IntRange(1, 30).Draw(t, "writes") {
			var ops []stepDone
			w, after := &write{}, maps.Clone(rows)
			for range rapid.IntRange(1, 4).Draw(t, "ops") {
				o := stepDone{rapid.SampledFrom([]string{"insert", "insert", "upsert", "update", "update", "remove", "once", "once", "read",
					"fail"}).Draw(t, "kind"), s.base + int64(rapid.IntRange(0, 5).Draw(t, "key")), rapid.IntRange(0, 9).Draw(t, "v")}
				ops = append(ops, o)
				told, err := o.model(after)
				w.wants, w.fails = append(w.wants, told), w.fails || err != nil
				if err != nil {
					break
				}
			}
			if !w.fails {
				rows = after
			}
			var err error
			if w.wait, err = s.d.Submit(context.Background(), func(tx *db.Tx) error {
				w.told = nil
				for _, o := range ops {
					told, err := o.in(tx)
					if err != nil {
						return err
					}
					w.told = append(w.told, told)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			all = append(all, w)
		}
		for i, w := range all {
			if err := <-w.wait; (err != nil) != w.fails || err == nil && fmt.Sprint(w.told) != fmt.Sprint(w.wants) {
				t.Fatalf("write %d was told %v, %v; want %v, failing: %t", i, w.told, err, w.wants, w.fails)
			}
		}
		s.check(t, rows)
	})
}

func (s *stepRows) check(t *rapid.T, want map[int64]stepRow) {
	rows, err := s.d.Query(context.Background(), "SELECT k, v, name FROM step_row WHERE k >= ?", s.base)
	got := map[int64]stepRow{}
	_, err = db.Scan(rows, err, func(r *sql.Rows) (struct{}, error) {
		var k int64
		var row stepRow
		err := r.Scan(&k, &row.v, &row.name)
		got[k] = row
		return struct{}{}, err
	})
	if err != nil || !maps.Equal(got, want) {
		t.Fatalf("stored are %v, want %v: %v", got, want, err)
	}
}

// A key with rows is always marked, whatever fails; what a write removes is not marked
// for that write, and for others once it is stored.
func TestMarksKnowEveryKeyWithRows(t *testing.T) {
	t.Parallel()
	s := newStepRows(t)
	m := db.Marks{Load: "SELECT v, COUNT(*) FROM step_row GROUP BY v"}
	do := func(want error, fn func(tx *db.Tx) error) {
		t.Helper()
		if err := s.d.Do(t.Context(), fn); !errors.Is(err, want) {
			t.Fatalf("%v, want %v", err, want)
		}
	}
	may := func(key int64, want bool) {
		t.Helper()
		do(nil, func(tx *db.Tx) error {
			if got := m.May(tx, key); got != want {
				t.Errorf("%d is marked: %t", key, got)
			}
			return nil
		})
	}
	insert := func(tx *db.Tx, k int64) error { _, err := stepDone{"insert", k, int(k)}.in(tx); return err }
	do(nil, func(tx *db.Tx) error { return insert(tx, 1) })
	m.Add(2) // before anything was read
	may(1, true)
	may(2, true)
	may(3, false)
	do(errStep, func(tx *db.Tx) error {
		m.Gone(tx, 1)
		if m.May(tx, 1) {
			t.Error("1 is marked for the write that removes it")
		}
		return errStep
	})
	may(1, true)
	do(nil, func(tx *db.Tx) error {
		m.Gone(tx, 1)
		m.Add(1) // another row, after it
		return nil
	})
	may(1, true)
	m.Add(2)
	for _, want := range []bool{true, false} {
		do(nil, func(tx *db.Tx) error { m.Less(tx, 2); return nil })
		may(2, want)
	}
}
