package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sextant/internal/engine/program"
	"sextant/internal/lang/bpmn"
)

func waiting(def string) string {
	return process(flow("start", "wait"), `<intermediateCatchEvent id="wait"><timerEventDefinition>`+
		def+`</timerEventDefinition></intermediateCatchEvent>`, flow("wait", "end"))
}

// armed gives when the one timer is due.
func (w *world) armed() time.Time {
	w.t.Helper()
	for _, e := range w.timers {
		return e.Due
	}
	w.t.Fatalf("no timer is armed: %s", w.incidents())
	return time.Time{}
}

// What stands in the diagram and what an expression gives are read by one grammar.
func TestTimersReadTheSameWrittenAndComputed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ kind, text, due string }{
		{"timeDuration", "P1W", "2026-12-01T08:00:00Z"}, {"timeDuration", "P1M1D", "2026-12-25T08:00:00Z"},
		{"timeDuration", "P1Y2M3DT4H", "2028-01-27T12:00:00Z"},
		{"timeDate", "2027-01-31T08:00:00@Europe/Paris", "2027-01-31T07:00:00Z"},
		{"timeDate", "2027-07-31T08:00:00@Europe/Paris", "2027-07-31T06:00:00Z"},
		{"timeDate", "2027-01-31T08:00:00+02:00", "2027-01-31T06:00:00Z"},
	} {
		for _, text := range []string{tt.text, `="` + tt.text + `"`} {
			w := newWorld(t, compile(t, waiting(fmt.Sprintf("<%[1]s>%[2]s</%[1]s>", tt.kind, text))), nil)
			if got := w.armed().UTC().Format(time.RFC3339); got != tt.due {
				t.Errorf("%s is due at %s, not %s", text, got, tt.due)
			}
		}
	}
	w := newWorld(t, compile(t, waiting(`<timeDate>=@"2027-01-31T08:00:00@Europe/Paris"</timeDate>`)), nil)
	if got := w.armed().UTC().Format(time.RFC3339); got != "2027-01-31T07:00:00Z" {
		t.Errorf("the date with a zone is due at %s", got)
	}
}

func TestCyclesByTheCalendar(t *testing.T) {
	t.Parallel()
	w := newWorld(t, compile(t, timerBoundary(false, "<timeCycle>0 30 8 * * MON-FRI</timeCycle>")), nil)
	var due []string
	for range 4 {
		due = append(due, w.armed().Format("Mon 02 15:04"))
		w.fire()
	}
	if got := strings.Join(due, ", "); got != "Tue 24 08:30, Wed 25 08:30, Thu 26 08:30, Fri 27 08:30" {
		t.Errorf("the cron happens at %s", got)
	}
	if got := w.armed().Format("Mon 02 15:04"); got != "Mon 30 08:30" {
		t.Errorf("and then at %s", got)
	}
	w = newWorld(t, compile(t, timerBoundary(false, "<timeCycle>R2/2026-12-01T00:00:00Z/P1W</timeCycle>")), nil)
	first := w.armed()
	w.fire()
	if second := w.armed(); first.Day() != 1 || second.Day() != 8 {
		t.Errorf("the cycle with a start happens at %s and %s", first, second)
	}
}

func TestTimersThatCannotBeReadAreRefused(t *testing.T) {
	t.Parallel()
	for def, want := range map[string]string{
		"<timeDuration>P1D1W</timeDuration>": "P1W", "<timeDate>2027-01-31T08:00:00</timeDate>": "no time zone",
		"<timeDate>2027-01-31T08:00:00@Europe/Nowhere</timeDate>": "unknown", "<timeDate>2027-02-30T08:00:00Z</timeDate>": "no day",
	} {
		doc, err := bpmn.Parse([]byte(header + waiting(def) + `</definitions>`))
		if err != nil {
			t.Fatal(err)
		}
		m, err := bpmn.Read(doc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := program.Compile(m, "", program.Zones(time.LoadLocation)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", def, err, want)
		}
	}
	for _, cycle := range []string{"0 0 0 31 2 *", "* * *", "R/-PT1S", "CRON_TZ=x/y/z 0 0 25 * * *"} {
		if _, err := compileError(t, timerBoundary(false, "<timeCycle>"+cycle+"</timeCycle>")); err == nil {
			t.Errorf("the cycle %s is accepted", cycle)
		}
	}
}
