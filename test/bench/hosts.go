package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sextant/sdk/go/client"
	"sextant/sdk/go/ssh/sshtest"
)

const (
	fanout      = 20
	fanoutRuns  = 5
	fanoutShell = "echo hello from $(uname -n); cat /proc/loadavg"
)

// fanoutFigures runs one script on twenty real sshd, by the platform and by
// xargs with ssh, in turn.
func fanoutFigures(r *report) error {
	var err error
	testing.Benchmark(func(b *testing.B) { // lends the servers something to belong to
		if b.N > 1 {
			return
		}
		var servers []*sshtest.Server
		for range fanout {
			s := sshtest.Start(b)
			servers = append(servers, s)
			s.Accept(b, servers[0])
		}
		err = measureFanout(r, servers)
	})
	return err
}

func measureFanout(r *report, servers []*sshtest.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "sextant-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := openRooms(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer p.server.Close()
	refs, err := p.hosts(ctx, servers)
	if err != nil {
		return err
	}
	targets, err := sshConfig(dir, servers)
	if err != nil {
		return err
	}
	if _, err := p.script(ctx, refs); err != nil { // opens the connections
		return err
	}
	var ours, theirs []time.Duration
	for range fanoutRuns {
		took, err := p.script(ctx, refs)
		if err != nil {
			return err
		}
		ours = append(ours, took)
		if took, err = xargs(ctx, dir, targets); err != nil {
			return err
		}
		theirs = append(theirs, took)
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	mine, other := ours[fanoutRuns/2], theirs[fanoutRuns/2]
	r.add("host.fanout20.ratio", mine.Seconds()/other.Seconds(), "", 1,
		fmt.Sprintf("median of %d: ours %d ms from request to end of run, warm connections, detached folders; xargs -P20 ssh %d ms",
			fanoutRuns, mine.Milliseconds(), other.Milliseconds()))
	return nil
}

func (r *rooms) hosts(ctx context.Context, servers []*sshtest.Server) ([]string, error) {
	var refs []string
	var rows []map[string]any
	for i, s := range servers {
		id := fmt.Sprintf("h%d", i)
		refs = append(refs, "host:host/"+id)
		rows = append(rows,
			map[string]any{"id": id, "name": id, "address": s.Address, "host_key": strings.TrimSpace(s.HostKey), "user": s.User})
	}
	if err := r.Call(ctx, "POST", "/api/v1/objects/host:host", rows, nil); err != nil {
		return nil, err
	}
	in := client.SettingInput{Type: "ssh", Secrets: map[string]string{"private_key": servers[0].PrivateKey}}
	return refs, r.Call(ctx, "PUT", "/api/v1/connections/bench", in, nil)
}

// script runs the script on all hosts as one run and gives the time until the
// run has ended.
func (r *rooms) script(ctx context.Context, refs []string) (time.Duration, error) {
	start := time.Now()
	var v client.ControlVerdict
	body := map[string]any{"service": "host/script/run", "objects": refs,
		"variables": map[string]any{"script": fanoutShell, "credential": "connection/bench"}}
	if err := r.Call(ctx, "POST", "/api/v1/calls", body, &v); err != nil {
		return 0, err
	}
	state := client.ProcessRunState("")
	err := r.Watch(ctx, v.Run, nil, func(u client.Update) bool { state = u.Run.State; return state == "active" })
	took := time.Since(start)
	if err == nil && state != "completed" {
		var page client.PageOfProcessIncident
		_ = r.Call(ctx, "GET", "/api/v1/incidents", nil, &page) // for the message alone
		err = fmt.Errorf("the run is %s: %+v", state, page.Items)
	}
	return took, err
}

// sshConfig writes a configuration with a name for each server.
func sshConfig(dir string, servers []*sshtest.Server) ([]string, error) {
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte(servers[0].PrivateKey), 0o600); err != nil {
		return nil, err
	}
	var names []string
	var known, config strings.Builder
	for i, s := range servers {
		host, port, err := net.SplitHostPort(s.Address)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("h%d", i)
		names = append(names, name)
		fmt.Fprintf(&known, "[%s]:%s %s", host, port, s.HostKey)
		fmt.Fprintf(&config, "Host %s\n HostName %s\n Port %s\n User %s\n", name, host, port, s.User)
	}
	fmt.Fprintf(&config, "Host *\n IdentityFile %s\n IdentitiesOnly yes\n UserKnownHostsFile %s\n BatchMode yes\n LogLevel ERROR\n", key,
		filepath.Join(dir, "known"))
	return names,
		errors.Join(os.WriteFile(filepath.Join(dir, "known"), []byte(known.String()), 0o600),
			os.WriteFile(filepath.Join(dir, "config"), []byte(config.String()), 0o600))
}

func xargs(ctx context.Context, dir string, names []string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, "xargs", "-P20", "-I{}", "ssh", "-F", filepath.Join(dir, "config"), "{}", fanoutShell)
	cmd.Stdin = strings.NewReader(strings.Join(names, "\n") + "\n")
	start := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(start)
	if err == nil && strings.Count(string(out), "hello from") != len(names) {
		err = errors.New("not every host answered")
	}
	if err != nil {
		err = fmt.Errorf("xargs ssh: %w: %s", err, out)
	}
	return took, err
}
