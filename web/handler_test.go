package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func built(t *testing.T, base string) http.Handler {
	t.Helper()
	h, err := newHandler(fstest.MapFS{
		"index.html": {Data: []byte(`<!doctype html><meta name="sextant-base" content="/" />` +
			`<script src="./assets/a-1.js"></script><link href="./icon.svg" />`)},
		"assets/a-1.js":      {Data: []byte("plain script")},
		"assets/a-1.js.br":   {Data: []byte("small")},
		"assets/style-2.css": {Data: []byte("style")},
		"icon.svg":           {Data: []byte("<svg/>")},
		".gitkeep":           {Data: nil},
	}, Options{Base: base,
		Docs:    fstest.MapFS{"guide/a.md": {Data: []byte("# A")}, "img/x.svg": {Data: []byte("<svg/>")}, "secret.txt": {Data: []byte("x")}},
		Missing: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWhatIsServed(t *testing.T) {
	t.Parallel()
	h := built(t, "/")
	for _, tt := range []struct {
		method, path string
		status       int
		body, cache  string
	}{
		{"GET", "/", 200, "<!doctype html>", "no-cache"},
		{"GET", "/runs/17", 200, "<!doctype html>", "no-cache"},
		{"GET", "/objects/host:host/web-1.example.com", 200, "<!doctype html>", "no-cache"},
		{"GET", "/index.html", 200, "<!doctype html>", "no-cache"},
		{"GET", "/assets/a-1.js", 200, "plain script", "immutable"},
		{"GET", "/assets/gone-9.js", 404, "", ""},
		{"GET", "/icon.svg", 200, "<svg/>", "max-age=3600"},
		{"GET", "/.gitkeep", 200, "<!doctype html>", "no-cache"},
		{"GET", "/api/v1/nothing", 404, "", ""},
		{"GET", "/api", 404, "", ""},
		{"POST", "/runs", 404, "", ""},
		{"GET", "/docs/guide/a.md", 200, "# A", "no-cache"},
		{"GET", "/docs/secret.txt", 404, "", ""},
		{"GET", "/docs/../secret.txt", 200, "<!doctype html>", "no-cache"},
		{"GET", "/docs/guide/../../handler.go", 200, "<!doctype html>", "no-cache"},
		{"GET", "/docs/none.md", 404, "", ""},
		{"GET", "//assets/a-1.js", 200, "plain script", "immutable"},
	} {
		got := get(h, tt.method, tt.path)
		if got.Code != tt.status || !strings.HasPrefix(got.Body.String(), tt.body) ||
			!strings.Contains(got.Header().Get("Cache-Control"), tt.cache) {
			t.Errorf("%s %s: %d %q %q", tt.method, tt.path, got.Code, got.Body, got.Header().Get("Cache-Control"))
		}
	}
}

func TestCompressedFiles(t *testing.T) {
	t.Parallel()
	h := built(t, "/")
	for accept, want := range map[string]string{"gzip, br": "small", "br;q=0": "plain script", "": "plain script", "gzip": "plain script"} {
		got := get(h, "GET", "/assets/a-1.js", "Accept-Encoding", accept)
		if got.Body.String() != want || (want == "small") != (got.Header().Get("Content-Encoding") == "br") ||
			!strings.Contains(got.Header().Get("Content-Type"), "javascript") {
			t.Errorf("%q: %q %v", accept, got.Body, got.Header())
		}
	}
	if got := get(h, "GET", "/assets/style-2.css", "Accept-Encoding", "br"); got.Body.String() != "style" {
		t.Errorf("a file that is not compressed: %q", got.Body)
	}
	if got := get(h, "HEAD", "/assets/a-1.js"); got.Body.Len() != 0 || got.Header().Get("Content-Length") != "12" {
		t.Errorf("HEAD: %q %v", got.Body, got.Header())
	}
}

func TestThePageIsProtected(t *testing.T) {
	t.Parallel()
	got := get(built(t, "/"), "GET", "/")
	csp := got.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("the policy has no %s: %s", want, csp)
		}
	}
	for _, never := range []string{"unsafe-eval", "script-src 'self' 'unsafe-inline'", "http:", "https:", "*"} {
		if strings.Contains(csp, never) {
			t.Errorf("the policy allows %s", never)
		}
	}
	tag := got.Header().Get("ETag")
	if again := get(built(t, "/"), "GET", "/", "If-None-Match", tag); tag == "" || again.Code != http.StatusNotModified {
		t.Errorf("the same page is sent again: %d", again.Code)
	}
}

func TestBelowAPath(t *testing.T) {
	t.Parallel()
	page := get(built(t, "/ops/sextant/"), "GET", "/").Body.String()
	for _, want := range []string{`content="/ops/sextant/"`, `src="/ops/sextant/assets/a-1.js"`, `href="/ops/sextant/icon.svg"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in %s", want, page)
		}
	}
}

func TestWithoutABuild(t *testing.T) {
	t.Parallel()
	h, err := newHandler(fstest.MapFS{".gitkeep": {}}, Options{Base: "/", Missing: http.NotFoundHandler()})
	if err != nil {
		t.Fatal(err)
	}
	if got := get(h, "GET", "/runs"); got.Code != 200 || !strings.Contains(got.Body.String(), "make build") {
		t.Errorf("%d %q", got.Code, got.Body)
	}
}
