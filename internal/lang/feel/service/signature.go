package service

import (
	"slices"
	"strings"

	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

// Param is a parameter of a function.
type Param struct {
	Name     string `json:"name"`
	Type     string `json:"type,omitempty"`
	Optional bool   `json:"optional,omitempty"`
}

// Signature is the call that a place lies in.
type Signature struct {
	Name   string  `json:"name"`
	Params []Param `json:"params"`
	Result string  `json:"result,omitempty"`
	Doc    string  `json:"doc,omitempty"`
	Active int     `json:"active"` // the parameter that is being written; -1 if none is
}

// SignatureAt tells the innermost call that an offset lies in the arguments of.
func SignatureAt(text string, offset int, env Env) (s Signature, ok bool) {
	offset = max(0, min(offset, len(text)))
	before, open := tokens(text[:offset])
	from := offset
	if open { // within a string: as if it were not there
		from = behind(before)
	}
	if n := len(before); n > 0 && before[n-1].endsValue() {
		from = argument(before)
		before, _ = tokens(text[:from])
	}
	a := env.repaired(text, from, len(text), survey(before))
	if a == nil {
		return s, false
	}
	for _, f := range a.facts { // inner calls come first
		if n, ok := f.node.(*syntax.Call); ok && n.Pos() < from && holds(n, from) {
			return a.signature(n, f, from)
		}
	}
	return s, false
}

// argument finds where the argument begins that some tokens end.
func argument(before []token) int {
	depth := 0
	for i := len(before) - 1; i >= 0; i-- {
		t := before[i]
		switch {
		case t.is(")") || t.is("]") || t.is("}"):
			depth++
		case (t.is("(") || t.is("[") || t.is("{")) && depth > 0:
			depth--
		case t.is("(") || t.is("[") || t.is("{") || depth == 0 && (t.is(",") || t.is(":")):
			return t.end
		}
	}
	return 0
}

// holds reports whether the hole at a place is one of the arguments, not within
// the name of the function.
func holds(n *syntax.Call, at int) bool {
	return slices.ContainsFunc(n.Args, func(arg syntax.Node) bool { return arg.Pos() <= at && at <= arg.End() })
}

func (a *analysis) signature(n *syntax.Call, f fact, at int) (Signature, bool) {
	active := slices.IndexFunc(n.Args, func(arg syntax.Node) bool { return arg.Pos() <= at && at <= arg.End() })
	s := Signature{Name: spaced(a.text[n.Fn.Pos():n.Fn.End()]), Active: active}
	name, plain := n.Fn.(*syntax.Name)
	if plain && a.local(name, f.scope) == nil {
		if b, ok := builtin.Lookup(name.Name); ok {
			s.builtin(b, len(n.Args))
			s.activate(n, active)
			return s, true
		}
	}
	t := a.types[n.Fn]
	if t == nil || t.Kind != value.KindFunction {
		return s, false
	}
	names := a.params(t)
	for i, p := range t.Params {
		param := Param{Type: shown(p)}
		if i < len(names) {
			param.Name = names[i].Name
		}
		s.Params = append(s.Params, param)
	}
	s.Result = shown(t.Result)
	s.activate(n, active)
	return s, true
}

// params finds the names of the parameters of a function that the text defines.
func (a *analysis) params(t *value.Type) []syntax.Param {
	if fn, ok := a.made[t].(*syntax.Function); ok {
		return fn.Params
	}
	return nil
}

// builtin takes the parameter list that fits the number of arguments.
func (s *Signature) builtin(b *builtin.Func, args int) {
	types, result := b.Signature(nil)
	list := b.Params[0]
	for _, params := range b.Params {
		if len(list) < args && len(params) >= args {
			list = params
		}
	}
	for i, name := range list {
		p := Param{Name: strings.TrimSuffix(name, "?"), Optional: strings.HasSuffix(name, "?")}
		if i < len(types) && len(b.Params) == 1 {
			p.Type = shown(types[i])
		}
		s.Params = append(s.Params, p)
	}
	s.Result, s.Doc = shown(result), explained(b)
}

// activate finds the parameter of an argument, by its name where it has one.
func (s *Signature) activate(n *syntax.Call, active int) {
	if active >= 0 && active < len(n.Names) {
		s.Active = slices.IndexFunc(s.Params, func(p Param) bool { return p.Name == n.Names[active].Name })
	} else if s.Active >= len(s.Params) {
		s.Active = len(s.Params) - 1 // any number of arguments
	}
}
