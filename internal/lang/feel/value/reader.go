package value

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var errJSON = errors.New("no JSON value")

// FromJSON reads a JSON value. Numbers keep their decimal text, objects the
// order of their keys; a key that comes twice has its last value. The error
// names the offset in bytes.
func FromJSON(raw []byte) (Value, error) {
	r := reader{raw: raw}
	r.space()
	v := r.value(0)
	r.space()
	if r.err == nil && r.pos < len(raw) {
		r.fail("something follows it")
	}
	if r.err != nil {
		return Null(), r.err
	}
	return v, nil
}

// reader reads JSON as RFC 8259 has it. After an error it stands at the end.
type reader struct {
	raw []byte
	pos int
	err error
}

func (r *reader) fail(format string, args ...any) Value {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s at byte %d", errJSON, fmt.Sprintf(format, args...), r.pos)
	}
	r.pos = len(r.raw)
	return Null()
}

// peek gives the next byte, 0 at the end.
func (r *reader) peek() byte {
	if r.pos < len(r.raw) {
		return r.raw[r.pos]
	}
	return 0
}

func (r *reader) space() {
	for r.pos < len(r.raw) {
		switch r.raw[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

// take passes a byte if it comes next.
func (r *reader) take(c byte) bool {
	if r.peek() == c && r.pos < len(r.raw) {
		r.pos++
		return true
	}
	return false
}

func (r *reader) value(depth int) Value {
	switch c := r.peek(); {
	case c == '"':
		return String(r.text())
	case c == '-' || c >= '0' && c <= '9':
		return r.number()
	case c == '{' && depth < MaxDepth:
		return r.context(depth)
	case c == '[' && depth < MaxDepth:
		return r.list(depth)
	case c == '{' || c == '[':
		return r.fail("more than %d lists and objects within one another", MaxDepth)
	}
	switch {
	case r.word("null"):
		return Null()
	case r.word("true"):
		return Bool(true)
	case r.word("false"):
		return Bool(false)
	}
	return r.fail("a value is missing")
}

// word passes a word if it comes next.
func (r *reader) word(w string) bool {
	if len(r.raw)-r.pos < len(w) || string(r.raw[r.pos:r.pos+len(w)]) != w {
		return false
	}
	r.pos += len(w)
	return true
}

func (r *reader) list(depth int) Value {
	r.pos++
	r.space()
	b := Builder{items: []Value{}}
	if r.take(']') {
		return b.List()
	}
	for r.err == nil {
		r.space()
		b.Add(r.value(depth + 1))
		r.space()
		if r.take(']') {
			return b.List()
		}
		if !r.take(',') {
			r.fail("a comma or ] is missing")
		}
	}
	return Null()
}

func (r *reader) context(depth int) Value {
	r.pos++
	r.space()
	c := &Context{}
	if r.take('}') {
		return NewContext(c)
	}
	for r.err == nil {
		r.space()
		if r.peek() != '"' {
			return r.fail("a key is missing")
		}
		key := r.text()
		r.space()
		if !r.take(':') {
			return r.fail("a colon is missing")
		}
		r.space()
		c.Put(key, r.value(depth+1))
		r.space()
		if r.take('}') {
			return NewContext(c)
		}
		if !r.take(',') {
			r.fail("a comma or } is missing")
		}
	}
	return Null()
}

// number reads a number; one of up to 18 digits without a fraction needs no
// decimal.
func (r *reader) number() Value {
	start := r.pos
	negative := r.take('-')
	first := r.pos
	n := int64(0)
	digits := r.digits(&n)
	if digits == 0 || digits > 1 && r.raw[first] == '0' {
		return r.fail("a digit is missing")
	}
	whole := true
	var ignored int64
	if r.take('.') {
		whole = false
		if r.digits(&ignored) == 0 {
			return r.fail("a digit is missing")
		}
	}
	if r.take('e') || r.take('E') {
		whole = false
		if !r.take('+') {
			r.take('-')
		}
		if r.digits(&ignored) == 0 {
			return r.fail("a digit is missing")
		}
	}
	if whole && digits <= 18 {
		if negative {
			n = -n
		}
		return Int(n)
	}
	v, ok := ParseNumber(string(r.raw[start:r.pos]))
	if !ok {
		return r.fail("the number before has no place in 34 digits")
	}
	return v
}

// digits passes digits and counts them; n is their value if they are few.
func (r *reader) digits(n *int64) int {
	start := r.pos
	for c := r.peek(); c >= '0' && c <= '9'; c = r.peek() {
		*n = *n*10 + int64(c-'0')
		r.pos++
	}
	return r.pos - start
}

// text reads a string.
func (r *reader) text() string {
	r.pos++
	start := r.pos
	for r.pos < len(r.raw) {
		switch c := r.raw[r.pos]; {
		case c == '"':
			s := string(r.raw[start:r.pos])
			r.pos++
			return s
		case c < 0x20:
			r.fail("a control character stands in a string")
			return ""
		case c == '\\' || c >= utf8.RuneSelf:
			return r.mixed(start)
		}
		r.pos++
	}
	r.fail("a string does not end")
	return ""
}

// mixed reads the rest of a string that holds escapes, or more than ASCII: what
// is no UTF-8 becomes U+FFFD.
func (r *reader) mixed(start int) string {
	out := append(make([]byte, 0, 2*(r.pos-start)+32), r.raw[start:r.pos]...)
	for r.pos < len(r.raw) {
		switch c := r.raw[r.pos]; {
		case c == '"':
			r.pos++
			return string(out)
		case c < 0x20:
			r.fail("a control character stands in a string")
			return ""
		case c == '\\':
			char, ok := r.escape()
			if !ok {
				r.fail("an escape has no meaning")
				return ""
			}
			out = utf8.AppendRune(out, char)
		default:
			char, size := utf8.DecodeRune(r.raw[r.pos:])
			out = utf8.AppendRune(out, char)
			r.pos += size
		}
	}
	r.fail("a string does not end")
	return ""
}

func (r *reader) escape() (rune, bool) {
	if r.pos+1 >= len(r.raw) {
		return 0, false
	}
	c := r.raw[r.pos+1]
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		r.pos += 2
		return rune("\"\\/\b\f\n\r\t"[i]), true
	}
	high, ok := r.unit(r.pos)
	if !ok {
		return 0, false
	}
	r.pos += 6
	if !utf16.IsSurrogate(high) {
		return high, true
	}
	if low, ok := r.unit(r.pos); ok {
		if char := utf16.DecodeRune(high, low); char != utf8.RuneError {
			r.pos += 6
			return char, true
		}
	}
	return utf8.RuneError, true
}

// unit reads \uXXXX at a place.
func (r *reader) unit(at int) (rune, bool) {
	if at+6 > len(r.raw) || r.raw[at] != '\\' || r.raw[at+1] != 'u' {
		return 0, false
	}
	n := rune(0)
	for _, c := range r.raw[at+2 : at+6] {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}
