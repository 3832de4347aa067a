package manifest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxDuration is the longest wait that a manifest may ask for.
const maxDuration = 366 * 24 * time.Hour

var isoDuration = regexp.MustCompile(
	`^P(?:([0-9]{1,6})W)?(?:([0-9]{1,6})D)?(T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})(?:\.([0-9]{1,9}))?S)?)?$`)

// Duration reads an ISO 8601 duration such as PT30S, P1D or PT1H30M, of at most
// 366 days. Years and months have no fixed length and are refused.
func Duration(s string) (time.Duration, error) {
	bad := func(why string) (time.Duration, error) {
		return 0, fmt.Errorf("%q is not a duration: %s", s, why)
	}
	match := isoDuration.FindStringSubmatch(s)
	if match == nil || s == "P" || strings.HasSuffix(s, "T") {
		return bad("write it like PT30S, PT10M or P1D")
	}
	var total time.Duration
	for i, unit := range map[int]time.Duration{1: 7 * 24 * time.Hour, 2: 24 * time.Hour, 4: time.Hour, 5: time.Minute, 6: time.Second} {
		if match[i] == "" {
			continue
		}
		n, err := strconv.Atoi(match[i])
		if err != nil || time.Duration(n) > maxDuration/unit {
			return bad("it is longer than 366 days")
		}
		total += time.Duration(n) * unit
	}
	if fraction := match[7]; fraction != "" {
		n, err := strconv.Atoi(fraction + strings.Repeat("0", 9-len(fraction)))
		if err != nil {
			return bad("its fraction has more than 9 digits")
		}
		total += time.Duration(n)
	}
	if total > maxDuration {
		return bad("it is longer than 366 days")
	}
	return total, nil
}

// Backoff reads the waits between attempts: one duration, or the first and the
// longest joined by "..".
func Backoff(s string) (first, longest time.Duration, err error) {
	from, to, ranged := strings.Cut(s, "..")
	if first, err = Duration(from); err != nil {
		return 0, 0, err
	}
	longest = first
	if ranged {
		if longest, err = Duration(to); err != nil {
			return 0, 0, err
		}
	}
	switch {
	case first <= 0:
		return 0, 0, fmt.Errorf("%q waits for nothing: write it like PT5S..PT60S", s)
	case longest < first:
		return 0, 0, fmt.Errorf("%q ends before it begins: write the shorter wait first", s)
	}
	return first, longest, nil
}
