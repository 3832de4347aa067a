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

	"sextant/internal/kit/api"
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
	// Route is the path that all of it lies below.
	Route string
	open  atomic.Int64
}

// passage is one stream on its way.
type passage struct {
	*Line
	path   string
	set    http.Header
	token  string
	base   *url.URL
	failed error       // why nothing was answered
	broke  atomic.Bool // the plugin's end of it
}

// Serve carries a request to the plugin of a line, under a path of it, and the answer
// back, each byte as it comes: uploads, downloads, server-sent events, and WebSocket.
// Who asks is told to the plugin by set alone; credentials and names of identity in
// the request stay here, and of the answer passes what cannot touch the platform. An
// error is returned while nothing was answered yet; a stream that breaks later breaks
// for its caller too. The stream ends when the request's context does.
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
	if up := req.Header.Get("Upgrade"); up != "" && !strings.EqualFold(up, "websocket") {
		return errs.New(errs.Malformed, "plugin.upgrade", "a connection changes to WebSocket alone here, and not to %.40q", up)
	}
	m, ok := r.take(l.Plugin, "", nil)
	if !ok {
		return errs.New(errs.Unavailable, "plugin.not_running", "the plugin %q does not run", l.Plugin)
	}
	defer r.give(l.Plugin, "", m, false)
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
	s := &passage{Line: l, path: path, set: set, token: m.Token, base: base}
	defer func() {
		if s.broke.Load() && req.Context().Err() == nil && r.Unreached != nil {
			r.Unreached(l.Plugin)
		}
	}()
	p := &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: s.rewrite, ModifyResponse: s.answer, ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { s.failed = err }}
	p.ServeHTTP(&final{ResponseWriter: w, head: http.Header{}}, req.WithContext(ctx))
	if s.failed == nil {
		r.answered(m, nil)
		return nil
	}
	return r.broken(ctx, l, m, s.failed)
}

// broken says why nothing was answered.
func (r *Router) broken(ctx context.Context, l *Line, m *member, err error) error {
	var large *http.MaxBytesError
	var said *errs.Error
	body := api.BodyError(err)
	switch {
	case errors.As(err, &large):
		return tooLarge(l)
	case errors.As(err, &said):
		return said
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errs.New(errs.Unavailable, "plugin.stream_timeout", "the plugin %s did not answer within %s", l.Plugin, l.For)
	case errs.Is(body, errs.Slow), errs.Is(body, errs.Malformed):
		return body
	case connecting(err):
		r.answered(m, err)
	}
	if ctx.Err() == nil && r.Unreached != nil {
		r.Unreached(l.Plugin)
	}
	return errs.Wrap(err, errs.Unavailable, "plugin.stream", fmt.Sprintf("the plugin %s gave no answer", l.Plugin))
}

func tooLarge(l *Line) error {
	return errs.New(errs.TooLarge, "plugin.request_too_large", "the plugin %s takes at most %d bytes here", l.Plugin, l.Request)
}

// rewrite makes the request that the plugin gets.
func (s *passage) rewrite(pr *httputil.ProxyRequest) {
	pr.SetURL(s.base)
	pr.Out.URL.Path, pr.Out.URL.RawPath = strings.TrimSuffix(s.base.Path, "/")+s.path, ""
	pr.Out.URL.RawQuery = pr.In.URL.RawQuery
	pr.Out.Trailer = nil
	for name := range pr.Out.Header {
		if stays(name) {
			delete(pr.Out.Header, name)
		}
	}
	for name, values := range s.set {
		pr.Out.Header[name] = values
	}
	pr.Out.Header.Set("Authorization", "Bearer "+s.token)
	if s.Request > 0 && pr.Out.Body != nil {
		pr.Out.Body = http.MaxBytesReader(nil, pr.Out.Body, s.Request)
	}
}

// answer bounds what comes back, and cleans it. A connection that changes its protocol
// stays as it is.
func (s *passage) answer(resp *http.Response) error {
	clean(resp.Header, s.Route)
	if s.Answer > 0 && resp.ContentLength > s.Answer {
		return errs.New(errs.Unavailable, "plugin.answer_too_large", "the plugin %s answers more than the %d bytes that it may here",
			s.Plugin, s.Answer)
	}
	in := bounded{ReadCloser: resp.Body, left: left(s.Answer), ended: func(err error) { s.broke.Store(err != nil) }}
	if both, ok := resp.Body.(io.ReadWriteCloser); ok && resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body = &duplex{in, both, left(s.Request)}
		return nil
	}
	resp.Body = &in
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
	left  int64
	ended func(error) // is told how it ended; nil at its end
}

// Read reads within the limit.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errBeyond
	}
	if errors.Is(err, io.EOF) {
		b.ended(nil)
	} else if err != nil {
		b.ended(err)
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
