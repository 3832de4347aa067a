package manifest_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sextant/internal/lang/manifest"
)

func TestVersionsHaveAnOrder(t *testing.T) {
	t.Parallel()
	// Each line holds versions of one rank; each line comes before the next.
	ranks := strings.Split(`latest
nonsense
0.0.0-0
0 v0 0.0.0
0.1.0-alpha
0.1.0-alpha.1
0.1.0-alpha.02 0.1.0-alpha.2
0.1.0-alpha.10
0.1.0-alpha.beta
0.1.0-beta
0.1.0-rc.1
0.1 0.1.0 v0.1.0 V0.1 0.1.0+build.7 0.1.0.0
0.1.0.1
0.9.9
0.10.0
1.0.0-99999999999999999999
1.0.0-100000000000000000000
1.0.0-a
1 1.0.0
1.2.3.4.5.6
2.0`, "\n")
	for i, left := range ranks {
		for k, right := range ranks {
			for a := range strings.FieldsSeq(left) {
				for b := range strings.FieldsSeq(right) {
					if got := manifest.CompareVersions(a, b); got != cmp.Compare(i, k) {
						t.Errorf("%s and %s: got %d, want %d", a, b, got, cmp.Compare(i, k))
					}
				}
			}
		}
	}
}

func TestConstraints(t *testing.T) {
	t.Parallel()
	tests := []struct {
		constraint, yes, no string // versions with blanks between
	}{
		{"", "0.0.1 1.0.0-rc.1 v9", ""},
		{"1.2.3", "1.2.3 v1.2.3 1.2.3+x 1.2.3.0", "1.2.4 1.2.3-rc.1 1.2.2"},
		{"=1.2", "1.2.0 1.2.9 1.2.0-dev", "1.3.0 1.3.0-dev 1.1.9"},
		{"1", "1.0.0 1.9.9 1.0.0-a", "2.0.0 2.0.0-a 0.9"},
		{">=0.1", "0.1.0 0.1.0-dev 3.0.0", "0.0.9"},
		{">=0.1.0", "0.1.0 0.1.1-a", "0.1.0-dev 0.0.9"},
		{">1.2", "1.3.0 1.3.0-a 2.0", "1.2.0 1.2.9"},
		{">1.2.3", "1.2.4 1.2.3.1", "1.2.3 1.2.3-a"},
		{"<2", "1.9.9 0.1", "2.0.0 2.0.0-a"},
		{"<2.0.0", "1.9.9 2.0.0-a", "2.0.0"},
		{"<=1.2", "1.2.0 1.2.9 0.1", "1.3.0 1.3.0-a"},
		{"<=1.2.3", "1.2.3 1.2.3-a", "1.2.3.1 1.2.4"},
		{"^1.2", "1.2.0 1.9.9 1.2.0-a", "2.0.0 2.0.0-a 1.1.9"},
		{"^1.2.3", "1.2.3 1.9.9", "1.2.2 1.2.3-a 2.0.0-a"},
		{"^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2 1.0.0"},
		{"^0.0.3", "0.0.3", "0.0.4 0.1.0"},
		{"^0", "0.0.1 0.9.9", "1.0.0"},
		{"~1.2.3", "1.2.3 1.2.9", "1.3.0 1.3.0-a 1.2.2"},
		{"~1.2", "1.2.0 1.2.9", "1.3.0"},
		{"~1", "1.0.0 1.9.9", "2.0.0"},
		{">= 1.2 , < 2", "1.2.0 1.9.9", "1.1.9 2.0.0"},
		{">=1.2,<2,1.5", "1.5.0 1.5.9", "1.4.0 1.6.0"},
	}
	for _, tt := range tests {
		for want, versions := range map[bool]string{true: tt.yes, false: tt.no} {
			for v := range strings.FieldsSeq(versions) {
				if got, err := manifest.SatisfiesVersion(v, tt.constraint); err != nil || got != want {
					t.Errorf("%s for %q: got %v %v, want %v", v, tt.constraint, got, err, want)
				}
			}
		}
	}
	for _, bad := range [][2]string{
		{"latest", ""}, {"", ""}, {"1.2.3", "newest"}, {"1.2.3", ">=1.2,"}, {"1.2.3", "=>1"},
		{"1.2.3", ">"}, {"1.2.3", "1.x"}, {"1.2.3", "1 || 2"},
		{"1.2.3", strings.Repeat(">=1,", 16) + ">=1"}, {"1.2.3", "1.2.3.4.5.6.7"}, {"1.2.3", "9999999999"},
	} {
		if got, err := manifest.SatisfiesVersion(bad[0], bad[1]); err == nil || got {
			t.Errorf("%q for %q: got %v, and no error", bad[0], bad[1], got)
		}
	}
}

func versions() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(1, 4).Draw(t, "numbers")
		var numbers []string
		for range n {
			numbers = append(numbers, fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "number")))
		}
		v := strings.Join(numbers, ".")
		if rapid.Bool().Draw(t, "pre") {
			v += "-" + rapid.SampledFrom([]string{"0", "1", "2", "10", "a", "a.1", "a.b", "b", "a.1.0", "01"}).Draw(t, "part")
		}
		return v
	})
}

func TestTheOrderOfVersionsIsOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := versions().Draw(t, "a"), versions().Draw(t, "b"), versions().Draw(t, "c")
		ab, bc, ac := manifest.CompareVersions(a, b), manifest.CompareVersions(b, c), manifest.CompareVersions(a, c)
		if manifest.CompareVersions(a, a) != 0 || ab != -manifest.CompareVersions(b, a) {
			t.Errorf("%s and %s are ordered two ways", a, b)
		}
		if ab <= 0 && bc <= 0 && ac > 0 || ab == 0 && ac != bc {
			t.Errorf("%s, %s and %s go in a circle", a, b, c)
		}
	})
}

func TestConstraintsAgreeWithTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v, bound := versions().Draw(t, "v"), versions().Draw(t, "bound")
		holds := func(op string) bool {
			ok, err := manifest.SatisfiesVersion(v, op+bound)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		if holds(">=") == holds("<") || holds(">") == holds("<=") {
			t.Errorf("%s is on both sides of %s, or on none", v, bound)
		}
		if holds("=") != (holds(">=") && holds("<=")) {
			t.Errorf("%s equals %s in one way only", v, bound)
		}
		if (holds("^") || holds("~")) && !holds(">=") || holds("=") && !(holds("^") && holds("~")) {
			t.Errorf("%s and %s: ^ or ~ do not fit =", v, bound)
		}
		whole := strings.Count(bound, ".") >= 2 || strings.Contains(bound, "-")
		if order := manifest.CompareVersions(v, bound); whole && (holds("<") != (order < 0) || holds(">") != (order > 0)) {
			t.Errorf("%s and %s: the order is %d", v, bound, order)
		}
	})
}
