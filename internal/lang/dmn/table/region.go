package table

import (
	"slices"
	"strings"
	"time"

	"sextant/internal/lang/feel/value"
)

// text writes intervals of codes as unary tests; whole is what "-" stands for.
func (c *column) text(all, whole []interval) string {
	if c.kind == value.KindNull || sameIntervals(all, whole) {
		return "-"
	}
	if points, ok := c.otherThan(all); ok {
		return "not(" + points + ")"
	}
	if c.kind != value.KindString {
		all = bridged(all, whole)
	}
	parts := make([]string, 0, len(all))
	for i, iv := range all {
		if i == maxParts {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, c.spanText(iv))
	}
	return strings.Join(parts, ", ")
}

// maxParts bounds the parts of a region that are written out.
const maxParts = 10

func sameIntervals(a, b []interval) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// bridged joins intervals with nothing possible between them.
func bridged(all, whole []interval) []interval {
	var out []interval
	for _, iv := range all {
		if n := len(out); n > 0 && len(overlap([]interval{{out[n-1].high + 1, iv.low - 1}}, whole)) == 0 {
			out[n-1].high = iv.high
			continue
		}
		out = append(out, iv)
	}
	return out
}

// otherThan writes the values that a region leaves out, where it is easier told
// by them: everything but a few values.
func (c *column) otherThan(all []interval) (string, bool) {
	left := complement(all, c.codes()-1)
	if len(all) < 2 || len(left) == 0 || len(left) > maxParts {
		return "", false
	}
	parts := make([]string, len(left))
	for i, iv := range left {
		if iv.low != iv.high || iv.low%2 == 0 {
			return "", false
		}
		parts[i] = literal(c.bounds[iv.low/2], c.kind)
	}
	return strings.Join(parts, ", "), true
}

// spanText writes one interval of codes.
func (c *column) spanText(iv interval) string {
	bound := func(i int32) string { return literal(c.bounds[i], c.kind) }
	lowOpen, highOpen := iv.low%2 == 0, iv.high%2 == 0
	noLow, noHigh := iv.low == 0, iv.high == c.codes()-1
	switch {
	case noLow && noHigh:
		return "-"
	case iv.low == iv.high && !lowOpen:
		return bound(iv.low / 2)
	case noLow:
		return pick(highOpen, "< ", "<= ") + bound(iv.high/2)
	case noHigh:
		return pick(lowOpen, "> ", ">= ") + bound(lower(iv.low))
	}
	return pick(lowOpen, "(", "[") + bound(lower(iv.low)) + ".." + bound(iv.high/2) + pick(highOpen, ")", "]")
}

// lower is the bound that an interval begins at or behind.
func lower(code int32) int32 {
	if code%2 == 0 {
		return code/2 - 1
	}
	return code / 2
}

func pick(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// literal writes a bound as FEEL.
func literal(v value.Value, kind value.Kind) string {
	switch kind {
	case value.KindBool:
		if i, _ := value.AsInt(v); i == 0 {
			return "false"
		}
		return "true"
	case value.KindNumber:
		return v.String()
	case value.KindString:
		quoted := value.NewList([]value.Value{v}).String()
		return quoted[1 : len(quoted)-1]
	}
	return `@"` + v.String() + `"`
}

// sample gives a value with a code; false where none has it, such as between
// one day and the next.
func (c *column) sample(code int32) (value.Value, bool) {
	if len(c.bounds) == 0 {
		if slices.ContainsFunc(c.null, func(word uint64) bool { return word != 0 }) {
			return value.String(""), true // null is told apart from the rest
		}
		return value.Null(), true
	}
	if code%2 == 1 {
		v := c.bounds[code/2]
		if c.kind == value.KindBool {
			i, _ := value.AsInt(v)
			return value.Bool(i == 1), true
		}
		return v, true
	}
	var tries []value.Value
	if code > 0 {
		tries = next(c.bounds[code/2-1], 1)
	}
	if int(code/2) < len(c.bounds) {
		tries = append(tries, next(c.bounds[code/2], -1)...)
		if code > 0 && c.kind == value.KindNumber {
			tries = append(tries, value.Div(value.Add(c.bounds[code/2-1], c.bounds[code/2]), value.Int(2)))
		}
	}
	for _, v := range tries {
		if c.kind != value.KindBool && c.code(v) == code {
			return v, true
		}
	}
	return value.Null(), false
}

// next are values near a bound, above or below it.
func next(v value.Value, direction int) []value.Value {
	switch v.Kind() {
	case value.KindNumber:
		return []value.Value{value.Add(v, value.Int(int64(direction)))}
	case value.KindString:
		s, _ := value.AsString(v)
		if direction < 0 {
			return []value.Value{value.String("")}
		}
		return []value.Value{value.String(s + "~"), value.String(s + " "), value.String(s + "\x00")}
	case value.KindDate:
		t, _ := value.AsDate(v)
		t = t.AddDate(0, 0, direction)
		return []value.Value{value.NewDate(t.Year(), t.Month(), t.Day())}
	case value.KindDateTime:
		m, _ := value.AsMoment(v)
		m.T = m.T.Add(time.Duration(direction) * time.Second)
		return []value.Value{value.NewMoment(m)}
	case value.KindTime:
		c, _ := value.AsClock(v)
		c.Nanos += int64(direction) * int64(time.Second)
		if c.Nanos < 0 || c.Nanos >= int64(24*time.Hour) {
			return nil
		}
		return []value.Value{value.NewClock(c)}
	case value.KindDaysDuration:
		d, _ := value.AsDuration(v)
		return []value.Value{value.DaysDuration(d + time.Duration(direction)*time.Hour), value.DaysDuration(d + time.Duration(direction))}
	case value.KindMonthsDuration:
		m, _ := value.AsMonths(v)
		return []value.Value{value.MonthsDuration(m + int64(direction))}
	}
	return nil
}
