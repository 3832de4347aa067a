package builtin

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"

	"sextant/internal/lang/feel/value"
)

var texts = []Func{
	{Name: "string", Params: one("from"), deep: true, fn: func(_ *Call, a []value.Value) value.Value {
		if a[0].IsNull() {
			return a[0]
		}
		return value.String(a[0].String())
	}},
	{Name: "substring", Params: one("string", "start position", "length?"), fn: substring},
	{Name: "string length", Params: one("string"), fn: textual(func(s string) value.Value {
		return value.Int(int64(utf8.RuneCountInString(s)))
	})},
	{Name: "upper case", Params: one("string"), fn: textual(func(s string) value.Value {
		return value.String(mapped(s, cases.Upper(language.Und), strings.ToUpper))
	})},
	{Name: "lower case", Params: one("string"), fn: textual(func(s string) value.Value {
		return value.String(mapped(s, cases.Lower(language.Und), strings.ToLower))
	})},
	{Name: "trim", Params: one("string"), fn: textual(func(s string) value.Value { return value.String(strings.TrimSpace(s)) })},
	{Name: "is blank", Params: one("string"), fn: textual(func(s string) value.Value { return value.Bool(strings.TrimSpace(s) == "") })},
	{Name: "substring before", Params: one("string", "match"), fn: two(func(s, m string) value.Value {
		before, _, ok := strings.Cut(s, m)
		if !ok {
			before = ""
		}
		return value.String(before)
	})},
	{Name: "substring after", Params: one("string", "match"), fn: two(func(s, m string) value.Value {
		_, after, _ := strings.Cut(s, m)
		return value.String(after)
	})},
	{Name: "contains", Params: one("string", "match"), fn: two(func(s, m string) value.Value { return value.Bool(strings.Contains(s, m)) })},
	{Name: "starts with", Params: one("string", "match"), fn: two(func(s, m string) value.Value {
		return value.Bool(strings.HasPrefix(s, m))
	})},
	{Name: "ends with", Params: one("string", "match"), fn: two(func(s, m string) value.Value { return value.Bool(strings.HasSuffix(s, m)) })},
	{Name: "matches", Params: one("input", "pattern", "flags?"), fn: matches},
	{Name: "replace", Params: one("input", "pattern", "replacement", "flags?"), fn: replace},
	{Name: "split", Params: one("string", "delimiter"), fn: split},
	{Name: "uuid", Params: [][]string{{}}, fn: uuid},
	{Name: "extract", Params: one("string", "pattern"), fn: extract},
	{Name: "string join", Params: [][]string{{"list", "delimiter?"}, {"list", "delimiter", "prefix", "suffix"}}, fn: join},
}

// uuid makes a random UUID of version 4 (RFC 9562).
func uuid(c *Call, _ []value.Value) value.Value {
	if c.Random == nil {
		return c.null("there are no random numbers here")
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], c.Random())
	binary.BigEndian.PutUint64(b[8:], c.Random())
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return value.String(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}

func replaceAll(s, old, to string) string {
	if old == "" {
		return s
	}
	return strings.ReplaceAll(s, old, to)
}

// mapped changes the case of a text by the full mapping of Unicode, where one
// character may become several (XPath functions 5.4.7 and 5.4.8).
func mapped(s string, full cases.Caser, ascii func(string) string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return full.String(s)
		}
	}
	return ascii(s)
}

func textual(fn func(string) value.Value) func(*Call, []value.Value) value.Value {
	return func(c *Call, a []value.Value) value.Value {
		s, ok := value.AsString(a[0])
		if !ok {
			return c.null("%s is no string", a[0].Kind())
		}
		return fn(s)
	}
}

func two(fn func(s, m string) value.Value) func(*Call, []value.Value) value.Value {
	return func(c *Call, a []value.Value) value.Value {
		s, ok1 := value.AsString(a[0])
		m, ok2 := value.AsString(a[1])
		if !ok1 || !ok2 {
			return c.null("%s and %s are not both strings", a[0].Kind(), a[1].Kind())
		}
		return fn(s, m)
	}
}

func substring(c *Call, a []value.Value) value.Value {
	s, ok1 := value.AsString(a[0])
	start, ok2 := value.Whole(a[1])
	runes := []rune(s)
	n := int64(len(runes))
	if !ok1 || !ok2 || start == 0 {
		return c.null("substring wants a string and a position other than 0")
	}
	if start < 0 {
		start += n + 1
	}
	length := n
	if len(a) > 2 && !a[2].IsNull() {
		l, ok := value.Whole(a[2])
		if !ok || l < 1 {
			return c.null("the length of a substring is at least 1")
		}
		length = min(l, n)
	}
	if start < 1 || start > n {
		return c.null("the text has no character at that position")
	}
	return value.String(string(runes[start-1 : min(start-1+length, n)]))
}

func join(c *Call, a []value.Value) value.Value {
	items, ok := list(a[0])
	if !ok {
		return c.null("string join wants a list")
	}
	var around [3]string
	for i := range around {
		v := arg(a, i+1)
		s, ok := value.AsString(v)
		if !ok && !v.IsNull() {
			return c.null("the delimiter, prefix and suffix of string join are strings, not %s", v.Kind())
		}
		around[i] = s
	}
	delimiter, prefix, suffix := around[0], around[1], around[2]
	var parts []string
	size := 0
	for _, item := range items {
		if item.IsNull() {
			continue
		}
		s, ok := value.AsString(item)
		if !ok {
			return c.null("string join wants strings, not %s", item.Kind())
		}
		if size += len(s) + len(delimiter); size > c.MaxBytes {
			return c.null("the result would be too long")
		}
		parts = append(parts, s)
	}
	return value.String(prefix + strings.Join(parts, delimiter) + suffix)
}
