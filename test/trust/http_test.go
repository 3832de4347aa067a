package trust_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestHTTP(t *testing.T) {
	t.Parallel()
	h := start(t, map[string]any{"hosts": "ops.example.com"})
	h.person(t, "viewer", "viewer", "default")
	viewer := h.tokens["viewer"]
	head := "Host: 127.0.0.1\r\nAuthorization: Bearer " + h.admin + "\r\n"
	proves(t, "E-01 who a request says it is from means nothing", func(t *testing.T) {
		names := []string{"X-User", "X-Roles", "X_User", "x-user", "X-Forwarded-User", "Remote-User", "X-Remote-User",
			"X-Auth-Request-User", "Sextant-Subject", "X-Sextant-User"}
		for _, name := range names {
			h.wants(t, request{method: "GET", path: "/api/v1/me", header: []string{name, "admin"}}, 401, "identity.unauthenticated")
			if a := h.wants(t, request{method: "GET", path: "/api/v1/me", token: viewer, header: []string{name, "admin", name, "root"}},
				200, ""); !strings.Contains(a.body, `"name":"viewer"`) {
				t.Errorf("%s makes %s", name, a.body)
			}
			h.wants(t, request{method: "GET", path: "/api/v1/users", token: viewer, header: []string{name, "admin"}}, 403,
				"identity.forbidden")
		}
		trailer := "GET /api/v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nTrailer: " +
			"Authorization\r\n\r\n0\r\nAuthorization: Bearer " + h.admin + "\r\n\r\n"
		if a, _ := h.raw(t, trailer); a.status != 400 && a.status != 401 {
			t.Errorf("a token in a trailer: %d", a.status)
		}
	})
	proves(t, "E-04 a name that is not the platform's is refused, and what a proxy claims is not believed", func(t *testing.T) {
		for _, host := range []string{"evil.example", "evil.example:8066", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.1",
			"ops.example.com.evil.example", "x@ops.example.com"} {
			a, _ := h.raw(t, "GET /api/v1/me HTTP/1.1\r\n"+strings.Replace(head, "127.0.0.1", host, 1)+"\r\n")
			if a.status != 421 && a.status != 400 || strings.Contains(a.body, `"name":"admin"`) {
				t.Errorf("%s: %d %s", host, a.status, a.body)
			}
		}
		for _, host := range []string{"ops.example.com", "localhost:80", "[::1]"} {
			if a, _ := h.raw(t, "GET /api/v1/me HTTP/1.1\r\n"+strings.Replace(head, "127.0.0.1", host, 1)+"\r\n"); a.status != 200 {
				t.Errorf("%s: %d %s", host, a.status, a.body)
			}
		}
		for _, path := range []string{"/", "/api/v1/me", "/docs/guide/object-paths.md"} {
			plain := h.ask(t, request{method: "GET", path: path, token: viewer})
			told := h.ask(t,
				request{method: "GET", path: path, token: viewer,
					header: []string{"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "gopher", "X-Forwarded-Prefix", "/evil",
						"X-Forwarded-Port", "1", "Forwarded", "host=evil.example"}})
			if plain.body != told.body || strings.Contains(fmt.Sprint(told.header), "evil") {
				t.Errorf("%s follows what a proxy claims: %v", path, told.header)
			}
		}
	})
	proves(t, "E-05 paths of two meanings are refused before they are looked up", func(t *testing.T) {
		for _, path := range []string{
			"/public/%2e%2e/api/v1/users", "/public/..%2fapi%2fv1%2fusers", "//api/v1/users", "/public/./../api/v1/users",
			"/api/v1/%2e%2e/v1/users", "/api//v1/users", "/api/v1/users/..", "/api/v1/users%5c..%5cx",
			"/api/v1/users%00", "/api/v1/users%0a", "/api/v1/%c0%ae%c0%ae/users", "/docs/../../etc/passwd",
			"/docs/%2e%2e/%2e%2e/etc/passwd", "/assets/..%5c..%5csextant.db", "/api/v1/blobs/../../keys/master.key",
		} {
			a, _ := h.raw(t, "GET "+path+" HTTP/1.1\r\n"+head+"\r\n")
			if a.status != 400 || a.code != "request.path" {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
		// What is decoded once is not decoded again.
		for _, path := range []string{"/api/v1/%252e%252e/users", "/api/v1/users;x", "/api%2fv1/users", "/api/v1%2fusers"} {
			if a, _ := h.raw(t, "GET "+path+" HTTP/1.1\r\n"+head+"\r\n"); a.status != 404 && !strings.HasPrefix(a.body, "<!doctype html>") {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
	})
	proves(t, "E-06 where a request ends has one answer", func(t *testing.T) {
		post := "POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
		for name, text := range map[string]string{
			"two lengths":     post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
			"length list":     post + "Content-Length: 2, 3\r\n\r\n{}x",
			"signed length":   post + "Content-Length: +2\r\n\r\n{}",
			"unknown coding":  post + "Transfer-Encoding: xchunked\r\n\r\n{}",
			"two codings":     post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
			"folded header":   "GET /api/v1/me HTTP/1.1\r\n" + head + "X: a\r\n b\r\n\r\n",
			"folded by a tab": "GET /api/v1/me HTTP/1.1\r\n" + head + "X: a\r\n\tb\r\n\r\n",
			"bare line feed":  "GET /api/v1/me HTTP/1.1\n" + head + "\r\n",
			"bare return":     "GET /api/v1/me HTTP/1.1\r\n" + head + "X: a\rb\r\n\r\n",
			"coding of 1.0":   strings.Replace(post, "1.1", "1.0", 1) + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
			"both":            post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
			"folded trailer":  post + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: a\r\n b\r\n\r\n",
			"chunk of LF":     post + "Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
			"space in name":   post + "Content-Length : 2\r\n\r\n{}",
			"no host":         "GET /api/v1/me HTTP/1.1\r\n\r\n",
			"two hosts":       "GET /api/v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
			"long extension":  post + "Transfer-Encoding: chunked\r\n\r\n2;" + strings.Repeat("x", 1<<20) + "\r\n{}\r\n0\r\n\r\n",
			"no chunk length": post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
		} {
			all := h.answers(t, text+"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
			if !slices.Equal(all, []int{400}) {
				t.Errorf("%s: the answers are %v, want 400 and an end", name, all)
			}
		}
		// The same requests as they have to be are served, and so is the next one.
		login := `{"name":"viewer","password":"` + adminPass + `"}`
		size := fmt.Sprintf("%x", len(login))
		for name, text := range map[string]string{
			"a length": post + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(login), login),
			"a coding": post + "Transfer-Encoding: chunked\r\n\r\n" + size + ";note=x\r\n" + login + "\r\n0\r\nX: a\r\n\r\n",
			"no body":  "GET /api/v1/me HTTP/1.1\r\n" + head + "X: a b\r\n\r\n",
		} {
			if all := h.answers(t, text+"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"); len(all) != 2 ||
				all[0] >= 300 || all[1] != 200 {
				t.Errorf("%s: the answers are %v", name, all)
			}
		}
	})
	proves(t, "E-08 line ends in values reach no header", func(t *testing.T) {
		for _, path := range []string{"/api/v1/blobs/%0d%0aSet-Cookie:%20x=1", "/%0d%0aLocation:%20http://evil.example",
			"/api/v1/processes/p%0d%0aX:1/1/xml"} {
			if a := h.wants(t, request{method: "GET", path: path, token: h.admin}, 400, "request.path"); a.header.Get("Set-Cookie")+
				a.header.Get("Location") != "" {
				t.Errorf("%s: %v", path, a.header)
			}
		}
		if a := h.ask(t,
			request{method: "GET", path: "/api/v1/me", token: viewer,
				header: []string{"X-Request-Id", "a\tb<script>"}}); strings.Contains(a.header.Get("X-Request-Id"), "<") {
			t.Errorf("a request is named %q", a.header.Get("X-Request-Id"))
		}
	})
	proves(t, "E-09 methods and forms of proxies are not served", func(t *testing.T) {
		for text, want := range map[string][]int{
			"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n": {400, 404, 405, 421},
			"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n":         {400, 404, 405, 421},
			"TRACE /api/v1/me HTTP/1.1\r\n" + head + "\r\n":                       {405},
			"PROPFIND /api/v1/me HTTP/1.1\r\n" + head + "\r\n":                    {405},
			"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                                    {0, 400, 405, 421, 505},
			"GET http://evil.example/api/v1/me HTTP/1.1\r\n" + head + "\r\n":      {421},
			"GET /api/v1/me HTTP/1.1\r\n" + head +
				"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n": {200},
			"GET /api/v1/me HTTP/1.1\r\n" + head +
				"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n": {200},
		} {
			a, _ := h.raw(t, text)
			line, _, _ := strings.Cut(text, "\r\n")
			ok := false
			for _, w := range want {
				ok = ok || a.status == w
			}
			if !ok || line[:5] == "TRACE" && strings.Contains(a.body, h.admin) {
				t.Errorf("%s: %d %s", line, a.status, a.body)
			}
		}
	})
	proves(t, "E-14 no answer of the API is kept by a browser or a proxy", func(t *testing.T) {
		for _, e := range h.server.Endpoints() {
			if e.Method != "GET" || strings.Contains(e.Path, "{") || strings.HasSuffix(e.Path, "/news") {
				continue
			}
			for _, token := range []string{h.admin, viewer, ""} {
				if a := h.ask(t, request{method: "GET", path: e.Path, token: token}); a.header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: %d with %q", e.Path, a.status, a.header.Get("Cache-Control"))
				}
			}
		}
		a := h.wants(t, request{method: "GET", path: "/api/v1/me/x.css", token: h.admin}, 404, "route.not_found")
		if a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v", a.header)
		}
	})
	proves(t, "E-16 a body that does not say that it is JSON is not read", func(t *testing.T) {
		h.unchanged(t, func() {
			body := `{"name":"eve","password":"` + adminPass + `"}`
			for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
				"text/xml", "application/xml", "text/json", "application/csp-report", "nonsense"} {
				header := []string{"Content-Type", ""}
				if media != "" {
					header = append(header, "Content-Type", media)
				}
				h.wants(t, request{method: "POST", path: "/api/v1/users", token: h.admin, body: body, header: header}, 415,
					"request.media_type")
			}
		})
	})
	proves(t, "E-17 heads, addresses and queries have their limits", func(t *testing.T) {
		if a, _ := h.raw(t, "GET /api/v1/me HTTP/1.1\r\n"+head+"X: "+strings.Repeat("x", 64<<10)+"\r\n\r\n"); a.status != 431 {
			t.Errorf("a head of 64 KiB: %d", a.status)
		}
		if a,
			_ := h.raw(t, "GET /api/v1/me?x="+strings.Repeat("x", 100<<10)+" HTTP/1.1\r\n"+head+"\r\n"); a.status != 431 &&
			a.status != 414 {
			t.Errorf("an address of 100 KiB: %d", a.status)
		}
		h.wants(t, request{method: "GET", path: "/api/v1/me?x=" + strings.Repeat("x", 9<<10), token: viewer}, 414,
			"request.address_too_long")
		var many strings.Builder
		for i := range 40 {
			fmt.Fprintf(&many, "p%d=1&", i)
		}
		h.wants(t, request{method: "GET", path: "/api/v1/runs?" + many.String(), token: viewer}, 400, "request.query")
		h.wants(t, request{method: "GET", path: "/api/v1/runs?limit=1&limit=500", token: viewer}, 400, "request.query")
	})
	proves(t, "E-18 no other site may read or send", func(t *testing.T) {
		for _, origin := range []string{"null", "https://evil.example", "https://console.evil.example", h.url + ".evil.example",
			"http://127.0.0.1:1", strings.Replace(h.url, "http:", "https:", 1), "http://localhost"} {
			get := h.ask(t, request{method: "GET", path: "/api/v1/me", token: viewer, header: []string{"Origin", origin}})
			pre := h.wants(t,
				request{method: "OPTIONS", path: "/api/v1/me/password",
					header: []string{"Origin", origin, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers",
						"authorization"}}, 403, "request.cross_origin")
			post := h.ask(t,
				request{method: "POST", path: "/api/v1/runs", token: viewer, body: map[string]any{"process": "p"},
					header: []string{"Origin", origin}})
			// Behind a proxy the scheme of the own page is not known: the host decides.
			if own := strings.HasPrefix(origin, "https://127.0.0.1"); post.status != 403 || (post.code == "request.cross_origin") == own {
				t.Errorf("%s may send: %d %s", origin, post.status, post.code)
			}
			for _, a := range []answer{get, pre, post} {
				for name := range a.header {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("%s: %s", origin, name)
					}
				}
			}
		}
		h.wants(t,
			request{method: "POST", path: "/api/v1/session", body: map[string]string{"name": "viewer", "password": adminPass},
				header: []string{"Origin", h.url}}, 200, "")
		h.wants(t,
			request{method: "POST", path: "/api/v1/session", body: map[string]string{"name": "viewer", "password": adminPass},
				header: []string{"Origin", "https://evil.example"}}, 403, "request.cross_origin")
	})
	proves(t, "Q-05 variables that are too many or too large are refused", func(t *testing.T) {
		if a := h.deploy(t, waits); a.status != 201 {
			t.Fatal(a.body)
		}
		h.wants(t,
			request{method: "POST", path: "/api/v1/runs", token: h.admin,
				body: io.MultiReader(strings.NewReader(`{"process":"p","variables":{"x":"`),
					strings.NewReader(strings.Repeat("x", 100<<20)), strings.NewReader(`"}}`))}, 413, "request.too_large")
		many := map[string]any{}
		for i := range 100_000 {
			many[fmt.Sprintf("v%d", i)] = i
		}
		h.wants(t, request{method: "POST", path: "/api/v1/runs", token: h.admin, body: map[string]any{"process": "p", "variables": many}},
			413, "control.input_too_large")
		if a := h.must(t, request{method: "GET", path: "/api/v1/runs", token: h.admin}, nil); !strings.Contains(a.body, `"items":[]`) {
			t.Errorf("a run was started: %s", a.body)
		}
	})
}
