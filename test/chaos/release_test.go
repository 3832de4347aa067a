// Package chaos_test kills the platform while it works and looks at what is left.
package chaos_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sextant/internal/demo"
	"sextant/internal/demo/stage"
	"sextant/internal/demo/traffic"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/client"
	"sextant/sdk/go/sqldb"
)

const password = "a password for chaos"

// binary is the program under test, built once.
var binary = filepath.Join(os.TempDir(), fmt.Sprintf("sextant-chaos-%d", os.Getpid()))

func TestMain(m *testing.M) {
	if dir := os.Getenv(witnessing); dir != "" {
		os.Exit(witness(dir))
	}
	build := exec.Command("go", "build", "-o", binary, "sextant/cmd/sextant")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "the program cannot be built:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.Remove(binary)
	os.Exit(code)
}

// world is a platform in a process of its own that can be killed, with hosts.
type world struct {
	*client.Client
	*program
	t     *testing.T
	stage *stage.Stage
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, program: newProgram(t, dir, dbserver.Setting(t, filepath.Join(dir, "data")))}
	var err error
	w.stage, err = stage.Open(t.Context(),
		stage.Options{Dir: filepath.Join(w.dir, "stage"), Exe: binary, Real: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.stage.Stop(); err != nil {
			t.Error(err)
		}
	})
	w.Client = &client.Client{URL: "http://" + w.listen}
	w.start()
	t.Cleanup(w.end)
	var out client.SessionOutBody
	w.must(w.Call(t.Context(), "POST", "/api/v1/session", client.LoginInBody{Name: "admin", Password: password}, &out))
	w.Token = out.Token
	_, _, err = demo.Load(t.Context(), w.Client, w.stage)
	w.must(err)
	return w
}

// commands counts what every host was told, by host and command.
func (w *world) commands() map[string]int {
	w.t.Helper()
	counts := map[string]int{}
	for _, h := range append(append([]stage.Host{}, w.stage.Hosts...), w.stage.Balancer) {
		f, err := os.Open(filepath.Join(h.Home, "commands.log"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		w.must(err)
		for lines := bufio.NewScanner(f); lines.Scan(); {
			_, command, _ := strings.Cut(lines.Text(), " ")
			counts[h.Name+" "+command]++
		}
		w.must(f.Close())
	}
	return counts
}

// ended waits until a run is over, through any number of lost connections.
func (w *world) ended(run string) client.ProcessRun {
	w.t.Helper()
	ctx, cancel := context.WithTimeoutCause(w.t.Context(), 3*time.Minute, errors.New("the run does not end"))
	defer cancel()
	var last client.ProcessRun
	err := w.Watch(ctx, run, nil, func(u client.Update) bool { last = u.Run; return u.Run.State == "active" })
	if err != nil {
		w.t.Fatalf("run %s: %v; it is %s:%s", run, err, last.State, demo.Trouble(w.t.Context(), w.Client, run))
	}
	return last
}

// A release goes on where it was when the platform was killed: it ends as it
// should, no command runs twice on a host, and neither the plugins nor the
// application notice.
func TestKilledAtTenMomentsOfARelease(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	kills(t, newWorld(t), rand.New(rand.NewPCG(seed, 1)), 10)
}

func kills(t *testing.T, w *world, chance *rand.Rand, n int) {
	t.Helper()
	run, err := demo.Start(t.Context(), w.Client, "deploy", "1.0.0")
	w.must(err)
	begun := time.Now()
	if r := w.ended(run); r.State != "completed" {
		t.Fatalf("the first deployment is %s:%s", r.State, demo.Trouble(t.Context(), w.Client, run))
	}
	plugins := w.plugins()
	if len(plugins) != 2 {
		t.Fatalf("the plugins run as %v", plugins)
	}
	site := traffic.Start(t.Context(), w.stage.Balancer.URL())
	runs := []string{run}
	// A release takes a little longer than the deployment, since it goes batch by
	// batch; kills are spread over all of it.
	span := 2 * time.Since(begun)
	versions := []string{"1.1.0", "1.0.0"}
	for left := n; left > 0; {
		before := w.commands()
		version := versions[len(runs)%2]
		run, err := demo.Start(t.Context(), w.Client, "rolling-release", version)
		w.must(err)
		runs = append(runs, run)
		for range min(left, 1+chance.IntN(3)) {
			at := time.Duration(chance.Int64N(int64(span)))
			if over := w.watchFor(run, at); over {
				break
			}
			w.kill()
			left--
			t.Logf("killed %s after the start or the kill before, %d left", at.Round(time.Millisecond), left)
			w.start()
		}
		if r := w.ended(run); r.State != "completed" {
			t.Fatalf("the release %s of %s is %s:%s", run, version, r.State, demo.Trouble(t.Context(), w.Client, run))
		}
		w.compare(before, version)
	}
	if s := site.Stop(); s.Failed > 0 || s.Served == 0 {
		t.Errorf("%d requests served and %d failed: %v", s.Served, s.Failed, s.Reasons)
	} else {
		t.Logf("%d requests served, none failed", s.Served)
	}
	for name, pid := range w.plugins() {
		if plugins[name] != pid {
			t.Errorf("the plugin %s was process %d and is %d", name, plugins[name], pid)
		}
	}
	w.audit(runs)
}

// watchFor watches a run for a while and reports whether it ended meanwhile.
func (w *world) watchFor(run string, d time.Duration) (over bool) {
	ctx, cancel := context.WithTimeout(w.t.Context(), d)
	defer cancel()
	return w.Watch(ctx, run, nil, func(u client.Update) bool { over = u.Run.State != "active"; return !over }) == nil && over
}

// compare looks at what a release told the hosts: each command as often as the
// process says.
func (w *world) compare(before map[string]int, version string) {
	w.t.Helper()
	after := w.commands()
	want := map[string]int{}
	for _, h := range w.stage.Hosts {
		for _, c := range []string{"app install " + filepath.Join(h.Home, "incoming", "package.tar.gz") + " " + version,
			"app switch " + version, "app restart"} {
			want[h.Name+" "+c] = 1
		}
		want[h.Name+" app version"] = 2 // what it was, and what it is then
		want[w.stage.Balancer.Name+" lb out "+h.AppAddress] = 1
		want[w.stage.Balancer.Name+" lb in "+h.AppAddress] = 1
	}
	for c, n := range after {
		if got := n - before[c]; got != want[c] {
			w.t.Errorf("%q ran %d times in the release of %s, want %d", c, got, version, want[c])
		}
		delete(want, c)
	}
	for c := range want {
		w.t.Errorf("%q did not run in the release of %s", c, version)
	}
}

// audit looks into the platform's own record: every run is there once, ended
// once.
func (w *world) audit(runs []string) {
	w.t.Helper()
	w.kill()
	database, _, err := sqldb.Open(dbserver.Address(w.t, filepath.Join(w.dir, "data", "sextant.db")), true)
	w.must(err)
	defer database.Close()
	for _, run := range runs {
		for what, query := range map[string]string{
			"run":     "SELECT COUNT(*) FROM process_run WHERE run = ? AND state = 'completed'",
			"started": "SELECT COUNT(*) FROM bus_event WHERE subject = ? AND type = 'sextant.run.started.v1'",
			"ended":   "SELECT COUNT(*) FROM bus_event WHERE subject = ? AND type = 'sextant.run.completed.v1'",
		} {
			var n int
			subject := run
			if what != "run" {
				subject = "run/" + run
			}
			w.must(database.QueryRow(query, subject).Scan(&n))
			if n != 1 {
				w.t.Errorf("run %s: %d %s, want 1", run, n, what)
			}
		}
	}
	var left int
	w.must(database.QueryRow("SELECT COUNT(*) FROM engine_record").Scan(&left))
	if left != 0 {
		w.t.Errorf("%d records of runs are left though all are over", left)
	}
	w.must(database.QueryRow("SELECT COUNT(*) FROM control_claim").Scan(&left))
	if left != 0 {
		w.t.Errorf("%d locks are left", left)
	}
	w.start()
}

// TestSoak kills the platform for as long as SEXTANT_SOAK_MINUTES says.
func TestSoak(t *testing.T) {
	minutes, err := strconv.Atoi(os.Getenv("SEXTANT_SOAK_MINUTES"))
	if err != nil {
		t.Skip("set SEXTANT_SOAK_MINUTES, or run make soak")
	}
	seed := uint64(time.Now().UnixNano())
	chance := rand.New(rand.NewPCG(seed, 2))
	n := 0
	for begun := time.Now(); time.Since(begun) < time.Duration(minutes)*time.Minute; n += 10 {
		kills(t, newWorld(t), chance, 10)
	}
	_, _ = io.WriteString(os.Stdout, fmt.Sprintf("%s seed %d: %d kills\n", time.Now().UTC().Format(time.RFC3339), seed, n))
}
