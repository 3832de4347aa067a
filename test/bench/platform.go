package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"sextant/internal/config"
	"sextant/internal/kit/clock"
	"sextant/internal/server"
	"sextant/sdk/go/client"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

const password = "a password for the bench"

// rooms is a platform in this process with its administrator logged in.
type rooms struct {
	*client.Client
	server *server.Server
}

func openRooms(ctx context.Context, dir string, settings map[string]any) (*rooms, error) {
	all := map[string]any{"data": dir, "listen": "127.0.0.1:0", "admin.listen": ""}
	maps.Copy(all, settings)
	l, err := config.Load("", all)
	if err != nil {
		return nil, err
	}
	server.CollectLess() // as the program does
	s, err := server.Open(ctx, server.Options{Config: l.Config, Version: "bench", Clock: clock.Real{}, Log: slog.New(slog.DiscardHandler),
		AdminPassword: password})
	if err != nil {
		return nil, err
	}
	r := &rooms{server: s, Client: &client.Client{URL: s.URL(), HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}}}
	var out client.SessionOutBody
	if err := r.Call(ctx, "POST", "/api/v1/session", client.LoginInBody{Name: "admin", Password: password}, &out); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	r.Token = out.Token
	return r, nil
}

// plug connects a plugin that runs beside the platform.
func (r *rooms) plug(ctx context.Context, p *plugin.Plugin) (stop func(), err error) {
	var issued client.TokenOutBody
	if err := r.Call(ctx, "POST", "/api/v1/plugins/"+p.Name()+"/token", map[string]any{}, &issued); err != nil {
		return nil, err
	}
	h := &plugin.Host{Token: issued.Token, Incoming: issued.Token, Log: slog.New(slog.DiscardHandler)}
	handler, err := p.Handler(ctx, h)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(l) }()
	stop = func() { h.Close(); _ = srv.Close() }
	if err := r.Call(ctx, "PUT", "/api/v1/plugins/"+p.Name(), map[string]any{"url": "http://" + l.Addr().String()}, nil); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

type nothing struct{}

// doorFigures measures a run of one step the whole way: request, door, engine,
// dispatch, plugin over HTTP, and back.
func doorFigures(r *report) error { return wholeWay(r, "run.w1.rate64", nil) }

func runsOn(r *report, name, dir string, settings map[string]any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	p, err := openRooms(ctx, dir, settings)
	if err != nil {
		return err
	}
	defer p.server.Close()
	var done atomic.Int64
	noop := plugin.New(wire.Manifest{Plugin: "noop", Version: "1.0.0", Title: wire.Text{"en": "Nothing", "zh": "空"}})
	plugin.Action(noop,
		plugin.Spec{Service: "do", Action: "nothing", Title: wire.Text{"en": "Nothing", "zh": "空"}, Idempotent: true, Risk: wire.RiskRead},
		func(context.Context, *plugin.Call, nothing) (nothing, error) { done.Add(1); return nothing{}, nil })
	stop, err := p.plug(ctx, noop)
	if err != nil {
		return err
	}
	defer stop()
	start := time.Now()
	l, err := drive(64, 4*time.Second, func(ctx context.Context) error {
		return p.Call(ctx, "POST", "/api/v1/calls", map[string]any{"service": "noop/do/nothing"}, nil)
	})
	if err != nil {
		return err
	}
	for {
		var page client.PageOfProcessRun
		if err := p.Call(ctx, "GET", "/api/v1/runs?state=active&limit=1", nil, &page); err != nil {
			return err
		}
		if len(page.Items) == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if int(done.Load()) != l.n {
		return fmt.Errorf("%d runs and %d calls", l.n, done.Load())
	}
	r.add(name, float64(l.n)/time.Since(start).Seconds(), "/s", 0,
		"64 callers over HTTP; door, engine, dispatch and a plugin over HTTP, until all have ended")
	return nil
}

// serverFigures measures the program as its users start it.
func serverFigures(r *report) error {
	dir, err := os.MkdirTemp("", "sextant-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "sextant")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin, "./cmd/sextant")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return err
	}
	info, err := os.Stat(bin)
	if err != nil {
		return err
	}
	r.add("server.binary_mb", float64(info.Size())/(1<<20), "MB", 90, "static, stripped")
	listen, err := freePort()
	if err != nil {
		return err
	}
	cmd := exec.Command(bin, "server", "--data", filepath.Join(dir, "data"), "--listen", listen, "--admin.listen", "")
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() }()
	if err := ready("http://"+listen, 30*time.Second); err != nil {
		return err
	}
	r.add("server.ready_s", time.Since(start).Seconds(), "s", 2, "first start: keys, tables, administrator, plugins")
	time.Sleep(5 * time.Second) // what the start needed is given back
	rss, err := residentMB(cmd.Process.Pid)
	if err != nil {
		return err
	}
	r.add("server.idle_rss_mb", rss, "MB", 120, "resident five seconds after the start, nothing to do")
	return nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func ready(url string, within time.Duration) error {
	deadline := time.Now().Add(within)
	for {
		resp, err := http.Get(url + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the server was not ready within %s: %w", within, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func residentMB(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 64)
			return kb / 1024, err
		}
	}
	return 0, errors.New("the resident memory is not told")
}
