package service

import (
	"fmt"
	"strings"

	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/infer"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

// Info is what an editor shows about the text from From up to To.
type Info struct {
	From  int    `json:"from"`
	To    int    `json:"to"`
	Title string `json:"title"`         // a name with its type, the forms of a function, or a word
	Doc   string `json:"doc,omitempty"` // Markdown
}

// Hover tells what stands at an offset; ok is false where there is nothing to
// tell.
func Hover(text string, offset int, env Env) (info Info, ok bool) {
	offset = max(0, min(offset, len(text)))
	if info, ok = hoverWord(text, offset); ok {
		return info, true
	}
	a, err := env.analyse(text)
	if err != nil {
		a = env.upTo(text, offset)
	}
	if a == nil {
		return Info{}, false
	}
	if info, ok = a.declaration(offset, len(text)); ok {
		return info, true
	}
	for _, f := range a.around(offset) {
		if f.node.Pos() == f.node.End() || f.node.Pos() >= len(text) {
			continue // what closes the text is not of it
		}
		info = a.describe(f)
		info.To = min(info.To, len(text))
		return info, true
	}
	return Info{}, false
}

// upTo analyses a text that does not read as FEEL, up to the word at a place.
func (e *Env) upTo(text string, offset int) *analysis {
	end := max(0, min(offset, len(text)))
	for end < len(text) {
		if t := next(text, end); t.kind != tokenName {
			break
		}
		end = next(text, end).end
	}
	before, open := tokens(text[:end])
	if open {
		return nil
	}
	a, err := e.analyse(text[:end] + survey(before).closing())
	if err != nil {
		return nil
	}
	return a
}

// hoverWord explains the words of the language.
func hoverWord(text string, offset int) (Info, bool) {
	all, _ := tokens(text)
	for i, t := range all {
		if t.kind != tokenName || offset < t.pos || offset >= t.end || i > 0 && all[i-1].is(".") || typeAnd(all, i) {
			continue
		}
		if doc := wordDocs[t.text]; doc != "" && (t.text != "function" || i+1 < len(all) && all[i+1].is("(")) {
			return Info{t.pos, t.end, t.text, doc}, true
		}
	}
	return Info{}, false
}

// wordDocs explain the words of the language.
var wordDocs = map[string]string{
	"if":        "`if condition then a else b`: a where the condition is true, else b, also where it is null.",
	"then":      "`if condition then a else b`: what is given where the condition is true.",
	"else":      "`if condition then a else b`: what is given where the condition is false or null.",
	"for":       "`for x in list return value`: the list of the values. `x in 1..10` counts. `partial` is the list so far.",
	"return":    "`for x in list return value`: what is computed for each item.",
	"some":      "`some x in list satisfies condition`: whether the condition is true for at least one item.",
	"every":     "`every x in list satisfies condition`: whether the condition is true for all items.",
	"satisfies": "The condition of `some` and `every`.",
	"between":   "`x between a and b`: whether a <= x and x <= b.",
	"instance":  "`x instance of type`: whether x has the type.",
	"function":  "`function(a, b) value`: a function of parameters; a type may follow a name: `a: number`.",
	"and":       "False if one side is false, true if both are true, else null.",
	"or":        "True if one side is true, false if both are false, else null.",
	"in":        "`x in tests`: whether x passes one of the tests, such as `[1..5]`, `> 3` or a value.",
}

// declaration describes a name where it is declared or stands behind a dot, within a text
// of a length: what closes the text is not of it.
func (a *analysis) declaration(offset, length int) (Info, bool) {
	within := func(id syntax.Ident) bool { return id.Pos <= offset && offset <= id.End && id.End <= length }
	for _, f := range a.facts {
		for i, id := range declared(f.node) {
			if within(id) {
				return Info{id.Pos, id.End, titled(id.Name, a.declaredType(f, i)), role(f.node)}, true
			}
		}
		if n, ok := f.node.(*syntax.Path); ok && within(n.Name) {
			return Info{n.Name.Pos, n.Name.End, titled(n.Name.Name, f.typ), ""}, true
		}
	}
	return Info{}, false
}

// declaredType is the type of the i-th name that a node declares.
func (a *analysis) declaredType(f fact, i int) *value.Type {
	switch n := f.node.(type) {
	case *syntax.Context:
		return f.typ.Fields[i].Type
	case *syntax.Function:
		return f.typ.Params[i]
	case *syntax.For:
		return a.itemType(n.Iterators[i])
	case *syntax.Quantified:
		return a.itemType(n.Iterators[i])
	}
	return nil
}

func (a *analysis) itemType(it syntax.Iterator) *value.Type {
	t := a.types[it.In]
	if it.To == nil && t != nil && (t.Kind == value.KindList || t.Kind == value.KindRange) {
		return t.Elem
	}
	return t
}

// role says what a name that a node declares is.
func role(n syntax.Node) string {
	switch n.(type) {
	case *syntax.Function:
		return "A parameter."
	case *syntax.Context:
		return "An entry of the context."
	}
	return "A name for each item."
}

func titled(name string, t *value.Type) string { return fmt.Sprintf("%s: %s", name, shown(t)) }

func (a *analysis) describe(f fact) Info {
	info := Info{From: f.node.Pos(), To: f.node.End(), Title: shown(f.typ)}
	n, ok := f.node.(*syntax.Name)
	if !ok {
		return info
	}
	info.Title = titled(n.Name, f.typ)
	if local := a.local(n, f.scope); local != nil {
		info.Doc = a.origin(local)
		return info
	}
	if v, ok := a.env.find(n.Name); ok {
		info.Doc = v.Doc
		return info
	}
	if b, ok := builtin.Lookup(n.Name); ok {
		info.Title = strings.Join(b.Forms(), "\n")
		info.Doc = explained(b)
	}
	return info
}

// origin says where a local name comes from.
func (a *analysis) origin(s *infer.Scope) string {
	if found, ok := a.decls[s.Name]; ok {
		return role(found.by)
	}
	return "Of the item that is filtered."
}

// explained is what is said of a function.
func explained(f *builtin.Func) string {
	d := f.Doc()
	_, result := f.Signature(nil)
	clause := "DMN 1.5, " + d.Clause
	if d.Clause == "Zeebe" {
		clause = "added by Zeebe"
	}
	return fmt.Sprintf("%s\n\nGives %s. `%s` is `%s`.\n\n%s", d.Meaning, shown(result), d.Example, d.Result, clause)
}
