package clock_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sextant/internal/kit/clock"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Waiters wake once the clock reaches them, and not before.
func TestTheFakeClock(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c := clock.NewFake(start)
		waits := rapid.SliceOfN(rapid.IntRange(-1, 50), 1, 10).Draw(rt, "waits")
		stopped := rapid.SliceOfN(rapid.Bool(), len(waits), len(waits)).Draw(rt, "stopped")
		var chans []<-chan time.Time
		for i, w := range waits {
			ch, stop := c.After(time.Duration(w) * time.Second)
			chans = append(chans, ch)
			if stopped[i] {
				stop()
				stop() // twice does no harm
			}
		}
		woken := make([]bool, len(waits))
		for now := 0; now <= 60; {
			for i, ch := range chans {
				select {
				case at := <-ch:
					if woken[i] || waits[i] > now || stopped[i] && waits[i] > 0 || at.After(c.Now()) {
						rt.Fatalf("waiter %d of %ds woke at %ds", i, waits[i], now)
					}
					woken[i] = true
				default:
					if !woken[i] && waits[i] <= now && !(stopped[i] && waits[i] > 0) {
						rt.Fatalf("waiter %d of %ds sleeps at %ds", i, waits[i], now)
					}
				}
			}
			step := rapid.IntRange(1, 20).Draw(rt, "step")
			c.Advance(time.Duration(step) * time.Second)
			now += step
		}
	})
}

func TestTheRealClock(t *testing.T) {
	t.Parallel()
	var c clock.Real
	if c.Now().Location() != time.UTC {
		t.Error("not UTC")
	}
	ch, stop := c.After(time.Millisecond)
	defer stop()
	<-ch
}

func TestStoredTimes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		us := rapid.Int64Range(-1e17, 1e17).Draw(rt, "us")
		if got := clock.Micros(clock.FromMicros(us)); got != us {
			rt.Fatalf("%d became %d", us, got)
		}
	})
	if clock.Micros(time.Time{}) != 0 || !clock.FromMicros(0).IsZero() {
		t.Error("the zero time is not 0")
	}
}

func TestIdentifiersAndTokens(t *testing.T) {
	t.Parallel()
	c := clock.NewFake(start)
	var ids []string
	for range 100 {
		ids = append(ids, clock.NewID(c))
		c.Advance(time.Millisecond)
	}
	if !slices.IsSorted(ids) || len(ids[0]) != 26 {
		t.Errorf("%v", ids)
	}
	a, b := clock.NewToken("sx_"), clock.NewToken("sx_")
	if a == b || len(a) != 3+43 || !strings.HasPrefix(a, "sx_") || strings.ContainsAny(a, "+/=") {
		t.Errorf("%s and %s", a, b)
	}
}
