// Package plugin is the kit for authors of plugins.
//
// An author writes an input struct, an output struct and a function; the
// service, its parameters and the protocol around them come from these:
//
//	p := plugin.New(wire.Manifest{Plugin: "host", Version: "0.1.0"})
//	plugin.Action(p, plugin.Spec{Service: "script", Action: "run", Target: "host:host"},
//		func(ctx context.Context, call *plugin.Call, in RunInput) (RunOutput, error) { … })
//
// The function is called once per row. A row ends ok, or with the outcome of
// the error: Fail, Unknown, TimedOut and Skip make such errors, any other error
// and a panic is failed.
//
// The same plugin runs in the platform's process or as a process of its own;
// it sees no difference.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"time"

	"sextant/sdk/go/wire"
)

const (
	defaultBatch    = 50
	defaultParallel = 10
	defaultTimeout  = 10 * time.Minute
)

// Plugin is a manifest with the functions behind it.
type Plugin struct {
	manifest wire.Manifest
	actions  map[string]*action // by path
	stores   map[string]Store
	start    []func(context.Context, *Host) error
	model    func(ctx context.Context) ([]wire.ObjectType, error)
	mark     func() string
	changer  Changer
	files    fs.FS // of the front end
	routes   map[string]http.Handler
	err      error
}

// New begins a plugin. Services are added by Action.
func New(m wire.Manifest) *Plugin {
	if m.Run == nil {
		m.Run = &wire.Run{Builtin: true}
	}
	return &Plugin{manifest: m, actions: map[string]*action{}, stores: map[string]Store{}, routes: map[string]http.Handler{}}
}

// Spec describes an action. Zero fields get defaults: batch 50, time-out 10
// minutes, 10 rows at once, risk change.
type Spec struct {
	Service, Action string
	Title           wire.Text
	Description     wire.Text
	Target          string // the type of object that a row stands for
	Batch           int    // rows in one call at most
	Parallel        int    // rows of a call worked on at once
	Timeout         time.Duration
	Risk            string
	Idempotent      bool // may be sent again after a crash
	Async           bool // accepted at once, answered by call-back
	// Settles says that the function is called even where the time of its row is
	// over or the call is cancelled already, and finds out itself what became of
	// the row: an earlier call, before the plugin was started anew, may have begun
	// it.
	Settles bool
	Retry   *wire.Retry
	// OneOf lists sets of inputs of which exactly one is given.
	OneOf   [][]string
	Effects []string
	// Locks are the locks that the action needs. Nil asks for the target alone,
	// exclusively, unless the action only reads; an empty list asks for none.
	Locks []wire.Lock
}

type action struct {
	spec wire.Action
	name string
	at   int // rows at once
	// settles says that the function is called whatever became of its context.
	settles bool
	// timeout bounds each row.
	timeout time.Duration
	run     func(ctx context.Context, c *Call, row wire.Row) (wire.Row, error)
}

// Func is what an author writes: one row in, one row out.
type Func[I, O any] func(ctx context.Context, call *Call, in I) (O, error)

// Action adds an action whose parameters are the fields of I and O with an sx
// tag; see the package's documentation of tags.
func Action[I, O any](p *Plugin, s Spec, fn Func[I, O]) {
	in, err := paramsOf[I]()
	out, err2 := paramsOf[O]()
	for _, e := range []error{err, err2} {
		if e != nil && p.err == nil {
			p.err = fmt.Errorf("action %s/%s: %w", s.Service, s.Action, e)
		}
	}
	if s.Timeout <= 0 {
		s.Timeout = defaultTimeout
	}
	a := &action{name: s.Service + "/" + s.Action, at: max(s.Parallel, 1), settles: s.Settles, timeout: s.Timeout}
	if s.Parallel == 0 {
		a.at = defaultParallel
	}
	a.spec = s.wire(in, out)
	a.run = func(ctx context.Context, c *Call, row wire.Row) (wire.Row, error) {
		var input I
		if err := decodeRow(row, &input, in); err != nil {
			return nil, c.Early(err)
		}
		output, err := fn(ctx, c, input)
		encoded, encErr := encodeRow(output, out)
		if err == nil {
			err = encErr
		}
		return encoded, err
	}
	if p.actions[a.spec.Path] != nil && p.err == nil {
		p.err = fmt.Errorf("action %s is added twice", a.name)
	}
	p.actions[a.spec.Path] = a
	of := p.service(s.Service)
	of.Actions = append(of.Actions, a.spec)
}

// Service gives a service its title. Its actions are added by Action.
func (p *Plugin) Service(name string, title wire.Text) { p.service(name).Title = title }

// service is the one of a name, a new one where there is none.
func (p *Plugin) service(name string) *wire.Service {
	i := slices.IndexFunc(p.manifest.Services, func(v wire.Service) bool { return v.Name == name })
	if i < 0 {
		p.manifest.Services = append(p.manifest.Services, wire.Service{Name: name})
		i = len(p.manifest.Services) - 1
	}
	return &p.manifest.Services[i]
}

func (s Spec) wire(in, out []param) wire.Action {
	a := wire.Action{Action: s.Action, Title: s.Title, Description: s.Description, Path: "/v1/" + s.Service + "/" + s.Action, Method: "POST",
		Target: s.Target, Batch: s.Batch, Risk: s.Risk, Idempotent: s.Idempotent,
		Async: s.Async, Cancel: true, Settles: s.Settles, Retry: s.Retry, Effects: s.Effects, OneOf: s.OneOf}
	if a.Batch == 0 {
		a.Batch = defaultBatch
	}
	a.Timeout = formatDuration(s.Timeout)
	if a.Risk == "" {
		a.Risk = wire.RiskChange
	}
	a.Locks = s.Locks
	if s.Locks == nil && a.Risk != wire.RiskRead && s.Target != "" {
		a.Locks = []wire.Lock{{Mode: "exclusive", On: "target"}}
	}
	for _, p := range in {
		a.Input = append(a.Input, p.Param)
	}
	for _, p := range out {
		a.Output = append(a.Output, p.Param)
	}
	return a
}

// Store keeps the rows of an object type.
type Store interface {
	Query(ctx context.Context, objectType string, q wire.Query) (rows []wire.Row, next string, err error)
	Create(ctx context.Context, objectType string, rows []wire.Row, by By) ([]wire.Row, error)
	Update(ctx context.Context, objectType string, rows []wire.Row, by By) ([]wire.Row, error)
	Delete(ctx context.Context, objectType string, ids []string, by By) error
}

// Counter is a Store that counts rows where they are, by the values of attributes.
type Counter interface {
	Count(ctx context.Context, objectType string, c wire.Counting) ([]wire.Tally, error)
}

// By says on whose behalf rows are changed.
type By struct {
	Operator, Run string
	// Change is the platform's sealed note of who it is; it goes into the outbox.
	Change string
	// Model is the mark of the types that the change was checked against; empty is
	// whatever holds.
	Model string
}

// Changer makes changes of several types together and keeps an outbox: every
// change that was stored, whoever asked for it, in the commit that stored it.
type Changer interface {
	Change(ctx context.Context, set wire.ChangeSet, by By) (wire.Changed, error)
	// Entries gives what was stored after an entry, in order, and the number of the
	// last one there is.
	Entries(ctx context.Context, after int64, limit int) (entries []wire.Entry, last int64, err error)
}

// ErrModel refuses a change that was checked against other types than those that
// hold by now.
var ErrModel = &Error{Outcome: wire.OutcomeFailed, Code: "object.model", Err: errors.New("the object types have changed: read them again")}

// Changes makes a store answer for sets of changes and for the outbox.
func (p *Plugin) Changes(c Changer) { p.manifest.Changes, p.changer = true, c }

// FieldErrors tells which attributes of a row are at fault.
type FieldErrors interface {
	error
	Fields() map[string]string
}

// Objects makes a store answer for an object type; "*" answers for every type.
func (p *Plugin) Objects(objectType string, s Store) { p.stores[objectType] = s }

// Model makes the object types of the plugin those that fn gives besides the
// ones of the manifest.
func (p *Plugin) Model(fn func(ctx context.Context) ([]wire.ObjectType, error)) {
	p.manifest.DynamicObjects, p.model = true, fn
}

// ModelMark gives the types of Model a mark that is another one whenever they
// are. With it the platform believes them until an answer carries another mark.
func (p *Plugin) ModelMark(fn func() string) { p.mark = fn }

// UI gives the plugin a front end: its manifest says what the entry module exports
// for which pages and cards, and files has the entry and all that it imports, by
// their path in the package. The files are for everybody to read.
func (p *Plugin) UI(ui wire.UI, files fs.FS) {
	p.manifest.UI, p.files = &ui, files
	if _, err := fs.Stat(files, ui.Entry); err != nil && p.err == nil {
		p.err = fmt.Errorf("front end: %w", err)
	}
}

// Route has a path at the platform's border, and all below it, lead to a handler:
// uploads, downloads, server-sent events and WebSocket, streamed as they come. The
// handler sees the whole path. The platform has checked who asks; AskedBy tells it.
func (p *Plugin) Route(r wire.Route, h http.Handler) {
	if p.routes[r.Path] != nil && p.err == nil {
		p.err = fmt.Errorf("the route %s is added twice", r.Path)
	}
	p.manifest.Routes = append(p.manifest.Routes, r)
	p.routes[r.Path] = h
}

// AskedBy tells who sent a request to a route, and in which project.
func AskedBy(r *http.Request) (operator, project string) {
	return r.Header.Get(wire.HeaderOperator), r.Header.Get(wire.HeaderProject)
}

// OnStart registers what has to happen before the plugin serves, such as
// migrations.
func (p *Plugin) OnStart(fn func(ctx context.Context, h *Host) error) {
	p.start = append(p.start, fn)
}

// Manifest is the manifest with the services that were added. The error names
// a parameter struct that cannot be understood.
func (p *Plugin) Manifest() (wire.Manifest, error) { return p.manifest, p.err }

// Name is the plugin's name.
func (p *Plugin) Name() string { return p.manifest.Plugin }
