package builtin

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"sextant/internal/lang/feel/value"
)

const (
	maxPattern = 1000   // bytes of a regular expression
	maxProgram = 10_000 // instructions that one may take
)

// Pattern is a regular expression. RE2 knows no back-references and so no
// exponential cost: it is the length of the text times the size of the pattern.
type Pattern struct {
	re   *regexp.Regexp
	size int // instructions
}

// Size is how many instructions the pattern was compiled to.
func (p *Pattern) Size() int64 { return int64(p.size) }

var errPattern = errors.New("the pattern is too large")

// CompilePattern compiles what PatternText gives, unless it is too large.
func CompilePattern(text string) (*Pattern, error) {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("no regular expression: %w", err)
	}
	size := measure(tree)
	if size > maxProgram {
		return nil, errPattern
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("no regular expression: %w", err)
	}
	return &Pattern{re, size}, nil
}

// measure tells about how many instructions a pattern takes, without compiling
// it: what is repeated counts as often as it is repeated.
func measure(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)/16
	for _, sub := range re.Sub {
		n += measure(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Max, re.Min+1)
	}
	return min(n, 1<<20)
}

// PatternText finds the text of the regular expression among the arguments of
// a call by place: the second one, with the flags that come last.
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

// patternText writes an XPath regular expression and its flags as RE2.
func patternText(args []value.Value) (string, bool) {
	p, ok := value.AsString(args[0])
	if !ok || len(p) > maxPattern {
		return "", false
	}
	flags := arg(args, 1)
	f, ok := value.AsString(flags)
	if !ok && !flags.IsNull() || len(f) > 8 {
		return "", false
	}
	mode := ""
	for _, r := range f {
		switch r {
		case 's', 'i', 'm':
			mode += string(r)
		case 'x':
			p = strings.Join(strings.Fields(p), "")
		default:
			return "", false
		}
	}
	if mode != "" {
		p = "(?" + mode + ")" + p
	}
	return p, true
}
