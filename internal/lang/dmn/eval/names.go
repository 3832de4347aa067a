package eval

import (
	"strings"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel/builtin"
)

// nameIndex finds names by their first words, so that an expression is told only
// those that it may hold.
type nameIndex map[string][]string

// maxAlike bounds how many names with the same two first words are told.
const maxAlike = 500

// words cuts a text into words, as far as they matter for finding names.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool {
		return r < 0x80 && r != '_' && r != '?' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

func key(w []string) string {
	if len(w) > 1 {
		return w[0] + " " + w[1]
	}
	return w[0]
}

func (x nameIndex) add(name string) {
	if w := words(name); len(w) > 0 && len(x[key(w)]) < maxAlike {
		x[key(w)] = append(x[key(w)], name)
	}
}

// remove takes away what was added last under the key of the name.
func (x nameIndex) remove(name string) {
	w := words(name)
	if len(w) == 0 {
		return
	}
	k := key(w)
	if all := x[k]; len(all) > 0 && all[len(all)-1] == name {
		x[k] = all[:len(all)-1]
	}
}

// within lists the names that a text of words may hold.
func (x nameIndex) within(w []string, visit func(name string)) {
	seen := map[string]bool{}
	look := func(k string) {
		if !seen[k] {
			seen[k] = true
			for _, name := range x[k] {
				visit(name)
			}
		}
	}
	for i := range w {
		look(w[i])
		if i+1 < len(w) {
			look(w[i] + " " + w[i+1])
		}
	}
}

// names are those in force at a place, the innermost last.
type names struct {
	count map[string]int
	index nameIndex // those that the parser has to be told
	stack []string
}

func newNames() *names { return &names{count: map[string]int{}, index: nameIndex{}} }

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
	m := &members{all: map[string]bool{}, index: nameIndex{}}
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
