// Package pattern reads and matches the regular expressions of XPath 3.1, as the
// functions matches, replace, split and extract of FEEL take them: those of XML
// Schema 1.1 part 2, appendix G, with the anchors, reluctant quantifiers, groups,
// back-references and flags of F&O 3.1, section 5.6.
//
// What is no such pattern is refused. Whether a text matches is told by RE2, to
// whose syntax a pattern is translated. Places and groups, and patterns with
// back-references, which RE2 does not know, are the work of a matcher of our own.
// It goes back within a stack and remembers what failed, so that it takes time in
// proportion to pattern and text; with back-references that is not possible, and
// only the steps that the caller grants bound it.
package pattern

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

const (
	// MaxLength is how many bytes a pattern may have.
	MaxLength = 1000
	// MaxSize is how many instructions it may take.
	MaxSize = 10_000
	// maxSpans is how many spans of characters RE2 is given: it takes long to
	// read them, where the matcher shares them.
	maxSpans = 256
)

const tooLarge = "the pattern is too large: it takes more than 10,000 instructions"

var errLength = errors.New("the pattern has more than 1,000 bytes")

// Pattern is a compiled regular expression. It never changes.
type Pattern struct {
	prog     *program
	re       *regexp.Regexp // nil where RE2 cannot say it
	size     int
	groups   int
	refs     bool // it refers back
	fold     bool // flag i
	literal  bool // flag q
	lines    bool // ^ matches behind newlines
	anchored bool // it matches at the start alone
}

// Compile reads a pattern. What is none gives an *Error.
func Compile(text, flags string) (*Pattern, error) {
	if len(text) > MaxLength {
		return nil, errLength
	}
	f, err := parseFlags(flags)
	if err != nil {
		return nil, err
	}
	read, tree, err := parse(text, f)
	if err != nil {
		return nil, err
	}
	p := &Pattern{size: tree.size() + int(read.cost()) + 3, groups: read.groups, refs: read.refs, fold: f.fold, literal: f.literal}
	if p.size > MaxSize {
		return nil, &Error{-1, tooLarge, read.cost()}
	}
	p.prog = build(tree, read.groups)
	p.lines = slices.ContainsFunc(p.prog.code, func(in instruction) bool { return in.op == opLineStart })
	p.anchored = p.prog.code[1].op == opStart
	if spans := p.prog.spans(); !p.refs && spans <= maxSpans {
		p.size += spans / 2
		// What RE2 refuses for its size is left to the matcher.
		p.re, _ = regexp.Compile(translate(tree))
	}
	return p, nil
}

// Size is how many instructions the pattern takes, and so what its compilation
// cost.
func (p *Pattern) Size() int64 { return int64(p.size) }

// Groups is how many groups the pattern captures.
func (p *Pattern) Groups() int { return p.groups }

// Match reports whether the pattern matches anywhere in a text. The work is
// counted with spend, which tells whether it may go on; when not, the error is
// ErrStopped.
func (p *Pattern) Match(text string, spend func(int64) bool) (bool, error) {
	// RE2 has a line begin behind the last newline, XPath has not.
	if p.re != nil && (!p.lines || !strings.HasSuffix(text, "\n")) {
		if !spend(int64(len(text)) * int64(len(p.prog.code)) / 128) {
			return false, ErrStopped
		}
		return p.re.MatchString(text), nil
	}
	m, err := p.matcher(text, spend)
	if err != nil {
		return false, err
	}
	return m.find(0)
}

// each visits the matches from left to right. A match is the offsets of itself
// and of its groups, -1 where one captured nothing. An empty match does not touch
// the one before it.
func (p *Pattern) each(text string, spend func(int64) bool, visit func(match []int) bool) error {
	m, err := p.matcher(text, spend)
	if err != nil {
		return err
	}
	for from, last := 0, -1; from <= len(text); {
		ok, err := m.find(from)
		if err != nil || !ok {
			return err
		}
		if !spend(1) {
			return ErrStopped
		}
		begin, end := m.slots[0], m.slots[1]
		if begin != end || begin != last {
			if !visit(m.slots[:2*(p.groups+1)]) {
				return nil
			}
		}
		last = end
		if from = end; begin == end {
			from += width(text, end)
		}
		if from <= len(text) {
			m.forget(from)
		}
	}
	return nil
}
