package objectstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sextant/sdk/go/wire"
)

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$`)

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return strings.Trim(string(raw), `"`)
	}
	return s
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || bytes.Equal(raw, []byte("null")) }

func unknown(t wire.ObjectType, name string) error {
	var names []string
	for _, a := range t.Attributes {
		names = append(names, a.Name)
	}
	return &RowError{"an attribute is unknown", map[string]string{name: fmt.Sprintf("%s has the attributes %s", t.Type, strings.Join(names, ", "))}}
}

// normalise checks a row against its type and brings values into one form.
func normalise(t wire.ObjectType, row wire.Row, create bool) (wire.Row, error) {
	out := wire.Row{}
	faults := map[string]string{}
	for name, raw := range row {
		a, ok := attr(t, name)
		switch {
		case !ok:
			return nil, unknown(t, name)
		case isNull(raw) || name == wire.AttrDisplayName && a.Name == "":
			continue
		case name == wire.AttrID:
			if id := text(raw); !idPattern.MatchString(id) {
				faults[name] = "an id has letters, digits and . _ : @ - and begins with a letter or digit; at most 128 characters"
			} else {
				out[name] = wire.Raw(id)
			}
			continue
		}
		v, problem := canonical(a, raw)
		if problem != "" {
			faults[name] = problem
			continue
		}
		out[name] = v
	}
	for _, a := range t.Attributes {
		if _, ok := out[a.Name]; ok || a.Name == wire.AttrID {
			continue
		}
		if create && a.Default != "" {
			out[a.Name], _ = canonical(a, wire.Raw(a.Default))
			continue
		}
		if _, named := faults[a.Name]; a.Required && !named {
			faults[a.Name] = "it is required"
		}
	}
	if len(faults) > 0 {
		return nil, &RowError{"the object is not valid", faults}
	}
	return out, nil
}

// canonical checks one value and gives the form in which it is kept.
func canonical(a wire.Attribute, raw json.RawMessage) (json.RawMessage, string) {
	s := text(raw)
	switch a.Type {
	case wire.TypeString:
		if len(s) > 1000 {
			return nil, "a string has at most 1000 bytes; use the type text"
		}
		return wire.Raw(s), ""
	case wire.TypeText:
		return wire.Raw(s), ""
	case wire.TypeInt:
		if _, err := strconv.ParseInt(s, 10, 64); err != nil {
			return nil, fmt.Sprintf("%q is no whole number", s)
		}
		return json.RawMessage(s), ""
	case wire.TypeNumber:
		if !json.Valid([]byte(s)) || strings.Trim(s, "+-0123456789.eE") != "" {
			return nil, fmt.Sprintf("%q is no number", s)
		}
		return json.RawMessage(s), ""
	case wire.TypeBool:
		if s != "true" && s != "false" {
			return nil, fmt.Sprintf("%q is neither true nor false", s)
		}
		return json.RawMessage(s), ""
	case wire.TypeDateTime:
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return nil, fmt.Sprintf("%q is no date and time such as 2026-01-31T08:00:00Z", s)
		}
		return wire.Raw(at.UTC().Format(time.RFC3339Nano)), ""
	case wire.TypeEnum:
		if !slices.Contains(a.Values, s) {
			return nil, fmt.Sprintf("%q is none of %s", s, strings.Join(a.Values, ", "))
		}
		return wire.Raw(s), ""
	case wire.TypeRef:
		return wire.Raw(refID(raw)), ""
	case wire.TypeMultiRef:
		return wire.Raw(ids(raw)), ""
	}
	if !json.Valid(raw) {
		return nil, "it is no JSON"
	}
	return raw, ""
}

// refID accepts an id, or an object that has one.
func refID(raw json.RawMessage) string {
	var o struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(raw, &o) == nil && o.ID != "" {
		return o.ID
	}
	return text(raw)
}

// ids accepts a list of ids, one id, or ids with commas.
func ids(raw json.RawMessage) []string {
	var list []json.RawMessage
	out := []string{}
	if json.Unmarshal(raw, &list) == nil {
		for _, item := range list {
			out = append(out, refID(item))
		}
		return out
	}
	if isNull(raw) {
		return out
	}
	for id := range strings.SplitSeq(refID(raw), ",") {
		if id = strings.TrimSpace(id); id != "" {
			out = append(out, id)
		}
	}
	return out
}

// keysOf gives the texts under which a value stands in the index.
func keysOf(raw json.RawMessage) []string {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		var out []string
		for _, item := range list {
			out = append(out, cut(text(item)))
		}
		return out
	}
	return []string{cut(text(raw))}
}

func cut(s string) string {
	if len(s) > maxIndexed {
		return s[:maxIndexed]
	}
	return s
}

// Diff is how one attribute changed.
type Diff struct {
	From json.RawMessage `json:"from,omitempty"`
	To   json.RawMessage `json:"to,omitempty"`
}

func difference(before, after wire.Row) map[string]Diff {
	out := map[string]Diff{}
	for k, v := range after {
		if !bytes.Equal(before[k], v) {
			out[k] = Diff{before[k], v}
		}
	}
	for k, v := range before {
		if _, ok := after[k]; !ok {
			out[k] = Diff{From: v}
		}
	}
	return out
}

// shown adds the display name to a row.
func shown(t wire.ObjectType, row wire.Row) wire.Row {
	out := wire.Row{}
	for k, v := range row {
		out[k] = v
	}
	name := row[t.Display]
	if t.Display == "" || isNull(name) {
		name = row["name"]
	}
	if isNull(name) {
		name = row[wire.AttrID]
	}
	out[wire.AttrDisplayName] = name
	return out
}
