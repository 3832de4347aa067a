package guide_test

import (
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sextant/sdk/go/ssh/sshtest"
)

// tree is a copy of the repository with the program built in it, and a folder of
// programs for the search path.
type tree struct {
	dir, bin string
	err      error
}

// grow makes the tree as a reader without npm does: the console has tests of its own.
var grow = sync.OnceValue(func() tree {
	dir, err := os.MkdirTemp("", "sextant-guide-")
	if err != nil {
		return tree{err: err}
	}
	grown.Store(true)
	t := tree{dir: filepath.Join(dir, "sextant"), bin: filepath.Join(dir, "bin")}
	if t.err = copyTree(root, t.dir); t.err != nil {
		return t
	}
	if t.err = searchPath(t.bin); t.err != nil {
		return t
	}
	if t.err = os.Symlink(filepath.Join(t.dir, "build", "sextant"), filepath.Join(t.bin, "sextant")); t.err != nil {
		return t
	}
	build := exec.Command("make", "build")
	build.Dir, build.Env = t.dir, environment(t.bin, dir)
	if out, err := build.CombinedOutput(); err != nil {
		t.err = &buildError{string(out), err}
	}
	return t
})

// grown says that there is a tree to remove.
var grown atomic.Bool

type buildError struct {
	out string
	err error
}

func (e *buildError) Error() string { return "make build: " + e.err.Error() + "\n" + e.out }

func TestMain(m *testing.M) {
	code := m.Run()
	if grown.Load() {
		_ = os.RemoveAll(filepath.Dir(grow().dir)) // a folder for temporary files
	}
	os.Exit(code)
}

// copyTree copies what is part of the repository.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case d.IsDir() && (name == ".git" || name == "node_modules" || rel == "build" || rel == "data" || rel == "sextant-demo"):
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case !d.Type().IsRegular() || name == ".git" || strings.HasPrefix(rel, "web/dist/") && name != ".gitkeep":
			return nil
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, info.Mode().Perm())
	})
}

// searchPath fills a folder with what the search path leads to, but for npm.
func searchPath(bin string) error {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // the path names folders that are not there
		}
		for _, e := range entries {
			if e.Name() == "npm" || e.Name() == "sextant" {
				continue
			}
			if err := os.Symlink(filepath.Join(dir, e.Name()), filepath.Join(bin, e.Name())); err != nil && !os.IsExist(err) {
				return err
			}
		}
	}
	return nil
}

// environment is that of a reader: no setting of whoever runs the test gets in.
func environment(bin, home string, more ...string) []string {
	env := []string{"PATH=" + bin, "HOME=" + home, "LANG=C.UTF-8", "CGO_ENABLED=0", "GOFLAGS=-trimpath"}
	for _, name := range []string{"USER", "LOGNAME", "TMPDIR", "GOPROXY", "GONOSUMDB", "GONOSUMCHECK", "GOSUMDB", "GOTOOLCHAIN"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(append(env, caches()...), more...)
}

// caches are the folders of go, which lie in the home of whoever runs the test.
var caches = sync.OnceValue(func() []string {
	var all []string
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} {
		if out, err := exec.Command("go", "env", name).Output(); err == nil {
			all = append(all, name+"="+strings.TrimSpace(string(out)))
		}
	}
	return all
})

// world is what a reader has before them: a folder, a home, a host, terminals.
type world struct {
	t             *testing.T
	dir, home     string
	env           []string
	listen        string
	shell         *terminal
	taken         []*taken
	host          *sshtest.Server
	share         string // what the host does: how full its disk is, and whether its tools are broken
	stands, shown [][2]string
	printed       strings.Builder
}

// begin makes a world with fresh folders. The address and the user of the documents
// stand for those of a real sshd; the server has a port of its own.
func begin(t *testing.T) *world {
	t.Helper()
	tree := grow()
	if tree.err != nil {
		t.Fatal(tree.err)
	}
	base := t.TempDir()
	w := &world{t: t, dir: filepath.Join(base, "sextant"), home: filepath.Join(base, "home"), share: filepath.Join(base, "share")}
	for _, dir := range []string{w.dir, w.home + "/.ssh", w.share, base + "/var/lib", base + "/backup", w.share + "/bin",
		w.share + "/srv"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(tree.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Symlink(filepath.Join(tree.dir, e.Name()), filepath.Join(w.dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	w.host = sshtest.Start(t, sshtest.Shell(w.tool("sh", `PATH="`+w.share+`/bin:$PATH" exec /bin/sh "$@"`)))
	w.tool("bin/df",
		`echo "Filesystem 1024-blocks Used Available Capacity Mounted"; echo "/dev/disk 100 $(cat "`+w.share+`/full") 0 $(cat "`+w.share+
			`/full")% /"`)
	w.tool("bin/awk", `test ! -e "`+w.share+`/broken" || { echo "error: disk full" >&2; exit 3; }; exec "`+look(t, "awk")+`" "$@"`)
	w.full("27")
	w.file(w.home+"/.ssh/id_ed25519", w.host.PrivateKey)
	w.file(w.home+"/.ssh/new_ed25519", w.host.PrivateKey)
	w.file(w.home+"/.curlrc", "silent\nshow-error\nfail-with-body\n")
	w.listen = free(t)
	address, port, err := net.SplitHostPort(w.host.Address)
	if err != nil {
		t.Fatal(err)
	}
	key := strings.Join(strings.Fields(w.host.HostKey)[:2], " ")
	w.stands = [][2]string{
		{"make demo", "make demo DEMO_ARGS=--listen=" + w.listen}, {"127.0.0.1:8066", w.listen}, {"127.0.0.1:8090", free(t)},
		{"192.0.2.10", address}, {"192.0.2.11", address}, {"port=22 ", "port=" + port + " "},
		{"user=deploy", "user=" + w.host.User + " --field port=" + port},
		{"ssh-ed25519 AAAA…", key}, {"SHA256:…", fingerprint(t, key)},
		{"/var/lib/sextant", base + "/var/lib/sextant"}, {"/backup/", base + "/backup/"}, {"/srv/", w.share + "/srv/"},
	}
	w.shown = [][2]string{{w.listen, "127.0.0.1:8066"}, {base + "/var/lib/sextant", "/var/lib/sextant"}, {w.share + "/srv/", "/srv/"}}
	w.env = environment(tree.bin, w.home, "SEXTANT_LISTEN="+w.listen, "SEXTANT_ADMIN_LISTEN=127.0.0.1:0", "SEXTANT_URL=http://"+w.listen)
	w.shell = openTerminal(t, w.dir, w.env)
	return w
}

func look(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// free is an address on loopback that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func fingerprint(t *testing.T, key string) string {
	t.Helper()
	c := exec.Command("ssh-keygen", "-l", "-f", "-")
	c.Stdin = strings.NewReader(key + "\n")
	out, err := c.Output()
	if err != nil {
		t.Fatal("ssh-keygen:", err)
	}
	return strings.Fields(string(out))[1]
}

func (w *world) file(name, text string) {
	w.t.Helper()
	if !filepath.IsAbs(name) {
		name = filepath.Join(w.dir, name)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// tool is a program of the host.
func (w *world) tool(name, script string) string {
	w.t.Helper()
	file := filepath.Join(w.share, name)
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		w.t.Fatal(err)
	}
	return file
}

// full says how full the disk of the host is.
func (w *world) full(percent string) { w.file(w.share+"/full", percent) }

// broken says whether scripts on the host fail.
func (w *world) broken(yes bool) {
	w.t.Helper()
	if yes {
		w.file(w.share+"/broken", "")
	} else if err := os.Remove(w.share + "/broken"); err != nil {
		w.t.Fatal(err)
	}
}

var (
	places = regexp.MustCompile(`<(run|task|incident|id|version|sha256)>|sx[lp]_…|27021597764222976`)
	latest = map[string]*regexp.Regexp{
		"<id>": regexp.MustCompile(`\b01[0-9A-HJKMNP-TV-Z]{24}\b`), "<version>": regexp.MustCompile(`"version":\s?(\d+)`),
		"<sha256>": regexp.MustCompile(`\b[0-9a-f]{64}\b`),
		"sxl_…":    regexp.MustCompile(`\bsxl_[\w-]+`), "sxp_…": regexp.MustCompile(`\bsxp_[\w-]+`),
		"27021597764222976": regexp.MustCompile(`\b\d{15,}\b`),
	}
	listed = map[string]string{"<run>": "sextant runs list --limit 1", "<task>": "sextant task list", "<incident>": "sextant incident list"}
	keys   = regexp.MustCompile(`(?m)^\d{15,}`)
)

// fill puts what is here in the place of what stands for it in the documents.
func (w *world) fill(command string) string {
	for _, s := range w.stands {
		command = strings.ReplaceAll(command, s[0], s[1])
	}
	return places.ReplaceAllStringFunc(command, w.find)
}

// find looks a value up as a reader does: in a list, or in what was printed last.
func (w *world) find(name string) string {
	w.t.Helper()
	if list := listed[name]; list != "" {
		key := ""
		w.until(list+" names none", func() bool {
			key = keys.FindString(w.shell.run(w.t, list).out)
			return key != ""
		})
		return key
	}
	all := latest[name].FindAllStringSubmatch(w.printed.String(), -1)
	if len(all) == 0 {
		w.t.Fatalf("nothing that stands for %s was printed:\n%s", name, w.printed.String())
	}
	last := all[len(all)-1]
	return last[len(last)-1]
}

// until asks again and again.
func (w *world) until(trouble string, content func() bool) {
	w.t.Helper()
	late := time.After(patience / 2)
	for !content() {
		select {
		case <-late:
			w.t.Fatal(trouble)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stays are the commands that keep their terminal, and what they print when they
// are ready.
var stays = map[*regexp.Regexp]string{
	regexp.MustCompile(`^(build/)?sextant server\b`): "the server is ready",
	regexp.MustCompile(`^make demo\b`):               "Ctrl-C ends",
	regexp.MustCompile(`\bgo run \./examples/`):      "plugin is ready",
}

// do carries out a step as its document shows it.
func (w *world) do(s step) {
	w.t.Helper()
	command := w.fill(s.command)
	for stay, ready := range stays {
		if stay.MatchString(command) {
			w.take(command, ready)
			return
		}
	}
	got := w.shell.run(w.t, command)
	if s.shows != "" && looks.MatchString(command) { // what began just now may not be there yet
		late := time.Now().Add(patience / 4)
		for !w.like(s, got) && time.Now().Before(late) {
			got = w.shell.run(w.t, command)
		}
	}
	w.printed.WriteString(got.out + got.err)
	w.t.Logf("%s:%d: %s\n%s%s", s.doc, s.line, s.command, got.out, got.err)
	if !w.like(s, got) {
		w.t.Errorf("%s:%d: %s\nends with %d, the document says %d; it prints\n%s%s\nwhere the document shows\n%s", s.doc, s.line,
			s.command, got.code, s.code, w.restore(got.out), w.restore(got.err), s.shows)
	}
}

// looks are the commands that change nothing.
var looks = regexp.MustCompile(`^(build/)?sextant (\w+ (list|show|log)|object types)\b`)

// like reports whether a command did what its document shows. Of a command that
// fails the document shows the complaint too.
func (w *world) like(s step, got said) bool {
	out := got.out
	if s.code != 0 {
		out += got.err
	}
	return got.code == s.code && (s.shows == "" || same(s.shows, w.restore(out)))
}

// restore puts the words of the documents in the place of what is here.
func (w *world) restore(text string) string {
	for _, s := range w.shown {
		text = strings.ReplaceAll(text, s[0], s[1])
	}
	return text
}

func (w *world) take(command, ready string) {
	w.t.Helper()
	k := take(w.t, w.dir, w.env, command, ready)
	w.taken = append(w.taken, k)
	text, _ := k.printed()
	w.t.Logf("%s\n%s", command, text)
	w.printed.WriteString(text)
}

// must carries out what a reader of this chapter has done before.
func (w *world) must(command ...string) {
	w.t.Helper()
	for _, c := range command {
		w.do(step{doc: "before", command: c})
	}
}

// kill ends the terminals that are taken.
func (w *world) kill(s syscall.Signal) {
	w.t.Helper()
	for _, k := range w.taken {
		k.end(w.t, s)
	}
	w.taken = nil
}
