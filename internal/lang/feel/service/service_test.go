package service_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/service"
	"sextant/internal/lang/feel/value"
)

// typed reads a type as FEEL writes it.
func typed(t *testing.T, text string) *value.Type {
	t.Helper()
	typ, err := feel.ParseType(text)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

func example(t *testing.T) service.Env {
	t.Helper()
	return service.Env{Closed: true, Vars: []service.Variable{
		{Name: "hosts", Type: typed(t, "list<context<name: string, cpu count: number, since: date>>"), Doc: "All hosts."},
		{Name: "limit", Type: typed(t, "number")},
		{Name: "max load", Type: typed(t, "number")},
		{Name: "start", Type: typed(t, "date and time")},
		{Name: "anything"},
	}}
}

// cut takes the mark | out of a text.
func cut(t *testing.T, marked string) (string, int) {
	t.Helper()
	at := strings.Index(marked, "|")
	if at < 0 {
		t.Fatalf("no mark in %q", marked)
	}
	return marked[:at] + marked[at+1:], at
}

func TestComplete(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text       string
		has, hasNo string // labels, joined by commas
	}{
		{"|", "hosts,limit,max load,string length,if,for,null", "and,then"},
		{"li|", "limit,list contains,list replace", "hosts,if"},
		{"hosts.|", "name,cpu count,since", "limit,if,and"},
		{"hosts[1].n|", "name", "cpu count,not"},
		{"hosts.cpu c|", "cpu count", "name,contains"},
		{"start.|", "year,month,day,hour,time offset,timezone", "years"},
		{"hosts[|]", "item,name,cpu count,since,limit", "and"},
		{"hosts[cpu count > 2].|", "name,cpu count", ""},
		{"limit |", "and,or,between,in,instance of", "limit,then,if"},
		{"limit a|", "and", "abs,all"},
		{"max |", "and,max load", "limit,max"},
		{"max lo|", "max load", "log,lower case"},
		{"1 + max lo|", "max load", "log"},
		{"if limit > 1 |", "then,and", "else"},
		{"if limit > 1 then 2 |", "else", "then"},
		{"if limit > 1 then |", "limit", "else"},
		{"for h in hosts |", "return,and", "then"},
		{"for h |", "in", "return,and"},
		{"for |", "", "limit,in,if"},
		{"for h in hosts return h.|", "name,cpu count,since", "limit"},
		{"for h in hosts return |", "h,partial,limit", "and"},
		{"for h in hosts, x in h.|", "name", "limit"},
		{"some h in hosts satisfies h.name = l|", "limit,lower case", "hosts"},
		{"some h in hosts |", "satisfies", "return"},
		{"{a: 1, b: |}", "a,limit", "b"},
		{"{a: {c: 1}, b: a.|", "c", "a,limit"},
		{"{|", "", "limit"},
		{"{a: 1, |", "", "limit,a"},
		{"function(a, b) |", "a,b,limit", "and"},
		{"function(|", "", "limit"},
		{"function(a: |) a", "number,list,date and time", "limit"},
		{"limit instance of |", "number,string,list", "limit"},
		{"limit instance of n|", "number", "string,not"},
		{"limit between 1 |", "and", "then"},
		{"limit between 1 and |", "limit", ""},
		{"substring(|", "string,start position,length,limit", "and"},
		{"substring(string: hosts[1].name, |", "start position,length", "and"},
		{"count(hosts[name = \"a\"]) > |", "limit", "and"},
		{"\"a|\"", "", "abs,limit"},
		{"// |", "", "limit"},
		{"1 /* l| */", "", "limit"},
		{"[1..|", "limit", "and"},
		{"string len|", "string length", "string"},
		{"string |", "string length,string join,and", "string"},
		{"limit > 1 an| true", "and", "any"},
		{"hosts.|name", "name", "limit"},
		{") ( l|", "limit", "hosts"},
		{"x and (y or |", "limit", ""},
		{"`|", "", "limit"},
	} {
		text, at := cut(t, tt.text)
		env := example(t)
		items := service.Complete(text, at, env)
		var labels []string
		for _, i := range items {
			labels = append(labels, i.Label)
			if i.From > at || i.To < at || i.To > len(text) {
				t.Errorf("%s: %+v does not replace what is at the place", tt.text, i)
			}
		}
		for _, want := range strings.Split(tt.has, ",") {
			if want != "" && !slices.Contains(labels, want) {
				t.Errorf("%s: no %q in %q", tt.text, want, labels)
			}
		}
		for _, not := range strings.Split(tt.hasNo, ",") {
			if not != "" && slices.ContainsFunc(items, func(i service.Item) bool { return i.Label == not && i.Kind != service.ItemArgument }) {
				t.Errorf("%s: %q has no place here", tt.text, not)
			}
		}
	}
}

func TestCompleteInACell(t *testing.T) {
	t.Parallel()
	env := service.Env{Unary: true, Input: typed(t, "string")}
	for _, text := range []string{"|", "< |", `"a", |`, "not(|", "contains(|"} {
		text, at := cut(t, text)
		if items := service.Complete(text, at, env); !slices.ContainsFunc(items, func(i service.Item) bool {
			return i.Label == "?" && i.Detail == "string"
		}) {
			t.Errorf("%s: no ?", text)
		}
	}
}

// Whatever is completed reads as FEEL where the text did before.
func TestCompletionsCanBeRead(t *testing.T) {
	t.Parallel()
	env := example(t)
	for _, marked := range []string{"| + 1", "1 + max lo|", "[li|]", "if | then 1 else 2",
		"hosts[|]", "hosts[1].|", "for h in | return h", "string len|", "{a: 1, b: |}"} {
		text, at := cut(t, marked)
		for _, i := range service.Complete(text, at, env) {
			if i.Kind == service.ItemKeyword || i.Kind == service.ItemArgument {
				continue
			}
			insert := i.Insert
			for n := range 9 {
				for {
					open := strings.Index(insert, fmt.Sprintf("${%d:", n))
					if open < 0 {
						break
					}
					end := open + strings.Index(insert[open:], "}")
					insert = insert[:open] + "x" + insert[end+1:]
				}
			}
			whole := text[:i.From] + insert + text[i.To:]
			if found := service.Diagnose(whole, env); len(found) > 0 && found[0].Code == service.CodeSyntax {
				t.Errorf("%s with %s: %s: %+v", marked, i.Label, whole, found[0])
			}
		}
	}
}

func TestHover(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, title, doc string }{
		{"hos|ts", "hosts: list<context<name: string, cpu count: number, since: date>>", "All hosts."},
		{"hosts.na|me", "name: list<string>", ""},
		{"max lo|ad + 1", "max load: number", ""},
		{"string le|ngth(\"a\")", "string length(string)", "number of characters"},
		{"for |h in hosts return h.name", "h: context<name: string, cpu count: number, since: date>", "each item"},
		{"for h in hosts return |h.name", "h: context<name: string, cpu count: number, since: date>", "each item"},
		{"for h in hosts re|turn h", "return", "each item"},
		{"{|a: 1 + 2}", "a: number", "entry"},
		{"function(|a: number) a", "a: number", "parameter"},
		{"hosts[cpu| count > 1]", "cpu count: number", "item that is filtered"},
		{"\"a|b\"", "string", ""},
		{"1 +| 2", "number", ""},
		{"start |- start", "days and time duration", ""},
		{"1 + limi|t + (", "limit: number", ""},
		{"if lim|it > 1 the", "limit: number", ""},
		{"{a: 1, b|", "b: Null", "entry"},
		{"date and ti|me(\"x\")", "date and time(from)\ndate and time(date, time)\ndate and time(date, timezone)", "DMN 1.5, 10.3.4.1"},
	} {
		text, at := cut(t, tt.text)
		got, ok := service.Hover(text, at, example(t))
		if !ok || got.Title != tt.title || !strings.Contains(got.Doc, tt.doc) || got.From > at || got.To < at {
			t.Errorf("%s: %v %+v, want %q with %q", tt.text, ok, got, tt.title, tt.doc)
		}
	}
	for _, text := range []string{"|", "1 + \"|", "{A(|"} {
		text, at := cut(t, text)
		if got, ok := service.Hover(text, at, service.Env{}); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"limit + 1", ""},
		{"hosts[cpu count > limit].name", ""},
		{"for h in hosts return h.name + \"x\"", ""},
		{"sort([1, 2], function(a, b) a < b)", ""},
		{"anything.x + anything.y[1]", ""},
		{"abs(@\"-P1D\")", ""},
		{"day of year(start)", ""},
		{"count([1, 2]) = null or limit != null", ""},
		{"{f: function(n) if n = 0 then 1 else n * f(n - 1), r: f(3)}.r", ""},
		{"date(\"2026-01-31\") < date(start)", ""},
		{"1 +", "3-3 error feel.syntax"},
		{"1 == 2", "3-4 error feel.syntax"},
		{"a && b", "2-3 error feel.syntax"},
		{"if limit > 1 then 2", "19-19 error feel.syntax"},
		{"\"abc", "0-4 error feel.syntax"},
		{"limt + 1", "0-4 error feel.unknown_name"},
		{"contians(\"a\", \"b\")", "0-8 error feel.unknown_function"},
		{"hosts.nme", "6-9 warning feel.unknown_member"},
		{"hosts[nme = 1]", "6-9 error feel.unknown_name"},
		{"limit.x", "6-7 warning feel.unknown_member"},
		{"{}.a", "3-4 warning feel.unknown_member"},
		{"string length()", "0-15 error feel.argument_count"},
		{"string length(\"a\", 1)", "0-21 error feel.argument_count"},
		{"(function(a) a)(1, 2)", "1-21 error feel.argument_count"},
		{"substring(string: \"a\", from: 1)", "23-27 error feel.argument_name"},
		{"string length(limit)", "14-19 warning feel.argument_type"},
		{"upper case(start)", "11-16 warning feel.argument_type"},
		{"limit = \"a\"", "0-11 warning feel.always_null"},
		{"limit < null", "0-12 warning feel.always_null"},
		{"\"a\" + 1", "0-7 warning feel.always_null"},
		{"start - limit", "0-13 warning feel.always_null"},
		{"-\"a\"", "0-4 warning feel.always_null"},
		{"\"a\" between limit and 2", "0-23 warning feel.always_null"},
		{"date(\"2026-02-30\")", "0-18 warning feel.always_null"},
		{"@\"2026-02-30\"", "0-13 error feel.temporal"},
		{"if limit then 1 else 2", "3-8 warning feel.condition"},
		{"limit and true", "0-5 warning feel.condition"},
		{"hosts[\"a\"]", "6-9 warning feel.condition"},
		{"matches(hosts[1].name, \"(a\")", "23-27 error feel.pattern"},
		{"for h in hosts return 1", "4-5 hint feel.unused"},
		{"function(a, b) a", "12-13 hint feel.unused"},
		{"[limt, nam]", "1-5 error feel.unknown_name\n7-10 error feel.unknown_name"},
	} {
		var got []string
		for _, d := range service.Diagnose(tt.text, example(t)) {
			got = append(got, fmt.Sprintf("%d-%d %s %s", d.From, d.To, d.Severity, d.Code))
			if d.Message == "" || d.Severity == service.Fault && d.Remedy == "" && d.Code != service.CodeCount && d.Code != service.CodeName {
				t.Errorf("%s: nothing to do about %+v", tt.text, d)
			}
		}
		if joined := strings.Join(got, "\n"); joined != tt.want {
			t.Errorf("%s: got %q, want %q: %+v", tt.text, joined, tt.want, service.Diagnose(tt.text, example(t)))
		}
	}
}

func TestRemedies(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"limt": "Did you mean limit?", "hosts.nam": "Did you mean name?", "strin length(1)": "Did you mean string length?",
		"cuont(hosts)": "Did you mean count?", "a && b": "Write and.", "'a'": "double quotes", "1 == 1": "one = sign",
		"substring(strng: \"a\")": "Did you mean string?", "limit = \"1\"": "Convert",
		"5 % 2": "modulo", "hosts[1].cpucount": "Did you mean cpu count?",
	} {
		found := service.Diagnose(text, example(t))
		if len(found) == 0 || !strings.Contains(found[0].Remedy, want) {
			t.Errorf("%s: %+v, want %q", text, found, want)
		}
	}
	// What may be there is no mistake where variables are not all known.
	if found := service.Diagnose("whatever + 1", service.Env{}); len(found) > 0 {
		t.Errorf("%+v", found)
	}
	if found := service.Diagnose(`< "a"`, service.Env{Unary: true, Closed: true}); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}

func TestRename(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, to, want string }{
		{"for |h in hosts return h.name + h.name", "host", "for host in hosts return host.name + host.name"},
		{"for h in hosts return |h.name", "host", "for host in hosts return host.name"},
		{"for h in hosts return (for h in [1] return |h)", "x", "for h in hosts return (for x in [1] return x)"},
		{"function(a, b) |a + b", "x", "function(x, b) x + b"},
		{"{f: function(a) a, r: f(|a: 1)}", "x", "{f: function(x) x, r: f(x: 1)}"},
		{"{|a: 1, b: a + 1}", "x", "{x: 1, b: x + 1}"},
		{"{c: {|a: 1}, b: c.a}.b", "x", "{c: {x: 1}, b: c.x}.b"},
		{"{c: [{a: 1}], b: c[a > 0].|a}.b", "x", "{c: [{x: 1}], b: c[x > 0].x}.b"},
		{"|limit + limit", "border", "border + border"},
		{"max |load + 1", "load", "load + 1"},
		{"|limit + 1", "my limit", "`my limit` + 1"},
		{"some |x in [1] satisfies x > limit", "y", "some y in [1] satisfies y > limit"},
		{"{a: 1, b: {a: 2, c: |a}}", "x", "{a: 1, b: {x: 2, c: x}}"},
		{"[{n: 2}, {|n: 1}][1].n", "x", "[{x: 2}, {x: 1}][1].x"},
		{"{|date: 1, r: date(\"2026-01-02\")}", "d", "{d: 1, r: date(\"2026-01-02\")}"},
		{"for |h in hosts return h", "h", "for h in hosts return h"},
		{"for |h in hosts return limit", "hosts", "for hosts in hosts return limit"},
	} {
		text, at := cut(t, tt.text)
		edits, err := service.Rename(text, at, tt.to, example(t))
		if got := service.Apply(text, edits); err != nil || got != tt.want {
			t.Errorf("%s to %s: %q %v, want %q", tt.text, tt.to, got, err, tt.want)
		}
	}
	for _, tt := range []struct{ text, to, why string }{
		{"for |h in hosts return h.name + limit", "limit", "hidden"},
		{"for h in hosts return |limit + h", "h", "another thing"},
		{"function(|a, b) a", "b", "beside"},
		{"{|a: 1, b: 2}", "b", "beside"},
		{"|limit + start", "start", "another variable"},
		{"|x + y", "y", "used already"},
		{"|count([1])", "number of", "no name here"},
		{"|1 + 2", "x", "no name here"},
		{"|limit", "", "is no name"},
		{"|limit", "a`b", "is no name"},
		{"|limit", " a", "is no name"},
		{"|limit +", "a", "want a value"},
		{"hosts.|name", "x", "no name here"},
		{"{|a: 1, b: anything.a}", "x", "not known"},
		{"get value({|a: 1}, \"a\")", "x", "may be its name"},
		{"context([{|key: \"b\", value: 1}])", "x", "wants the name"},
		{"for |h in hosts return count(hosts)", "count", "hidden"},
	} {
		text, at := cut(t, tt.text)
		if edits, err := service.Rename(text, at, tt.to, example(t)); err == nil || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s to %s: %v %v, want %q", tt.text, tt.to, edits, err, tt.why)
		}
	}
}

func TestSignatureAt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text, name, param string
		params            int
	}{
		{"substring(|", "substring", "string", 3},
		{"substring(\"a\", |", "substring", "start position", 3},
		{"substring(\"a\", 1|", "substring", "start position", 3},
		{"substring(\"a\", 1, |)", "substring", "length", 3},
		{"substring(\"a|", "substring", "string", 3},
		{"count(substring(\"a\", |", "substring", "start position", 3},
		{"count([1, |2])", "count", "list", 1},
		{"substring(start position: |", "substring", "start position", 3},
		{"append([1], 2, 3, |", "append", "item", 2},
		{"date(2026, |", "date", "month", 3},
		{"{f: function(a: number, b) a, r: f(1, |", "f", "b", 2},
		{"date and time(|", "date and time", "from", 1},
		{"if contains(|", "contains", "string", 2},
		{"contains(upper case(\"a\"), |", "contains", "match", 2},
	} {
		text, at := cut(t, tt.text)
		s, ok := service.SignatureAt(text, at, example(t))
		if !ok || s.Name != tt.name || len(s.Params) != tt.params || s.Params[s.Active].Name != tt.param {
			t.Errorf("%s: %v %+v, want %s of %s", tt.text, ok, s, tt.param, tt.name)
		}
	}
	for _, text := range []string{"|", "count(1)|", "(1 + |", "[1, |", "count|(1)", "anything(|"} {
		text, at := cut(t, text)
		if s, ok := service.SignatureAt(text, at, example(t)); ok {
			t.Errorf("%s: %+v", text, s)
		}
	}
}
