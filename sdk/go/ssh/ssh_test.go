package ssh_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"
	"pgregory.net/rapid"

	"sextant/sdk/go/ssh"
	"sextant/sdk/go/ssh/sshtest"
)

func target(s *sshtest.Server) (ssh.Target, ssh.Credential) {
	return ssh.Target{Address: s.Address, HostKeys: []string{s.HostKey}}, ssh.Credential{User: s.User, PrivateKey: s.PrivateKey}
}

func pool(t testing.TB) *ssh.Pool {
	p := ssh.NewPool()
	t.Cleanup(p.Close)
	return p
}

func TestRun(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	tests := []struct {
		name    string
		command ssh.Command
		want    ssh.Result
	}{
		{"output and exit code", ssh.Command{Script: "echo out; echo err >&2; exit 3"},
			ssh.Result{ExitCode: 3, Stdout: "out\n", Stderr: "err\n"}},
		{"arguments, environment, input", ssh.Command{Script: `echo "$1|$2|$A"; cat`, Args: []string{"a b", `'"$(id)`},
			Env: map[string]string{"A": "x'y\nz"}, Stdin: "in\n"}, ssh.Result{Stdout: "a b|'\"$(id)|x'y\nz\nin\n"}},
		{"interpreter", ssh.Command{Script: "#!/bin/cat\nhello"}, ssh.Result{Stdout: "#!/bin/cat\nhello"}},
		{"folder", ssh.Command{Script: "pwd", Dir: "/tmp"}, ssh.Result{Stdout: "/tmp\n"}},
		{"no such folder", ssh.Command{Script: "pwd", Dir: "/no/such"}, ssh.Result{ExitCode: 126}},
	}
	for _, tt := range tests {
		tt.command.Key = tt.name
		got, err := p.Run(t.Context(), to, cred, tt.command)
		if tt.want.ExitCode == 126 {
			got.Stderr = ""
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: got %+v %v, want %+v", tt.name, got, err, tt.want)
		}
	}
}

func TestAKeyRunsOnce(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	c := ssh.Command{Key: "once", Script: `echo x >>"$HOME/count"; sleep 0.3; wc -l <"$HOME/count"`}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			got, err := p.Run(t.Context(), to, cred, c)
			if err != nil || strings.TrimSpace(got.Stdout) != "1" {
				t.Errorf("got %+v %v", got, err)
			}
		})
	}
	wg.Wait()
	got, err := p.Run(t.Context(), to, cred, c)
	if err != nil || strings.TrimSpace(got.Stdout) != "1" {
		t.Errorf("later: %+v %v", got, err)
	}
	if n, err := os.ReadFile(filepath.Join(s.Home, "count")); err != nil || string(n) != "x\n" {
		t.Errorf("the command ran %d times, %v", bytes.Count(n, []byte("\n")), err)
	}
}

// proxy forwards connections until they are cut.
type proxy struct {
	l     net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func newProxy(t *testing.T, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l}
	t.Cleanup(func() { _ = l.Close(); p.cut() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
		}
	}()
	return p
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// signal is a writer that tells when it has seen a word.
type signal struct {
	mu   sync.Mutex
	all  bytes.Buffer
	word string
	ch   chan struct{}
	once sync.Once
}

func (s *signal) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.Write(b)
	if strings.Contains(s.all.String(), s.word) {
		s.once.Do(func() { close(s.ch) })
	}
	return len(b), nil
}

func TestALostConnectionLosesNothing(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	px := newProxy(t, s.Address)
	to.Address = px.l.Addr().String()
	live := &signal{word: "begun", ch: make(chan struct{})}
	go func() { <-live.ch; px.cut() }()
	got, err := p.Run(t.Context(), to, cred,
		ssh.Command{Key: "cut", Output: live, Script: `echo begun; echo x >>"$HOME/count"; sleep 1; echo done; cat "$HOME/count"`})
	if err != nil || got.Stdout != "begun\ndone\nx\n" {
		t.Fatalf("got %+v %v", got, err)
	}
	if live.all.String() != "begun\ndone\nx\n" {
		t.Errorf("live output was %q", live.all.String())
	}
}

func TestTimeoutAndCancelEndTheCommand(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	_, err := p.Run(ctx, to, cred, ssh.Command{Key: "slow", Script: `echo $$ >"$HOME/pid"; sleep 60`})
	if ssh.KindOf(err) != ssh.Timeout {
		t.Fatalf("got %v", err)
	}
	pid, err := os.ReadFile(filepath.Join(s.Home, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	// Where nobody reaps orphans an ended process stays as a zombie.
	if stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
		t.Errorf("the command still runs: %s", stat)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	live := &signal{word: "go", ch: make(chan struct{})}
	go func() { <-live.ch; stop(errors.New("no more")) }()
	_, err = p.Run(ctx, to, cred, ssh.Command{Key: "cancelled", Script: "echo go; sleep 60", Output: live})
	if ssh.KindOf(err) != ssh.Cancelled {
		t.Errorf("got %v", err)
	}
}

// What a command writes after it was told to end is output like any other: it
// mostly says why.
func TestTheLastWordsOfAnEndedCommandAreThere(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	much := strings.Repeat("0123456789abcdef\n", 20_000)
	tests := []struct {
		name, script string
		want         []string
	}{
		{"a line", "trap 'echo cleaning; echo why >&2; exit 5' TERM; echo go; sleep 60 & wait", []string{"go\n", "cleaning\n", "why\n"}},
		{"much", "trap 'cat \"$HOME/much\"; echo end; exit' TERM; echo go; sleep 60 & wait", []string{"go\n", much + "end\n"}},
		{"until it is killed", "trap 'echo not yet' TERM; echo go; sleep 60 & wait; while :; do sleep 60; done", []string{"go\n", "not yet\n"}},
		{"from a child", "(trap 'echo child; exit' TERM; sleep 60 & wait) & echo go; wait", []string{"go\n", "child\n"}},
	}
	if err := os.WriteFile(filepath.Join(s.Home, "much"), []byte(much), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		ctx, cancel := context.WithCancel(t.Context())
		live := &signal{word: "go", ch: make(chan struct{})}
		go func() { <-live.ch; cancel() }()
		_, err := p.Run(ctx, to, cred, ssh.Command{Key: tt.name, Script: tt.script, Output: live, Grace: 2 * time.Second})
		all := live.all.String()
		for _, want := range tt.want {
			if strings.Count(all, want) != 1 {
				t.Errorf("%s: %v; %.60q is there %d times in %.200q (%d bytes)", tt.name, err, want, strings.Count(all, want), all, len(all))
			}
		}
		if ssh.KindOf(err) != ssh.Cancelled {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

func TestACommandWhoseProcessIsGoneIsUnknown(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	_, err := p.Run(t.Context(), to, cred, ssh.Command{Key: "killed", Script: `kill -9 $PPID; sleep 5`})
	var e *ssh.Error
	if !errors.As(err, &e) || e.Kind != ssh.Unknown || e.CertainlyNotRun() {
		t.Errorf("got %v", err)
	}
}

func ecdsaKey(t *testing.T) string {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := xssh.NewPublicKey(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(xssh.MarshalAuthorizedKey(pub))
}

func TestWhoMayConnect(t *testing.T) {
	t.Parallel()
	s, other, p := sshtest.Start(t), sshtest.Start(t), pool(t)
	to, cred := target(s)
	tests := []struct {
		name string
		to   ssh.Target
		cred ssh.Credential
		want ssh.Kind
	}{
		{"no pin", ssh.Target{Address: s.Address}, cred, ssh.HostKeyUnknown},
		{"another pin", ssh.Target{Address: s.Address, HostKeys: []string{other.HostKey}}, cred, ssh.HostKeyChanged},
		{"another type", ssh.Target{Address: s.Address, HostKeys: []string{ecdsaKey(t)}}, cred, ssh.HostKeyChanged},
		{"another key", to, ssh.Credential{User: s.User, PrivateKey: other.PrivateKey}, ssh.Auth},
		{"nobody there", ssh.Target{Address: "127.0.0.1:1", HostKeys: to.HostKeys}, cred, ssh.Refused},
	}
	for _, tt := range tests {
		_, err := p.Run(t.Context(), tt.to, tt.cred, ssh.Command{Key: tt.name, Script: "true"})
		var e *ssh.Error
		if !errors.As(err, &e) || e.Kind != tt.want || !e.CertainlyNotRun() {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := p.Copy(ctx, ssh.Target{Address: silent.Addr().String(), HostKeys: to.HostKeys},
		cred, ssh.File{Path: "/x"}); ssh.KindOf(err) != ssh.Unreachable {
		t.Errorf("a host that says nothing: %v", err)
	}
}

func TestSecretsStayOffCommandLines(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	secret := "hunter2-" + s.Address
	live := &signal{word: "ready", ch: make(chan struct{})}
	found := make(chan string, 1)
	go func() {
		<-live.ch
		var hit string
		lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, f := range lines {
			if data, err := os.ReadFile(f); err == nil && bytes.Contains(data, []byte(secret)) {
				hit = string(data)
			}
		}
		found <- hit
	}()
	if _, err := p.Run(t.Context(), to, cred, ssh.Command{Key: "secret", Env: map[string]string{"PW": secret},
		Script: "echo ready; sleep 0.8; echo " + ssh.Quote(secret) + " >/dev/null", Output: live}); err != nil {
		t.Fatal(err)
	}
	if hit := <-found; hit != "" {
		t.Errorf("a process shows the secret: %q", hit)
	}
	left, err := filepath.Glob(filepath.Join(s.Home, ".sextant/jobs/*/*"))
	if err != nil || len(left) == 0 {
		t.Fatalf("no job folder: %v", err)
	}
	for _, f := range left {
		if data, err := os.ReadFile(f); err == nil && bytes.Contains(data, []byte(secret)) {
			t.Errorf("%s keeps the secret", f)
		}
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	content := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	sum := sha256.Sum256(content)
	path := filepath.Join(s.Home, "a dir'", "file")
	file := ssh.File{Path: path, Mode: 0o640, SHA256: hex.EncodeToString(sum[:]), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
	for i, want := range []bool{true, false} {
		changed, err := p.Copy(t.Context(), to, cred, file)
		if err != nil || changed != want {
			t.Fatalf("copy %d: changed %v, %v", i, changed, err)
		}
	}
	got, err := os.ReadFile(path)
	info, _ := os.Stat(path)
	if err != nil || !bytes.Equal(got, content) || info.Mode().Perm() != 0o640 {
		t.Errorf("%d bytes, mode %v, %v", len(got), info.Mode(), err)
	}
	file.SHA256 = strings.Repeat("0", 64)
	if _, err := p.Copy(t.Context(), to, cred, file); ssh.KindOf(err) != ssh.Lost {
		t.Errorf("a wrong checksum: %v", err)
	}
	file.Path = "/proc/no/such"
	if _, err := p.Copy(t.Context(), to, cred, file); ssh.KindOf(err) != ssh.Disk {
		t.Errorf("a place that cannot be written: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".sextant*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestMuchOutputIsCut(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	got, err := p.Run(t.Context(), to, cred, ssh.Command{Key: "much", Script: "head -c 20000000 /dev/zero | tr '\\0' x; echo end"})
	if err != nil || len(got.Stdout) > 70_000 || !strings.HasSuffix(got.Stdout, "end\n") || !strings.Contains(got.Stdout, "bytes left out") {
		t.Errorf("%d bytes, %v", len(got.Stdout), err)
	}
}

func TestQuotingKeepsEveryArgument(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		if n++; n > 25 {
			return
		}
		args := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("ab '\"\\$`!*?;&|<>(){}[]#~%\t\n-é主")), 0, 12, -1), 1, 4).Draw(rt, "args")
		got, err := p.Run(context.Background(), to, cred,
			ssh.Command{Key: fmt.Sprint("quote", n), Script: `for a; do printf '%s\001' "$a"; done`, Args: args})
		if want := strings.Join(args, "\x01") + "\x01"; err != nil || got.Stdout != want {
			rt.Fatalf("got %q %v, want %q", got.Stdout, err, want)
		}
	})
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}
