package cmdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

// store answers for the objects of all types. Whoever works with objects holds mu
// for reading, whoever changes definitions for writing: a definition never changes
// while an object is checked against it.
type store struct {
	rows  *objectstore.Store
	mu    sync.RWMutex
	model model
}

func (s *store) open(ctx context.Context, on *plugin.Host) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	find := func(ctx context.Context, typ string) (wire.ObjectType, bool, error) { return s.model.find(ctx, typ) }
	var err error
	if s.rows, err = objectstore.Open(ctx, on, name, find); err != nil {
		return err
	}
	return s.rows.Do(ctx, plugin.By{}, func(tx *objectstore.Tx) error {
		m, faults, err := readModel(ctx, tx)
		for _, f := range faults {
			on.Log.WarnContext(ctx, "a definition is left out", "object", name+":"+f.typ+"/"+f.id, "reason", f.message)
		}
		s.model = m
		return err
	})
}

// types lists the types that people have defined.
func (s *store) types(context.Context) ([]wire.ObjectType, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.model.all(), nil
}

// alter changes definitions: fn makes the changes, and blame gives the error for
// what is wrong with the result. The new model holds once all is stored.
func (s *store) alter(ctx context.Context, by plugin.By, blame func([]fault) error, fn func(tx *objectstore.Tx) error, then ...func(tx *objectstore.Tx, m model) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var made model
	err := s.rows.Do(ctx, by, func(tx *objectstore.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		m, faults, err := settle(ctx, tx, s.model)
		if err != nil {
			return err
		}
		if len(faults) > 0 {
			return blame(faults)
		}
		made = m
		for _, next := range then {
			if err := next(tx, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.model = made
	}
	return err
}

// with changes objects of several types under the model that holds.
func (s *store) with(ctx context.Context, by plugin.By, fn func(tx *objectstore.Tx, m model) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rows.Do(ctx, by, func(tx *objectstore.Tx) error { return fn(tx, s.model) })
}

func definition(typ string) bool { return typ == typeType || typ == typeAttribute }

// Query finds objects, definitions or history.
func (s *store) Query(ctx context.Context, typ string, q wire.Query) ([]wire.Row, string, error) {
	if typ == typeHistory {
		return s.rows.QueryHistory(ctx, q)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rows.Query(ctx, typ, q)
}

// Create adds objects or definitions.
func (s *store) Create(ctx context.Context, typ string, rows []wire.Row, by plugin.By) ([]wire.Row, error) {
	switch {
	case typ == typeHistory:
		return nil, errReadOnly()
	case !definition(typ):
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.rows.Create(ctx, typ, rows, by)
	}
	return s.define1(ctx, typ, rows, by, (*objectstore.Tx).Create)
}

// Update changes objects or definitions.
func (s *store) Update(ctx context.Context, typ string, rows []wire.Row, by plugin.By) ([]wire.Row, error) {
	switch {
	case typ == typeHistory:
		return nil, errReadOnly()
	case !definition(typ):
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.rows.Update(ctx, typ, rows, by)
	}
	return s.define1(ctx, typ, rows, by, (*objectstore.Tx).Update)
}

type operation func(tx *objectstore.Tx, ctx context.Context, typ string, rows []wire.Row) ([]wire.Row, error)

// define1 changes the rows of one type of definitions.
func (s *store) define1(ctx context.Context, typ string, rows []wire.Row, by plugin.By, do operation) ([]wire.Row, error) {
	rows, err := prepared(typ, rows)
	if err != nil {
		return nil, err
	}
	var out []wire.Row
	err = s.alter(ctx, by, func(faults []fault) error { return refusal(faults, in(typ, rows)) }, func(tx *objectstore.Tx) (err error) {
		out, err = do(tx, ctx, typ, rows)
		return err
	})
	return out, err
}

// in finds the row of a definition among the rows of a call.
func in(typ string, rows []wire.Row) func(typ, id string) (string, bool) {
	return func(of, id string) (string, bool) {
		i := slices.IndexFunc(rows, func(r wire.Row) bool { return text(r[wire.AttrID]) == id })
		switch {
		case of != typ || i < 0:
			return "", false
		case len(rows) == 1:
			return "", true
		}
		return fmt.Sprintf("[%d].", i), true
	}
}

// prepared brings definitions into the form in which they are kept.
func prepared(typ string, rows []wire.Row) ([]wire.Row, error) {
	out := make([]wire.Row, len(rows))
	for i, row := range rows {
		row = maps.Clone(row)
		out[i] = row
		if typ == typeType && text(row[wire.AttrID]) == "" {
			return nil, &objectstore.RowError{Message: "the object is not valid", At: map[string]string{wire.AttrID: "the id is the name of the type: give it"}}
		}
		if typ != typeAttribute {
			continue
		}
		if text(row[wire.AttrID]) == "" {
			row[wire.AttrID] = wire.Raw(text(row["object_type"]) + "." + text(row["name"]))
		}
		if v := row["values"]; text(v) != "" {
			row["values"] = wire.Raw(string(wire.Raw(valuesOf(v))))
		}
	}
	return out, nil
}

// Delete removes objects or definitions. With a type go its attributes.
func (s *store) Delete(ctx context.Context, typ string, ids []string, by plugin.By) error {
	switch {
	case typ == typeHistory:
		return errReadOnly()
	case !definition(typ):
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.rows.Delete(ctx, typ, ids, by)
	}
	rows := make([]wire.Row, len(ids))
	for i, id := range ids {
		rows[i] = wire.Row{wire.AttrID: wire.Raw(id)}
	}
	err := s.alter(ctx, by, func(faults []fault) error { return refusal(faults, in(typ, rows)) }, func(tx *objectstore.Tx) error {
		if typ == typeType {
			if err := dropAttributes(ctx, tx, ids); err != nil {
				return err
			}
		}
		return tx.Delete(ctx, typ, ids)
	})
	var e *objectstore.RowError
	if errors.As(err, &e) {
		e.Message = strings.Replace(e.Message, "the definition is not possible", "the definition is in use", 1)
	}
	return err
}

func dropAttributes(ctx context.Context, tx *objectstore.Tx, types []string) error {
	q := wire.Query{AdditionalFilters: []wire.Filter{{Attr: "object_type", Op: wire.OpIn, Condition: wire.Raw(types)}}}
	found, _, err := tx.Query(ctx, typeAttribute, q)
	if err != nil {
		return err
	}
	ids := make([]string, len(found))
	for i, row := range found {
		ids[i] = text(row[wire.AttrID])
	}
	return tx.Delete(ctx, typeAttribute, ids)
}
