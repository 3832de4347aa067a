package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"sextant/internal/domain/gateway"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

// askAgain is how often a stream is asked whether whoever opened it may still have it.
const askAgain = 3 * time.Second

// errNoLonger ends a stream whose caller has lost the right to it.
var errNoLonger = errors.New("plugin: who asked may not have this stream any more")

// Streams leads requests below /in/ and /data/ to the plugins that have routes there.
//
//	request ─► who asks, with which right in which project ─► route of a plugin ─► gateway ─► plugin
type Streams struct {
	Registry *Registry
	Router   *gateway.Router
	Clock    clock.Clock

	mu    sync.Mutex
	lines map[string]*gateway.Line // by the path of the route
}

// Routes adds what is below /in/ and /data/.
func (s *Streams) Routes(a *api.API) {
	for _, method := range manifest.Methods() {
		a.Handle(api.Endpoint{Method: method, Path: wire.RouteIn + "{rest...}", Permission: "stream.write", Raw: true},
			func(w http.ResponseWriter, r *http.Request) error { return s.serve(w, r, "stream.write") })
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		a.Handle(api.Endpoint{Method: method, Path: wire.RouteData + "{rest...}", Permission: "stream.read", Raw: true},
			func(w http.ResponseWriter, r *http.Request) error { return s.serve(w, r, "stream.read") })
	}
}

func (s *Streams) serve(w http.ResponseWriter, r *http.Request, permission string) error {
	project := cmp.Or(r.Header.Get(wire.HeaderProject), "default")
	if err := identity.Require(r.Context(), permission, project); err != nil {
		return err
	}
	if err := browser(r); err != nil {
		return err
	}
	route, owner, ok := s.Registry.route(r.URL.Path)
	if !ok {
		return errs.New(errs.NotFound, "plugin.no_route", "no plugin has a route that %s leads to", r.URL.Path)
	}
	if all := manifest.RouteMethods(route); !slices.Contains(all, r.Method) {
		w.Header().Set("Allow", strings.Join(all, ", "))
		return errs.New(errs.Method, "request.method", "%s is not possible here: use %s", r.Method, strings.Join(all, ", "))
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	go s.watch(ctx, cancel, permission, project)
	who := identity.From(r.Context())
	err := s.Router.Serve(w, r.WithContext(ctx), s.line(owner, route), r.URL.Path,
		http.Header{wire.HeaderOperator: {who.Name}, wire.HeaderProject: {project}})
	if errs.HasCode(err, "plugin.streams") {
		w.Header().Set("Retry-After", "1")
	}
	return err
}

// watch ends a stream once its caller has lost the right to it.
func (s *Streams) watch(ctx context.Context, end context.CancelCauseFunc, permission, project string) {
	for {
		tick, stop := s.Clock.After(askAgain)
		select {
		case <-ctx.Done():
			stop()
			return
		case <-tick:
		}
		now, err := api.Again(ctx)
		if err == nil {
			err = identity.Require(now, permission, project)
		}
		if err != nil && ctx.Err() == nil {
			end(errNoLonger)
			return
		}
	}
}

// browser refuses what a browser would ask for on behalf of another site, and what it
// would run: the console's origin gets no script of a plugin, and no frame.
func browser(r *http.Request) error {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "empty", "websocket", "document", "image", "audio", "video":
	default:
		return errs.New(errs.Forbidden, "plugin.stream_use", "what a plugin streams is neither loaded as a script or a style nor framed")
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return errs.New(errs.Forbidden, "request.cross_origin", "a page of another site sent this request")
	}
	// An upgrade is a GET, which passes other checks: whoever shows a session's cookie
	// has to be a page of this very origin.
	if r.Header.Get("Upgrade") == "" || r.Header.Get("Authorization") != "" {
		return nil
	}
	if from, err := url.Parse(r.Header.Get("Origin")); err != nil || from.Host == "" || from.Host != r.Host {
		return errs.New(errs.Forbidden, "request.cross_origin",
			"a connection is opened by a page of this platform, or with the header Authorization")
	}
	return nil
}

// line is the way to a route. One whose owner or limits are others by now is made anew.
func (s *Streams) line(owner string, r wire.Route) *gateway.Line {
	l := manifest.Limits(r)
	limits := gateway.Limits{Request: l.Request, Answer: l.Answer, For: l.Timeout, Streams: int64(l.Connections)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines == nil {
		s.lines = map[string]*gateway.Line{}
	}
	if known := s.lines[r.Path]; known != nil && known.Plugin == owner && known.Limits == limits {
		return known
	}
	s.lines[r.Path] = &gateway.Line{Plugin: owner, Route: r.Path, Limits: limits}
	return s.lines[r.Path]
}

// route finds the route that a path lies below, and its plugin.
func (r *Registry) route(path string) (of wire.Route, plugin string, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, m := range r.by {
		for _, one := range m.Routes {
			if path == one.Path || strings.HasPrefix(path, one.Path+"/") {
				return one, m.Plugin, true
			}
		}
	}
	return of, "", false
}

// taken refuses a route that another plugin has.
func (r *Registry) taken(m wire.Manifest) error {
	for i, one := range m.Routes {
		if _, owner, ok := r.route(one.Path); ok && owner != m.Plugin {
			return errs.New(errs.Conflict, "plugin.route_taken", "the plugin %s cannot have the route %s: the plugin %s has it",
				m.Plugin, one.Path, owner).
				At(errs.Field{Path: fmt.Sprintf("routes[%d].path", i), Code: "plugin.route_taken", Message: "taken by " + owner})
		}
	}
	return nil
}
