package value

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// String is the value as the FEEL function string() writes it; FEEL syntax
// within lists and contexts.
func (v Value) String() string {
	if s, ok := AsString(v); ok {
		return s
	}
	var b strings.Builder
	v.write(&b)
	return b.String()
}

// literal is the value in FEEL syntax, also where it is a string.
func (v Value) literal() string {
	var b strings.Builder
	v.write(&b)
	return b.String()
}

func (v Value) write(b *strings.Builder) {
	switch v.kind {
	case KindNull:
		b.WriteString("null")
	case KindBool:
		b.WriteString(strconv.FormatBool(v.num != 0))
	case KindNumber:
		b.WriteString(numberText(v))
	case KindString:
		quote(b, v.ref.(string))
	case KindList:
		b.WriteByte('[')
		for i, item := range v.ref.([]Value) {
			if i > 0 {
				b.WriteString(", ")
			}
			item.write(b)
		}
		b.WriteByte(']')
	case KindContext:
		c := v.ref.(*Context)
		b.WriteByte('{')
		for i := range c.entries {
			if i > 0 {
				b.WriteString(", ")
			}
			writeKey(b, c.entries[i].key)
			b.WriteString(": ")
			c.entries[i].v.write(b)
		}
		b.WriteByte('}')
	case KindRange:
		b.WriteString(v.ref.(*Range).text())
	case KindFunction:
		b.WriteString("function(" + strings.Join(v.ref.(*Function).Params, ", ") + ")")
	default:
		b.WriteString(temporalText(v))
	}
}

var escapes = strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`)

// quote writes a string as a FEEL literal.
func quote(b *strings.Builder, s string) {
	b.WriteByte('"')
	_, _ = escapes.WriteString(b, s) // a builder takes everything
	b.WriteByte('"')
}

// writeKey writes a key, quoted where it would not read as a name.
func writeKey(b *strings.Builder, key string) {
	if key == "" || strings.ContainsAny(key, "{}[](),:\"\\\n\r\t") {
		quote(b, key)
		return
	}
	b.WriteString(key)
}

func (r *Range) text() string {
	if r.Op != "" {
		return "(" + r.Op + r.Low.literal() + ")"
	}
	open, end := "[", "]"
	if r.LowOpen {
		open = "("
	}
	if r.HighOpen {
		end = ")"
	}
	var b strings.Builder
	b.WriteString(open)
	r.Low.write(&b)
	b.WriteString("..")
	r.High.write(&b)
	return b.String() + end
}

func temporalText(v Value) string {
	switch x := v.ref.(type) {
	case time.Time:
		return dateText(x)
	case Moment:
		s := dateText(x.T) + "T" + clockText(nanosOf(x.T))
		if x.Local {
			return s
		}
		_, offset := x.T.Zone()
		return s + zoneText(offset, x.Zone)
	case Clock:
		s := clockText(x.Nanos)
		if x.Local {
			return s
		}
		return s + zoneText(x.Offset, x.Zone)
	}
	if v.kind == KindMonthsDuration {
		return monthsText(v.num)
	}
	return daysText(v.num)
}

func nanosOf(t time.Time) int64 {
	return int64(t.Hour()*3600+t.Minute()*60+t.Second())*int64(time.Second) + int64(t.Nanosecond())
}

func dateText(t time.Time) string {
	if t.Year() < 0 {
		return fmt.Sprintf("-%04d-%02d-%02d", -t.Year(), t.Month(), t.Day())
	}
	return fmt.Sprintf("%04d-%02d-%02d", t.Year(), t.Month(), t.Day())
}

func clockText(nanos int64) string {
	sec := nanos / int64(time.Second)
	s := fmt.Sprintf("%02d:%02d:%02d", sec/3600, sec/60%60, sec%60)
	if frac := nanos % int64(time.Second); frac != 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%09d", frac), "0")
	}
	return s
}

func zoneText(offset int, zone string) string {
	if zone != "" {
		return "@" + zone
	}
	if offset == 0 {
		return "Z"
	}
	sign := '+'
	if offset < 0 {
		sign, offset = '-', -offset
	}
	s := fmt.Sprintf("%c%02d:%02d", sign, offset/3600, offset/60%60)
	if offset%60 != 0 {
		s += fmt.Sprintf(":%02d", offset%60)
	}
	return s
}

func monthsText(months int64) string {
	sign := ""
	if months < 0 {
		sign, months = "-", -months
	}
	s := sign + "P"
	if months >= 12 {
		s += fmt.Sprintf("%dY", months/12)
	}
	if months%12 != 0 || months == 0 {
		s += fmt.Sprintf("%dM", months%12)
	}
	return s
}

func daysText(nanos int64) string {
	if nanos == 0 {
		return "PT0S"
	}
	var b strings.Builder
	if nanos < 0 {
		b.WriteByte('-')
		nanos = -nanos
	}
	b.WriteByte('P')
	day := int64(24 * time.Hour)
	if d := nanos / day; d > 0 {
		fmt.Fprintf(&b, "%dD", d)
	}
	if nanos %= day; nanos == 0 {
		return b.String()
	}
	b.WriteByte('T')
	sec := nanos / int64(time.Second)
	if h := sec / 3600; h > 0 {
		fmt.Fprintf(&b, "%dH", h)
	}
	if m := sec / 60 % 60; m > 0 {
		fmt.Fprintf(&b, "%dM", m)
	}
	if s, frac := sec%60, nanos%int64(time.Second); s > 0 || frac > 0 {
		fmt.Fprintf(&b, "%d", s)
		if frac > 0 {
			b.WriteString("." + strings.TrimRight(fmt.Sprintf("%09d", frac), "0"))
		}
		b.WriteByte('S')
	}
	return b.String()
}
