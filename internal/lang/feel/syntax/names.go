package syntax

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Names are names that a plain word cannot be: they hold spaces or signs, and
// are recognised only where they are known. It is immutable and safe for
// concurrent use.
type Names struct {
	byWord map[string][]spaced // by first word
}

// spaced is a name and its parts between spaces.
type spaced struct {
	name  string
	parts []string
}

// NewNames collects the names of a list that are more than one word.
func NewNames(list []string) *Names {
	n := &Names{byWord: map[string][]spaced{}}
	for _, name := range list {
		if parts, ok := parts(name); ok {
			word := firstWord(name)
			n.byWord[word] = append(n.byWord[word], spaced{name, parts})
		}
	}
	return n
}

// parts cuts a name at its spaces; ok is false for a plain word.
func parts(name string) ([]string, bool) {
	if !strings.ContainsAny(name, " +-*/.'") || firstWord(name) == "" {
		return nil, false
	}
	return strings.Fields(name), true
}

// firstWord is what the lexer reads as a name at the start of a text.
func firstWord(s string) string {
	for i, r := range s {
		if i == 0 && !startsName(r) || !continuesName(r) {
			return s[:i]
		}
	}
	return s
}

// known are the names that the parser knows at a place: those of the caller and
// those that the expression brings.
type known struct {
	fixed   []*Names
	learnt  []lesson
	members Names // keys of contexts so far: known behind a dot and in filters
}

type lesson struct {
	word string
	spaced
}

func (k *known) learn(name string) {
	if parts, ok := parts(name); ok {
		k.learnt = append(k.learnt, lesson{firstWord(name), spaced{name, parts}})
	}
}

// learnMember is learn for a key, by which a part of the context is found where
// its own scope has ended.
func (k *known) learnMember(name string) {
	k.learn(name)
	parts, ok := parts(name)
	if !ok {
		return
	}
	word := firstWord(name)
	if k.members.byWord == nil {
		k.members.byWord = map[string][]spaced{}
	}
	if !slices.ContainsFunc(k.members.byWord[word], func(s spaced) bool { return s.name == name }) {
		k.members.byWord[word] = append(k.members.byWord[word], spaced{name, parts})
	}
}

// find gives the longest name that stands at a place, and where it ends; the end
// is 0 if there is none. word is the word at the place; keys of contexts are
// found where one may stand for a member.
func (k *known) find(src string, pos int, word string, member bool) (name string, end int) {
	try := func(s spaced) {
		if e := match(src, pos, s.parts); e > end {
			name, end = s.name, e
		}
	}
	for _, names := range k.fixed {
		for _, s := range names.byWord[word] {
			try(s)
		}
	}
	if member {
		for _, s := range k.members.byWord[word] {
			try(s)
		}
	}
	for _, l := range slices.Backward(k.learnt) {
		if l.word == word {
			try(l.spaced)
		}
	}
	return name, end
}

// match compares a name with the text, any white space for a space.
func match(src string, pos int, parts []string) int {
	for i, part := range parts {
		if i > 0 {
			next := pos + len(src[pos:]) - len(strings.TrimLeftFunc(src[pos:], isSpace))
			if next == pos {
				return 0
			}
			pos = next
		}
		if !strings.HasPrefix(src[pos:], part) {
			return 0
		}
		pos += len(part)
	}
	if r, _ := utf8.DecodeRuneInString(src[pos:]); pos < len(src) && continuesName(r) {
		return 0
	}
	return pos
}
