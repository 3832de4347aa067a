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
	"strings"
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
	config                string
}

// Start runs an sshd. A machine without OpenSSH fails the test with the remedy.
func Start(t testing.TB) *Server {
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
	write(t, s.config, strings.Join([]string{
		"ListenAddress " + host, "Port " + port, "HostKey " + filepath.Join(dir, "host_key"), "PidFile none",
		"AuthorizedKeysFile " + filepath.Join(dir, "authorized_keys"), "StrictModes no", "UsePAM no", "PasswordAuthentication no", "PermitRootLogin yes",
		`SetEnv "HOME=` + s.Home + `"`, "MaxStartups 100", "LogLevel FATAL", "PrintMotd no",
	}, "\n")+"\n")
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil && os.Geteuid() == 0 {
		t.Fatal(err)
	}
	s.Run(t, bin)
	t.Cleanup(s.Stop)
	return s
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Run starts the process; Start has done it once already.
func (s *Server) Run(t testing.TB, bin string) {
	t.Helper()
	s.cmd = exec.Command(bin, "-D", "-e", "-f", s.config)
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
