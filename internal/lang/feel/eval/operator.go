package eval

import (
	"math"
	"time"

	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

func (c *compiler) binary(n *syntax.Binary) code {
	x, y, pos, op := c.node(n.X), c.node(n.Y), n.Place(), n.Op
	switch op {
	case "and", "or":
		return logic(x, y, op == "or")
	case "=", "!=":
		return func(r *run, s *scope) value.Value {
			if !r.step() {
				return value.Null()
			}
			a, b := x(r, s), y(r, s)
			if !r.comparing(a, b) {
				return value.Null()
			}
			equal, ok := value.Equal(a, b)
			if !ok {
				return r.warn(pos, "%s and %s cannot be compared", a.Kind(), b.Kind())
			}
			return value.Bool(equal == (op == "="))
		}
	case "<", "<=", ">", ">=":
		return func(r *run, s *scope) value.Value {
			if !r.step() {
				return value.Null()
			}
			return r.order(op, x(r, s), y(r, s), pos)
		}
	}
	return func(r *run, s *scope) value.Value {
		if !r.step() {
			return value.Null()
		}
		a, b := x(r, s), y(r, s)
		if op == "**" {
			r.Spend(builtin.CostOfPower(b))
		}
		v := arithmetic(op, a, b)
		if v.IsNull() {
			return r.warn(pos, "%s %s %s has no value", a.Kind(), op, b.Kind())
		}
		return r.sized(v)
	}
}

// comparing counts the work of comparing two values part by part.
func (r *run) comparing(a, b value.Value) bool {
	if w := min(a.Weight(), b.Weight()); w > 16 {
		return r.Spend(w / 8)
	}
	return true
}

// logic is three-valued: what is no boolean counts as null.
func logic(x, y code, decisive bool) code {
	return func(r *run, s *scope) value.Value {
		a, okA := value.AsBool(x(r, s))
		if okA && a == decisive {
			return value.Bool(decisive)
		}
		b, okB := value.AsBool(y(r, s))
		if okB && b == decisive {
			return value.Bool(decisive)
		}
		if okA && okB {
			return value.Bool(!decisive)
		}
		return value.Null()
	}
}

func (r *run) order(op string, a, b value.Value, pos int) value.Value {
	if !r.comparing(a, b) {
		return value.Null()
	}
	c, ok := value.Compare(a, b)
	if !ok {
		return r.warn(pos, "%s and %s have no order", a.Kind(), b.Kind())
	}
	switch op {
	case "<":
		return value.Bool(c < 0)
	case "<=":
		return value.Bool(c <= 0)
	case ">":
		return value.Bool(c > 0)
	}
	return value.Bool(c >= 0)
}

func arithmetic(op string, a, b value.Value) value.Value {
	if a.Kind() == value.KindNumber && b.Kind() == value.KindNumber {
		switch op {
		case "+":
			return value.Add(a, b)
		case "-":
			return value.Sub(a, b)
		case "*":
			return value.Mul(a, b)
		case "/":
			return value.Div(a, b)
		}
		return value.Pow(a, b)
	}
	switch op {
	case "+":
		return plus(a, b)
	case "-":
		return minus(a, b)
	case "*":
		if a.Kind() == value.KindNumber {
			a, b = b, a
		}
		return scale(a, b, value.Mul)
	case "/":
		return divide(a, b)
	}
	return value.Null()
}

func plus(a, b value.Value) value.Value {
	if s, ok := value.AsString(a); ok {
		if t, ok := value.AsString(b); ok {
			return value.String(s + t)
		}
		return value.Null()
	}
	if isDuration(a) && !isDuration(b) {
		a, b = b, a
	}
	return shift(a, b)
}

func isDuration(v value.Value) bool {
	return v.Kind() == value.KindDaysDuration || v.Kind() == value.KindMonthsDuration
}

// shift adds a duration to a temporal value or to a duration of its kind.
func shift(a, d value.Value) value.Value {
	if x, ok := value.AsMonths(a); ok {
		if y, ok := value.AsMonths(d); ok && (y >= 0) == (x+y >= x) {
			return value.MonthsDuration(x + y)
		}
		return value.Null()
	}
	if x, ok := value.AsDuration(a); ok {
		if y, ok := value.AsDuration(d); ok && (y >= 0) == (x+y >= x) {
			return value.DaysDuration(x + y)
		}
		return value.Null()
	}
	if m, ok := value.AsMoment(a); ok && isDuration(d) {
		t, err := value.AddDuration(m.T, d)
		if err != nil || t.Year() > 999999999 {
			return value.Null()
		}
		m.T = t
		return value.NewMoment(m)
	}
	if t, ok := value.AsDate(a); ok && isDuration(d) {
		moved, err := value.AddDuration(t, d)
		if err != nil {
			return value.Null()
		}
		return value.NewDate(moved.Year(), moved.Month(), moved.Day())
	}
	if c, ok := value.AsClock(a); ok {
		days, ok := value.AsDuration(d)
		if !ok {
			return value.Null()
		}
		day := int64(24 * time.Hour)
		c.Nanos = ((c.Nanos+int64(days))%day + day) % day
		return value.NewClock(c)
	}
	return value.Null()
}

func minus(a, b value.Value) value.Value {
	if isDuration(b) {
		return shift(a, value.Neg(b))
	}
	if x, ok := instant(a); ok {
		if y, ok := instant(b); ok && x.Local == y.Local {
			return apart(x.T, y.T)
		}
		return value.Null()
	}
	x, ok1 := value.AsClock(a)
	y, ok2 := value.AsClock(b)
	if ok1 && ok2 && x.Local == y.Local {
		return value.DaysDuration(time.Duration(x.Nanos-y.Nanos) - time.Duration(x.Offset-y.Offset)*time.Second)
	}
	return value.Null()
}

// apart is null where a duration does not reach, beyond 292 years.
func apart(x, y time.Time) value.Value {
	d := x.Sub(y)
	if d == math.MaxInt64 || d == math.MinInt64 {
		return value.Null()
	}
	return value.DaysDuration(d)
}

// instant reads a date as midnight UTC.
func instant(v value.Value) (value.Moment, bool) {
	if m, ok := value.AsMoment(v); ok {
		return m, true
	}
	t, ok := value.AsDate(v)
	return value.Moment{T: t}, ok
}

func divide(a, b value.Value) value.Value {
	if a.Kind() == b.Kind() && isDuration(a) {
		return value.Div(count(a), count(b))
	}
	return scale(a, b, value.Div)
}

// count is a duration as a number, of months or nanoseconds.
func count(v value.Value) value.Value {
	if m, ok := value.AsMonths(v); ok {
		return value.Int(m)
	}
	d, _ := value.AsDuration(v)
	return value.Int(int64(d))
}

func scale(d, by value.Value, op func(a, b value.Value) value.Value) value.Value {
	if !isDuration(d) || by.Kind() != value.KindNumber {
		return value.Null()
	}
	n, ok := value.Whole(op(count(d), by))
	if !ok {
		return value.Null()
	}
	if d.Kind() == value.KindMonthsDuration {
		return value.MonthsDuration(n)
	}
	return value.DaysDuration(time.Duration(n))
}

// between is x >= low and x <= high (DMN 1.5, 10.3.2.7).
func (c *compiler) between(n *syntax.Between) code {
	x, low, high, pos := c.node(n.X), c.node(n.Low), c.node(n.High), n.Place()
	return func(r *run, s *scope) value.Value {
		if !r.step() {
			return value.Null()
		}
		v := x(r, s)
		from := func(*run, *scope) value.Value { return r.order(">=", v, low(r, s), pos) }
		to := func(*run, *scope) value.Value { return r.order("<=", v, high(r, s), pos) }
		return logic(from, to, false)(r, s)
	}
}

// test decides whether an input passes one test.
type test func(r *run, s *scope, input value.Value) value.Value

func (c *compiler) test(n syntax.Node) test {
	if t, ok := n.(*syntax.Test); ok {
		x, op, pos := c.node(t.X), t.Op, t.Place()
		return func(r *run, s *scope, input value.Value) value.Value {
			v := x(r, s)
			if op == "=" || op == "!=" {
				equal, ok := value.Equal(input, v)
				if !ok {
					return r.warn(pos, "%s and %s cannot be compared", input.Kind(), v.Kind())
				}
				return value.Bool(equal == (op == "="))
			}
			return r.order(op, input, v, pos)
		}
	}
	var x code
	uses := mentions(n, "?")
	_, interval := n.(*syntax.Range)
	c.within([]string{"?"}, func() { x = c.node(n) })
	return func(r *run, s *scope, input value.Value) value.Value {
		v := x(r, &scope{name: "?", v: input, parent: s})
		if !r.Spend(v.Weight() / 8) {
			return value.Null()
		}
		if uses || interval && v.IsNull() {
			return v
		}
		return matches(input, v)
	}
}

// matches tells whether an input is, or is within, a value.
func matches(input, v value.Value) value.Value {
	if rng, ok := value.AsRange(v); ok && input.Kind() != value.KindRange {
		in, ok := rng.Contains(input)
		if !ok {
			return value.Null()
		}
		return value.Bool(in)
	}
	if l, ok := value.AsList(v); ok {
		if value.Same(input, v) {
			return value.Bool(true)
		}
		for _, item := range l {
			if b, ok := value.AsBool(matches(input, item)); ok && b {
				return value.Bool(true)
			}
		}
		return value.Bool(false)
	}
	equal, ok := value.Equal(input, v)
	if !ok {
		return value.Null()
	}
	return value.Bool(equal)
}

func (c *compiler) in(n *syntax.In) code {
	x := c.node(n.X)
	if len(n.Tests) == 1 {
		return c.inOne(x, n.Tests[0])
	}
	tests := c.tests(n.Tests)
	return func(r *run, s *scope) value.Value { return anyOf(r, s, tests, x(r, s)) }
}

// inOne is x in t. A null that t was computed to is no answer: the bound of what was
// compared with is missing, say.
func (c *compiler) inOne(x code, n syntax.Node) code {
	computed := false
	switch n.(type) {
	case *syntax.Name, *syntax.Path, *syntax.Call, *syntax.Filter:
		computed = !mentions(n, "?")
	}
	if !computed {
		tests := c.tests([]syntax.Node{n})
		return func(r *run, s *scope) value.Value { return anyOf(r, s, tests, x(r, s)) }
	}
	of := c.node(n)
	return func(r *run, s *scope) value.Value {
		input, v := x(r, s), of(r, s)
		if !r.Spend(1+v.Weight()/8) || v.IsNull() && !input.IsNull() {
			return value.Null()
		}
		return matches(input, v)
	}
}

func (c *compiler) tests(nodes []syntax.Node) []test {
	all := make([]test, len(nodes))
	for i, n := range nodes {
		all[i] = c.test(n)
	}
	return all
}

func anyOf(r *run, s *scope, tests []test, input value.Value) value.Value {
	out := value.Bool(false)
	for _, t := range tests {
		if !r.step() {
			return value.Null()
		}
		v := t(r, s, input)
		b, ok := value.AsBool(v)
		if ok && b {
			return v
		}
		if !ok {
			out = value.Null()
		}
	}
	return out
}

// cell evaluates unary tests against the variable "?".
func (c *compiler) cell(n *syntax.Tests) code {
	if n.Any {
		return func(*run, *scope) value.Value { return value.Bool(true) }
	}
	input := c.node(&syntax.Name{Name: "?"})
	tests, not := c.tests(n.Tests), n.Not
	return func(r *run, s *scope) value.Value {
		v := anyOf(r, s, tests, input(r, s))
		if b, ok := value.AsBool(v); ok && not {
			return value.Bool(!b)
		}
		return v
	}
}

// comparisonRange is (< 5) as a value: a range without a lower bound.
func (c *compiler) comparisonRange(n *syntax.Test) code {
	x, op, pos := c.node(n.X), n.Op, n.Place()
	return func(r *run, s *scope) value.Value {
		v := x(r, s)
		if v.IsNull() && op != "=" && op != "!=" { // a range without a bound would hold everything
			return r.warn(pos, "null is no bound of a range")
		}
		switch op {
		case "<":
			return value.NewRange(value.Range{High: v, LowOpen: true, HighOpen: true})
		case "<=":
			return value.NewRange(value.Range{High: v, LowOpen: true})
		case ">":
			return value.NewRange(value.Range{Low: v, LowOpen: true, HighOpen: true})
		case ">=":
			return value.NewRange(value.Range{Low: v, HighOpen: true})
		}
		return value.NewRange(value.Range{Low: v, High: v, Op: op})
	}
}
