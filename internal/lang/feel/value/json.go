package value

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
)

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
	case KindNull:
		b.WriteString("null")
	case KindBool:
		b.WriteString(strconv.FormatBool(v.num != 0))
	case KindNumber:
		if v.ref == nil {
			b.Write(strconv.AppendInt(b.AvailableBuffer(), v.num, 10))
			return nil
		}
		b.WriteString(numberText(v))
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
		for i := range c.entries {
			if i > 0 {
				b.WriteByte(',')
			}
			writeString(b, c.entries[i].key)
			b.WriteByte(':')
			if err := c.entries[i].v.json(b); err != nil {
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
	if plainText(s) {
		b.WriteByte('"')
		b.WriteString(s)
		b.WriteByte('"')
		return
	}
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err == nil {
		b.Truncate(b.Len() - 1) // the encoder ends with a newline
	}
}

func plainText(s string) bool {
	for i := range len(s) {
		if escaped(s[i]) {
			return false
		}
	}
	return true
}

// escaped tells bytes that may need an escape in JSON.
func escaped(c byte) bool { return c < 0x20 || c == '"' || c == '\\' || c >= 0x80 }
