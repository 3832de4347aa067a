// Package sshtest starts real sshd processes on loopback addresses for tests,
// each with a home, keys and a configuration of its own. They run as the calling
// user and end with the test.
package sshtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// Server is a running sshd.
type Server struct {
	Address string // host:port
	HostKey string // authorized_keys form
	User    string
	Home    string
	// PrivateKey logs in; PublicKey is its other half.
	PrivateKey, PublicKey string
	cmd                   *exec.Cmd
	config, bin           string
	wrap                  []string // what sshd is started by
}

// Start runs an sshd, with more lines in its configuration before its own: of two
// lines for one word the first holds. A machine without OpenSSH fails the test with
// the remedy.
func Start(t testing.TB, more ...string) *Server {
	t.Helper()
	return start(t, nil, more)
}

// StartAs runs an sshd on a machine whose /bin/sh is another program, and after
// commands such as mount that hold for it alone. %HOME stands for the home of its
// user. It takes root.
func StartAs(t testing.TB, sh string, commands []string, more ...string) *Server {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("another /bin/sh takes a mount namespace: run this test as root")
	}
	if sh != "" {
		commands = append([]string{"mount --bind " + sh + " $(readlink -f /bin/sh)"}, commands...)
	}
	return start(t, commands, more)
}

// Shell is the line of a configuration that makes a program the user's shell.
func Shell(program string) string {
	return "ForceCommand exec " + program + ` -c "$SSH_ORIGINAL_COMMAND"`
}

func start(t testing.TB, commands, more []string) *Server {
	t.Helper()
	bin, err := exec.LookPath("sshd")
	if err != nil {
		if bin = "/usr/sbin/sshd"; !exists(bin) {
			t.Fatal("sshd is missing: apt-get install openssh-server")
		}
	}
	dir, err := os.MkdirTemp("", "sshd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{User: u.Username, Home: filepath.Join(dir, "the home"), config: filepath.Join(dir, "sshd_config")}
	if err := os.MkdirAll(filepath.Join(s.Home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	var hostPub, userPub string
	s.HostKey, hostPub = "", ""
	_, hostPub = writeKey(t, filepath.Join(dir, "host_key"))
	s.PrivateKey, userPub = writeKey(t, filepath.Join(dir, "user_key"))
	s.PublicKey = userPub
	s.HostKey = hostPub
	s.Address = freePort(t)
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "authorized_keys"), userPub)
	write(t, s.config, strings.Join(append(more, []string{
		"ListenAddress " + host, "Port " + port, "HostKey " + filepath.Join(dir, "host_key"), "PidFile none",
		"AuthorizedKeysFile " + filepath.Join(dir, "authorized_keys"), "StrictModes no",
		"UsePAM no", "PasswordAuthentication no", "PermitRootLogin yes",
		`SetEnv "HOME=` + s.Home + `"`, "MaxStartups 100", "LogLevel FATAL", "PrintMotd no",
	}...), "\n")+"\n")
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil && os.Geteuid() == 0 {
		t.Fatal(err)
	}
	if len(commands) > 0 {
		script := strings.ReplaceAll(strings.Join(commands, " && "), "%HOME", `"`+s.Home+`"`)
		s.wrap = []string{"unshare", "--mount", "/bin/bash", "-c", script + ` && exec "$@"`, "bash"}
	}
	s.bin = bin
	s.Run(t)
	t.Cleanup(s.Stop)
	return s
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Run starts the process; Start has done it once already.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	line := append(slices.Clone(s.wrap), s.bin, "-D", "-e", "-f", s.config)
	s.cmd = exec.Command(line[0], line[1:]...)
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		c, err := net.DialTimeout("tcp", s.Address, time.Second)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("sshd does not answer on %s: %v", s.Address, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// Accept lets the key of another server log in here too.
func (s *Server) Accept(t testing.TB, other *Server) {
	t.Helper()
	write(t, filepath.Join(filepath.Dir(s.config), "authorized_keys"), s.PublicKey+other.PublicKey)
}

// Stop ends the listening process; sessions that run go on.
func (s *Server) Stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait() // it was killed
		s.cmd = nil
	}
}

// Down ends the listening process and every connection, as a host does whose
// network is gone. What runs detached goes on. Run brings it back.
func (s *Server) Down(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	parent := s.cmd.Process.Pid
	_ = s.cmd.Process.Signal(syscall.SIGSTOP) // no connection comes meanwhile
	defer s.Stop()
	for _, f := range stats {
		data, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		head, rest, _ := strings.Cut(string(data), " (")
		rest = rest[strings.LastIndexByte(rest, ')')+1:]
		var state string
		var of, pid int
		if _, err := fmt.Sscan(rest, &state, &of); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(head, &pid); err == nil && of == parent {
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill() // it may have ended
			}
		}
	}
}

// freePort finds a port on a loopback address of its own, so that no other
// listener takes it meanwhile.
func freePort(t testing.TB) string {
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

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeKey makes a key pair, stores the private half and gives both as text.
func writeKey(t testing.TB, path string) (private, public string) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(priv, "")
	if err != nil {
		t.Fatal(err)
	}
	private = string(pem.EncodeToMemory(block))
	write(t, path, private)
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return private, fmt.Sprintf("%s\n", strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))))
}
