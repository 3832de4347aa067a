package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"sextant/sdk/go/wire"
)

// param is a parameter with the field it fills.
type param struct {
	wire.Param
	index []int // of the field, through embedded structs
}

// paramsOf reads the parameters of a struct from its tags:
//
//	Address string `sx:"address,required,from=path,expr=.address" doc:"host or host:port"`
//
// The first part is the name. type= overrides the type that follows from the Go
// type; fields of embedded structs count; required, secret and multiple are flags; from=, expr=, to=, default=,
// risk= and values=a|b fill the fields of the same name. Its title by language
// stands in a tag of its own: title:"en=Address;zh=地址", and so does the pattern
// that a text matches. fields= are those that a connection needs, with + between.
func paramsOf[T any]() ([]param, error) {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%s is no struct", t)
	}
	var all []param
	for _, f := range reflect.VisibleFields(t) {
		tag, ok := f.Tag.Lookup("sx")
		if !ok {
			continue
		}
		p, err := readTag(f, tag)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		if !f.IsExported() {
			return nil, fmt.Errorf("field %s has a tag and is not exported", f.Name)
		}
		if slices.ContainsFunc(all, func(o param) bool { return o.Name == p.Name }) {
			return nil, fmt.Errorf("field %s: there are two parameters %s", f.Name, p.Name)
		}
		p.index = f.Index
		all = append(all, p)
	}
	return all, nil
}

// described reads what a field says of its parameter: doc in English, zh in Chinese.
func described(tag reflect.StructTag) wire.Text {
	by := wire.Text{}
	for language, key := range map[string]string{"en": "doc", "zh": "zh"} {
		if text := tag.Get(key); text != "" {
			by[language] = text
		}
	}
	if len(by) == 0 {
		return nil
	}
	return by
}

func readTag(f reflect.StructField, tag string) (param, error) {
	parts := strings.Split(tag, ",")
	p := param{Param: wire.Param{Name: parts[0], Type: typeOf(f.Type), Description: described(f.Tag),
		Pattern: f.Tag.Get("pattern"), Secret: f.Type == reflect.TypeFor[Secret]()}}
	if p.Name == "" {
		return p, fmt.Errorf("the tag names no parameter")
	}
	if titles, ok := f.Tag.Lookup("title"); ok {
		p.Title = wire.Text{}
		for one := range strings.SplitSeq(titles, ";") {
			language, text, found := strings.Cut(one, "=")
			if !found {
				return p, fmt.Errorf("the title %q names no language: en=…", one)
			}
			p.Title[language] = text
		}
	}
	for _, part := range parts[1:] {
		key, v, _ := strings.Cut(part, "=")
		switch key {
		case "required":
			p.Required = true
		case "secret":
			p.Secret = true
		case "multiple":
			p.Multiple = true
		case "type":
			p.Type = v
		case "from":
			p.From = v
		case "expr":
			p.Expr = v
		case "to":
			p.To = v
		case "default":
			p.Default = v
		case "risk":
			p.Risk = v
		case "fields":
			p.Fields = strings.Split(v, "+")
		case "values":
			p.Type, p.Values = wire.TypeEnum, strings.Split(v, "|")
		default:
			return p, fmt.Errorf("the tag has an unknown part %q", part)
		}
	}
	return p, nil
}

func typeOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[json.Number]():
		return wire.TypeNumber
	case reflect.TypeFor[Duration]():
		return wire.TypeDuration
	case reflect.TypeFor[time.Time]():
		return wire.TypeDateTime
	case reflect.TypeFor[File]():
		return wire.TypeFile
	}
	switch t.Kind() {
	case reflect.Bool:
		return wire.TypeBool
	case reflect.Int, reflect.Int64, reflect.Int32:
		return wire.TypeInt
	case reflect.Float64:
		return wire.TypeNumber
	case reflect.String:
		return wire.TypeString
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return wire.TypeObject // raw JSON
		}
		return wire.TypeList
	case reflect.Pointer:
		return typeOf(t.Elem())
	}
	return wire.TypeObject
}

// decodeRow fills a struct from the row of a call.
func decodeRow(row wire.Row, into any, params []param) error {
	v := reflect.ValueOf(into).Elem()
	for _, p := range params {
		raw, ok := row[p.Name]
		empty := !ok || len(raw) == 0 || bytes.Equal(raw, []byte("null")) || bytes.Equal(raw, []byte(`""`))
		if empty && p.Default != "" {
			raw, empty = defaultJSON(p.Param), false
		}
		if empty {
			if p.Required {
				return Fail("input.missing", fmt.Sprintf("the input %s is missing", p.Name))
			}
			continue
		}
		if err := json.Unmarshal(loosely(raw, p.Type), v.FieldByIndex(p.index).Addr().Interface()); err != nil {
			return Fail("input.type", fmt.Sprintf("the input %s is not of type %s%s", p.Name, p.Type, reason(p.Param, err)))
		}
		if s := text(raw); len(p.Values) > 0 && !slices.Contains(p.Values, s) {
			return Fail("input.value", fmt.Sprintf("the input %s is none of %s", p.Name, strings.Join(p.Values, ", ")))
		}
	}
	return nil
}

// reason tells more about a value that was not understood, unless it is secret.
func reason(p wire.Param, err error) string {
	var kind *json.UnmarshalTypeError
	if p.Secret || errors.As(err, &kind) {
		return ""
	}
	return ": " + err.Error()
}

// loosely accepts a number, a boolean or a structure that arrives as text.
func loosely(raw json.RawMessage, typ string) json.RawMessage {
	var s string
	switch typ {
	case wire.TypeInt, wire.TypeNumber, wire.TypeBool, wire.TypeList, wire.TypeObject, wire.TypeConnection:
		if json.Unmarshal(raw, &s) == nil && json.Valid([]byte(s)) {
			return json.RawMessage(s)
		}
	case wire.TypeString, wire.TypeText, wire.TypeEnum:
		if raw[0] != '"' && raw[0] != '{' && raw[0] != '[' {
			return wire.Raw(string(raw))
		}
	}
	return raw
}

// text is a JSON string without its quotes, or the JSON itself.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}

func defaultJSON(p wire.Param) json.RawMessage {
	switch p.Type {
	case wire.TypeInt, wire.TypeNumber, wire.TypeBool, wire.TypeList, wire.TypeObject:
		return json.RawMessage(p.Default)
	}
	return wire.Raw(p.Default)
}

func encodeRow(from any, params []param) (wire.Row, error) {
	v := reflect.ValueOf(from)
	row := wire.Row{}
	for _, p := range params {
		f := v.FieldByIndex(p.index)
		if f.Kind() == reflect.Pointer && f.IsNil() {
			continue
		}
		raw, err := json.Marshal(f.Interface())
		if err != nil {
			return row, fmt.Errorf("the output %s cannot be written as JSON: %w", p.Name, err)
		}
		row[p.Name] = raw
	}
	return row, nil
}
