package builtin

import (
	"encoding/base64"
	"unicode/utf8"

	"sextant/internal/lang/feel/value"
)

var contexts = []Func{
	{Name: "get value", Params: [][]string{{"m", "key"}, {"context", "key"}, {"context", "keys"}}, fn: getValue},
	{Name: "get entries", Params: [][]string{{"m"}, {"context"}}, deep: true, fn: getEntries},
	{Name: "get or else", Params: one("value", "default"), fn: func(_ *Call, a []value.Value) value.Value {
		if a[0].IsNull() {
			return a[1]
		}
		return a[0]
	}},
	{Name: "is defined", Params: one("value"), fn: func(_ *Call, a []value.Value) value.Value { return value.Bool(!a[0].IsNull()) }},
	{Name: "context", Params: one("entries"), deep: true, fn: contextOf},
	{Name: "context put", Params: [][]string{{"context", "key", "value"}, {"context", "keys", "value"}}, deep: true, fn: contextPut},
	{Name: "context merge", Params: one("contexts"), variadic: true, deep: true, fn: contextMerge},
	{Name: "put", Params: one("context", "key", "value"), deep: true, fn: contextPut},
	{Name: "put all", Params: one("contexts"), variadic: true, deep: true, fn: contextMerge},
	{Name: "is", Params: one("value1?", "value2?"), deep: true, fn: func(c *Call, a []value.Value) value.Value {
		if len(a) == 0 {
			return c.null("is wants two values")
		}
		x, y := arg(a, 0), arg(a, 1)
		return value.Bool(value.Same(x, y) && x.String() == y.String())
	}},
	{Name: "to json", Params: one("value"), deep: true, fn: func(c *Call, a []value.Value) value.Value {
		raw, err := value.ToJSON(a[0])
		if err != nil {
			return c.null("%s", err)
		}
		return value.String(string(raw))
	}},
	{Name: "from json", Params: one("value"), deep: true, fn: func(c *Call, a []value.Value) value.Value {
		s, ok := value.AsString(a[0])
		if !ok {
			return c.null("%s is no string", a[0].Kind())
		}
		if !c.Spend(int64(len(s) / 16)) {
			return value.Null()
		}
		v, err := value.FromJSON([]byte(s))
		if err != nil {
			return c.null("%s", err)
		}
		return v
	}},
	{Name: "fromAi", Params: one("value", "description?", "type?", "schema?", "options?"), fn: func(_ *Call, a []value.Value) value.Value {
		return a[0]
	}},
	{Name: "to base64", Params: one("value"), fn: func(c *Call, a []value.Value) value.Value {
		s, ok := value.AsString(a[0])
		if !ok {
			return c.null("%s is no string", a[0].Kind())
		}
		return value.String(base64.StdEncoding.EncodeToString([]byte(s)))
	}},
	{Name: "from base64", Params: one("value"), fn: func(c *Call, a []value.Value) value.Value {
		s, ok := value.AsString(a[0])
		if !ok {
			return c.null("%s is no string", a[0].Kind())
		}
		text, err := base64.StdEncoding.DecodeString(s)
		if err != nil || !utf8.Valid(text) {
			return c.null("the text is no text in Base64")
		}
		return value.String(string(text))
	}},
	{Name: "assert", Params: one("value", "condition", "cause?"), fn: func(c *Call, a []value.Value) value.Value {
		if b, ok := value.AsBool(a[1]); ok && b {
			return a[0]
		}
		return c.null("an assertion is not true: %s", arg(a, 2))
	}},
}

func getValue(c *Call, a []value.Value) value.Value {
	keys, ok := list(a[1])
	if !ok || len(keys) == 0 {
		return c.null("get value wants a key")
	}
	v := a[0]
	for _, k := range keys {
		ctx, ok1 := value.AsContext(v)
		key, ok2 := value.AsString(k)
		if !ok1 || !ok2 {
			return c.null("%s has no entries", v.Kind())
		}
		if v, ok = ctx.Get(key); !ok {
			return c.null("the context has no entry %q", key)
		}
	}
	return v
}

func getEntries(c *Call, a []value.Value) value.Value {
	ctx, ok := value.AsContext(a[0])
	if !ok {
		return c.null("%s is no context", a[0].Kind())
	}
	out := []value.Value{}
	for _, k := range ctx.Keys() {
		v, _ := ctx.Get(k)
		e := &value.Context{}
		e.Put("key", value.String(k))
		e.Put("value", v)
		out = append(out, value.NewContext(e))
	}
	return value.NewList(out)
}

func contextOf(c *Call, a []value.Value) value.Value {
	entries, ok := list(a[0])
	if !ok {
		return c.null("context wants a list of entries")
	}
	out := &value.Context{}
	for _, e := range entries {
		ctx, ok := value.AsContext(e)
		if !ok {
			return c.null("%s is no entry", e.Kind())
		}
		k, _ := ctx.Get("key")
		v, hasValue := ctx.Get("value")
		key, ok := value.AsString(k)
		if _, twice := out.Get(key); !ok || !hasValue || twice {
			return c.null("an entry has a key of its own and a value")
		}
		out.Put(key, v)
	}
	return value.NewContext(out)
}

func contextPut(c *Call, a []value.Value) value.Value {
	keys, ok := list(a[1])
	if !ok || len(keys) == 0 {
		return c.null("context put wants a key")
	}
	v, ok := put(a[0], keys, a[2])
	if !ok {
		return c.null("context put wants a context and keys that lead to contexts")
	}
	return v
}

func put(into value.Value, keys []value.Value, v value.Value) (value.Value, bool) {
	if len(keys) == 0 {
		return v, true
	}
	ctx, ok1 := value.AsContext(into)
	key, ok2 := value.AsString(keys[0])
	if !ok1 || !ok2 || len(keys) > value.MaxDepth {
		return value.Null(), false
	}
	inner, has := ctx.Get(key)
	if !has && len(keys) > 1 {
		inner = value.NewContext(&value.Context{})
	}
	inner, ok := put(inner, keys[1:], v)
	out := ctx.Clone()
	out.Put(key, inner)
	return value.NewContext(out), ok
}

func contextMerge(c *Call, a []value.Value) value.Value {
	all, ok := list(a[0])
	if !ok {
		return c.null("context merge wants contexts")
	}
	out := &value.Context{}
	for _, v := range all {
		ctx, ok := value.AsContext(v)
		if !ok {
			return c.null("%s is no context", v.Kind())
		}
		for _, k := range ctx.Keys() {
			e, _ := ctx.Get(k)
			out.Put(k, e)
		}
	}
	return value.NewContext(out)
}
