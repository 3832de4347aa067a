//go:build unix

package worker_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
)

// alive reports whether a process works: one that has ended and that nobody has asked
// for yet does not.
func alive(t *testing.T, file string) bool {
	t.Helper()
	pid, err := os.ReadFile(file)
	if err != nil || len(pid) == 0 {
		t.Fatalf("%s: %q, %v", file, pid, err)
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(pid)), "stat"))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

// What a command started in the background ends with it, whether the job is lost, the
// worker is stopped or the command fails; before anybody else has the job.
func TestWhatACommandStartedEndsWithIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		child string // of the shell
		ends  string // how the shell goes on
	}{
		"lost":                 {"sleep 600", "wait"},
		"stopped":              {"sleep 600", "wait"},
		"stopped-and-stubborn": {"(trap '' TERM; while :; do sleep 0.1; done)", "wait"},
		"failed":               {"sleep 600", "exit 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, by := studio(t)
			run := p.Run(platform.Request{Process: "p"})
			file := filepath.Join(t.TempDir(), "child")
			w := by(fmt.Sprintf("%s >/dev/null 2>&1 & echo $! > %s.new; mv %s.new %s; %s", c.child, file, file, file, c.ends))
			w.Lease, w.Once = 1500*time.Millisecond, name != "stopped" && name != "stopped-and-stubborn"
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() { ended <- w.Run(ctx) }()
			eventually(t, "the child", func() bool { _, err := os.Stat(file); return err == nil })
			switch name {
			case "lost":
				p.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "a test"}, nil)
			case "failed":
			default:
				stop()
			}
			select {
			case <-ended:
			case <-time.After(time.Minute):
				t.Fatal("it does not end")
			}
			if alive(t, file) {
				t.Errorf("the child of the command goes on\n%s", w.Err)
			}
		})
	}
}
