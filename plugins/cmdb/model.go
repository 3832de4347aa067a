package cmdb

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/wire"
)

const (
	maxTypes      = 1000
	maxAttributes = 200 // of a type
	maxValues     = 200 // of an enumeration
	maxValue      = 100 // bytes of one of them
)

var (
	namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	refPattern  = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}:[A-Za-z_][A-Za-z0-9_-]{0,127}$`)
)

// model is the types that people have defined, by name.
type model map[string]wire.ObjectType

// all lists the types by name.
func (m model) all() []wire.ObjectType {
	out := make([]wire.ObjectType, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[name])
	}
	return out
}

// find is a type of the model or one that the plugin brings along.
func (m model) find(_ context.Context, name string) (wire.ObjectType, bool, error) {
	if t, ok := m[name]; ok {
		return t, true, nil
	}
	return objectstore.Fixed(builtin())(context.Background(), name)
}

// fault is what is wrong with a definition: with which attribute of which row of
// object_type or object_attribute.
type fault struct{ typ, id, attr, message string }

func onType(id, attr, format string, args ...any) fault {
	return fault{typeType, id, attr, fmt.Sprintf(format, args...)}
}

func onAttribute(t, a, attr, format string, args ...any) fault {
	return fault{typeAttribute, t + "." + a, attr, fmt.Sprintf(format, args...)}
}

// readModel builds the model from the definitions that a transaction sees.
func readModel(ctx context.Context, tx *objectstore.Tx) (model, []fault, error) {
	types, err := readAll(ctx, tx, typeType)
	if err != nil {
		return nil, nil, err
	}
	attributes, err := readAll(ctx, tx, typeAttribute)
	if err != nil {
		return nil, nil, err
	}
	m, faults := model{}, []fault{}
	for _, row := range types {
		t := typeOf(row)
		m[t.Type] = t
	}
	slices.SortStableFunc(attributes, func(a, b wire.Row) int {
		return cmp.Or(cmp.Compare(number(a["position"]), number(b["position"])), strings.Compare(text(a["name"]), text(b["name"])))
	})
	for _, row := range attributes {
		of, a := text(row["object_type"]), attributeOf(row)
		if id := text(row[wire.AttrID]); id != of+"."+a.Name {
			faults = append(faults, fault{typeAttribute, id, wire.AttrID, fmt.Sprintf(
				"the id of this attribute is %s.%s; an attribute keeps its name and its type: add another and remove this one", of, a.Name)})
			continue
		}
		t, ok := m[of]
		switch {
		case !ok:
			faults = append(faults, onAttribute(of, a.Name, "object_type", "there is no object type %q: define it first", of))
		case a.Name == wire.AttrID:
			faults = append(faults, onAttribute(of, a.Name, "name", "every type has an id already: choose another name"))
		default:
			t.Attributes = append(t.Attributes, a)
			m[of] = t
		}
	}
	for name, t := range m {
		m[name] = complete(t)
	}
	return m, faults, nil
}

// readAll reads all rows of a type.
func readAll(ctx context.Context, tx *objectstore.Tx, typ string) ([]wire.Row, error) {
	var out []wire.Row
	for q := (wire.Query{Limit: 1000}); ; {
		page, next, err := tx.Query(ctx, typ, q)
		if err != nil {
			return nil, err
		}
		out = append(out, page...)
		if q.After = next; next == "" {
			return out, nil
		}
	}
}

func typeOf(row wire.Row) wire.ObjectType {
	t := wire.ObjectType{Type: text(row[wire.AttrID]), Title: texts(row, "title_en", "title_zh"),
		Description: texts(row, "description", "description_zh"), Display: text(row["display"]), Paging: flag(row["paging"])}
	if p, e := text(row["scope_project"]), text(row["scope_environment"]); p != "" || e != "" {
		t.Scope = &wire.ObjectScope{Project: p, Environment: e}
	}
	return t
}

func attributeOf(row wire.Row) wire.Attribute {
	return wire.Attribute{
		Name: text(row["name"]), Type: text(row["type"]), Title: texts(row, "title", "title_zh"),
		Required: flag(row["required"]), Unique: flag(row["unique"]),
		Values: valuesOf(row["values"]), To: text(row["to"]), Observed: flag(row["observed"]),
		Secret: flag(row["secret"]), Default: text(row["default"]),
	}
}

func texts(row wire.Row, en, zh string) wire.Text {
	out := wire.Text{}
	for lang, attr := range map[string]string{"en": en, "zh": zh} {
		if s := strings.TrimSpace(text(row[attr])); s != "" {
			out[lang] = s
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// complete adds what every type has: an id, and the attributes of its scope.
func complete(t wire.ObjectType) wire.ObjectType {
	has := func(name string) bool {
		return slices.ContainsFunc(t.Attributes, func(a wire.Attribute) bool { return a.Name == name })
	}
	if !has(wire.AttrID) {
		id := wire.Attribute{Name: wire.AttrID, Type: wire.TypeString, Required: true, Unique: true, Title: wire.Text{"en": "Id", "zh": "标识"}}
		t.Attributes = append([]wire.Attribute{id}, t.Attributes...)
	}
	if t.Scope == nil {
		return t
	}
	for _, holder := range []struct { // in this order, whenever it is asked
		attr  string
		title wire.Text
	}{{t.Scope.Project, wire.Text{"en": "Project", "zh": "项目"}}, {t.Scope.Environment, wire.Text{"en": "Environment", "zh": "环境"}}} {
		attr, title := holder.attr, holder.title
		if attr != "" && !has(attr) {
			t.Attributes = append(t.Attributes, wire.Attribute{Name: attr, Type: wire.TypeString, Title: title})
		}
	}
	return t
}

// text is a JSON string without its quotes, or the JSON itself; nothing for null.
func text(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}

func flag(raw json.RawMessage) bool { return text(raw) == "true" }

func number(raw json.RawMessage) int64 {
	n, err := strconv.ParseInt(text(raw), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// valuesOf reads the values of an enumeration: a JSON list, or a text with one
// value a line, or with commas.
func valuesOf(raw json.RawMessage) []string {
	s := text(raw)
	var list []json.RawMessage
	if json.Unmarshal([]byte(s), &list) == nil {
		out := make([]string, 0, len(list))
		for _, v := range list {
			out = append(out, text(v))
		}
		return out
	}
	sep := ","
	if strings.Contains(s, "\n") {
		sep = "\n"
	}
	var out []string
	for v := range strings.SplitSeq(s, sep) {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// check tells what is wrong with a model in itself.
func (m model) check() []fault {
	var out []fault
	if len(m) > maxTypes {
		out = append(out, onType("", wire.AttrID, "there are %d types: at most %d are possible", len(m), maxTypes))
	}
	for _, t := range m.all() {
		out = append(out, m.checkType(t)...)
		for _, a := range t.Attributes {
			if a.Name != wire.AttrID {
				out = append(out, m.checkAttribute(t, a)...)
			}
		}
	}
	return out
}

func (m model) checkType(t wire.ObjectType) []fault {
	var out []fault
	bad := func(attr, format string, args ...any) { out = append(out, onType(t.Type, attr, format, args...)) }
	if !namePattern.MatchString(t.Type) {
		bad(wire.AttrID, "%q is no name of a type: it begins with a lower-case letter and has lower-case letters, digits and _, at most 63",
			t.Type)
	}
	if slices.ContainsFunc(builtin(), func(b wire.ObjectType) bool { return b.Type == t.Type }) {
		bad(wire.AttrID, "the name %s is taken by the plugin itself: choose another", t.Type)
	}
	if len(t.Attributes) > maxAttributes {
		bad(wire.AttrID, "the type has %d attributes: at most %d are possible", len(t.Attributes), maxAttributes)
	}
	if _, ok := attribute(t, t.Display); !ok && t.Display != "" {
		bad("display", "%s has no attribute %q: add it first or choose another", t.Type, t.Display)
	}
	if a, _ := attribute(t, t.Display); a.Secret {
		bad("display", "%s is secret and cannot be shown", t.Display)
	}
	if t.Scope == nil {
		return out
	}
	for field, attr := range map[string]string{"scope_project": t.Scope.Project, "scope_environment": t.Scope.Environment} {
		a, _ := attribute(t, attr)
		switch {
		case attr == "":
		case !namePattern.MatchString(attr) || attr == wire.AttrID:
			bad(field, "%q is no name of an attribute that could hold it", attr)
		case a.Type != wire.TypeString && a.Type != wire.TypeEnum || a.Observed || a.Secret:
			bad(field, "%s.%s has to be a string or an enum, neither observed nor secret", t.Type, attr)
		}
	}
	if t.Scope.Project != "" && t.Scope.Project == t.Scope.Environment {
		bad("scope_environment", "one attribute cannot hold both the project and the environment")
	}
	return out
}

// attribute finds an attribute of a type.
func attribute(t wire.ObjectType, name string) (wire.Attribute, bool) {
	i := slices.IndexFunc(t.Attributes, func(a wire.Attribute) bool { return a.Name == name })
	if i < 0 {
		return wire.Attribute{}, false
	}
	return t.Attributes[i], true
}

func (m model) checkAttribute(t wire.ObjectType, a wire.Attribute) []fault {
	var out []fault
	bad := func(attr, format string, args ...any) {
		out = append(out, onAttribute(t.Type, a.Name, attr, format, args...))
	}
	if !namePattern.MatchString(a.Name) {
		bad("name", "%q is no name of an attribute: it begins with a lower-case letter and has lower-case letters, digits and _, at most 63",
			a.Name)
	}
	reference := a.Type == wire.TypeRef || a.Type == wire.TypeMultiRef
	switch own, isOwn := strings.CutPrefix(a.To, name+":"); {
	case !reference && a.To != "":
		bad("to", "only ref and multiref lead to a type: remove to, or change the type")
	case !reference:
	case !refPattern.MatchString(a.To):
		bad("to", "%q is no type: write it as plugin:type, such as cmdb:host", a.To)
	case isOwn && own == typeHistory:
		bad("to", "nothing can refer to the history")
	case isOwn && !m.has(own):
		bad("to", "there is no type %s: define it first", a.To)
	}
	for _, problem := range enumProblems(a) {
		bad("values", "%s", problem)
	}
	if a.Unique && (a.Type == wire.TypeMultiRef || a.Type == wire.TypeBool || a.Secret) {
		bad("unique", "neither a multiref nor a bool nor a secret can be unique")
	}
	if a.Secret && (a.Observed || reference || a.Type == wire.TypeEnum || a.Type == wire.TypeBool) {
		bad("secret", "a secret is a text or a number without an observed value")
	}
	if a.Default == "" {
		return out
	}
	if _, err := objectstore.Check(a, wire.Raw(a.Default)); err != nil {
		bad("default", "%s", err)
	}
	if a.Secret || a.Unique || reference {
		bad("default", "neither a secret nor a unique value nor a reference has a default")
	}
	return out
}

func (m model) has(name string) bool {
	_, ok, _ := m.find(context.Background(), name) // a model in memory has no errors
	return ok
}

// enumProblems tells what is wrong with the values of an enumeration.
func enumProblems(a wire.Attribute) []string {
	var out []string
	switch {
	case a.Type != wire.TypeEnum && len(a.Values) > 0:
		return []string{"only an enum has values: remove them, or change the type"}
	case a.Type == wire.TypeEnum && len(a.Values) == 0:
		return []string{"an enum has values: list them"}
	case len(a.Values) > maxValues:
		return []string{fmt.Sprintf("there are %d values: at most %d are possible", len(a.Values), maxValues)}
	}
	for i, v := range a.Values {
		switch {
		case v == "" || len(v) > maxValue:
			out = append(out, fmt.Sprintf("%.20q is no value: it has 1 to %d bytes", v, maxValue))
		case slices.Contains(a.Values[:i], v):
			out = append(out, fmt.Sprintf("%q is there twice: remove one", v))
		}
	}
	return out
}
