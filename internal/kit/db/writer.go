package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"sextant/internal/kit/errs"
	"sextant/sdk/go/sqldb"
)

// errBroken marks a transaction that the database itself has ended, so that the
// functions before it in the group have to run again.
var errBroken = errors.New("the transaction was ended by the database")

// waryFor is how many groups have savepoints from the start after one needed them.
const waryFor = 64

// writer owns the writing connection. It takes what is queued, runs it in one
// transaction and answers after the commit.
func (d *DB) writer() {
	defer close(d.done)
	for w := range d.queue {
		if w.fn == nil { // exclusive access, see Migrate
			w.reply <- w.tx.lent()
			continue
		}
		d.group(d.gather(w))
	}
}

func (d *DB) gather(first *work) []*work {
	group := []*work{first}
	for len(group) < groupLimit {
		select {
		case w, ok := <-d.queue:
			if !ok {
				return group
			}
			if w.fn == nil {
				d.group(group)
				w.reply <- w.tx.lent()
				return nil
			}
			group = append(group, w)
		default:
			return group
		}
	}
	return group
}

func (d *DB) group(group []*work) {
	group = slices.DeleteFunc(group, func(w *work) bool {
		gone := w.ctx.Err()
		if gone != nil {
			w.reply <- gone // nobody wants it any more and nothing of it was done
		}
		return gone != nil
	})
	if len(group) == 0 {
		return
	}
	if d.dialect != sqldb.SQLite {
		d.remote(group)
		return
	}
	err := d.attempt(group, len(group) > 1 && d.wary > 0)
	d.wary = max(d.wary-1, 0)
	if errors.Is(err, errAlone) {
		d.wary = waryFor
		err = d.attempt(group, true)
	}
	if errors.Is(err, errBroken) {
		// One function at a time, so that only the culprit fails.
		for _, w := range group {
			if err := d.attempt([]*work{w}, false); err != nil && w.err == nil {
				w.err = translate(err)
			}
			d.answer(w)
		}
		return
	}
	for _, w := range group {
		if w.err == nil {
			w.err = err
		}
		d.answer(w)
	}
}

func (d *DB) answer(w *work) {
	if d.note(w.err) && w.urgent && d.dialect == sqldb.SQLite { // the reserve has made room
		w.undone()
		if err := d.attempt([]*work{w}, false); err != nil && w.err == nil {
			w.err = translate(err)
		}
	}
	if w.err == nil {
		for _, hook := range w.tx.after {
			hook()
		}
	} else {
		w.undone()
	}
	w.reply <- w.err
}

// attempt runs the group in one transaction. Errors of single functions are
// left in the works; the returned error concerns all of them. Without savepoints it
// is errAlone where a function failed that had written.
func (d *DB) attempt(group []*work, savepoints bool) error {
	if err := d.failed(); err != nil {
		return err
	}
	ctx := context.Background()
	if err := d.control(ctx, "BEGIN IMMEDIATE"); err != nil {
		return translate(err)
	}
	for _, w := range group {
		w.tx, w.err = &Tx{db: d}, nil
		err := d.one(ctx, w, savepoints)
		if len(group) == 1 && w.err != nil {
			err = w.err
		}
		if err != nil {
			_ = d.control(ctx, "ROLLBACK") // fails where the database has rolled back by itself
			return err
		}
	}
	if err := d.control(ctx, "COMMIT"); err != nil {
		_ = d.control(ctx, "ROLLBACK")
		if sqldb.Classify(err) == sqldb.FaultIO {
			d.broken.Store(&err)
		}
		return translate(err)
	}
	d.commits.Add(1)
	return nil
}

// one runs a single function. Without a savepoint one that fails after it wrote
// takes the whole group with it: errAlone.
func (d *DB) one(ctx context.Context, w *work, savepoint bool) error {
	if savepoint {
		if err := d.control(ctx, "SAVEPOINT s"); err != nil {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
	}
	if w.err = translate(run(w)); w.err != nil {
		w.undone()
	}
	switch {
	case w.tx.broken != nil && !savepoint:
		return fmt.Errorf("%w: %w", errBroken, w.err)
	case !savepoint && w.err != nil && w.tx.wrote:
		return errAlone
	case !savepoint:
		return nil
	case w.err != nil:
		if err := d.control(ctx, "ROLLBACK TO s"); err != nil {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
	}
	if err := d.control(ctx, "RELEASE s"); err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	return nil
}

// control runs one of the writer's own statements.
func (d *DB) control(ctx context.Context, text string) error {
	s, ok := d.stmts[text]
	if !ok {
		var err error
		if s, err = d.prepare(ctx, text); err != nil {
			return err
		}
	}
	_, err := s.ExecContext(ctx)
	return err
}

// prepared gives a statement of the writer, prepared.
func (d *DB) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := d.stmts[query]; ok {
		return s, nil
	}
	return d.prepare(ctx, query)
}

// prepare keeps a statement of the writer prepared.
func (d *DB) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	s, err := d.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if len(d.stmts) >= cachedStatements {
		for text, old := range d.stmts {
			_ = old.Close()
			delete(d.stmts, text)
			break
		}
	}
	d.stmts[query] = s
	return s, nil
}

func run(w *work) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errs.Wrap(fmt.Errorf("panic in a write: %v\n%s", p, debug.Stack()), errs.Internal, "internal", "internal error")
		}
		w.tx.closeRows()
		if w.tx.broken != nil && err == nil {
			err = w.tx.broken // fn did not pass on that the database gave up
		}
	}()
	if err := w.fn(w.tx); err != nil || w.rider == nil {
		return err
	}
	if w.rider.by == nil {
		w.rider.by = w
	}
	if w.rider.by != w {
		return nil // an earlier write of the same caller carries it
	}
	return w.rider.fn(w.tx)
}

// undone gives the rider back to the next write of the same caller.
func (w *work) undone() {
	if w.rider != nil && w.rider.by == w {
		w.rider.by = nil
	}
}

// exclusive runs fn while the writer waits, with the connection in fn's hands.
func (d *DB) exclusive(ctx context.Context, fn func() error) error {
	w := &work{ctx: ctx, tx: &Tx{db: d, lend: fn}, reply: make(chan error, 1)}
	if err := d.enqueue(ctx, w); err != nil {
		return err
	}
	return <-w.reply
}
