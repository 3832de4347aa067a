package wire

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// MaxDuration is the longest span of time that an input may name.
const MaxDuration = 366 * 24 * time.Hour

var (
	isoDuration = regexp.MustCompile(
		`^P(?:([0-9]{1,6})W)?(?:([0-9]{1,6})D)?(T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)S)?)?$`)
	shortDuration = regexp.MustCompile(
		`^(?:([0-9]{1,6})w)?(?:([0-9]{1,6})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)s)?(?:([0-9]{1,9})ms)?$`)
)

// ParseDuration reads the value of a parameter of type duration: as in ISO 8601,
// such as PT90S, PT10M or P1D, or short, such as 90s, 10m, 1h30m or 1d, of at most
// 366 days. Years and months have no fixed length and are refused.
func ParseDuration(s string) (time.Duration, error) {
	text := strings.TrimSpace(s)
	bad := fmt.Errorf("%q is no duration such as PT90S, PT10M or P1D, or short 90s, 10m or 1d", s)
	var parts []string
	if m := isoDuration.FindStringSubmatch(text); m != nil && text != "P" && !strings.HasSuffix(text, "T") {
		parts = []string{m[1], m[2], m[4], m[5], m[6], ""}
	} else if m := shortDuration.FindStringSubmatch(text); m != nil && text != "" {
		parts = m[1:]
	} else {
		return 0, bad
	}
	var total time.Duration
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second, time.Millisecond} {
		whole, fraction, _ := strings.Cut(parts[i], ".")
		if whole == "" {
			continue
		}
		n, err := strconv.ParseInt(whole, 10, 64)
		if err != nil || n > int64(MaxDuration/unit) {
			return 0, fmt.Errorf("the duration %q is longer than 366 days", s)
		}
		total += time.Duration(n) * unit
		if fraction != "" {
			if n, err = strconv.ParseInt(fraction+strings.Repeat("0", 9-len(fraction)), 10, 64); err != nil {
				return 0, bad
			}
			total += time.Duration(n)
		}
	}
	if total > MaxDuration {
		return 0, fmt.Errorf("the duration %q is longer than 366 days", s)
	}
	return total, nil
}
