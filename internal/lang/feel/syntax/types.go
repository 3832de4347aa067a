package syntax

import (
	"slices"

	"sextant/internal/lang/feel/value"
)

// spacedTypes are the types of FEEL whose names hold spaces.
var spacedTypes = NewNames([]string{"date and time", "days and time duration", "years and months duration"})

// ParseType reads a type as it stands behind "instance of", or as a typeRef of
// a model names it.
func ParseType(src string, names ...*Names) (*Type, error) {
	p, err := newParser(src, names)
	if err != nil {
		return nil, err
	}
	t, err := p.typ()
	if err != nil {
		return nil, err
	}
	return t, p.end()
}

// typ reads a type.
func (p *parser) typ() (*Type, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxNesting {
		return nil, p.fail("the type is nested more than %d deep", maxNesting)
	}
	pos := p.tok.pos
	t := &Type{}
	var err error
	if t.Name, err = p.typeName(); err != nil {
		return nil, err
	}
	if p.tok.is("<") && slices.Contains([]string{"list", "range", "context", "function"}, t.Name) {
		if err := p.typeArguments(t); err != nil {
			return nil, err
		}
	}
	if t.Name == "function" && p.tok.is("->") {
		if err := p.advance(); err != nil {
			return nil, err
		}
		if t.Result, err = p.typ(); err != nil {
			return nil, err
		}
	}
	t.at = p.since(pos)
	return t, nil
}

// typeName reads the name of a type, which may be qualified with dots.
func (p *parser) typeName() (string, error) {
	name := ""
	for {
		if p.tok.kind != tokenName && p.tok.kind != tokenQuoted {
			return "", p.fail("want a type, found %s", p.tok.describe())
		}
		part, end := p.tok.text, p.tok.end
		for _, names := range append([]*Names{spacedTypes}, p.known.fixed...) {
			k := known{fixed: []*Names{names}}
			if long, e := k.find(p.src, p.tok.pos, p.tok.text, false); e > end {
				part, end = long, e
			}
		}
		name += part
		if err := p.next(end); err != nil {
			return "", err
		}
		if !p.tok.is(".") {
			return name, nil
		}
		name += "."
		if err := p.advance(); err != nil {
			return "", err
		}
	}
}

func (p *parser) typeArguments(t *Type) error {
	if err := p.advance(); err != nil {
		return err
	}
	for !p.tok.is(">") {
		if len(t.Args) > 0 {
			if err := p.expect(",", "between the types"); err != nil {
				return err
			}
		}
		if t.Name == "context" {
			field, err := p.words()
			if err != nil {
				return err
			}
			t.Fields = append(t.Fields, field)
			if err := p.expect(":", "after the name of the entry"); err != nil {
				return err
			}
		}
		arg, err := p.typ()
		if err != nil {
			return err
		}
		t.Args = append(t.Args, arg)
	}
	return p.advance()
}

// words reads a name of one word or more.
func (p *parser) words() (Ident, error) {
	start, end := p.tok.pos, p.tok.pos
	for p.tok.kind == tokenName || p.tok.kind == tokenQuoted {
		end = p.tok.end
		if err := p.advance(); err != nil {
			return Ident{}, err
		}
	}
	if start == end {
		return Ident{}, p.fail("want a name, found %s", p.tok.describe())
	}
	return p.ident(start, end), nil
}

// declared reads a name where it is declared, which may hold the signs that names
// may hold, up to one of the words.
func (p *parser) declared(until ...string) (Ident, error) {
	if p.tok.kind != tokenName && p.tok.kind != tokenQuoted {
		return Ident{}, p.fail("want a name, found %s", p.tok.describe())
	}
	start, end := p.tok.pos, p.tok.pos
	for p.tok.kind == tokenName || p.tok.kind == tokenQuoted || end > start &&
		(p.tok.kind == tokenNumber || slices.ContainsFunc(nameSigns, p.tok.is)) {
		if end > start && slices.ContainsFunc(until, p.tok.is) {
			break
		}
		end = p.tok.end
		if err := p.advance(); err != nil {
			return Ident{}, err
		}
	}
	return p.ident(start, end), nil
}

// nameSigns are the operators that names may hold (DMN 1.5, 10.3.1.2, rule 30).
var nameSigns = []string{".", "/", "-", "'", "+", "*", "**"}

func number(p *parser) (Node, error) {
	v, ok := value.ParseNumber(p.tok.text)
	if !ok {
		return nil, p.fail("the number %s has no place in 34 digits and an exponent up to 6144", p.tok.text)
	}
	pos := p.tok.pos
	err := p.advance()
	return &Literal{p.since(pos), v}, err
}
