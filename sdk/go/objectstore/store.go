// Package objectstore keeps the objects of a plugin in its database: typed rows
// with checks, filters by index, and the history of every row.
//
// A row is JSON; every scalar attribute also stands in an index, so that
// equality filters and references are looked up and not searched for. It suits
// types that are known when the plugin is written and types that people define
// while it runs.
//
// Changes are made one after another, each whole or not at all; every change
// leaves one entry in the history, in the same commit: the history is the
// plugin's outbox too. The values of secret attributes stand sealed in the row
// alone: neither in the index nor in the history.
//
// Every row has a version that grows with each change. A change that names one is
// refused where the row has another by then.
package objectstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"sort"
	"strings"
	"time"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/sqldb"
	"sextant/sdk/go/wire"
)

//go:embed migrations
var migrations embed.FS

const (
	domain     = "objectstore"
	maxRows    = 10_000 // rows answered where the caller sets no limit
	maxIndexed = 190    // bytes of a value in the index
	maxRow     = 64 << 10
)

// Types finds the definition of an object type. It is asked while no other
// change is under way.
type Types func(ctx context.Context, name string) (wire.ObjectType, bool, error)

// Store is a plugin.Store over SQL. It is safe for concurrent use.
type Store struct {
	db      *sql.DB
	dialect string
	name    string
	types   Types
	sealer  *sealer
	now     func() time.Time
	commits commits       // under the token
	write   chan struct{} // holds one token: there is one writer; SQLite has no more
}

// Open prepares the tables in a plugin's database. name is the plugin's, with
// which references name its types. Where types are not known yet, Upgrade has to
// follow once they are.
func Open(ctx context.Context, h *plugin.Host, name string, types Types) (*Store, error) {
	if err := Prepare(ctx, h.DB, sqldb.Dialect(h.Dialect)); err != nil {
		return nil, err
	}
	seal, err := newSealer(h.Key)
	if err != nil {
		return nil, err
	}
	s := &Store{db: h.DB, dialect: h.Dialect, name: name, types: types, sealer: seal, now: h.Clock.Now, write: make(chan struct{}, 1)}
	return s, s.Upgrade(ctx)
}

// Prepare makes the tables in a plugin's database, or brings them up to date.
func Prepare(ctx context.Context, db *sql.DB, dialect sqldb.Dialect) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return sqldb.Migrate(ctx, db, dialect, domain, sub)
}

// Tables names the tables that Prepare makes.
func Tables() ([]string, error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return sqldb.Tables(sub)
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

// RowError says which attributes of which row are at fault. Type and ID are
// empty where the row has none yet.
type RowError struct {
	Message  string
	At       map[string]string
	Type, ID string
	// Code is that of a fault; empty for most.
	Code string
}

// Error names the attributes.
func (e *RowError) Error() string {
	all := make([]string, 0, len(e.At))
	for k, v := range e.At {
		all = append(all, k+": "+v)
	}
	sort.Strings(all)
	return e.Message + ": " + strings.Join(all, "; ")
}

// Fields gives the attributes at fault.
func (e *RowError) Fields() map[string]string { return e.At }

// Create adds rows; all or none.
func (s *Store) Create(ctx context.Context, typ string, rows []wire.Row, by plugin.By) ([]wire.Row, error) {
	var out []wire.Row
	err := s.Do(ctx, by, func(tx *Tx) (err error) {
		out, err = tx.Create(ctx, typ, rows)
		return err
	})
	return out, err
}

// Update changes the given attributes of rows; all or none. A null removes an
// attribute's value. Attributes that are not given stay as they are.
func (s *Store) Update(ctx context.Context, typ string, rows []wire.Row, by plugin.By) ([]wire.Row, error) {
	var out []wire.Row
	err := s.Do(ctx, by, func(tx *Tx) (err error) {
		out, err = tx.Update(ctx, typ, rows)
		return err
	})
	return out, err
}

// Delete removes rows; all or none. A row that others refer to stays.
func (s *Store) Delete(ctx context.Context, typ string, ids []string, by plugin.By) error {
	return s.Do(ctx, by, func(tx *Tx) error { return tx.Delete(ctx, typ, ids) })
}

// Query finds rows. Without an order they come by id. A page ends with a mark
// for the next one, which goes with the same order and filters.
func (s *Store) Query(ctx context.Context, typ string, q wire.Query) ([]wire.Row, string, error) {
	t, err := resolve(ctx, shape{plugin: s.name, sealer: s.sealer}, s.types, typ)
	if err != nil {
		return nil, "", err
	}
	return query(ctx, s.db, t, q)
}

// Do makes several changes together or not at all. References among the rows are
// checked once fn has returned, so that their order does not matter. fn must use
// the Tx alone and must not keep it. On a database server a commit whose answer was lost
// is looked up: it is neither told as failed when it happened, nor the other way round.
//
// Returns ErrUnknown if that cannot be found out.
func (s *Store) Do(ctx context.Context, by plugin.By, fn func(*Tx) error) error {
	select {
	case s.write <- struct{}{}:
		defer func() { <-s.write }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	begun, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = begun.Rollback() }() // does nothing after a commit
	tx := &Tx{sql: begun, name: s.name, types: s.types, sealer: s.sealer, by: by, now: s.now}
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Check(ctx); err != nil {
		return err
	}
	return s.commit(ctx, begun)
}

// resolve finds a type of a plugin.
func resolve(ctx context.Context, of shape, types Types, name string) (*shape, error) {
	t, ok, err := types(ctx, name)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, plugin.Fail("object.type", fmt.Sprintf("there is no object type %s:%s", of.plugin, name))
	}
	return newShape(of, t), nil
}
