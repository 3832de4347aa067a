// Package transfer copies tables from one database to another, of whatever
// dialects, and proves that they are the same afterwards.
package transfer

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

const portion = 2000 // rows in one commit

// Table is what was copied of a table.
type Table struct {
	Name string `json:"table"`
	Rows int64  `json:"rows"`
	// Digest is the sum of the SHA-256 of each row, whatever their order.
	Digest string `json:"digest"`
}

// The errors of a copy.
var (
	// ErrNotEmpty is returned where the target has rows already.
	ErrNotEmpty = errors.New("the target is not empty")
	// ErrDiffers is returned where the copy is not the same as what was copied.
	ErrDiffers = errors.New("the copy differs")
)

// Empty reports whether none of the tables has a row.
//
// Returns ErrNotEmpty if one has.
func Empty(ctx context.Context, db *sql.DB, tables []string) error {
	for _, name := range tables {
		var n int64
		if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+name).Scan(&n); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if n > 0 {
			return fmt.Errorf("%w: the table %s has %d rows: name an empty database", ErrNotEmpty, name, n)
		}
	}
	return nil
}

// Copy copies a table and reads both sides again.
//
// Returns ErrDiffers if they are not the same.
func Copy(ctx context.Context, from, to *sql.DB, name string) (Table, error) {
	if err := copyRows(ctx, from, to, name); err != nil {
		return Table{}, fmt.Errorf("copy %s: %w", name, err)
	}
	was, err := measure(ctx, from, name)
	if err != nil {
		return Table{}, fmt.Errorf("read %s again: %w", name, err)
	}
	is, err := measure(ctx, to, name)
	if err != nil {
		return Table{}, fmt.Errorf("read the copy of %s: %w", name, err)
	}
	if was != is {
		return is, fmt.Errorf("%w: the table %s has %d rows with the digest %s, its copy %d with %s",
			ErrDiffers, name, was.Rows, was.Digest, is.Rows, is.Digest)
	}
	return is, nil
}

func copyRows(ctx context.Context, from, to *sql.DB, name string) error {
	r, err := read(ctx, from, name)
	if err != nil {
		return err
	}
	defer r.rows.Close()
	insert := "INSERT INTO " + name + " (" + strings.Join(r.columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(r.columns)-1) + ")"
	for more := true; more; {
		tx, err := to.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if more, err = r.some(ctx, tx, insert); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	return r.rows.Err()
}

// reader reads the rows of a table with values of few types.
type reader struct {
	rows    *sql.Rows
	columns []string
	texts   []bool
}

func read(ctx context.Context, db *sql.DB, name string) (*reader, error) {
	columns, err := columnsOf(ctx, db, name)
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+name)
	if err != nil {
		return nil, err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, errors.Join(err, rows.Close())
	}
	r := &reader{rows: rows, columns: columns}
	for _, t := range types {
		kind := strings.ToUpper(t.DatabaseTypeName())
		r.texts = append(r.texts, strings.Contains(kind, "TEXT") || strings.Contains(kind, "CHAR"))
	}
	return r, nil
}

// columnsOf names the columns in the order of their names, which is the same
// everywhere.
func columnsOf(ctx context.Context, db *sql.DB, name string) ([]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+name+" WHERE 1 = 0")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	slices.Sort(columns)
	return columns, errors.Join(err, rows.Err())
}

// next gives the values of the next row.
func (r *reader) next() ([]any, error) {
	values, places := make([]any, len(r.columns)), make([]any, len(r.columns))
	for i := range values {
		places[i] = &values[i]
	}
	if err := r.rows.Scan(places...); err != nil {
		return nil, err
	}
	for i, v := range values {
		switch v := v.(type) {
		case []byte:
			if v == nil { // empty, and not missing
				values[i] = []byte{}
			}
			if r.texts[i] {
				values[i] = string(v)
			}
		case string:
			if !r.texts[i] {
				values[i] = []byte(v)
			}
		}
	}
	return values, nil
}

func (r *reader) some(ctx context.Context, tx *sql.Tx, insert string) (more bool, err error) {
	s, err := tx.PrepareContext(ctx, insert)
	if err != nil {
		return false, err
	}
	defer s.Close()
	for range portion {
		if !r.rows.Next() {
			return false, r.rows.Err()
		}
		values, err := r.next()
		if err != nil {
			return false, err
		}
		if _, err := s.ExecContext(ctx, values...); err != nil {
			return false, err
		}
	}
	return true, nil
}

// measure counts the rows of a table and sums them up.
func measure(ctx context.Context, db *sql.DB, name string) (Table, error) {
	r, err := read(ctx, db, name)
	if err != nil {
		return Table{}, err
	}
	defer r.rows.Close()
	t, total := Table{Name: name}, new(big.Int)
	for r.rows.Next() {
		values, err := r.next()
		if err != nil {
			return Table{}, err
		}
		sum := digest(r.columns, values)
		total.Add(total, new(big.Int).SetBytes(sum[:]))
		t.Rows++
	}
	whole := sha256.Sum256(total.Bytes())
	t.Digest = hex.EncodeToString(whole[:])
	return t, r.rows.Err()
}

func digest(columns []string, values []any) [sha256.Size]byte {
	var b []byte
	for i, v := range values {
		kind, text := byte('n'), ""
		switch v := v.(type) {
		case nil:
		case int64:
			kind, text = 'i', strconv.FormatInt(v, 10)
		case []byte:
			kind, text = 'b', string(v)
		case string:
			kind, text = 't', v
		default:
			kind, text = '?', fmt.Sprint(v)
		}
		b = append(b, columns[i]...)
		b = append(b, 0, kind)
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	return sha256.Sum256(b)
}
