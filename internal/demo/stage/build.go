package stage

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"sextant/sdk/go/ssh"
	"sextant/sdk/go/ssh/sshserver"
)

//go:embed scripts
var scripts embed.FS

const (
	startWithin = 15 * time.Second
	logTail     = 500 // bytes of a log in an error
)

// builder raises a stage.
type builder struct {
	o     Options
	tools tools
	first int // of the addresses of a new stage
	st    *state
	user  *user.User
	key   string // public half of the key that logs in
}

// prepare makes the plan and every file. It may be done again.
func (b *builder) prepare(ctx context.Context) error {
	var err error
	if b.user, err = user.Current(); err != nil {
		return err
	}
	b.st, err = readState(b.o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		if b.st, err = plan(b.first); err == nil {
			b.st.Real = b.tools.real()
			err = os.MkdirAll(b.o.Dir, 0o700)
		}
	}
	if err != nil {
		return err
	}
	if b.st.Real != b.tools.real() {
		if err := b.clear(); err != nil {
			return err
		}
	}
	if b.key, err = keyPair(userKey(b.o.Dir)); err != nil {
		return err
	}
	for _, p := range b.places() {
		if p.HostKey, err = keyPair(filepath.Join(b.folder(p), "host_key")); err == nil {
			err = b.host(p)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	if err := b.st.write(b.o.Dir); err != nil {
		return err
	}
	return b.balancer(ctx)
}

// clear ends hosts and balancer that are of another kind than those to come. The
// applications stay.
func (b *builder) clear() error {
	all := []process{b.st.Site}
	for _, p := range b.places() {
		all = append(all, p.Process)
	}
	b.st.Real = b.tools.real()
	return end(all)
}

func (b *builder) places() []*place {
	all := make([]*place, 0, len(b.st.Hosts)+1)
	for i := range b.st.Hosts {
		all = append(all, &b.st.Hosts[i])
	}
	return append(all, &b.st.Lb)
}

func (b *builder) folder(p *place) string { return filepath.Join(b.o.Dir, "hosts", p.Name) }

// keyPair gives the public half of a key, which is made where it is missing.
func keyPair(path string) (string, error) {
	public, err := os.ReadFile(path + ".pub")
	if err == nil {
		return strings.TrimSpace(string(public)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	private, line, err := sshserver.NewKey()
	if err == nil {
		err = replace(path, []byte(private), 0o600)
	}
	if err == nil {
		err = replace(path+".pub", []byte(line+"\n"), 0o644)
	}
	return line, err
}

// host makes the files of one host.
func (b *builder) host(p *place) error {
	home := homeOf(b.o.Dir, p.Name)
	for _, dir := range []string{"bin", "incoming", "log", "nginx/tmp"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o700); err != nil {
			return err
		}
	}
	script, env := "app", fmt.Sprintf("LISTEN=%s\nDATA=%s\n", ssh.Quote(p.AppAddress), ssh.Quote(filepath.Join(b.o.Dir, "shared")))
	if p.Name == balancerName {
		script, env = "lb", fmt.Sprintf("SITE=%s\nNGINX=%s\n", ssh.Quote(p.AppAddress), ssh.Quote(b.tools.nginx))
	}
	content, err := scripts.ReadFile("scripts/" + script)
	if err != nil {
		return err
	}
	files := map[string][]byte{
		filepath.Join(home, script+".env"):            []byte(env),
		filepath.Join(b.folder(p), "authorized_keys"): []byte(b.key + "\n"),
		filepath.Join(b.folder(p), "sshd_config"):     []byte(b.sshdConfig(p)),
		filepath.Join(home, "nginx", "nginx.conf"):    []byte(b.nginxConfig()),
	}
	for path, content := range files {
		if err := replace(path, content, 0o600); err != nil {
			return err
		}
	}
	if err := replace(filepath.Join(home, "bin", script), content, 0o755); err != nil {
		return err
	}
	return link(b.o.Exe, filepath.Join(home, "runtime"))
}

// link changes a link in one step.
func link(to, path string) error {
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(to, path+".new"); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (b *builder) sshdConfig(p *place) string {
	host, port, err := net.SplitHostPort(p.Address)
	if err != nil {
		return "" // plan made the address
	}
	quoted := func(path string) string { return `"` + path + `"` }
	return strings.Join([]string{
		"ListenAddress " + host, "Port " + port, "HostKey " + quoted(filepath.Join(b.folder(p), "host_key")), "PidFile none",
		"AuthorizedKeysFile " + quoted(filepath.Join(b.folder(p), "authorized_keys")),
		"StrictModes no", "UsePAM no", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
		"PermitRootLogin yes", "AllowTcpForwarding no", "X11Forwarding no", "PermitTTY no", "PermitUserEnvironment no",
		"SetEnv " + quoted("HOME="+homeOf(b.o.Dir, p.Name)), "MaxStartups 100", "LogLevel ERROR", "PrintMotd no", "",
	}, "\n")
}

// nginxConfig is the part that stays; bin/lb writes site.conf.
func (b *builder) nginxConfig() string {
	as := ""
	if os.Geteuid() == 0 {
		if g, err := user.LookupGroupId(b.user.Gid); err == nil {
			as = "user " + b.user.Username + " " + g.Name + ";\n"
		}
	}
	return as + `worker_processes 1;
worker_shutdown_timeout 10s;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
  access_log off;
  server_tokens off;
  client_body_temp_path tmp/body;
  proxy_temp_path tmp/proxy;
  fastcgi_temp_path tmp/fastcgi;
  uwsgi_temp_path tmp/uwsgi;
  scgi_temp_path tmp/scgi;
  include site.conf;
}
`
}

// balancer writes what depends on the list of upstreams, as it stands.
func (b *builder) balancer(ctx context.Context) error {
	return local(ctx, homeOf(b.o.Dir, balancerName), "lb", "render")
}

// local runs a script of a host without going through the host.
func local(ctx context.Context, home, script string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(home, "bin", script), args...)
	cmd.Env = []string{"HOME=" + home, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("bin/%s: %w: %s", script, err, out)
	}
	return nil
}

// raise starts what does not run and waits until everything takes connections.
func (b *builder) raise(ctx context.Context) error {
	if b.tools.real() && os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // sshd insists on it
			return err
		}
	}
	for _, p := range b.places() {
		r := role{place: p, proc: &p.Process, address: &p.Address, log: filepath.Join(b.folder(p), "host.log")}
		if err := b.start(ctx, r); err != nil {
			return fmt.Errorf("the host %s: %w", p.Name, err)
		}
	}
	lb := &b.st.Lb
	site := role{place: lb, proc: &b.st.Site, address: &lb.AppAddress, log: filepath.Join(b.folder(lb), "balancer.log"), site: true}
	if err := b.start(ctx, site); err != nil {
		return fmt.Errorf("the balancer: %w", err)
	}
	return nil
}

// role is a process that a place needs: its host, or the balancer on it.
type role struct {
	place   *place
	proc    *process
	address *string
	log     string
	site    bool
}

// start starts a process unless it runs, and waits until it takes connections. A
// host that starts also starts the application that it had.
func (b *builder) start(ctx context.Context, r role) error {
	if r.proc.alive() {
		return answers(ctx, r)
	}
	was := *r.address
	var err error
	if *r.address, err = free(was); err != nil {
		return err
	}
	if *r.address != was {
		b.o.Log.WarnContext(ctx, "a port is taken, another one is used", "host", r.place.Name, "wanted", was, "used", *r.address)
	}
	if err := b.host(r.place); err != nil {
		return err
	}
	if r.site {
		if err := b.balancer(ctx); err != nil {
			return err
		}
	}
	program, args := b.command(r)
	if *r.proc, err = launch(r.log, program, args...); err != nil {
		return err
	}
	b.o.Log.InfoContext(ctx, "started", "host", r.place.Name, "address", *r.address, "pid", r.proc.PID)
	if err := b.st.write(b.o.Dir); err != nil {
		return err
	}
	if err := answers(ctx, r); err != nil || r.site {
		return err
	}
	return b.application(ctx, r.place)
}

// application starts what a host ran before it was down.
func (b *builder) application(ctx context.Context, p *place) error {
	home := homeOf(b.o.Dir, p.Name)
	if _, err := os.Lstat(filepath.Join(home, "current")); err != nil {
		return nil // nothing was ever deployed
	}
	if app, err := appOf(home); err != nil || app.alive() {
		return err
	}
	return local(ctx, home, "app", "restart")
}

// answers waits until the process behind an address takes connections.
func answers(ctx context.Context, r role) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startWithin, fmt.Errorf("it does not answer on %s within %v", *r.address, startWithin))
	defer cancel()
	ended := false
	err := poll(ctx, func() bool {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", *r.address)
		if err == nil {
			_ = c.Close() // it was a question
		}
		ended = err != nil && !r.proc.alive()
		return err == nil || ended
	})
	if ended {
		err = errors.New("it ended at once")
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, tail(r.log))
	}
	return nil
}

// command is what plays the host, or the balancer on it.
func (b *builder) command(r role) (program string, args []string) {
	p, site := r.place, r.site
	home := homeOf(b.o.Dir, p.Name)
	switch {
	case site && b.tools.real():
		return b.tools.nginx, []string{"-p", filepath.Join(home, "nginx") + "/", "-c", "nginx.conf", "-g", "daemon off;"}
	case site:
		return b.o.Exe, []string{"demo-balancer", "--address", p.AppAddress,
			"--upstreams", filepath.Join(home, "upstreams"), "--pid-file", filepath.Join(home, "balancer.pid")}
	case b.tools.real():
		return b.tools.sshd, []string{"-D", "-e", "-f", filepath.Join(b.folder(p), "sshd_config")}
	}
	return b.o.Exe, []string{"demo-host", "--address", p.Address, "--home",
		home, "--host-key", filepath.Join(b.folder(p), "host_key"), "--authorized-key", filepath.Join(b.folder(p), "authorized_keys")}
}

// tail is the end of a log, for an error.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(data[max(0, len(data)-logTail):]))
}
