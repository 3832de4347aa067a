package pattern

import (
	"fmt"
	"slices"
)

// Error says why a text is no pattern, and where: Offset counts bytes of the
// pattern from 0; it is -1 where the whole is too large. Work is what it cost to
// find out, in the measure of Size.
type Error struct {
	Offset  int
	Message string
	Work    int64
}

// Error is the message with the place.
func (e *Error) Error() string {
	if e.Offset < 0 {
		return e.Message
	}
	return fmt.Sprintf("%s, at byte %d of the pattern", e.Message, e.Offset+1)
}

type kind uint8

const (
	kindSet    kind = iota // one character of a set
	kindCat                // its parts in order
	kindAlt                // one of its parts
	kindRepeat             // its part from min to max times; max is -1 without an end
	kindGroup              // its part, captured
	kindRef                // what a group captured
	kindStart              // ^
	kindEnd                // $
	kindLineStart
	kindLineEnd
)

// node is a piece of a pattern.
type node struct {
	kind     kind
	set      set
	subs     []*node
	min, max int
	lazy     bool
	group    int
}

// flags of a pattern.
type flags struct{ dotAll, multiline, fold, spaced, literal bool }

func parseFlags(text string) (flags, error) {
	var f flags
	for i, r := range text {
		switch r {
		case 's':
			f.dotAll = true
		case 'm':
			f.multiline = true
		case 'i':
			f.fold = true
		case 'x':
			f.spaced = true
		case 'q':
			f.literal = true
		default:
			return f, fmt.Errorf("%q, character %d of the flags, is none of s, m, i, x and q", r, i+1)
		}
	}
	return f, nil
}

type parser struct {
	flags
	chars  []rune
	places []int // offsets of the characters, and of the end
	at     int
	groups int   // that have opened
	closed []int // groups that have closed
	refs   bool
	work   int            // spans made on the way
	sets   map[string]set // of escapes that were read before
	pairs  []pair
}

// parse reads a pattern.
func parse(text string, f flags) (*parser, *node, error) {
	p := &parser{flags: f}
	p.read(text)
	if f.literal {
		n := &node{kind: kindCat}
		for _, r := range p.chars {
			n.subs = append(n.subs, p.one(r))
		}
		return p, n, nil
	}
	n, err := p.alternatives()
	if err == nil && p.at < len(p.chars) {
		err = p.fail("this %q closes nothing", p.chars[p.at])
	}
	return p, n, err
}

// read takes the text apart. Flag x drops white space outside of classes.
func (p *parser) read(text string) {
	class, escaped := 0, false
	for i, r := range text {
		outside := class == 0
		if p.spaced && !p.literal && outside && blank.has(r) {
			continue
		}
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case r == '[':
			class++
		case r == ']' && class > 0:
			class--
		}
		p.chars = append(p.chars, r)
		p.places = append(p.places, i)
	}
	p.places = append(p.places, len(text))
}

func (p *parser) fail(format string, args ...any) error { return p.failAt(p.at, format, args...) }

func (p *parser) failAt(at int, format string, args ...any) error {
	return &Error{p.places[min(at, len(p.chars))], fmt.Sprintf(format, args...), p.cost()}
}

// cost is the work so far, in the measure of Size.
func (p *parser) cost() int64 { return int64(p.work / 16) }

// makes counts the spans of a set that was made.
func (p *parser) makes(s set) error {
	if p.work += len(s); p.cost() > MaxSize {
		return &Error{-1, tooLarge, p.cost()}
	}
	return nil
}

// peek gives the character that comes next, -1 at the end.
func (p *parser) peek() rune { return p.peekAt(0) }

func (p *parser) peekAt(n int) rune {
	if p.at+n >= len(p.chars) {
		return -1
	}
	return p.chars[p.at+n]
}

func (p *parser) take(r rune) bool {
	if p.peek() != r {
		return false
	}
	p.at++
	return true
}

// one is a node for one character, and for its case variants with flag i.
func (p *parser) one(r rune) *node {
	s := char(r)
	if p.fold {
		s = p.folded(s)
	}
	return &node{kind: kindSet, set: s}
}

func (p *parser) alternatives() (*node, error) {
	n := &node{kind: kindAlt}
	for {
		branch, err := p.branch()
		if err != nil {
			return nil, err
		}
		n.subs = append(n.subs, branch)
		if !p.take('|') {
			break
		}
	}
	if len(n.subs) == 1 {
		return n.subs[0], nil
	}
	return n, nil
}

func (p *parser) branch() (*node, error) {
	n := &node{kind: kindCat}
	for p.at < len(p.chars) && p.peek() != '|' && p.peek() != ')' {
		atom, err := p.atom()
		if err != nil {
			return nil, err
		}
		if atom, err = p.quantified(atom); err != nil {
			return nil, err
		}
		n.subs = append(n.subs, atom)
	}
	return n, nil
}

func (p *parser) atom() (*node, error) {
	r := p.peek()
	switch r {
	case '(':
		return p.parenthesis()
	case '[':
		s, err := p.class()
		return &node{kind: kindSet, set: s}, err
	case '\\':
		return p.escape()
	case '?', '*', '+':
		return nil, p.fail("there is nothing before this %q that could be repeated", r)
	case '{', '}', ']':
		return nil, p.fail(`a %q that stands for itself is written \%c`, r, r)
	}
	p.at++
	switch r {
	case '.':
		if p.dotAll {
			return &node{kind: kindSet, set: everything()}, nil
		}
		return &node{kind: kindSet, set: newline.complement()}, nil
	case '^':
		return &node{kind: p.anchor(kindStart, kindLineStart)}, nil
	case '$':
		return &node{kind: p.anchor(kindEnd, kindLineEnd)}, nil
	}
	return p.one(r), nil
}

func (p *parser) anchor(text, line kind) kind {
	if p.multiline {
		return line
	}
	return text
}

func (p *parser) parenthesis() (*node, error) {
	open := p.at
	p.at++
	group := 0
	if p.take('?') {
		if !p.take(':') {
			return nil, p.failAt(open, "a group that begins with (? goes on with a colon: XPath knows no other")
		}
	} else {
		p.groups++
		group = p.groups
	}
	n, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if !p.take(')') {
		return nil, p.failAt(open, "this parenthesis is not closed")
	}
	if group == 0 {
		return n, nil
	}
	p.closed = append(p.closed, group)
	return &node{kind: kindGroup, group: group, subs: []*node{n}}, nil
}

func (p *parser) quantified(atom *node) (*node, error) {
	n := &node{kind: kindRepeat, subs: []*node{atom}, max: -1}
	switch p.peek() {
	case '?':
		n.max = 1
	case '*':
	case '+':
		n.min = 1
	case '{':
		if err := p.counts(n); err != nil {
			return nil, err
		}
	default:
		return atom, nil
	}
	p.at++
	n.lazy = p.take('?')
	return n, nil
}

// counts reads {n}, {n,} or {n,m} up to its last character.
func (p *parser) counts(n *node) error {
	open := p.at
	p.at++
	var ok bool
	if n.min, ok = p.number(); !ok {
		return p.failAt(open, `want a number of times such as {2} or {2,4}; a { that stands for itself is written \{`)
	}
	n.max = n.min
	if p.take(',') {
		if n.max, ok = p.number(); !ok {
			n.max = -1
		}
	}
	if p.peek() != '}' {
		return p.failAt(open, "this number of times is not closed with }")
	}
	if n.max >= 0 && n.max < n.min {
		return p.failAt(open, "it cannot stand at least %d and at most %d times", n.min, n.max)
	}
	return nil
}

const manyTimes = 1 << 20

func (p *parser) number() (int, bool) {
	n, found := 0, false
	for r := p.peek(); r >= '0' && r <= '9'; r = p.peek() {
		n, found = min(n*10+int(r-'0'), manyTimes), true
		p.at++
	}
	return n, found
}

// escape reads what a backslash begins outside of a class.
func (p *parser) escape() (*node, error) {
	if r := p.peekAt(1); r >= '1' && r <= '9' {
		return p.reference()
	}
	r, s, err := p.escaped()
	if err != nil {
		return nil, err
	}
	if s != nil {
		return &node{kind: kindSet, set: s}, nil
	}
	return p.one(r), nil
}

// reference reads \N: as many digits as there are groups for.
func (p *parser) reference() (*node, error) {
	slash := p.at
	n := int(p.peekAt(1) - '0')
	p.at += 2
	for r := p.peek(); r >= '0' && r <= '9' && n*10+int(r-'0') <= p.groups; r = p.peek() {
		n = n*10 + int(r-'0')
		p.at++
	}
	if !slices.Contains(p.closed, n) {
		return nil, p.failAt(slash, `\%d refers to a group that does not end before it`, n)
	}
	p.refs = true
	return &node{kind: kindRef, group: n}, nil
}

// escaped reads an escape: either a character or a set.
func (p *parser) escaped() (rune, set, error) {
	slash := p.at
	letter := p.peekAt(1)
	p.at += 2
	switch letter {
	case -1:
		return 0, nil, p.failAt(slash, `a \ at the end escapes nothing`)
	case 'p', 'P':
		s, err := p.property(slash, letter == 'P')
		return 0, s, err
	}
	name := `\` + string(letter)
	s, ok := p.sets[name]
	if !ok {
		s, ok = multiple(letter)
	}
	if ok {
		return 0, s, p.keep(name, s)
	}
	r, ok := plain(letter)
	if !ok {
		return 0, nil, p.failAt(slash, `\%c is no escape of XPath`, letter)
	}
	return r, nil, nil
}

// keep keeps the set of an escape for the next time.
func (p *parser) keep(name string, s set) error {
	if p.sets == nil {
		p.sets = map[string]set{}
	}
	if _, ok := p.sets[name]; ok {
		return nil
	}
	p.sets[name] = s
	return p.makes(s)
}

// property reads what follows \p, or \P where not.
func (p *parser) property(slash int, not bool) (set, error) {
	if !p.take('{') {
		return nil, p.failAt(slash, `\p wants a category or block, as in \p{Lu} or \p{IsBasicLatin}`)
	}
	begin := p.at
	for p.peek() != '}' {
		if p.peek() < 0 {
			return nil, p.failAt(slash, `this \p{ is not closed`)
		}
		p.at++
	}
	name := string(p.chars[begin:p.at])
	p.at++
	key := fmt.Sprint(name, not)
	if s, ok := p.sets[key]; ok {
		return s, nil
	}
	s, ok := property(name)
	if !ok {
		return nil, p.failAt(slash, "there is no category or block %q", name)
	}
	if not {
		s = s.complement()
	}
	return s, p.keep(key, s)
}

// folded adds to a set what differs in case alone.
func (p *parser) folded(s set) set {
	out := s
	for _, x := range s {
		if x.hi-x.lo < 128 {
			p.work += int(x.hi - x.lo)
			for r := x.lo; r <= x.hi; r++ {
				for _, v := range variants(r) {
					out = append(out, span{v, v})
				}
			}
			continue
		}
		if p.pairs == nil {
			p.pairs = pairs()
			p.work += len(p.pairs)
		}
		i, _ := slices.BinarySearchFunc(p.pairs, x.lo, func(a pair, lo rune) int { return int(a.of - lo) })
		for ; i < len(p.pairs) && p.pairs[i].of <= x.hi; i++ {
			out = append(out, span{p.pairs[i].is, p.pairs[i].is})
		}
	}
	p.work += len(out)
	return normal(out)
}
