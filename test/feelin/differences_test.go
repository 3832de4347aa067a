package feelin_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite what is generated")

const page = "../../docs/design/feel-differences.md"

// difference is an example of a class of differences, with what both give and why
// ours is as it is. The random expressions leave such forms out.
type difference struct {
	title, expr, why string
}

var differences = []difference{
	{"Numbers are decimals", "0.1 + 0.2 = 0.3",
		"10.3.2.3.1: numbers are decimals of 34 digits. feelin counts in binary floating point; the random expressions are compared as " +
			"far as that reaches."},
	{"Kinds do not mix", `"a" < 1`, "10.3.2.15: values of different types are neither equal nor ordered; the result is null."},
	{"Lists of different lengths", "[1] = [1, 2]", "10.3.2.15: lists are equal if they have the same length and equal elements, else not."},
	{"Ranges that go backwards", "3 in [4..1]",
		"10.3.2.7: the end of a range is not before its start; there is no such range. feelin swaps the ends."},
	{"`between` with bounds that go backwards", "10 between 100 and 3",
		"10.3.2.15: that is `10 >= 100 and 10 <= 3`. feelin swaps the bounds."},
	{"Conditions that are neither true nor false", `if "a" then 1 else 2`,
		"10.3.2.15: the else part is taken unless the condition is true."},
	{"A filter that is null", "[1, 2][null]", "10.3.2.5: a filter keeps the items for which it is true; for null that is none."},
	{"A single value in place of a list", "for i in 3 return i", "10.3.2.9.4: a value stands for a list of it where a list is wanted."},
	{"Negation of durations", `-duration("P1D")`, "10.3.2.15: a duration can be negated. feelin has no rule for it."},
	{"Durations times numbers", `duration("P1D") * 2`,
		"10.3.2.15: durations can be multiplied with and divided by numbers. feelin has no rule for it."},
	{"Durations divided by durations", `duration("P1D") / duration("PT12H")`, "10.3.2.15: the quotient is a number."},
	{"A date and days", `date("2026-01-31") + duration("PT36H")`, "10.3.2.15: a date plus a duration is a date."},
	{"Dates and times apart, with offsets", `@"2026-01-31T10:00:00Z" - @"2026-01-31T10:00:00+02:00"`,
		"10.3.2.15: the instants are subtracted. feelin leaves the offsets out."},
	{"A time and a date", `time("10:30:00") - date("2026-01-31")`, "10.3.2.15: there is no such difference."},
	{"A time and months", `time("10:30:00") + duration("P1M")`, "10.3.2.15: only days and time durations move a time."},
	{"Years and months between dates", `years and months duration(date("2025-01-31"), date("2026-03-01"))`,
		"10.3.4.1: the result has no days."},
	{"Extremes of dates and texts in a list", `max([date("2026-01-31"), date("2026-02-28")])`,
		"10.3.4.4: `min` and `max` take comparable items of any kind. feelin takes numbers."},
	{"The median", "median([100, 1, 7])", "10.3.4.4: the middle of the sorted numbers. feelin sorts them as texts."},
	{"The order of `mode`", "mode([0.5, -1])", "10.3.4.4: the numbers are sorted in ascending order."},
	{"A position from the end", "list replace([1, 2, 3], -1, 9)", "10.3.4.4: position -1 is the last item."},
	{"Positions that a list does not have", "insert before([], 1, 9)",
		"10.3.4.4: the domain of a position is 1 to the length of the list, or its negative; outside of a domain the result is null."},
	{"More items than there are", "sublist([1], 1, 2)", "10.3.4.4: the length is at most what the list holds from the position on."},
	{"A start before the text", `substring("é", -2)`,
		"10.3.4.3: position -2 of one character is before the text, where there is nothing to take."},
	{"Points and ranges", "starts(1, [1..3])", "10.3.4.7: a point may start a range. feelin takes ranges alone."},
	{"A range within itself", "coincides([1..3], [1..3])",
		"10.3.4.7: the relation is defined for ranges. feelin does not find a parameter list for it."},
	{"Functions that Zeebe adds", `extract("ab", "[a-b]")`,
		"Not in DMN: see [FEEL functions](../reference/feel.md). feelin knows few of them."},
}

// Every example differs as the page says, so that a difference which has gone is
// taken off it.
func TestDifferences(t *testing.T) {
	t.Parallel()
	install(t)
	questions := make([]question, len(differences))
	for i, d := range differences {
		questions[i] = question{i, d.expr, []byte("{}")}
	}
	answers := ask(t, questions)
	var b strings.Builder
	b.WriteString(`# FEEL: where implementations differ

For whoever moves decisions between engines. A test evaluates thousands of random expressions ` +
		`here and in [feelin](https://www.npmjs.com/package/feelin) 8.2.0, an independent implementation in JavaScript, and compares. ` +
		`What is listed here is left out there; everything else has to agree, but where a value is null or of another type than is wanted: ` +
		`feelin seldom gives null then, where the standard does. Clauses are those of DMN 1.5.

Written by ` + "`go test ./test/feelin -update`" + `; every example is evaluated in both.

| Class | Example | Here | feelin | Why |
|---|---|---|---|---|
`)
	for i, a := range answers {
		d := differences[i]
		v, _, trouble := ours(t, questions[i])
		if trouble != "" || a.Error == "" && alike(v, a.Value) {
			t.Errorf("%s: no difference: here %s %s, there %s", d.expr, show(v), trouble, show(a.Value))
		}
		there := short(a.Value)
		if a.Error != "" {
			there = "an error"
		}
		fmt.Fprintf(&b, "| %s | `%s` | `%s` | `%s` | %s |\n", d.title, d.expr, short(v), there, d.why)
	}
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := os.ReadFile(page); err != nil || string(data) != b.String() {
		t.Errorf("%s is not current (%v): go test ./test/feelin -update", page, err)
	}
}

// short writes a value for a table.
func short(v any) string {
	if m, ok := v.(map[string]any); ok && m["text"] != nil {
		return fmt.Sprint(m["text"])
	}
	return show(v)
}
