package db_test

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sextant/internal/kit/errs"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/sqldb"
)

// backIn is how long a standby may take until writes go on.
const backIn = 15 * time.Second

// When a synchronous standby takes over, writes go on by themselves: what was
// acknowledged is there, what was told as not done is not, and nothing is there twice.
func TestASynchronousStandbyTakesOver(t *testing.T) {
	t.Parallel()
	primary := dbserver.Own(t, sqldb.Postgres)
	address := primary.Fresh(t)
	standby := primary.Standby(t, true)
	d := opened(t, dbserver.Pair(t, address, primary.Line(t), standby.Line(t)))
	const writers, each = 8, 150
	var wg sync.WaitGroup
	half := make(chan struct{})
	var once sync.Once
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if i == each/2 {
					once.Do(func() { close(half) })
				}
				id := w*1000 + i
				err := d.Do(t.Context(), insert(id))
				for until := time.Now().Add(4 * backIn); errs.HasCode(err, "database.away") && time.Now().Before(until); {
					err = d.Do(t.Context(), insert(id)) // nothing was changed: a conflict would say otherwise
				}
				if err != nil {
					t.Errorf("write %d: %v", id, err)
				}
			}
		})
	}
	<-half
	primary.Stop(t, syscall.SIGKILL)
	killed := time.Now()
	standby.Promote(t)
	t.Logf("promoted after %s", time.Since(killed))
	if err := d.Do(context.Background(), insert(-1)); err != nil { // waits for it
		t.Fatal(err)
	}
	if took := time.Since(killed); took > backIn {
		t.Errorf("the first write came through after %s", took)
	} else {
		t.Logf("the first write came through after %s", took)
	}
	wg.Wait()
	if got := len(ids(t, d)); got != writers*each+1 {
		t.Errorf("%d rows of %d", got, writers*each+1)
	}
	if trouble := d.Trouble(); trouble != nil {
		t.Errorf("trouble afterwards: %v", trouble)
	}
}

// A standby that takes over without the last commits is told of, and written no more.
func TestAStandbyThatWasBehindIsNotWritten(t *testing.T) {
	t.Parallel()
	primary := dbserver.Own(t, sqldb.Postgres)
	address := primary.Fresh(t)
	standby := primary.Standby(t, false)
	d := opened(t, dbserver.Pair(t, address, primary.Line(t), standby.Line(t)))
	for i := range 3 {
		if err := d.Do(t.Context(), insert(i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()"} {
		if _, err := standby.Admin().ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	for following := 1; following > 0; { // until it hears nothing more
		if err := standby.Admin().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pg_stat_wal_receiver").Scan(&following); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		if err := d.Do(t.Context(), insert(10+i)); err != nil {
			t.Fatal(err)
		}
	}
	primary.Stop(t, syscall.SIGKILL)
	standby.Promote(t)
	err := d.Do(context.Background(), insert(20))
	if !errs.HasCode(err, "database.lost") || !strings.Contains(err.Error(), "commits that were acknowledged") {
		t.Errorf("got %v", err)
	}
	if trouble := d.Trouble(); !errs.HasCode(trouble, "database.lost") {
		t.Errorf("trouble: %v", trouble)
	}
	if err := d.Do(t.Context(), insert(21)); !errs.HasCode(err, "database.lost") {
		t.Errorf("another one: %v", err)
	}
}
