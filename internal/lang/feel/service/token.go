package service

import (
	"slices"
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenName tokenKind = iota
	tokenQuoted
	tokenNumber
	tokenString
	tokenOp
)

// token is a piece of a text that need not read as FEEL.
type token struct {
	kind     tokenKind
	text     string
	pos, end int
	open     bool // a string, comment or quoted name that does not end
}

// operators of more than one sign.
var operators = []string{"**", "..", "!=", "<=", ">=", "->"}

// tokens cuts a text up; open tells that its end lies within a string or comment.
func tokens(text string) (all []token, open bool) {
	for pos := 0; pos < len(text); {
		t := next(text, pos)
		pos = t.end
		if t.open {
			return all, true
		}
		if t.kind != tokenOp || t.text != "" {
			all = append(all, t)
		}
	}
	return all, false
}

// next reads a token; one without text is white space or a comment.
func next(text string, pos int) token {
	rest := text[pos:]
	r, n := utf8.DecodeRuneInString(rest)
	switch {
	case strings.HasPrefix(rest, "//"):
		return until(text, pos, 2, "\n", tokenOp)
	case strings.HasPrefix(rest, "/*"):
		return until(text, pos, 2, "*/", tokenOp)
	case r == '"':
		return stringToken(text, pos, 1)
	case strings.HasPrefix(rest, `@"`):
		return stringToken(text, pos, 2)
	case r == '`':
		return until(text, pos, 1, "`", tokenQuoted)
	case r >= '0' && r <= '9':
		end := pos
		for end < len(text) && (isDigit(text[end]) || text[end] == '.' && end+1 < len(text) && isDigit(text[end+1])) {
			end++
		}
		return token{tokenNumber, text[pos:end], pos, end, false}
	case isWord(r):
		end := pos + len(rest)
		if i := strings.IndexFunc(rest, func(r rune) bool { return !isWord(r) }); i >= 0 {
			end = pos + i
		}
		return token{tokenName, text[pos:end], pos, end, false}
	case strings.ContainsRune(" \t\r\n\u00a0\ufeff", r):
		return token{tokenOp, "", pos, pos + n, false}
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			return token{tokenOp, op, pos, pos + len(op), false}
		}
	}
	return token{tokenOp, rest[:n], pos, pos + n, false}
}

// until reads up to a mark. A comment has no text; one up to the end of its line
// goes on at the end of the text.
func until(text string, pos, skip int, mark string, kind tokenKind) token {
	i := strings.Index(text[pos+skip:], mark)
	if i < 0 {
		return token{kind, "", pos, len(text), true}
	}
	end := pos + skip + i + len(mark)
	if kind == tokenOp {
		return token{kind, "", pos, end, false}
	}
	return token{kind, text[pos+skip : pos+skip+i], pos, end, false}
}

func stringToken(text string, pos, skip int) token {
	for i := pos + skip; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return token{tokenString, text[pos : i+1], pos, i + 1, false}
		}
	}
	return token{tokenString, text[pos:], pos, len(text), true}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// joints are the words behind which a value is wanted.
var joints = []string{"and", "or", "in", "then", "else", "return", "satisfies",
	"between", "if", "for", "some", "every", "function", "of", "external"}

// endsValue reports whether a value may end with the token.
func (t token) endsValue() bool {
	if t.kind == tokenOp {
		return t.text == ")" || t.text == "]" || t.text == "}"
	}
	return t.kind != tokenName || !slices.Contains(joints, t.text)
}

func (t token) is(text string) bool {
	return (t.kind == tokenOp || t.kind == tokenName) && t.text == text
}
