package pattern

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// translate writes a pattern without back-references in the syntax of RE2.
func translate(n *node) string {
	var b strings.Builder
	write(&b, n)
	return b.String()
}

func write(b *strings.Builder, n *node) {
	switch n.kind {
	case kindSet:
		writeSet(b, n.set)
	case kindCat:
		for _, s := range n.subs {
			write(b, s)
		}
	case kindAlt:
		writeAround(b, "(?:", n.subs)
	case kindGroup:
		writeAround(b, "(", n.subs)
	case kindRepeat:
		writeAround(b, "(?:", n.subs)
		writeCounts(b, n)
	case kindStart:
		b.WriteString(`\A`)
	case kindEnd:
		b.WriteString(`\z`)
	case kindLineStart:
		b.WriteString(`(?m:^)`)
	case kindLineEnd:
		b.WriteString(`(?m:$)`)
	}
}

func writeAround(b *strings.Builder, open string, alternatives []*node) {
	b.WriteString(open)
	for i, s := range alternatives {
		if i > 0 {
			b.WriteByte('|')
		}
		write(b, s)
	}
	b.WriteByte(')')
}

func writeCounts(b *strings.Builder, n *node) {
	switch {
	case n.max < 0:
		fmt.Fprintf(b, "{%d,}", n.min)
	case n.max == n.min:
		fmt.Fprintf(b, "{%d}", n.min)
	default:
		fmt.Fprintf(b, "{%d,%d}", n.min, n.max)
	}
	if n.lazy {
		b.WriteByte('?')
	}
}

func writeSet(b *strings.Builder, s set) {
	if r, ok := s.single(); ok {
		b.WriteString(regexp.QuoteMeta(string(r)))
		return
	}
	if len(s) == 0 {
		fmt.Fprintf(b, `[^\x00-\x{%X}]`, unicode.MaxRune)
		return
	}
	b.WriteByte('[')
	for _, x := range s {
		fmt.Fprintf(b, `\x{%X}-\x{%X}`, x.lo, x.hi)
	}
	b.WriteByte(']')
}
