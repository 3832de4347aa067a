package builtin

import (
	"strings"

	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

// The relations of points and ranges (DMN 1.5, 10.3.4.9 and Allen's algebra).
var ranges = []Func{
	{Name: "range", Params: one("from"), cost: 100, fn: rangeOf},
	{Name: "before", Params: pairs4, fn: related(func(a, b value.Range) (bool, bool) {
		c, ok := value.Compare(a.High, b.Low)
		return c < 0 || c == 0 && (a.HighOpen || b.LowOpen), ok
	})},
	{Name: "after", Params: pairs4, fn: related(func(a, b value.Range) (bool, bool) {
		c, ok := value.Compare(a.Low, b.High)
		return c > 0 || c == 0 && (a.LowOpen || b.HighOpen), ok
	})},
	{Name: "meets", Params: rangesOnly, fn: related(func(a, b value.Range) (bool, bool) {
		c, ok := value.Compare(a.High, b.Low)
		return c == 0 && !a.HighOpen && !b.LowOpen, ok
	})},
	{Name: "met by", Params: rangesOnly, fn: related(func(a, b value.Range) (bool, bool) {
		c, ok := value.Compare(a.Low, b.High)
		return c == 0 && !a.LowOpen && !b.HighOpen, ok
	})},
	{Name: "overlaps", Params: rangesOnly, fn: related(func(a, b value.Range) (bool, bool) {
		c1, ok1 := value.Compare(a.Low, b.High)
		c2, ok2 := value.Compare(b.Low, a.High)
		return (c1 < 0 || c1 == 0 && !a.LowOpen && !b.HighOpen) && (c2 < 0 || c2 == 0 && !b.LowOpen && !a.HighOpen), ok1 && ok2
	})},
	{Name: "overlaps before", Params: rangesOnly, fn: related(func(a, b value.Range) (bool, bool) {
		low, ok1 := value.Compare(a.Low, b.Low)
		meet, ok2 := value.Compare(b.Low, a.High)
		high, ok3 := value.Compare(a.High, b.High)
		return (low < 0 || low == 0 && !a.LowOpen && b.LowOpen) && (meet < 0 || meet == 0 && !a.HighOpen && !b.LowOpen) &&
			(high < 0 || high == 0 && (a.HighOpen || !b.HighOpen)), ok1 && ok2 && ok3
	})},
	{Name: "overlaps after", Params: rangesOnly, fn: related(func(a, b value.Range) (bool, bool) {
		low, ok1 := value.Compare(b.Low, a.Low)
		meet, ok2 := value.Compare(a.Low, b.High)
		high, ok3 := value.Compare(b.High, a.High)
		return (low < 0 || low == 0 && !b.LowOpen && a.LowOpen) && (meet < 0 || meet == 0 && !b.HighOpen && !a.LowOpen) &&
			(high < 0 || high == 0 && (b.HighOpen || !a.HighOpen)), ok1 && ok2 && ok3
	})},
	{Name: "includes", Params: rangeFirst, fn: related(func(a, b value.Range) (bool, bool) { return covers(a, b) })},
	{Name: "during", Params: pointFirst, fn: related(func(a, b value.Range) (bool, bool) { return covers(b, a) })},
	{Name: "starts", Params: pointFirst, fn: related(func(a, b value.Range) (bool, bool) { return starts(a, b) })},
	{Name: "started by", Params: rangeFirst, fn: related(func(a, b value.Range) (bool, bool) { return starts(b, a) })},
	{Name: "finishes", Params: pointFirst, fn: related(func(a, b value.Range) (bool, bool) { return finishes(a, b) })},
	{Name: "finished by", Params: rangeFirst, fn: related(func(a, b value.Range) (bool, bool) { return finishes(b, a) })},
	{Name: "coincides", Params: [][]string{{"point1", "point2"}, {"range1", "range2"}}, fn: related(func(a, b value.Range) (bool, bool) {
		low, ok1 := value.Compare(a.Low, b.Low)
		high, ok2 := value.Compare(a.High, b.High)
		return low == 0 && high == 0 && a.LowOpen == b.LowOpen && a.HighOpen == b.HighOpen, ok1 && ok2
	})},
}

var boundNames = syntax.NewNames([]string{"date and time"})

const maxRange = 1000 // bytes of the text of a range

// rangeOf reads the text of a range, whose bounds are literals.
func rangeOf(c *Call, a []value.Value) value.Value {
	s, ok := value.AsString(a[0])
	if !ok || len(s) > maxRange {
		return c.null("%s is no text of a range", a[0].Kind())
	}
	n, err := syntax.Parse(filled(s), boundNames)
	if err != nil {
		return c.null("%.128q is no range: %s", s, err)
	}
	r, ok := n.(*syntax.Range)
	if !ok {
		return c.null("%.128q is no range", s)
	}
	low, ok1 := bound(c, r.Low)
	high, ok2 := bound(c, r.High)
	if order, ok := value.Compare(low, high); !ok1 || !ok2 || !low.IsNull() && !high.IsNull() && (!ok || order > 0) {
		return c.null("%.128q is no range of literals in order", s)
	}
	if low.IsNull() && (high.IsNull() || !r.LowOpen) || high.IsNull() && !r.HighOpen {
		return c.null("a bound that is missing in %.128q is not within the range", s)
	}
	return value.NewRange(value.Range{Low: low, High: high, LowOpen: r.LowOpen, HighOpen: r.HighOpen})
}

// filled writes null for a bound that is left out, as in "[2..)".
func filled(s string) string {
	t := strings.TrimSpace(s)
	if len(t) < 4 {
		return s
	}
	open, inner, end := t[:1], strings.TrimSpace(t[1:len(t)-1]), t[len(t)-1:]
	if strings.HasPrefix(inner, "..") {
		inner = "null" + inner
	}
	if strings.HasSuffix(inner, "..") {
		inner += "null"
	}
	return open + inner + end
}

// bound reads a literal or a call such as date("2026-01-31").
func bound(c *Call, n syntax.Node) (value.Value, bool) {
	switch n := n.(type) {
	case *syntax.Literal:
		return n.Value, true
	case *syntax.Temporal:
		v, err := ParseTemporal(n.Text, c.Zone)
		return v, err == nil
	case *syntax.Unary:
		x, ok := n.X.(*syntax.Literal)
		if !ok {
			return value.Null(), false
		}
		v := value.Neg(x.Value)
		return v, !v.IsNull()
	case *syntax.Call:
		name, ok1 := n.Fn.(*syntax.Name)
		if !ok1 || len(n.Args) != 1 {
			return value.Null(), false
		}
		text, ok := n.Args[0].(*syntax.Literal)
		if !ok {
			return value.Null(), false
		}
		read, ok := map[string]func(*Call, []value.Value) value.Value{
			"date": date, "time": clock, "date and time": dateAndTime, "duration": duration}[name.Name]
		if !ok {
			return value.Null(), false
		}
		v := read(c, []value.Value{text.Value})
		return v, !v.IsNull()
	}
	return value.Null(), false
}

// The overloads of the relations (DMN 1.5, table 78). Their names say of what kind
// each argument is.
var (
	rangesOnly = one("range1", "range2")
	rangeFirst = [][]string{{"range", "point"}, {"range1", "range2"}}
	pointFirst = [][]string{{"point", "range"}, {"range1", "range2"}}
	pairs4     = [][]string{{"point1", "point2"}, {"point", "range"}, {"range", "point"}, {"range1", "range2"}}
)

// related reads a point as the range that holds just it.
func related(fn func(a, b value.Range) (holds, ok bool)) func(*Call, []value.Value) value.Value {
	return func(c *Call, args []value.Value) value.Value {
		a, ok1 := asRange(args[0])
		b, ok2 := asRange(args[1])
		if !ok1 || !ok2 {
			return c.null("all but a point is no range here")
		}
		holds, ok := fn(a, b)
		if !ok {
			return c.null("%s and %s have no such relation", args[0].Kind(), args[1].Kind())
		}
		return value.Bool(holds)
	}
}

// asRange reads a point as a range; what is unequal to a point lies on both its
// sides and is none.
func asRange(v value.Value) (value.Range, bool) {
	if r, ok := value.AsRange(v); ok {
		return r, r.Op != "!="
	}
	return value.Range{Low: v, High: v}, true
}

func covers(a, b value.Range) (holds, ok bool) {
	low, ok1 := value.Compare(a.Low, b.Low)
	high, ok2 := value.Compare(b.High, a.High)
	return (low < 0 || low == 0 && (!a.LowOpen || b.LowOpen)) && (high < 0 || high == 0 && (!a.HighOpen || b.HighOpen)), ok1 && ok2
}

func starts(a, b value.Range) (holds, ok bool) {
	low, ok1 := value.Compare(a.Low, b.Low)
	high, ok2 := value.Compare(a.High, b.High)
	return low == 0 && a.LowOpen == b.LowOpen && (high < 0 || high == 0 && (a.HighOpen || !b.HighOpen)), ok1 && ok2
}

func finishes(a, b value.Range) (holds, ok bool) {
	high, ok1 := value.Compare(a.High, b.High)
	low, ok2 := value.Compare(a.Low, b.Low)
	return high == 0 && a.HighOpen == b.HighOpen && (low > 0 || low == 0 && (a.LowOpen || !b.LowOpen)), ok1 && ok2
}
