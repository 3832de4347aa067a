package objectstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
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
	sealer *sealer
	by     plugin.By
	now    func() time.Time
	checks []check
	origin int64 // of all that it changes; 0 before it changed anything
}

func (t *Tx) resolve(ctx context.Context, typ string) (*shape, error) {
	return resolve(ctx, shape{plugin: t.name, sealer: t.sealer}, t.types, typ)
}

func (t *Tx) shape(typ wire.ObjectType) *shape {
	return newShape(shape{plugin: t.name, sealer: t.sealer}, typ)
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
	return &RowError{Message: e.Message, At: at, Type: e.Type, ID: e.ID, Code: e.Code}
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
	def, err := t.resolve(ctx, typ)
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
	err = t.sql.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) + 1 FROM object_history WHERE type = ? AND id = ?", def.Type, id).
		Scan(&c.version)
	if err != nil {
		return nil, err
	}
	return def.versioned(clean, c.version), t.store(ctx, c)
}

// versioned gives a row as it is answered after a change.
func (s *shape) versioned(row wire.Row, version int64) wire.Row {
	out := s.shown(row)
	out[wire.AttrVersion] = wire.Raw(version)
	return out
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
	def, err := t.resolve(ctx, typ)
	if err != nil {
		return nil, err
	}
	out := make([]wire.Row, 0, len(rows))
	err = each(rows, func(p place, row wire.Row) error {
		id := text(row[wire.AttrID])
		before, version, err := t.load(ctx, def, id)
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
	return &RowError{Message: "there is no such object",
		At: map[string]string{wire.AttrID: fmt.Sprintf("no %s:%s has the id %q", t.name, typ, id)}, Type: typ, ID: id}
}

// update takes a change whose after holds the given attributes alone.
func (t *Tx) update(ctx context.Context, c change) (wire.Row, Effect, error) {
	if err := c.expected(c.after); err != nil {
		return nil, "", err
	}
	clean, err := normalise(c.t, c.before, c.after)
	if err != nil {
		return nil, "", t.of(c.t, c.id, err)
	}
	if len(difference(c.t, c.before, clean)) == 0 {
		return c.t.versioned(clean, c.version), Unchanged, nil
	}
	c.after, c.op, c.version = clean, Changed, c.version+1
	return c.t.versioned(clean, c.version), Changed, t.store(ctx, c)
}

// Put adds a row, or changes the given attributes of the one with its id.
func (t *Tx) Put(ctx context.Context, typ string, row wire.Row) (Effect, error) {
	def, err := t.resolve(ctx, typ)
	if err != nil {
		return "", err
	}
	id := text(row[wire.AttrID])
	before, version, err := t.load(ctx, def, id)
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
	def, err := t.resolve(ctx, typ)
	if err != nil {
		return err
	}
	return each(ids, func(p place, id string) error {
		before, version, err := t.load(ctx, def, id)
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
	def, err := t.resolve(ctx, typ)
	if err != nil {
		return nil, "", err
	}
	return query(ctx, t.sql, def, q)
}

// Get reads one row; nil where there is none.
func (t *Tx) Get(ctx context.Context, typ, id string) (wire.Row, error) {
	def, err := t.resolve(ctx, typ)
	if err != nil {
		return nil, err
	}
	row, _, err := t.load(ctx, def, id)
	return row, err
}

func (t *Tx) load(ctx context.Context, def *shape, id string) (wire.Row, int64, error) {
	var data []byte
	var version int64
	err := t.sql.QueryRowContext(ctx, "SELECT version, data FROM object_row WHERE type = ? AND id = ?", def.Type, id).Scan(&version, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	row, err := def.read(data)
	return row, version, err
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

// expected refuses a change of another version than the one that is there. row
// is what was asked for.
func (c change) expected(row wire.Row) error {
	want, given := row[wire.AttrVersion]
	if !given || isNull(want) || text(want) == strconv.FormatInt(c.version, 10) {
		return nil
	}
	return &RowError{Message: "the object was changed meanwhile",
		At:   map[string]string{wire.AttrVersion: fmt.Sprintf("it has version %d by now and not %s", c.version, text(want))},
		Type: c.t.Type, ID: c.id, Code: wire.CodeStale}
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
	project, environment, op := c.t.project(c.after), c.t.environment(c.after), wire.OpUpdate
	switch c.op {
	case Created:
		op = wire.OpCreate
	case deleted:
		project, environment, op = c.t.project(c.before), c.t.environment(c.before), wire.OpDelete
	default:
		if was := c.t.environment(c.before); was != environment { // it has values of both
			environment = was + ", " + environment
		}
	}
	origin, err := t.originID(ctx)
	if err != nil {
		return err
	}
	_, err = t.sql.ExecContext(ctx, "INSERT INTO object_history (seq, type, id, version, time, operator, "+
		"run, op, project, environment, origin, diff) SELECT COALESCE(MAX(seq), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM object_history",
		c.t.Type, c.id, c.version, at, t.by.Operator, t.by.Run, op, project, environment, origin, diff)
	return err
}

// originID stores once who makes the changes of the transaction.
func (t *Tx) originID(ctx context.Context) (int64, error) {
	if t.origin > 0 || t.by.Change == "" {
		return t.origin, nil
	}
	if err := t.sql.QueryRowContext(ctx, "SELECT COALESCE(MAX(id), 0) + 1 FROM object_origin").Scan(&t.origin); err != nil {
		return 0, err
	}
	_, err := t.sql.ExecContext(ctx, "INSERT INTO object_origin (id, note) VALUES (?, ?)", t.origin, t.by.Change)
	return t.origin, err
}

func (t *Tx) write(ctx context.Context, c change, at int64) error {
	if c.after == nil {
		_, err := t.sql.ExecContext(ctx, "DELETE FROM object_row WHERE type = ? AND id = ?", c.t.Type, c.id)
		return err
	}
	closed, err := c.t.seal(c.id, c.after)
	if err != nil {
		return err
	}
	data, err := json.Marshal(closed)
	if err != nil {
		return err
	}
	if len(data) > maxRow {
		return plugin.Fail("object.too_large", fmt.Sprintf("the object has %d bytes: at most %d are possible", len(data), maxRow))
	}
	if c.before != nil {
		_, err = t.sql.ExecContext(ctx, "UPDATE object_row SET version = ?, data = ?, updated = ? WHERE type = ? AND id = ?",
			c.version, data, at, c.t.Type, c.id)
		return err
	}
	_, err = t.sql.ExecContext(ctx, "INSERT INTO object_row (type, id, version, data, created, updated) VALUES (?, ?, ?, ?, ?, ?)",
		c.t.Type, c.id, c.version, data, at, at)
	if sqldb.Classify(err) == sqldb.FaultConflict {
		// Whether it is taken, and by whom, is for those to know who may read it; the platform tells them.
		return &RowError{Message: "the object cannot be created",
			At: map[string]string{wire.AttrID: fmt.Sprintf("the id %q cannot be used: choose another", c.id)}, Type: c.t.Type, ID: c.id}
	}
	return err
}
