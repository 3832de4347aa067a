package table_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sextant/internal/terminal/table"
	"sextant/sdk/go/client"
)

func rows(rows ...client.DispatchRow) []client.DispatchJobState {
	return []client.DispatchJobState{{Rows: rows}}
}

func TestRows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		row         client.DispatchRow
		line, whole string
	}{
		"outputs-in-order": {row: client.DispatchRow{Object: "h:h/a", Outcome: "ok", Outputs: map[string]any{"b": 2, "a": "x"}},
			line: "h:h/a\tok\ta=x b=2\n"},
		"a-message-first": {row: client.DispatchRow{Object: "h:h/a", Outcome: "failed", Message: "no", Outputs: map[string]any{"a": true}},
			line: "h:h/a\tfailed\tno a=true\n"},
		"structures-as-JSON": {row: client.DispatchRow{Object: "o", Outputs: map[string]any{"l": []any{1, "x"}, "m": map[string]any{"k": nil}}},
			line: "o\t\tl=[1,\"x\"] m={\"k\":null}\n"},
		"the-first-line-of-several": {row: client.DispatchRow{Object: "o", Outcome: "ok", Outputs: map[string]any{"out": "one\ntwo\n"}},
			line: "o\tok\tout=one…\n", whole: "\n── o · out ──\none\ntwo\n"},
		"a-line-end-is-not-cut": {row: client.DispatchRow{Object: "o", Outcome: "ok", Outputs: map[string]any{"out": "one\n"}},
			line: "o\tok\tout=one\n"},
		"tabs-do-not-part-columns": {row: client.DispatchRow{Object: "o", Outcome: "ok", Outputs: map[string]any{"out": "a\tb"}},
			line: "o\tok\tout=a b\n"},
		"long-by-signs-not-bytes": {row: client.DispatchRow{Object: "o", Outcome: "ok", Outputs: map[string]any{"out": strings.Repeat("主", 100)}},
			line: "o\tok\tout=" + strings.Repeat("主", 100) + "\n"},
		"one-sign-too-many": {row: client.DispatchRow{Object: "o", Outcome: "ok", Outputs: map[string]any{"out": strings.Repeat("主", 101)}},
			line: "o\tok\tout=" + strings.Repeat("主", 100) + "…\n", whole: "\n── o · out ──\n" + strings.Repeat("主", 101) + "\n"},
		"messages-may-be-longer": {row: client.DispatchRow{Object: "o", Outcome: "ok", Message: strings.Repeat("m", 300)},
			line: "o\tok\t" + strings.Repeat("m", 300) + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var line, whole strings.Builder
			table.Rows(&line, rows(c.row))
			if err := table.Whole(&whole, rows(c.row)); err != nil {
				t.Fatal(err)
			}
			if line.String() != c.line || whole.String() != c.whole {
				t.Errorf("line %q, want %q\nwhole %q, want %q", line.String(), c.line, whole.String(), c.whole)
			}
		})
	}
}

// Whatever a row says, it is one line with three columns, and what is cut there
// stands in full below.
func TestARowIsALine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("ab主\t\r\n "))).Draw(t, "text")
		r := rows(client.DispatchRow{Object: "o", Outcome: "ok", Message: text, Outputs: map[string]any{"x": text + text}})
		var line, whole strings.Builder
		table.Rows(&line, r)
		if err := table.Whole(&whole, r); err != nil {
			t.Fatal(err)
		}
		if got := line.String(); strings.Count(got, "\n") != 1 || strings.Count(got, "\t") != 2 || strings.Contains(got, "\r") {
			t.Fatalf("%q", got)
		}
		if strings.Contains(line.String(), "…") && !strings.Contains(whole.String(), strings.TrimSuffix(text+text, "\n")) {
			t.Fatalf("%q is cut and not in %q", line.String(), whole.String())
		}
	})
}
