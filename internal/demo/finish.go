package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"sextant/internal/terminal/live"
	"sextant/sdk/go/client"
)

// check looks at everything that the demo claims, as an auditor would: the
// objects, the requests, and the run that a person ends.
func (s *show) check(ctx context.Context) error {
	if err := s.checkObjects(ctx); err != nil {
		return err
	}
	if err := s.checkDecision(ctx); err != nil {
		return err
	}
	n := s.traffic.Stop()
	s.report.RequestsServed, s.report.RequestsFailed = n.Served, n.Failed
	switch {
	case n.Failed > 0:
		return fmt.Errorf("%d of %d requests failed: %v", n.Failed, n.Served+n.Failed, n.Reasons)
	case n.Versions["1.0.0"] == 0 || n.Versions["1.1.0"] == 0:
		return fmt.Errorf("the requests saw %v, but should have seen 1.0.0 and then 1.1.0", n.Versions)
	case n.Versions["1.2.0-broken"] > 0:
		return fmt.Errorf("%d requests were served by the broken version", n.Versions["1.2.0-broken"])
	}
	return nil
}

func (s *show) checkObjects(ctx context.Context) error {
	var page client.PageOfWireRow
	if err := s.Call(ctx, "POST", "/api/v1/objects/cmdb:instance/query", map[string]any{}, &page); err != nil {
		return err
	}
	if len(page.Items) != len(s.stage.Hosts) {
		return fmt.Errorf("there are %d instances, want %d", len(page.Items), len(s.stage.Hosts))
	}
	for _, row := range page.Items {
		for attr, want := range map[string]any{"version": "1.1.0", "version@observed": "1.1.0", "state@observed": "up"} {
			if row[attr] != want {
				return fmt.Errorf("the instance %v has %s = %v, want %v", row["id"], attr, row[attr], want)
			}
		}
	}
	return nil
}

// checkDecision ends the release that waits, as the person who is asked.
func (s *show) checkDecision(ctx context.Context) error {
	var page client.PageOfWorklistTask
	if err := s.Call(ctx, "GET", "/api/v1/tasks", nil, &page); err != nil {
		return err
	}
	if len(page.Items) != 1 {
		return fmt.Errorf("%d tasks wait for a person, want 1", len(page.Items))
	}
	t := page.Items[0]
	var told struct {
		After []string `json:"after_roll_back"`
	}
	if err := s.Call(ctx, "GET", "/api/v1/runs/"+t.Run+"/variables", nil, &told); err != nil {
		return err
	}
	if !slices.Contains(told.After, "requests failed: 0") {
		return fmt.Errorf("the run says of the requests %q, want that none failed", told.After)
	}
	if err := s.Call(ctx, "POST", "/api/v1/tasks/"+t.Key+"/complete",
		map[string]any{"variables": map[string]any{"decision": "stop"}}, nil); err != nil {
		return err
	}
	r, err := s.follow(ctx, t.Run, func(_ *live.View, r client.ProcessRun) bool { return r.State != "active" })
	if err == nil && (r.State != "failed" || r.Code != "release.stopped") {
		err = fmt.Errorf("the stopped release is %s %s, want failed release.stopped", r.State, r.Code)
	}
	return err
}

// finish prints the table.
func (s *show) finish() {
	n := s.traffic.Now()
	s.report.RequestsServed, s.report.RequestsFailed = n.Served, n.Failed
	w := tabwriter.NewWriter(s.Out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(w, "\nStep\tTime\tResult")
	for _, l := range s.lines {
		_, _ = fmt.Fprintf(w, "%s\t%5.1f s\t%s\n", l.name, l.took.Seconds(), l.result)
	}
	_, _ = fmt.Fprintf(w, "From start to the first green release\t%5.1f s\t\n", s.report.FirstGreen)
	_, _ = fmt.Fprintf(w, "Requests served, failed\t\t%d, %d\n", n.Served, n.Failed)
	_ = w.Flush() // standard output
}

// invite says what can be done now.
func (s *show) invite() {
	_, _ = fmt.Fprintf(s.Out, `
The console is at %[1]s: sign in as admin with the password in
%[5]s.
The site is at %[2]s. Look around in another terminal:

  export SEXTANT_CREDENTIALS=%[3]s/credentials.json
  %[4]s runs list
  %[4]s task list
  %[4]s task complete <task> --var decision=stop
  %[4]s object list cmdb:instance

Ctrl-C ends the server, the hosts and the application.
`, s.URL, s.stage.Balancer.URL(), s.Dir, program(s.Exe), s.passwordFile())
}

// program is how a person here calls this program.
func program(exe string) string {
	here, err := os.Getwd()
	if err != nil {
		return exe
	}
	if near, err := filepath.Rel(here, exe); err == nil && !strings.HasPrefix(near, "..") {
		return near
	}
	return exe
}
