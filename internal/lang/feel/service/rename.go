package service

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/infer"
	"sextant/internal/lang/feel/syntax"
	"sextant/internal/lang/feel/value"
)

// Edit replaces the text from From up to To.
type Edit struct {
	From int    `json:"from"`
	To   int    `json:"to"`
	Text string `json:"text"`
}

// ErrNothing is returned by Rename where nothing at the place has a name that can
// be changed.
var ErrNothing = errors.New("there is no name here that could be changed")

// Rename gives the edits that change a name everywhere in the text: an iterator,
// a parameter, an entry of a context with the paths that lead to it, or a
// variable. It refuses a new name that cannot be read or would come to mean
// something else.
func Rename(text string, offset int, newName string, env Env) ([]Edit, error) {
	if newName == "" || strings.TrimSpace(newName) != newName || strings.ContainsFunc(newName, func(r rune) bool {
		return r == '`' || unicode.IsControl(r)
	}) {
		return nil, fmt.Errorf("%q is no name", newName)
	}
	a, err := env.analyse(text)
	if err != nil {
		return nil, err
	}
	s, ok := a.symbolAt(offset)
	if !ok {
		return nil, ErrNothing
	}
	if s.name == newName {
		return nil, nil
	}
	s.twins = a.twins(s.by)
	if err := a.refuses(s, newName); err != nil {
		return nil, err
	}
	var edits []Edit
	for _, id := range a.places(s) {
		edits = append(edits, Edit{id.Pos, id.End, quoted(newName)})
	}
	slices.SortFunc(edits, func(a, b Edit) int { return cmp.Compare(a.From, b.From) })
	edits = slices.Compact(edits)
	renamed := env
	for _, v := range env.Vars {
		if s.declared == nil && v.Name == s.name {
			renamed.Vars = append(slices.Clone(env.Vars), Variable{Name: newName, Type: v.Type})
		}
	}
	if after, err := renamed.analyse(Apply(text, edits)); err != nil || len(after.facts) != len(a.facts) {
		return nil, fmt.Errorf("with the name %q the text would be read in another way", newName)
	}
	return edits, nil
}

// Apply makes edits that are in order and do not overlap.
func Apply(text string, edits []Edit) string {
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.WriteString(text[at:e.From])
		b.WriteString(e.Text)
		at = e.To
	}
	return b.String() + text[at:]
}

// symbol is a name and what it stands for: something that the text declares, or a
// variable.
type symbol struct {
	name     string
	declared *syntax.Ident
	by       syntax.Node   // what declares it
	typ      *value.Type   // of the context or function that declares it
	twins    []syntax.Node // contexts whose entry of the name is to be the same, as items of one list
}

func (a *analysis) symbolAt(offset int) (symbol, bool) {
	within := func(id syntax.Ident) bool { return id.Pos <= offset && offset <= id.End }
	for _, f := range a.facts {
		for _, id := range declared(f.node) {
			if within(id) {
				return a.decls[id], true
			}
		}
		switch n := f.node.(type) {
		case *syntax.Path:
			if within(n.Name) {
				return a.entry(a.types[n.X], n.Name.Name)
			}
		case *syntax.Call:
			for _, id := range n.Names {
				if within(id) {
					return a.parameter(a.types[n.Fn], id.Name)
				}
			}
		case *syntax.Name:
			if n.Pos() <= offset && offset <= n.End() {
				return a.meaning(n, f.scope)
			}
		}
	}
	return symbol{}, false
}

// meaning finds what a name refers to.
func (a *analysis) meaning(n *syntax.Name, s *infer.Scope) (symbol, bool) {
	local := a.local(n, s)
	if local == nil {
		_, variable := a.env.find(n.Name)
		_, isBuiltin := builtin.Lookup(n.Name)
		return symbol{name: n.Name}, n.Name != "?" && (variable || !isBuiltin)
	}
	if local.Name.Pos >= 0 {
		found, ok := a.decls[local.Name]
		return found, ok
	}
	if f := a.filterOf(n); f != nil {
		return a.entry(a.types[f.X], n.Name)
	}
	return symbol{}, false
}

// entry finds the entry of a context in the text that a type comes from.
func (a *analysis) entry(t *value.Type, name string) (symbol, bool) {
	for t != nil && t.Kind == value.KindList {
		t = t.Elem
	}
	n, _ := a.made[t].(*syntax.Context)
	return a.declares(n, name)
}

// parameter finds the parameter of a function in the text that a type comes from.
func (a *analysis) parameter(t *value.Type, name string) (symbol, bool) {
	n, _ := a.made[t].(*syntax.Function)
	return a.declares(n, name)
}

func (a *analysis) declares(n syntax.Node, name string) (symbol, bool) {
	for _, id := range declared(n) {
		if id.Name == name {
			return a.decls[id], true
		}
	}
	return symbol{}, false
}

// filterOf finds the innermost filter whose items bring a name.
func (a *analysis) filterOf(n *syntax.Name) *syntax.Filter {
	for _, f := range a.around(n.Pos()) {
		filter, ok := f.node.(*syntax.Filter)
		if !ok || n.Pos() < filter.F.Pos() || filter.F.End() < n.End() {
			continue
		}
		t := a.types[filter.X]
		if t != nil && t.Kind == value.KindList {
			t = t.Elem
		}
		if _, ok := t.Field(n.Name); ok {
			return filter
		}
	}
	return nil
}

// same reports whether two symbols are one.
func (s symbol) same(o symbol) bool {
	if s.declared == nil || o.declared == nil {
		return s.declared == nil && o.declared == nil && s.name == o.name
	}
	return *s.declared == *o.declared || s.name == o.name && slices.Contains(s.twins, o.by)
}

// twins finds the contexts that stand beside one in a list or another branch of
// an if, and beside those.
func (a *analysis) twins(of syntax.Node) []syntax.Node {
	if _, ok := of.(*syntax.Context); !ok {
		return nil
	}
	group := []syntax.Node{of}
	for i := 0; i < len(group); i++ {
		for _, f := range a.facts {
			var beside []syntax.Node
			switch n := f.node.(type) {
			case *syntax.List:
				beside = n.Items
			case *syntax.If:
				beside = []syntax.Node{n.Then, n.Else}
			}
			if !slices.Contains(beside, group[i]) {
				continue
			}
			for _, n := range beside {
				if _, ok := n.(*syntax.Context); ok && !slices.Contains(group, n) {
					group = append(group, n)
				}
			}
		}
	}
	return group[1:]
}

// places lists where a symbol stands.
func (a *analysis) places(s symbol) []syntax.Ident {
	var all []syntax.Ident
	if s.declared != nil {
		all = append(all, *s.declared)
	}
	for _, twin := range s.twins {
		for _, id := range declared(twin) {
			if id.Name == s.name {
				all = append(all, id)
			}
		}
	}
	for _, f := range a.facts {
		switch n := f.node.(type) {
		case *syntax.Name:
			if o, ok := a.meaning(n, f.scope); ok && n.Name == s.name && s.same(o) {
				all = append(all, syntax.Ident{Name: n.Name, Pos: n.Pos(), End: n.End()})
			}
		case *syntax.Path:
			if o, ok := a.entry(a.types[n.X], n.Name.Name); ok && s.same(o) {
				all = append(all, n.Name)
			}
		case *syntax.Call:
			for _, id := range n.Names {
				if o, ok := a.parameter(a.types[n.Fn], id.Name); ok && s.same(o) {
					all = append(all, id)
				}
			}
		}
	}
	return all
}

// refuses tells why a symbol cannot have a new name.
func (a *analysis) refuses(s symbol, newName string) error {
	for _, n := range append([]syntax.Node{s.by}, s.twins...) {
		for _, id := range declared(n) {
			if id.Name == newName {
				return fmt.Errorf("%s is declared beside it already", newName)
			}
		}
	}
	if _, ok := s.by.(*syntax.Context); ok {
		if err := a.uncertain(s); err != nil {
			return err
		}
	}
	if _, ok := a.env.find(newName); ok && s.declared == nil {
		return fmt.Errorf("%s is another variable", newName)
	}
	for _, f := range a.facts {
		n, ok := f.node.(*syntax.Name)
		if !ok {
			continue
		}
		o, resolved := a.meaning(n, f.scope)
		switch {
		case n.Name == s.name && resolved && s.same(o):
			if inner := before(f.scope, s.declared, newName); inner != nil {
				return fmt.Errorf("%s would then mean another thing at byte %d", newName, n.Pos()+1)
			}
		case n.Name == newName && s.declared == nil && resolved && o.declared == nil:
			return fmt.Errorf("%s is used already, at byte %d", newName, n.Pos()+1)
		case n.Name == newName && s.declared != nil && within(f.scope, *s.declared) && before(f.scope, s.declared, newName) == nil:
			return fmt.Errorf("what %s means at byte %d would be hidden", newName, n.Pos()+1)
		}
	}
	return nil
}

// uncertain finds what may refer to an entry, as far as is known: a path from
// what has no known type, its name as a text, and the function context, which
// wants the entries key and value.
func (a *analysis) uncertain(s symbol) error {
	for _, f := range a.facts {
		switch n := f.node.(type) {
		case *syntax.Path:
			t := a.types[n.X]
			for t != nil && t.Kind == value.KindList {
				t = t.Elem
			}
			if n.Name.Name == s.name && !known(t) {
				return fmt.Errorf("what .%s at byte %d leads to is not known", s.name, n.Name.Pos+1)
			}
		case *syntax.Literal:
			if text, ok := value.AsString(n.Value); ok && text == s.name {
				return fmt.Errorf("the text %q at byte %d may be its name", text, n.Pos()+1)
			}
		case *syntax.Name:
			if n.Name == "context" && a.calls[n] && (s.name == "key" || s.name == "value") {
				return fmt.Errorf("the function context wants the name %s", s.name)
			}
		}
	}
	return nil
}

// before finds a declaration of a name that is nearer than another declaration.
func before(s *infer.Scope, than *syntax.Ident, name string) *infer.Scope {
	for ; s != nil; s = s.Parent {
		if than != nil && s.Name == *than {
			return nil
		}
		if s.Name.Name == name {
			return s
		}
	}
	return nil
}

// within reports whether a declaration is in force in a scope.
func within(s *infer.Scope, id syntax.Ident) bool {
	for ; s != nil; s = s.Parent {
		if s.Name == id {
			return true
		}
	}
	return false
}
