package builtin

import (
	"strings"
	"time"

	"sextant/internal/lang/feel/value"
)

var temporals = []Func{
	{Name: "date", Params: [][]string{{"from"}, {"year", "month", "day"}}, fn: date},
	{Name: "time", Params: [][]string{{"from"}, {"hour", "minute", "second", "offset?"}}, fn: clock},
	{Name: "date and time", Params: [][]string{{"from"}, {"date", "time"}, {"date", "timezone"}}, fn: dateAndTime},
	{Name: "duration", Params: one("from"), fn: duration},
	{Name: "years and months duration", Params: one("from", "to"), fn: yearsAndMonths},
	{Name: "now", Params: [][]string{{}}, fn: func(c *Call, _ []value.Value) value.Value {
		if c.Now.IsZero() {
			return c.null("there is no current time here")
		}
		return value.NewMoment(value.Moment{T: c.Now})
	}},
	{Name: "today", Params: [][]string{{}}, fn: func(c *Call, _ []value.Value) value.Value {
		if c.Now.IsZero() {
			return c.null("there is no current date here")
		}
		return value.NewDate(c.Now.Date())
	}},
	{Name: "day of week", Params: one("date"), fn: onDate(func(t time.Time) value.Value { return value.String(t.Weekday().String()) })},
	{Name: "day of year", Params: one("date"), fn: onDate(func(t time.Time) value.Value { return value.Int(int64(t.YearDay())) })},
	{Name: "month of year", Params: one("date"), fn: onDate(func(t time.Time) value.Value { return value.String(t.Month().String()) })},
	{Name: "week of year", Params: one("date"), fn: onDate(func(t time.Time) value.Value {
		_, week := t.ISOWeek()
		return value.Int(int64(week))
	})},
	{Name: "last day of month", Params: one("date"), fn: onDate(func(t time.Time) value.Value {
		return value.NewDate(t.Year(), t.Month()+1, 0)
	})},
}

// ParseTemporal reads the text of @"…": whatever temporal value it is.
func ParseTemporal(s string, zone func(string) (*time.Location, error)) (value.Value, error) {
	t, colon := strings.IndexByte(s, 'T'), strings.IndexByte(s, ':')
	switch {
	case strings.HasPrefix(strings.TrimPrefix(s, "-"), "P"):
		return value.ParseDuration(s)
	case t >= 0 && (colon < 0 || t < colon): // else it belongs to a zone
		return value.ParseDateTime(s, zone)
	case colon >= 0:
		return value.ParseClock(s, zone)
	}
	return value.ParseDate(s)
}

func parsed(c *Call, v value.Value, parse func(string) (value.Value, error)) value.Value {
	s, ok := value.AsString(v)
	if !ok {
		return c.null("%s is no text", v.Kind())
	}
	out, err := parse(s)
	if err != nil {
		return c.null("%s", err)
	}
	return out
}

func duration(c *Call, a []value.Value) value.Value {
	if a[0].Kind() == value.KindDaysDuration || a[0].Kind() == value.KindMonthsDuration {
		return a[0]
	}
	return parsed(c, a[0], value.ParseDuration)
}

func date(c *Call, a []value.Value) value.Value {
	if len(a) == 3 {
		y, ok1 := value.Whole(a[0])
		m, ok2 := value.Whole(a[1])
		d, ok3 := value.Whole(a[2])
		if !ok1 || !ok2 || !ok3 || y < -999999999 || y > 999999999 {
			return c.null("a date is made of three whole numbers")
		}
		v := value.NewDate(int(y), time.Month(m), int(d))
		if t, _ := value.AsDate(v); t.Month() != time.Month(m) || t.Day() != int(d) {
			return c.null("there is no day %d-%d-%d", y, m, d)
		}
		return v
	}
	if len(a) != 1 {
		return c.null("date wants one or three arguments")
	}
	if m, ok := value.AsMoment(a[0]); ok {
		return value.NewDate(m.T.Date())
	}
	if a[0].Kind() == value.KindDate {
		return a[0]
	}
	return parsed(c, a[0], value.ParseDate)
}

func clock(c *Call, a []value.Value) value.Value {
	if len(a) >= 3 {
		return clockOf(c, a)
	}
	if len(a) != 1 {
		return c.null("time wants one, three or four arguments")
	}
	if m, ok := value.AsMoment(a[0]); ok {
		_, offset := m.T.Zone()
		h, min, s := m.T.Clock()
		return value.NewClock(value.Clock{Nanos: int64(h*3600+min*60+s)*int64(time.Second) + int64(m.T.Nanosecond()),
			Offset: offset, Local: m.Local, Zone: m.Zone})
	}
	if a[0].Kind() == value.KindDate {
		return value.NewClock(value.Clock{})
	}
	if a[0].Kind() == value.KindTime {
		return a[0]
	}
	return parsed(c, a[0], func(s string) (value.Value, error) { return value.ParseClock(strings.TrimPrefix(s, "T"), c.Zone) })
}

func clockOf(c *Call, a []value.Value) value.Value {
	h, ok1 := value.Whole(a[0])
	m, ok2 := value.Whole(a[1])
	nanos, ok3 := value.Whole(value.Mul(a[2], value.Int(int64(time.Second))))
	if !ok1 || !ok2 || !ok3 || h < 0 || h > 23 || m < 0 || m > 59 || nanos < 0 || nanos >= int64(time.Minute) {
		return c.null("there is no such time of day")
	}
	out := value.Clock{Nanos: (h*3600+m*60)*int64(time.Second) + nanos, Local: true}
	if len(a) > 3 && !a[3].IsNull() {
		d, ok := value.AsDuration(a[3])
		if !ok || d > value.MaxOffset || d < -value.MaxOffset {
			return c.null("the offset is no duration of a time zone")
		}
		out.Local, out.Offset = false, int(d/time.Second)
	}
	return value.NewClock(out)
}

func dateAndTime(c *Call, a []value.Value) value.Value {
	if len(a) == 1 {
		if a[0].Kind() == value.KindDateTime {
			return a[0]
		}
		if t, ok := value.AsDate(a[0]); ok {
			return value.NewMoment(value.Moment{T: t, Local: true})
		}
		return parsed(c, a[0], func(s string) (value.Value, error) { return value.ParseDateTime(s, c.Zone) })
	}
	if name, ok := value.AsString(a[1]); ok {
		return inZone(c, a[0], name)
	}
	day := date(c, a[:1])
	at, ok := value.AsClock(a[1])
	if day.IsNull() || !ok {
		return c.null("date and time wants a date and a time")
	}
	if at.Zone != "" && c.Zone != nil {
		if loc, err := c.Zone(at.Zone); err == nil {
			return value.Join(day, at, loc)
		}
	}
	return value.Join(day, at, nil)
}

// inZone gives the same instant in a zone; a local time becomes one of the zone.
func inZone(c *Call, v value.Value, name string) value.Value {
	if s, ok := value.AsString(v); ok {
		v, _ = value.ParseDateTime(s, c.Zone)
	}
	m, ok := value.AsMoment(v)
	if !ok {
		return c.null("date and time with a time zone wants a date and time")
	}
	loc, named, err := value.ParseZone(name, c.Zone)
	if err != nil {
		return c.null("%s", err)
	}
	if m.Local {
		m.T = time.Date(m.T.Year(), m.T.Month(), m.T.Day(), m.T.Hour(), m.T.Minute(), m.T.Second(), m.T.Nanosecond(), loc)
	}
	return value.NewMoment(value.Moment{T: m.T.In(loc), Zone: named})
}

func onDate(fn func(time.Time) value.Value) func(*Call, []value.Value) value.Value {
	return func(c *Call, a []value.Value) value.Value {
		d, ok := value.AsDate(a[0])
		if m, isMoment := value.AsMoment(a[0]); isMoment {
			d, ok = m.T, true
		}
		if !ok {
			return c.null("%s is no date", a[0].Kind())
		}
		return fn(d)
	}
}

func yearsAndMonths(c *Call, a []value.Value) value.Value {
	from, ok1 := day(a[0])
	to, ok2 := day(a[1])
	if !ok1 || !ok2 {
		return c.null("years and months duration wants two dates")
	}
	sign := int64(1)
	if to.Before(from) {
		from, to, sign = to, from, -1
	}
	months := int64(to.Year()-from.Year())*12 + int64(to.Month()-from.Month())
	if to.Day() < from.Day() {
		months--
	}
	return value.MonthsDuration(sign * months)
}

func day(v value.Value) (time.Time, bool) {
	if m, ok := value.AsMoment(v); ok {
		return m.T, true
	}
	return value.AsDate(v)
}

// Property gives a property of a temporal value or a range: x.year.
func Property(v value.Value, name string) (value.Value, bool) {
	switch v.Kind() {
	case value.KindDate, value.KindDateTime:
		t, _ := day(v)
		switch name {
		case "year":
			return value.Int(int64(t.Year())), true
		case "month":
			return value.Int(int64(t.Month())), true
		case "day":
			return value.Int(int64(t.Day())), true
		case "weekday":
			return value.Int(int64((t.Weekday()+6)%7 + 1)), true
		}
		if m, ok := value.AsMoment(v); ok {
			h, min, s := m.T.Clock()
			_, offset := m.T.Zone()
			return clockProperty(value.Clock{Nanos: int64(h*3600+min*60+s) * int64(time.Second), Offset: offset, Local: m.Local, Zone: m.Zone}, name)
		}
	case value.KindTime:
		c, _ := value.AsClock(v)
		return clockProperty(c, name)
	case value.KindDaysDuration, value.KindMonthsDuration:
		return durationProperty(v, name)
	case value.KindRange:
		return rangeProperty(v, name)
	}
	return value.Null(), false
}

func clockProperty(c value.Clock, name string) (value.Value, bool) {
	sec := c.Nanos / int64(time.Second)
	switch name {
	case "hour":
		return value.Int(sec / 3600), true
	case "minute":
		return value.Int(sec / 60 % 60), true
	case "second":
		return value.Int(sec % 60), true
	case "time offset":
		if c.Local {
			return value.Null(), true
		}
		return value.DaysDuration(time.Duration(c.Offset) * time.Second), true
	case "timezone":
		if c.Zone == "" {
			return value.Null(), true
		}
		return value.String(c.Zone), true
	}
	return value.Null(), false
}

func durationProperty(v value.Value, name string) (value.Value, bool) {
	if m, ok := value.AsMonths(v); ok {
		switch name {
		case "years":
			return value.Int(m / 12), true
		case "months":
			return value.Int(m % 12), true
		}
		return value.Null(), false
	}
	d, _ := value.AsDuration(v)
	sec := int64(d / time.Second)
	switch name {
	case "days":
		return value.Int(sec / 86400), true
	case "hours":
		return value.Int(sec / 3600 % 24), true
	case "minutes":
		return value.Int(sec / 60 % 60), true
	case "seconds":
		return value.Int(sec % 60), true
	}
	return value.Null(), false
}

func rangeProperty(v value.Value, name string) (value.Value, bool) {
	r, _ := value.AsRange(v)
	switch name {
	case "start":
		return r.Low, true
	case "end":
		return r.High, true
	case "start included":
		return value.Bool(!r.LowOpen), true
	case "end included":
		return value.Bool(!r.HighOpen), true
	}
	return value.Null(), false
}
