package dmn

import (
	"time"

	"sextant/internal/lang/feel/value"
)

// Inputs makes inputs of a context, in its order.
func Inputs(c *value.Context) []Input {
	all := make([]Input, 0, c.Len())
	for _, name := range c.Keys() {
		v, _ := c.Get(name)
		all = append(all, Input{Name: name, Value: v})
	}
	return all
}

// JSONInputs is Inputs for values that come from JSON, which has no dates, times
// and durations: a text becomes one where the type of the input wants it.
func (m *Model) JSONInputs(c *value.Context, zone func(string) (*time.Location, error)) []Input {
	all := Inputs(c)
	for i := range all {
		all[i].Value = temporal(all[i].Value, m.TypeOf(Target{Name: all[i].Name}), zone, 0)
	}
	return all
}

// temporal makes dates, times and durations of texts where a type wants them; a
// text that is none stays.
func temporal(v value.Value, t *value.Type, zone func(string) (*time.Location, error), depth int) value.Value {
	if t == nil || depth > value.MaxDepth {
		return v
	}
	if s, ok := value.AsString(v); ok {
		return parse(s, t.Kind, zone)
	}
	if l, ok := value.AsList(v); ok && t.Kind == value.KindList && t.Elem != nil {
		out := make([]value.Value, len(l))
		for i := range l {
			out[i] = temporal(l[i], t.Elem, zone, depth+1)
		}
		return value.NewList(out)
	}
	c, ok := value.AsContext(v)
	if !ok || len(t.Fields) == 0 {
		return v
	}
	out := c.Clone()
	for _, f := range t.Fields {
		if entry, ok := c.Get(f.Name); ok {
			out.Put(f.Name, temporal(entry, f.Type, zone, depth+1))
		}
	}
	return value.NewContext(out)
}

func parse(s string, kind value.Kind, zone func(string) (*time.Location, error)) value.Value {
	v, err := value.String(s), error(nil)
	switch kind {
	case value.KindDate:
		v, err = value.ParseDate(s)
	case value.KindTime:
		v, err = value.ParseClock(s, zone)
	case value.KindDateTime:
		v, err = value.ParseDateTime(s, zone)
	case value.KindDaysDuration, value.KindMonthsDuration:
		v, err = value.ParseDuration(s)
	}
	if err != nil {
		return value.String(s)
	}
	return v
}
