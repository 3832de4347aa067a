package eval

import (
	"fmt"
	"strings"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// types makes types of the item definitions of a model.
type types struct {
	unit  *unit
	items map[string]*model.ItemDefinition
	made  map[*model.ItemDefinition]*value.Type
	open  map[*value.Type]bool // those being made, of all models: they can only be pointed at
	tests func(t *model.Tests, owner string) *feel.Expr
	wrong func(level model.Level, code string, at model.Place, owner, message string)
}

// maxTypes bounds how deep types are made of others.
const maxTypes = 200

func newTypes(u *unit, open map[*value.Type]bool) *types {
	t := &types{unit: u, items: map[string]*model.ItemDefinition{}, made: map[*model.ItemDefinition]*value.Type{}, open: open}
	for _, it := range u.def.Items {
		if t.items[it.Name] == nil {
			t.items[it.Name] = it
		}
	}
	return t
}

// find finds a type by its name: one of FEEL, of the model, or of a model that
// it imports.
func (t *types) find(name string) (*value.Type, bool) {
	name = strings.Join(strings.Fields(name), " ")
	if it := t.items[name]; it != nil {
		return t.item(it), true
	}
	if typ, ok := value.NamedType(name); ok {
		return typ, true
	}
	for _, imp := range t.unit.imports {
		rest, ok := strings.CutPrefix(name, imp.name+".")
		if imp.name == "" { // what it holds is known without a prefix
			rest, ok = name, true
		}
		if ok {
			if it := imp.unit.types.items[rest]; it != nil {
				return imp.unit.types.item(it), true
			}
		}
	}
	if prefix, rest, ok := strings.Cut(name, ":"); ok {
		return t.prefixed(prefix, rest)
	}
	return nil, false
}

// prefixed finds a type as DMN 1.1 names it: feel:string, or with the prefix of
// a namespace.
func (t *types) prefixed(prefix, name string) (*value.Type, bool) {
	space := t.unit.def.Prefixes[prefix]
	for _, imp := range t.unit.imports {
		if imp.unit.def.Namespace == space && space != "" {
			if it := imp.unit.types.items[name]; it != nil {
				return imp.unit.types.item(it), true
			}
		}
	}
	if it := t.items[name]; it != nil && space == t.unit.def.Namespace {
		return t.item(it), true
	}
	return value.NamedType(name)
}

// ref makes the type that a reference names; nil, which is any, where it names
// none.
func (t *types) ref(ref string, at model.Place, owner string) *value.Type {
	if ref == "" {
		return nil
	}
	if typ, ok := t.find(ref); ok {
		return typ
	}
	typ, err := feel.ParseType(ref, feel.Types(t.find))
	if err != nil {
		t.wrong(model.Failure, "dmn.type.unknown", at, owner, fmt.Sprintf("there is no type %q", ref))
		return nil
	}
	return typ
}

// item makes the type of a definition. While it is being made it can only be
// pointed at, which is how a type contains itself.
func (t *types) item(it *model.ItemDefinition) *value.Type {
	if typ := t.made[it]; typ != nil {
		return typ
	}
	typ := &value.Type{Name: it.Name, Kind: value.KindAny}
	t.made[it] = typ
	if len(t.open) >= maxTypes {
		t.wrong(model.Failure, "dmn.type.depth", it.Place, it.Name, fmt.Sprintf("types are made of others more than %d levels deep", maxTypes))
		return typ
	}
	t.open[typ] = true
	made := t.shape(it, it.Name)
	delete(t.open, typ)
	made.Name = it.Name
	*typ = made
	return typ
}

// shape makes the type of a definition or component, without its name.
func (t *types) shape(it *model.ItemDefinition, owner string) value.Type {
	var typ value.Type
	switch {
	case len(it.Components) > 0:
		typ.Kind = value.KindContext
		for _, c := range it.Components {
			typ.Fields = append(typ.Fields, value.Field{Name: c.Name, Type: t.component(c, owner)})
		}
	case it.Function != nil:
		typ.Kind, typ.Params = value.KindFunction, []*value.Type{}
		for _, p := range it.Function.Parameters {
			typ.Params = append(typ.Params, t.ref(p.TypeRef, p.Place, owner))
		}
		typ.Result = t.ref(it.Function.Output, it.Place, owner)
	default:
		typ = t.alias(it, owner)
	}
	typ.Allowed = t.limit(typ.Allowed, it.Allowed, owner)
	if it.Collection {
		elem := typ
		typ = value.Type{Kind: value.KindList, Elem: &elem}
	}
	typ.Allowed = t.limit(typ.Allowed, it.Constraint, owner)
	return typ
}

// allowed are the unary tests of a named type, or of that which it refers to.
func (t *types) allowed(ref string) string {
	for range maxTypes {
		it := t.items[ref]
		switch {
		case it == nil || it.Collection:
			return ""
		case it.Allowed != nil:
			return it.Allowed.Text
		case it.Constraint != nil:
			return it.Constraint.Text
		}
		ref = it.TypeRef
	}
	return ""
}

// component points at the type of its own name where it adds nothing to it.
func (t *types) component(c *model.ItemDefinition, owner string) *value.Type {
	if len(c.Components) > 0 || c.Function != nil || c.Allowed != nil || c.Constraint != nil {
		typ := t.shape(c, owner)
		return &typ
	}
	typ := t.ref(c.TypeRef, c.Place, owner)
	if c.Collection {
		return value.ListType(typ)
	}
	return typ
}

// alias is the type that a definition refers to, which has to be complete.
func (t *types) alias(it *model.ItemDefinition, owner string) value.Type {
	target := t.ref(it.TypeRef, it.Place, owner)
	if target == nil {
		return value.Type{Kind: value.KindAny}
	}
	if t.open[target] {
		t.wrong(model.Failure, "dmn.type.cycle", it.Place, owner, fmt.Sprintf("the type %q is defined by itself", owner))
		return value.Type{Kind: value.KindAny}
	}
	return *target
}

// limit adds allowed values to those of the type below.
func (t *types) limit(below func(value.Value) bool, tests *model.Tests, owner string) func(value.Value) bool {
	if tests == nil {
		return below
	}
	x := t.tests(tests, owner)
	if x == nil {
		return below
	}
	return func(v value.Value) bool {
		if below != nil && !below(v) {
			return false
		}
		out, err := x.Eval(&feel.Env{Lookup: func(name string) (value.Value, bool) { return v, name == "?" }})
		b, ok := value.AsBool(out)
		return err == nil && ok && b
	}
}
