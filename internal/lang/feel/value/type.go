package value

import (
	"slices"
	"strings"
)

// Type is a type of FEEL (DMN 1.5, 10.3.2.9): a kind, and for what is made of
// others their types. A nil *Type says nothing about a value, as Any does.
type Type struct {
	// Name is that of the definition it comes from, empty where it has none.
	Name string
	Kind Kind // KindAny where every value fits
	// Elem is what a list or range holds; nil for anything.
	Elem *Type
	// Fields are the entries that a context has at least.
	Fields []Field
	// Params and Result are those of a function; a function type that says
	// nothing about them has Params nil.
	Params   []*Type
	Result   *Type
	variadic bool // it also takes the items of its one list one by one
	// Allowed limits the values that Coerce lets pass; nil for no limit.
	Allowed func(Value) bool
}

// Field is an entry of a context type.
type Field struct {
	Name string
	Type *Type
}

// AnyType is the type of every value.
func AnyType() *Type { return &Type{Kind: KindAny} }

// SimpleType is the type of a kind without further parts.
func SimpleType(k Kind) *Type { return &Type{Kind: k} }

// ListType is that of lists of a type.
func ListType(elem *Type) *Type { return &Type{Kind: KindList, Elem: elem} }

// simpleTypes are the names of FEEL for types without parts.
var simpleTypes = map[string]Kind{
	"Any":                       KindAny,
	"Null":                      KindNull,
	"boolean":                   KindBool,
	"number":                    KindNumber,
	"string":                    KindString,
	"date":                      KindDate,
	"time":                      KindTime,
	"date and time":             KindDateTime,
	"dateTime":                  KindDateTime,
	"days and time duration":    KindDaysDuration,
	"dayTimeDuration":           KindDaysDuration,
	"years and months duration": KindMonthsDuration,
	"yearMonthDuration":         KindMonthsDuration,
	"list":                      KindList,
	"context":                   KindContext,
	"range":                     KindRange,
	"function":                  KindFunction,
}

// NamedType finds a type of FEEL by its name.
func NamedType(name string) (*Type, bool) {
	k, ok := simpleTypes[name]
	if !ok {
		return nil, false
	}
	return SimpleType(k), true
}

// isAny reports whether the type says nothing.
func (t *Type) isAny() bool { return t == nil || t.Kind == KindAny }

// Holds reports whether a value is an instance of the type: null is none of
// any, but stands within lists and contexts for a value that is not known.
func (t *Type) Holds(v Value) bool {
	if v.IsNull() {
		return t != nil && t.Kind == KindNull
	}
	return t.fits(v)
}

// fits is Holds where null has every type.
func (t *Type) fits(v Value) bool {
	if v.IsNull() || t.isAny() {
		return true
	}
	if v.kind != t.Kind {
		return false
	}
	switch v.kind {
	case KindList:
		l, _ := AsList(v)
		return t.Elem.isAny() || !slices.ContainsFunc(l, func(item Value) bool { return !t.Elem.fits(item) })
	case KindRange:
		r, _ := AsRange(v)
		return t.Elem.fits(r.Low) && t.Elem.fits(r.High)
	case KindContext:
		c, _ := AsContext(v)
		return !slices.ContainsFunc(t.Fields, func(f Field) bool {
			entry, has := c.Get(f.Name)
			return !has || !f.Type.fits(entry)
		})
	case KindFunction:
		f, _ := AsFunction(v)
		return f.typ().Conforms(t)
	}
	return true
}

// Conforms reports whether every value of the type is one of the other (DMN
// 1.5, 10.3.2.9.2): lists and ranges by what they hold, contexts by the entries
// of the other, functions with parameters the other way round. Types may hold
// themselves.
func (t *Type) Conforms(other *Type) bool { return conforms(t, other, conformance{}) }

// conformance are the pairs of types that are being compared further out; they
// conform unless something else is found that does not.
type conformance map[[2]*Type]bool

func conforms(t, other *Type, asked conformance) bool {
	if other.isAny() || t == other {
		return true
	}
	if t.isAny() {
		return false
	}
	if t.Kind == KindNull {
		return true
	}
	pair := [2]*Type{t, other}
	if t.Kind != other.Kind || asked[pair] {
		return t.Kind == other.Kind
	}
	asked[pair] = true
	switch t.Kind {
	case KindList, KindRange:
		return conforms(t.Elem, other.Elem, asked)
	case KindContext:
		return !slices.ContainsFunc(other.Fields, func(f Field) bool {
			own, has := t.Field(f.Name)
			return !has || !conforms(own, f.Type, asked)
		})
	case KindFunction:
		return functionsConform(t, other, asked)
	}
	return true
}

func functionsConform(t, other *Type, asked conformance) bool {
	// What a function gives is often not known before it is called.
	result := t.Result == nil || conforms(t.Result, other.Result, asked)
	if other.Params == nil {
		return result
	}
	params := t.Params
	if t.variadic && len(other.Params) > 0 && (other.Params[0].isAny() || other.Params[0].Kind != KindList) {
		params = slices.Repeat([]*Type{params[0].Elem}, len(other.Params))
	}
	if len(params) != len(other.Params) {
		return false
	}
	for i, p := range other.Params {
		if !conforms(p, params[i], asked) {
			return false
		}
	}
	return result
}

// Field finds the type of an entry of a context.
func (t *Type) Field(name string) (*Type, bool) {
	if t == nil {
		return nil, false
	}
	i := slices.IndexFunc(t.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return nil, false
	}
	return t.Fields[i].Type, true
}

// Coerce makes a value one of the type (DMN 1.5, 10.3.2.9.4): a list of one and
// its item stand for one another, a date becomes midnight UTC of its day. ok is
// false where the value does not conform; null always does.
func (t *Type) Coerce(v Value) (out Value, ok bool) {
	if v.IsNull() || t == nil {
		return v, true
	}
	out, ok = t.convert(v)
	if !ok || t.Allowed != nil && !t.Allowed(out) {
		return Null(), false
	}
	return out, true
}

func (t *Type) convert(v Value) (Value, bool) {
	if t.Kind == KindAny {
		return v, true
	}
	l, isList := AsList(v)
	switch {
	case t.Kind == KindList && isList:
		return t.each(v, l)
	case t.Kind == KindList:
		item, ok := t.Elem.Coerce(v)
		return NewList([]Value{item}), ok
	case isList:
		if len(l) != 1 || l[0].kind == KindList { // taken apart once, not again
			return Null(), false
		}
		return t.convert(l[0])
	case t.Kind == KindDateTime && v.kind == KindDate:
		day, _ := AsDate(v)
		return NewMoment(Moment{T: day}), true
	case t.Kind == KindContext && v.kind == KindContext:
		return t.entries(v)
	}
	return v, t.fits(v)
}

// each converts the items of a list, and copies it only where one changes.
func (t *Type) each(v Value, l []Value) (Value, bool) {
	if t.Elem.isAny() && (t.Elem == nil || t.Elem.Allowed == nil) {
		return v, true
	}
	var changed []Value
	for i, item := range l {
		// An item is converted only where its kind needs it: a list in a list of
		// numbers is a mistake and not a number.
		if _, nested := AsList(item); nested && t.Elem.Kind != KindList && !t.Elem.isAny() {
			return Null(), false
		}
		c, ok := t.Elem.Coerce(item)
		if !ok {
			return Null(), false
		}
		if changed == nil && !identical(c, item) {
			changed = slices.Clone(l)
		}
		if changed != nil {
			changed[i] = c
		}
	}
	if changed == nil {
		return v, true
	}
	return NewList(changed), true
}

// entries converts the entries of a context that the type names.
func (t *Type) entries(v Value) (Value, bool) {
	c, _ := AsContext(v)
	var changed *Context
	for _, f := range t.Fields {
		entry, has := c.Get(f.Name)
		if !has {
			return Null(), false
		}
		e, ok := f.Type.Coerce(entry)
		if !ok {
			return Null(), false
		}
		if identical(e, entry) {
			continue
		}
		if changed == nil {
			changed = c.Clone()
		}
		changed.Put(f.Name, e)
	}
	if changed == nil {
		return v, true
	}
	return NewContext(changed), true
}

// identical tells cheaply that a conversion changed nothing: within their kind
// only lists and contexts change.
func identical(a, b Value) bool {
	if a.kind != b.kind || a.num != b.num {
		return false
	}
	switch x := a.ref.(type) {
	case *Context:
		return a.ref == b.ref
	case []Value:
		y, _ := b.ref.([]Value)
		return len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0])
	}
	return true
}

// String writes the type as FEEL does: its name where it has one.
func (t *Type) String() string {
	if t == nil {
		return "Any"
	}
	if t.Name != "" {
		return t.Name
	}
	switch t.Kind {
	case KindList:
		return "list<" + t.Elem.String() + ">"
	case KindRange:
		return "range<" + t.Elem.String() + ">"
	case KindContext:
		fields := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = f.Name + ": " + f.Type.String()
		}
		return "context<" + strings.Join(fields, ", ") + ">"
	case KindFunction:
		params := make([]string, len(t.Params))
		for i, p := range t.Params {
			params[i] = p.String()
		}
		return "function<" + strings.Join(params, ", ") + ">->" + t.Result.String()
	}
	return kindTypes[t.Kind]
}

// kindTypes are the names of types without parts, by kind.
var kindTypes = map[Kind]string{
	KindAny: "Any", KindNull: "Null", KindBool: "boolean", KindNumber: "number", KindString: "string", KindDate: "date", KindTime: "time",
	KindDateTime: "date and time", KindDaysDuration: "days and time duration", KindMonthsDuration: "years and months duration",
}
