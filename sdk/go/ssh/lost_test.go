package ssh_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"sextant/sdk/go/ssh"
	"sextant/sdk/go/ssh/sshtest"
)

func TestAWarmConnectionThatDiedIsReplaced(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	px := newProxy(t, s.Address)
	to.Address = px.l.Addr().String()
	for i := range 3 {
		got, err := p.Run(t.Context(), to, cred, ssh.Command{Key: fmt.Sprint("warm", i), Script: "echo ok"})
		if err != nil || got.Stdout != "ok\n" {
			t.Fatalf("run %d: %+v %v", i, got, err)
		}
		px.cut()
	}
}

func TestManyCommandsOnOneHost(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			live := &signal{word: "never", ch: make(chan struct{})}
			want := fmt.Sprintf("a%d\nb\n", i)
			got, err := p.Run(t.Context(), to, cred,
				ssh.Command{Key: fmt.Sprint("many", i), Output: live, Script: fmt.Sprintf("echo a%d; sleep 0.7; echo b", i)})
			if err != nil || got.Stdout != want || live.all.String() != want {
				t.Errorf("got %+v %v, live %q", got, err, live.all.String())
			}
		})
	}
	wg.Wait()
}

func TestACommandIsLeftRunning(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	leave := errors.New("the caller ends")
	ctx, stop := context.WithCancelCause(t.Context())
	live := &signal{word: "begun", ch: make(chan struct{})}
	go func() { <-live.ch; stop(leave) }()
	c := ssh.Command{Key: "left", Script: "echo begun; sleep 1; echo done", Output: live, Leave: leave}
	if _, err := p.Run(ctx, to, cred, c); ssh.KindOf(err) != ssh.Unknown {
		t.Fatalf("got %v", err)
	}
	c.Output = nil
	if got, err := p.Run(t.Context(), to, cred, c); err != nil || got.Stdout != "begun\ndone\n" {
		t.Errorf("got %+v %v", got, err)
	}
}

func TestACancelledCommandDoesNotBeginLater(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	for i := range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*5*time.Millisecond)
		_, err := p.Run(ctx, to, cred, ssh.Command{Key: fmt.Sprint("late", i), Script: fmt.Sprintf(`sleep 0.6; echo x >>"$HOME/late%d"`, i)})
		cancel()
		if k := ssh.KindOf(err); k != ssh.Timeout && k != ssh.Unreachable {
			t.Errorf("got %v", err)
		}
	}
	if _, err := p.Run(t.Context(), to, cred, ssh.Command{Key: "after", Script: "sleep 1.2"}); err != nil {
		t.Fatal(err)
	}
	if late, _ := filepath.Glob(filepath.Join(s.Home, "late*")); len(late) > 0 {
		t.Errorf("these ran although nobody waits: %v", late)
	}
}

func TestOldJobsAreRemoved(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t)
	to, cred := target(s)
	var p *ssh.Pool
	for _, key := range []string{"old", "young"} {
		p = pool(t) // the first command of a pool removes old jobs
		if _, err := p.Run(t.Context(), to, cred, ssh.Command{Key: key, Script: "true"}); err != nil {
			t.Fatal(err)
		}
		exits, err := filepath.Glob(filepath.Join(s.Home, ".sextant/jobs/*/exit"))
		if err != nil || len(exits) == 0 {
			t.Fatalf("no job: %v", err)
		}
		if key == "old" {
			past := time.Now().Add(-49 * time.Hour)
			if err := os.Chtimes(exits[0], past, past); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(s.Home, "mine"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	// The removal follows the exit code; a third job waits for it.
	got, err := p.Run(t.Context(), to, cred, ssh.Command{Key: "look", Script: `n=0; while [ "$(ls "$HOME/.sextant/jobs" | ` +
		`wc -l)" -gt 2 ] && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done; ls "$HOME/.sextant/jobs" | wc -l; ls "$HOME"`})
	if err != nil || strings.TrimSpace(got.Stdout) != "2\nmine" {
		t.Errorf("got %q %v", got.Stdout, err)
	}
}

// TestChild is the process that TestAKilledCallerLosesNothing kills.
func TestChild(t *testing.T) {
	var job struct {
		To   ssh.Target
		Cred ssh.Credential
		C    ssh.Command
	}
	if json.Unmarshal([]byte(os.Getenv("SSH_TEST_JOB")), &job) != nil {
		return
	}
	job.C.Output = os.Stdout
	_, err := ssh.NewPool().Run(t.Context(), job.To, job.Cred, job.C)
	t.Fatalf("it was to be killed: %v", err)
}

func TestAKilledCallerLosesNothing(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	c := ssh.Command{Key: "killed caller", Script: `echo begun; echo x >>"$HOME/count"; sleep 1.5; wc -l <"$HOME/count"`}
	job, err := json.Marshal(map[string]any{"To": to, "Cred": cred, "C": map[string]string{"Key": c.Key, "Script": c.Script}})
	if err != nil {
		t.Fatal(err)
	}
	live := &signal{word: "begun", ch: make(chan struct{})}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
	child.Env, child.Stdout = append(os.Environ(), "SSH_TEST_JOB="+string(job)), live
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	<-live.ch
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	got, err := p.Run(t.Context(), to, cred, c)
	if err != nil || strings.TrimSpace(got.Stdout) != "begun\n1" {
		t.Errorf("got %+v %v", got, err)
	}
}

// faulty is an SSH server that serves sessions as fn likes.
func faulty(t *testing.T, fn func(xssh.NewChannel, io.Closer)) (ssh.Target, ssh.Credential) {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := xssh.NewSignerFromKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &xssh.ServerConfig{PasswordCallback: func(xssh.ConnMetadata, []byte) (*xssh.Permissions, error) { return nil, nil }}
	cfg.AddHostKey(signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, chans, reqs, err := xssh.NewServerConn(raw, cfg)
				if err != nil {
					return
				}
				go xssh.DiscardRequests(reqs)
				for c := range chans {
					go fn(c, raw)
				}
			}()
		}
	}()
	return ssh.Target{Address: l.Addr().String(), HostKeys: []string{xssh.FingerprintSHA256(signer.PublicKey())}},
		ssh.Credential{User: "u", Password: "p"}
}

// halves finds the marker on the command line of a script.
var halves = regexp.MustCompile(`' sh ([0-9a-f]{16}) ([0-9a-f]{16})`)

// accept takes a session and its exec request, and gives the marker.
func accept(c xssh.NewChannel) (ch xssh.Channel, mark string) {
	ch, reqs, err := c.Accept()
	if err != nil {
		return nil, ""
	}
	for r := range reqs {
		_ = r.Reply(r.Type == "exec", nil) // the client sees if it fails
		if r.Type == "exec" {
			if m := halves.FindSubmatch(r.Payload); m != nil {
				mark = string(m[1]) + string(m[2])
			}
			break
		}
	}
	go xssh.DiscardRequests(reqs)
	return ch, mark
}

// greeted takes a session, greets as the script does and takes what is sent.
func greeted(c xssh.NewChannel) (xssh.Channel, string) {
	ch, mark := accept(c)
	_, _ = fmt.Fprintf(ch, "\n%s hello 1 2 3\n", mark) // the client sees if it fails
	in := bufio.NewScanner(ch)
	for in.Scan() && in.Text() != mark {
	}
	return ch, mark
}

// exits ends a session as a shell does.
func exits(ch xssh.Channel, code uint32) {
	_, _ = ch.SendRequest("exit-status", false, xssh.Marshal(struct{ Status uint32 }{code})) // the client sees if it fails
	_ = ch.Close()
}

func TestFaults(t *testing.T) {
	t.Parallel()
	says := func(words string) func(xssh.NewChannel, io.Closer) {
		return func(c xssh.NewChannel, _ io.Closer) {
			ch, mark := greeted(c)
			_, _ = fmt.Fprintf(ch, "%s %s\n", mark, words) // the client sees if it fails
			exits(ch, 0)
		}
	}
	tests := []struct {
		name    string
		fn      func(xssh.NewChannel, io.Closer)
		want    ssh.Kind
		certain bool
	}{
		{"channel refused", func(c xssh.NewChannel, _ io.Closer) { _ = c.Reject(xssh.ResourceShortage, "no more") }, ssh.Lost, true},
		{"exec refused", func(c xssh.NewChannel, _ io.Closer) {
			_, reqs, _ := c.Accept()
			for r := range reqs {
				_ = r.Reply(false, nil)
			}
		}, ssh.Lost, true},
		{"reset before the channel", func(_ xssh.NewChannel, conn io.Closer) { _ = conn.Close() }, ssh.Lost, true},
		{"reset before the greeting", func(c xssh.NewChannel, conn io.Closer) { accept(c); _ = conn.Close() }, ssh.Lost, true},
		{"no greeting and no exit status", func(c xssh.NewChannel, _ io.Closer) { ch, _ := accept(c); _ = ch.Close() }, ssh.Lost, true},
		{"a shell that greets and runs nothing", func(c xssh.NewChannel, _ io.Closer) {
			ch, _ := accept(c)
			_, _ = io.WriteString(ch, "This account is currently not available.\n")
			exits(ch, 1)
		}, ssh.Shell, true},
		{"a shell that is killed", func(c xssh.NewChannel, _ io.Closer) {
			ch, _ := accept(c)
			_, _ = ch.SendRequest("exit-signal", false, xssh.Marshal(struct {
				Name     string
				Dumped   bool
				Text, In string
			}{Name: "KILL"}))
			_ = ch.Close()
		}, ssh.Shell, true},
		{"a log-in that prints without end", func(c xssh.NewChannel, _ io.Closer) {
			ch, _ := accept(c)
			line := bytes.Repeat([]byte{'x'}, 1<<16)
			for {
				if _, err := ch.Write(line); err != nil {
					return
				}
			}
		}, ssh.Shell, true},
		{"a host without a program", func(c xssh.NewChannel, _ io.Closer) {
			ch, mark := accept(c)
			_, _ = fmt.Fprintf(ch, "\n%s lacks setsid\n", mark)
			exits(ch, 0)
		}, ssh.Shell, true},
		{"a full disk", says("disk"), ssh.Disk, true},
		{"half of what was sent", says("partial"), ssh.Lost, true},
		{"a start that failed", says("never"), ssh.Lost, true},
		{"a process that is gone", says("gone"), ssh.Unknown, false},
		{"a word that is none", says("what"), ssh.Protocol, false},
		{"a size that is none", says("done 0 -5 9"), ssh.Protocol, false},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			to, cred := faulty(t, tt.fn)
			_, err := pool(t).Run(t.Context(), to, cred, ssh.Command{Key: "k", Script: "true"})
			var e *ssh.Error
			if !errors.As(err, &e) || e.Kind != tt.want || e.CertainlyNotRun() != tt.certain {
				t.Errorf("got %v (%s), want %s", err, ssh.KindOf(err), tt.want)
			}
		})
	}
}

// While a host does not say what became of a command, the call goes on trying; it
// is unknown only when the caller ends.
func TestWhatCannotBeProvenIsTriedOnAndOn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		fn   func(xssh.NewChannel, io.Closer)
	}{
		{"reset after the command was sent", func(c xssh.NewChannel, conn io.Closer) { greeted(c); _ = conn.Close() }},
		{"silence", func(c xssh.NewChannel, _ io.Closer) { greeted(c) }},
		{"half an answer", func(c xssh.NewChannel, _ io.Closer) {
			ch, mark := greeted(c)
			_, _ = fmt.Fprintf(ch, "%s done 0 100 0\nab", mark)
			exits(ch, 0)
		}},
		{"an answer of a size that is not possible", func(c xssh.NewChannel, _ io.Closer) {
			ch, mark := greeted(c)
			_, _ = fmt.Fprintf(ch, "%s live 5000000000 0\n", mark)
			_, _ = io.Copy(ch, zeros{})
		}},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			tries := make(chan struct{}, 1000)
			to, cred := faulty(t, func(c xssh.NewChannel, conn io.Closer) { tries <- struct{}{}; tt.fn(c, conn) })
			p := pool(t)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			noted := make(chan string, 1000)
			answer := make(chan error, 1)
			go func() {
				_, err := p.Run(ctx, to, cred, ssh.Command{Key: "k", Script: "true", Note: func(s string) { noted <- s }})
				answer <- err
			}()
			<-ctx.Done()
			if tt.name != "silence" { // which is waited for
				for s := ""; !strings.Contains(s, "still trying"); s = <-noted {
				}
			}
			select {
			case err := <-answer:
				t.Fatalf("it gave up: %v", err)
			default:
			}
			p.Close()
			if err := <-answer; ssh.KindOf(err) != ssh.Unknown || len(tries) == 0 {
				t.Errorf("got %v", err)
			}
		})
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }
