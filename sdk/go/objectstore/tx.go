package objectstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/sqldb"
	"sextant/sdk/go/wire"
)

// Tx is several changes that are made together or not at all; Store.Do begins
// one. It sees its own changes.
type Tx struct {
	sql    *sql.Tx
	name   string
	types  Types
	by     plugin.By
	now    func() time.Time
	checks []check
}

// Effect is what became of a row.
type Effect string

// The effects.
const (
	Created   Effect = "created"
	Changed   Effect = "changed"
	Unchanged Effect = "unchanged"
	deleted   Effect = "deleted"
)

// Use makes other definitions of types hold for the rest of the transaction.
func (t *Tx) Use(types Types) { t.types = types }

// place is where a row stands in a call.
type place struct{ row, of int }

// locate says which of several rows is at fault.
func (p place) locate(err error) error {
	var e *RowError
	if !errors.As(err, &e) || p.of < 2 {
		return err
	}
	at := map[string]string{}
	for k, v := range e.At {
		at[fmt.Sprintf("[%d].%s", p.row, k)] = v
	}
	return &RowError{Message: e.Message, At: at, Type: e.Type, ID: e.ID}
}

// each goes through the rows of a call.
func each[T any](rows []T, fn func(p place, row T) error) error {
	for i, row := range rows {
		p := place{i, len(rows)}
		if err := fn(p, row); err != nil {
			return p.locate(err)
		}
	}
	return nil
}

// Create adds rows.
func (t *Tx) Create(ctx context.Context, typ string, rows []wire.Row) ([]wire.Row, error) {
	def, err := resolve(ctx, t.name, t.types, typ)
	if err != nil {
		return nil, err
	}
	out := make([]wire.Row, 0, len(rows))
	err = each(rows, func(p place, row wire.Row) error {
		made, err := t.create(ctx, def, row, p)
		out = append(out, made)
		return err
	})
	return out, err
}

func (t *Tx) create(ctx context.Context, def *shape, row wire.Row, p place) (wire.Row, error) {
	clean, err := normalise(def, nil, row)
	if err != nil {
		return nil, t.of(def, text(row[wire.AttrID]), err)
	}
	id := text(clean[wire.AttrID])
	if id == "" {
		id = ulid.Make().String()
		clean[wire.AttrID] = wire.Raw(id)
	}
	c := change{t: def, id: id, after: clean, op: Created, place: p}
	err = t.sql.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) + 1 FROM object_history WHERE type = ? AND id = ?", def.Type, id).Scan(&c.version)
	if err != nil {
		return nil, err
	}
	return def.shown(clean), t.store(ctx, c)
}

// of adds to an error whose row it is.
func (t *Tx) of(def *shape, id string, err error) error {
	var e *RowError
	if errors.As(err, &e) {
		e.Type, e.ID = def.Type, id
	}
	return err
}

// Update changes the given attributes of rows.
func (t *Tx) Update(ctx context.Context, typ string, rows []wire.Row) ([]wire.Row, error) {
	def, err := resolve(ctx, t.name, t.types, typ)
	if err != nil {
		return nil, err
	}
	out := make([]wire.Row, 0, len(rows))
	err = each(rows, func(p place, row wire.Row) error {
		id := text(row[wire.AttrID])
		before, version, err := t.load(ctx, def.Type, id)
		if err != nil {
			return err
		}
		if before == nil {
			return t.missing(def.Type, id)
		}
		after, _, err := t.update(ctx, change{t: def, id: id, version: version, before: before, after: row, place: p})
		out = append(out, after)
		return err
	})
	return out, err
}

func (t *Tx) missing(typ, id string) error {
	return &RowError{"there is no such object", map[string]string{wire.AttrID: fmt.Sprintf("no %s:%s has the id %q", t.name, typ, id)}, typ, id}
}

// update takes a change whose after holds the given attributes alone.
func (t *Tx) update(ctx context.Context, c change) (wire.Row, Effect, error) {
	clean, err := normalise(c.t, c.before, c.after)
	if err != nil {
		return nil, "", t.of(c.t, c.id, err)
	}
	if len(difference(c.t, c.before, clean)) == 0 {
		return c.t.shown(clean), Unchanged, nil
	}
	c.after, c.op, c.version = clean, Changed, c.version+1
	return c.t.shown(clean), Changed, t.store(ctx, c)
}

// Put adds a row, or changes the given attributes of the one with its id.
func (t *Tx) Put(ctx context.Context, typ string, row wire.Row) (Effect, error) {
	def, err := resolve(ctx, t.name, t.types, typ)
	if err != nil {
		return "", err
	}
	id := text(row[wire.AttrID])
	before, version, err := t.load(ctx, def.Type, id)
	if err != nil {
		return "", err
	}
	if before == nil {
		_, err := t.create(ctx, def, row, place{})
		return Created, err
	}
	_, effect, err := t.update(ctx, change{t: def, id: id, version: version, before: before, after: row})
	return effect, err
}

// Delete removes rows. A row that others refer to stays, unless these go or
// change in the same transaction.
func (t *Tx) Delete(ctx context.Context, typ string, ids []string) error {
	def, err := resolve(ctx, t.name, t.types, typ)
	if err != nil {
		return err
	}
	return each(ids, func(p place, id string) error {
		before, version, err := t.load(ctx, typ, id)
		if err != nil {
			return err
		}
		if before == nil {
			return t.missing(typ, id)
		}
		return t.store(ctx, change{t: def, id: id, version: version + 1, before: before, op: deleted, place: p})
	})
}

// Query finds rows as Store.Query does.
func (t *Tx) Query(ctx context.Context, typ string, q wire.Query) ([]wire.Row, string, error) {
	def, err := resolve(ctx, t.name, t.types, typ)
	if err != nil {
		return nil, "", err
	}
	return query(ctx, t.sql, def, q)
}

// Get reads one row; nil where there is none.
func (t *Tx) Get(ctx context.Context, typ, id string) (wire.Row, error) {
	row, _, err := t.load(ctx, typ, id)
	return row, err
}

func (t *Tx) load(ctx context.Context, typ, id string) (wire.Row, int64, error) {
	var data []byte
	var version int64
	err := t.sql.QueryRowContext(ctx, "SELECT version, data FROM object_row WHERE type = ? AND id = ?", typ, id).Scan(&version, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	var row wire.Row
	return row, version, json.Unmarshal(data, &row)
}

// change is one row before and after.
type change struct {
	t             *shape
	id            string
	version       int64
	before, after wire.Row
	op            Effect
	place         place
}

// store writes a row, its index and its history.
func (t *Tx) store(ctx context.Context, c change) error {
	at := t.now().UnixMicro()
	if err := t.write(ctx, c, at); err != nil {
		return err
	}
	if err := t.index(ctx, c); err != nil {
		return err
	}
	t.remember(c)
	diff, err := json.Marshal(difference(c.t, c.before, c.after))
	if err != nil {
		return err
	}
	project, op := c.t.project(c.after), "update"
	switch c.op {
	case Created:
		op = "create"
	case deleted:
		project, op = c.t.project(c.before), "delete"
	}
	_, err = t.sql.ExecContext(ctx, "INSERT INTO object_history (seq, type, id, version, time, operator, run, op, project, diff) SELECT COALESCE(MAX(seq), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM object_history",
		c.t.Type, c.id, c.version, at, t.by.Operator, t.by.Run, op, project, diff)
	return err
}

func (t *Tx) write(ctx context.Context, c change, at int64) error {
	if c.after == nil {
		_, err := t.sql.ExecContext(ctx, "DELETE FROM object_row WHERE type = ? AND id = ?", c.t.Type, c.id)
		return err
	}
	data, err := json.Marshal(c.after)
	if err != nil {
		return err
	}
	if len(data) > maxRow {
		return plugin.Fail("object.too_large", fmt.Sprintf("the object has %d bytes: at most %d are possible", len(data), maxRow))
	}
	if c.before != nil {
		_, err = t.sql.ExecContext(ctx, "UPDATE object_row SET version = ?, data = ?, updated = ? WHERE type = ? AND id = ?", c.version, data, at, c.t.Type, c.id)
		return err
	}
	_, err = t.sql.ExecContext(ctx, "INSERT INTO object_row (type, id, version, data, created, updated) VALUES (?, ?, ?, ?, ?, ?)", c.t.Type, c.id, c.version, data, at, at)
	if sqldb.Classify(err) == sqldb.FaultConflict {
		return &RowError{"the object exists already", map[string]string{wire.AttrID: fmt.Sprintf("%q is taken", c.id)}, c.t.Type, c.id}
	}
	return err
}
