package control

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/object"
	"sextant/internal/engine"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// MaxInput is the most that the variables of a start may hold, in bytes.
const MaxInput = 1 << 20

// LeaseFor is how long a lock holds without being renewed.
const LeaseFor = time.Minute

// Request asks for a run.
type Request struct {
	Project string
	// Process is the id of a process; Version a version of it, 0 for the newest.
	Process string
	Version int
	// Objects are what the run acts on: pkg:type/id.
	Objects   []string
	Variables map[string]json.RawMessage
	Title     string
	// Event is the id of the start event, empty for the one without a trigger.
	Event string
	// With writes in the commit that admits the run, before its first steps; its error
	// refuses all of it.
	With func(tx *db.Tx, run int64) error
	// Barred is why the request is refused whoever asks.
	Barred error
	// Source says what was asked for: api for a run of a process, call for one of a
	// single service, message or signal for one that begins with that.
	Source string
}

// Run is an admitted run, for the Starter.
type Run struct {
	Key        state.Key
	Definition int64
	Process    string
	Variables  engine.Variables
	Title      string
	Event      string
	Subject    identity.Subject
	Verdict    string
	// Mandate is what the run may do and on what it acts.
	Mandate Mandate
	// Places are the environments of its objects and of the connections that it uses.
	Places []string
}

// Found is a version of a process that may be started.
type Found struct {
	Definition int64
	Program    *program.Program
}

// Fitness is how a request fits its process: what is wrong with the variables and
// with the objects, and what the run is called.
type Fitness struct {
	Input, Objects error
	Title          string
}

// Starter starts a run within the write that admitted it. server fills it with
// the process domain.
type Starter interface {
	NewKey() state.Key
	// Find gives a version of a process, the newest for 0.
	Find(ctx context.Context, project, process string, version int) (Found, error)
	// Fit finds out whether variables and objects are those that the process is
	// started with.
	Fit(ctx context.Context, f Found, req Request) Fitness
	Start(ctx context.Context, tx *db.Tx, run Run) error
}

// The verdicts.
const (
	Admitted = "ADMIT"
	Rejected = "REJECTED"
)

// Step is one check of the door.
type Step struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"`
}

// Verdict is what the door said.
type Verdict struct {
	ID      string    `json:"id"`
	Run     api.Key   `json:"run" doc:"Key of the run; a refused request has one too, of a run that never was"`
	Time    time.Time `json:"time"`
	Subject string    `json:"subject"`
	Process string    `json:"process"`
	Verdict string    `json:"verdict" enum:"ADMIT,REJECTED"`
	Code    string    `json:"code,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Steps   []Step    `json:"steps"`
}

// Deps is what the door needs.
type Deps struct {
	DB      *db.DB
	Clock   clock.Clock
	Audit   *audit.Log
	Bus     *bus.Bus
	Objects *object.Service
	Starter Starter
	Planner Planner
	// Seal makes a secret that was given in clear readable for one run alone.
	Seal func(project, run string, value json.RawMessage) (json.RawMessage, error)
	// StopFile stops every start while it exists.
	StopFile string
	// Seen is the condition for rows of a project whose run, named by a column, the
	// subject of ctx may see with a permission; nothing where that is every one.
	Seen func(ctx context.Context, permission, project, column string) (condition string, args []any)
}

// Door decides. It is safe for concurrent use.
type Door struct {
	Deps
	fences fences
	queue  queue
	gate   gate
}

// New makes the door over a migrated database.
func New(d Deps) *Door {
	if d.Seen == nil {
		d.Seen = func(context.Context, string, string, string) (string, []any) { return "", nil }
	}
	return &Door{Deps: d}
}

// Admit decides on a request and, where it may, starts the run: verdict, locks,
// audit record and the run's first state are one commit. A refusal is stored and
// returned as an error.
func (d *Door) Admit(ctx context.Context, req Request) (Verdict, error) {
	if req.Project == "" {
		req.Project = object.DefaultProject
	}
	key := d.Starter.NewKey()
	c, err := d.precheck(ctx, req, key)
	if err != nil {
		return Verdict{}, err
	}
	if req.Variables, err = d.seal(req, key, c.plan.Secrets); err != nil {
		return Verdict{}, err
	}
	leave, err := d.gate.enter(ctx, objectsOf(c.claims))
	if err != nil {
		return Verdict{}, err
	}
	defer leave()
	var v Verdict
	var refusal error
	err = d.DB.Do(ctx, func(tx *db.Tx) error {
		refusal = nil
		steps := append(slices.Clone(c.checks), d.storedChecks(ctx, tx, req, c)...)
		v = Verdict{ID: clock.NewID(d.Clock), Run: api.Key(key), Time: d.Clock.Now(), Subject: identity.From(ctx).ID, Process: req.Process, Verdict: Admitted}
		v.Steps = public(steps)
		for _, s := range order(steps) {
			if errs.Is(s.err, errs.Internal) {
				return s.err // a fault of the platform is no verdict
			}
			if s.err != nil {
				refusal, v.Verdict, v.Code, v.Reason = s.err, Rejected, errs.As(s.err).Code, errs.As(s.err).Message
				break
			}
		}
		if err := d.record(ctx, tx, req, v, c.places); err != nil || refusal != nil {
			return err
		}
		who := identity.From(ctx)
		if err := d.grant(tx, Holder{Run: int64(key), Project: req.Project, Subject: who.Name}, c.claims); err != nil {
			return err
		}
		if req.With != nil {
			if err := req.With(tx, int64(key)); err != nil {
				return err
			}
		}
		return d.Starter.Start(ctx, tx, Run{Key: key, Definition: c.found.Definition, Process: req.Process, Variables: req.Variables, Title: c.title, Event: req.Event,
			Subject: who, Verdict: v.ID, Mandate: Mandate{Project: req.Project, Rights: c.rights, Objects: req.Objects}, Places: c.places})
	})
	if err != nil {
		return v, err
	}
	return v, refusal
}

// seal takes secrets out of the variables of a request: none enters a run in
// clear.
func (d *Door) seal(req Request, key state.Key, names []string) (map[string]json.RawMessage, error) {
	vars := maps.Clone(req.Variables)
	for _, name := range names {
		raw, ok := vars[name]
		if !ok || d.Seal == nil {
			continue
		}
		sealed, err := d.Seal(req.Project, clock.Decimal(int64(key)), raw)
		if err != nil {
			return nil, err
		}
		vars[name] = sealed
	}
	return vars, nil
}

// Check makes every check of Admit on a request and starts nothing, so that all
// obstacles are seen at once. The steps say what the request would touch.
func (d *Door) Check(ctx context.Context, req Request) ([]Step, []Planned, error) {
	if req.Project == "" {
		req.Project = object.DefaultProject
	}
	c, err := d.precheck(ctx, req, 0)
	if err != nil {
		return nil, nil, err
	}
	checks := append(c.checks, d.storedChecks(ctx, d.DB, req, c)...)
	for _, s := range checks {
		if errs.Is(s.err, errs.Internal) {
			return nil, nil, s.err
		}
	}
	return public(checks), append([]Planned{}, c.plan.Steps...), nil
}

// storedChecks are the checks on what is stored. Who holds an object is nothing
// for those who may not start there.
func (d *Door) storedChecks(ctx context.Context, q db.Querier, req Request, c candidate) []check {
	all := []check{d.stopped(ctx, q)}
	if c.permitted {
		all = append(all, d.locks(ctx, q, req, c.claims))
	}
	return all
}

// locks refuses where somebody else holds something that the run would hold.
func (d *Door) locks(ctx context.Context, q db.Querier, req Request, claims []Claim) check {
	c := check{name: "locks"}
	against, err := d.blockers(ctx, q, Holder{Project: req.Project}, 0, claims)
	switch {
	case err != nil:
		c.err = err
	case len(against) > 0:
		c.err = locked(against[0], req.Project, toStart)
	}
	return c
}

// check is a step with the error that it refuses with.
type check struct {
	name string
	err  error
}

// rank is the order in which steps give the reason.
var rank = []string{"global stop", "permission", "chain", "input", "objects", "touch", "locks"}

func order(steps []check) []check {
	slices.SortStableFunc(steps, func(a, b check) int { return slices.Index(rank, a.name) - slices.Index(rank, b.name) })
	return steps
}

func public(steps []check) []Step {
	out := make([]Step, 0, len(steps))
	for _, s := range order(steps) {
		step := Step{Name: s.name, OK: s.err == nil}
		if s.err != nil {
			step.Reason = errs.As(s.err).Message
		}
		out = append(out, step)
	}
	return out
}

// candidate is a request that was looked at before the write that decides.
type candidate struct {
	found     Found
	rights    identity.Rights
	permitted bool
	title     string
	checks    []check
	plan      Plan
	claims    []Claim
	places    []string // environments of the objects and of the connections
}

// precheck makes the checks that need no transaction. An unknown process is no
// refusal: there is nothing to decide on. What the request would touch is planned
// with the rights that the run would have.
func (d *Door) precheck(ctx context.Context, req Request, key state.Key) (candidate, error) {
	permission := check{"permission", identity.Require(ctx, "run.start", req.Project)}
	if errs.Is(permission.err, errs.Unauthenticated) {
		return candidate{}, permission.err
	}
	found, err := d.Starter.Find(ctx, req.Project, req.Process, req.Version)
	if err != nil {
		if permission.err != nil {
			err = permission.err // which processes a project has is nothing for those who may not start there
		}
		return candidate{}, err
	}
	c := candidate{found: found, rights: identity.From(ctx).Rights(), permitted: permission.err == nil}
	input := check{"input", d.input(req)}
	if !c.permitted {
		c.checks = []check{permission, input}
		return c, nil
	}
	if req.Barred != nil {
		c.permitted, c.checks = false, []check{permission, {"chain", req.Barred}, input}
		return c, nil
	}
	fit := d.Starter.Fit(ctx, found, req)
	c.title = fit.Title
	if input.err == nil {
		input.err = fit.Input
	}
	objects := check{name: "objects"}
	c.places, objects.err = d.objects(ctx, req)
	if objects.err == nil {
		objects.err = fit.Objects
	}
	c.checks = []check{permission, input, objects}
	if objects.err != nil {
		seen, err := d.seen(ctx, req)
		c.claims = Plan{}.claims(seen)
		return c, err
	}
	touch := check{name: "touch"}
	c.plan, touch.err = d.plan(ctx, req, c, key)
	if touch.err == nil {
		touch.err = c.plan.refusal()
	}
	c.claims = c.plan.claims(req.Objects)
	for _, s := range c.plan.Steps {
		c.places = append(c.places, s.Places...)
	}
	c.checks = append(c.checks, touch)
	return c, nil
}

func (d *Door) plan(ctx context.Context, req Request, c candidate, key state.Key) (Plan, error) {
	ask := Ask{Project: req.Project, Definition: c.found.Definition, Program: c.found.Program, Variables: req.Variables}
	for _, text := range req.Objects {
		ref, err := object.ParseRef(text)
		if err != nil {
			return Plan{}, err
		}
		ask.Objects = append(ask.Objects, ref)
	}
	return d.Planner.Plan(identity.With(ctx, c.rights.Run(clock.Decimal(int64(key)))), ask)
}

func (d *Door) input(req Request) error {
	size := 0
	for name, v := range req.Variables {
		if name == "" || strings.HasPrefix(name, "$") || len(name) > 128 {
			return errs.New(errs.Invalid, "control.variable_name", "the variable name %q is not possible: 1 to 128 characters, not beginning with $", name).At(errs.Field{Path: "variables." + name, Message: "not possible as a name"})
		}
		if !json.Valid(v) {
			return errs.New(errs.Invalid, "control.variable", "the variable %s is no JSON", name).At(errs.Field{Path: "variables." + name, Message: "no JSON"})
		}
		size += len(name) + len(v)
	}
	if size > MaxInput {
		return errs.New(errs.TooLarge, "control.input_too_large", "the variables have %d bytes: at most %d are possible", size, MaxInput)
	}
	return nil
}

// objects checks that all objects of a request are there, and gives the
// environments in which they are.
func (d *Door) objects(ctx context.Context, req Request) (places []string, err error) {
	byType := map[string][]string{}
	for i, text := range req.Objects {
		ref, err := object.ParseRef(text)
		if err != nil {
			return nil, err
		}
		if slices.Index(req.Objects, text) != i {
			return nil, errs.New(errs.Invalid, "control.object_twice", "the object %s is named twice", text)
		}
		byType[ref.TypeRef()] = append(byType[ref.TypeRef()], ref.ID)
	}
	for typ, ids := range byType {
		some, err := d.Objects.Placed(ctx, typ, object.Scope{Project: req.Project, For: "run.start"}, ids)
		if err != nil {
			return nil, err
		}
		places = append(places, some...)
	}
	return places, nil
}

// seen are those of the objects of a request that are there for who asks: who holds
// another one is not told.
func (d *Door) seen(ctx context.Context, req Request) ([]string, error) {
	var refs []object.Ref
	for _, text := range req.Objects {
		if ref, err := object.ParseRef(text); err == nil {
			refs = append(refs, ref)
		}
	}
	there, err := d.Objects.Find(ctx, object.Scope{Project: req.Project, For: "run.start"}, refs)
	if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Invalid) || errs.Is(err, errs.Forbidden) {
		return nil, nil // what stands against it is told by the check of the objects
	}
	var all []string
	for ref := range there {
		all = append(all, ref.String())
	}
	slices.Sort(all)
	return slices.Compact(all), err
}

// stopped refuses while the platform is stopped, by a person or by the file.
func (d *Door) stopped(ctx context.Context, q db.Querier) check {
	c := check{name: "global stop"}
	if d.byFile() {
		c.err = d.errByFile()
		return c
	}
	s, err := readStop(ctx, q)
	switch {
	case err != nil:
		c.err = err
	case s.Active:
		c.err = errs.New(errs.Locked, "control.stopped", "%s has stopped all starts since %s: %s", s.Subject, s.Since.Format(time.RFC3339), s.Reason).With("by", s.Subject)
	}
	return c
}

func (d *Door) record(ctx context.Context, tx *db.Tx, req Request, v Verdict, places []string) error {
	steps, err := json.Marshal(v.Steps)
	if err != nil {
		return err
	}
	mandate, err := Mandate{Project: req.Project, Rights: identity.From(ctx).Rights()}.Encode()
	if err != nil {
		return err
	}
	if _, err := tx.Exec("INSERT INTO control_verdict (id, run, project, time, subject, process, verdict, code, reason, detail, mandate, places) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		v.ID, int64(v.Run), req.Project, clock.Micros(v.Time), v.Subject, v.Process, v.Verdict, v.Code, v.Reason, steps, string(mandate), identity.Places(places)); err != nil {
		return err
	}
	outcome := audit.Done
	if v.Verdict != Admitted {
		outcome = audit.Refused
	}
	detail, err := json.Marshal(map[string]any{"process": req.Process, "objects": req.Objects, "verdict": v.ID, "reason": v.Reason, "source": req.Source})
	if err != nil {
		return err
	}
	return d.Audit.Write(ctx, tx, audit.Record{Project: req.Project, Actor: identity.From(ctx).Actor(), Verb: "run.start", Object: "run/" + v.Run.String(), Outcome: outcome, Detail: detail})
}
