package segment

import (
	"unicode"
	"unicode/utf8"
)

const (
	fnvOffset  = 14695981039346656037
	fnvPrime   = 1099511628211
	filterBits = 8 // per token
	probes     = 5
)

func ideograph(r rune) bool {
	return r >= 0x2E80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

func hashRune(h uint64, r rune) uint64 {
	var b [utf8.UTFMax]byte
	for _, c := range b[:utf8.EncodeRune(b[:], r)] {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return h
}

// tokens calls add with the hash (FNV-1a, 64 bits) of each word of a text in
// lower case: letters, digits and _. Of scripts that leave no space between
// words, each two signs that follow each other are one.
func tokens(text []byte, add func(uint64)) {
	h, open := uint64(fnvOffset), false
	before := rune(-1)
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			i++
			before = -1
			switch {
			case c >= 'A' && c <= 'Z':
				c += 'a' - 'A'
			case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_':
			default:
				if open {
					add(h)
					h, open = fnvOffset, false
				}
				continue
			}
			h, open = (h^uint64(c))*fnvPrime, true
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		i += n
		r = unicode.ToLower(r)
		wide := ideograph(r)
		if open && (wide || !unicode.IsLetter(r) && !unicode.IsDigit(r)) {
			add(h)
			h, open = fnvOffset, false
		}
		switch {
		case wide:
			if before >= 0 {
				add(hashRune(hashRune(fnvOffset, before), r))
			}
			before = r
			continue
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			h, open = hashRune(h, r), true
		}
		before = -1
	}
	if open {
		add(h)
	}
}

// filter says of a token that it is certainly not there, or may be.
type filter []byte

func newFilter(of map[uint64]struct{}) filter {
	f := make(filter, max(8, (len(of)*filterBits+7)/8))
	for h := range of {
		f.each(h, func(at, bit uint64) bool { f[at] |= 1 << bit; return true })
	}
	return f
}

func (f filter) each(h uint64, fn func(at, bit uint64) bool) {
	bits, step := uint64(len(f))*8, h>>32|1
	for range probes {
		n := h % bits
		if !fn(n/8, n%8) {
			return
		}
		h += step
	}
}

func (f filter) may(h uint64) bool {
	if len(f) == 0 {
		return true
	}
	may := true
	f.each(h, func(at, bit uint64) bool { may = f[at]&(1<<bit) != 0; return may })
	return may
}
