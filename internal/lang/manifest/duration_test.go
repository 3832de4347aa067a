package manifest_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sextant/internal/lang/manifest"
)

func TestDurations(t *testing.T) {
	t.Parallel()
	const bad = -1
	for text, want := range map[string]time.Duration{
		"PT30S": 30 * time.Second, "PT1H30M": 90 * time.Minute, "P1D": 24 * time.Hour,
		"P1W": 7 * 24 * time.Hour, "P1W2DT3H4M5.25S": (9*24+3)*time.Hour + 4*time.Minute + 5250*time.Millisecond,
		"PT0S": 0, "PT0.000000001S": 1, "PT90M": 90 * time.Minute, "P366D": 366 * 24 * time.Hour, "PT000000005S": 5 * time.Second,
		"": bad, "P": bad, "PT": bad, "P1DT": bad, "30s": bad, "P1Y": bad, "P1M": bad,
		"-PT1S": bad, "PT-1S": bad, "PT1.5M": bad, "PT1S ": bad, "pt1s": bad, "PT1,5S": bad,
		"P367D": bad, "PT999999999H": bad, "P366DT1S": bad, "PT1S1M": bad, "PT1.0000000001S": bad, "PT1234567890S": bad, "T1S": bad, "PT.5S": bad,
	} {
		got, err := manifest.Duration(text)
		if (err != nil) != (want == bad) || err == nil && got != want {
			t.Errorf("%q: got %v %v", text, got, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(366*24*time.Hour)).Draw(t, "d"))
		text := fmt.Sprintf("P%dDT%dH%dM%d.%09dS", d/(24*time.Hour), d%(24*time.Hour)/time.Hour,
			d%time.Hour/time.Minute, d%time.Minute/time.Second, d%time.Second)
		if got, err := manifest.Duration(text); err != nil || got != d {
			t.Errorf("%s: got %v %v", text, got, err)
		}
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text           string
		first, longest time.Duration
	}{
		{"PT5S", 5 * time.Second, 5 * time.Second},
		{"PT5S..PT60S", 5 * time.Second, time.Minute},
		{"PT5S..PT5S", 5 * time.Second, 5 * time.Second},
		{"PT5S..PT1S", 0, 0},
		{"PT0S", 0, 0},
		{"PT0S..PT5S", 0, 0},
		{"PT5S..", 0, 0},
		{"..PT5S", 0, 0},
		{"PT1S..PT2S..PT3S", 0, 0},
		{"soon", 0, 0},
	}
	for _, tt := range tests {
		first, longest, err := manifest.Backoff(tt.text)
		if first != tt.first || longest != tt.longest || (err == nil) != (tt.first > 0) {
			t.Errorf("%s: got %v %v %v", tt.text, first, longest, err)
		}
	}
}
