package audit_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sextant/test/chaos/audit"
)

func at(n int) time.Time {
	return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
}

func steps(ids ...string) []audit.Step {
	var all []audit.Step
	for _, id := range append([]string{"s", "e"}, ids...) {
		all = append(all, audit.Step{Element: id, State: "completed"})
	}
	return all
}

// sound is what a platform leaves that was killed once and did all that it should.
func sound() *audit.Case {
	run := func(key, title, process string, begun, ended int, ids ...string) audit.Run {
		return audit.Run{Key: key, Title: title, Process: process, State: "completed", Started: at(begun),
			Ended: at(ended), Steps: steps(ids...)}
	}
	call := func(run, step, key string, begun int) audit.Effect {
		return audit.Effect{Begun: at(begun), Ended: at(begun).Add(time.Second / 2), Key: key, Run: run, Step: step, Hash: "x"}
	}
	came := func(e audit.Effect) audit.Effect { e.Ended = time.Time{}; return e }
	value := func(e audit.Effect, v string) audit.Effect { e.Value = v; return e }
	on := func(e audit.Effect, fence int64) audit.Effect { e.On, e.Fence = "host:host/h0", fence; return e }
	c := &audit.Case{Acks: []audit.Ack{
		{Time: at(0), Kind: "start", Name: "effects 1", Run: "1"}, {Time: at(0), Kind: "start", Name: "asks 1", Run: "2"},
		{Time: at(0), Kind: "start", Name: "hears 1", Lost: true}, {Time: at(0), Kind: "start", Name: "alarms 1", Run: "4"},
		{Time: at(0), Kind: "start", Name: "holds h0 1", Run: "5"}, {Time: at(0), Kind: "start", Name: "holds h0 2", Run: "6"},
		{Time: at(0), Kind: "start", Name: "once 1", Run: "7"},
		{Time: at(1), Kind: "task", Run: "2", Value: "yes"}, {Time: at(1), Kind: "message", Name: "hears 1", Value: "word"},
		{Time: at(1), Kind: "signal", Runs: []string{"4"}}, {Time: at(1), Kind: "edit", Name: "o", Value: "1"},
		{Time: at(2), Kind: "edit", Name: "o", Value: "3"},
		{Time: at(1), Kind: "pulled", Name: "77"}, {Time: at(5), Kind: "kill", Took: time.Second}}}
	for _, e := range []audit.Effect{call("1", "a", "k1", 4), call("1", "b", "k2", 8), call("1", "d", "k3", 9),
		value(call("2", "a", "k4", 2), "yes"),
		value(call("3", "a", "k5", 2), "word"), call("4", "a", "k6", 2), on(call("5", "a", "k7", 2), 1), on(call("6",
			"a", "k8", 3), 2), call("7", "a", "k9", 4)} {
		c.Effects = append(c.Effects, came(e), e)
	}
	again := call("1", "a", "k1", 7)
	c.Effects = append(c.Effects, came(again), again)
	c.Said = audit.Said{Values: map[string][]string{"o": {"1", "2", "3"}}, Recorded: map[string]int{},
		Runs: []audit.Run{run("1", "effects 1", "effects", 0, 20, "a", "g", "b", "h", "wait", "d"), run("2", "asks 1",
			"asks", 0, 20, "u", "a"), run("3", "hears 1", "hears", 0, 20, "m", "a"),
			run("4", "alarms 1", "alarms", 0, 20, "g", "a"), run("5", "holds h0 1", "holds", 0, 20, "a"), run("6",
				"holds h0 2", "holds", 0, 20, "a"), run("7", "once 1", "once", 0, 20, "a")}}
	for i, r := range c.Said.Runs {
		c.Said.Recorded[r.Title] = 1
		for n, typ := range []string{"started", "completed"} {
			c.Said.Events = append(c.Said.Events, audit.Event{Sequence: string(rune('A' + 2*i + n)),
				Subject: "run/" + r.Key, Type: "sextant.run." + typ + ".v1"})
		}
	}
	return c
}

func TestWhatIsSoundIsFoundSound(t *testing.T) {
	t.Parallel()
	wrong, tally := sound().Check()
	if len(wrong) > 0 || tally.Kills != 1 || tally.Again != 1 || tally.Starts != 7 || tally.Calls != 10 {
		t.Errorf("%s\n%s", tally, strings.Join(wrong, "\n"))
	}
}

// Each way in which a platform may fail is found where the logs are doctored so.
func TestDoctoredLogsAreCaught(t *testing.T) {
	t.Parallel()
	effect := func(c *audit.Case, run, step string, fn func(*audit.Effect)) {
		for i := range c.Effects {
			if c.Effects[i].Run == run && c.Effects[i].Step == step {
				fn(&c.Effects[i])
			}
		}
	}
	for name, one := range map[string]struct {
		doctor func(*audit.Case)
		says   string
	}{
		"a_start_is_lost": {func(c *audit.Case) { c.Said.Runs = c.Said.Runs[1:] },
			`the start "effects 1" was acknowledged, and there are 0 runs`},
		"a_start_is_doubled": {func(c *audit.Case) {
			r := c.Said.Runs[0]
			r.Key = "9"
			c.Said.Runs = append(c.Said.Runs,
				r)
		}, "there are 2 runs of it"},
		"another_run_is_named":   {func(c *audit.Case) { c.Acks[0].Run = "2" }, "was acknowledged as run 2"},
		"a_run_from_nowhere":     {func(c *audit.Case) { c.Acks = c.Acks[1:] }, "was never asked for"},
		"a_run_hangs":            {func(c *audit.Case) { c.Said.Runs[1].State = "active" }, "is active"},
		"a_start_without_record": {func(c *audit.Case) { c.Said.Recorded["asks 1"] = 0 }, "has 0 audit records"},
		"a_step_is_missing":      {func(c *audit.Case) { c.Said.Runs[0].Steps = steps("a", "g", "b", "h", "wait") }, "has passed"},
		"a_step_is_done_twice": {func(c *audit.Case) {
			c.Said.Runs[0].Steps = steps("a", "a", "g", "b", "h",
				"wait", "d")
		}, "has passed"},
		"the_other_branch": {func(c *audit.Case) {
			effect(c, "1", "b",
				func(e *audit.Effect) { e.Step = "c" })
		}, "is not on its way"},
		"an_effect_out_of_thin_air": {func(c *audit.Case) {
			effect(c, "1", "b",
				func(e *audit.Effect) { e.Run = "99" })
		}, "which is not there"},
		"an_effect_is_lost": {func(c *audit.Case) { c.Effects = c.Effects[2:]; c.Effects = c.Effects[:len(c.Effects)-2] },
			"nobody was asked"},
		"another_key": {func(c *audit.Case) {
			c.Effects[len(c.Effects)-1].Key,
				c.Effects[len(c.Effects)-2].Key = "k0", "k0"
		}, "was asked for as k1 and as k0"},
		"another_body": {func(c *audit.Case) { c.Effects[len(c.Effects)-2].Hash = "y" }, "with other inputs"},
		"one_key_for_two_steps": {func(c *audit.Case) {
			effect(c, "1", "d",
				func(e *audit.Effect) { e.Key = "k2" })
		}, "the key k2 stands for"},
		"again_without_a_kill": {func(c *audit.Case) { c.Acks = c.Acks[:len(c.Acks)-1] }, "the server was never away"},
		"after_the_end":        {func(c *audit.Case) { c.Said.Runs[0].Ended = at(3) }, "after the end"},
		"once_is_sent_again": {func(c *audit.Case) {
			effect(c, "7", "a", func(e *audit.Effect) { e.Begun = at(4) })
			c.Effects = append(c.Effects, audit.Effect{Begun: at(8), Key: "k9", Run: "7", Step: "a", Hash: "x"})
		}, "cannot be repeated"},
		"an_answer_is_lost": {func(c *audit.Case) { effect(c, "2", "a", func(e *audit.Effect) { e.Value = "" }) }, `said "yes"`},
		"a_message_is_lost": {func(c *audit.Case) {
			effect(c, "3", "a",
				func(e *audit.Effect) { e.Value = "other" })
		}, `said "word"`},
		"a_signal_is_told_twice": {func(c *audit.Case) {
			c.Acks = append(c.Acks, audit.Ack{Kind: "signal",
				Runs: []string{"4"}})
		}, "waits for one"},
		"an_edit_is_lost":       {func(c *audit.Case) { c.Said.Values["o"] = []string{"1", "2"} }, "was to have the value 3"},
		"edits_out_of_order":    {func(c *audit.Case) { c.Said.Values["o"] = []string{"3", "1"} }, "was to have the value 3"},
		"an_edit_is_made_twice": {func(c *audit.Case) { c.Said.Values["o"] = []string{"1", "1", "3"} }, "the value 1 twice"},
		"two_hold_one_object": {func(c *audit.Case) {
			effect(c, "6", "a",
				func(e *audit.Effect) { e.Begun = at(2).Add(1) })
		}, "while run 5 was at it"},
		"an_old_fence": {func(c *audit.Case) {
			effect(c, "6", "a",
				func(e *audit.Effect) { e.Fence = 1 })
		}, "has the fence 1"},
		"a_line_out_of_order": {func(c *audit.Case) {
			effect(c, "6", "a",
				func(e *audit.Effect) { e.Begun = at(1) })
		}, "came in the order [2 1]"},
		"an_end_is_told_twice": {func(c *audit.Case) {
			e := c.Said.Events[1]
			e.Sequence = "Z"
			c.Said.Events = append(c.Said.Events,
				e)
		}, "has 2 events sextant.run.completed.v1"},
		"an_end_is_not_told": {func(c *audit.Case) { c.Said.Events = c.Said.Events[:len(c.Said.Events)-1] },
			"has 0 events sextant.run.completed.v1"},
		"a_number_is_given_twice": {func(c *audit.Case) { c.Said.Events[3].Sequence = c.Said.Events[2].Sequence }, "comes after"},
		"a_job_is_done_twice": {func(c *audit.Case) {
			c.Acks = append(c.Acks, audit.Ack{Kind: "pulled",
				Name: "77"})
		}, "2 workers were told"},
		"a_lock_is_left":    {func(c *audit.Case) { c.Said.Left = []string{"lock"} }, "left over: lock"},
		"it_takes_too_long": {func(c *audit.Case) { c.Said.Slow = "not over" }, "not over"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := sound()
			one.doctor(c)
			wrong, _ := c.Check()
			if !slices.ContainsFunc(wrong, func(w string) bool { return strings.Contains(w, one.says) }) {
				t.Errorf("it says %q", wrong)
			}
		})
	}
}

// What is written is read again; a log that is cut short is refused.
func TestAFolderIsRead(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), sound()
	write := func(name string, lines ...any) {
		t.Helper()
		var all []byte
		for _, line := range lines {
			data, err := json.Marshal(line)
			if err != nil {
				t.Fatal(err)
			}
			all = append(append(all, data...), '\n')
		}
		if err := os.WriteFile(filepath.Join(dir, name), all, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var acks, effects []any
	for _, a := range c.Acks {
		acks = append(acks, a)
	}
	for _, e := range c.Effects {
		effects = append(effects, e)
	}
	write(audit.Acks, acks...)
	write(audit.Effects, effects...)
	write(audit.History, c.Said)
	got, err := audit.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if wrong, tally := got.Check(); len(wrong) > 0 || tally.Starts != 7 {
		t.Errorf("%s: %q", tally, wrong)
	}
	if err := os.Truncate(filepath.Join(dir, audit.Acks), 200); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Read(dir); err == nil || !strings.Contains(err.Error(), "line") {
		t.Errorf("a log that is cut short: %v", err)
	}
}
