package objectstore

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
)

// decimal is a number without loss: its digits have neither leading nor trailing
// zeros, and stand behind the point of 0.digits × 10^exp. Zero has no digits.
type decimal struct {
	negative bool
	digits   string
	exp      int64
}

// parseDecimal reads a number as JSON writes it.
func parseDecimal(s string) (decimal, bool) {
	if !json.Valid([]byte(s)) || strings.Trim(s, "+-.0123456789eE") != "" {
		return decimal{}, false
	}
	var d decimal
	s, d.negative = strings.CutPrefix(s, "-")
	mantissa, exponent := s, ""
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa, exponent = s[:i], s[i+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if exponent != "" {
		e, err := strconv.ParseInt(exponent, 10, 32)
		if err != nil {
			return decimal{}, false
		}
		d.exp = e
	}
	digits := strings.TrimLeft(whole+fraction, "0")
	d.exp += int64(len(whole)) - int64(len(whole)+len(fraction)-len(digits))
	d.digits = strings.TrimRight(digits, "0")
	if d.digits == "" {
		return decimal{}, true
	}
	return d, true
}

// key is a text that is the same for all ways to write a number.
func (d decimal) key() string {
	if d.digits == "" {
		return "0"
	}
	sign := ""
	if d.negative {
		sign = "-"
	}
	return sign + d.digits + "e" + strconv.FormatInt(d.exp, 10)
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}

func (d decimal) compare(o decimal) int {
	if c := cmp.Compare(d.sign(), o.sign()); c != 0 || d.sign() == 0 {
		return c
	}
	return d.sign() * cmp.Or(cmp.Compare(d.exp, o.exp), cmp.Compare(d.digits, o.digits))
}
