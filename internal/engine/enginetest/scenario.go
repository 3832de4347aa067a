package enginetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"sextant/internal/engine"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
	"sextant/internal/lang/bpmn"
	"sextant/internal/lang/feel/when"
)

const header = `<?xml version="1.0"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
	`xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:sextant="urn:sextant:bpmn:1" targetNamespace="t">`

// Scenario is a model and what happens to a run of it: of its first process, which may
// call the others. Elements are meant in whichever run they are.
//
// Its text is a txtar archive: a comment that says what it shows, model.bpmn (a
// whole file, or what stands within <definitions>) and script. A line of the
// script is one of
//
//	start [name=json …]                       the run begins
//	start event [name=json …]                 with that start event
//	complete|throw|fail element[#n] …         of the n-th open job of an element
//	task element[#n] [name=json …]            a person completes a task
//	resolve element [name=json …]             an incident is taken up again
//	skip element [flow=id] [name=json …]
//	cancel reason
//	message name key [name=json …]            comes to the first that waits for it
//	signal name [name=json …]                 comes to all that wait for it
//	pass PT10S                                time goes by, what is due happens
//	refused command …                         the command must be refused
//	jobs|tasks|incidents|timers [element …]   exactly these are open
//	runs [process …]                          runs of these go on, called ones too
//	waits [element …]                         exactly these wait for messages or signals
//	threw [signal …]                          these signals, so far
//	incident element kind text                one says so
//	var name json                             in the scope of the process, now or at its end
//	took id …                                 these elements and flows, in this order, since the last took
//	ended completed|failed CODE|cancelled
//
// Values are JSON without blanks. "throw e CODE" and "fail e retries" take
// variables or a message after that.
type Scenario struct {
	Title  string
	Model  []byte
	Script []string
}

// Parse reads the text of a scenario.
func Parse(text []byte) (*Scenario, error) {
	a := txtar.Parse(text)
	s := &Scenario{Title: strings.TrimSpace(string(a.Comment))}
	for _, f := range a.Files {
		switch f.Name {
		case "model.bpmn":
			s.Model = f.Data
			if !strings.HasPrefix(strings.TrimSpace(string(f.Data)), "<?xml") {
				s.Model = []byte(header + string(f.Data) + "</definitions>")
			}
		case "script":
			s.Script = strings.Split(string(f.Data), "\n")
		default:
			return nil, fmt.Errorf("a scenario has model.bpmn and script, no %s", f.Name)
		}
	}
	if s.Title == "" || s.Model == nil || s.Script == nil {
		return nil, errors.New("a scenario has a comment, model.bpmn and script")
	}
	return s, nil
}

// Outcome is what came of a scenario: the lines of its history without the keys,
// which a mode may give in another order.
type Outcome []string

// Play plays the scenario in a mode. The error names the line that does not hold.
func (s *Scenario) Play(mode Mode) (Outcome, error) {
	w, err := s.World(mode)
	if err != nil {
		return nil, err
	}
	pl := &player{World: w}
	for i, line := range s.Script {
		if line, _, _ = strings.Cut(strings.TrimSpace(line), "# "); line == "" {
			continue
		}
		if err := pl.line(strings.Fields(line)); err != nil {
			return nil, fmt.Errorf("line %d, %q: %w", i+1, line, err)
		}
	}
	if pl.Ended != nil && pl.kept()+len(pl.jobs)+len(pl.tasks)+len(pl.timers)+len(pl.trouble)+len(pl.waits) > 0 {
		return nil, fmt.Errorf("the run has ended and left %d records, jobs %v, tasks %v, %d timers, %d incidents, %d subscriptions",
			pl.kept(), elements(pl.jobs), elements(pl.tasks), len(pl.timers), len(pl.trouble), len(pl.waits))
	}
	return pl.History(), nil
}

// World makes a world of the model in which nothing has happened yet.
func (s *Scenario) World(mode Mode) (*World, error) {
	all, err := s.compile(mode)
	if err != nil {
		return nil, err
	}
	return NewWorld(mode, all[0], all[1:]...), nil
}

func (s *Scenario) compile(mode Mode) ([]*program.Program, error) {
	doc, err := bpmn.Parse(s.Model)
	if err != nil {
		return nil, err
	}
	m, err := bpmn.Read(doc)
	if err != nil {
		return nil, err
	}
	all, err := program.All(m)
	if err != nil || !mode.Shuffled {
		return all, err
	}
	var numbers []program.Option
	for _, p := range all {
		t, r := p.Table(), rand.New(rand.NewPCG(1, 2))
		r.Shuffle(len(t.Nodes)-1, func(i, j int) { t.Nodes[i+1], t.Nodes[j+1] = t.Nodes[j+1], t.Nodes[i+1] })
		r.Shuffle(len(t.Flows), func(i, j int) { t.Flows[i], t.Flows[j] = t.Flows[j], t.Flows[i] })
		numbers = append(numbers, program.Numbered(p.ProcessID, t))
	}
	return program.All(m, numbers...)
}

type player struct {
	*World
	told int // facts that "took" has looked at
}

func (p *player) line(words []string) error {
	rest := words[1:]
	switch words[0] {
	case "refused":
		err := p.line(rest)
		if !errors.Is(err, engine.ErrRefused) && !errors.Is(err, engine.ErrGone) {
			return fmt.Errorf("it is not refused: %w", err)
		}
		return nil
	case "pass":
		d, err := when.ParseDuration(rest[0])
		if err != nil {
			return err
		}
		until, err := d.After(p.Now)
		if err != nil {
			return err
		}
		return p.Pass(until.Sub(p.Now))
	case "message", "signal":
		return p.tell(words[0], rest)
	case "start", "complete", "throw", "fail", "task", "resolve", "skip", "cancel":
		ev, err := p.event(words[0], rest)
		if err != nil {
			return err
		}
		return p.Step(ev)
	}
	return p.expect(words[0], rest)
}

// event reads what happens to the run.
func (p *player) event(verb string, rest []string) (engine.Event, error) {
	if verb == "cancel" {
		return engine.Cancel{Reason: strings.Join(rest, " ")}, nil
	}
	if verb == "start" {
		vars, words, err := values(rest)
		return engine.Start{Variables: vars, Event: strings.Join(words, " ")}, err
	}
	node, nth, _ := strings.Cut(rest[0], "#")
	n, _ := strconv.Atoi(nth) // 0 where there is none
	n = max(n, 1)
	vars, words, err := values(rest[1:])
	if err != nil {
		return nil, err
	}
	switch verb {
	case "task":
		key, err := find(p.tasks, "task", node, n)
		return engine.TaskCompleted{Element: key, Variables: vars}, err
	case "resolve", "skip":
		return p.help(verb, node, vars)
	}
	key, err := find(p.jobs, "job", node, n)
	if err != nil {
		return nil, err
	}
	switch verb {
	case "throw":
		return engine.JobThrew{Job: key, Code: words[0], Message: strings.Join(words[1:], " "), Variables: vars}, nil
	case "fail":
		retries, err := strconv.Atoi(words[0])
		return engine.JobFailed{Job: key, Retries: int32(retries), Message: strings.Join(words[1:], " ")}, err
	}
	return engine.JobCompleted{Job: key, Variables: vars}, nil
}

func (p *player) tell(what string, rest []string) error {
	vars, words, err := values(rest)
	if err != nil {
		return err
	}
	n, err := p.Tell(what == "signal", words[0], strings.Join(words[1:], " "), vars)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: nothing waits for it", engine.ErrGone)
	}
	return err
}

func (p *player) help(verb, node string, vars engine.Variables) (engine.Event, error) {
	for _, o := range p.trouble {
		if o.node != node {
			continue
		}
		if verb == "resolve" {
			return engine.Resolve{Incident: o.effect.Key, Variables: vars}, nil
		}
		return p.skip(o.effect.Element, vars)
	}
	for _, i := range p.runs {
		for _, el := range i.run.Sorted() {
			if verb == "skip" && i.id(el.Node) == node {
				return p.skip(el.Key, vars)
			}
		}
	}
	return nil, fmt.Errorf("%w: %s has no incident", engine.ErrGone, node)
}

func (p *player) skip(key state.Key, vars engine.Variables) (engine.Event, error) {
	ev := engine.Skip{Element: key, Reason: "scenario", Variables: vars}
	if raw, ok := vars["flow"]; ok {
		delete(vars, "flow")
		if err := json.Unmarshal(raw, &ev.Flow); err != nil {
			return nil, err
		}
	}
	return ev, nil
}

// values reads name=json; the other words are given back.
func values(words []string) (engine.Variables, []string, error) {
	vars, rest := engine.Variables{}, []string{}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			rest = append(rest, w)
			continue
		}
		if !json.Valid([]byte(value)) {
			return nil, nil, fmt.Errorf("%s is no JSON", value)
		}
		vars[name] = json.RawMessage(value)
	}
	return vars, rest, nil
}

// expect checks what has come of it so far.
func (p *player) expect(what string, want []string) error {
	switch what {
	case "jobs":
		return same(elements(p.jobs), want)
	case "tasks":
		return same(elements(p.tasks), want)
	case "threw":
		return same(p.thrown, want)
	case "timers", "incidents", "waits":
		return same(elements(map[string]map[state.Key]open{"timers": p.timers, "incidents": p.trouble, "waits": p.waits}[what]), want)
	case "runs":
		return same(p.active(), want)
	case "incident":
		return p.saysSo(want[0], want[1], strings.Join(want[2:], " "))
	case "var":
		if got := p.variable(want[0]); got != want[1] {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	case "took":
		got := p.took(p.told)
		p.told = len(p.log)
		if !slices.Equal(got, want) {
			return fmt.Errorf("it took %s", strings.Join(got, " "))
		}
		return nil
	case "ended":
		if p.Ended == nil {
			return fmt.Errorf("it has not ended: jobs %v, tasks %v, %d timers, incidents %v",
				elements(p.jobs), elements(p.tasks), len(p.timers), p.messages())
		}
		if got := strings.TrimSpace(p.Ended.State + " " + p.Ended.Code); got != strings.Join(want, " ") {
			return fmt.Errorf("it ended %s", got)
		}
		return nil
	}
	return errors.New("this word means nothing here")
}

func same(got, want []string) error {
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		return fmt.Errorf("it has %v", got)
	}
	return nil
}

func (p *player) saysSo(node, kind, text string) error {
	for _, o := range p.trouble {
		if i := o.effect.Incident; o.node == node && i.Kind == kind && strings.Contains(i.Message, text) {
			return nil
		}
	}
	return fmt.Errorf("the incidents are %v", p.messages())
}

func (p *player) messages() (all []string) {
	for _, o := range p.trouble {
		all = append(all, o.node+" "+o.effect.Incident.Kind+" "+o.effect.Incident.Message)
	}
	return all
}

// active lists the processes of the runs that go on.
func (p *player) active() (all []string) {
	for _, i := range p.runs {
		if i.run.Root() != nil {
			all = append(all, i.program.ProcessID)
		}
	}
	return all
}

// kept counts the records of all runs.
func (p *player) kept() (n int) {
	for _, i := range p.runs {
		n += len(i.records)
	}
	return n
}

// variable is the last value that a variable of the process was given.
func (p *player) variable(name string) string {
	for _, l := range slices.Backward(p.log) {
		f := l.fact
		if f.Kind == engine.FactVariable && f.Text == name && f.Key == runKey {
			return string(f.Data)
		}
	}
	return "nothing"
}

// took lists the elements that were passed or left and the flows between them.
func (p *player) took(from int) []string {
	var ids []string
	for _, l := range p.log[from:] {
		switch id := l.of.id(l.fact.Node); l.fact.Kind {
		case engine.FactPassed, engine.FactLeft:
			ids = append(ids, id)
		case engine.FactTerminated:
			ids = append(ids, "-"+id)
		}
	}
	return ids
}

// History is that of each run by ids of elements and flows. Keys are left out:
// turns use some for tokens that wait.
func (w *World) History() Outcome {
	var all Outcome
	for _, key := range slices.Sorted(maps.Keys(w.runs)) {
		for _, l := range w.log {
			if l.of.key == key {
				all = append(all, l.String())
			}
		}
	}
	return all
}

func (l logged) String() string {
	f, data := l.fact, string(l.fact.Data)
	id := ""
	if f.Kind == engine.FactFlow {
		id = l.of.program.Flows[f.Node].ID
	} else {
		id = l.of.id(f.Node)
	}
	switch f.Kind {
	case engine.FactStarted, engine.FactCalled, engine.FactEntered, engine.FactJob, engine.FactIncident: // keys
		data = ""
	}
	return fmt.Sprint(f.Kind, " ", f.Time.Format(time.RFC3339Nano), " ", id, " ", f.Text, " ", data)
}
