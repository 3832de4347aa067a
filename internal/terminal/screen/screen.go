// Package screen keeps a terminal from doing what a text says that others wrote,
// such as the output of a script: control characters are shown, not sent.
package screen

import (
	"fmt"
	"io"
	"unicode/utf8"
)

// Writer shows control characters as \u001b, and bytes that are no UTF-8 as \xff,
// which in JSON and in Go stand for themselves. Line ends and tabs pass. It keeps
// the beginning of a character until its end comes.
type Writer struct {
	to   io.Writer
	raw  *bool
	part []byte
}

// New writes to a terminal; while raw is true everything passes.
func New(to io.Writer, raw *bool) *Writer { return &Writer{to: to, raw: raw} }

// Write never passes a control character on.
func (w *Writer) Write(b []byte) (int, error) {
	if *w.raw {
		return w.to.Write(b)
	}
	all := append(w.part, b...)
	w.part = nil
	out := make([]byte, 0, len(all))
	for len(all) > 0 {
		r, size := utf8.DecodeRune(all)
		switch {
		case r == utf8.RuneError && size == 1 && !utf8.FullRune(all):
			w.part = append(w.part, all...)
			size = len(all)
		case r == utf8.RuneError && size == 1:
			out = fmt.Appendf(out, `\x%02x`, all[0])
		case r != '\n' && r != '\t' && control(r):
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = append(out, all[:size]...)
		}
		all = all[size:]
	}
	if _, err := w.to.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// control reports whether a terminal may do something else than show a character:
// the control characters, and those that turn the direction of a text around.
func control(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r <= 0x9f, r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}
