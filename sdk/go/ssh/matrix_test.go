package ssh_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sextant/sdk/go/ssh"
	"sextant/sdk/go/ssh/sshtest"
)

// logins are the shells that a user may have, and what makes each print something
// at log-in.
var logins = []struct{ name, program, rc, says string }{
	{"dash", "/usr/bin/dash", "", ""},
	{"bash", "/usr/bin/bash", ".bashrc", "echo Welcome; echo 'to this host' >&2"},
	{"busybox", "/usr/bin/busybox sh", "", ""},
	{"zsh", "/usr/bin/zsh", ".zshenv", "echo Welcome; printf 'no line end'"},
	{"fish", "/usr/bin/fish", ".config/fish/config.fish", "echo Welcome"},
	{"mksh", "/usr/bin/mksh", "", ""},
}

// shs are the programs that a host may have as /bin/sh, which runs what we send.
var shs = []string{"/usr/bin/bash", "/usr/bin/busybox", "/usr/bin/mksh", "/usr/bin/zsh"}

// deed is a script with what it does: %W stands for the file of the witness, which
// is outside of everything that the client sees.
type deed struct {
	name    string
	command ssh.Command
	want    ssh.Result
	witness string
}

// anyByte is every byte, twice.
func anyByte() string {
	b := make([]byte, 512)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

func deeds() []deed {
	long := strings.Repeat("# a line that makes the script longer than what a shell takes by itself\n", 600)
	input := strings.Repeat("0123456789abcdef", 20_000)
	own := map[string]string{}
	for _, name := range []string{"D", "B", "P", "S", "T", "L", "IFS", "x",
		"s", "p", "n", "c", "f", "o", "e", "HOME", "CDPATH", "ENV", "BASH_ENV", "TMPDIR", "OPTARG"} {
		own[name] = "mine/" + name
	}
	all := []deed{
		{"success", ssh.Command{Script: "echo did >>%W; echo out"}, ssh.Result{Stdout: "out\n"}, "did\n"},
		{"failure", ssh.Command{Script: "echo did >>%W; echo err >&2; exit 7"}, ssh.Result{ExitCode: 7, Stderr: "err\n"}, "did\n"},
		{"no line end", ssh.Command{Script: "printf did >>%W; printf x; exit 9"}, ssh.Result{ExitCode: 9, Stdout: "x"}, "did"},
		{"exact input", ssh.Command{Script: "cat >>%W", Stdin: "abc"}, ssh.Result{}, "abc"},
		{"every byte as input", ssh.Command{Script: "cat >>%W", Stdin: anyByte()}, ssh.Result{}, anyByte()},
		{"no input", ssh.Command{Script: "cat >>%W; echo end >>%W"}, ssh.Result{}, "end\n"},
		{"line ends alone as input", ssh.Command{Script: "cat >>%W", Stdin: "\n\n"}, ssh.Result{}, "\n\n"},
		{"long input", ssh.Command{Script: "cat >>%W", Stdin: input}, ssh.Result{}, input},
		{"input that is not read", ssh.Command{Script: "echo did >>%W", Stdin: input}, ssh.Result{}, "did\n"},
		{"long script", ssh.Command{Script: long + "echo did >>%W\n" + long + "exit 5"}, ssh.Result{ExitCode: 5}, "did\n"},
		{"arguments", ssh.Command{Script: `for a; do printf '%s|' "$a" >>%W; done`, Args: []string{"a b",
			"", `'"$(id)` + "`id`", `\`, `\'`, `a\\b`, "*", "-x", "é主\n"}}, ssh.Result{}, `a b||'"$(id)` + "`id`" + `|\|\'|a\\b|*|-x|` + "é主\n|"},
		{"variables of any name", ssh.Command{Script: `for n in D B P S T L x s p n c f o e HOME CDPATH ENV TMPDIR OPTARG; ` +
			`do eval "printf '%s ' \"\$$n\"" >>%W; done`, Env: own}, ssh.Result{}, "mine/D mine/B mine/P " +
			"mine/S mine/T mine/L mine/x mine/s mine/p n mine/c mine/f mine/o mine/e mine/HOME mine/CDPATH mine/ENV mine/TMPDIR mine/OPTARG "},
		{"separators as a variable", ssh.Command{Script: "#!/usr/bin/env -S tr '\\0' '\\n'\n", Env: map[string]string{"IFS": "x"}, Args: nil},
			ssh.Result{ExitCode: 1}, "-"},
		{"a path that leads nowhere", ssh.Command{Script: `echo "$PATH" >>%W; /bin/echo ok`, Env: map[string]string{"PATH": "/nowhere"}},
			ssh.Result{Stdout: "ok\n"}, "/nowhere\n"},
		{"a variable of several lines", ssh.Command{Script: `printf '%s' "$V" >>%W`, Env: map[string]string{"V": "a\n'b'\n\"c\"\\ $d `e`\n"}},
			ssh.Result{}, "a\n'b'\n\"c\"\\ $d `e`\n"},
		{"a secret of letters of all kinds", ssh.Command{Script: `printf '%s' "$V" >>%W`, Env: map[string]string{"V": "pässwörd-主-\u0081\u0088"}},
			ssh.Result{}, "pässwörd-主-\u0081\u0088"},
		{"interpreter", ssh.Command{Script: "#!/usr/bin/env bash\nset -o pipefail; false | true; echo $? >>%W"}, ssh.Result{}, "1\n"},
		{"interpreter with an argument", ssh.Command{Script: "#!/bin/sh -e\necho one >>%W\nfalse\necho two >>%W"},
			ssh.Result{ExitCode: 1}, "one\n"},
		{"no such interpreter", ssh.Command{Script: "#!/no/such\necho did >>%W"}, ssh.Result{ExitCode: 127}, "-"},
		{"killed by itself", ssh.Command{Script: "echo did >>%W; kill -9 $$; echo two >>%W"}, ssh.Result{ExitCode: 137}, "did\n"},
		{"its group killed", ssh.Command{Script: "echo did >>%W; kill -9 0; echo two >>%W"}, ssh.Result{ExitCode: 137}, "did\n"},
		{"a signal that it takes", ssh.Command{Script: "trap 'echo term >>%W; exit 3' TERM; kill -TERM $$; echo two >>%W"},
			ssh.Result{ExitCode: 3}, "term\n"},
		{"closed streams", ssh.Command{Script: "exec >&- 2>&- <&-; : >>%W; exit 4"}, ssh.Result{ExitCode: 4}, ""},
		{"every byte as output", ssh.Command{Script: "cat; cat %W >&2 2>/dev/null; echo did >>%W", Stdin: anyByte()},
			ssh.Result{Stdout: anyByte()}, "did\n"},
		{"answers like ours", ssh.Command{Script: "echo SEXTANT done 0 0 0; echo 0123456789abcdef0123456789abcdef done 0 0 0; " +
			"echo did >>%W; exit 6"}, ssh.Result{ExitCode: 6, Stdout: "SEXTANT done 0 0 0\n0123456789abcdef0123456789abcdef done 0 0 0\n"}, "did\n"},
		{"folder and mask of the log-in", ssh.Command{Script: `pwd | sed s,^%H$,home, >>%W; umask | tail -c 4 >>%W`},
			ssh.Result{}, "home\n027\n"},
		{"another folder", ssh.Command{Script: "pwd >>%W", Dir: "/tmp"}, ssh.Result{}, "/tmp\n"},
		{"no such folder", ssh.Command{Script: "pwd >>%W", Dir: "/no/such"}, ssh.Result{ExitCode: 126}, "-"},
		{"a folder called -", ssh.Command{Script: "pwd >>%W", Dir: "-"}, ssh.Result{ExitCode: 126}, "-"},
		{"a child in the background", ssh.Command{Script: "(sleep 30; echo late >>%W) & echo $! >>%W.pid; echo did >>%W"}, ssh.Result{}, "did\n"},
		{"its own job folder removed", ssh.Command{Script: `rm -rf "$HOME/.sextant"; echo did >>%W; exit 1`}, ssh.Result{ExitCode: -1}, "did\n"},
	}
	return all
}

// act runs a deed and compares what the client was told with what the witness saw.
func act(t *testing.T, p *ssh.Pool, s *sshtest.Server, d deed, n int) {
	t.Helper()
	to, cred := target(s)
	w := filepath.Join(t.TempDir(), "witness")
	c := d.command
	c.Key = fmt.Sprint(d.name, n)
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	c.Script = strings.NewReplacer("%W", w, "%H", u.HomeDir).Replace(c.Script)
	live := &signal{word: "\x00never", ch: make(chan struct{})}
	c.Output = live
	got, err := p.Run(t.Context(), to, cred, c)
	if d.want.ExitCode == -1 {
		if ssh.KindOf(err) != ssh.Unknown {
			t.Errorf("%s: got %+v %v", d.name, got, err)
		}
	} else {
		if d.want.ExitCode >= 126 && d.want.Stderr == "" || d.want.ExitCode == 1 {
			got.Stderr = "" // the words of the shell
		}
		if err != nil || got != d.want {
			t.Errorf("%s: got %.300v %v, want %.300v", d.name, got, err, d.want)
		}
		if d.want.ExitCode < 126 && !strings.HasPrefix(live.all.String(), d.want.Stdout) {
			t.Errorf("%s: live %q", d.name, live.all.String())
		}
	}
	saw := "-"
	if data, err := os.ReadFile(w); err == nil {
		saw = string(data)
	}
	if saw != d.witness {
		t.Errorf("%s: the witness saw %.300q, want %.300q", d.name, saw, d.witness)
	}
	if pid, err := os.ReadFile(w + ".pid"); err == nil {
		end(t, strings.TrimSpace(string(pid)))
	}
}

// end ends a child that a script left.
func end(t *testing.T, pid string) {
	var n int
	if _, err := fmt.Sscan(pid, &n); err != nil || n < 2 {
		t.Fatalf("%q is no process", pid)
	}
	if p, err := os.FindProcess(n); err == nil {
		_ = p.Kill() // it may have ended
	}
}

// What a script did, told by itself, is what the client says, whatever shell the
// user has, whatever that prints at log-in, and whatever /bin/sh is.
func TestTheOutcomeIsWhatHappened(t *testing.T) {
	t.Parallel()
	hosts := map[string]*sshtest.Server{}
	for _, l := range logins {
		hosts["login_"+l.name] = sshtest.Start(t,
			sshtest.Shell("env -i HOME=\"$HOME\" USER=u PATH=/usr/bin:/bin /bin/sh -c 'umask 027; exec \"$@\"' sh "+l.program))
		if l.says == "" && l.name != "dash" {
			continue
		}
		hosts["noisy_"+l.name] = sshtest.Start(t, "ForceCommand umask 027; echo Welcome; D=x P=y _=z exec "+
			l.program+` -c "$SSH_ORIGINAL_COMMAND"`)
		if l.rc != "" {
			rc := filepath.Join(hosts["noisy_"+l.name].Home, l.rc)
			if err := errors.Join(os.MkdirAll(filepath.Dir(rc), 0o700), os.WriteFile(rc, []byte(l.says+"\n"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, sh := range shs {
		hosts["sh_"+filepath.Base(sh)] = sshtest.StartAs(t, sh, nil, sshtest.Shell("/bin/sh -c 'umask 027; exec \"$@\"' sh /usr/bin/bash"))
	}
	for name, s := range hosts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pool(t)
			for i, d := range deeds() {
				if strings.HasPrefix(name, "noisy_") && i%2 == 1 {
					continue // what is printed at log-in does not depend on the script
				}
				act(t, p, s, d, i)
			}
		})
	}
}

// left finds processes by a word on their command line.
func left(t *testing.T, word string) []string {
	t.Helper()
	var all []string
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range lines {
		data, err := os.ReadFile(f)
		if err == nil && strings.Contains(string(data), word) && !strings.Contains(string(data), "_sxt_k=") {
			all = append(all, f+" "+strings.ReplaceAll(string(data), "\x00", " "))
		}
	}
	return all
}

// stubborn are scripts that do not want to end: %N is a number of seconds that
// finds their processes.
var stubborn = []struct{ name, script string }{
	{"patient", "echo go; sleep %N"},
	{"deaf", "trap '' TERM INT HUP; echo go; sleep %N; sleep %N"},
	{"in a session of its own", "setsid sleep %N & echo go; wait"},
	{"with two parents between", "(setsid sh -c 'sleep %N & sleep %N' &) ; echo go; sleep %N"},
	{"with a clean environment", "env -i setsid sleep %N & echo go; wait"},
	{"deaf in a session of its own", "setsid sh -c 'trap \"\" TERM; sleep %N; sleep %N' & echo go; sleep %N"},
	{"halted", "sleep %N & kill -STOP $!; echo go; wait"},
	{"with ever new children",
		"trap 'sleep %N & sleep %N' TERM; echo go; n=0; while [ $n -lt 100 ]; do sleep %N & n=$((n+1)); sleep 0.05; done"},
	{"with closed streams", "echo go; exec >/dev/null 2>&1 </dev/null; setsid sleep %N & sleep %N"},
}

// A command that is to end has ended with all that it started when the client
// says so, however it tried to stay.
func TestNothingOfAnEndedCommandIsLeft(t *testing.T) {
	t.Parallel()
	var number atomic.Int64
	number.Store(70000)
	for name, sh := range map[string]string{"dash": "", "bash": shs[0], "busybox": shs[1], "without_control_groups": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := sshtest.Start(t), pool(t)
			if sh != "" {
				s = sshtest.StartAs(t, sh, nil)
			} else if name != "dash" {
				s = sshtest.StartAs(t, "", []string{"mount -t tmpfs tmpfs /sys/fs/cgroup"})
			}
			to, cred := target(s)
			var all sync.WaitGroup
			for i, c := range stubborn {
				all.Go(func() {
					word := fmt.Sprintf("%d.%d", number.Add(1), os.Getpid())
					kind, ctx, cancel := ssh.Timeout, t.Context(), context.CancelFunc(nil)
					live := &signal{word: "go", ch: make(chan struct{})}
					if i%2 == 0 {
						ctx, cancel = context.WithTimeout(ctx, 2*time.Second)
					} else {
						kind = ssh.Cancelled
						ctx, cancel = context.WithCancel(ctx)
						go func() { <-live.ch; cancel() }()
					}
					defer cancel()
					_, err := p.Run(ctx, to, cred,
						ssh.Command{Key: word, Script: strings.ReplaceAll(c.script, "%N", word), Output: live, Grace: 300 * time.Millisecond})
					if ssh.KindOf(err) != kind {
						t.Errorf("%s: got %v, want %s", c.name, err, kind)
					}
					if all := left(t, word); len(all) > 0 {
						t.Errorf("%s, %s: still there: %q", c.name, kind, all)
						for _, f := range all {
							end(t, strings.Split(f, "/")[2]) // it would stay after the test
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// Jobs of one key in the homes of several users, or of several platforms, are several
// jobs: to end one of them ends nothing of the others, whoever may see them.
func TestEndingAJobLeavesItsNamesakesAlone(t *testing.T) {
	t.Parallel()
	p := pool(t)
	results := make(chan ssh.Result, 1)
	other, otherCred := target(sshtest.Start(t))
	begun := &signal{word: "go", ch: make(chan struct{})}
	go func() {
		got, err := p.Run(t.Context(), other, otherCred,
			ssh.Command{Key: "a key of both", Script: "echo go; sleep 3 & wait; setsid sleep 0.2; exit 4", Output: begun})
		if err != nil {
			t.Error(err)
		}
		results <- got
	}()
	<-begun.ch
	to, cred := target(sshtest.Start(t))
	ctx, cancel := context.WithCancel(t.Context())
	live := &signal{word: "go", ch: make(chan struct{})}
	go func() { <-live.ch; cancel() }()
	if _, err := p.Run(ctx, to, cred, ssh.Command{
		Key: "a key of both", Script: "echo go; sleep 60", Output: live, Grace: 300 * time.Millisecond}); ssh.KindOf(err) != ssh.Cancelled {
		t.Errorf("got %v", err)
	}
	if got := <-results; got.ExitCode != 4 || got.Stdout != "go\n" {
		t.Errorf("its namesake ended with %+v", got)
	}
}

// What a command leaves when it ends by itself goes on, or is ended first, as is
// asked for.
func TestWhatACommandLeavesBehind(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	for i, rest := range []bool{false, true} {
		word := fmt.Sprintf("7900%d.%d", i, os.Getpid())
		script := strings.ReplaceAll("sleep %N & setsid sleep %N & (env -i setsid sh -c 'sleep %N & sleep %N' &); exit 3", "%N", word)
		got, err := p.Run(t.Context(), to, cred, ssh.Command{Key: word, Script: script, EndRest: rest, Grace: 300 * time.Millisecond})
		if err != nil || got.ExitCode != 3 {
			t.Errorf("got %+v %v", got, err)
		}
		all := left(t, word)
		for _, f := range all {
			end(t, strings.Split(f, "/")[2])
		}
		if rest != (len(all) == 0) {
			t.Errorf("rest %v: left %q", rest, all)
		}
	}
}
