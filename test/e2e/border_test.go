package e2e_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// answered is the whole of what a caller is told, without what differs each time: the
// names that he gave and the number of his request.
func answered(err error, names ...string) string {
	var e *client.Error
	if !errors.As(err, &e) {
		if err != nil {
			return err.Error()
		}
		return "done"
	}
	said := fmt.Sprint(e.Status, " ", e.Code, " ", e.Error())
	for _, n := range append(names, e.RequestId) {
		if n != "" {
			said = strings.ReplaceAll(said, n, "…")
		}
	}
	return said
}

// A connection that somebody may not use and one that there is not are answered the
// same, whatever names them: nobody finds out what another environment has.
func TestAnAnswerDoesNotTellWhatConnectionsThereAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.step("change", input("credential", "=through"))
	on := []string{"host:host/dev-1"}
	started := func(given any) func() error {
		return func() error {
			return w.dev.Call(t.Context(), "POST", "/api/v1/runs",
				platform.Request{Process: "p", Objects: on, Variables: map[string]any{"through": "connection/lab", "remark": given}}, nil)
		}
	}
	for name, ask := range map[string]func(connection string) func() error{
		"a-variable":  func(c string) func() error { return started("connection/" + c) },
		"in-a-list":   func(c string) func() error { return started([]any{1, "connection/" + c}) },
		"a-secret":    func(c string) func() error { return started(map[string]any{"$secret": "connection/" + c + "#password"}) },
		"among-words": func(c string) func() error { return started("see connection/" + c + ", please") },
		"an-address":  func(c string) func() error { return started("https://example.org/connection/" + c) },
		"an-input": func(c string) func() error {
			return func() error {
				return w.dev.Call(t.Context(), "POST", "/api/v1/calls", map[string]any{"service": "odd/touch/change", "objects": on,
					"variables": map[string]any{"credential": "connection/" + c}}, nil)
			}
		},
		"a-preview": func(c string) func() error {
			return func() error {
				var p client.ProcessPreview
				err := w.dev.Call(t.Context(), "POST", "/api/v1/calls/preview", map[string]any{"service": "odd/touch/change", "objects": on,
					"variables": map[string]any{"credential": "connection/" + c}}, &p)
				if err != nil {
					return err
				}
				for _, s := range p.Door {
					if s.Name == "touch" && !s.Ok {
						return errors.New(s.Code + " " + strings.ReplaceAll(s.Reason, c, "…"))
					}
				}
				return nil
			}
		},
		"deleted": func(c string) func() error {
			return func() error { return w.dev.Call(t.Context(), "DELETE", "/api/v1/connections/"+c, nil, nil) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			told := func(connection string) string {
				err := ask(connection)()
				if coded(err, "control.locked") { // a run before it is at work yet: this one got past the names
					err = nil
				}
				return answered(err, connection)
			}
			there, absent := told("prodlab"), told("nonelab")
			if there != absent {
				t.Errorf("of one that there is:  %s\nof one that there is not: %s", there, absent)
			}
			if name == "deleted" {
				return
			}
			if own := told("lab"); own != "done" {
				t.Errorf("of one's own: %s", own)
			}
		})
	}
}

// The numbers of a summary are those of the runs that its filter selects and that the
// caller may see: the open tasks in them, too.
func TestASummaryCountsWhatItsFilterSelects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	vic := w.user("vic", "dev", "run.read", "task.read")
	ask := asks("", reading("odd/touch/change", ""))
	if err := w.Deploy([]byte(ask)); err != nil {
		t.Fatal(err)
	}
	if err := w.Deploy([]byte(strings.Replace(ask, `process id="p"`, `process id="q"`, 1))); err != nil {
		t.Fatal(err)
	}
	for _, r := range []platform.Request{{Process: "p", Objects: []string{"host:host/dev-1"}},
		{Process: "q", Objects: []string{"host:host/dev-2"}},
		{Process: "p", Objects: []string{"host:host/prod-1"}}} {
		task(t, w.Platform, w.Run(r), "Ask")
	}
	for query, want := range map[string][2]int64{"": {3, 2}, "process=p": {2, 1}, "process=q": {1, 1}, "process=none": {0, 0},
		"called=only": {0, 0}, "object=host:host/prod-1": {1, 0}, "subject=nobody": {0, 0}, "text=q": {1, 1}, "until=2020-01-01T00:00:00Z": {0, 0}} {
		for i, c := range []*client.Client{w.Client, vic} {
			var s client.ProcessSummary
			if err := c.Call(t.Context(), "GET", "/api/v1/runs/summary?"+query, nil, &s); err != nil {
				t.Fatal(query, err)
			}
			if s.Waiting != want[i] || s.Total < want[i] {
				t.Errorf("%q: %d tasks in %d runs, want %d", query, s.Waiting, s.Total, want[i])
			}
		}
	}
}
