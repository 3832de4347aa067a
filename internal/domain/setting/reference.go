package setting

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// connectionForm is the reference to a connection, or to a secret of it, in a text.
var connectionForm = regexp.MustCompile(`connection/([a-z0-9][a-z0-9._-]*)`)

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

// Naming is a connection that a value names; certain where nothing else can be
// meant.
type Naming struct {
	Connection string
	Certain    bool
}

// Named lists the connections that a value names.
func Named(raw json.RawMessage) []Naming {
	var all []Naming
	for _, name := range Secrets(raw) {
		all = append(all, Naming{name, true})
	}
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
			for _, name := range Secrets(json.RawMessage(s)) {
				all = append(all, Naming{name, true})
			}
			each(inner, text)
			return
		}
		for _, m := range connectionForm.FindAllStringSubmatch(s, -1) {
			all = append(all, Naming{m[1], false})
		}
	}
	each(v, text)
	return all
}
