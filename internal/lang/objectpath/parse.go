package objectpath

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What a text may hold.
const (
	maxSource  = 16 << 10 // bytes
	maxNodes   = 32       // of a path
	maxFilters = 32       // of a node
	maxTexts   = 1000     // of a list
	maxItems   = 256      // of a list of paths
)

const (
	wordItem      = "#DME#"
	wordOperation = "#DMEOP#"
)

// Parse reads a path that names its first type. The error is an *Error.
func Parse(src string) (*Path, error) { return parseOne(src, false) }

// ParseRelative reads a path that may start at the type of the bound row, with
// "." or "~(". The error is an *Error.
func ParseRelative(src string) (*Path, error) { return parseOne(src, true) }

func parseOne(src string, relative bool) (*Path, error) {
	s := scanner{src: src}
	if err := s.start("write package:type.attribute"); err != nil {
		return nil, err
	}
	p, err := s.path(relative)
	if err != nil {
		return nil, err
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	return p, nil
}

// ParseMulti reads paths joined by #DME#, each with an operation after #DMEOP#
// or without. The error is an *Error.
func ParseMulti(src string) ([]Item, error) {
	s := scanner{src: src}
	if err := s.start("write package:type.attribute"); err != nil {
		return nil, err
	}
	var items []Item
	for {
		p, err := s.path(false)
		if err != nil {
			return nil, err
		}
		item := Item{Path: p}
		if s.accept(wordOperation) {
			at := s.pos
			if item.Operation = s.name(); item.Operation == "" {
				return nil, s.fail(at, CodeOperation, "no operation after "+wordOperation, "write its name or leave both out")
			}
			s.space()
		}
		if items = append(items, item); len(items) > maxItems {
			return nil, s.fail(s.pos, CodeTooMany, fmt.Sprintf("more than %d paths", maxItems), "use fewer")
		}
		if !s.accept(wordItem) {
			break
		}
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	return items, nil
}

// ParseFilters reads a bare list of filters, which may be empty. The error is an
// *Error.
func ParseFilters(src string) ([]Filter, error) {
	if strings.TrimSpace(src) == "" {
		return nil, nil
	}
	s := scanner{src: src}
	if err := s.start(""); err != nil {
		return nil, err
	}
	filters, err := s.filters()
	if err != nil {
		return nil, err
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	return filters, nil
}

// scanner reads a text from left to right.
type scanner struct {
	src string
	pos int
}

func (s *scanner) fail(at int, code Code, message, remedy string) *Error {
	return newError(s.src, at, code, message, remedy)
}

// start checks the text as a whole and moves to its first sign.
func (s *scanner) start(remedy string) error {
	if len(s.src) > maxSource {
		return s.fail(0, CodeTooLong, fmt.Sprintf("the text has %d bytes", len(s.src)), fmt.Sprintf("at most %d are possible", maxSource))
	}
	if !utf8.ValidString(s.src) {
		return s.fail(0, CodeUnexpected, "the text is not UTF-8", "store it as UTF-8")
	}
	if s.space(); s.pos == len(s.src) {
		return s.fail(0, CodeEmpty, "the text is empty", remedy)
	}
	return nil
}

// end checks that nothing is left.
func (s *scanner) end() error {
	s.space()
	switch c := s.peek(); {
	case s.pos == len(s.src):
		return nil
	case c == '}' || c == ']' || c == ')':
		return s.fail(s.pos, CodeUnexpected, fmt.Sprintf("%q closes nothing", c), "remove it")
	case c == '>':
		return s.fail(s.pos, CodeLink, "a link without attribute", "write .attribute>package:type")
	default:
		r, _ := utf8.DecodeRuneInString(s.src[s.pos:])
		return s.fail(s.pos, CodeUnexpected, fmt.Sprintf("%q is not possible here", r),
			"end the path, or go on with .attribute, .attribute>package:type or ~(attribute)package:type")
	}
}

func (s *scanner) space() {
	for s.pos < len(s.src) && strings.IndexByte(" \t\r\n", s.src[s.pos]) >= 0 {
		s.pos++
	}
}

// peek is the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

// accept moves over a word and the space after it, if it is next.
func (s *scanner) accept(word string) bool {
	s.space()
	if !strings.HasPrefix(s.src[s.pos:], word) {
		return false
	}
	s.pos += len(word)
	s.space()
	return true
}

// name reads letters, digits, "_" and "-"; it is empty where none is.
func (s *scanner) name() string {
	from := s.pos
	for s.pos < len(s.src) {
		r, size := utf8.DecodeRuneInString(s.src[s.pos:])
		if r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		s.pos += size
	}
	return s.src[from:s.pos]
}

func (s *scanner) path(relative bool) (*Path, error) {
	s.space()
	p := &Path{}
	if c := s.peek(); relative && (c == '.' || c == '~') {
		p.Relative = true
		p.Nodes = append(p.Nodes, Node{})
	} else if err := s.addNode(p, Link{}); err != nil {
		return nil, err
	}
	for {
		s.space()
		switch s.peek() {
		case '.':
			more, err := s.step(p)
			if err != nil || !more {
				return p, err
			}
		case '~':
			if err := s.refBy(p); err != nil {
				return nil, err
			}
		default:
			return p, nil
		}
	}
}

// step reads "." and an attribute, which ends the path or links to the next
// node; more says which.
func (s *scanner) step(p *Path) (more bool, err error) {
	dot := s.pos
	s.pos++
	s.space()
	at := s.pos
	attr := s.name()
	if attr == "" {
		return false, s.fail(dot, CodeNoAttr, "no attribute after the dot", "write its name or remove the dot")
	}
	observed, err := s.observed(attr)
	if err != nil {
		return false, err
	}
	s.space()
	switch s.peek() {
	case '>':
		if observed {
			return false, s.fail(at, CodeObserved, "an observed value does not link", "follow the attribute without "+ObservedSuffix)
		}
		s.pos++
		return true, s.addNode(p, Link{Kind: RefTo, Attr: attr})
	case ':':
		return false, s.fail(at, CodeLink, fmt.Sprintf("the type after the dot, %q, is not linked", attr),
			"write .attribute>package:type or ~(attribute)package:type")
	case '.':
		return false, s.fail(s.pos, CodeDottedAttr, fmt.Sprintf("the attribute %q goes on with a dot", attr),
			"attributes have no dot: link with .attribute>package:type")
	case '~':
		return false, s.fail(s.pos, CodeLink, "a link stands after an attribute", "write ~(attribute) directly after the type")
	}
	p.Observed = observed
	if p.None = attr == AttrNone; !p.None {
		p.Attr = attr
	} else if observed {
		return false, s.fail(at, CodeObserved, "NONE has no observed value", "remove "+ObservedSuffix)
	}
	return false, nil
}

func (s *scanner) observed(attr string) (bool, error) {
	if s.peek() != '@' {
		return false, nil
	}
	at := s.pos
	s.pos++
	if word := s.name(); "@"+word != ObservedSuffix {
		return false, s.fail(at, CodeObserved, fmt.Sprintf("%q is not possible after an attribute", "@"+word), "only "+attr+ObservedSuffix+" is")
	}
	return true, nil
}

func (s *scanner) refBy(p *Path) error {
	s.pos++
	s.space()
	if s.peek() != '(' {
		return s.fail(s.pos, CodeLink, "no ( after ~", "write ~(attribute)package:type")
	}
	s.pos++
	s.space()
	at := s.pos
	attr := s.name()
	if attr == "" {
		return s.fail(at, CodeNoAttr, "no attribute after ~(", "write ~(attribute)package:type")
	}
	s.space()
	if s.peek() != ')' {
		return s.fail(s.pos, CodeLink, "no ) after the attribute "+attr, "write ~("+attr+")package:type")
	}
	s.pos++
	return s.addNode(p, Link{Kind: RefBy, Attr: attr})
}

func (s *scanner) addNode(p *Path, link Link) error {
	if len(p.Nodes) == maxNodes {
		return s.fail(s.pos, CodeTooMany, fmt.Sprintf("more than %d types", maxNodes), "use a shorter path")
	}
	n, err := s.node(link)
	if err != nil {
		return err
	}
	p.Nodes = append(p.Nodes, n)
	return nil
}

func (s *scanner) node(link Link) (Node, error) {
	s.space()
	at := s.pos
	n := Node{Link: link, Package: s.name()}
	s.space()
	switch {
	case n.Package == "" && s.peek() == ':':
		return n, s.fail(at, CodeNoPackage, "no package before the colon", "write package:type")
	case n.Package == "" && link.Kind != NoLink:
		return n, s.fail(at, CodeNoNode, "no type after the link", "write package:type, or remove the link")
	case n.Package == "":
		return n, s.fail(at, CodeNoNode, "no type", "a path begins with package:type")
	case s.peek() != ':':
		return n, s.fail(at, CodeNoType, fmt.Sprintf("%q is not package:type", n.Package), "write package:type; the name of a setting is no path")
	}
	s.pos++
	s.space()
	typeAt := s.pos
	if n.Type = s.name(); n.Type == "" {
		return n, s.fail(typeAt, CodeNoType, "no type after "+n.Package+":", "write "+n.Package+":type")
	}
	filters, err := s.filters()
	n.Filters = filters
	return n, err
}
