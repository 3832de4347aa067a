package pattern

import (
	"cmp"
	"slices"
	"unicode"
)

// span is a range of characters, both its ends within it.
type span struct{ lo, hi rune }

// set is a set of characters: spans in order, apart from one another.
type set []span

func everything() set { return set{{0, unicode.MaxRune}} }

func char(r rune) set { return set{{r, r}} }

// normal puts spans in order and joins those that touch.
func normal(s set) set {
	slices.SortFunc(s, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	out := s[:0]
	for _, x := range s {
		if n := len(out); n > 0 && x.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, x.hi)
			continue
		}
		out = append(out, x)
	}
	return out
}

// complement holds every character that s does not.
func (s set) complement() set {
	out := set{}
	next := rune(0)
	for _, x := range s {
		if x.lo > next {
			out = append(out, span{next, x.lo - 1})
		}
		next = x.hi + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, span{next, unicode.MaxRune})
	}
	return out
}

// without holds what s holds and other does not.
func (s set) without(other set) set {
	out := set{}
	i := 0
	for _, x := range s {
		for i < len(other) && other[i].hi < x.lo {
			i++
		}
		lo := x.lo
		for j := i; j < len(other) && other[j].lo <= x.hi; j++ {
			if other[j].lo > lo {
				out = append(out, span{lo, other[j].lo - 1})
			}
			lo = other[j].hi + 1
		}
		if lo <= x.hi {
			out = append(out, span{lo, x.hi})
		}
	}
	return out
}

// has reports whether a character is in the set.
func (s set) has(r rune) bool {
	if len(s) < 8 {
		for _, x := range s {
			if r <= x.hi {
				return r >= x.lo
			}
		}
		return false
	}
	_, found := slices.BinarySearchFunc(s, r, func(x span, r rune) int {
		switch {
		case x.hi < r:
			return -1
		case x.lo > r:
			return 1
		}
		return 0
	})
	return found
}

// single gives the character of a set that holds just one.
func (s set) single() (rune, bool) {
	if len(s) != 1 || s[0].lo != s[0].hi {
		return 0, false
	}
	return s[0].lo, true
}

// ofTable turns a table of the standard library into a set.
func ofTable(t *unicode.RangeTable) set {
	out := make(set, 0, len(t.R16)+len(t.R32))
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			out = append(out, span{lo, hi})
			return
		}
		for r := lo; r <= hi; r += stride {
			out = append(out, span{r, r})
		}
	}
	for _, r := range t.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range t.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return normal(out)
}

// pair is a character and one that differs from it in case alone.
type pair struct{ of, is rune }

// pairs lists the case variants of all characters, in order of the characters.
func pairs() []pair {
	out := []pair{{'ß', 'ẞ'}} // has no upper case of its own
	for _, c := range unicode.CaseRanges {
		for r := rune(c.Lo); r <= rune(c.Hi); r++ {
			for _, v := range variants(r) {
				out = append(out, pair{r, v})
			}
		}
	}
	slices.SortFunc(out, func(a, b pair) int { return cmp.Compare(a.of, b.of) })
	return out
}

// variants are the characters that differ from one in case alone: their upper
// or their lower case is the same (F&O 5.6.2, flag i).
func variants(r rune) []rune {
	switch r {
	case 'ı':
		return []rune{'I', 'i'}
	case 'İ': // its lower case has two characters
		return nil
	}
	var out []rune
	for v := unicode.SimpleFold(r); v != r; v = unicode.SimpleFold(v) {
		if variant(r, v) {
			out = append(out, v)
		}
	}
	if r == 'i' || r == 'I' {
		out = append(out, 'ı')
	}
	return out
}

// variant reports whether two characters differ in case alone.
func variant(a, b rune) bool {
	return a != 'İ' && b != 'İ' && (unicode.ToLower(a) == unicode.ToLower(b) || unicode.ToUpper(a) == unicode.ToUpper(b))
}
