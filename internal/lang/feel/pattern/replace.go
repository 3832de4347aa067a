package pattern

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrEmpty is returned by Replace where a pattern matches the empty string
// (F&O 5.6.4, FORX0003).
var ErrEmpty = errors.New("the pattern matches the empty string")

// ErrLong is returned where a result would be too long.
var ErrLong = errors.New("the result would be too long")

// width is the length of the character at a place, 1 at the end.
func width(text string, at int) int {
	if at >= len(text) {
		return 1
	}
	_, n := utf8.DecodeRuneInString(text[at:])
	return n
}

// piece of a replacement: a text, or a group where that is not negative.
type piece struct {
	text  string
	group int
}

// template reads a replacement: $N is what group N captured, with as many digits
// as there are groups for; \$ and \\ stand for themselves (F&O 5.6.4).
func (p *Pattern) template(to string) ([]piece, error) {
	if p.literal {
		return []piece{{to, -1}}, nil
	}
	var out []piece
	var b strings.Builder
	for i := 0; i < len(to); i++ {
		next := byte(0)
		if i+1 < len(to) {
			next = to[i+1]
		}
		switch {
		case to[i] == '\\' && (next == '$' || next == '\\'):
			b.WriteByte(next)
			i++
		case to[i] == '\\':
			return nil, fmt.Errorf(`a \ of the replacement, at byte %d, stands before neither \ nor $`, i+1)
		case to[i] == '$' && next >= '0' && next <= '9':
			group := int(next - '0')
			i++
			for i+1 < len(to) && to[i+1] >= '0' && to[i+1] <= '9' && group*10+int(to[i+1]-'0') <= p.groups {
				i++
				group = group*10 + int(to[i]-'0')
			}
			out = append(out, piece{b.String(), -1}, piece{"", group})
			b.Reset()
		case to[i] == '$':
			return nil, fmt.Errorf(`a $ of the replacement, at byte %d, stands before no digit: \$ stands for itself`, i+1)
		default:
			b.WriteByte(to[i])
		}
	}
	return append(out, piece{b.String(), -1}), nil
}

// Replace replaces every match in a text by what the replacement says of it. The
// result has at most longest bytes.
func (p *Pattern) Replace(text, replacement string, longest int, spend func(int64) bool) (string, error) {
	empty, err := p.Match("", spend)
	if err == nil && empty {
		err = ErrEmpty
	}
	if err != nil {
		return "", err
	}
	pieces, err := p.template(replacement)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	last := 0
	long := false
	err = p.each(text, spend, func(match []int) bool {
		before := b.Len()
		b.WriteString(text[last:match[0]])
		for _, x := range pieces {
			b.WriteString(x.text)
			if x.group >= 0 && x.group <= p.groups && match[2*x.group] >= 0 {
				b.WriteString(text[match[2*x.group]:match[2*x.group+1]])
			}
			if long = b.Len() > longest; long {
				return false
			}
		}
		last = match[1]
		return spend(int64(b.Len()-before) / 64)
	})
	if err == nil && (long || b.Len()+len(text)-last > longest) {
		err = ErrLong
	}
	if err != nil {
		return "", err
	}
	return b.String() + text[last:], nil
}

// Split cuts a text at every match. An empty match cuts between characters.
func (p *Pattern) Split(text string, spend func(int64) bool) ([]string, error) {
	var out []string
	last := 0
	err := p.each(text, spend, func(match []int) bool {
		if match[1] == 0 || match[0] == match[1] && match[0] == len(text) {
			return true
		}
		out = append(out, text[last:match[0]])
		last = match[1]
		return true
	})
	if err != nil {
		return nil, err
	}
	return append(out, text[last:]), nil
}

// FindAll gives the text of every match.
func (p *Pattern) FindAll(text string, spend func(int64) bool) ([]string, error) {
	out := []string{}
	err := p.each(text, spend, func(match []int) bool {
		out = append(out, text[match[0]:match[1]])
		return true
	})
	return out, err
}
