package setting

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// connectionForm is a text that is the reference to a connection, or to a secret of it.
var connectionForm = regexp.MustCompile(`^\s*connection/([a-z0-9][a-z0-9._-]*)(?:#\S*)?\s*$`)

// Secrets lists the connections whose secrets a value takes, wherever they
// stand in it.
func Secrets(raw json.RawMessage) []string {
	var all []string
	for _, ref := range SecretFields(raw) {
		if name, _, _ := strings.Cut(ref, "#"); !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// each calls f with a value and with all that stands in it, the outermost first.
func each(v any, f func(v any)) {
	f(v)
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			each(inner, f)
		}
	case []any:
		for _, inner := range v {
			each(inner, f)
		}
	}
}

// SecretFields lists the secrets that a value takes, as <connection>#<field>.
func SecretFields(raw json.RawMessage) []string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	var all []string
	each(v, func(v any) {
		fields, _ := v.(map[string]any)
		if ref, ok := fields["$secret"].(string); ok && !strings.HasPrefix(ref, sealedPrefix) {
			if ref = strings.TrimPrefix(ref, Prefix); !slices.Contains(all, ref) {
				all = append(all, ref)
			}
		}
	})
	return all
}

// Named lists the connections that a value names: by a secret of theirs, or by a text
// that is the reference to one and nothing else. A text that mentions one beside other
// words names none.
func Named(raw json.RawMessage) []string {
	all := Secrets(raw)
	if !strings.Contains(string(raw), Prefix) {
		return all
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return all
	}
	var text func(v any)
	text = func(v any) {
		s, _ := v.(string)
		var inner any
		if strings.Contains(s, Prefix) && json.Unmarshal([]byte(s), &inner) == nil { // a structure that was typed as text
			all = append(all, Secrets(json.RawMessage(s))...)
			each(inner, text)
			return
		}
		if m := connectionForm.FindStringSubmatch(s); m != nil {
			all = append(all, m[1])
		}
	}
	each(v, text)
	slices.Sort(all)
	return slices.Compact(all)
}
