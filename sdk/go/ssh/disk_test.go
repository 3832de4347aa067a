package ssh_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sextant/sdk/go/ssh"
	"sextant/sdk/go/ssh/sshtest"
)

// small mounts a small file system for the home and leaves kib of it free.
func small(kib int) []string {
	return []string{
		"mount -t tmpfs -o size=1m tmpfs %HOME", "mkdir %HOME/.ssh",
		fmt.Sprintf("{ head -c 2000000 /dev/zero >%%HOME/full 2>/dev/null || truncate -s -%d %%HOME/full; }", kib<<10),
	}
}

// A script runs whole or not at all, however little room a host has, and what the
// client says is what happened.
func TestAFullDiskRunsAWholeScriptOrNone(t *testing.T) {
	t.Parallel()
	var ran, refused atomic.Int32
	t.Cleanup(func() {
		if ran.Load() == 0 || refused.Load() == 0 {
			t.Errorf("%d ran and %d did not: this tells nothing", ran.Load(), refused.Load())
		}
	})
	for _, kib := range []int{0, 4, 12, 20, 32, 40, 48, 52, 56, 64, 80, 120, 240} {
		t.Run(fmt.Sprint(kib), func(t *testing.T) {
			t.Parallel()
			s, p := sshtest.StartAs(t, "", small(kib)), pool(t)
			to, cred := target(s)
			for _, size := range []int{10, 12_000, 32_000} {
				w := filepath.Join(t.TempDir(), "witness")
				half := strings.Repeat("# a line of the script\n", size/46)
				c := ssh.Command{Key: fmt.Sprint(size), Script: half + "echo one >>" + w + "\n" + half + "echo two >>" + w + "\nexit 7",
					Stdin: half, Env: map[string]string{"A": "b"}}
				got, err := p.Run(t.Context(), to, cred, c)
				saw, _ := os.ReadFile(w)
				switch {
				case err == nil && got.ExitCode == 7 && string(saw) == "one\ntwo\n":
					ran.Add(1)
				case ssh.KindOf(err) == ssh.Disk && len(saw) == 0:
					refused.Add(1)
				default:
					t.Errorf("%d bytes: %+v %v, and the witness saw %q", size, got, err, saw)
				}
			}
		})
	}
}

// A script that fills the disk has an exit code all the same.
func TestAScriptThatFillsTheDiskHasAnExitCode(t *testing.T) {
	t.Parallel()
	s, p := sshtest.StartAs(t, "", small(200)), pool(t)
	to, cred := target(s)
	got, err := p.Run(t.Context(), to, cred, ssh.Command{Key: "k", Script: `cat /dev/zero >"$HOME/mine" 2>/dev/null; exit 9`})
	if err != nil || got.ExitCode != 9 {
		t.Errorf("got %+v %v", got, err)
	}
}

// What is on the host otherwise than it was sent does not run, though nothing there
// has said that it could not be written.
func TestWhatArrivesDamagedDoesNotRun(t *testing.T) {
	t.Parallel()
	fake := filepath.Join(t.TempDir(), "tail")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\n/usr/bin/busybox tail \"$@\" | /usr/bin/busybox head -c 900\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s, p := sshtest.StartAs(t, "", []string{"mount --bind " + fake + " /usr/bin/tail"}), pool(t)
	to, cred := target(s)
	w := filepath.Join(t.TempDir(), "witness")
	_, err := p.Run(t.Context(), to, cred,
		ssh.Command{Key: "k", Script: "echo one >>" + w + "\n" + strings.Repeat("# a line of the script\n", 2000) + "echo two >>" + w})
	if saw, _ := os.ReadFile(w); ssh.KindOf(err) != ssh.Disk || len(saw) > 0 {
		t.Errorf("got %v, and the witness saw %q", err, saw)
	}
}

func TestAHomeThatCannotBeWrittenRunsNothing(t *testing.T) {
	t.Parallel()
	homes := map[string][]string{
		"read-only":    {"mount -t tmpfs tmpfs %HOME", "mount -o remount,ro %HOME"},
		"no file more": {"mount -t tmpfs -o nr_inodes=5 tmpfs %HOME"},
		"missing":      {"rm -rf %HOME", "touch %HOME"},
	}
	for name, commands := range homes {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			s, p := sshtest.StartAs(t, "", commands), pool(t)
			to, cred := target(s)
			w := filepath.Join(t.TempDir(), "witness")
			_, err := p.Run(t.Context(), to, cred, ssh.Command{Key: "k", Script: "echo did >>" + w})
			if saw, _ := os.ReadFile(w); ssh.KindOf(err) != ssh.Disk || len(saw) > 0 {
				t.Errorf("got %v, and the witness saw %q", err, saw)
			}
		})
	}
}

// A shell that runs no commands is told from a command that failed, before
// anything is sent.
func TestAShellThatRunsNothingIsSaidSo(t *testing.T) {
	t.Parallel()
	shells := map[string]struct{ line, says string }{
		"nologin":              {"ForceCommand exec /usr/sbin/nologin", "not available"},
		"false":                {"ForceCommand exec /bin/false", "runs no commands"},
		"a forced command":     {"ForceCommand echo backup done", "backup done"},
		"an exit at log-in":    {sshtest.Shell("exit 0; exec bash"), "runs no commands"},
		"a broken path":        {"ForceCommand PATH=/nowhere; export PATH; exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"", ""},
		"output without end":   {"ForceCommand exec yes", "prints without end"},
		"one line without end": {"ForceCommand exec tr '\\0' x </dev/zero", "prints without end"},
	}
	for name, tt := range shells {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			s, p := sshtest.Start(t, tt.line), pool(t)
			to, cred := target(s)
			w := filepath.Join(t.TempDir(), "witness")
			_, err := p.Run(t.Context(), to, cred, ssh.Command{Key: "k", Script: "echo did >>" + w})
			saw, _ := os.ReadFile(w)
			if tt.says == "" {
				if err != nil || string(saw) != "did\n" {
					t.Errorf("got %v, and the witness saw %q", err, saw)
				}
				return
			}
			if ssh.KindOf(err) != ssh.Shell || !strings.Contains(err.Error(), tt.says) || len(saw) > 0 {
				t.Errorf("got %v, and the witness saw %q", err, saw)
			}
		})
	}
}

// A program that waits for something else than a command gets nothing.
func TestAMenuIsSentNothing(t *testing.T) {
	t.Parallel()
	took := filepath.Join(t.TempDir(), "took")
	s, p := sshtest.Start(t, "ForceCommand exec tee "+took), pool(t)
	to, cred := target(s)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := p.Run(ctx, to, cred, ssh.Command{Key: "k", Script: "true", Env: map[string]string{"PW": "hunter2"}})
	if data, readErr := os.ReadFile(took); ssh.KindOf(err) != ssh.Timeout || readErr != nil || len(data) > 0 {
		t.Errorf("got %v; it was sent %q, %v", err, data, readErr)
	}
}
