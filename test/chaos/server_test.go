package chaos_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is a server in a process of its own that can be killed.
type program struct {
	t        testing.TB
	dir      string // with the folder data and the log
	listen   string
	database string // its address; empty is the file in the folder
	cmd      *exec.Cmd
}

func newProgram(t testing.TB, dir, database string) *program {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, dir: dir, listen: l.Addr().String(), database: database}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *program) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// start starts the platform and waits until it is ready.
func (p *program) start() {
	p.t.Helper()
	log, err := os.OpenFile(filepath.Join(p.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	p.must(err)
	defer log.Close()
	p.cmd = exec.Command(binary, "server", "--data", filepath.Join(p.dir, "data"), "--listen", p.listen, "--admin.listen", "",
		"--plugins.isolate", "all")
	p.cmd.Env = append(os.Environ(), "SEXTANT_ADMIN_PASSWORD="+password, "SEXTANT_PLUGINS_REACH=127.0.0.0/8")
	if p.database != "" {
		p.cmd.Env = append(p.cmd.Env, "SEXTANT_DATABASE="+p.database)
	}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.must(p.cmd.Start())
	for deadline := time.Now().Add(time.Minute); !p.ready(); {
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name()) // for the message alone
			p.t.Fatalf("the server is not ready:\n%s", text)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// ready asks the server whether it is.
func (p *program) ready() bool {
	c := http.Client{Timeout: time.Second}
	resp, err := c.Get("http://" + p.listen + "/readyz")
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (p *program) kill() {
	p.t.Helper()
	p.must(p.cmd.Process.Kill())
	_ = p.cmd.Wait() // it was killed
}

// end stops the platform and its plugins.
func (p *program) end() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it was killed
	for _, pid := range p.plugins() {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
}

// plugins gives the processes of the plugins by name.
func (p *program) plugins() map[string]int {
	all := map[string]int{}
	for _, name := range []string{"cmdb", "host"} {
		data, err := os.ReadFile(filepath.Join(p.dir, "data", "run", name+".json"))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(data), `"pid":`)
		digits := strings.TrimLeft(rest, " ")
		if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i > 0 {
			all[name], _ = strconv.Atoi(digits[:i])
		}
	}
	return all
}
