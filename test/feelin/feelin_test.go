// Package feelin_test compares Sextant's FEEL with feelin, an implementation in
// JavaScript that shares no code with it: random expressions are evaluated by both.
// Where they differ, docs/design/feel-differences.md says why.
package feelin_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

var (
	seed   = flag.Uint64("seed", 1, "of the random expressions")
	amount = flag.Int("expressions", 4000, "how many expressions")
	deep   = flag.Int("deep", 3, "how deep they are nested")
)

const vars = `{"x": 4, "s": "abc", "t": true, "l": [4, 5], "c": {"a": 3, "b": "z"}, "cs": [{"a": 7, "b": "q"}, {"a": 8, "b": "r"}]}`

// question is an expression, answer what feelin says of it.
type question struct {
	ID   int             `json:"id"`
	Expr string          `json:"expr"`
	Vars json.RawMessage `json:"vars"`
}

type answer struct {
	ID       int      `json:"id"`
	Value    any      `json:"value"`
	Warnings []string `json:"warnings"`
	Error    string   `json:"error"`
}

// install brings feelin in, from the lock file.
func install(t *testing.T) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("without %s there is nothing to compare with", program)
		}
	}
	if data,
		err := os.ReadFile(filepath.Join("node_modules", "feelin", "package.json")); err == nil &&
		strings.Contains(string(data), `"version": "8.2.0"`) {
		return
	}
	if out, err := exec.Command("npm", "ci", "--no-audit", "--no-fund").CombinedOutput(); err != nil {
		t.Skipf("npm ci is not possible here: %v\n%s", err, out)
	}
}

func ask(t *testing.T, questions []question) []answer {
	t.Helper()
	var in, out, trouble bytes.Buffer
	e := json.NewEncoder(&in)
	for _, q := range questions {
		if err := e.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command("node", "run.mjs")
	c.Stdin, c.Stdout, c.Stderr = &in, &out, &trouble
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, trouble.String())
	}
	d := json.NewDecoder(&out)
	answers := make([]answer, len(questions))
	for range questions {
		var a answer
		if err := d.Decode(&a); err != nil {
			t.Fatal(err)
		}
		answers[a.ID] = a
	}
	return answers
}

// ours evaluates an expression and gives it in the form that run.mjs gives.
func ours(t *testing.T, q question) (v any, warned bool, trouble string) {
	t.Helper()
	x, err := feel.Compile(q.Expr)
	if err != nil {
		return nil, false, err.Error()
	}
	vars, err := value.FromJSON(q.Vars)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := value.AsContext(vars)
	out, err := x.Eval(&feel.Env{Lookup: func(name string) (value.Value, bool) {
		return c.Get(name)
	}, Warn: func(feel.Warning) { warned = true }})
	if err != nil {
		return nil, false, err.Error()
	}
	return plain(out), warned, ""
}

func plain(v value.Value) any {
	switch v.Kind() {
	case value.KindNull:
		return nil
	case value.KindBool:
		b, _ := value.AsBool(v)
		return b
	case value.KindNumber:
		var f float64
		if err := json.Unmarshal([]byte(v.String()), &f); err != nil {
			return math.Inf(1)
		}
		return f
	case value.KindString:
		s, _ := value.AsString(v)
		return s
	case value.KindList:
		l, _ := value.AsList(v)
		out := []any{}
		for _, item := range l {
			out = append(out, plain(item))
		}
		return out
	case value.KindContext:
		c, _ := value.AsContext(v)
		entries := []any{}
		for _, key := range c.Keys() {
			e, _ := c.Get(key)
			entries = append(entries, []any{key, plain(e)})
		}
		return map[string]any{"kind": "context", "entries": entries}
	}
	return map[string]any{"text": v.String()}
}

// alike compares values: numbers as far as a float64 reaches, contexts by their
// entries in any order, what has a text by that.
func alike(a, b any) bool {
	switch a := a.(type) {
	case float64:
		f, ok := b.(float64)
		return ok && (a == f || math.Abs(a-f) <= 1e-9*max(1, math.Abs(a)))
	case []any:
		l, ok := b.([]any)
		return ok && slices.EqualFunc(a, l, alike)
	case map[string]any:
		m, ok := b.(map[string]any)
		if !ok {
			return false
		}
		if a["kind"] == "context" {
			return m["kind"] == "context" && alike(sorted(a["entries"]), sorted(m["entries"]))
		}
		return a["text"] == m["text"]
	}
	return a == b
}

func sorted(entries any) any {
	l, _ := entries.([]any)
	out := slices.Clone(l)
	slices.SortFunc(out, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return out
}

func show(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func TestRandomExpressions(t *testing.T) {
	t.Parallel()
	install(t)
	t.Logf("seed %d", *seed)
	g := &generator{Rand: rand.New(rand.NewPCG(*seed, 1))}
	questions := make([]question, *amount)
	odd := make([]bool, *amount)
	for i := range questions {
		g.names, g.odd = nil, false
		questions[i] = question{i, g.expr(kind(g.IntN(int(kinds))), *deep), json.RawMessage(vars)}
		odd[i] = g.odd
	}
	same, nulls := 0, 0
	for i, a := range ask(t, questions) {
		q := questions[i]
		v, warned, trouble := ours(t, q)
		if trouble != "" {
			t.Errorf("%s: not evaluated: %s", q.Expr, trouble)
			continue
		}
		switch {
		case a.Error == "" && alike(v, a.Value):
			same++
		case odd[i] || warned || len(a.Warnings) > 0:
			nulls++
		default:
			t.Errorf("%s\n  here  %s\n  there %s %s", q.Expr, show(v), show(a.Value), a.Error)
		}
	}
	t.Logf("%d of %d the same, %d differ where something is null or of another type", same, len(questions), nulls)
}
