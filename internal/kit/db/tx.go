package db

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"

	"sextant/sdk/go/sqldb"
)

// Tx is a write in progress. It is valid only within the function that Do
// passes it to, and only on that goroutine.
type Tx struct {
	db     *DB
	after  []func()
	lend   func() error
	rows   []*sql.Rows // opened by fn
	broken error       // the fault after which the database may have ended the transaction
}

func (t *Tx) lent() error { return t.lend() }

// AfterCommit registers an effect that is carried out once the commit was
// synced, on the writer's goroutine: it must be quick and must not call Do.
func (t *Tx) AfterCommit(fn func()) { t.after = append(t.after, fn) }

// Exec runs a statement and returns the number of rows it changed.
func (t *Tx) Exec(query string, args ...any) (int64, error) {
	stmt, err := t.stmt(query)
	if err != nil {
		return 0, t.fault(err)
	}
	res, err := stmt.Exec(args...)
	if err != nil {
		return 0, t.fault(err)
	}
	return res.RowsAffected()
}

// Query reads rows within the write. The caller closes them before the next
// call on the Tx.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := t.stmt(query)
	if err != nil {
		return nil, t.fault(err)
	}
	rows, err := stmt.QueryContext(context.WithoutCancel(ctx), args...)
	if err != nil {
		return nil, t.fault(err)
	}
	t.rows = append(t.rows, rows)
	return rows, nil
}

// QueryRow reads one row within the write.
func (t *Tx) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	stmt, err := t.stmt(query)
	if err != nil { // told by the query itself
		return t.db.conn.QueryRowContext(context.WithoutCancel(ctx), query, args...)
	}
	return stmt.QueryRowContext(context.WithoutCancel(ctx), args...)
}

// closeRows closes what a fn that panicked or forgot has left open, and which
// would hold the connection for ever.
func (t *Tx) closeRows() {
	for _, r := range t.rows {
		_ = r.Close() // closed already as a rule
	}
	t.rows = nil
}

// fault notes that the transaction is over: some faults end it by themselves.
// Whatever fn would write afterwards would be kept without the rest, so that
// nothing more is taken from it.
func (t *Tx) fault(err error) error {
	switch sqldb.Classify(err) {
	case sqldb.FaultFull, sqldb.FaultIO, sqldb.FaultCorrupt, sqldb.FaultBusy:
		t.broken = err
		return err
	case sqldb.FaultOther, sqldb.FaultConflict, sqldb.FaultReadOnly:
	}
	// There are no transactions within one: where BEGIN works, there is none.
	ctx := context.Background()
	if _, alive := t.db.conn.ExecContext(ctx, "BEGIN"); alive == nil {
		_, _ = t.db.conn.ExecContext(ctx, "ROLLBACK") // it is empty
		t.broken = err
	}
	return err
}

// controls begins a statement that is the writer's alone.
var controls = regexp.MustCompile(`(?i)^\s*(BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE)\b`)

// Upsert inserts a row or, where one with the same key columns exists, sets its
// other columns. The first keys columns are the key.
func (t *Tx) Upsert(table string, keys int, columns []string, values ...any) error {
	_, err := t.Exec(UpsertSQL(table, keys, columns), values...)
	return err
}

// UpsertSQL is the statement that Upsert runs. Table and columns come from
// code, never from input.
func UpsertSQL(table string, keys int, columns []string) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ")")
	b.WriteString(" ON CONFLICT (" + strings.Join(columns[:keys], ", ") + ") DO ")
	if keys == len(columns) {
		b.WriteString("NOTHING")
		return b.String()
	}
	b.WriteString("UPDATE SET ")
	for i, c := range columns[keys:] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c + " = excluded." + c)
	}
	return b.String()
}

func (t *Tx) stmt(query string) (*sql.Stmt, error) {
	if t.broken != nil {
		return nil, t.broken
	}
	if s, ok := t.db.stmts[query]; ok {
		return s, nil
	}
	if controls.MatchString(query) {
		return nil, fmt.Errorf("%.40q has no place in a write: the writer begins and ends transactions", query)
	}
	return t.db.prepare(query)
}

// Scan reads every row with scan and closes rows. It is the one loop over rows,
// so that no caller forgets rows.Err.
func Scan[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
