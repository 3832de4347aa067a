package syntax

import (
	"slices"
	"strings"
	"unicode/utf8"

	"sextant/internal/lang/feel/value"
)

var reserved = []string{"and", "or", "then", "else", "in", "return", "satisfies", "between", "of", "instance"}

func (p *parser) primary() (Node, error) {
	pos := p.tok.pos
	switch p.tok.kind {
	case tokenNumber:
		return number(p)
	case tokenString:
		return p.literal(value.String(p.tok.text))
	case tokenAt:
		text := p.tok.text
		err := p.advance()
		return &Temporal{p.since(pos), text}, err
	case tokenQuoted:
		return p.reference(p.tok.text, p.tok.end)
	case tokenName:
		return p.name()
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

// literal reads the token as a constant.
func (p *parser) literal(v value.Value) (Node, error) {
	pos := p.tok.pos
	err := p.advance()
	return &Literal{p.since(pos), v}, err
}

// reference reads the name that ends at an offset.
func (p *parser) reference(name string, end int) (Node, error) {
	pos := p.tok.pos
	err := p.next(end)
	return &Name{p.since(pos), name}, err
}

func (p *parser) name() (Node, error) {
	if name, end := p.knownName(p.items > 0); name != "" {
		return p.reference(name, end)
	}
	switch p.tok.text {
	case "null":
		return p.literal(value.Null())
	case "true", "false":
		return p.literal(value.Bool(p.tok.text == "true"))
	case "if", "for", "some", "every", "function":
		return p.expression()
	}
	if (p.tok.is("and") || p.tok.is("or")) && p.opens(p.tok.end) { // the functions of these names
		return p.reference(p.tok.text, p.tok.end)
	}
	if slices.Contains(reserved, p.tok.text) {
		return nil, p.fail("want a value, found the word %q", p.tok.text)
	}
	if end := p.called(); end > 0 {
		return p.reference(p.ident(p.tok.pos, end).Name, end)
	}
	return p.reference(p.tok.text, p.tok.end)
}

// opens reports whether a parenthesis opens at an offset.
func (p *parser) opens(pos int) bool {
	t, err := scan(p.src, pos)
	return err == nil && t.is("(")
}

// followed tells cheaply whether a word may follow the current token.
func (p *parser) followed() bool {
	for i := p.tok.end; i < len(p.src); i++ {
		if c := p.src[i]; c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c >= utf8.RuneSelf || c == '_' || c == '/' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' // or a comment
		}
	}
	return false
}

// called finds the end of a name of several words that nobody knows and that is
// called, so that it can be named as such; 0 if there is none.
func (p *parser) called() int {
	if !p.followed() {
		return 0
	}
	for end, words := p.tok.end, 1; ; words++ {
		t, err := scan(p.src, end)
		switch {
		case err != nil:
			return 0
		case t.is("(") && words > 1:
			return end
		case t.kind != tokenName || slices.Contains(reserved, t.text):
			return 0
		}
		end = t.end
	}
}

// parenthesis reads (x), or the open interval (a..b) that begins alike.
func (p *parser) parenthesis(pos int) (Node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	x, err := p.inside()
	if err != nil {
		return nil, err
	}
	if p.tok.is("..") {
		return p.upper(&Range{Low: x, LowOpen: true}, pos)
	}
	return x, p.expect(")", "to close the parenthesis")
}

// inside reads an expression between brackets, where another one opens a filter
// again.
func (p *parser) inside() (Node, error) {
	bound := p.bound
	p.bound = 0
	defer func() { p.bound = bound }()
	return p.expression()
}

// bracket reads a list, or the closed interval [a..b] that begins alike.
func (p *parser) bracket(pos int) (Node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	l := &List{}
	first, err := p.openFirst()
	if err != nil {
		return nil, err
	}
	if first != nil {
		l.Items = append(l.Items, first)
	}
	for !p.tok.is("]") {
		if len(l.Items) > 0 {
			if err := p.expect(",", "between the items of the list"); err != nil {
				return nil, err
			}
		}
		item, err := p.inside()
		if err != nil {
			return nil, err
		}
		if len(l.Items) == 0 && p.tok.is("..") {
			return p.upper(&Range{Low: item}, pos)
		}
		l.Items = append(l.Items, item)
	}
	err = p.advance()
	l.at = p.since(pos)
	return l, err
}

// openFirst reads ]a..b[ as the first item of a list, whose bracket would else end
// the list; nil if it is none.
func (p *parser) openFirst() (Node, error) {
	if !p.tok.is("]") || p.again >= maxAgain {
		return nil, nil
	}
	if t, err := scan(p.src, p.tok.end); err != nil || t.kind == tokenEnd || t.kind == tokenOp && !t.is("-") && !t.is("(") {
		return nil, nil
	}
	p.again++
	tok, last, bound, learnt := p.tok, p.last, p.bound, len(p.known.learnt)
	p.bound = 0
	n, err := p.interval(p.tok.pos)
	p.bound = bound
	if err != nil || !p.tok.is(",") && !p.tok.is("]") {
		p.tok, p.last, p.known.learnt = tok, last, p.known.learnt[:learnt]
		return nil, nil
	}
	return n, nil
}

// interval reads ]a..b[ and so on.
func (p *parser) interval(pos int) (Node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	low, err := p.nested(p.additive)
	if err != nil {
		return nil, err
	}
	return p.upper(&Range{Low: low, LowOpen: true}, pos)
}

// upper reads the rest of an interval, from its two dots on.
func (p *parser) upper(r *Range, pos int) (Node, error) {
	if err := p.expect("..", "within the interval"); err != nil {
		return nil, err
	}
	p.bound++
	high, err := p.nested(p.additive)
	p.bound--
	if err != nil {
		return nil, err
	}
	if !p.tok.is("]") && !p.tok.is(")") && !p.tok.is("[") {
		return nil, p.fail("want a bracket that closes the interval, found %s", p.tok.describe())
	}
	r.High, r.HighOpen = high, !p.tok.is("]")
	err = p.advance()
	r.at = p.since(pos)
	return r, err
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
	return &Test{p.since(pos), op, x}, nil
}

func (p *parser) context(pos int) (Node, error) {
	defer p.scope()()
	if err := p.advance(); err != nil {
		return nil, err
	}
	c := &Context{}
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
		if seen[key.Name] {
			return nil, &Error{key.Pos, "the context has two entries " + key.Name}
		}
		x, err := p.entry(key.Name)
		if err != nil {
			return nil, err
		}
		seen[key.Name] = true
		c.Entries = append(c.Entries, Entry{key, x})
		p.known.learnMember(key.Name)
	}
	err := p.advance()
	c.at = p.since(pos)
	return c, err
}

// entry reads the value of an entry; a function may call itself by its name.
func (p *parser) entry(name string) (Node, error) {
	if p.tok.is("function") {
		defer p.scope()()
		p.known.learn(name)
	}
	return p.expression()
}

// withinName reports whether a name may go on with a token (DMN 1.5, 10.3.1.2, rules 27 to 30).
func (t token) withinName() bool {
	return t.kind == tokenName || t.kind == tokenNumber || t.kind == tokenOp && strings.Contains(" + - * ** / . ' ", " "+t.text+" ")
}

// key reads the key of a context entry up to its colon.
func (p *parser) key() (Ident, error) {
	start, end := p.tok.pos, p.tok.pos
	if p.tok.kind == tokenString || p.tok.kind == tokenQuoted {
		key := Ident{p.tok.text, p.tok.pos, p.tok.end}
		if err := p.advance(); err != nil {
			return key, err
		}
		return key, p.expect(":", "after the key")
	}
	if p.tok.kind != tokenName {
		return Ident{}, p.fail("want the key of an entry, found %s", p.tok.describe())
	}
	for !p.tok.is(":") {
		if !p.tok.withinName() {
			return Ident{}, p.fail("want \":\" after the key, found %s", p.tok.describe())
		}
		end = p.tok.end
		if err := p.advance(); err != nil {
			return Ident{}, err
		}
	}
	return p.ident(start, end), p.advance()
}

func (p *parser) conditional() (Node, error) {
	pos := p.tok.pos
	n := &If{}
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
	n.at = p.since(pos)
	return n, err
}

func (p *parser) loop() (Node, error) {
	defer p.scope()()
	pos := p.tok.pos
	its, body, err := p.iteration("return")
	return &For{p.since(pos), its, body}, err
}

func (p *parser) quantified() (Node, error) {
	defer p.scope()()
	pos, every := p.tok.pos, p.tok.text == "every"
	its, body, err := p.iteration("satisfies")
	return &Quantified{p.since(pos), every, its, body}, err
}

// iteration reads iterators and the body behind a word.
func (p *parser) iteration(word string) ([]Iterator, Node, error) {
	var all []Iterator
	for first := true; first || p.tok.is(","); first = false {
		if err := p.advance(); err != nil {
			return nil, nil, err
		}
		it, err := p.iterator()
		if err != nil {
			return nil, nil, err
		}
		all = append(all, it)
		p.known.learn(it.Name.Name)
	}
	if err := p.expect(word, "after the iterators"); err != nil {
		return nil, nil, err
	}
	body, err := p.expression()
	return all, body, err
}

func (p *parser) iterator() (Iterator, error) {
	var it Iterator
	var err error
	if it.Name, err = p.declared("in", "return", "satisfies"); err != nil {
		return it, err
	}
	if err = p.expect("in", "after the name"); err != nil {
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
	pos := p.tok.pos
	n := &Function{}
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
		param, err := p.parameter()
		if err != nil {
			return nil, err
		}
		n.Params = append(n.Params, param)
		p.known.learn(param.Name)
	}
	err := p.advance()
	if err != nil {
		return nil, err
	}
	if n.External, err = p.take("external"); err != nil {
		return nil, err
	}
	n.Body, err = p.expression()
	n.at = p.since(pos)
	return n, err
}

// parameter reads a name and its type.
func (p *parser) parameter() (Param, error) {
	name, err := p.declared()
	if err != nil || !p.tok.is(":") {
		return Param{Ident: name}, err
	}
	if err := p.advance(); err != nil {
		return Param{}, err
	}
	t, err := p.typ()
	return Param{name, t}, err
}

// cell reads unary tests: "-" or nothing, not(…), or a list of tests.
func (p *parser) cell() (Node, error) {
	pos := p.tok.pos
	if p.tok.kind == tokenEnd {
		return &Tests{at: p.since(pos), Any: true}, nil
	}
	if p.tok.is("-") {
		if rest, err := scan(p.src, p.tok.end); err == nil && rest.kind == tokenEnd {
			err := p.advance()
			return &Tests{at: p.since(pos), Any: true}, err
		}
	}
	n := &Tests{Not: p.negated()}
	if n.Not {
		if err := p.advance(); err != nil {
			return nil, err
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	var err error
	if n.Tests, err = p.tests(); err != nil {
		return nil, err
	}
	if n.Not {
		err = p.expect(")", "after not(")
	}
	n.at = p.since(pos)
	return n, err
}

// negated tells not(…) that is the whole cell from a call within a test, such
// as not(a) = b.
func (p *parser) negated() bool {
	if !p.tok.is("not") {
		return false
	}
	depth := 0
	for pos := p.tok.end; ; {
		t, err := scan(p.src, pos)
		switch {
		case err != nil || t.kind == tokenEnd || depth == 0 && !t.is("("):
			return false
		case t.is("(") || t.is("[") || t.is("{"):
			depth++
		case t.is(")") || t.is("]") || t.is("}"):
			depth--
			if depth <= 0 {
				rest, err := scan(p.src, t.end)
				return err != nil || rest.kind == tokenEnd
			}
		}
		pos = t.end
	}
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
