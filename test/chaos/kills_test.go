package chaos_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sextant/internal/kit/db"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/client"
	"sextant/sdk/go/sqldb"
	"sextant/test/chaos/audit"
)

// blow is one thing that is done to the server.
type blow struct {
	Kind  string // kill, pause or usurp
	After time.Duration
	Long  time.Duration // of a pause
}

// schedule makes all blows from a seed. One pause in ten, where there are so many, lasts
// until another has taken the database over.
func schedule(seed uint64, kills, pauses int, usurp bool) []blow {
	chance := rand.New(rand.NewPCG(seed, 3))
	all := make([]blow, kills+pauses)
	for i := range all {
		all[i] = blow{Kind: "kill", After: time.Duration(100+chance.IntN(1500)) * time.Millisecond}
		if i < pauses {
			all[i].Kind, all[i].Long = "pause", time.Duration(1100+chance.IntN(1400))*time.Millisecond
			if usurp && i%10 == 9 {
				all[i].Kind = "usurp"
			}
		}
	}
	chance.Shuffle(len(all), func(i, j int) {
		all[i].Kind, all[j].Kind, all[i].Long, all[j].Long = all[j].Kind, all[i].Kind, all[j].Long, all[i].Long
	})
	return all
}

// strike does it, and waits until the server answers again.
func (l *load) strike(ctx context.Context, b blow) {
	l.t.Helper()
	a := audit.Ack{Kind: b.Kind, Time: time.Now()}
	switch b.Kind {
	case "kill":
		l.kill()
		l.start()
	case "pause":
		l.must(l.cmd.Process.Signal(syscall.SIGSTOP))
		pause(ctx, b.Long)
		l.must(l.cmd.Process.Signal(syscall.SIGCONT))
		for !l.ready() && ctx.Err() == nil {
			pause(ctx, 5*time.Millisecond)
		}
	case "usurp":
		l.usurp(ctx)
		l.kill()
		l.start()
	}
	a.Took = time.Since(a.Time)
	l.note(a)
}

// usurp pauses the server until another may write, lets that one have the database, and
// sees that the first one says so and stores nothing more.
func (l *load) usurp(ctx context.Context) {
	l.t.Helper()
	l.must(l.cmd.Process.Signal(syscall.SIGSTOP))
	var rival *db.DB
	for begun := time.Now(); ; {
		var err error
		if rival, err = db.OpenAs(ctx, l.database, db.Holder{ID: "rival", Name: "a rival"}); err == nil {
			l.t.Logf("the database is another's after %s", time.Since(begun).Round(time.Second))
			break
		}
		// The lease runs out after 20 s; the server ends a transaction that stands still after 60.
		if time.Since(begun) > 100*time.Second {
			l.t.Fatalf("the lease of a server that is paused does not run out: %v", err)
		}
		pause(ctx, 250*time.Millisecond)
	}
	l.must(rival.Close())
	l.must(l.cmd.Process.Signal(syscall.SIGCONT))
	for deadline := time.Now().Add(20 * time.Second); ; {
		err := l.Call(ctx, "POST", "/api/v1/runs", map[string]any{"process": "effects",
			"title": "a start on a database that is lost 0", "variables": map[string]any{"n": 0}}, nil)
		if err == nil {
			l.t.Fatal("a server that has lost its database acknowledges a start")
		}
		if refused, ok := err.(*client.Error); ok && refused.Code == "database.taken" {
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("a server that has lost its database says %v", err)
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// number reads a number of the environment.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// Whatever is acknowledged while the server is killed and paused is there in the end,
// once, in order, and nothing hangs. SEXTANT_CHAOS_KILLS and _PAUSES say how often, and
// SEXTANT_CHAOS_SEED plays a schedule again.
func TestNothingIsLostUnderLoad(t *testing.T) {
	kinds := map[sqldb.Dialect][2]uint64{dbserver.Chosen(t): {6, 3}}
	if os.Getenv("SEXTANT_TEST_DATABASE") == "" {
		kinds[sqldb.Postgres] = [2]uint64{3, 1}
	}
	for _, kind := range dbserver.Kinds() {
		if n, ok := kinds[kind]; ok {
			kills, pauses := int(number(t, "SEXTANT_CHAOS_KILLS", n[0])), int(number(t, "SEXTANT_CHAOS_PAUSES", n[1]))
			t.Run(string(kind), func(t *testing.T) { underLoad(t, kind, kills, pauses) })
		}
	}
}

func underLoad(t *testing.T, kind sqldb.Dialect, kills, pauses int) {
	dir, err := os.MkdirTemp("", "sextant-chaos-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs, history and data are kept in %s", dir)
		} else if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	database := ""
	if kind != sqldb.SQLite {
		database = dbserver.Fresh(t, kind)
	}
	seed := number(t, "SEXTANT_CHAOS_SEED", uint64(time.Now().UnixNano()))
	blows := schedule(seed, kills, pauses, kind == sqldb.Postgres)
	t.Logf("seed %d", seed)
	if err := os.WriteFile(filepath.Join(dir, "schedule"), []byte(strings.ReplaceAll(fmt.Sprintf("seed %d %+v", seed,
		blows), "} ", "}\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLoad(t, dir, database)
	ctx, cancel := context.WithCancel(t.Context())
	begin, goOn := l.run(ctx)
	begun := time.Now()
	for _, b := range blows {
		pause(ctx, b.After)
		l.strike(ctx, b)
	}
	close(l.stop)
	begin.Wait()
	slow := l.settle(ctx, time.Minute)
	cancel()
	goOn.Wait()
	t.Logf("all runs were over %s after the first", time.Since(begun).Round(time.Second))
	said, err := l.history(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	said.Slow = slow
	if err := keep(dir, said); err != nil {
		t.Fatal(err)
	}
	c, err := audit.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	wrong, tally := c.Check()
	for _, w := range wrong {
		t.Error(w)
	}
	t.Log(tally)
	if tally.Kills+tally.Pauses != kills+pauses || tally.Starts < 10*len(blows) {
		t.Errorf("too little was done: %s", tally)
	}
}
