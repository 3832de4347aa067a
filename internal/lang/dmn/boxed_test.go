package dmn_test

import (
	"fmt"
	"strings"
	"testing"

	"sextant/internal/lang/feel/value"
)

// boxed is a model of one decision, which has an input without a type.
func boxed(expression string) string {
	return `<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" id="d" name="d" namespace="urn:t">` +
		`<inputData id="i" name="Customer"><variable name="Customer"/></inputData>
<decision id="x" name="x"><variable name="x"/><informationRequirement id="r"><requiredInput href="#i"/></informationRequirement>` +
		expression + `</decision></definitions>`
}

func text(s string) string { return "<literalExpression><text>" + s + "</text></literalExpression>" }

// What a boxed expression asks for is true or false, or null for neither.
func TestBoxedConditionsWantTrueOrFalse(t *testing.T) {
	t.Parallel()
	some := `<%[1]s iteratorVariable="n"><in>` + text("[1, 2]") + `</in><satisfies>` + text("%[2]s") + `</satisfies></%[1]s>`
	for _, tt := range []struct{ expression, want string }{
		{`<conditional><if>` + text(`"yes"`) + `</if><then>` + text("1") + `</then><else>` + text("2") + `</else></conditional>`, "null"},
		{`<conditional><if>` + text("1") + `</if><then>` + text("1") + `</then><else>` + text("2") + `</else></conditional>`, "null"},
		{`<conditional><if>` + text("null") + `</if><then>` + text("1") + `</then><else>` + text("2") + `</else></conditional>`, "2"},
		{`<conditional><if>` + text("1 = 1") + `</if><then>` + text("1") + `</then><else>` + text("2") + `</else></conditional>`, "1"},
		{`<filter><in>` + text("[1, 2]") + `</in><match>` + text("1") + `</match></filter>`, "null"},
		{`<filter><in>` + text("[1, 2]") + `</in><match>` + text(`"a"`) + `</match></filter>`, "null"},
		{`<filter><in>` + text("[1, 2]") + `</in><match>` + text("item = 2") + `</match></filter>`, "[2]"},
		{`<filter><in>` + text("[1, 2]") + `</in><match>` + text("null") + `</match></filter>`, "[]"},
		{fmt.Sprintf(some, "some", "n"), "null"},
		{fmt.Sprintf(some, "some", "if n = 1 then n else true"), "null"},
		{fmt.Sprintf(some, "some", "if n = 1 then null else true"), "true"},
		{fmt.Sprintf(some, "every", `if n = 1 then "x" else false`), "null"},
		{fmt.Sprintf(some, "every", "n = n"), "true"},
	} {
		res := evaluate(t, boxed(tt.expression), "x", "{Customer: null}")
		if got := res.Value.String(); got != tt.want {
			t.Errorf("%s gives %s, want %s", tt.expression, got, tt.want)
		}
		if tt.want == "null" && len(res.Warnings) == 0 {
			t.Errorf("%s does not say why it is null", tt.expression)
		}
	}
}

// A limit that is missing approves nothing.
func TestComparisonsWithMissingLimits(t *testing.T) {
	t.Parallel()
	entry := func(result string) string {
		return boxed(`<context><contextEntry><variable name="allowed"/>` + text("(&gt; Customer.limit)") +
			`</contextEntry><contextEntry>` + text(result) + `</contextEntry></context>`)
	}
	for _, tt := range []struct{ result, customer, want string }{
		{"allowed", "{limit: null}", "null"}, {"20 in allowed", "{limit: null}", "null"},
		{"20 in allowed", "{}", "null"}, {"20 in allowed", "{limit: 10}", "true"}, {"20 in allowed", "{limit: 30}", "false"},
		{"if 20 in allowed then 1 else 2", "{limit: null}", "2"},
	} {
		if got := evaluate(t, entry(tt.result), "x", "{Customer: "+tt.customer+"}").Value.String(); got != tt.want {
			t.Errorf("%s for %s gives %s, want %s", tt.result, tt.customer, got, tt.want)
		}
	}
}

// The entries of an input without a type may have names of several words.
func TestEntriesOfUntypedInputs(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		`Customer.first name`: "Ann", `Customer.first name = "Ann" and Customer.age > 3`: "true",
		`[Customer.first name, Customer.home.zip code]`:                         `["Ann", 9]`,
		`if Customer.first name = "Ann" then Customer.home.zip code + 1 else 0`: "10", `for c in [Customer] return c.first name`: `["Ann"]`,
	} {
		res := evaluate(t, boxed(text(strings.ReplaceAll(expression, ">", "&gt;"))),
			"x", `{Customer: {"first name": "Ann", age: 4, home: {"zip code": 9}}}`)
		if got := res.Value; got.String() != want {
			t.Errorf("%s gives %s, want %s: %v", expression, got, want, res.Warnings)
		}
	}
	if v := evaluate(t, boxed(text("Customer.no such entry")), "x", `{Customer: {a: 1}}`).Value; v.Kind() != value.KindNull {
		t.Errorf("an entry that is not there gives %s", v)
	}
}
