package objectstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sextant/sdk/go/sqldb"
	"sextant/sdk/go/wire"
)

// index replaces the index entries of a row.
func (t *Tx) index(ctx context.Context, c change) error {
	if c.before != nil {
		for _, table := range []string{"object_value", "object_unique", "object_ref"} {
			if _, err := t.sql.ExecContext(ctx, "DELETE FROM "+table+" WHERE type = ? AND id = ?", c.t.Type, c.id); err != nil {
				return err
			}
		}
	}
	for name, raw := range c.after {
		a, ok := c.t.by[name]
		if !ok || name == wire.AttrID {
			continue
		}
		for _, v := range keysOf(a, raw) {
			if _, err := t.sql.ExecContext(ctx, "INSERT INTO object_value (type, attr, value, id) VALUES (?, ?, ?, ?)",
				c.t.Type, name, v, c.id); err != nil {
				return err
			}
		}
		if _, own := c.t.own(a); own {
			for _, id := range ids(raw) {
				if _, err := t.sql.ExecContext(ctx, "INSERT INTO object_ref (target, target_id, type, attr, id) VALUES (?, ?, ?, ?, ?)",
					a.To, id, c.t.Type, name, c.id); err != nil {
					return err
				}
			}
		}
		if a.Unique && name == a.Name {
			if err := t.claim(ctx, c, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// claim takes a value that no other row of the type may have.
func (t *Tx) claim(ctx context.Context, c change, a wire.Attribute) error {
	value := text(c.after[a.Name])
	stored := key(a.Type, value)
	if c.t.Scope != nil && c.t.Scope.Project != "" { // what another project has is nobody's business here
		stored = c.t.project(c.after) + "\x1f" + stored
	}
	_, err := t.sql.ExecContext(ctx, "INSERT INTO object_unique (type, attr, value, id) VALUES (?, ?, ?, ?)",
		c.t.Type, a.Name, whole(stored), c.id)
	if sqldb.Classify(err) != sqldb.FaultConflict {
		return err
	}
	message := fmt.Sprintf("another %s has %.200q already", c.t.Type, value)
	if a.Secret {
		message = fmt.Sprintf("another %s has this value already", c.t.Type)
	}
	return &RowError{Message: "the value is taken", At: map[string]string{a.Name: message}, Type: c.t.Type, ID: c.id}
}

// Reindex builds the index of a type's rows anew, after its definition changed.
// The error is a *RowError where an attribute that is to be unique is not.
func (t *Tx) Reindex(ctx context.Context, typ string) error {
	def, err := t.resolve(ctx, typ)
	if err != nil {
		return err
	}
	return t.reindex(ctx, def)
}

func (t *Tx) reindex(ctx context.Context, def *shape) error {
	for after := ""; ; {
		rows, err := t.sql.QueryContext(ctx, "SELECT data FROM object_row WHERE type = ? AND id > ? ORDER BY id LIMIT 1000", def.Type, after)
		page, err := scan(rows, err, oneRow)
		if err != nil {
			return err
		}
		for _, row := range page {
			after = text(row[wire.AttrID])
			if err := t.index(ctx, change{t: def, id: after, before: row, after: row}); err != nil {
				return err
			}
		}
		if len(page) < 1000 {
			return nil
		}
	}
}

// Count counts the rows of a type.
func (t *Tx) Count(ctx context.Context, typ string) (int, error) {
	var n int
	err := t.sql.QueryRowContext(ctx, "SELECT COUNT(*) FROM object_row WHERE type = ?", typ).Scan(&n)
	return n, err
}

// Used counts the rows of a type that have a value in an attribute; an empty text
// is none. The name of an attribute may end in @observed.
func (t *Tx) Used(ctx context.Context, typ, attr string) (int, error) {
	var n int
	err := t.sql.QueryRowContext(ctx, "SELECT COUNT(DISTINCT id) FROM object_value WHERE type = ? AND attr = ? AND value <> ''", typ, attr).
		Scan(&n)
	return n, err
}

// Values lists the values that rows of a type have in an attribute as the index
// knows them: at most limit, each once and cut after 190 bytes.
func (t *Tx) Values(ctx context.Context, typ, attr string, limit int) ([]string, error) {
	rows, err := t.sql.QueryContext(ctx, "SELECT DISTINCT value FROM object_value WHERE type = ? AND attr = ? ORDER BY value LIMIT ?",
		typ, attr, limit)
	return scan(rows, err, oneText)
}

// check is a promise about a row that has to hold at the end: it exists, or
// nothing refers to it.
type check struct {
	target string // as plugin:type
	typ    string // the type within this plugin
	id     string
	gone   bool
	// from and attr say which row makes the reference.
	from change
	attr string
}

// remember notes what has to hold because of a change.
func (t *Tx) remember(c change) {
	if c.after == nil {
		t.checks = append(t.checks, check{target: t.name + ":" + c.t.Type, typ: c.t.Type, id: c.id, gone: true, from: c})
		return
	}
	for _, a := range c.t.Attributes {
		typ, own := c.t.own(a)
		if !own {
			continue
		}
		before := map[string]bool{}
		for _, id := range ids(c.before[a.Name]) {
			before[id] = true
		}
		for _, id := range ids(c.after[a.Name]) {
			if !before[id] {
				t.checks = append(t.checks, check{target: a.To, typ: typ, id: id, from: change{t: c.t, id: c.id, place: c.place}, attr: a.Name})
			}
		}
	}
}

// Check finds out whether the references hold of all that was changed so far. A
// row exists to which a row refers, and a row is gone only if none refers to it.
// References into other plugins are checked by the platform.
func (t *Tx) Check(ctx context.Context) error {
	for _, c := range t.checks {
		fault, err := t.holds(ctx, c)
		if err != nil {
			return err
		}
		if fault != nil {
			return c.from.place.locate(fault)
		}
	}
	t.checks = nil
	return nil
}

// holds tells what is wrong with one promise; nil where it is kept.
func (t *Tx) holds(ctx context.Context, c check) (*RowError, error) {
	there, err := t.exists(ctx, c.typ, c.id)
	if err != nil || there {
		return nil, err
	}
	by, _, attr, err := t.referrer(ctx, c)
	if err != nil || by == "" {
		return nil, err
	}
	if c.gone { // by which object is for those to know who may read it; the platform tells them
		return &RowError{Message: "the object is in use", At: map[string]string{
			wire.AttrID: fmt.Sprintf("an object of type %s:%s refers to %q by %s", t.name, by, c.id, attr)}, Type: c.typ, ID: c.id}, nil
	}
	return &RowError{Message: "a reference leads nowhere",
		At: map[string]string{c.attr: fmt.Sprintf("there is no %s with the id %q", c.target, c.id)}, Type: c.from.t.Type, ID: c.from.id}, nil
}

func (t *Tx) exists(ctx context.Context, typ, id string) (bool, error) {
	var n int
	err := t.sql.QueryRowContext(ctx, "SELECT COUNT(*) FROM object_row WHERE type = ? AND id = ?", typ, id).Scan(&n)
	return n > 0, err
}

// referrer finds who refers to a row that is not there: for a reference that was
// made, whether it still is.
func (t *Tx) referrer(ctx context.Context, c check) (typ, id, attr string, err error) {
	q, args := "SELECT type, id, attr FROM object_ref WHERE target = ? AND target_id = ?", []any{c.target, c.id}
	if !c.gone {
		q, args = q+" AND type = ? AND id = ? AND attr = ?", append(args, c.from.t.Type, c.from.id, c.attr)
	}
	err = t.sql.QueryRowContext(ctx, q+" ORDER BY type, id LIMIT 1", args...).Scan(&typ, &id, &attr)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", "", nil
	}
	return typ, id, attr, err
}
