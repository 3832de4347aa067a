package eval

import (
	"fmt"
	"slices"
	"strings"

	"sextant/internal/lang/dmn/model"
	"sextant/internal/lang/dmn/table"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// types makes types of the item definitions of a model.
type types struct {
	unit  *unit
	items map[string]*model.ItemDefinition
	made  map[*model.ItemDefinition]*value.Type
	*typing
	tests func(t *model.Tests, owner string) *feel.Expr
	wrong func(level model.Level, code string, at model.Place, owner, message string)
}

// typing is what the types of all models share.
type typing struct {
	open map[*value.Type]bool // those being made: they can only be pointed at
	// checks are allowed values that only evaluation knows. They are not part of
	// the type, which knows no budget.
	checks map[*value.Type][]*feel.Expr
	deep   map[*value.Type]bool // types with a check somewhere within
}

// maxTypes bounds how deep types are made of others.
const maxTypes = 200

func newTypes(u *unit, shared *typing) *types {
	t := &types{unit: u, items: map[string]*model.ItemDefinition{}, made: map[*model.ItemDefinition]*value.Type{}, typing: shared}
	for _, it := range u.def.Items {
		if t.items[it.Name] == nil {
			t.items[it.Name] = it
		}
	}
	return t
}

// find finds a type by its name: one of the model, of a model that it imports,
// or of FEEL.
func (t *types) find(name string) (*value.Type, bool) {
	if typ, ok := t.defined(name); ok {
		return typ, true
	}
	if typ, ok := value.NamedType(name); ok {
		return typ, true
	}
	if k, ok := foreignTypes[name]; ok {
		return value.SimpleType(k), true
	}
	return nil, false
}

// foreignTypes are names that tools write for types of FEEL.
var foreignTypes = map[string]value.Kind{
	"integer": value.KindNumber, "int": value.KindNumber, "long": value.KindNumber, "double": value.KindNumber, "float": value.KindNumber,
	"decimal": value.KindNumber, "any": value.KindAny, "Boolean": value.KindBool, "String": value.KindString, "Number": value.KindNumber,
	"datetime": value.KindDateTime,
}

// defined finds a type that an item definition makes.
func (t *types) defined(name string) (*value.Type, bool) {
	name = strings.Join(strings.Fields(name), " ")
	if it := t.items[name]; it != nil {
		return t.item(it), true
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
	typ, err := feel.ParseType(ref, feel.Types(t.defined))
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
	made, checks := t.shape(it, it.Name)
	delete(t.open, typ)
	made.Name = it.Name
	*typ = made
	t.checks[typ] = checks
	return typ
}

// shape makes the type of a definition or component, without its name, and the
// checks that belong to it.
func (t *types) shape(it *model.ItemDefinition, owner string) (value.Type, []*feel.Expr) {
	var typ value.Type
	var checks []*feel.Expr
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
		typ, checks = t.alias(it, owner)
	}
	checks = t.limit(&typ, checks, it.Allowed, owner)
	if it.Collection {
		elem := typ
		t.checks[&elem] = checks
		typ, checks = value.Type{Kind: value.KindList, Elem: &elem}, nil
	}
	return typ, t.limit(&typ, checks, it.Constraint, owner)
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
		typ, checks := t.shape(c, owner)
		t.checks[&typ] = checks
		return &typ
	}
	typ := t.ref(c.TypeRef, c.Place, owner)
	if c.Collection {
		return value.ListType(typ)
	}
	return typ
}

// alias is the type that a definition refers to, which has to be complete.
func (t *types) alias(it *model.ItemDefinition, owner string) (value.Type, []*feel.Expr) {
	target := t.ref(it.TypeRef, it.Place, owner)
	if target == nil {
		return value.Type{Kind: value.KindAny}, nil
	}
	if t.open[target] {
		t.wrong(model.Failure, "dmn.type.cycle", it.Place, owner, fmt.Sprintf("the type %q is defined by itself", owner))
		return value.Type{Kind: value.KindAny}, nil
	}
	return *target, t.checks[target]
}

// limit adds allowed values: constants to the type, others to its checks.
func (t *types) limit(typ *value.Type, checks []*feel.Expr, tests *model.Tests, owner string) []*feel.Expr {
	if tests == nil {
		return checks
	}
	x := t.tests(tests, owner)
	if x == nil {
		return checks
	}
	passes, ok := table.Constants(tests.Text)
	if !ok || !simpleKind(typ.Kind) {
		return append(slices.Clip(checks), x)
	}
	below := typ.Allowed
	typ.Allowed = func(v value.Value) bool { return (below == nil || below(v)) && passes(v) }
	return checks
}

// simpleKind tells the kinds whose values constants alone can limit.
func simpleKind(k value.Kind) bool {
	switch k {
	case value.KindBool, value.KindNumber, value.KindString, value.KindDate,
		value.KindTime, value.KindDateTime, value.KindDaysDuration, value.KindMonthsDuration:
		return true
	}
	return false
}

// checked tells whether a type or one within it has checks. Where one has, those
// beside it are taken to have some as well: types may contain themselves.
func (t *typing) checked(typ *value.Type) bool {
	if known, ok := t.deep[typ]; ok || typ == nil {
		return known
	}
	var within []*value.Type
	found := t.search(typ, map[*value.Type]bool{}, &within)
	for _, inner := range within {
		t.deep[inner] = found
	}
	return found
}

// search looks for checks in a type and all that it is made of.
func (t *typing) search(typ *value.Type, seen map[*value.Type]bool, within *[]*value.Type) bool {
	if typ == nil || seen[typ] {
		return false
	}
	if known, ok := t.deep[typ]; ok {
		return known
	}
	seen[typ] = true
	*within = append(*within, typ)
	found := len(t.checks[typ]) > 0
	found = t.search(typ.Elem, seen, within) || found
	for _, f := range typ.Fields {
		found = t.search(f.Type, seen, within) || found
	}
	return found
}
