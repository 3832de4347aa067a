// Package api is the edge towards HTTP: typed endpoints, problems as RFC 9457
// application/problem+json, lists with keyset paging, If-Match, idempotent
// POSTs and live streams with resume.
//
//	request ─► request id ─► recover ─► authenticate ─► idempotency ─► endpoint: permission ─► validate ─► use case
//
// It is the only place that turns an error into a status.
package api

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/kit/obs"
)

// Migrations holds the table of remembered answers.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "api"

// MaxBody is the largest body of a request that is not an upload, in bytes.
const MaxBody = 16 << 20

// Deps is what the edge needs from the house.
type Deps struct {
	Version string
	DB      *db.DB
	Clock   clock.Clock
	Log     *slog.Logger
	// Authenticate finds out who asks. It returns the context with the subject
	// and a name of the principal that is stable over requests.
	Authenticate func(r *http.Request) (ctx context.Context, principal string, err error)
	// Authorize checks that the subject of ctx may do this on a project, or on
	// any at all where the project is empty. Every endpoint is checked for any;
	// use cases check against the very object again.
	Authorize func(ctx context.Context, permission, project string) error
	// Fresh checks that the subject of ctx proved lately who it is, for endpoints
	// that ask for it; nil for no such check.
	Fresh func(ctx context.Context) error
	// Rights names what the subject of ctx may do: an answer is not repeated to one
	// who may do something else meanwhile. May be nil.
	Rights func(ctx context.Context) string
	// Refused keeps that a request was refused for want of a right; may be nil. It is
	// not called for more than a few of a flood.
	Refused func(ctx context.Context, r *http.Request, route string)
	// Remember is for how long an answer to an Idempotency-Key is repeated; 24 hours
	// where it is 0.
	Remember time.Duration
	// Stall is how long a body may take before it comes at a pace, and an answer
	// until it is taken so; 30 seconds where it is 0.
	Stall time.Duration
	// Observe takes the time of each answer; may be nil.
	Observe func(route, status string, seconds float64)
}

// API collects endpoints.
type API struct {
	deps Deps
	mux  *http.ServeMux
	huma huma.API
	idem *idempotency
	// cross refuses what a page of another site sends with the user's cookie.
	cross     *http.CrossOriginProtection
	endpoints []Endpoint
	streams   streams
	told      told
	patterns  map[string]Endpoint // endpoints by what the mux calls them
}

// New makes an API without endpoints.
func New(deps Deps) *API {
	mux := http.NewServeMux()
	cfg := huma.DefaultConfig("Sextant", deps.Version)
	cfg.CreateHooks = nil // no $schema in answers
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "/api/v1/openapi", "", ""
	cfg.Components.Schemas = withKeys(huma.NewMapRegistry("#/components/schemas/", schemaNames()))
	cfg.RejectUnknownQueryParameters = true
	format := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: strict}
	cfg.Formats = map[string]huma.Format{"application/json": format, "json": format}
	a := &API{deps: deps, mux: mux, idem: newIdempotency(deps.DB, deps.Clock, deps.Remember),
		cross: http.NewCrossOriginProtection(), patterns: map[string]Endpoint{}}
	cfg.Transformers = []huma.Transformer{a.problems}
	a.huma = humago.New(mux, cfg)
	return a
}

// OpenAPI is the description of all endpoints, as YAML.
func (a *API) OpenAPI() ([]byte, error) {
	a.describeProblems()
	return a.huma.OpenAPI().YAML()
}

// OpenAPI30 is the description for tools that know no newer version than 3.0.
func (a *API) OpenAPI30() ([]byte, error) {
	a.describeProblems()
	return a.huma.OpenAPI().DowngradeYAML()
}

// Endpoint describes one operation.
type Endpoint struct {
	ID      string // verb and noun, for the generated client
	Method  string
	Path    string
	Summary string
	Tag     string
	// Permission is domain.verb, or SignedIn. Every endpoint that is not public
	// declares one.
	Permission string
	// Public endpoints need no subject.
	Public bool
	// Status is the status of success, 200 where it is 0.
	Status int
	// MaxBody is the largest body in bytes, MaxBody of the package where it is 0.
	MaxBody int64
	// Secret keeps the answer out of every memory, that of repeated requests too.
	Secret bool
	// Query names the parameters of a plain endpoint's query.
	Query []string
	// Raw says that body, query and answer are of whatever a plugin makes of them:
	// they are streamed, and nothing of them is read or kept here. What browsers are
	// told is the same as in the whole API.
	Raw bool
	// Reauth asks for a session whose owner proved lately who it is.
	Reauth bool
}

// SignedIn is the permission of what every subject may do, with its own things.
const SignedIn = "signed-in"

// declare notes an endpoint. One without a permission is a mistake of whoever
// wrote it, so it ends the program when it is built and tested.
func (a *API) declare(e Endpoint) {
	if e.Permission == "" && !e.Public {
		panic("api: the endpoint " + e.Method + " " + e.Path + " declares no permission")
	}
	a.endpoints = append(a.endpoints, e)
	a.patterns[e.Method+" "+e.Path] = e
}

// Endpoints lists what was registered, by path and method.
func (a *API) Endpoints() []Endpoint {
	all := slices.Clone(a.endpoints)
	slices.SortFunc(all, func(x, y Endpoint) int { return cmp.Or(cmp.Compare(x.Path, y.Path), cmp.Compare(x.Method, y.Method)) })
	return all
}

// Permissions lists the permissions that endpoints ask for, sorted.
func (a *API) Permissions() []string {
	var all []string
	for _, e := range a.endpoints {
		if e.Permission != "" && e.Permission != SignedIn {
			all = append(all, e.Permission)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Register adds a typed endpoint.
func Register[I, O any](a *API, e Endpoint, fn func(context.Context, *I) (*O, error)) {
	a.declare(e)
	op := huma.Operation{OperationID: e.ID, Method: e.Method, Path: e.Path,
		Summary: e.Summary, Tags: []string{e.Tag}, DefaultStatus: e.Status, MaxBodyBytes: e.MaxBody}
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = MaxBody
	}
	op.BodyReadTimeout = -1 // bodies come at a pace, and what is done with them takes its time
	op.Extensions = e.needs()
	op.Middlewares = huma.Middlewares{func(hc huma.Context, next func(huma.Context)) {
		if err := a.allow(hc.Context(), e); err != nil {
			a.write(hc, err)
			return
		}
		err := typed(hc)
		if err == nil {
			err = whole(hc, op.MaxBodyBytes)
		}
		if err != nil {
			a.write(hc, err)
			return
		}
		if e.Secret {
			keepOut(hc.Context())
		}
		next(hc)
	}}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := fn(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
}

// Handle adds a plain handler for what is not JSON, such as uploads and streams.
// With an id it is described too.
func (a *API) Handle(e Endpoint, h func(http.ResponseWriter, *http.Request) error) {
	a.declare(e)
	if e.ID != "" {
		a.describe(e)
	}
	a.mux.HandleFunc(e.Method+" "+e.Path, func(w http.ResponseWriter, r *http.Request) {
		if e.Secret {
			keepOut(r.Context())
		}
		if e.Raw {
			guard(w.Header())
		}
		err := a.allow(r.Context(), e)
		if err == nil && !e.Raw {
			err = e.known(r)
		}
		if err == nil {
			err = h(w, r.WithContext(context.WithValue(r.Context(), endpointKey{}, e)))
		}
		if err != nil {
			WriteProblem(w, r, a.problem(r.Context(), err))
		}
	})
}

// Mount hands everything under a pattern to a handler that does its own checks.
func (a *API) Mount(pattern string, h http.Handler) { a.mux.Handle(pattern, h) }

type identityKey struct{}

type identity struct {
	principal string
	err       error
}

func (a *API) allow(ctx context.Context, e Endpoint) error {
	if e.Public {
		return nil
	}
	id, _ := ctx.Value(identityKey{}).(identity)
	if id.err != nil {
		return id.err
	}
	if e.Permission != SignedIn {
		if err := a.deps.Authorize(ctx, e.Permission, ""); err != nil {
			return err
		}
	}
	if e.Reauth && a.deps.Fresh != nil {
		return a.deps.Fresh(ctx)
	}
	return nil
}

// endpointKey finds the endpoint that serves a request, for streams.
type endpointKey struct{}

// again checks whether a request that is being served may go on: its subject may
// have been disabled or have lost a right. The context carries the subject as it
// is now.
func (a *API) again(r *http.Request) (context.Context, error) {
	e, ok := r.Context().Value(endpointKey{}).(Endpoint)
	if !ok || e.Public {
		return r.Context(), nil
	}
	ctx, _, err := a.deps.Authenticate(r)
	if err != nil || e.Permission == SignedIn {
		return ctx, err
	}
	return ctx, a.deps.Authorize(ctx, e.Permission, "")
}

type againKey struct{}

// Again finds out anew who asks in ctx, for a request that has waited: meanwhile a right
// may have been taken away, and the token itself. It gives ctx where no request asks.
func Again(ctx context.Context) (context.Context, error) {
	again, ok := ctx.Value(againKey{}).(func() (context.Context, error))
	if !ok {
		return ctx, nil
	}
	now, err := again()
	if err != nil {
		return nil, err
	}
	return context.WithValue(now, againKey{}, again), nil
}

// Authorize checks a permission on a project, for the domains that do not know
// who asks.
func (a *API) Authorize(ctx context.Context, permission, project string) error {
	return a.deps.Authorize(ctx, permission, project)
}

// Handler is the whole edge.
func (a *API) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := a.deps.Clock.Now()
		id := r.Header.Get("X-Request-Id")
		if !requestID.MatchString(id) {
			id = clock.NewID(a.deps.Clock)
		}
		w.Header().Set("X-Request-Id", id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		r = r.WithContext(obs.WithRequestID(r.Context(), id))
		if strings.HasPrefix(r.URL.Path, "/api/") {
			guard(w.Header())
		}
		sw := &statusWriter{ResponseWriter: w, conn: http.NewResponseController(w), stall: cmp.Or(a.deps.Stall, stallFor)}
		defer a.observe(sw, start)
		defer a.recover(sw, r)
		err := a.check(r)
		if err == nil {
			err = a.otherMethod(sw, r)
		}
		if err != nil {
			WriteProblem(sw, r, a.problem(r.Context(), err))
			return
		}
		a.paced(w, r)
		ctx, principal, err := a.deps.Authenticate(r)
		if err != nil {
			ctx = r.Context()
		}
		asked := r
		ctx = context.WithValue(ctx, againKey{}, func() (context.Context, error) {
			ctx, _, err := a.deps.Authenticate(asked)
			return ctx, err
		})
		r = r.WithContext(context.WithValue(ctx, identityKey{}, identity{principal, err}))
		next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() { sw.route = r.Pattern }() // the mux writes it into the request that it gets
			a.mux.ServeHTTP(w, r)
		})
		defer a.refused(sw, r, principal)
		if key := r.Header.Get("Idempotency-Key"); key != "" && r.Method == http.MethodPost && err == nil {
			_, pattern := a.mux.Handler(r)
			if e := a.patterns[pattern]; e.Method != "" && !e.Raw { // what is mounted keeps no answers
				if err := a.idem.serve(sw, r, call{principal, a.rights(r.Context()), key}, func() error {
					return a.allow(r.Context(), a.patterns[pattern])
				}, next); err != nil {
					WriteProblem(sw, r, a.problem(r.Context(), err))
				}
				return
			}
		}
		next.ServeHTTP(sw, r)
	})
}

func (a *API) rights(ctx context.Context) string {
	if a.deps.Rights == nil {
		return ""
	}
	return a.deps.Rights(ctx)
}

func (a *API) observe(w *statusWriter, start time.Time) {
	if a.deps.Observe != nil {
		a.deps.Observe(w.route, strconv.Itoa(max(w.status, http.StatusOK)), a.deps.Clock.Now().Sub(start).Seconds())
	}
}

func (a *API) recover(w *statusWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	a.deps.Log.ErrorContext(r.Context(), "panic in a request", "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if w.status == 0 {
		WriteProblem(w, r, a.problem(r.Context(), errs.New(errs.Internal, "internal", "internal error")))
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
	route  string // the pattern that was served
	conn   *http.ResponseController
	stall  time.Duration
}

// WriteHeader notes the status.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write notes that an answer has begun.
func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	_ = w.conn.SetWriteDeadline(clock.Real{}.Now().Add(w.stall)) // not every writer has one
	return w.ResponseWriter.Write(b)
}

// Unwrap lets streams flush.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
