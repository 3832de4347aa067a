package feel_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// doubling is a context of which every entry holds the one before twice: a few
// lines that would write out as 2^n values.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString(`{a0: ["xxxxxxxx"]`)
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, ", a%d: [a%d, a%d]", i, i-1, i-1)
	}
	return b.String() + "}"
}

func TestLimitsStopHostileExpressions(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("ab", 20_000)
	tests := map[string]struct{ src, limit string }{
		"steps":      {`count(for a in 1..1500, b in 1..1500 return null)`, "items in a list"},
		"quantified": {`some a in 1..100000, b in 1..100000, c in [] satisfies true`, "steps"},
		"far":        {`every a in 1..9223372036854775807 satisfies true`, "steps"},
		"list":       {`for i in 1..200000 return i`, "items in a list"},
		"doubling":   {doubling(40), "parts in a value"},
		"flatten":    {`flatten(` + doubling(40) + `.a40)`, "parts in a value"},
		"compared":   {`{d: ` + doubling(16) + `, r: for i in 1..1000 return d.a16 = d.a16}`, "steps"},
		"text":       {`{a: "` + text + `", b: for i in 1..100000 return a + "x"}`, "parts in a value"},
		"dropped":    {`{a: "` + text + `", b: for i in 1..100000 return string length(a + "x")}`, "steps"},
		"string":     {`{a: "` + text + `", b: a+a+a+a+a+a+a+a, c: b+b+b+b+b+b}`, "bytes in a string"},
		"recursion":  {`{f: function(n) f(n + 1), r: f(1)}`, "nested calls"},
		"ladder":     {`for i in 1..1000 return [partial[-1]]`, "lists and contexts within one another"},
		"regex":      {`matches("` + text + `", "((((.{0,9}){0,9}){0,9})x)((((.{0,9}){0,9}){0,9})y)")`, "steps"},
		"computed":   {`for i in 1..100000 return matches("a", "(a{0,90}){0,9}" + string(i))`, "steps"},
		"refused":    {`for i in 1..100000 return matches("a", "(((.{0,10}){0,10}){0,10})" + string(i))`, "steps"},
		"exp":        {`for i in 1..100000 return exp(6000.1 + i)`, "steps"},
		"power":      {`for i in 1..100000 return 1.0001 ** (i + 0.5)`, "steps"},
		"distinct":   {`distinct values(for i in 1..20000 return [i])`, "steps"},
		"sort":       {`sort(for i in 1..90000 return 90000 - i, function(a, b) a < b)`, "steps"},
		"scanned":    {`{a: "` + text + `", b: for i in 1..100000 return string length(a)}`, "steps"},
		"parsed":     {`{a: "` + text + `", b: for i in 1..100000 return duration(a)}`, "steps"},
		"member":     {`{l: for i in 1..9000 return i, r: for i in 1..9000 return i in l}`, "steps"},
		"entries": {`{c: context(for i in 1..5000 return {key: string(i), value: i}), r: for i in 1..5000 return count(get entries(c))}`,
			"steps"},
		"put": {`{c: context(for i in 1..5000 return {key: string(i), value: i}), r: for i in 1..5000 return context put(c, "x", i)}`,
			"parts in a value"},
		"put once": {`{c: context(for i in 1..5000 return {key: string(i), ` +
			`value: i}), r: count((for i in 1..5000 return context put(c, "x", i).x))}`, "steps"},
		"partial": {`for i in 1..100000 return count(partial)`, "steps"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, err := feel.Compile(tt.src)
			if err != nil {
				t.Fatal(err)
			}
			_, err = x.Eval(nil)
			var limit *feel.LimitError
			if !errors.As(err, &limit) || limit.Limit != tt.limit {
				t.Errorf("got %v, want the limit of %s", err, tt.limit)
			}
		})
	}
}

func TestLimitsCanBeTightened(t *testing.T) {
	t.Parallel()
	if got := (feel.Limits{Steps: 5}).WithDefaults(); got.Steps != 5 || got.ListSize != feel.DefaultLimits().ListSize {
		t.Errorf("limits %+v", got)
	}
	x, err := feel.Compile(`sum(for i in 1..10 return i)`, feel.WithLimits(feel.Limits{Steps: 9}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Eval(nil); err == nil || !strings.Contains(err.Error(), "more than 9 steps") {
		t.Errorf("got %v", err)
	}
	if _, err := feel.Compile(`1 + 1`, feel.WithLimits(feel.Limits{SourceBytes: 3})); err == nil {
		t.Error("a text of 5 bytes was compiled")
	}
}

// What is large but honest must pass.
func TestLimitsLetHonestWorkPass(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		`count(distinct values(for i in 1..90000 return modulo(i, 1000)))`,
		`count(sort(for i in 1..90000 return -i))`,
		`count((for i in 1..50000 return {id: i, name: "host" + string(i)})[id > 25000].name)`,
		`string length(string join(for i in 1..50000 return "abcdefgh", ","))`,
		`count(for i in 1..10000 return matches("web-" + string(i), "^web-\d+$"))`,
	} {
		x, err := feel.Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := x.Eval(nil); err != nil || got.Kind() != value.KindNumber {
			t.Errorf("%s: %v %v", src, got, err)
		}
	}
}

func TestNestingIsBounded(t *testing.T) {
	t.Parallel()
	for _, piece := range []string{"(", "[", "{a:", "-", "<", "]", "if ",
		"f(", "1 in (", "function(a) ", "[1..", "for a in ", "some a in a satisfies ", "not("} {
		_, err := feel.Compile(strings.Repeat(piece, 60_000/len(piece)))
		if err == nil || !strings.Contains(err.Error(), "nested") {
			t.Errorf("%q many times: %v", piece, err)
		}
	}
	if _, err := feel.Compile(strings.Repeat(" ", 70_000) + "1"); err == nil {
		t.Error("70,000 bytes were compiled")
	}
	if _, err := feel.Compile(strings.Repeat("1 + ", 15_000) + "1"); err != nil {
		t.Errorf("a long sum is not deep: %v", err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, want string }{
		{`for h in hosts return h.cpu + offset + {a: 1, b: a}.b + count(list)`, "hosts list offset"},
		{`{a: a}`, "a"},
		{`{f: function(n) f(n - 1)}`, ""},
		{`date + date("2026-01-01")`, "date"},
		{`hosts[cpu > 3]`, "cpu hosts"},
		{`Full Name + "x"`, "Full Name"},
		{`? > 3`, "?"},
	}
	for _, tt := range tests {
		x, err := feel.Compile(tt.src, feel.KnownNames("Full Name"))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(x.Names(), " "); got != tt.want {
			t.Errorf("%s: names %q, want %q", tt.src, got, tt.want)
		}
	}
}

func TestKnownNames(t *testing.T) {
	t.Parallel()
	vars := map[string]value.Value{"Full Name": value.String("Ann"), "Full Name of owner": value.String("Bob"),
		"cost-center": value.Int(7), "Full": value.Int(1)}
	e := &feel.Env{Lookup: func(name string) (value.Value, bool) { v, ok := vars[name]; return v, ok }}
	for src, want := range map[string]string{
		`Full   Name`:        "Ann",
		`Full Name of owner`: "Bob",
		`cost-center + Full`: "8",
		`{r: Full Name}.r`:   "Ann",
		`Full + 1`:           "2",
	} {
		x, err := feel.Compile(src, feel.KnownNames("Full Name", "Full Name of owner", "cost-center", "Full"))
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		if got, err := x.Eval(e); err != nil || got.String() != want {
			t.Errorf("%s: got %s %v, want %s", src, got, err, want)
		}
	}
}

func TestIsExpression(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"=1": "1", "= a": " a"} {
		if got, ok := feel.IsExpression(s); !ok || got != want {
			t.Errorf("%q: %q %v", s, got, ok)
		}
	}
	if got, ok := feel.IsExpression("a = 1"); ok || got != "a = 1" {
		t.Errorf("%q %v", got, ok)
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	t.Parallel()
	_, err := feel.Compile("1 +\n  主机 +\n  主机 §")
	var e *feel.Error
	if !errors.As(err, &e) || e.Line != 3 || e.Column != 6 || e.Offset != 24 || e.Source == "" {
		t.Fatalf("got %+v", e)
	}
	if want := `line 3, column 6: '§' has no meaning in FEEL`; e.Error() != want {
		t.Errorf("got %q, want %q", e.Error(), want)
	}
}

func FuzzEval(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if src, ok := strings.CutPrefix(line, "eval "); ok {
				f.Add(strings.TrimSpace(src))
			}
		}
	}
	limits := feel.Limits{Steps: 2000, Depth: 20, ListSize: 100, StringBytes: 1000, ValueSize: 2000}
	f.Fuzz(func(t *testing.T, src string) {
		for _, compile := range []func(string, ...feel.Option) (*feel.Expr, error){feel.Compile, feel.CompileUnaryTests} {
			x, err := compile(src, feel.WithLimits(limits))
			if err != nil {
				continue
			}
			e := env(value.Null())
			e.Warn = func(w feel.Warning) {
				if w.Offset < 0 || w.Offset > len(src) {
					t.Fatalf("a warning at %d of %d bytes", w.Offset, len(src))
				}
			}
			v, err := x.Eval(e)
			if err != nil {
				continue
			}
			_ = v.String()
			if raw, err := value.ToJSON(v); err == nil {
				if _, err := value.FromJSON(raw); err != nil {
					t.Fatalf("%s is no JSON: %v", raw, err)
				}
			}
		}
	})
}

func TestOneExpressionServesManyAtOnce(t *testing.T) {
	t.Parallel()
	x, err := feel.Compile(`{r: for i in 1..20 return if matches(name, ` +
		`"^web-\d+$") then substring after(name, "-") else @"2026-01-01".year, p: matches(name, "x" + name)}.r[20]`)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	for i := range 8 {
		go func() {
			name := value.String(fmt.Sprintf("web-%d", i))
			got, err := x.Eval(&feel.Env{Lookup: func(string) (value.Value, bool) { return name, true }})
			if err != nil || got.String() != fmt.Sprint(i) {
				done <- fmt.Sprintf("got %s %v, want %d", got, err, i)
			}
			done <- ""
		}()
	}
	for range 8 {
		if problem := <-done; problem != "" {
			t.Error(problem)
		}
	}
}

func TestWarningsNameThePlace(t *testing.T) {
	t.Parallel()
	x, err := feel.Compile("1 +\n  count(upper case(5))")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	_, err = x.Eval(&feel.Env{Warn: func(w feel.Warning) {
		line, column := x.Position(w.Offset)
		got = append(got, fmt.Sprintf("%d:%d %s", line, column, w.Message))
	}})
	want := "2:19 a number is no string; 2:8 null is no list; 1:3 a number + null has no value"
	if err != nil || strings.Join(got, "; ") != want {
		t.Errorf("got %q %v, want %q", got, err, want)
	}
}
