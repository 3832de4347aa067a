package builtin

import (
	"slices"
	"strings"
)

// Doc is what people read about a function. Clause is where DMN 1.5 defines it,
// or Zeebe where that does; Result is the value of Example as JSON, in an
// evaluation whose time is 2026-11-24T08:00:00Z.
type Doc struct {
	Meaning, Clause, Example, Result string
}

// Doc is what people read about the function.
func (f *Func) Doc() Doc { return docs[f.Name] }

// Forms writes the ways to call the function, as in "substring(string, start
// position, length?)": what ends in ? may be left out, … is any number of more.
func (f *Func) Forms() []string {
	var all []string
	for _, params := range f.Params {
		if f.repeats {
			params = append(slices.Clone(params), "…")
		}
		all = append(all, f.Name+"("+strings.Join(params, ", ")+")")
	}
	if f.variadic {
		all = append(all, f.Name+"(item, …)")
	}
	return all
}

// All lists the functions by name.
func All() []*Func {
	all := make([]*Func, 0, len(functions))
	for _, f := range functions {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *Func) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Clauses are the sections of DMN 1.5 that functions come from, with their titles,
// in order.
func Clauses() [][2]string { return slices.Clone(clauses) }

var clauses = [][2]string{
	{conversion, "Conversion"}, {boolean, "Boolean"}, {strings4, "Strings"},
	{lists4, "Lists"}, {numbers4, "Numbers"}, {dates4, "Date and time"},
	{ranges4, "Ranges"}, {temporal4, "Calendar"}, {sort4, "Sort"}, {contexts4, "Contexts"}, {now4, "Now"}, {zeebe, "Added by Zeebe"},
}

const (
	conversion = "10.3.4.1"
	boolean    = "10.3.4.2"
	strings4   = "10.3.4.3"
	lists4     = "10.3.4.4"
	numbers4   = "10.3.4.5"
	dates4     = "10.3.4.6"
	ranges4    = "10.3.4.7"
	temporal4  = "10.3.4.8"
	sort4      = "10.3.4.9"
	contexts4  = "10.3.4.10"
	now4       = "10.3.4.11"
	zeebe      = "Zeebe"
)

var docs = map[string]Doc{
	"date": {"A date from a text, from a date and time, or from year, month and day.",
		conversion, `date("2026-11-24")`, `"2026-11-24"`},
	"time": {"A time of day from a text, from a date and time, or from hour, minute, second and offset.",
		conversion, `time("10:30:00+01:00")`, `"10:30:00+01:00"`},
	"date and time": {"A date and time from a text, or from a date and a time; or a date and time in another time zone.",
		conversion, `date and time(date("2026-11-24"), time("10:30:00"))`, `"2026-11-24T10:30:00"`},
	"duration": {"A duration from its text: days and time, or years and months.",
		conversion, `duration("P1DT12H")`, `"P1DT12H"`},
	"years and months duration": {"The years and months between two dates.",
		conversion, `years and months duration(date("2025-01-31"), date("2026-03-01"))`, `"P1Y1M"`},
	"number": {"A number from a text, with the separators that are named.",
		conversion, `number("1.234,5", ".", ",")`, `1234.5`},
	"string": {"The text of a value.", conversion, `string(1.50)`, `"1.5"`},
	"range":  {"A range from its text.", conversion, `range("[1..5)")`, `"[1..5)"`},
	"not":    {"True for false, false for true, else null.", boolean, `not(1 > 2)`, `true`},

	"substring": {"The characters from a position, counted from 1, " +
		"or from the end where it is negative; null where the text has none there.", strings4, `substring("foobar", -3, 2)`, `"ba"`},
	"string length": {"The number of characters.", strings4, `string length("café")`, `4`},
	"upper case":    {"The text in capital letters.", strings4, `upper case("web-1")`, `"WEB-1"`},
	"lower case":    {"The text in small letters.", strings4, `lower case("WEB-1")`, `"web-1"`},
	"substring before": {"What stands before the first occurrence of a text; empty where it does not occur.",
		strings4, `substring before("web-1.example.org", ".")`, `"web-1"`},
	"substring after": {"What stands after the first occurrence of a text; empty where it does not occur.",
		strings4, `substring after("web-1.example.org", ".")`, `"example.org"`},
	"contains":    {"Whether one text occurs in another.", strings4, `contains("foobar", "oba")`, `true`},
	"starts with": {"Whether a text begins with another.", strings4, `starts with("web-1", "web-")`, `true`},
	"ends with":   {"Whether a text ends with another.", strings4, `ends with("app.log", ".log")`, `true`},
	"matches": {"Whether a regular expression of XPath matches anywhere in a text. Flags: s, m, i, x, q.",
		strings4, `matches("WEB-01", "^web-\d+$", "i")`, `true`},
	"replace": {"The text with every match replaced; $1 stands for what the first group matched.",
		strings4, `replace("2026-11-24", "(\d+)-(\d+)-(\d+)", "$3.$2.$1")`, `"24.11.2026"`},
	"split": {"The parts of a text between the matches of a regular expression.",
		strings4, `split("a, b;c", "[,;]\s*")`, `["a","b","c"]`},
	"string join": {"The texts of a list as one, with a delimiter between them; nulls are left out.",
		strings4, `string join(["a", null, "b"], ", ")`, `"a, b"`},

	"list contains": {"Whether an element is in a list.", lists4, `list contains([1, 2, null], null)`, `true`},
	"count":         {"The number of elements.", lists4, `count([1, 2, null])`, `3`},
	"min":           {"The least element of a list, or of the arguments.", lists4, `min(3, 1, 2)`, `1`},
	"max":           {"The greatest element of a list, or of the arguments.", lists4, `max(["a", "c", "b"])`, `"c"`},
	"sum":           {"The sum of numbers; null for an empty list.", lists4, `sum([1, 2, 3.5])`, `6.5`},
	"product":       {"The product of numbers.", lists4, `product([2, 3, 4])`, `24`},
	"mean":          {"The arithmetic mean.", lists4, `mean([1, 2, 4.5])`, `2.5`},
	"median": {"The middle element of the sorted list, or the mean of the two in the middle.",
		lists4, `median([5, 1, 3, 2])`, `2.5`},
	"stddev":        {"The standard deviation of a sample.", lists4, `stddev([1, 2, 3])`, `1`},
	"mode":          {"The numbers that occur most often, in ascending order.", lists4, `mode([6, 1, 9, 6, 1])`, `[1,6]`},
	"all":           {"False if any element is false, else true if all are true, else null.", lists4, `all([true, null, false])`, `false`},
	"any":           {"True if any element is true, else false if all are false, else null.", lists4, `any([false, null, true])`, `true`},
	"sublist":       {"The elements from a position on, at most so many.", lists4, `sublist([4, 5, 6, 7], 2, 2)`, `[5,6]`},
	"append":        {"The list with items at its end.", lists4, `append([1], 2, 3)`, `[1,2,3]`},
	"concatenate":   {"The elements of all lists, one after another.", lists4, `concatenate([1, 2], [2, 3])`, `[1,2,2,3]`},
	"union":         {"The elements of all lists without duplicates.", lists4, `union([1, 2], [2, 3])`, `[1,2,3]`},
	"insert before": {"The list with an item before a position.", lists4, `insert before([1, 3], 2, 2)`, `[1,2,3]`},
	"remove":        {"The list without the item at a position.", lists4, `remove([1, 2, 3], 2)`, `[1,3]`},
	"list replace": {"The list with another item at a position, or wherever a function of item and new item says so.",
		lists4, `list replace([2, 4, 7, 8], function(item, newItem) item < newItem, 5)`, `[5,5,7,8]`},
	"reverse":         {"The list from its end to its beginning.", lists4, `reverse([1, 2, 3])`, `[3,2,1]`},
	"index of":        {"The positions at which an element stands.", lists4, `index of([1, 2, 1], 1)`, `[1,3]`},
	"distinct values": {"The list without duplicates, in the order of first occurrence.", lists4, `distinct values([1, 2, 1])`, `[1,2]`},
	"flatten":         {"The elements of nested lists as one list.", lists4, `flatten([[1, [2]], 3])`, `[1,2,3]`},
	"sort": {"The list in order: ascending, or by a function that tells whether its first argument comes before its second.",
		sort4, `sort([3, 1, 2], function(a, b) a > b)`, `[3,2,1]`},
	"duplicate values": {"The elements that occur more than once.", zeebe, `duplicate values([1, 2, 1, 3, 3])`, `[1,3]`},
	"is empty":         {"Whether a list has no elements.", zeebe, `is empty([])`, `true`},
	"partition":        {"The list cut into lists of a size; the last one may be shorter.", zeebe, `partition([1, 2, 3], 2)`, `[[1,2],[3]]`},

	"decimal": {"The number rounded to so many decimal places, half to even, " +
		"or by a mode: UP, DOWN, CEILING, FLOOR, HALF_UP, HALF_DOWN, HALF_EVEN, UNNECESSARY.", numbers4, `decimal(2.345, 2)`, `2.34`},
	"floor":           {"The greatest number of so many decimal places that is not above.", numbers4, `floor(-1.56, 1)`, `-1.6`},
	"ceiling":         {"The least number of so many decimal places that is not below.", numbers4, `ceiling(1.2)`, `2`},
	"round up":        {"The number rounded away from zero.", numbers4, `round up(-5.5, 0)`, `-6`},
	"round down":      {"The number rounded towards zero.", numbers4, `round down(-5.5, 0)`, `-5`},
	"round half up":   {"The number rounded to the nearest, halves away from zero.", numbers4, `round half up(2.5, 0)`, `3`},
	"round half down": {"The number rounded to the nearest, halves towards zero.", numbers4, `round half down(2.5, 0)`, `2`},
	"abs":             {"The number or duration without its sign.", numbers4, `abs(-10)`, `10`},
	"modulo":          {"The remainder of a division, with the sign of the divisor.", numbers4, `modulo(-12, 5)`, `3`},
	"sqrt":            {"The square root.", numbers4, `sqrt(16)`, `4`},
	"log":             {"The natural logarithm.", numbers4, `log(1)`, `0`},
	"exp":             {"Euler's number to a power.", numbers4, `exp(0)`, `1`},
	"odd":             {"Whether a whole number is odd.", numbers4, `odd(5)`, `true`},
	"even":            {"Whether a whole number is even.", numbers4, `even(5)`, `false`},

	"is": {"Whether two values are the same in the domain of values: times also by their zone.",
		dates4, `is(time("10:00:00Z"), time("11:00:00+01:00"))`, `false`},

	"before":          {"Whether a point or range ends before another begins.", ranges4, `before(1, [2..5])`, `true`},
	"after":           {"Whether a point or range begins after another ends.", ranges4, `after([5..9], 4)`, `true`},
	"meets":           {"Whether a range ends where another begins.", ranges4, `meets([1..5], [5..9])`, `true`},
	"met by":          {"Whether a range begins where another ends.", ranges4, `met by([5..9], [1..5])`, `true`},
	"overlaps":        {"Whether two ranges have something in common.", ranges4, `overlaps([1..5], [3..9])`, `true`},
	"overlaps before": {"Whether a range begins before another and ends within it.", ranges4, `overlaps before([1..5], [3..9])`, `true`},
	"overlaps after":  {"Whether a range begins within another and ends after it.", ranges4, `overlaps after([3..9], [1..5])`, `true`},
	"includes":        {"Whether a range holds a point or another range.", ranges4, `includes([1..9], [2..3])`, `true`},
	"during":          {"Whether a point or range lies within a range.", ranges4, `during(5, [1..9])`, `true`},
	"starts":          {"Whether a point or range begins where a range does, and ends within it.", ranges4, `starts([1..3], [1..9])`, `true`},
	"started by":      {"Whether a range begins where a point or range does, and ends after it.", ranges4, `started by([1..9], 1)`, `true`},
	"finishes":        {"Whether a point or range ends where a range does, and begins within it.", ranges4, `finishes(9, [1..9])`, `true`},
	"finished by": {"Whether a range ends where a point or range does, and begins before it.",
		ranges4, `finished by([1..9], [5..9])`, `true`},
	"coincides": {"Whether two points or ranges are the same.", ranges4, `coincides([1..5], [1..5])`, `true`},

	"day of year":       {"The number of the day in its year.", temporal4, `day of year(date("2026-11-24"))`, `328`},
	"day of week":       {"The name of the day in English.", temporal4, `day of week(date("2026-11-24"))`, `"Tuesday"`},
	"month of year":     {"The name of the month in English.", temporal4, `month of year(date("2026-11-24"))`, `"November"`},
	"week of year":      {"The number of the week by ISO 8601.", temporal4, `week of year(date("2026-11-24"))`, `48`},
	"last day of month": {"The last day of the month of a date.", zeebe, `last day of month(date("2026-02-01"))`, `"2026-02-28"`},

	"get value":   {"The entry of a context by its key, or along a list of keys.", contexts4, `get value({a: {b: 1}}, ["a", "b"])`, `1`},
	"get entries": {"The entries of a context as a list of key and value.", contexts4, `get entries({a: 1})`, `[{"key":"a","value":1}]`},
	"context":     {"A context from a list of entries with key and value.", contexts4, `context([{key: "a", value: 1}])`, `{"a":1}`},
	"context put": {"The context with an entry of a key, or along a list of keys.",
		contexts4, `context put({a: 1}, ["b", "c"], 2)`, `{"a":1,"b":{"c":2}}`},
	"context merge": {"The entries of all contexts; later ones win.", contexts4, `context merge([{a: 1, b: 2}, {b: 3}])`, `{"a":1,"b":3}`},

	"now":   {"The date and time of the evaluation.", now4, `now()`, `"2026-11-24T08:00:00Z"`},
	"today": {"The date of the evaluation.", now4, `today()`, `"2026-11-24"`},

	"get or else": {"The first value, or the second where that is null.", zeebe, `get or else(null, 1)`, `1`},
	"is defined":  {"Whether a value is not null.", zeebe, `is defined({a: 1}.b)`, `false`},
	"assert": {"The value if the condition holds; else null, with the cause as warning.",
		zeebe, `assert(5, 5 > 0, "must be positive")`, `5`},
	"is blank":      {"Whether a text holds nothing but white space.", zeebe, `is blank(" ")`, `true`},
	"trim":          {"The text without white space around it.", zeebe, `trim("  a b ")`, `"a b"`},
	"extract":       {"Every match of a regular expression in a text.", zeebe, `extract("a1b22", "\d+")`, `["1","22"]`},
	"to base64":     {"The text in Base64.", zeebe, `to base64("FEEL")`, `"RkVFTA=="`},
	"from base64":   {"The text that is written in Base64.", zeebe, `from base64("RkVFTA==")`, `"FEEL"`},
	"put":           {"As context put.", zeebe, `put({a: 1}, "b", 2)`, `{"a":1,"b":2}`},
	"put all":       {"As context merge.", zeebe, `put all([{a: 1}, {b: 2}])`, `{"a":1,"b":2}`},
	"and":           {"As all.", zeebe, `and([true, null, false])`, `false`},
	"or":            {"As any.", zeebe, `or([false, null, true])`, `true`},
	"uuid":          {"A random UUID; another one at each call.", zeebe, `string length(uuid())`, `36`},
	"random number": {"A random number from 0 to below 1; another one at each call.", zeebe, `random number() < 1`, `true`},
	"to json":       {"The value as JSON text.", zeebe, `to json({a: [1, null]})`, `"{\"a\":[1,null]}"`},
	"from json":     {"The value of a JSON text.", zeebe, `from json("{\"a\": 1}").a`, `1`},
	"fromAi": {"The value; the other arguments describe it to an AI agent that fills it in.",
		zeebe, `fromAi({city: "Rome"}.city, "a city", "string")`, `"Rome"`},
}

// Takes reports whether the function can be called with so many arguments by
// place.
func (f *Func) Takes(args int) bool {
	if f.variadic {
		return args > 0
	}
	return slices.ContainsFunc(f.Params, func(params []string) bool {
		return (args <= len(params) || f.repeats) && args >= required(params)
	})
}
