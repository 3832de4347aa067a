package trust_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sextant/internal/kit/db"
	"sextant/sdk/go/wire"
)

func TestFilesAndSecrets(t *testing.T) {
	t.Parallel()
	h := start(t, map[string]any{"admin.listen": "127.0.0.1:0", "log.level": "debug"})
	h.person(t, "viewer", "viewer", "default")
	proves(t, "L-01 no path leads out of what is served", func(t *testing.T) {
		secret, err := os.ReadFile(filepath.Join(h.data, "keys", "master.key"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/docs/../../../../etc/passwd", "/docs/..%2f..%2fetc%2fpasswd",
			"/docs/%2e%2e/sextant.db", "/docs//etc/passwd", "/assets/../../keys/master.key",
			"/api/v1/blobs/..%2f..%2fkeys%2fmaster.key", "/docs/guide/%2e%2e%2f%2e%2e%2fgo.mod", "/docs/embed.go", "/docs/docs_test.go"} {
			a, _ := h.raw(t, "GET "+path+" HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "+h.admin+"\r\n\r\n")
			if a.status != 400 && a.status != 404 || strings.Contains(a.body, "root:") ||
				strings.Contains(a.body, string(secret)) || strings.Contains(a.body, "package ") {
				t.Errorf("%s: %d %.200s", path, a.status, a.body)
			}
		}
	})
	proves(t, "L-04 files are stored under their digest, whatever they are called", func(t *testing.T) {
		for _, name := range []string{"a", "CON", ".htaccess", ".git", strings.Repeat("A", 64),
			strings.Repeat("a", 63), strings.Repeat("a", 65), "a%2e%2e", strings.Repeat("g", 64)} {
			h.wants(t, request{method: "GET", path: "/api/v1/blobs/" + name, token: h.admin}, 400, "blob.digest")
		}
		h.wants(t, request{method: "POST", path: "/api/v1/blobs?name=..%2f..%2fx", token: h.admin, body: "x"}, 422, "request.invalid")
	})
	proves(t, "L-06 what was uploaded is not shown as a page", func(t *testing.T) {
		page := `<html><script>alert(1)</script></html>`
		sum := sha256.Sum256([]byte(page))
		h.must(t, request{method: "POST", path: "/api/v1/blobs", token: h.admin,
			body: page, header: []string{"Content-Type", "", "Content-Type", "text/html"}}, nil)
		xml := strings.Replace(waits, `<startEvent`,
			`<extensionElements><h:script xmlns:h="http://www.w3.org/1999/xhtml">alert(1)</h:script></extensionElements><startEvent`, 1)
		if a := h.deploy(t, xml); a.status != 201 {
			t.Fatal(a.body)
		}
		for _, path := range []string{"/api/v1/blobs/" + hex.EncodeToString(sum[:]), "/api/v1/processes/p/1/xml"} {
			a := h.must(t, request{method: "GET", path: path, token: h.admin, header: []string{"Accept", "text/html"}}, nil)
			if !strings.Contains(a.body, "alert(1)") || strings.Contains(a.header.Get("Content-Type"), "html") {
				t.Errorf("%s: %s", path, a.header.Get("Content-Type"))
			}
			for name, want := range map[string]string{"Content-Disposition": "attachment",
				"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox"} {
				if a.header.Get(name) != want {
					t.Errorf("%s: %s is %q", path, name, a.header.Get(name))
				}
			}
		}
	})
	proves(t, "L-08 nothing of the server's own is on the address of users", func(t *testing.T) {
		for _, path := range []string{"/.git/config", "/.git/HEAD", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/metrics",
			"/swagger", "/sextant.db", "/sextant.yaml", "/keys/master.key", "/data/", "/docs/", "/assets/", "/backup.tar.gz", "/.env", "/go.mod"} {
			a := h.ask(t, request{method: "GET", path: path})
			routes := path == "/data/" && a.status == 401 // those of plugins lie there, and nothing of the server's
			if a.status != 404 && !routes && !strings.HasPrefix(a.body, "<!doctype html>") ||
				strings.Contains(a.body, "go_goroutines") || strings.Contains(a.body, "SQLite format") || strings.Contains(a.body, "<pre>") {
				t.Errorf("%s: %d %.100s", path, a.status, a.body)
			}
		}
		admin := &house{url: h.server.AdminURL(), data: h.data}
		if a := admin.ask(t, request{method: "GET", path: "/metrics"}); a.status != 200 || !strings.Contains(a.body, "go_goroutines") {
			t.Errorf("metrics: %d", a.status)
		}
		for _, path := range []string{"/metrics", "/debug/pprof/"} { // a page of another site whose name leads here
			if a := admin.ask(t, request{method: "GET", path: path, host: "evil.example"}); a.status != 421 {
				t.Errorf("%s under another name: %d", path, a.status)
			}
		}
	})
	connection := func(fields map[string]any) request {
		return request{method: "PUT", path: "/api/v1/connections/vault", token: h.admin,
			body: map[string]any{"type": "ssh", "fields": fields, "secrets": map[string]any{"password": canary, "private_key": canary}}}
	}
	proves(t, "M-07 a secret that was put in comes out of no answer", func(t *testing.T) {
		put := h.must(t, connection(map[string]any{"user": "root"}), nil)
		if !strings.Contains(put.body, `"$secret"`) {
			t.Errorf("nothing says that it is set: %s", put.body)
		}
		for _, q := range []request{
			{method: "GET", path: "/api/v1/connections"}, {method: "GET", path: "/api/v1/audit"},
			{method: "GET", path: "/api/v1/object-search?text=" + canary},
			{method: "POST", path: "/api/v1/calls/preview", body: map[string]any{
				"service": "host/script/run", "objects": []string{}, "variables": map[string]any{"script": "true", "credential": "connection/vault"}}},
			{method: "PUT", path: "/api/v1/connections/vault", body: map[string]any{"type": 7, "secrets": map[string]any{"password": canary}}},
			{method: "PUT", path: "/api/v1/connections/VAULT", body: map[string]any{"type": "ssh", "secrets": map[string]any{"password": canary}}},
			{method: "PUT", path: "/api/v1/connections/vault", body: map[string]any{"type": "ssh", "fields": map[string]any{"password": canary}}},
			{method: "POST", path: "/api/v1/users", body: map[string]any{"name": "Bad Name", "password": canary}},
			{method: "POST", path: "/api/v1/users", body: `{"name":"x","password":"` + canary + `"`},
			{method: "POST", path: "/api/v1/session", body: map[string]any{"name": "admin", "password": canary}},
			{method: "POST", path: "/api/v1/session/link", body: map[string]any{"link": canary}},
			{method: "GET", path: "/api/v1/me", header: []string{"Cookie", "sextant_session=" + canary}},
			{method: "GET", path: "/api/v1/runs?after=" + canary},
			{method: "PUT", path: "/api/v1/me/password", body: map[string]any{"current": canary, "new": canary}},
		} {
			if len(q.header) == 0 && !strings.HasPrefix(q.path, "/api/v1/session") {
				q.token = h.admin
			}
			if a := h.ask(t, q); strings.Contains(strings.ReplaceAll(a.body, "%2d", "-"), canary) {
				t.Errorf("%s %s tells it: %s", q.method, q.path, a.body)
			}
		}
	})
	proves(t, "M-03 the same secret is sealed anew each time", func(t *testing.T) {
		other := connection(nil)
		other.path = "/api/v1/connections/vault-2"
		h.must(t, other, nil)
		d, err := db.Open(context.WithoutCancel(t.Context()), "sqlite:"+filepath.Join(h.data, "sextant.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		sealed := map[string]int{}
		for _, row := range rowsOf(t, d, "SELECT CAST(secrets AS TEXT) FROM setting_connection") {
			for _, part := range strings.Split(row, `\"`) {
				if len(part) > 30 {
					sealed[part]++
				}
			}
		}
		for text, n := range sealed {
			if n > 1 {
				t.Errorf("%q stands %d times", text, n)
			}
		}
		if len(sealed) != 4 {
			t.Errorf("%d sealed texts, want 4: %v", len(sealed), sealed)
		}
	})
	proves(t, "M-08 a secret is on disk in no readable form", func(t *testing.T) {
		var v struct{ Run string }
		h.must(t, request{method: "POST", path: "/api/v1/objects/host:host", token: h.admin,
			body: []any{map[string]any{"id": "h", "name": "h", "address": "127.0.0.1:1", "host_key": "SHA256:" + strings.Repeat("x", 43)}}}, nil)
		h.must(t, request{method: "POST", path: "/api/v1/calls", token: h.admin, body: map[string]any{"service": "host/script/run",
			"objects": []string{"host:host/h"}, "variables": map[string]any{"script": "true", "credential": "connection/vault", "timeout": "PT1S"}}},
			&v)
		for _, path := range []string{"", "/variables", "/jobs", "/steps"} {
			h.must(t, request{method: "GET", path: "/api/v1/runs/" + v.Run + path, token: h.admin}, nil)
		}
		err := filepath.WalkDir(h.data, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(p)
			if err == nil && strings.Contains(string(data), canary) {
				t.Errorf("%s holds it", p)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	proves(t, "M-09 a secret is in no line of the log, however much it says", func(t *testing.T) {
		if log := h.log.String(); strings.Contains(log, canary) || strings.Contains(log, adminPass) ||
			strings.Contains(log, h.admin) || len(log) == 0 {
			t.Errorf("the log tells a secret, or nothing at all: %.500s", log)
		}
	})
	proves(t, "N-03 a name cannot break a record into two", func(t *testing.T) {
		name := "x\r\n2026-01-01 level=INFO msg=\"admin logged in\" \x1b[31m</script>"
		h.must(t, request{method: "POST", path: "/api/v1/users", token: h.admin,
			body: map[string]any{"name": "mallory", "display": name, "password": adminPass}}, nil)
		a := h.must(t, request{method: "GET", path: "/api/v1/users", token: h.admin}, nil)
		if strings.Count(strings.TrimSpace(a.body), "\n") != 0 || strings.ContainsAny(a.body, "\x1b\r") {
			t.Errorf("%q", a.body)
		}
		h.wants(t, request{method: "POST", path: "/api/v1/users", token: h.admin,
			body: map[string]any{"name": "eve", "display": strings.Repeat("x", 1<<20), "password": adminPass}}, 422, "request.invalid")
		h.ask(t, request{method: "GET", path: "/api/v1/none", header: []string{"User-Agent", "x\" level=INFO msg=\"admin logged in"}})
		for line := range strings.Lines(h.log.String()) {
			if !strings.HasPrefix(line, "time=") {
				t.Errorf("a line of the log is %q", line)
			}
		}
		records := h.must(t, request{method: "GET", path: "/api/v1/audit", token: h.admin}, nil)
		var page struct{ Items []json.RawMessage }
		if err := json.Unmarshal([]byte(records.body), &page); err != nil || len(page.Items) == 0 || strings.Contains(records.body, "\x1b") {
			t.Errorf("%v %s", err, records.body)
		}
	})
}

func TestTheConsole(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	proves(t, "O-01 every page is under a policy that runs nothing but the console", func(t *testing.T) {
		for _, path := range []string{"/", "/runs/1", "/sign-in", "/nothing/there", "/index.html"} {
			a := h.wants(t, request{method: "GET", path: path}, 200, "")
			csp := a.header.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
				if !strings.Contains(csp, want) {
					t.Errorf("%s: no %s in %s", path, want, csp)
				}
			}
			if strings.Contains(csp, "unsafe-eval") || strings.Contains(csp, "script-src 'unsafe-inline'") ||
				strings.Contains(csp, "http") || a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %v", path, a.header)
			}
		}
	})
	proves(t, "O-03 reading changes nothing", func(t *testing.T) {
		run := h.waiting(t)
		h.unchanged(t, func() {
			for _, e := range h.server.Endpoints() {
				if e.Method != http.MethodGet || strings.HasSuffix(e.Path, "/events") || strings.HasSuffix(e.Path, "/news") {
					continue
				}
				path := strings.NewReplacer("{run}", run, "{process}", "p", "{version}",
					"1", "{type}", "host:host", "{sha256}", strings.Repeat("a", 64), "{job}", "1", "{name}", "cmdb").Replace(e.Path)
				path = strings.ReplaceAll(path, "{id}", "none")
				h.ask(t, request{method: "GET", path: path, token: h.admin})
				h.ask(t, request{method: "HEAD", path: path, token: h.admin})
			}
		})
	})
	proves(t, "O-13 no site may frame a page or an answer", func(t *testing.T) {
		for _, path := range []string{"/", "/api/v1/me", "/api/v1/none"} {
			if a := h.ask(t, request{method: "GET", path: path}); !strings.Contains(a.header.Get("Content-Security-Policy"),
				"frame-ancestors 'none'") {
				t.Errorf("%s: %v", path, a.header)
			}
		}
	})
	proves(t, "O-15 the page loads nothing from elsewhere", func(t *testing.T) {
		a := h.wants(t, request{method: "GET", path: "/"}, 200, "")
		for _, mark := range []string{`src="http`, `href="http`, `src="//`, `href="//`, "@import"} {
			if strings.Contains(a.body, mark) {
				t.Errorf("%s in %s", mark, a.body)
			}
		}
	})
	proves(t, "O-16 signing out empties the browser", func(t *testing.T) {
		token := h.login(t, "admin", adminPass)
		a := h.wants(t, request{method: "DELETE", path: "/api/v1/session", header: []string{"Cookie", "sextant_session=" + token}}, 204, "")
		if !strings.Contains(a.header.Get("Clear-Site-Data"), `"storage"`) || !strings.Contains(a.header.Get("Clear-Site-Data"), `"cache"`) ||
			!strings.Contains(a.header.Get("Set-Cookie"), "sextant_session=; Path=/; Max-Age=0") || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v", a.header)
		}
		h.wants(t, request{method: "GET", path: "/api/v1/me", header: []string{"Cookie", "sextant_session=" + token}}, 401, "identity.token")
	})
	proves(t, "O-11 texts of users are data in every answer", func(t *testing.T) {
		for i, payload := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`,
			`javascript:alert(1)`, `{{constructor.constructor('alert(1)')()}}`, `${alert(1)}`, `</title><svg/onload=alert(1)>`} {
			a := h.must(t, request{method: "POST", path: "/api/v1/objects/host:host", token: h.admin,
				body: []any{wire.Row{"id": wire.Raw("x" + string(rune('a'+i))), "name": wire.Raw(payload), "address": wire.Raw("192.0.2.1")}}}, nil)
			list := h.must(t, request{method: "POST", path: "/api/v1/objects/host:host/query",
				token: h.admin, body: map[string]any{}, header: []string{"Accept", "text/html"}}, nil)
			for _, got := range []answer{a, list} {
				if got.header.Get("Content-Type") != "application/json" || got.header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%v", got.header)
				}
			}
			var rows struct{ Items []map[string]any }
			if err := json.Unmarshal([]byte(list.body), &rows); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(list.body, string(wire.Raw(payload))) &&
				!strings.Contains(list.body, strings.NewReplacer(`"`, `\"`).Replace(payload)) {
				t.Errorf("%s did not come back as it was: %s", payload, list.body)
			}
		}
		if a := h.wants(t, request{method: "GET", path: "/api/v1/%3Cscript%3Ealert(1)%3C%2fscript%3E", token: h.admin},
			404, "route.not_found"); a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v", a.header)
		}
	})
	proves(t, "H-13 nothing is deployed that nobody deployed", func(t *testing.T) {
		fresh := start(t, nil)
		for _, list := range []string{"processes", "runs", "connections", "incidents", "tasks"} {
			if a := fresh.must(t, request{method: "GET", path: "/api/v1/" + list, token: fresh.admin},
				nil); !strings.Contains(a.body, `"items":[]`) {
				t.Errorf("%s: %s", list, a.body)
			}
		}
	})
}
