package objectpath

import (
	"encoding/json"
	"strings"
)

// Names that have a meaning of their own.
const (
	// AttrID is the attribute that a path without attribute ends at.
	AttrID = "id"
	// AttrNone is the attribute of a path that maps to nothing.
	AttrNone = "NONE"
	// ObservedSuffix follows an attribute's name to mean the value that was
	// observed instead of the one that is desired.
	ObservedSuffix = "@observed"
)

// Path is one path that was understood.
type Path struct {
	// Nodes are the types along the path, at least one. The first of a
	// relative path has neither package nor type.
	Nodes []Node
	// Attr is the attribute at the end, without "@observed"; empty where the
	// path names none.
	Attr     string
	Observed bool
	// None says that the path ends in ".NONE" and maps to nothing.
	None bool
	// Relative says that the path starts at the type of the bound row.
	Relative bool
}

// Node is a type on a path, and how it is reached from the node before.
type Node struct {
	Link    Link
	Package string
	Type    string
	Filters []Filter
}

// LinkKind is the direction of a link.
type LinkKind int

// The directions of a link. The first node of a path has no link.
const (
	NoLink LinkKind = iota
	// RefTo follows an attribute of the node before, which holds ids of this.
	RefTo
	// RefBy finds the rows of this node whose attribute holds the id of the
	// node before.
	RefBy
)

// Link is how a node is reached.
type Link struct {
	Kind LinkKind
	Attr string
}

// ValueKind is the form of a filter's value.
type ValueKind int

// The forms of a filter's value.
const (
	TextValue ValueKind = iota
	NumberValue
	NullValue
	ListValue
)

// Text is a text of a filter. Label is what people are shown for it, and empty
// where the path gives none.
type Text struct {
	Value string
	Label string
}

// Filter is a condition on an attribute of a node.
type Filter struct {
	Attr string
	// Op is one of eq, neq, like, notLike, gt, lt, in, is, isnot.
	Op   string
	Kind ValueKind
	// Texts holds the one text or number, the texts of a list, or nothing for
	// NULL.
	Texts []Text
}

// Item is a path of a list of paths, with the operation on it, which is empty
// for none.
type Item struct {
	Path      *Path
	Operation string
}

// Condition is the value of the filter as the entity protocol sends it: a
// string, a number in its decimal text, a list of strings, or "NULL".
func (f Filter) Condition() json.RawMessage {
	switch f.Kind {
	case NumberValue:
		return json.RawMessage(f.Texts[0].Value)
	case NullValue:
		return json.RawMessage(`"NULL"`)
	case ListValue:
		texts := make([]string, len(f.Texts))
		for i, t := range f.Texts {
			texts[i] = t.Value
		}
		return encode(texts)
	}
	return encode(f.Texts[0].Value)
}

func encode(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil { // strings always encode
		return json.RawMessage("null")
	}
	return raw
}

// String is the filter in its canonical form.
func (f Filter) String() string {
	var b strings.Builder
	b.WriteString("{" + f.Attr + " " + f.Op + " ")
	switch f.Kind {
	case NullValue:
		b.WriteString("NULL")
	case NumberValue:
		b.WriteString(f.Texts[0].Value)
	case ListValue:
		b.WriteByte('[')
		for i, t := range f.Texts {
			if i > 0 {
				b.WriteByte(',')
			}
			t.write(&b)
		}
		b.WriteByte(']')
	default:
		f.Texts[0].write(&b)
	}
	b.WriteByte('}')
	return b.String()
}

func (t Text) write(b *strings.Builder) {
	s := t.Value
	if t.Label != "" {
		s = "@@" + t.Value + "@@" + t.Label
	}
	b.WriteString("'" + strings.ReplaceAll(s, "'", "''") + "'")
}

// TypeRef is the node's type as package:type, without filters.
func (n Node) TypeRef() string { return n.Package + ":" + n.Type }

// String is the node in its canonical form, with the link before it.
func (n Node) String() string {
	var b strings.Builder
	switch n.Link.Kind {
	case RefTo:
		b.WriteString("." + n.Link.Attr + ">")
	case RefBy:
		b.WriteString("~(" + n.Link.Attr + ")")
	}
	if n.Package != "" || n.Type != "" {
		b.WriteString(n.TypeRef())
	}
	for _, f := range n.Filters {
		b.WriteString(f.String())
	}
	return b.String()
}

// String is the path in its canonical form, which parses to the same path.
func (p *Path) String() string {
	var b strings.Builder
	for _, n := range p.Nodes {
		b.WriteString(n.String())
	}
	switch {
	case p.None:
		b.WriteString("." + AttrNone)
	case p.Attr != "":
		b.WriteString("." + p.Attr)
	}
	if p.Observed {
		b.WriteString(ObservedSuffix)
	}
	return b.String()
}

// Field is the key under which the rows of the last node hold the value: the
// attribute, with "@observed" where the path says so, or "id" where the path
// names none. It is empty for a path that maps to nothing.
func (p *Path) Field() string {
	switch {
	case p.None:
		return ""
	case p.Attr == "":
		return AttrID
	case p.Observed:
		return p.Attr + ObservedSuffix
	}
	return p.Attr
}

// Last is the node that the path ends at.
func (p *Path) Last() Node { return p.Nodes[len(p.Nodes)-1] }

// From is the path starting at a type: a relative path becomes a full one, and
// a full path is returned as it is, whatever it starts at.
func (p *Path) From(pkg, typ string) *Path {
	if !p.Relative {
		return p
	}
	full := *p
	full.Relative = false
	full.Nodes = append([]Node(nil), p.Nodes...)
	full.Nodes[0].Package, full.Nodes[0].Type = pkg, typ
	return &full
}
