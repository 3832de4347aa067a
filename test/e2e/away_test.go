package e2e_test

import (
	"errors"
	"net/http"
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
			ready := func(want int) {
				t.Helper()
				for until := time.Now().Add(time.Minute); ; {
					resp, err := http.Get(p.URL + "/readyz")
					if err != nil {
						t.Fatal(err)
					}
					_ = resp.Body.Close() // its status says all
					if resp.StatusCode == want {
						return
					}
					if time.Now().After(until) {
						t.Fatalf("/readyz is %d and not %d", resp.StatusCode, want)
					}
				}
			}
			ready(http.StatusServiceUnavailable) // timers fire meanwhile
			server.Start(t)
			ready(http.StatusOK)
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
		})
	}
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
