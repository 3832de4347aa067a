package wire_test

import (
	"testing"
	"time"

	"sextant/sdk/go/wire"
)

// Both ways to write a duration mean the same, and nothing else is taken for one.
func TestDurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"PT10M": 10 * time.Minute, "10m": 10 * time.Minute, "PT0.5S": 500 * time.Millisecond,
		"0.5s": 500 * time.Millisecond, "500ms": 500 * time.Millisecond,
		"P1DT2H": 26 * time.Hour, "1d2h": 26 * time.Hour, "P1W": 168 * time.Hour,
		"1w": 168 * time.Hour, "1h30m": 90 * time.Minute, "PT0S": 0, "0s": 0, " PT1S ": time.Second, "P366D": wire.MaxDuration,
	} {
		if got, err := wire.ParseDuration(text); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "soon", "10", "P", "PT", "T10M", "P1Y",
		"P1M", "-10m", "10m1h", "pt10m", "10M", "1.5h", "10 m", "P367D", "367d", "99999999h", "5us", "1m-1s"} {
		if got, err := wire.ParseDuration(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}
