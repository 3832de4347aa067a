package guide_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const patience = 60 * time.Second // longest for one command

// terminal is a shell that keeps its variables, aliases and folder from one
// command to the next.
type terminal struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	codes *os.File
	lines *bufio.Reader
	dir   string // for what commands print
}

// said is what a command printed, and its exit code.
type said struct {
	out, err string
	code     int
}

func openTerminal(t *testing.T, folder string, env []string) *terminal {
	t.Helper()
	codes, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &terminal{cmd: exec.Command("bash", "--noprofile", "--norc", "-s"), codes: codes, lines: bufio.NewReader(codes), dir: t.TempDir()}
	s.cmd.Dir, s.cmd.Env, s.cmd.ExtraFiles, s.cmd.Stderr = folder, env, []*os.File{theirs}, os.Stderr
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close() // the shell has its own
	t.Cleanup(func() {
		_ = s.in.Close()
		_ = s.cmd.Wait() // it ends with its input
		_ = codes.Close()
	})
	s.run(t, "shopt -s expand_aliases")
	return s
}

// run carries a command out and waits for its end.
func (s *terminal) run(t *testing.T, command string) said {
	t.Helper()
	out, trouble := filepath.Join(s.dir, "out"), filepath.Join(s.dir, "err")
	if _, err := fmt.Fprintf(s.in, "{ %s\n} >'%s' 2>'%s' </dev/null 3>&-\necho $? >&3\n", command, out, trouble); err != nil {
		t.Fatalf("the shell is gone: %v", err)
	}
	if err := s.codes.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	line, err := s.lines.ReadString('\n')
	if err != nil {
		t.Fatalf("%s\ndoes not end: %v\n%s%s", command, err, content(t, out), content(t, trouble))
	}
	code, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return said{content(t, out), content(t, trouble), code}
}

func content(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// taken is a terminal with a program that does not come back by itself.
type taken struct {
	cmd  *exec.Cmd
	ends chan struct{}

	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{} // closed with each word
}

func (k *taken) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.wrote)
	k.wrote = make(chan struct{})
	return k.text.Write(p)
}

func (k *taken) printed() (string, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String(), k.wrote
}

// take starts a program and waits until it has printed a text.
func take(t *testing.T, folder string, env []string, command, ready string) *taken {
	t.Helper()
	k := &taken{cmd: exec.Command("bash", "-c", command), ends: make(chan struct{}), wrote: make(chan struct{})}
	k.cmd.Dir, k.cmd.Env, k.cmd.Stdout, k.cmd.Stderr = folder, env, k, k
	k.cmd.SysProcAttr, k.cmd.WaitDelay = &syscall.SysProcAttr{Setpgid: true}, time.Second
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = k.cmd.Wait() // how it ends is told by what it printed
		close(k.ends)
	}()
	t.Cleanup(func() { k.signal(syscall.SIGKILL) })
	late := time.After(patience)
	for {
		text, more := k.printed()
		if strings.Contains(text, ready) {
			return k
		}
		select {
		case <-more:
		case <-k.ends:
			text, _ := k.printed()
			t.Fatalf("%s\nhas ended:\n%s", command, text)
		case <-late:
			t.Fatalf("%s\nis not ready:\n%s", command, text)
		}
	}
}

// signal sends a signal to all of a terminal, as Ctrl-C does.
func (k *taken) signal(s syscall.Signal) {
	if err := syscall.Kill(-k.cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		panic(err)
	}
}

// end sends a signal and waits for the end.
func (k *taken) end(t *testing.T, s syscall.Signal) {
	t.Helper()
	k.signal(s)
	select {
	case <-k.ends:
	case <-time.After(patience):
		text, _ := k.printed()
		t.Fatalf("it does not end with the signal %v:\n%s", s, text)
	}
}
