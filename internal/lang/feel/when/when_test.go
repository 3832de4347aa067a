package when_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sextant/internal/lang/feel/when"
)

func at(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"PT10S": "2026-01-31T08:00:10Z", "P1W": "2026-02-07T08:00:00Z", "P2W": "2026-02-14T08:00:00Z",
		"P1M1D": "2026-03-01T08:00:00Z", "P1Y2M3W4DT5H6M7.5S": "2027-04-25T13:06:07.5Z",
		"-P1W": "2026-01-24T08:00:00Z", "-P1M1D": "2025-12-30T08:00:00Z", "P0M": "2026-01-31T08:00:00Z",
		"PT0S": "2026-01-31T08:00:00Z", "P1Y": "2027-01-31T08:00:00Z",
	} {
		d, err := when.ParseDuration(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := d.After(at(t, "2026-01-31T08:00:00Z")); err != nil || !got.Equal(at(t, want)) {
			t.Errorf("%s leads to %s %v, not %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "P", "PT", "P1DT", "P1", "1W", "P1D1W",
		"P1M1Y", "P1W1M", "P-1D", "P1.5D", "PT1.5M", " P1D", "P1D ", "P99999999999999999D", "P999999999Y9999999999M", strings.Repeat("P", 200)} {
		if d, err := when.ParseDuration(text); !errors.Is(err, when.ErrForm) {
			t.Errorf("%q reads as %+v %v", text, d, err)
		}
	}
}

func instant(s string) (time.Time, error) { return time.Parse(time.RFC3339, s) }

func TestCycles(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-01-31T08:00:00Z")
	for _, tt := range []struct {
		text, first, second string
		repeat              int
	}{
		{"R3/PT10S", "2026-01-31T08:00:10Z", "2026-01-31T08:00:20Z", 3}, {"R/P1W", "2026-02-07T08:00:00Z", "2026-02-14T08:00:00Z", -1},
		{"R0/P1M1D", "2026-03-01T08:00:00Z", "2026-04-02T08:00:00Z", 0},
		{"R5/2026-05-01T00:00:00Z/P1D", "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", 5},
		{"0 30 8 * * MON-FRI", "2026-02-02T08:30:00Z", "2026-02-03T08:30:00Z", -1},
		{"@hourly", "2026-01-31T09:00:00Z", "2026-01-31T10:00:00Z", -1},
	} {
		c, err := when.ParseCycle(tt.text, instant, time.LoadLocation)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		first, err1 := c.First(now)
		second, err2 := c.Next(first)
		if err1 != nil || err2 != nil || !first.Equal(at(t, tt.first)) || !second.Equal(at(t, tt.second)) || c.Repeat != tt.repeat {
			t.Errorf("%s: %s, %s %d times, want %s, %s %d times (%v, %v)", tt.text,
				first, second, c.Repeat, tt.first, tt.second, tt.repeat, err1, err2)
		}
	}
	for _, text := range []string{"", "R", "PT10S", "R3", "Rx/PT1S", "R-1/PT1S", "R3/", "R3/PT1S/PT1S", "R3/PT1S/2026-01-01T00:00:00Z",
		"R3/x/PT1S", "R/-PT1S", "R/PT1S/PT1S/PT1S", "* * *", "@never", "0 0 25 * * *", "0 0 0 32 * *", "60 0 0 * * *"} {
		if c, err := when.ParseCycle(text, instant, nil); !errors.Is(err, when.ErrForm) {
			t.Errorf("%q reads as %+v %v", text, c, err)
		}
	}
}

func TestCron(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ cron, after, want string }{
		{"*/15 * * * * *", "2026-01-31T08:00:00Z", "2026-01-31T08:00:15Z"}, {"0 0 0 29 2 *", "2026-01-31T08:00:00Z", "2028-02-29T00:00:00Z"},
		{"5 4 * * *", "2026-01-31T08:00:00Z", "2026-02-01T04:05:00Z"},
		{"0 0 9-17/2 * * ?", "2026-01-31T09:00:00Z", "2026-01-31T11:00:00Z"},
		{"0 0 0 L * *", "2026-02-01T00:00:00Z", "2026-02-28T00:00:00Z"}, {"0 0 0 L-3 * *", "2026-02-01T00:00:00Z", "2026-02-25T00:00:00Z"},
		{"0 0 0 1W * *", "2026-07-31T00:00:00Z", "2026-08-03T00:00:00Z"}, {"0 0 0 LW * *", "2026-05-01T00:00:00Z", "2026-05-29T00:00:00Z"},
		{"0 0 0 * * 5L", "2026-02-01T00:00:00Z", "2026-02-27T00:00:00Z"},
		{"0 0 0 ? * FRI#2", "2026-02-01T00:00:00Z", "2026-02-13T00:00:00Z"},
		{"0 0 0 * * 7", "2026-02-02T00:00:00Z", "2026-02-08T00:00:00Z"}, {"0 0 0 13 * FRI", "2026-03-14T00:00:00Z", "2026-11-13T00:00:00Z"},
		{"0 0 12 * JAN,mar *", "2026-01-31T12:00:00Z", "2026-03-01T12:00:00Z"},
		{"CRON_TZ=Europe/Paris 0 30 8 * * *", "2026-07-01T08:00:00Z", "2026-07-02T06:30:00Z"},
		{"TZ=Europe/Paris 0 30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"},
		{"@yearly", "2026-01-31T08:00:00Z", "2027-01-01T00:00:00Z"}, {"@weekly", "2026-01-31T08:00:00Z", "2026-02-01T00:00:00Z"},
		{"0 0 0 29 2 MON", "2026-01-31T08:00:00Z", "2044-02-29T00:00:00Z"},
	} {
		c, err := when.ParseCron(tt.cron, time.LoadLocation)
		if err != nil {
			t.Errorf("%s: %v", tt.cron, err)
			continue
		}
		if got, err := c.Next(at(t, tt.after)); err != nil || !got.Equal(at(t, tt.want)) {
			t.Errorf("%s after %s: %s %v, want %s", tt.cron, tt.after, got, err, tt.want)
		}
	}
	never, err := when.ParseCron("0 0 0 31 2 *", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := never.Next(at(t, "2026-01-31T08:00:00Z")); err == nil {
		t.Errorf("the 31st of February is %s", got)
	}
	for _, bad := range []string{"0 0 0 * * FRI#6", "0 0 0 * * 8", "0 0 0 0 * *", "0 0 0 32W * *", "0 0 0 * 13 *",
		"0 0 0 * * XYZ", "*/0 * * * * *", "5-1 * * * * *", "+5 * * * * *", "0 0 0 * *  * *", "CRON_TZ=Nowhere 0 0 0 * * *", "1, * * * * *"} {
		if c, err := when.ParseCron(bad, time.LoadLocation); err == nil {
			t.Errorf("%q reads as %+v", bad, c)
		}
	}
}

// Whatever the text, reading it and asking for the next time ends.
func FuzzCycle(f *testing.F) {
	for _, seed := range []string{"R3/PT10S", "R/2026-05-01T00:00:00Z/P1D",
		"0 30 8 * * MON-FRI", "@daily", "CRON_TZ=Europe/Paris 0 0 0 LW 2-10/3 5#2", "R/P1M1D", "*/7 1,2 ? L-3 JAN 5L"} {
		f.Add(seed)
	}
	now := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := when.ParseCycle(text, instant, time.LoadLocation)
		if err != nil {
			if !errors.Is(err, when.ErrForm) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		next, err := c.Next(now)
		if err == nil && (next.Before(now) || c.Cron != nil && !next.After(now)) {
			t.Fatalf("%q happens next at %s", text, next)
		}
	})
}
