package feelin_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// kind is a type of expressions.
type kind int

const (
	number kind = iota
	text
	truth
	day
	moment
	clock
	days
	months
	numbers
	texts
	record // {a: number, b: string}
	records
	kinds
)

// generator writes expressions of a type. Names in force stand with their kinds.
type generator struct {
	*rand.Rand
	names []name
	odd   bool // an expression of another kind, or null, was put in
	fresh int
}

type name struct {
	text string
	kind kind
}

func (g *generator) pick(of ...string) string { return of[g.IntN(len(of))] }

// expr writes an expression of a kind; now and then it is of another one.
func (g *generator) expr(k kind, depth int) string {
	if g.IntN(60) == 0 {
		k, g.odd = kind(g.IntN(int(kinds))), true
	}
	if g.IntN(80) == 0 {
		g.odd = true
		return "null"
	}
	if depth <= 0 || g.IntN(6) == 0 {
		return g.leaf(k)
	}
	switch g.IntN(14) {
	case 0:
		return fmt.Sprintf("(if %s then %s else %s)", g.expr(truth, depth-1), g.expr(k, depth-1), g.expr(k, depth-1))
	case 1:
		return fmt.Sprintf("(%s)", g.expr(k, depth-1))
	case 2:
		n := g.declare(k)
		return fmt.Sprintf("{%s: %s, r: %s}.r", n.text, g.expr(k, depth-1), g.within(n, k, depth-1))
	}
	return g.form(k, depth-1)
}

func (g *generator) declare(k kind) name {
	g.fresh++
	return name{fmt.Sprintf("v%d", g.fresh), k}
}

// within writes an expression in which a name is in force.
func (g *generator) within(n name, k kind, depth int) string {
	g.names = append(g.names, n)
	defer func() { g.names = g.names[:len(g.names)-1] }()
	return g.expr(k, depth)
}

func (g *generator) leaf(k kind) string {
	for range 3 {
		if len(g.names) == 0 {
			break
		}
		if n := g.names[g.IntN(len(g.names))]; n.kind == k {
			return n.text
		}
	}
	switch k {
	case number:
		return g.pick("0", "1", "2", "3", "7", "10", "12", "100", "0.5", "2.5", "1.25", "0.25", "3.75", "x", "-1", "-2.5")
	case text:
		return g.pick(`""`, `"a"`, `"b"`, `"ab"`, `"abc"`, `"banana"`, `"Hello World"`, `"a,b;c"`, `"é"`, `"10"`, `s`)
	case truth:
		return g.pick("true", "false", "t")
	case day:
		return g.pick(`date("2026-01-31")`, `date("2024-02-29")`, `@"2026-11-24"`, `date(2025, 12, 31)`)
	case moment:
		return g.pick(`date and time("2026-01-31T10:30:00Z")`, `@"2024-02-29T23:59:59Z"`, `date and time("2026-03-01T00:00:00Z")`)
	case clock:
		return g.pick(`time("10:30:00")`, `time("23:59:59")`, `time(8, 0, 0)`)
	case days:
		return g.pick(`duration("P1D")`, `@"PT36H"`, `duration("-PT90M")`, `duration("PT0S")`, `@"P10DT2H3M4S"`)
	case months:
		return g.pick(`duration("P1M")`, `@"P1Y2M"`, `duration("-P14M")`, `@"P10Y"`)
	case numbers:
		return g.pick("([])", "[1]", "[1, 2, 3]", "[3, 1, 2, 2]", "[0.5, -1]", "l")
	case texts:
		return g.pick(`([])`, `["a"]`, `["b", "a", "c"]`, `["a", "a"]`)
	case record:
		return g.pick(`{a: 1, b: "x"}`, `{b: "y", a: 2.5}`, "c")
	}
	return g.pick(`[{a: 1, b: "x"}, {a: 2, b: "y"}]`, `([])`, "cs")
}

// form writes an expression with parts.
func (g *generator) form(k kind, depth int) string {
	forms := grammar[k]
	return g.fill(forms[g.IntN(len(forms))], depth)
}

// fill replaces what stands in % by expressions: %n a number, %N a list of
// numbers and so on; %i declares a name that %> uses.
func (g *generator) fill(form string, depth int) string {
	var b strings.Builder
	for i := 0; i < len(form); i++ {
		if form[i] != '%' {
			b.WriteByte(form[i])
			continue
		}
		i++
		if form[i] == '(' { // %(kind name body): a body in which a name is in force
			end := strings.IndexByte(form[i:], ')') + i
			parts := strings.Fields(form[i+1 : end])
			b.WriteString(g.within(name{parts[1], letters[parts[0][0]]}, letters[parts[2][0]], depth))
			i = end
			continue
		}
		b.WriteString(g.expr(letters[form[i]], depth))
	}
	return b.String()
}

var letters = map[byte]kind{'n': number, 's': text, 'b': truth, 'd': day, 'm': moment, 'c': clock, 'D': days, 'M': months, 'N': numbers,
	'S': texts, 'r': record, 'R': records}

// grammar holds the forms by kind. Operands stand in parentheses, so that only
// the meaning is compared and not how operators bind, which has forms of its own.
var grammar = [kinds][]string{
	number: {
		"(%n + %n)", "(%n - %n)", "(%n * %n)", "(%n / 4)", "(%n / (abs(%n) + 1))", "(%n ** 2)", "-(%n)", "(%n + %n * %n)",
		"(%n - %n - %n)", "count(%N)", "sum(%N)", "min(%N)", "max(%N)", "mean(%N)", "median([3, 1, 2, 5])",
		"abs(%n)", "floor(%n)", "ceiling(%n)", "floor(%n, 1)", "ceiling(%n, 1)", "decimal(%n, 1)", "round up(%n, 1)", "round down(%n, 1)",
		"round half up(%n, 0)", "round half down(%n, 0)", "modulo(%n, 3)", "modulo(%n, -2.5)", "modulo(%n, abs(%n) + 1)", "sqrt(abs(%n))",
		"string length(%s)", "%r.a", "%d.year", "%d.month", "%d.day", "%d.weekday", "%m.hour", "%c.minute", "%D.hours", "%D.days",
		"%M.years", "%M.months", "%N[1]", "%N[-1]", "count(%S)", "count(%R)",
		"day of year(%d)", "week of year(%d)", "get value(%r, \"a\")", "number(\"1,234.5\", \",\", \".\")", "product(%N)", "stddev(%N)",
		"(function(p) p + 1)(%n)", "min(%n, %n)", "max(%n, %n, %n)", "%R[1].a",
	},
	text: {
		"(%s + %s)", "substring(%s + \"ab\", 2)", "substring(%s + \"é\", 1, 2)", "substring(%s + \"ab\", -2)", "upper case(%s)",
		"lower case(%s)", "substring before(%s, %s)", "substring after(%s, %s)", "string(floor(%n))", "string(%b)", "string(%d)",
		"string(%D)", "string(%M)",
		"replace(%s, \"[aeiou]\", \"-\")", "replace(%s, \"(.)a\", \"$1$1\")", "string join(%S, \"-\")", "string join(%S)", "%r.b", "%S[1]",
		"day of week(%d)", "month of year(%d)", "get value(%r, \"b\")", "string((for i in %N return floor(i)))",
		"string({k: floor(%n), t: %s})", "%R[-1].b",
	},
	truth: {
		"(%n < %n)", "(%n <= %n)", "(%n > %n)", "(%n = %n)", "(%n != %n)", "(%s = %s)", "(%s < %s)", "(%d < %d)", "(%d >= %d)",
		"(%d = %d)", "(%m > %m)", "(%m = %m)", "(%D < %D)", "(%D = %D)", "(%M > %M)", "([%n, %n] = [%n, %n])", "(%r = %r)", "(%b and %b)",
		"(%b or %b)", "not(%b)", "(%b = %b)",
		"(%n between 1 and 3)", "(%n between -2.5 and abs(%n * %n))", "(%d between date(\"2025-01-01\") and date(\"2026-06-30\"))",
		"(%s between \"a\" and \"b\")", "(%n in [1..3])", "(%n in (0.5..10))", "(%n in ]1..3[)", "(%n in (%n, %n, > %n))",
		"(%n in (< 2, [3..4]))", "(%n in concatenate(%N))", "(%s in (%s, %s))", "(%d in [date(\"2025-01-01\")..date(\"2026-06-30\")])",
		"(%n in (<= %n))",
		"contains(%s, %s)", "starts with(%s, %s)", "ends with(%s, %s)", "matches(%s, \"^[a-c]+$\")", "matches(%s, \"A\", \"i\")",
		"list contains(%N, %n)", "list contains(%S, %s)", "all([%b, %b])", "any([%b, %b])", "all([])", "any([])",
		"(some i in %N satisfies %(n i b))", "(every i in %N satisfies %(n i b))", "(%n instance of number)", "(%s instance of string)",
		"(%n instance of string)", "(%N instance of list<number>)", "(%d instance of date)", "even(%n)", "odd(%n)",
		"before(%n, %n)", "after(%n, [1..3])", "before([1..3], %n)", "includes([1..3], %n)", "overlaps([1..3], [x..7])",
		"overlaps([1..5], [x..7])", "meets([1..x], [4..7])", "meets([1..3], (3..7])", "(null = null)", "(%n = null)", "(%s != null)",
		"is(%n, %n)",
	},
	day:    {"(%d + %M)", "(%d - %M)", "date(%m)", "date(2026, 2, 28)"},
	moment: {"(%m + %D)", "(%m - %D)", "(%m + %M)", "date and time(%d, %c)"},
	clock:  {"(%c + %D)", "(%c - %D)", "time(%m)"},
	days:   {"(%D + %D)", "(%D - %D)", "(%d - %d)", "(%m - %m)", "(%c - %c)", "abs(%D)", "sum([%D, %D])"},
	months: {"(%M + %M)", "(%M - %M)", "abs(%M)"},
	numbers: {"[%n, %n]", "%N[item > %n]", "%N[%(n item b)]", "(for i in %N return %(n i n))", "(for i in 1..4 return %(n i n))",
		"(for i in 3..1 return i * %n)", "(for i in %N, j in %N return i + j)", "append(%N, %n)", "concatenate(%N, %N)", "union(%N, %N)",
		"distinct values(%N)", "reverse(%N)", "sort(%N, function(x1, x2) x1 < x2)", "sublist(concatenate([1, 2], %N), 1, 2)",
		"sublist(append(%N, 7), -1)", "insert before(append(%N, 7), 1, %n)", "remove(append(%N, 7), 1)", "flatten([%N, [%N]])",
		"index of(%N, %n)", "sort(mode(%N), function(x1, x2) x1 < x2)", "%R.a", "list replace(append(%N, 7), 1, %n)",
		"(for i in %R return i.a)", "(for i in [1, 2, 3] return if i = 1 then 1 else sum(partial))"},
	texts: {"[%s, %s]", "split(%s, \",\")", "%S[item != %s]", "(for i in %S return %(s i s))", "distinct values(%S)",
		"sort(%S, function(x1, x2) x1 < x2)", "%R.b", "reverse(%S)"},
	record: {"{a: %n, b: %s}", "context put(%r, \"a\", %n)", "context merge([%r, %r])", "%R[1]", "{a: %n, b: string(floor(a))}"},
	records: {"[%r, %r]", "%R[a > %n]", "%R[b = %s]", "(for i in %N return {a: i, b: string(floor(i))})", "append(%R, %r)",
		"sort(%R, function(x1, x2) x1.a < x2.a)"},
}
