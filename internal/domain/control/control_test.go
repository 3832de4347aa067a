package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/control"
	"sextant/internal/domain/gateway"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/object"
	"sextant/internal/domain/plugin"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/bus"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/wire"
)

const patience = 30 * time.Second

// starter starts runs by writing them down in a table of the test.
type starter struct {
	next atomic.Int64
	fail error
	busy map[string]program.Busy // by process

	mu       sync.Mutex
	runs     []control.Run
	replaced [][2]int64
	mayNot   bool // end runs
}

func (s *starter) NewKey() state.Key { return state.Key(s.next.Add(1)) }

func (s *starter) Find(_ context.Context, project, process string, _ int) (control.Found, error) {
	if process == "none" || project == "c" {
		return control.Found{}, errs.New(errs.NotFound, "process.not_found", "there is no process %q", process)
	}
	found := control.Found{Definition: 7, Version: 1}
	if b, ok := s.busy[process]; ok {
		found.Program = &program.Program{Begin: &program.Begin{Busy: b}}
	}
	return found, nil
}

func (s *starter) Fit(_ context.Context, _ control.Found, req control.Request) control.Fitness {
	return control.Fitness{Title: req.Title}
}

// planner plans what the test says.
type planner struct{ plan control.Plan }

func (p *planner) Plan(context.Context, control.Ask) (control.Plan, error) { return p.plan, nil }

func (s *starter) Start(_ context.Context, tx *db.Tx, run control.Run) error {
	if _, err := tx.Exec("INSERT INTO started (run) VALUES (?)", int64(run.Key)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = append(s.runs, run)
	return s.fail
}

func (s *starter) setFail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *starter) Await(_ context.Context, tx *db.Tx, run control.Run) error {
	_, err := tx.Exec("INSERT INTO awaited (run, ended) VALUES (?, '')", int64(run.Key))
	return err
}

func (s *starter) Drop(_ context.Context, tx *db.Tx, run int64, end control.End) error {
	_, err := tx.Exec("UPDATE awaited SET ended = ? WHERE run = ?", end.State+" "+end.Code, run)
	return err
}

func (s *starter) Replace(_ context.Context, run, by int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replaced = append(s.replaced, [2]int64{run, by})
	return nil
}

func (s *starter) MayReplace(context.Context, int64) bool { return !s.mayNot }

type rig struct {
	*control.Door
	t       *testing.T
	db      *db.DB
	clock   *clock.Fake
	starter *starter
	planner *planner
	trail   *audit.Log
	deps    control.Deps
	asked   atomic.Int64
	gone    atomic.Bool // the things are gone
}

// newRig makes a door over things p:thing/1 to 3 of project a and 4 of b.
func newRig(t *testing.T) *rig {
	t.Helper()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	r := &rig{t: t, db: d, clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), starter: &starter{}, planner: &planner{}}
	r.must(err)
	t.Cleanup(func() { _ = d.Close() })
	r.must(d.Migrate(t.Context(), audit.Domain, audit.Migrations))
	r.must(d.Migrate(t.Context(), bus.Domain, bus.Migrations))
	r.must(d.Migrate(t.Context(), plugin.Domain, plugin.Migrations))
	r.must(d.Migrate(t.Context(), api.Domain, api.Migrations))
	r.must(d.Migrate(t.Context(), control.Domain, control.Migrations))
	r.must(d.Do(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec("CREATE TABLE started (run INTEGER)"); return err }))
	r.must(d.Do(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec("CREATE TABLE awaited (run INTEGER, ended TEXT)"); return err }))
	r.trail = audit.New(d, r.clock)
	b := bus.New(d, r.clock, slog.New(slog.DiscardHandler))
	registry, router := plugin.New(d, r.clock), gateway.New()
	r.must(registry.Register(t.Context(),
		wire.Manifest{Plugin: "p", Version: "1.0.0", Objects: []wire.ObjectType{{Type: "thing", Scope: &wire.ObjectScope{Project: "project"},
			Attributes: []wire.Attribute{{Name: "id", Type: "string"}, {Name: "project", Type: "string"}}}}}))
	router.Set("p", gateway.Route{Handler: http.HandlerFunc(r.things)})
	objects := object.New(object.Deps{DB: d, Clock: r.clock, Plugins: registry, Router: router, Audit: r.trail, Bus: b})
	r.deps = control.Deps{DB: d, Clock: r.clock, Audit: r.trail, Bus: b, Objects: objects,
		Starter: r.starter, Planner: r.planner, StopFile: filepath.Join(t.TempDir(), "STOP"), Log: slog.New(slog.DiscardHandler)}
	r.Door = control.New(r.deps)
	return r
}

// things answers queries by ids and project.
func (r *rig) things(w http.ResponseWriter, q *http.Request) {
	r.asked.Add(1)
	var ask wire.Query
	if err := json.NewDecoder(q.Body).Decode(&ask); err != nil {
		r.t.Error(err)
	}
	text, out := string(wire.Raw(ask.AdditionalFilters)), wire.Envelope[[]wire.Row]{Status: wire.StatusOK}
	for _, id := range []string{"1", "2", "3", "4"} {
		project := map[bool]string{true: "b", false: "a"}[id == "4"]
		if !r.gone.Load() && strings.Contains(text, `"`+id+`"`) && strings.Contains(text, `"`+project+`"`) {
			out.Data = append(out.Data, wire.Row{"id": wire.Raw(id)})
		}
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// as is a user with rights on one project.
func as(ctx context.Context, project string) context.Context {
	grants := []identity.Grant{{Permission: "run.*", Project: project}, {Permission: "object.read", Project: project}}
	return identity.With(ctx, identity.Subject{ID: "user/of-" + project, Name: "of-" + project, Kind: identity.User, Grants: grants})
}

func operator(ctx context.Context) context.Context {
	return identity.With(ctx,
		identity.Subject{ID: "user/op", Name: "op", Kind: identity.User, Grants: []identity.Grant{{Permission: "control.stop", Project: "*"}}})
}

func request(objects ...string) control.Request {
	return control.Request{Project: "a", Process: "release", Objects: objects, Source: "api", Title: "now"}
}

func refused(t *testing.T, err error, kind errs.Kind, code string) {
	t.Helper()
	if !errs.Is(err, kind) || !errs.HasCode(err, code) {
		t.Errorf("got %v, want %s", err, code)
	}
}

func (r *rig) count(table string) (n int) {
	r.t.Helper()
	r.must(r.db.QueryRow(r.t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n))
	return n
}

func (r *rig) verdicts() []control.Verdict {
	r.t.Helper()
	page, err := r.Verdicts(as(r.t.Context(), "a"), "a", 0, api.Paging{Limit: 100})
	r.must(err)
	return page.Items
}

// said is the steps as text: a name, with ! where it said no.
func said(steps []control.Step) string {
	var all []string
	for _, s := range steps {
		name := s.Name
		if !s.OK {
			name += "!"
			if s.Reason == "" {
				name += "?"
			}
		}
		all = append(all, name)
	}
	return strings.Join(all, ", ")
}

func TestAnAdmission(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := as(t.Context(), "a")
	req := request("p:thing/1", "p:thing/2")
	req.Variables = map[string]json.RawMessage{"x": json.RawMessage("1")}
	v, err := r.Admit(ctx, req)
	r.must(err)
	if v.Verdict != control.Admitted || v.Subject != "user/of-a" || v.Process != "release" ||
		said(v.Steps) != "global stop, permission, input, objects, touch, locks" {
		t.Errorf("%+v", v)
	}
	run := r.starter.runs[0]
	if int64(run.Key) != int64(v.Run) || run.Definition != 7 || run.Mandate.Project != "a" || run.Verdict != v.ID ||
		run.Subject.ID != "user/of-a" || run.Title != "now" || len(run.Mandate.Objects) != 2 || string(run.Variables["x"]) != "1" {
		t.Errorf("%+v", run)
	}
	stored := r.verdicts()
	if len(stored) != 1 || stored[0].ID != v.ID || stored[0].Run != v.Run ||
		said(stored[0].Steps) != said(v.Steps) || !stored[0].Time.Equal(v.Time) {
		t.Errorf("%+v", stored)
	}
	page, err := r.trail.List(ctx, audit.Filter{Project: "a", Paging: api.Paging{Limit: 10}})
	r.must(err)
	if rec := page.Items[0]; rec.Verb != "run.start" || rec.Object != "run/"+v.Run.String() ||
		rec.Outcome != audit.Done || !strings.Contains(string(rec.Detail), v.ID) {
		t.Errorf("%+v", rec)
	}
	for _, o := range req.Objects {
		l, _, err := r.LocksOf(ctx, o)
		if err != nil || len(l) != 1 || l[0].Run != v.Run || l[0].Subject != "of-a" {
			t.Errorf("%s: %+v, %v", o, l, err)
		}
	}
}

// Each step can refuse; the first in the order gives the reason, whatever else
// is wrong.
func TestTheStepsOfTheDoor(t *testing.T) {
	t.Parallel()
	bad := map[string]json.RawMessage{"$x": json.RawMessage("1")}
	for _, c := range []struct {
		name  string
		setup func(*rig)
		who   string
		req   control.Request
		kind  errs.Kind
		code  string
		steps string
	}{
		{"permission", nil, "b", request("p:thing/1"), errs.Forbidden, "identity.forbidden", "global stop, permission!, input"},
		{"variable-name", nil, "a", control.Request{Variables: bad, Objects: []string{"p:thing/1"}},
			errs.Invalid, "control.variable_name", "global stop, permission, input!, objects, touch, locks"},
		{"variable-value", nil, "a", control.Request{Variables: map[string]json.RawMessage{"x": json.RawMessage("{")}},
			errs.Invalid, "control.variable", "global stop, permission, input!, objects, touch, locks"},
		{"too-large", nil, "a",
			control.Request{Variables: map[string]json.RawMessage{"x": json.RawMessage(`"` + strings.Repeat("x", control.MaxInput) + `"`)}},
			errs.TooLarge, "control.input_too_large", "global stop, permission, input!, objects, touch, locks"},
		{"no-object", nil, "a", request("p:thing/9"), errs.NotFound, "object.not_found", "global stop, permission, input, objects!, locks"},
		{"object-of-another-project", nil, "a", request("p:thing/4"), errs.NotFound,
			"object.not_found", "global stop, permission, input, objects!, locks"},
		{"twice", nil, "a", request("p:thing/1", "p:thing/1"), errs.Invalid,
			"control.object_twice", "global stop, permission, input, objects!, locks"},
		{"no-reference", nil, "a", request("thing"), errs.Invalid, "object.reference", "global stop, permission, input, objects!, locks"},
		{"held", func(r *rig) { r.hold("a", "p:thing/1") }, "a", request("p:thing/2", "p:thing/1"),
			errs.Locked, "control.locked", "global stop, permission, input, objects, touch, locks!"},
		{"stopped", func(r *rig) { r.stop(true) }, "a", request(), errs.Locked,
			"control.stopped", "global stop!, permission, input, objects, touch, locks"},
		{"stop-before-permission", func(r *rig) { r.stop(true) }, "b", control.Request{Variables: bad},
			errs.Locked, "control.stopped", "global stop!, permission!, input!"},
		{"permission-before-input", nil, "b", control.Request{Variables: bad, Objects: []string{"nonsense"}},
			errs.Forbidden, "identity.forbidden", "global stop, permission!, input!"},
		{"input-before-objects", func(r *rig) { r.hold("a", "p:thing/1") }, "a", control.Request{Variables: bad, Objects: []string{
			"p:thing/9", "p:thing/1"}}, errs.Invalid, "control.variable_name", "global stop, permission, input!, objects!, locks!"},
		{"objects-before-locks", func(r *rig) { r.hold("a", "p:thing/1") }, "a",
			request("p:thing/9", "p:thing/1"), errs.NotFound, "object.not_found", "global stop, permission, input, objects!, locks!"},
		{"everything", func(r *rig) {
			r.hold("a", "p:thing/1")
			r.stop(true)
		}, "a", control.Request{Variables: bad, Objects: []string{"p:thing/9", "p:thing/1"}},
			errs.Locked, "control.stopped", "global stop!, permission, input!, objects!, locks!"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c.req.Project, c.req.Process = "a", "release"
			if c.setup != nil {
				c.setup(r)
			}
			started, before := r.count("started"), len(r.verdicts())
			// Check says the same, and does nothing.
			look, err := r.Check(as(t.Context(), c.who), c.req)
			if err != nil || said(look.Steps) != c.steps {
				t.Errorf("check: %s, %v; want %s", said(look.Steps), err, c.steps)
			}
			if n := len(r.verdicts()); n != before {
				t.Errorf("check stored %d verdicts", n-before)
			}
			v, err := r.Admit(as(t.Context(), c.who), c.req)
			refused(t, err, c.kind, c.code)
			if v.Verdict != control.Rejected || v.Code != c.code || v.Reason == "" || said(v.Steps) != c.steps {
				t.Errorf("%+v, steps %s; want %s", v, said(v.Steps), c.steps)
			}
			if r.count("started") != started {
				t.Error("it was started")
			}
			// The refusal is stored, and audited.
			all := r.verdicts()
			if i := slices.IndexFunc(all, func(s control.Verdict) bool { return s.ID == v.ID }); i < 0 ||
				all[i].Code != c.code || said(all[i].Steps) != c.steps {
				t.Errorf("stored %+v", all)
			}
			page, err := r.trail.List(t.Context(), audit.Filter{Project: "a", Object: "run/" + v.Run.String(), Paging: api.Paging{Limit: 10}})
			if err != nil || len(page.Items) != 1 || page.Items[0].Outcome != audit.Refused {
				t.Errorf("audit %+v, %v", page, err)
			}
			if l, err := r.Holder(as(t.Context(), "a"), "p:thing/2"); err != nil || l != nil {
				t.Errorf("a refused request holds %+v, %v", l, err)
			}
		})
	}
}

func (r *rig) hold(project string, objects ...string) control.Verdict {
	r.t.Helper()
	req := request(objects...)
	req.Project = project
	v, err := r.Admit(as(r.t.Context(), project), req)
	r.must(err)
	return v
}

func (r *rig) stop(active bool) {
	r.t.Helper()
	_, err := r.SetStop(operator(r.t.Context()), active, "fire")
	r.must(err)
}

func TestNobodyAndNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.Admit(t.Context(), request())
	refused(t, err, errs.Unauthenticated, "identity.unauthenticated")
	unknown := request()
	unknown.Process = "none"
	_, err = r.Admit(as(t.Context(), "a"), unknown)
	refused(t, err, errs.NotFound, "process.not_found")
	// A stranger does not learn which processes there are.
	_, err = r.Admit(as(t.Context(), "b"), unknown)
	refused(t, err, errs.Forbidden, "identity.forbidden")
	if n := r.count("control_verdict"); n != 0 {
		t.Errorf("%d verdicts on nothing", n)
	}
}

// Verdict, locks, audit record and run are one commit.
func TestAStartThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]error{"error": errors.New("no"), "refusal": errs.New(errs.Exhausted, "x.busy", "later")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.starter.fail = fail
			if _, err := r.Admit(as(t.Context(), "a"), request("p:thing/1")); !errors.Is(err, fail) {
				t.Errorf("got %v", err)
			}
			for _, table := range []string{"control_verdict", "control_claim", "control_fence", "audit_record", "started"} {
				if n := r.count(table); n != 0 {
					t.Errorf("%s has %d rows", table, n)
				}
			}
			r.starter.fail = nil
			r.hold("a", "p:thing/1")
		})
	}
}

// A door that cannot look does not open, and a fault is no verdict.
func TestAFaultOfThePlatformIsNoVerdict(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"control_stop", "control_claim"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.must(r.db.Do(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec("DROP TABLE " + table); return err }))
			if _, err := r.Admit(as(t.Context(), "a"), request("p:thing/1")); !errs.Is(err, errs.Internal) {
				t.Errorf("admit: %v", err)
			}
			if _, err := r.Check(as(t.Context(), "a"), request("p:thing/1")); !errs.Is(err, errs.Internal) {
				t.Errorf("check: %v", err)
			}
			if r.count("started") != 0 || r.count("control_verdict") != 0 || r.count("audit_record") != 0 {
				t.Error("something is left")
			}
		})
	}
}

func TestOneAtATime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	results := make(chan error, 10)
	for range cap(results) {
		go func() { _, err := r.Admit(as(t.Context(), "a"), request("p:thing/1")); results <- err }()
	}
	admitted := 0
	for range cap(results) {
		err := <-results
		if err == nil {
			admitted++
			continue
		}
		refused(t, err, errs.Locked, "control.locked")
	}
	if admitted != 1 || r.count("started") != 1 || r.count("control_verdict") != cap(results) {
		t.Errorf("%d admitted, %d started, %d verdicts", admitted, r.count("started"), r.count("control_verdict"))
	}
}

func TestLocks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := as(t.Context(), "a")
	first := r.hold("a", "p:thing/1", "p:thing/2")
	fence := r.grown(0, "p:thing/1")
	_, err := r.Admit(ctx, request("p:thing/2", "p:thing/3"))
	refused(t, err, errs.Locked, "control.locked")
	for _, want := range []string{"p:thing/2", first.Run.String(), "started by of-a", "2026-01-02T03:04:05Z"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not tell %s: %v", want, err)
		}
	}
	r.hold("a", "p:thing/3")
	r.must(r.db.Do(ctx, func(tx *db.Tx) error { return r.Release(tx, int64(first.Run)) }))
	if l, err := r.Holder(ctx, "p:thing/1"); err != nil || l != nil {
		t.Errorf("%+v, %v", l, err)
	}
	second := r.hold("a", "p:thing/1")
	fence = r.grown(fence, "p:thing/1")
	// A lease that nobody renews ends.
	r.clock.Advance(control.LeaseFor - time.Second)
	_, err = r.Admit(ctx, request("p:thing/1"))
	refused(t, err, errs.Locked, "control.locked")
	r.clock.Advance(2 * time.Second)
	if l, err := r.Holder(ctx, "p:thing/1"); err != nil || l != nil {
		t.Errorf("%+v, %v", l, err)
	}
	third := r.hold("a", "p:thing/1")
	fence = r.grown(fence, "p:thing/1")
	// The late end of the one before takes nothing from the new holder.
	r.must(r.db.Do(ctx, func(tx *db.Tx) error { return r.Release(tx, int64(second.Run)) }))
	if l, err := r.Holder(ctx, "p:thing/1"); err != nil || l == nil || l.Run != third.Run {
		t.Errorf("%+v, %v", l, err)
	}
	r.clock.Advance(2 * control.LeaseFor)
	r.hold("a", "p:thing/3", "p:thing/1")
	r.grown(fence, "p:thing/1")
}

// grown checks that the fence of an object is greater than one before, and gives
// it.
func (r *rig) grown(before int64, object string) int64 {
	r.t.Helper()
	l, err := r.Holder(as(r.t.Context(), "a"), object)
	if err != nil || l == nil || l.Fence <= before {
		r.t.Fatalf("after the fence %d: %+v, %v", before, l, err)
	}
	return l.Fence
}

func TestLeasesAreRenewed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.hold("a", "p:thing/1")
	expires := func() time.Time {
		var us int64
		r.must(r.db.QueryRow(t.Context(), "SELECT expires FROM control_claim").Scan(&us))
		return clock.FromMicros(us)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Renew(ctx) }()
	for range 4 {
		before := expires()
		deadline := time.After(patience)
		for !expires().After(before) {
			r.clock.Advance(control.LeaseFor / 3)
			select {
			case <-deadline:
				t.Fatal("it is not renewed")
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// After a long outage the start renews before anybody asks.
	r.clock.Advance(time.Hour)
	r.must(r.RenewOnce(t.Context()))
	if l, err := r.Holder(as(t.Context(), "a"), "p:thing/1"); err != nil || l == nil || l.Run != v.Run {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestTheGlobalStop(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := as(t.Context(), "a")
	_, err := r.SetStop(ctx, true, "x")
	refused(t, err, errs.Forbidden, "identity.forbidden")
	r.hold("a")
	r.stop(true)
	_, err = r.Admit(ctx, request())
	refused(t, err, errs.Locked, "control.stopped")
	if !strings.Contains(err.Error(), "op has stopped") || !strings.Contains(err.Error(), "fire") {
		t.Errorf("%v", err)
	}
	// Whoever may do everything is stopped too.
	_, err = r.Admit(identity.AsSystem(t.Context(), "schedule"), request())
	refused(t, err, errs.Locked, "control.stopped")
	r.stop(false)
	r.hold("a")
	// The file does the same without the API, and needs no content.
	r.must(os.WriteFile(r.StopFile, nil, 0o600))
	_, err = r.Admit(ctx, request())
	refused(t, err, errs.Locked, "control.stopped")
	if !strings.Contains(err.Error(), r.StopFile) {
		t.Errorf("%v", err)
	}
	// Who allows starts again is told that the file still stops them.
	_, err = r.SetStop(operator(t.Context()), false, "")
	refused(t, err, errs.Locked, "control.stopped")
	r.must(os.Remove(r.StopFile))
	r.hold("a")
	page, err := r.trail.List(ctx, audit.Filter{Project: "default", Paging: api.Paging{Limit: 10}})
	if err != nil || len(page.Items) != 2 || page.Items[0].Verb != "control.stop" || page.Items[0].Subject != "user/op" {
		t.Errorf("%+v, %v", page, err)
	}
}

// A project's verdicts and locks are nothing to those of another.
func TestProjectsAreApart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.hold("a", "p:thing/1")
	r.hold("b", "p:thing/4")
	a, b := as(t.Context(), "a"), as(t.Context(), "b")
	page, err := r.Verdicts(b, "b", 0, api.Paging{Limit: 10})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	_, err = r.Verdicts(b, "a", 0, api.Paging{Limit: 10})
	refused(t, err, errs.Forbidden, "identity.forbidden")
	for _, c := range []struct {
		ctx    context.Context
		object string
		held   bool
	}{{a, "p:thing/1", true}, {a, "p:thing/4", false}, {b, "p:thing/1", false}, {b, "p:thing/4", true}} {
		if l, err := r.Holder(c.ctx, c.object); err != nil || (l != nil) != c.held {
			t.Errorf("%s: %+v, %v", c.object, l, err)
		}
	}
	look, err := r.Check(a, request("p:thing/4"))
	if err != nil || strings.Contains(fmt.Sprint(look.Steps), "of-b") {
		t.Errorf("%+v, %v", look.Steps, err)
	}
	before := r.asked.Load()
	if _, err := r.Check(b, request("p:thing/1")); err != nil || r.asked.Load() != before {
		t.Errorf("the owner was asked for somebody without permission: %v", err)
	}
}

func TestVerdictsByPage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var want []string
	for range 5 {
		want = append(want, r.hold("a").ID)
		r.clock.Advance(time.Second)
	}
	slices.Reverse(want)
	var got []string
	for after := ""; ; {
		page, err := r.Verdicts(as(t.Context(), "a"), "a", 0, api.Paging{Limit: 2, After: after})
		r.must(err)
		for _, v := range page.Items {
			got = append(got, v.ID)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestTheEndpoints(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := api.New(api.Deps{Version: "test", DB: r.db, Clock: r.clock, Log: slog.New(slog.DiscardHandler), Authorize: identity.Require,
		Authenticate: func(q *http.Request) (context.Context, string, error) {
			if q.Header.Get("Authorization") == "op" {
				return operator(q.Context()), "op", nil
			}
			return as(q.Context(), "a"), "a", nil
		}})
	r.Routes(a)
	s := httptest.NewServer(a.Handler())
	t.Cleanup(s.Close)
	v := r.hold("a", "p:thing/1")
	for _, c := range []struct {
		who, method, path, body string
		status                  int
		has                     string
	}{
		{"", "GET", "/api/v1/verdicts?project=a", "", 200, v.ID},
		{"", "GET", "/api/v1/verdicts?project=b", "", 403, "identity.forbidden"},
		{"op", "GET", "/api/v1/verdicts?project=a", "", 403, "identity.forbidden"},
		{"", "GET", "/api/v1/locks?object=p:thing/1", "", 200, `"held":true`},
		{"", "GET", "/api/v1/locks?object=p:thing/2", "", 200, `"held":false`},
		{"", "GET", "/api/v1/locks", "", 422, "control.lock_query"},
		{"", "PUT", "/api/v1/stop", `{"active":true}`, 403, "identity.forbidden"},
		{"op", "PUT", "/api/v1/stop", `{"active":true,"reason":"fire"}`, 200, `"active":true`},
		{"", "GET", "/api/v1/stop", "", 200, `"reason":"fire"`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, s.URL+c.path, strings.NewReader(c.body))
		r.must(err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", c.who)
		resp, err := http.DefaultClient.Do(req)
		r.must(err)
		var body json.RawMessage
		r.must(json.NewDecoder(resp.Body).Decode(&body))
		_ = resp.Body.Close()
		if resp.StatusCode != c.status || !strings.Contains(string(body), c.has) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, resp.StatusCode, body, c.status, c.has)
		}
	}
}
