package feel_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
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
		Now:    time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC),
		Zone:   time.LoadLocation,
		Random: rand.Uint64,
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
		runScenario(t, file, string(data))
	}
}

func runScenario(t *testing.T, file, data string) {
	t.Helper()
	vars, expr := value.Null(), ""
	var warnings []string
	var err error
	for i, line := range strings.Split(data, "\n") {
		at := fmt.Sprintf("%s:%d", file, i+1)
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "given":
			if vars, err = value.FromJSON([]byte(rest)); err != nil {
				t.Fatalf("%s: %v", at, err)
			}
		case "eval":
			expr = rest
		case "expect":
			warnings = check(t, at, expr, rest, vars)
		case "warn":
			if !strings.Contains(strings.Join(warnings, "\n"), rest) {
				t.Errorf("%s: %s: warnings %q, want one with %q", at, expr, warnings, rest)
			}
		case "fail":
			checkFails(t, at, expr, rest)
		case "", "#":
		default:
			t.Errorf("%s: %q is none of given, eval, expect, warn, fail", at, word)
		}
	}
}

func check(t *testing.T, at, expr, want string, vars value.Value) (warnings []string) {
	t.Helper()
	x, err := feel.Compile(expr)
	if err != nil {
		t.Errorf("%s: %s: %v", at, expr, err)
		return nil
	}
	e := env(vars)
	e.Warn = func(w feel.Warning) { warnings = append(warnings, w.Message) }
	got, err := x.Eval(e)
	if err != nil {
		t.Errorf("%s: %s: %v", at, expr, err)
		return nil
	}
	raw, err := value.ToJSON(got)
	if err != nil || string(raw) != want {
		t.Errorf("%s: %s\n got %s %v\nwant %s\nwarnings %q", at, expr, raw, err, want, warnings)
	}
	return warnings
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
		{`not("a", "b")`, `"b"`, "false"}, {"? > 3", "5", "true"}, {"null", "null", "true"},
		{">= 3, < 1", "2", "false"}, {`not(null)`, "1", "true"},
		{`contains(?, "x")`, `"axe"`, "true"}, {"", "1", "true"}, {"  - ", "null", "true"},
		{"-1", "-1", "true"}, {"> limit + 1", "6", "false"}, {"limit", "5", "true"},
		{"not(< 5)", "3", "false"}, {"[1..5], ]8..9]", "8", "false"}, {"[1, 2, 3]", "2", "true"},
		{"[1, 2]", "[1,2]", "true"}, {"? in [1, 2]", "2", "true"},
		{"< 5", `"a"`, "null"}, {"!= 5", "5", "false"}, {"? > 3 and ? < limit", "4", "true"},
		{"some i in [1, 2] satisfies i = ?", "2", "true"}, {"true, false", "false", "true"},
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
		got, err := x.Eval(&feel.Env{Lookup: func(name string) (value.Value, bool) {
			if name == "limit" {
				return value.Int(5), true
			}
			return in, name == "?"
		}})
		if err != nil || got.String() != tt.want {
			t.Errorf("%s with %s: got %s %v, want %s", tt.cell, tt.input, got, err, tt.want)
		}
	}
}

func BenchmarkCondition(b *testing.B) {
	x, err := feel.Compile(`(Origin="MOW" or Country="RU") and (Value>=100 or Adults=1)`)
	if err != nil {
		b.Fatal(err)
	}
	vars := map[string]value.Value{"Origin": value.String("MOW"), "Country": value.String("RU"),
		"Value": value.Int(100), "Adults": value.Int(1)}
	e := &feel.Env{Lookup: func(name string) (value.Value, bool) { v, ok := vars[name]; return v, ok }}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.Eval(e); err != nil {
			b.Fatal(err)
		}
	}
}

// A model may have a function under the name of a built-in.
func TestNamesOfTheCallerHideBuiltins(t *testing.T) {
	t.Parallel()
	least := value.NewFunction(&value.Function{Params: []string{"a", "b"}, Call: func(args []value.Value) value.Value { return args[0] }})
	for known, want := range map[string]string{"max": "1", "other": "2"} {
		x, err := feel.Compile(`max(1, 2)`, feel.KnownNames(known))
		if err != nil {
			t.Fatal(err)
		}
		got, err := x.Eval(&feel.Env{Lookup: func(name string) (value.Value, bool) { return least, name == "max" }})
		if err != nil || got.String() != want {
			t.Errorf("where %s is known: got %s %v, want %s", known, got, err, want)
		}
	}
}

// Types of a model may hold themselves.
func TestRecursiveTypes(t *testing.T) {
	t.Parallel()
	tree := func() *value.Type {
		n := &value.Type{Name: "tree", Kind: value.KindContext}
		n.Fields = []value.Field{{Name: "left", Type: n}, {Name: "right", Type: n}, {Name: "all", Type: value.ListType(n)}}
		return n
	}
	a, b := tree(), tree()
	if !a.Conforms(a) || !a.Conforms(b) || !b.Conforms(a) {
		t.Error("equal recursive types do not conform")
	}
	b.Fields[2].Type = value.ListType(value.SimpleType(value.KindNumber))
	if a.Conforms(b) {
		t.Error("a list of trees conforms to a list of numbers")
	}
	if got := value.ListType(a).String(); got != "list<tree>" {
		t.Errorf("got %q", got)
	}
}
