package plugin_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"sextant/internal/domain/gateway"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/plugin"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/testkit/dbserver"
	sdk "sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

// front is a platform's front ends, with the plugins app (of somebody else) and
// own (which comes with the platform), both with the same files.
type front struct {
	t        *testing.T
	url      string
	ui       *plugin.UI
	registry *plugin.Registry
	asked    int
}

const script = "export function card(root) { root.textContent = 'here' }"

func newFront(t *testing.T, remote bool) *front {
	t.Helper()
	d, err := db.Open(t.Context(), dbserver.Address(t, t.TempDir()+"/x.db"))
	must(t, err)
	t.Cleanup(func() { _ = d.Close() })
	must(t, d.Migrate(t.Context(), plugin.Domain, plugin.Migrations))
	must(t, d.Migrate(t.Context(), api.Domain, api.Migrations))
	c := clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	f := &front{t: t, registry: plugin.New(d, c)}
	router := gateway.New()
	f.ui = &plugin.UI{Registry: f.registry, Router: router, Trusted: func(name string) bool { return name == "own" }}
	files := fstest.MapFS{
		"ui/card.js": {Data: []byte(script)}, "ui/page.html": {Data: []byte("<script>alert(1)</script>")}, "ui/a.svg": {Data: []byte("<svg/>")},
		"ui/large.js": {Data: make([]byte, plugin.MaxFile+1)}, "ui/.env.js": {Data: []byte("secret")}, "plugin.json": {Data: []byte("{}")},
	}
	for i := range plugin.MaxBundle/plugin.MaxFile + 1 {
		files["ui/most"+strconv.Itoa(i)+".js"] = &fstest.MapFile{Data: make([]byte, plugin.MaxFile)}
	}
	for _, name := range []string{"app", "own"} {
		p := sdk.New(wire.Manifest{Plugin: name, Version: "1.0.0", Title: wire.Text{"en": "App"}})
		p.UI(wire.UI{Entry: "ui/card.js", Cards: []wire.UICard{{On: "app:thing", Export: "card"}}}, files)
		m, err := p.Manifest()
		must(t, err)
		must(t, f.registry.Register(t.Context(), m))
		on := &sdk.Host{Data: t.TempDir(), Log: slog.New(slog.DiscardHandler), Incoming: "of-" + name}
		h, err := p.Handler(t.Context(), on)
		must(t, err)
		t.Cleanup(on.Close)
		counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.asked++; h.ServeHTTP(w, r) })
		to := gateway.Route{Handler: counted, Token: "of-" + name}
		if remote {
			s := httptest.NewServer(counted)
			t.Cleanup(s.Close)
			to = gateway.Route{URL: s.URL, Token: "of-" + name}
		}
		router.Set(name, to)
	}
	a := api.New(api.Deps{Version: "test", DB: d, Clock: c, Log: slog.New(slog.DiscardHandler), Authorize: identity.Require,
		Authenticate: func(q *http.Request) (context.Context, string, error) {
			return identity.With(q.Context(), identity.Subject{
				ID: "user/ann", Kind: identity.User, Grants: []identity.Grant{{Permission: "object.read", Project: "default"}}}), "ann", nil
		}})
	f.ui.Routes(a)
	s := httptest.NewServer(a.Handler())
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *front) get(path string, header ...string) (*http.Response, string) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), "GET", f.url+path, nil)
	must(f.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	must(f.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(f.t, err)
	return resp, string(body)
}

// The files of a front end come from wherever the plugin runs, with their type
// and with rules that leave them nothing to do by themselves.
func TestFilesOfAFrontEnd(t *testing.T) {
	t.Parallel()
	for name, remote := range map[string]bool{"in-process": false, "by-socket": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, remote)
			resp, body := f.get("/ui/app/1.0.0/ui/card.js")
			if resp.StatusCode != 200 || body != script {
				t.Fatalf("%d %q", resp.StatusCode, body)
			}
			for head, want := range map[string]string{"Content-Type": "text/javascript; charset=utf-8", "X-Content-Type-Options": "nosniff",
				"Access-Control-Allow-Origin": "*", "Cache-Control": "no-cache", "Referrer-Policy": "no-referrer"} {
				if got := resp.Header.Get(head); got != want {
					t.Errorf("%s is %q, want %q", head, got, want)
				}
			}
			if got := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "sandbox; default-src 'none'") {
				t.Errorf("the policy is %q", got)
			}
			again, _ := f.get("/ui/app/1.0.0/ui/card.js", "If-None-Match", resp.Header.Get("ETag"))
			if again.StatusCode != http.StatusNotModified || f.asked != 1 {
				t.Errorf("%d, and the plugin was asked %d times", again.StatusCode, f.asked)
			}
			// A manifest that is read anew, as of a plugin in development, begins anew.
			m, _ := f.registry.Manifest("app")
			ui := *m.UI
			m.UI = &ui
			must(t, f.registry.Register(t.Context(), m))
			if f.get("/ui/app/1.0.0/ui/card.js"); f.asked != 2 {
				t.Errorf("the plugin was asked %d times", f.asked)
			}
		})
	}
}

func TestNoOtherFilesAreServed(t *testing.T) {
	t.Parallel()
	f := newFront(t, true)
	for _, path := range []string{
		"/ui/app/1.0.0/ui/page.html", "/ui/app/1.0.0/ui/none.js", "/ui/app/1.0.0/ui/.env.js", "/ui/app/1.0.0/", "/ui/app/1.0.0/ui",
		"/ui/app/0.9.0/ui/card.js", "/ui/none/1.0.0/ui/card.js", "/ui/app/1.0.0/../manifest", "/ui/app/1.0.0/..%2fmanifest.json",
		"/ui/app/1.0.0/%2e%2e/%2e%2e/manifest.json", "/ui/app/1.0.0/ui/..%2f..%2fmanifest.json",
		"/ui/app/1.0.0/ui%5c..%5ccard.js", "/ui/app/1.0.0/ui//card.js",
		"/ui/app/1.0.0/ui/card.js%3fx.js", "/ui/app/1.0.0/ui/card.js%00.js", "/ui/-/none.js", "/ui/-/..%2fui.go", "/ui/-/../ui.go",
	} {
		resp, body := f.get(path)
		if resp.StatusCode == 200 || strings.Contains(body, "export") || strings.Contains(body, "secret") {
			t.Errorf("%s: %d %.60s", path, resp.StatusCode, body)
		}
	}
	if resp, _ := f.get("/ui/app/1.0.0/ui/large.js"); resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a file that is too large: %d", resp.StatusCode)
	}
	served := 0
	for i := range plugin.MaxBundle/plugin.MaxFile + 1 {
		if resp, _ := f.get("/ui/app/1.0.0/ui/most" + strconv.Itoa(i) + ".js"); resp.StatusCode == 200 {
			served++
		}
	}
	if served != plugin.MaxBundle/plugin.MaxFile {
		t.Errorf("%d of the largest files are kept", served)
	}
}

// Scripts of a plugin that is not trusted are for frames without an origin: a page
// of this origin gets none, and the frame can reach nobody.
func TestOnlyTrustedScriptsRunWithinThePage(t *testing.T) {
	t.Parallel()
	f := newFront(t, false)
	for _, c := range []struct {
		plugin, site string
		status       int
	}{{"app", "same-origin", 404}, {"app", "cross-site", 200}, {"own", "same-origin", 200}, {"own", "cross-site", 200}} {
		if resp, _ := f.get("/ui/"+c.plugin+"/1.0.0/ui/card.js", "Sec-Fetch-Site", c.site); resp.StatusCode != c.status {
			t.Errorf("%s, %s: %d", c.plugin, c.site, resp.StatusCode)
		}
	}
	resp, body := f.get("/ui/-/card.html")
	rules := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{"sandbox allow-scripts;", "default-src 'none'",
		"connect-src 'none'", "frame-ancestors 'self'", "form-action 'none'", "base-uri 'none'"} {
		if !strings.Contains(rules, want) {
			t.Errorf("the policy of the frame lacks %s: %s", want, rules)
		}
	}
	if resp.StatusCode != 200 || strings.Contains(rules, "allow-same-origin") ||
		!strings.Contains(body, "frame.js") || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%d %s %s", resp.StatusCode, rules, body)
	}
	if resp, body := f.get("/api/v1/objects/app:thing/cards"); resp.StatusCode != 200 ||
		!strings.Contains(body, `"entry":"ui/app/1.0.0/ui/card.js"`) || strings.Count(body, `"trusted":true`) != 1 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, body := f.get("/api/v1/objects/app:other/cards"); resp.StatusCode != 200 || !strings.Contains(body, `"items":[]`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := f.get("/api/v1/objects/app:thing/cards?project=other"); resp.StatusCode != 403 {
		t.Errorf("another project: %d", resp.StatusCode)
	}
}
