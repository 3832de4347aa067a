package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

const (
	// minMask is the shortest value that is masked: shorter ones stand in every
	// other word.
	minMask = 4
	// minForms is the shortest value whose other forms are masked, too.
	minForms = 6
)

// Mask hides values in what is about to be stored or shown: as they are, in
// base64 and as URLs write them. What it hides keeps its length, so that offsets
// stay true. The nil Mask hides nothing.
type Mask struct {
	forms   [][]byte // longest first
	longest int
}

// NewMask makes a mask of values.
func NewMask(values []string) *Mask {
	seen := map[string]bool{}
	m := &Mask{}
	add := func(form string) {
		if len(form) >= minMask && !seen[form] {
			seen[form] = true
			m.forms = append(m.forms, []byte(form))
			m.longest = max(m.longest, len(form))
		}
	}
	for _, v := range values {
		add(v)
		for _, part := range append(strings.Split(v, "\n"), v) { // a key of many lines comes line by line
			if part = strings.TrimSpace(part); len(part) < minForms || part != strings.TrimSpace(v) && strings.HasPrefix(part, "-----") {
				continue
			}
			add(part)
			for _, form := range forms(part) {
				add(form)
			}
		}
		if len(v) >= minForms {
			for _, form := range forms(v) {
				add(form)
			}
		}
	}
	if len(m.forms) == 0 {
		return nil
	}
	slices.SortFunc(m.forms, func(a, b []byte) int { return len(b) - len(a) })
	return m
}

// forms are other ways to write a value: in base64, at each of the three places
// at which it can begin within a longer text, and as URLs and JSON write it.
func forms(v string) []string {
	all := []string{url.QueryEscape(v), url.PathEscape(v)}
	if quoted, err := json.Marshal(v); err == nil {
		all = append(all, string(quoted[1:len(quoted)-1]))
	}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		all = append(all, enc.EncodeToString([]byte(v)))
		for shift := range 3 {
			padded := enc.EncodeToString(append(make([]byte, shift), v...))
			// The first and last letters depend on what stands beside the value.
			from, to := (shift*8+5)/6, (shift+len(v))*8/6
			if from < to {
				all = append(all, padded[from:to])
			}
		}
	}
	return all
}

// Bytes gives b with what is hidden replaced by as many asterisks; b itself is
// not changed.
func (m *Mask) Bytes(b []byte) []byte {
	if m == nil {
		return b
	}
	out := b
	for _, form := range m.forms {
		for from := 0; ; {
			i := bytes.Index(out[from:], form)
			if i < 0 {
				break
			}
			if &out[0] == &b[0] {
				out = bytes.Clone(b)
			}
			from += i
			for j := range form {
				out[from+j] = '*'
			}
			from += len(form)
		}
	}
	return out
}

// Text is Bytes for a text.
func (m *Mask) Text(s string) string {
	if m == nil || s == "" {
		return s
	}
	return string(m.Bytes([]byte(s)))
}

// JSON hides values in the texts of a JSON value, its names included. What has no
// hidden value in it keeps its very bytes.
func (m *Mask) JSON(raw json.RawMessage) json.RawMessage {
	if m == nil || len(raw) == 0 {
		return raw
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return m.Bytes(raw)
	}
	masked, changed := m.value(v)
	if !changed {
		return raw
	}
	out, err := json.Marshal(masked)
	if err != nil {
		return json.RawMessage(`"***"`)
	}
	return out
}

func (m *Mask) value(v any) (out any, changed bool) {
	switch v := v.(type) {
	case string:
		t := m.Text(v)
		return t, t != v
	case json.Number:
		if t := m.Text(v.String()); t != v.String() {
			return t, true
		}
	case []any:
		for i := range v {
			inner, c := m.value(v[i])
			v[i], changed = inner, changed || c
		}
		return v, changed
	case map[string]any:
		masked := make(map[string]any, len(v))
		for name, inner := range v {
			hidden, c := m.value(inner)
			t := m.Text(name)
			masked[t], changed = hidden, changed || c || t != name
		}
		return masked, changed
	}
	return v, false
}

// Tail is how many bytes at the end of b could be the beginning of something that
// is hidden: whoever writes a stream keeps them back until more comes.
func (m *Mask) Tail(b []byte) int {
	if m == nil {
		return 0
	}
	for n := min(len(b), m.longest-1); n > 0; n-- {
		end := b[len(b)-n:]
		if slices.ContainsFunc(m.forms, func(form []byte) bool { return len(form) > n && bytes.HasPrefix(form, end) }) {
			return n
		}
	}
	return 0
}
