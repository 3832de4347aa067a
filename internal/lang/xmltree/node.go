package xmltree

import "strings"

// Kind is what a node of the tree is.
type Kind int

// The kinds of nodes.
const (
	KindElement Kind = iota
	KindText
	KindComment
	KindInstruction
)

// Attr is an attribute as written. Space is the resolved namespace, empty for
// an attribute without prefix.
type Attr struct {
	Prefix, Space, Local string
	Value                string
}

// Node is a node of the tree. Line and Column are 1-based and point at the
// node's first character.
type Node struct {
	Kind          Kind
	Prefix, Space string
	Local         string
	Attrs         []Attr
	Children      []*Node
	Text          string // decoded text of KindText
	Line, Column  int

	raw     string // the start tag, or the whole of a text, comment or instruction, as read
	closed  string // the end tag as read; empty where the start tag closed itself
	changed bool   // the start tag has to be written anew
}

// Document is a parsed file.
type Document struct {
	// Before and After hold what stands around the root element.
	Before, After []*Node
	Root          *Node
}

// Is reports whether the node is the element of the namespace and local name.
func (n *Node) Is(space, local string) bool {
	return n.Kind == KindElement && n.Space == space && n.Local == local
}

// Tag is the name of an element as written, with its prefix.
func (n *Node) Tag() string { return qualified(n.Prefix, n.Local) }

// Attr gives the value of an attribute without prefix.
func (n *Node) Attr(local string) string {
	v, _ := n.LookupAttr("", local)
	return v
}

// LookupAttr finds an attribute by namespace and name.
func (n *Node) LookupAttr(space, local string) (string, bool) {
	for _, a := range n.Attrs {
		if a.Local == local && a.Space == space {
			return a.Value, true
		}
	}
	return "", false
}

// SetAttr sets an attribute without prefix.
func (n *Node) SetAttr(local, value string) {
	n.changed = true
	for i, a := range n.Attrs {
		if a.Local == local && a.Prefix == "" {
			n.Attrs[i].Value = value
			return
		}
	}
	n.Attrs = append(n.Attrs, Attr{Local: local, Value: value})
}

// Child gives the first child element of the name, or nil.
func (n *Node) Child(space, local string) *Node {
	for _, c := range n.Children {
		if c.Is(space, local) {
			return c
		}
	}
	return nil
}

// Elements gives the child elements.
func (n *Node) Elements() []*Node {
	var all []*Node
	for _, c := range n.Children {
		if c.Kind == KindElement {
			all = append(all, c)
		}
	}
	return all
}

// Content gives the text directly within the element, trimmed.
func (n *Node) Content() string {
	var b strings.Builder
	for _, c := range n.Children {
		if c.Kind == KindText {
			b.WriteString(c.Text)
		}
	}
	return strings.TrimSpace(b.String())
}

// Walk visits the node and all below it, parents first.
func (n *Node) Walk(visit func(*Node)) {
	visit(n)
	for _, c := range n.Children {
		c.Walk(visit)
	}
}

// Write gives the document back as XML.
func (d *Document) Write() []byte {
	var b strings.Builder
	for _, n := range d.Before {
		n.write(&b)
	}
	d.Root.write(&b)
	for _, n := range d.After {
		n.write(&b)
	}
	return []byte(b.String())
}

func (n *Node) write(b *strings.Builder) {
	if n.Kind != KindElement {
		b.WriteString(n.raw)
		return
	}
	selfClosed := n.closed == ""
	switch {
	case !n.changed && (!selfClosed || len(n.Children) == 0):
		b.WriteString(n.raw)
	default:
		n.writeStart(b, selfClosed && len(n.Children) == 0)
	}
	for _, c := range n.Children {
		c.write(b)
	}
	switch {
	case !selfClosed:
		b.WriteString(n.closed)
	case len(n.Children) > 0:
		b.WriteString("</" + qualified(n.Prefix, n.Local) + ">")
	}
}

func (n *Node) writeStart(b *strings.Builder, selfClosed bool) {
	b.WriteString("<" + qualified(n.Prefix, n.Local))
	for _, a := range n.Attrs {
		b.WriteString(" " + qualified(a.Prefix, a.Local) + `="` + attrEscaper.Replace(a.Value) + `"`)
	}
	if selfClosed {
		b.WriteString("/")
	}
	b.WriteString(">")
}

func qualified(prefix, local string) string {
	if prefix == "" {
		return local
	}
	return prefix + ":" + local
}

var attrEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\n", "&#10;", "\r", "&#13;", "\t", "&#9;")
