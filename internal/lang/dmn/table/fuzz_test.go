package table_test

import (
	"slices"
	"testing"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/dmn/table"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// FuzzTable puts any texts into the cells of a table large enough for an index,
// which has to give what the cells give one by one, and an analysis that is true.
func FuzzTable(f *testing.F) {
	f.Add("1", "< 5", "not(3, [7..9))", "4")
	f.Add(`"a"`, `"b","c"`, `not("a")`, `"c"`)
	f.Add("true", "false", "-", "true")
	f.Add(`date("2026-01-01")`, `> @"2026-01-01"`, "null", `@"2026-01-02"`)
	f.Add(`@"PT1H"`, `[@"PT1M"..@"PT2H"]`, "!= null", `duration("PT5M")`)
	f.Add("[1,2]", "(1..2)", "? = 3", "[1..2]")
	f.Fuzz(func(t *testing.T, a, b, c, input string) {
		lines := make([]string, 0, 12)
		for range 4 {
			lines = append(lines, "=> 1", "=> 1", "=> 1")
		}
		m := rows(model.Collect, lines...)
		for i := range m.Rules {
			m.Rules[i].Tests[0].Text = []string{a, b, c}[i%3]
		}
		s := &surroundings{vars: map[string]value.Value{}}
		compiled := table.Compile(m, s)
		x, err := feel.Compile(input, feel.WithLimits(feel.Limits{Steps: 10_000}))
		if err != nil || len(s.problems) > 0 {
			return
		}
		v, err := x.Eval(nil)
		if err != nil {
			return
		}
		s.vars["a"] = v
		if got, want := compiled.Eval(s).Matched, oracle(s, m); !slices.Equal(got, want) {
			t.Fatalf("cells %q, %q, %q with %s: got rules %v, want %v", a, b, c, v, got, want)
		}
		for _, g := range compiled.Analyse().Gaps {
			s.vars["a"] = g.Example[0]
			if got := oracle(s, m); len(got) > 0 {
				t.Fatalf("cells %q, %q, %q: rules %v match at the gap %v (%v)", a, b, c, got, g.Region, g.Example)
			}
		}
	})
}
