package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"sextant/internal/kit/errs"
)

// Limits bound the streams of one route; what is 0 is not bounded.
type Limits struct {
	// Request and Answer are bytes. Of a connection that changed its protocol they
	// count what goes either way.
	Request, Answer int64
	// For is how long a stream may take in all.
	For time.Duration
	// Streams is how many there may be at the same time.
	Streams int64
}

// Line is a way for streams to one plugin: its path and its limits. It is made once
// for each route of the platform that leads to a plugin.
type Line struct {
	Limits
	Plugin string
	open   atomic.Int64
}

// Serve carries a request to the plugin of a line, under a path of it, and the answer
// back, each byte as it comes: uploads, downloads, server-sent events, and protocols
// that a connection changes to, such as WebSocket. Who asks is told to the plugin by
// set alone; credentials and names of identity in the request stay here. An error is
// returned while nothing was answered yet; a stream that breaks later breaks for its
// caller too.
func (r *Router) Serve(w http.ResponseWriter, req *http.Request, l *Line, path string, set http.Header) error {
	if n := l.open.Add(1); l.Streams > 0 && n > l.Streams {
		l.open.Add(-1)
		return errs.New(errs.Exhausted, "plugin.streams", "the plugin %s serves %d streams of this kind already: try again later",
			l.Plugin, l.Streams)
	}
	defer l.open.Add(-1)
	if l.Request > 0 && req.ContentLength > l.Request {
		return tooLarge(l)
	}
	m, ok := r.take(l.Plugin, nil)
	if !ok {
		return errs.New(errs.Unavailable, "plugin.not_running", "the plugin %q does not run", l.Plugin)
	}
	defer r.give(l.Plugin, m)
	base, transport, err := r.way(m.Route)
	if err != nil {
		return err
	}
	ctx := req.Context()
	if l.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.For)
		defer cancel()
	}
	var failed error
	p := &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite:        func(pr *httputil.ProxyRequest) { l.rewrite(pr, base, path, set, m.Token) },
		ModifyResponse: func(resp *http.Response) error { return l.answer(resp) },
		ErrorHandler:   func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err },
	}
	p.ServeHTTP(w, req.WithContext(ctx))
	if failed == nil {
		r.answered(m, nil)
		return nil
	}
	return r.broken(l, m, failed)
}

// broken says why nothing was answered.
func (r *Router) broken(l *Line, m *member, err error) error {
	var large *http.MaxBytesError
	var said *errs.Error
	switch {
	case errors.As(err, &large):
		return tooLarge(l)
	case errors.As(err, &said):
		return said
	case connecting(err):
		r.answered(m, err)
		if r.Unreached != nil {
			r.Unreached(l.Plugin)
		}
	}
	return errs.Wrap(err, errs.Unavailable, "plugin.stream", fmt.Sprintf("the plugin %s gave no answer", l.Plugin))
}

func tooLarge(l *Line) error {
	return errs.New(errs.TooLarge, "plugin.request_too_large", "the plugin %s takes at most %d bytes here", l.Plugin, l.Request)
}

// rewrite makes the request that the plugin gets.
func (l *Line) rewrite(pr *httputil.ProxyRequest, base *url.URL, path string, set http.Header, token string) {
	pr.SetURL(base)
	pr.Out.URL.Path, pr.Out.URL.RawPath = strings.TrimSuffix(base.Path, "/")+path, ""
	for name := range pr.Out.Header {
		if name == "Authorization" || name == "Cookie" || strings.HasPrefix(name, "Sextant-") || strings.HasPrefix(name, "Proxy-") {
			pr.Out.Header.Del(name)
		}
	}
	for name, values := range set {
		pr.Out.Header[name] = values
	}
	pr.Out.Header.Set("Authorization", "Bearer "+token)
	if l.Request > 0 && pr.Out.Body != nil {
		pr.Out.Body = http.MaxBytesReader(nil, pr.Out.Body, l.Request)
	}
}

// answer bounds what comes back. Cookies are the platform's alone.
func (l *Line) answer(resp *http.Response) error {
	resp.Header.Del("Set-Cookie")
	if l.Answer > 0 && resp.ContentLength > l.Answer {
		return errs.New(errs.Unavailable, "plugin.answer_too_large", "the plugin %s answers more than the %d bytes that it may here",
			l.Plugin, l.Answer)
	}
	if both, ok := resp.Body.(io.ReadWriteCloser); ok && resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body = &duplex{bounded{both, left(l.Answer)}, both, left(l.Request)}
		return nil
	}
	resp.Body = &bounded{resp.Body, left(l.Answer)}
	return nil
}

func left(limit int64) int64 {
	if limit == 0 {
		return 1<<63 - 1
	}
	return limit
}

var errBeyond = errors.New("gateway: the limit of the stream is reached")

// bounded ends with an error where more comes than may.
type bounded struct {
	io.ReadCloser
	left int64
}

// Read reads within the limit.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errBeyond
	}
	return n, err
}

// duplex is a connection that changed its protocol.
type duplex struct {
	bounded
	to   io.Writer
	left int64
}

// Write writes within the limit.
func (d *duplex) Write(p []byte) (int, error) {
	if d.left -= int64(len(p)); d.left < 0 {
		return 0, errBeyond
	}
	return d.to.Write(p)
}

// way leads to an instance. To a plugin of this process it is a connection in memory,
// so that streams are the same wherever a plugin runs.
func (r *Router) way(to Route) (*url.URL, http.RoundTripper, error) {
	if to.Handler == nil {
		base, err := url.Parse(to.URL)
		if err != nil {
			return nil, nil, fmt.Errorf("gateway: %w", err)
		}
		return base, r.streams, nil
	}
	dial := func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		s := &http.Server{Handler: to.Handler, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
		go func() { _ = s.Serve(&single{conn: there}) }() // ends at once: the connection goes on by itself
		return here, nil
	}
	return &url.URL{Scheme: "http", Host: "plugin"}, &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true}, nil
}

// single is a listener with one connection.
type single struct {
	conn net.Conn
	gone bool
}

// Accept gives the connection, then the end.
func (s *single) Accept() (net.Conn, error) {
	if s.gone {
		return nil, io.EOF
	}
	s.gone = true
	return s.conn, nil
}

// Close leaves the connection to its server.
func (s *single) Close() error { return nil }

// Addr is that of the connection.
func (s *single) Addr() net.Addr { return s.conn.LocalAddr() }
