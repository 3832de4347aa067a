package tck

import (
	"sextant/internal/lang/dmn"
	"sextant/internal/lang/feel/value"
)

// retype makes of texts what the type of an input wants: test cases need not
// name the types of their values.
func retype(v value.Value, t *value.Type, env dmn.Env) value.Value {
	if t == nil {
		return v
	}
	if s, ok := value.AsString(v); ok {
		return parse(s, t.Kind, env)
	}
	if l, ok := value.AsList(v); ok && t.Kind == value.KindList {
		out := make([]value.Value, len(l))
		for i := range l {
			out[i] = retype(l[i], t.Elem, env)
		}
		return value.NewList(out)
	}
	c, ok := value.AsContext(v)
	if !ok {
		return v
	}
	out := &value.Context{}
	for _, key := range c.Keys() {
		entry, _ := c.Get(key)
		field, _ := t.Field(key)
		out.Put(key, retype(entry, field, env))
	}
	return value.NewContext(out)
}

// resemble makes of expected texts what came out.
func resemble(want, got value.Value, env dmn.Env) value.Value {
	if s, ok := value.AsString(want); ok {
		return parse(s, got.Kind(), env)
	}
	if l, ok := value.AsList(want); ok {
		other, _ := value.AsList(got)
		out := make([]value.Value, len(l))
		for i := range l {
			out[i] = l[i]
			if i < len(other) {
				out[i] = resemble(l[i], other[i], env)
			}
		}
		return value.NewList(out)
	}
	c, ok := value.AsContext(want)
	other, both := value.AsContext(got)
	if !ok || !both {
		return want
	}
	out := &value.Context{}
	for _, key := range c.Keys() {
		entry, _ := c.Get(key)
		x, _ := other.Get(key)
		out.Put(key, resemble(entry, x, env))
	}
	return value.NewContext(out)
}

// parse reads a text as a value of a kind; it stays a text where it is none.
func parse(s string, kind value.Kind, env dmn.Env) value.Value {
	v, err := value.String(s), error(nil)
	switch kind {
	case value.KindNull:
		if s == "" {
			return value.Null()
		}
	case value.KindNumber:
		if num, ok := value.ParseNumber(s); ok {
			return num
		}
	case value.KindBool:
		if s == "true" || s == "false" {
			return value.Bool(s == "true")
		}
	case value.KindDate:
		v, err = value.ParseDate(s)
	case value.KindTime:
		v, err = value.ParseClock(s, env.Zone)
	case value.KindDateTime:
		v, err = value.ParseDateTime(s, env.Zone)
	case value.KindDaysDuration, value.KindMonthsDuration:
		v, err = value.ParseDuration(s)
	}
	if err != nil {
		return value.String(s)
	}
	return v
}
