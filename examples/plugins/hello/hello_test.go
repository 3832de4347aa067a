package main

import (
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/plugin"
)

// connect plugs the plugin into a platform as an operator does: a token, a
// process that has it, an address.
func connect(t *testing.T, p *platform.Platform) {
	t.Helper()
	made := newPlugin()
	var issued client.TokenOutBody
	p.Must("POST", "/api/v1/plugins/hello/token", map[string]any{}, &issued)
	env := map[string]string{"SEXTANT_URL": p.URL, "SEXTANT_TOKEN": issued.Token, "SEXTANT_DATA": t.TempDir()}
	host, err := plugin.HostFrom(func(name string) string { return env[name] }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close(); _ = host.DB.Close() })
	handler, err := made.Handler(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	p.Must("PUT", "/api/v1/plugins/hello", map[string]any{"url": s.URL}, nil)
}

func TestItGreetsHosts(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	connect(t, p)
	p.Must("POST", "/api/v1/objects/host:host", []map[string]any{
		{"id": "h1", "name": "ada", "address": "127.0.0.1"}, {"id": "h2", "name": "bob", "address": "127.0.0.1"}}, nil)

	run := p.Service("hello/greeting/say", map[string]any{"greeting": "Welcome"}, "host:host/h1", "host:host/h2")
	if r := p.Ended(run); r.State != "completed" {
		t.Fatalf("the run is %s: %+v", r.State, p.Incidents())
	}
	job := p.Jobs(run)[0]
	for i, want := range []string{"Welcome, ada!", "Welcome, bob!"} {
		if got := job.Rows[i].Outputs["text"]; got != want {
			t.Errorf("row %d says %v, want %s", i, got, want)
		}
	}
	var out client.PageOfDispatchPiece
	p.Must("GET", "/api/v1/jobs/"+job.Job+"/output", nil, &out)
	said := map[string]string{} // rows are worked on side by side, so that either may speak first
	for _, piece := range out.Items {
		said[piece.Object] += piece.Text
	}
	if want := map[string]string{"host:host/h1": "Welcome, ada!\n", "host:host/h2": "Welcome, bob!\n"}; !maps.Equal(said, want) {
		t.Errorf("the live output is %+v", out.Items)
	}
}

func TestItFailsWithItsOwnCode(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	connect(t, p)
	p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": "h1", "name": "ada", "address": "127.0.0.1"}}, nil)
	run := p.Service("hello/greeting/say", map[string]any{"greeting": " "}, "host:host/h1")
	if r := p.Ended(run); r.State != "incident" {
		t.Fatalf("the run is %s", r.State)
	}
	if row := p.Jobs(run)[0].Rows[0]; row.Code != "hello.silent" || string(row.Outcome) != "failed" {
		t.Errorf("the row is %+v", row)
	}
}

func TestItWantsItsToken(t *testing.T) {
	t.Parallel()
	host, err := plugin.HostFrom(func(name string) string {
		return map[string]string{"SEXTANT_TOKEN": "secret", "SEXTANT_DATA": t.TempDir()}[name]
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close(); _ = host.DB.Close() })
	handler, err := newPlugin().Handler(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/manifest", nil))
	if w.Code != http.StatusUnauthorized {
		t.Errorf("without a token the answer is %d", w.Code)
	}
}

func TestItsCardIsServed(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	connect(t, p)
	var cards client.PageOfPluginCard
	p.Must("GET", "/api/v1/objects/host:host/cards", nil, &cards)
	i := slices.IndexFunc(cards.Items, func(c client.PluginCard) bool { return c.Plugin == "hello" })
	if i < 0 || cards.Items[i].Trusted {
		t.Fatalf("the cards are %+v", cards.Items)
	}
	resp, err := http.Get(p.URL + "/" + cards.Items[i].Entry)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "export function "+cards.Items[i].Export) {
		t.Errorf("%d %s %v", resp.StatusCode, body, err)
	}
}
