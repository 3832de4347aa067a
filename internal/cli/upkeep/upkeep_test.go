package upkeep_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/cli/upkeep"
	"sextant/sdk/go/client"
)

// said runs a command against a server with one answer, and gives what it prints and what
// it asked.
func said(t *testing.T, make func(command.Remote) *cobra.Command, answer string, args ...string) (out, asked string, err error) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + r.URL.Path + " " + string(body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	defer s.Close()
	var printed bytes.Buffer
	session := &command.Session{Streams: command.Streams{In: &bytes.Buffer{}, Out: &printed, Err: &bytes.Buffer{}}}
	c := make(command.Remote{Session: session, Client: func() (*client.Client, error) { return &client.Client{URL: s.URL}, nil },
		Project: func() string { return "default" }})
	c.SetArgs(args)
	c.SilenceErrors, c.SilenceUsage = true, true
	err = c.ExecuteContext(t.Context())
	return printed.String(), asked, err
}

func TestHandlersAndWhatTheyHoldAreListed(t *testing.T) {
	t.Parallel()
	out, asked, err := said(t, upkeep.Events,
		`{"items": [{"name": "run-end", "state": "working", "sequence": "7", "newest": "9", "parked": 2}]}`, "handlers")
	if err != nil || asked != "GET /api/v1/event-handlers " || !strings.Contains(out, "run-end") {
		t.Errorf("%s, %s, %v", out, asked, err)
	}
	out, asked, err = said(t, upkeep.Events,
		`{"items": [{"sequence": "7", "subject": "run/1", "state": "parked", "error": "no"}]}`, "parked", "run-end")
	if err != nil || asked != "GET /api/v1/event-handlers/run-end/parked " || !strings.Contains(out, "run/1") {
		t.Errorf("%s, %s, %v", out, asked, err)
	}
}

func TestAnEventIsSkippedWithAReason(t *testing.T) {
	t.Parallel()
	_, asked, err := said(t, upkeep.Events, "", "skip", "run-end", "7", "--reason", "removed by hand")
	if err != nil || asked != `POST /api/v1/event-handlers/run-end/parked/7/skip {"reason":"removed by hand"}` {
		t.Errorf("%s, %v", asked, err)
	}
	if _, asked, err = said(t, upkeep.Events, "", "skip", "run-end", "7", "--reason", " "); err == nil || asked != "" {
		t.Errorf("without a reason %q is asked, %v", asked, err)
	}
}

func TestRetentionIsTold(t *testing.T) {
	t.Parallel()
	out, asked, err := said(t, upkeep.Retention,
		`{"items": [{"kind": "output", "days": 1, "state": "waiting", "count": 12, "bytes": 1048576}]}`, "run")
	if err != nil || asked != "POST /api/v1/retention " || !strings.Contains(out, "1 day") || !strings.Contains(out, "1.0 MiB") {
		t.Errorf("%s, %s, %v", out, asked, err)
	}
}
