package syntax

import (
	"fmt"
	"slices"
	"strings"
)

// maxNesting bounds the depth of an expression.
const maxNesting = 128

// Parse reads an expression. Names that hold spaces or signs are recognised
// where they are known.
func Parse(src string, names ...*Names) (Node, error) {
	p, err := newParser(src, names)
	if err != nil {
		return nil, err
	}
	n, err := p.expressions()
	if err != nil {
		return nil, err
	}
	return n, p.end()
}

// expressions reads what stands alone: an expression, or several with commas
// between, which are a list (grammar rule 3 of DMN 1.2).
func (p *parser) expressions() (Node, error) {
	n, err := p.expression()
	if err != nil || !p.tok.is(",") {
		return n, err
	}
	l := &List{Items: []Node{n}}
	for err == nil && p.tok.is(",") {
		if err = p.advance(); err == nil {
			n, err = p.expression()
			l.Items = append(l.Items, n)
		}
	}
	l.at = at{l.Items[0].Pos(), l.Items[0].Pos(), p.last}
	return l, err
}

// ParseTests reads unary tests as they stand in a cell of a decision table.
func ParseTests(src string, names ...*Names) (Node, error) {
	p, err := newParser(src, names)
	if err != nil {
		return nil, err
	}
	n, err := p.cell()
	if err != nil {
		return nil, err
	}
	return n, p.end()
}

type parser struct {
	src   string
	tok   token
	last  int // end of the token before
	known known
	depth int
	bound int // reading the upper bound of that many intervals
	items int // reading that many filters, in which items bring names
	again int // how often a text was read a second time
}

func newParser(src string, names []*Names) (*parser, error) {
	p := &parser{src: src, known: known{fixed: names}}
	return p, p.next(0)
}

// since is the place of a node that began at an offset and ends here.
func (p *parser) since(from int) at { return at{from, from, p.last} }

// scope gives what ends a scope: it forgets the names learnt since.
func (p *parser) scope() (end func()) {
	n := len(p.known.learnt)
	return func() { p.known.learnt = p.known.learnt[:n] }
}

// next goes on behind what ends at an offset.
func (p *parser) next(from int) error {
	t, err := scan(p.src, from)
	if err != nil {
		return err
	}
	p.tok, p.last = t, from
	return nil
}

func (p *parser) advance() error { return p.next(p.tok.end) }

// take consumes the token if it is the text.
func (p *parser) take(text string) (bool, error) {
	if !p.tok.is(text) {
		return false, nil
	}
	return true, p.advance()
}

func (p *parser) expect(text, why string) error {
	ok, err := p.take(text)
	if err == nil && !ok {
		return p.fail("want %q %s, found %s", text, why, p.tok.describe())
	}
	return err
}

func (p *parser) fail(format string, args ...any) error {
	return &Error{p.tok.pos, fmt.Sprintf(format, args...)}
}

func (p *parser) end() error {
	if p.tok.kind != tokenEnd {
		return p.fail("%s does not belong here", p.tok.describe())
	}
	return nil
}

// knownName matches a known name with spaces at the current token.
func (p *parser) knownName(member bool) (string, int) {
	if p.tok.kind != tokenName {
		return "", 0
	}
	return p.known.find(p.src, p.tok.pos, p.tok.text, member)
}

// nested reads what lies one level deeper.
func (p *parser) nested(read func() (Node, error)) (Node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxNesting {
		return nil, p.fail("the expression is nested more than %d deep", maxNesting)
	}
	return read()
}

func (p *parser) expression() (Node, error) { return p.nested(p.whole) }

func (p *parser) whole() (Node, error) {
	if p.tok.kind == tokenName {
		switch p.tok.text {
		case "if":
			return p.conditional()
		case "for":
			return p.loop()
		case "some", "every":
			return p.quantified()
		case "function":
			return p.function()
		}
	}
	return p.disjunction()
}

func (p *parser) binary(sub func() (Node, error), ops ...string) (Node, error) {
	x, err := sub()
	for err == nil && slices.ContainsFunc(ops, p.tok.is) {
		op, pos := p.tok.text, p.tok.pos
		if err := p.advance(); err != nil {
			return nil, err
		}
		var y Node
		if y, err = sub(); err == nil {
			x = &Binary{at{x.Pos(), pos, p.last}, op, x, y}
		}
	}
	return x, err
}

func (p *parser) disjunction() (Node, error) { return p.binary(p.conjunction, "or") }
func (p *parser) conjunction() (Node, error) { return p.binary(p.comparison, "and") }
func (p *parser) additive() (Node, error)    { return p.binary(p.multiplicative, "+", "-") }
func (p *parser) multiplicative() (Node, error) {
	return p.binary(p.exponential, "*", "/")
}
func (p *parser) exponential() (Node, error) { return p.binary(p.negation, "**") }

var comparisons = []string{"=", "!=", "<", "<=", ">", ">="}

func (p *parser) comparison() (Node, error) {
	x, err := p.additive()
	for err == nil {
		switch {
		case p.tok.kind == tokenOp && slices.Contains(comparisons, p.tok.text):
			x, err = p.compare(x)
		case p.tok.is("between"):
			x, err = p.between(x)
		case p.tok.is("in"):
			x, err = p.in(x)
		case p.tok.is("instance"):
			x, err = p.instance(x)
		default:
			return x, nil
		}
	}
	return nil, err
}

func (p *parser) compare(x Node) (Node, error) {
	op, pos := p.tok.text, p.tok.pos
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokenOp && slices.Contains(comparisons, p.tok.text) {
		return nil, p.fail("%s%s is no operator: equality is written =", op, p.tok.text)
	}
	y, err := p.additive()
	if err != nil {
		return nil, err
	}
	return &Binary{at{x.Pos(), pos, p.last}, op, x, y}, nil
}

func (p *parser) between(x Node) (Node, error) {
	pos := p.tok.pos
	if err := p.advance(); err != nil {
		return nil, err
	}
	low, err := p.additive()
	if err != nil {
		return nil, err
	}
	if err := p.expect("and", "between the bounds"); err != nil {
		return nil, err
	}
	high, err := p.additive()
	return &Between{at{x.Pos(), pos, p.last}, x, low, high}, err
}

func (p *parser) in(x Node) (Node, error) {
	pos := p.tok.pos
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.tok.is("(") {
		test, err := p.additive()
		return &In{at{x.Pos(), pos, p.last}, x, []Node{test}}, err
	}
	open, learnt := p.tok, len(p.known.learnt)
	tests, err := p.testList()
	if err != nil {
		return nil, err
	}
	// (a, b) are tests, but (a)[1] and (a) + 1 are expressions.
	if len(tests) == 1 && slices.ContainsFunc([]string{"[", ".", "(", "+", "-", "*", "/", "**"}, p.tok.is) && p.again < maxAgain {
		p.again++
		p.tok, p.known.learnt = open, p.known.learnt[:learnt]
		test, err := p.additive()
		return &In{at{x.Pos(), pos, p.last}, x, []Node{test}}, err
	}
	return &In{at{x.Pos(), pos, p.last}, x, tests}, nil
}

// maxAgain bounds how often a text is read a second time, since each time may
// hold others.
const maxAgain = 32

// testList reads (a, b), or the one open interval (a..b).
func (p *parser) testList() ([]Node, error) {
	open := p.tok.pos
	if err := p.advance(); err != nil {
		return nil, err
	}
	bound := p.bound
	p.bound = 0
	tests, err := p.tests()
	p.bound = bound
	if err != nil {
		return nil, err
	}
	if len(tests) == 1 && p.tok.is("..") {
		tests[0], err = p.upper(&Range{Low: tests[0], LowOpen: true}, open)
		return tests, err
	}
	return tests, p.expect(")", "after the tests")
}

func (p *parser) instance(x Node) (Node, error) {
	pos := p.tok.pos
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect("of", "after instance"); err != nil {
		return nil, err
	}
	t, err := p.typ()
	return &InstanceOf{at{x.Pos(), pos, p.last}, x, t}, err
}

func (p *parser) negation() (Node, error) {
	if !p.tok.is("-") {
		return p.postfix()
	}
	pos := p.tok.pos
	if err := p.advance(); err != nil {
		return nil, err
	}
	x, err := p.nested(p.negation)
	return &Unary{p.since(pos), x}, err
}

func (p *parser) postfix() (Node, error) {
	x, err := p.primary()
	for err == nil {
		switch {
		case p.tok.is("."):
			x, err = p.path(x)
		case p.tok.is("[") && p.closesInterval():
			return x, nil
		case p.tok.is("["):
			x, err = p.filter(x)
		case p.tok.is("("):
			x, err = p.call(x)
		default:
			return x, nil
		}
	}
	return nil, err
}

// closesInterval tells the bracket of [1..5[ from that of a filter.
func (p *parser) closesInterval() bool {
	if p.bound == 0 {
		return false
	}
	t, err := scan(p.src, p.tok.end)
	return err == nil && (t.kind == tokenEnd ||
		slices.ContainsFunc([]string{")", "]", "}", ",", ".", "=", "!=", "and", "or", "then", "else", "return", "satisfies"}, t.is))
}

func (p *parser) filter(x Node) (Node, error) {
	pos := p.tok.pos
	if err := p.advance(); err != nil {
		return nil, err
	}
	bound := p.bound // brackets within are those of filters again
	p.bound = 0
	p.items++
	f, err := p.expression()
	p.bound = bound
	p.items--
	if err != nil {
		return nil, err
	}
	err = p.expect("]", "after the filter")
	return &Filter{at{x.Pos(), pos, p.last}, x, f}, err
}

func (p *parser) path(x Node) (Node, error) {
	pos := p.tok.pos
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind != tokenName && p.tok.kind != tokenQuoted {
		return nil, p.fail("want a name after the dot, found %s", p.tok.describe())
	}
	name := Ident{p.tok.text, p.tok.pos, p.tok.end}
	if known, end := p.knownName(true); known != "" {
		name.Name, name.End = known, end
	} else if p.tok.kind == tokenName {
		name = p.ident(p.tok.pos, p.member())
	}
	err := p.next(name.End)
	return &Path{at{x.Pos(), pos, p.last}, x, name}, err
}

// member is where a member of several words ends that is not known: after a dot
// only a word of the language can follow a name.
func (p *parser) member() int {
	end := p.tok.end
	if !p.followed() {
		return end
	}
	for {
		t, err := scan(p.src, end)
		if err != nil || t.kind != tokenName || slices.Contains(reserved, t.text) {
			return end
		}
		end = t.end
	}
}

func (p *parser) call(fn Node) (Node, error) {
	pos := p.tok.pos
	if err := p.advance(); err != nil {
		return nil, err
	}
	c := &Call{Fn: fn}
	for !p.tok.is(")") {
		if len(c.Args) > 0 {
			if err := p.expect(",", "between arguments"); err != nil {
				return nil, err
			}
		}
		if name, end := p.argumentName(); end > 0 {
			c.Names = append(c.Names, name)
			if err := p.next(end); err != nil {
				return nil, err
			}
		}
		arg, err := p.expression()
		if err != nil {
			return nil, err
		}
		c.Args = append(c.Args, arg)
	}
	if c.Names != nil && len(c.Names) != len(c.Args) {
		return nil, p.fail("arguments are given either all by name or all by place")
	}
	err := p.advance()
	c.at = at{fn.Pos(), pos, p.last}
	return c, err
}

// argumentName finds "name :" before an argument, and where it ends.
func (p *parser) argumentName() (Ident, int) {
	if p.tok.kind != tokenName && p.tok.kind != tokenQuoted {
		return Ident{}, 0
	}
	start, end := p.tok.pos, p.tok.pos
	for {
		t, err := scan(p.src, end)
		switch {
		case err != nil:
			return Ident{}, 0
		case t.is(":"):
			return p.ident(start, end), t.end
		case t.kind != tokenName && t.kind != tokenQuoted && t.kind != tokenNumber && !slices.ContainsFunc(nameSigns, t.is):
			return Ident{}, 0
		}
		end = t.end
	}
}

// ident is the name between two offsets, its white space made single spaces.
func (p *parser) ident(start, end int) Ident {
	return Ident{strings.Trim(strings.Join(strings.Fields(p.src[start:end]), " "), "`"), start, end}
}
