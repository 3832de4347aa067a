package bundle_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// machine is this system with everything that is written to it thrown away: a
// writable layer over the root, with processes and a network of its own.
type machine struct {
	*testing.T
	root string
	pid  string // of its first process
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	needs(t, true, "dpkg", "dpkg-deb", "unshare", "nsenter", "runuser", "useradd", "ip")
	dir := t.TempDir()
	script := `set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t devtmpfs dev "$1/root/dev"
mount -t tmpfs tmpfs "$1/root/run"
mkdir -p "$1/root/var/lib/dpkg"
ip link set lo up
first=$(cut -d' ' -f4 /proc/self/stat)
mount -t proc proc "$1/root/proc"
echo "ready $first"
read end`
	c := exec.Command("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh", dir)
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, c)
	t.Cleanup(func() {
		_, _ = io.WriteString(stdin, "end\n")
		_ = b.Wait()
	})
	line := b.until(t, "ready ")
	return &machine{t, filepath.Join(dir, "root"), strings.TrimPrefix(line, "ready ")}
}

func (m *machine) command(args ...string) *exec.Cmd {
	return exec.CommandContext(m.Context(), "nsenter", append([]string{"--target", m.pid, "--mount",
		"--net", "--pid", "chroot", m.root, "env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"}, args...)...)
}

func (m *machine) run(args ...string) string {
	m.Helper()
	out, err := m.command(args...).CombinedOutput()
	if err != nil {
		m.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (m *machine) put(from string) string {
	m.Helper()
	to := "/run/" + filepath.Base(from)
	c := m.command("sh", "-c", `cat > "$1"`, "sh", to)
	f, err := os.Open(from)
	if err != nil {
		m.Fatal(err)
	}
	defer f.Close()
	c.Stdin = f
	if out, err := c.CombinedOutput(); err != nil {
		m.Fatalf("%v: %s", err, out)
	}
	return to
}

// newer gives the same package with a later version.
func newer(t *testing.T, deb string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	run(t, "dpkg-deb", "-R", deb, dir)
	control := filepath.Join(dir, "DEBIAN", "control")
	data, err := os.ReadFile(control)
	if err != nil {
		t.Fatal(err)
	}
	data = regexp.MustCompile(`(?m)^Version: .*$`).ReplaceAll(data, []byte("Version: 9.9.9"))
	if err := os.WriteFile(control, data, 0o644); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(filepath.Dir(dir), "sextant_9.9.9.deb")
	run(t, "dpkg-deb", "--root-owner-group", "-Zgzip", "-b", dir, to)
	return to
}

// The way of a package: it is installed and started, configured, upgraded beside the
// server that runs, removed and purged. It starts nothing, overwrites nothing, and
// never takes the data.
func TestTheDebianPackage(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	deb := file(t, "sextant_", ".deb")
	first, second := m.put(deb), m.put(newer(t, deb))
	if out := m.run("dpkg", "-i", first); !strings.Contains(out, "installed and not started") {
		t.Errorf("dpkg says\n%s", out)
	}
	if out := m.run("sh", "-c", "ps ax | grep -c '[s]extant server' || true"); out != "0" {
		t.Errorf("%s servers run after the package was installed", out)
	}
	if out := m.run("stat", "-c", "%U:%G %a", "/var/lib/sextant"); out != "sextant:sextant 700" {
		t.Errorf("the data folder is %s", out)
	}
	m.run("systemd-analyze", "verify", "--man=no", "/usr/lib/systemd/system/sextant.service")

	server := m.serve()
	c := within("/proc/" + m.pid + "/ns/net")
	if status, body := get(t, c, "http://127.0.0.1:8066/readyz", ""); status != http.StatusOK {
		t.Fatalf("/readyz: %d %s", status, body)
	}

	m.run("sh", "-c", "echo '# mine' >> /etc/sextant/sextant.yaml")
	if out := m.run("dpkg", "-i", second); !strings.Contains(out, "A server that runs is still the old one") {
		t.Errorf("dpkg says of the upgrade\n%s", out)
	}
	if out := m.run("cat", "/etc/sextant/sextant.yaml"); !strings.HasSuffix(out, "# mine") {
		t.Errorf("the upgrade has written the settings over:\n%s", out)
	}
	if status, _ := get(t, c, "http://127.0.0.1:8066/readyz", ""); status != http.StatusOK {
		t.Errorf("after the upgrade the server answers %d", status)
	}
	if out := m.run("sextant", "upgrade", "--check", "--data", "/var/lib/sextant"); !strings.Contains(out, "There is nothing to migrate") {
		t.Errorf("the check beside the server says\n%s", out)
	}
	m.run("sh", "-c", "kill $(cat /tmp/server.pid)")
	for range server.lines {
	}

	m.run("dpkg", "-r", "sextant")
	m.run("test", "-f", "/var/lib/sextant/keys/master.key", "-a", "-f", "/etc/sextant/sextant.yaml", "-a", "!", "-e", "/usr/bin/sextant")
	if out := m.run("dpkg", "-P", "sextant"); !strings.Contains(out, "The data of sextant is kept") {
		t.Errorf("dpkg says of the purge\n%s", out)
	}
	m.run("test", "-f", "/var/lib/sextant/keys/master.key", "-a", "!", "-e", "/etc/sextant/sextant.yaml")
}

// serve starts the server as the unit of the package does.
func (m *machine) serve() *background {
	m.Helper()
	unit := m.run("cat", "/usr/lib/systemd/system/sextant.service")
	command := regexp.MustCompile(`(?m)^ExecStart=(.*)$`).FindStringSubmatch(unit)
	if command == nil {
		m.Fatalf("the unit starts nothing:\n%s", unit)
	}
	b := start(m.T, m.command("runuser", "-u", "sextant", "--", "sh", "-c",
		"cd /var/lib/sextant && umask 077 && echo $$ > /tmp/server.pid && exec "+command[1]))
	b.until(m.T, "the server is ready")
	return b
}
