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
	"sextant/internal/lang/bpmn"
)

const header = `<?xml version="1.0"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
	`xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:sextant="urn:sextant:bpmn:1" targetNamespace="t">`

func compile(t *testing.T, body string) *program.Program {
	t.Helper()
	p, err := compileError(t, body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func compileError(t *testing.T, body string) (*program.Program, error) {
	t.Helper()
	doc, err := bpmn.Parse([]byte(header + body + `</definitions>`))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bpmn.Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	return program.Compile(m, "")
}

// world drives one run and remembers what the engine asked for.
type world struct {
	t       testing.TB
	p       *program.Program
	run     *state.Run
	now     time.Time
	next    state.Key
	records map[state.Key]state.Record
	jobs    map[state.Key]state.Job
	nodes   map[state.Key]string
	tasks   map[state.Key]engine.Task
	timers  map[state.Key]engine.Effect
	trouble map[state.Key]engine.Effect
	ended   *engine.Effect
	facts   []engine.Fact
	tune    func(*engine.Env) // for worlds with limits
	turns   int
}

func newWorld(t testing.TB, p *program.Program, vars map[string]string) *world {
	w := &world{t: t, p: p, run: state.New(1), now: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC),
		next: 1, records: map[state.Key]state.Record{},
		jobs: map[state.Key]state.Job{}, nodes: map[state.Key]string{}, tasks: map[state.Key]engine.Task{},
		timers: map[state.Key]engine.Effect{}, trouble: map[state.Key]engine.Effect{}}
	w.must(engine.Start{Variables: raw(vars)})
	return w
}

func raw(vars map[string]string) engine.Variables {
	v := engine.Variables{}
	for k, s := range vars {
		v[k] = json.RawMessage(s)
	}
	return v
}

func (w *world) must(ev engine.Event) {
	w.t.Helper()
	if err := w.step(ev); err != nil {
		w.t.Fatalf("%T: %v", ev, err)
	}
}

func (w *world) step(ev engine.Event) error {
	env := &engine.Env{Program: w.p, Now: w.now, Zone: time.LoadLocation, NextKey: func() state.Key { w.next++; return w.next }}
	if w.tune != nil {
		w.tune(env)
	}
	res, err := engine.Step(env, w.run, ev)
	if err != nil {
		return err
	}
	for _, c := range w.run.Drain() {
		if c.Data == nil {
			delete(w.records, c.Key)
		} else {
			w.records[c.Key] = c
		}
	}
	w.facts = append(w.facts, res.Facts...)
	for _, e := range res.Effects {
		w.effect(e)
	}
	if res.More { // every turn is stored and read back before the next
		w.turns++
		w.reload()
		return w.step(engine.Continue{Turn: res.Turn})
	}
	return nil
}

func (w *world) effect(e engine.Effect) {
	switch e.Kind {
	case engine.JobCreated:
		w.jobs[e.Key], w.nodes[e.Key] = e.Job, w.p.Nodes[e.Node].ID
	case engine.JobGone:
		delete(w.jobs, e.Key)
	case engine.TaskCreated:
		w.tasks[e.Key], w.nodes[e.Key] = e.Task, w.p.Nodes[e.Node].ID
	case engine.TaskGone:
		delete(w.tasks, e.Key)
	case engine.TimerArmed:
		w.timers[e.Key] = e
	case engine.TimerGone:
		delete(w.timers, e.Key)
	case engine.IncidentRaised:
		w.trouble[e.Key] = e
	case engine.IncidentGone:
		delete(w.trouble, e.Key)
	case engine.RunEnded:
		w.ended = &e
	}
}

// reload throws the memory away and reads the records back.
func (w *world) reload() {
	w.t.Helper()
	all := make([]state.Record, 0, len(w.records))
	for _, r := range w.records {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b state.Record) int { return int(a.Key - b.Key) })
	run, err := state.Load(1, all)
	if err != nil {
		w.t.Fatal(err)
	}
	w.run = run
}

func (w *world) job(node string) state.Key {
	w.t.Helper()
	var keys []state.Key
	for k := range w.jobs {
		if w.nodes[k] == node {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		w.t.Fatalf("no job at %s; jobs %v, incidents %s", node, w.jobs, w.incidents())
	}
	return slices.Min(keys)
}

func (w *world) complete(node string, vars map[string]string) {
	w.t.Helper()
	w.must(engine.JobCompleted{Job: w.job(node), Variables: raw(vars)})
}

func (w *world) incidents() string {
	var all []string
	for _, e := range w.trouble {
		all = append(all, e.Incident.Kind+": "+e.Incident.Message)
	}
	slices.Sort(all)
	return strings.Join(all, "; ")
}

func (w *world) want(how string) {
	w.t.Helper()
	if w.ended == nil {
		w.t.Fatalf("the run has not ended; jobs %v tasks %v timers %d incidents %q", w.jobs, w.tasks, len(w.timers), w.incidents())
	}
	if got := strings.TrimSuffix(w.ended.State+":"+w.ended.Code, ":"); got != how {
		w.t.Fatalf("the run ended %s, want %s", got, how)
	}
	if len(w.records) > 0 || len(w.jobs) > 0 || len(w.tasks) > 0 || len(w.timers) > 0 || len(w.trouble) > 0 {
		w.t.Fatalf("left behind: %d records, jobs %v, tasks %v, timers %v, incidents %v", len(w.records), w.jobs, w.tasks, w.timers, w.trouble)
	}
}

func (w *world) variable(name string) string {
	v, _ := w.run.Local(1, name)
	return string(v)
}

// set finds the last value that a variable was given in the process's scope.
func (w *world) set(name string) string {
	for i := len(w.facts) - 1; i >= 0; i-- {
		if f := w.facts[i]; f.Kind == engine.FactVariable && f.Text == name && f.Key == 1 {
			return string(f.Data)
		}
	}
	return ""
}

func service(id, extra string) string {
	return fmt.Sprintf(`<serviceTask id="%s"><extensionElements><zeebe:taskDefinition type="work-%s"/>%s</extensionElements></serviceTask>`,
		id, id, extra)
}

func flow(from, to string) string {
	return fmt.Sprintf(`<sequenceFlow id="%s-%s" sourceRef="%s" targetRef="%s"/>`, from, to, from, to)
}

func process(parts ...string) string {
	return `<process id="p" isExecutable="true"><startEvent id="start"/><endEvent id="end"/>` + strings.Join(parts, "") + `</process>`
}

func TestSequenceCompletesWithVariables(t *testing.T) {
	t.Parallel()
	w := newWorld(t, compile(t, process(flow("start", "a"), service("a", ""), flow("a", "b"), service("b", ""), flow("b", "end"))),
		map[string]string{"x": "1"})
	w.complete("a", map[string]string{"y": `"two"`})
	w.reload()
	if w.variable("x") != "1" || w.variable("y") != `"two"` {
		t.Errorf("x is %s, y is %s", w.variable("x"), w.variable("y"))
	}
	w.complete("b", nil)
	w.want("completed")
}

func TestMappingsKeepLocalsLocal(t *testing.T) {
	t.Parallel()
	io := `<zeebe:ioMapping><zeebe:input source="=x + 1" target="n"/><zeebe:input source="plain" target="o.p"/>` +
		`<zeebe:output source="=result * n" target="sum"/></zeebe:ioMapping>`
	w := newWorld(t, compile(t, process(flow("start", "a"), service("a", io), flow("a", "b"), service("b", ""), flow("b", "end"))),
		map[string]string{"x": "1"})
	w.complete("a", map[string]string{"result": "21", "noise": "1"})
	if w.variable("sum") != "42" || w.variable("n") != "" || w.variable("noise") != "" {
		t.Errorf("sum %s n %s noise %s", w.variable("sum"), w.variable("n"), w.variable("noise"))
	}
	w.complete("b", nil)
	w.want("completed")
}

func TestExclusiveGateway(t *testing.T) {
	t.Parallel()
	body := process(flow("start", "gw"), `<exclusiveGateway id="gw" default="low"/>`,
		`<sequenceFlow id="high" sourceRef="gw" targetRef="a"><conditionExpression>=n &gt; 10</conditionExpression></sequenceFlow>`,
		`<sequenceFlow id="low" sourceRef="gw" targetRef="b"/>`, service("a", ""), service("b", ""), flow("a", "end"), flow("b", "end"))
	for n, node := range map[string]string{"11": "a", "10": "b"} {
		w := newWorld(t, compile(t, body), map[string]string{"n": n})
		w.complete(node, nil)
		w.want("completed")
	}
	w := newWorld(t, compile(t, body), map[string]string{"n": `"text"`})
	if !strings.Contains(w.incidents(), "line 1, column 3: a string and a number have no order") {
		t.Fatalf("the incident does not tell why: %q", w.incidents())
	}
	for key := range w.trouble {
		w.must(engine.Resolve{Incident: key, Variables: raw(map[string]string{"n": "12"})})
	}
	// The variable was set on the gateway; the process still holds the text.
	for key := range w.trouble {
		w.must(engine.Skip{Element: w.trouble[key].Element, Reason: "by hand", Flow: "high"})
	}
	w.complete("a", nil)
	w.want("completed")
}

// Variables are data, so a function that is not FEEL's can never be called.
func TestUnknownFunctionsAreRefused(t *testing.T) {
	t.Parallel()
	body := process(flow("start", "gw"), `<exclusiveGateway id="gw" default="low"/>`,
		`<sequenceFlow id="high" sourceRef="gw" targetRef="end">`+
			`<conditionExpression>=os.getenv("HOME") = "x" or system("id") = 0</conditionExpression></sequenceFlow>`,
		`<sequenceFlow id="low" sourceRef="gw" targetRef="end"/>`)
	_, err := compileError(t, body)
	if err == nil || !strings.Contains(err.Error(), `there is no function "system"`) ||
		!strings.Contains(err.Error(), `there is no function "os.getenv"`) || !strings.Contains(err.Error(), "element high") {
		t.Errorf("got %v", err)
	}
}

func TestParallelGatewayJoins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, compile(t,
		process(flow("start", "fork"), `<parallelGateway id="fork"/><parallelGateway id="join"/>`, flow("fork", "a"), flow("fork", "b"),
			service("a", ""), service("b", ""), flow("a", "join"), flow("b", "join"), flow("join", "c"), service("c", ""), flow("c", "end"))), nil)
	w.complete("b", nil)
	w.reload()
	w.complete("a", nil)
	w.complete("c", nil)
	w.want("completed")
}

func TestJoinThatCanNeverFireSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, compile(t, process(flow("start", "x"), `<exclusiveGateway id="x"/><parallelGateway id="join"/>`,
		`<sequenceFlow id="f1" sourceRef="x" targetRef="a"><conditionExpression>=true</conditionExpression></sequenceFlow>`+
			`<sequenceFlow id="f2" sourceRef="x" targetRef="join"><conditionExpression>=false</conditionExpression></sequenceFlow>`,
		service("a", ""), flow("a", "join"), flow("join", "end"))), nil)
	w.complete("a", nil)
	if !strings.Contains(w.incidents(), "deadlock") {
		t.Fatalf("incidents %q", w.incidents())
	}
	w.must(engine.Cancel{Reason: "stuck"})
	w.want("cancelled:stuck")
}

func TestRetriesThenIncidentThenResolve(t *testing.T) {
	t.Parallel()
	w := newWorld(t, compile(t, process(flow("start", "a"), service("a", ""), flow("a", "end"))), nil)
	key := w.job("a")
	w.must(engine.JobFailed{Job: key, Retries: 1, Backoff: time.Minute, Message: "no"})
	if got := w.jobs[key].NotBefore; !got.Equal(w.now.Add(time.Minute)) {
		t.Errorf("not before %v", got)
	}
	w.must(engine.JobFailed{Job: key, Retries: 0, Message: "still no"})
	if w.incidents() != "job_no_retries: still no" {
		t.Fatalf("incidents %q", w.incidents())
	}
	if err := w.step(engine.JobFailed{Job: key, Retries: 0}); err == nil {
		t.Error("a job with an incident failed again")
	}
	w.reload()
	for k := range w.trouble {
		w.must(engine.Resolve{Incident: k, Inputs: json.RawMessage(`{"a":1}`)})
	}
	if j := w.jobs[key]; j.Round != 1 || j.Retries != 1 || string(j.Override) != `{"a":1}` {
		t.Errorf("job %+v", j)
	}
	w.complete("a", nil)
	w.want("completed")
	if err := w.step(engine.JobCompleted{Job: key}); err != engine.ErrGone {
		t.Errorf("a second completion: %v", err)
	}
}

const caught = `<boundaryEvent id="%s" attachedToRef="%s"><errorEventDefinition errorRef="%s"/></boundaryEvent>`

func TestErrorsAreCaughtOutwards(t *testing.T) {
	t.Parallel()
	body := `<error id="E1" errorCode="broken"/><error id="E2" errorCode="other"/>` + process(flow("start", "sub"),
		`<subProcess id="sub"><startEvent id="s"/><sequenceFlow id="i1" sourceRef="s" targetRef="a"/>`+
			service("a", "")+`<sequenceFlow id="i2" sourceRef="a" targetRef="e"/><endEvent id="e"/></subProcess>`,
		fmt.Sprintf(caught, "on", "sub", "E1"), flow("on", "fix"), service("fix", ""), flow("fix", "end"), flow("sub", "end"))
	w := newWorld(t, compile(t, body), nil)
	w.must(engine.JobThrew{Job: w.job("a"), Code: "broken", Message: "it broke", Variables: raw(map[string]string{"why": `"disk"`})})
	if w.variable("why") != `"disk"` {
		t.Errorf("why is %s", w.variable("why"))
	}
	w.complete("fix", nil)
	w.want("completed")

	w = newWorld(t, compile(t, body), nil)
	w.must(engine.JobThrew{Job: w.job("a"), Code: "other", Message: "nobody cares"})
	if !strings.Contains(w.incidents(), "unhandled_error: nobody cares") {
		t.Fatalf("incidents %q", w.incidents())
	}
}

func TestErrorEndThatNothingCatchesFailsTheRun(t *testing.T) {
	t.Parallel()
	body := `<error id="E1" errorCode="broken"/><process id="p" isExecutable="true"><startEvent id="start"/><parallelGateway id="g"/>` +
		flow("start", "g") + flow("g", "a") + flow("g", "bad") + service("a", "") +
		`<endEvent id="bad"><errorEventDefinition errorRef="E1"/></endEvent></process>`
	w := newWorld(t, compile(t, body), nil)
	w.want("failed:broken")
}

func timerBoundary(interrupting bool, def string) string {
	return process(flow("start", "a"), service("a", ""), fmt.Sprintf(`<boundaryEvent id="t" attachedToRef="a" cancelActivity="%v">`+
		`<timerEventDefinition>%s</timerEventDefinition></boundaryEvent>`, interrupting, def),
		flow("a", "end"), flow("t", "late"), service("late", ""), flow("late", "end"))
}

func (w *world) fire() {
	w.t.Helper()
	for key, e := range w.timers {
		w.now = e.Due
		w.must(engine.TimerFired{Element: e.Element, Timer: key})
		return
	}
	w.t.Fatal("no timer is armed")
}

func TestTimerBoundaries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, compile(t, timerBoundary(true, "<timeDuration>PT10S</timeDuration>")), nil)
	w.fire()
	w.complete("late", nil)
	w.want("completed")

	w = newWorld(t, compile(t, timerBoundary(false, "<timeCycle>R2/PT10S</timeCycle>")), nil)
	w.fire()
	w.reload()
	w.fire()
	if len(w.timers) != 0 {
		t.Errorf("%d timers after both firings", len(w.timers))
	}
	w.complete("late", nil)
	w.complete("a", nil)
	w.complete("late", nil)
	w.want("completed")
}

func TestTimerCatchAndBadTimer(t *testing.T) {
	t.Parallel()
	body := process(flow("start", "wait"), `<intermediateCatchEvent id="wait">`+
		`<timerEventDefinition><timeDuration>=pause</timeDuration></timerEventDefinition></intermediateCatchEvent>`, flow("wait", "end"))
	w := newWorld(t, compile(t, body), map[string]string{"pause": `"PT5M"`})
	w.fire()
	w.want("completed")
	w = newWorld(t, compile(t, body), map[string]string{"pause": `"soon"`})
	if !strings.Contains(w.incidents(), "soon") {
		t.Fatalf("incidents %q", w.incidents())
	}
	for k := range w.trouble {
		w.must(engine.Resolve{Incident: k, Variables: raw(map[string]string{"pause": `"PT1S"`})})
	}
	w.fire()
	w.want("completed")
}

func TestUserTaskAndScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t, compile(t, process(flow("start", "calc"), `<scriptTask id="calc"><extensionElements>`+
		`<zeebe:script expression="=[&quot;a&quot;, x]" resultVariable="who"/></extensionElements></scriptTask>`, flow("calc", "ask"),
		`<userTask id="ask"><extensionElements><zeebe:userTask/><zeebe:assignmentDefinition `+
			`assignee="=who[1]" candidateGroups="=who"/></extensionElements></userTask>`, flow("ask", "end"))), map[string]string{"x": `"ops"`})
	for key, task := range w.tasks {
		if task.Assignee != "a" || strings.Join(task.CandidateGroups, ",") != "a,ops" {
			t.Errorf("task %+v", task)
		}
		w.must(engine.TaskCompleted{Element: key, Variables: raw(map[string]string{"ok": "true"})})
	}
	w.want("completed")
	if w.set("ok") != "true" {
		t.Errorf("ok is %s", w.set("ok"))
	}
}

// A task has a date by when it is due and one when somebody should look at it: an instant,
// an expression that gives one, or none. What is no date is an incident.
func TestTaskSchedule(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ due, given, want, trouble string }{
		{"2027-01-02T03:04:05Z", `1`, "2027-01-02T03:04:05Z", ""},
		{"2027-01-02T03:04:05@Europe/Paris", `1`, "2027-01-02T02:04:05Z", ""},
		{"=date and time(x) + duration(&quot;P1D&quot;)", `"2027-01-02T03:04:05Z"`, "2027-01-03T03:04:05Z", ""},
		{"=x", `null`, "", ""},
		{"", `1`, "", ""},
		{"=x", `"tomorrow"`, "", "the due date is no date and time"},
		{"=x", `"2027-01-02T03:04:05"`, "", "has no time zone"},
	} {
		w := newWorld(t, compile(t, process(flow("start", "ask"), `<userTask id="ask"><extensionElements><zeebe:userTask/>`+
			`<zeebe:taskSchedule dueDate="`+c.due+`" followUpDate="2027-02-03T04:05:06Z"/></extensionElements></userTask>`,
			flow("ask", "end"))), map[string]string{"x": c.given})
		if c.trouble != "" {
			for _, i := range w.trouble {
				if !strings.Contains(i.Incident.Message, c.trouble) {
					t.Errorf("%s of %s: %s", c.due, c.given, i.Incident.Message)
				}
			}
			if len(w.trouble) != 1 || len(w.tasks) != 0 {
				t.Errorf("%s of %s: %d incidents, %d tasks", c.due, c.given, len(w.trouble), len(w.tasks))
			}
			continue
		}
		if len(w.tasks) != 1 {
			t.Fatalf("%s of %s: %d tasks, %v", c.due, c.given, len(w.tasks), w.trouble)
		}
		for _, task := range w.tasks {
			due := ""
			if !task.Due.IsZero() {
				due = task.Due.UTC().Format(time.RFC3339)
			}
			if due != c.want || task.FollowUp.UTC().Format(time.RFC3339) != "2027-02-03T04:05:06Z" {
				t.Errorf("%s of %s: %+v", c.due, c.given, task)
			}
		}
	}
}

func multi(sequential bool, attrs, extra string) string {
	return fmt.Sprintf(`<serviceTask id="a"><extensionElements><zeebe:taskDefinition type="w"/></extensionElements>`+
		`<multiInstanceLoopCharacteristics isSequential="%v"><extensionElements>`+
		`<zeebe:loopCharacteristics %s/></extensionElements>%s</multiInstanceLoopCharacteristics></serviceTask>`, sequential, attrs, extra)
}

const overHosts = `inputCollection="=hosts" inputElement="host" outputCollection="results" outputElement="=host + r"`

func TestMultiInstanceKeepsOrder(t *testing.T) {
	t.Parallel()
	for _, sequential := range []bool{true, false} {
		w := newWorld(t, compile(t, process(flow("start", "a"), multi(sequential, overHosts, ""), flow("a", "end"))),
			map[string]string{"hosts": "[1,2,3]"})
		want := 3
		if sequential {
			want = 1
		}
		if len(w.jobs) != want {
			t.Fatalf("sequential %v: %d jobs", sequential, len(w.jobs))
		}
		for i := range 3 {
			w.reload()
			w.complete("a", map[string]string{"r": fmt.Sprint((i + 1) * 10)})
		}
		w.want("completed")
		if got := w.set("results"); got != "[11,22,33]" {
			t.Errorf("sequential %v: results %s", sequential, got)
		}
	}
}

func TestMultiInstanceEdges(t *testing.T) {
	t.Parallel()
	body := process(flow("start", "a"), multi(false, overHosts, ""), flow("a", "end"))
	w := newWorld(t, compile(t, body), map[string]string{"hosts": "[]"})
	w.want("completed")
	if w.set("results") != "[]" {
		t.Errorf("results %s", w.set("results"))
	}
	w = newWorld(t, compile(t, body), map[string]string{"hosts": `"x"`})
	if !strings.Contains(w.incidents(), "want a list") {
		t.Errorf("incidents %q", w.incidents())
	}
	w = newWorld(t, compile(t, process(flow("start", "a"), multi(false, overHosts,
		`<completionCondition>=numberOfCompletedInstances >= 2</completionCondition>`), flow("a", "end"))), map[string]string{"hosts": "[1,2,3]"})
	w.complete("a", map[string]string{"r": "0"})
	w.complete("a", map[string]string{"r": "0"})
	w.want("completed")
	if w.set("results") != "[1,2,null]" {
		t.Errorf("results %s", w.set("results"))
	}
}

func TestBatchesRunOneAfterTheOther(t *testing.T) {
	t.Parallel()
	body := process(flow("start", "sub"), `<subProcess id="sub"><extensionElements><sextant:bind `+
		`path="cmdb:unit~(unit)cmdb:instance"/></extensionElements><startEvent id="s"/><sequenceFlow id="i1" sourceRef="s" targetRef="a"/>`+
		service("a", "")+`<sequenceFlow id="i2" sourceRef="a" targetRef="e"/><endEvent id="e"/>
		<multiInstanceLoopCharacteristics isSequential="true"><extensionElements>`+
		`<sextant:batch expression="1 50%"/></extensionElements></multiInstanceLoopCharacteristics></subProcess>`, flow("sub", "end"))
	w := newWorld(t, compile(t, body), nil)
	if j := w.jobs[w.job("sub")]; j.Type != engine.BindJob {
		t.Fatalf("job %+v", j)
	}
	w.complete("sub", map[string]string{"rows": `["h1","h2","h3"]`})
	for _, want := range []string{`["h1"]`, `["h2","h3"]`} {
		w.reload()
		el := w.run.JobHolder(w.job("a"))
		if got, _ := w.run.Lookup(el.Key, "batch"); string(got) != want {
			t.Errorf("batch %s, want %s", got, want)
		}
		w.complete("a", nil)
	}
	w.want("completed")
}

func TestEndlessLoopStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t, compile(t, process(flow("start", "g"), `<exclusiveGateway id="g" default="again"/><exclusiveGateway id="h"/>`,
		`<sequenceFlow id="again" sourceRef="g" targetRef="h"/><sequenceFlow id="out" sourceRef="g" targetRef="end">`+
			`<conditionExpression>=false</conditionExpression></sequenceFlow>`, flow("h", "g"))), nil)
	if !strings.Contains(w.incidents(), "loops") {
		t.Fatalf("incidents %q", w.incidents())
	}
	w.must(engine.Cancel{})
	w.want("cancelled")
}

func TestStepOnAWideFanOutWritesLittle(t *testing.T) {
	t.Parallel()
	for _, n := range []int{10, 2000} {
		items := strings.TrimSuffix(strings.Repeat("1,", n), ",")
		w := newWorld(t, compile(t, process(flow("start", "a"), multi(false, overHosts, ""), flow("a", "end"))),
			map[string]string{"hosts": "[" + items + "]"})
		env := &engine.Env{Program: w.p, Now: w.now, NextKey: func() state.Key { w.next++; return w.next }}
		if _, err := engine.Step(env, w.run, engine.JobCompleted{Job: w.job("a"), Variables: raw(map[string]string{"r": "1"})}); err != nil {
			t.Fatal(err)
		}
		if got := len(w.run.Drain()); got > 7 {
			t.Errorf("%d iterations: one completion changed %d records", n, got)
		}
	}
}
