package cmdb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

// alteration compares the model before a transaction with the one after it, and
// both with the objects there are.
type alteration struct {
	tx     *objectstore.Tx
	old    model
	new    model
	faults []fault
}

// settle takes over changed definitions: it gives the new model, or what is wrong
// with it.
func settle(ctx context.Context, tx *objectstore.Tx, old model) (model, []fault, error) {
	m, faults, err := readModel(ctx, tx)
	if err != nil {
		return nil, nil, err
	}
	a := &alteration{tx: tx, old: old, new: m, faults: faults}
	for _, t := range old.all() {
		if err := a.one(ctx, t); err != nil {
			return nil, nil, err
		}
	}
	if len(a.faults) == 0 { // else the one may follow from the other
		a.faults = m.check()
	}
	if len(a.faults) > 0 {
		return nil, a.faults, nil
	}
	tx.Use(m.find)
	for _, t := range m.all() {
		if err := a.reindex(ctx, t); err != nil {
			return nil, nil, err
		}
	}
	return m, a.faults, nil
}

func (a *alteration) add(f fault) { a.faults = append(a.faults, f) }

// one checks what became of a type.
func (a *alteration) one(ctx context.Context, was wire.ObjectType) error {
	rows, err := a.tx.Count(ctx, was.Type)
	if err != nil {
		return err
	}
	is, ok := a.new[was.Type]
	if !ok {
		if rows > 0 {
			a.add(onType(was.Type, wire.AttrID, "%s of %s:%s: remove them first", objects(rows), name, was.Type))
		}
		for _, t := range a.new.all() {
			for _, attr := range t.Attributes {
				if attr.To == name+":"+was.Type {
					a.add(onType(was.Type, wire.AttrID, "the attribute %s.%s refers to it: remove that first", t.Type, attr.Name))
				}
			}
		}
		return nil
	}
	if rows == 0 {
		return nil
	}
	for _, attr := range was.Attributes {
		if err := a.attribute(ctx, was, attr, rows); err != nil {
			return err
		}
	}
	for _, attr := range is.Attributes {
		if _, known := attribute(was, attr.Name); !known && attr.Required {
			a.add(onAttribute(is.Type, attr.Name, "required",
				"%s without a value: add the attribute without required, give all of them a value, then set required", objects(rows)))
		}
	}
	return a.scope(ctx, was, is, rows)
}

func objects(n int) string {
	if n == 1 {
		return "there is 1 object"
	}
	return fmt.Sprintf("there are %d objects", n)
}

// attribute checks what became of an attribute whose type has objects.
func (a *alteration) attribute(ctx context.Context, t wire.ObjectType, was wire.Attribute, rows int) error {
	desired, err := a.tx.Used(ctx, t.Type, was.Name)
	if err != nil {
		return err
	}
	observed, err := a.tx.Used(ctx, t.Type, was.Name+wire.ObservedSuffix)
	if err != nil {
		return err
	}
	used := max(desired, observed)
	bad := func(field, format string, args ...any) {
		a.add(onAttribute(t.Type, was.Name, field, format, args...))
	}
	is, ok := attribute(a.new[t.Type], was.Name)
	if !ok {
		if used > 0 {
			bad("name", "%s with a value in %s: set it to null there first", objects(used), was.Name)
		}
		return nil
	}
	const another = "or add another attribute and copy the values"
	if used > 0 && is.Type != was.Type {
		bad("type", "%s with a value of type %s in %s: set it to null there first, %s", objects(used), was.Type, was.Name, another)
	}
	if used > 0 && is.To != was.To {
		bad("to", "%s that refer to %s by %s: set it to null there first, %s", objects(used), was.To, was.Name, another)
	}
	if used > 0 && is.Secret != was.Secret {
		bad("secret", "%s with a value in %s: set it to null there first, %s", objects(used), was.Name, another)
	}
	if observed > 0 && !is.Observed {
		bad("observed", "%s with an observed value in %s: set %s to null there first", objects(observed), was.Name, was.Name+wire.ObservedSuffix)
	}
	if is.Required && !was.Required && desired < rows {
		bad("required", "%s without a value in %s: give them one first", objects(rows-desired), was.Name)
	}
	if is.Type == wire.TypeEnum && was.Type == wire.TypeEnum && used > 0 {
		return a.values(ctx, t, was, is)
	}
	return nil
}

// values refuses to take values of an enumeration away that objects have.
func (a *alteration) values(ctx context.Context, t wire.ObjectType, was, is wire.Attribute) error {
	for _, attr := range []string{was.Name, was.Name + wire.ObservedSuffix} {
		inUse, err := a.tx.Values(ctx, t.Type, attr, maxValues+1)
		if err != nil {
			return err
		}
		for _, v := range inUse {
			if !slices.Contains(is.Values, v) {
				a.add(onAttribute(t.Type, was.Name, "values", "objects have the value %q in %s: change them first", v, attr))
			}
		}
	}
	return nil
}

// scope sees to it that no object changes its project or its environment because
// its type says otherwise where they stand: who may see it would change with them.
func (a *alteration) scope(ctx context.Context, was, is wire.ObjectType, rows int) error {
	if from := environmentOf(was); from != "" && from != environmentOf(is) {
		a.add(onType(was.Type, "scope_environment", "%s, which could be seen in another environment than that of %s: "+
			"remove them first, or make another type and copy them", objects(rows), from))
	}
	from, to := projectOf(was), projectOf(is)
	if from == to {
		return nil
	}
	for _, attr := range []string{from, to} {
		if attr == "" {
			continue
		}
		values, err := a.tx.Values(ctx, was.Type, attr, 2)
		if err != nil {
			return err
		}
		if len(values) > 1 || len(values) == 1 && values[0] != "default" {
			a.add(onType(was.Type, "scope_project",
				"there are objects with another value than default in %s, which would change their project: set it to default there first", attr))
		}
	}
	if to == "" {
		return nil
	}
	used, err := a.tx.Used(ctx, is.Type, to)
	if err == nil && used < rows {
		a.add(onType(is.Type, "scope_project",
			"%s without a value in %s, which would be in no project: add the attribute, give them one, then set the scope", objects(rows-used), to))
	}
	return err
}

func environmentOf(t wire.ObjectType) string {
	if t.Scope == nil {
		return ""
	}
	return t.Scope.Environment
}

func projectOf(t wire.ObjectType) string {
	if t.Scope == nil {
		return ""
	}
	return t.Scope.Project
}

// reindex builds the index of a type anew where attributes became unique or
// ceased to be.
func (a *alteration) reindex(ctx context.Context, is wire.ObjectType) error {
	was, old := a.old[is.Type]
	moved := old && projectOf(was) != projectOf(is) // what is unique is so in its project
	for _, attr := range is.Attributes {
		before, known := attribute(was, attr.Name)
		if !known || before.Unique == attr.Unique && !(moved && attr.Unique && attr.Name != wire.AttrID) {
			continue
		}
		err := a.tx.Reindex(ctx, is.Type)
		var e *objectstore.RowError
		if errors.As(err, &e) {
			for field, message := range e.At {
				a.add(onAttribute(is.Type, field, "unique", "%s, and so has %s:%s/%s: change one of them first", message, name, is.Type, e.ID))
			}
			return nil
		}
		return err
	}
	return nil
}

// errReadOnly refuses to write history.
func errReadOnly() error {
	return plugin.Fail("cmdb.history_read_only", "the history is written by the plugin alone")
}
