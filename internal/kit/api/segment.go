package api

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSegment is the length of the longest name in a path, in characters.
const maxSegment = 190

// Segment reports whether a name can stand in a path as one part of it, and reads the
// same to everybody: no dots alone, no slashes, spaces or characters that are not seen.
func Segment(name string) bool {
	return name != "" && name != "." && name != ".." && utf8.ValidString(name) && utf8.RuneCountInString(name) <= maxSegment &&
		!strings.ContainsFunc(name, func(r rune) bool {
			return r == '/' || r == '\\' || unicode.IsSpace(r) || !unicode.IsGraphic(r)
		})
}
