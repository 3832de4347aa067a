package rolling_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sextant/internal/lang/rolling"
)

func TestSizes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		n    int
		expr string
		want []int
	}{
		{100, "1 10% *2", []int{1, 10, 20, 40, 29}},
		{10, "1 +2", []int{1, 3, 5, 1}},
		{7, "10% 20%", []int{1, 2, 2, 2}},
		{10, "*2", []int{2, 4, 4}},
		{10, "33%", []int{4, 4, 2}},
		{33, "10", []int{10, 10, 10, 3}},
		{1000, "1 1% 10% 50%", []int{1, 10, 100, 500, 389}},
		{37, "2 *3", []int{2, 6, 18, 11}},
		{12, "+1", []int{1, 2, 3, 4, 2}},
		{1, "50%", []int{1}},
		{5, "100%", []int{5}},
		{0, "1", nil},
		{3, "  1\t1 ", []int{1, 1, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			t.Parallel()
			p, err := rolling.Parse(tt.expr)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, p.Sizes(tt.n)); diff != "" {
				t.Errorf("%d targets (-want +got):\n%s", tt.n, diff)
			}
		})
	}
}

func TestParseNamesThePlace(t *testing.T) {
	t.Parallel()
	tests := []struct {
		expr   string
		column int
	}{
		{"", 1}, {"   ", 1}, {"0", 1}, {"1 0%", 3}, {"101%", 1}, {"-1", 1}, {"1 x", 3},
		{"1 +", 3}, {"1  ++2", 4}, {"5%%", 1}, {"1,2", 1}, {"99999999999999999999", 1}, {"٣", 1},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			t.Parallel()
			_, err := rolling.Parse(tt.expr)
			var e *rolling.Error
			if !errors.As(err, &e) || e.Column != tt.column {
				t.Errorf("got %v, want an error at column %d", err, tt.column)
			}
		})
	}
}

func TestSplitLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		expr := rapid.StringMatching(`([+*]?[1-9][0-9]?|[1-9][0-9]?%)( ([+*]?[1-9][0-9]?|[1-9][0-9]?%)){0,3}`).Draw(t, "expr")
		items := rapid.SliceOfN(rapid.Int(), 0, 300).Draw(t, "items")
		p, err := rolling.Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		joined := []int{}
		for _, batch := range rolling.Split(p, items) {
			if len(batch) == 0 {
				t.Fatal("an empty batch")
			}
			joined = append(joined, batch...)
		}
		if diff := cmp.Diff(items, joined); diff != "" {
			t.Fatalf("%q changed the items:\n%s", expr, diff)
		}
	})
}

func TestFailureLimit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		limit     string
		n, failed int
		stop      bool
	}{
		{"0", 10, 1, true}, {"0", 10, 0, false}, {"3", 50, 3, false}, {"3", 50, 4, true},
		{"10%", 50, 5, false}, {"10%", 50, 6, true}, {"5%", 10, 1, true}, {"100%", 4, 4, false},
	}
	for _, tt := range tests {
		l, err := rolling.ParseFailureLimit(tt.limit)
		if err != nil {
			t.Fatal(err)
		}
		if l.String() != tt.limit {
			t.Errorf("%s is written %s", tt.limit, l)
		}
		if got := l.Exceeded(tt.failed, tt.n); got != tt.stop {
			t.Errorf("%s of %d with %d failed: stop is %v", tt.limit, tt.n, tt.failed, got)
		}
	}
	for _, bad := range []string{"", "-1", "101%", "x", "+2", "1.5"} {
		if _, err := rolling.ParseFailureLimit(bad); err == nil {
			t.Errorf("%q was read as a limit", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1 10% *2", 100)
	f.Fuzz(func(t *testing.T, expr string, n int) {
		p, err := rolling.Parse(expr)
		if err != nil || n < 0 || n > 5000 {
			return
		}
		sum := 0
		for _, size := range p.Sizes(n) {
			if size < 1 {
				t.Fatalf("a batch of %d", size)
			}
			sum += size
		}
		if sum != n {
			t.Fatalf("batches of %q hold %d of %d", expr, sum, n)
		}
	})
}
