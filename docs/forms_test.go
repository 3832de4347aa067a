package docs_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// form is a JSON schema, as much of it as our descriptions use.
type form struct {
	Ref         string `yaml:"$ref"`
	Type        any
	Description string
	Format      string
	Pattern     string
	Encoding    string `yaml:"contentEncoding"`
	Properties  fields
	Required    []string
	Items       *form
	Additional  any   `yaml:"additionalProperties"`
	Names       *form `yaml:"propertyNames"`
	Enum        []any
	Default     any
	MinLength   *int `yaml:"minLength"`
	MaxLength   *int `yaml:"maxLength"`
	MinItems    *int `yaml:"minItems"`
	MaxItems    *int `yaml:"maxItems"`
	Unique      bool `yaml:"uniqueItems"`
	Minimum     *float64
	Maximum     *float64
	ReadOnly    bool                          `yaml:"readOnly"`
	OneOf       []struct{ Required []string } `yaml:"oneOf"`
}

// fields keep the order of the description.
type fields struct {
	names []string
	of    map[string]*form
}

// UnmarshalYAML reads the fields in their order.
func (f *fields) UnmarshalYAML(node *yaml.Node) error {
	f.of = map[string]*form{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		one := &form{}
		if err := node.Content[i+1].Decode(one); err != nil {
			return err
		}
		name := node.Content[i].Value
		f.names, f.of[name] = append(f.names, name), one
	}
	return nil
}

// refName is the form that a schema leads to, empty for none.
func (f *form) refName() string { return f.Ref[strings.LastIndex(f.Ref, "/")+1:] }

// kind is the type of a value, with a link to its form.
func (f *form) kind() string {
	if name := f.refName(); name != "" {
		return "[" + name + "](#" + strings.ToLower(name) + ")"
	}
	var names []string
	switch t := f.Type.(type) {
	case string:
		names = append(names, t)
	case []any:
		for _, n := range t {
			if n != "null" { // lists of Go are null where they are empty
				names = append(names, fmt.Sprint(n))
			}
		}
	}
	text := strings.Join(names, " or ")
	switch {
	case text == "array" && f.Items != nil:
		text = "list of " + f.Items.kind()
	case text == "object" && f.Additional != nil && f.Additional != false && f.Additional != true:
		var of form
		if raw, err := yaml.Marshal(f.Additional); err == nil && yaml.Unmarshal(raw, &of) == nil && of.kind() != "any" {
			text = "map to " + of.kind()
		}
	case f.Format == "date-time":
		text = "time"
	case f.Encoding == "base64":
		text = "base64"
	case text == "":
		text = "any"
	}
	return text
}

// limits are what a value has to keep to, in words.
func (f *form) limits() string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	span := func(what string, low, high *int) {
		switch {
		case low != nil && high != nil && *low == *high:
			add("%d %s", *low, what)
		case low != nil && high != nil:
			add("%d to %d %s", *low, *high, what)
		case low != nil:
			add("at least %d %s", *low, what)
		case high != nil:
			add("at most %d %s", *high, what)
		}
	}
	span("characters", f.MinLength, f.MaxLength)
	span("items", f.MinItems, f.MaxItems)
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	switch {
	case f.Minimum != nil && f.Maximum != nil:
		add("%s to %s", number(*f.Minimum), number(*f.Maximum))
	case f.Minimum != nil:
		add("from %s", number(*f.Minimum))
	case f.Maximum != nil:
		add("up to %s", number(*f.Maximum))
	}
	if f.Unique {
		add("each once")
	}
	if len(f.Enum) > 0 {
		var words []string
		for _, w := range f.Enum {
			words = append(words, fmt.Sprintf("`%v`", w))
		}
		add("one of %s", strings.Join(words, ", "))
	}
	pattern := f.Pattern
	if f.Names != nil && f.Names.Pattern != "" {
		add("names like `%s`", f.Names.Pattern)
	}
	if pattern != "" {
		add("like `%s`", pattern)
	}
	if f.Items != nil && f.Items.refName() == "" {
		if inner := f.Items.limits(); inner != "" {
			add("each %s", inner)
		}
	}
	if f.Default != nil && f.Default != "" {
		add("default `%v`", f.Default)
	}
	if f.ReadOnly {
		add("only read")
	}
	return strings.Join(all, "; ")
}

// table writes the fields of a form.
func (f *form) table(b *strings.Builder) {
	if len(f.Properties.names) == 0 {
		return
	}
	b.WriteString("| Field | Type | Limits | Meaning |\n|---|---|---|---|\n")
	for _, name := range f.Properties.names {
		p := f.Properties.of[name]
		label := "`" + name + "`"
		if slices.Contains(f.Required, name) {
			label = "**" + label + "**"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", label, cell(p.kind()), cell(p.limits()), cell(p.Description))
	}
}

// ways tells of which fields exactly one is given.
func (f *form) ways(b *strings.Builder) {
	var names []string
	for _, o := range f.OneOf {
		for _, n := range o.Required {
			names = append(names, "`"+n+"`")
		}
	}
	if len(names) > 0 {
		fmt.Fprintf(b, "Exactly one of %s.\n\n", strings.Join(names, ", "))
	}
}
