// Package objectstore keeps the objects of a plugin in its database: typed rows
// with checks, filters by index, and the history of every row.
//
// A row is JSON; every scalar attribute also stands in an index, so that
// equality filters and references are looked up and not searched for. It suits
// types that are known when the plugin is written and types that people define
// while it runs.
package objectstore

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/sqldb"
	"sextant/sdk/go/wire"
)

//go:embed migrations
var migrations embed.FS

const (
	domain     = "objectstore"
	maxRows    = 10_000 // rows answered where the caller sets no limit
	maxIndexed = 190    // characters of a value in the index
	maxRow     = 64 << 10
)

// Types finds the definition of an object type.
type Types func(ctx context.Context, name string) (wire.ObjectType, bool, error)

// Store is a plugin.Store over SQL. It is safe for concurrent use.
type Store struct {
	db    *sql.DB
	name  string
	types Types
	now   func() time.Time
	write sync.Mutex // one writer; SQLite has no more
}

// Open prepares the tables in a plugin's database. name is the plugin's, with
// which references name its types.
func Open(ctx context.Context, h *plugin.Host, name string, types Types) (*Store, error) {
	sub, err := fs.Sub(migrations, "migrations/"+h.Dialect)
	if err != nil {
		return nil, fmt.Errorf("objects: the dialect %q is not known", h.Dialect)
	}
	if err := sqldb.Migrate(ctx, h.DB, sqldb.Dialect(h.Dialect), domain, sub); err != nil {
		return nil, err
	}
	return &Store{db: h.DB, name: name, types: types, now: h.Clock.Now}, nil
}

// Fixed makes Types of a list.
func Fixed(all []wire.ObjectType) Types {
	return func(_ context.Context, name string) (wire.ObjectType, bool, error) {
		for _, t := range all {
			if t.Type == name {
				return t, true, nil
			}
		}
		return wire.ObjectType{}, false, nil
	}
}

// RowError says which attributes of which row are at fault.
type RowError struct {
	Message string
	At      map[string]string
}

// Error names the attributes.
func (e *RowError) Error() string {
	var all []string
	for k, v := range e.At {
		all = append(all, k+": "+v)
	}
	sort.Strings(all)
	return e.Message + ": " + strings.Join(all, "; ")
}

// Fields gives the attributes at fault.
func (e *RowError) Fields() map[string]string { return e.At }

func (s *Store) typ(ctx context.Context, name string) (wire.ObjectType, error) {
	t, ok, err := s.types(ctx, name)
	if err == nil && !ok {
		err = plugin.Fail("object.type", fmt.Sprintf("there is no object type %s:%s", s.name, name))
	}
	return t, err
}

// attr finds the definition behind the name of an attribute or of its observed
// value.
func attr(t wire.ObjectType, name string) (wire.Attribute, bool) {
	base := strings.TrimSuffix(name, wire.ObservedSuffix)
	for _, a := range t.Attributes {
		if a.Name == base && (base == name || a.Observed) {
			return a, true
		}
	}
	return wire.Attribute{}, base == name && (name == wire.AttrID || name == wire.AttrDisplayName)
}

// Create adds rows; all or none.
func (s *Store) Create(ctx context.Context, typ string, rows []wire.Row, by plugin.By) ([]wire.Row, error) {
	t, err := s.typ(ctx, typ)
	if err != nil {
		return nil, err
	}
	out := make([]wire.Row, 0, len(rows))
	err = s.tx(ctx, func(tx *sql.Tx) error {
		out = out[:0]
		for i, row := range rows {
			clean, err := normalise(t, row, true)
			if err != nil {
				return inRow(err, i, len(rows))
			}
			id := text(clean[wire.AttrID])
			if id == "" {
				id = ulid.Make().String()
				clean[wire.AttrID] = wire.Raw(id)
			}
			c := change{t: t, id: id, version: 1, after: clean, by: by, op: "create", now: s.now()}
			if err := s.store(ctx, tx, c); err != nil {
				return inRow(err, i, len(rows))
			}
			out = append(out, shown(t, clean))
		}
		return nil
	})
	return out, err
}

// Update changes the given attributes of rows; all or none. A null removes an
// attribute's value.
func (s *Store) Update(ctx context.Context, typ string, rows []wire.Row, by plugin.By) ([]wire.Row, error) {
	t, err := s.typ(ctx, typ)
	if err != nil {
		return nil, err
	}
	out := make([]wire.Row, 0, len(rows))
	err = s.tx(ctx, func(tx *sql.Tx) error {
		out = out[:0]
		for i, row := range rows {
			after, err := s.update(ctx, tx, t, row, by)
			if err != nil {
				return inRow(err, i, len(rows))
			}
			out = append(out, shown(t, after))
		}
		return nil
	})
	return out, err
}

func (s *Store) update(ctx context.Context, tx *sql.Tx, t wire.ObjectType, row wire.Row, by plugin.By) (wire.Row, error) {
	id := text(row[wire.AttrID])
	before, version, err := load(ctx, tx, t.Type, id)
	if err != nil {
		return nil, err
	}
	if before == nil {
		return nil, &RowError{"there is no such object", map[string]string{wire.AttrID: fmt.Sprintf("no %s:%s has the id %q", s.name, t.Type, id)}}
	}
	merged := wire.Row{}
	for k, v := range before {
		merged[k] = v
	}
	for k, v := range row {
		if isNull(v) {
			delete(merged, k)
			continue
		}
		merged[k] = v
	}
	for k := range row {
		if _, ok := attr(t, k); !ok {
			return nil, unknown(t, k)
		}
	}
	clean, err := normalise(t, merged, false)
	if err != nil {
		return nil, err
	}
	diff := difference(before, clean)
	if len(diff) == 0 {
		return clean, nil
	}
	return clean, s.store(ctx, tx, change{t: t, id: id, version: version + 1, before: before, after: clean, by: by, op: "update", now: s.now()})
}

// Delete removes rows; all or none. A row that others refer to stays.
func (s *Store) Delete(ctx context.Context, typ string, ids []string, by plugin.By) error {
	t, err := s.typ(ctx, typ)
	if err != nil {
		return err
	}
	return s.tx(ctx, func(tx *sql.Tx) error {
		for i, id := range ids {
			before, version, err := load(ctx, tx, typ, id)
			if err != nil {
				return err
			}
			if before == nil {
				return inRow(&RowError{"there is no such object", map[string]string{wire.AttrID: fmt.Sprintf("no %s:%s has the id %q", s.name, typ, id)}}, i, len(ids))
			}
			if err := s.store(ctx, tx, change{t: t, id: id, version: version + 1, before: before, by: by, op: "delete", now: s.now()}); err != nil {
				return inRow(err, i, len(ids))
			}
		}
		return nil
	})
}

func inRow(err error, i, n int) error {
	if e, ok := err.(*RowError); ok && n > 1 {
		at := map[string]string{}
		for k, v := range e.At {
			at[fmt.Sprintf("[%d].%s", i, k)] = v
		}
		return &RowError{e.Message, at}
	}
	return err
}

func (s *Store) tx(ctx context.Context, fn func(*sql.Tx) error) error {
	s.write.Lock()
	defer s.write.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		_ = tx.Rollback() // the error of fn is what matters
		return err
	}
	return tx.Commit()
}

// change is one row before and after.
type change struct {
	t             wire.ObjectType
	id            string
	version       int64
	before, after wire.Row
	by            plugin.By
	op            string
	now           time.Time
}

func (s *Store) store(ctx context.Context, tx *sql.Tx, c change) error {
	if err := s.references(ctx, tx, c); err != nil {
		return err
	}
	at := c.now.UnixMicro()
	var err error
	switch {
	case c.before == nil:
		data, merr := encode(c.after)
		if merr != nil {
			return merr
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO object_row (type, id, version, data, created, updated) VALUES (?, ?, ?, ?, ?, ?)", c.t.Type, c.id, c.version, data, at, at)
		if sqldb.Classify(err) == sqldb.FaultConflict {
			return &RowError{"the object exists already", map[string]string{wire.AttrID: fmt.Sprintf("%q is taken", c.id)}}
		}
	case c.after == nil:
		_, err = tx.ExecContext(ctx, "DELETE FROM object_row WHERE type = ? AND id = ?", c.t.Type, c.id)
	default:
		data, merr := encode(c.after)
		if merr != nil {
			return merr
		}
		_, err = tx.ExecContext(ctx, "UPDATE object_row SET version = ?, data = ?, updated = ? WHERE type = ? AND id = ?", c.version, data, at, c.t.Type, c.id)
	}
	if err != nil {
		return err
	}
	if err := index(ctx, tx, c); err != nil {
		return err
	}
	diff, err := json.Marshal(difference(c.before, c.after))
	if err != nil {
		return err
	}
	if c.before == nil {
		// A row that was deleted and made again goes on with its numbers.
		if err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) + 1 FROM object_history WHERE type = ? AND id = ?", c.t.Type, c.id).Scan(&c.version); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE object_row SET version = ? WHERE type = ? AND id = ?", c.version, c.t.Type, c.id); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO object_history (type, id, version, time, operator, run, op, diff) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		c.t.Type, c.id, c.version, at, c.by.Operator, c.by.Run, c.op, diff)
	return err
}

func encode(row wire.Row) ([]byte, error) {
	data, err := json.Marshal(row)
	if err == nil && len(data) > maxRow {
		return nil, plugin.Fail("object.too_large", fmt.Sprintf("the object has %d bytes: at most %d are possible", len(data), maxRow))
	}
	return data, err
}

// references checks that what a row refers to exists, and that nothing refers
// to a row that goes. References into other plugins are checked by the platform.
func (s *Store) references(ctx context.Context, tx *sql.Tx, c change) error {
	if c.after == nil {
		var by, attr string
		err := tx.QueryRowContext(ctx, "SELECT type, attr FROM object_value WHERE attr LIKE '%->%' AND value = ? LIMIT 1", s.name+":"+c.t.Type+"/"+c.id).Scan(&by, &attr)
		if err == sql.ErrNoRows {
			return nil
		}
		if err != nil {
			return err
		}
		name, _, _ := strings.Cut(attr, "->")
		return &RowError{"the object is in use", map[string]string{wire.AttrID: fmt.Sprintf("a %s:%s refers to %q by %s", s.name, by, c.id, name)}}
	}
	for _, a := range c.t.Attributes {
		typ, own := strings.CutPrefix(a.To, s.name+":")
		if a.Type != wire.TypeRef && a.Type != wire.TypeMultiRef || !own {
			continue
		}
		for _, id := range ids(c.after[a.Name]) {
			var n int
			if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM object_row WHERE type = ? AND id = ?", typ, id).Scan(&n); err != nil {
				return err
			}
			if n == 0 && (typ != c.t.Type || id != c.id) {
				return &RowError{"a reference leads nowhere", map[string]string{a.Name: fmt.Sprintf("there is no %s with the id %q", a.To, id)}}
			}
		}
	}
	return nil
}

// index replaces the index entries of a row.
func index(ctx context.Context, tx *sql.Tx, c change) error {
	for _, table := range []string{"object_value", "object_unique"} {
		if c.before == nil {
			break
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE type = ? AND id = ?", c.t.Type, c.id); err != nil {
			return err
		}
	}
	for name, raw := range c.after {
		a, _ := attr(c.t, name)
		if name == wire.AttrID {
			continue
		}
		for _, v := range keysOf(raw) {
			if _, err := tx.ExecContext(ctx, "INSERT INTO object_value (type, attr, value, id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", c.t.Type, name, v, c.id); err != nil {
				return err
			}
			if a.To != "" {
				if _, err := tx.ExecContext(ctx, "INSERT INTO object_value (type, attr, value, id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", c.t.Type, name+"->", a.To+"/"+v, c.id); err != nil {
					return err
				}
			}
		}
		if !a.Unique || name != a.Name {
			continue
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO object_unique (type, attr, value, id) VALUES (?, ?, ?, ?)", c.t.Type, name, cut(string(raw)), c.id)
		if sqldb.Classify(err) == sqldb.FaultConflict {
			return &RowError{"the value is taken", map[string]string{name: fmt.Sprintf("another %s has %s already", c.t.Type, raw)}}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func load(ctx context.Context, tx *sql.Tx, typ, id string) (wire.Row, int64, error) {
	var data []byte
	var version int64
	err := tx.QueryRowContext(ctx, "SELECT version, data FROM object_row WHERE type = ? AND id = ?", typ, id).Scan(&version, &data)
	if err == sql.ErrNoRows {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	var row wire.Row
	return row, version, json.Unmarshal(data, &row)
}
