package objectdoc

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"sextant/sdk/go/wire"
)

// The types in which a CMDB keeps definitions.
const (
	TypeType      = "object_type"
	TypeAttribute = "object_attribute"
)

const (
	maxSource   = 8 << 20 // bytes of a document
	maxDepth    = 16
	maxProblems = 50
)

// Problem is one thing that is wrong with a document. Line and Column count from
// 1. Object is the object at fault as type/id, or the type or attribute that is
// defined there.
type Problem struct {
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	Object    string `json:"object,omitempty"`
	Attribute string `json:"attribute,omitempty"`
	Message   string `json:"message"`
}

// String is the problem in one line.
func (p Problem) String() string {
	out := fmt.Sprintf("line %d, column %d: ", p.Line, p.Column)
	if p.Object != "" {
		out += p.Object + ": "
	}
	if p.Attribute != "" {
		out += p.Attribute + ": "
	}
	return out + p.Message
}

// Error tells what is wrong with a document, in the order of its text, at
// most 50 problems.
type Error struct{ Problems []Problem }

// Error lists the problems.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Place is where something stands in a text; lines and columns count from 1.
type Place struct{ Line, Column int }

// Definition is an object type as a document defines it, ready to be stored: the
// row of object_type and those of object_attribute.
type Definition struct {
	Type       string
	Row        Entry
	Attributes []Entry
}

// Entry is a row with the places of its values.
type Entry struct {
	Type string // of the object, without the plugin
	ID   string
	Row  wire.Row
	At   Place
	// Values tells where the value of each attribute stands.
	Values map[string]Place
}

// place finds an attribute, or else the row.
func (e Entry) place(attr string) Place {
	if at, ok := e.Values[attr]; ok {
		return at
	}
	return e.At
}

// Document is what a text asks for.
type Document struct {
	Types   []Definition
	Objects []Entry
}

// Parse reads a document of types and objects:
//
//	types:
//	  - type: host
//	    title: {en: Host, zh: 主机}
//	    attributes:
//	      - {name: address, type: string, required: true}
//	objects:
//	  host:
//	    - {id: web-1, address: 10.0.0.1}
//
// The error is an *Error. Whether types and values are possible is found
// out when they are stored.
func Parse(data []byte) (Document, error) {
	var out Document
	r := &reader{}
	root := r.load(data)
	if root != nil {
		r.mapping(root, "", map[string]func(*yaml.Node){
			"types":   func(n *yaml.Node) { out.Types = r.definitions(n) },
			"objects": func(n *yaml.Node) { out.Objects = r.objects(n) },
		})
	}
	return out, r.err()
}

// ParseTypes reads a list of definitions, or a document that has one under types.
func ParseTypes(data []byte) ([]Definition, error) {
	var out []Definition
	r := &reader{}
	if root := r.load(data); root != nil && root.Kind == yaml.SequenceNode {
		out = r.definitions(root)
	} else if root != nil {
		r.mapping(root, "", map[string]func(*yaml.Node){"types": func(n *yaml.Node) { out = r.definitions(n) }})
	}
	return out, r.err()
}

// reader turns nodes into rows and notes what is wrong.
type reader struct{ problems []Problem }

func (r *reader) add(n *yaml.Node, object, message string) {
	r.problems = append(r.problems, Problem{Line: n.Line, Column: n.Column, Object: object, Message: message})
}

func (r *reader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return ordered(r.problems)
}

// ordered makes an error of problems, in the order of the text.
func ordered(all []Problem) *Error {
	slices.SortStableFunc(all, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	if more := len(all) - maxProblems; more > 0 {
		all = all[:maxProblems]
		all[maxProblems-1].Message += fmt.Sprintf(" (%d more problems follow: mend these first)", more)
	}
	return &Error{all}
}

// load reads the text as YAML.
func (r *reader) load(data []byte) *yaml.Node {
	top := &yaml.Node{Line: 1, Column: 1}
	if len(data) > maxSource {
		r.add(top, "", fmt.Sprintf("the document has %d bytes: at most %d are possible; divide it", len(data), maxSource))
		return nil
	}
	var documents []yaml.Node
	if err := yaml.Load(data, &documents, yaml.WithAllDocuments(),
		yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth)))); err != nil {
		message := err.Error()
		var at *yaml.LoadError
		if errors.As(err, &at) {
			message = at.Message
			if at.Mark.Line > 0 {
				top.Line, top.Column = at.Mark.Line, max(1, at.Mark.Column)
			}
		}
		r.add(top, "", "this is no YAML: "+message)
		return nil
	}
	if len(documents) > 1 {
		top.Line, top.Column = max(1, documents[1].Line), max(1, documents[1].Column)
		r.add(top, "", "another document begins: put both together")
		return nil
	}
	node := &yaml.Node{}
	if len(documents) == 1 {
		node = &documents[0]
	}
	if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		node = node.Content[0]
	}
	if node.Kind == 0 || null(node) {
		r.add(top, "", "the document is empty")
		return nil
	}
	if alias := aliased(node); alias != nil {
		r.add(alias, "", "anchors and aliases are not possible: write the value where it is needed")
		return nil
	}
	return node
}

func aliased(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return n
	}
	for _, c := range n.Content {
		if a := aliased(c); a != nil {
			return a
		}
	}
	return nil
}

func null(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// pairs walks a mapping whose keys are all different.
func (r *reader) pairs(n *yaml.Node, object string, use func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.add(n, object, "a mapping is wanted")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch {
		case k.Kind != yaml.ScalarNode:
			r.add(k, object, "a key is a word")
		case seen[k.Value]:
			r.add(k, object, fmt.Sprintf("the key %s is there twice: remove one", k.Value))
		default:
			seen[k.Value] = true
			use(k, n.Content[i+1])
		}
	}
}

// mapping walks a mapping whose keys are known. What is null is handed on too: it
// takes away what a definition had.
func (r *reader) mapping(n *yaml.Node, object string, known map[string]func(*yaml.Node)) {
	r.pairs(n, object, func(k, v *yaml.Node) {
		use, ok := known[k.Value]
		if !ok {
			r.add(k, object, fmt.Sprintf("the key %s is not known here: possible are %s", k.Value, strings.Join(sortedKeys(known), ", ")))
			return
		}
		use(v)
	})
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// each walks a list; null is an empty one.
func (r *reader) each(n *yaml.Node, object string, use func(*yaml.Node)) {
	if null(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		r.add(n, object, "a list is wanted")
		return
	}
	for _, item := range n.Content {
		use(item)
	}
}

func (r *reader) scalar(n *yaml.Node, object string) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		r.add(n, object, "one value is wanted")
		return "", false
	}
	if n.ShortTag() == "!!bool" {
		return strings.ToLower(n.Value), true
	}
	return n.Value, true
}

func at(n *yaml.Node) Place { return Place{n.Line, n.Column} }

// into reads a value into an attribute of a row.
func (r *reader) into(e *Entry, attr string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		e.Values[attr] = at(n)
		if null(n) {
			e.Row[attr] = json.RawMessage("null")
			return
		}
		if s, ok := r.scalar(n, e.ID); ok {
			e.Row[attr] = wire.Raw(s)
		}
	}
}

// text reads a text, or one by language.
func (r *reader) text(e *Entry, en, zh string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if null(n) {
			r.into(e, zh)(n)
		}
		if n.Kind == yaml.ScalarNode {
			r.into(e, en)(n)
			return
		}
		r.mapping(n, e.ID, map[string]func(*yaml.Node){"en": r.into(e, en), "zh": r.into(e, zh)})
	}
}

// nameOf is the value of a key, before the rest of a mapping is read.
func nameOf(n *yaml.Node, key string) string {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key && n.Content[i+1].Kind == yaml.ScalarNode {
				return n.Content[i+1].Value
			}
		}
	}
	return ""
}

// named is a row of a definition that says its id and nothing else yet: what a
// definition leaves out stays as it is.
func named(n *yaml.Node, typ, id string) Entry {
	return Entry{Type: typ, ID: id, Row: wire.Row{wire.AttrID: wire.Raw(id)}, At: at(n), Values: map[string]Place{}}
}

func (r *reader) definitions(n *yaml.Node) []Definition {
	var out []Definition
	seen := map[string]bool{}
	r.each(n, "", func(item *yaml.Node) {
		typ := nameOf(item, "type")
		switch {
		case typ == "":
			r.add(item, "", "the type has no name: write it as type")
		case seen[typ]:
			r.add(item, typ, "the type is there twice: put both together")
		default:
			seen[typ] = true
			out = append(out, r.definition(item, typ))
		}
	})
	return out
}

func (r *reader) definition(n *yaml.Node, typ string) Definition {
	d := Definition{Type: typ, Row: named(n, TypeType, typ)}
	r.mapping(n, typ, map[string]func(*yaml.Node){
		"type":        func(v *yaml.Node) { d.Row.Values[wire.AttrID] = at(v) },
		"title":       r.text(&d.Row, "title_en", "title_zh"),
		"description": r.text(&d.Row, "description", "description_zh"),
		"display":     r.into(&d.Row, "display"),
		"paging":      r.into(&d.Row, "paging"),
		"scope": func(v *yaml.Node) {
			if null(v) {
				r.into(&d.Row, "scope_project")(v)
				r.into(&d.Row, "scope_environment")(v)
				return
			}
			r.mapping(v, typ, map[string]func(*yaml.Node){
				"project": r.into(&d.Row, "scope_project"), "environment": r.into(&d.Row, "scope_environment")})
		},
		"attributes": func(v *yaml.Node) {
			r.each(v, typ, func(item *yaml.Node) {
				attr := nameOf(item, "name")
				id := typ + "." + attr
				switch {
				case attr == "":
					r.add(item, typ, "the attribute has no name")
				case slices.ContainsFunc(d.Attributes, func(e Entry) bool { return e.ID == id }):
					r.add(item, id, "the attribute is there twice: remove one")
				default:
					d.Attributes = append(d.Attributes, r.attribute(item, typ, attr))
				}
			})
		},
	})
	return d
}

func (r *reader) attribute(n *yaml.Node, typ, attr string) Entry {
	e := named(n, TypeAttribute, typ+"."+attr)
	e.Row["object_type"], e.Row["name"] = wire.Raw(typ), wire.Raw(attr)
	known := map[string]func(*yaml.Node){
		"name":  func(v *yaml.Node) { e.Values["name"] = at(v) },
		"title": r.text(&e, "title", "title_zh"),
		"values": func(v *yaml.Node) {
			if null(v) {
				r.into(&e, "values")(v)
				return
			}
			e.Values["values"] = at(v)
			values := []string{}
			r.each(v, e.ID, func(item *yaml.Node) {
				// A value such as off is meant as it is written.
				if item.Kind != yaml.ScalarNode {
					r.add(item, e.ID, "one value is wanted")
				}
				values = append(values, item.Value)
			})
			e.Row["values"] = wire.Raw(string(wire.Raw(values)))
		},
	}
	for _, key := range []string{"type", "required", "unique", "to", "observed", "secret", "default", "position"} {
		known[key] = r.into(&e, key)
	}
	r.mapping(n, e.ID, known)
	return e
}

// objects reads the rows of all types.
func (r *reader) objects(n *yaml.Node) []Entry {
	var out []Entry
	if null(n) {
		return out
	}
	seen := map[[2]string]Place{}
	r.pairs(n, "", func(k, v *yaml.Node) {
		typ := k.Value
		if _, own, ok := strings.Cut(typ, ":"); ok {
			typ = own
		}
		if typ == TypeType || typ == TypeAttribute {
			r.add(k, typ, "objects of this type are not imported: define types under types")
			return
		}
		if null(v) {
			return
		}
		r.each(v, typ, func(item *yaml.Node) {
			e, ok := r.object(item, typ)
			if !ok {
				return
			}
			if first, twice := seen[[2]string{typ, e.ID}]; twice {
				r.add(item, typ+"/"+e.ID, "the object stands on line "+strconv.Itoa(first.Line)+" already: put both together")
				return
			}
			seen[[2]string{typ, e.ID}] = e.At
			out = append(out, e)
		})
	})
	return out
}

func (r *reader) object(n *yaml.Node, typ string) (Entry, bool) {
	id := nameOf(n, wire.AttrID)
	if id == "" {
		r.add(n, typ, "the object has no id: give it one, so that importing again finds it")
		return Entry{}, false
	}
	e := Entry{Type: typ, ID: id, Row: wire.Row{}, At: at(n), Values: map[string]Place{}}
	before := len(r.problems)
	r.pairs(n, typ+"/"+id, func(k, v *yaml.Node) {
		e.Values[k.Value] = at(v)
		if raw, ok := r.value(v, typ+"/"+id, k.Value); ok {
			e.Row[k.Value] = raw
		}
	})
	return e, len(r.problems) == before
}

// value keeps the text of a scalar, so that no number loses a digit; the type of
// the attribute says how it is read.
func (r *reader) value(n *yaml.Node, object, attr string) (json.RawMessage, bool) {
	switch {
	case null(n):
		return json.RawMessage("null"), true
	case n.Kind == yaml.ScalarNode:
		s, ok := r.scalar(n, object)
		return wire.Raw(s), ok
	case n.Kind == yaml.SequenceNode:
		ids := []string{}
		for _, item := range n.Content {
			id := item.Value
			if item.Kind == yaml.MappingNode {
				id = nameOf(item, wire.AttrID)
			}
			if id == "" || item.Kind == yaml.SequenceNode {
				r.problems = append(r.problems, Problem{item.Line, item.Column, object, attr, "a list holds ids of objects"})
				return nil, false
			}
			ids = append(ids, id)
		}
		return wire.Raw(ids), true
	case nameOf(n, wire.AttrID) != "":
		return wire.Raw(nameOf(n, wire.AttrID)), true
	}
	r.problems = append(r.problems, Problem{n.Line, n.Column, object, attr, "a value, a list of ids or null is wanted"})
	return nil, false
}
