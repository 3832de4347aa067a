package ssh_test

import (
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
			got, err := p.Run(t.Context(), to, cred, ssh.Command{Key: fmt.Sprint("many", i), Output: live, Script: fmt.Sprintf("echo a%d; sleep 0.7; echo b", i)})
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
	got, err := p.Run(t.Context(), to, cred, ssh.Command{Key: "look", Script: `n=0; while [ "$(ls "$HOME/.sextant/jobs" | wc -l)" -gt 2 ] && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done; ls "$HOME/.sextant/jobs" | wc -l; ls "$HOME"`})
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
	return ssh.Target{Address: l.Addr().String(), HostKeys: []string{xssh.FingerprintSHA256(signer.PublicKey())}}, ssh.Credential{User: "u", Password: "p"}
}

// accept takes a session and its exec request.
func accept(c xssh.NewChannel) xssh.Channel {
	ch, reqs, err := c.Accept()
	if err != nil {
		return nil
	}
	for r := range reqs {
		_ = r.Reply(r.Type == "exec", nil) // the client sees if it fails
		if r.Type == "exec" {
			break
		}
	}
	go xssh.DiscardRequests(reqs)
	return ch
}

func TestFaults(t *testing.T) {
	t.Parallel()
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
		{"reset after the command was sent", func(c xssh.NewChannel, conn io.Closer) { _, _ = io.Copy(io.Discard, accept(c)); _ = conn.Close() }, ssh.Unknown, false},
		{"silence", func(c xssh.NewChannel, _ io.Closer) { accept(c) }, ssh.Unknown, false},
		{"a greeting", func(c xssh.NewChannel, _ io.Closer) {
			ch := accept(c)
			_, _ = io.WriteString(ch, "Welcome!\n")
			_ = ch.Close()
		}, ssh.Protocol, false},
		{"half an answer", func(c xssh.NewChannel, _ io.Closer) {
			ch := accept(c)
			_, _ = io.WriteString(ch, "SEXTANT done 0 100 0\nab")
			_ = ch.Close()
		}, ssh.Unknown, false},
		{"a huge answer", func(c xssh.NewChannel, _ io.Closer) {
			ch := accept(c)
			_, _ = io.WriteString(ch, "SEXTANT done 0 -5 9\n")
			_ = ch.Close()
		}, ssh.Protocol, false},
		{"a full disk", func(c xssh.NewChannel, _ io.Closer) {
			ch := accept(c)
			_, _ = io.WriteString(ch, "SEXTANT disk 0 0 0\n")
			_ = ch.Close()
		}, ssh.Disk, true},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			to, cred := faulty(t, tt.fn)
			ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
			defer cancel()
			_, err := pool(t).Run(ctx, to, cred, ssh.Command{Key: "k", Script: "true"})
			var e *ssh.Error
			if !errors.As(err, &e) || e.Kind != tt.want || e.CertainlyNotRun() != tt.certain {
				t.Errorf("got %v (%s), want %s", err, ssh.KindOf(err), tt.want)
			}
		})
	}
}
