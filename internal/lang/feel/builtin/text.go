package builtin

import (
	"regexp"
	"strings"
	"unicode/utf8"

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
	{Name: "string length", Params: one("string"), fn: textual(func(s string) value.Value { return value.Int(int64(utf8.RuneCountInString(s))) })},
	{Name: "upper case", Params: one("string"), fn: textual(func(s string) value.Value { return value.String(strings.ToUpper(s)) })},
	{Name: "lower case", Params: one("string"), fn: textual(func(s string) value.Value { return value.String(strings.ToLower(s)) })},
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
	{Name: "starts with", Params: one("string", "match"), fn: two(func(s, m string) value.Value { return value.Bool(strings.HasPrefix(s, m)) })},
	{Name: "ends with", Params: one("string", "match"), fn: two(func(s, m string) value.Value { return value.Bool(strings.HasSuffix(s, m)) })},
	{Name: "matches", Params: one("input", "pattern", "flags?"), fn: matches},
	{Name: "replace", Params: one("input", "pattern", "replacement", "flags?"), fn: replace},
	{Name: "split", Params: one("string", "delimiter"), fn: split},
	{Name: "extract", Params: one("string", "pattern"), fn: extract},
	{Name: "string join", Params: one("list", "delimiter?", "prefix?", "suffix?"), fn: join},
}

func replaceAll(s, old, to string) string {
	if old == "" {
		return s
	}
	return strings.ReplaceAll(s, old, to)
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
	start, ok2 := value.AsInt(truncated(a[1]))
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
		l, ok := value.AsInt(truncated(a[2]))
		if !ok || l < 1 {
			return c.null("the length of a substring is at least 1")
		}
		length = min(l, n)
	}
	if start < 1 || start > n {
		return value.String("")
	}
	return value.String(string(runes[start-1 : min(start-1+length, n)]))
}

func truncated(v value.Value) value.Value { return value.Round(v, 0, "down") }

// pattern finds the compiled form of a pattern, and counts the work of applying
// it to a text.
func pattern(c *Call, s string, args ...value.Value) *regexp.Regexp {
	text, ok := patternText(args)
	if !ok {
		c.Warn("the pattern is no string of at most %d bytes, or a flag is none of s, m, i, x", maxPattern)
		return nil
	}
	p, err := c.Pattern(text)
	if err != nil {
		c.Warn("the pattern is not understood: %s", err)
		return nil
	}
	if !c.Spend(int64(len(s)) * int64(p.size) / 128) {
		return nil
	}
	return p.re
}

func matches(c *Call, a []value.Value) value.Value {
	s, ok := value.AsString(a[0])
	if !ok {
		return c.null("%s is no string", a[0].Kind())
	}
	re := pattern(c, s, a[1], arg(a, 2))
	if re == nil {
		return value.Null()
	}
	return value.Bool(re.MatchString(s))
}

func replace(c *Call, a []value.Value) value.Value {
	s, ok1 := value.AsString(a[0])
	to, ok2 := value.AsString(a[2])
	re := pattern(c, s, a[1], arg(a, 3))
	if !ok1 || !ok2 || re == nil {
		return c.null("replace wants strings and a pattern")
	}
	if re.MatchString("") {
		return c.null("the pattern matches the empty string")
	}
	if (len(s)+1)*(len(to)+1) > c.MaxBytes*16 || !c.Spend(int64(len(s))*int64(len(to))/64) {
		return c.null("the result would be too long")
	}
	return value.String(re.ReplaceAllString(s, template(to)))
}

// template turns $1 into ${1}, so that a digit belongs to the group and a letter
// after it does not.
func template(to string) string {
	var b strings.Builder
	for i := 0; i < len(to); i++ {
		if to[i] == '$' && i+1 < len(to) && to[i+1] >= '0' && to[i+1] <= '9' {
			b.WriteString("${" + string(to[i+1]) + "}")
			i++
			continue
		}
		if to[i] == '\\' && i+1 < len(to) {
			i++
		}
		if to[i] == '$' {
			b.WriteByte('$')
		}
		b.WriteByte(to[i])
	}
	return b.String()
}

func split(c *Call, a []value.Value) value.Value {
	s, ok := value.AsString(a[0])
	re := pattern(c, s, a[1])
	if !ok || re == nil {
		return c.null("split wants a string and a pattern")
	}
	parts := re.Split(s, -1)
	out := make([]value.Value, len(parts))
	for i, p := range parts {
		out[i] = value.String(p)
	}
	return value.NewList(out)
}

func extract(c *Call, a []value.Value) value.Value {
	s, ok := value.AsString(a[0])
	re := pattern(c, s, a[1])
	if !ok || re == nil {
		return c.null("extract wants a string and a pattern")
	}
	out := []value.Value{}
	for _, m := range re.FindAllString(s, -1) {
		out = append(out, value.String(m))
	}
	return value.NewList(out)
}

func join(c *Call, a []value.Value) value.Value {
	items, ok := list(a[0])
	if !ok {
		return c.null("string join wants a list")
	}
	delimiter, _ := value.AsString(arg(a, 1))
	prefix, _ := value.AsString(arg(a, 2))
	suffix, _ := value.AsString(arg(a, 3))
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
