package ssh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/sdk/go/ssh"
	"sextant/sdk/go/ssh/sshtest"
)

// keygen makes a host key of a kind and gives its file, line and fingerprint.
func keygen(t *testing.T, args ...string) (file, line, fingerprint string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", append([]string{"-q", "-N", "", "-f", file}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ssh-keygen", "-lf", file+".pub").Output()
	if err != nil {
		t.Fatal(err)
	}
	return file, strings.TrimSpace(string(data)), strings.Fields(string(out))[1]
}

// A host has keys of several kinds; whichever is pinned, and in whichever form, is
// the one that is looked for.
func TestThePinnedKeyIsLookedForAmongAllOfAHost(t *testing.T) {
	t.Parallel()
	ecdsa, ecdsaLine, ecdsaPrint := keygen(t, "-t", "ecdsa")
	rsa, rsaLine, rsaPrint := keygen(t, "-t", "rsa", "-b", "2048")
	_, _, otherPrint := keygen(t, "-t", "ed25519")
	s := sshtest.Start(t, "HostKey "+rsa, "HostKey "+ecdsa)
	ed := filepath.Join(t.TempDir(), "ed.pub")
	if err := os.WriteFile(ed, []byte(s.HostKey), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ssh-keygen", "-lf", ed).Output()
	if err != nil {
		t.Fatal(err)
	}
	edPrint := strings.Fields(string(out))[1]
	host := "[127.0.0.1]:22 "
	tests := []struct {
		name string
		pins []string
		want ssh.Kind
	}{
		{"ed25519 by fingerprint", []string{edPrint}, ""},
		{"ecdsa by fingerprint", []string{ecdsaPrint}, ""},
		{"rsa by fingerprint", []string{rsaPrint}, ""},
		{"one of many fingerprints", []string{otherPrint, rsaPrint}, ""},
		{"a fingerprint beside a key of another kind", []string{ecdsaPrint, rsaLine}, ""},
		{"ecdsa by line", []string{ecdsaLine}, ""},
		{"rsa by line with a comment", []string{"# the old one", rsaLine + " somebody"}, ""},
		{"a line of known hosts", []string{host + ecdsaLine}, ""},
		{"another fingerprint", []string{otherPrint}, ssh.HostKeyChanged},
		{"a revoked key", []string{ecdsaLine, "@revoked * " + ecdsaLine}, ssh.HostKeyRevoked},
		{"a revoked fingerprint", []string{rsaLine, "@revoked " + rsaPrint}, ssh.HostKeyRevoked},
		{"a revoked key alone", []string{"@revoked " + host + s.HostKey}, ssh.HostKeyRevoked},
		{"an authority", []string{"@cert-authority * " + ecdsaLine}, ssh.HostKeyUnknown},
		{"none", nil, ssh.HostKeyUnknown},
		{"garbage", []string{"SHA256"}, ssh.HostKeyUnknown},
	}
	for _, tt := range tests {
		_, err := pool(t).Run(t.Context(), ssh.Target{Address: s.Address, HostKeys: tt.pins},
			ssh.Credential{User: s.User, PrivateKey: s.PrivateKey}, ssh.Command{Key: tt.name, Script: "true"})
		if ssh.KindOf(err) != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

// What is not safe any more is refused by name, on either side.
func TestNothingWeakIsAgreedTo(t *testing.T) {
	t.Parallel()
	rsa, rsaLine, _ := keygen(t, "-t", "rsa", "-b", "2048")
	small, smallLine, _ := keygen(t, "-t", "rsa", "-b", "1024")
	smallKey, err := os.ReadFile(small)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		more []string
		pin  string
		key  string
		want ssh.Kind
	}{
		{"a key exchange with SHA-1", []string{"KexAlgorithms diffie-hellman-group14-sha1"}, "", "", ssh.Weak},
		{"another key exchange with SHA-1", []string{"KexAlgorithms diffie-hellman-group1-sha1,diffie-hellman-group-exchange-sha1"},
			"", "", ssh.Weak},
		{"host signatures with SHA-1", []string{"HostKey " + rsa, "HostKeyAlgorithms ssh-rsa"}, rsaLine, "", ssh.Weak},
		{"a short host key", []string{"HostKey " + small, "RequiredRSASize 1024", "HostKeyAlgorithms rsa-sha2-512"}, smallLine, "", ssh.Weak},
		{"checksums with SHA-1", []string{"Ciphers aes128-ctr", "MACs hmac-sha1"}, "", "", ssh.Weak},
		{"chained blocks", []string{"Ciphers aes128-cbc,3des-cbc"}, "", "", ssh.Weak},
		{"a short private key", nil, "", string(smallKey), ssh.Auth},
		{"log-ins with SHA-1 alone", []string{"PubkeyAcceptedAlgorithms ssh-rsa"}, "", "rsa", ssh.Auth},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			s := sshtest.Start(t, tt.more...)
			to, cred := target(s)
			if tt.pin != "" {
				to.HostKeys = []string{tt.pin}
			}
			if tt.key == "rsa" {
				data, err := os.ReadFile(rsa)
				if err != nil {
					t.Fatal(err)
				}
				tt.key = string(data)
				s.Accept(t, &sshtest.Server{PublicKey: rsaLine + "\n"})
			}
			if tt.key != "" {
				cred.PrivateKey = tt.key
			}
			_, err := pool(t).Run(t.Context(), to, cred, ssh.Command{Key: "k", Script: "true"})
			var e *ssh.Error
			if !errors.As(err, &e) || e.Kind != tt.want || !e.CertainlyNotRun() {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	s := sshtest.Start(t)
	s.Accept(t, &sshtest.Server{PublicKey: rsaLine + "\n"})
	to, cred := target(s)
	data, err := os.ReadFile(rsa)
	if err != nil {
		t.Fatal(err)
	}
	cred.PrivateKey = string(data)
	if _, err := pool(t).Run(t.Context(), to, cred, ssh.Command{Key: "k", Script: "true"}); err != nil {
		t.Errorf("an RSA key of 2048 bits that signs with SHA-2: %v", err)
	}
}

// A host that takes one session on a connection gets more connections: for
// commands at once, and to end one.
func TestAHostWithOneSessionAConnection(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t, "MaxSessions 1"), pool(t)
	to, cred := target(s)
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			live := &signal{word: "\x00never", ch: make(chan struct{})}
			got, err := p.Run(t.Context(), to, cred, ssh.Command{Key: fmt.Sprint(i), Script: "echo a; sleep 0.5; echo b", Output: live})
			if err != nil || got.Stdout != "a\nb\n" || live.all.String() != "a\nb\n" {
				t.Errorf("got %+v %v, live %q", got, err, live.all.String())
			}
		})
	}
	all.Wait()
	ctx, stop := context.WithCancel(t.Context())
	live := &signal{word: "go", ch: make(chan struct{})}
	go func() { <-live.ch; stop() }()
	if _,
		err := p.Run(ctx, to, cred, ssh.Command{Key: "end", Script: "echo go; sleep 71717", Output: live}); ssh.KindOf(err) != ssh.Cancelled {
		t.Errorf("got %v", err)
	}
	if all := left(t, "71717"); len(all) > 0 {
		t.Errorf("still there: %q", all)
	}
	none, p2 := sshtest.Start(t, "MaxSessions 0"), pool(t)
	to, cred = target(none)
	if _, err := p2.Run(t.Context(), to, cred, ssh.Command{Key: "k", Script: "true"}); ssh.KindOf(err) != ssh.Lost {
		t.Errorf("a host without sessions: %v", err)
	}
}

// A command that is to end while its host cannot be reached is ended once it can
// be, and not before is that said.
func TestAStopThatDoesNotArriveIsTriedUntilItDoes(t *testing.T) {
	t.Parallel()
	for _, kind := range []ssh.Kind{ssh.Timeout, ssh.Cancelled} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s, p := sshtest.Start(t), pool(t)
			to, cred := target(s)
			px := newProxy(t, s.Address)
			to.Address = px.l.Addr().String()
			word := fmt.Sprintf("7%d.%d", len(kind), os.Getpid())
			ctx, cancel := context.WithCancel(t.Context())
			if kind == ssh.Timeout {
				ctx, cancel = context.WithTimeout(t.Context(), 1500*time.Millisecond)
			}
			defer cancel()
			live := &signal{word: "go", ch: make(chan struct{})}
			notes := make(chan string, 100)
			answer := make(chan error, 1)
			go func() {
				_, err := p.Run(ctx, to, cred, ssh.Command{Key: "k", Script: "echo go; sleep " + word, Output: live, Note: func(s string) {
					notes <- s
				}})
				answer <- err
			}()
			<-live.ch
			s.Stop()
			px.cut()
			if kind == ssh.Cancelled {
				cancel()
			}
			for note := ""; !strings.Contains(note, "cannot be reached; still trying to stop the script"); {
				select {
				case note = <-notes:
				case err := <-answer:
					t.Fatalf("it was answered before it was proven: %v", err)
				}
			}
			if len(left(t, word)) == 0 {
				t.Fatal("the script is gone, which nobody ended")
			}
			s.Run(t)
			if err := <-answer; ssh.KindOf(err) != kind {
				t.Errorf("got %v, want %s", err, kind)
			}
			if all := left(t, word); len(all) > 0 {
				t.Errorf("still there: %q", all)
			}
		})
	}
}

// What ended by itself while nobody could see it is not said to have been stopped.
func TestACommandThatEndedBeforeTheStopGivesItsResult(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	px := newProxy(t, s.Address)
	to.Address = px.l.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	live := &signal{word: "go", ch: make(chan struct{})}
	type outcome struct {
		ssh.Result
		err error
	}
	answer := make(chan outcome, 1)
	go func() {
		got, err := p.Run(ctx, to, cred, ssh.Command{Key: "k", Script: "echo go; sleep 1; echo end; exit 3", Output: live})
		answer <- outcome{got, err}
	}()
	select {
	case <-live.ch:
	case got := <-answer:
		t.Fatalf("it said nothing: %+v", got)
	}
	s.Stop()
	px.cut()
	for ended := false; !ended; {
		kept, err := filepath.Glob(s.Home + "/.sextant/jobs/*/exit")
		if err != nil {
			t.Fatal(err)
		}
		if len(kept) == 1 {
			code, err := os.ReadFile(kept[0])
			ended = err == nil && strings.HasPrefix(string(code), "3")
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-t.Context().Done():
			return
		}
	}
	cancel()
	s.Run(t)
	got := <-answer
	if got.err != nil || got.ExitCode != 3 || got.Stdout != "go\nend\n" {
		t.Errorf("got %+v %v", got.Result, got.err)
	}
}

// A call that comes again only to be ended, after its caller was started anew,
// ends what the earlier one began, and begins nothing itself.
func TestACallThatIsOverEndsWhatAnEarlierOneBegan(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t)
	to, cred := target(s)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	leave := errors.New("the caller ends")
	ctx, stop := context.WithCancelCause(t.Context())
	live := &signal{word: "go", ch: make(chan struct{})}
	go func() { <-live.ch; stop(leave) }()
	word := fmt.Sprintf("73737.%d", os.Getpid())
	c := ssh.Command{Key: "k", Script: "echo go; sleep " + word, Output: live, Leave: leave}
	if _, err := pool(t).Run(ctx, to, cred, c); ssh.KindOf(err) != ssh.Unknown || len(left(t, word)) == 0 {
		t.Fatalf("got %v", err)
	}
	c.Begun, c.Output = true, nil
	if _, err := pool(t).Run(over, to, cred, c); ssh.KindOf(err) != ssh.Cancelled || len(left(t, word)) > 0 {
		t.Errorf("got %v, left %q", err, left(t, word))
	}
	c = ssh.Command{Key: "another", Script: "touch \"$HOME/did\"", Begun: true}
	if _, err := pool(t).Run(over, to, cred, c); ssh.KindOf(err) != ssh.Cancelled {
		t.Errorf("got %v", err)
	}
	if _, err := pool(t).Run(t.Context(), to, cred, ssh.Command{Key: "another", Script: c.Script}); err == nil {
		t.Error("what was given up began later")
	}
	if _, err := os.Stat(filepath.Join(s.Home, "did")); err == nil {
		t.Error("it ran")
	}
}

// A copy puts a file in place or changes nothing, and leaves nothing behind.
func TestPlacesOfAFile(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	at := func(name string) string { return filepath.Join(s.Home, "files", name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(at("folder"), 0o755))
	must(os.WriteFile(at("private"), []byte("old"), 0o600))
	must(os.Symlink("private", at("link")))
	must(os.Symlink("folder", at("link to folder")))
	must(os.Symlink("new", at("link to nothing")))
	must(os.Symlink("/no/such/file", at("link to nowhere")))
	must(exec.Command("mkfifo", at("pipe")).Run())
	must(os.Chown(at("private"), os.Geteuid(), os.Getegid()))
	file := func(name, content string) ssh.File {
		return ssh.File{Path: at(name), SHA256: digest(content), Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(content)), nil
		}}
	}
	noLinks, wide := file("link", "x"), file("private", "newer")
	noLinks.NoLinks, wide.Mode = true, 0o644
	tests := []struct {
		name    string
		file    ssh.File
		kind    ssh.Kind
		changed bool
		look    string
		content string
		mode    os.FileMode
	}{
		{"a folder", file("folder", "x"), ssh.Path, false, "", "", 0},
		{"a link to a folder", file("link to folder", "x"), ssh.Path, false, "", "", 0},
		{"a pipe", file("pipe", "x"), ssh.Path, false, "", "", 0},
		{"a link that is not to be followed", noLinks, ssh.Path, false, "private", "old", 0o600},
		{"a link that leads nowhere", file("link to nowhere", "x"), ssh.Path, false, "", "", 0},
		{"a link", file("link", "new"), "", true, "private", "new", 0o600},
		{"the same again", file("link", "new"), "", false, "private", "new", 0o600},
		{"a link to a file that is to come", file("link to nothing", "n"), "", true, "new", "n", 0o644},
		{"another mode", wide, "", true, "private", "newer", 0o644},
		{"a new file", file("it's new", "x"), "", true, "it's new", "x", 0o644},
		{"a name with a line end", file("a\nb\\", "x"), "", true, "a\nb\\", "x", 0o644},
		{"a folder that is missing", file("deep/er/file", "x"), "", true, "deep/er/file", "x", 0o644},
	}
	for _, tt := range tests {
		changed, err := p.Copy(t.Context(), to, cred, tt.file)
		if ssh.KindOf(err) != tt.kind || changed != tt.changed {
			t.Errorf("%s: changed %v, %v", tt.name, changed, err)
		}
		if tt.look == "" {
			continue
		}
		data, err := os.ReadFile(at(tt.look))
		info, statErr := os.Stat(at(tt.look))
		if err != nil || statErr != nil || string(data) != tt.content || info.Mode().Perm() != tt.mode {
			t.Errorf("%s: %q %v, %v %v", tt.name, data, info, err, statErr)
		}
	}
	if info, err := os.Lstat(at("link")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info, err)
	}
	nothingLeft(t, s.Home)
}

func nothingLeft(t *testing.T, home string) {
	t.Helper()
	out, err := exec.Command("find", home, "-name", ".sextant.*").Output()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("left behind: %s %v", out, err)
	}
}

// slow gives the beginning of a file and then nothing until it is closed.
type slow struct {
	begun  chan struct{}
	closed chan struct{}
	once   sync.Once
	end    sync.Once
}

func (s *slow) Read(b []byte) (int, error) {
	n := 0
	s.once.Do(func() { n = len(b) })
	if n > 0 {
		return n, nil
	}
	s.end.Do(func() { close(s.begun) })
	<-s.closed
	return 0, io.EOF
}

func (s *slow) Close() error { return nil }

// A copy that is cancelled has ended on the host when that is said, and the old
// file stands as it was, alone.
func TestACopyThatIsCancelledLeavesTheOldFile(t *testing.T) {
	t.Parallel()
	s, p := sshtest.Start(t), pool(t)
	to, cred := target(s)
	path := filepath.Join(s.Home, "file")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	from := &slow{begun: make(chan struct{}), closed: make(chan struct{})}
	defer close(from.closed)
	ctx, stop := context.WithCancel(t.Context())
	go func() { <-from.begun; stop() }()
	_, err := p.Copy(ctx, to, cred, ssh.File{Path: path, SHA256: digest("new"), Open: func() (io.ReadCloser, error) { return from, nil }})
	if ssh.KindOf(err) != ssh.Cancelled {
		t.Errorf("got %v", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "old" {
		t.Errorf("%q %v", data, err)
	}
	nothingLeft(t, s.Home)
}

// A copy to a disk that is too small leaves what was there, and nothing else.
func TestACopyToAFullDiskLeavesTheOldFile(t *testing.T) {
	t.Parallel()
	s, p := sshtest.StartAs(t, "", append(small(64), "mkdir %HOME/dir")), pool(t)
	to, cred := target(s)
	big := strings.Repeat("x", 1<<20)
	_, err := p.Copy(t.Context(), to, cred, ssh.File{Path: s.Home + "/dir/file", SHA256: digest(big), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(big)), nil
	}})
	if ssh.KindOf(err) != ssh.Disk {
		t.Errorf("got %v", err)
	}
	got, err := p.Run(t.Context(), to, cred, ssh.Command{Key: "look", Script: `ls -A "$HOME/dir"`})
	if err != nil || got.Stdout != "" {
		t.Errorf("left behind: %q %v", got.Stdout, err)
	}
}
