package bpmn

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits of a file.
const (
	MaxBytes      = 16 << 20
	MaxDepth      = 64
	MaxAttributes = 256
)

// Problem is one thing wrong with a file. Element is the id of the nearest
// element that has one; Line and Column are 1-based.
type Problem struct {
	Element string
	Line    int
	Column  int
	Code    string
	Message string
}

// String is the problem for people: "line 12, element task1: …".
func (p Problem) String() string {
	s := fmt.Sprintf("line %d", p.Line)
	if p.Element != "" {
		s += ", element " + p.Element
	}
	return s + ": " + p.Message
}

// Error is a file that cannot be used, with everything that is wrong with it.
type Error struct{ Problems []Problem }

// Error lists the problems, one a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

const xmlnsSpace = "xmlns"

// Parse reads a file into its tree.
func Parse(data []byte) (*Document, error) {
	if len(data) > MaxBytes {
		return nil, &Error{[]Problem{{Line: 1, Column: 1, Code: "bpmn.too_large", Message: fmt.Sprintf("the file has %d bytes; at most %d are read", len(data), MaxBytes)}}}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	text, err := toUTF8(data)
	if err != nil {
		return nil, &Error{[]Problem{{Line: 1, Column: 1, Code: "bpmn.encoding", Message: err.Error()}}}
	}
	p := &parser{data: text, doc: &Document{}, dec: xml.NewDecoder(strings.NewReader(text)), scopes: []scope{{"xml": "http://www.w3.org/XML/1998/namespace"}}}
	p.dec.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil } // decoded already
	if err := p.run(); err != nil {
		return nil, err
	}
	return p.doc, nil
}

// toUTF8 decodes the encodings that BPMN tools write: UTF-8, and ISO-8859-1.
func toUTF8(data []byte) (string, error) {
	head := strings.ToLower(string(data[:min(len(data), 100)]))
	if strings.HasPrefix(head, "<?xml") && (strings.Contains(head, "iso-8859-1") || strings.Contains(head, "windows-1252")) {
		var b strings.Builder
		for _, c := range data {
			b.WriteRune(rune(c))
		}
		return b.String(), nil
	}
	if !utf8.Valid(data) {
		return "", errors.New("the file is neither UTF-8 nor ISO-8859-1: save it as UTF-8")
	}
	return string(data), nil
}

type scope map[string]string

type parser struct {
	data   string
	dec    *xml.Decoder
	doc    *Document
	stack  []*Node
	scopes []scope
	from   int64
	line   int
	column int
}

func (p *parser) run() error {
	for {
		p.from = p.dec.InputOffset()
		p.line, p.column = p.dec.InputPos()
		tok, err := p.dec.RawToken()
		if errors.Is(err, io.EOF) {
			return p.finish()
		}
		if err != nil {
			return p.syntax(err)
		}
		if err := p.token(tok); err != nil {
			return err
		}
	}
}

func (p *parser) token(tok xml.Token) error {
	switch t := tok.(type) {
	case xml.StartElement:
		return p.start(t)
	case xml.EndElement:
		return p.end(t)
	case xml.CharData:
		return p.text(string(t))
	case xml.Comment:
		p.add(&Node{Kind: KindComment})
	case xml.ProcInst:
		p.add(&Node{Kind: KindInstruction})
	case xml.Directive:
		return p.fail("bpmn.doctype", "a document type declaration (<!%.20s…) is not allowed: remove it", string(t))
	}
	return nil
}

func (p *parser) start(t xml.StartElement) error {
	if len(p.stack) >= MaxDepth {
		return p.fail("bpmn.depth", "elements are nested more than %d levels deep", MaxDepth)
	}
	if len(p.stack) == 0 && p.doc.Root != nil {
		return p.fail("bpmn.second_root", "a second root element <%s> follows the first: a file holds one <definitions>", t.Name.Local)
	}
	if len(t.Attr) > MaxAttributes {
		return p.fail("bpmn.attributes", "an element has %d attributes; at most %d are read", len(t.Attr), MaxAttributes)
	}
	sc := p.scope(t.Attr)
	n := &Node{Kind: KindElement, Prefix: t.Name.Space, Local: t.Name.Local}
	var ok bool
	if n.Space, ok = sc[n.Prefix]; !ok && n.Prefix != "" {
		return p.fail("bpmn.prefix", "the prefix %q of <%s> is not declared: add xmlns:%s", n.Prefix, qualified(n.Prefix, n.Local), n.Prefix)
	}
	if err := p.attributes(n, t.Attr, sc); err != nil {
		return err
	}
	p.add(n)
	p.stack = append(p.stack, n)
	p.scopes = append(p.scopes, sc)
	return nil
}

// scope gives the prefixes in force within an element.
func (p *parser) scope(attrs []xml.Attr) scope {
	outer := p.scopes[len(p.scopes)-1]
	sc := outer
	for _, a := range attrs {
		prefix, declares := "", a.Name.Space == "" && a.Name.Local == xmlnsSpace
		if a.Name.Space == xmlnsSpace {
			prefix, declares = a.Name.Local, true
		}
		if !declares {
			continue
		}
		if len(sc) == len(outer) { // copy on the first declaration
			sc = scope{}
			for k, v := range outer {
				sc[k] = v
			}
		}
		sc[prefix] = a.Value
	}
	return sc
}

func (p *parser) attributes(n *Node, attrs []xml.Attr, sc scope) error {
	seen := map[[2]string]bool{}
	for _, a := range attrs {
		at := Attr{Prefix: a.Name.Space, Local: a.Name.Local, Value: a.Value}
		switch at.Prefix {
		case "":
		case xmlnsSpace:
			at.Space = xmlnsSpace
		default:
			var ok bool
			if at.Space, ok = sc[at.Prefix]; !ok {
				return p.fail("bpmn.prefix", "the prefix %q of attribute %s is not declared: add xmlns:%s", at.Prefix, qualified(at.Prefix, at.Local), at.Prefix)
			}
		}
		key := [2]string{at.Space, at.Local}
		if seen[key] {
			return p.fail("bpmn.duplicate_attribute", "attribute %s stands twice on <%s>", qualified(at.Prefix, at.Local), qualified(n.Prefix, n.Local))
		}
		seen[key] = true
		n.Attrs = append(n.Attrs, at)
	}
	return nil
}

func (p *parser) end(t xml.EndElement) error {
	if len(p.stack) == 0 {
		return p.fail("bpmn.syntax", "</%s> closes nothing", qualified(t.Name.Space, t.Name.Local))
	}
	n := p.stack[len(p.stack)-1]
	if n.Prefix != t.Name.Space || n.Local != t.Name.Local {
		return p.fail("bpmn.syntax", "</%s> closes <%s> of line %d", qualified(t.Name.Space, t.Name.Local), qualified(n.Prefix, n.Local), n.Line)
	}
	n.closed = p.data[p.from:p.dec.InputOffset()] // empty for <x/>, whose end the decoder makes up
	p.stack = p.stack[:len(p.stack)-1]
	p.scopes = p.scopes[:len(p.scopes)-1]
	return nil
}

func (p *parser) text(s string) error {
	if len(p.stack) == 0 && strings.TrimSpace(s) != "" {
		return p.fail("bpmn.syntax", "text outside the root element: %.20q", strings.TrimSpace(s))
	}
	p.add(&Node{Kind: KindText, Text: s})
	return nil
}

func (p *parser) add(n *Node) {
	n.Line, n.Column = p.line, p.column
	n.raw = p.data[p.from:p.dec.InputOffset()]
	switch {
	case len(p.stack) > 0:
		parent := p.stack[len(p.stack)-1]
		parent.Children = append(parent.Children, n)
	case n.Kind == KindElement:
		p.doc.Root = n
	case p.doc.Root == nil:
		p.doc.Before = append(p.doc.Before, n)
	default:
		p.doc.After = append(p.doc.After, n)
	}
}

func (p *parser) finish() error {
	if len(p.stack) > 0 {
		n := p.stack[len(p.stack)-1]
		return p.fail("bpmn.syntax", "the file ends before </%s> of line %d", qualified(n.Prefix, n.Local), n.Line)
	}
	if p.doc.Root == nil {
		return p.fail("bpmn.empty", "the file holds no element")
	}
	return nil
}

func (p *parser) syntax(err error) error {
	var se *xml.SyntaxError
	message := err.Error()
	if errors.As(err, &se) {
		message = se.Msg
	}
	p.line, p.column = p.dec.InputPos()
	return p.fail("bpmn.syntax", "not well-formed XML: %s", message)
}

func (p *parser) fail(code, format string, args ...any) error {
	id := ""
	for i := len(p.stack) - 1; i >= 0 && id == ""; i-- {
		id = p.stack[i].Attr("id")
	}
	return &Error{[]Problem{{Element: id, Line: p.line, Column: p.column, Code: code, Message: fmt.Sprintf(format, args...)}}}
}
