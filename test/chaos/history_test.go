package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sextant/sdk/go/client"
	"sextant/test/chaos/audit"
)

// pages reads a list to its end.
func pages[T any](ctx context.Context, c *client.Client, path string) ([]T, error) {
	var all []T
	for after := ""; ; {
		var page struct {
			Items []T
			Next  string
		}
		next := path
		if after != "" {
			next += "&after=" + url.QueryEscape(after)
		}
		if err := c.Call(ctx, "GET", next, nil, &page); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, page.Items...)
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}

// settle waits until all runs are over; it says which are not, in time.
func (l *load) settle(ctx context.Context, within time.Duration) string {
	deadline := time.Now().Add(within)
	for {
		open := []string{}
		for _, state := range []string{"active", "waiting", "stopping"} {
			all, err := pages[client.ProcessRun](ctx, l.Client, "/api/v1/runs?limit=100&state="+state)
			if err != nil {
				open = append(open, err.Error())
			}
			for _, r := range all {
				open = append(open, r.Key+" "+r.Title)
			}
		}
		if len(open) == 0 {
			return ""
		}
		if time.Now().After(deadline) {
			return fmt.Sprintf("after %s these are not over: %s", within, strings.Join(open, ", "))
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// history reads what the platform says of itself.
func (l *load) history(ctx context.Context) (*audit.Said, error) {
	s := &audit.Said{Values: map[string][]string{}, Recorded: map[string]int{}}
	for _, called := range []string{"no", "only"} {
		runs, err := pages[client.ProcessRun](ctx, l.Client, "/api/v1/runs?limit=100&called="+called)
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			one := audit.Run{Key: r.Key, Title: r.Title, Process: r.Process, State: string(r.State), Parent: r.Parent,
				Started: r.Started, Ended: r.Ended}
			var steps client.PageOfProcessStep
			if err := l.Call(ctx, "GET", "/api/v1/runs/"+r.Key+"/steps", nil, &steps); err != nil {
				return nil, err
			}
			for _, st := range steps.Items {
				one.Steps = append(one.Steps, audit.Step{Element: st.Element, Index: st.Index, State: string(st.State), Loop: st.Loop})
			}
			s.Runs = append(s.Runs, one)
		}
	}
	var err error
	if s.Events, err = pages[audit.Event](ctx, l.Client, "/api/v1/events?limit=100"); err != nil {
		return nil, err
	}
	if err := l.recorded(ctx, s); err != nil {
		return nil, err
	}
	lists := []string{"tasks?limit=100", "waits?limit=100", "incidents?limit=100", "waiting?project=default"}
	for _, host := range hosts {
		lists = append(lists, "locks?object=host:host/"+host)
	}
	for _, path := range lists {
		left, err := pages[json.RawMessage](ctx, l.Client, "/api/v1/"+path)
		if err != nil {
			return nil, err
		}
		for _, one := range left {
			s.Left = append(s.Left, path+" "+string(one))
		}
	}
	return s, nil
}

// recorded reads the audit log: of starts, and of what objects have had.
func (l *load) recorded(ctx context.Context, s *audit.Said) error {
	titles := map[string]string{}
	for _, r := range s.Runs {
		titles["run/"+r.Key] = r.Title
	}
	all, err := pages[client.AuditRecord](ctx, l.Client, "/api/v1/audit?limit=100")
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.Verb == "run.start" && a.Outcome == "done" {
			s.Recorded[titles[a.Object]]++
		}
	}
	for _, host := range hosts[2:] {
		all, err := pages[client.AuditRecord](ctx, l.Client, "/api/v1/objects/host:host/"+host+"/history?limit=100")
		if err != nil {
			return err
		}
		for _, a := range all {
			if user, ok := a.Changes.After["user"]; ok {
				s.Values[a.Object] = append(s.Values[a.Object], fmt.Sprint(user))
			}
		}
	}
	for _, v := range s.Values {
		slices.Reverse(v) // the newest stands first
	}
	return nil
}

// keep writes the history beside the logs.
func keep(dir string, s *audit.Said) error {
	data, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, audit.History), data, 0o600)
}
