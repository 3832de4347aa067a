package processes_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sextant/examples/processes"
	"sextant/internal/engine"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/lang/bpmn"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/objectpath"
	"sextant/plugins/host"
	"sextant/sdk/go/wire"
)

func read(t *testing.T, file string) (*bpmn.Document, *program.Program) {
	t.Helper()
	data, err := fs.ReadFile(processes.Files, file)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := bpmn.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	m, err := bpmn.Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Warnings) > 0 {
		t.Errorf("%s: %v", file, m.Warnings)
	}
	p, err := program.Compile(m, "")
	if err != nil {
		t.Fatal(err)
	}
	return doc, p
}

func files(t *testing.T) []string {
	t.Helper()
	all, err := fs.Glob(processes.Files, "*.bpmn")
	if err != nil || len(all) < 2 {
		t.Fatalf("found %v, %v", all, err)
	}
	return all
}

// Every element and flow has its place in the drawing, and nothing else has.
func TestTheDrawingIsComplete(t *testing.T) {
	t.Parallel()
	for _, file := range files(t) {
		doc, p := read(t, file)
		drawn, wanted := map[string]bool{}, map[string]bool{}
		var walk func(n *bpmn.Node)
		walk = func(n *bpmn.Node) {
			if n.Local == "BPMNShape" || n.Local == "BPMNEdge" {
				drawn[n.Attr("bpmnElement")] = true
			}
			for _, c := range n.Elements() {
				walk(c)
			}
		}
		walk(doc.Root)
		for _, n := range p.Nodes[1:] {
			wanted[n.ID] = true
		}
		for _, f := range p.Flows {
			wanted[f.ID] = true
		}
		if !reflect.DeepEqual(drawn, wanted) {
			t.Errorf("%s: drawn %v, elements and flows %v", file, slices.Sorted(maps.Keys(drawn)), slices.Sorted(maps.Keys(wanted)))
		}
	}
}

func actions(t *testing.T) map[string]wire.Action {
	t.Helper()
	all := map[string]wire.Action{}
	m, err := host.New().Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range m.Services {
		for _, a := range s.Actions {
			all["plugin:"+m.Plugin+"/"+s.Name+"/"+a.Action] = a
		}
	}
	return all
}

// Every service exists, is given what it needs, and only what it knows.
func TestServicesGetWhatTheyNeed(t *testing.T) {
	t.Parallel()
	known := actions(t)
	for _, file := range files(t) {
		_, p := read(t, file)
		for _, n := range p.Nodes {
			if n.Kind != program.ServiceTask {
				continue
			}
			a, ok := known[n.Task.Type.Static]
			if !ok {
				t.Errorf("%s: %s calls %s, which does not exist", file, n.ID, n.Task.Type.Static)
				continue
			}
			for _, fault := range faults(n, a) {
				t.Errorf("%s: %s: %s", file, n.ID, fault)
			}
		}
	}
}

func faults(n *program.Node, a wire.Action) []string {
	var all []string
	given := map[string]bool{}
	for _, in := range n.Ext.ServiceInputs {
		given[in.Name] = true
		if !slices.ContainsFunc(a.Input, func(p wire.Param) bool { return p.Name == in.Name }) {
			all = append(all, "the input "+in.Name+" does not exist")
		}
		switch in.From {
		case "path":
			if _, err := objectpath.ParseRelative(in.Value); err != nil {
				all = append(all, err.Error())
			}
		case "feel":
			x, err := feel.Compile(in.Value)
			if err != nil {
				all = append(all, err.Error())
				continue
			}
			for _, name := range x.Names() {
				if !slices.Contains([]string{"version", "package", "credential"}, name) {
					all = append(all, "nobody gives the variable "+name)
				}
			}
		}
	}
	for _, p := range a.Input {
		if p.Required && !given[p.Name] && p.From == "" && p.Default == "" {
			all = append(all, "the input "+p.Name+" is missing")
		}
	}
	for _, out := range n.Ext.ServiceOutputs {
		if !slices.ContainsFunc(a.Output, func(p wire.Param) bool { return p.Name == out.Name }) {
			all = append(all, "the output "+out.Name+" does not exist")
		}
		if _, err := objectpath.ParseRelative(out.To); err != nil {
			all = append(all, err.Error())
		}
	}
	return all
}

// walk plays the world for one run: it answers jobs in the order in which they
// come and notes them with the batch that they see.
type walk struct {
	t     *testing.T
	p     *program.Program
	run   *state.Run
	next  state.Key
	queue []engine.Effect
	trace []string
	tasks []engine.Effect
	stuck []string
	ended *engine.Effect
	// fail says for which line of the trace a job throws.
	fail func(line string) bool
}

func start(t *testing.T, file string, fail func(string) bool) *walk {
	_, p := read(t, file)
	w := &walk{t: t, p: p, run: state.New(1), next: 1, fail: fail}
	w.step(engine.Start{Variables: engine.Variables{"version": json.RawMessage(`"1.1.0"`), "package": json.RawMessage(`{"sha256":"x"}`),
		"credential": json.RawMessage(`"connection/demo"`)}})
	w.work()
	return w
}

func (w *walk) step(ev engine.Event) {
	w.t.Helper()
	env := &engine.Env{Program: w.p, Now: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC), Zone: time.LoadLocation,
		NextKey: func() state.Key { w.next++; return w.next }}
	res, err := engine.Step(env, w.run, ev)
	if err != nil {
		w.t.Fatalf("%T: %v", ev, err)
	}
	for _, e := range res.Effects {
		switch e.Kind {
		case engine.JobCreated:
			w.queue = append(w.queue, e)
		case engine.TaskCreated:
			w.tasks = append(w.tasks, e)
		case engine.IncidentRaised:
			w.stuck = append(w.stuck, e.Incident.Message)
		case engine.RunEnded:
			w.ended = &e
		}
	}
}

func (w *walk) work() {
	w.t.Helper()
	for len(w.queue) > 0 {
		e := w.queue[0]
		w.queue = w.queue[1:]
		if e.Job.Type == engine.BindJob {
			w.step(engine.JobCompleted{Job: e.Key,
				Variables: engine.Variables{"rows": json.RawMessage(`["cmdb:instance/a","cmdb:instance/b","cmdb:instance/c"]`)}})
			continue
		}
		line := w.p.Nodes[e.Node].ID
		if raw, ok := w.run.Lookup(e.Element, "batch"); ok {
			line += " " + strings.NewReplacer(`"cmdb:instance/`, "", `"`, "", "[", "", "]", "").Replace(string(raw))
		}
		w.trace = append(w.trace, line)
		if w.fail != nil && w.fail(line) {
			w.step(engine.JobThrew{Job: e.Key, Code: "sextant.timed_out", Message: "it answers 500"})
			continue
		}
		w.step(engine.JobCompleted{Job: e.Key})
	}
}

func (w *walk) decide(decision string) {
	w.t.Helper()
	if len(w.tasks) == 0 {
		w.t.Fatalf("nobody is asked; trace %q, incidents %q", w.trace, w.stuck)
	}
	e := w.tasks[0]
	w.tasks = w.tasks[1:]
	if got := w.p.Nodes[e.Node].ID; got != "decide" || !slices.Equal(e.Task.CandidateGroups, []string{"operator"}) {
		w.t.Fatalf("%s is asked of %v", got, e.Task.CandidateGroups)
	}
	reason, _ := w.run.Lookup(e.Element, "reason")
	failure, _ := w.run.Lookup(e.Element, "failure")
	if string(reason) != `"it answers 500"` || string(failure) != `"sextant.timed_out"` {
		w.t.Errorf("the person reads %s %s", failure, reason)
	}
	vars := engine.Variables{}
	if decision != "" {
		vars["decision"] = json.RawMessage(fmt.Sprintf("%q", decision))
	}
	w.step(engine.TaskCompleted{Element: e.Element, Variables: vars})
	w.work()
}

func (w *walk) want(how string, trace ...string) {
	w.t.Helper()
	if got := strings.Join(w.trace, "\n"); got != strings.Join(trace, "\n") {
		w.t.Errorf("it went\n%s\nwant\n%s", got, strings.Join(trace, "\n"))
	}
	if w.ended == nil {
		w.t.Fatalf("the run has not ended; incidents %q, tasks %d", w.stuck, len(w.tasks))
	}
	if got := strings.TrimSuffix(w.ended.State+":"+w.ended.Code, ":"); got != how || len(w.stuck) > 0 {
		w.t.Errorf("the run ended %s, want %s; incidents %q", got, how, w.stuck)
	}
}

// on names the batch after each step.
func on(batch string, steps ...string) []string {
	var all []string
	for _, s := range steps {
		all = append(all, s+" "+batch)
	}
	return all
}

func release(batch string) []string {
	return on(batch, "want", "take-out", "push", "unpack", "switch", "restart", "health", "observe", "put-back")
}

func back(batch string) []string {
	return on(batch, "back-out", "back-want", "back-switch", "back-restart", "back-health", "back-observe", "back-in")
}

func TestARollingReleaseGoesBatchByBatch(t *testing.T) {
	t.Parallel()
	w := start(t, "rolling-release.bpmn", nil)
	w.want("completed",
		slices.Concat([]string{"check-hosts", "check-balancer", "remember a"}, release("a"), []string{"remember b,c"}, release("b,c"),
			[]string{"check-site"})...)
}

func TestAFailedBatchGoesBackAndAPersonStops(t *testing.T) {
	t.Parallel()
	for _, decision := range []string{"stop", ""} {
		w := start(t, "rolling-release.bpmn", func(line string) bool { return line == "health b,c" })
		w.decide(decision)
		w.want("failed:release.stopped",
			slices.Concat([]string{"check-hosts", "check-balancer", "remember a"}, release("a"), []string{"remember b,c"},
				release("b,c")[:7], back("b,c"))...)
	}
}

func TestAFailedBatchIsTriedAgain(t *testing.T) {
	t.Parallel()
	failures := 2
	w := start(t, "rolling-release.bpmn", func(line string) bool {
		if line == "put-back a" && failures > 0 {
			failures--
			return true
		}
		return false
	})
	w.decide("retry")
	w.decide("retry")
	w.want("completed",
		slices.Concat([]string{"check-hosts", "check-balancer", "remember a"}, release("a"), back("a"), release("a"), back("a"),
			release("a"),
			[]string{"remember b,c"}, release("b,c"), []string{"check-site"})...)
}

// A decision of the time before does not count again.
func TestADecisionCountsOnce(t *testing.T) {
	t.Parallel()
	w := start(t, "rolling-release.bpmn", func(line string) bool { return line == "health a" })
	w.decide("retry")
	w.decide("")
	w.want("failed:release.stopped",
		slices.Concat([]string{"check-hosts", "check-balancer", "remember a"}, release("a")[:7], back("a"), release("a")[:7], back("a"))...)
}

func TestAFirstDeployment(t *testing.T) {
	t.Parallel()
	w := start(t, "deploy.bpmn", nil)
	w.want("completed", "check-hosts", "want", "push", "unpack", "switch", "restart", "health", "observe", "put-in", "check-site")
}
