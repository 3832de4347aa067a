// Package balancer is a small reverse proxy for machines without nginx. It hands
// requests to the upstreams of a list in turn, and changes the list without
// losing a request:
//
//	edit the file ─► SIGHUP ─► new requests use the new list
//	                              └─► requests at upstreams that left have ended ─► <file>.live holds the new list
//
// Whoever takes an upstream out waits for the live file, after which nothing is
// under way to it. An upstream gets one connection a request, so that one which
// drains never closes a connection under a request. A GET or HEAD whose upstream
// refuses the connection goes to the next one. An empty list answers 503.
package balancer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	drainWithin = 10 * time.Second
	dialWithin  = 3 * time.Second
	// LiveSuffix is added to the name of the upstream file for the list in use.
	LiveSuffix = ".live"
)

// Options say where to listen and where the list of upstreams stands.
type Options struct {
	// Address is host:port to listen on.
	Address string
	// UpstreamFile holds one host:port a line.
	UpstreamFile string
	// PIDFile, where it is set, holds the process id while SIGHUP is listened for.
	PIDFile string
	// Log may be nil.
	Log *slog.Logger
}

var errNoUpstream = errors.New("there is no upstream")

// Balancer is an http.Handler that hands requests on. It is safe for concurrent
// use.
type Balancer struct {
	file   string
	log    *slog.Logger
	proxy  *httputil.ReverseProxy
	direct *http.Transport
	reload sync.Mutex // one at a time

	mu    sync.Mutex
	list  []*upstream
	next  int
	ended *sync.Cond // a request has ended
}

type upstream struct {
	address string
	active  int
}

// New makes a balancer with the list as it stands in the file.
func New(file string, log *slog.Logger) (*Balancer, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	b := &Balancer{
		file: file, log: log, direct: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: dialWithin}).DialContext}}
	b.ended = sync.NewCond(&b.mu)
	b.proxy = &httputil.ReverseProxy{
		Transport: b,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", "upstream", r.In.Host
			r.SetXForwarded()
		},
		ErrorHandler: b.fail,
		ErrorLog:     slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return b, b.Reload(context.Background())
}

// Run serves until ctx ends and reads the list again at every SIGHUP. At the end
// it finishes the requests that it has.
func Run(ctx context.Context, o Options) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	b, err := New(o.UpstreamFile, o.Log)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Address)
	if err != nil {
		return fmt.Errorf("balancer: %w", err)
	}
	srv := &http.Server{Handler: b, ReadHeaderTimeout: dialWithin, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(b.log.Handler(), slog.LevelWarn)}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	b.log.InfoContext(ctx, "serving", "address", l.Addr().String())
	if o.PIDFile != "" {
		if err := replace(o.PIDFile, fmt.Appendln(nil, os.Getpid())); err != nil {
			return fmt.Errorf("balancer: %w", err)
		}
		defer os.Remove(o.PIDFile)
	}
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("balancer: %w", err)
		case <-hup:
			if err := b.Reload(ctx); err != nil {
				b.log.ErrorContext(ctx, "the list of upstreams stays as it was", "err", err)
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWithin)
			defer cancel()
			if err := srv.Shutdown(last); err != nil {
				_ = srv.Close() // what is left has had its time
				return fmt.Errorf("balancer: requests were still under way after %v: %w", drainWithin, err)
			}
			<-ended
			return nil
		}
	}
}

// Reload reads the list again, waits until nothing is under way to upstreams
// that left, for at most ten seconds, and writes the live file. A list that
// cannot be read changes nothing.
func (b *Balancer) Reload(ctx context.Context) error {
	b.reload.Lock()
	defer b.reload.Unlock()
	text, err := os.ReadFile(b.file)
	if err != nil {
		return fmt.Errorf("balancer: %w", err)
	}
	addresses, err := parse(text)
	if err != nil {
		return fmt.Errorf("balancer: %s: %w", b.file, err)
	}
	left := b.swap(addresses)
	ctx, cancel := context.WithTimeout(ctx, drainWithin)
	defer cancel()
	if !b.idle(ctx, left) {
		b.log.WarnContext(ctx, "requests are still under way to upstreams that were taken out")
	}
	b.log.InfoContext(ctx, "the list is in use", "upstreams", addresses)
	if err := replace(b.file+LiveSuffix, text); err != nil {
		return fmt.Errorf("balancer: the list is in use, but cannot be shown: %w", err)
	}
	return nil
}

// replace puts a file in place in one step.
func replace(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func parse(text []byte) ([]string, error) {
	var all []string
	for line := range bytes.Lines(text) {
		address := strings.TrimSpace(string(line))
		if address == "" || strings.HasPrefix(address, "#") {
			continue
		}
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("%q is no host:port", address)
		}
		if !slices.Contains(all, address) {
			all = append(all, address)
		}
	}
	return all, nil
}

// swap takes a new list into use and gives the upstreams that are not on it.
func (b *Balancer) swap(addresses []string) (left []*upstream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []*upstream
	for _, a := range addresses {
		i := slices.IndexFunc(b.list, func(u *upstream) bool { return u.address == a })
		if i < 0 {
			list = append(list, &upstream{address: a})
		} else {
			list = append(list, b.list[i])
		}
	}
	for _, u := range b.list {
		if !slices.Contains(list, u) {
			left = append(left, u)
		}
	}
	b.list = list
	return left
}

// idle waits until nothing is under way to some upstreams.
func (b *Balancer) idle(ctx context.Context, list []*upstream) bool {
	stop := context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ended.Broadcast()
	})
	defer stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	for slices.ContainsFunc(list, func(u *upstream) bool { return u.active > 0 }) {
		if ctx.Err() != nil {
			return false
		}
		b.ended.Wait()
	}
	return true
}

// take chooses the next upstream for a request that has not been to those given.
func (b *Balancer) take(been []*upstream) *upstream {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.list {
		u := b.list[b.next%len(b.list)]
		b.next++
		if !slices.Contains(been, u) {
			u.active++
			return u
		}
	}
	return nil
}

func (b *Balancer) done(u *upstream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u.active--
	b.ended.Broadcast()
}

// ServeHTTP hands a request on.
func (b *Balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.proxy.ServeHTTP(w, r) }

// RoundTrip sends a request to an upstream; the proxy calls it.
func (b *Balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	var been []*upstream
	last := errNoUpstream
	for {
		u := b.take(been)
		if u == nil {
			return nil, last
		}
		been = append(been, u)
		to := *r.URL
		to.Host = u.address
		sent := r.WithContext(r.Context())
		sent.URL = &to
		resp, err := b.direct.RoundTrip(sent)
		if err == nil {
			resp.Body = &counted{resp.Body, sync.OnceFunc(func() { b.done(u) })}
			return resp, nil
		}
		b.done(u)
		last = err
		var dial *net.OpError
		again := r.Method == http.MethodGet || r.Method == http.MethodHead
		if !again || !errors.As(err, &dial) || dial.Op != "dial" || r.Context().Err() != nil {
			return nil, err
		}
	}
}

// counted is the body of an answer; the request has ended when it is closed.
type counted struct {
	io.ReadCloser
	done func()
}

// Close ends the request.
func (c *counted) Close() error {
	defer c.done()
	return c.ReadCloser.Close()
}

func (b *Balancer) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadGateway
	if errors.Is(err, errNoUpstream) {
		status = http.StatusServiceUnavailable
	}
	b.log.WarnContext(r.Context(), "a request could not be handed on", "path", r.URL.Path, "err", err)
	http.Error(w, http.StatusText(status), status)
}
