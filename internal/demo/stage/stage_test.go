package stage_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sextant/examples/apps/guestbook"
	"sextant/internal/demo/balancer"
	"sextant/internal/demo/stage"
	"sextant/internal/demo/traffic"
	"sextant/sdk/go/ssh"
	"sextant/sdk/go/ssh/sshserver"
)

// TestMain lets the test binary be the program that the stage starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "demo-") {
		if err := play(os.Args[1], os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func play(role string, args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	f := flag.NewFlagSet(role, flag.ContinueOnError)
	value := map[string]*string{}
	for _, name := range []string{"dir", "data", "listen", "address", "home", "host-key", "authorized-key", "upstreams", "pid-file"} {
		value[name] = f.String(name, "", "")
	}
	if err := f.Parse(args); err != nil {
		return err
	}
	switch role {
	case "demo-app":
		return guestbook.Run(ctx, guestbook.Options{Dir: *value["dir"], Data: *value["data"], Address: *value["listen"], Out: os.Stdout})
	case "demo-balancer":
		return balancer.Run(ctx, balancer.Options{Address: *value["address"], UpstreamFile: *value["upstreams"], PIDFile: *value["pid-file"]})
	}
	hostKey, err := os.ReadFile(*value["host-key"])
	if err != nil {
		return err
	}
	authorized, err := os.ReadFile(*value["authorized-key"])
	if err != nil {
		return err
	}
	return sshserver.Serve(ctx,
		sshserver.Options{Address: *value["address"], HostKey: string(hostKey), AuthorizedKey: string(authorized), Home: *value["home"]})
}

// kinds are the stages that every test runs on.
func kinds() map[string]stage.Options {
	return map[string]stage.Options{"real": {Real: true}, "own": {Own: true}}
}

// crew works on the hosts of a stage the way the platform does.
type crew struct {
	*stage.Stage
	t    *testing.T
	o    stage.Options
	ip   int
	pool *ssh.Pool
	keys atomic.Int64
}

// addresses gives every stage of the tests addresses of its own: ports that are
// free for a moment, such as those of a stage that is opened again, would be taken
// by others.
var addresses atomic.Int64

func open(t *testing.T, o stage.Options) *crew {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "stage of it")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	o.Dir, o.Exe = dir, exe
	c := &crew{t: t, o: o, ip: 20 + 5*int(addresses.Add(1)), pool: ssh.NewPool()}
	t.Cleanup(func() {
		c.pool.Close()
		if s, err := stage.Load(dir); err == nil {
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
		}
	})
	c.open()
	return c
}

// open opens the stage, for the first time or again.
func (c *crew) open() {
	c.t.Helper()
	s, err := stage.OpenAt(c.t.Context(), c.o, c.ip)
	if err != nil {
		c.t.Fatal(err)
	}
	c.Stage = s
}

func (c *crew) access(h stage.Host) (ssh.Target, ssh.Credential) {
	return ssh.Target{Address: h.Address, HostKeys: []string{h.HostKey}}, ssh.Credential{User: h.User, PrivateKey: c.PrivateKey}
}

// try runs one of the scripts of a host.
func (c *crew) try(h stage.Host, script string, args ...string) (ssh.Result, error) {
	to, cred := c.access(h)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.t.Context()), time.Minute)
	defer cancel()
	return c.pool.Run(ctx, to, cred, ssh.Command{Key: fmt.Sprint(c.keys.Add(1)), Script: `exec "$HOME/bin/` + script + `" "$@"`, Args: args})
}

func (c *crew) run(h stage.Host, script string, args ...string) string {
	c.t.Helper()
	got, err := c.try(h, script, args...)
	if err != nil || got.ExitCode != 0 {
		c.t.Fatalf("%s: %s %v: %v, exit %d: %s", h.Name, script, args, err, got.ExitCode, got.Stderr)
	}
	return strings.TrimSpace(got.Stdout)
}

func (c *crew) push(h stage.Host, version string) {
	c.t.Helper()
	data, sum, err := guestbook.Package(version)
	if err != nil {
		c.t.Fatal(err)
	}
	to, cred := c.access(h)
	file := ssh.File{Path: h.Inbox(), Mode: 0o644, SHA256: sum, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
	if _, err := c.pool.Copy(c.t.Context(), to, cred, file); err != nil {
		c.t.Fatal(err)
	}
}

// healthy waits until the application of a host says that it is well, or that it
// is not.
func (c *crew) healthy(h stage.Host, version string) bool {
	c.t.Helper()
	for {
		resp, err := http.Get(h.URL() + "/healthz")
		if err != nil {
			select {
			case <-c.t.Context().Done():
				c.t.Fatal(err)
			case <-time.After(20 * time.Millisecond):
			}
			continue
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close() // it was read
		if err != nil {
			c.t.Fatal(err)
		}
		return resp.StatusCode == http.StatusOK && strings.TrimSpace(string(body)) == "ok "+version
	}
}

// together does something on hosts at once.
func together(hosts []stage.Host, fn func(stage.Host)) {
	var wg sync.WaitGroup
	for _, h := range hosts {
		wg.Go(func() { fn(h) })
	}
	wg.Wait()
}

// deploy brings a version to hosts that are out of the balancer and reports
// whether all of them are well.
func (c *crew) deploy(hosts []stage.Host, version string) bool {
	c.t.Helper()
	var bad atomic.Bool
	together(hosts, func(h stage.Host) {
		c.push(h, version)
		c.run(h, "app", "install", h.Inbox(), version)
		c.run(h, "app", "switch", version)
		c.run(h, "app", "restart")
		if !c.healthy(h, version) {
			bad.Store(true)
		}
	})
	return !bad.Load()
}

func (c *crew) out(h stage.Host) { c.t.Helper(); c.run(c.Balancer, "lb", "out", h.AppAddress) }
func (c *crew) in(h stage.Host)  { c.t.Helper(); c.run(c.Balancer, "lb", "in", h.AppAddress) }

// release rolls a version out by batches of 1 and 2; a batch that fails goes back
// and ends it.
func (c *crew) release(version string) bool {
	c.t.Helper()
	for _, batch := range [][]stage.Host{c.Hosts[:1], c.Hosts[1:]} {
		together(batch, c.out)
		ok := c.deploy(batch, version)
		if !ok {
			together(batch, func(h stage.Host) {
				c.run(h, "app", "rollback")
				c.run(h, "app", "restart")
				if before := c.run(h, "app", "version"); !c.healthy(h, before) {
					c.t.Errorf("%s is not well after it went back to %s", h.Name, before)
				}
			})
		}
		together(batch, c.in)
		if !ok {
			return false
		}
	}
	return true
}

// asked waits until the site was asked some more times.
func (c *crew) asked(client *traffic.Client, more int) {
	c.t.Helper()
	want := client.Now().Served + client.Now().Failed + more
	until(c.t, "more traffic", func() bool { s := client.Now(); return s.Served+s.Failed >= want })
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("it did not happen: %s", what)
		case <-tick.C:
		}
	}
}

// The whole play: a first version, a good release and a broken one, while a
// client asks all the time.
func TestReleasesLoseNoRequest(t *testing.T) {
	t.Parallel()
	for name, o := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t, o)
			if c.Real != o.Real || len(c.Hosts) != 3 {
				t.Fatalf("real %v with %d hosts", c.Real, len(c.Hosts))
			}
			if resp, err := http.Get(c.Balancer.URL()); err != nil || resp.StatusCode != http.StatusServiceUnavailable {
				t.Fatalf("a site without applications: %v %v", resp, err)
			}
			if !c.deploy(c.Hosts, "1.0.0") {
				t.Fatal("1.0.0 is not well")
			}
			together(c.Hosts, c.in)
			client := traffic.Start(t.Context(), c.Balancer.URL())
			c.asked(client, 20)
			if !c.release("1.1.0") {
				t.Error("1.1.0 is not well")
			}
			c.asked(client, 20)
			if c.release("1.2.0-broken") {
				t.Error("1.2.0-broken is well")
			}
			c.asked(client, 20)
			sum := client.Stop()
			if sum.Failed > 0 || sum.Versions["1.0.0"] == 0 || sum.Versions["1.1.0"] == 0 || len(sum.Versions) != 2 {
				t.Errorf("the client saw %+v", sum)
			}
			t.Logf("the client saw %+v", sum)
			for _, h := range c.Hosts {
				if got := c.run(h, "app", "status"); got != "1.1.0 up" {
					t.Errorf("%s is %s", h.Name, got)
				}
			}
			if got := strings.Count(c.run(c.Balancer, "lb", "list"), "\n") + 1; got != 3 {
				t.Errorf("%d applications are in the balancer", got)
			}
		})
	}
}

// commands lists what the scripts of a host were asked, without the times.
func commands(t *testing.T, h stage.Host) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(h.Home, "commands.log"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		at, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, err := time.Parse(time.RFC3339, at); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		all = append(all, command)
	}
	return all
}

func TestScriptsMayRunTwice(t *testing.T) {
	t.Parallel()
	for name, o := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t, o)
			h := c.Hosts[0]
			if got, err := c.try(h, "app", "version"); err != nil || got.ExitCode == 0 {
				t.Errorf("nothing is deployed: %+v %v", got, err)
			}
			if got := c.run(h, "app", "status"); got != "none down" {
				t.Errorf("nothing is deployed: %s", got)
			}
			steps := []struct{ script, want string }{
				{"install 1.0.0", "installed 1.0.0"}, {"install 1.0.0", "1.0.0 is installed"},
				{"switch 1.0.0", "switched from nothing to 1.0.0"}, {"switch 1.0.0", "1.0.0 is current"},
				{"rollback", "there is nothing to go back to"},
				{"restart", "started 1.0.0 as process"}, {"restart", "started 1.0.0 as process"},
				{"install 1.1.0", "installed 1.1.0"}, {"switch 1.1.0", "switched from 1.0.0 to 1.1.0"}, {"switch 1.1.0", "1.1.0 is current"},
				{"version", "1.1.0"},
				{"rollback", "went back to 1.0.0"}, {"rollback", "there is nothing to go back to"},
				{"version", "1.0.0"}, {"status", "1.0.0 up"},
			}
			for _, s := range steps {
				args := strings.Fields(s.script)
				if args[0] == "install" {
					c.push(h, args[1])
					args = []string{"install", h.Inbox(), args[1]}
				}
				if got := c.run(h, "app", args...); !strings.HasPrefix(got, s.want) {
					t.Errorf("%s says %q, want %q", s.script, got, s.want)
				}
			}
			for _, bad := range [][]string{{"install", h.Inbox(), "1.0.0"}, {"install", "/no/such", "1.0.0"},
				{"switch", "9.9.9"}, {"switch", "../x"}, {"switch", ""}, {"dance"}, {}} {
				if got, err := c.try(h, "app", bad...); err != nil || got.ExitCode == 0 {
					t.Errorf("app %q: %+v %v", bad, got, err)
				}
			}
			want := []string{"app version", "app status", "app install " + h.Inbox() + " 1.0.0",
				"app install " + h.Inbox() + " 1.0.0", "app switch 1.0.0", "app switch 1.0.0", "app rollback", "app restart", "app restart"}
			if got := commands(t, h); !slices.Equal(got[:len(want)], want) {
				t.Errorf("the commands were %q", got)
			}
		})
	}
}

func TestTheListOfTheBalancer(t *testing.T) {
	t.Parallel()
	for name, o := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t, o)
			var wg sync.WaitGroup
			var want []string
			for i := range 6 {
				a := fmt.Sprintf("127.0.0.1:%d", 9000+i)
				if i > 0 {
					want = append(want, a)
				}
				for range 2 {
					wg.Go(func() { c.run(c.Balancer, "lb", "in", a) })
				}
			}
			wg.Wait()
			for range 2 {
				c.run(c.Balancer, "lb", "out", "127.0.0.1:9000")
			}
			if got := strings.Fields(c.run(c.Balancer, "lb", "list")); !slices.Equal(got, want) {
				t.Errorf("the list is %v", got)
			}
			for _, bad := range [][]string{{"in", "nowhere"}, {"in", "a;b:1"}, {"in", ":1"}, {"out"}, {}} {
				if got, err := c.try(c.Balancer, "lb", bad...); err != nil || got.ExitCode == 0 {
					t.Errorf("lb %q: %+v %v", bad, got, err)
				}
			}
			// The balancer refuses what does not make an address: the list stays.
			if got, err := c.try(c.Balancer, "lb", "in", "127.0.0.1:99999999"); o.Real && (err != nil || got.ExitCode == 0) {
				t.Errorf("a port that does not exist: %+v %v", got, err)
			}
			if got := strings.Fields(c.run(c.Balancer, "lb", "list")); o.Real && !slices.Equal(got, want) {
				t.Errorf("the list is %v", got)
			}
			for _, a := range strings.Fields(c.run(c.Balancer, "lb", "list")) {
				c.run(c.Balancer, "lb", "out", a)
			}
			resp, err := http.Get(c.Balancer.URL())
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close() // only the status counts
			if resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("an empty list: %d", resp.StatusCode)
			}
		})
	}
}

func TestAStageIsFoundAgain(t *testing.T) {
	t.Parallel()
	for name, o := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t, o)
			if !c.deploy(c.Hosts, "1.0.0") {
				t.Fatal("1.0.0 is not well")
			}
			together(c.Hosts, c.in)
			before, first := read(t, c), *c.Stage
			c.open()
			if after := read(t, c); after != before || c.PrivateKey != first.PrivateKey || !slices.Equal(c.Hosts, first.Hosts) {
				t.Errorf("it was %s and is %s", before, after)
			}
			if err := c.Stop(); err != nil {
				t.Fatal(err)
			}
			for _, h := range append(c.Hosts, c.Balancer) {
				for _, url := range []string{h.URL(), "http://" + h.Address} {
					if resp, err := http.Get(url); !errors.Is(err, syscall.ECONNREFUSED) {
						t.Errorf("%s: %s still answers: %v %v", h.Name, url, resp, err)
					}
				}
			}
			if err := c.Stop(); err != nil {
				t.Errorf("a second stop: %v", err)
			}
			c.pool.Close()
			c.pool = ssh.NewPool()
			c.open()
			if !slices.Equal(c.Hosts, first.Hosts) || c.Balancer != first.Balancer {
				t.Errorf("it was %+v and is %+v", first, c.Stage)
			}
			for _, h := range c.Hosts {
				if !c.healthy(h, "1.0.0") {
					t.Errorf("%s is not well", h.Name)
				}
			}
			if resp, err := http.Get(c.Balancer.URL()); err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("the site: %v %v", resp, err)
			}
		})
	}
}

func read(t *testing.T, c *crew) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.o.Dir, "stage.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A process whose number was given to another one is not that one.
func TestOnlyOwnProcessesAreEnded(t *testing.T) {
	t.Parallel()
	c := open(t, stage.Options{Own: true})
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	other := exec.CommandContext(t.Context(), "sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- other.Wait() }()
	pid := fmt.Sprint(other.Process.Pid)
	spoilt := strings.ReplaceAll(read(t, c), `"process": {}`, `"process": {"pid": `+pid+`, "started": "1"}`)
	if !strings.Contains(spoilt, pid) {
		t.Fatalf("the state is %s", spoilt)
	}
	if err := os.WriteFile(filepath.Join(c.o.Dir, "stage.json"), []byte(spoilt), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Hosts[0].Home, "app.pid"), []byte(pid+" 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		t.Errorf("another process was ended: %v", err)
	default:
	}
}

func TestOtherKindsReplaceEachOther(t *testing.T) {
	t.Parallel()
	c := open(t, stage.Options{Own: true})
	if !c.deploy(c.Hosts, "1.0.0") {
		t.Fatal("1.0.0 is not well")
	}
	together(c.Hosts, c.in)
	first := *c.Stage
	c.pool.Close()
	c.pool = ssh.NewPool()
	c.o.Own, c.o.Real = false, true
	c.open()
	if !c.Real || !slices.Equal(c.Hosts, first.Hosts) {
		t.Errorf("it is real %v with %+v", c.Real, c.Hosts)
	}
	c.out(c.Hosts[0])
	if resp, err := http.Get(c.Balancer.URL()); err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Server") != "nginx" {
		t.Errorf("the site: %v %v", resp, err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, o := range []stage.Options{{Dir: "x", Exe: "/x"}, {Dir: t.TempDir(), Exe: "x"}} {
		if _, err := stage.Open(t.Context(), o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	if _, err := stage.Open(t.Context(), stage.Options{Dir: t.TempDir(), Exe: "/bin/false", Own: true}); err == nil ||
		!strings.Contains(err.Error(), "ended at once") {
		t.Errorf("a program that ends: %v", err)
	}
	if _, err := stage.Load(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no stage: %v", err)
	}
}

// A single port that somebody has taken is replaced by another of its host.
func TestATakenPortIsGoneAround(t *testing.T) {
	t.Parallel()
	ip := 20 + 5*int(addresses.Add(1))
	second := fmt.Sprintf("127.0.0.%d:2212", ip+1)
	s := besides(t, ip, second)
	if s.Hosts[0].Address != fmt.Sprintf("127.0.0.%d:2211", ip) || s.Hosts[1].Address == second ||
		!strings.HasPrefix(s.Hosts[1].Address, fmt.Sprintf("127.0.0.%d:", ip+1)) {
		t.Errorf("the hosts are at %s and %s", s.Hosts[0].Address, s.Hosts[1].Address)
	}
}

// Where the first host of another stage is, the whole stage goes elsewhere.
func TestAnotherStageIsGoneAround(t *testing.T) {
	t.Parallel()
	const ip = 200 // with room behind it that no other test uses
	s := besides(t, ip, fmt.Sprintf("127.0.0.%d:2211", ip))
	if s.Hosts[0].Address != fmt.Sprintf("127.0.0.%d:2211", ip+4) || s.Balancer.Address != fmt.Sprintf("127.0.0.%d:2214", ip+7) {
		t.Errorf("the stage is at %s to %s", s.Hosts[0].Address, s.Balancer.Address)
	}
}

// besides opens a stage while somebody listens on an address.
func besides(t *testing.T, ip int, address string) *stage.Stage {
	t.Helper()
	taken, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip("this system has one loopback address")
	}
	t.Cleanup(func() { _ = taken.Close() })
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := stage.OpenAt(t.Context(), stage.Options{Dir: t.TempDir(), Exe: exe, Own: true}, ip)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}
