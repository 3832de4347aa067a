package key_test

import (
	"encoding/json"
	"testing"

	"sextant/internal/key"
)

func TestKeysAreTextAtTheEdge(t *testing.T) {
	t.Parallel()
	type thing struct {
		Run key.Key           `json:"run"`
		Of  map[key.Key]int64 `json:"of"`
	}
	const text = `{"run":"9223372036854775807","of":{"7":1}}`
	var got thing
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(got); err != nil || string(again) != text || got.Run.String() != "9223372036854775807" {
		t.Errorf("%s, %v", again, err)
	}
	for _, bad := range []string{"", "-1", "1.0", "x", "9223372036854775808", "1e3"} {
		var k key.Key
		if err := k.UnmarshalText([]byte(bad)); err == nil || k != 0 {
			t.Errorf("%q is the key %d, %v", bad, k, err)
		}
	}
}
