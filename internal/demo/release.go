package demo

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"sextant/internal/demo/traffic"
	"sextant/internal/terminal/live"
	"sextant/sdk/go/client"
)

const redraw = 200 * time.Millisecond

func (s *show) load(ctx context.Context) (string, error) {
	if err := s.clear(ctx); err != nil {
		return "", err
	}
	objects, processes, err := Load(ctx, s.Client, s.stage)
	return fmt.Sprintf("%d objects, %d processes", objects, processes), err
}

// clear ends the runs that an earlier play in the same folder has left: the
// release that waits for a person holds the unit.
func (s *show) clear(ctx context.Context) error {
	for _, state := range []string{"active", "incident"} {
		var page client.PageOfProcessRun
		if err := s.Call(ctx, "GET", client.Query("/api/v1/runs", "state", state, "limit", "500"), nil, &page); err != nil {
			return err
		}
		for _, r := range page.Items {
			if err := s.Call(ctx, "POST", "/api/v1/runs/"+r.Key+"/cancel", client.CancelBody{Reason: "the demo begins anew"}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// release runs a process that brings a version, until stop is content.
func (s *show) release(ctx context.Context, process, version string,
	stop func(*live.View, client.ProcessRun) bool) (client.ProcessRun, error) {
	run, err := Start(ctx, s.Client, process, version)
	if err != nil {
		return client.ProcessRun{}, err
	}
	return s.follow(ctx, run, stop)
}

// follow draws a run until stop is content with it.
func (s *show) follow(ctx context.Context, run string, stop func(*live.View, client.ProcessRun) bool) (client.ProcessRun, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, greenFor, fmt.Errorf("the run %s took longer than %s", run, greenFor))
	defer cancel()
	view := live.New(s.Err, s.Terminal, s.Size)
	view.Footer = s.footer
	var mu sync.Mutex
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		tick := time.NewTicker(redraw)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case now := <-tick.C:
				mu.Lock()
				view.Draw(now)
				mu.Unlock()
			}
		}
	})
	var last client.ProcessRun
	err := s.Watch(ctx, run, nil, func(u client.Update) bool {
		mu.Lock()
		defer mu.Unlock()
		last = u.Run
		view.Take(u, time.Now())
		return !stop(view, u.Run)
	})
	close(done)
	wg.Wait()
	return last, err
}

func (s *show) footer() string {
	if s.traffic == nil {
		return ""
	}
	n := s.traffic.Now()
	text := fmt.Sprintf("  requests %d · failed %d", n.Served+n.Failed, n.Failed)
	for _, version := range slices.Sorted(maps.Keys(n.Versions)) {
		text += fmt.Sprintf(" · %s answered %d", version, n.Versions[version])
	}
	return text
}

// over waits for the end of a run, or for an incident.
func over(_ *live.View, r client.ProcessRun) bool { return r.State != "active" }

// asked waits for a user task.
func asked(v *live.View, r client.ProcessRun) bool {
	tasks, _ := v.Waiting()
	return r.State != "active" || len(tasks) > 0
}

func (s *show) deploy(ctx context.Context) (string, error) {
	r, err := s.release(ctx, "deploy", "1.0.0", over)
	if err != nil {
		return "", err
	}
	if r.State != "completed" {
		return "", fmt.Errorf("the run %s is %s:%s", r.Key, r.State, Trouble(ctx, s.Client, r.Key))
	}
	s.traffic = traffic.Start(context.WithoutCancel(ctx), s.stage.Balancer.URL())
	s.tell()
	return "completed", nil
}

// tell writes what the client has counted to the balancer's host, so that the
// step that puts an instance back says it within the run.
func (s *show) tell() {
	ctx, stop := context.WithCancel(context.Background())
	file, done := filepath.Join(s.stage.Balancer.Home, "requests"), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(redraw)
		defer tick.Stop()
		for {
			n := s.traffic.Now()
			text := fmt.Sprintf("requests served: %d\nrequests failed: %d\n", n.Served, n.Failed)
			if os.WriteFile(file+".new", []byte(text), 0o600) != nil || os.Rename(file+".new", file) != nil {
				return // the count is told in the terminal all the same
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	s.untold = func() { stop(); <-done }
}

func (s *show) good(ctx context.Context) (string, error) {
	r, err := s.release(ctx, "rolling-release", "1.1.0", asked)
	if err != nil {
		return "", err
	}
	if r.State != "completed" {
		return "", fmt.Errorf("the run %s is %s:%s", r.Key, r.State, Trouble(ctx, s.Client, r.Key))
	}
	s.report.FirstGreen = time.Since(s.Began).Seconds()
	return "completed", nil
}

func (s *show) broken(ctx context.Context) (string, error) {
	r, err := s.release(ctx, "rolling-release", "1.2.0-broken", asked)
	if err != nil {
		return "", err
	}
	if r.State != "active" {
		return "", fmt.Errorf("the run %s is %s, but it should have rolled back and wait for a person:%s",
			r.Key, r.State, Trouble(ctx, s.Client, r.Key))
	}
	return "rolled back, waits for a person", nil
}
