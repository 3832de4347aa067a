package control

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
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
	// Cause is what led to it where no person asked.
	Cause Cause
	// Priority says how urgent it is, 0 to 100; it counts where the process has a line
	// by priority. nil is 50.
	Priority *int
	// Due is until when it has to start, where that is before its time to wait is over.
	Due time.Time
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
	// Waited is since when it waited, zero for one that did not.
	Waited time.Time
}

// Found is a version of a process that may be started.
type Found struct {
	Definition int64
	Version    int
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
	// Await notes a run that waits, within the write that says so.
	Await(ctx context.Context, tx *db.Tx, run Run) error
	// Drop ends a run that waited and will not start.
	Drop(ctx context.Context, tx *db.Tx, run int64, end End) error
	// Replace ends a run whose place another takes, with the rights of who asked for
	// that one; it is done where the run is over.
	Replace(ctx context.Context, run, by int64) error
	// MayReplace reports whether the subject of ctx may end a run.
	MayReplace(ctx context.Context, run int64) bool
}

// End is how a run ends that never started.
type End struct {
	State string // cancelled or failed
	Code  string
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
	// Still gives of rights that somebody had those that he has now: all of them where
	// it is nil.
	Still func(ctx context.Context, had identity.Rights) (identity.Rights, error)
	// InSight reports whether the subject of ctx may see a run of a project, where it is
	// one that he may read runs in.
	InSight func(ctx context.Context, project string, run int64) (bool, error)
	Log     *slog.Logger
}

// Door decides. It is safe for concurrent use.
type Door struct {
	Deps
	fences fences
	queue  queue
	gate   gate
	line   *line
	stop   stopped
	claims db.Marks // runs that hold something, or wait for it
}

// New makes the door over a migrated database.
func New(d Deps) *Door {
	if d.Seen == nil {
		d.Seen = func(context.Context, string, string, string) (string, []any) { return "", nil }
	}
	if d.Still == nil {
		d.Still = func(_ context.Context, had identity.Rights) (identity.Rights, error) { return had, nil }
	}
	if d.InSight == nil {
		d.InSight = func(context.Context, string, int64) (bool, error) { return true, nil }
	}
	return &Door{Deps: d, line: newLine(), claims: db.Marks{Load: countClaims}}
}

// Admit decides on a request and, where it may, starts the run: verdict, locks,
// audit record and the run's first state are one commit. What is to wait is kept in
// the same way. A refusal is stored and returned as an error.
func (d *Door) Admit(ctx context.Context, req Request) (Verdict, error) {
	c, err := d.look(ctx, req, d.Starter.NewKey())
	if err != nil {
		return Verdict{}, err
	}
	if c.req.Variables, err = d.seal(c.req, c.key, c.plan.Secrets); err != nil {
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
		v, refusal, err = d.decide(ctx, tx, c)
		return err
	})
	if err != nil {
		return v, err
	}
	hidden, err := d.sight(ctx).verdict(c.req.Project, &v)
	if hidden != nil && refusal != nil && errs.As(refusal).Code == errs.As(hidden).Code {
		refusal = hidden
	}
	return v, cmp.Or(err, refusal)
}

// decide makes the checks that are left and does what they come to, within a write.
// refusal is the error of a verdict that refuses.
func (d *Door) decide(ctx context.Context, tx *db.Tx, c *candidate) (v Verdict, refusal error, err error) {
	steps := inOrder(append(slices.Clone(c.steps), d.judge(ctx, tx, c, true)...))
	if err := fault(steps); err != nil {
		return v, nil, err // a fault of the platform is no verdict
	}
	r, todo, err := d.ruling(ctx, tx, c, refusalOf(steps))
	if err != nil {
		return v, nil, err
	}
	v = Verdict{ID: clock.NewID(d.Clock), Run: c.key, Time: d.Clock.Now(),
		Subject: c.who.ID, Process: c.req.Process, Steps: steps, Cause: c.req.Cause, Risk: c.plan.risk()}
	v.rule(r)
	if reject, is := r.(Reject); is {
		refusal = reject.Err
	}
	if err := d.record(ctx, tx, c, v); err != nil {
		return v, nil, err
	}
	switch r.(type) {
	case Admit:
		err = d.start(ctx, tx, c, v)
	case Wait:
		err = d.wait(ctx, tx, c, v, todo)
	case Merged:
		err = c.with(tx, int64(v.Run))
	case NeedsApproval, Replaced, Reject:
	}
	return v, refusal, err
}

// start lets the run begin that was admitted.
func (d *Door) start(ctx context.Context, tx *db.Tx, c *candidate, v Verdict) error {
	if err := d.grant(tx, Holder{Run: int64(c.key), Project: c.req.Project, Subject: c.who.Name}, c.claims); err != nil {
		return err
	}
	if err := c.with(tx, int64(c.key)); err != nil {
		return err
	}
	if err := d.keepOpen(tx, c); err != nil {
		return err
	}
	return d.Starter.Start(ctx, tx, c.run(v))
}

// run is what the candidate becomes.
func (c *candidate) run(v Verdict) Run {
	return Run{Key: c.key, Definition: c.found.Definition, Process: c.req.Process,
		Variables: c.req.Variables, Title: c.fit.Title, Event: c.req.Event,
		Subject: c.who, Verdict: v.ID, Mandate: Mandate{Project: c.req.Project, Rights: c.who.Rights(), Objects: c.req.Objects},
		Places: c.places, Waited: c.since}
}

// with writes what shares the commit of the start.
func (c *candidate) with(tx *db.Tx, run int64) error {
	if c.req.With == nil {
		return nil
	}
	return c.req.With(tx, run)
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

// Look is what the door would say of a request now.
type Look struct {
	Steps   []Step    `json:"door" doc:"Every check of the door, with each obstacle"`
	Would   string    `json:"would" enum:"ADMIT,WAIT,NEEDS_APPROVAL,MERGED,REPLACED,REJECTED" doc:"What the verdict would be"`
	Wait    *Wait     `json:"wait,omitempty" doc:"For whom it would wait, and at which place"`
	Other   api.Key   `json:"other,omitzero" doc:"The run that would stand for it"`
	Ends    []api.Key `json:"ends,omitempty" doc:"The runs whose place it would take"`
	Planned []Planned `json:"steps"`
}

// Check makes every check of Admit on a request and starts nothing, so that all
// obstacles are seen at once. The steps say what the request would touch.
func (d *Door) Check(ctx context.Context, req Request) (Look, error) {
	c, err := d.look(ctx, req, 0)
	if err != nil {
		return Look{}, err
	}
	steps := inOrder(append(slices.Clone(c.steps), d.judge(ctx, d.DB, c, true)...))
	if err := fault(steps); err != nil {
		return Look{}, err
	}
	r, todo, err := d.ruling(ctx, d.DB, c, refusalOf(steps))
	if err != nil {
		return Look{}, err
	}
	l := Look{Steps: steps, Would: r.Word(), Planned: append([]Planned{}, c.plan.Steps...)}
	switch r := r.(type) {
	case Wait:
		l.Wait = &r
	case Merged:
		l.Other = r.Run
	}
	for _, run := range slices.Concat(todo.drop, todo.cancel) {
		l.Ends = append(l.Ends, api.Key(run))
	}
	return l, d.sight(ctx).look(c.req.Project, &l)
}

// look makes the checks that need no write. An unknown process is no refusal: there is
// nothing to decide on.
func (d *Door) look(ctx context.Context, req Request, key state.Key) (*candidate, error) {
	if req.Project == "" {
		req.Project = object.DefaultProject
	}
	c := &candidate{req: req, key: key, who: identity.From(ctx)}
	permission := identity.Require(ctx, "run.start", req.Project)
	if errs.Is(permission, errs.Unauthenticated) {
		return nil, permission
	}
	var err error
	if c.found, err = d.Starter.Find(ctx, req.Project, req.Process, req.Version); err != nil {
		if permission != nil {
			err = permission // which processes a project has is nothing for those who may not start there
		}
		return nil, err
	}
	c.place = placeOf(d.line.moment(d.Clock.Now()), c.busy(), req.Priority)
	c.steps = d.judge(ctx, d.DB, c, false)
	if err := fault(c.steps); err != nil {
		return nil, err
	}
	return c, d.endable(ctx, c)
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

// record stores a verdict, and in the audit log what was asked.
func (d *Door) record(ctx context.Context, tx *db.Tx, c *candidate, v Verdict) error {
	mandate, err := Mandate{Project: c.req.Project, Rights: c.who.Rights()}.Encode()
	if err != nil {
		return err
	}
	if err := insertVerdict(tx, c.req.Project, v, string(mandate), identity.Places(c.places)); err != nil {
		return err
	}
	outcome := audit.Done
	if v.Verdict == Rejected {
		outcome = audit.Refused
	}
	told := map[string]any{"process": c.req.Process, "objects": c.req.Objects, "verdict": v.ID, "reason": v.Reason, "source": c.req.Source}
	if v.Verdict != Admitted && v.Verdict != Rejected {
		told["said"] = v.Verdict
	}
	if c.req.Cause != (Cause{}) {
		told["cause"] = c.req.Cause
	}
	detail, err := json.Marshal(told)
	if err != nil {
		return err
	}
	return d.Audit.Write(ctx, tx, audit.Record{
		Project: c.req.Project, Actor: c.who.Actor(), Verb: "run.start", Object: "run/" + v.Run.String(), Outcome: outcome, Detail: detail})
}
