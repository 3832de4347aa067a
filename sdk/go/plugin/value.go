package plugin

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"sextant/sdk/go/wire"
)

// Duration is a span of time, written as wire.ParseDuration reads it: PT1M30S or
// P1D as in ISO 8601, or short as in 90s.
type Duration time.Duration

// ParseDuration is wire.ParseDuration.
func ParseDuration(s string) (time.Duration, error) { return wire.ParseDuration(s) }

// UnmarshalJSON reads the text of a duration.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := wire.ParseDuration(s)
	*d = Duration(v)
	return err
}

// MarshalJSON writes the duration as in ISO 8601.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(formatDuration(time.Duration(d)))
}

// File refers to a file that the platform keeps; Host.File opens it by its
// SHA-256. In JSON it is an object with the fields of the struct, or the
// SHA-256 alone as text, with or without "sha256:" before it.
type File struct {
	SHA256 string `json:"sha256"`
	Name   string `json:"name,omitempty"`
	Size   int64  `json:"size,omitempty"`
}

// UnmarshalJSON reads either form.
func (f *File) UnmarshalJSON(b []byte) error {
	type plain File
	var err error
	if len(b) > 0 && b[0] == '"' {
		err = json.Unmarshal(b, &f.SHA256)
	} else {
		err = json.Unmarshal(b, (*plain)(f))
	}
	f.SHA256 = strings.ToLower(strings.TrimPrefix(f.SHA256, "sha256:"))
	return err
}

// Secret is a text that must not appear in logs: it prints as stars.
type Secret string

// String hides the secret.
func (Secret) String() string { return "***" }

// GoString hides the secret.
func (Secret) GoString() string { return "***" }

// UnmarshalJSON reads the clear text.
func (s *Secret) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, (*string)(s)) }

// formatDuration writes an ISO 8601 duration.
func formatDuration(d time.Duration) string {
	if d <= 0 {
		return "PT0S"
	}
	d = d.Truncate(time.Millisecond)
	out := "PT"
	if h := d / time.Hour; h > 0 {
		out += strconv.FormatInt(int64(h), 10) + "H"
	}
	if m := d % time.Hour / time.Minute; m > 0 {
		out += strconv.FormatInt(int64(m), 10) + "M"
	}
	if s := d % time.Minute; s > 0 || out == "PT" {
		out += strconv.FormatFloat(s.Seconds(), 'f', -1, 64) + "S"
	}
	return out
}
