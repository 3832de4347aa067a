package durable_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/testkit/dbserver"
)

// told is a projector that keeps the open incidents and the ends of runs.
type told struct {
	mu    sync.Mutex
	open  map[state.Key]state.Incident
	runs  map[state.Key]state.Key // by incident
	ended map[state.Key]string
	news  chan struct{}
	dies  func() error // before each run of a write; nil for never
}

func newTold() *told {
	return &told{open: map[state.Key]state.Incident{}, runs: map[state.Key]state.Key{},
		ended: map[state.Key]string{}, news: make(chan struct{}, 1000)}
}

func (p *told) Project(tx *db.Tx, c *durable.Change) error {
	if p.dies != nil {
		if err := p.dies(); err != nil {
			return err
		}
	}
	tx.AfterCommit(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, e := range c.Effects {
			switch e.Kind {
			case engine.IncidentRaised:
				p.open[e.Key], p.runs[e.Key] = e.Incident, c.Run
			case engine.IncidentGone:
				delete(p.open, e.Key)
			case engine.RunEnded:
				p.ended[c.Run] = e.State
			default:
				continue
			}
			p.news <- struct{}{}
		}
	})
	return nil
}

func (p *told) of(run state.Key) (key state.Key, kind string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, i := range p.open {
		if p.runs[k] == run {
			return k, i.Kind
		}
	}
	return 0, ""
}

// place is a database with a host that is opened again and again.
type place struct {
	t        *testing.T
	file     string
	programs func(int64) (*program.Program, error)
	told     *told
	jobs     chan durable.Job
	marks    string
	calls    durable.Calls
	h        *durable.Host
	d        *db.DB
}

func newPlace(t *testing.T, programs func(int64) (*program.Program, error)) *place {
	dir := t.TempDir()
	p := &place{t: t, file: filepath.Join(dir, "s.db"), marks: filepath.Join(dir, "atwork"),
		programs: programs, told: newTold(), jobs: make(chan durable.Job, 1000)}
	p.open()
	t.Cleanup(p.close)
	return p
}

func (p *place) open() {
	p.t.Helper()
	ctx := context.Background()
	var err error
	if p.d, err = db.OpenAs(ctx, dbserver.Address(p.t, p.file), again); err == nil {
		err = p.d.Migrate(ctx, durable.Domain, durable.Migrations)
	}
	if err == nil {
		w := &worker{seen: map[state.Key]int{}, offer: func(j durable.Job) { p.jobs <- j }}
		p.h, err = durable.Open(ctx, durable.Deps{DB: p.d, Clock: clock.Real{},
			Log: slog.New(slog.DiscardHandler), Zone: time.LoadLocation, Projector: p.told, Programs: p.programs, Marks: p.marks, Calls: p.calls,
			Workers: []durable.Subscription{{Accepts: func(string) bool { return true }, Worker: w}}})
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.h.Start()
}

func (p *place) close() {
	if p.h == nil {
		return
	}
	p.h.Close()
	if err := p.d.Close(); err != nil {
		p.t.Error(err)
	}
	p.h = nil
}

func (p *place) start(program int64, vars map[string]string) state.Key {
	p.t.Helper()
	key, all := p.h.NewKey(), engine.Variables{}
	for k, v := range vars {
		all[k] = json.RawMessage(v)
	}
	if err := p.h.StartOne(p.t.Context(), durable.StartRun{Key: key, Program: program, Variables: all}); err != nil {
		p.t.Fatal(err)
	}
	return key
}

func (p *place) await(what string, ok func() bool) {
	p.t.Helper()
	for !ok() {
		select {
		case <-p.told.news:
		case <-time.After(30 * time.Second):
			p.t.Fatalf("%s did not come", what)
		}
	}
}

// A run whose program cannot be loaded is set aside; the server starts, the other
// runs go on, and it goes on too once its program is back.
func TestARunWithoutItsProgramIsSetAside(t *testing.T) {
	t.Parallel()
	good := compile(t, sequence)
	missing := false
	p := newPlace(t, func(key int64) (*program.Program, error) {
		if missing && key == 2 {
			return nil, errors.New("blob not found")
		}
		return good, nil
	})
	whole, broken, other := p.start(1, nil), p.start(2, nil), p.start(2, nil)
	for range 3 {
		<-p.jobs
	}
	missing = true
	p.close()
	p.open()
	if j := <-p.jobs; j.Run != whole || p.h.Active() != 1 {
		t.Errorf("the job of run %d is offered, %d are active", j.Run, p.h.Active())
	}
	incident, kind := p.told.of(broken)
	if kind != durable.HeldDamaged {
		t.Fatalf("the run has an incident of kind %q", kind)
	}
	resolve := engine.Resolve{Incident: incident}
	if err := p.h.Apply(t.Context(), broken, resolve, nil); !errs.Is(err, errs.Conflict) || !strings.Contains(err.Error(), "blob not found") {
		t.Errorf("taken up while its program is missing: %v", err)
	}
	if err := p.h.Read(t.Context(), broken, func(*state.Run, *program.Program) {}); errs.As(err).Code != "engine.held" {
		t.Errorf("reading it: %v", err)
	}
	if err := p.h.Apply(t.Context(), other, engine.Cancel{Reason: "enough"}, nil); err != nil {
		t.Errorf("cancelling it: %v", err)
	}
	missing = false
	if err := p.h.Apply(t.Context(), broken, resolve, nil); err != nil {
		t.Fatal(err)
	}
	if j := <-p.jobs; j.Run != broken {
		t.Errorf("the job of run %d came, want that of %d", j.Run, broken)
	}
	if _, kind := p.told.of(broken); kind != "" || p.told.ended[other] != engine.Cancelled {
		t.Errorf("afterwards the incident is %q, the other run %q", kind, p.told.ended[other])
	}
	missing = true // at the next start it is whole again by itself
	p.close()
	p.open()
	missing = false
	p.close()
	p.open()
	if _, kind := p.told.of(broken); kind != "" || p.h.Active() != 2 {
		t.Errorf("with the program back the incident is %q and %d runs are active", kind, p.h.Active())
	}
}

// A step that breaks off takes its run aside and nothing else.
func TestAStepThatBreaksOffSetsItsRunAside(t *testing.T) {
	t.Parallel()
	good, bad := compile(t, sequence), compile(t, sequence)
	p := newPlace(t, func(key int64) (*program.Program, error) {
		if key == 2 {
			return bad, nil
		}
		return good, nil
	})
	healthy, poison := p.start(1, nil), p.start(2, nil)
	jobs := map[state.Key]durable.Job{}
	for range 2 {
		j := <-p.jobs
		jobs[j.Run] = j
	}
	flows := bad.Flows
	bad.Flows = nil
	if err := p.h.Apply(t.Context(), poison, engine.JobCompleted{Job: jobs[poison].Key}, nil); !errs.Is(err, errs.Internal) {
		t.Errorf("the step that breaks off: %v", err)
	}
	p.await("the incident", func() bool { _, kind := p.told.of(poison); return kind == durable.HeldPoison })
	if err := p.h.Apply(t.Context(), healthy, engine.JobCompleted{Job: jobs[healthy].Key}, nil); err != nil {
		t.Errorf("the other run: %v", err)
	}
	bad.Flows = flows
	incident, _ := p.told.of(poison)
	if err := p.h.Apply(t.Context(), poison, engine.Resolve{Incident: incident}, nil); err != nil {
		t.Fatal(err)
	}
	p.await("its job", func() bool {
		return p.h.Apply(t.Context(), poison, engine.JobCompleted{Job: jobs[poison].Key}, nil) == nil
	})
}

// What is asked for while the server is stopped is done by its next start.
func TestQuarantineWhileTheServerIsStopped(t *testing.T) {
	t.Parallel()
	good := compile(t, sequence)
	p := newPlace(t, func(int64) (*program.Program, error) { return good, nil })
	held, dropped := p.start(1, nil), p.start(1, nil)
	<-p.jobs
	<-p.jobs
	p.h.Close()
	for key, drop := range map[state.Key]bool{held: false, dropped: true} {
		if err := durable.Quarantine(t.Context(), p.d, clock.Real{}, key, "it looks bad", drop); err != nil {
			t.Fatal(err)
		}
	}
	if err := durable.Quarantine(t.Context(), p.d, clock.Real{}, held+1, "x", false); !errors.Is(err, durable.ErrNoRun) {
		t.Errorf("a run that does not exist: %v", err)
	}
	if err := p.d.Close(); err != nil {
		t.Fatal(err)
	}
	p.open()
	if _, kind := p.told.of(held); kind != durable.HeldPoison || p.h.Active() != 0 || p.told.ended[dropped] != engine.Cancelled {
		t.Errorf("the run has the incident %q, %d are active, the dropped one is %q", kind, p.h.Active(), p.told.ended[dropped])
	}
	p.close()
	p.open()
	if _, kind := p.told.of(held); kind != durable.HeldPoison || p.h.Active() != 0 {
		t.Error("it does not stay aside")
	}
}

const spinning = `<?xml version="1.0"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
	`xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="t">
<process id="p" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="g"/>
<exclusiveGateway id="g" default="f3"/><sequenceFlow id="f2" sourceRef="g" targetRef="g2"><conditionExpression>=sum(for ` +
	`i in 1..3000 return i) &lt; 0 or go</conditionExpression></sequenceFlow><sequenceFlow id="f3" sourceRef="g" targetRef="e"/>
<exclusiveGateway id="g2"/><sequenceFlow id="f4" sourceRef="g2" targetRef="g"/><endEvent id="e"/></process></definitions>`

// A run that works without a pause lets others work, and its cancel is answered.
func TestARunThatNeverPausesIsCancelledWhileItWorks(t *testing.T) {
	t.Parallel()
	busy, quick := compile(t, spinning), compile(t, sequence)
	p := newPlace(t, func(key int64) (*program.Program, error) {
		if key == 2 {
			return busy, nil
		}
		return quick, nil
	})
	key := p.start(2, map[string]string{"go": "true"})
	began := time.Now()
	p.start(1, nil)
	<-p.jobs
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a start beside it took %s", took)
	}
	if err := p.h.Apply(t.Context(), key, engine.Cancel{}, nil); err != nil {
		t.Fatal(err)
	}
	if p.told.ended[key] != engine.Cancelled {
		t.Errorf("the run is %q", p.told.ended[key])
	}
}

// dying is a process that starts a run whose step ends the process.
func dying(dir string) {
	var p *program.Program
	t := &testing.T{}
	p = compile(t, sequence)
	ctx := context.Background()
	d, err := db.OpenAs(ctx, dbserver.Address(t, filepath.Join(dir, "s.db")), again)
	if err == nil {
		err = d.Migrate(ctx, durable.Domain, durable.Migrations)
	}
	die := func(string) (*time.Location, error) {
		os.Exit(99)
		return nil, nil
	}
	var h *durable.Host
	if err == nil {
		h, err = durable.Open(ctx,
			durable.Deps{DB: d, Clock: clock.Real{}, Log: slog.New(slog.DiscardHandler), Zone: die, Marks: filepath.Join(dir, "atwork"),
				Programs: func(key int64) (*program.Program, error) {
					if key == 2 {
						return compile(t, strings.ReplaceAll(sequence, "PT0.01S", `=string(date and time("2026-01-01T00:00:00@Europe/Paris"))`)), nil
					}
					return p, nil
				},
				Workers: []durable.Subscription{
					{Accepts: func(string) bool { return true }, Worker: &worker{seen: map[state.Key]int{}, offer: func(j durable.Job) {
						go func() { _ = h.Apply(ctx, j.Run, engine.JobCompleted{Job: j.Key}, nil) }()
					}}}}})
	}
	if err != nil {
		os.Exit(1)
	}
	h.Start()
	if h.Active() == 0 {
		if err := h.StartOne(ctx, durable.StartRun{Key: h.NewKey(), Program: 2}); err != nil {
			os.Exit(1)
		}
	}
	select {}
}

// A run at which two processes died in a row is set aside by the third.
func TestWhatKilledTheLastTwoProcessesIsSetAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for n := range 2 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(append(os.Environ(), "SEXTANT_TEST_DIE="+dir), dbserver.Inherit(t, filepath.Join(dir, "s.db"))...)
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != 99 {
			t.Fatalf("process %d: %v", n, err)
		}
	}
	good := compile(t, sequence)
	p := &place{t: t, file: filepath.Join(dir, "s.db"), marks: filepath.Join(dir, "atwork"), programs: func(int64) (*program.Program, error) {
		return good, nil
	}, told: newTold(), jobs: make(chan durable.Job, 10)}
	p.open()
	defer p.close()
	if len(p.told.open) != 1 || p.h.Active() != 0 {
		t.Fatalf("%d incidents, %d active", len(p.told.open), p.h.Active())
	}
	for key, i := range p.told.open {
		if i.Kind != durable.HeldPoison || !strings.Contains(i.Message, "died twice") {
			t.Errorf("the incident is %+v", i)
		}
		if err := p.h.Apply(t.Context(), p.told.runs[key], engine.Resolve{Incident: key}, nil); err != nil {
			t.Error(err)
		}
	}
	<-p.jobs
}

// Who started a run finds what came of its first expressions.
func TestWhoStartsARunFindsWhatCameOfIt(t *testing.T) {
	t.Parallel()
	stuck := compile(t, strings.ReplaceAll(spinning, "&lt; 0 or go", "+ nothing"))
	p := newPlace(t, func(int64) (*program.Program, error) { return stuck, nil })
	for range 50 {
		key := p.start(1, nil)
		p.h.Began(t.Context(), key)
		if _, kind := p.told.of(key); kind != engine.IncidentCondition {
			t.Fatalf("the incident of the run is %q", kind)
		}
	}
}
