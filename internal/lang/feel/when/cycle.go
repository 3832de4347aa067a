package when

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Zones finds a time zone by its IANA name.
type Zones func(name string) (*time.Location, error)

// Cycle is when something happens again and again: a repeating interval of ISO 8601,
// or cron.
type Cycle struct {
	// Repeat is how often it happens, -1 for no end.
	Repeat int
	// Start is the first time, zero where the interval counts from now.
	Start time.Time
	Every Duration
	// Cron is set instead of Start and Every.
	Cron *Cron
}

// ParseCycle reads R3/PT10S, R/2026-01-31T08:00:00Z/P1W, or cron such as 0 30 8 * *
// MON-FRI. instant reads a date and time; zones finds those that cron names.
func ParseCycle(text string, instant func(string) (time.Time, error), zones Zones) (Cycle, error) {
	if !strings.HasPrefix(text, "R") {
		cron, err := ParseCron(text, zones)
		if err != nil && !strings.ContainsAny(strings.TrimSpace(text), " @") {
			err = fmt.Errorf("%w: the cycle %.128q is not of the form R3/PT10S, and no cron such as 0 30 8 * * MON-FRI", ErrForm, text)
		}
		return Cycle{Repeat: -1, Cron: cron}, err
	}
	parts := strings.Split(text, "/")
	if len(parts) != 2 && len(parts) != 3 || len(text) > maxText {
		return Cycle{}, fmt.Errorf("%w: the cycle %.128q is not of the form R3/PT10S or R3/2026-01-31T08:00:00Z/PT10S", ErrForm, text)
	}
	c := Cycle{Repeat: -1}
	if count := parts[0][1:]; count != "" {
		n, err := strconv.Atoi(count)
		if err != nil || n < 0 {
			return Cycle{}, fmt.Errorf("%w: the cycle %q repeats %q times: want a whole number", ErrForm, text, count)
		}
		c.Repeat = n
	}
	var err error
	if len(parts) == 3 {
		if strings.HasPrefix(parts[1], "P") {
			return Cycle{}, fmt.Errorf("%w: the cycle %q ends at a time: write how often it repeats, and its start", ErrForm, text)
		}
		if c.Start, err = instant(parts[1]); err != nil {
			return Cycle{}, fmt.Errorf("%w: the start of the cycle %q: %w", ErrForm, text, err)
		}
	}
	if c.Every, err = ParseDuration(parts[len(parts)-1]); err != nil {
		return Cycle{}, fmt.Errorf("the cycle %q: %w", text, err)
	}
	if c.Every.Negative() {
		return Cycle{}, fmt.Errorf("%w: the cycle %q leads back in time", ErrForm, text)
	}
	return c, nil
}

// First gives the first time that the cycle happens, as seen from now.
func (c Cycle) First(now time.Time) (time.Time, error) {
	if !c.Start.IsZero() {
		return c.Start, nil
	}
	return c.Next(now)
}

// Next gives the time after one at which the cycle happened.
func (c Cycle) Next(last time.Time) (time.Time, error) {
	if c.Cron != nil {
		return c.Cron.Next(last)
	}
	return c.Every.After(last)
}
