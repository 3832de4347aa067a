package enginetest

import (
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

// World is a run with all that it asked for and that is still open.
type World struct {
	Program *program.Program
	Run     *state.Run
	Now     time.Time
	Facts   []engine.Fact
	Ended   *engine.Effect

	mode    Mode
	next    state.Key
	records map[state.Key]state.Record
	jobs    map[state.Key]open
	tasks   map[state.Key]open
	timers  map[state.Key]engine.Effect
	trouble map[state.Key]engine.Effect
	waits   map[state.Key]engine.Effect // subscriptions
	thrown  []string                    // signals
}

// open is work that the run has asked for. The order is that of asking.
type open struct {
	node   string
	effect engine.Effect
}

// NewWorld makes a world whose run has not begun.
func NewWorld(p *program.Program, mode Mode) *World {
	return &World{Program: p, Run: state.New(runKey), Now: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC), mode: mode, next: runKey,
		records: map[state.Key]state.Record{}, jobs: map[state.Key]open{}, tasks: map[state.Key]open{}, timers: map[state.Key]engine.Effect{}, trouble: map[state.Key]engine.Effect{}, waits: map[state.Key]engine.Effect{}}
}

// Step applies an event and whatever turns it takes.
func (w *World) Step(ev engine.Event) error {
	still := w.mode.Still
	for {
		env := &engine.Env{Program: w.Program, Now: w.Now, Zone: time.LoadLocation, Moves: w.mode.Moves, Still: still, NextKey: func() state.Key { w.next++; return w.next }}
		res, err := engine.Step(env, w.Run, ev)
		if err != nil {
			return err
		}
		w.store(res)
		if w.mode.Reload {
			if err := w.reload(); err != nil {
				return err
			}
		}
		if !res.More {
			return nil
		}
		ev, still = engine.Continue{Turn: res.Turn}, false
	}
}

func (w *World) store(res engine.Result) {
	for _, c := range w.Run.Drain() {
		if c.Data == nil {
			delete(w.records, c.Key)
		} else {
			w.records[c.Key] = c
		}
	}
	w.Facts = append(w.Facts, res.Facts...)
	for _, e := range res.Effects {
		w.take(e)
	}
}

func (w *World) take(e engine.Effect) {
	switch e.Kind {
	case engine.JobCreated:
		w.jobs[e.Key] = open{w.id(e.Node), e}
	case engine.JobGone:
		delete(w.jobs, e.Key)
	case engine.TaskCreated:
		w.tasks[e.Key] = open{w.id(e.Node), e}
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
	case engine.Subscribed:
		w.waits[e.Key] = e
	case engine.Unsubscribed:
		delete(w.waits, e.Key)
	case engine.SignalThrown:
		w.thrown = append(w.thrown, e.Name)
	case engine.RunEnded:
		w.Ended = &e
	}
}

func (w *World) id(node int32) string { return w.Program.Nodes[node].ID }

func (w *World) reload() error {
	all := make([]state.Record, 0, len(w.records))
	for _, r := range w.records {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b state.Record) int { return int(a.Key - b.Key) })
	run, err := state.Load(runKey, all)
	if err != nil {
		return err
	}
	w.Run = run
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
	for _, e := range w.timers {
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
		e, open := w.waits[key]
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
