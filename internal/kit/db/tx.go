package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"

	"sextant/sdk/go/sqldb"
)

// Tx is a write in progress. It is valid only within the function that Do
// passes it to, and only on that goroutine.
type Tx struct {
	db             *DB
	ctx            context.Context // of the wave, on a server
	wrote          bool
	careful        bool // a statement that fails is put back, for fn to go on
	exact          bool // what a write changes is told at once
	failed, passed bool // a statement failed; fn went on
	after          []func()
	less           []less
	lend           func() error
	rows           []*sql.Rows // opened by fn
	broken         error       // the fault after which the database may have ended the transaction
}

func (t *Tx) lent() error { return t.lend() }

// AfterCommit registers an effect that is carried out once the commit was
// synced, on the writer's goroutine: it must be quick and must not call Do.
func (t *Tx) AfterCommit(fn func()) { t.after = append(t.after, fn) }

// Exec runs a statement and returns the number of rows it changed.
func (t *Tx) Exec(query string, args ...any) (int64, error) {
	t.wrote = true
	if t.careful {
		return t.apart(query, args)
	}
	return t.exec(query, args)
}

// goesOn notes that fn goes on after a statement failed, of which PostgreSQL
// wants to know before.
func (t *Tx) goesOn() { t.passed = t.passed || t.failed && t.db.dialect == sqldb.Postgres }

// apart runs a statement in a savepoint of its own.
func (t *Tx) apart(query string, args []any) (int64, error) {
	if _, err := t.db.conn.ExecContext(t.own(), "SAVEPOINT x"); err != nil {
		return 0, t.fault(err)
	}
	n, err := t.exec(query, args)
	if err != nil && t.broken == nil {
		if _, undone := t.db.conn.ExecContext(t.own(), "ROLLBACK TO SAVEPOINT x"); undone != nil {
			return 0, t.fault(undone)
		}
		t.failed = false
	}
	return n, err
}

func (t *Tx) exec(query string, args []any) (int64, error) {
	stmt, err := t.stmt(query)
	if err != nil {
		return 0, t.fault(err)
	}
	res, err := stmt.ExecContext(t.own(), args...)
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
	rows, err := stmt.QueryContext(t.context(ctx), args...)
	if err != nil {
		return nil, t.fault(err)
	}
	t.rows = append(t.rows, rows)
	return rows, nil
}

// QueryRow reads one row within the write.
func (t *Tx) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	if err := t.settle(query); err != nil { // it must not run on half of what was left
		_ = t.fault(err)
		ended, end := context.WithCancelCause(t.context(ctx))
		end(err)
		return t.db.conn.QueryRowContext(ended, query, args...)
	}
	stmt, err := t.stmt(query)
	if err != nil { // told by the query itself
		return t.db.conn.QueryRowContext(t.context(ctx), query, args...)
	}
	return stmt.QueryRowContext(t.context(ctx), args...)
}

// context is what statements run under: what fn began is not left half done
// because its caller is gone.
func (t *Tx) context(ctx context.Context) context.Context {
	if t.ctx != nil {
		return t.ctx
	}
	return context.WithoutCancel(ctx)
}

func (t *Tx) own() context.Context {
	if t.ctx != nil {
		return t.ctx
	}
	return context.Background()
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
	case sqldb.FaultAway, sqldb.FaultSerial, sqldb.FaultTimeout:
		t.broken = err
		return err
	case sqldb.FaultOther, sqldb.FaultConflict, sqldb.FaultReadOnly, sqldb.FaultValue, sqldb.FaultDenied:
	}
	if t.db.dialect != sqldb.SQLite {
		t.failed = true
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrConnDone) {
			t.broken = err
		}
		return err
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
var controls = regexp.MustCompile(`(?i)^\s*(BEGIN|START|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE)\b`)

// Upsert inserts a row or, where one with the same key columns exists, sets its
// other columns. The first keys columns are the key.
func (t *Tx) Upsert(table string, keys int, columns []string, values ...any) error {
	_, err := t.Exec(sqldb.Upsert(table, keys, columns), values...)
	return err
}

// settle writes what was left for the tables that a statement names, before it.
func (t *Tx) settle(query string) error {
	if t.broken != nil || !t.db.later.concerns(query) {
		return nil
	}
	t.wrote = true // also what others left
	return t.db.later.flush(t.own(), t.db)
}

func (t *Tx) stmt(query string) (*sql.Stmt, error) {
	if t.broken != nil {
		return nil, t.broken
	}
	t.goesOn()
	if err := t.settle(query); err != nil {
		return nil, err
	}
	if s, ok := t.db.stmts[query]; ok {
		return s, nil
	}
	if controls.MatchString(query) {
		return nil, fmt.Errorf("%.40q has no place in a write: the writer begins and ends transactions", query)
	}
	return t.db.prepare(t.own(), query)
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
