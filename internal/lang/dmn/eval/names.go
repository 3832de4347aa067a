package eval

import (
	"strings"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel/builtin"
)

// names is a chain of the names that an expression sees, the innermost first.
type names struct {
	list   []string
	parent *names
}

func (n *names) with(list ...string) *names { return &names{list, n} }

func (n *names) has(name string) bool {
	for ; n != nil; n = n.parent {
		for _, own := range n.list {
			if own == name {
				return true
			}
		}
	}
	return false
}

// members are the names with spaces or signs that entries of contexts have
// somewhere in the models, by their first word: an expression reads them behind
// a dot.
type members struct{ byWord map[string][]string }

const signs = " +-*/.'"

// special tells a name that the parser has to be told.
func special(name string) bool { return strings.ContainsAny(name, signs) }

func firstWord(name string) string {
	if i := strings.IndexAny(name, signs); i >= 0 {
		return name[:i]
	}
	return name
}

func newMembers(units []*unit) *members {
	m := &members{byWord: map[string][]string{}}
	seen := map[string]bool{}
	add := func(name string) {
		if special(name) && !seen[name] {
			seen[name] = true
			m.byWord[firstWord(name)] = append(m.byWord[firstWord(name)], name)
		}
	}
	for _, u := range units {
		for _, n := range u.nodes {
			add(n.Name)
			add(n.variable)
		}
		for _, it := range u.def.Items {
			components(it, add)
		}
		for _, d := range u.def.Decisions {
			expressionNames(d.Logic, add)
		}
		for _, k := range u.def.Knowledge {
			if k.Logic != nil {
				expressionNames(k.Logic, add)
			}
		}
	}
	return m
}

func components(it *model.ItemDefinition, add func(string)) {
	for _, c := range it.Components {
		add(c.Name)
		components(c, add)
	}
}

// expressionNames tells the names of entries that an expression makes.
func expressionNames(e model.Expression, add func(string)) {
	for _, inner := range model.Parts(e) {
		expressionNames(inner, add)
	}
	switch e := e.(type) {
	case *model.Context:
		for _, entry := range e.Entries {
			add(entry.Variable.Name)
		}
	case *model.Relation:
		for _, c := range e.Columns {
			add(c.Name)
		}
	case *model.Table:
		for _, o := range e.Outputs {
			add(o.Name)
		}
	}
}

// known lists the names that the parser has to know for a text: those in force
// there, and members. A member that is a sum or difference of names in force is
// none.
func (m *members) known(text string, scope *names) []string {
	var out []string
	for n := scope; n != nil; n = n.parent {
		for _, name := range n.list {
			if _, isBuiltin := builtin.Lookup(name); isBuiltin || special(name) {
				out = append(out, name)
			}
		}
	}
	seen := map[string]bool{}
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r < 0x80 && !isWord(r) }) {
		if seen[word] {
			continue
		}
		seen[word] = true
		for _, name := range m.byWord[word] {
			if !calculation(name, scope) {
				out = append(out, name)
			}
		}
	}
	return out
}

func isWord(r rune) bool {
	return r == '_' || r == '?' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

// calculation tells "price - discount" where both are names in force.
func calculation(name string, scope *names) bool {
	if !strings.ContainsAny(name, "+-*/.") {
		return false
	}
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return strings.ContainsRune("+-*/.", r) }) {
		if !scope.has(strings.TrimSpace(part)) {
			return false
		}
	}
	return true
}
