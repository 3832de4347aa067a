package service

import (
	"slices"
	"strings"
	"unicode/utf8"

	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/infer"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

// ItemKind says what a completion is.
type ItemKind string

// The kinds of completions.
const (
	ItemVariable ItemKind = "variable"
	ItemMember   ItemKind = "member"
	ItemFunction ItemKind = "function"
	ItemArgument ItemKind = "argument"
	ItemKeyword  ItemKind = "keyword"
	ItemSnippet  ItemKind = "snippet"
	ItemType     ItemKind = "type"
)

// Item is something that may stand at a place. Insert replaces the text from From
// up to To; in that of a snippet, ${1:text} is what is still to be written.
type Item struct {
	Label   string   `json:"label"`
	Kind    ItemKind `json:"kind"`
	Detail  string   `json:"detail,omitempty"` // its type, or its parameters
	Doc     string   `json:"doc,omitempty"`
	Insert  string   `json:"insert"`
	Snippet bool     `json:"snippet,omitempty"`
	From    int      `json:"from"`
	To      int      `json:"to"`
}

const maxWords = 5 // of a name that is being written

// Complete lists what may stand at an offset, the nearest names first: local
// ones, members behind a dot, variables, built-in functions, words and snippets.
// What was written of a name before the offset is replaced, spaces within it and
// all.
func Complete(text string, offset int, env Env) []Item {
	offset = max(0, min(offset, len(text)))
	before, open := tokens(text[:offset])
	if open {
		return nil
	}
	c := &completion{env: &env, text: text, offset: offset, to: offset}
	for c.to < len(text) {
		r, n := utf8.DecodeRuneInString(text[c.to:])
		if !isWord(r) {
			break
		}
		c.to += n
	}
	cut := len(before)
	if cut > 0 && before[cut-1].kind == tokenName && before[cut-1].end == offset {
		cut--
	}
	c.at(before[:cut])
	for more := 1; more < maxWords && cut >= more && before[cut-more].kind == tokenName; more++ {
		c.longer = true
		c.at(before[:cut-more])
	}
	return c.items
}

type completion struct {
	env    *Env
	text   string
	offset int
	to     int
	longer bool // only names with spaces: one word of them is written already
	items  []Item
	from   int
	typed  string // what is written of the name
}

// at completes what begins behind some tokens.
func (c *completion) at(before []token) {
	c.from = c.offset
	if rest, _ := tokens(c.text[behind(before):c.offset]); len(rest) > 0 {
		c.from = behind(before) + rest[0].pos
	}
	c.typed = strings.ToLower(spaced(c.text[c.from:c.offset]))
	p := survey(before)
	top := p.top()
	declares := (top.word == "for" || top.word == "some" || top.word == "every" || top.word == "{") && !top.value
	switch {
	case p.any && p.last.is("."):
		c.members(p)
	case top.word == "params" && !top.value, declares, p.any && p.last.is("function"):
		c.joints(p, top)
	case top.word == "params", p.any && p.last.is("of") && p.before.is("instance"):
		c.types()
	case p.any && p.last.endsValue() && !p.params:
		c.joints(p, top)
	default:
		c.values(p)
	}
}

func behind(before []token) int {
	if len(before) == 0 {
		return 0
	}
	return before[len(before)-1].end
}

// add offers an item where it begins with what is written.
func (c *completion) add(i Item) {
	if !strings.HasPrefix(strings.ToLower(i.Label), c.typed) || c.longer && !strings.Contains(i.Label, " ") {
		return
	}
	i.From, i.To = c.from, c.to
	if i.Insert == "" {
		i.Insert = i.Label
	}
	if !slices.ContainsFunc(c.items, func(o Item) bool { return o.Label == i.Label && o.Kind == i.Kind }) {
		c.items = append(c.items, i)
	}
}

func (c *completion) members(p *place) {
	a := c.env.repaired(c.text, c.from, c.to, p)
	if a == nil {
		return
	}
	for _, f := range a.facts {
		n, ok := f.node.(*syntax.Path)
		if !ok || n.Name.Name != hole {
			continue
		}
		fields := infer.Members(a.types[n.X])
		if t := a.types[n.X]; t != nil && t.Kind != value.KindContext {
			slices.SortFunc(fields, func(a, b value.Field) int { return strings.Compare(a.Name, b.Name) })
		}
		for _, m := range fields {
			c.add(Item{Label: m.Name, Kind: ItemMember, Detail: shown(m.Type), Insert: member(m.Name)})
		}
	}
}

// member writes a name behind a dot: one with spaces is known there where the
// type of the context is, or in back quotes.
func member(name string) string {
	if strings.ContainsAny(name, "+-*/.'") {
		return "`" + name + "`"
	}
	return name
}

func (c *completion) values(p *place) {
	var scope *infer.Scope
	a := c.env.repaired(c.text, c.from, c.to, p)
	if a != nil {
		for _, f := range a.facts {
			if n, ok := f.node.(*syntax.Name); ok && n.Name == hole {
				scope = f.scope
			}
		}
		c.arguments(a)
	}
	for s := scope; s != nil; s = s.Parent {
		c.add(Item{Label: s.Name.Name, Kind: ItemVariable, Detail: shown(s.Type)})
	}
	for _, v := range c.env.Vars {
		c.add(Item{Label: v.Name, Kind: ItemVariable, Detail: shown(v.Type), Doc: v.Doc})
	}
	if c.env.Unary {
		c.add(Item{Label: "?", Kind: ItemVariable, Detail: shown(c.env.Input), Doc: "What is tested."})
	}
	for _, f := range builtin.All() {
		if f.Name != "and" && f.Name != "or" { // the operators are meant, and all and any say the same
			c.function(f)
		}
	}
	for _, word := range []string{"true", "false", "null"} {
		c.add(Item{Label: word, Kind: ItemKeyword})
	}
	for _, s := range snippets {
		c.add(s)
	}
}

// snippets are the forms of FEEL that begin a value.
var snippets = []Item{
	{Label: "if", Kind: ItemSnippet, Detail: "if … then … else …", Insert: "if ${1:condition} then ${2:value} else ${3:value}", Snippet: true},
	{Label: "for", Kind: ItemSnippet, Detail: "for … in … return …", Insert: "for ${1:item} in ${2:list} return ${3:value}", Snippet: true},
	{Label: "some", Kind: ItemSnippet, Detail: "some … in … satisfies …",
		Insert: "some ${1:item} in ${2:list} satisfies ${3:condition}", Snippet: true},
	{Label: "every", Kind: ItemSnippet, Detail: "every … in … satisfies …",
		Insert: "every ${1:item} in ${2:list} satisfies ${3:condition}", Snippet: true},
	{Label: "function", Kind: ItemSnippet, Detail: "function(…) …", Insert: "function(${1:parameter}) ${2:value}", Snippet: true},
}

// function offers a built-in with the parameters that it must have.
func (c *completion) function(f *builtin.Func) {
	var wanted []string
	for i, name := range f.Params[0] {
		if !strings.HasSuffix(name, "?") {
			wanted = append(wanted, "${"+string(rune('1'+i))+":"+name+"}")
		}
	}
	insert := f.Name + "(" + strings.Join(wanted, ", ") + ")"
	if rest, _ := tokens(c.text[c.to:]); len(rest) > 0 && rest[0].is("(") {
		insert = f.Name // the parentheses are there
	}
	c.add(Item{Label: f.Name, Kind: ItemFunction, Detail: strings.Join(f.Forms(), " or "),
		Doc: explained(f), Insert: insert, Snippet: insert != f.Name})
}

// arguments offers the names of parameters in a call.
func (c *completion) arguments(a *analysis) {
	for _, f := range a.facts {
		n, ok := f.node.(*syntax.Call)
		if !ok || !slices.ContainsFunc(n.Args, isHole) {
			continue
		}
		fn, ok := n.Fn.(*syntax.Name)
		if !ok || f.scope.Find(fn.Name) != nil || len(n.Names) == 0 && len(n.Args) > 1 {
			continue
		}
		b, ok := builtin.Lookup(fn.Name)
		if !ok {
			continue
		}
		types, _ := b.Signature(nil)
		for i, name := range b.Names() {
			if slices.ContainsFunc(n.Names, func(id syntax.Ident) bool { return id.Name == name }) {
				continue
			}
			item := Item{Label: name, Kind: ItemArgument, Insert: name + ": "}
			if i < len(types) {
				item.Detail = shown(types[i])
			}
			c.add(item)
		}
	}
}

func isHole(n syntax.Node) bool {
	name, ok := n.(*syntax.Name)
	return ok && name.Name == hole
}

// joints offers the words that may stand behind a value.
func (c *completion) joints(p *place, top *frame) {
	if c.longer {
		return
	}
	var words []string
	switch {
	case (top.word == "for" || top.word == "some" || top.word == "every") && !top.value:
		if p.last.endsValue() {
			words = []string{"in"}
		}
	case top.word == "params" || top.word == "{" && !top.value || p.last.is("function"):
	default:
		words = []string{"and", "or", "between", "in", "instance of"}
		switch top.word {
		case "if":
			words = append(words, "then")
		case "then":
			words = append(words, "else")
		case "for":
			words = append(words, "return")
		case "some", "every":
			words = append(words, "satisfies")
		}
	}
	for _, w := range words {
		c.add(Item{Label: w, Kind: ItemKeyword, Insert: w + " ", Doc: wordDocs[strings.Fields(w)[0]]})
	}
}

var typeNames = []string{
	"Any", "boolean", "context<>", "date", "date and time", "days and time duration",
	"function<>", "list<>", "Null", "number", "range<>", "string", "time", "years and months duration",
}

func (c *completion) types() {
	for _, name := range typeNames {
		c.add(Item{Label: strings.TrimSuffix(name, "<>"), Kind: ItemType, Insert: strings.Replace(name, "<>", "<${1:Any}>", 1),
			Snippet: strings.HasSuffix(name, "<>")})
	}
}
