package builtin

import (
	"math/bits"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"sextant/internal/lang/feel/value"
)

// transcendent is how many steps a function counts for that is computed from a
// series of 34 digits.
const transcendent = 1000

// CostOfPower is how many steps it takes to raise a number to a power. A whole
// one is a squaring for every bit of the exponent.
func CostOfPower(exponent value.Value) int64 {
	if n, whole := value.AsInt(exponent); whole {
		return 15 + 4*int64(bits.Len64(uint64(max(n, -n))))
	}
	return transcendent
}

var numeric = []Func{
	{Name: "not", Params: one("negand"), fn: func(_ *Call, a []value.Value) value.Value {
		if b, ok := value.AsBool(a[0]); ok {
			return value.Bool(!b)
		}
		return value.Null()
	}},
	{Name: "number", Params: one("from", "grouping separator?", "decimal separator?"), fn: number},
	{Name: "decimal", Params: one("n", "scale", "mode?"), fn: decimal},
	{Name: "random number", Params: [][]string{{}}, fn: func(c *Call, _ []value.Value) value.Value {
		if c.Random == nil {
			return c.null("there are no random numbers here")
		}
		v, _ := value.ParseNumber(strconv.FormatFloat(float64(c.Random()>>11)/(1<<53), 'f', -1, 64))
		return v
	}},
	{Name: "floor", Params: one("n", "scale?"), fn: rounder(apd.RoundFloor)},
	{Name: "ceiling", Params: one("n", "scale?"), fn: rounder(apd.RoundCeiling)},
	{Name: "round up", Params: one("n", "scale?"), fn: rounder(apd.RoundUp)},
	{Name: "round down", Params: one("n", "scale?"), fn: rounder(apd.RoundDown)},
	{Name: "round half up", Params: one("n", "scale?"), fn: rounder(apd.RoundHalfUp)},
	{Name: "round half down", Params: one("n", "scale?"), fn: rounder(apd.RoundHalfDown)},
	{Name: "abs", Params: one("n"), fn: abs},
	{Name: "modulo", Params: one("dividend", "divisor"), fn: modulo},
	{Name: "sqrt", Params: one("number"), cost: 20,
		fn: unary(func(c *apd.Context, d, x *apd.Decimal) error { _, err := c.Sqrt(d, x); return err })},
	{Name: "log", Params: one("number"), cost: transcendent, fn: unary(func(c *apd.Context, d, x *apd.Decimal) error {
		_, err := c.Ln(d, x)
		return err
	})},
	{Name: "exp", Params: one("number"), cost: 4 * transcendent, fn: unary(func(c *apd.Context, d, x *apd.Decimal) error {
		_, err := c.Exp(d, x)
		return err
	})},
	{Name: "odd", Params: one("number"), fn: func(_ *Call, a []value.Value) value.Value { return parity(a[0], 1) }},
	{Name: "even", Params: one("number"), fn: func(_ *Call, a []value.Value) value.Value { return parity(a[0], 0) }},
}

func number(c *Call, a []value.Value) value.Value {
	group, ok1 := separator(arg(a, 1), " ,.")
	point, ok2 := separator(arg(a, 2), ",.")
	if !ok1 || !ok2 || group != "" && group == point {
		return c.null("these separators of a number are not possible")
	}
	if a[0].Kind() == value.KindNumber {
		return a[0]
	}
	s, ok := value.AsString(a[0])
	if !ok {
		return c.null("%s is no text of a number", a[0].Kind())
	}
	s = replaceAll(s, group, "")
	if point != "" {
		s = replaceAll(s, point, ".")
	}
	v, ok := value.ParseNumber(s)
	if !ok {
		return c.null("%.128q is no number", s)
	}
	return v
}

// separator reads a separator, one of the signs allowed or null.
func separator(v value.Value, allowed string) (string, bool) {
	s, ok := value.AsString(v)
	return s, v.IsNull() || ok && len(s) == 1 && strings.Contains(allowed, s)
}

func rounder(mode apd.Rounder) func(*Call, []value.Value) value.Value {
	return func(c *Call, a []value.Value) value.Value {
		scale := int64(0)
		if len(a) > 1 {
			n, ok := value.Whole(a[1])
			if !ok {
				return c.null("the scale is no number")
			}
			scale = n
		}
		return value.Round(a[0], scale, mode)
	}
}

// roundings are the names of the modes that decimal takes, as Java has them.
var roundings = map[string]apd.Rounder{
	"UP": apd.RoundUp, "DOWN": apd.RoundDown, "CEILING": apd.RoundCeiling, "FLOOR": apd.RoundFloor,
	"HALF_UP": apd.RoundHalfUp, "HALF_DOWN": apd.RoundHalfDown, "HALF_EVEN": apd.RoundHalfEven, "UNNECESSARY": unnecessary,
}

// unnecessary is the mode in which nothing may be rounded away.
const unnecessary = apd.Round05Up

func decimal(c *Call, a []value.Value) value.Value {
	mode := apd.RoundHalfEven
	if len(a) > 2 {
		name, _ := value.AsString(a[2])
		known, ok := roundings[strings.ToUpper(name)]
		if !ok {
			return c.null("the rounding mode %s is none of UP, DOWN, CEILING, FLOOR, HALF_UP, HALF_DOWN, HALF_EVEN and UNNECESSARY", a[2])
		}
		mode = known
	}
	out := rounder(mode)(c, a[:2])
	if mode == unnecessary && !value.Same(out, a[0]) {
		return c.null("the number has more places than that")
	}
	return out
}

func unary(op func(*apd.Context, *apd.Decimal, *apd.Decimal) error) func(*Call, []value.Value) value.Value {
	return func(_ *Call, a []value.Value) value.Value { return value.Unary(a[0], op) }
}

func abs(c *Call, a []value.Value) value.Value {
	zero := value.Int(0)
	switch a[0].Kind() {
	case value.KindDaysDuration:
		zero = value.DaysDuration(0)
	case value.KindMonthsDuration:
		zero = value.MonthsDuration(0)
	}
	order, ok := value.Compare(a[0], zero)
	if !ok {
		return c.null("%s has no absolute value", a[0].Kind())
	}
	if order < 0 {
		return value.Neg(a[0])
	}
	return a[0]
}

// modulo has the sign of the divisor: dividend - divisor*floor(dividend/divisor).
func modulo(c *Call, a []value.Value) value.Value {
	q := value.Round(value.Div(a[0], a[1]), 0, apd.RoundFloor)
	if q.IsNull() {
		return c.null("modulo has no value for these")
	}
	return value.Sub(a[0], value.Mul(a[1], q))
}

func parity(v value.Value, want int64) value.Value {
	n, ok := value.AsInt(v)
	if !ok {
		if v.Kind() == value.KindNumber {
			return value.Bool(false)
		}
		return value.Null()
	}
	return value.Bool(n&1 == want)
}
