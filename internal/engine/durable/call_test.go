package durable_test

import (
	"errors"
	"slices"
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
)

// caller calls inner, many calls it twenty times, deep calls caller.
const (
	caller = `<?xml version="1.0"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
		`xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="t">
<error id="E" errorCode="broken"/>
<process id="caller" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="call"/>
<callActivity id="call"><extensionElements><zeebe:calledElement processId="inner"/></extensionElements></callActivity>` +
		`<sequenceFlow id="f2" sourceRef="call" targetRef="e"/>
<boundaryEvent id="b" attachedToRef="call"><errorEventDefinition errorRef="E"/></boundaryEvent>` +
		`<sequenceFlow id="f3" sourceRef="b" targetRef="mend"/>
<serviceTask id="mend"><extensionElements><zeebe:taskDefinition type="work"/></extensionElements></serviceTask>` +
		`<sequenceFlow id="f4" sourceRef="mend" targetRef="e"/>
<endEvent id="e"/></process></definitions>`
	loop = `<multiInstanceLoopCharacteristics><extensionElements><zeebe:loopCharacteristics inputCollection="=for i in 1..20 return ` +
		`i" inputElement="i" outputCollection="all" outputElement="=i"/></extensionElements></multiInstanceLoopCharacteristics></callActivity>`
	task = `<?xml version="1.0"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
		`xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="t">
<process id="inner" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="a"/>
<serviceTask id="a"><extensionElements><zeebe:taskDefinition type="work"/></extensionElements></serviceTask>` +
		`<sequenceFlow id="f2" sourceRef="a" targetRef="e"/><endEvent id="e"/></process></definitions>`
)

// The programs of a catalog.
const (
	callerKey int64 = 1
	innerKey  int64 = 2
	manyKey   int64 = 3
	deepKey   int64 = 4
)

// catalog knows which process has which id. It keeps what was called.
type catalog struct {
	mu     sync.Mutex
	keys   map[string]int64
	begun  []durable.Call
	refuse int // so many beginnings
}

func (c *catalog) Called(call durable.Call) (durable.Called, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, ok := c.keys[call.Process]
	if !ok {
		return durable.Called{}, errs.New(errs.NotFound, "test.missing", "there is no process %s", call.Process)
	}
	return durable.Called{Program: key, Mandate: call.Mandate}, nil
}

func (c *catalog) Begin(tx *db.Tx, call durable.Call, _ durable.Called, _ time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse > 0 {
		c.refuse--
		return errors.New("not yet")
	}
	tx.AfterCommit(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.begun = append(c.begun, call)
	})
	return nil
}

func (c *catalog) set(process string, key int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys[process] = key
}

// calling is a place with the programs; lost are those that are not found.
func calling(t *testing.T) (p *place, c *catalog, lost *sync.Map) {
	lost = &sync.Map{}
	all := map[int64]*program.Program{callerKey: compile(t, caller), innerKey: compile(t, task),
		manyKey: compile(t, strings.Replace(caller, "</callActivity>", loop, 1)),
		deepKey: compile(t, strings.Replace(caller, `processId="inner"`, `processId="caller"`, 1))}
	c = &catalog{keys: map[string]int64{"inner": innerKey, "caller": callerKey}}
	dir := t.TempDir()
	p = &place{t: t, file: dir + "/s.db", marks: dir + "/atwork", told: newTold(),
		jobs: make(chan durable.Job, 1000), calls: c, programs: func(key int64) (*program.Program, error) {
			if _, gone := lost.Load(key); gone {
				return nil, errors.New("blob not found")
			}
			return all[key], nil
		}}
	p.open()
	t.Cleanup(p.close)
	return p, c, lost
}

func (p *place) apply(run state.Key, ev engine.Event) {
	p.t.Helper()
	if err := p.h.Apply(p.t.Context(), run, ev, nil); err != nil {
		p.t.Fatalf("%T: %v", ev, err)
	}
}

func (p *place) state(run state.Key) string {
	p.told.mu.Lock()
	defer p.told.mu.Unlock()
	return p.told.ended[run]
}

func (p *place) empty() {
	p.t.Helper()
	var left int
	if err := p.d.QueryRow(p.t.Context(), "SELECT COUNT(*) FROM engine_record").Scan(&left); err != nil || left != 0 || p.h.Active() != 0 {
		p.t.Errorf("%d records are left and %d runs active, %v", left, p.h.Active(), err)
	}
}

// However often the server is started anew, each called run begins once, is on the
// shard of the one that called it, does its work once, and all end.
func TestCallsSurviveARestart(t *testing.T) {
	t.Parallel()
	p, c, _ := calling(t)
	top := p.start(manyKey, map[string]string{"x": "1"})
	done := map[state.Key]bool{}
	for len(done) < 20 {
		j := <-p.jobs
		if done[j.Key] {
			continue // it was offered before the last start
		}
		p.apply(j.Run, engine.JobCompleted{Job: j.Key})
		if done[j.Key] = true; len(done)%4 == 0 && len(done) < 20 {
			p.close()
			p.open()
		}
	}
	p.await("the end", func() bool { return p.state(top) == engine.Completed })
	if len(c.begun) != 20 {
		t.Errorf("%d runs were called", len(c.begun))
	}
	for _, one := range c.begun {
		if one.Caller != top || one.Program != manyKey || one.Process != "inner" ||
			durable.ShardOf(one.Run) != durable.ShardOf(top) || p.state(one.Run) != engine.Completed {
			t.Errorf("called was %+v, which is %q", one, p.state(one.Run))
		}
	}
	p.empty()
}

// An error goes from the run in which it was thrown to the one that catches it in one
// write, which fails as a whole or not at all.
func TestWhatLeavesACalledRunIsStoredWithIt(t *testing.T) {
	t.Parallel()
	p, c, _ := calling(t)
	top := p.start(deepKey, nil)
	j := <-p.jobs
	no := errors.New("no")
	threw := engine.JobThrew{Job: j.Key, Code: "broken"}
	if err := p.h.Apply(t.Context(), j.Run, threw, func(*db.Tx) error { return no }); !errors.Is(err, no) {
		t.Fatal(err)
	}
	p.apply(j.Run, threw)
	mend := <-p.jobs
	if mend.Run != c.begun[0].Run || p.state(j.Run) != engine.Failed || p.state(mend.Run) != "" || p.state(top) != "" {
		t.Errorf("the job of %d is offered; the runs are %q, %q and %q", mend.Run, p.state(j.Run), p.state(mend.Run), p.state(top))
	}
	p.apply(mend.Run, engine.JobCompleted{Job: mend.Key})
	if p.state(top) != engine.Completed {
		t.Errorf("the run is %q once its call has ended", p.state(top))
	}
	p.empty()
}

// A cancel ends the runs below with the run, in one write.
func TestACancelEndsWhatWasCalled(t *testing.T) {
	t.Parallel()
	p, c, _ := calling(t)
	top := p.start(deepKey, nil)
	<-p.jobs
	p.apply(top, engine.Cancel{Reason: "enough"})
	for _, one := range c.begun {
		if p.state(one.Run) != engine.Cancelled {
			t.Errorf("a called run is %q", p.state(one.Run))
		}
	}
	p.empty()
}

// What cannot be called is an incident that goes by trying again once it can; what
// cannot be stored is tried again by itself.
func TestACallIsTriedAgain(t *testing.T) {
	t.Parallel()
	p, c, _ := calling(t)
	delete(c.keys, "inner")
	c.refuse = 1
	top := p.start(callerKey, nil)
	p.await("the incident", func() bool { _, kind := p.told.of(top); return kind == engine.IncidentCalled })
	incident, _ := p.told.of(top)
	if got := p.told.open[incident].Message; got != "there is no process inner" {
		t.Errorf("the incident says %q", got)
	}
	c.set("inner", innerKey)
	p.apply(top, engine.Resolve{Incident: incident})
	j := <-p.jobs // after the one that was refused
	p.apply(j.Run, engine.JobCompleted{Job: j.Key})
	if p.state(top) != engine.Completed || c.refuse != 0 {
		t.Errorf("the run is %q", p.state(top))
	}
	p.empty()
}

// Runs wait for a caller that is set aside; they end with it where it is cancelled.
func TestACallerThatIsSetAsideIsWaitedFor(t *testing.T) {
	t.Parallel()
	p, _, lost := calling(t)
	helped, ended := p.start(callerKey, nil), p.start(callerKey, nil)
	jobs := map[state.Key]durable.Job{}
	for range 2 {
		j := <-p.jobs
		jobs[j.Run] = j
	}
	lost.Store(callerKey, true)
	p.close()
	p.open()
	for _, j := range jobs {
		if err := p.h.Apply(t.Context(), j.Run, engine.JobCompleted{Job: j.Key}, nil); errs.As(err).Code != "engine.held" {
			t.Errorf("a job of a run whose caller is set aside: %v", err)
		}
	}
	p.apply(ended, engine.Cancel{Reason: "enough"})
	lost.Delete(callerKey)
	incident, _ := p.told.of(helped)
	p.apply(helped, engine.Resolve{Incident: incident})
	left := 0
	for run, j := range jobs {
		err := p.h.Apply(t.Context(), run, engine.JobCompleted{Job: j.Key}, nil)
		if err != nil && !errors.Is(err, durable.ErrNoRun) {
			t.Error(err)
		}
		if err == nil {
			left++
		}
	}
	p.await("the end of all", func() bool { return p.state(helped) == engine.Completed && len(p.told.ended) == 4 })
	if left != 1 || p.state(ended) != engine.Cancelled {
		t.Errorf("%d jobs were done after the cancel; the cancelled run is %q", left, p.state(ended))
	}
	p.empty()
}

// A called run that is set aside ends with its caller; where it is ended alone, its
// caller has an incident.
func TestACalledRunThatIsSetAsideEnds(t *testing.T) {
	t.Parallel()
	p, c, lost := calling(t)
	tops := []state.Key{p.start(callerKey, nil), p.start(callerKey, nil), p.start(callerKey, nil)}
	for range tops {
		<-p.jobs
	}
	below := map[state.Key]state.Key{}
	for _, one := range c.begun {
		below[one.Caller] = one.Run
	}
	lost.Store(innerKey, true)
	p.close()
	p.open()
	p.apply(tops[0], engine.Cancel{Reason: "enough"})
	if p.state(tops[0]) != engine.Cancelled || p.state(below[tops[0]]) != engine.Cancelled {
		t.Errorf("the run is %q and what it has called %q", p.state(tops[0]), p.state(below[tops[0]]))
	}
	p.apply(below[tops[1]], engine.Cancel{Reason: "enough"})
	p.h.Close()
	if err := durable.Quarantine(t.Context(), p.d, clock.Real{}, below[tops[2]], "it looks bad", true); err != nil {
		t.Fatal(err)
	}
	p.close()
	p.open()
	for _, top := range tops[1:] {
		p.await("the incident", func() bool { _, kind := p.told.of(top); return kind == engine.IncidentCalled })
	}
	lost.Delete(innerKey)
	for _, top := range tops[1:] {
		incident, _ := p.told.of(top)
		p.apply(top, engine.Resolve{Incident: incident})
		j := <-p.jobs
		for slices.Contains([]state.Key{below[tops[0]], below[tops[1]], below[tops[2]]}, j.Run) {
			j = <-p.jobs // offered before
		}
		p.apply(j.Run, engine.JobCompleted{Job: j.Key})
	}
	p.await("the end of all", func() bool { return p.state(tops[1]) == engine.Completed && p.state(tops[2]) == engine.Completed })
	p.empty()
}

// A step that breaks off in a called run sets that aside, and its caller waits for it.
func TestACalledRunWhoseStepBreaksOff(t *testing.T) {
	t.Parallel()
	p, c, _ := calling(t)
	bad := compile(t, task)
	flows := bad.Flows
	programs := p.programs
	p.close()
	p.programs = func(key int64) (*program.Program, error) {
		if key == innerKey {
			return bad, nil
		}
		return programs(key)
	}
	p.open()
	top := p.start(callerKey, nil)
	j := <-p.jobs
	bad.Flows = nil
	if err := p.h.Apply(t.Context(), j.Run, engine.JobCompleted{Job: j.Key}, nil); !errs.Is(err, errs.Internal) {
		t.Errorf("the step that breaks off: %v", err)
	}
	p.await("the incident", func() bool { _, kind := p.told.of(j.Run); return kind == durable.HeldPoison })
	bad.Flows = flows
	incident, _ := p.told.of(j.Run)
	p.apply(j.Run, engine.Resolve{Incident: incident})
	<-p.jobs
	p.apply(j.Run, engine.JobCompleted{Job: j.Key})
	if p.state(top) != engine.Completed || len(c.begun) != 1 {
		t.Errorf("the run is %q", p.state(top))
	}
	p.empty()
}
