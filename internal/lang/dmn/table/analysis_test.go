package table_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/dmn/table"
	"sextant/internal/lang/feel/value"
)

func analyse(t testing.TB, m *model.Table) *table.Analysis {
	t.Helper()
	s := &surroundings{}
	compiled := table.Compile(m, s)
	if len(s.problems) > 0 {
		t.Fatal(s.problems)
	}
	return compiled.Analyse()
}

func TestGapsAreFound(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rows    []string
		allowed string // of the first input
		want    []string
	}{
		"none":            {[]string{"< 10 => 1", ">= 10 => 2"}, "", nil},
		"point":           {[]string{"< 10 => 1", "> 10 => 2"}, "", []string{"10"}},
		"between":         {[]string{"<= 10 => 1", ">= 20 => 2"}, "", []string{"(10..20)"}},
		"outside":         {[]string{"[10..20) => 1"}, "", []string{"< 10, >= 20"}},
		"within_allowed":  {[]string{"[10..20) => 1"}, "[0..20]", []string{"[0..10), 20"}},
		"texts":           {[]string{`"a" => 1`, `"b" => 2`}, "", []string{`not("a", "b")`}},
		"list":            {[]string{`"a","b" => 1`, `"c" => 2`}, `"a","b","c"`, nil},
		"list_one_left":   {[]string{`"a" => 1`, `"c" => 2`}, `"a","b","c"`, []string{`"b"`}},
		"boolean":         {[]string{"true => 1"}, "", []string{"false"}},
		"boolean_both":    {[]string{"true => 1", "false => 2"}, "", nil},
		"days":            {[]string{`<= date("2026-01-01") => 1`, `>= date("2026-01-02") => 2`}, "", nil},
		"days_apart":      {[]string{`< date("2026-01-01") => 1`, `> date("2026-01-02") => 2`}, "", []string{`[@"2026-01-01"..@"2026-01-02"]`}},
		"durations":       {[]string{`< duration("PT1H") => 1`, `> duration("PT1H") => 2`}, "", []string{`@"PT1H"`}},
		"two_columns":     {[]string{`< 10 | "a" => 1`, `>= 10 | - => 2`}, "", []string{`< 10 | not("a")`}},
		"not":             {[]string{`not("a") => 1`}, "", []string{`"a"`}},
		"catch_all":       {[]string{`"a" | < 3 => 1`, "- | - => 2"}, "", nil},
		"unknown_matches": {[]string{`? = 3 => 1`}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := rows(model.First, tc.rows...)
			if tc.allowed != "" {
				m.Inputs[0].Values = &model.Tests{Text: tc.allowed}
			}
			a := analyse(t, m)
			var got []string
			for _, g := range a.Gaps {
				got = append(got, strings.Join(g.Region, " | "))
			}
			slices.Sort(got)
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if complete := name != "unknown_matches"; a.GapsComplete != complete {
				t.Errorf("complete: %v, notes %q", a.GapsComplete, a.Notes)
			}
		})
	}
}

func TestOverlapsAndUnreachableRules(t *testing.T) {
	t.Parallel()
	unique := analyse(t, rows(model.Unique, `<= 10 => 1`, `>= 10 => 2`, `[3..4] => 1`))
	want := []table.Overlap{
		{Rules: [2]int{1, 2}, Region: []string{"10"}, Contradiction: true},
		{Rules: [2]int{1, 3}, Region: []string{"[3..4]"}, Contradiction: true, Within: 3},
	}
	if len(unique.Overlaps) != 2 {
		t.Fatalf("got %+v", unique.Overlaps)
	}
	for i, o := range unique.Overlaps {
		o.Example = nil
		if o.Rules != want[i].Rules || o.Region[0] != want[i].Region[0] || !o.Contradiction || o.Within != want[i].Within {
			t.Errorf("got %+v, want %+v", o, want[i])
		}
	}
	agreed := analyse(t, rows(model.Any, `<= 10 => 1`, `>= 10 => 1`, `10 => 2`))
	if agreed.Overlaps[0].Contradiction || !agreed.Overlaps[1].Contradiction {
		t.Errorf("rules that give the same may meet, others not: %+v", agreed.Overlaps)
	}
	for name, tc := range map[string]struct {
		policy model.HitPolicy
		rows   []string
		want   []table.Unreachable
	}{
		"hidden_by_one": {model.First, []string{`< 10 => 1`, `< 5 => 2`},
			[]table.Unreachable{{Rule: 2, Why: "rule 1 matches wherever it does"}}},
		"hidden_by_two": {model.First, []string{`< 10 => 1`, `>= 10 => 2`, `- => 3`},
			[]table.Unreachable{{Rule: 3, Why: "the rules before it match wherever it does"}}},
		"reachable": {model.First, []string{`< 10 => 1`, `>= 11 => 2`, `- => 3`}, nil},
		"empty_interval": {model.Unique, []string{`(5..5) => 1`, `7 => 1`},
			[]table.Unreachable{{Rule: 1, Why: `no value of a passes "(5..5)"`}}},
		"opaque_above": {model.First, []string{`? > b => 1`, `< 5 => 2`}, nil},
		"opaque_below": {model.First, []string{`- => 1`, `? > b => 2`},
			[]table.Unreachable{{Rule: 2, Why: "rule 1 matches wherever it does"}}},
		"collect_ignores": {model.Collect, []string{`- => 1`, `< 5 => 2`}, nil},
	} {
		if got := analyse(t, rows(tc.policy, tc.rows...)).Unreachable; !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, tc.want)
		}
	}
	m := rows(model.Priority, `< 10 => "low"`, `< 5 => "low"`, `- => "high"`)
	m.Outputs[0].Values = &model.Tests{Text: `"high","low"`}
	if got := analyse(t, m).Unreachable; len(got) != 2 {
		t.Errorf("a rule with a higher priority hides the others: %+v", got)
	}
}

// What the analysis says holds: no rule matches at a gap, both do at an overlap,
// and where it says that these are all, there are no others.
func TestAnalysisTellsTheTruth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(1, 3).Draw(t, "columns")
		of := make([]kind, columns)
		for i := range of {
			of[i] = rapid.SampledFrom(kinds).Draw(t, "kind")
		}
		lines := make([]string, rapid.IntRange(1, 8).Draw(t, "rules"))
		for i := range lines {
			cells := make([]string, columns)
			for c := range cells {
				cells[c] = of[c].cell(t, false)
			}
			lines[i] = strings.Join(cells, " | ") + " => 1"
		}
		m := rows(rapid.SampledFrom([]model.HitPolicy{model.Unique, model.First}).Draw(t, "policy"), lines...)
		s := &surroundings{}
		compiled := table.Compile(m, s)
		if len(s.problems) > 0 {
			t.Skip("a cell is no FEEL")
		}
		a := compiled.Analyse()
		first := m.HitPolicy == model.First
		m.HitPolicy = model.Collect
		at := func(point []value.Value) []int {
			s.vars = map[string]value.Value{"v": value.String("v")}
			for c, v := range point {
				s.vars[m.Inputs[c].Text] = v
			}
			return oracle(s, m)
		}
		for _, g := range a.Gaps {
			if got := at(g.Example); len(got) > 0 {
				t.Fatalf("rules %v match at the gap %v (%v)", got, g.Region, g.Example)
			}
		}
		for _, o := range a.Overlaps {
			if got := at(o.Example); !slices.Contains(got, o.Rules[0]-1) || !slices.Contains(got, o.Rules[1]-1) {
				t.Fatalf("rules %v match at the overlap of %v, %v (%v)", got, o.Rules, o.Region, o.Example)
			}
		}
		for range 10 {
			point := make([]value.Value, columns)
			for c := range point {
				point[c] = evaluate(t, of[c].input(t, false))
			}
			matched := at(point)
			checkPoint(t, a, matched, point)
			if len(matched) > 0 && slices.ContainsFunc(a.Unreachable, func(u table.Unreachable) bool {
				return first && u.Rule == matched[0]+1 || !first && slices.Contains(matched, u.Rule-1)
			}) {
				t.Fatalf("rules %v match at %v, and yet: %+v", matched, point, a.Unreachable)
			}
		}
	})
}

func checkPoint(t *rapid.T, a *table.Analysis, matched []int, point []value.Value) {
	if len(matched) == 0 && a.GapsComplete && len(a.Gaps) == 0 {
		t.Fatalf("no rule matches at %v and no gap is told", point)
	}
	if len(matched) > 1 && a.OverlapsComplete && !slices.ContainsFunc(a.Overlaps, func(o table.Overlap) bool {
		return o.Rules == [2]int{matched[0] + 1, matched[1] + 1}
	}) {
		t.Fatalf("rules %v match at %v and no overlap is told: %+v", matched, point, a.Overlaps)
	}
}

// Tables of any size are looked at for a bounded time, and what was not looked
// at is said.
func TestAnalysisIsBounded(t *testing.T) {
	t.Parallel()
	wild := make([]string, 400)
	for i := range wild {
		cells := make([]string, 12)
		for c := range cells {
			cells[c] = []string{"-", "< " + string(rune('1'+(i*7+c)%9)), ">= " + string(rune('1'+(i*3+c)%9))}[(i+c*i)%3]
		}
		wild[i] = strings.Join(cells, " | ") + " => 1"
	}
	for name, m := range map[string]*model.Table{
		"many_rules": big(10_000), "wide_intervals": intervals(10_000), "many_columns": rows(model.Unique, wild...)} {
		a := analyse(t, m)
		if !a.GapsComplete && len(a.Notes) == 0 {
			t.Errorf("%s: ended without a word", name)
		}
	}
}
