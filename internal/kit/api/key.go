package api

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Key is an engine key at the edge: a decimal string in JSON and in addresses,
// since its 63 bits do not fit the numbers of every client.
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

// Schema describes a key.
func (Key) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9]{1,19}$", Description: "Engine key, decimal digits"}
}

// KeyParam is a key in a path or a query; the library reads numbers there
// unless the type is a struct.
type KeyParam struct{ Key }
