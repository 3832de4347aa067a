package state_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sextant/internal/engine/state"
)

var update = flag.Bool("update", false, "write the files of a format that has none yet")

// newest is the format that is written today. A format that was ever written keeps
// its files.
const newest = "3"

// everything is a run with a record of each kind and each part of one in use.
func everything() *state.Run {
	at := time.Date(2026, 11, 24, 8, 0, 0, 123000, time.UTC)
	r := state.New(100)
	key := state.Key(200)
	next := func() state.Key { key++; return key }
	r.Facts = 2500
	r.Put(&state.Element{Key: 100, Phase: state.Active, Children: 3, Tokens: 2,
		Joins: []state.Join{{Flow: 7, Count: 2}}, Caller: &state.Caller{Run: 50, Element: 51, Depth: 2}})
	r.Put(&state.Element{Key: 101, Parent: 100, Node: 3, Phase: state.Active,
		Body: true, Children: 1, Loop: &state.LoopState{Total: 5, Started: 3, Completed: 2},
		Timers: []state.Timer{{Key: 150, Node: 9, Due: at, Repeat: -1, Every: "R/PT1H"}}})
	r.Put(&state.Element{Key: 102, Parent: 101, Node: 3, Phase: state.Active, Index: 3,
		Job: &state.Job{Key: 151, Type: "plugin:host/script/run", Retries: 2, Round: 1, NotBefore: at, Override: json.RawMessage(`{"x":1}`)}})
	r.Put(&state.Element{Key: 103, Parent: 100, Node: 4, Phase: state.Completing,
		Incident: &state.Incident{Key: 152, Kind: "io_mapping", Message: "不行", Since: at}})
	r.Put(&state.Element{Key: 104, Parent: 100, Node: 5, Phase: state.Active, Human: true})
	r.Put(&state.Element{Key: 105, Parent: 100, Node: 6, Phase: state.Parked, Joins: []state.Join{{Flow: 2, Count: 1}}})
	r.Put(&state.Element{Key: 106, Parent: 100, Node: 8, Phase: state.Active, Children: 1, Interrupted: true, Start: 4})
	r.Put(&state.Element{Key: 107, Parent: 100, Node: 9, Phase: state.Active,
		Subscriptions: []state.Subscription{{Key: 153, Node: 9, Name: "paid", Correlation: "7"}, {Key: 154, Node: 10, Signal: true, Name: "停"}}})
	r.Put(&state.Element{Key: 108, Parent: 100, Node: 11, Phase: state.Active, Call: &state.Call{Run: 300, Process: "inner", Begun: true}})
	r.Set(100, "version", json.RawMessage(`1.10`), next)
	r.Set(102, "loopCounter", json.RawMessage(`3`), next)
	r.AddOutput(101, 1, json.RawMessage(`"done"`), next())
	r.SetMandate([]byte(`{"project":"default"}`), next())
	return r
}

// read tells what a run holds, for people to compare.
func read(r *state.Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "facts %d, bytes %d, mandate %s\n", r.Facts, r.Bytes(), r.Mandate)
	for _, e := range r.Sorted() {
		fmt.Fprintf(&b, "%s\n", set(e))
		for _, name := range r.Names(e.Key) {
			v, _ := r.Local(e.Key, name)
			fmt.Fprintf(&b, "  %s = %s\n", name, v)
		}
		if e.Loop != nil {
			fmt.Fprintf(&b, "  outputs %s\n", r.Outputs(e.Key, e.Loop.Total))
		}
	}
	return b.String()
}

// set is what of an element has a value, so that a new field changes no old file.
func set(e *state.Element) string {
	fields := map[string]any{}
	raw, _ := json.Marshal(e) // it holds nothing that cannot be
	_ = json.Unmarshal(raw, &fields)
	for name, v := range fields {
		if v == nil || v == false || v == 0.0 || v == "" || v == "0" {
			delete(fields, name)
		}
	}
	raw, _ = json.Marshal(fields)
	return string(raw)
}

func written(changes []state.Change) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%d %d %s\n", c.Key, c.Kind, hex.EncodeToString(c.Data))
	}
	return b.String()
}

func opened(t *testing.T, text string) *state.Run {
	t.Helper()
	var all []state.Record
	for line := range strings.Lines(text) {
		var rec state.Record
		var data string
		if _, err := fmt.Sscan(line, &rec.Key, &rec.Kind, &data); err != nil {
			t.Fatal(err)
		}
		var err error
		if rec.Data, err = hex.DecodeString(data); err != nil {
			t.Fatal(err)
		}
		all = append(all, rec)
	}
	r, err := state.Load(100, all)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What was ever written is read as it was meant, and the same state is still
// written in the same bytes: another form of a record is another format, with a
// format byte and files of its own.
func TestRecordsOfEveryFormatAreRead(t *testing.T) {
	t.Parallel()
	now, file := written(everything().Drain()), filepath.Join("testdata", "format"+newest)
	if _, err := os.Stat(file + ".records"); *update && err != nil {
		for name, text := range map[string]string{file + ".records": now, file + ".txt": read(opened(t, now))} {
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	all, err := filepath.Glob(filepath.Join("testdata", "format*.records"))
	if err != nil || len(all) == 0 {
		t.Fatal("there are no files", err)
	}
	for _, name := range all {
		records, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(name, ".records") + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		if got := read(opened(t, string(records))); got != string(want) {
			t.Errorf("%s is read as\n%s\nand was\n%s", name, got, want)
		}
		if name == file+".records" && string(records) != now {
			t.Errorf("the format %s is written in other bytes than before: give it a new format byte and new files", newest)
		}
	}
}

// A record of a later server is refused, not misread; so is one that is cut.
func TestRecordsThatCannotBeReadAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range everything().Drain() {
		later := append([]byte{4}, c.Data[1:]...)
		cut := c.Data[:len(c.Data)-1]
		for what, data := range map[string][]byte{"later": later, "cut": cut, "empty": {}} {
			if _, err := state.Load(100, []state.Record{{Key: c.Key, Kind: c.Kind, Data: data}}); err == nil && !(what == "cut" && c.Key == 100) {
				t.Errorf("the record %d of kind %d is read although it is %s", c.Key, c.Kind, what)
			}
		}
	}
}
