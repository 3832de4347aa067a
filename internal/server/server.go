// Package server puts the parts of the platform together, starts them in order
// and stops them. It alone knows all of them.
//
//	folder ─► listeners ─► database ─► domains ─► plugins ─► engine ─► API
//
// A server that is killed at any moment is started again and goes on: runs,
// timers and jobs are on disk, scripts on hosts and processes of plugins never
// noticed.
package server

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // time zones on machines without them

	"sextant/internal/config"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/resource"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/kit/lifecycle"
	"sextant/internal/kit/obs"
	"sextant/internal/kit/secret"
	"sextant/sdk/go/sqldb"
)

const (
	stopFor     = 20 * time.Second
	sweepEvery  = time.Hour
	headersFor  = 10 * time.Second
	idleFor     = 2 * time.Minute
	maxHeaders  = 32 << 10 // bytes of a request's head
	drainingFor = 5 * time.Second
	mendEvery   = 5 * time.Second
	// reserveBytes of the disk are kept for logging in and stopping when it is full.
	reserveBytes = 16 << 20
)

// Options is what a server is started with.
type Options struct {
	Config config.Config
	// Settings are where the values of Config come from, to be read.
	Settings []config.Item
	Version  string
	Clock    clock.Clock
	Log      *slog.Logger
	// AdminPassword is that of the administrator whom the first start creates;
	// random where it is empty.
	AdminPassword string
	// Exe is this program, for plugins in processes of their own.
	Exe string
}

// Server is a running platform.
type Server struct {
	Options
	// First is set by the very first start: what its owner has to be told, once.
	First *identity.First

	folder  *folder
	box     *secret.Box
	db      *db.DB
	parts   *parts
	group   *lifecycle.Group
	metrics *obs.Metrics
	ready   chan struct{}
	main    net.Listener
	admin   net.Listener
	http    *http.Server
	keeper  *resource.Supervisor // of plugins in processes of their own; nil for none
}

// Open starts a server. It serves when Open returns.
func Open(ctx context.Context, o Options) (s *Server, err error) {
	s = &Server{Options: o, group: lifecycle.New(context.WithoutCancel(ctx)), metrics: obs.NewMetrics(), ready: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.folder, err = openFolder(o.Config.Data); err != nil {
		return s, err
	}
	if os.Geteuid() == 0 {
		s.Log.Warn("the server runs as root: give it a user of its own")
	}
	s.group.OnStop("data folder", func(context.Context) error { return s.folder.close() })
	s.folder.away = o.Config.Database != ""
	if err := s.folder.whole(); err != nil {
		return s, err
	}
	if err := s.listen(); err != nil {
		return s, err
	}
	if s.folder.fresh() {
		if err := s.openBox(); err != nil {
			return s, err
		}
	}
	if err := s.openDatabase(ctx); err != nil {
		return s, err
	}
	if s.box == nil {
		if err := s.openBox(); err != nil {
			return s, err
		}
	}
	if s.parts, err = assemble(ctx, s); err != nil {
		return s, err
	}
	if err := s.firstStart(ctx); err != nil {
		return s, err
	}
	s.serve()
	if err := s.parts.start(ctx, s); err != nil {
		return s, err
	}
	close(s.ready)
	return s, nil
}

// openBox reads the master key, and makes it at the very first start.
func (s *Server) openBox() error {
	file, err := s.folder.key()
	if err == nil {
		s.box, err = secret.Open(file)
	}
	return err
}

// firstStart creates the administrator where a folder is new. A database without
// a single user in a folder that was used is not the one that belongs there.
func (s *Server) firstStart(ctx context.Context) error {
	if s.folder.used {
		some, err := s.parts.identity.HasUsers(ctx)
		if err == nil && !some {
			err = s.folder.lost("its database holds nobody")
		}
		return err
	}
	var err error
	if s.First, err = s.parts.identity.Bootstrap(ctx, s.AdminPassword); err != nil {
		return err
	}
	return s.folder.settled()
}

// listen takes the ports first, so that a taken one is told at once.
func (s *Server) listen() error {
	var err error
	if s.main, err = listenOn("listen", s.Config.Listen); err != nil {
		return err
	}
	if s.Config.TLS.Cert != "" {
		cert, err := tls.LoadX509KeyPair(s.Config.TLS.Cert, s.Config.TLS.Key)
		if err != nil {
			return fmt.Errorf("tls: %w", err)
		}
		s.main = tls.NewListener(s.main, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	}
	if s.Config.Admin.Listen != "" {
		s.admin, err = listenOn("admin.listen", s.Config.Admin.Listen)
	}
	return err
}

func listenOn(option, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: the address %s cannot be used (%w): set another with --%s or in sextant.yaml", option, address, err, option)
	}
	return l, nil
}

func (s *Server) openDatabase(ctx context.Context) error {
	file := s.folder.path("sextant.db")
	address, name := "sqlite:"+file, file
	if s.folder.away {
		address, name = s.Config.Database, sqldb.Redact(s.Config.Database)
	} else if err := s.folder.private("sextant.db"); err != nil { // SQLite gives its other files the same mode
		return fmt.Errorf("database %s: %w", file, err)
	}
	upgrade, err := s.copyBefore(ctx)
	if err != nil {
		return err
	}
	d, err := db.OpenAs(ctx, address, s.holder())
	if err != nil {
		return fmt.Errorf("database %s: %w", name, err)
	}
	s.db = d
	s.group.OnStop("database", func(context.Context) error { return d.Close() })
	if s.folder.away {
		err = errors.Join(s.folder.belongs(d.First()), s.warnOf(ctx, d))
	} else {
		d.Reserve(s.folder.path("reserve"), reserveBytes)
	}
	if err != nil {
		return fmt.Errorf("database %s: %w", name, err)
	}
	for _, m := range migrations() {
		if err := d.Migrate(ctx, m.domain, m.files); err != nil {
			return fmt.Errorf("database %s: %w", name, err)
		}
	}
	return upgrade.done()
}

// warnOf tells what has a database server forget in a power cut what it acknowledged.
func (s *Server) warnOf(ctx context.Context, d *db.DB) error {
	fragile, err := d.Fragile(ctx)
	for _, what := range fragile {
		s.Log.WarnContext(ctx, "the database server may lose in a power cut what it acknowledged", "setting", what)
	}
	return err
}

// holder says who uses the database. The folder is held by one server at a time,
// so that one who comes again from the same place is the one from before.
func (s *Server) holder() db.Holder {
	host, err := os.Hostname()
	if err != nil {
		host = "a machine without a name"
	}
	id := sha256.Sum256([]byte(host + "\x00" + s.folder.root))
	return db.Holder{ID: hex.EncodeToString(id[:16]),
		Name: fmt.Sprintf("the server on %s with the folder %s (process %d)", host, s.folder.root, os.Getpid())}
}

// URL is where the API and the console are.
func (s *Server) URL() string {
	scheme := "http://"
	if s.Config.TLS.Cert != "" {
		scheme = "https://"
	}
	return scheme + s.main.Addr().String()
}

// AdminURL is where the metrics are; empty for nowhere.
func (s *Server) AdminURL() string {
	if s.admin == nil {
		return ""
	}
	return "http://" + s.admin.Addr().String()
}

// serve answers on the listeners. Before the platform is ready /readyz and the
// API say so.
func (s *Server) serve() {
	platform := s.untilReady(s.parts.api.Handler())
	front := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // a mux would lead unclean paths elsewhere
		if r.Header.Get("Upgrade") != "" {
			w.Header().Set("Connection", "close") // unless the protocol changes: what follows was not checked
		}
		switch {
		case r.URL.Path != "/healthz" && r.URL.Path != "/readyz":
			platform.ServeHTTP(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			http.Error(w, "use GET", http.StatusMethodNotAllowed)
		case r.URL.Path == "/readyz" && !s.isReady():
			http.Error(w, "starting", http.StatusServiceUnavailable)
		case r.URL.Path == "/readyz" && s.db.Trouble() != nil:
			http.Error(w, errs.As(s.db.Trouble()).Message, http.StatusServiceUnavailable)
		default:
			_, _ = w.Write([]byte("ok\n")) // the client is gone if this fails
		}
	})
	s.http = limited(s.forwarded(s.named(s.belowBase(front))))
	s.http.ErrorLog = slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug)
	s.run("http", s.http, s.main)
	if s.admin == nil {
		return
	}
	ops := http.NewServeMux()
	ops.Handle("GET /metrics", s.metrics.Handler())
	ops.HandleFunc("/debug/pprof/", pprof.Index)
	ops.HandleFunc("/debug/pprof/profile", pprof.Profile)
	ops.HandleFunc("/debug/pprof/trace", pprof.Trace)
	s.run("admin", limited(s.named(ops)), s.admin)
}

// limited is a server that waits for nobody without end. How long bodies and
// answers may take, the API bounds: uploads and live views take their time.
func limited(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: headersFor, IdleTimeout: idleFor, MaxHeaderBytes: maxHeaders}
}

// forwarded takes from a trusted proxy where a request comes from: the last address
// of X-Forwarded-For that is not one of the proxies. What stands before it is what
// anybody may have written.
func (s *Server) forwarded(next http.Handler) http.Handler {
	proxies, err := s.Config.Proxies()
	if err != nil || len(proxies) == 0 { // validated when it was loaded
		return next
	}
	trusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for at := from.Addr(); err == nil && trusted(at) && len(hops) > 0; hops = hops[:len(hops)-1] {
			if at, err = netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1])); err == nil {
				r.RemoteAddr = netip.AddrPortFrom(at.Unmap(), from.Port()).String()
			}
		}
		next.ServeHTTP(w, r)
	})
}

// named answers requests that ask for a name of this platform.
func (s *Server) named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.Config.Answers(r.Host) && r.URL.Path != "/healthz" && r.URL.Path != "/readyz" {
			e := errs.New(errs.Misdirected, "request.host", "this platform is not called %.100q: add the name to the setting hosts if it is", r.Host)
			w.Header().Set("Connection", "close")
			api.WriteProblem(w, r, &api.Problem{Status: e.Kind.Status(), Title: e.Message, Code: e.Code})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// untilReady refuses requests while the platform starts: locks may have run out
// meanwhile and plugins may not be there yet.
func (s *Server) untilReady(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.isReady() {
			e := errs.New(errs.Unavailable, "server.starting", "the server is starting: ask again in a moment")
			api.WriteProblem(w, r, &api.Problem{Status: e.Kind.Status(), Title: e.Message, Code: e.Code})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) run(name string, h *http.Server, l net.Listener) {
	s.group.Go(name, func(context.Context) error {
		if err := h.Serve(api.Strict(l)); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	s.group.OnStop(name, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, drainingFor)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			return h.Close() // streams do not end by themselves
		}
		return nil
	})
}

func (s *Server) isReady() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// Failed yields the error that ended a part of the server.
func (s *Server) Failed() <-chan error { return s.group.Failed() }

// Close stops the server. What it manages goes on.
func (s *Server) Close() error {
	err := s.group.Stop(stopFor)
	if s.main != nil && s.http == nil {
		err = errors.Join(err, s.main.Close())
		if s.admin != nil {
			err = errors.Join(err, s.admin.Close())
		}
	}
	return err
}

func (s *Server) pluginFolder(name string) string {
	return filepath.Join(s.folder.root, "plugins", name)
}
