package syntax

import (
	"slices"
	"strings"

	"sextant/internal/lang/feel/value"
)

var reserved = []string{"and", "or", "then", "else", "in", "return", "satisfies", "between", "of", "instance"}

func (p *parser) primary() (Node, error) {
	pos := p.tok.pos
	switch p.tok.kind {
	case tokenNumber:
		return number(p)
	case tokenString:
		n := &Literal{at(pos), value.String(p.tok.text)}
		return n, p.advance()
	case tokenAt:
		n := &Temporal{at(pos), p.tok.text}
		return n, p.advance()
	case tokenQuoted:
		n := &Name{at(pos), p.tok.text}
		return n, p.advance()
	case tokenName:
		return p.name(pos)
	case tokenOp:
		switch p.tok.text {
		case "(":
			return p.parenthesis(pos)
		case "[":
			return p.bracket(pos)
		case "]":
			return p.interval(pos)
		case "{":
			return p.context(pos)
		case "<", "<=", ">", ">=", "=", "!=":
			return p.comparisonRange(pos)
		}
	}
	return nil, p.fail("want a value, found %s", p.tok.describe())
}

func (p *parser) name(pos int) (Node, error) {
	if name, end := p.knownName(); name != "" {
		return &Name{at(pos), name}, p.next(end)
	}
	switch p.tok.text {
	case "null":
		return &Literal{at(pos), value.Null()}, p.advance()
	case "true", "false":
		n := &Literal{at(pos), value.Bool(p.tok.text == "true")}
		return n, p.advance()
	case "if", "for", "some", "every", "function":
		return p.expression()
	}
	if slices.Contains(reserved, p.tok.text) {
		return nil, p.fail("want a value, found the word %q", p.tok.text)
	}
	n := &Name{at(pos), p.tok.text}
	return n, p.advance()
}

func (p *parser) parenthesis(pos int) (Node, error) {
	if p.rangeAhead() {
		return p.interval(pos)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	return x, p.expect(")", "to close the parenthesis")
}

func (p *parser) bracket(pos int) (Node, error) {
	if p.rangeAhead() {
		return p.interval(pos)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	l := &List{at: at(pos)}
	for !p.tok.is("]") {
		if len(l.Items) > 0 {
			if err := p.expect(",", "between the items of the list"); err != nil {
				return nil, err
			}
		}
		item, err := p.expression()
		if err != nil {
			return nil, err
		}
		l.Items = append(l.Items, item)
	}
	return l, p.advance()
}

// interval reads [a..b], (a..b], ]a..b[ and so on.
func (p *parser) interval(pos int) (Node, error) {
	r := &Range{at: at(pos), LowOpen: !p.tok.is("[")}
	err := p.advance()
	if err != nil {
		return nil, err
	}
	if r.Low, err = p.nested(p.additive); err != nil {
		return nil, err
	}
	if err := p.expect("..", "within the interval"); err != nil {
		return nil, err
	}
	p.bound++
	r.High, err = p.nested(p.additive)
	p.bound--
	if err != nil {
		return nil, err
	}
	if !p.tok.is("]") && !p.tok.is(")") && !p.tok.is("[") {
		return nil, p.fail("want a bracket that closes the interval, found %s", p.tok.describe())
	}
	r.HighOpen = !p.tok.is("]")
	return r, p.advance()
}

// comparisonRange reads (< 5) as the interval that it stands for.
func (p *parser) comparisonRange(pos int) (Node, error) {
	op := p.tok.text
	if err := p.advance(); err != nil {
		return nil, err
	}
	x, err := p.nested(p.additive)
	if err != nil {
		return nil, err
	}
	return &Test{at(pos), op, x}, nil
}

func (p *parser) context(pos int) (Node, error) {
	defer p.scope()()
	if err := p.advance(); err != nil {
		return nil, err
	}
	c := &Context{at: at(pos)}
	seen := map[string]bool{}
	for !p.tok.is("}") {
		if len(c.Entries) > 0 {
			if err := p.expect(",", "between the entries of the context"); err != nil {
				return nil, err
			}
		}
		key, err := p.key()
		if err != nil {
			return nil, err
		}
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		if seen[key] {
			return nil, &Error{x.Pos(), "the context has two entries " + key}
		}
		seen[key] = true
		c.Entries = append(c.Entries, Entry{key, x})
		p.known.learn(key)
	}
	return c, p.advance()
}

// key reads the key of a context entry up to its colon.
func (p *parser) key() (string, error) {
	if p.tok.kind == tokenString || p.tok.kind == tokenQuoted {
		key := p.tok.text
		if err := p.advance(); err != nil {
			return "", err
		}
		return key, p.expect(":", "after the key")
	}
	start, end := p.tok.pos, p.tok.pos
	if p.tok.kind != tokenName {
		return "", p.fail("want the key of an entry, found %s", p.tok.describe())
	}
	for !p.tok.is(":") {
		if p.tok.kind == tokenEnd || p.tok.is(",") || p.tok.is("}") || p.tok.is("{") {
			return "", p.fail("want \":\" after the key, found %s", p.tok.describe())
		}
		end = p.tok.end
		if err := p.advance(); err != nil {
			return "", err
		}
	}
	return strings.Join(strings.Fields(p.src[start:end]), " "), p.advance()
}

func (p *parser) conditional() (Node, error) {
	n := &If{at: at(p.tok.pos)}
	err := p.advance()
	if err != nil {
		return nil, err
	}
	if n.Cond, err = p.expression(); err != nil {
		return nil, err
	}
	if err := p.expect("then", "after the condition"); err != nil {
		return nil, err
	}
	if n.Then, err = p.expression(); err != nil {
		return nil, err
	}
	if err := p.expect("else", "after the then part"); err != nil {
		return nil, err
	}
	n.Else, err = p.expression()
	return n, err
}

func (p *parser) loop() (Node, error) {
	defer p.scope()()
	n := &For{at: at(p.tok.pos)}
	var err error
	if n.Iterators, err = p.iterators(); err != nil {
		return nil, err
	}
	if err := p.expect("return", "after the iterators"); err != nil {
		return nil, err
	}
	n.Body, err = p.expression()
	return n, err
}

func (p *parser) quantified() (Node, error) {
	defer p.scope()()
	n := &Quantified{at: at(p.tok.pos), Every: p.tok.text == "every"}
	var err error
	if n.Iterators, err = p.iterators(); err != nil {
		return nil, err
	}
	if err := p.expect("satisfies", "after the iterators"); err != nil {
		return nil, err
	}
	n.Body, err = p.expression()
	return n, err
}

func (p *parser) iterators() ([]Iterator, error) {
	var all []Iterator
	for first := true; first || p.tok.is(","); first = false {
		if err := p.advance(); err != nil {
			return nil, err
		}
		it, err := p.iterator()
		if err != nil {
			return nil, err
		}
		all = append(all, it)
		p.known.learn(it.Name)
	}
	return all, nil
}

func (p *parser) iterator() (Iterator, error) {
	var it Iterator
	start, end := p.tok.pos, p.tok.pos
	for !p.tok.is("in") || start == end {
		if p.tok.kind != tokenName && p.tok.kind != tokenQuoted || p.tok.is("return") || p.tok.is("satisfies") {
			return it, p.fail("want a name and \"in\", found %s", p.tok.describe())
		}
		end = p.tok.end
		if err := p.advance(); err != nil {
			return it, err
		}
	}
	it.Name = strings.Trim(strings.Join(strings.Fields(p.src[start:end]), " "), "`")
	err := p.advance()
	if err != nil {
		return it, err
	}
	if it.In, err = p.expression(); err != nil {
		return it, err
	}
	if p.tok.is("..") {
		if err := p.advance(); err != nil {
			return it, err
		}
		it.To, err = p.expression()
	}
	return it, err
}

func (p *parser) function() (Node, error) {
	defer p.scope()()
	n := &Function{at: at(p.tok.pos)}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect("(", "after function"); err != nil {
		return nil, err
	}
	for !p.tok.is(")") {
		if len(n.Params) > 0 {
			if err := p.expect(",", "between parameters"); err != nil {
				return nil, err
			}
		}
		name, err := p.parameter()
		if err != nil {
			return nil, err
		}
		n.Params = append(n.Params, name)
		p.known.learn(name)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.is("external") {
		return nil, p.fail("external functions are not executed")
	}
	var err error
	n.Body, err = p.expression()
	return n, err
}

// parameter reads a name and passes its type.
func (p *parser) parameter() (string, error) {
	start, end := p.tok.pos, p.tok.pos
	for p.tok.kind == tokenName || p.tok.kind == tokenQuoted {
		end = p.tok.end
		if err := p.advance(); err != nil {
			return "", err
		}
	}
	if start == end {
		return "", p.fail("want the name of a parameter, found %s", p.tok.describe())
	}
	if p.tok.is(":") {
		if err := p.advance(); err != nil {
			return "", err
		}
		if _, err := p.typeName(); err != nil {
			return "", err
		}
	}
	return strings.Trim(strings.Join(strings.Fields(p.src[start:end]), " "), "`"), nil
}

// cell reads unary tests: "-" or nothing, not(…), or a list of tests.
func (p *parser) cell() (Node, error) {
	n := &Tests{at: at(p.tok.pos)}
	if p.tok.kind == tokenEnd {
		n.Any = true
		return n, nil
	}
	if p.tok.is("-") {
		if rest, err := scan(p.src, p.tok.end); err == nil && rest.kind == tokenEnd {
			n.Any = true
			return n, p.advance()
		}
	}
	if p.tok.is("not") {
		if t, err := scan(p.src, p.tok.end); err == nil && t.is("(") {
			n.Not = true
			if err := p.next(t.end); err != nil {
				return nil, err
			}
		}
	}
	var err error
	if n.Tests, err = p.tests(); err != nil {
		return nil, err
	}
	if n.Not {
		return n, p.expect(")", "after not(")
	}
	return n, nil
}

func (p *parser) tests() ([]Node, error) {
	var all []Node
	for {
		t, err := p.test()
		if err != nil {
			return nil, err
		}
		all = append(all, t)
		more, err := p.take(",")
		if err != nil || !more {
			return all, err
		}
	}
}

func (p *parser) test() (Node, error) { return p.expression() }
