package retry_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sextant/internal/domain/dispatch/retry"
	"sextant/sdk/go/wire"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   *wire.Retry
		want retry.Policy
		bad  bool
	}{
		"nothing-declared": {want: retry.Policy{First: time.Second, Longest: 30 * time.Second}},
		"how-often-alone": {in: &wire.Retry{Max: 3, On: []string{"busy"}},
			want: retry.Policy{Max: 3, First: time.Second, Longest: 30 * time.Second, On: []string{"busy"}}},
		"how-fast-too": {in: &wire.Retry{Max: 1, Backoff: "PT2S..PT1M"},
			want: retry.Policy{Max: 1, First: 2 * time.Second, Longest: time.Minute}},
		"unreadable": {in: &wire.Retry{Max: 1, Backoff: "soon"}, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := retry.Of(c.in)
			if c.bad {
				if err == nil {
					t.Fatalf("%+v instead of an error", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Max != c.want.Max || got.First != c.want.First || got.Longest != c.want.Longest || !slices.Equal(got.On, c.want.On) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// A wait doubles from the first to the longest and has at most a quarter of chance
// on top, for every try there may be.
func TestWait(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := retry.Policy{First: time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "first"))}
		p.Longest = p.First + time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "more"))
		n := rapid.IntRange(0, 1000).Draw(t, "try")
		want := p.First
		for range n {
			if want = min(2*want, p.Longest); want == p.Longest {
				break
			}
		}
		if got := p.Wait(n); got < want || got > want+want/4 {
			t.Fatalf("try %d waits %s, want %s to %s", n, got, want, want+want/4)
		}
	})
}

// Rows that failed together do not come back together.
func TestWaitsDiffer(t *testing.T) {
	t.Parallel()
	p := retry.Policy{First: time.Hour, Longest: time.Hour}
	seen := map[time.Duration]bool{}
	for range 100 {
		seen[p.Wait(1)] = true
	}
	if len(seen) < 50 {
		t.Errorf("100 rows come back at %d times", len(seen))
	}
}
