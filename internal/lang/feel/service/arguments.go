package service

import (
	"fmt"
	"slices"
	"strings"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/infer"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

func (d *diagnosis) call(n *syntax.Call, s *infer.Scope) {
	name, plain := n.Fn.(*syntax.Name)
	if plain && d.local(name, s) == nil {
		if _, variable := d.env.find(name.Name); !variable {
			if b, ok := builtin.Lookup(name.Name); ok {
				d.builtin(n, b)
			}
			return
		}
	}
	t := d.types[n.Fn]
	switch {
	case !known(t):
	case t.Kind != value.KindFunction:
		d.report(n.Fn, Warning, CodeFunction, fmt.Sprintf("This is %s and cannot be called: the call is always null.", t.Kind), "")
	case t.Params != nil && len(t.Params) != len(n.Args):
		d.report(n, Fault, CodeCount,
			fmt.Sprintf("The function has %s and gets %s.", count(len(t.Params), "parameter"), count(len(n.Args), "argument")), "")
	case t.Params != nil:
		d.named(n, d.params(t))
		d.own(n, t)
	}
}

// named reports arguments whose names a function of the text does not have.
func (d *diagnosis) named(n *syntax.Call, params []syntax.Param) {
	var names []string
	for _, p := range params {
		names = append(names, p.Name)
	}
	for _, id := range n.Names {
		if len(names) > 0 && !slices.Contains(names, id.Name) {
			d.argumentName(id, names)
		}
	}
}

func (d *diagnosis) argumentName(id syntax.Ident, names []string) {
	remedy := meant(id.Name, names)
	if remedy == "" {
		remedy = "Its parameters are " + strings.Join(names, ", ") + "."
	}
	d.found = append(d.found,
		Diagnostic{id.Pos, id.End, Fault, CodeArgument, fmt.Sprintf("The function has no parameter %s.", id.Name), remedy})
}

// own checks the arguments of a function that says what it takes.
func (d *diagnosis) own(n *syntax.Call, t *value.Type) {
	for i, arg := range n.Args {
		given := d.types[arg]
		if n.Names != nil || !known(given) || given.Kind == value.KindNull ||
			given.Conforms(t.Params[i]) || single(given).Conforms(t.Params[i]) || value.ListType(given).Conforms(t.Params[i]) {
			continue
		}
		if t.Params[i].Kind == value.KindDateTime && given.Kind == value.KindDate || !kindsDiffer(given, t.Params[i]) {
			continue
		}
		d.report(arg, Warning, CodeType, fmt.Sprintf("The parameter is %s, this is %s: the call is always null.", t.Params[i].Kind, given.Kind),
			"")
	}
}

// kindsDiffer reports whether a value of one type can be none of the other; what
// lists and contexts hold may turn out to fit.
func kindsDiffer(a, b *value.Type) bool { return known(a) && known(b) && a.Kind != b.Kind }

// single is the type of the item that a list of one stands for.
func single(t *value.Type) *value.Type {
	if t.Kind == value.KindList {
		return t.Elem
	}
	return t
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (d *diagnosis) builtin(n *syntax.Call, b *builtin.Func) {
	if !d.counts(n, b) {
		return
	}
	if d.pattern(n, b) || d.constant(n, b) || n.Names != nil || len(b.Params) > 1 {
		return
	}
	wanted, _ := b.Signature(nil)
	for i, arg := range n.Args {
		if i >= len(wanted) || !known(wanted[i]) || wanted[i].Kind == value.KindList {
			continue
		}
		given := d.types[arg]
		if !known(given) || given.Kind == value.KindList || given.Conforms(wanted[i]) || !kindsDiffer(given, wanted[i]) {
			continue
		}
		all := make([][]string, len(n.Args))
		for k := range n.Args {
			all[k] = []string{"null"}
			if k < len(wanted) && known(wanted[k]) {
				all[k] = samples[wanted[k].Kind][:1]
			}
		}
		all[i] = samples[given.Kind]
		form := b.Name + "(" + strings.TrimSuffix(strings.Repeat("%s, ", len(all)), ", ") + ")"
		if !d.possible(fmt.Sprint(form, i, given.Kind), form, all) {
			d.report(arg, Warning, CodeType,
				fmt.Sprintf("%s wants %s for %s, this is %s: the call is always null.", b.Name, wanted[i].Kind, b.Names()[i], given.Kind), "")
		}
	}
}

// counts checks how many arguments there are, and their names.
func (d *diagnosis) counts(n *syntax.Call, b *builtin.Func) bool {
	if n.Names != nil {
		var all []string
		for _, params := range b.Params {
			for _, p := range params {
				all = append(all, strings.TrimSuffix(p, "?"))
			}
		}
		for _, id := range n.Names {
			if !slices.Contains(all, id.Name) {
				d.argumentName(id, all)
				return false
			}
		}
		names := make([]string, len(n.Names))
		for i, id := range n.Names {
			names[i] = id.Name
		}
		if _, ok := builtin.Place(b.Params, d.typical(n.Args), names); !ok {
			d.report(n, Fault, CodeCount, fmt.Sprintf("%s wants other arguments.", b.Name), "Write "+strings.Join(b.Forms(), " or ")+".")
			return false
		}
		return true
	}
	if !b.Takes(len(n.Args)) {
		d.report(n, Fault, CodeCount, fmt.Sprintf("%s does not take %s.", b.Name, count(len(n.Args), "argument")),
			"Write "+strings.Join(b.Forms(), " or ")+".")
		return false
	}
	return true
}

// typical gives values of the kinds of arguments.
func (d *diagnosis) typical(args []syntax.Node) []value.Value {
	out := make([]value.Value, len(args))
	for i, arg := range args {
		if t := d.types[arg]; t != nil && t.Kind == value.KindList {
			out[i] = value.NewList(nil)
		}
	}
	return out
}

// pattern reports a regular expression that is none.
func (d *diagnosis) pattern(n *syntax.Call, b *builtin.Func) bool {
	if n.Names != nil {
		return false
	}
	args := make([]value.Value, len(n.Args))
	for i, arg := range n.Args {
		if l, ok := arg.(*syntax.Literal); ok {
			args[i] = l.Value
		}
	}
	text, ok := b.PatternText(args)
	if !ok {
		return false
	}
	if _, err := builtin.CompilePattern(text); err != nil {
		d.report(n.Args[1], Fault, CodePattern, sentence(err.Error())+": the call is always null.", "Regular expressions are those of XPath.")
		return true
	}
	return false
}

// constant reports a call whose written arguments give null.
func (d *diagnosis) constant(n *syntax.Call, b *builtin.Func) bool {
	text := d.text[n.Pos():n.End()]
	if !b.Foldable() || strings.ContainsAny(text, "@/") || len(n.Args) == 0 {
		return false
	}
	for _, arg := range n.Args {
		if l, ok := arg.(*syntax.Literal); !ok || l.Value.IsNull() {
			return false
		}
	}
	x, err := feel.Compile(text)
	if err != nil {
		return false
	}
	why := ""
	v, err := x.Eval(&feel.Env{Warn: func(w feel.Warning) { why = ": " + w.Message }})
	if err != nil || !v.IsNull() {
		return false
	}
	d.report(n, Warning, CodeNull, "This is always null"+why+".", "")
	return true
}

// meant suggests the name that is nearest to one that is not known.
func meant(name string, names []string) string {
	best, least := "", len([]rune(name))/3+1
	for _, n := range names {
		if n == "" || n == name {
			continue
		}
		if distance := apart(strings.ToLower(name), strings.ToLower(n), least); distance <= least && (best == "" || distance < least) {
			best, least = n, distance
		}
	}
	if best == "" {
		return ""
	}
	return "Did you mean " + best + "?"
}

// apart counts the characters to change, add or take away between two words; more
// than most is as good as any.
func apart(a, b string, most int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) > most || len(y)-len(x) > most {
		return most + 1
	}
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		last := row[0]
		row[0] = i + 1
		for j := range y {
			change := last
			if x[i] != y[j] {
				change++
			}
			last = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}
