package when

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Cron is when something happens by the calendar: second, minute, hour, day of the
// month, month, day of the week. Where both days are given, both have to fit.
type Cron struct {
	second, minute, hour, month uint64
	days                        []func(day, last int, weekday func(day int) time.Weekday) bool // any of them fits
	weekdays                    []func(day, last int, weekday func(day int) time.Weekday) bool
	loc                         *time.Location
}

var macros = map[string]string{
	"@yearly": "0 0 0 1 1 *", "@annually": "0 0 0 1 1 *", "@monthly": "0 0 0 1 * *",
	"@weekly": "0 0 0 * * 0", "@daily": "0 0 0 * * *", "@midnight": "0 0 0 * * *", "@hourly": "0 0 * * * *",
}

var (
	monthNames = []string{"", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	dayNames   = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

// ParseCron reads six fields, the first of which are seconds, five fields that begin
// with minutes, or a word such as @daily. CRON_TZ=Europe/Paris before them names the
// time zone, else it is UTC.
func ParseCron(text string, zones Zones) (*Cron, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: the cron %.128q: %s", ErrForm, text, fmt.Sprintf(format, args...))
	}
	if len(text) > 4*maxText {
		return nil, bad("it is too long")
	}
	c := &Cron{loc: time.UTC}
	rest := strings.TrimSpace(text)
	if zone, after, ok := strings.Cut(rest, " "); ok && (strings.HasPrefix(zone, "CRON_TZ=") || strings.HasPrefix(zone, "TZ=")) {
		name := zone[strings.IndexByte(zone, '=')+1:]
		if zones == nil {
			return nil, bad("no time zones are known here")
		}
		loc, err := zones(name)
		if err != nil {
			return nil, bad("the time zone %q is unknown", name)
		}
		c.loc, rest = loc, strings.TrimSpace(after)
	}
	if long, ok := macros[strings.ToLower(rest)]; ok {
		rest = long
	}
	fields := strings.Fields(rest)
	if len(fields) == 5 {
		fields = append([]string{"0"}, fields...)
	}
	if len(fields) != 6 {
		return nil, bad("want six fields: second, minute, hour, day, month, day of the week")
	}
	for i, f := range []struct {
		what     string
		into     *uint64
		low, top int
		names    []string
	}{{"second", &c.second, 0, 59, nil}, {"minute", &c.minute, 0, 59, nil},
		{"hour", &c.hour, 0, 23, nil}, {"month", &c.month, 1, 12, monthNames}} {
		at := i + i/3 // the month comes after the day
		set, ok := fieldSet(fields[at], f.low, f.top, f.names)
		if !ok {
			return nil, bad("%q is no %s from %d to %d", fields[at], f.what, f.low, f.top)
		}
		*f.into = set
	}
	var ok bool
	if c.days, ok = monthDays(fields[3]); !ok {
		return nil, bad("%q is no day of the month from 1 to 31, L, L-3 or 15W", fields[3])
	}
	if c.weekdays, ok = weekDays(fields[5]); !ok {
		return nil, bad("%q is no day of the week from 0 (Sunday) to 7, SUN to SAT, 5L or 5#2", fields[5])
	}
	return c, nil
}

// fieldSet reads a list of numbers, ranges and steps as bits.
func fieldSet(text string, low, top int, names []string) (uint64, bool) {
	var set uint64
	for part := range strings.SplitSeq(text, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			n, err := strconv.Atoi(stepText)
			if err != nil || n < 1 {
				return 0, false
			}
			step = n
		}
		from, to := low, top
		if span != "*" && span != "?" {
			a, b, ranged := strings.Cut(span, "-")
			var ok1, ok2 bool
			from, ok1 = fieldNumber(a, low, top, names)
			to, ok2 = from, true
			switch {
			case ranged:
				to, ok2 = fieldNumber(b, low, top, names)
			case stepped:
				to = top
			}
			if !ok1 || !ok2 || from > to {
				return 0, false
			}
		}
		for i := from; i <= to; i += step {
			set |= 1 << i
		}
	}
	return set, true
}

func fieldNumber(text string, low, top int, names []string) (int, bool) {
	for i, name := range names {
		if name != "" && strings.EqualFold(name, text) {
			return i, true
		}
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= low && n <= top && !strings.HasPrefix(text, "+")
}

type dayFits = func(day, last int, weekday func(day int) time.Weekday) bool

func monthDays(text string) ([]dayFits, bool) {
	var all []dayFits
	for part := range strings.SplitSeq(text, ",") {
		upper := strings.ToUpper(part)
		back, fromEnd := strings.CutPrefix(upper, "L-")
		near, nearest := strings.CutSuffix(upper, "W")
		switch {
		case upper == "L":
			all = append(all, func(day, last int, _ func(int) time.Weekday) bool { return day == last })
		case upper == "LW":
			all = append(all, func(day, last int, weekday func(int) time.Weekday) bool { return day == workday(last, last, weekday) })
		case fromEnd:
			n, ok := fieldNumber(back, 1, 30, nil)
			if !ok {
				return nil, false
			}
			all = append(all, func(day, last int, _ func(int) time.Weekday) bool { return day == last-n })
		case nearest:
			n, ok := fieldNumber(near, 1, 31, nil)
			if !ok {
				return nil, false
			}
			all = append(all, func(day, last int, weekday func(int) time.Weekday) bool {
				return n <= last && day == workday(n, last, weekday)
			})
		default:
			set, ok := fieldSet(part, 1, 31, nil)
			if !ok {
				return nil, false
			}
			all = append(all, func(day, _ int, _ func(int) time.Weekday) bool { return set&(1<<day) != 0 })
		}
	}
	return all, true
}

// workday is the day from Monday to Friday that lies nearest in the same month.
func workday(day, last int, weekday func(int) time.Weekday) int {
	switch weekday(day) {
	case time.Saturday:
		if day == 1 {
			return 3
		}
		return day - 1
	case time.Sunday:
		if day == last {
			return day - 2
		}
		return day + 1
	}
	return day
}

func weekDays(text string) ([]dayFits, bool) {
	var all []dayFits
	for part := range strings.SplitSeq(text, ",") {
		name, nth, counted := strings.Cut(part, "#")
		final, isLast := strings.CutSuffix(strings.ToUpper(part), "L")
		switch {
		case counted:
			d, ok1 := fieldNumber(name, 0, 7, dayNames)
			n, ok2 := fieldNumber(nth, 1, 5, nil)
			if !ok1 || !ok2 {
				return nil, false
			}
			all = append(all, func(day, _ int, weekday func(int) time.Weekday) bool {
				return int(weekday(day)) == d%7 && (day+6)/7 == n
			})
		case isLast:
			d, ok := fieldNumber(final, 0, 7, dayNames)
			if !ok {
				return nil, false
			}
			all = append(all, func(day, last int, weekday func(int) time.Weekday) bool {
				return int(weekday(day)) == d%7 && day > last-7
			})
		default:
			set, ok := fieldSet(part, 0, 7, dayNames)
			if !ok {
				return nil, false
			}
			all = append(all, func(day, _ int, weekday func(int) time.Weekday) bool {
				d := uint(weekday(day))
				return set&(1<<d) != 0 || d == 0 && set&(1<<7) != 0
			})
		}
	}
	return all, true
}

// cronYears is how far Next looks: leap days that fall on a day of the week come
// again within 40 years.
const cronYears = 41

// Next gives the next time after an instant. An hour that the day does not have,
// when clocks are set forward, is left out.
func (c *Cron) Next(after time.Time) (time.Time, error) {
	t := after.In(c.loc)
	for month := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC); month.Year() <= t.Year()+cronYears; month = month.AddDate(0, 1, 0) {
		if c.month&(1<<month.Month()) == 0 {
			continue
		}
		last := month.AddDate(0, 1, -1).Day()
		for day := 1; day <= last; day++ {
			if !c.fits(month, day, last) {
				continue
			}
			if due, ok := c.within(month.Year(), month.Month(), day, after); ok {
				return due, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("%w: the cron never happens again", ErrForm)
}

func (c *Cron) fits(month time.Time, day, last int) bool {
	weekday := func(d int) time.Weekday { return (month.Weekday() + time.Weekday(d-1)) % 7 }
	for _, any := range [][]dayFits{c.days, c.weekdays} {
		found := false
		for _, fits := range any {
			found = found || fits(day, last, weekday)
		}
		if !found {
			return false
		}
	}
	return true
}

// within finds the first time of a day that lies after an instant.
func (c *Cron) within(year int, month time.Month, day int, after time.Time) (time.Time, bool) {
	if end := time.Date(year, month, day+1, 0, 0, 0, 0, c.loc); !end.After(after) {
		return time.Time{}, false
	}
	for h := c.hour; h != 0; h &= h - 1 {
		hour := bits.TrailingZeros64(h)
		if !time.Date(year, month, day, hour+1, 0, 0, 0, c.loc).After(after) {
			continue
		}
		for m := c.minute; m != 0; m &= m - 1 {
			minute := bits.TrailingZeros64(m)
			if !time.Date(year, month, day, hour, minute+1, 0, 0, c.loc).After(after) {
				continue
			}
			for s := c.second; s != 0; s &= s - 1 {
				t := time.Date(year, month, day, hour, minute, bits.TrailingZeros64(s), 0, c.loc)
				if t.After(after) && t.Hour() == hour && t.Minute() == minute {
					return t, true
				}
			}
		}
	}
	return time.Time{}, false
}
