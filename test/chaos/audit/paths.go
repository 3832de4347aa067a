package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// shape is what a run of a process has to do.
type shape struct {
	steps func(n int) []string // what it passes between s and e, each once; with #i an iteration
	calls func(n int) []string // what it asks of the witness
	once  bool                 // the call is never sent again
	queue bool                 // runs on one object come one after the other
}

func same(all ...string) func(int) []string { return func(int) []string { return all } }

// shapes are the processes of the load; n is the number at the end of a title.
var shapes = map[string]shape{
	"effects": {
		steps: func(n int) []string { return []string{"a", "g", branch(n), "h", "wait", "d"} },
		calls: func(n int) []string { return []string{"a", branch(n), "d"} },
	},
	"asks":   {steps: same("u", "a"), calls: same("a")},
	"hears":  {steps: same("m", "a"), calls: same("a")},
	"alarms": {steps: same("g", "a"), calls: same("a")},
	"holds":  {steps: same("a"), calls: same("a"), queue: true},
	"calls":  {steps: same("c", "a"), calls: same("a")},
	"called": {steps: same("a"), calls: same("a")},
	"pulls":  {steps: same("w", "a"), calls: same("a")},
	"each":   {steps: same("a", "a#1", "a#2", "a#3", "a#4"), calls: same("a#1", "a#2", "a#3", "a#4")},
	"once":   {steps: same("a"), calls: same("a"), once: true},
}

func branch(n int) string {
	if n%2 == 1 {
		return "b"
	}
	return "c"
}

// number is the one at the end of a title.
func number(title string) (n int) {
	_, _ = fmt.Sscan(title[strings.LastIndexByte(title, ' ')+1:], &n) // 0 where there is none
	return n
}

// paths: a run has passed what its process says and nothing else, each step once.
func (j *judge) paths() {
	children := map[string]int{}
	for _, r := range j.runs {
		if r.Parent != "" {
			children[r.Parent]++
			if j.runs[r.Parent] == nil {
				j.say("run %s was called by %s, which is not there", r.Key, r.Parent)
			}
		}
	}
	for _, r := range j.runs {
		s, ok := shapes[r.Process]
		if !ok {
			j.say("run %s is of the process %s", r.Key, r.Process)
			continue
		}
		var got []string
		for _, step := range r.Steps {
			id := step.Element
			if step.Index > 0 {
				id += fmt.Sprint("#", step.Index)
			}
			got = append(got, id)
			if step.State != "completed" && !(s.once && step.State == "skipped") {
				j.say("run %s %q: the step %s is %s", r.Key, r.Title, id, step.State)
			}
		}
		want := slices.Sorted(slices.Values(append([]string{"s", "e"}, s.steps(number(r.Title))...)))
		slices.Sort(got)
		if !slices.Equal(got, want) {
			j.say("run %s %q of %s has passed %v, not %v", r.Key, r.Title, r.Process, got, want)
		}
		if r.Process == "calls" && children[r.Key] != 1 {
			j.say("run %s %q has called %d runs", r.Key, r.Title, children[r.Key])
		}
	}
}

// attempts are the calls of a step of a run.
type attempts struct {
	run, step string
	all       []Effect
}

func (j *judge) attempts() map[string]*attempts {
	by := map[string]*attempts{}
	for _, c := range j.calls {
		step := c.Step
		if c.Index != "" {
			step += "#" + c.Index
		}
		id := c.Run + " " + step
		if by[id] == nil {
			by[id] = &attempts{run: c.Run, step: step}
		}
		by[id].all = append(by[id].all, c)
	}
	return by
}

// sent: each step was asked for under one key and with one content, at least once, and
// again only where the server was away between; nothing came for what is not on the
// path or after the end.
func (j *judge) sent() {
	by := j.attempts()
	keys := map[string]string{}
	for id, a := range by {
		r := j.runs[a.run]
		if r == nil {
			j.say("a call %s came for the run %s, which is not there", a.step, a.run)
			continue
		}
		s := shapes[r.Process]
		if !slices.Contains(s.calls(number(r.Title)), a.step) {
			j.say("run %s %q: the step %s was carried out and is not on its way", r.Key, r.Title, a.step)
		}
		slices.SortFunc(a.all, func(x, y Effect) int { return x.Begun.Compare(y.Begun) })
		for i, c := range a.all {
			if c.Key != a.all[0].Key || c.Hash != a.all[0].Hash {
				j.say("run %s %q: the step %s was asked for as %s and as %s, or with other inputs", r.Key, r.Title,
					a.step, a.all[0].Key, c.Key)
			}
			if other, taken := keys[c.Key]; taken && other != id {
				j.say("the key %s stands for %s and for %s", c.Key, other, id)
			}
			keys[c.Key] = id
			if !r.Ended.IsZero() && c.Begun.After(r.Ended.Add(time.Millisecond)) {
				j.say("run %s %q: the step %s was asked for %s after the end", r.Key, r.Title, a.step, c.Begun.Sub(r.Ended))
			}
			if i == 0 {
				continue
			}
			j.tally.Again++
			if before := a.all[i-1].Begun; !j.disrupted(before, c.Begun) {
				j.say("run %s %q: the step %s was asked for again after %s, and the server was never away", r.Key,
					r.Title, a.step, c.Begun.Sub(before))
			}
			if s.once {
				j.say("run %s %q: the step %s cannot be repeated and was asked for again", r.Key, r.Title, a.step)
			}
		}
	}
	for _, r := range j.runs {
		s, ok := shapes[r.Process]
		if !ok {
			continue
		}
		for _, step := range s.calls(number(r.Title)) {
			if by[r.Key+" "+step] == nil && !(s.once && j.skipped(r)) {
				j.say("run %s %q: the step %s is done, and nobody was asked", r.Key, r.Title, step)
			}
		}
	}
}

// skipped says whether a person let the run go on, who does not know whether it was done.
func (j *judge) skipped(r *Run) bool {
	return slices.ContainsFunc(r.Steps, func(s Step) bool { return s.State == "skipped" })
}

// given: what a person answered and a message brought, as acknowledged, is what the
// run went on with; and what a signal was told to has gone on by that.
func (j *judge) given() {
	sent := map[string]string{}
	for _, c := range j.calls {
		sent[c.Run] = c.Value
	}
	told := map[string]int{}
	for _, a := range j.Acks {
		switch a.Kind {
		case "task", "message":
			run := a.Run
			if all := j.titles[a.Name]; run == "" && len(all) > 0 {
				run = all[0].Key
			}
			if got := sent[run]; got != a.Value {
				j.say("the %s of run %s %s said %q, and the run went on with %q", a.Kind, run, a.Name, a.Value, got)
			}
		case "signal":
			for _, run := range a.Runs {
				if told[run]++; j.runs[run] == nil {
					j.say("a signal was told to the run %s, which is not there", run)
				}
			}
		}
	}
	for run, n := range told {
		if n > 1 {
			j.say("run %s was told of %d signals and waits for one", run, n)
		}
	}
}

// locks: who holds an object is alone with it, later holders have higher fences, and
// runs that waited came in the order of asking.
func (j *judge) locks() {
	by := map[string][]Effect{}
	for _, c := range j.calls {
		if r := j.runs[c.Run]; r != nil && shapes[r.Process].queue {
			by[c.On] = append(by[c.On], c)
		}
	}
	for _, object := range slices.Sorted(maps.Keys(by)) {
		all := by[object]
		slices.SortFunc(all, func(x, y Effect) int { return x.Begun.Compare(y.Begun) })
		order := []int{}
		for i, c := range all {
			if n := number(j.runs[c.Run].Title); len(order) == 0 || order[len(order)-1] != n {
				order = append(order, n)
			}
			if i == 0 || c.Run == all[i-1].Run {
				continue
			}
			if before := all[i-1]; before.Ended.IsZero() || before.Ended.After(c.Begun) {
				j.say("%s: run %s began its work while run %s was at it", object, c.Run, before.Run)
			} else if c.Fence <= before.Fence {
				j.say("%s: run %s has the fence %d after run %s had %d", object, c.Run, c.Fence, before.Run, before.Fence)
			}
		}
		if !slices.IsSorted(order) {
			j.say("%s: the runs came in the order %v", object, order)
		}
	}
}
