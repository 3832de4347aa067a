package feel_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

func env(vars value.Value) *feel.Env {
	ctx, _ := value.AsContext(vars)
	return &feel.Env{
		Now:  time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC),
		Zone: time.LoadLocation,
		Lookup: func(name string) (value.Value, bool) {
			if ctx == nil {
				return value.Null(), false
			}
			return ctx.Get(name)
		},
	}
}

// TestScenarios runs the files in testdata; their form is told in core.txt.
func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		vars, expr := value.Null(), ""
		for i, line := range strings.Split(string(data), "\n") {
			word, rest, _ := strings.Cut(line, " ")
			switch word {
			case "given":
				if vars, err = value.FromJSON([]byte(rest)); err != nil {
					t.Fatalf("%s:%d: %v", file, i+1, err)
				}
			case "eval":
				expr = rest
			case "expect":
				check(t, fmt.Sprintf("%s:%d", file, i+1), expr, rest, vars)
			case "fail":
				checkFails(t, fmt.Sprintf("%s:%d", file, i+1), expr, rest)
			}
		}
	}
}

func check(t *testing.T, at, expr, want string, vars value.Value) {
	t.Helper()
	x, err := feel.Compile(expr)
	if err != nil {
		t.Errorf("%s: %s: %v", at, expr, err)
		return
	}
	var warnings []string
	e := env(vars)
	e.Warn = func(w feel.Warning) { warnings = append(warnings, w.Message) }
	got, err := x.Eval(e)
	if err != nil {
		t.Errorf("%s: %s: %v", at, expr, err)
		return
	}
	raw, err := value.ToJSON(got)
	if err != nil || string(raw) != want {
		t.Errorf("%s: %s\n got %s %v\nwant %s\nwarnings %q", at, expr, raw, err, want, warnings)
	}
}

func checkFails(t *testing.T, at, expr, place string) {
	t.Helper()
	_, err := feel.Compile(expr)
	var e *feel.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: %s: got %v, want an error", at, expr, err)
		return
	}
	if got := fmt.Sprintf("%d:%d", e.Line, e.Column); got != place {
		t.Errorf("%s: %s: the error is at %s, want %s: %v", at, expr, got, place, err)
	}
}

func TestUnaryTests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cell, input, want string
	}{
		{"-", "1", "true"}, {"< 10", "5", "true"}, {"[1..5]", "5", "true"}, {"[1..5[", "5", "false"}, {`"a", "b"`, `"b"`, "true"},
		{`not("a", "b")`, `"b"`, "false"}, {"? > 3", "5", "true"}, {"null", "null", "true"}, {">= 3, < 1", "2", "false"}, {`not(null)`, "1", "true"},
		{`contains(?, "x")`, `"axe"`, "true"},
	}
	for _, tt := range tests {
		x, err := feel.CompileUnaryTests(tt.cell)
		if err != nil {
			t.Errorf("%s: %v", tt.cell, err)
			continue
		}
		in, err := value.FromJSON([]byte(tt.input))
		if err != nil {
			t.Fatal(err)
		}
		got, err := x.Eval(&feel.Env{Lookup: func(name string) (value.Value, bool) { return in, name == "?" }})
		if err != nil || got.String() != tt.want {
			t.Errorf("%s with %s: got %s %v, want %s", tt.cell, tt.input, got, err, tt.want)
		}
	}
}

func TestLimitsStopHostileExpressions(t *testing.T) {
	t.Parallel()
	limits := feel.Limits{Steps: 10_000, Depth: 50, ListSize: 1000, StringBytes: 1000}
	for name, src := range map[string]string{
		"steps":     `count(for a in 1..900, b in 1..900 return null)`,
		"list":      `for i in 1..2000 return i`,
		"string":    `{a: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", b: a+a+a+a, c: b+b+b+b}`,
		"recursion": `{f: function(n) f(n + 1), r: f(1)}`,
	} {
		x, err := feel.Compile(src, feel.WithLimits(limits))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err = x.Eval(&feel.Env{})
		var limit *feel.LimitError
		if !errors.As(err, &limit) {
			t.Errorf("%s: got %v, want a limit", name, err)
		}
	}
	for name, src := range map[string]string{"nesting": strings.Repeat("(", 5000), "minus": strings.Repeat("-", 5000) + "1", "long": strings.Repeat(" ", 70_000) + "1"} {
		if _, err := feel.Compile(src); err == nil {
			t.Errorf("%s was compiled", name)
		}
	}
}

func TestNamesAreThoseFromOutside(t *testing.T) {
	t.Parallel()
	x, err := feel.Compile(`for h in hosts return h.cpu + offset + {a: 1, b: a}.b + count(list)`)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(x.Names(), " "); got != "hosts list offset" {
		t.Errorf("names %q", got)
	}
}

func FuzzEval(f *testing.F) {
	for _, s := range []string{`1 + 2`, `for x in 1..3 return x`, `{a: function(b) b}.a(1)`, `"a" in ("b", <3)`, `@"P1D" * 3`, `[1,2][item > 1]`, `date("2020-01-01").year`} {
		f.Add(s)
	}
	limits := feel.Limits{Steps: 1000, Depth: 20, ListSize: 100, StringBytes: 1000}
	f.Fuzz(func(_ *testing.T, src string) {
		x, err := feel.Compile(src, feel.WithLimits(limits))
		if err != nil {
			return
		}
		v, err := x.Eval(env(value.Null()))
		if err == nil {
			_, _ = value.ToJSON(v) // a function has no JSON form
		}
	})
}

func BenchmarkCondition(b *testing.B) {
	x, err := feel.Compile(`(Origin="MOW" or Country="RU") and (Value>=100 or Adults=1)`)
	if err != nil {
		b.Fatal(err)
	}
	vars := map[string]value.Value{"Origin": value.String("MOW"), "Country": value.String("RU"), "Value": value.Int(100), "Adults": value.Int(1)}
	e := &feel.Env{Lookup: func(name string) (value.Value, bool) { v, ok := vars[name]; return v, ok }}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.Eval(e); err != nil {
			b.Fatal(err)
		}
	}
}
