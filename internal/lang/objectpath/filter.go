package objectpath

import (
	"fmt"
	"regexp"
	"strings"
)

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// operator finds the canonical spelling of an operator, whatever its case.
func operator(word string) (op string, ok bool) {
	for _, op := range [...]string{"eq", "neq", "like", "notLike", "gt", "lt", "in", "is", "isnot"} {
		if strings.EqualFold(op, word) {
			return op, true
		}
	}
	return "", false
}

func (s *scanner) filters() ([]Filter, error) {
	var all []Filter
	for {
		s.space()
		if s.peek() != '{' {
			return all, nil
		}
		if len(all) == maxFilters {
			return nil, s.fail(s.pos, CodeTooMany, fmt.Sprintf("more than %d filters on one type", maxFilters), "use fewer")
		}
		f, err := s.filter()
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
}

func (s *scanner) filter() (Filter, error) {
	s.pos++ // {
	s.space()
	var f Filter
	at := s.pos
	if f.Attr = s.name(); f.Attr == "" {
		return f, s.fail(at, CodeFilterAttr, "no attribute after {", "write {attribute eq 'text'}")
	}
	if s.peek() == '@' {
		if _, err := s.observed(f.Attr); err != nil {
			return f, err
		}
		f.Attr += ObservedSuffix
	}
	if s.peek() == '.' {
		return f, s.fail(s.pos, CodeFilterAttr, "a filter looks at one attribute of its own type",
			"link to the other type and put the filter there")
	}
	s.space()
	at = s.pos
	word := s.name()
	op, ok := operator(word)
	if !ok {
		return f, s.fail(at, CodeFilterOp, fmt.Sprintf("%q is not an operator", word), "write eq, neq, like, notLike, gt, lt, in, is or isnot")
	}
	f.Op = op
	s.space()
	if err := s.value(&f); err != nil {
		return f, err
	}
	s.space()
	if s.peek() != '}' {
		return f, s.fail(s.pos, CodeFilterClose, "no } after the value of "+f.Attr, "write {attribute eq 'text'}")
	}
	s.pos++
	return f, nil
}

// value reads the value of a filter and checks that it suits the operator.
func (s *scanner) value(f *Filter) error {
	at := s.pos
	var err error
	switch c := s.peek(); {
	case c == '\'':
		f.Texts = make([]Text, 1)
		f.Texts[0], err = s.text()
		if f.Op == "in" {
			f.Kind = ListValue
		}
	case c == '[':
		f.Kind = ListValue
		f.Texts, err = s.list()
	case c == 0 || c == '}':
		err = s.fail(at, CodeFilterValue, "no value after "+f.Op, "write a text in quotes, a number, a list or NULL")
	default:
		err = s.bare(f)
	}
	if err != nil {
		return err
	}
	wantNull, wantList := f.Op == "is" || f.Op == "isnot", f.Op == "in"
	switch {
	case wantNull && f.Kind != NullValue:
		return s.fail(at, CodeFilterValue, f.Op+" compares with NULL alone", "write "+f.Op+" NULL, or use eq or neq")
	case !wantNull && f.Kind == NullValue:
		return s.fail(at, CodeFilterValue, f.Op+" does not compare with NULL", "write is NULL or isnot NULL")
	case wantList && f.Kind != ListValue:
		return s.fail(at, CodeFilterValue, "in looks into a list of texts", "write in ['a','b']")
	case !wantList && f.Kind == ListValue:
		return s.fail(at, CodeFilterValue, f.Op+" does not compare with a list", "write in ['a','b']")
	}
	return nil
}

// bare reads a value without quotes: a number or NULL.
func (s *scanner) bare(f *Filter) error {
	at := s.pos
	for s.pos < len(s.src) && strings.IndexByte(" \t\r\n{}[],'", s.src[s.pos]) < 0 {
		s.pos++
	}
	word := s.src[at:s.pos]
	switch {
	case strings.EqualFold(word, "NULL"):
		f.Kind = NullValue
	case jsonNumber.MatchString(word):
		f.Kind, f.Texts = NumberValue, []Text{{Value: word}}
	default:
		return s.fail(at, CodeFilterValue, fmt.Sprintf("%q is neither a number nor NULL", word), "put a text in single quotes")
	}
	return nil
}

func (s *scanner) list() ([]Text, error) {
	from := s.pos
	s.pos++ // [
	texts := []Text{}
	for {
		s.space()
		switch c := s.peek(); {
		case c == ']' && len(texts) == 0:
			s.pos++
			return texts, nil
		case c != '\'':
			return nil, s.fail(s.pos, CodeFilterList, "no quoted text in the list", "write ['a','b']")
		case len(texts) == maxTexts:
			return nil, s.fail(s.pos, CodeTooMany, fmt.Sprintf("more than %d texts in a list", maxTexts), "use fewer")
		}
		t, err := s.text()
		if err != nil {
			return nil, err
		}
		texts = append(texts, t)
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return texts, nil
		default:
			return nil, s.fail(from, CodeFilterList, "the list is not closed", "write ['a','b']")
		}
	}
}

// text reads a quoted text; a quote in it is written twice.
func (s *scanner) text() (Text, error) {
	from := s.pos
	s.pos++ // '
	var b strings.Builder
	for {
		end := strings.IndexByte(s.src[s.pos:], '\'')
		if end < 0 {
			return Text{}, s.fail(from, CodeFilterQuote, "the quote is not closed", "end the text with a single quote")
		}
		b.WriteString(s.src[s.pos : s.pos+end])
		s.pos += end + 1
		if s.peek() != '\'' {
			return unwrap(b.String()), nil
		}
		b.WriteByte('\'')
		s.pos++
	}
}

// unwrap takes the id out of "@@id@@label".
func unwrap(s string) Text {
	rest, ok := strings.CutPrefix(s, "@@")
	if !ok {
		return Text{Value: s}
	}
	id, label, ok := strings.Cut(rest, "@@")
	if !ok || id == "" {
		return Text{Value: s}
	}
	return Text{Value: id, Label: label}
}
