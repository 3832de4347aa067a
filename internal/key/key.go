// Package key has the identities that the engine gives: of runs, steps, jobs, timers,
// tasks, incidents and versions.
package key

import (
	"fmt"
	"strconv"
	"strings"
)

// Key is 10 bits of shard and 53 bits of counter. It is a decimal string in JSON and in
// addresses, since its 63 bits do not fit the numbers of every client.
type Key int64

// String is the decimal text.
func (k Key) String() string { return strconv.FormatInt(int64(k), 10) }

// MarshalText writes the decimal text.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the decimal text.
func (k *Key) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%.40q is no key: want decimal digits", text)
	}
	*k = Key(n)
	return nil
}
