package stage

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	hostCount = 3
	firstIP   = 11 // 127.0.0.11 and on
	lastIP    = 250
	firstSSH  = 2211 // and on
	firstApp  = 8011 // and on; the last is the site
	onlyIP    = "127.0.0.1"
)

// errNotInstalled says what a real stage needs.
var errNotInstalled = errors.New("stage: real hosts need OpenSSH and nginx: install openssh-server and nginx")

// tools are the programs that a real stage is made of; both are empty where the
// program itself plays them.
type tools struct{ sshd, nginx string }

func (t tools) real() bool { return t.sshd != "" }

func findTools(o Options) (tools, error) {
	if o.Own {
		return tools{}, nil
	}
	t := tools{sshd: find("sshd"), nginx: find("nginx")}
	if t.sshd != "" && t.nginx != "" {
		return t, nil
	}
	if o.Real {
		return tools{}, errNotInstalled
	}
	return tools{}, nil
}

// find looks for a program also where those for the administrator are, which the
// path of others leaves out. sshd wants its absolute path.
func find(name string) string {
	path, err := exec.LookPath(name)
	if err == nil {
		if path, err = filepath.Abs(path); err == nil {
			return path
		}
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin", "/opt/homebrew/bin", "/usr/local/bin"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return filepath.Join(dir, name)
		}
	}
	return ""
}

// plan chooses names and addresses for a new stage. Where another stage runs it
// goes to addresses of its own: the ports of that one's applications may be free
// at this moment and wanted at the next.
func plan(first int) (*state, error) {
	st := &state{}
	for first+hostCount < lastIP && taken(first) {
		first += hostCount + 1
	}
	for i := range hostCount + 1 {
		ip := loopback(first + i)
		name := fmt.Sprintf("app-%d", i+1)
		if i == hostCount {
			name = balancerName
		}
		ssh, err := free(net.JoinHostPort(ip, strconv.Itoa(firstSSH+i)))
		if err != nil {
			return nil, err
		}
		app, err := free(net.JoinHostPort(ip, strconv.Itoa(firstApp+i)))
		if err != nil {
			return nil, err
		}
		p := place{Name: name, Address: ssh, AppAddress: app}
		if i == hostCount {
			st.Lb = p
		} else {
			st.Hosts = append(st.Hosts, p)
		}
	}
	return st, nil
}

// taken reports whether the SSH server of a stage's first host runs at an
// address already.
func taken(first int) bool {
	c, err := net.DialTimeout("tcp", net.JoinHostPort(loopback(first), strconv.Itoa(firstSSH)), time.Second)
	if err != nil {
		return false
	}
	_ = c.Close() // it was a question
	return true
}

// alone makes stages that are built at the same time by the same user's
// processes wait for each other, so that each sees what the others have taken.
func alone() (release func(), err error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("sextant-stage-%d.lock", os.Getuid()))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // which gives the lock up
}

// loopback is the address of a host. Systems that have one loopback
// address only get different ports on it.
func loopback(n int) string {
	ip := fmt.Sprintf("127.0.0.%d", n)
	l, err := net.Listen("tcp", ip+":0")
	if err != nil {
		return onlyIP
	}
	_ = l.Close() // it was a question
	return ip
}

// free gives the address if nobody listens there, else another port of it.
func free(address string) (string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		host, _, splitErr := net.SplitHostPort(address)
		if splitErr != nil {
			return "", splitErr
		}
		if l, err = net.Listen("tcp", net.JoinHostPort(host, "0")); err != nil {
			return "", err
		}
	}
	defer l.Close()
	return l.Addr().String(), nil
}
