package builtin

import (
	"slices"

	"github.com/cockroachdb/apd/v3"

	"sextant/internal/lang/feel/value"
)

var lists = []Func{
	{Name: "list contains", Params: one("list", "element"), deep: true, fn: onList(func(_ *Call, l, a []value.Value) value.Value {
		return value.Bool(indexOf(l, a[1]) >= 0)
	})},
	{Name: "count", Params: one("list"), variadic: true, fn: onList(func(_ *Call, l, _ []value.Value) value.Value {
		return value.Int(int64(len(l)))
	})},
	{Name: "min", Params: one("list"), deep: true, variadic: true, fn: onList(func(c *Call, l, _ []value.Value) value.Value {
		return extreme(c, l, -1)
	})},
	{Name: "max", Params: one("list"), deep: true, variadic: true, fn: onList(func(c *Call, l, _ []value.Value) value.Value {
		return extreme(c, l, 1)
	})},
	{Name: "sum", Params: one("list"), variadic: true,
		fn: onList(func(c *Call, l, _ []value.Value) value.Value { return fold(c, l, value.Add) })},
	{Name: "product", Params: one("list"), variadic: true, fn: onList(func(c *Call, l, _ []value.Value) value.Value {
		return fold(c, l, value.Mul)
	})},
	{Name: "mean", Params: one("list"), variadic: true, fn: onList(func(c *Call, l, _ []value.Value) value.Value {
		return value.Div(fold(c, l, value.Add), value.Int(int64(len(l))))
	})},
	{Name: "median", Params: one("list"), deep: true, variadic: true, fn: onList(median)},
	{Name: "stddev", Params: one("list"), variadic: true, fn: onList(stddev)},
	{Name: "mode", Params: one("list"), deep: true, variadic: true, fn: onList(mode)},
	{Name: "all", Params: one("list"), variadic: true, fn: onList(func(_ *Call, l, _ []value.Value) value.Value { return decide(l, false) })},
	{Name: "any", Params: one("list"), variadic: true, fn: onList(func(_ *Call, l, _ []value.Value) value.Value { return decide(l, true) })},
	{Name: "and", Params: one("list"), variadic: true, fn: onList(func(_ *Call, l, _ []value.Value) value.Value { return decide(l, false) })},
	{Name: "or", Params: one("list"), variadic: true, fn: onList(func(_ *Call, l, _ []value.Value) value.Value { return decide(l, true) })},
	{Name: "sublist", Params: one("list", "start position", "length?"), fn: onList(sublist)},
	{Name: "append", Params: one("list", "item?"), repeats: true, fn: onList(func(_ *Call, l, a []value.Value) value.Value {
		return value.NewList(append(slices.Clone(l), a[1:]...))
	})},
	{Name: "concatenate", Params: one("list"), repeats: true, fn: concatenate},
	{Name: "union", Params: one("list"), repeats: true, deep: true, fn: func(c *Call, a []value.Value) value.Value {
		return distinct(c, concatenate(c, a))
	}},
	{Name: "insert before", Params: one("list", "position", "newItem"), fn: onList(insert)},
	{Name: "remove", Params: one("list", "position"), fn: onList(remove)},
	{Name: "list replace", Params: [][]string{{"list", "position", "newItem"}, {"list", "match", "newItem"}},
		deep: true, fn: onList(listReplace)},
	{Name: "reverse", Params: one("list"), fn: onList(func(_ *Call, l, _ []value.Value) value.Value {
		out := slices.Clone(l)
		slices.Reverse(out)
		return value.NewList(out)
	})},
	{Name: "index of", Params: one("list", "match"), deep: true, fn: onList(func(_ *Call, l, a []value.Value) value.Value {
		out := []value.Value{}
		for i, item := range l {
			if value.Same(item, a[1]) {
				out = append(out, value.Int(int64(i+1)))
			}
		}
		return value.NewList(out)
	})},
	{Name: "distinct values", Params: one("list"), deep: true, fn: func(c *Call, a []value.Value) value.Value { return distinct(c, a[0]) }},
	{Name: "duplicate values", Params: one("list"), deep: true, fn: onList(duplicates)},
	{Name: "flatten", Params: one("list"), deep: true, fn: onList(func(c *Call, l, _ []value.Value) value.Value {
		return value.NewList(flatten(c, l, nil))
	})},
	{Name: "sort", Params: one("list", "precedes?"), deep: true, fn: onList(sorted)},
	{Name: "is empty", Params: one("list"), fn: onList(func(_ *Call, l, _ []value.Value) value.Value { return value.Bool(len(l) == 0) })},
	{Name: "partition", Params: one("list", "size"), fn: onList(partition)},
}

func onList(fn func(c *Call, l, a []value.Value) value.Value) func(*Call, []value.Value) value.Value {
	return func(c *Call, a []value.Value) value.Value {
		l, ok := list(a[0])
		if !ok {
			return c.null("null is no list")
		}
		return fn(c, l, a)
	}
}

func indexOf(l []value.Value, v value.Value) int {
	return slices.IndexFunc(l, func(item value.Value) bool { return value.Same(item, v) })
}

func extreme(c *Call, l []value.Value, sign int) value.Value {
	if len(l) == 0 {
		return value.Null()
	}
	best := l[0]
	for _, v := range l {
		order, ok := value.Compare(v, best)
		if !ok {
			return c.null("%s and %s have no order", v.Kind(), best.Kind())
		}
		if order*sign > 0 {
			best = v
		}
	}
	return best
}

func fold(c *Call, l []value.Value, op func(a, b value.Value) value.Value) value.Value {
	if len(l) == 0 {
		return value.Null()
	}
	for _, v := range l {
		if v.Kind() != value.KindNumber {
			return c.null("%s is no number", v.Kind())
		}
	}
	total := l[0]
	for _, v := range l[1:] {
		total = op(total, v)
	}
	return total
}

func median(c *Call, l, _ []value.Value) value.Value {
	out, ok := ordered(l)
	if !ok || len(out) == 0 || out[0].Kind() != value.KindNumber {
		return c.null("median wants numbers")
	}
	mid := len(out) / 2
	if len(out)%2 == 1 {
		return out[mid]
	}
	return value.Div(value.Add(out[mid-1], out[mid]), value.Int(2))
}

func stddev(c *Call, l, _ []value.Value) value.Value {
	if len(l) < 2 {
		return c.null("stddev wants two numbers at least")
	}
	n := int64(len(l))
	mean := value.Div(fold(c, l, value.Add), value.Int(n))
	if mean.IsNull() {
		return mean
	}
	sum := value.Int(0)
	for _, v := range l {
		d := value.Sub(v, mean)
		sum = value.Add(sum, value.Mul(d, d))
	}
	return value.Unary(value.Div(sum, value.Int(n-1)), func(ctx *apd.Context, d, x *apd.Decimal) error {
		_, err := ctx.Sqrt(d, x)
		return err
	})
}

func mode(c *Call, l, _ []value.Value) value.Value {
	out, ok := ordered(l)
	if !ok {
		return c.null("mode wants numbers")
	}
	if slices.ContainsFunc(out, func(v value.Value) bool { return v.Kind() != value.KindNumber }) {
		return c.null("mode wants numbers")
	}
	most, best := 0, []value.Value{}
	for i := 0; i < len(out); {
		n := 1
		for i+n < len(out) && value.Same(out[i], out[i+n]) {
			n++
		}
		if n > most {
			most, best = n, nil
		}
		if n == most {
			best = append(best, out[i])
		}
		i += n
	}
	return value.NewList(best)
}

func ordered(l []value.Value) ([]value.Value, bool) {
	out, ok := slices.Clone(l), true
	slices.SortStableFunc(out, func(a, b value.Value) int {
		order, comparable := value.Compare(a, b)
		ok = ok && comparable
		return order
	})
	return out, ok
}

// decide is any (decisive true) or all (decisive false), three-valued.
func decide(l []value.Value, decisive bool) value.Value {
	out := value.Bool(!decisive)
	for _, v := range l {
		b, ok := value.AsBool(v)
		if ok && b == decisive {
			return value.Bool(decisive)
		}
		if !ok {
			out = value.Null()
		}
	}
	return out
}

// position reads a 1-based position, negative from the end, as an index.
func position(c *Call, l []value.Value, v value.Value) (int, bool) {
	n, ok := value.Whole(v)
	if ok && n < 0 {
		n += int64(len(l)) + 1
	}
	if !ok || n < 1 || n > int64(len(l)) {
		c.Warn("the list has no position %s", v)
		return 0, false
	}
	return int(n - 1), true
}

func sublist(c *Call, l, a []value.Value) value.Value {
	i, ok := position(c, l, a[1])
	if !ok {
		return value.Null()
	}
	n := int64(len(l) - i)
	if len(a) > 2 {
		given, ok := value.Whole(a[2])
		if !ok || given < 1 || given > n {
			return c.null("the length of the sublist is not within the list")
		}
		n = given
	}
	return value.NewList(l[i : i+int(n) : i+int(n)])
}

func concatenate(c *Call, a []value.Value) value.Value {
	out := []value.Value{}
	for _, v := range a {
		l, ok := list(v)
		if !ok {
			return c.null("null is no list")
		}
		out = append(out, l...)
	}
	return value.NewList(out)
}

func insert(c *Call, l, a []value.Value) value.Value {
	i, ok := position(c, l, a[1])
	if !ok {
		return value.Null()
	}
	return value.NewList(slices.Insert(slices.Clone(l), i, a[2]))
}

func remove(c *Call, l, a []value.Value) value.Value {
	i, ok := position(c, l, a[1])
	if !ok {
		return value.Null()
	}
	return value.NewList(slices.Delete(slices.Clone(l), i, i+1))
}

func listReplace(c *Call, l, a []value.Value) value.Value {
	out := slices.Clone(l)
	if fn, ok := value.AsFunction(a[1]); ok {
		if !fn.Takes(2) {
			return c.null("the function that says what is replaced takes an item and the new one")
		}
		for i, item := range out {
			b, ok := value.AsBool(fn.Call([]value.Value{item, a[2]}))
			if !ok {
				return c.null("the function that says what is replaced gives no true or false")
			}
			if b {
				out[i] = a[2]
			}
		}
		return value.NewList(out)
	}
	i, ok := position(c, l, a[1])
	if !ok {
		return value.Null()
	}
	out[i] = a[2]
	return value.NewList(out)
}

func distinct(c *Call, v value.Value) value.Value {
	l, ok := list(v)
	if !ok {
		return c.null("null is no list")
	}
	var seen set
	out := []value.Value{}
	for _, item := range l {
		added, ok := seen.add(c, item)
		if !ok {
			return value.Null()
		}
		if added {
			out = append(out, item)
		}
	}
	return value.NewList(out)
}

func duplicates(c *Call, l, _ []value.Value) value.Value {
	var seen, told set
	out := []value.Value{}
	for _, item := range l {
		added, ok := seen.add(c, item)
		if ok && !added {
			_, ok = told.add(c, item)
		}
		if !ok {
			return value.Null()
		}
	}
	for _, item := range l { // in the order of first occurrence
		twice, ok := told.take(c, item)
		if !ok {
			return value.Null()
		}
		if twice {
			out = append(out, item)
		}
	}
	return value.NewList(out)
}

func flatten(c *Call, l, out []value.Value) []value.Value {
	for _, item := range l {
		if inner, ok := value.AsList(item); ok && c.Step() {
			out = flatten(c, inner, out)
			continue
		}
		out = append(out, item)
	}
	return out
}

func sorted(c *Call, l, a []value.Value) value.Value {
	if len(a) < 2 {
		out, ok := ordered(l)
		if !ok {
			return c.null("the items have no order")
		}
		return value.NewList(out)
	}
	fn, ok := value.AsFunction(a[1])
	if !ok || !fn.Takes(2) {
		return c.null("%s is no function of two items that orders", a[1].Kind())
	}
	out := slices.Clone(l)
	decided := true
	precedes := func(x, y value.Value) bool {
		b, ok := value.AsBool(fn.Call([]value.Value{x, y}))
		decided = decided && ok
		return b && ok
	}
	slices.SortStableFunc(out, func(x, y value.Value) int {
		switch {
		case !decided:
			return 0
		case precedes(x, y):
			return -1
		case precedes(y, x):
			return 1
		}
		return 0
	})
	if !decided {
		return c.null("the function that orders gives no true or false")
	}
	return value.NewList(out)
}

func partition(c *Call, l, a []value.Value) value.Value {
	n, ok := value.Whole(a[1])
	if !ok || n < 1 {
		return c.null("the size of a part is at least 1")
	}
	out := []value.Value{}
	for part := range slices.Chunk(l, int(min(n, int64(len(l))+1))) {
		out = append(out, value.NewList(part))
	}
	return value.NewList(out)
}
