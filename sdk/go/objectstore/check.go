package objectstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sextant/sdk/go/wire"
)

// hidden is what the platform shows instead of a secret.
const hidden = "***"

var (
	idPattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$`)
	refPattern = regexp.MustCompile(`^[^\s\x00-\x1f]{1,128}$`)
)

// text is a JSON string without its quotes, or the JSON itself.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return strings.Trim(string(raw), `"`)
	}
	return s
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || bytes.Equal(raw, []byte("null")) }

func structured(raw json.RawMessage) bool {
	return len(raw) > 0 && (raw[0] == '{' || raw[0] == '[')
}

// normalise checks a row against its type and brings values into one form. It
// gives the whole row as it is after the change; before is nil for a new one.
// Values that do not change are not looked at: a type may have become stricter.
func normalise(t *shape, before, row wire.Row) (wire.Row, error) {
	out := wire.Row{}
	maps.Copy(out, before)
	faults := faults{}
	for name, raw := range row {
		a, ok := t.attr(name)
		switch {
		case !ok:
			return nil, t.unknown(name)
		case name == wire.AttrID:
			if id := text(raw); id != "" && !idPattern.MatchString(id) {
				faults[name] = "an id has letters, digits and . _ : @ - and begins with a letter or digit; at most 128 characters"
			} else if id != "" {
				out[name] = wire.Raw(id)
			}
		case a.Name == "": // the display name is made from the row, the version is looked at before
		case isNull(raw):
			delete(out, name)
		case before != nil && (bytes.Equal(before[name], raw) || a.Secret && text(raw) == hidden):
		default:
			faults.set(name, out, a, raw)
		}
	}
	for _, a := range t.Attributes {
		if _, named := faults[a.Name]; named || a.Name == wire.AttrID {
			continue
		}
		if _, given := row[a.Name]; before == nil && !given && a.Default != "" {
			faults.set(a.Name, out, a, wire.Raw(a.Default))
		}
		if a.Required && empty(out[a.Name]) && (before == nil || !empty(before[a.Name])) {
			faults[a.Name] = "it is required"
		}
	}
	if len(faults) > 0 {
		return nil, &RowError{Message: "the object is not valid", At: faults}
	}
	return out, nil
}

// faults are what is wrong, by attribute.
type faults map[string]string

// set puts a checked value into a row, or notes why not.
func (f faults) set(name string, into wire.Row, a wire.Attribute, raw json.RawMessage) {
	v, problem := canonical(a, raw)
	switch {
	case a.Secret && text(raw) == hidden:
		f[name] = "stars stand for a secret that is not shown: give the secret"
	case problem != "":
		f[name] = problem
	case v == nil:
		delete(into, name)
	default:
		into[name] = v
	}
}

func empty(raw json.RawMessage) bool { return isNull(raw) || bytes.Equal(raw, []byte(`""`)) }

// Check tells whether a value is possible for an attribute, and gives the form in
// which it is kept; nil where it stands for no value.
func Check(a wire.Attribute, raw json.RawMessage) (json.RawMessage, error) {
	v, problem := canonical(a, raw)
	if problem != "" {
		return nil, errors.New(problem)
	}
	return v, nil
}

// canonical checks one value and gives the form in which it is kept.
func canonical(a wire.Attribute, raw json.RawMessage) (json.RawMessage, string) {
	s := text(raw)
	told := strconv.Quote(s)
	if a.Secret {
		told = "the value"
	}
	if !utf8.Valid(raw) {
		return nil, told + " is no UTF-8"
	}
	switch a.Type {
	case wire.TypeRef, wire.TypeMultiRef:
		return references(a, raw)
	case wire.TypeText:
		if structured(raw) {
			s = string(raw)
		}
	default:
		if structured(raw) {
			return nil, "one value is wanted, not a list or an object"
		}
	}
	switch a.Type {
	case wire.TypeString:
		if len(s) > 1000 {
			return nil, "a string has at most 1000 bytes; use the type text"
		}
	case wire.TypeText:
	case wire.TypeInt:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, told + " is no whole number"
		}
		return json.RawMessage(strconv.FormatInt(n, 10)), ""
	case wire.TypeNumber:
		if _, ok := parseDecimal(s); !ok {
			return nil, told + " is no number"
		}
		return json.RawMessage(s), ""
	case wire.TypeBool:
		if s != "true" && s != "false" {
			return nil, told + " is neither true nor false"
		}
		return json.RawMessage(s), ""
	case wire.TypeDateTime:
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return nil, told + " is no date and time such as 2026-01-31T08:00:00Z"
		}
		// What is kept is the time in UTC, which an offset can carry beyond the years that RFC 3339 can write.
		if at = at.UTC(); at.Year() < 0 || at.Year() > 9999 {
			return nil, told + " is in UTC not within the years 0000 to 9999"
		}
		return wire.Raw(at.Format(time.RFC3339Nano)), ""
	case wire.TypeEnum:
		if !slices.Contains(a.Values, s) {
			return nil, fmt.Sprintf("%s is none of %s", told, strings.Join(a.Values, ", "))
		}
	default:
		return nil, "the type " + a.Type + " is none that can be kept"
	}
	if a.Pattern != "" && s != "" && !matches(a.Pattern, s) {
		return nil, told + " does not have the form that is wanted" + hint(a)
	}
	return wire.Raw(s), ""
}

// matches reports whether a pattern fits the whole of a text.
func matches(pattern, s string) bool {
	re, err := regexp.Compile(`^(?:` + pattern + `)$`)
	return err == nil && re.MatchString(s)
}

// hint says what is wanted, as the type says it.
func hint(a wire.Attribute) string {
	if text := a.Description["en"]; text != "" {
		return ": " + text
	}
	return ""
}

// references brings the value of a reference into one form: an id, or a list of
// ids without repetition. No id at all is no value.
func references(a wire.Attribute, raw json.RawMessage) (json.RawMessage, string) {
	all, seen := []string{}, map[string]bool{}
	for _, id := range ids(raw) {
		if !refPattern.MatchString(id) {
			return nil, fmt.Sprintf("%q is no id", id)
		}
		if !seen[id] {
			seen[id] = true
			all = append(all, id)
		}
	}
	switch {
	case len(all) == 0:
		return nil, ""
	case a.Type == wire.TypeMultiRef:
		return wire.Raw(all), ""
	case len(all) > 1:
		return nil, "one reference is wanted"
	}
	return wire.Raw(all[0]), ""
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
	if isNull(raw) {
		return out
	}
	if json.Unmarshal(raw, &list) == nil {
		for _, item := range list {
			out = append(out, refID(item))
		}
		return out
	}
	for id := range strings.SplitSeq(refID(raw), ",") {
		if id = strings.TrimSpace(id); id != "" {
			out = append(out, id)
		}
	}
	return out
}

// key is the text under which a value of a type is compared and looked up.
func key(kind, s string) string {
	switch kind {
	case wire.TypeInt, wire.TypeNumber:
		if d, ok := parseDecimal(s); ok {
			return d.key()
		}
	case wire.TypeDateTime:
		if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return at.UTC().Format(time.RFC3339Nano)
		}
	}
	return s
}

// keysOf gives the texts under which a value stands in the index, each once.
func keysOf(a wire.Attribute, raw json.RawMessage) []string {
	if a.Secret {
		return []string{hidden}
	}
	if a.Type != wire.TypeMultiRef {
		return []string{cut(key(a.Type, text(raw)))}
	}
	var out []string
	seen := map[string]bool{}
	for _, id := range ids(raw) {
		if id = cut(id); !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

// cut is the beginning of a text, as much as an index takes.
func cut(s string) string {
	if len(s) <= maxIndexed {
		return s
	}
	end := maxIndexed
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// whole is a text for an index in which long values must not be mixed up.
func whole(s string) string {
	if len(s) <= maxIndexed {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Diff is how one attribute changed.
type Diff struct {
	From json.RawMessage `json:"from,omitempty"`
	To   json.RawMessage `json:"to,omitempty"`
	// Secret says that stars stand for the values.
	Secret bool `json:"secret,omitempty"`
	// Apart is drifted where the change parted what is observed of an attribute from
	// what is desired, and settled where it brought both together.
	Apart string `json:"apart,omitempty"`
}

const (
	drifted = "drifted"
	settled = "settled"
)

// apart reports whether something else is observed of an attribute than is desired.
// Without a wish or before the first look nothing is apart.
func apart(row wire.Row, name string) bool {
	want, is := row[name], row[name+wire.ObservedSuffix]
	return !isNull(want) && !isNull(is) && !bytes.Equal(want, is)
}

// difference tells what changed between two rows; of secrets only that they did.
func difference(t *shape, before, after wire.Row) map[string]Diff {
	out := map[string]Diff{}
	told := func(name string, v json.RawMessage) json.RawMessage {
		if t.by[name].Secret && !isNull(v) {
			return wire.Raw(hidden)
		}
		return v
	}
	for k, v := range after {
		if !bytes.Equal(before[k], v) {
			out[k] = Diff{From: told(k, before[k]), To: told(k, v), Secret: t.by[k].Secret}
		}
	}
	for k, v := range before {
		if _, ok := after[k]; !ok {
			out[k] = Diff{From: told(k, v), Secret: t.by[k].Secret}
		}
	}
	if len(after) == 0 { // what is removed comes to rest in another way
		return out
	}
	for k, d := range out {
		name := strings.TrimSuffix(k, wire.ObservedSuffix)
		if a := t.by[name]; !a.Observed || a.Secret {
			continue
		}
		switch was, is := apart(before, name), apart(after, name); {
		case is && !was:
			d.Apart = drifted
		case was && !is:
			d.Apart = settled
		}
		out[k] = d
	}
	return out
}
