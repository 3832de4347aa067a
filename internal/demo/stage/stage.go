// Package stage builds what the demo plays on: three application hosts and one
// that balances between them, each with a home of its own, all as the calling
// user on high ports of loopback addresses.
//
// With OpenSSH and nginx on the machine the hosts are real sshd and the balancer
// is a real nginx; else both are processes of the program itself.
//
//	Dir/stage.json        addresses, and process numbers with their start times
//	Dir/keys/user         logs in to every host
//	Dir/shared            what the application keeps
//	Dir/hosts/<name>/     host key, configuration, log
//	Dir/hosts/<name>/home bin/app or bin/lb, commands.log, and what these make
//
// Every process has a session of its own and outlives the caller. Open finds what
// runs and starts what is missing. A process is known by its number and its start
// time, so that nothing else is ever signalled.
package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
)

const (
	balancerName = "balancer"
	stateFile    = "stage.json"
)

// Options say where to build the stage and of what.
type Options struct {
	// Dir is the absolute path of the folder of the stage.
	Dir string
	// Exe is the absolute path of the program: it runs the application
	// (demo-app) and, without OpenSSH and nginx, hosts (demo-host) and balancer
	// (demo-balancer).
	Exe string
	// Real requires OpenSSH and nginx; Own does without them even where they
	// are. Neither takes what is there.
	Real, Own bool
	// Log may be nil.
	Log *slog.Logger
}

// Host is a machine on the stage.
type Host struct {
	Name string
	// Address is host:port of its SSH server, HostKey its public key as in
	// authorized_keys.
	Address string
	HostKey string
	User    string
	// AppAddress is host:port of what the host serves: the application, or the
	// site on the balancer.
	AppAddress string
	Home       string
}

// URL is the web address of what the host serves.
func (h Host) URL() string { return "http://" + h.AppAddress }

// Inbox is where an application host takes packages.
func (h Host) Inbox() string { return filepath.Join(h.Home, "incoming", "package.tar.gz") }

// Stage is a stage that stands.
type Stage struct {
	Hosts    []Host
	Balancer Host
	// PrivateKey logs in to every host, PEM.
	PrivateKey string
	// Real says that the hosts are sshd and the balancer is nginx.
	Real bool
	dir  string
	log  *slog.Logger
}

// state is stage.json.
type state struct {
	Real  bool    `json:"real"`
	Hosts []place `json:"hosts"`
	Lb    place   `json:"balancer"`
	// Site is the process of the balancer, beside the host that it is on.
	Site process `json:"site"`
}

// place is a host in stage.json.
type place struct {
	Name       string  `json:"name"`
	Address    string  `json:"address"`
	AppAddress string  `json:"appAddress"`
	HostKey    string  `json:"hostKey"`
	Process    process `json:"process"`
}

// errRelative refuses paths that depend on where somebody stands.
var errRelative = errors.New("stage: the folder of the stage and the program need absolute paths")

// Open builds the stage, or finds it again and starts what is missing. It returns
// once every host takes connections.
func Open(ctx context.Context, o Options) (*Stage, error) { return open(ctx, o, firstIP) }

// open builds a stage whose first host has the address 127.0.0.<first>, if it is
// a new one.
func open(ctx context.Context, o Options, first int) (*Stage, error) {
	if !filepath.IsAbs(o.Dir) || !filepath.IsAbs(o.Exe) {
		return nil, errRelative
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	t, err := findTools(o)
	if err != nil {
		return nil, err
	}
	release, err := alone()
	if err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	defer release()
	b := &builder{o: o, tools: t, first: first}
	if err := b.prepare(ctx); err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	if err := b.raise(ctx); err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	return load(o.Dir, o.Log)
}

// Load gives a stage as it was built, without looking whether it runs. The error
// is fs.ErrNotExist where there is none.
func Load(dir string) (*Stage, error) { return load(dir, slog.New(slog.DiscardHandler)) }

func load(dir string, log *slog.Logger) (*Stage, error) {
	st, err := readState(dir)
	if err != nil {
		return nil, err
	}
	u, err := user.Current()
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(userKey(dir))
	if err != nil {
		return nil, err
	}
	s := &Stage{PrivateKey: string(key), Real: st.Real, dir: dir, log: log}
	host := func(p place) Host {
		return Host{Name: p.Name, Address: p.Address, HostKey: p.HostKey, User: u.Username, AppAddress: p.AppAddress, Home: homeOf(dir, p.Name)}
	}
	for _, p := range st.Hosts {
		s.Hosts = append(s.Hosts, host(p))
	}
	s.Balancer = host(st.Lb)
	return s, nil
}

// Stop ends the balancer, the applications and the hosts, and waits for their
// end. It ends nothing else. What they have stored stays.
func (s *Stage) Stop() error {
	st, err := readState(s.dir)
	if err != nil {
		return err
	}
	all := []process{st.Site}
	for _, h := range s.Hosts {
		p, err := appOf(h.Home)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	for _, p := range st.Hosts {
		all = append(all, p.Process)
	}
	all = append(all, st.Lb.Process)
	s.log.Info("ending the stage", "processes", len(all))
	if err := end(all); err != nil {
		return err
	}
	st.Site, st.Lb.Process = process{}, process{}
	for i := range st.Hosts {
		st.Hosts[i].Process = process{}
	}
	return st.write(s.dir)
}

func homeOf(dir, name string) string { return filepath.Join(dir, "hosts", name, "home") }

func userKey(dir string) string { return filepath.Join(dir, "keys", "user") }

func readState(dir string) (*state, error) {
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	var st state
	if err := json.Unmarshal(data, &st); err != nil {
		return nil, fmt.Errorf("stage: %s is damaged: %w", filepath.Join(dir, stateFile), err)
	}
	return &st, nil
}

func (st *state) write(dir string) error {
	data, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(dir, stateFile), append(data, '\n'), 0o600)
}

// replace puts a file in place in one step.
func replace(path string, content []byte, mode fs.FileMode) error {
	if err := os.WriteFile(path+".new", content, mode); err != nil {
		return err
	}
	if err := os.Chmod(path+".new", mode); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
