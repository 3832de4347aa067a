// Package audit judges what a platform did while it was killed and paused. It reads
// what three witnesses wrote down and knows nothing of the platform's code:
//
//   - acks.jsonl is the log of the one who asked: each answer that it got, and each
//     kill and pause that it made.
//   - effects.jsonl is the log of the one who was asked: each call of a service, written
//     and synced before it was answered.
//   - history.json is what the platform says of itself in the end, read from its API.
//
// What has to come of each process stands here as a table of its own, made by hand.
package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The files of a folder.
const (
	Acks    = "acks.jsonl"
	Effects = "effects.jsonl"
	History = "history.json"
)

// Ack is a line of the log of the one who asked.
type Ack struct {
	Time time.Time `json:"time"`
	// Kind is start, edit, task, message, signal, pulled, kill, pause or usurp.
	Kind string `json:"kind"`
	// Name is the title of a start, the object of an edit, the key of a task or a job, the
	// correlation key of a message.
	Name  string `json:"name,omitempty"`
	Run   string `json:"run,omitempty"`
	Value string `json:"value,omitempty"` // what was given
	// Lost is for what was carried out, as the platform says, though its answer is lost.
	Lost bool          `json:"lost,omitempty"`
	Took time.Duration `json:"took,omitempty"` // of a kill or pause: until the server answered again
	Runs []string      `json:"runs,omitempty"` // that a signal was told to
}

// Effect is a call of a service: a line when it came and one when it was answered.
type Effect struct {
	Begun time.Time `json:"begun"`
	Ended time.Time `json:"ended"` // zero in the first of the two
	Key   string    `json:"key"`   // Idempotency-Key
	Run   string    `json:"run"`
	Fence int64     `json:"fence,omitempty"`
	Step  string    `json:"step"`
	Index string    `json:"index,omitempty"` // of an iteration
	Value string    `json:"value,omitempty"` // what was sent
	On    string    `json:"on,omitempty"`    // the object
	Hash  string    `json:"hash"`            // of the inputs
}

// Run is a run as the platform tells of it.
type Run struct {
	Key     string    `json:"key"`
	Title   string    `json:"title"`
	Process string    `json:"process"`
	State   string    `json:"state"`
	Parent  string    `json:"parent,omitempty"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`
	Steps   []Step    `json:"steps"`
}

// Step is one step of a run.
type Step struct {
	Element string `json:"element"`
	Index   int64  `json:"index,omitempty"`
	State   string `json:"state"`
	Loop    bool   `json:"loop,omitempty"`
}

// Event is one of the platform's events.
type Event struct {
	Sequence string `json:"sequence"`
	Subject  string `json:"subject"`
	Type     string `json:"type"`
}

// Said is all that the platform says of itself.
type Said struct {
	Runs   []Run   `json:"runs"`
	Events []Event `json:"events"`
	// Values are those that an object has had, in order, by object.
	Values map[string][]string `json:"values"`
	// Recorded counts the audit records by what they are about.
	Recorded map[string]int `json:"recorded"`
	// Left is what should not be there any more: locks, tasks, waits, incidents.
	Left []string `json:"left"`
	// Slow says that not all runs were over in time.
	Slow string `json:"slow,omitempty"`
}

// Case is what the auditor judges.
type Case struct {
	Acks    []Ack
	Effects []Effect
	Said    Said
}

// Read reads a folder.
func Read(dir string) (*Case, error) {
	c := &Case{}
	data, err := os.ReadFile(filepath.Join(dir, History))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &c.Said); err != nil {
		return nil, err
	}
	if c.Acks, err = lines[Ack](filepath.Join(dir, Acks)); err != nil {
		return nil, err
	}
	c.Effects, err = lines[Effect](filepath.Join(dir, Effects))
	return c, err
}

func lines[T any](file string) ([]T, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []T
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return all, nil
		}
		var one T
		if err := json.Unmarshal(line, &one); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", file, len(all)+1, err)
		}
		all = append(all, one)
	}
}

// Tally counts what was looked at.
type Tally struct{ Runs, Starts, Calls, Again, Tasks, Messages, Signals, Edits, Pulled, Kills, Pauses int }

// String says it in one line.
func (t Tally) String() string {
	return fmt.Sprintf("%d kills, %d pauses; %d starts acknowledged, %d runs, %d calls of which %d came again, "+
		"%d tasks, %d messages, %d signals, %d edits, %d pulled jobs",
		t.Kills, t.Pauses, t.Starts, t.Runs, t.Calls, t.Again, t.Tasks, t.Messages, t.Signals, t.Edits, t.Pulled)
}

// judge collects what is wrong.
type judge struct {
	*Case
	wrong  []string
	tally  Tally
	runs   map[string]*Run
	titles map[string][]*Run
	calls  []Effect // one for each call, with its end where there is one
}

func (j *judge) say(format string, args ...any) {
	j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
}

// Check gives what is wrong, and how much was looked at.
func (c *Case) Check() ([]string, Tally) {
	j := &judge{Case: c, runs: map[string]*Run{}, titles: map[string][]*Run{}}
	j.index()
	j.starts()
	j.paths()
	j.given()
	j.sent()
	j.locks()
	j.edits()
	j.events()
	j.pulled()
	for _, left := range c.Said.Left {
		j.say("left over: %s", left)
	}
	if c.Said.Slow != "" {
		j.say("%s", c.Said.Slow)
	}
	slices.Sort(j.wrong)
	return j.wrong, j.tally
}

func (j *judge) index() {
	for i := range j.Said.Runs {
		r := &j.Said.Runs[i]
		if j.runs[r.Key] != nil {
			j.say("run %s is listed twice", r.Key)
		}
		j.runs[r.Key] = r
		if r.Parent == "" {
			j.titles[r.Title] = append(j.titles[r.Title], r)
		}
	}
	j.tally.Runs = len(j.runs)
	for _, e := range j.Effects {
		if e.Ended.IsZero() {
			j.calls = append(j.calls, e)
			continue
		}
		i := slices.IndexFunc(j.calls, func(o Effect) bool { return o.Key == e.Key && o.Begun.Equal(e.Begun) })
		if i < 0 {
			j.say("the call %s of run %s was answered but never came", e.Key, e.Run)
			continue
		}
		j.calls[i].Ended = e.Ended
	}
	j.tally.Calls = len(j.calls)
	for _, a := range j.Acks {
		switch a.Kind {
		case "start":
			j.tally.Starts++
		case "kill":
			j.tally.Kills++
		case "pause", "usurp":
			j.tally.Pauses++
		case "task":
			j.tally.Tasks++
		case "message":
			j.tally.Messages++
		case "signal":
			j.tally.Signals++
		case "edit":
			j.tally.Edits++
		case "pulled":
			j.tally.Pulled++
		}
	}
}

// starts: what was acknowledged is there once and over, on record, and nothing else is.
func (j *judge) starts() {
	asked := map[string]bool{}
	for _, a := range j.Acks {
		if a.Kind != "start" {
			continue
		}
		asked[a.Name] = true
		all := j.titles[a.Name]
		if len(all) != 1 {
			j.say("the start %q was acknowledged, and there are %d runs of it", a.Name, len(all))
			continue
		}
		if r := all[0]; !a.Lost && r.Key != a.Run {
			j.say("the start %q was acknowledged as run %s and is run %s", a.Name, a.Run, r.Key)
		}
		if n := j.Said.Recorded[a.Name]; n < 1 || n > most(all[0]) {
			j.say("the start %q has %d audit records", a.Name, n)
		}
	}
	for title, all := range j.titles {
		if !asked[title] {
			j.say("run %s %q was never asked for", all[0].Key, title)
		}
	}
	for _, r := range j.runs {
		if r.State != "completed" || r.Ended.IsZero() {
			j.say("run %s %q of %s is %s", r.Key, r.Title, r.Process, r.State)
		}
	}
}

// most is how many audit records a start has: a run that waited has one of the asking and
// one of the beginning.
func most(r *Run) int {
	if shapes[r.Process].queue {
		return 2
	}
	return 1
}

// disrupted says whether the server was killed or paused between two moments.
func (j *judge) disrupted(from, to time.Time) bool {
	return slices.ContainsFunc(j.Acks, func(a Ack) bool {
		return (a.Kind == "kill" || a.Kind == "pause" || a.Kind == "usurp") && a.Time.Before(to) && a.Time.Add(a.Took).After(from)
	})
}

// events: each run began once and ended once, and the numbers only grow.
func (j *judge) events() {
	count := map[string]int{}
	last := ""
	for _, e := range j.Said.Events {
		if len(e.Sequence) < len(last) || len(e.Sequence) == len(last) && e.Sequence <= last {
			j.say("the event %s comes after %s", e.Sequence, last)
		}
		last = e.Sequence
		if run, ok := strings.CutPrefix(e.Subject, "run/"); ok {
			count[run+" "+e.Type]++
		}
	}
	for key := range j.runs {
		for _, typ := range []string{"sextant.run.started.v1", "sextant.run.completed.v1"} {
			if n := count[key+" "+typ]; n != 1 {
				j.say("run %s has %d events %s", key, n, typ)
			}
		}
	}
}

// edits: an object has had each acknowledged value once, in the order of asking.
func (j *judge) edits() {
	asked := map[string][]string{}
	for _, a := range j.Acks {
		if a.Kind == "edit" {
			asked[a.Name] = append(asked[a.Name], a.Value)
		}
	}
	for object, values := range asked {
		had := j.Said.Values[object]
		at := 0
		for _, v := range values {
			i := slices.Index(had[at:], v)
			if i < 0 {
				j.say("%s was to have the value %s after what came before, and it has had %v", object, v, had)
				break
			}
			at += i + 1
		}
		seen := map[string]bool{}
		for _, v := range had {
			if seen[v] {
				j.say("%s was given the value %s twice", object, v)
			}
			seen[v] = true
		}
	}
}

// pulled: of each pulled job one worker was told that it has done it, and it was done.
func (j *judge) pulled() {
	times := map[string]int{}
	for _, a := range j.Acks {
		if a.Kind == "pulled" {
			times[a.Name]++
		}
	}
	for key, n := range times {
		if n > 1 {
			j.say("%d workers were told that they have completed the job %s", n, key)
		}
	}
}
