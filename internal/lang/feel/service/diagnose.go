package service

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/infer"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

// Severity says how bad a finding is.
type Severity string

// The severities: a text with an error does not do what it says, a warning tells
// what is likely a mistake, a hint what could be left out.
const (
	Fault   Severity = "error"
	Warning Severity = "warning"
	Hint    Severity = "hint"
)

// The codes of findings.
const (
	CodeSyntax   = "feel.syntax"
	CodeName     = "feel.unknown_name"
	CodeFunction = "feel.unknown_function"
	CodeMember   = "feel.unknown_member"
	CodeCount    = "feel.argument_count"
	CodeArgument = "feel.argument_name"
	CodeType     = "feel.argument_type"
	CodeNull     = "feel.always_null"
	CodeTruth    = "feel.condition"
	CodePattern  = "feel.pattern"
	CodeTemporal = "feel.temporal"
	CodeUnused   = "feel.unused"
)

// Diagnostic is a finding about the text from From up to To.
type Diagnostic struct {
	From     int      `json:"from"`
	To       int      `json:"to"`
	Severity Severity `json:"severity"`
	Code     string   `json:"code"`
	Message  string   `json:"message"`
	Remedy   string   `json:"remedy,omitempty"` // what to do; empty where the message says it
}

// Diagnose finds what is wrong with a text, by place. A text that does not read
// as FEEL has one finding.
func Diagnose(text string, env Env) []Diagnostic {
	a, err := env.analyse(text)
	if err != nil {
		return []Diagnostic{misread(text, err)}
	}
	d := &diagnosis{analysis: a, used: map[syntax.Ident]bool{}, tried: map[string]bool{}}
	for _, f := range a.facts {
		d.prepare(f)
	}
	for _, f := range a.facts {
		d.check(f)
	}
	slices.SortStableFunc(d.found, func(a, b Diagnostic) int { return cmp.Compare(a.From, b.From) })
	return d.found
}

func misread(text string, err error) Diagnostic {
	d := Diagnostic{Severity: Fault, Code: CodeSyntax, Message: err.Error()}
	var s *syntax.Error
	if errors.As(err, &s) {
		d.From = min(s.Offset, len(text))
	}
	d.To = d.From
	if d.From < len(text) {
		d.To = next(text, d.From).end
	}
	d.Remedy = remedy(text, d)
	return d
}

// foreign are signs of other languages, with what FEEL writes instead.
var foreign = map[byte]string{
	'&': "Write and.", '|': "Write or.", '!': "Write not(…), or != between two values.",
	'%': "Write modulo(a, b).", '\'': `Write a string in double quotes: "text".`,
	';': "Write a comma.", '$': "Leave it out: a variable is written by its name alone.",
	'#': "Leave it out: a comment begins with //.", '~': "Write matches(text, pattern).",
}

// remedies say what to do about messages of the parser, by a part of them.
var remedies = [][2]string{
	{"found the end", "Write what is missing at the end."},
	{"equality is written", "Write one = sign."},
	{"does not belong here", "Put an operator before it, or take it away. A name with spaces that is not known is written in back quotes."},
	{"the string does not end", `Close it with ". Within a string a quote is written \".`},
	{"the comment does not end", "Close it with */."},
	{"the name in back quotes does not end", "Close it with `."},
	{"want a value", "Write a value, a name or an expression here."},
	{`want "else"`, "Every if has an else: write else null where there is nothing to give."},
	{"two entries", "Give one of them another key."},
	{"nested", "Cut the expression into entries of a context."},
	{"either all by name", "Name every argument, or none."},
}

func remedy(text string, d Diagnostic) string {
	if d.From < len(text) {
		if r := foreign[text[d.From]]; r != "" {
			return r
		}
	}
	for _, r := range remedies {
		if strings.Contains(d.Message, r[0]) {
			return r[1]
		}
	}
	return ""
}

type diagnosis struct {
	*analysis
	found []Diagnostic
	used  map[syntax.Ident]bool // declarations that a name refers to
	vague [][2]int              // filters of items whose entries are not known
	tried map[string]bool       // operations on kinds, whether they give a value
}

func (d *diagnosis) report(n syntax.Node, s Severity, code, message, remedy string) {
	d.found = append(d.found, Diagnostic{n.Pos(), n.End(), s, code, message, remedy})
}

func (d *diagnosis) prepare(f fact) {
	switch n := f.node.(type) {
	case *syntax.Name:
		if local := d.local(n, f.scope); local != nil {
			d.used[local.Name] = true
		}
	case *syntax.Filter:
		elem := d.types[n.X]
		if elem != nil && elem.Kind == value.KindList {
			elem = elem.Elem
		}
		if !known(elem) || elem.Kind == value.KindContext && len(elem.Fields) == 0 {
			d.vague = append(d.vague, [2]int{n.F.Pos(), n.F.End()})
		}
	}
}

func (d *diagnosis) check(f fact) {
	switch n := f.node.(type) {
	case *syntax.Name:
		d.name(n, f.scope)
	case *syntax.Temporal:
		d.temporal(n)
	case *syntax.Path:
		d.path(n)
	case *syntax.Call:
		d.call(n, f.scope)
	case *syntax.Binary:
		d.binary(n)
	case *syntax.Unary:
		d.never(n, "-%s", n.X)
	case *syntax.Between:
		d.never(n, "%s between %s and %s", n.X, n.Low, n.High)
	case *syntax.If:
		d.truth(n.Cond, "so the else part is always taken")
	case *syntax.Filter:
		d.filter(n)
	case *syntax.For, *syntax.Quantified, *syntax.Function:
		d.unused(n)
	}
}

func (d *diagnosis) name(n *syntax.Name, s *infer.Scope) {
	if d.local(n, s) != nil {
		return
	}
	if _, ok := d.env.find(n.Name); ok {
		return
	}
	if _, ok := builtin.Lookup(n.Name); ok {
		return
	}
	if d.calls[n] {
		severity := Warning
		if d.env.Closed {
			severity = Fault
		}
		var names []string
		for _, f := range builtin.All() {
			names = append(names, f.Name)
		}
		d.report(n, severity, CodeFunction, fmt.Sprintf("There is no function %s.", n.Name), meant(n.Name, names))
		return
	}
	vague := slices.ContainsFunc(d.vague, func(v [2]int) bool { return v[0] <= n.Pos() && n.End() <= v[1] })
	if d.env.Closed && !vague {
		d.report(n, Fault, CodeName, fmt.Sprintf("There is no %s here.", n.Name), meant(n.Name, d.inForce(s)))
	}
}

// inForce lists the names that may be used in a scope.
func (d *diagnosis) inForce(s *infer.Scope) []string {
	var all []string
	for ; s != nil; s = s.Parent {
		all = append(all, s.Name.Name)
	}
	for _, v := range d.env.Vars {
		all = append(all, v.Name)
	}
	return all
}

func (d *diagnosis) temporal(n *syntax.Temporal) {
	if _, err := builtin.ParseTemporal(n.Text, nil); err != nil && !strings.ContainsAny(n.Text, "@/") {
		d.report(n, Fault, CodeTemporal, fmt.Sprintf("%q is no date, time or duration: %s.", n.Text, err),
			`Write it as in @"2026-01-31", @"10:30:00", @"2026-01-31T10:30:00Z", @"P1DT12H" or @"P1Y2M".`)
	}
}

func (d *diagnosis) path(n *syntax.Path) {
	t := d.types[n.X]
	if t != nil && t.Kind == value.KindList {
		t = t.Elem
	}
	_, literal := n.X.(*syntax.Context)
	if !known(t) || t.Kind == value.KindNull || t.Kind == value.KindContext && len(t.Fields) == 0 && !literal {
		return
	}
	var names []string
	for _, m := range infer.Members(t) {
		if m.Name == n.Name.Name {
			return
		}
		names = append(names, m.Name)
	}
	message := fmt.Sprintf("%s has no %s, so this is always null.", sentence(t.Kind.String()), n.Name.Name)
	if t.Kind == value.KindContext {
		message = fmt.Sprintf("The context has no entry %s as far as its type tells.", n.Name.Name)
	}
	d.found = append(d.found, Diagnostic{n.Name.Pos, n.Name.End, Warning, CodeMember, message, meant(n.Name.Name, names)})
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func (d *diagnosis) binary(n *syntax.Binary) {
	if n.Op == "and" || n.Op == "or" {
		d.truth(n.X, "so it counts as null")
		d.truth(n.Y, "so it counts as null")
		return
	}
	d.never(n, "%s "+n.Op+" %s", n.X, n.Y)
}

// truth reports what is wanted to be true or false and is not.
func (d *diagnosis) truth(n syntax.Node, then string) {
	t := d.types[n]
	if known(t) && t.Kind != value.KindBool && t.Kind != value.KindNull {
		d.report(n, Warning, CodeTruth, fmt.Sprintf("This is %s and neither true nor false, %s.", t.Kind, then), "Compare it with something.")
	}
}

func (d *diagnosis) filter(n *syntax.Filter) {
	t := d.types[n.F]
	if known(t) && t.Kind != value.KindBool && t.Kind != value.KindNumber {
		d.report(n.F, Warning, CodeTruth, fmt.Sprintf("This is %s: no item passes.", t.Kind), "Write a condition, or the number of an item.")
	}
}

// never reports an operation that gives null for whatever values of the types.
func (d *diagnosis) never(n syntax.Node, form string, operands ...syntax.Node) {
	kinds := make([]string, len(operands))
	all := make([][]string, len(operands))
	for i, o := range operands {
		t := d.types[o]
		if !known(t) {
			return
		}
		kinds[i], all[i] = t.Kind.String(), samples[t.Kind]
	}
	if d.possible(form+" of "+strings.Join(kinds, " and "), form, all) {
		return
	}
	remedy := "Convert one of them, for example with number(…), string(…) or date(…)."
	if len(kinds) == 1 {
		remedy = ""
	}
	d.report(n, Warning, CodeNull, fmt.Sprintf("With %s this is always null.", strings.Join(kinds, " and ")), remedy)
}

// samples are values of each kind, as text.
var samples = map[value.Kind][]string{
	value.KindNull: {"null"}, value.KindBool: {"true"}, value.KindNumber: {"1", "2"},
	value.KindString: {`"a"`, `"1"`, `"2026-01-31"`, `"10:30:00"`, `"P1D"`, `"[1..2]"`},
	value.KindDate:   {`date("2026-01-31")`}, value.KindTime: {`time("10:30:00")`, `time("10:30:00Z")`},
	value.KindDateTime:     {`date and time("2026-01-31T10:30:00")`, `date and time("2026-01-31T10:30:00Z")`},
	value.KindDaysDuration: {`duration("P1D")`}, value.KindMonthsDuration: {`duration("P1M")`},
	value.KindList: {"[1]", `["a"]`, "[{}]"}, value.KindContext: {"{a: 1}"},
	value.KindRange:    {"[1..2]", `["a".."b"]`, `[@"2026-01-31"..@"2026-02-28"]`},
	value.KindFunction: {"(function(a) a)", "(function(a, b) true)"},
}

// possible is the function of this name, asked once for each key.
func (d *diagnosis) possible(key, form string, all [][]string) bool {
	found, ok := d.tried[key]
	if !ok {
		found = possible(form, all)
		d.tried[key] = found
	}
	return found
}

// possible reports whether an operation gives a value for some of the samples.
func possible(form string, all [][]string) bool {
	at := make([]int, len(all))
	for {
		args := make([]any, len(all))
		for i, s := range all {
			if len(s) == 0 {
				return true
			}
			args[i] = s[at[i]]
		}
		if x, err := feel.Compile(fmt.Sprintf(form, args...)); err == nil {
			if v, err := x.Eval(nil); err != nil || !v.IsNull() {
				return true
			}
		}
		i := 0
		for ; i < len(at); i++ {
			if at[i]++; at[i] < len(all[i]) {
				break
			}
			at[i] = 0
		}
		if i == len(at) {
			return false
		}
	}
}

// unused hints at names that are declared and never used.
func (d *diagnosis) unused(n syntax.Node) {
	if fn, ok := n.(*syntax.Function); ok && fn.External {
		return
	}
	for _, id := range declared(n) {
		if !d.used[id] {
			d.found = append(d.found, Diagnostic{id.Pos, id.End, Hint, CodeUnused, fmt.Sprintf("%s is never used.", id.Name), ""})
		}
	}
}
