package value

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

const (
	digits      = 34
	maxExponent = 6144
)

// context34 computes as IEEE 754-2008 decimal128 does.
var context34 = apd.Context{Precision: digits, MaxExponent: maxExponent, MinExponent: -6143, Rounding: apd.RoundHalfEven}

// AsDecimal gives a number as a decimal, which must not be changed.
func AsDecimal(v Value) (*apd.Decimal, bool) {
	if v.kind != KindNumber {
		return nil, false
	}
	if d, ok := v.ref.(*apd.Decimal); ok {
		return d, true
	}
	return apd.New(v.num, 0), true
}

// ParseNumber reads a number as JSON and FEEL write it.
func ParseNumber(s string) (Value, bool) {
	if s == "" || len(s) > 128 || strings.Trim(s, "+-0123456789.eE") != "" {
		return Null(), false
	}
	d, _, err := context34.NewFromString(s)
	if err != nil || d.Form != apd.Finite {
		return Null(), false
	}
	return Decimal(d), true
}

// small reports whether both are numbers that an int64 holds.
func small(a, b Value) bool {
	return a.kind == KindNumber && b.kind == KindNumber && a.ref == nil && b.ref == nil
}

// Add adds numbers; null where the result has no place.
func Add(a, b Value) Value {
	if small(a, b) {
		if sum := a.num + b.num; (sum > a.num) == (b.num > 0) {
			return Int(sum)
		}
	}
	return compute(a, b, add)
}

func add(d, x, y *apd.Decimal) (apd.Condition, error) {
	switch far := apart(x, y); {
	case far > 0:
		return context34.Round(d, x)
	case far < 0:
		return context34.Round(d, y)
	}
	return context34.Add(d, x, y)
}

func sub(d, x, y *apd.Decimal) (apd.Condition, error) {
	switch far := apart(x, y); {
	case far > 0:
		return context34.Round(d, x)
	case far < 0:
		return context34.Neg(d, y)
	}
	return context34.Sub(d, x, y)
}

// apart is 1 or -1 where one number is too small beside the other, the second or
// the first, to change its 34 digits: adding them digit by digit would take
// thousands of zeros.
func apart(x, y *apd.Decimal) int {
	if x.IsZero() || y.IsZero() {
		return 0
	}
	switch distance := (int64(x.Exponent) + x.NumDigits()) - (int64(y.Exponent) + y.NumDigits()); {
	case distance > digits+2:
		return 1
	case distance < -digits-2:
		return -1
	}
	return 0
}

// Sub subtracts numbers.
func Sub(a, b Value) Value {
	if small(a, b) {
		if diff := a.num - b.num; (diff < a.num) == (b.num > 0) {
			return Int(diff)
		}
	}
	return compute(a, b, sub)
}

// Mul multiplies numbers.
func Mul(a, b Value) Value {
	if small(a, b) && a.num != math.MinInt64 && b.num != math.MinInt64 {
		hi, lo := bits.Mul64(magnitude(a.num), magnitude(b.num))
		if hi == 0 && lo <= math.MaxInt64 {
			return Int(a.num * b.num)
		}
	}
	return compute(a, b, context34.Mul)
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return uint64(-n)
	}
	return uint64(n)
}

// Div divides numbers; null for a division by zero.
func Div(a, b Value) Value {
	if small(a, b) && b.num != 0 && b.num != -1 && a.num%b.num == 0 {
		return Int(a.num / b.num)
	}
	return compute(a, b, context34.Quo)
}

// Pow raises a number to a power.
func Pow(a, b Value) Value {
	if e, ok := AsInt(b); ok && (e > 10_000 || e < -10_000) {
		return Null()
	}
	return compute(a, b, context34.Pow)
}

func compute(a, b Value, op func(d, x, y *apd.Decimal) (apd.Condition, error)) Value {
	x, ok1 := AsDecimal(a)
	y, ok2 := AsDecimal(b)
	if !ok1 || !ok2 {
		return Null()
	}
	var d apd.Decimal
	if _, err := op(&d, x, y); err != nil {
		return Null()
	}
	return Decimal(&d)
}

// Unary applies a function of one number, such as a square root.
func Unary(a Value, op func(c *apd.Context, d, x *apd.Decimal) error) Value {
	x, ok := AsDecimal(a)
	if !ok {
		return Null()
	}
	var d apd.Decimal
	c := context34
	if err := op(&c, &d, x); err != nil {
		return Null()
	}
	return Decimal(&d)
}

// Round rounds a number to a scale, from -6111 to 6176, with a rounding mode.
func Round(a Value, scale int64, mode apd.Rounder) Value {
	if scale < -6111 || scale > 6176 {
		return Null()
	}
	return Unary(a, func(c *apd.Context, d, x *apd.Decimal) error {
		cut := -scale - int64(x.Exponent)
		if cut <= 0 { // nothing to round away
			d.Set(x)
			return nil
		}
		d.Negative, d.Exponent = x.Negative, int32(-scale)
		half := -1 // what is cut off, compared with half of the last place that stays
		rest := !x.IsZero()
		if cut <= x.NumDigits() {
			var left, unit apd.BigInt
			unit.Exp(apd.NewBigInt(10), apd.NewBigInt(cut), nil)
			d.Coeff.QuoRem(&x.Coeff, &unit, &left)
			rest = left.Sign() != 0
			half = left.Add(&left, &left).Cmp(&unit)
		}
		if rest && mode.ShouldAddOne(&d.Coeff, d.Negative, half) {
			d.Coeff.Add(&d.Coeff, apd.NewBigInt(1))
		}
		_, err := c.Round(d, d)
		return err
	})
}

// Whole reads a number where only a whole one makes sense, as a position, a length
// or a scale: what stands behind the point is cut off. ok is false for what is no
// number or beyond an int64.
func Whole(v Value) (int64, bool) {
	if n, ok := AsInt(v); ok || v.kind != KindNumber {
		return n, ok
	}
	return AsInt(Round(v, 0, apd.RoundDown))
}

// Neg negates a number or a duration.
func Neg(v Value) Value {
	switch v.kind {
	case KindNumber:
		return Sub(Int(0), v)
	case KindDaysDuration, KindMonthsDuration:
		return Value{kind: v.kind, num: -v.num}
	}
	return Null()
}

// numberText is the plain decimal text of a number.
func numberText(v Value) string {
	if v.ref == nil {
		return strconv.FormatInt(v.num, 10)
	}
	d, _ := AsDecimal(v)
	var r apd.Decimal
	r.Reduce(d)
	if r.Exponent > 0 && int64(r.Exponent)+r.NumDigits() > digits || r.Exponent < -100 {
		return r.Text('E')
	}
	return r.Text('f')
}
