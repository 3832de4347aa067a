package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"sextant/internal/testkit/dbserver"
	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/sqldb"
)

const rests = `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="x">
<process id="rests" isExecutable="true"><startEvent id="s"/><sequenceFlow id="a" sourceRef="s" targetRef="t"/>
<intermediateCatchEvent id="t"><timerEventDefinition><timeDuration>PT2S</timeDuration></timerEventDefinition></intermediateCatchEvent>
<sequenceFlow id="b" sourceRef="t" targetRef="u"/>
<intermediateCatchEvent id="u"><timerEventDefinition><timeDuration>PT0.2S</timeDuration></timerEventDefinition></intermediateCatchEvent>
<sequenceFlow id="c" sourceRef="u" targetRef="e"/><endEvent id="e"/></process></definitions>`

// readiness is the status of /readyz.
func readiness(t *testing.T, p *platform.Platform) int {
	t.Helper()
	resp, err := http.Get(p.URL + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // its status says all
	return resp.StatusCode
}

// ready waits until /readyz has a status, and tells how long that took.
func ready(t *testing.T, p *platform.Platform, want int) time.Duration {
	t.Helper()
	for begun := time.Now(); ; {
		got := readiness(t, p)
		if got == want {
			return time.Since(begun)
		}
		if time.Since(begun) > time.Minute {
			t.Fatalf("/readyz is %d and not %d", got, want)
		}
	}
}

// finished waits for runs, whose every step was done once.
func finished(t *testing.T, p *platform.Platform, runs []string) {
	t.Helper()
	for _, run := range runs {
		if r := p.Ended(run); r.State != "completed" {
			t.Errorf("run %s is %s", run, r.State)
		}
	}
	if got := len(p.Incidents()); got != 0 {
		t.Errorf("%d incidents", got)
	}
	if r := p.Ended(p.Run(platform.Request{Process: "rests"})); r.State != "completed" {
		t.Errorf("one afterwards is %s", r.State)
	}
}

// While the database server is away who asks is told so soon, and runs go on by
// themselves when it is back: each ends once.
func TestTheDatabaseServerIsAway(t *testing.T) {
	t.Parallel()
	for _, kind := range []sqldb.Dialect{sqldb.Postgres, sqldb.MySQL} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			server := dbserver.Own(t, kind)
			p := platform.Start(t, map[string]any{"database": server.Fresh(t)})
			if err := p.Deploy([]byte(rests)); err != nil {
				t.Fatal(err)
			}
			var runs []string
			for range 20 {
				runs = append(runs, p.Run(platform.Request{Process: "rests"}))
			}
			server.Stop(t, syscall.SIGKILL)
			for _, ask := range []func() error{
				func() error { return p.Call(t.Context(), "GET", "/api/v1/runs", nil, nil) },
				func() error {
					return p.Call(t.Context(), "POST", "/api/v1/runs", platform.Request{Process: "rests"}, nil)
				},
			} {
				begun := time.Now()
				err := ask()
				var problem *client.Error
				if !errors.As(err, &problem) || problem.Status != http.StatusServiceUnavailable || problem.Code != "database.away" {
					t.Errorf("while it is away: %v", err)
				}
				if took := time.Since(begun); took > 10*time.Second {
					t.Errorf("that took %s", took)
				}
			}
			ready(t, p, http.StatusServiceUnavailable) // timers fire meanwhile
			server.Start(t)
			ready(t, p, http.StatusOK)
			finished(t, p, runs)
		})
	}
}

// However long the database server is away, everything goes on soon after it is back.
// SEXTANT_AWAY says how long: ten minutes are tried before a release.
func TestTheDatabaseServerIsAwayForLong(t *testing.T) {
	t.Parallel()
	long := 30 * time.Second
	if given := os.Getenv("SEXTANT_AWAY"); given != "" {
		var err error
		if long, err = time.ParseDuration(given); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []sqldb.Dialect{sqldb.Postgres, sqldb.MySQL} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			server := dbserver.Own(t, kind)
			p := platform.Start(t, map[string]any{"database": server.Fresh(t)})
			if err := p.Deploy([]byte(rests)); err != nil {
				t.Fatal(err)
			}
			var runs []string
			for range 50 {
				runs = append(runs, p.Run(platform.Request{Process: "rests"}))
			}
			server.Stop(t, syscall.SIGKILL)
			ready(t, p, http.StatusServiceUnavailable)
			asks := time.NewTicker(time.Second)
			defer asks.Stop()
			for gone := time.Now(); time.Since(gone) < long; <-asks.C {
				begun := time.Now()
				err := p.Call(t.Context(), "POST", "/api/v1/runs", platform.Request{Process: "rests"}, nil)
				var problem *client.Error
				if !errors.As(err, &problem) || problem.Code != "database.away" || time.Since(begun) > 10*time.Second {
					t.Errorf("after %s a start: %v, in %s", time.Since(gone), err, time.Since(begun))
				}
				if got := readiness(t, p); got != http.StatusServiceUnavailable {
					t.Errorf("after %s /readyz is %d", time.Since(gone), got)
				}
			}
			server.Start(t)
			begun := time.Now()
			took := ready(t, p, http.StatusOK)
			finished(t, p, runs)
			t.Logf("after %s away it was ready in %s, and its runs had ended after %s", long, took, time.Since(begun))
			if took > 15*time.Second {
				t.Errorf("it took %s to be ready", took)
			}
		})
	}
}

// When the primary of a synchronous pair is gone and its standby takes over, runs go on
// by themselves: what was acknowledged is there, and each ends once.
func TestAStandbyTakesOver(t *testing.T) {
	t.Parallel()
	primary := dbserver.Own(t, sqldb.Postgres)
	address := primary.Fresh(t)
	standby := primary.Standby(t, true)
	p := platform.Start(t, map[string]any{"database": dbserver.Pair(t, address, primary.Line(t), standby.Line(t))})
	if err := p.Deploy([]byte(rests)); err != nil {
		t.Fatal(err)
	}
	var runs []string
	for range 50 {
		runs = append(runs, p.Run(platform.Request{Process: "rests"}))
	}
	for n := range 5 {
		id := fmt.Sprint("h", n)
		p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": id, "name": id, "address": "127.0.0.1"}}, nil)
	}
	primary.Stop(t, syscall.SIGKILL)
	killed := time.Now()
	ready(t, p, http.StatusServiceUnavailable)
	standby.Promote(t)
	ready(t, p, http.StatusOK)
	if took := time.Since(killed); took > 15*time.Second {
		t.Errorf("it took %s to be ready", took)
	}
	finished(t, p, runs)
	for n := range 5 {
		p.Must("GET", fmt.Sprint("/api/v1/objects/host:host/h", n), nil, nil)
	}
	p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": "new", "name": "h", "address": "127.0.0.1"}}, nil)
}

// One commit in ten loses its answer, after it was carried out or before: nobody
// notices, and nothing is lost or done twice.
func TestCommitsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for _, kind := range []sqldb.Dialect{sqldb.Postgres, sqldb.MySQL} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			server := dbserver.Shared(t, kind)
			line := server.Line(t)
			p := platform.Start(t, map[string]any{"database": line.Address(t, server.Fresh(t))})
			if err := p.Deploy([]byte(rests)); err != nil {
				t.Fatal(err)
			}
			n, cut := 0, 0
			line.OnCommit(func() dbserver.Fate {
				if n++; n%10 != 0 {
					return dbserver.Pass
				}
				cut++
				return []dbserver.Fate{dbserver.CutAfter, dbserver.CutBefore, dbserver.CutAmid}[cut%3]
			})
			started := map[string]bool{}
			for len(started) < 40 {
				var v client.ControlVerdict
				err := p.Call(t.Context(), "POST", "/api/v1/runs", platform.Request{Process: "rests"}, &v)
				var problem *client.Error
				switch {
				case err == nil:
					started[v.Run] = true
				case !errors.As(err, &problem) || problem.Code != "database.away": // which changed nothing
					t.Fatalf("a start: %v", err)
				}
			}
			for run := range started {
				if r := p.Ended(run); r.State != "completed" {
					t.Errorf("run %s is %s", run, r.State)
				}
			}
			line.OnCommit(func() dbserver.Fate { return dbserver.Pass })
			var page client.PageOfProcessRun
			p.Must("GET", "/api/v1/runs?limit=500", nil, &page)
			for _, r := range page.Items {
				if !started[r.Key] {
					t.Errorf("run %s is there and nobody was told", r.Key)
				}
			}
			if len(page.Items) != len(started) || len(p.Incidents()) != 0 || cut < 4 {
				t.Errorf("%d runs of %d, %d incidents, %d commits were cut", len(page.Items), len(started), len(p.Incidents()), cut)
			}
		})
	}
}
