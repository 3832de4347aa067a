package syntax

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error says what does not read as FEEL, and where, in bytes from the start.
type Error struct {
	Offset  int
	Message string
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

type kind uint8

const (
	tokenEnd kind = iota
	tokenName
	tokenQuoted // a name in back quotes
	tokenNumber
	tokenString
	tokenAt
	tokenOp
)

type token struct {
	kind kind
	text string
	pos  int
	end  int
}

func (t token) is(text string) bool {
	return (t.kind == tokenOp || t.kind == tokenName) && t.text == text
}

func (t token) describe() string {
	switch t.kind {
	case tokenEnd:
		return "the end"
	case tokenString:
		return "a string"
	}
	return fmt.Sprintf("%q", t.text)
}

// nameStart and namePart are the characters of names (DMN 1.5, 10.3.1.2, rules 28
// and 29), less those that are white space.
var nameStart = &unicode.RangeTable{
	R16: []unicode.Range16{{'?', '?', 1}, {'A', 'Z', 1}, {'_', '_', 1}, {'a', 'z', 1},
		{0xc0, 0xd6, 1}, {0xd8, 0xf6, 1}, {0xf8, 0x2ff, 1}, {0x370, 0x37d, 1},
		{0x37f, 0x167f, 1}, {0x1681, 0x180d, 1}, {0x180f, 0x1fff, 1}, {0x200c, 0x200d, 1},
		{0x2070, 0x218f, 1}, {0x2c00, 0x2fef, 1}, {0x3001, 0xd7ff, 1},
		{0xf900, 0xfdcf, 1}, {0xfdf0, 0xfefe, 1}, {0xff00, 0xfffc, 1}},
	R32:         []unicode.Range32{{0x10000, 0xeffff, 1}},
	LatinOffset: 6,
}

var namePart = &unicode.RangeTable{
	R16:         []unicode.Range16{{'0', '9', 1}, {0xb7, 0xb7, 1}, {0x300, 0x36f, 1}, {0x203f, 0x2040, 1}},
	LatinOffset: 2,
}

func startsName(r rune) bool { return unicode.Is(nameStart, r) }

func continuesName(r rune) bool { return startsName(r) || unicode.Is(namePart, r) }

// isSpace tells white space (rules 61 and 62).
func isSpace(r rune) bool {
	return unicode.IsSpace(r) || r >= 0x2000 && r <= 0x200b || r == 0x180e || r == 0xfeff
}

// operators also holds the apostrophe, which stands only within names.
var operators = []string{"**", "..", "!=", "<=", ">=", "->", "+", "-",
	"*", "/", "=", "<", ">", "(", ")", "[", "]", "{", "}", ",", ":", ".", "'"}

// scan reads the token at an offset.
func scan(src string, pos int) (token, error) {
	pos, err := skip(src, pos)
	if err != nil || pos >= len(src) {
		return token{kind: tokenEnd, pos: len(src), end: len(src)}, err
	}
	r, _ := utf8.DecodeRuneInString(src[pos:])
	switch {
	case r == '"':
		return scanString(src, pos, pos, tokenString)
	case r == '@' && strings.HasPrefix(src[pos+1:], `"`):
		return scanString(src, pos, pos+1, tokenAt)
	case r == '`':
		end := strings.IndexByte(src[pos+1:], '`')
		if end < 0 {
			return token{}, &Error{pos, "the name in back quotes does not end"}
		}
		return token{tokenQuoted, src[pos+1 : pos+1+end], pos, pos + end + 2}, nil
	case r >= '0' && r <= '9', r == '.' && pos+1 < len(src) && isDigit(src[pos+1]):
		return scanNumber(src, pos), nil
	case startsName(r):
		end := pos
		for end < len(src) {
			r, n := utf8.DecodeRuneInString(src[end:])
			if !continuesName(r) {
				break
			}
			end += n
		}
		return token{tokenName, src[pos:end], pos, end}, nil
	}
	for _, op := range operators {
		if strings.HasPrefix(src[pos:], op) {
			return token{tokenOp, op, pos, pos + len(op)}, nil
		}
	}
	return token{}, &Error{pos, fmt.Sprintf("%q has no meaning in FEEL", r)}
}

// skip passes white space and comments.
func skip(src string, pos int) (int, error) {
	for pos < len(src) {
		r, n := utf8.DecodeRuneInString(src[pos:])
		switch {
		case isSpace(r):
			pos += n
		case strings.HasPrefix(src[pos:], "//"):
			end := strings.IndexByte(src[pos:], '\n')
			if end < 0 {
				return len(src), nil
			}
			pos += end
		case strings.HasPrefix(src[pos:], "/*"):
			end := strings.Index(src[pos+2:], "*/")
			if end < 0 {
				return pos, &Error{pos, "the comment does not end"}
			}
			pos += end + 4
		default:
			return pos, nil
		}
	}
	return pos, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func scanNumber(src string, pos int) token {
	end := pos
	digits := func() {
		for end < len(src) && isDigit(src[end]) {
			end++
		}
	}
	digits()
	if end+1 < len(src) && src[end] == '.' && isDigit(src[end+1]) {
		end++
		digits()
	}
	if end < len(src) && (src[end] == 'e' || src[end] == 'E') {
		mark := end
		end++
		if end < len(src) && (src[end] == '+' || src[end] == '-') {
			end++
		}
		if end < len(src) && isDigit(src[end]) {
			digits()
		} else {
			end = mark
		}
	}
	return token{tokenNumber, src[pos:end], pos, end}
}

func scanString(src string, pos, quote int, k kind) (token, error) {
	var b strings.Builder
	for i := quote + 1; i < len(src); {
		c := src[i]
		switch c {
		case '"':
			return token{k, b.String(), pos, i + 1}, nil
		case '\\':
			r, n := escape(src[i:])
			if r >= 0xd800 && r < 0xe000 {
				return token{}, &Error{i, fmt.Sprintf("%s is half of a character: the other half is missing", src[i:i+n])}
			}
			if n == 0 { // a pattern such as "\d": the sign stands for itself
				r, n = '\\', 1
			}
			b.WriteRune(r)
			i += n
		default:
			b.WriteByte(c)
			i++
		}
	}
	return token{}, &Error{pos, "the string does not end"}
}

// escape reads an escape sequence; the length is 0 if it is none.
func escape(s string) (rune, int) {
	if len(s) < 2 {
		return 0, 0
	}
	if i := strings.IndexByte(`nrt"'\`, s[1]); i >= 0 {
		return rune("\n\r\t\"'\\"[i]), 2
	}
	if s[1] == 'u' {
		hi, ok := hex(s, 2, 4)
		if !ok {
			return 0, 0
		}
		if hi >= 0xd800 && hi < 0xdc00 && strings.HasPrefix(s[6:], `\u`) {
			if lo, ok := hex(s, 8, 4); ok && lo >= 0xdc00 && lo < 0xe000 {
				return (hi-0xd800)<<10 + (lo - 0xdc00) + 0x10000, 12
			}
		}
		return hi, 6
	}
	if s[1] == 'U' {
		r, ok := hex(s, 2, 6)
		if !ok || r > unicode.MaxRune {
			return 0, 0
		}
		return r, 8
	}
	return 0, 0
}

func hex(s string, from, n int) (rune, bool) {
	if len(s) < from+n {
		return 0, false
	}
	r := rune(0)
	for _, c := range []byte(s[from : from+n]) {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if d < 0 {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}
