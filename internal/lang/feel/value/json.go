package value

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

const maxDepth = 256 // of nested JSON

var errJSON = errors.New("no JSON value")

// FromJSON reads a JSON value. Numbers keep their decimal text, objects the
// order of their keys; a key that comes twice has its last value.
func FromJSON(raw []byte) (Value, error) {
	if v, ok := scalar(raw); ok {
		return v, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err := read(d, 0)
	if err != nil {
		return Null(), err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Null(), fmt.Errorf("%w: something follows it", errJSON)
	}
	return v, nil
}

// scalar reads the common short values without a decoder.
func scalar(raw []byte) (Value, bool) {
	switch {
	case len(raw) == 0:
		return Null(), false
	case string(raw) == "null":
		return Null(), true
	case string(raw) == "true":
		return Bool(true), true
	case string(raw) == "false":
		return Bool(false), true
	case raw[0] == '"' && len(raw) >= 2 && raw[len(raw)-1] == '"' && plain(raw[1:len(raw)-1]):
		return String(string(raw[1 : len(raw)-1])), true
	case raw[0] >= '1' && raw[0] <= '9' && len(raw) < 18:
		n := int64(0)
		for _, c := range raw {
			if c < '0' || c > '9' {
				return Null(), false
			}
			n = n*10 + int64(c-'0')
		}
		return Int(n), true
	}
	return Null(), false
}

func plain(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c == '"' || c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}

func read(d *json.Decoder, depth int) (Value, error) {
	if depth > maxDepth {
		return Null(), fmt.Errorf("%w: nested more than %d deep", errJSON, maxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return Null(), fmt.Errorf("%w: %w", errJSON, err)
	}
	switch t := t.(type) {
	case bool:
		return Bool(t), nil
	case string:
		return String(t), nil
	case json.Number:
		v, ok := ParseNumber(t.String())
		if !ok {
			return Null(), fmt.Errorf("%w: the number %s has no place", errJSON, t)
		}
		return v, nil
	case json.Delim:
		if t == '[' {
			return readList(d, depth)
		}
		return readContext(d, depth)
	}
	return Null(), nil
}

func readList(d *json.Decoder, depth int) (Value, error) {
	items := []Value{}
	for d.More() {
		v, err := read(d, depth+1)
		if err != nil {
			return Null(), err
		}
		items = append(items, v)
	}
	_, err := d.Token()
	return NewList(items), err
}

func readContext(d *json.Decoder, depth int) (Value, error) {
	c := &Context{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return Null(), fmt.Errorf("%w: %w", errJSON, err)
		}
		v, err := read(d, depth+1)
		if err != nil {
			return Null(), err
		}
		c.Put(key.(string), v)
	}
	_, err := d.Token()
	return NewContext(c), err
}

// ToJSON writes a value as JSON: temporal values and ranges as strings, numbers
// as decimal text. The same value always gives the same bytes.
func ToJSON(v Value) ([]byte, error) {
	var b bytes.Buffer
	if err := v.json(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (v Value) json(b *bytes.Buffer) error {
	switch v.kind {
	case KindNull, KindBool, KindNumber:
		var s strings.Builder
		v.write(&s)
		b.WriteString(s.String())
	case KindList:
		b.WriteByte('[')
		for i, item := range v.ref.([]Value) {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := item.json(b); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case KindContext:
		c := v.ref.(*Context)
		b.WriteByte('{')
		for i, k := range c.keys {
			if i > 0 {
				b.WriteByte(',')
			}
			writeString(b, k)
			b.WriteByte(':')
			if err := c.values[k].json(b); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case KindFunction:
		return errors.New("a function has no JSON form")
	default:
		writeString(b, v.String())
	}
	return nil
}

func writeString(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err == nil {
		b.Truncate(b.Len() - 1) // the encoder ends with a newline
	}
}
