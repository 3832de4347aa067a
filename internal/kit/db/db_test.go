package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/sqldb"
)

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

var tables = fstest.MapFS{
	"migrations/202601010000_create.sql": {Data: []byte("-- +goose Up\nCREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n")}}

func open(t *testing.T) *db.DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "x.db"))
}

func openAt(t *testing.T, file string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), dbserver.Address(t, file))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, d) })
	if err := d.Migrate(t.Context(), "test", tables); err != nil {
		t.Fatal(err)
	}
	return d
}

// closed closes a database and fails where that hangs.
func closed(t *testing.T, d *db.DB) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- d.Close() }()
	if err := within(t, done); err != nil {
		t.Errorf("close: %v", err)
	}
}

func within[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatal("it did not come")
	}
	panic("not reached")
}

func insert(id int) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		_, err := tx.Exec("INSERT INTO t (id, name) VALUES (?, ?)", id, fmt.Sprint("n", id))
		return err
	}
}

// breaks lets the database itself end the whole transaction.
func breaks(tx *db.Tx) error {
	if err := insert(70)(tx); err != nil {
		return err
	}
	switch os.Getenv("SEXTANT_TEST_DATABASE") {
	case "postgres":
		rows, err := tx.Query(context.Background(), "SELECT pg_terminate_backend(pg_backend_pid())")
		_, err = db.Scan(rows, err, func(*sql.Rows) (int, error) { return 0, nil })
		return err
	case "mysql":
		_, err := tx.Exec("KILL CONNECTION_ID()")
		return err
	}
	_, err := tx.Exec("INSERT OR ROLLBACK INTO t (id, name) VALUES (70, 'again')")
	return err
}

func ids(t *testing.T, d *db.DB) []int {
	t.Helper()
	rows, err := d.Query(t.Context(), "SELECT id FROM t ORDER BY id")
	all, err := db.Scan(rows, err, func(r *sql.Rows) (id int, err error) { return id, r.Scan(&id) })
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// held lets the writer wait, so that what is submitted meanwhile shares a
// commit; let lets it go on.
func held(t *testing.T, d *db.DB) (let func()) {
	t.Helper()
	taken, wait := make(chan struct{}), make(chan struct{})
	var once sync.Once
	done, err := d.Submit(t.Context(), func(*db.Tx) error {
		once.Do(func() { close(taken) })
		<-wait
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	within(t, taken)
	return sync.OnceFunc(func() {
		close(wait)
		if err := within(t, done); err != nil {
			t.Errorf("the holding write: %v", err)
		}
	})
}

// together submits functions that share one commit and gives their errors.
func together(t *testing.T, d *db.DB, fns ...func(*db.Tx) error) []error {
	t.Helper()
	let := held(t, d)
	var waits []<-chan error
	for _, fn := range fns {
		wait, err := d.Submit(t.Context(), fn)
		if err != nil {
			t.Fatal(err)
		}
		waits = append(waits, wait)
	}
	let()
	var all []error
	for _, w := range waits {
		all = append(all, within(t, w))
	}
	return all
}

func TestManyCallersShareFewCommits(t *testing.T) {
	t.Parallel()
	d := open(t)
	const callers, each = 50, 20
	before := d.Commits()
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				if err := d.Do(t.Context(), insert(c*each+i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(ids(t, d)); got != callers*each {
		t.Errorf("there are %d rows, want %d", got, callers*each)
	}
	if n := d.Commits() - before; n >= callers*each/2 || n == 0 {
		t.Errorf("%d writes made %d commits", callers*each, n)
	}
}

func TestOneThatFailsUndoesItselfAlone(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]func(*db.Tx) error{
		"error":    func(*db.Tx) error { return errors.New("no") },
		"panic":    func(*db.Tx) error { panic("no") },
		"conflict": insert(1),
		"constraint": func(tx *db.Tx) error {
			_, err := tx.Exec("INSERT INTO t (id, name) VALUES (?, NULL)", 9)
			return err
		},
		"rows-left-open": func(tx *db.Tx) error {
			rows, err := tx.Query(t.Context(), "SELECT id FROM t")
			if err != nil || !rows.Next() {
				t.Errorf("no rows: %v", err)
			}
			panic("while reading")
		},
		"broken-transaction": breaks,
		"broken-and-goes-on": func(tx *db.Tx) error {
			_ = breaks(tx)
			_ = insert(60)(tx) // would be kept for itself
			return nil
		},
		"ends-it-itself": func(tx *db.Tx) error {
			_, err := tx.Exec(" rollback")
			return errors.Join(err, insert(60)(tx))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			before := func(tx *db.Tx) error {
				if err := insert(50)(tx); err != nil {
					return err
				}
				return bad(tx)
			}
			got := together(t, d, insert(1), before, insert(2))
			if got[0] != nil || got[1] == nil || got[2] != nil {
				t.Errorf("answers %v, want only the second to fail", got)
			}
			if got := ids(t, d); !slices.Equal(got, []int{1, 2}) {
				t.Errorf("rows %v, want 1 and 2", got)
			}
			// And alone, without neighbours.
			if err := d.Do(t.Context(), before); err == nil {
				t.Error("alone it succeeds")
			}
			if err := d.Do(t.Context(), insert(3)); err != nil {
				t.Error(err)
			}
			if got := ids(t, d); !slices.Equal(got, []int{1, 2, 3}) {
				t.Errorf("rows %v, want 1 to 3", got)
			}
		})
	}
}

func TestKindsOfErrors(t *testing.T) {
	t.Parallel()
	d := open(t)
	if err := d.Do(t.Context(), insert(1)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		fn   func(*db.Tx) error
		kind errs.Kind
		code string
	}{
		{"conflict", insert(1), errs.Conflict, "database.conflict"},
		{"panic", func(*db.Tx) error { panic("no") }, errs.Internal, "internal"},
		{"own", func(*db.Tx) error { return errs.New(errs.Stale, "x.stale", "old") }, errs.Stale, "x.stale"},
		{"missing-value", func(tx *db.Tx) error {
			_, err := tx.Exec("INSERT INTO t (id, name) VALUES (9, NULL)")
			return err
		}, errs.Internal, "internal"},
		{"full", func(tx *db.Tx) error {
			if d.Dialect() != sqldb.SQLite {
				return errs.New(errs.Full, "database.full", "as if: a server's disk is not ours to fill")
			}
			if _, err := tx.Exec("PRAGMA max_page_count = 8"); err != nil {
				return err
			}
			_, err := tx.Exec("INSERT INTO t (id, name) VALUES (9, ?)", strings.Repeat("x", 1<<20))
			return err
		}, errs.Full, "database.full"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := d.Do(t.Context(), c.fn)
			if !errs.Is(err, c.kind) || !errs.HasCode(err, c.code) {
				t.Errorf("got %v", err)
			}
		})
	}
	// A handled conflict is no failure.
	err := d.Do(t.Context(), func(tx *db.Tx) error {
		if err := insert(1)(tx); err == nil {
			t.Error("no conflict")
		}
		return insert(2)(tx)
	})
	if err != nil || !slices.Equal(ids(t, d), []int{1, 2}) {
		t.Errorf("after a handled conflict: %v, rows %v", err, ids(t, d))
	}
}

// What the database gave up in the middle is not kept in part, even where fn
// looks away.
func TestAFaultThatIsNotPassedOn(t *testing.T) {
	t.Parallel()
	dbserver.OnSQLite(t, "a transaction that a full disk ends")
	d := open(t)
	fn := func(tx *db.Tx) error {
		if err := insert(1)(tx); err != nil {
			return err
		}
		if _, err := tx.Exec("PRAGMA max_page_count = 8"); err != nil {
			return err
		}
		_, _ = tx.Exec("INSERT INTO t (id, name) VALUES (9, ?)", strings.Repeat("x", 1<<20))
		_ = insert(2)(tx)
		return nil
	}
	got := together(t, d, insert(5), fn, insert(6))
	if got[0] != nil || !errs.Is(got[1], errs.Full) || got[2] != nil {
		t.Errorf("answers %v", got)
	}
	if got := ids(t, d); !slices.Equal(got, []int{5, 6}) {
		t.Errorf("rows %v, want 5 and 6", got)
	}
}

func TestAfterCommit(t *testing.T) {
	t.Parallel()
	d := open(t)
	var told []string
	say := func(what string, err error) func(*db.Tx) error {
		return func(tx *db.Tx) error {
			tx.AfterCommit(func() { told = append(told, what+"1") })
			tx.AfterCommit(func() { told = append(told, what+"2") })
			return err
		}
	}
	together(t, d, say("a", nil), say("b", errors.New("no")), say("c", nil))
	// A function that ran twice, because a neighbour broke the transaction,
	// tells once.
	together(t, d, say("d", nil), breaks)
	if got := strings.Join(told, " "); got != "a1 a2 c1 c2 d1 d2" {
		t.Errorf("told %s", got)
	}
}

func TestWhatIsReadAfterCommitIsThere(t *testing.T) {
	t.Parallel()
	d := open(t)
	var seen []int
	err := d.Do(t.Context(), func(tx *db.Tx) error {
		tx.AfterCommit(func() { seen = ids(t, d) })
		if got := ids(t, d); len(got) != 0 {
			t.Errorf("readers see %v before the commit", got)
		}
		return insert(1)(tx)
	})
	if err != nil || !slices.Equal(seen, []int{1}) {
		t.Errorf("%v, seen %v", err, seen)
	}
}

func TestTheRiderGoesWithTheFirstWriteThatIsKept(t *testing.T) {
	t.Parallel()
	refuse := func(tx *db.Tx) error { return errors.Join(insert(90)(tx), errors.New("no")) }
	for _, c := range []struct {
		name string
		fns  []func(*db.Tx) error
		want []int
	}{
		{"one", []func(*db.Tx) error{insert(1)}, []int{1, 1001}},
		{"two", []func(*db.Tx) error{insert(1), insert(2)}, []int{1, 2, 1001}},
		{"first-refused", []func(*db.Tx) error{refuse, insert(1), insert(2)}, []int{1, 2, 1001}},
		{"first-breaks", []func(*db.Tx) error{breaks, insert(1), insert(2)}, []int{1, 2, 1001}},
		{"later-breaks", []func(*db.Tx) error{insert(1), breaks, insert(2)}, []int{1, 2, 1001}},
		{"all-refused", []func(*db.Tx) error{refuse, refuse}, nil},
	} {
		for _, way := range []string{"one-by-one", "together"} {
			t.Run(c.name+"-"+way, func(t *testing.T) {
				t.Parallel()
				d := open(t)
				// It fails where it is carried twice, by its key.
				ctx := db.WithRider(t.Context(), insert(1001))
				if way == "one-by-one" {
					for _, fn := range c.fns {
						_ = d.Do(ctx, fn)
					}
				} else {
					let := held(t, d)
					var waits []<-chan error
					for _, fn := range c.fns {
						w, err := d.Submit(ctx, fn)
						if err != nil {
							t.Fatal(err)
						}
						waits = append(waits, w)
					}
					let()
					for _, w := range waits {
						_ = within(t, w)
					}
				}
				if got := ids(t, d); !slices.Equal(got, c.want) {
					t.Errorf("rows %v, want %v", got, c.want)
				}
			})
		}
	}
}

func TestARiderThatFailsUndoesItsWrite(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := db.WithRider(t.Context(), func(tx *db.Tx) error { return errors.Join(insert(7)(tx), errors.New("rider")) })
	if err := d.Do(ctx, insert(1)); err == nil || !strings.Contains(err.Error(), "rider") {
		t.Errorf("got %v", err)
	}
	if got := ids(t, d); len(got) != 0 {
		t.Errorf("rows %v", got)
	}
}

// Where the rider failed with one write, the next of the same commit carries it.
func TestARiderThatFailedIsCarriedByTheNext(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := db.WithRider(t.Context(), func(tx *db.Tx) error {
		var n int
		if err := tx.QueryRow(t.Context(), "SELECT COUNT(*) FROM t WHERE id IN (1, 2)").Scan(&n); err != nil || n == 0 {
			return errors.Join(err, errors.New("not yet"))
		}
		return insert(1001)(tx)
	})
	let := held(t, d)
	var waits []<-chan error
	for i := range 3 {
		w, err := d.Submit(ctx, insert(i))
		if err != nil {
			t.Fatal(err)
		}
		waits = append(waits, w)
	}
	let()
	for i, w := range waits {
		if err := within(t, w); (err == nil) != (i > 0) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if got := ids(t, d); !slices.Equal(got, []int{1, 2, 1001}) {
		t.Errorf("rows %v", got)
	}
}

func TestAFullQueueRefuses(t *testing.T) {
	t.Parallel()
	d := open(t)
	let := held(t, d)
	before := d.Commits()
	var waits []<-chan error
	var refused error
	for i := 0; refused == nil; i++ {
		if i > 100_000 {
			t.Fatal("the queue has no end")
		}
		w, err := d.Submit(t.Context(), insert(i))
		if err != nil {
			refused = err
			break
		}
		waits = append(waits, w)
	}
	if !errs.Is(refused, errs.Exhausted) {
		t.Errorf("a full queue answers %v", refused)
	}
	let()
	for _, w := range waits {
		if err := within(t, w); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(ids(t, d)); got != len(waits) {
		t.Errorf("%d rows of %d accepted", got, len(waits))
	}
	if n := d.Commits() - before; int(n) > len(waits)/100 {
		t.Errorf("%d commits for %d waiting writes", n, len(waits))
	}
}

func TestAClosedDatabaseRefuses(t *testing.T) {
	t.Parallel()
	d := open(t)
	let := held(t, d)
	queued, err := d.Submit(t.Context(), insert(1))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- d.Close() }()
	let()
	if err := within(t, queued); err != nil {
		t.Errorf("what was queued before: %v", err)
	}
	if err := within(t, done); err != nil {
		t.Error(err)
	}
	if err := d.Do(t.Context(), insert(2)); !errs.Is(err, errs.Unavailable) || !errs.HasCode(err, "database.closed") {
		t.Errorf("got %v", err)
	}
	if err := d.Migrate(t.Context(), "more", tables); !errs.Is(err, errs.Unavailable) {
		t.Errorf("got %v", err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("a second close: %v", err)
	}
}

func TestAContextThatEnds(t *testing.T) {
	t.Parallel()
	d := open(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Do(gone, insert(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("ended before: %v", err)
	}
	// Ended while it waits in the queue.
	let := held(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	queued, err := d.Submit(ctx, insert(2))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	let()
	if err := within(t, queued); !errors.Is(err, context.Canceled) {
		t.Errorf("ended while queued: %v", err)
	}
	// Ended while it runs: it was taken, so the outcome is told.
	ctx, cancel = context.WithCancel(t.Context())
	err = d.Do(ctx, func(tx *db.Tx) error {
		cancel()
		var n int
		if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM t").Scan(&n); err != nil {
			return err
		}
		return insert(3)(tx)
	})
	if err != nil {
		t.Errorf("ended while it ran: %v", err)
	}
	if got := ids(t, d); !slices.Equal(got, []int{3}) {
		t.Errorf("rows %v, want 3 alone", got)
	}
}

func TestMigrateBetweenWrites(t *testing.T) {
	t.Parallel()
	d := open(t)
	var wg sync.WaitGroup
	var n atomic.Int64
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if err := d.Do(t.Context(), func(tx *db.Tx) error { return insert(int(n.Add(1)))(tx) }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 5 {
		files := fstest.MapFS{
			"migrations/202601010000_create.sql": {Data: fmt.Appendf(nil, "-- +goose Up\nCREATE TABLE more%d (x INTEGER);\n", i)}}
		if err := d.Migrate(t.Context(), fmt.Sprint("more", i), files); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if got := len(ids(t, d)); got != 200 {
		t.Errorf("%d rows of 200", got)
	}
}

func TestAFailedMigrationLeavesTheWriterAlive(t *testing.T) {
	t.Parallel()
	d := open(t)
	bad := fstest.MapFS{
		"migrations/202601010000_create.sql": {Data: []byte("-- +goose Up\nCREATE TABLE u (x INTEGER);\nINSERT INTO nothing VALUES (1);\n")}}
	if err := d.Migrate(t.Context(), "bad", bad); err == nil {
		t.Error("no error")
	}
	if err := d.Migrate(t.Context(), "none", fstest.MapFS{}); err == nil {
		t.Error("a domain without migrations passes")
	}
	if err := d.Do(t.Context(), insert(1)); err != nil {
		t.Error(err)
	}
	// which makes tables outside of transactions
	if _, err := d.Query(t.Context(), "SELECT x FROM u"); err == nil && d.Dialect() != sqldb.MySQL {
		t.Error("half a migration is there")
	}
}

// More texts of statements than are kept prepared.
func TestManyStatements(t *testing.T) {
	t.Parallel()
	d := open(t)
	err := d.Do(t.Context(), func(tx *db.Tx) error {
		for i := range 1200 {
			if _, err := tx.Exec(fmt.Sprintf("INSERT INTO t (id, name) VALUES (%d, 'x')", i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(ids(t, d)) != 1200 {
		t.Errorf("%v, %d rows", err, len(ids(t, d)))
	}
}

func TestUpsert(t *testing.T) {
	t.Parallel()
	d := open(t)
	put := func(name string) {
		t.Helper()
		if err := d.Do(t.Context(), func(tx *db.Tx) error { return tx.Upsert("t", 1, []string{"id", "name"}, 1, name) }); err != nil {
			t.Fatal(err)
		}
	}
	put("a")
	put("b")
	var name string
	if err := d.QueryRow(t.Context(), "SELECT name FROM t WHERE id = 1").Scan(&name); err != nil || name != "b" {
		t.Errorf("%q, %v", name, err)
	}
	if got := sqldb.Upsert("t", 2, []string{"a", "b"}); !strings.HasSuffix(got, "DO NOTHING") {
		t.Errorf("all columns are the key: %s", got)
	}
}

// Whatever a group of writes does, those that succeed are kept whole and those
// that fail leave nothing.
func TestGroupsKeepWholesOnly(t *testing.T) {
	t.Parallel()
	d := open(t)
	rapid.Check(t, func(r *rapid.T) {
		if err := d.Do(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec("DELETE FROM t"); return err }); err != nil {
			r.Fatal(err)
		}
		ends := rapid.SliceOfN(rapid.SampledFrom([]string{"ok", "ok", "error", "panic", "conflict", "rollback"}), 1, 12).Draw(r, "ends")
		var fns []func(*db.Tx) error
		for i, end := range ends {
			fns = append(fns, func(tx *db.Tx) error {
				if err := errors.Join(insert(2*i)(tx), insert(2*i+1)(tx)); err != nil {
					return err
				}
				switch end {
				case "error":
					return errors.New("no")
				case "panic":
					panic("no")
				case "conflict":
					return insert(2 * i)(tx)
				case "rollback":
					return breaks(tx)
				}
				return nil
			})
		}
		var want []int
		for i, err := range together(t, d, fns...) {
			if (err == nil) != (ends[i] == "ok") {
				r.Fatalf("write %d (%s) answers %v", i, ends[i], err)
			}
			if ends[i] == "ok" {
				want = append(want, 2*i, 2*i+1)
			}
		}
		if got := ids(t, d); !slices.Equal(got, want) {
			r.Fatalf("rows %v, want %v", got, want)
		}
	})
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Open(t.Context(), "sqlite:"+file); !errs.Is(err, errs.Unavailable) || !errs.HasCode(err, "database.corrupt") {
		t.Errorf("no database: %v", err)
	}
	if _, err := db.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "none", "x.db")); !errs.Is(err, errs.Unavailable) ||
		!errs.HasCode(err, "database.read_only") {
		t.Errorf("no folder: %v", err)
	}
	if _, err := db.Open(t.Context(), "nonsense"); err == nil {
		t.Error("nonsense is opened")
	}
}

func TestReadsCannotWrite(t *testing.T) {
	t.Parallel()
	d := open(t)
	rows, err := d.Query(t.Context(), "INSERT INTO t (id, name) VALUES (1, 'x')")
	_, err = db.Scan(rows, err, func(*sql.Rows) (int, error) { return 0, nil })
	if err == nil || len(ids(t, d)) != 0 {
		t.Errorf("a reading connection wrote: %v", err)
	}
}
