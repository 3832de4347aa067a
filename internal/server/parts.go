package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/control"
	"sextant/internal/domain/decision"
	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/dispatch/output"
	"sextant/internal/domain/dispatch/plan"
	"sextant/internal/domain/gateway"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/job"
	"sextant/internal/domain/message"
	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/domain/process"
	"sextant/internal/domain/process/definition"
	"sextant/internal/domain/process/runs"
	"sextant/internal/domain/process/view"
	"sextant/internal/domain/resource"
	"sextant/internal/domain/setting"
	"sextant/internal/domain/worklist"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/blob"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/retention"
	"sextant/internal/kit/secret"
	"sextant/sdk/go/wire"
)

var errStopping = errors.New("the server is stopping")

type migration struct {
	domain string
	files  fs.FS
}

func migrations() []migration {
	return []migration{
		{api.Domain, api.Migrations}, {bus.Domain, bus.Migrations}, {audit.Domain, audit.Migrations}, {identity.Domain, identity.Migrations},
		{setting.Domain, setting.Migrations}, {plugin.Domain, plugin.Migrations},
		{object.Domain, object.Migrations}, {worklist.Domain, worklist.Migrations}, {decision.Domain, decision.Migrations},
		{control.Domain, control.Migrations}, {message.Domain, message.Migrations}, {job.Domain, job.Migrations},
		{dispatch.Domain, dispatch.Migrations}, {process.Domain, process.Migrations}, {durable.Domain, durable.Migrations},
	}
}

// parts are the rooms of the house, connected.
type parts struct {
	api      *api.API
	clock    clock.Clock
	box      *secret.Box
	bus      *bus.Bus
	audit    *audit.Log
	identity *identity.Service
	registry *plugin.Registry
	remote   *plugin.Remote
	router   *gateway.Router
	objects  *object.Service
	dispatch *dispatch.Service
	output   *output.Store
	messages *message.Service
	jobs     *job.Service
	decision *decision.Service
	versions *definition.Service
	runs     *runs.Service
	door     *control.Door
	engine   *durable.Host
	sweeper  *retention.Sweeper
	blobs    *blob.Dir
}

// assemble makes every part and connects them; nothing moves yet.
func assemble(ctx context.Context, s *Server) (*parts, error) {
	box := s.box
	blobs, err := blob.NewDir(s.folder.path("blobs"))
	if err != nil {
		return nil, err
	}
	d, c := s.db, s.Clock
	p := &parts{clock: c, box: box, blobs: blobs, audit: audit.New(d, c),
		bus: bus.New(d, c, s.Log), router: gateway.New(), registry: plugin.New(d, c)}
	trail := p.audit
	p.identity = identity.New(d, c, trail)
	p.api = api.New(api.Deps{Version: s.Version, DB: d, Clock: c, Log: s.Log,
		Authenticate: p.authenticate, Authorize: p.identity.Authorize, Fresh: p.identity.Fresh, Rights: identity.RightsSum,
		Remember: time.Duration(s.Config.Retention.Idempotency) * day, Refused: refusals(s, trail), Observe: s.metrics.Requests()})
	settings := setting.New(d, c, box, trail)
	settings.Check = p.registry.CheckSetting
	files := resource.NewFiles(blobs, d, trail)
	p.objects = object.New(object.Deps{DB: d, Clock: c, Plugins: p.registry, Router: p.router, Audit: trail, Bus: p.bus, Box: box, Log: s.Log})
	tasks := worklist.New(d, trail, p.bus, c)
	if p.output, err = output.Open(s.folder.path("output"),
		output.Options{PerJob: s.Config.Output.Job << 20, Total: s.Config.Output.Total << 20, Clock: c, Log: s.Log}); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	s.group.OnStop("output", func(context.Context) error { return p.output.Close() })
	planner := plan.New(plan.Deps{DB: d, Clock: c, Plugins: p.registry, Objects: p.objects, Settings: settings, Called: p.called})
	p.dispatch = dispatch.New(dispatch.Deps{DB: d, Clock: c, Log: s.Log, Plugins: p.registry,
		Router: p.router, Objects: p.objects, Settings: settings, Planner: planner, Calls: s.Config.Limits.Calls, Store: p.output, Bus: p.bus,
		Changed: changed(func() *runs.Service { return p.runs }),
		Reached: func(tx *db.Tx, run int64, environments []string) error {
			return p.runs.Reached(tx, run, environments)
		},
		InSight: func(ctx context.Context, project string, run int64) (bool, error) {
			return p.runs.InSight(ctx, project, run)
		}})
	p.jobs = job.New(d, c, func() job.Runs { return p.runs })
	p.decision = decision.New(decision.Deps{DB: d, Clock: c, Log: s.Log, Audit: trail, Bus: p.bus, Blobs: blobs})
	p.messages = message.New(message.Deps{DB: d, Clock: c, Log: s.Log, Audit: trail,
		Bus: p.bus, Refer: planner.MayRefer, Seen: func(ctx context.Context, permission, project, column string) (string, []any) {
			return p.runs.Seen(ctx, permission, project, column)
		}, InSight: func(ctx context.Context, project string, run int64) (bool, error) {
			return p.runs.InSight(ctx, project, run)
		}})
	p.versions = definition.New(definition.Deps{DB: d, Clock: c, Log: s.Log,
		Audit: trail, Bus: p.bus, Blobs: blobs, Planner: planner, Messages: p.messages, DMN: p.decision, Cycle: budget(s).Cycle})
	p.runs = runs.New(runs.Deps{DB: d, Clock: c, Log: s.Log, Audit: trail,
		Bus: p.bus, Definitions: p.versions, Dispatch: p.dispatch, Tasks: tasks, Messages: p.messages, Jobs: p.jobs, Max: s.Config.Limits.Runs})
	p.bus.Handle(s.holder().ID, p.runs.Handlers()...)
	views := view.New(view.Deps{DB: d, Audit: trail, Definitions: p.versions, Runs: p.runs, Dispatch: p.dispatch})
	tasks.Attach(p.runs)
	if err := p.versions.Number(ctx); err != nil {
		return nil, err
	}
	tasks.Seen, tasks.Person, tasks.People = p.runs.Seen, p.identity.Person, p.identity.People
	p.engine, err = durable.Open(ctx, p.host(s))
	if err != nil {
		return nil, err
	}
	p.door = control.New(control.Deps{DB: d, Clock: c, Audit: trail, Bus: p.bus, Objects: p.objects, Starter: p.runs,
		Planner: planner, Seal: settings.SealFor, StopFile: s.folder.path("STOP"), Seen: p.runs.Seen, InSight: p.runs.InSight,
		Still: p.identity.Still, Log: s.Log})
	p.versions.Attach(p.engine)
	p.runs.Attach(p.engine, p.door)
	p.objects.Attach(p.runs.Door())
	p.messages.Attach(p.runs, p.door)
	p.decision.Attach(p.engine)
	p.watch(s)
	for _, r := range []interface{ Routes(*api.API) }{p.identity, trail, settings,
		files, p.registry, p.remote,
		p.plugins(s, settings), p.objects, tasks, p.door, p.dispatch, p.jobs, p.messages, p.versions, p.runs, views} {
		r.Routes(p.api)
	}
	p.decision.Routes(p.api, p.runs)
	s.frontRoutes(p)
	console, err := s.console()
	if err != nil {
		return nil, err
	}
	p.api.Mount("/", console)
	return p, nil
}

// watch makes what connects plugins from elsewhere and sees after the health of all.
func (p *parts) watch(s *Server) {
	p.remote = &plugin.Remote{Registry: p.registry, Router: p.router, Tokens: p.identity,
		Box: p.box, Audit: p.audit, Plain: s.Config.TLS.Insecure, Reserved: isBuiltin, Use: use{p.objects, p.dispatch}}
	p.registry.Health = &plugin.Health{Registry: p.registry, Router: p.router,
		Clock: s.Clock, DB: s.db, Audit: p.audit, Bus: p.bus, Log: s.Log}
	p.router.Unreached = func(string) { p.registry.Health.Poke() }
}

// fronts are what the border offers of plugins besides their list.
type fronts struct {
	ui       *plugin.UI
	streams  *plugin.Streams
	versions *plugin.Versions
	settings *plugin.Settings
}

// Routes adds the endpoints.
func (f fronts) Routes(a *api.API) {
	f.ui.Routes(a)
	f.streams.Routes(a)
	f.versions.Routes(a)
	f.settings.Routes(a)
}

func (p *parts) plugins(s *Server, settings *setting.Service) fronts {
	return fronts{ui: &plugin.UI{Registry: p.registry, Router: p.router, Trusted: isBuiltin},
		streams: &plugin.Streams{Registry: p.registry, Router: p.router, Clock: p.clock},
		versions: &plugin.Versions{Registry: p.registry, DB: s.db, Audit: p.audit, Bus: p.bus,
			Use: use{p.objects, p.dispatch}},
		settings: &plugin.Settings{Registry: p.registry, Values: settings}}
}

// host is what the engine needs.
func (p *parts) host(s *Server) durable.Deps {
	return durable.Deps{DB: s.db, Clock: s.Clock, Log: s.Log, Programs: p.versions.Program,
		Zone: time.LoadLocation, Projector: p.runs, Calls: p.runs,
		Budget: budget(s), Moves: s.Config.Limits.Moves, Marks: s.folder.path("run", "atwork"),
		Workers: []durable.Subscription{{Accepts: dispatch.Accepts, Worker: p.dispatch},
			{Accepts: decision.Accepts, Worker: p.decision}, {Accepts: runs.Pulled, Worker: p.jobs}}}
}

// called finds what a call activity calls, for the planner.
func (p *parts) called(ctx context.Context, project string, caller int64, c *program.Call) (control.Found, error) {
	return p.versions.CalledBy(ctx, project, caller, c)
}

// refusals keeps in the audit log who asked for what they may not do.
func refusals(s *Server, trail *audit.Log) func(context.Context, *http.Request, string) {
	return func(ctx context.Context, r *http.Request, route string) {
		detail, err := json.Marshal(map[string]string{"route": route, "from": identity.Origin(r)})
		if err == nil {
			err = s.db.Do(context.WithoutCancel(ctx), func(tx *db.Tx) error {
				return trail.Write(ctx, tx, audit.Record{Project: "default", Actor: identity.From(ctx).Actor(),
					Verb: "request.refused", Object: cut(r.Method + " " + r.URL.Path), Outcome: audit.Refused, Detail: detail})
			})
		}
		if err != nil {
			s.Log.WarnContext(ctx, "a refusal could not be recorded", "path", r.URL.Path, "err", err)
		}
	}
}

// cut keeps a text within what a key may have.
func cut(text string) string {
	if len(text) > 190 {
		return strings.ToValidUTF8(text[:187], "") + "…"
	}
	return text
}

// budget is what one run may use.
func budget(s *Server) engine.Budget {
	e := s.Config.Limits
	return engine.Budget{Elements: e.Elements, Bytes: e.Bytes, Facts: e.Facts,
		Cycle: time.Duration(e.Cycle) * time.Millisecond, Depth: e.Depth}
}

// authenticate finds out who asks; a plugin that names the call it works on acts
// for the run that made it.
func (p *parts) authenticate(r *http.Request) (context.Context, string, error) {
	ctx, principal, err := p.identity.Authenticate(r)
	job := r.Header.Get(wire.HeaderJob)
	if err != nil || job == "" {
		return ctx, principal, err
	}
	if ctx, err = p.dispatch.Acting(ctx, job); err != nil {
		return nil, "", err
	}
	return ctx, identity.From(ctx).ID, nil
}

// start lets everything move: the bus, plugins, then the engine, so that no job
// comes before its plugin is there.
func (p *parts) start(ctx context.Context, s *Server) error {
	g := s.group
	s.metrics.Gauge("sextant_runs_active", "Runs in memory.", func() float64 { return float64(p.engine.Active()) })
	s.metrics.Counter("sextant_database_commits_total", "Commits of the platform's database.",
		func() float64 { return float64(s.db.Commits()) })
	if err := p.runs.Recall(ctx); err != nil {
		return err
	}
	if err := p.door.RenewOnce(ctx); err != nil {
		return err
	}
	if err := p.door.LoadLine(ctx); err != nil {
		return err
	}
	g.Go("bus", p.bus.Run)
	g.Go("locks", p.door.Renew)
	s.metrics.Gauge("sextant_database_writable", "1 while the platform's database takes writes, else 0.", func() float64 {
		if s.db.Trouble() != nil {
			return 0
		}
		return 1
	})
	g.Go("disk", func(ctx context.Context) error { return p.mend(ctx, s) })
	g.Go("output", p.output.Run)
	g.Go("sweep", func(ctx context.Context) error { return p.sweep(ctx, s) })
	if err := p.registry.Load(ctx); err != nil {
		return err
	}
	if err := p.remote.Restore(ctx); err != nil {
		return err
	}
	if err := startPlugins(ctx, s, p); err != nil {
		return err
	}
	g.Go("plugins' health", p.registry.Health.Run)
	g.Go("objects", p.objects.Run) // begins with what a server that was killed has left
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	p.dispatch.Attach(work, p.engine, p.runs.Door())
	g.OnStop("engine", func(context.Context) error {
		cancel(errStopping)
		p.dispatch.Wait()
		p.engine.Close()
		p.decision.Wait()
		return nil
	})
	if err := p.dispatch.Resume(ctx, p.engine.WaitsFor); err != nil {
		return err
	}
	p.engine.Start()
	g.Go("event handlers", p.bus.RunHandlers)
	g.Go("retention", p.sweeper.Run)
	g.Go("waiting runs", p.door.RunLine) // begins with those that a server that was killed has left
	g.Go("messages", p.messages.Run)     // begins with what a server that was killed has left
	g.Go("places", func(ctx context.Context) error {
		p.runs.Place(ctx)
		return nil
	})
	return p.runs.Settle(ctx)
}

// mend looks every few seconds whether a full disk has room again.
func (p *parts) mend(ctx context.Context, s *Server) error {
	known := false
	for {
		if trouble := s.db.Trouble(); trouble != nil {
			if !known {
				s.Log.ErrorContext(ctx, "the database takes no writes", "err", trouble)
			}
			s.db.Mend(ctx)
		}
		if now := s.db.Trouble() != nil; now != known {
			if known = now; !known {
				s.Log.InfoContext(ctx, "the database takes writes again")
			}
		}
		tick, stop := s.Clock.After(mendEvery)
		select {
		case <-ctx.Done():
			stop()
			return ctx.Err()
		case <-tick:
		}
	}
}

// sweep forgets now and then what has had its time.
func (p *parts) sweep(ctx context.Context, s *Server) error {
	for {
		if err := p.identity.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "expired tokens could not be removed", "err", err)
		}
		tick, stop := s.Clock.After(sweepEvery)
		select {
		case <-ctx.Done():
			stop()
			return ctx.Err()
		case <-tick:
		}
	}
}

// changed tells the read side of news of a run, once there is one.
func changed(of func() *runs.Service) func(state.Key) {
	return func(run state.Key) {
		if p := of(); p != nil {
			p.Changed(run)
		}
	}
}
