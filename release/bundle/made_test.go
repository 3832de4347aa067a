package bundle_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aead.dev/minisign"

	"sextant/release/bundle"
)

const version = "v0.1.0-test.1"

var built made

// made is the release that the tests look at, made once.
type made struct {
	once      sync.Once
	dir, root string // where it is, and the copy of the tree that it was made from
	public    string // file of the key that it is signed with
	err       error
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, dir := range []string{built.dir, built.root} {
		if dir != "" {
			_ = os.RemoveAll(filepath.Dir(dir))
		}
	}
	os.Exit(code)
}

// release gives the folder of a signed release for Linux on this machine's kind of
// processor, and the file of the public key.
func release(t *testing.T) (dir, public string) {
	t.Helper()
	built.once.Do(func() { built.err = built.make() })
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir, built.public
}

func (b *made) make() error {
	top, err := os.MkdirTemp("", "release-a-")
	if err != nil {
		return err
	}
	b.dir, b.root, b.public = filepath.Join(top, "out"), filepath.Join(top, "tree"), filepath.Join(top, "test.pub")
	if err := tree(b.root); err != nil {
		return err
	}
	public, secret, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	sealed, err := minisign.EncryptKey("a password of the test", secret)
	if err != nil {
		return err
	}
	text, err := public.MarshalText()
	if err != nil {
		return err
	}
	key, password := filepath.Join(top, "test.key"), filepath.Join(top, "password")
	for name, data := range map[string][]byte{b.public: append(text, '\n'), key: sealed, password: []byte("a password of the test\n")} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			return err
		}
	}
	o := options(b.root, b.dir)
	o.Key, o.PasswordFile = key, password
	return bundle.Make(context.Background(), o)
}

func options(root, out string) bundle.Options {
	return bundle.Options{Root: root, Out: out, Version: version, Time: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC),
		Targets: []bundle.Target{native()}}
}

// native is Linux on the processor of this machine.
func native() bundle.Target {
	out, err := exec.Command("go", "env", "GOARCH").Output()
	if err != nil {
		panic(err)
	}
	return bundle.Target{OS: "linux", Arch: strings.TrimSpace(string(out))}
}

// tree copies the repository, with its console; a page takes the place of a console
// that is not built.
func tree(to string) error {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return err
	}
	c := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	c.Dir = root
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if err := copyFile(filepath.Join(root, name), filepath.Join(to, name)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	dist := filepath.Join("web", "dist")
	if _, err := os.Stat(filepath.Join(root, dist, "index.html")); err != nil {
		return os.WriteFile(filepath.Join(to, dist, "index.html"), []byte("<!doctype html><title>Sextant</title>"), 0o644)
	}
	if err := os.RemoveAll(filepath.Join(to, dist)); err != nil {
		return err
	}
	return os.CopyFS(filepath.Join(to, dist), os.DirFS(filepath.Join(root, dist)))
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// file gives the file of the release whose name has these ends.
func file(t *testing.T, prefix, suffix string) string {
	t.Helper()
	dir, _ := release(t)
	all, err := filepath.Glob(filepath.Join(dir, prefix+"*"+suffix))
	if err != nil || len(all) != 1 {
		t.Fatalf("files %s*%s: %v, %v", prefix, suffix, all, err)
	}
	return all[0]
}

// run runs a program and gives what it says.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(bytes.TrimSpace(out))
}

// needs skips a test where a program that it cannot do without is missing, and says
// which.
func needs(t *testing.T, root bool, programs ...string) {
	t.Helper()
	if root && os.Geteuid() != 0 {
		t.Skip("this test makes namespaces and needs root")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("this test needs %s, which is not here: .ci/packages installs it", p)
		}
	}
}
