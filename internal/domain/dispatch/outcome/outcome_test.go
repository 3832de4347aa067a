package outcome_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sextant/internal/domain/dispatch/outcome"
	"sextant/internal/domain/dispatch/plan"
	"sextant/internal/domain/dispatch/record"
	"sextant/internal/domain/plugin"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/bpmn"
	"sextant/internal/lang/feel"
	"sextant/sdk/go/wire"
)

// step has rows, each "outcome code message".
func step(rows ...string) *outcome.Step {
	s := &outcome.Step{Job: durable.Job{Key: 77, Program: &program.Program{}, Node: &program.Node{ID: "work"}},
		Svc: plugin.Service{Plugin: "host", Service: "script", Action: wire.Action{Action: "run", Target: "host:host",
			Output: []wire.Param{{Name: "size"}, {Name: "key", Secret: true}}}}}
	for i, text := range rows {
		part := strings.SplitN(text+"  ", " ", 3)
		s.Rows = append(s.Rows, &record.Row{Pos: i, Object: fmt.Sprintf("host:host/h%d", i), Outcome: wire.Outcome(part[0]), Code: part[1],
			Message: strings.TrimSpace(part[2]), Outputs: wire.Row{"size": wire.Raw(i), "key": wire.Raw("hunter2"), "more": wire.Raw(1)}})
	}
	return s
}

func TestFailure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rows          []string
		code, message string
	}{
		"its-own-code": {[]string{"ok", "failed disk.full no space"}, "disk.full", "1 of 2 rows: host:host/h1 failed: no space"},
		"the-first-one": {[]string{"failed a x", "failed b y"}, "a",
			"2 of 2 rows: host:host/h0 failed: x; host:host/h1 failed: y"},
		"no-code":                    {[]string{"failed  x"}, "sextant.failed", "1 of 1 rows: host:host/h0 failed: x"},
		"the-code-that-says-nothing": {[]string{"failed " + wire.CodeFailed + " x"}, "sextant.failed", "1 of 1 rows: host:host/h0 failed: x"},
		"timed-out": {[]string{"timed_out  late", "failed a x"},
			"sextant.timed_out", "1 of 2 rows: host:host/h0 timed_out: late"},
		"all-well": {[]string{"ok", "skipped"}, "sextant.failed", ""},
	} {
		if code, message := step(c.rows...).Failure(); code != c.code || message != c.message {
			t.Errorf("%s: %q %q, want %q %q", name, code, message, c.code, c.message)
		}
	}
}

func TestDescribeNamesSomeAndCountsAll(t *testing.T) {
	t.Parallel()
	var rows []string
	for range 9 {
		rows = append(rows, "failed c m", "ok")
	}
	s := step(rows...)
	got := s.Describe(wire.OutcomeFailed)
	if !strings.HasPrefix(got, "9 of 18 rows: host:host/h0 failed: m; ") || !strings.HasSuffix(got, "; and 4 more") ||
		strings.Count(got, " failed: ") != 5 {
		t.Error(got)
	}
	if n := s.Count(wire.OutcomeFailed, wire.OutcomeOK); n != 18 {
		t.Errorf("%d rows", n)
	}
}

// What a step leaves has no secret and nothing that was not declared.
func TestResult(t *testing.T) {
	t.Parallel()
	raw, err := step("ok", "skipped", "failed c m").Result()
	if err != nil {
		t.Fatal(err)
	}
	var got plan.Result
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if got.OK != 2 || got.Failed != 1 || got.Record != "" || len(got.Rows) != 3 ||
		string(got.Rows[2].Outputs["size"]) != "2" || got.Rows[2].Code != "c" {
		t.Errorf("%s", raw)
	}
	if text := string(raw); strings.Contains(text, "hunter2") || strings.Contains(text, "more") {
		t.Errorf("a secret, or what nobody declared: %s", raw)
	}
	if none, err := step().Result(); err != nil || string(none) != `{"rows":[],"ok":0,"failed":0}` {
		t.Errorf("without rows: %s, %v", none, err)
	}
}

// Outputs that are too large for a variable stay in the record, and what only counts
// stays; an expression that would read them gets an error, no half of them.
func TestAResultThatIsTooLarge(t *testing.T) {
	t.Parallel()
	reading, err := feel.Compile("count(work.rows)")
	if err != nil {
		t.Fatal(err)
	}
	reads := &program.Program{Nodes: []*program.Node{{ID: "later", Ext: bpmn.Extensions{
		ServiceInputs: []bpmn.ServiceInput{{Name: "n", From: "feel", Value: reading.Source()}}}}}}
	for name, c := range map[string]struct {
		bytes    int
		program  *program.Program
		recorded bool
		code     string
	}{
		"small": {1 << 10, &program.Program{}, false, ""}, "large": {100 << 10, &program.Program{}, true, ""},
		"large-and-read":     {100 << 10, reads, false, ""},
		"too-large-and-read": {engine.MaxVariableBytes + 1, reads, false, "dispatch.result_too_large"},
	} {
		s := step("ok", "failed c m")
		s.Job.Program = c.program
		s.Rows[0].Outputs["size"] = wire.Raw(strings.Repeat("x", c.bytes))
		raw, err := s.Result()
		if c.code != "" {
			if err == nil || errs.As(err).Code != c.code {
				t.Errorf("%s: %v, want %s", name, err, c.code)
			}
			continue
		}
		var got plan.Result
		if err != nil || json.Unmarshal(raw, &got) != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if c.recorded != (got.Record == "77") || c.recorded != (len(got.Rows[0].Outputs) == 0) || got.OK != 1 || len(got.Rows) != 2 {
			t.Errorf("%s: record %q, %d outputs, %d rows", name, got.Record, len(got.Rows[0].Outputs), len(got.Rows))
		}
	}
}

// A step writes where its manifest says for rows of its own type, and where the process
// says for any.
func TestWrites(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to, says, object string
		want             bool
	}{
		"the-manifest-says":         {".state@observed", "", "host:host/a", true},
		"of-another-type":           {".state@observed", "", "cmdb:box/a", false},
		"the-process-says":          {"", ".note", "cmdb:box/a", true},
		"nobody-says":               {"", "", "host:host/a", false},
		"no-object":                 {".state@observed", "", "run", false},
		"a-path-that-does-not-read": {"..", "", "host:host/a", true},
	} {
		s := step("ok")
		s.Svc.Action.Output[0].To, s.Rows[0].Object = c.to, c.object
		if c.says != "" {
			s.Job.Node.Ext.ServiceOutputs = []bpmn.ServiceOutput{{Name: "size", To: c.says}}
		}
		if got := (&outcome.Writer{}).Writes(s); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
