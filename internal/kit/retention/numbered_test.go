package retention_test

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/retention"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/sqldb"
)

func numbered(t *testing.T, rows int, at time.Time) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "r.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	err = d.Do(t.Context(), func(tx *db.Tx) error {
		if _, err := tx.Exec("CREATE TABLE thing (id BIGINT NOT NULL PRIMARY KEY, seq BIGINT, time BIGINT NOT NULL)"); err != nil {
			return err
		}
		_, err := tx.Exec("CREATE INDEX thing_seq ON thing (seq)")
		return err
	})
	for from := 0; err == nil && from < rows; from += 5000 {
		err = d.Do(t.Context(), func(tx *db.Tx) error {
			for i := from; i < min(from+5000, rows); i++ {
				if _, err := tx.Exec("INSERT INTO thing (id, seq, time) VALUES (?, ?, ?)", i+1, i+1, clock.Micros(at)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Many rows go in many writes, between which those of others come; a number that somebody
// waits for stays, with all after it, and so does the newest.
func TestManyRowsGoInSmallWrites(t *testing.T) {
	t.Parallel()
	rows := 40_000
	if testing.Short() {
		rows = 4_000
	}
	c := clock.NewFake(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	d := numbered(t, rows, c.Now().Add(-2*day))
	kept := int64(rows - 100)
	before := d.Commits()
	k := retention.Kind{Name: "things", Keep: day, Forget: func(ctx context.Context, before time.Time, limit int) (int, error) {
		if limit > 2000 {
			t.Errorf("%d are to go at once", limit)
		}
		return retention.Table{Name: "thing", Kept: kept}.Forget(ctx, d, before, limit)
	}, Stock: func(ctx context.Context) (retention.Stock, error) {
		return retention.Table{Name: "thing"}.Stock(ctx, d)
	}}
	swept := asked{c, make(chan struct{})}
	s := retention.New(swept, slog.New(slog.DiscardHandler), k)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	var others sync.WaitGroup
	for range 8 {
		others.Go(func() {
			for range 20 {
				if err := d.Do(t.Context(), func(tx *db.Tx) error {
					_, err := tx.Exec("UPDATE thing SET time = time WHERE id = ?", rows)
					return err
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	<-swept.waits
	others.Wait()
	r := s.Reports()[0]
	if r.Removed != kept-1 || r.State != "waiting" || r.Last == nil || *r.Count != 101 || r.Oldest == nil || r.Bytes != nil {
		t.Errorf("%+v, %d are left", r, *r.Count)
	}
	if n := d.Commits() - before; n < int64(rows)/2000+3 {
		t.Errorf("it went in %d commits", n)
	}
	kept = 0
	c.Advance(time.Hour)
	<-swept.waits
	if r := s.Reports()[0]; *r.Count != 1 {
		t.Errorf("%d are left, and not the newest", *r.Count)
	}
	stop()
	<-ended
}

// What is old is found by its number, and not by looking at every row.
func TestTheOldestAreFoundByAnIndex(t *testing.T) {
	t.Parallel()
	d := numbered(t, 10, time.Now())
	if d.Dialect() != sqldb.SQLite {
		t.Skip("plans read otherwise there")
	}
	for _, query := range []string{"SELECT seq, time FROM thing WHERE seq > 0 AND seq < (SELECT MAX(seq) FROM thing) ORDER BY seq LIMIT 10",
		"DELETE FROM thing WHERE seq > 0 AND seq <= 5"} {
		rows, err := d.Query(t.Context(), "EXPLAIN QUERY PLAN "+query)
		plan, err := db.Scan(rows, err, func(r *sql.Rows) (detail string, err error) {
			var a, b, c int
			return detail, r.Scan(&a, &b, &c, &detail)
		})
		if err != nil || !strings.Contains(strings.Join(plan, "\n"), "thing_seq") || strings.Contains(strings.Join(plan, "\n"), "SCAN thing") {
			t.Errorf("%s: %q, %v", query, plan, err)
		}
	}
}
