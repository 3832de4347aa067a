package sshserver_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"sextant/sdk/go/ssh"
	"sextant/sdk/go/ssh/sshserver"
)

// server is one that can be stopped and started again.
type server struct {
	t    *testing.T
	o    sshserver.Options
	to   ssh.Target
	cred ssh.Credential
	stop func()
}

func start(t *testing.T) *server {
	t.Helper()
	home, err := os.MkdirTemp("", "sshserver")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	hostKey, hostPub := key(t)
	userKey, userPub := key(t)
	s := &server{t: t, o: sshserver.Options{
		Address: freePort(t), HostKey: hostKey, AuthorizedKey: userPub + " somebody@somewhere\n", User: "demo", Home: home}}
	s.to = ssh.Target{Address: s.o.Address, HostKeys: []string{hostPub}}
	s.cred = ssh.Credential{User: "demo", PrivateKey: userKey}
	s.run()
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *server) run() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- sshserver.Serve(ctx, s.o) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
	until(s.t, "the server listens", func() bool {
		c, err := net.Dial("tcp", s.o.Address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// until polls a condition that another process or goroutine brings about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("it did not happen: %s", what)
		case <-tick.C:
		}
	}
}

func key(t *testing.T) (private, public string) {
	t.Helper()
	private, public, err := sshserver.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

// freePort finds a port on a loopback address of its own, so that no other
// listener takes it meanwhile.
func freePort(t *testing.T) string {
	t.Helper()
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+b[0]%250, b[1], 1+b[2]%250))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func pool(t *testing.T) *ssh.Pool {
	p := ssh.NewPool()
	t.Cleanup(p.Close)
	return p
}

func TestRun(t *testing.T) {
	t.Parallel()
	s, p := start(t), pool(t)
	tests := []struct {
		name    string
		command ssh.Command
		want    ssh.Result
	}{
		{"output and exit code", ssh.Command{Script: "echo out; echo err >&2; exit 3"},
			ssh.Result{ExitCode: 3, Stdout: "out\n", Stderr: "err\n"}},
		{"arguments, environment, input", ssh.Command{Script: `echo "$1|$2|$A"; cat`, Args: []string{"a b", `'"$(id)`},
			Env: map[string]string{"A": "x'y\nz"}, Stdin: "in\n"}, ssh.Result{Stdout: "a b|'\"$(id)|x'y\nz\nin\n"}},
		{"home", ssh.Command{Script: `pwd; echo "$HOME $USER $SHELL"`},
			ssh.Result{Stdout: fmt.Sprintf("%s\n%s demo /bin/sh\n", s.o.Home, s.o.Home)}},
		{"much output", ssh.Command{Script: `head -c 60000 /dev/zero | tr '\0' x`}, ssh.Result{Stdout: strings.Repeat("x", 60000)}},
	}
	for _, tt := range tests {
		tt.command.Key = tt.name
		got, err := p.Run(t.Context(), s.to, s.cred, tt.command)
		if err != nil || got != tt.want {
			t.Errorf("%s: got %.200v %v, want %.200v", tt.name, got, err, tt.want)
		}
	}
}

func TestAKeyRunsOnce(t *testing.T) {
	t.Parallel()
	s, p := start(t), pool(t)
	c := ssh.Command{Key: "once", Script: `echo x >>"$HOME/count"; sleep 0.3; wc -l <"$HOME/count"`}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := p.Run(t.Context(), s.to, s.cred, c)
			if err != nil || strings.TrimSpace(got.Stdout) != "1" {
				t.Errorf("got %+v %v", got, err)
			}
		})
	}
	wg.Wait()
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

// The server is stopped and started in the middle of a command: the command does
// not notice, and the client gets its whole result.
func TestARestartedServerLosesNothing(t *testing.T) {
	t.Parallel()
	s, p := start(t), pool(t)
	live := &signal{word: "begun", ch: make(chan struct{})}
	again := make(chan struct{})
	go func() {
		defer close(again)
		<-live.ch
		s.stop()
		s.run()
	}()
	got, err := p.Run(t.Context(), s.to, s.cred,
		ssh.Command{Key: "cut", Output: live, Script: `echo begun; echo x >>"$HOME/count"; sleep 2; echo done; cat "$HOME/count"`})
	<-again
	if err != nil || got.Stdout != "begun\ndone\nx\n" || live.all.String() != "begun\ndone\nx\n" {
		t.Fatalf("got %+v %v, live %q", got, err, live.all.String())
	}
}

func TestTimeoutEndsTheCommand(t *testing.T) {
	t.Parallel()
	s, p := start(t), pool(t)
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	if _, err := p.Run(ctx, s.to, s.cred, ssh.Command{Key: "slow", Script: "sleep 60"}); ssh.KindOf(err) != ssh.Timeout {
		t.Errorf("got %v", err)
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	s, p := start(t), pool(t)
	content := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	sum := sha256.Sum256(content)
	path := filepath.Join(s.o.Home, "a dir'", "file")
	file := ssh.File{Path: path, Mode: 0o640, SHA256: hex.EncodeToString(sum[:]), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
	for i, want := range []bool{true, false} {
		changed, err := p.Copy(t.Context(), s.to, s.cred, file)
		if err != nil || changed != want {
			t.Fatalf("copy %d: changed %v, %v", i, changed, err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestWhoMayConnect(t *testing.T) {
	t.Parallel()
	s, p := start(t), pool(t)
	otherKey, otherPub := key(t)
	tests := []struct {
		name string
		to   ssh.Target
		cred ssh.Credential
		want ssh.Kind
	}{
		{"another key", s.to, ssh.Credential{User: "demo", PrivateKey: otherKey}, ssh.Auth},
		{"another user", s.to, ssh.Credential{User: "root", PrivateKey: s.cred.PrivateKey}, ssh.Auth},
		{"a password", s.to, ssh.Credential{User: "demo", Password: "demo"}, ssh.Auth},
		{"another pin", ssh.Target{Address: s.o.Address, HostKeys: []string{otherPub}}, s.cred, ssh.HostKeyChanged},
	}
	for _, tt := range tests {
		_, err := p.Run(t.Context(), tt.to, tt.cred, ssh.Command{Key: tt.name, Script: "true"})
		var e *ssh.Error
		if !errors.As(err, &e) || e.Kind != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

func client(t *testing.T, s *server) *xssh.Client {
	t.Helper()
	signer, err := xssh.ParsePrivateKey([]byte(s.cred.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	hostKey, _, _, _, err := xssh.ParseAuthorizedKey([]byte(s.to.HostKeys[0]))
	if err != nil {
		t.Fatal(err)
	}
	c, err := xssh.Dial("tcp", s.o.Address,
		&xssh.ClientConfig{User: "demo", Auth: []xssh.AuthMethod{xssh.PublicKeys(signer)}, HostKeyCallback: xssh.FixedHostKey(hostKey)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestNothingElseIsServed(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := client(t, s)
	if _, err := c.Dial("tcp", s.o.Address); err == nil {
		t.Error("it forwarded a connection")
	}
	if _, err := c.Listen("tcp", "127.0.0.1:0"); err == nil {
		t.Error("it listened for the client")
	}
	session, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if session.RequestPty("xterm", 24, 80, nil) == nil || session.Setenv("A", "b") == nil || session.RequestSubsystem("sftp") == nil {
		t.Error("it gave a terminal, took a variable or a subsystem")
	}
	if err := session.Run("true"); err != nil {
		t.Error(err)
	}
}

func TestASignalIsToldAndPassedOn(t *testing.T) {
	t.Parallel()
	c := client(t, start(t))
	session, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start("echo go; exec sleep 60"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	if err := session.Signal(xssh.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *xssh.ExitError
	if err := session.Wait(); !errors.As(err, &exit) || exit.Signal() != "TERM" {
		t.Errorf("got %v", err)
	}
}

// alive reports whether a process runs; where nobody reaps orphans an ended one
// stays as a zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil
	}
	return !strings.Contains(string(stat), ") Z ")
}

func pidIn(t *testing.T, path string) int {
	t.Helper()
	var pid int
	until(t, path, func() bool {
		data, err := os.ReadFile(path)
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(data)))
		return err == nil
	})
	return pid
}

// A session that ends hangs up its shell and nothing that was detached.
func TestDetachedProcessesLiveOn(t *testing.T) {
	t.Parallel()
	s := start(t)
	session, err := client(t, s).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start(
		`setsid sh -c 'echo $$ >detached; exec sleep 60' </dev/null >/dev/null 2>&1 & echo $$ >shell; while :; do sleep 1; done`); err != nil {
		t.Fatal(err)
	}
	shell, detached := pidIn(t, filepath.Join(s.o.Home, "shell")), pidIn(t, filepath.Join(s.o.Home, "detached"))
	t.Cleanup(func() { _ = syscall.Kill(detached, syscall.SIGKILL) })
	s.stop()
	if alive(shell) {
		t.Error("the shell still runs")
	}
	if !alive(detached) {
		t.Error("the detached process has ended")
	}
}

func TestSessionsAreLimited(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := client(t, s)
	var open []*xssh.Session
	for {
		session, err := c.NewSession()
		if err != nil {
			break
		}
		if open = append(open, session); len(open) > 100 {
			t.Fatal("there is no limit")
		}
	}
	if len(open) != 100 {
		t.Errorf("%d sessions are possible", len(open))
	}
	_ = open[0].Close() // it did nothing
	until(t, "room for another session", func() bool {
		session, err := c.NewSession()
		if err != nil {
			return false
		}
		return session.Run("true") == nil
	})
}

func TestTheUserIsThatOfTheProcess(t *testing.T) {
	t.Parallel()
	s, p := start(t), pool(t)
	s.stop()
	s.o.User = ""
	s.run()
	t.Cleanup(func() { s.stop() })
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context(), s.to, s.cred, ssh.Command{Key: "demo", Script: "true"}); ssh.KindOf(err) != ssh.Auth {
		t.Errorf("another user: %v", err)
	}
	s.cred.User = me.Username
	if got, err := p.Run(t.Context(), s.to, s.cred, ssh.Command{Key: "me", Script: "echo $USER"}); err != nil ||
		got.Stdout != me.Username+"\n" {
		t.Errorf("got %+v %v", got, err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	private, public := key(t)
	good := sshserver.Options{Address: "127.0.0.1:0", HostKey: private, AuthorizedKey: public, User: "demo", Home: t.TempDir()}
	for name, spoil := range map[string]func(*sshserver.Options){
		"relative home":  func(o *sshserver.Options) { o.Home = "x" },
		"no home":        func(o *sshserver.Options) { o.Home = "/no/such" },
		"host key":       func(o *sshserver.Options) { o.HostKey = public },
		"authorized key": func(o *sshserver.Options) { o.AuthorizedKey = private },
		"address":        func(o *sshserver.Options) { o.Address = "nowhere" },
	} {
		o := good
		spoil(&o)
		if err := sshserver.Serve(t.Context(), o); err == nil {
			t.Errorf("%s: it served", name)
		}
	}
}

func TestAClientThatSaysNothingIsPutOut(t *testing.T) {
	t.Parallel()
	c, err := net.Dial("tcp", start(t).o.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if said, err := io.ReadAll(c); err != nil || !bytes.HasPrefix(said, []byte("SSH-2.0-")) {
		t.Errorf("got %q %v", said, err)
	}
}

// Nothing with SHA-1 is agreed to, whatever a client asks for.
func TestNothingWithSHA1IsAgreedTo(t *testing.T) {
	t.Parallel()
	s := start(t)
	signer, err := xssh.ParsePrivateKey([]byte(s.cred.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	weak := xssh.InsecureAlgorithms()
	for name, c := range map[string]xssh.Config{
		"key exchange": {KeyExchanges: slices.DeleteFunc(weak.KeyExchanges, func(k string) bool {
			return !strings.HasSuffix(k, "-sha1") || strings.Contains(k, "exchange")
		})},
		"checksum":     {MACs: []string{"hmac-sha1", "hmac-sha1-96"}, Ciphers: []string{xssh.CipherAES128CTR}},
		"nothing weak": {},
	} {
		conn, err := xssh.Dial("tcp", s.o.Address, &xssh.ClientConfig{Config: c,
			User: "demo", Auth: []xssh.AuthMethod{xssh.PublicKeys(signer)}, HostKeyCallback: func(string, net.Addr, xssh.PublicKey) error {
				return nil
			}})
		if (err == nil) != (name == "nothing weak") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
}
