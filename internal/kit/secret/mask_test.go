package secret_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sextant/internal/kit/secret"
)

func TestAMaskHidesEveryForm(t *testing.T) {
	t.Parallel()
	const value = `p@ss w/rd+"1"`
	m := secret.NewMask([]string{value, "abc", "", "-----BEGIN KEY-----\nAAAABBBBCCCC\nDDDDEEEE\n-----END KEY-----\n"})
	quoted, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"plain": value, "query": url.QueryEscape(value), "path": url.PathEscape(value), "json": string(quoted[1 : len(quoted)-1]),
		"base64": base64.StdEncoding.EncodeToString([]byte(value)), "url64": base64.RawURLEncoding.EncodeToString([]byte(value)),
		"a line of a key": "AAAABBBBCCCC",
	} {
		got := m.Text("x " + text + " y")
		if strings.Contains(got, text) || len(got) != len(text)+4 || !strings.HasPrefix(got, "x *") || !strings.HasSuffix(got, " y") {
			t.Errorf("%s: %q became %q", name, text, got)
		}
	}
	for _, text := range []string{"abc", "-----BEGIN KEY-----", "plain words"} {
		if got := m.Text(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	if secret.NewMask([]string{"abc", ""}) != nil {
		t.Error("a mask of nothing")
	}
	var none *secret.Mask
	if none.Text("x") != "x" || string(none.JSON([]byte(`{"a":1}`))) != `{"a":1}` || none.Tail([]byte("x")) != 0 {
		t.Error("the nil mask")
	}
}

// Within a longer text in base64 a value stands at one of three places.
func TestAMaskHidesAValueWithinLongerBase64(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[a-zA-Z0-9]{8,40}`).Draw(t, "value")
		before := rapid.StringMatching(`[a-z:]{0,5}`).Draw(t, "before")
		after := rapid.StringMatching(`[a-z:]{0,5}`).Draw(t, "after")
		encoded := base64.StdEncoding.EncodeToString([]byte(before + value + after))
		got := secret.NewMask([]string{value}).Text(encoded)
		// What is left says nothing of all but the first and the last letter.
		clean := strings.NewReplacer("*", "A", "=", "").Replace(got)
		plain, err := base64.RawStdEncoding.DecodeString(clean)
		if err != nil {
			plain = []byte(clean)
		}
		if strings.Contains(string(plain), value[1:len(value)-1]) || !strings.Contains(got, "****") {
			t.Fatalf("%q became %q: %q", encoded, got, plain)
		}
	})
}

func TestAMaskKeepsJSON(t *testing.T) {
	t.Parallel()
	m := secret.NewMask([]string{"canary-1"})
	for in, want := range map[string]string{
		`{"a": 1.10, "b": [9007199254740993]}`:      `{"a": 1.10, "b": [9007199254740993]}`,
		`{"a":"x canary-1 y","n":1.10}`:             `{"a":"x ******** y","n":1.10}`,
		`["canary-1",{"canary-1":"\u0063anary-1"}]`: `["********",{"********":"********"}]`,
		`not json canary-1`:                         `not json ********`,
	} {
		if got := string(m.JSON(json.RawMessage(in))); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

// However a stream is cut, nothing hidden gets through when its tail is kept back.
func TestAStreamIsMaskedWhereverItIsCut(t *testing.T) {
	t.Parallel()
	const text = "before canary-22 and canary-22canary-22 canary-2 after"
	m := secret.NewMask([]string{"canary-22"})
	for size := 1; size < len(text); size++ {
		var out, kept []byte
		for at := 0; at < len(text); at += size {
			kept = append(kept, text[at:min(at+size, len(text))]...)
			masked := m.Bytes(kept)
			n := len(kept) - m.Tail(masked)
			out, kept = append(out, masked[:n]...), kept[n:]
		}
		out = append(out, m.Bytes(kept)...)
		if got := string(out); got != m.Text(text) || len(got) != len(text) {
			t.Errorf("in pieces of %d: %q", size, got)
		}
	}
}
