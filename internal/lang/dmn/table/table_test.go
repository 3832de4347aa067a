package table_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/dmn/table"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// surroundings compile and evaluate the expressions of a table with variables.
type surroundings struct {
	vars     map[string]value.Value
	problems []string
	warnings []string
	tests    int // cells that were evaluated
}

func (s *surroundings) Expression(text string, _ model.Place) *feel.Expr {
	x, err := feel.Compile(text)
	if err != nil {
		s.problems = append(s.problems, err.Error())
	}
	return x
}

func (s *surroundings) Tests(text string, _ model.Place) *feel.Expr {
	x, err := feel.CompileUnaryTests(text)
	if err != nil {
		s.problems = append(s.problems, err.Error())
	}
	return x
}

func (s *surroundings) Type(ref string, _ model.Place) *value.Type {
	t, _ := value.NamedType(ref)
	return t
}

func (s *surroundings) Domain(in *model.Input) string {
	if in.Values != nil {
		return in.Values.Text
	}
	return ""
}

func (s *surroundings) Order(out *model.Output) string {
	if out.Values != nil {
		return out.Values.Text
	}
	return ""
}

func (s *surroundings) Problem(_ model.Level, code string, _ model.Place, message string) {
	s.problems = append(s.problems, code+": "+message)
}

func (s *surroundings) Eval(x *feel.Expr, _ model.Place) value.Value {
	v, err := x.Eval(&feel.Env{Lookup: func(name string) (value.Value, bool) { v, ok := s.vars[name]; return v, ok }})
	if err != nil {
		return value.Null()
	}
	return v
}

func (s *surroundings) Test(x *feel.Expr, _ model.Place, input value.Value) value.Value {
	s.tests++
	v, err := x.Eval(&feel.Env{Lookup: func(name string) (value.Value, bool) {
		if name == "?" {
			return input, true
		}
		v, ok := s.vars[name]
		return v, ok
	}})
	if err != nil {
		return value.Null()
	}
	return v
}

func (s *surroundings) Coerce(t *value.Type, v value.Value) (value.Value, bool) { return t.Coerce(v) }

func (s *surroundings) Warn(_ model.Place, format string, args ...any) {
	s.warnings = append(s.warnings, fmt.Sprintf(format, args...))
}

func (s *surroundings) Spend(int64) bool { return true }

// rows makes a table of text: the cells of a row are apart by "|", the outputs
// follow behind "=>". Inputs are the variables a, b, c, …, outputs x, y, ….
func rows(policy model.HitPolicy, lines ...string) *model.Table {
	t := &model.Table{HitPolicy: policy}
	for _, line := range lines {
		in, out, _ := strings.Cut(line, "=>")
		var r model.Rule
		for _, cell := range strings.Split(in, "|") {
			r.Tests = append(r.Tests, model.Tests{Text: strings.TrimSpace(cell)})
		}
		for _, cell := range strings.Split(out, "|") {
			r.Outputs = append(r.Outputs, model.Literal{Text: strings.TrimSpace(cell)})
		}
		t.Rules = append(t.Rules, r)
	}
	for i := range t.Rules[0].Tests {
		name := string(rune('a' + i))
		t.Inputs = append(t.Inputs, model.Input{Text: name, Label: name})
	}
	for i := range t.Rules[0].Outputs {
		t.Outputs = append(t.Outputs, model.Output{Name: string(rune('x' + i))})
	}
	return t
}

func feelValue(t testing.TB, text string) value.Value {
	t.Helper()
	x, err := feel.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	v, err := x.Eval(nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestHitPolicies(t *testing.T) {
	t.Parallel()
	base := []string{`<10 => "low"`, `<20 => "mid"`, `>5 => "high"`, `15 => "mid"`}
	for name, tc := range map[string]struct {
		policy      model.HitPolicy
		aggregation model.Aggregation
		rows        []string
		values      string // of the first output
		standard    string
		input       string
		want        string
	}{
		"unique":           {model.Unique, "", []string{`<10 => 1`, `>=10 => 2`}, "", "", "3", "1"},
		"unique_two_match": {model.Unique, "", base, "", "", "3", "null"},
		"unique_none":      {model.Unique, "", []string{`<10 => 1`}, "", "", "30", "null"},
		"unique_default":   {model.Unique, "", []string{`<10 => 1`}, "", "7", "30", "7"},
		"any_agree":        {model.Any, "", []string{`<10 => 1`, `<20 => 1+0`}, "", "", "3", "1"},
		"any_disagree":     {model.Any, "", []string{`<10 => 1`, `<20 => 2`}, "", "", "3", "null"},
		"first":            {model.First, "", base, "", "", "8", `"low"`},
		"priority":         {model.Priority, "", base, `"high","mid","low"`, "", "8", `"high"`},
		"output_order":     {model.OutputOrder, "", base, `"high","mid","low"`, "", "8", `["high","mid","low"]`},
		"rule_order":       {model.RuleOrder, "", base, "", "", "8", `["low","mid","high"]`},
		"rule_order_none":  {model.RuleOrder, "", []string{`<10 => 1`}, "", "", "30", "[]"},
		"collect":          {model.Collect, "", base, "", "", "15", `["mid","high","mid"]`},
		"collect_none":     {model.Collect, "", []string{`<10 => 1`}, "", "", "30", "[]"},
		"collect_default":  {model.Collect, "", []string{`<10 => 1`}, "", "5", "30", "[5]"},
		"sum":              {model.Collect, model.Sum, []string{`<10 => 1`, `<20 => 2`, `<30 => 4`}, "", "", "15", "6"},
		"sum_text":         {model.Collect, model.Sum, []string{`<10 => "a"`}, "", "", "5", "null"},
		"min":              {model.Collect, model.Min, []string{`<10 => 3`, `<20 => 2`, `<30 => 4`}, "", "", "5", "2"},
		"max":              {model.Collect, model.Max, []string{`<10 => 3`, `<20 => 2`, `<30 => 4`}, "", "", "5", "4"},
		"count":            {model.Collect, model.Count, base, "", "", "8", "3"},
		"count_none":       {model.Collect, model.Count, []string{`<10 => 1`}, "", "", "30", "0"},
		"two_outputs":      {model.Unique, "", []string{`<10 => 1 | "a"`}, "", "", "3", `{x: 1, y: "a"}`},
		"not_allowed":      {model.Unique, "", []string{`<10 => 1`}, "2,3", "", "3", "null"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := rows(tc.policy, tc.rows...)
			m.Aggregation = tc.aggregation
			if tc.values != "" {
				m.Outputs[0].Values = &model.Tests{Text: tc.values}
			}
			if tc.standard != "" {
				m.Outputs[0].Default = &model.Literal{Text: tc.standard}
			}
			s := &surroundings{vars: map[string]value.Value{"a": feelValue(t, tc.input)}}
			got := table.Compile(m, s).Eval(s)
			if len(s.problems) > 0 {
				t.Fatal(s.problems)
			}
			if want := feelValue(t, tc.want); !value.Same(got.Value, want) {
				t.Errorf("got %s, want %s (%v)", got.Value, want, s.warnings)
			}
		})
	}
}

func TestMistakesOfTables(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*model.Table)
		code   string
	}{
		"no_order":     {func(m *model.Table) { m.HitPolicy = model.Priority }, "dmn.table.priority"},
		"sum_unique":   {func(m *model.Table) { m.Aggregation = model.Sum }, "dmn.table.aggregation"},
		"no_name":      {func(m *model.Table) { m.Outputs[0].Name = "" }, "dmn.table.output_name"},
		"same_name":    {func(m *model.Table) { m.Outputs[0].Name = "y" }, "dmn.table.output_name"},
		"no_input":     {func(m *model.Table) { m.Inputs[0].Text = "" }, "dmn.table.input"},
		"sum_of_two":   {func(m *model.Table) { m.HitPolicy, m.Aggregation = model.Collect, model.Max }, "dmn.table.aggregation"},
		"bad_cell":     {func(m *model.Table) { m.Rules[0].Tests[0].Text = "< " }, "line 1"},
		"bad_result":   {func(m *model.Table) { m.Rules[0].Outputs[0].Text = "1 +" }, "line 1"},
		"bad_allowed":  {func(m *model.Table) { m.Inputs[0].Values = &model.Tests{Text: "[1.."} }, "line 1"},
		"bad_standard": {func(m *model.Table) { m.Outputs[0].Default = &model.Literal{Text: "("} }, "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := rows(model.Unique, `<10 => 1 | 2`)
			tc.change(m)
			s := &surroundings{vars: map[string]value.Value{"a": value.Int(3)}}
			table.Compile(m, s).Eval(s) // must not panic
			if !slices.ContainsFunc(s.problems, func(p string) bool { return strings.HasPrefix(p, tc.code) }) {
				t.Errorf("got %v, want %s", s.problems, tc.code)
			}
		})
	}
}

// cells of one kind of column: constants, and inputs near them.
type kind struct {
	constants []string
	ordered   bool
}

var kinds = []kind{
	{[]string{"1", "2", "3", "2.5", "-1", "100", "1e3", "0.1"}, true},
	{[]string{`"a"`, `"b"`, `"ab"`, `""`, `"c"`, `"B"`}, true},
	{[]string{"true", "false"}, false},
	{[]string{`date("2026-01-01")`, `@"2026-02-28"`, `date("2025-12-31")`}, true},
	{[]string{`duration("PT1H")`, `@"PT90M"`, `duration("P1D")`}, true},
	{[]string{`duration("P1Y")`, `@"P18M"`}, true},
	{[]string{`date and time("2026-01-01T00:00:00")`, `@"2026-01-01T12:00:00"`,
		`@"2026-01-01T12:00:00Z"`, `date and time("2026-01-01T12:00:00+02:00")`}, true},
	{[]string{`time("10:00:00")`, `@"11:30:00"`, `@"11:30:00Z"`, `@"11:30:00+01:00"`}, true},
}

// cell draws the text of a cell of a kind; now and then one of another kind, or
// one that the index does not know.
func (k kind) cell(t *rapid.T, strays bool) string {
	constant := func() string {
		if strays && rapid.IntRange(0, 30).Draw(t, "stray") == 0 {
			return rapid.SampledFrom([]string{"1", `"a"`, "true", "null", "v", "[1,2]", `@"P1D"`}).Draw(t, "other")
		}
		return rapid.SampledFrom(k.constants).Draw(t, "constant")
	}
	test := func() string {
		switch n := rapid.IntRange(0, 9).Draw(t, "test"); {
		case n < 3 || !k.ordered && n < 7:
			return constant()
		case n < 6:
			return rapid.SampledFrom([]string{"<", "<=", ">", ">=", "=", "!="}).Draw(t, "op") + " " + constant()
		case n < 9:
			return rapid.SampledFrom([]string{"[", "(", "]"}).Draw(t, "low") + constant() +
				".." + constant() + rapid.SampledFrom([]string{"]", ")", "["}).Draw(t, "high")
		}
		return rapid.SampledFrom([]string{"? = v", "? != null", "v", "null",
			"[" + constant() + "," + constant() + "]", "if ? = v then true else false"}).Draw(t, "free")
	}
	switch n := rapid.IntRange(0, 9).Draw(t, "cell"); {
	case n < 2:
		return "-"
	case n < 7:
		return test()
	case n < 9:
		return test() + ", " + test()
	}
	return "not(" + test() + ", " + test() + ")"
}

func (k kind) input(t *rapid.T, strays bool) string {
	if strays && rapid.IntRange(0, 9).Draw(t, "wild") == 0 {
		return rapid.SampledFrom([]string{"null", "1", `"a"`, "true", "[1,2]", "[1]", "{a: 1}", "[1..3]", `@"P1D"`, `@"2026-01-01"`}).
			Draw(t, "input")
	}
	c := rapid.SampledFrom(k.constants).Draw(t, "input")
	if !k.ordered || rapid.Bool().Draw(t, "exact") {
		return c
	}
	switch c[0] {
	case '"':
		return c + ` + "x"`
	case 't': // time
		return c + ` + duration("PT1M")`
	case 'd', '@':
		return c
	}
	return c + rapid.SampledFrom([]string{" + 0.5", " - 0.5", " + 0"}).Draw(t, "shift")
}

// The index gives exactly what the cells give one by one.
func TestIndexIsTheScan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(1, 3).Draw(t, "columns")
		of := make([]kind, columns)
		for i := range of {
			of[i] = rapid.SampledFrom(kinds).Draw(t, "kind")
		}
		lines := make([]string, rapid.IntRange(1, 40).Draw(t, "rules"))
		for i := range lines {
			cells := make([]string, columns)
			for c := range cells {
				cells[c] = of[c].cell(t, true)
			}
			lines[i] = strings.Join(cells, " | ") + " => 1"
		}
		m := rows(model.Collect, lines...)
		s := &surroundings{vars: map[string]value.Value{}}
		compiled := table.Compile(m, s)
		if len(s.problems) > 0 {
			t.Skip("a cell is no FEEL")
		}
		for range 5 {
			inputs := map[string]value.Value{"v": evaluate(t, of[0].input(t, true))}
			for c := range of {
				inputs[string(rune('a'+c))] = evaluate(t, of[c].input(t, true))
			}
			s.vars = inputs
			got := compiled.Eval(s).Matched
			if want := oracle(s, m); !slices.Equal(got, want) {
				t.Fatalf("inputs %v: got rules %v, want %v", inputs, got, want)
			}
		}
	})
}

func evaluate(t *rapid.T, text string) value.Value {
	x, err := feel.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	v, err := x.Eval(nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// oracle evaluates every cell of every rule.
func oracle(s *surroundings, m *model.Table) []int {
	var matched []int
	for i, r := range m.Rules {
		all := true
		for c, cell := range r.Tests {
			x := s.Tests(cell.Text, cell.Place)
			b, ok := value.AsBool(s.Test(x, cell.Place, s.vars[m.Inputs[c].Text]))
			all = all && ok && b
		}
		if all {
			matched = append(matched, i)
		}
	}
	return matched
}

// big is a table with many rules: equality, numbers and irrelevant cells.
func big(n int) *model.Table {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf(`"customer-%d" | [%d..%d] | - | >= %d => %d`, i%5000, i%97, i%97+10, i%50, i)
	}
	return rows(model.First, lines...)
}

// intervals is a table whose columns are all wide intervals.
func intervals(n int) *model.Table {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf(`[%d..%d] | [%d..%d) | < %d => %d`, i%997, i%997+300, i%89, i%89+30, i%101, i)
	}
	return rows(model.Collect, lines...)
}

func TestIndexEvaluatesNoCellItKnows(t *testing.T) {
	t.Parallel()
	s := &surroundings{
		vars: map[string]value.Value{"a": value.String("customer-77"), "b": value.Int(78), "c": value.Int(1), "d": value.Int(40)}}
	got := table.Compile(big(10_000), s).Eval(s)
	if s.tests != 0 || len(got.Matched) != 1 || got.Matched[0] != 77 {
		t.Errorf("matched %v with %d cells evaluated", got.Matched, s.tests)
	}
}

func BenchmarkTable10k(b *testing.B) {
	s := &surroundings{
		vars: map[string]value.Value{"a": value.String("customer-77"), "b": value.Int(78), "c": value.Int(1), "d": value.Int(40)}}
	compiled := table.Compile(big(10_000), s)
	b.ReportAllocs()
	for b.Loop() {
		compiled.Eval(s)
	}
}

func BenchmarkTable10kIntervals(b *testing.B) {
	s := &surroundings{vars: map[string]value.Value{"a": value.Int(500), "b": value.Int(50), "c": value.Int(95)}}
	compiled := table.Compile(intervals(10_000), s)
	b.ReportAllocs()
	for b.Loop() {
		compiled.Eval(s)
	}
}

// The scan is what a table without an index costs: a range as input is compared
// by evaluation alone.
func BenchmarkTable10kScan(b *testing.B) {
	s := &surroundings{
		vars: map[string]value.Value{"a": value.String("customer-77"), "b": value.Int(78), "c": value.Int(1), "d": value.Int(40)}}
	s.vars["d"] = feelValue(b, "[1..2]")
	compiled := table.Compile(big(10_000), s)
	b.ReportAllocs()
	for b.Loop() {
		compiled.Eval(s)
	}
}

func BenchmarkCompile10k(b *testing.B) {
	m := big(10_000)
	for b.Loop() {
		table.Compile(m, &surroundings{})
	}
}
