package value

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sextant/internal/lang/feel/when"
)

// Moment is a date and time. Local ones have no zone; Zone is the name of an
// IANA zone, empty for an offset.
type Moment struct {
	T     time.Time // in its zone; in UTC where local
	Local bool
	Zone  string
}

// Clock is a time of day. Local ones have no zone.
type Clock struct {
	Nanos  int64 // since midnight
	Offset int   // seconds east of UTC
	Local  bool
	Zone   string
}

var errTemporal = errors.New("no such date or time")

// NewDate makes a date.
func NewDate(y int, m time.Month, d int) Value {
	return Value{kind: KindDate, ref: time.Date(y, m, d, 0, 0, 0, 0, time.UTC)}
}

// NewMoment makes a date and time.
func NewMoment(m Moment) Value { return Value{kind: KindDateTime, ref: m} }

// NewClock makes a time of day.
func NewClock(c Clock) Value { return Value{kind: KindTime, ref: c} }

// AsDate gives a date, at midnight UTC.
func AsDate(v Value) (time.Time, bool) {
	t, ok := v.ref.(time.Time)
	return t, ok && v.kind == KindDate
}

// AsMoment gives a date and time.
func AsMoment(v Value) (Moment, bool) {
	m, ok := v.ref.(Moment)
	return m, ok
}

// AsClock gives a time of day.
func AsClock(v Value) (Clock, bool) {
	c, ok := v.ref.(Clock)
	return c, ok
}

// AsTime gives the instant of a date and time that has a zone.
func AsTime(v Value) (time.Time, bool) {
	m, ok := AsMoment(v)
	return m.T, ok && !m.Local
}

func compareMoments(a, b Moment) (int, bool) {
	if a.Local != b.Local {
		return 0, false
	}
	return cmpInt(a.T.Unix(), b.T.Unix()), true
}

func compareClocks(a, b Clock) (int, bool) {
	if a.Local != b.Local {
		return 0, false
	}
	return cmpInt(a.Nanos/int64(time.Second)-int64(a.Offset), b.Nanos/int64(time.Second)-int64(b.Offset)), true
}

var (
	datePattern  = regexp.MustCompile(`^(-?)(\d{4,9})-(\d{2})-(\d{2})$`)
	clockPattern = regexp.MustCompile(`^(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?(Z|z|[+-]\d{2}:\d{2}(?::\d{2})?|@[A-Za-z0-9_+/-]+)?$`)
)

// submatch finds the groups of a pattern in a text that is short enough to be a
// date or a time.
func submatch(pattern *regexp.Regexp, s string) []string {
	if len(s) > 128 {
		return nil
	}
	return pattern.FindStringSubmatch(s)
}

// Zones finds a time zone by its IANA name.
type Zones func(name string) (*time.Location, error)

// ParseDate reads YYYY-MM-DD.
func ParseDate(s string) (Value, error) {
	m := submatch(datePattern, s)
	if m == nil || len(m[2]) > 4 && m[2][0] == '0' {
		return Null(), fmt.Errorf("%w: %.128q is not of the form 2026-01-31", errTemporal, s)
	}
	y, month, d := atoi(m[2]), atoi(m[3]), atoi(m[4])
	if m[1] == "-" {
		y = -y
	}
	v := NewDate(y, time.Month(month), d)
	t, _ := AsDate(v)
	if t.Year() != y || t.Month() != time.Month(month) || t.Day() != d {
		return Null(), fmt.Errorf("%w: there is no day %q", errTemporal, s)
	}
	return v, nil
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// maxOffset is how far, in seconds, a zone may lie from UTC (XML Schema 1.1, 3.2.7).
const maxOffset = 14 * 3600

// MaxOffset is how far a zone may lie from UTC.
const MaxOffset = maxOffset * time.Second

// ParseZone reads a time zone: Z, an offset such as +01:00, or the name of one, which
// is given then.
func ParseZone(s string, zone Zones) (loc *time.Location, name string, err error) {
	sign := "@"
	if s == "Z" || s == "z" || strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") {
		sign = ""
	}
	c, loc, err := parseClock("00:00:00"+sign+strings.TrimPrefix(s, "@"), zone)
	if err != nil || c.Local {
		return nil, "", fmt.Errorf("%w: the time zone %.64q is unknown", errTemporal, s)
	}
	return loc, c.Zone, nil
}

// ParseClock reads hh:mm:ss with fraction and zone.
func ParseClock(s string, zone Zones) (Value, error) {
	c, _, err := parseClock(s, zone)
	if err != nil {
		return Null(), err
	}
	return NewClock(c), nil
}

func parseClock(s string, zone Zones) (Clock, *time.Location, error) {
	if at, ok := strings.CutSuffix(s, "]"); ok { // 09:30:00+02:00[Europe/Berlin]
		at, name, found := strings.Cut(at, "[")
		if m := submatch(clockPattern, at); found && m != nil && m[5] != "" && m[5][0] != '@' {
			s = strings.TrimSuffix(at, m[5]) + "@" + name
		}
	}
	m := submatch(clockPattern, s)
	bad := fmt.Errorf("%w: %.128q is not of the form 08:30:00", errTemporal, s)
	if m == nil || m[3] == "" && m[5] != "" {
		return Clock{}, nil, bad
	}
	h, minute, sec := atoi(m[1]), atoi(m[2]), atoi(m[3])
	if h > 23 || minute > 59 || sec > 59 {
		return Clock{}, nil, bad
	}
	frac := (m[4] + "000000000")[:9]
	c := Clock{Nanos: int64(h*3600+minute*60+sec)*int64(time.Second) + int64(atoi(frac))}
	switch z := m[5]; {
	case z == "":
		c.Local = true
		return c, time.UTC, nil
	case z == "Z" || z == "z":
		return c, time.UTC, nil
	case z[0] == '@':
		c.Zone = z[1:]
		if zone == nil {
			return Clock{}, nil, fmt.Errorf("%w: no time zones are known", errTemporal)
		}
		loc, err := zone(c.Zone)
		if err != nil {
			return Clock{}, nil, fmt.Errorf("%w: the time zone %q is unknown", errTemporal, c.Zone)
		}
		_, c.Offset = time.Unix(0, 0).In(loc).Zone()
		return c, loc, nil
	default:
		p := strings.Split(z[1:], ":")
		c.Offset = atoi(p[0])*3600 + atoi(p[1])*60
		if len(p) == 3 {
			c.Offset += atoi(p[2])
		}
		if c.Offset > maxOffset || atoi(p[1]) > 59 {
			return Clock{}, nil, bad
		}
		if z[0] == '-' {
			c.Offset = -c.Offset
		}
		return c, time.FixedZone("", c.Offset), nil
	}
}

// ParseDateTime reads YYYY-MM-DDThh:mm:ss with fraction and zone.
func ParseDateTime(s string, zone func(string) (*time.Location, error)) (Value, error) {
	day, clock, found := strings.Cut(s, "T")
	d, err := ParseDate(day)
	if err != nil {
		return Null(), err
	}
	if !found {
		return NewMoment(Moment{T: d.ref.(time.Time), Local: true}), nil
	}
	rest, midnight := strings.CutPrefix(clock, "24:00:00") // which ends the day
	if midnight {
		t, _ := AsDate(d)
		d, clock = Value{kind: KindDate, ref: t.AddDate(0, 0, 1)}, "00:00:00"+rest
	}
	c, loc, err := parseClock(clock, zone)
	if err != nil || midnight && c.Nanos > 0 {
		return Null(), errors.Join(err, fmt.Errorf("%w: %q", errTemporal, s))
	}
	return Join(d, c, loc), nil
}

// Join makes a date and time of a date and a time of day in a zone.
func Join(date Value, c Clock, loc *time.Location) Value {
	d, _ := AsDate(date)
	if loc == nil {
		loc = time.FixedZone("", c.Offset)
	}
	if c.Local {
		loc = time.UTC
	}
	n := c.Nanos
	sec := n / int64(time.Second)
	t := time.Date(d.Year(), d.Month(), d.Day(), int(sec/3600), int(sec/60%60), int(sec%60), int(n%int64(time.Second)), loc)
	return NewMoment(Moment{T: t, Local: c.Local, Zone: c.Zone})
}

// ParseDuration reads an ISO 8601 duration that is one of FEEL: weeks, days and time,
// or years and months.
func ParseDuration(s string) (Value, error) {
	d, err := when.ParseDuration(s)
	switch {
	case err != nil:
		return Null(), err
	case d.HasMonths && d.HasTime:
		return Null(), fmt.Errorf("%w: %q has months and days: a duration of FEEL has years and months, or days and time", errTemporal, s)
	case d.HasMonths:
		return MonthsDuration(d.Months), nil
	}
	return DaysDuration(d.Time), nil
}

// AddDuration adds a duration to an instant; months are those of the calendar.
func AddDuration(t time.Time, d Value) (time.Time, error) {
	if days, ok := AsDuration(d); ok {
		return t.Add(days), nil
	}
	months, ok := AsMonths(d)
	if !ok {
		return t, fmt.Errorf("%w: %s is no duration", errTemporal, d.kind)
	}
	return when.Duration{Months: months}.After(t)
}
