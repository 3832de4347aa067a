package program

import (
	"fmt"
	"time"

	"sextant/internal/lang/feel/value"
	"sextant/internal/lang/feel/when"
)

// Cycle is a repeating timer: R3/PT10S, or cron.
type Cycle = when.Cycle

// ParseCycle reads a repeating interval or cron.
func ParseCycle(text string, zones when.Zones) (Cycle, error) {
	return when.ParseCycle(text, func(s string) (time.Time, error) { return ParseDate(s, zones) }, zones)
}

// ParseDuration reads the length of a timer.
func ParseDuration(text string) (when.Duration, error) { return when.ParseDuration(text) }

// ParseDate reads the instant of a timer, which needs a time zone: an offset, or the
// name of one behind an @.
func ParseDate(text string, zones when.Zones) (time.Time, error) {
	v, err := value.ParseDateTime(text, zones)
	if err != nil {
		return time.Time{}, err
	}
	at, ok := value.AsTime(v)
	if !ok {
		return time.Time{}, fmt.Errorf("%q has no time zone: write 2026-01-31T08:00:00Z or 2026-01-31T08:00:00@Europe/Paris", text)
	}
	return at, nil
}

// CheckTimer checks the static text of a timer. Without zones every name of one may
// be that of one.
func CheckTimer(kind TimerKind, text string, zones when.Zones) error {
	if zones == nil {
		zones = func(string) (*time.Location, error) { return time.UTC, nil }
	}
	switch kind {
	case TimerDuration:
		if _, err := ParseDuration(text); err != nil {
			return fmt.Errorf("the timer's duration %q is no ISO 8601 duration such as PT10S, P1W or P1M1D", text)
		}
	case TimerDate:
		if _, err := ParseDate(text, zones); err != nil {
			return fmt.Errorf("the timer's date %q is no date and time such as 2026-01-31T08:00:00Z or 2026-01-31T08:00:00@Europe/Paris: %w",
				text, err)
		}
	case TimerCycle:
		c, err := ParseCycle(text, zones)
		if err != nil {
			return err
		}
		if _, err := c.First(time.Unix(0, 0)); err != nil {
			return fmt.Errorf("the cycle %q: %w", text, err)
		}
	}
	return nil
}
