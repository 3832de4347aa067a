package bpmn

import (
	_ "embed"
	"slices"
	"strings"
)

//go:embed schema/names.tsv
var namesTable string

//go:embed schema/support.tsv
var supportTable string

// Verdict is what becomes of an element or attribute of a file.
type Verdict string

// The verdicts. What is drawn describes and asks for nothing; what is kept would ask
// for something, and is listed when a file is deployed.
const (
	Executed Verdict = "executed"
	Refused  Verdict = "refused"
	Kept     Verdict = "kept"
	Drawn    Verdict = "drawn"
)

// Rule says what becomes of one name of the schemas.
type Rule struct {
	Name    string
	Verdict Verdict
	// Unless are values with which an attribute asks for nothing.
	Unless []string
	// On are the elements that an extension has a meaning on, empty for all.
	On []string
	// Remedy is what to do instead.
	Remedy string
}

// Type is an element of the schemas: those that it extends come first in Above.
type Type struct {
	Name     string
	Abstract bool
	Above    []string
	Extends  []string // the types whose elements it gives attributes to
	// Members are the types that may stand within it under their own tag, Tags those
	// of children that have a tag of their own, by that.
	Members []string
	Tags    map[string]string
}

// Support gives the table of what is executed, refused, kept and drawn.
func Support() map[string]Rule { return support.rules }

// Schema gives the types of BPMN and of the Zeebe extension.
func Schema() map[string]*Type { return support.types }

// SchemaNames lists the names of the schemas that need a verdict: types that are not
// abstract, attributes as Type@name, and children with a tag of their own as Type/name.
func SchemaNames() []string {
	var all []string
	for _, row := range table(namesTable) {
		if row[1] != "abstract" && row[1] != "member" {
			all = append(all, row[0])
		}
	}
	return all
}

type knowledge struct {
	rules map[string]Rule
	types map[string]*Type
	byTag map[string]string   // tag to type, zeebe: before those of the extension
	chain map[string][]string // a type and all that it is, the nearest first
}

var support = learn()

func table(text string) [][]string {
	var rows [][]string
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if !strings.HasPrefix(line, "#") {
			rows = append(rows, append(strings.Split(line, "\t"), "", "", "", ""))
		}
	}
	return rows
}

func learn() *knowledge {
	k := &knowledge{rules: map[string]Rule{}, types: map[string]*Type{}, byTag: map[string]string{}, chain: map[string][]string{}}
	traits := map[string][]string{}
	names := table(namesTable)
	for _, row := range names {
		if row[1] != "concrete" && row[1] != "abstract" {
			continue
		}
		t := &Type{Name: row[0], Abstract: row[1] == "abstract", Tags: map[string]string{}}
		for _, above := range strings.Fields(row[2]) {
			if of, extends := strings.CutPrefix(above, "+"); extends {
				traits[of], t.Extends = append(traits[of], t.Name), append(t.Extends, of)
			} else {
				t.Above = append(t.Above, above)
			}
		}
		k.types[t.Name] = t
		if !t.Abstract {
			k.byTag[tagOf(t.Name)] = t.Name
		}
	}
	for _, row := range names {
		switch of, name, _ := strings.Cut(row[0], "/"); row[1] {
		case "child":
			if row[2] == "Expression" { // which is written as a formal one
				row[2] = "FormalExpression"
			}
			k.types[of].Tags[name] = row[2]
		case "member":
			of = row[0][:strings.LastIndexByte(row[0], ':')]
			k.types[of].Members = append(k.types[of].Members, row[2])
		}
	}
	for _, row := range table(supportTable) {
		k.rules[row[0]] = Rule{Name: row[0], Verdict: Verdict(row[1]), Unless: split(row[2], "|"), On: split(row[3], " "), Remedy: row[4]}
		if name := row[0]; strings.HasPrefix(name, "sextant:") && !strings.Contains(name, "@") {
			k.types[name], k.byTag[name] = &Type{Name: name}, name
		}
	}
	for name := range k.types {
		k.chain[name] = k.all(name, traits)
	}
	return k
}

func split(s, sep string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, sep)
}

// tagOf is how a type is written: zeebe:TaskDefinition as zeebe:taskDefinition.
func tagOf(name string) string {
	at := strings.LastIndexByte(name, ':') + 1
	return name[:at] + strings.ToLower(name[at:at+1]) + name[at+1:]
}

func (k *knowledge) all(name string, traits map[string][]string) []string {
	out := append([]string{name}, traits[name]...)
	if t := k.types[name]; t != nil {
		for _, above := range t.Above {
			for _, a := range k.all(above, traits) {
				if !slices.Contains(out, a) {
					out = append(out, a)
				}
			}
		}
	}
	return out
}

// attribute finds the rule of an attribute of a type; name has its prefix where it
// belongs to an extension.
func (k *knowledge) attribute(typ, name string) (Rule, bool) {
	prefix, local, extended := strings.Cut(name, ":")
	if !extended {
		prefix, local = "", name
	}
	for _, t := range k.chain[typ] {
		own := ""
		if p, _, ok := strings.Cut(t, ":"); ok && !strings.Contains(typ, ":") {
			own = p
		}
		if rule, ok := k.rules[t+"@"+local]; ok && own == prefix {
			return rule, true
		}
	}
	return Rule{}, false
}

// child finds the type and the rule of a child element of BPMN.
func (k *knowledge) child(of, tag string) (typ string, rule Rule, ok bool) {
	for _, t := range k.chain[of] {
		if rule, ok := k.rules[t+"/"+tag]; ok {
			return k.types[t].Tags[tag], rule, true
		}
	}
	typ, ok = k.byTag[tag]
	return typ, k.rules[typ], ok
}

// is reports whether a type is another, or one below it.
func (k *knowledge) is(typ, other string) bool { return slices.Contains(k.chain[typ], other) }

// asks reports whether an attribute asks for anything with a value.
func (r Rule) asks(value string) bool {
	for _, u := range r.Unless {
		if part, ok := strings.CutPrefix(u, "~"); ok && strings.Contains(strings.ToLower(value), part) || u == value {
			return false
		}
	}
	return true
}
