package ssh_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"sextant/sdk/go/ssh"
	"sextant/sdk/go/ssh/sshtest"
)

// says is a listener that says something to whoever comes, and then nothing.
func says(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, text) // the client has gone if it fails
			go func() { _, _ = io.Copy(io.Discard, c); _ = c.Close() }()
		}
	}()
	return l.Addr().String()
}

// A wrong password is said to be wrong, whichever way the host asks for it and puts
// out who does not know it.
func TestAWrongPasswordIsSaidSo(t *testing.T) {
	t.Parallel()
	for _, more := range [][]string{
		{"PasswordAuthentication yes"},
		{"PasswordAuthentication yes", "MaxAuthTries 1"},
		{"UsePAM yes", "KbdInteractiveAuthentication yes"},
		{"UsePAM yes", "KbdInteractiveAuthentication yes", "MaxAuthTries 1"},
	} {
		t.Run(strings.ReplaceAll(strings.Join(more, ","), " ", "="), func(t *testing.T) {
			t.Parallel()
			s := sshtest.Start(t, append(more, "PubkeyAuthentication no")...)
			_, err := pool(t).Run(t.Context(), ssh.Target{Address: s.Address, HostKeys: []string{s.HostKey}},
				ssh.Credential{User: s.User, Password: "not this one"}, ssh.Command{Key: "k", Script: "true"})
			var e *ssh.Error
			if !errors.As(err, &e) || e.Kind != ssh.Auth || !e.CertainlyNotRun() {
				t.Errorf("got %v (%s)", err, ssh.KindOf(err))
			}
		})
	}
}

// A host that is not there, or that does not let anybody in, has certainly done
// nothing, and is not waited for longer than was said.
func TestAHostThatLetsNobodyIn(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t)
	_, cred := target(s)
	locked := sshtest.Start(t, "AuthenticationMethods publickey,keyboard-interactive")
	slow := sshtest.Start(t, "AuthorizedKeysCommand /usr/bin/env -i /bin/sleep 30", "AuthorizedKeysCommandUser root")
	tests := []struct {
		name    string
		address string
		pins    []string
		cred    ssh.Credential
		want    ssh.Kind
	}{
		{"refused", "127.0.0.1:1", []string{s.HostKey}, cred, ssh.Refused},
		{"no banner", says(t, ""), []string{s.HostKey}, cred, ssh.Unreachable},
		{"a banner without end", says(t, strings.Repeat("hello\r\n", 100)), []string{s.HostKey}, cred, ssh.Unreachable},
		{"no key exchange", says(t, "SSH-2.0-OpenSSH_9.2\r\n"), []string{s.HostKey}, cred, ssh.Unreachable},
		{"a packet of four gigabytes", says(t, "SSH-2.0-OpenSSH_9.2\r\n\xff\xff\xff\xff\x00"+strings.Repeat("x", 1000)),
			[]string{s.HostKey}, cred, ssh.Unreachable},
		{"another log-in refused", locked.Address, []string{locked.HostKey},
			ssh.Credential{User: locked.User, PrivateKey: locked.PrivateKey}, ssh.Auth},
		{"a slow log-in", slow.Address, []string{slow.HostKey}, ssh.Credential{User: slow.User, PrivateKey: cred.PrivateKey}, ssh.Unreachable},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begin := time.Now()
			_, err := pool(t).Run(ctx, ssh.Target{Address: tt.address, HostKeys: tt.pins}, tt.cred, ssh.Command{Key: "k", Script: "true"})
			var e *ssh.Error
			if !errors.As(err, &e) || e.Kind != tt.want || !e.CertainlyNotRun() {
				t.Errorf("got %v (%s), want %s", err, ssh.KindOf(err), tt.want)
			}
			if took := time.Since(begin); took > 8*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// dripping is a proxy that lets a few bytes through at a time.
func dripping(t *testing.T, to string, bytes int, every time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	drip := func(to io.WriteCloser, from io.Reader) {
		defer to.Close()
		b := make([]byte, bytes)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for range tick.C {
			n, err := from.Read(b)
			if _, werr := to.Write(b[:n]); err != nil || werr != nil {
				return
			}
		}
	}
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
			go drip(out, in)
			go drip(in, out)
		}
	}()
	return l.Addr().String()
}

// What is odd on a host changes nothing about what is said of its commands.
func TestOddHosts(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	w := filepath.Join(t.TempDir(), "witness")
	tests := []struct {
		name    string
		address string
		script  string
		stdin   string
		code    int
		out     string
		witness string
	}{
		{"a slow line", dripping(t, s.Address, 256, 2*time.Millisecond), "echo did >>" + w + "; echo out; exit 3", "", 3, "out\n", "did\n"},
		{"a prompt for a password", s.Address, "head -c 1 </dev/tty && echo in; echo did >>" + w, "", 0, "", "did\n"},
		{"a question to its input", s.Address, "read -r a || echo nothing; echo \"$a\" >>" + w, "", 0, "nothing\n", "\n"},
		{"input that it stops reading", s.Address, "head -c 3 >>" + w + "; exec <&-; exit 4", strings.Repeat("abc", 500_000), 4, "", "abc"},
		{"files from the future and the past", s.Address, `touch -d 2001-01-01 "$HOME/.sextant/jobs"/*/exit; ` +
			`touch -d 2099-01-01 "$HOME/.sextant/jobs"/*/leader; echo did >>` + w + "; exit 5", "", 5, "", "did\n"},
	}
	for _, tt := range tests {
		_ = os.Remove(w) // it may not be there
		to.Address = tt.address
		got, err := p.Run(t.Context(), to, cred, ssh.Command{Key: tt.name, Script: tt.script, Stdin: tt.stdin})
		saw, _ := os.ReadFile(w)
		if err != nil || got.ExitCode != tt.code || got.Stdout != tt.out || string(saw) != tt.witness {
			t.Errorf("%s: got %.200v %v, and the witness saw %.100q", tt.name, got, err, saw)
		}
	}
}

// counter counts what it is given.
type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) { c.n += int64(len(b)); return len(b), nil }

// Output of any size takes little memory here, and its end is there. That which is
// followed is whole.
func TestMuchOutputTakesLittleMemory(t *testing.T) {
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	peak := watchMemory(t)
	live := &counter{}
	got, err := p.Run(t.Context(), to, cred,
		ssh.Command{Key: "live", Script: "head -c 30000000 /dev/zero | tr '\\0' x; seq 1 100000; exit 2", Output: live})
	if err != nil || got.ExitCode != 2 || !got.Cut || live.n != 30_000_000+588_895 || !strings.HasSuffix(got.Stdout, "99999\n100000\n") {
		t.Errorf("%d bytes live, %d kept, %v", live.n, len(got.Stdout), err)
	}
	if mib := peak(); mib > 48 {
		t.Errorf("it took %d MiB", mib)
	}
}

// A host that answers without end, with or without lines, before or after its
// greeting, takes little memory here.
func TestAHostThatAnswersWithoutEnd(t *testing.T) {
	flood := func(ch xssh.Channel, with string) {
		b := []byte(strings.Repeat(with, 1<<15/len(with)))
		for {
			if _, err := ch.Write(b); err != nil {
				return
			}
		}
	}
	for name, fn := range map[string]func(xssh.NewChannel, io.Closer){
		"before its greeting":      func(c xssh.NewChannel, _ io.Closer) { ch, _ := accept(c); flood(ch, "x") },
		"lines before":             func(c xssh.NewChannel, _ io.Closer) { ch, _ := accept(c); flood(ch, "x\n") },
		"on the side of errors":    func(c xssh.NewChannel, _ io.Closer) { ch, _ := accept(c); flood(stderrOf{ch}, "x") },
		"after its greeting":       func(c xssh.NewChannel, _ io.Closer) { ch, _ := greeted(c); flood(ch, "x") },
		"a line that is ours":      func(c xssh.NewChannel, _ io.Closer) { ch, m := greeted(c); flood(ch, m+" live ") },
		"an answer of many frames": func(c xssh.NewChannel, _ io.Closer) { ch, m := greeted(c); flood(ch, m+" live 0 0\n") },
	} {
		to, cred := faulty(t, fn)
		peak := watchMemory(t)
		p := pool(t)
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = p.Run(ctx, to, cred, ssh.Command{Key: "k", Script: "true"})
		}()
		<-ctx.Done()
		p.Close()
		<-done
		cancel()
		if mib := peak(); mib > 48 {
			t.Errorf("%s: it took %d MiB", name, mib)
		}
	}
}

// stderrOf writes to the other side of a channel.
type stderrOf struct{ xssh.Channel }

func (s stderrOf) Write(b []byte) (int, error) { return s.Stderr().Write(b) }

// watchMemory tells how many MiB the heap has grown by at most.
func watchMemory(t *testing.T) func() int64 {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	base, most := int64(m.HeapAlloc), int64(0)
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, int64(m.HeapAlloc)-base)
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	return func() int64 { close(stop); <-ended; return most >> 20 }
}

// Many commands of one key, from several callers, begin once, whatever happens to
// their connections.
func TestAKeyRunsOnceThroughBreakingConnections(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t)
	to, cred := target(s)
	px := newProxy(t, s.Address)
	to.Address = px.l.Addr().String()
	w := filepath.Join(t.TempDir(), "witness")
	for i := range 8 {
		ctx, cancel := context.WithCancel(t.Context())
		answers := make(chan error, 3)
		for range 3 {
			p := pool(t)
			go func() {
				for {
					got, err := p.Run(ctx, to, cred,
						ssh.Command{Key: fmt.Sprint(i), Script: fmt.Sprintf("echo %d >>%s; sleep 0.2; exit 6", i, w), Stdin: strings.Repeat("x", 100_000)})
					var e *ssh.Error
					if errors.As(err, &e) && e.CertainlyNotRun() && ctx.Err() == nil {
						continue // as the platform does
					}
					if err == nil && got.ExitCode != 6 {
						err = fmt.Errorf("exit code %d", got.ExitCode)
					}
					answers <- err
					return
				}
			}()
		}
		for j := range 6 {
			timer := time.NewTimer(time.Duration(5+7*((i*6+j)%9)) * time.Millisecond)
			<-timer.C
			px.cut()
		}
		for range 3 {
			if err := <-answers; err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
		cancel()
	}
	if saw, err := os.ReadFile(w); err != nil || string(saw) != "0\n1\n2\n3\n4\n5\n6\n7\n" {
		t.Errorf("the witness saw %q, %v", saw, err)
	}
}
