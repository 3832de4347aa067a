// Package when reads the texts that say when something happens: durations and
// repeating intervals of ISO 8601, and cron. Timers and FEEL read them here, so that
// there is one grammar.
package when

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrForm is what all errors of this package wrap.
var ErrForm = errors.New("no such duration or cycle")

// Duration is an ISO 8601 duration. Months are those of the calendar, so that the
// length of the whole depends on where it begins.
type Duration struct {
	Months int64
	Time   time.Duration // weeks, days and less
	// HasMonths and HasTime tell which parts are written, be they 0.
	HasMonths, HasTime bool
}

const (
	maxText   = 128
	maxMonths = 12 * 9999 // that may be added to an instant
	week      = 7 * 24 * time.Hour
)

var durationForm = regexp.MustCompile(
	`^(-?)P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d*))?S)?)?$`)

// ParseDuration reads a duration: PT10S, P1DT2H, P1W, P1Y6M, P1M1D.
func ParseDuration(s string) (Duration, error) {
	var m []string
	if len(s) <= maxText && !strings.HasSuffix(s, "T") {
		m = durationForm.FindStringSubmatch(s)
	}
	if m == nil {
		return Duration{}, fmt.Errorf("%w: %.128q is no duration of the form PT10S, P1DT2H, P1W or P1Y6M", ErrForm, s)
	}
	d := Duration{HasMonths: m[2]+m[3] != "", HasTime: m[4]+m[5]+m[6]+m[7]+m[8] != ""}
	if !d.HasMonths && !d.HasTime {
		return Duration{}, fmt.Errorf("%w: the duration %q says no length: write PT10S, say", ErrForm, s)
	}
	if len(m[2])+len(m[3]) > 15 {
		return Duration{}, fmt.Errorf("%w: the duration %q has too many months", ErrForm, s)
	}
	d.Months = whole(m[2])*12 + whole(m[3])
	for i, unit := range []time.Duration{week, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, err := strconv.ParseInt("0"+m[4+i], 10, 64)
		if err != nil || n > (math.MaxInt64-int64(time.Second)-int64(d.Time))/int64(unit) {
			return Duration{}, fmt.Errorf("%w: the duration %q is longer than 292 years", ErrForm, s)
		}
		d.Time += time.Duration(n) * unit
	}
	d.Time += time.Duration(whole((m[9] + "000000000")[:9]))
	if m[1] == "-" {
		d.Months, d.Time = -d.Months, -d.Time
	}
	return d, nil
}

func whole(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// IsZero reports whether the duration has no length.
func (d Duration) IsZero() bool { return d.Months == 0 && d.Time == 0 }

// Negative reports whether the duration leads back.
func (d Duration) Negative() bool { return d.Months < 0 || d.Time < 0 }

// After gives the instant that lies the duration later: first the months, then the
// rest. A day that the month does not have becomes its last.
func (d Duration) After(t time.Time) (time.Time, error) {
	if d.Months > maxMonths || d.Months < -maxMonths {
		return t, fmt.Errorf("%w: %d months are more than a calendar has", ErrForm, d.Months)
	}
	if d.Months != 0 {
		t = AddMonths(t, int(d.Months))
	}
	return t.Add(d.Time), nil
}

// AddMonths moves by months; a day that the month does not have becomes its
// last, an hour that the day does not have moves as time.Date moves it.
func AddMonths(t time.Time, months int) time.Time {
	month := t.Month() + time.Month(months)
	last := time.Date(t.Year(), month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return time.Date(t.Year(), month, min(t.Day(), last), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
}
