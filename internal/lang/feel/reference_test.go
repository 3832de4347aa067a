package feel_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/value"
)

var update = flag.Bool("update", false, "rewrite what is generated")

const reference = "../../../docs/reference/feel.md"

// Every function is explained, and its example gives what is said.
func TestExamplesOfBuiltins(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, c := range builtin.Clauses() {
		known[c[0]] = true
	}
	for _, f := range builtin.All() {
		d := f.Doc()
		if !known[d.Clause] || !strings.HasSuffix(d.Meaning, ".") || !strings.Contains(d.Example, f.Name+"(") {
			t.Errorf("%s is not explained: %+v", f.Name, d)
			continue
		}
		x, err := feel.Compile(d.Example)
		if err != nil {
			t.Errorf("%s: %v", d.Example, err)
			continue
		}
		v, err := x.Eval(env(value.Null()))
		if err != nil {
			t.Errorf("%s: %v", d.Example, err)
			continue
		}
		if got, err := value.ToJSON(v); err != nil || string(got) != d.Result {
			t.Errorf("%s gives %s %v, not %s", d.Example, got, err, d.Result)
		}
	}
}

// covered finds the scenario files that call a function.
func covered(t *testing.T, name string) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	calls := regexp.MustCompile(`(?m)^eval .*\b` + regexp.QuoteMeta(name) + `\(`)
	var all []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if calls.Match(data) {
			all = append(all, filepath.Base(file))
		}
	}
	return all
}

// The page of functions is written from the table.
func TestTheReferenceOfFunctions(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`# FEEL: functions

For whoever writes expressions. Written by a test from the source: ` +
		`every example gives what stands beside it. A parameter with ? may be left out, … stands for any number of arguments.

How FEEL here differs from another implementation stands in [differences](../design/feel-differences.md). ` +
		`Try an expression with [sextant feel eval](cli.md).
`)
	for _, c := range builtin.Clauses() {
		where := "DMN 1.5, " + c[0]
		if c[0] == "Zeebe" {
			where = "not in DMN"
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| Function | Result | Meaning | Example | Gives | Tested in |\n|---|---|---|---|---|---|\n",
			c[1], where)
		for _, f := range builtin.All() {
			if f.Doc().Clause == c[0] {
				row(t, &b, f)
			}
		}
	}
	if *update {
		if err := os.WriteFile(reference, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := os.ReadFile(reference); err != nil || string(data) != b.String() {
		t.Errorf("%s is not current (%v): go test ./internal/lang/feel -update", reference, err)
	}
}

func row(t *testing.T, b *strings.Builder, f *builtin.Func) {
	t.Helper()
	tests := covered(t, f.Name)
	if len(tests) == 0 {
		t.Errorf("no scenario calls %s", f.Name)
		return
	}
	file := tests[0] // by name: that of the functions comes first
	var forms []string
	for _, form := range f.Forms() {
		forms = append(forms, "`"+form+"`")
	}
	d := f.Doc()
	_, result := f.Signature(nil)
	cell := strings.NewReplacer("|", `\|`)
	fmt.Fprintf(b, "| %s | %s | %s | `%s` | `%s` | [%s](../../internal/lang/feel/testdata/%s) |\n", strings.Join(forms, "<br>"),
		cell.Replace(result.String()), d.Meaning, cell.Replace(d.Example), cell.Replace(d.Result), strings.TrimSuffix(file, ".txt"), file)
}
