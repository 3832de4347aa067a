package sqldb

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// Rows are those of one statement: Text is for one of them. It ends with the places of a
// row, behind which an insert may say what becomes of conflicts, or, where it removes,
// with those of a key. An update has places in SET and in WHERE.
type Rows struct {
	Text    string
	Removes bool
	Counted bool // each row is to be written
	Values  [][]any
}

// Send runs statements with all their rows on a connection to PostgreSQL: they go out
// together, and each takes its rows as arrays, so that any number of them is one
// statement that is prepared once. What it cannot send so is for the caller: sent is
// false then, and nothing was done.
func Send(ctx context.Context, c *sql.Conn, all []Rows) (sent bool, err error) {
	err = c.Raw(func(own any) error {
		wrapped, ok := own.(*conn)
		if !ok || wrapped.dialect != Postgres {
			return nil
		}
		batch := &pgx.Batch{}
		for _, rows := range all {
			columns, err := wrapped.columns(ctx, rows)
			if columns == nil || err != nil {
				return err
			}
			batch.Queue(columns.text, columns.args...)
		}
		sent = true
		wrapped.line.wait(ctx)
		results := wrapped.Conn.(*stdlib.Conn).Conn().SendBatch(ctx, batch)
		for _, rows := range all {
			tag, err := results.Exec()
			if err == nil && rows.Counted && tag.RowsAffected() != int64(len(rows.Values)) {
				err = fmt.Errorf("%d of %d rows were written", tag.RowsAffected(), len(rows.Values))
			}
			if err != nil {
				_ = results.Close() // it says the same
				return err
			}
		}
		return results.Close()
	})
	return sent, err
}

// Begin begins a transaction on a connection to PostgreSQL and runs its first statement,
// both on one way to the server. It tells how many rows that changed; sent is false where
// it cannot, and nothing was done.
func Begin(ctx context.Context, c *sql.Conn, first Rows) (changed int64, sent bool, err error) {
	err = c.Raw(func(own any) error {
		wrapped, ok := own.(*conn)
		if !ok || wrapped.dialect != Postgres {
			return nil
		}
		columns, err := wrapped.columns(ctx, first)
		if columns == nil || err != nil {
			return err
		}
		batch := &pgx.Batch{}
		batch.Queue("BEGIN")
		batch.Queue(columns.text, columns.args...)
		sent = true
		wrapped.line.wait(ctx)
		results := wrapped.Conn.(*stdlib.Conn).Conn().SendBatch(ctx, batch)
		_, err = results.Exec()
		if err == nil {
			var tag pgconn.CommandTag
			tag, err = results.Exec()
			changed = tag.RowsAffected()
		}
		return cmp.Or(err, results.Close())
	})
	return changed, sent, err
}

// columns are rows turned into arrays.
type columns struct {
	text string
	args []any
}

// columns turns rows into arrays; nil where a type of them is not known.
func (c *conn) columns(ctx context.Context, rows Rows) (*columns, error) {
	s, err := c.keep(ctx, rows.Text)
	if s == nil || err != nil {
		return nil, err
	}
	types, args := make([]string, len(s.kinds)), make([]any, len(s.kinds))
	for i, k := range s.kinds {
		switch k {
		case kindInt:
			types[i], args[i] = "BIGINT[]", make([]*int64, len(rows.Values))
		case kindText:
			types[i], args[i] = "TEXT[]", make([]*string, len(rows.Values))
		case kindBytes:
			types[i], args[i] = "BYTEA[]", make([][]byte, len(rows.Values))
		case kindOther, kindNarrow:
			return nil, nil //nolint:nilnil // it is sent in another way
		}
	}
	row := make([]driver.NamedValue, len(s.kinds))
	for n, values := range rows.Values {
		if len(values) != len(row) {
			return nil, fmt.Errorf("%d values for %d places: %s", len(values), len(row), rows.Text)
		}
		for i, v := range values {
			row[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
			if err := s.CheckNamedValue(&row[i]); err != nil {
				return nil, err
			}
		}
		for i, v := range s.fit(row) {
			if !place(args[i], n, v.Value) {
				return nil, fmt.Errorf("the place %d takes no %T: %s", i+1, v.Value, rows.Text)
			}
		}
	}
	return &columns{unnested(rows, types), args}, nil
}

// place puts a value into a column.
func place(column any, n int, value any) bool {
	if value == nil {
		return true
	}
	switch column := column.(type) {
	case []*int64:
		v, ok := value.(int64)
		column[n] = &v
		return ok
	case []*string:
		v, ok := value.(string)
		column[n] = &v
		return ok
	case [][]byte:
		v, ok := value.([]byte)
		column[n] = v
		return ok
	}
	return false
}

// unnested makes a statement for one row one for arrays.
func unnested(rows Rows, types []string) string {
	names, arrays := make([]string, len(types)), make([]string, len(types))
	for i, t := range types {
		names[i], arrays[i] = "c"+strconv.Itoa(i), "CAST($"+strconv.Itoa(i+1)+" AS "+t+")"
	}
	from := " FROM unnest(" + strings.Join(arrays, ", ") + ") AS given (" + strings.Join(names, ", ") + ")"
	if rows.Removes {
		head, _, _ := strings.Cut(rows.Text, "= ")
		return head + "IN (SELECT " + strings.Join(names, ", ") + from + ")"
	}
	if strings.HasPrefix(rows.Text, "UPDATE ") {
		text := rows.Text
		for _, name := range names {
			text = strings.Replace(text, "?", "given."+name, 1)
		}
		head, where, _ := strings.Cut(text, " WHERE ")
		return head + from + " WHERE " + where
	}
	end := strings.Index(rows.Text, " ON CONFLICT")
	if end < 0 {
		end = len(rows.Text)
	}
	open := strings.LastIndex(rows.Text[:end], "VALUES (")
	row := strings.TrimSuffix(rows.Text[open+len("VALUES ("):end], ")")
	for _, name := range names {
		row = strings.Replace(row, "?", "given."+name, 1)
	}
	return rows.Text[:open] + "SELECT " + row + from + rows.Text[end:]
}
