package enginetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"sextant/internal/engine"
	"sextant/internal/engine/program"
	"sextant/internal/engine/state"
)

// runKey is the key of the run that a world drives.
const runKey state.Key = 1

// Mode is how a world drives its run. However it is driven, the same comes of it.
type Mode struct {
	Name string
	// Reload throws the memory away after every step and reads the records back.
	Reload bool
	// Moves is how many tokens move before a turn is over; 0 is without end.
	Moves int
	// Still has the first turn of each step evaluate nothing.
	Still bool
	// Shuffled gives the elements and flows other numbers than the compiler would.
	Shuffled bool
}

// Modes are all ways to drive a run.
var Modes = []Mode{
	{Name: "straight"},
	{Name: "reloaded", Reload: true},
	{Name: "in turns of one move", Reload: true, Moves: 1},
	{Name: "in turns of three moves", Moves: 3},
	{Name: "still at first", Still: true},
	{Name: "with other numbers", Reload: true, Shuffled: true},
}

// World is a run, and those that it has called, with all that they asked for and that
// is still open.
type World struct {
	Now   time.Time
	Ended *engine.Effect // how the run itself did

	mode     Mode
	next     state.Key
	programs map[string]*program.Program // that may be called, by id of the process
	runs     map[state.Key]*instance
	asked    []asked // what runs want of one another
	jobs     map[state.Key]open
	tasks    map[state.Key]open
	timers   map[state.Key]open
	trouble  map[state.Key]open
	waits    map[state.Key]open // subscriptions
	thrown   []string           // signals
	log      []logged
}

// instance is one run.
type instance struct {
	key     state.Key
	program *program.Program
	run     *state.Run
	records map[state.Key]state.Record
	caller  *state.Caller
}

func (i *instance) id(node int32) string { return i.program.Nodes[node].ID }

// open is work that a run has asked for. The order is that of asking.
type open struct {
	of     *instance
	node   string
	effect engine.Effect
}

type logged struct {
	of   *instance
	fact engine.Fact
}

// asked is an effect of one run on another.
type asked struct {
	of     *instance
	effect engine.Effect
}

// NewWorld makes a world whose run has not begun. The other programs may be called.
func NewWorld(mode Mode, p *program.Program, others ...*program.Program) *World {
	w := &World{Now: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC), mode: mode,
		next: runKey, programs: map[string]*program.Program{}, runs: map[state.Key]*instance{},
		jobs: map[state.Key]open{}, tasks: map[state.Key]open{}, timers: map[state.Key]open{},
		trouble: map[state.Key]open{}, waits: map[state.Key]open{}}
	for _, one := range append(others, p) {
		w.programs[one.ProcessID] = one
	}
	w.add(runKey, p, nil)
	return w
}

func (w *World) add(key state.Key, p *program.Program, c *state.Caller) *instance {
	i := &instance{key: key, program: p, run: state.New(key), records: map[state.Key]state.Record{}, caller: c}
	w.runs[key] = i
	return i
}

// Step applies an event to the run that it is for, with whatever turns it takes, and
// what comes of it in other runs.
func (w *World) Step(ev engine.Event) error {
	if err := w.step(w.owner(ev), ev); err != nil {
		return err
	}
	for len(w.asked) > 0 {
		one := w.asked[0]
		w.asked = w.asked[1:]
		if err := w.answer(one.of, one.effect); err != nil && !errors.Is(err, engine.ErrGone) {
			return err // gone is what another of them has ended
		}
	}
	return nil
}

// Crash throws the memory of every run away and reads the records back: after an event
// was worked on whose outcome was never stored, if one is given.
func (w *World) Crash(ev engine.Event) error {
	if ev != nil {
		i, next := w.owner(ev), w.next
		if _, err := engine.Step(w.env(i), i.run, ev); err != nil {
			return err
		}
		w.next = next
	}
	for _, i := range w.runs {
		if len(i.records) == 0 { // it has not begun, or is over
			i.run = state.New(i.key)
			continue
		}
		if err := i.reload(); err != nil {
			return err
		}
	}
	return nil
}

// owner finds the run that an event is for; where it is for nothing, the run itself
// says so.
func (w *World) owner(ev engine.Event) *instance {
	var of *instance
	var element state.Key
	switch ev := ev.(type) {
	case engine.JobCompleted:
		of = w.jobs[ev.Job].of
	case engine.JobFailed:
		of = w.jobs[ev.Job].of
	case engine.JobThrew:
		of = w.jobs[ev.Job].of
	case engine.Resolve:
		of = w.trouble[ev.Incident].of
	case engine.TaskCompleted:
		of = w.tasks[ev.Element].of
	case engine.TimerFired:
		of = w.timers[ev.Timer].of
	case engine.EventCame:
		of = w.waits[ev.Subscription].of
	case engine.Skip:
		element = ev.Element
	}
	for _, i := range w.runs {
		if element != 0 && i.run.Elements[element] != nil {
			of = i
		}
	}
	if of == nil {
		return w.runs[runKey]
	}
	return of
}

func (w *World) step(i *instance, ev engine.Event) error {
	still := w.mode.Still
	for {
		env := w.env(i)
		env.Moves, env.Still = w.mode.Moves, still
		res, err := engine.Step(env, i.run, ev)
		if err != nil {
			return err
		}
		w.store(i, res)
		if w.mode.Reload {
			if err := i.reload(); err != nil {
				return err
			}
		}
		if !res.More {
			return nil
		}
		ev, still = engine.Continue{Turn: res.Turn}, false
	}
}

func (w *World) env(i *instance) *engine.Env {
	env := &engine.Env{Program: i.program, Now: w.Now, Zone: time.LoadLocation,
		NextKey: func() state.Key { w.next++; return w.next }, Budget: engine.Budget{Depth: maxDepth}}
	if i.caller != nil {
		up := w.runs[i.caller.Run]
		env.Caller = func(code string, escalation bool) (bool, bool) {
			return engine.Catches(w.env(up), up.run, i.caller.Element, code, escalation)
		}
	}
	return env
}

// maxDepth is how many runs call one another in a world.
const maxDepth = 5

// answer does what one run wants of another, as a host does.
func (w *World) answer(i *instance, e engine.Effect) error {
	switch e.Kind {
	case engine.CallAsked:
		return w.call(i, e)
	case engine.CallGone:
		return w.step(w.runs[e.Key], engine.Cancel{Reason: "called no more"})
	case engine.Escalated:
		return w.step(w.runs[i.caller.Run], engine.CallEscalated{Element: i.caller.Element, Run: i.key, Code: e.Code})
	}
	return w.step(w.runs[i.caller.Run], engine.CallEnded{Element: i.caller.Element,
		Run: i.key, State: e.State, Code: e.Code, Message: e.Message, Escalation: e.Escalation, Variables: e.Variables})
}

func (w *World) call(i *instance, e engine.Effect) error {
	el := i.run.Elements[e.Element]
	if el == nil || el.Call == nil || el.Call.Run != e.Key {
		return nil
	}
	p := w.programs[el.Call.Process]
	if p == nil {
		return w.step(i, engine.CallFailed{Element: el.Key, Run: e.Key, Message: "there is no process " + el.Call.Process})
	}
	c := &state.Caller{Run: i.key, Element: el.Key, Depth: 1}
	if i.caller != nil {
		c.Depth = i.caller.Depth + 1
	}
	child := w.add(e.Key, p, c)
	vars := engine.Handed(i.program, i.run, el.Key)
	if err := w.step(i, engine.CallBegun{Element: el.Key, Run: e.Key}); err != nil {
		return err
	}
	return w.step(child, engine.Start{Variables: vars, Caller: c})
}

func (w *World) store(i *instance, res engine.Result) {
	for _, c := range i.run.Drain() {
		if c.Data == nil {
			delete(i.records, c.Key)
		} else {
			i.records[c.Key] = c
		}
	}
	for _, f := range res.Facts {
		w.log = append(w.log, logged{i, f})
	}
	for _, e := range res.Effects {
		w.take(i, e)
	}
}

func (w *World) take(i *instance, e engine.Effect) {
	one := open{i, i.id(e.Node), e}
	switch e.Kind {
	case engine.JobCreated:
		w.jobs[e.Key] = one
	case engine.JobGone:
		delete(w.jobs, e.Key)
	case engine.TaskCreated:
		w.tasks[e.Key] = one
	case engine.TaskGone:
		delete(w.tasks, e.Key)
	case engine.TimerArmed:
		w.timers[e.Key] = one
	case engine.TimerGone:
		delete(w.timers, e.Key)
	case engine.IncidentRaised:
		w.trouble[e.Key] = one
	case engine.IncidentGone:
		delete(w.trouble, e.Key)
	case engine.Subscribed:
		w.waits[e.Key] = one
	case engine.Unsubscribed:
		delete(w.waits, e.Key)
	case engine.SignalThrown:
		w.thrown = append(w.thrown, e.Name)
	case engine.CallAsked, engine.CallGone, engine.Escalated:
		w.asked = append(w.asked, asked{i, e})
	case engine.RunEnded:
		if i.caller == nil {
			w.Ended = &e
		} else {
			w.asked = append(w.asked, asked{i, e})
		}
	}
}

func (i *instance) reload() error {
	all := make([]state.Record, 0, len(i.records))
	for _, r := range i.records {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b state.Record) int { return int(a.Key - b.Key) })
	run, err := state.Load(i.key, all)
	if err != nil {
		return err
	}
	i.run = run
	return nil
}

// Pass lets time pass; what is due happens in order, each at its time.
func (w *World) Pass(d time.Duration) error {
	until := w.Now.Add(d)
	for {
		first := w.earliest(until)
		if first == nil {
			w.Now = until
			return nil
		}
		if first.Due.After(w.Now) {
			w.Now = first.Due
		}
		if err := w.Step(engine.TimerFired{Element: first.Element, Timer: first.Key}); err != nil {
			return err
		}
	}
}

func (w *World) earliest(until time.Time) *engine.Effect {
	var first *engine.Effect
	for _, o := range w.timers {
		e := o.effect
		if !e.Due.After(until) && (first == nil || e.Due.Before(first.Due) || e.Due.Equal(first.Due) && e.Key < first.Key) {
			first = &e
		}
	}
	return first
}

// Jobs lists the elements whose jobs are open, each as often as it has one.
func (w *World) Jobs() []string { return elements(w.jobs) }

// Job gives the n-th open job of an element, in the order of asking.
func (w *World) Job(element string, n int) (state.Key, error) { return find(w.jobs, "job", element, n) }

// Incidents lists the open incidents.
func (w *World) Incidents() []state.Key { return slices.Sorted(maps.Keys(w.trouble)) }

// find gives the n-th open thing of an element, in the order of asking.
func find(all map[state.Key]open, what, node string, n int) (state.Key, error) {
	var keys []state.Key
	for k, o := range all {
		if o.node == node {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	if n < 1 || n > len(keys) {
		return 0, fmt.Errorf("%w: %s has %d open %ss, so there is no number %d", engine.ErrGone, node, len(keys), what, n)
	}
	return keys[n-1], nil
}

// elements lists the elements of open things, each as often as it has one.
func elements(all map[state.Key]open) []string {
	ids := make([]string, 0, len(all))
	for _, o := range all {
		ids = append(ids, o.node)
	}
	sort.Strings(ids)
	return ids
}

// Tell brings a message to the first subscription that waits for it, a signal to
// all. It gives how many there were.
func (w *World) Tell(signal bool, name, correlation string, vars engine.Variables) (int, error) {
	n := 0
	for _, key := range slices.Sorted(maps.Keys(w.waits)) {
		o, open := w.waits[key]
		e := o.effect
		if sub := e.Subscription; !open || sub.Signal != signal || sub.Name != name || sub.Correlation != correlation {
			continue
		}
		if err := w.Step(engine.EventCame{Element: e.Element, Subscription: key, Variables: vars}); err != nil {
			return n, err
		}
		if n++; !signal {
			break
		}
	}
	return n, nil
}
