package eval

import (
	"slices"
	"strings"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel/builtin"
)

// nameIndex finds names by their words, so that an expression is told only those
// that it may hold.
type nameIndex struct {
	byWords map[string][]string
	begins  map[string]int // how many names begin with these words
}

func newNameIndex() nameIndex {
	return nameIndex{byWords: map[string][]string{}, begins: map[string]int{}}
}

// Bounds of the index: how many words of a name count, and how many names may
// differ by their signs alone.
const (
	maxWords = 64
	maxAlike = 50
)

// words cuts a text into words, as far as they matter for finding names.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool {
		return r < 0x80 && r != '_' && r != '?' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// keys visits the first word, the first two words and so on, until told to stop;
// whole marks the last.
func keys(w []string, visit func(key string, whole bool) bool) {
	w = w[:min(len(w), maxWords)]
	for i, key := 0, ""; i < len(w); i++ {
		if i > 0 {
			key += " "
		}
		key += w[i]
		if !visit(key, i == len(w)-1) {
			return
		}
	}
}

func (x nameIndex) add(name string) {
	keys(words(name), func(key string, whole bool) bool {
		x.begins[key]++
		if whole && len(x.byWords[key]) < maxAlike {
			x.byWords[key] = append(x.byWords[key], name)
		}
		return true
	})
}

// remove takes away a name.
func (x nameIndex) remove(name string) {
	keys(words(name), func(key string, whole bool) bool {
		if x.begins[key]--; x.begins[key] == 0 {
			delete(x.begins, key)
		}
		if whole {
			x.byWords[key] = slices.DeleteFunc(x.byWords[key], func(other string) bool { return other == name })
		}
		return true
	})
}

// within lists the names that a text of words may hold.
func (x nameIndex) within(w []string, visit func(name string)) {
	if len(x.begins) == 0 {
		return
	}
	seen := map[string]bool{}
	for i := range w {
		keys(w[i:], func(key string, _ bool) bool {
			if x.begins[key] == 0 {
				return false
			}
			if !seen[key] {
				seen[key] = true
				for _, name := range x.byWords[key] {
					visit(name)
				}
			}
			return true
		})
	}
}

// names are those in force at a place, the innermost last.
type names struct {
	count map[string]int
	index nameIndex // those that the parser has to be told
	stack []string
}

func newNames() *names { return &names{count: map[string]int{}, index: newNameIndex()} }

func (n *names) push(list ...string) {
	for _, name := range list {
		n.stack = append(n.stack, name)
		if n.count[name]++; n.count[name] == 1 && special(name) {
			n.index.add(name)
		}
	}
}

// pop takes away all but the first names.
func (n *names) pop(to int) {
	for len(n.stack) > to {
		name := n.stack[len(n.stack)-1]
		n.stack = n.stack[:len(n.stack)-1]
		if n.count[name]--; n.count[name] == 0 && special(name) {
			n.index.remove(name)
		}
	}
}

func (n *names) has(name string) bool { return n.count[name] > 0 }

const signs = " +-*/.'"

// special tells a name that the parser has to be told: one with spaces or signs,
// and one that hides a built-in.
func special(name string) bool {
	if strings.ContainsAny(name, signs) {
		return true
	}
	_, ok := builtin.Lookup(name)
	return ok
}

// members are the names that entries of contexts have somewhere in the models:
// an expression reads them behind a dot, and within a filter.
type members struct {
	all   map[string]bool
	index nameIndex // those with spaces or signs
}

func newMembers(units []*unit) *members {
	m := &members{all: map[string]bool{}, index: newNameIndex()}
	for _, u := range units {
		for _, n := range u.nodes {
			m.add(n.Name)
			m.add(n.variable)
		}
		for _, it := range u.def.Items {
			m.components(it)
		}
		for _, d := range u.def.Decisions {
			m.expression(d.Logic)
		}
		for _, k := range u.def.Knowledge {
			if k.Logic != nil {
				m.expression(k.Logic)
			}
		}
	}
	return m
}

func (m *members) add(name string) {
	if name == "" || m.all[name] {
		return
	}
	m.all[name] = true
	if strings.ContainsAny(name, signs) {
		m.index.add(name)
	}
}

func (m *members) components(it *model.ItemDefinition) {
	for _, c := range it.Components {
		m.add(c.Name)
		m.components(c)
	}
}

// expression adds the names of entries that an expression makes.
func (m *members) expression(e model.Expression) {
	for _, inner := range model.Parts(e) {
		m.expression(inner)
	}
	switch e := e.(type) {
	case *model.Function:
		for _, p := range e.Params {
			m.add(p.Name) // arguments may be given by name
		}
	case *model.Context:
		for _, entry := range e.Entries {
			m.add(entry.Variable.Name)
		}
	case *model.Relation:
		for _, c := range e.Columns {
			m.add(c.Name)
		}
	case *model.Table:
		for _, o := range e.Outputs {
			m.add(o.Name)
		}
	}
}

// known lists the names that the parser has to know for a text: those in force
// there, and members. A member that is a sum or difference of names in force is
// none.
func (m *members) known(text string, scope *names) []string {
	var out []string
	w := words(text)
	scope.index.within(w, func(name string) { out = append(out, name) })
	m.index.within(w, func(name string) {
		if !calculation(name, scope) {
			out = append(out, name)
		}
	})
	return out
}

// calculation tells "price - discount" where both are names in force, and a path
// such as "person.name" where its first part is one.
func calculation(name string, scope *names) bool {
	if !strings.ContainsAny(name, "+-*/.") {
		return false
	}
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return strings.ContainsRune("+-*/", r) }) {
		head, _, _ := strings.Cut(part, ".")
		if !scope.has(strings.TrimSpace(head)) {
			return false
		}
	}
	return true
}
