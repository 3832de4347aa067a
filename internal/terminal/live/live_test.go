package live_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sextant/internal/terminal/live"
	"sextant/sdk/go/client"
)

var update = flag.Bool("update", false, "write the golden files")

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(seconds float64) time.Time {
	return start.Add(time.Duration(seconds * float64(time.Second)))
}

// golden compares with a file in which escapes are shown as ␛.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = strings.ReplaceAll(got, "\x1b", "␛")
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// release is a run as its updates come: two batches, of which the second has a
// row that failed, and a person who is asked.
func release() []client.Update {
	run := client.ProcessRun{Key: "77", Process: "release", Title: "Release 1.2", State: "active", Started: start}
	step := func(key, parent, typ, name, state string, from, left float64) client.ProcessStep {
		s := client.ProcessStep{Key: key, Parent: parent, Element: "el-" + key,
			Type: client.ProcessStepType(typ), Name: name, State: client.ProcessStepState(state), Entered: at(from)}
		if left > 0 {
			s.Left = at(left)
		}
		return s
	}
	rows := func(s client.ProcessStep, total int64, outcomes map[string]int64) client.ProcessStep {
		var n int64
		for _, c := range outcomes {
			n += c
		}
		s.Rows = client.ProcessRows{Total: total, Outcomes: outcomes, Percent: n * 100 / total}
		return s
	}
	index := func(s client.ProcessStep, i int64) client.ProcessStep { s.Index = i; return s }
	failed := rows(step("5", "4", "service", "Install", "incident", 4, 0), 2, map[string]int64{"ok": 1, "failed": 1})
	failed.Message = "host:host/web-4: exit code 1\nmore of it"
	ended := run
	ended.State, ended.Ended = "completed", at(75)
	skipped := failed
	skipped.State, skipped.Left, skipped.Message = "skipped", at(70), "by hand"
	return []client.Update{
		{Run: run, Steps: []client.ProcessStep{step("0", "", "start", "", "completed", 0, 0.1),
			step("1", "", "subprocess", "Roll", "active", 0.2, 0), index(step("2", "1", "subprocess", "Batch", "active", 0.3, 0), 1),
			rows(step("3", "2", "service", "Install", "active", 0.4, 0), 2, map[string]int64{"ok": 1})}},
		{Run: run, Steps: []client.ProcessStep{rows(step("3", "2", "service", "Install", "completed", 0.4, 3), 2, map[string]int64{"ok": 2}),
			index(step("2", "1", "subprocess", "Batch", "completed", 0.3, 3.5), 1),
			index(step("4", "1", "subprocess", "Batch", "active", 3.6, 0), 2), failed}},
		{Run: run, Steps: []client.ProcessStep{
			step("6", "", "user", "Really?", "active", 8, 0), step("7", "", "gateway", "", "completed", 8, 8)}},
		{Run: ended, Steps: []client.ProcessStep{skipped, index(step("4", "1", "subprocess", "Batch", "completed", 3.6, 71), 2),
			step("1", "", "subprocess", "Roll", "completed", 0.2, 72), step("6", "", "user", "Really?", "completed", 8, 74),
			step("8", "", "service", "", "terminated", 74, 75)}},
	}
}

func TestATerminal(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	v := live.New(&b, true, live.Size{Width: 90, Height: 40})
	for i, u := range release() {
		b.WriteString("-- update\n")
		v.Take(u, at(float64(10*i+5)))
	}
	b.WriteString("-- with a footer\n")
	v.Footer = func() string { return "12 requests, none failed" }
	v.Draw(at(100))
	golden(t, "terminal.golden", b.String())
}

func TestASmallTerminal(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	v := live.New(&b, true, live.Size{Width: 50, Height: 6})
	for i, u := range release()[:3] {
		b.WriteString("-- update\n")
		v.Take(u, at(float64(10*i+5)))
	}
	golden(t, "small.golden", b.String())
}

func TestNoTerminal(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	v := live.New(&b, false, live.Size{})
	for i, u := range release() {
		v.Take(u, at(float64(10*i+5)))
		v.Take(client.Update{Run: u.Run, Steps: u.Steps}, at(float64(10*i+6))) // told once
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Error("colours where there is no terminal")
	}
	golden(t, "lines.golden", b.String())
}

func TestWhatWaits(t *testing.T) {
	t.Parallel()
	v := live.New(&bytes.Buffer{}, false, live.Size{})
	for _, u := range release()[:3] {
		v.Take(u, start)
	}
	tasks, incidents := v.Waiting()
	if len(tasks) != 1 || tasks[0].Key != "6" || len(incidents) != 1 || incidents[0].Key != "5" || len(v.Steps()) != 8 {
		t.Errorf("%v %v", tasks, incidents)
	}
}

// visible is what of a line takes room.
func visible(line string) string {
	var b strings.Builder
	for rest := line; rest != ""; {
		if strings.HasPrefix(rest, "\x1b[") {
			rest = rest[2:]
			i := strings.IndexFunc(rest, func(r rune) bool { return r >= '@' && r <= '~' })
			rest = rest[i+1:]
			continue
		}
		r, n := utf8.DecodeRuneInString(rest)
		b.WriteRune(r)
		rest = rest[n:]
	}
	return b.String()
}

// Whatever names and messages hold, every line of the picture is one line of the
// terminal, and the picture goes back over exactly what it drew.
func TestThePictureFits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		width, height := rapid.IntRange(10, 60).Draw(t, "width"), rapid.IntRange(5, 20).Draw(t, "height")
		text := rapid.StringN(0, 80, -1)
		var out bytes.Buffer
		v := live.New(&out, true, live.Size{Width: width, Height: height})
		drawn := 0
		for range rapid.IntRange(1, 4).Draw(t, "updates") {
			u := client.Update{Run: client.ProcessRun{Key: "1", Title: text.Draw(t, "title"), State: "active", Started: start}}
			for range rapid.IntRange(0, 8).Draw(t, "steps") {
				u.Steps = append(u.Steps, client.ProcessStep{Key: rapid.StringMatching("[a-f]").Draw(t, "key"),
					Type: "service", Name: text.Draw(t, "name") + rapid.SampledFrom([]string{"", "\x1b[2J", "\r", "\n"}).Draw(t, "evil"),
					State:   client.ProcessStepState(rapid.SampledFrom([]string{"active", "incident", "skipped"}).Draw(t, "state")),
					Message: text.Draw(t, "message") + "\x1b]0;title\a", Entered: start})
			}
			out.Reset()
			v.Take(u, start)
			got := out.String()
			if drawn > 0 {
				back := strings.Index(got, "A\r")
				if back < 0 || got[:back] != "\x1b["+strconv.Itoa(drawn) {
					t.Fatalf("it goes back by %q, want %d", got[:max(back, 0)], drawn)
				}
				got = got[back+2:]
			}
			got, ok := strings.CutSuffix(got, "\x1b[J")
			if !ok {
				t.Fatalf("the rest is not cleared: %q", got)
			}
			lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
			drawn = len(lines)
			if drawn > height {
				t.Fatalf("%d lines on %d", drawn, height)
			}
			for _, l := range lines {
				if seen := visible(l); utf8.RuneCountInString(seen) > width || strings.ContainsAny(seen, "\r\a\x1b") {
					t.Fatalf("%q does not fit %d", seen, width)
				}
				if strings.Contains(l, "\x1b[2J") || strings.Contains(l, "\x1b]") {
					t.Fatalf("a name commands the terminal: %q", l)
				}
			}
		}
	})
}
