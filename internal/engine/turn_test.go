package engine_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sextant/internal/engine"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// limitedWorld is a world whose steps are tuned from the start on.
func limitedWorld(t *testing.T, p *program.Program, vars map[string]string, tune func(*engine.Env)) *world {
	w := &world{t: t, p: p, run: state.New(1), now: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC),
		next: 1, records: map[state.Key]state.Record{},
		jobs: map[state.Key]state.Job{}, nodes: map[state.Key]string{}, tasks: map[state.Key]engine.Task{},
		timers: map[state.Key]engine.Effect{}, trouble: map[state.Key]engine.Effect{}, tune: tune}
	w.must(engine.Start{Variables: raw(vars)})
	return w
}

// story is what a history tells, without keys, which depend on where turns end.
func story(w *world) []string {
	var all []string
	for _, f := range w.facts {
		line := fmt.Sprintf("%d %d %s", f.Kind, f.Node, f.Text)
		if f.Kind == engine.FactVariable {
			line += " " + string(f.Data)
		}
		all = append(all, line)
	}
	slices.Sort(all)
	return all
}

const (
	forked = `<process id="p" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="fork"/>
<parallelGateway id="fork"/><sequenceFlow id="a1" sourceRef="fork" targetRef="x"/>` +
		`<sequenceFlow id="b1" sourceRef="fork" targetRef="join"/><sequenceFlow id="c1" sourceRef="fork" targetRef="many"/>
<scriptTask id="x"><extensionElements><zeebe:script expression="=1+1" resultVariable="two"/></extensionElements></scriptTask>` +
		`<sequenceFlow id="a2" sourceRef="x" targetRef="join"/>
<scriptTask id="many"><extensionElements><zeebe:script expression="=i*two2" resultVariable="r"/></extensionElements>` +
		`<multiInstanceLoopCharacteristics ISSEQ><extensionElements><zeebe:loopCharacteristics inputCollection="=for i in 1..20 ` +
		`return i" inputElement="i" outputCollection="all" ` +
		`outputElement="=r"/></extensionElements></multiInstanceLoopCharacteristics></scriptTask>
<sequenceFlow id="c2" sourceRef="many" targetRef="join"/>
<parallelGateway id="join"/><sequenceFlow id="j" sourceRef="join" targetRef="e"/><endEvent id="e"/></process>`
	nested = `<process id="p" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="sub"/>
<subProcess id="sub"><multiInstanceLoopCharacteristics><extensionElements><zeebe:loopCharacteristics ` +
		`inputCollection="=for i in 1..100 return i" inputElement="i"/></extensionElements></multiInstanceLoopCharacteristics>
<startEvent id="s2"/><sequenceFlow id="g1" sourceRef="s2" targetRef="t"/>
<serviceTask id="t"><extensionElements><zeebe:taskDefinition type="work"/></extensionElements>` +
		`<multiInstanceLoopCharacteristics><extensionElements><zeebe:loopCharacteristics ` +
		`inputCollection="=for j in 1..100 return j" inputElement="j"/></extensionElements></multiInstanceLoopCharacteristics></serviceTask>
<sequenceFlow id="g2" sourceRef="t" targetRef="e2"/><endEvent id="e2"/></subProcess>
<sequenceFlow id="f2" sourceRef="sub" targetRef="e"/><endEvent id="e"/></process>`
)

// However short the turns are, and though every turn is stored and read back, a
// run does what it does in one.
func TestARunInTurnsDoesTheSame(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{`isSequential="true"`, `isSequential="false"`} {
		p := compile(t, strings.ReplaceAll(forked, "ISSEQ", kind))
		vars := map[string]string{"two2": "3"}
		whole := newWorld(t, p, vars)
		for _, moves := range []int{1, 2, 7} {
			w := limitedWorld(t, p, vars, func(e *engine.Env) { e.Moves = moves })
			if w.turns < 3 || w.ended == nil || w.ended.State != engine.Completed {
				t.Fatalf("%s, turns of %d: %d turns, ended %+v, trouble %v", kind, moves, w.turns, w.ended, w.trouble)
			}
			if got, want := story(w), story(whole); !slices.Equal(got, want) {
				t.Errorf("%s, turns of %d: the history tells\n%s\nwant\n%s", kind, moves, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}

// A step that must be still goes as far as it gets without an expression.
func TestAStillStepEvaluatesNothing(t *testing.T) {
	t.Parallel()
	p := compile(t, strings.ReplaceAll(forked, "ISSEQ", ""))
	still := true
	w := limitedWorld(t, p, map[string]string{"two2": "3"}, func(e *engine.Env) {
		if e.Still = still; !still {
			return
		}
		still = false
		e.Zone = nil
	})
	if w.turns != 1 || w.ended == nil {
		t.Fatalf("%d turns, ended %+v", w.turns, w.ended)
	}
	simple := compile(t, `<process id="p" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="t"/>`+
		`<serviceTask id="t"><extensionElements><zeebe:taskDefinition type="work"/></extensionElements></serviceTask>`+
		`<sequenceFlow id="f2" sourceRef="t" targetRef="e"/><endEvent id="e"/></process>`)
	if w := limitedWorld(t, simple, nil, func(e *engine.Env) { e.Still = true }); w.turns != 0 || len(w.jobs) != 1 {
		t.Errorf("a start without expressions took %d more turns and has %d jobs", w.turns, len(w.jobs))
	}
}

// A run that has used up a part of its budget rests with one incident, whatever
// multiplies in it, and goes on when it is given more.
func TestARunRestsWhenItsBudgetIsUsedUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		budget engine.Budget
		body   string
		vars   map[string]string
		want   string
	}{
		"elements": {engine.Budget{Elements: 500}, nested, nil, "elements"},
		"facts":    {engine.Budget{Facts: 2000}, nested, nil, "history"},
		"bytes": {engine.Budget{Bytes: 60_000}, strings.ReplaceAll(nested, "j in 1..100 return j", "j in 1..100 return big"),
			map[string]string{"big": `"` + strings.Repeat("x", 300) + `"`}, "bytes"},
	} {
		budget := c.budget
		w := limitedWorld(t, compile(t, c.body), c.vars, func(e *engine.Env) { e.Budget, e.Moves = budget, 500 })
		if len(w.trouble) != 1 {
			t.Fatalf("%s: %d incidents, want one: %v", name, len(w.trouble), w.trouble)
		}
		var incident engine.Effect
		for _, incident = range w.trouble {
		}
		if incident.Incident.Kind != engine.IncidentBudget || !strings.Contains(incident.Incident.Message, c.want) {
			t.Errorf("%s: the incident is %+v", name, incident.Incident)
		}
		if n := len(w.run.Elements); n > 700 {
			t.Errorf("%s: %d elements are active", name, n)
		}
		had := len(w.jobs)
		w.reload()
		if w.must(engine.Resolve{Incident: incident.Key}); len(w.trouble) != 1 {
			t.Errorf("%s: %d incidents after it was tried again without more", name, len(w.trouble))
		}
		budget = engine.Budget{}
		for _, incident = range w.trouble {
		}
		w.must(engine.Resolve{Incident: incident.Key})
		if len(w.trouble) != 0 || len(w.jobs) != 10_000 || had >= 10_000 {
			t.Errorf("%s: with more it has %d incidents and %d jobs (%d before)", name, len(w.trouble), len(w.jobs), had)
		}
		if w.must(engine.Cancel{}); w.ended == nil {
			t.Errorf("%s: it cannot be cancelled", name)
		}
	}
}

// While a run rests, a timer that repeats gathers nothing more to do.
func TestARunThatRestsGathersNothing(t *testing.T) {
	t.Parallel()
	p := compile(t, `<process id="p" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="t"/>
<serviceTask id="t"><extensionElements><zeebe:taskDefinition type="work"/></extensionElements></serviceTask><boundaryEvent id="b" `+
		`attachedToRef="t" cancelActivity="false"><timerEventDefinition><timeCycle>R/PT10S</timeCycle></timerEventDefinition></boundaryEvent>
<sequenceFlow id="f2" sourceRef="b" targetRef="u"/><userTask id="u"/>`+
		`<sequenceFlow id="f3" sourceRef="u" targetRef="e"/><sequenceFlow id="f4" sourceRef="t" targetRef="e"/><endEvent id="e"/></process>`)
	w := limitedWorld(t, p, nil, func(e *engine.Env) { e.Budget.Elements = 4 })
	for range 20 {
		w.now = w.now.Add(10 * time.Second)
		for key, e := range w.timers {
			w.must(engine.TimerFired{Element: e.Element, Timer: key})
		}
	}
	if len(w.trouble) != 1 || len(w.run.Elements) > 6 {
		t.Errorf("%d incidents, %d elements after 20 firings", len(w.trouble), len(w.run.Elements))
	}
	facts := len(w.facts)
	w.now = w.now.Add(10 * time.Second)
	for key, e := range w.timers {
		w.must(engine.TimerFired{Element: e.Element, Timer: key})
	}
	if len(w.facts) != facts {
		t.Errorf("the history grew by %d lines while the run rests", len(w.facts)-facts)
	}
}

func cycling(cycle string) string {
	return `<process id="p" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="t"/>
<serviceTask id="t"><extensionElements><zeebe:taskDefinition type="work"/></extensionElements></serviceTask><boundaryEvent id="b" ` +
		`attachedToRef="t" cancelActivity="false"><timerEventDefinition><timeCycle>` +
		cycle + `</timeCycle></timerEventDefinition></boundaryEvent>
<sequenceFlow id="f2" sourceRef="b" targetRef="e"/><sequenceFlow id="f4" sourceRef="t" targetRef="e"/><endEvent id="e"/></process>`
}

// What was missed while nobody looked fires once; the next firing lies ahead, in
// the row that the timer began with.
func TestMissedFiringsHappenOnce(t *testing.T) {
	t.Parallel()
	for cycle, c := range map[string]struct{ down, next time.Duration }{
		"R/PT1S":   {25*time.Second + 300*time.Millisecond, 26 * time.Second},
		"R/PT10S":  {10 * time.Second, 20 * time.Second},
		"R7/PT10S": {25 * time.Second, 30 * time.Second},
		"R/P1M":    {100 * 24 * time.Hour, time.Date(2027, 3, 24, 8, 0, 0, 0, time.UTC).Sub(time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC))},
	} {
		w := newWorld(t, compile(t, cycling(cycle)), nil)
		begin := w.now
		w.now = begin.Add(c.down)
		var e engine.Effect
		for _, e = range w.timers {
		}
		w.must(engine.TimerFired{Element: e.Element, Timer: e.Key})
		if got := w.timers[e.Key].Due.Sub(begin); got != c.next {
			t.Errorf("%s after %s: the next firing is at +%s, want +%s", cycle, c.down, got, c.next)
		}
	}
}

// A cycle without a pause is an incident, also where a value gave it.
func TestCyclesWithoutAPauseAreRefused(t *testing.T) {
	t.Parallel()
	for _, cycle := range []string{"R/PT0S", "R/PT0.5S", "R3/PT0.999S", "R/-PT5S", "R/P0M"} {
		if _, err := engine.CheckCycle(cycle, 0, nil); err == nil {
			t.Errorf("%s is taken", cycle)
		}
		w := newWorld(t, compile(t, cycling("=c")), map[string]string{"c": `"` + cycle + `"`})
		if len(w.trouble) != 1 || len(w.timers) != 0 {
			t.Errorf("%s from a value: %d incidents, %d timers", cycle, len(w.trouble), len(w.timers))
		}
	}
	if _, err := engine.CheckCycle("R/PT0.5S", 500*time.Millisecond, nil); err != nil {
		t.Errorf("a faster cycle that the settings allow: %v", err)
	}
	if _, err := engine.CheckCycle("R/PT1S", 0, nil); err != nil {
		t.Error(err)
	}
}

// No event brings a variable in that is larger than any may be.
func TestVariablesFromOutsideAreBounded(t *testing.T) {
	t.Parallel()
	big := engine.Variables{"big": json.RawMessage(`"` + strings.Repeat("x", engine.MaxVariableBytes) + `"`)}
	p := compile(t, `<process id="p" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="u"/>`+
		`<userTask id="u"/><sequenceFlow id="f2" sourceRef="u" targetRef="t"/><serviceTask id="t"><extensionElements><zeebe:taskDefinition `+
		`type="work"/></extensionElements></serviceTask><sequenceFlow id="f3" sourceRef="t" targetRef="e"/><endEvent id="e"/></process>`)
	w := newWorld(t, p, nil)
	for key := range w.tasks {
		if err := w.step(engine.TaskCompleted{Element: key, Variables: big}); err == nil {
			t.Error("a person can give a variable that is too large")
		}
		w.must(engine.TaskCompleted{Element: key})
	}
	for key := range w.jobs {
		w.must(engine.JobCompleted{Job: key, Variables: big})
	}
	if len(w.trouble) != 1 || w.ended != nil {
		t.Errorf("a job gave a variable that is too large: %d incidents, ended %v", len(w.trouble), w.ended)
	}
}
