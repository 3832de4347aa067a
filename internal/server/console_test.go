package server_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"sextant/internal/domain/identity"
)

// events opens the stream of news and gives the lines that carry something.
func (g *gate) events(token, query string) (next func() string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 30*time.Second)
	req, err := http.NewRequestWithContext(ctx, "GET", g.url+"/api/v1/news"+query, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { cancel(); _ = resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	return func() string {
		event := ""
		for lines.Scan() {
			if e, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				event = e
			}
			if d, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return event + " " + d
			}
		}
		return "end"
	}
}

// News say that something has happened to those who may see such things, what a
// dropped connection missed included.
func TestNews(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	for name, role := range map[string]string{"reader": "viewer", "nosy": "approver"} {
		g.must("POST", "/api/v1/users", admin,
			map[string]any{"name": name, "password": adminPass, "roles": []identity.Membership{{Role: role, Project: "default"}}}, nil)
	}
	g.must("POST", "/api/v1/users", admin,
		map[string]any{"name": "deaf", "password": adminPass, "grants": []identity.Grant{{Permission: "user.read", Project: "default"}}}, nil)
	reader, deaf := g.events(g.login("reader", adminPass), ""), g.events(g.login("deaf", adminPass), "")
	for _, next := range []func() string{reader, deaf} {
		if got := next(); got != "hello {}" {
			t.Fatalf("got %q", got)
		}
	}
	g.must("POST", "/api/v1/objects/host:host", admin, []map[string]any{{"name": "web-1", "address": "192.0.2.1"}}, nil)
	if got := reader(); got != `news {"type":"sextant.object.created.v1"}` {
		t.Errorf("got %q", got)
	}
	if got := deaf(); got != "mark {}" {
		t.Errorf("who may see no objects hears %q", got)
	}
	again := g.events(g.login("nosy", adminPass), "?after=0")
	if got := again(); got != `news {"type":"sextant.object.created.v1"}` {
		t.Errorf("after a lost connection: %q", got)
	}
	late := g.events(g.login("reader", adminPass), "?ago=60000")
	if hello, news := late(), late(); hello != "hello {}" || news != `news {"type":"sextant.object.created.v1"}` {
		t.Errorf("who began to read before the change hears %q, %q", hello, news)
	}
	for _, query := range []string{"after=x", "ago=x", "ago=-1", "ago=60001"} {
		if status, _ := g.ask("GET", "/api/v1/news?"+query, admin, nil); status != http.StatusBadRequest {
			t.Errorf("%s: %d", query, status)
		}
	}
}

func TestTheConsoleBelowAPath(t *testing.T) {
	t.Parallel()
	g := newGateAt(t, "/ops/sextant")
	for path, want := range map[string]int{"/ops/sextant/": 200, "/ops/sextant/api/v1/me": 401, "/api/v1/me": 401,
		"/ops/sextant/docs/guide/object-paths.md": 200, "/ops/sextant/docs/none.md": 404, "/ops/sextant/healthz": 200, "/": 200} {
		if status, _ := g.ask("GET", path, "", nil); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(g.url + "/ops/sextant")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusPermanentRedirect || resp.Header.Get("Location") != "/ops/sextant/" {
		t.Errorf("%d %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}

// What the server was started with is for those who may read the settings of all
// projects, and its secrets are for nobody.
func TestServerSettings(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	g.must("POST", "/api/v1/users", admin,
		map[string]any{"name": "local", "password": adminPass, "grants": []identity.Grant{{Permission: "setting.read", Project: "default"}}}, nil)
	var page struct {
		Items []struct{ Key, Value, Origin string }
	}
	g.must("GET", "/api/v1/server-settings", admin, nil, &page)
	told := map[string]string{}
	for _, i := range page.Items {
		told[i.Key] = i.Value + " by " + i.Origin
	}
	if told["log.level"] != "info by built-in" || !strings.HasSuffix(told["listen"], " by flag") || len(told) < 10 {
		t.Errorf("%v", told)
	}
	if status, body := g.ask("GET", "/api/v1/server-settings", g.login("local", adminPass), nil); status != 403 ||
		strings.Contains(string(body), "log.level") {
		t.Errorf("%d %s", status, body)
	}
	g.must("GET", "/api/v1/settings", g.login("local", adminPass), nil, nil)
}
