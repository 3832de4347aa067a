package pattern

import (
	_ "embed" // the table of blocks
	"strconv"
	"strings"
	"unicode"
)

// blocks lists the blocks of Unicode 15, each with its first and last character;
// below them stand the names that XML Schema 1.0 gave to some.
//
//go:embed blocks.txt
var blocks string

// block finds a block by its name without spaces.
func block(name string) (set, bool) {
	var out set
	for line := range strings.Lines(blocks) {
		if f := strings.Fields(line); f[0] == name {
			lo, _ := strconv.ParseInt(f[1], 16, 32)
			hi, _ := strconv.ParseInt(f[2], 16, 32)
			out = append(out, span{rune(lo), rune(hi)})
		}
	}
	return out, out != nil
}

// categories are those of XML Schema 1.1 part 2, table of G.4.2.2.
const categories = " L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po Z Zs Zl Zp S Sm Sc Sk So C Cc Cf Co Cn "

// property finds what \p{name} stands for.
func property(name string) (set, bool) {
	if is, ok := strings.CutPrefix(name, "Is"); ok {
		return block(is)
	}
	if name == "" || !strings.Contains(categories, " "+name+" ") {
		return nil, false
	}
	return ofTable(unicode.Categories[name]), true
}

// Of XML 1.1, productions 4 and 4a.
var (
	nameStart = set{
		{':', ':'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}, {0xC0, 0xD6}, {0xD8, 0xF6}, {0xF8, 0x2FF}, {0x370, 0x37D}, {0x37F, 0x1FFF},
		{0x200C, 0x200D}, {0x2070, 0x218F}, {0x2C00, 0x2FEF}, {0x3001, 0xD7FF}, {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF},
	}
	nameMore = set{{'-', '.'}, {'0', '9'}, {0xB7, 0xB7}, {0x300, 0x36F}, {0x203F, 0x2040}}
	blank    = set{{'\t', '\n'}, {'\r', '\r'}, {' ', ' '}}
	newline  = set{{'\n', '\n'}, {'\r', '\r'}}
)

// multiple finds what \s, \i, \c, \d, \w and their opposites stand for.
func multiple(letter rune) (set, bool) {
	var s set
	switch unicode.ToLower(letter) {
	case 's':
		s = blank
	case 'i':
		s = nameStart
	case 'c':
		s = normal(append(append(set{}, nameStart...), nameMore...))
	case 'd':
		s = ofTable(unicode.Nd)
	case 'w':
		var no set
		for _, t := range []*unicode.RangeTable{unicode.P, unicode.Z, unicode.C} {
			no = append(no, ofTable(t)...)
		}
		s = normal(no).complement()
	default:
		return nil, false
	}
	if unicode.IsUpper(letter) {
		s = s.complement()
	}
	return s, true
}

// plain finds the character that an escape such as \n or \. stands for.
func plain(letter rune) (rune, bool) {
	switch letter {
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	}
	return letter, strings.ContainsRune(`\|.?*+(){}-[]^$`, letter)
}
