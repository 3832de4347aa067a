package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/ssh/sshtest"
)

// scriptAtWork starts a script on a real host that counts how often it was begun and
// ends when the test is over; it gives its run once it is at work.
func scriptAtWork(t *testing.T, p *platform.Platform) (s *sshtest.Server, run string) {
	t.Helper()
	s = host(t, p, "h1")
	end := filepath.Join(s.Home, "end")
	t.Cleanup(func() {
		if err := os.WriteFile(end, nil, 0o600); err != nil {
			t.Error(err)
		}
	})
	run = p.Service("host/script/run", map[string]any{"script": `echo x >>"$HOME/count"; ` +
		`echo go; while [ ! -e "$HOME/end" ]; do sleep 0.1; done`, "credential": "connection/h1"}, "host:host/h1")
	appears(t, filepath.Join(s.Home, "count"))
	return s, run
}

// appears polls for a file that another process writes.
func appears(t *testing.T, file string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(time.Minute); ; {
		if _, err := os.Stat(file); err == nil {
			return
		}
		select {
		case <-late:
			t.Fatalf("%s does not appear", file)
		case <-tick.C:
		}
	}
}

// anew ends the server and starts one on the same data.
func anew(t *testing.T, p *platform.Platform, settings map[string]any) *platform.Platform {
	t.Helper()
	if err := p.Server.Close(); err != nil {
		t.Fatal(err)
	}
	all := map[string]any{"data": p.Data}
	for k, v := range settings {
		all[k] = v
	}
	return platform.Start(t, all)
}

// ways to take from a script that is at work what is needed to ask about it.
var ways = map[string]struct {
	method, path string
	in           any
	says         string
}{
	"its connection": {"DELETE", "/api/v1/connections/h1", nil, "connection"},
	"its secret":     {"POST", "/api/v1/connections/h1/changes", map[string]any{"unset": []string{"private_key"}}, "private key"},
	"its user":       {"POST", "/api/v1/connections/h1/changes", map[string]any{"unset": []string{"user"}}, "user"},
}

// A script that a server before this one has sent goes on on its host. Where this one
// cannot ask about it any more nobody knows what becomes of it: that is no input that
// is missing, and no failure that a process goes on from.
func TestWhatWasSentBeforeARestartIsUnknownWithoutItsSecret(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := platform.Start(t, nil)
			s, run := scriptAtWork(t, p)
			p.Must(way.method, way.path, way.in, nil)
			p = anew(t, p, nil)
			p.Ended(run)
			if all := p.Incidents(); len(all) != 1 || all[0].Kind != "unknown" {
				t.Fatalf("the incidents are %+v", all)
			}
			row := p.Jobs(run)[0].Rows[0]
			if row.Outcome != "unknown" || !strings.Contains(row.Message, "it was sent before") || !strings.Contains(row.Message, way.says) {
				t.Errorf("the row is %s: %s", row.Outcome, row.Message)
			}
			if count, err := os.ReadFile(filepath.Join(s.Home, "count")); err != nil || string(count) != "x\n" {
				t.Errorf("it ran as %q, %v", count, err)
			}
		})
	}
}

// A stop that was under way when the server was ended is over when nobody can ask
// about what is to be stopped: it is unknown, and the run does not hang.
func TestAStopIsUnknownWithoutItsSecretAfterARestart(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := platform.Start(t, nil)
			s, run := scriptAtWork(t, p)
			s.Down(t)
			p.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "not wanted"}, nil)
			p.Must(way.method, way.path, way.in, nil)
			if got := stateOf(p, run); got != "stopping" {
				t.Fatalf("the run is %s", got)
			}
			p = anew(t, p, nil)
			if r := p.Ended(run); r.State != "cancelled" {
				t.Errorf("%+v", r)
			}
			if row := p.Jobs(run)[0].Rows[0]; row.Outcome != "unknown" {
				t.Errorf("the row is %s: %s", row.Outcome, row.Message)
			}
		})
	}
}

// A service that is gone after a restart leaves it open what became of its calls.
func TestWhatWasSentBeforeARestartIsUnknownWithoutItsService(t *testing.T) {
	t.Parallel()
	p, x := platform.Start(t, nil), newSlow()
	p.Plug(slowManifest(), x.serve)
	t.Cleanup(func() { close(x.end) })
	run := p.Service("odd/task/long", nil, hosts(p, "h1")...)
	received(t, x.begun, "the work does not begin")
	without := slowManifest()
	without.Services[0].Actions = without.Services[0].Actions[1:]
	p.Plug(without, x.serve)
	p = anew(t, p, nil)
	p.Ended(run)
	if all := p.Incidents(); len(all) != 1 || all[0].Kind != "unknown" {
		t.Fatalf("the incidents are %+v", all)
	}
	if row := p.Jobs(run)[0].Rows[0]; row.Outcome != "unknown" || !strings.Contains(row.Message, "it was sent before") {
		t.Errorf("%+v", row)
	}
}

// A stop that nobody can take up after a restart is given up like any other.
func TestAStopThatNobodyWorksOnIsGivenUp(t *testing.T) {
	t.Parallel()
	p, x := platform.Start(t, nil), newSlow()
	p.Plug(slowManifest(), x.serve)
	t.Cleanup(func() { close(x.end) })
	refs := hosts(p, "h1")
	run := p.Service("odd/task/long", nil, refs...)
	received(t, x.begun, "the work does not begin")
	p.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "not wanted"}, nil)
	received(t, x.told, "the plugin is not told")
	without := slowManifest()
	without.Services[0].Actions = without.Services[0].Actions[1:]
	p.Plug(without, x.serve)
	p = anew(t, p, nil)
	if got := stateOf(p, run); got != "stopping" {
		t.Fatalf("the run is %s", got)
	}
	p.Must("POST", "/api/v1/runs/"+run+"/give-up", map[string]any{"reason": "the service is gone"}, nil)
	if got := stateOf(p, run); got != "cancelled" {
		t.Errorf("the run is %s", got)
	}
	if row := p.Jobs(run)[0].Rows[0]; row.Outcome != "unknown" || !strings.Contains(row.Message, "given up") {
		t.Errorf("%+v", row)
	}
	if r := p.Ended(p.Service("odd/task/quick", nil, refs...)); r.State != "completed" {
		t.Errorf("after it: %s", r.State)
	}
}

// A call that was sent before a restart is stopped also where its run is cancelled
// before the call's turn has come again.
func TestWhatWasSentBeforeARestartIsStoppedBeforeItsTurn(t *testing.T) {
	t.Parallel()
	p, x := platform.Start(t, nil), newSlow()
	p.Plug(slowManifest(), x.serve)
	byKey := map[string]string{}
	for _, id := range []string{"h1", "h2"} {
		run := p.Service("odd/task/long", nil, hosts(p, id)...)
		byKey[received(t, x.begun, "the work does not begin")] = run
	}
	p = anew(t, p, map[string]any{"limits.calls": 1})
	first := received(t, x.begun, "no call comes again")
	for key, run := range byKey {
		if key == first {
			continue
		}
		p.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "not wanted"}, nil)
		if again := received(t, x.begun, "what is to be stopped does not come again"); again != key {
			t.Errorf("%s comes again, not %s", again, key)
		}
		if got := stateOf(p, run); got != "stopping" {
			t.Errorf("the run is %s", got)
		}
		close(x.end)
		if r := p.Ended(run); r.State != "cancelled" {
			t.Errorf("%+v", r)
		}
	}
	p.Ended(byKey[first])
}
