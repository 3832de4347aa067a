package db_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/sqldb"
)

// servers runs a test on each kind of server.
func servers(t *testing.T, fn func(t *testing.T, kind sqldb.Dialect)) {
	t.Helper()
	for _, kind := range []sqldb.Dialect{sqldb.Postgres, sqldb.MySQL} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			fn(t, kind)
		})
	}
}

func opened(t *testing.T, address string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, d) })
	if err := d.Migrate(t.Context(), "test", tables); err != nil {
		t.Fatal(err)
	}
	return d
}

// A commit whose answer does not come is never told as failed when it happened,
// and never done twice.
func TestACommitWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, kind sqldb.Dialect) {
		server := dbserver.Shared(t, kind)
		line := server.Line(t)
		d := opened(t, line.Address(t, server.Fresh(t)))
		n := 0
		line.OnCommit(func() dbserver.Fate {
			n++
			return []dbserver.Fate{dbserver.Pass, dbserver.CutAfter, dbserver.Pass,
				dbserver.CutBefore, dbserver.Pass, dbserver.Pass, dbserver.CutAmid, dbserver.Pass}[n%8]
		})
		const writers, each = 8, 25
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					// A second time would be a conflict, a lost one is missed below.
					if err := d.Do(t.Context(), insert(w*1000+i)); err != nil && !errs.HasCode(err, "database.away") {
						t.Errorf("write %d: %v", w*1000+i, err)
					} else if err != nil { // told that nothing was changed: so it is
						if err := d.Do(t.Context(), insert(w*1000+i)); err != nil {
							t.Errorf("write %d again: %v", w*1000+i, err)
						}
					}
				}
			})
		}
		wg.Wait()
		line.OnCommit(func() dbserver.Fate { return dbserver.Pass })
		if got := len(ids(t, d)); got != writers*each {
			t.Errorf("%d rows of %d", got, writers*each)
		}
	})
}

// While the server is away those who can give up are told so at once, and those
// who cannot wait; afterwards everything is there once.
func TestAServerThatIsAway(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, kind sqldb.Dialect) {
		server := dbserver.Own(t, kind)
		d := opened(t, server.Fresh(t))
		for round := range 3 {
			base := round * 100
			if err := d.Do(t.Context(), insert(base)); err != nil {
				t.Fatal(err)
			}
			server.Stop(t, syscall.SIGKILL)
			begun := time.Now()
			err := d.Do(t.Context(), insert(base+1))
			if !errs.HasCode(err, "database.away") || !errs.Is(err, errs.Unavailable) {
				t.Errorf("while it is away: %v", err)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("that took %s", took)
			}
			if _, err := d.Query(t.Context(), "SELECT id FROM t"); !errs.HasCode(err, "database.away") {
				t.Errorf("a read: %v", err)
			}
			var row int
			if err := d.QueryRow(t.Context(), "SELECT id FROM t").Scan(&row); !errs.HasCode(db.Translate(err), "database.away") {
				t.Errorf("a read of one row: %v", err)
			}
			if trouble := d.Trouble(); !errs.HasCode(trouble, "database.away") {
				t.Errorf("trouble: %v", trouble)
			}
			var waits []<-chan error
			for i := range 5 {
				w, err := d.Submit(context.Background(), insert(base+10+i))
				if err != nil {
					t.Fatal(err)
				}
				waits = append(waits, w)
			}
			server.Start(t)
			for _, w := range waits {
				if err := within(t, w); err != nil {
					t.Errorf("one that waited: %v", err)
				}
			}
			if d.Trouble() != nil {
				t.Errorf("trouble afterwards: %v", d.Trouble())
			}
			if err := d.Do(t.Context(), insert(base+20)); err != nil {
				t.Error(err)
			}
		}
		var want []int
		for _, base := range []int{0, 100, 200} {
			want = append(want, base, base+10, base+11, base+12, base+13, base+14, base+20)
		}
		if got := ids(t, d); !slices.Equal(got, want) {
			t.Errorf("rows %v, want %v", got, want)
		}
	})
}

// One that closes while the server is away does not wait for it.
func TestClosingWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, kind sqldb.Dialect) {
		server := dbserver.Shared(t, kind)
		line := server.Line(t)
		d := opened(t, line.Address(t, server.Fresh(t)))
		line.Down()
		wait, err := d.Submit(context.Background(), insert(1))
		if err != nil {
			t.Fatal(err)
		}
		closed(t, d)
		if err := within(t, wait); !errs.HasCode(err, "database.away") {
			t.Errorf("got %v", err)
		}
	})
}

func TestASecondServerIsRefusedByTheNameOfTheFirst(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, kind sqldb.Dialect) {
		address := dbserver.Fresh(t, kind)
		first, err := db.OpenAs(t.Context(), address, db.Holder{ID: "a", Name: "the first"})
		if err != nil {
			t.Fatal(err)
		}
		if !first.First() {
			t.Error("nobody was there before")
		}
		if _, err := db.OpenAs(t.Context(), address, db.Holder{ID: "b", Name: "the second"}); !errs.HasCode(err, "database.held") ||
			!strings.Contains(err.Error(), "the first") {
			t.Errorf("the second: %v", err)
		}
		// The first that comes again, as after a kill, takes over; what is left of it
		// writes nothing more.
		again, err := db.OpenAs(t.Context(), address, db.Holder{ID: "a", Name: "the first"})
		if err != nil {
			t.Fatal(err)
		}
		if again.First() {
			t.Error("somebody was there before")
		}
		if err := again.Migrate(t.Context(), "test", tables); err != nil {
			t.Fatal(err)
		}
		if err := first.Do(t.Context(), insert(1)); !errs.HasCode(err, "database.taken") {
			t.Errorf("who was there before: %v", err)
		}
		if err := first.Trouble(); !errs.HasCode(err, "database.taken") {
			t.Errorf("trouble: %v", err)
		}
		if err := again.Do(t.Context(), insert(2)); err != nil || !slices.Equal(ids(t, again), []int{2}) {
			t.Errorf("%v, rows %v", err, ids(t, again))
		}
		closed(t, first)
		closed(t, again)
		second, err := db.OpenAs(t.Context(), address, db.Holder{ID: "b", Name: "the second"})
		if err != nil {
			t.Fatalf("after the end of the first: %v", err)
		}
		closed(t, second)
	})
}

// A standby that was behind is noticed.
func TestADatabaseThatForgot(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, kind sqldb.Dialect) {
		server := dbserver.Shared(t, kind)
		line := server.Line(t)
		address := server.Fresh(t)
		d := opened(t, line.Address(t, address))
		for i := range 3 {
			if err := d.Do(t.Context(), insert(i)); err != nil {
				t.Fatal(err)
			}
		}
		line.Down()
		other, _, err := sqldb.Open(address, false)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if _, err := other.ExecContext(t.Context(), "UPDATE db_writer SET wave = wave - ?", 2); err != nil {
			t.Fatal(err)
		}
		line.Up()
		wait, err := d.Submit(context.Background(), insert(9))
		if err != nil {
			t.Fatal(err)
		}
		if err := within(t, wait); !errs.HasCode(err, "database.lost") || !strings.Contains(err.Error(), "forgotten 2 commits") {
			t.Errorf("got %v", err)
		}
	})
}

// Who changes the same rows in another order is no reason to fail.
func TestDeadlocksAreDoneAgain(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, kind sqldb.Dialect) {
		address := dbserver.Fresh(t, kind)
		d := opened(t, address)
		for i := range 2 {
			if err := d.Do(t.Context(), func(tx *db.Tx) error {
				_, err := tx.Exec("INSERT INTO t (id, name) VALUES (?, '')", i)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		other, _, err := sqldb.Open(address, false)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		ended := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				tx, err := other.BeginTx(t.Context(), nil)
				if err != nil {
					t.Error(err)
					return
				}
				for _, id := range []int{1, 0} {
					if _, err = tx.ExecContext(t.Context(), "UPDATE t SET name = '' WHERE id = ?", id); err != nil {
						break
					}
				}
				if err == nil {
					err = tx.Commit()
				}
				_ = tx.Rollback() // it may be over
			}
		})
		for i := range 60 {
			err := d.Do(t.Context(), func(tx *db.Tx) error {
				for _, id := range []int{0, 1} {
					if _, err := tx.Exec("UPDATE t SET name = '' WHERE id = ?", id); err != nil {
						return err
					}
				}
				return insert(100 + i)(tx)
			})
			if err != nil {
				t.Errorf("write %d: %v", i, err)
			}
		}
		close(ended)
		wg.Wait()
		if got := len(ids(t, d)); got != 62 {
			t.Errorf("%d rows of 62", got)
		}
	})
}

// Where the server gives no more connections, reads are refused and writes go on.
func TestNoMoreConnections(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, kind sqldb.Dialect) {
		server := dbserver.Own(t, kind)
		d := opened(t, server.Fresh(t))
		limit := map[sqldb.Dialect]string{sqldb.Postgres: "ALTER ROLE sextant CONNECTION LIMIT 5",
			sqldb.MySQL: "ALTER USER 'sextant'@'localhost' WITH MAX_USER_CONNECTIONS 5"}[kind]
		if _, err := server.Admin().ExecContext(t.Context(), limit); err != nil {
			t.Fatal(err)
		}
		wait := map[sqldb.Dialect]string{sqldb.Postgres: "SELECT 1 FROM pg_sleep(0.5)", sqldb.MySQL: "SELECT SLEEP(0.5)"}[kind]
		var wg sync.WaitGroup
		var mu sync.Mutex
		good, refused := 0, 0
		for range 12 {
			wg.Go(func() {
				rows, err := d.Query(t.Context(), wait)
				if err == nil {
					err = errors.Join(rows.Close(), rows.Err())
				}
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					good++
				case errs.HasCode(db.Translate(err), "database.away"):
					refused++
				default:
					t.Errorf("a read: %v", err)
				}
			})
		}
		for i := range 20 {
			if err := d.Do(t.Context(), insert(i)); err != nil {
				t.Errorf("write %d: %v", i, err)
			}
		}
		wg.Wait()
		if good == 0 || refused == 0 {
			t.Errorf("%d reads succeeded, %d were refused", good, refused)
		}
		if got := len(ids(t, d)); got != 20 {
			t.Errorf("%d rows", got)
		}
	})
}

// A server that stands still within a write keeps another from the database no longer
// than its lease, and writes nothing more when it goes on.
func TestWhoStandsStillWithinAWriteLosesTheDatabase(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, kind sqldb.Dialect) {
		address := dbserver.Fresh(t, kind)
		first, err := db.OpenAs(t.Context(), address, db.Holder{ID: "a", Name: "the first"})
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Migrate(t.Context(), "test", tables); err != nil {
			t.Fatal(err)
		}
		still, goOn := make(chan struct{}), make(chan struct{})
		once := sync.OnceFunc(func() { close(still) })
		wait, err := first.Submit(context.Background(), func(tx *db.Tx) error {
			err := insert(1)(tx)
			once()
			<-goOn
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		<-still
		began := time.Now()
		second, err := db.OpenAs(t.Context(), address, db.Holder{ID: "b", Name: "the second"})
		if took := time.Since(began); err != nil || took > 35*time.Second {
			t.Fatalf("the second after %s: %v", took, err)
		}
		close(goOn)
		if err := <-wait; err == nil {
			t.Error("the write of the first was kept")
		}
		if err := second.Do(t.Context(), insert(2)); err != nil || !slices.Equal(ids(t, second), []int{2}) {
			t.Errorf("%v, rows %v", err, ids(t, second))
		}
		closed(t, first)
		closed(t, second)
	})
}
