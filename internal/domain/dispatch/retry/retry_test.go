package retry_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"sextant/internal/domain/dispatch/retry"
	"sextant/sdk/go/wire"
)

// Waits double from the first to the longest, with a quarter of chance at most.
func TestWaitsDouble(t *testing.T) {
	t.Parallel()
	p, err := retry.Of(&wire.Retry{Max: 3, Backoff: "PT1S..PT10S", On: []string{"transport"}})
	if err != nil || p.Max != 3 || len(p.On) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	for n, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second} {
		other := false
		for range 50 {
			got := p.Wait(n)
			if got < want || got > want+want/4 {
				t.Errorf("try %d waits %s, want %s and a quarter at most", n, got, want)
			}
			other = other || got != p.Wait(n)
		}
		if !other {
			t.Errorf("try %d waits the same each time", n)
		}
	}
	for _, n := range []int{40, 62, 63, 64, 1 << 30} { // no count makes it wait less
		if got := p.Wait(n); got < 10*time.Second {
			t.Errorf("try %d waits %s", n, got)
		}
	}
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	if p, err := retry.Of(nil); err != nil || p.Max != 0 || p.First != time.Second || p.Longest != 30*time.Second {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := retry.Of(&wire.Retry{Max: 1}); err != nil || p.Max != 1 || p.First != time.Second {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := retry.Of(&wire.Retry{Max: 1, Backoff: "PT9S..PT5S"}); err == nil {
		t.Error("a wait that ends before it begins is taken")
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
