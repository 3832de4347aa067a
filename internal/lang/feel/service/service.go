// Package service is what an editor asks about a FEEL text: what may stand at a
// place, what a name means, what is wrong, and how to rename. All its functions
// are pure: they look at the text and at what the caller says of its variables,
// and evaluate nothing.
//
// A text that is being written seldom reads as FEEL. Diagnose says why; Complete,
// SignatureAt and Hover work on what stands before the place, closed with what is
// missing, so that local names and their types are known as soon as they are
// declared.
//
// Offsets count bytes from 0, as everywhere in FEEL's packages.
package service

import (
	"fmt"
	"strings"
	"unicode"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/eval"
	"sextant/internal/lang/feel/infer"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

// Variable is one that the text may use; its type is nil where it is not known.
type Variable struct {
	Name string
	Type *value.Type
	Doc  string
}

// Env is what is known besides the text. All fields may be left empty.
type Env struct {
	Vars []Variable
	// Closed says that there are no other variables: any other name is a mistake.
	Closed bool
	// Unary says that the text is the cell of a decision table, and Input what it
	// tests.
	Unary bool
	Input *value.Type
	// Types finds the types that the caller defines.
	Types func(name string) (*value.Type, bool)
}

// find gives a variable by name.
func (e *Env) find(name string) (Variable, bool) {
	for _, v := range e.Vars {
		if v.Name == name {
			return v, true
		}
	}
	if name == "?" && e.Unary {
		return Variable{Name: name, Type: e.Input, Doc: "What is tested."}, true
	}
	return Variable{}, false
}

// names are those that hold spaces or signs: of variables, their parts, and
// built-in functions.
func (e *Env) names() []*syntax.Names {
	var all []string
	for _, v := range e.Vars {
		all = fieldNames(append(all, v.Name), v.Type, 0)
	}
	return []*syntax.Names{builtin.SpacedNames(), syntax.NewNames(fieldNames(all, e.Input, 0))}
}

const maxDepth = 16 // of a type that may hold itself

func fieldNames(all []string, t *value.Type, depth int) []string {
	if t == nil || depth > maxDepth {
		return all
	}
	for _, f := range t.Fields {
		all = fieldNames(append(all, f.Name), f.Type, depth+1)
	}
	return fieldNames(all, t.Elem, depth+1)
}

// fact is what inference found out about a node.
type fact struct {
	node  syntax.Node
	typ   *value.Type
	scope *infer.Scope
}

// analysis is a text that reads as FEEL. Inner nodes come first in facts.
type analysis struct {
	env   *Env
	text  string
	root  syntax.Node
	facts []fact
	types map[syntax.Node]*value.Type
	decls map[syntax.Ident]symbol     // what declares a name
	made  map[*value.Type]syntax.Node // the contexts and functions that types come from
	calls map[syntax.Node]bool        // what is called
}

func (e *Env) analyse(text string) (*analysis, error) {
	if limit := feel.DefaultLimits().SourceBytes; len(text) > limit {
		return nil, fmt.Errorf("the expression has %d bytes: at most %d are possible", len(text), limit)
	}
	parse := syntax.Parse
	if e.Unary {
		parse = syntax.ParseTests
	}
	root, err := parse(text, e.names()...)
	if err != nil {
		return nil, err
	}
	a := &analysis{env: e, text: text, root: root, types: map[syntax.Node]*value.Type{},
		decls: map[syntax.Ident]symbol{}, made: map[*value.Type]syntax.Node{}, calls: map[syntax.Node]bool{}}
	infer.Of(root, infer.Env{
		Var: func(name string) (*value.Type, bool) {
			v, ok := e.find(name)
			return v.Type, ok
		},
		Named: eval.Options{Types: e.Types}.Type,
		Visit: func(n syntax.Node, t *value.Type, s *infer.Scope) {
			a.learn(fact{n, t, s})
		},
	})
	return a, nil
}

func (a *analysis) learn(f fact) {
	a.facts = append(a.facts, f)
	a.types[f.node] = f.typ
	for _, id := range declared(f.node) {
		a.decls[id] = symbol{name: id.Name, declared: &id, by: f.node}
	}
	switch n := f.node.(type) {
	case *syntax.Context, *syntax.Function:
		a.made[f.typ] = n
	case *syntax.Call:
		a.calls[n.Fn] = true
	}
}

// local finds what a name refers to within the text. A local name that holds no
// function does not hide a built-in one from a call.
func (a *analysis) local(n *syntax.Name, s *infer.Scope) *infer.Scope {
	found := s.Find(n.Name)
	if found == nil || !a.calls[n] || !known(found.Type) || found.Type.Kind == value.KindFunction {
		return found
	}
	if _, ok := builtin.Lookup(n.Name); ok {
		return nil
	}
	return found
}

// around lists the facts about the nodes that hold a place, the innermost first.
func (a *analysis) around(offset int) []fact {
	var all []fact
	for _, f := range a.facts {
		if f.node.Pos() <= offset && offset <= f.node.End() {
			all = append(all, f)
		}
	}
	return all
}

// known tells a type that says something.
func known(t *value.Type) bool { return t != nil && t.Kind != value.KindAny }

// shown writes a type for people.
func shown(t *value.Type) string {
	if t == nil {
		return "Any"
	}
	if t.Kind == value.KindContext && len(t.Fields) == 0 && t.Name == "" {
		return "context"
	}
	return t.String()
}

// quoted writes a name so that it can be read wherever it stands.
func quoted(name string) string {
	if n, err := syntax.Parse(name); err == nil {
		if plain, ok := n.(*syntax.Name); ok && plain.Name == name && plain.End() == len(name) {
			return name
		}
	}
	return "`" + name + "`"
}

// declared lists the names that a node declares.
func declared(n syntax.Node) []syntax.Ident {
	var all []syntax.Ident
	switch n := n.(type) {
	case *syntax.For:
		for _, it := range n.Iterators {
			all = append(all, it.Name)
		}
	case *syntax.Quantified:
		for _, it := range n.Iterators {
			all = append(all, it.Name)
		}
	case *syntax.Function:
		if n == nil {
			return nil
		}
		for _, p := range n.Params {
			all = append(all, p.Ident)
		}
	case *syntax.Context:
		if n == nil {
			return nil
		}
		for _, e := range n.Entries {
			all = append(all, e.Key)
		}
	}
	return all
}

// isWord reports whether a character may stand within a name.
func isWord(r rune) bool {
	return r == '_' || r == '?' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r)
}

// spaced makes any white space within a name one space.
func spaced(s string) string { return strings.Join(strings.Fields(s), " ") }

// TypeOf tells the type of a value, with the entries of contexts and the items of
// lists as far as they agree.
func TypeOf(v value.Value) *value.Type {
	t := value.SimpleType(v.Kind())
	switch v.Kind() {
	case value.KindNull:
		return nil // may be anything another time
	case value.KindContext:
		c, _ := value.AsContext(v)
		for _, key := range c.Keys() {
			entry, _ := c.Get(key)
			t.Fields = append(t.Fields, value.Field{Name: key, Type: TypeOf(entry)})
		}
	case value.KindList:
		l, _ := value.AsList(v)
		for i, item := range l {
			if own := TypeOf(item); i == 0 {
				t.Elem = own
			} else if t.Elem != nil {
				t.Elem = merged(t.Elem, own)
			}
		}
	case value.KindRange:
		r, _ := value.AsRange(v)
		if t.Elem = TypeOf(r.Low); t.Elem == nil {
			t.Elem = TypeOf(r.High)
		}
	}
	return t
}

// merged is what two types have in common: the entries of both for contexts.
func merged(a, b *value.Type) *value.Type {
	if b == nil || a.Kind != b.Kind {
		return nil
	}
	switch a.Kind {
	case value.KindContext:
		out := value.SimpleType(value.KindContext)
		out.Fields = append(out.Fields, a.Fields...)
		for _, f := range b.Fields {
			if _, ok := a.Field(f.Name); !ok {
				out.Fields = append(out.Fields, f)
			}
		}
		for i, f := range out.Fields {
			x, in1 := a.Field(f.Name)
			y, in2 := b.Field(f.Name)
			if in1 && in2 && (x == nil || y == nil) {
				out.Fields[i].Type = nil
			} else if in1 && in2 {
				out.Fields[i].Type = merged(x, y)
			}
		}
		return out
	case value.KindList, value.KindRange:
		if a.Elem == nil || b.Elem == nil {
			return value.SimpleType(a.Kind)
		}
		return &value.Type{Kind: a.Kind, Elem: merged(a.Elem, b.Elem)}
	}
	return a
}
