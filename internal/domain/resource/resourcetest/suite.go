// Package resourcetest is the suite that every driver of internal/domain/resource
// passes.
package resourcetest

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/domain/resource"
	"sextant/internal/kit/errs"
)

// Behaviour is what a program does that the suite starts.
type Behaviour string

// The programs of the suite. Each first writes a line that says which it is.
const (
	// Serve answers GET /healthz with 200 where it was told to listen.
	Serve Behaviour = "serve"
	// Crash writes 20 lines "line N", the first of which is N = 0, and ends with 3.
	Crash Behaviour = "crash"
)

// Place is where the instances of one test run.
type Place interface {
	// Driver gives a driver over the place. Each call gives another one, as a platform
	// that was started anew has it.
	Driver(t *testing.T) resource.Driver
	// Spec says how a program of the suite is run in the place.
	Spec(t *testing.T, name string, b Behaviour) resource.Spec
}

const grace = 10 * time.Second

// Run proves that a driver keeps its contract. place makes a place of its own for
// each part.
func Run(t *testing.T, place func(*testing.T) Place) {
	t.Helper()
	for name, part := range map[string]func(*testing.T, Place){
		"nothing-is-there": nothing, "starts-and-stops": startsAndStops, "another-spec-replaces": replaces, "is-found-again": foundAgain,
		"says-why-it-does-not-run": says, "logs-in-pieces": logs, "names": names, "all-at-once": atOnce, "allocate-keeps": allocateKeeps,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			part(t, place(t))
		})
	}
}

// up creates and starts an instance, which the end of the test stops.
func up(t *testing.T, d resource.Driver, s resource.Spec) resource.Instance {
	t.Helper()
	create(t, d, s)
	i, err := d.Start(t.Context(), s.Name)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func create(t *testing.T, d resource.Driver, s resource.Spec) {
	t.Helper()
	if err := d.Allocate(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := d.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func observe(t *testing.T, d resource.Driver, name string) resource.Instance {
	t.Helper()
	i, err := d.Observe(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func stop(t *testing.T, d resource.Driver, name string) {
	t.Helper()
	if err := d.Stop(t.Context(), name, grace); err != nil {
		t.Fatal(err)
	}
}

func healthy(t *testing.T, address string) bool {
	t.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: grace}).Get("http://" + address + "/healthz")
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func nothing(t *testing.T, p Place) {
	d := p.Driver(t)
	if i := observe(t, d, "none"); i.State != resource.StateAbsent || i.Name != "none" {
		t.Errorf("%+v", i)
	}
	stop(t, d, "none")
	if _, err := d.Start(t.Context(), "none"); errs.As(err) == nil || errs.As(err).Kind != errs.NotFound {
		t.Errorf("started what was not created: %v", err)
	}
	if l, err := d.Logs(t.Context(), "none", 0, 100); err != nil || len(l.Data) != 0 {
		t.Errorf("its log: %q, %v", l.Data, err)
	}
}

func startsAndStops(t *testing.T, p Place) {
	d, s := p.Driver(t), p.Spec(t, "app", Serve)
	create(t, d, s)
	if i := observe(t, d, "app"); i.State != resource.StateAbsent {
		t.Errorf("created and not started: %+v", i)
	}
	first := up(t, d, s)
	if first.State != resource.StateRunning || first.Key == "" || first.Since.IsZero() || !healthy(t, first.Address) {
		t.Errorf("%+v", first)
	}
	if again, err := d.Start(t.Context(), "app"); err != nil || again.Key != first.Key {
		t.Errorf("started again: %+v, %v", again, err)
	}
	if seen := observe(t, d, "app"); seen.Key != first.Key || seen.Address != first.Address || seen.State != resource.StateRunning {
		t.Errorf("seen %+v, want %+v", seen, first)
	}
	stop(t, d, "app")
	if i := observe(t, d, "app"); i.State != resource.StateAbsent || healthy(t, first.Address) {
		t.Errorf("after the stop: %+v", i)
	}
	if next := up(t, d, s); next.Key == first.Key {
		t.Error("another instance has the same key")
	}
	stop(t, d, "app")
}

func replaces(t *testing.T, p Place) {
	d, s := p.Driver(t), p.Spec(t, "app", Serve)
	first := up(t, d, s)
	s.Args = append(s.Args, "another")
	second := up(t, d, s)
	if second.Key == first.Key || !healthy(t, second.Address) {
		t.Errorf("%+v after %+v", second, first)
	}
	if second.Address != first.Address && healthy(t, first.Address) {
		t.Error("the one that was replaced answers still")
	}
	stop(t, d, "app")
}

func foundAgain(t *testing.T, p Place) {
	s := p.Spec(t, "app", Serve)
	first := up(t, p.Driver(t), s)
	d := p.Driver(t)
	if seen := observe(t, d, "app"); seen.Key != first.Key {
		t.Errorf("a driver that was made anew sees %+v, want %+v", seen, first)
	}
	if again := up(t, d, s); again.Key != first.Key {
		t.Errorf("and starts %+v beside %+v", again, first)
	}
	stop(t, d, "app")
	if i := observe(t, p.Driver(t), "app"); i.State != resource.StateAbsent {
		t.Errorf("after the stop: %+v", i)
	}
}

func says(t *testing.T, p Place) {
	d, s := p.Driver(t), p.Spec(t, "app", Crash)
	create(t, d, s)
	_, err := d.Start(t.Context(), "app")
	if errs.As(err) == nil || errs.As(err).Kind != errs.Unavailable || !strings.Contains(err.Error(), "line 19") {
		t.Errorf("%v", err)
	}
	if i := observe(t, d, "app"); i.State != resource.StateAbsent {
		t.Errorf("%+v", i)
	}
}

func logs(t *testing.T, p Place) {
	d, s := p.Driver(t), p.Spec(t, "app", Crash)
	create(t, d, s)
	if _, err := d.Start(t.Context(), "app"); err == nil {
		t.Fatal("it runs")
	}
	var text strings.Builder
	for at := int64(0); ; {
		l, err := d.Logs(t.Context(), "app", at, 7)
		if err != nil || len(l.Data) > 7 {
			t.Fatalf("%d bytes, %v", len(l.Data), err)
		}
		if len(l.Data) == 0 {
			break
		}
		text.Write(l.Data)
		at = l.Next
	}
	if got := text.String(); !strings.Contains(got, "crash\n") || strings.Count(got, "line ") != 20 {
		t.Errorf("the log is %q", got)
	}
}

func names(t *testing.T, p Place) {
	d := p.Driver(t)
	for _, name := range []string{"", "../x", "a/b", "A", " ", strings.Repeat("a", 65)} {
		s := p.Spec(t, "app", Serve)
		s.Name = name
		if err := d.Create(t.Context(), s); errs.As(err) == nil || errs.As(err).Kind != errs.Invalid {
			t.Errorf("the name %q: %v", name, err)
		}
	}
}

func atOnce(t *testing.T, p Place) {
	d, s := p.Driver(t), p.Spec(t, "app", Serve)
	create(t, d, s)
	var wg sync.WaitGroup
	keys := make([]string, 8)
	for i := range keys {
		wg.Go(func() {
			if started, err := d.Start(t.Context(), "app"); err == nil {
				keys[i] = started.Key
			}
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k == "" || k != keys[0] {
			t.Errorf("the instances are %q", keys)
			break
		}
	}
	stop(t, d, "app")
}

func allocateKeeps(t *testing.T, p Place) {
	d, s := p.Driver(t), p.Spec(t, "app", Serve)
	if s.Dir == "" {
		t.Fatal("the suite's program has no folder")
	}
	if err := d.Allocate(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.Dir, "kept")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Allocate(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
