package pattern_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"sextant/internal/lang/feel/pattern"
)

// free grants every step.
func free(int64) bool { return true }

// purse grants a number of steps.
func purse(steps int64) func(int64) bool {
	return func(n int64) bool {
		steps -= n
		return steps >= 0
	}
}

func compile(t *testing.T, text, flags string) *pattern.Pattern {
	t.Helper()
	p, err := pattern.Compile(text, flags)
	if err != nil {
		t.Fatalf("%s %s: %v", text, flags, err)
	}
	return p
}

func TestMatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, flags, text string
		want                 bool
	}{
		{"", "", "", true}, {"", "", "x", true}, {"a", "", "xax", true}, {"^a$", "", "xax", false},
		{"a|b|", "", "", true}, {"(?:ab)+", "", "abab", true}, {"^(ab){2,3}$", "", "abababab", false},
		{"^(ab){2,}$", "", "abababab", true}, {"^a{0}$", "", "", true}, {"^a{0,0}b$", "", "ab", false},
		{"^(a{2}){2}$", "", "aaaa", true}, {`^\(\)\[\]\{\}\|\.\?\*\+\-\^\$\\$`, "", `()[]{}|.?*+-^$\`, true},
		// anchors
		{"^b", "", "a\nb", false}, {"^b", "m", "a\nb", true}, {"a$", "", "a\n", false},
		{"a$", "m", "a\n", true}, {"^$", "m", "\nabcd\ndefg\n", true}, {"^$", "m", "abcd\n\ndefg\n ", true},
		{"^$", "m", "abcd\n", false}, {"^$", "m", "", true}, {"^$", "m", "\n", true},
		{"^", "m", "x\n", true}, {"x^y", "", "xy", false}, {"(^a)*b", "", "b", true}, {"\n^", "m", "a\n", false},
		// the dot
		{"^.$", "", "\n", false}, {"^.$", "", "\r", false}, {"^.$", "s", "\n", true},
		{"^.$", "", "\u2028", true}, {"^.$", "", "😀", true}, {"Mary.Jones", "", "Mary\rJones", false},
		// classes
		{"^[a-c]+$", "", "abc", true}, {"^[^a-c]$", "", "b", false}, {"^[a-z-[aeiou]]+$", "", "xyz", true},
		{"^[a-z-[aeiou]]+$", "", "xay", false}, {"^[a-z-[a-m-[c]]]+$", "", "cnz", true},
		{"^[^a-z-[0-9]]$", "", "5", false}, {"^[^a-z-[0-9]]$", "", "A", true},
		{"^[-a]+$", "", "-a", true}, {"^[a-]+$", "", "a-", true}, {"^[a^]+$", "", "^a", true}, {`^[\]\[]+$`, "", "[]", true},
		{"^[+-.]$", "", ",", true}, {"[0-9-.]*/", "", "input", false}, {`^[\d-a]+$`, "", "1-a", true},
		{"^[a--[b]]+$", "", "a-", true}, {"^[.*?$]+$", "", ".*?$", true}, {`^[\n\t\r]+$`, "", "\n\t\r", true},
		// escapes for many characters
		{`^\d$`, "", "٣", true}, {`^\d$`, "", "²", false}, {`^\D$`, "", "x", true},
		{`^\w+$`, "", "aé1€", true}, {`^\w$`, "", "_", false}, {`^\w$`, "", "-", false}, {`^\W$`, "", "_", true},
		{`^\s$`, "", "\u00a0", false}, {`^\s+$`, "", " \t\r\n", true}, {`^\S$`, "", "\u00a0", true},
		{`^\i\c*$`, "", "xs:name-1.é", true}, {`^\i$`, "", "1", false}, {`^\I$`, "", "1", true}, {`^\C$`, "", " ", true},
		{`^\w$`, "", "\U000E0FFF", false}, {`^[\s\d]+$`, "", "1 2", true}, {`^[^\s\d]$`, "", "1", false},
		{`^[\w-[\d]]+$`, "", "abc", true}, {`^[\w-[\d]]+$`, "", "a1", false},
		// categories and blocks
		{`^\p{Lu}$`, "", "É", true}, {`^\P{Lu}$`, "", "é", true}, {`^\p{L}\p{Nd}\p{Pd}$`, "", "a1-", true},
		{`^\p{Cn}$`, "", "\u0378", true}, {`^\p{C}$`, "", "\u0378", true},
		{`^\p{IsBasicLatin}+$`, "", "hello world", true}, {`^\p{IsGreek}$`, "", "Ω", true},
		{`^\p{IsGreekandCoptic}$`, "", "Ω", true}, {`^\P{IsCyrillic}$`, "", "Ж", false}, {`^\p{IsLatin-1Supplement}$`, "", "é", true},
		{`^[\p{IsCJKUnifiedIdeographs}x]+$`, "", "中x", true}, {`^\p{IsPrivateUse}$`, "", "\U000F0000", true},
		{`^\p{IsKaktovikNumerals}$`, "", "\U0001D2C0", true},
		// flag i
		{"abc", "i", "xABCx", true}, {"^[A-Z]*$", "i", "abZ", true}, {"k", "i", "\u212a", true},
		{"\u212a", "i", "K", true}, {"[A-Z-[OI]]", "i", "x", true}, {"[A-Z-[OI]]", "i", "o", false}, {"[A-Z-[OI]]", "i", "I", false},
		{"[^Q]", "i", "q", false}, {"[^Q]", "i", "Q", false}, {`\p{Lu}`, "i", "a", false}, {"ſ", "i", "S", true},
		{"ß", "i", "ẞ", true}, {"i", "i", "İ", false}, {"ı", "i", "I", true}, {"I", "i", "ı", true}, {"σ", "i", "ς", true},
		// flags x and q
		{`hello\ sworld`, "x", "hello world", true}, {" hello[ ]world", "x", "hello world", true},
		{`he ll o[ ]worl d`, "x", "hello world", true}, {`\p{ I s B a s i c L a t i n }+`, "x", "a", true}, {"a b", "x", "a b", false},
		{"[ ]", "x", " ", true}, {`\[ \]`, "x", "[]", true}, {"a {2 , 3}b", "x", "aab", true}, {"[a-z-[ ]] b", "x", "ab", true},
		{"(?:abra(?:cad)?)*", "q", "abracadabra", false}, {"x[y-z]", "q", "x[y-z]", true},
		{"X[y-Z]", "qi", "x[Y-z]", true}, {`\`, "q", `a\b`, true}, {"a b", "qx", "a b", true}, {"^", "qm", "^", true}, {"", "sss", "", true},
		// references back
		{`^(a)\1$`, "", "aa", true}, {`^(a)\1$`, "", "ab", false}, {`^(a)\1$`, "i", "aA", true},
		{`^(a+)b\1$`, "", "aabaa", true}, {`^(a+)b\1$`, "", "aaba", false}, {`^(?:(a)|b)\1c$`, "", "bc", true}, {`(.)\1`, "", "hello", true},
		{`^(.*)\1$`, "", "abcabc", true}, {`^(.+?)\1+$`, "", "ababab", true}, {`^(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\10$`, "", "abcdefghijj", true},
		{`^(a)\10$`, "", "aa0", true}, {`^(a|ab)(c|bcd)\1$`, "", "abcda", true},
		{`(['"]).*?\1`, "", `say "it's" now`, true}, {`^(a*)*\1$`, "", "aaaa", true}, {`(ß)\1`, "i", "ßẞ", true},
		{`^(ab?)*\1$`, "", "aaba", false}, {`^(?:(x)|(y)\1)+$`, "", "xyxy", false}, {`^(?:(x)|(y)\1)+$`, "", "xyxyx", true},
	}
	for _, tt := range tests {
		got, err := compile(t, tt.pattern, tt.flags).Match(tt.text, free)
		if err != nil || got != tt.want {
			t.Errorf("%q %s of %q: got %v %v, want %v", tt.pattern, tt.flags, tt.text, got, err, tt.want)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, flags string
		offset         int
		message        string
	}{
		{"(", "", 0, "not closed"}, {"a(b", "", 1, "not closed"}, {"a)", "", 1, "closes nothing"},
		{"[a", "", 0, "not closed"}, {"[]", "", 0, "holds nothing"}, {"[^]", "", 0, "holds nothing"}, {"a]", "", 1, `written \]`},
		{"*a", "", 0, "nothing before"}, {"a**", "", 2, "nothing before"}, {"a|+", "", 2, "nothing before"},
		{"(?:*)", "", 3, "nothing before"}, {"a???", "", 3, "nothing before"}, {"a{2,1}", "", 1, "at least 2 and at most 1"},
		{"a{", "", 1, "number of times"}, {"a{,2}", "", 1, "number of times"}, {"a{x}", "", 1, "number of times"},
		{"a{2", "", 1, "not closed with }"}, {"{2}", "", 0, `written \{`}, {"a}", "", 1, `written \}`}, {"a{2}{3}", "", 4, `written \{`},
		{`\z`, "", 0, `\z is no escape`}, {`a\b`, "", 1, "no escape"}, {`\A`, "", 0, "no escape"}, {`\`, "", 0, "escapes nothing"},
		{`\0`, "", 0, "no escape"}, {`\u0041`, "", 0, "no escape"}, {`\é`, "", 0, "no escape"}, {`\ `, "", 0, "no escape"},
		{`\1`, "", 0, "does not end before"}, {`(a)\2`, "", 3, "does not end before"},
		{`(a\1)`, "", 2, "does not end before"}, {`\1(a)`, "", 0, "does not end before"},
		{`(.)\3`, "", 3, "does not end before"}, {`(asd)[\1]`, "", 6, "refer back"}, {`(asd)[asd\0]`, "", 9, "refer back"},
		{"(?i)a", "", 0, "XPath knows no other"}, {"(?=a)", "", 0, "XPath knows no other"},
		{"(?P<n>a)", "", 0, "XPath knows no other"}, {"[b-a]", "", 1, "backwards"},
		{`[a-\d]`, "", 1, "not with a class"}, {"[a[b]]", "", 2, `written \[`}, {"[a-[b]c]", "", 6, "a class ends"},
		{`[a-`, "", 3, "not closed"}, {`\p`, "", 0, `\p wants`}, {`\p{L`, "", 0, "not closed"}, {`\p{Xx}`, "", 0, "no category"},
		{`\p{IsNowhere}`, "", 0, "no category"}, {`\p{}`, "", 0, "no category"}, {`\p{ IsBasicLatin}+`, "", 0, "no category"},
		{`\p{Latin}`, "", 0, "no category"}, {`\pL`, "", 0, `\p wants`}, {`\p{Cs}`, "", 0, "no category"}, {`\p{ }`, "", 0, "no category"},
		{"  a )", "x", 4, "closes nothing"}, {"é(", "", 2, "not closed"}, {`[\q]`, "", 1, "no escape"}, {"[[:alpha:]]", "", 1, `written \[`},
	}
	for _, tt := range tests {
		_, err := pattern.Compile(tt.pattern, tt.flags)
		var e *pattern.Error
		if !errors.As(err, &e) || e.Offset != tt.offset || !strings.Contains(e.Error(), tt.message) {
			t.Errorf("%s: got %v, want %q at %d", tt.pattern, err, tt.message, tt.offset)
		}
	}
	for _, flags := range []string{"p", " ", "X", "si,"} {
		if _, err := pattern.Compile("a", flags); err == nil || !strings.Contains(err.Error(), "none of s, m, i, x and q") {
			t.Errorf("flags %q: %v", flags, err)
		}
	}
	for _, text := range []string{strings.Repeat("a", 1001), "(a{100}){101}",
		"((((.{0,9}){0,9}){0,9}){0,9}){0,9}", "a{99999999999999999999}", strings.Repeat(`\w`, 400), strings.Repeat(`[\w-[\d]]`, 100)} {
		var e *pattern.Error
		if _, err := pattern.Compile(text, ""); err == nil || errors.As(err, &e) && e.Offset >= 0 {
			t.Errorf("%.20s: %v, want it to be too large", text, err)
		}
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	tests := []struct{ pattern, flags, text, to, want string }{
		{"bra", "", "abracadabra", "*", "a*cada*"}, {"a.*a", "", "abracadabra", "*", "*"}, {"a.*?a", "", "abracadabra", "*", "*c*bra"},
		{"a", "", "abracadabra", "", "brcdbr"}, {"a(.)", "", "abracadabra", "a$1$1", "abbraccaddabbra"},
		{"A+", "", "AAAA", "b", "b"}, {"A+?", "", "AAAA", "b", "bbbb"}, {"^(.*?)d(.*)$", "", "darted", "$1c$2", "carted"},
		{"(ab)|(a)", "", "abcd", "[1=$1][2=$2]", "[1=ab][2=]cd"}, {"[iouy]", "", "facetiously", "[$0]", "facet[i][o][u]sl[y]"},
		{"(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)", "", "abcdefghij", "$10$1", "ja"}, {"(a)", "", "a", "$10", "a0"},
		{"(a)", "", "a", "$2-$19", "-a9"}, {"-", "", "a-b", `\$\\`, `a$\b`}, {"a", "q", "a.a", `$1\`, `$1\.$1\`}, {"é", "", "éaé", "e", "eae"},
		{`(.)\1`, "", "hello aabb", "<$1>", "he<l>o <a><b>"}, {"[a-z]", "x", "a b c d ", "#", "# # # # "},
		{".^[d-z]*", "smix", "abc", "#", "abc"}, {"^", "m", "", "", "!"}, {"b$", "m", "ab\nb\n", "c", "ac\nc\n"},
		{`\s+`, "", " a  b ", "", "ab"}, {"(a)|b", "", "ab", "[$1]", "[a][]"},
		{`(\d{3})(\d{3})(\d{4})`, "", "0123456789", "($1) $2-$3", "(012) 345-6789"},
	}
	for _, tt := range tests {
		got, err := compile(t, tt.pattern, tt.flags).Replace(tt.text, tt.to, 1000, free)
		if tt.want == "!" {
			if !errors.Is(err, pattern.ErrEmpty) {
				t.Errorf("%s: %q %v, want an error for the empty match", tt.pattern, got, err)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("%s of %s by %s: got %q %v, want %q", tt.pattern, tt.text, tt.to, got, err, tt.want)
		}
	}
	p := compile(t, "(a)", "")
	for _, to := range []string{"$", "$x", `\`, `\n`, "a$"} {
		if got, err := p.Replace("a", to, 1000, free); err == nil {
			t.Errorf("replacement %q gives %q, want an error", to, got)
		}
	}
	for _, to := range []string{"", "x", "xxxxxxxxxxx"} {
		if got, err := p.Replace("bbbbbbbbab", to, 8, free); !errors.Is(err, pattern.ErrLong) {
			t.Errorf("by %q: %q %v, want it to be too long", to, got, err)
		}
	}
}

func TestSplitAndFindAll(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, text string
		split, found  []string
	}{
		{`\s`, "John Doe", []string{"John", "Doe"}, []string{" "}},
		{";", "a;b;c;;", []string{"a", "b", "c", "", ""}, []string{";", ";", ";", ";"}},
		{";", "", []string{""}, []string{}},
		{"", "aé", []string{"a", "é"}, []string{"", "", ""}},
		{"x*", "axxb", []string{"a", "b"}, []string{"", "xx", ""}},
		{"a|b", "aXb", []string{"", "X", ""}, []string{"a", "b"}},
		{"(.)\\1", "xaaybbz", []string{"x", "y", "z"}, []string{"aa", "bb"}},
		{"^", "ab", []string{"ab"}, []string{""}},
		{"$", "ab", []string{"ab"}, []string{""}},
		{"b|ab*c", "abbbab", []string{"a", "", "", "a", ""}, []string{"b", "b", "b", "b"}},
	}
	for _, tt := range tests {
		p := compile(t, tt.pattern, "")
		if got, err := p.Split(tt.text, free); err != nil || !slices.Equal(got, tt.split) {
			t.Errorf("split %q by %q: got %q %v, want %q", tt.text, tt.pattern, got, err, tt.split)
		}
		if got, err := p.FindAll(tt.text, free); err != nil || !slices.Equal(got, tt.found) {
			t.Errorf("find %q in %q: got %q %v, want %q", tt.pattern, tt.text, got, err, tt.found)
		}
	}
}

// Whatever pattern and text are, the steps bound the work.
func TestHostilePatternsEndByTheirSteps(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 100_000)
	for _, tt := range []struct{ pattern, text string }{
		{`(a|aa)+\1b`, long}, {`^(a+)+\1$`, strings.Repeat("a", 40) + "b"}, {`(a*)*\1b`, long[:1000]},
		{`(.*)(.*)(.*)(.*)\1\2\3\4x`, long[:1000]}, {`((a{0,9}){0,9}){0,9}\1c`, long[:5000]}, {`(a)\1{5000}b`, long},
	} {
		p := compile(t, tt.pattern, "")
		steps := int64(0)
		_, err := p.Match(tt.text, func(n int64) bool {
			steps += n
			return steps < 1_000_000
		})
		if err == nil && steps > 1_000_000 || err != nil && !errors.Is(err, pattern.ErrStopped) && !errors.Is(err, pattern.ErrTooLarge) {
			t.Errorf("%s: %v after %d steps", tt.pattern, err, steps)
		}
	}
	// Without back-references it is a matter of lengths alone.
	for _, tt := range []struct{ pattern, text string }{
		{"(a+)+$", long[:20_000] + "b"}, {"(a|aa)+$", long[:20_000] + "b"}, {"(x+x+)+y", strings.Repeat("x", 20_000)},
		{"a.*b|a", long[:20_000]}, {"(.*)*(.*)*b", long[:10_000]}, {"a{0,1000}b", long[:10_000]},
	} {
		p := compile(t, tt.pattern, "")
		if _, err := p.Match(tt.text, purse(200_000)); err != nil {
			t.Errorf("match %s: %v", tt.pattern, err)
		}
		if _, err := p.FindAll(tt.text, purse(1_500_000)); err != nil &&
			!(errors.Is(err, pattern.ErrTooLarge) && strings.Contains(tt.pattern, "1000")) {
			t.Errorf("find %s: %v", tt.pattern, err)
		}
	}
	if _, err := compile(t, "(a|b)*c", "").Match(long, purse(10)); !errors.Is(err, pattern.ErrStopped) {
		t.Errorf("ten steps were enough: %v", err)
	}
}

// What RE2 does not compile is matched all the same.
func TestManyTimes(t *testing.T) {
	t.Parallel()
	p := compile(t, "^(ab){1500}$", "")
	for n, want := range map[int]bool{1499: false, 1500: true, 1501: false} {
		if got, err := p.Match(strings.Repeat("ab", n), free); err != nil || got != want {
			t.Errorf("%d times: %v %v", n, got, err)
		}
	}
	if p.Size() < 1500 || p.Groups() != 1 {
		t.Errorf("size %d, groups %d", p.Size(), p.Groups())
	}
}
