package value_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"sextant/internal/lang/feel/value"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"PT10S": "PT10S", "PT90M": "PT1H30M", "P1DT2H": "P1DT2H", "P1Y6M": "P1Y6M",
		"P14M": "P1Y2M", "-PT5M": "-PT5M", "PT0S": "PT0S", "P0D": "PT0S", "P0M": "P0M",
		"PT0.25S": "PT0.25S", "PT1.S": "PT1S", "P106751D": "P106751D", "PT36H": "P1DT12H", "P1W": "P7D", "P1W1D": "P8D", "-P1Y": "-P1Y",
	} {
		d, err := value.ParseDuration(text)
		if err != nil || d.String() != want {
			t.Errorf("%s: %s %v, want %s", text, d, err, want)
		}
	}
	for _, text := range []string{"", "P", "PT", "P1DT", "10S", "P1Y2D", "P1H",
		"PT1D", "P-1D", "PT1.5M", "P1M1D", "P999999999999999999999D", "p1d", "P106752D", "PT1S\n"} {
		if d, err := value.ParseDuration(text); err == nil {
			t.Errorf("%q was read as %s", text, d)
		}
	}
}

func TestAddDurationFollowsTheCalendar(t *testing.T) {
	t.Parallel()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		from     time.Time
		duration string
		want     string
	}{
		{time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC), "P1M", "2026-02-28T10:00:00Z"},
		{time.Date(2024, 1, 31, 10, 0, 0, 0, time.UTC), "P1M", "2024-02-29T10:00:00Z"},
		{time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), "P1Y", "2025-02-28T00:00:00Z"},
		{time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), "-P2M", "2025-11-30T00:00:00Z"},
		{time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC), "P14M", "2028-02-29T00:00:00Z"},
		{time.Date(2026, 3, 28, 12, 0, 0, 0, paris), "P1M", "2026-04-28T12:00:00+02:00"},
		{time.Date(2026, 3, 28, 12, 0, 0, 0, paris), "P1D", "2026-03-29T13:00:00+02:00"},
		{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), "PT90M", "2026-01-01T01:30:00Z"},
	}
	for _, tt := range tests {
		d, err := value.ParseDuration(tt.duration)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := value.AddDuration(tt.from, d); err != nil || got.Format(time.RFC3339) != tt.want {
			t.Errorf("%s + %s = %s %v, want %s", tt.from, tt.duration, got.Format(time.RFC3339), err, tt.want)
		}
	}
	for _, v := range []value.Value{value.Null(), value.Int(1), value.MonthsDuration(12 * 10_000)} {
		if _, err := value.AddDuration(time.Unix(0, 0), v); err == nil {
			t.Errorf("%s was added", v)
		}
	}
}

func TestParseDateTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-01-31T10:20:30Z": "2026-01-31T10:20:30Z", "2026-01-31T10:20:30.123456789+08:00": "2026-01-31T10:20:30.123456789+08:00",
		"2026-01-31T10:20:30@Asia/Tokyo": "2026-01-31T10:20:30@Asia/Tokyo",
		"2026-01-31":                     "2026-01-31T00:00:00", "2026-01-31T10:20": "2026-01-31T10:20:00",
		"-0044-03-15T00:00:00Z": "-0044-03-15T00:00:00Z", "2026-12-31T24:00:00Z": "2027-01-01T00:00:00Z",
		"2026-01-31T10:20:30-00:30": "2026-01-31T10:20:30-00:30",
	} {
		v, err := value.ParseDateTime(text, time.LoadLocation)
		if err != nil || v.String() != want || v.Kind() != value.KindDateTime {
			t.Errorf("%s: %s %v, want %s", text, v, err, want)
		}
	}
	for _, text := range []string{"", "now", "2026-02-30T00:00:00Z", "2026-01-01T24:00:01Z",
		"2026-01-01T25:00:00Z", "2026-01-01T10:00:60Z", "2026-01-01T10:00:00+19:00",
		"2026-01-01T10:00:00@No/Where", "2026-1-1T00:00:00Z", "2026-01-01T", "2026-01-01 10:00:00", "02026-01-01T00:00:00Z"} {
		if v, err := value.ParseDateTime(text, time.LoadLocation); err == nil {
			t.Errorf("%q was read as %s", text, v)
		}
	}
	if _, err := value.ParseDateTime("2026-01-01T10:00:00@Asia/Tokyo", nil); err == nil {
		t.Error("a zone was found without a way to find zones")
	}
}

func TestOnlyWhatHasAZoneIsAnInstant(t *testing.T) {
	t.Parallel()
	v, err := value.ParseDateTime("2026-01-31T10:20:30+02:00", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := value.AsTime(v); !ok || !got.Equal(time.Date(2026, 1, 31, 8, 20, 30, 0, time.UTC)) {
		t.Errorf("got %s %v", got, ok)
	}
	local, err := value.ParseDateTime("2026-01-31T10:20:30", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := value.AsTime(local); ok {
		t.Error("a local time is an instant")
	}
	if order, ok := value.Compare(v, local); ok {
		t.Errorf("they compare as %d", order)
	}
}

func TestTemporalTextReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := value.DaysDuration(time.Duration(rapid.Int64Range(-1<<62, 1<<62).Draw(t, "nanos")))
		m := value.MonthsDuration(rapid.Int64Range(-1e9, 1e9).Draw(t, "months"))
		for _, v := range []value.Value{d, m} {
			if got, err := value.ParseDuration(v.String()); err != nil || !value.Same(got, v) {
				t.Fatalf("%s: %s %v", v, got, err)
			}
		}
		at := time.Unix(rapid.Int64Range(-6e10, 2e11).Draw(t, "unix"), rapid.Int64Range(0, 999_999_999).Draw(t, "fraction")).
			In(time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "offset")))
		v := value.NewMoment(value.Moment{T: at})
		if got, err := value.ParseDateTime(v.String(), nil); err != nil || !value.Same(got, v) {
			t.Fatalf("%s: %s %v", v, got, err)
		}
	})
}
