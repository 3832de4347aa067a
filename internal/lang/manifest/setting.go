package manifest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"sextant/sdk/go/wire"
)

// CheckSetting tells why a text cannot be the value of a setting; empty if it can.
func CheckSetting(s wire.Setting, text string) string {
	switch {
	case s.Type == wire.TypeEnum && !Reads(s.Type, text, s.Values):
		return fmt.Sprintf("%q is not possible: write one of %s", text, strings.Join(s.Values, ", "))
	case !Reads(s.Type, text, s.Values):
		return fmt.Sprintf("%q is not of the type %s", text, s.Type)
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil && (s.Type == wire.TypeInt || s.Type == wire.TypeNumber) {
		switch {
		case s.Min != nil && n < *s.Min:
			return fmt.Sprintf("%s is less than %v", text, *s.Min)
		case s.Max != nil && n > *s.Max:
			return fmt.Sprintf("%s is more than %v", text, *s.Max)
		}
	}
	if s.Pattern != "" {
		if whole, err := regexp.Compile("^(?:" + s.Pattern + ")$"); err != nil || !whole.MatchString(text) {
			return fmt.Sprintf("%q does not match %s", text, s.Pattern)
		}
	}
	return ""
}

// bounds checks the limits of a setting, and its default against them.
func (c *checker) bounds(path string, s wire.Setting) {
	number := s.Type == wire.TypeInt || s.Type == wire.TypeNumber
	for field, limit := range map[string]*float64{".min": s.Min, ".max": s.Max} {
		if limit != nil && !number {
			c.add(path+field, CodeConflict, "only an int or a number has limits")
			return
		}
	}
	if s.Min != nil && s.Max != nil && *s.Max < *s.Min {
		c.add(path+".max", CodeRange, "%v is less than the least value %v", *s.Max, *s.Min)
	}
	if s.Default == "" {
		return
	}
	if why := CheckSetting(s, s.Default); why != "" {
		c.add(path+".default", CodeDefault, "%s", why)
	}
}
