package feel_test

import (
	"errors"
	"strings"
	"testing"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// A pattern that would take for ever ends by the limit of steps. How long the
// default limit takes is what the benchmarks measure; here a tenth of it is enough.
func TestHostilePatternsEndByTheLimit(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a", 60_000)
	spans := strings.Repeat("[&-\uffff]", 60) + "("
	for name, call := range map[string]string{
		"back":     `matches(s, "(a|aa)+\1b")`,
		"powers":   `matches("` + text[:40] + `b", "^(a+)+\1$")`,
		"replaced": `replace(s, "(a*)\1c", "x")`,
		"split":    `split(s, "(a|aa)+\1b")`,
		"found":    `extract(s, "(a+)+\1b")`,
		"often":    `for i in 1..100000 return matches(s, "a.*b|c")`,
		"refused":  `for i in 1..100000 return matches("a", "` + spans + `" + string(i), "i")`,
		"sets":     `for i in 1..100000 return matches("a", "\w\W\d\D\i\I\c\C" + string(i))`,
		"counts":   `for i in 1..100000 return matches("a", "((a?){9}){99}" + string(i))`,
	} {
		x, err := feel.Compile(call, feel.WithLimits(feel.Limits{Steps: 100_000}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = x.Eval(&feel.Env{Lookup: func(string) (value.Value, bool) { return value.String(text), true }})
		var limit *feel.LimitError
		if !errors.As(err, &limit) || limit.Limit != "steps" {
			t.Errorf("%s: %v, want the limit of steps", name, err)
		}
	}
}
