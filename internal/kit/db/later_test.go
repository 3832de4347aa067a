package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"sextant/internal/kit/db"
	"sextant/internal/testkit/dbserver"
)

// What many writes leave to be written together is stored as if each had written it at
// once: of a write that fails nothing is kept, and all of the others.
func TestWhatIsLeftForLaterIsStoredOrNot(t *testing.T) {
	t.Parallel()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	const create = "-- +goose Up\nCREATE TABLE left_row (k INTEGER NOT NULL, n INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (k, n));\n"
	files := fstest.MapFS{"migrations/202601010000_create.sql": {Data: []byte(create)}}
	if err := d.Migrate(t.Context(), "left", files); err != nil {
		t.Fatal(err)
	}
	const insert, remove = "INSERT INTO left_row (k, n, body) VALUES (?, ?, ?)", "DELETE FROM left_row WHERE k = ?"
	failed := errors.New("no")
	base := int64(0)
	rapid.Check(t, func(t *rapid.T) {
		base += 1000
		want := map[string]bool{}
		var waits []<-chan error
		var wants []error
		for i := range int64(rapid.IntRange(1, 40).Draw(t, "writes")) {
			key := base + i
			rows := rapid.IntRange(0, 70).Draw(t, "rows")
			kind := rapid.SampledFrom([]string{"keep", "keep", "keep", "fail", "twice", "remove", "read", "remove earlier", "put"}).Draw(t, "kind")
			wait, err := d.Submit(context.Background(), func(tx *db.Tx) error {
				for n := range rows {
					if err := tx.Append(insert, key, n, []byte{byte(n)}); err != nil {
						return err
					}
				}
				switch kind {
				case "fail":
					return failed
				case "twice":
					return errors.Join(tx.Append(insert, key, 1000, []byte{}), tx.Append(insert, key, 1000, []byte{}))
				case "remove":
					return tx.Remove(remove, key)
				case "remove earlier":
					return tx.Remove(remove, key-1)
				case "put": // the last word counts
					columns := []string{"k", "n", "body"}
					return errors.Join(tx.Put("left_row", columns, key, 2000, []byte("a")),
						tx.Drop("left_row", columns, key, 2000), tx.Put("left_row", columns, key, 2001, []byte("b")),
						tx.Put("left_row", columns, key, 2001, []byte("c")), tx.Drop("left_row", columns, key, 2002))
				case "read":
					if err := tx.Settle(insert, key); err != nil {
						return err
					}
					var n int
					if err := tx.QueryRow(context.Background(), "SELECT COUNT(*) FROM left_row WHERE k = ?", key).Scan(&n); err != nil || n != rows {
						return fmt.Errorf("%d rows are there, want %d: %w", n, rows, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			waits = append(waits, wait)
			switch kind {
			case "keep", "read", "remove earlier":
				wants = append(wants, nil)
				if rows > 0 {
					want[fmt.Sprint(key, " ", rows)] = true
				}
				if kind == "remove earlier" {
					for k := range want {
						var had int64
						if _, err := fmt.Sscan(k, &had); err == nil && had == key-1 {
							delete(want, k)
						}
					}
				}
			case "remove":
				wants = append(wants, nil)
			case "put":
				wants = append(wants, nil)
				want[fmt.Sprint(key, " ", rows+1)] = true
			default:
				wants = append(wants, failed)
			}
		}
		for i, wait := range waits {
			if err := <-wait; (err == nil) != (wants[i] == nil) {
				t.Fatalf("write %d: %v, want %v", i, err, wants[i])
			}
		}
		rows, err := d.Query(context.Background(), "SELECT k, COUNT(*) FROM left_row WHERE k >= ? GROUP BY k", base)
		got, err := db.Scan(rows, err, func(r *sql.Rows) (string, error) {
			var k, n int64
			err := r.Scan(&k, &n)
			return fmt.Sprint(k, " ", n), err
		})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for k := range want {
			all = append(all, k)
		}
		slices.Sort(all)
		if slices.Sort(got); !slices.Equal(all, got) {
			t.Fatalf("stored are %v, want %v", got, all)
		}
	})
}
