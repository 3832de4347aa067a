package builtin

import (
	"errors"
	"strings"

	"sextant/internal/lang/feel/pattern"
	"sextant/internal/lang/feel/value"
)

// Pattern is a compiled regular expression.
type Pattern = pattern.Pattern

// CompilePattern compiles what PatternText gives.
func CompilePattern(text string) (*Pattern, error) {
	flags, p, _ := strings.Cut(text, "/")
	return pattern.Compile(p, flags)
}

// PatternText finds the regular expression among the arguments of a call by
// place: the second one, with the flags that come last.
func (f *Func) PatternText(args []value.Value) (string, bool) {
	if len(args) < 2 || len(f.Params[0]) < 2 || f.Params[0][1] != "pattern" && f.Name != "split" {
		return "", false
	}
	at := len(f.Params[0]) - 1
	if f.Params[0][at] != "flags?" || at >= len(args) {
		return patternText(args[1:2])
	}
	return patternText([]value.Value{args[1], args[at]})
}

// patternText writes a regular expression and its flags as one text.
func patternText(args []value.Value) (string, bool) {
	p, ok := value.AsString(args[0])
	if !ok || len(p) > pattern.MaxLength {
		return "", false
	}
	flags := arg(args, 1)
	f, ok := value.AsString(flags)
	if !ok && !flags.IsNull() || len(f) > 8 || strings.Contains(f, "/") {
		return "", false
	}
	return f + "/" + p, true
}

// compiled finds the compiled form of a pattern, and counts what it cost to find
// out that it is none.
func compiled(c *Call, args ...value.Value) *Pattern {
	text, ok := patternText(args)
	if !ok {
		c.Warn("the pattern is no string of at most %d bytes, or the flags are no string of s, m, i, x and q", pattern.MaxLength)
		return nil
	}
	p, err := c.Pattern(text)
	if err != nil {
		var e *pattern.Error
		if errors.As(err, &e) {
			c.Spend(e.Work)
		}
		c.Warn("the pattern is not understood: %s", err)
		return nil
	}
	return p
}

// failed tells why the work with a pattern came to nothing.
func failed(c *Call, err error) value.Value {
	if errors.Is(err, pattern.ErrStopped) {
		return value.Null()
	}
	return c.null("%s", err)
}

func matches(c *Call, a []value.Value) value.Value {
	s, ok := value.AsString(a[0])
	if !ok {
		return c.null("%s is no string", a[0].Kind())
	}
	p := compiled(c, a[1], arg(a, 2))
	if p == nil {
		return value.Null()
	}
	found, err := p.Match(s, c.Spend)
	if err != nil {
		return failed(c, err)
	}
	return value.Bool(found)
}

func replace(c *Call, a []value.Value) value.Value {
	s, ok1 := value.AsString(a[0])
	to, ok2 := value.AsString(a[2])
	if !ok1 || !ok2 {
		return c.null("replace wants strings and a pattern, not %s and %s", a[0].Kind(), a[2].Kind())
	}
	p := compiled(c, a[1], arg(a, 3))
	if p == nil {
		return value.Null()
	}
	out, err := p.Replace(s, to, c.MaxBytes, c.Spend)
	if err != nil {
		return failed(c, err)
	}
	return value.String(out)
}

func split(c *Call, a []value.Value) value.Value { return pieces(c, a, (*Pattern).Split) }

func extract(c *Call, a []value.Value) value.Value { return pieces(c, a, (*Pattern).FindAll) }

// pieces gives a list of parts of a text.
func pieces(c *Call, a []value.Value, cut func(p *Pattern, s string, spend func(int64) bool) ([]string, error)) value.Value {
	s, ok := value.AsString(a[0])
	if !ok {
		return c.null("%s is no string", a[0].Kind())
	}
	p := compiled(c, a[1])
	if p == nil {
		return value.Null()
	}
	parts, err := cut(p, s, c.Spend)
	if err != nil {
		return failed(c, err)
	}
	out := make([]value.Value, len(parts))
	for i, part := range parts {
		out[i] = value.String(part)
	}
	return value.NewList(out)
}
