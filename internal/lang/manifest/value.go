package manifest

import (
	"encoding/json"
	"strconv"
	"strings"

	"sextant/sdk/go/wire"
)

// Typed gives a value in the type that a parameter declares: what a person typed
// is text, and the parameter says what it means. What does not fit stays as it
// is, for the plugin to refuse by name.
func Typed(p wire.Param, raw json.RawMessage) json.RawMessage {
	var text string
	if p.Multiple || len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return raw
	}
	text = strings.TrimSpace(text)
	switch p.Type {
	case wire.TypeInt:
		if _, err := strconv.ParseInt(text, 10, 64); err == nil {
			return whole(text)
		}
	case wire.TypeNumber:
		if json.Valid([]byte(text)) && strings.Trim(text, "0123456789+-.eE") == "" {
			return json.RawMessage(text)
		}
	case wire.TypeBool:
		if text == "true" || text == "false" {
			return json.RawMessage(text)
		}
	case wire.TypeList:
		if strings.HasPrefix(text, "[") && json.Valid([]byte(text)) {
			return json.RawMessage(text)
		}
	case wire.TypeObject:
		if strings.HasPrefix(text, "{") && json.Valid([]byte(text)) {
			return json.RawMessage(text)
		}
	}
	return raw
}

// whole is a whole number as JSON writes it: without a plus or leading zeros.
func whole(text string) json.RawMessage {
	negative := strings.HasPrefix(text, "-")
	digits := strings.TrimLeft(strings.TrimLeft(text, "+-"), "0")
	if digits == "" {
		return json.RawMessage("0")
	}
	if negative {
		digits = "-" + digits
	}
	return json.RawMessage(digits)
}

// Standard is the default that the manifest gives a parameter, as JSON; nil for
// none.
func Standard(p wire.Param) json.RawMessage {
	if p.Default == "" {
		return nil
	}
	switch p.Type {
	case wire.TypeInt, wire.TypeNumber, wire.TypeBool, wire.TypeList, wire.TypeObject:
		if json.Valid([]byte(p.Default)) {
			return json.RawMessage(p.Default)
		}
	}
	return wire.Raw(p.Default)
}

// Stored gives an output in the type of the attribute that it is written to. A
// text of a stream ends with a newline that belongs to the stream.
func Stored(out wire.Param, attr wire.Attribute, raw json.RawMessage) json.RawMessage {
	var text string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return raw
	}
	if out.Type == wire.TypeText {
		text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	}
	switch attr.Type {
	case wire.TypeInt, wire.TypeNumber, wire.TypeBool:
		return Typed(wire.Param{Type: attr.Type}, wire.Raw(text))
	case wire.TypeEnum, wire.TypeDateTime, wire.TypeRef:
		return wire.Raw(strings.TrimSpace(text))
	}
	return wire.Raw(text)
}

// Nearest is the parameter whose name is a slip away from a word.
func Nearest(word string, params []wire.Param) string {
	best, at := "", max(2, len(word)/3)+1
	for _, p := range params {
		if d := distance(word, p.Name); d < at {
			best, at = p.Name, d
		}
	}
	return best
}

// distance is how many letters have to be changed, added or left out; letters and
// marks such as _ that only differ in writing count nothing.
func distance(a, b string) int {
	fold := strings.NewReplacer("_", "", "-", "", ".", "")
	x, y := []rune(strings.ToLower(fold.Replace(a))), []rune(strings.ToLower(fold.Replace(b)))
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range x {
		last := row[0]
		row[0] = i + 1
		for j, s := range y {
			cost := last
			if r != s {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, last+1)
		}
	}
	return row[len(y)]
}
