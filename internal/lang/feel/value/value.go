// Package value holds the values of FEEL: immutable, comparable by FEEL's own
// rules, exchanged as JSON.
//
// A number is an int64 as long as it fits, else a decimal of 34 digits rounded
// half to even (DMN 1.5, 10.3.2.3.1).
package value

import (
	"time"

	"github.com/cockroachdb/apd/v3"
)

// Kind is the type of a value.
type Kind uint8

// The kinds.
const (
	KindNull Kind = iota
	KindBool
	KindNumber
	KindString
	KindDate
	KindTime
	KindDateTime
	KindDaysDuration
	KindMonthsDuration
	KindList
	KindContext
	KindRange
	KindFunction
	// KindAny is that of types that every value fits; no value has it.
	KindAny
)

var kindNames = [...]string{"null", "a boolean", "a number", "a string", "a date", "a time", "a date and time", "a days and time duration",
	"a years and months duration", "a list", "a context", "a range", "a function", "anything"}

// String is the kind as it reads in a sentence: "a list".
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return "an unknown value"
	}
	return kindNames[k]
}

// Value is a FEEL value; the zero Value is null.
type Value struct {
	kind Kind
	num  int64 // boolean, small number, duration in nanoseconds or months, weight and depth
	ref  any   // everything else
}

// Null is the null value.
func Null() Value { return Value{} }

// Bool makes a boolean.
func Bool(b bool) Value {
	if b {
		return Value{kind: KindBool, num: 1}
	}
	return Value{kind: KindBool}
}

// String makes a string.
func String(s string) Value { return Value{kind: KindString, ref: s} }

// Int makes a number.
func Int(i int64) Value { return Value{kind: KindNumber, num: i} }

// Decimal makes a number; one that is a small integer is kept as such.
func Decimal(d *apd.Decimal) Value {
	if d.Form != apd.Finite {
		return Null()
	}
	if i, err := d.Int64(); err == nil {
		return Int(i)
	}
	return Value{kind: KindNumber, ref: d}
}

// DaysDuration makes a days and time duration.
func DaysDuration(d time.Duration) Value { return Value{kind: KindDaysDuration, num: int64(d)} }

// MonthsDuration makes a years and months duration.
func MonthsDuration(months int64) Value { return Value{kind: KindMonthsDuration, num: months} }

// Range is an interval; a missing bound is null. (=10) and (!=10) are ranges
// too: their Op is "=" or "!=", and both bounds are the value.
type Range struct {
	Low, High         Value
	LowOpen, HighOpen bool
	Op                string
}

// NewRange makes a range.
func NewRange(r Range) Value { return Value{kind: KindRange, ref: &r} }

// Function can be called with as many arguments as it has parameters. Types are
// those of the parameters, where it is known or nil; Result is what it gives.
type Function struct {
	Params []string
	Types  []*Type
	Result *Type
	// Variadic functions, such as sum, also take the items of their one list one
	// by one.
	Variadic bool
	// Optional is how many of the last parameters may be left out.
	Optional int
	Call     func(args []Value) Value
}

// Takes reports whether the function can be called with so many arguments.
func (f *Function) Takes(n int) bool {
	return f.Variadic && n > 0 || n <= len(f.Params) && n >= len(f.Params)-f.Optional
}

// typ is the type of the function.
func (f *Function) typ() *Type {
	t := &Type{Kind: KindFunction, Params: make([]*Type, len(f.Params)), Result: f.Result, variadic: f.Variadic}
	copy(t.Params, f.Types)
	return t
}

// NewFunction makes a function a value.
func NewFunction(f *Function) Value { return Value{kind: KindFunction, ref: f} }

// Kind is the type of the value.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether the value is null.
func (v Value) IsNull() bool { return v.kind == KindNull }

// AsBool gives a boolean.
func AsBool(v Value) (b, ok bool) { return v.num != 0, v.kind == KindBool }

// AsString gives a string.
func AsString(v Value) (string, bool) {
	s, ok := v.ref.(string)
	return s, ok && v.kind == KindString
}

// AsInt gives a number that is an integer.
func AsInt(v Value) (int64, bool) {
	if v.kind != KindNumber {
		return 0, false
	}
	if d, ok := v.ref.(*apd.Decimal); ok {
		var whole apd.Decimal
		if _, err := context34.RoundToIntegralValue(&whole, d); err != nil || whole.Cmp(d) != 0 {
			return 0, false
		}
		i, err := whole.Int64()
		return i, err == nil
	}
	return v.num, true
}

// AsList gives the items of a list, which must not be changed.
func AsList(v Value) ([]Value, bool) {
	l, ok := v.ref.([]Value)
	return l, ok
}

// AsRange gives a range.
func AsRange(v Value) (Range, bool) {
	r, ok := v.ref.(*Range)
	if !ok {
		return Range{}, false
	}
	return *r, true
}

// AsFunction gives a function.
func AsFunction(v Value) (*Function, bool) {
	f, ok := v.ref.(*Function)
	return f, ok
}

// AsDuration gives a days and time duration.
func AsDuration(v Value) (time.Duration, bool) {
	return time.Duration(v.num), v.kind == KindDaysDuration
}

// AsMonths gives a years and months duration in months.
func AsMonths(v Value) (int64, bool) { return v.num, v.kind == KindMonthsDuration }
