package service_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/service"
	"sextant/internal/lang/feel/value"
)

// scenario is an expression of the scenario files with its variables and what it
// gives as JSON.
type scenario struct {
	place, expr, want string
	vars              value.Value
}

func scenarios(t *testing.T) []scenario {
	t.Helper()
	files, err := filepath.Glob("../testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	var all []scenario
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		vars, expr := value.Null(), ""
		for line := range strings.Lines(string(data)) {
			switch word, rest, _ := strings.Cut(strings.TrimRight(line, "\n"), " "); word {
			case "given":
				if vars, err = value.FromJSON([]byte(rest)); err != nil {
					t.Fatal(err)
				}
			case "eval":
				expr = rest
			case "expect":
				all = append(all, scenario{filepath.Base(file), expr, rest, vars})
			}
		}
	}
	return all
}

func (s scenario) env() service.Env {
	env := service.Env{Closed: true}
	if c, ok := value.AsContext(s.vars); ok {
		for _, key := range c.Keys() {
			v, _ := c.Get(key)
			env.Vars = append(env.Vars, service.Variable{Name: key, Type: service.TypeOf(v)})
		}
	}
	return env
}

func (s scenario) eval(t *testing.T, expr string) string {
	t.Helper()
	x, err := feel.Compile(expr)
	if err != nil {
		t.Errorf("%s: %s: %v", s.place, expr, err)
		return ""
	}
	c, _ := value.AsContext(s.vars)
	v, err := x.Eval(&feel.Env{Now: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC),
		Zone: time.LoadLocation, Lookup: func(name string) (value.Value, bool) {
			if c == nil {
				return value.Null(), false
			}
			return c.Get(name)
		}})
	if err != nil {
		t.Errorf("%s: %s: %v", s.place, expr, err)
	}
	raw, err := value.ToJSON(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// What gives a value is not said to be null for ever.
func TestNoFalseAlarms(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios(t) {
		if strings.Contains(s.want, "null") || s.want == "false" {
			continue
		}
		for _, d := range service.Diagnose(s.expr, s.env()) {
			if d.Severity == service.Fault && d.Code != service.CodeName || d.Code == service.CodeNull || d.Code == service.CodeType {
				t.Errorf("%s: %s gives %s: %+v", s.place, s.expr, s.want, d)
			}
		}
	}
}

// Renaming what is local changes nothing.
func TestRenamingChangesNothing(t *testing.T) {
	t.Parallel()
	renamed := 0
	for _, s := range scenarios(t) {
		for at := range len(s.expr) {
			edits, err := service.Rename(s.expr, at, "renamed9", s.env())
			if err != nil || len(edits) < 2 {
				continue
			}
			after := service.Apply(s.expr, edits)
			if x, err := feel.Compile(after); err == nil && len(x.Names()) > 0 && strings.Contains(strings.Join(x.Names(), ","), "renamed9") {
				continue // a variable
			}
			if got := s.eval(t, after); !strings.Contains(got, "renamed9") && got != s.want {
				t.Errorf("%s: %s became %s, which gives %s, not %s", s.place, s.expr, after, got, s.want)
			}
			renamed++
		}
	}
	if renamed < 50 {
		t.Errorf("only %d renamings were tried", renamed)
	}
}
