package program

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sextant/internal/lang/feel/value"
)

// Cycle is a repeating timer: R3/PT10S. Repeat is -1 for one without end.
type Cycle struct {
	Repeat int
	Every  value.Value
}

// ParseCycle reads an ISO 8601 repeating interval of the form R[n]/duration.
func ParseCycle(text string) (Cycle, error) {
	head, every, ok := strings.Cut(text, "/")
	if !ok || !strings.HasPrefix(head, "R") {
		return Cycle{}, fmt.Errorf("the cycle %q is not of the form R3/PT10S", text)
	}
	c := Cycle{Repeat: -1}
	if head != "R" {
		n, err := strconv.Atoi(head[1:])
		if err != nil || n < 0 {
			return Cycle{}, fmt.Errorf("the cycle %q repeats %q times: want a whole number", text, head[1:])
		}
		c.Repeat = n
	}
	d, err := value.ParseDuration(every)
	if err != nil {
		return Cycle{}, fmt.Errorf("the cycle %q: %w", text, err)
	}
	c.Every = d
	return c, nil
}

// CheckTimer checks the static text of a timer.
func CheckTimer(kind TimerKind, text string) error {
	var err error
	switch kind {
	case TimerDuration:
		if _, err = value.ParseDuration(text); err != nil {
			return fmt.Errorf("the timer's duration %q is no ISO 8601 duration such as PT10S", text)
		}
	case TimerDate:
		if _, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return fmt.Errorf("the timer's date %q is no date and time such as 2026-01-31T08:00:00Z", text)
		}
	case TimerCycle:
		_, err = ParseCycle(text)
	}
	return err
}
