package table

import (
	"slices"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel/value"
)

// decide makes the value of the table of the rules that match.
func (t *Table) decide(h Host, matched []int) value.Value {
	if len(matched) == 0 {
		return t.nothing(h)
	}
	switch t.policy {
	case model.First:
		return t.value(h, t.hit(h, matched[0]))
	case model.Unique:
		if len(matched) > 1 {
			h.Warn(t.source.Place, "rules %d and %d match both: the hit policy UNIQUE allows one", matched[0]+1, matched[1]+1)
			return value.Null()
		}
		return t.value(h, t.hit(h, matched[0]))
	case model.Any:
		return t.agreed(h, matched)
	}
	hits := make([]hit, len(matched))
	for i, r := range matched {
		hits[i] = t.hit(h, r)
	}
	if t.policy == model.Priority || t.policy == model.OutputOrder {
		slices.SortStableFunc(hits, t.before)
	}
	if t.policy == model.Priority {
		return t.value(h, hits[0])
	}
	if t.total != "" {
		return t.aggregate(h, hits)
	}
	list := make([]value.Value, len(hits))
	for i := range hits {
		list[i] = t.value(h, hits[i])
	}
	return value.NewList(list)
}

// hit holds the outputs of a rule that matches.
type hit []value.Value

func (t *Table) hit(h Host, r int) hit {
	out := make(hit, len(t.outputs))
	for i := range out {
		if e := t.rules[r].outputs[i]; e.expr != nil {
			out[i] = t.allowed(h, &t.outputs[i], h.Eval(e.expr, e.place), e.place)
		}
	}
	return out
}

// allowed is the value of an output, null where it is not allowed.
func (t *Table) allowed(h Host, o *output, v value.Value, at model.Place) value.Value {
	c, ok := h.Coerce(o.typ, v)
	if !ok {
		h.Warn(at, "the output %s is %s and not %s", o.name, v.Kind(), o.typ)
		return value.Null()
	}
	if o.allowed != nil && !c.IsNull() && !holds(h.Test(o.allowed, at, c)) {
		h.Warn(at, "%s is no value that the output %s allows", short(c), o.name)
		return value.Null()
	}
	return c
}

// value is a hit as one value: that of the only output, or a context.
func (t *Table) value(h Host, out hit) value.Value {
	if len(out) == 1 {
		return out[0]
	}
	ctx := &value.Context{}
	for i, v := range out {
		ctx.Put(t.outputs[i].name, v)
	}
	h.Spend(int64(len(out)))
	return value.NewContext(ctx)
}

// nothing is the value where no rule matches: the defaults, or none.
func (t *Table) nothing(h Host) value.Value {
	given := slices.ContainsFunc(t.outputs, func(o output) bool { return o.standard != nil })
	if given {
		out := make(hit, len(t.outputs))
		for i := range t.outputs {
			if x := t.outputs[i].standard; x != nil {
				out[i] = t.allowed(h, &t.outputs[i], h.Eval(x, t.outputs[i].place), t.outputs[i].place)
			}
		}
		v := t.value(h, out)
		if t.many() && t.total == "" && v.Kind() != value.KindList {
			return value.NewList([]value.Value{v})
		}
		return v
	}
	switch {
	case t.policy == model.Collect && t.total == model.Count:
		return value.Int(0)
	case t.many() && t.total == "":
		return value.NewList(nil)
	}
	h.Warn(t.source.Place, "no rule matches")
	return value.Null()
}

// many reports whether the table gives a list.
func (t *Table) many() bool {
	return t.policy == model.Collect || t.policy == model.RuleOrder || t.policy == model.OutputOrder
}

// agreed is the value of rules that have to give the same.
func (t *Table) agreed(h Host, matched []int) value.Value {
	first := t.hit(h, matched[0])
	for _, r := range matched[1:] {
		if other := t.hit(h, r); !slices.EqualFunc(first, other, value.Same) {
			h.Warn(t.source.Place, "rules %d and %d match both and give different results: the hit policy ANY wants the same", matched[0]+1, r+1)
			return value.Null()
		}
	}
	return t.value(h, first)
}

// before orders hits by the priority of their outputs, the first column first.
func (t *Table) before(a, b hit) int {
	for i := range t.outputs {
		if d := t.rank(i, a[i]) - t.rank(i, b[i]); d != 0 {
			return d
		}
	}
	return 0
}

// rank is the place of a value in the order of an output; what has none comes
// last.
func (t *Table) rank(column int, v value.Value) int {
	order := t.outputs[column].order
	for i, o := range order {
		if value.Same(v, o) {
			return i
		}
	}
	return len(order)
}

func (t *Table) aggregate(h Host, hits []hit) value.Value {
	if t.total == model.Count {
		return value.Int(int64(len(hits)))
	}
	out := hits[0][0]
	for _, other := range hits[1:] {
		next := other[0]
		if t.total == model.Sum {
			out = value.Add(out, next)
			continue
		}
		order, ok := value.Compare(next, out)
		if !ok {
			h.Warn(t.source.Place, "%s and %s have no order: %s needs values of one kind", out.Kind(), next.Kind(), t.total)
			return value.Null()
		}
		if t.total == model.Min && order < 0 || t.total == model.Max && order > 0 {
			out = next
		}
	}
	if t.total == model.Sum && out.Kind() != value.KindNumber {
		h.Warn(t.source.Place, "SUM needs numbers")
		return value.Null()
	}
	return out
}
