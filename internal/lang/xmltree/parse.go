package xmltree

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits bound what is read of one file.
type Limits struct {
	Bytes      int // size of the file
	Depth      int // elements within one another
	Attributes int // attributes of one element
	Nodes      int // elements, texts and comments of the file
}

// Codes are the codes of problems in the words of a language.
type Codes struct {
	TooLarge, Encoding, Doctype, Syntax, Empty, SecondRoot string
	Prefix, DuplicateAttribute, Depth, Attributes, Nodes   string
}

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

// Parse reads a file into its tree. The error is an *Error with one of the codes.
func Parse(data []byte, codes *Codes, limits Limits) (*Document, error) {
	p := &parser{codes: codes, limits: limits, line: 1, column: 1}
	if len(data) > limits.Bytes {
		return nil, p.fail(p.codes.TooLarge, "the file has %d bytes; at most %d are read", len(data), limits.Bytes)
	}
	text, err := toUTF8(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if err != nil {
		return nil, p.fail(p.codes.Encoding, "%s", err)
	}
	p.data, p.doc, p.dec = text, &Document{}, xml.NewDecoder(strings.NewReader(text))
	p.prefixes = map[string][]string{"xml": {"http://www.w3.org/XML/1998/namespace"}}
	p.dec.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil } // decoded already
	if err := p.run(); err != nil {
		return nil, err
	}
	return p.doc, nil
}

// toUTF8 decodes the encodings that tools write: UTF-8, and ISO-8859-1.
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

// open is an element whose end has not come yet, with the prefixes it declares.
type open struct {
	node     *Node
	declared []string
}

type parser struct {
	codes    *Codes
	limits   Limits
	data     string
	dec      *xml.Decoder
	doc      *Document
	stack    []open
	prefixes map[string][]string // what each prefix means, the innermost last
	nodes    int
	from     int64
	line     int
	column   int
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
		return p.add(&Node{Kind: KindComment})
	case xml.ProcInst:
		return p.add(&Node{Kind: KindInstruction})
	case xml.Directive:
		return p.fail(p.codes.Doctype, "a document type declaration (<!%.20s…) is not allowed: remove it", string(t))
	}
	return nil
}

func (p *parser) start(t xml.StartElement) error {
	if len(p.stack) >= p.limits.Depth {
		return p.fail(p.codes.Depth, "elements are nested more than %d levels deep", p.limits.Depth)
	}
	if len(p.stack) == 0 && p.doc.Root != nil {
		return p.fail(p.codes.SecondRoot, "a second root element <%s> follows the first: a file holds one <definitions>", t.Name.Local)
	}
	if len(t.Attr) > p.limits.Attributes {
		return p.fail(p.codes.Attributes, "an element has %d attributes; at most %d are read", len(t.Attr), p.limits.Attributes)
	}
	n := &Node{Kind: KindElement, Prefix: t.Name.Space, Local: t.Name.Local}
	declared := p.declare(t.Attr)
	var ok bool
	if n.Space, ok = p.meaning(n.Prefix); !ok && n.Prefix != "" {
		return p.fail(p.codes.Prefix, "the prefix %q of <%s> is not declared: add xmlns:%s", n.Prefix, qualified(n.Prefix, n.Local), n.Prefix)
	}
	if err := p.attributes(n, t.Attr); err != nil {
		return err
	}
	if err := p.add(n); err != nil {
		return err
	}
	p.stack = append(p.stack, open{n, declared})
	return nil
}

// declare takes the prefixes that an element declares into force.
func (p *parser) declare(attrs []xml.Attr) []string {
	var declared []string
	for _, a := range attrs {
		prefix := ""
		switch {
		case a.Name.Space == xmlnsSpace:
			prefix = a.Name.Local
		case a.Name.Space != "" || a.Name.Local != xmlnsSpace:
			continue
		}
		declared = append(declared, prefix)
		p.prefixes[prefix] = append(p.prefixes[prefix], a.Value)
	}
	return declared
}

// meaning is the namespace of a prefix.
func (p *parser) meaning(prefix string) (string, bool) {
	all := p.prefixes[prefix]
	if len(all) == 0 {
		return "", false
	}
	return all[len(all)-1], true
}

func (p *parser) attributes(n *Node, attrs []xml.Attr) error {
	for _, a := range attrs {
		at := Attr{Prefix: a.Name.Space, Local: a.Name.Local, Value: a.Value}
		switch at.Prefix {
		case "":
		case xmlnsSpace:
			at.Space = xmlnsSpace
		default:
			var ok bool
			if at.Space, ok = p.meaning(at.Prefix); !ok {
				return p.fail(p.codes.Prefix, "the prefix %q of attribute %s is not declared: add xmlns:%s",
					at.Prefix, qualified(at.Prefix, at.Local), at.Prefix)
			}
		}
		if _, twice := n.LookupAttr(at.Space, at.Local); twice {
			return p.fail(p.codes.DuplicateAttribute, "attribute %s stands twice on <%s>",
				qualified(at.Prefix, at.Local), qualified(n.Prefix, n.Local))
		}
		n.Attrs = append(n.Attrs, at)
	}
	return nil
}

func (p *parser) end(t xml.EndElement) error {
	if len(p.stack) == 0 {
		return p.fail(p.codes.Syntax, "</%s> closes nothing", qualified(t.Name.Space, t.Name.Local))
	}
	last := p.stack[len(p.stack)-1]
	n := last.node
	if n.Prefix != t.Name.Space || n.Local != t.Name.Local {
		return p.fail(p.codes.Syntax, "</%s> closes <%s> of line %d", qualified(t.Name.Space, t.Name.Local), qualified(n.Prefix, n.Local), n.Line)
	}
	n.closed = p.data[p.from:p.dec.InputOffset()] // empty for <x/>, whose end the decoder makes up
	p.stack = p.stack[:len(p.stack)-1]
	for _, prefix := range last.declared {
		p.prefixes[prefix] = p.prefixes[prefix][:len(p.prefixes[prefix])-1]
	}
	return nil
}

func (p *parser) text(s string) error {
	if len(p.stack) == 0 && strings.TrimSpace(s) != "" {
		return p.fail(p.codes.Syntax, "text outside the root element: %.20q", strings.TrimSpace(s))
	}
	return p.add(&Node{Kind: KindText, Text: s})
}

func (p *parser) add(n *Node) error {
	if p.nodes++; p.nodes > p.limits.Nodes {
		return p.fail(p.codes.Nodes, "the file holds more than %d elements and texts", p.limits.Nodes)
	}
	n.Line, n.Column = p.line, p.column
	n.raw = p.data[p.from:p.dec.InputOffset()]
	switch {
	case len(p.stack) > 0:
		parent := p.stack[len(p.stack)-1].node
		parent.Children = append(parent.Children, n)
	case n.Kind == KindElement:
		p.doc.Root = n
	case p.doc.Root == nil:
		p.doc.Before = append(p.doc.Before, n)
	default:
		p.doc.After = append(p.doc.After, n)
	}
	return nil
}

func (p *parser) finish() error {
	if len(p.stack) > 0 {
		n := p.stack[len(p.stack)-1].node
		return p.fail(p.codes.Syntax, "the file ends before </%s> of line %d", qualified(n.Prefix, n.Local), n.Line)
	}
	if p.doc.Root == nil {
		return p.fail(p.codes.Empty, "the file holds no element")
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
	return p.fail(p.codes.Syntax, "not well-formed XML: %s", message)
}

func (p *parser) fail(code, format string, args ...any) error {
	id := ""
	for i := len(p.stack) - 1; i >= 0 && id == ""; i-- {
		id = p.stack[i].node.Attr("id")
	}
	return &Error{[]Problem{{Element: id, Line: p.line, Column: p.column, Code: code, Message: fmt.Sprintf(format, args...)}}}
}
