package value

import (
	"strings"
	"time"
)

// Equal compares by FEEL's rules; ok is false where the kinds differ, for which
// the answer is null. Null equals only null.
func Equal(a, b Value) (equal, ok bool) {
	if a.kind == KindNull || b.kind == KindNull {
		return a.kind == b.kind, true
	}
	if a.kind != b.kind {
		return false, false
	}
	switch a.kind {
	case KindBool:
		return a.num == b.num, true
	case KindString:
		return a.ref.(string) == b.ref.(string), true
	case KindList:
		return equalLists(a.ref.([]Value), b.ref.([]Value)), true
	case KindContext:
		return equalContexts(a.ref.(*Context), b.ref.(*Context)), true
	case KindRange:
		x, y := a.ref.(*Range), b.ref.(*Range)
		return x.Op == y.Op && x.LowOpen == y.LowOpen && x.HighOpen == y.HighOpen && Same(x.Low, y.Low) && Same(x.High, y.High), true
	case KindFunction:
		return a.ref == b.ref, true
	}
	c, ok := Compare(a, b)
	return c == 0, ok
}

// Same is Equal where different kinds are just not equal.
func Same(a, b Value) bool {
	equal, ok := Equal(a, b)
	return equal && ok
}

func equalLists(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !Same(a[i], b[i]) {
			return false
		}
	}
	return true
}

func equalContexts(a, b *Context) bool {
	if len(a.entries) != len(b.entries) {
		return false
	}
	for i := range a.entries {
		other, ok := b.Get(a.entries[i].key)
		if !ok || !Same(a.entries[i].v, other) {
			return false
		}
	}
	return true
}

// Compare orders two values of one ordered kind: numbers, strings, dates, times,
// durations. Times, and dates with times, are compared by their seconds: what is
// beyond has no weight (DMN 1.5, 10.3.2.3.4 and 10.3.2.3.6).
func Compare(a, b Value) (order int, ok bool) {
	if a.kind != b.kind {
		return 0, false
	}
	switch a.kind {
	case KindNumber:
		if a.ref == nil && b.ref == nil {
			return cmpInt(a.num, b.num), true
		}
		x, _ := AsDecimal(a)
		y, _ := AsDecimal(b)
		return x.Cmp(y), true
	case KindString:
		return strings.Compare(a.ref.(string), b.ref.(string)), true
	case KindDaysDuration, KindMonthsDuration:
		return cmpInt(a.num, b.num), true
	case KindDate:
		return a.ref.(time.Time).Compare(b.ref.(time.Time)), true
	case KindDateTime:
		return compareMoments(a.ref.(Moment), b.ref.(Moment))
	case KindTime:
		return compareClocks(a.ref.(Clock), b.ref.(Clock))
	}
	return 0, false
}

func cmpInt(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Contains reports whether a value lies in a range; ok is false where they
// cannot be compared.
func (r Range) Contains(v Value) (in, ok bool) {
	if r.Op != "" {
		equal, ok := Equal(v, r.Low)
		return equal == (r.Op == "="), ok
	}
	if !r.Low.IsNull() {
		c, ok := Compare(v, r.Low)
		if !ok {
			return false, false
		}
		if c < 0 || c == 0 && r.LowOpen {
			return false, true
		}
	}
	if !r.High.IsNull() {
		c, ok := Compare(v, r.High)
		if !ok {
			return false, false
		}
		if c > 0 || c == 0 && r.HighOpen {
			return false, true
		}
	}
	return true, true
}
