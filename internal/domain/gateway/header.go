package gateway

import (
	"mime"
	"net/http"
	"slices"
	"strings"
)

// stays reports whether a header of a request stays at the border: credentials,
// whatever names an identity or where a request comes from, and what has a method or
// path read as another. Some servers take X_User for X-User, so that both are one.
func stays(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	return slices.Contains(staying, name) || slices.ContainsFunc(stayingPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

var (
	staying = []string{"authorization", "cookie", "cookie2", "forwarded", "via", "from", "x-real-ip", "x-client-ip", "x-cluster-client-ip",
		"true-client-ip", "x-host", "x-http-method", "x-http-method-override", "x-method-override", "x-rewrite-url", "x-username", "x-roles",
		"x-role", "x-groups", "x-group", "x-email", "x-subject", "trailer", "te", "expect", "keep-alive"}
	stayingPrefixes = []string{"sextant-", "proxy-", "x-forwarded-", "x-original-", "x-user", "x-auth", "x-remote-", "x-webauth-",
		"x-identity", "x-sextant-", "x-envoy-", "x-ssl-", "x-client-cert", "cf-", "sec-fetch-"}
)

// passing are the headers of an answer that pass, besides those that begin with X-.
// All others are the platform's to set: cookies, and what tells a browser whom to
// trust, what to run, what to keep and where to go.
var passing = []string{"Accept-Ranges", "Allow", "Connection", "Content-Disposition", "Content-Encoding", "Content-Language",
	"Content-Length", "Content-Range", "Content-Type", "Date", "Etag", "Last-Modified", "Retry-After", "Transfer-Encoding", "Upgrade",
	"Sec-Websocket-Accept", "Sec-Websocket-Extensions", "Sec-Websocket-Protocol", "Vary"}

// keeping are headers with X- that do not pass for all that.
var keeping = []string{"X-Content-Type-Options", "X-Dns-Prefetch-Control", "X-Frame-Options", "X-Permitted-Cross-Domain-Policies",
	"X-Request-Id", "X-Robots-Tag", "X-Ua-Compatible", "X-Webkit-Csp", "X-Xss-Protection", "X-Accel-Redirect", "X-Sendfile"}

// clean leaves of an answer's headers what passes. A redirect passes within the route
// alone: elsewhere it would lead whoever asked away from the platform.
func clean(h http.Header, route string) {
	to := h.Get("Location")
	for name := range h {
		canonical := http.CanonicalHeaderKey(name)
		if !slices.Contains(passing, canonical) && (!strings.HasPrefix(canonical, "X-") || slices.Contains(keeping, canonical)) {
			delete(h, name)
		}
	}
	if to == route || strings.HasPrefix(to, route+"/") && !strings.Contains(to, "..") && !strings.ContainsAny(to, "\\") {
		h.Set("Location", to)
	}
	still(h)
}

// still takes from an answer whatever a browser would run: it is offered as a file,
// and a script is plain text besides, which no page loads as one.
func still(h http.Header) {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil && h.Get("Content-Type") != "" {
		h.Set("Content-Type", "application/octet-stream")
	}
	switch {
	case strings.Contains(kind, "script"):
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Disposition", "attachment")
	case strings.Contains(kind, "html"), strings.HasSuffix(kind, "xml"),
		slices.Contains([]string{"text/css", "application/pdf", "application/wasm"}, kind):
		if !strings.HasPrefix(strings.ToLower(h.Get("Content-Disposition")), "attachment") {
			h.Set("Content-Disposition", "attachment")
		}
	}
}

// final is an answer of which only the last head counts: what a plugin says before it
// (1xx) and after it (trailers) goes no further.
type final struct {
	http.ResponseWriter
	head http.Header
	done bool
}

// Header is that of the plugin.
func (f *final) Header() http.Header { return f.head }

// WriteHeader begins the answer.
func (f *final) WriteHeader(status int) {
	if f.done || status < http.StatusOK && status != http.StatusSwitchingProtocols {
		return
	}
	f.done = true
	for name, values := range f.head {
		f.ResponseWriter.Header()[name] = values
	}
	f.ResponseWriter.WriteHeader(status)
}

// Write passes a part of the body.
func (f *final) Write(p []byte) (int, error) {
	f.WriteHeader(http.StatusOK)
	return f.ResponseWriter.Write(p)
}

// Unwrap lets it flush, and change its protocol.
func (f *final) Unwrap() http.ResponseWriter { return f.ResponseWriter }
