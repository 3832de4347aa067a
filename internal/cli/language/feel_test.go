package language_test

import (
	"strings"
	"testing"
)

func TestFeelEval(t *testing.T) {
	t.Parallel()
	vars := write(t, "vars.json", `{"hosts": [{"name": "a", "cpu count": 2}, {"name": "b", "cpu count": 8}]}`)
	file := write(t, "expr.feel", "= hosts[cpu count > 4].name")
	for _, tt := range []struct {
		name     string
		in       string
		args     []string
		code     int
		out, err string
	}{
		{"sum", "", []string{"1 + 2"}, 0, "3\n", ""},
		{"equals-sign", "", []string{"= 1 + 2"}, 0, "3\n", ""},
		{"vars", "", []string{"a + 0.1", "--vars", `{"a": 0.2}`}, 0, "0.3\n", ""},
		{"vars-as-feel", "", []string{"d.year", "--vars", `{d: date("2026-01-31")}`}, 0, "2026\n", ""},
		{"files", "", []string{"@" + file, "--vars", "@" + vars}, 0, "[\"b\"]\n", ""},
		{"standard-input", `"a" +` + "\n" + `"b"`, []string{"-"}, 0, "\"ab\"\n", ""},
		{"at-literal", "", []string{`@"2026-01-31".day`}, 0, "31\n", ""},
		{"feel-text", "", []string{`{d: @"2026-01-31", n: null}`}, 0, "{d: 2026-01-31, n: null}\n", ""},
		{"json", "", []string{"--json", `{d: @"2026-01-31", n: [1, null]}`}, 0, `{"d":"2026-01-31","n":[1,null]}` + "\n", ""},
		{"json-of-a-function", "", []string{"--json", `function(a) a`}, 1, "", "no JSON form"},
		{"unary", "", []string{"--unary", "[1..5], > 10", "--input", "3"}, 0, "true\n", ""},
		{"unary-with-feel", "", []string{"--unary", `< @"2026-02-01"`, "--input", `date("2026-01-31")`}, 0, "true\n", ""},
		{"now", "", []string{"today()", "--now", "2026-01-31T12:00:00Z"}, 0, "2026-01-31\n", ""},
		{"warning", "", []string{"1 +\n\t\"é\" * 2"}, 0, "null\n", "2:6: a string * a number has no value\n  \t\"é\" * 2\n  \t    ^\n"},
		{"misread", "", []string{"1 +"}, 1, "", "1:4: "},
		{"misread-unary", "", []string{"--unary", "<"}, 1, "", "1:2: "},
		{"limit", "", []string{"count(for i in 1..9999999 return i)"}, 1, "", "stopped"},
		{"no-argument", "", nil, 2, "", "want an expression"},
		{"no-file", "", []string{"@absent.feel"}, 1, "", "absent.feel"},
		{"vars-no-context", "", []string{"1", "--vars", "[1]"}, 2, "", "--vars is a list"},
		{"vars-unreadable", "", []string{"1", "--vars", "{"}, 2, "", "neither JSON nor FEEL"},
		{"input-alone", "", []string{"1", "--input", "1"}, 2, "", "--unary"},
		{"odd-time", "", []string{"1", "--now", "noon"}, 2, "", "no time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := sextant(t, tt.in, append([]string{"feel", "eval"}, tt.args...)...)
			if got.code != tt.code || got.out != tt.out || !strings.Contains(got.err, tt.err) || tt.err == "" && got.err != "" {
				t.Errorf("%q: %d %q %q, want %d %q %q", tt.args, got.code, got.out, got.err, tt.code, tt.out, tt.err)
			}
		})
	}
}

func TestFeelCheck(t *testing.T) {
	t.Parallel()
	good := write(t, "good.feel", "= a + 1")
	bad := write(t, "bad.feel", "a +\n  limt")
	vars := `{"a": 1, "limit": 2}`
	for _, tt := range []struct {
		name     string
		in       string
		args     []string
		code     int
		out, err string
	}{
		{"fine", "", []string{"a + 1"}, 0, "", ""},
		{"fine-with-vars", "", []string{good, "a < limit", "--vars", vars}, 0, "", ""},
		{"misread", "", []string{"1 == 2"}, 1,
			"1:4: error: == is no operator: equality is written =. Write one = sign. [feel.syntax]\n  1 == 2\n     ^\n", ""},
		{"file", "", []string{good, bad, "--vars", vars}, 1,
			bad + ":2:3: error: There is no limt here. Did you mean limit? [feel.unknown_name]\n    limt\n    ^\n", ""},
		{"at-file", "", []string{"@" + bad, "--vars", vars}, 1, "bad.feel:2:3: ", ""},
		{"standard-input", "1 + \"a\"", []string{"-"}, 0, "warning: With a number and a string this is always null.", ""},
		{"warning", "", []string{"a = \"x\"", "--vars", vars}, 0, "[feel.always_null]", ""},
		{"unary", "", []string{"--unary", "< \"a\"", "--input", "1"}, 0, "", ""},
		{"json", "", []string{"--json", "1 +"}, 1, `"code": "feel.syntax"`, ""},
		{"json-of-nothing", "", []string{"--json", "1"}, 0, `"items": []`, ""},
		{"no-argument", "", nil, 2, "", "want files or expressions"},
		{"absent-file", "", []string{"@absent.feel"}, 1, "", "absent.feel"},
		{"vars-no-context", "", []string{"1", "--vars", "1"}, 2, "", "no context"},
		{"input-alone", "", []string{"1", "--input", "1"}, 2, "", "--unary"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := sextant(t, tt.in, append([]string{"feel", "check"}, tt.args...)...)
			if got.code != tt.code || !strings.Contains(got.out, tt.out) || tt.out == "" && got.out != "" ||
				!strings.Contains(got.err, tt.err) || tt.err == "" && got.err != "" {
				t.Errorf("%q: %d %q %q, want %d %q %q", tt.args, got.code, got.out, got.err, tt.code, tt.out, tt.err)
			}
		})
	}
}
