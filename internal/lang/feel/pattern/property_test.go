package pattern_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"sextant/internal/lang/feel/pattern"
)

// patterns draws patterns without back-references.
func patterns(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 9).Draw(t, "kind")
		if depth == 0 {
			kind = min(kind, 3)
		}
		switch kind {
		case 0, 1:
			return rapid.SampledFrom([]string{"a", "b", "c", "K", "é", ".", "\\.", " ", "\n"}).Draw(t, "char")
		case 2:
			return rapid.SampledFrom([]string{"[ab]", "[^a]", "[a-c-[b]]", "[a-zA-Z]",
				`\d`, `\D`, `\w`, `\s`, `\p{Lu}`, `\P{L}`, `[^\s\d]`, `\i`, `\p{IsLatin-1Supplement}`}).Draw(t, "class")
		case 3:
			return rapid.SampledFrom([]string{"^", "$", ""}).Draw(t, "anchor")
		case 4, 5:
			return patterns(depth-1).Draw(t, "x") + patterns(depth-1).Draw(t, "y")
		case 6:
			return "(?:" + patterns(depth-1).Draw(t, "x") + "|" + patterns(depth-1).Draw(t, "y") + ")"
		case 7:
			return "(" + patterns(depth-1).Draw(t, "x") + ")"
		}
		times := rapid.SampledFrom([]string{"*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,3}?", "{2,}", "{0}"}).Draw(t, "times")
		open := rapid.SampledFrom([]string{"(", "(?:"}).Draw(t, "open")
		return open + patterns(depth-1).Draw(t, "x") + ")" + times
	})
}

func texts() *rapid.Generator[string] {
	return rapid.StringOfN(rapid.SampledFrom([]rune{'a', 'b', 'c', 'A', 'k', '\u212a', 'é', 'É', '.', ' ', '\n', '1'}), 0, 12, -1)
}

// RE2 and the matcher agree about every match and its groups, and where a loop may
// go round without taking anything, which the standard leaves open, about whether
// there is a match. The matcher finds the same whether it remembers or not.
func TestTranslationAndMatcherAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, flags := patterns(4).Draw(t, "pattern"), rapid.SampledFrom([]string{"", "s", "i", "x", "si", "m"}).Draw(t, "flags")
		p, err := pattern.Compile(text, flags)
		re, idle := pattern.Translated(text, flags)
		if err != nil || re == nil {
			t.Skip()
		}
		s := texts().Draw(t, "text")
		if flags == "m" {
			s = strings.TrimRight(s, "\n") // where the two differ by design
		}
		got, err := p.Matches(s, true)
		if err != nil {
			t.Fatalf("%q %s in %q: %v", text, flags, s, err)
		}
		if again, err := p.Matches(s, false); !errors.Is(err, pattern.ErrStopped) && fmt.Sprint(again) != fmt.Sprint(got) {
			t.Fatalf("%q %s in %q: got %v, without remembering %v %v", text, flags, s, got, again, err)
		}
		if want := re.FindAllStringSubmatchIndex(s, -1); !idle && fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%q %s in %q: got %v, want %v", text, flags, s, got, want)
		}
		if (len(got) > 0) != re.MatchString(s) {
			t.Fatalf("%q %s in %q: got %v, RE2 sees another thing", text, flags, s, got)
		}
		if matched, err := p.Match(s, free); err != nil || matched != re.MatchString(s) {
			t.Fatalf("%q %s in %q: %v %v", text, flags, s, matched, err)
		}
	})
}

// A reference to a group that holds one fixed text is as that text.
func TestReferenceIsTheTextOfItsGroup(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		word, rest := rapid.StringMatching(`[abc]{1,3}`).Draw(t, "word"), patterns(2).Draw(t, "rest")
		s := texts().Draw(t, "text")
		back, err1 := pattern.Compile("("+word+")(?:"+rest+`)\1`, "")
		plain, err2 := pattern.Compile("("+word+")(?:"+rest+")"+word, "")
		if err1 != nil || err2 != nil {
			t.Skip()
		}
		got, err1 := back.Matches(s, false)
		want, err2 := plain.Matches(s, true)
		if err1 != nil || err2 != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("(%s)(?:%s)\\1 in %q: %v %v, want %v %v", word, rest, s, got, err1, want, err2)
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, seed := range [][4]string{{"(a|b)*\\1", "i", "abba", "$1"}, {"[a-z-[aeiou]]+", "x", "xyz", "$0\\$"},
		{"^$", "m", "a\n", ""}, {`\p{IsGreek}{2,3}?`, "", "ΩΩΩ", "-"}, {"(a+)+$", "s", "aaab", "$12"}} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, text, flags, s, to string) {
		p, err := pattern.Compile(text, flags)
		if err != nil {
			var e *pattern.Error
			if errors.As(err, &e) && (e.Offset < -1 || e.Offset > len(text)) {
				t.Fatalf("%q: the error is at %d", text, e.Offset)
			}
			return
		}
		matched, err := p.Match(s, purse(100_000))
		if err != nil {
			return
		}
		found, err := p.FindAll(s, purse(100_000))
		if err == nil && matched != (len(found) > 0) {
			t.Fatalf("%q %q in %q: matches %v, found %q", text, flags, s, matched, found)
		}
		parts, err := p.Split(s, purse(100_000))
		if err == nil && utf8.ValidString(s) && len(strings.Join(parts, ""))+len(strings.Join(found, "")) != len(s) {
			t.Fatalf("%q %q in %q: parts %q and matches %q are not the whole", text, flags, s, parts, found)
		}
		if out, err := p.Replace(s, to, 1<<16, purse(100_000)); err == nil && len(out) > 1<<16 {
			t.Fatalf("%d bytes", len(out))
		}
	})
}
