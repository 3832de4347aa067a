package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"time"

	"sextant/internal/kit/errs"
	"sextant/sdk/go/sqldb"
)

const (
	serialTries = 8                // times that a wave is done again where it met another transaction
	cutTries    = 2                // times that a wave is done again whose connection broke, before each goes alone
	aloneTries  = 4                // times that one goes alone
	waveTime    = time.Minute      // that a wave may take before its connection counts as broken
	againAfter  = time.Second / 4  // between two tries to reach a server that is away
	reachTime   = 3 * time.Second  // of the first try; a server that has just come back is slow, so that the next ones take longer
	resolveTime = 15 * time.Second // of one try to learn what became of a commit
)

var (
	errAgain  = errors.New("the transaction met another one")             // and is to be done again
	errAlone  = errors.New("a function failed after it wrote")            // so that each needs a savepoint
	errPassed = errors.New("a function went on after a statement failed") // so that each statement needs one
	errCut    = errors.New("the connection broke before the commit")      // nothing of it is kept
	errUnsure = errors.New("the connection broke while the commit ran")   // it may be kept
)

// care is how much a wave does so that what fails takes nothing else with it.
type care int

const (
	plain   care = iota
	apart        // a savepoint for each function
	careful      // and for each statement
)

// remote is group for databases on a server. A wave is one transaction without
// savepoints, and is done again with them where a function fails after it wrote.
// A wave whose connection broke is done again once the server is back, and where
// that happened within its commit, only if it is not there: each wave counts up
// in the database, under the epoch of this server.
//
//	wave ──► COMMIT ok ───────────────────────────────► answered
//	  │         └─► cut ─► reconnected: is it counted? ─► answered
//	  │                                └─► no: wave again
//	  └─► cut before ─► who can give up is told 503, the others wait ─► wave again
func (d *DB) remote(group []*work) {
	how, tries, cuts := plain, 0, 0
	for len(group) > 0 {
		if cuts > cutTries && len(group) > 1 { // one of them may be what breaks it
			for _, w := range group {
				d.remote([]*work{w})
			}
			return
		}
		if err := d.failed(); err != nil {
			d.answerAll(group, err)
			return
		}
		err := d.wave(group, how)
		switch {
		case err == nil:
			d.answerAll(group, nil)
			return
		case errors.Is(err, errAlone):
			how = max(how, apart)
		case errors.Is(err, errPassed) && how == careful: // a read failed, and the function went on
			if len(group) == 1 {
				d.answerAll(group, translate(err))
				return
			}
			for _, w := range group {
				d.remote([]*work{w})
			}
			return
		case errors.Is(err, errPassed):
			how = careful
		case errors.Is(err, errAgain):
			if tries++; tries > serialTries {
				d.answerAll(group, errs.Wrap(err, errs.Unavailable, "database.contended",
					"the database undid the write again and again, since others hold what it changes: try again; nothing was changed"))
				return
			}
			time.Sleep(time.Duration(tries*tries) * time.Millisecond)
		case errors.Is(err, errUnsure):
			kept, known := d.resolve(group, err)
			if !known {
				return
			}
			if kept {
				d.commits.Add(1)
				d.answerAll(group, nil)
				return
			}
			d.undoneAll(group)
			cuts++
		case errors.Is(err, errCut) && cuts > aloneTries: // each time while it ran, and not in between
			d.answerAll(group, errAway(err))
			return
		case errors.Is(err, errCut):
			cuts++
			d.undoneAll(group)
			group = d.back(group, err)
		default:
			d.answerAll(group, translate(err))
			return
		}
	}
}

func (d *DB) undoneAll(group []*work) {
	for _, w := range group {
		w.undone()
	}
}

func (d *DB) answerAll(group []*work, err error) {
	for _, w := range group {
		if err != nil {
			w.err = err
		}
		d.answer(w)
	}
}

// wave runs the group in one transaction. Errors of single functions are left in
// the works; the returned error concerns all of them.
func (d *DB) wave(group []*work, how care) error {
	ctx, cancel := context.WithTimeout(context.Background(), waveTime)
	defer cancel()
	if d.conn == nil {
		return errCut
	}
	d.later.reset()
	if err := d.begin(ctx); err != nil {
		return err
	}
	for _, w := range group {
		w.tx, w.err = &Tx{db: d, ctx: ctx, careful: how == careful, exact: how >= apart || len(group) == 1}, nil
		if err := d.single(ctx, w, how >= apart, len(group) == 1); err != nil && !(errors.Is(err, errAlone) && len(group) == 1) {
			d.rollback(ctx)
			return err
		}
	}
	if err := d.later.flush(ctx, d); err != nil {
		d.rollback(ctx)
		if err = sorted(err); errors.Is(err, errAgain) || errors.Is(err, errCut) {
			return err
		}
		return errAlone // each finds out for itself
	}
	if len(group) == 1 && group[0].err != nil {
		d.rollback(ctx)
		return nil
	}
	if err := d.controlled(ctx, "COMMIT"); err != nil {
		if errors.Is(err, errCut) {
			return fmt.Errorf("%w: %w", errUnsure, errors.Unwrap(err))
		}
		d.rollback(ctx)
		return err
	}
	d.lease.wave++
	d.commits.Add(1)
	return nil
}

// begin begins a transaction and counts the wave in it, which holds off every
// other server until the commit.
func (d *DB) begin(ctx context.Context) error {
	count := []any{d.lease.wave + 1, leaseTerm.Microseconds(), d.lease.epoch}
	n, sent, err := sqldb.Begin(ctx, d.conn, sqldb.Rows{Text: d.lease.count, Values: [][]any{count}})
	if !sent && err == nil {
		if err := d.controlled(ctx, "BEGIN"); err != nil {
			return err
		}
		n, err = d.counted(ctx, count)
	}
	if err != nil {
		err = sorted(err)
		d.rollback(ctx)
		return err
	}
	if n == 0 {
		d.rollback(ctx)
		taken := errTaken()
		d.broken.Store(&taken)
		return taken
	}
	return nil
}

// counted counts a wave in a transaction that has begun.
func (d *DB) counted(ctx context.Context, count []any) (int64, error) {
	s, err := d.prepared(ctx, d.lease.count)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(ctx, count...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// single runs one function of a wave. One with a savepoint, and one that is alone,
// writes what it left for later too.
func (d *DB) single(ctx context.Context, w *work, savepoints, alone bool) error {
	if savepoints {
		if err := d.controlled(ctx, "SAVEPOINT s"); err != nil {
			return err
		}
	}
	w.err = translate(run(w))
	if w.err == nil && (savepoints || alone) {
		if err := d.later.flush(ctx, d); err != nil {
			w.err = translate(w.tx.fault(err))
		}
	}
	if w.tx.broken != nil {
		return sorted(w.tx.broken)
	}
	poisoned := sqldb.Poisoned(d.conn)
	if w.tx.passed || w.err == nil && poisoned {
		return errPassed
	}
	if w.err == nil {
		if savepoints {
			return d.controlled(ctx, "RELEASE SAVEPOINT s")
		}
		return nil
	}
	w.undone()
	switch {
	case savepoints:
		d.later.reset()
		if err := d.controlled(ctx, "ROLLBACK TO SAVEPOINT s"); err != nil {
			return err
		}
		return d.controlled(ctx, "RELEASE SAVEPOINT s")
	case w.tx.wrote, poisoned:
		return errAlone
	}
	return nil // it only read
}

// sorted marks an error by what has to follow.
func sorted(err error) error {
	switch sqldb.Classify(err) {
	case sqldb.FaultSerial:
		return fmt.Errorf("%w: %w", errAgain, err)
	case sqldb.FaultAway, sqldb.FaultTimeout:
		return cutOff{err}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrConnDone) {
		return cutOff{err}
	}
	return err
}

// cutOff is errCut with its cause.
type cutOff struct{ cause error }

// Error says what happened.
func (c cutOff) Error() string { return errCut.Error() + ": " + c.cause.Error() }

// Is reports whether it is errCut.
func (c cutOff) Is(target error) bool { return target == errCut }

// Unwrap gives the cause.
func (c cutOff) Unwrap() error { return c.cause }

// controlled runs one of the writer's own statements.
func (d *DB) controlled(ctx context.Context, text string) error {
	if _, err := d.conn.ExecContext(ctx, text); err != nil {
		return sorted(err)
	}
	return nil
}

// rollback ends a transaction of which nothing is to be kept. A connection on
// which that fails is of no further use.
func (d *DB) rollback(ctx context.Context) {
	if _, err := d.conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		d.drop()
	}
}

// drop lets go of a connection that broke.
func (d *DB) drop() {
	if d.conn == nil {
		return
	}
	d.forget()
	_ = d.conn.Raw(func(any) error { return driver.ErrBadConn }) // so that the pool does not keep it
	_ = d.conn.Close()
	d.conn = nil
}

// reach makes the writing connection anew and learns how many waves there are.
func (d *DB) reach(term time.Duration) (wave int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), term)
	defer cancel()
	d.drop()
	c, err := d.write.Conn(ctx)
	if err != nil {
		return 0, err
	}
	if d.lease.backend != 0 {
		d.end(ctx, c, d.lease.backend)
	}
	d.conn = c
	var epoch int64
	err = d.locked(ctx, func(tx *sql.Tx) error { // waits for what the connection before has begun
		err := tx.QueryRowContext(ctx, "SELECT epoch, wave FROM db_writer WHERE id = 1 FOR UPDATE").Scan(&epoch, &wave)
		if err == nil && epoch == d.lease.epoch {
			_, err = tx.ExecContext(ctx, "UPDATE db_writer SET expires = ? + "+now(d.dialect)+" WHERE id = 1", leaseTerm.Microseconds())
		}
		return err
	})
	if err == nil {
		err = d.number(ctx)
	}
	if err != nil {
		d.drop()
		return 0, err
	}
	var over error
	switch {
	case epoch != d.lease.epoch:
		over = errTaken()
	case wave < d.lease.wave:
		over = errs.New(errs.Unavailable, "database.lost",
			"the database has forgotten %d commits that were acknowledged, as a standby does that did not have them yet: "+
				"nothing more is written; look what is missing and start the server again", d.lease.wave-wave)
	}
	if over != nil {
		d.broken.Store(&over)
	}
	return wave, nil
}

// resolve finds out what became of a wave whose commit had no answer. It ends
// once that is known, and with known false, everybody told, where the database
// is closed before.
func (d *DB) resolve(group []*work, cause error) (kept, known bool) {
	for {
		wave, err := d.reach(resolveTime)
		if err == nil && d.failed() != nil && wave > d.lease.wave { // by whom, nobody can tell
			for _, w := range group {
				w.reply <- errUnknown(cause)
			}
			return false, false
		}
		if err == nil {
			d.refused.Store(nil)
			if kept = wave == d.lease.wave+1; kept {
				d.lease.wave = wave
			}
			return kept, true
		}
		if open := d.wait(nil, cause); !open {
			for _, w := range group {
				w.reply <- errUnknown(cause)
			}
			return false, false
		}
	}
}

// back waits until the server can be reached again and gives the works that
// waited for it: those whose callers can give up are told at once.
func (d *DB) back(group []*work, cause error) []*work {
	for term := reachTime; ; term = min(2*term, resolveTime) {
		if !ended(d.closing) {
			if _, err := d.reach(term); err == nil {
				d.refused.Store(nil)
				return group
			}
		}
		away := errAway(cause)
		d.refused.Store(&away) // before anybody is told, so that who looks sees it
		group = slices.DeleteFunc(group, func(w *work) bool { return d.giveUp(w, cause) })
		if open := d.wait(&group, cause); !open {
			for _, w := range group {
				w.reply <- errAway(cause)
			}
			return nil
		}
	}
}

func ended(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// giveUp answers a work whose caller can end by itself.
func (d *DB) giveUp(w *work, cause error) bool {
	if w.fn != nil && w.ctx.Done() == nil {
		return false
	}
	w.reply <- errAway(cause)
	return true
}

// wait lets some time go by until the next try. What is queued meanwhile is
// refused, or added to the works that wait; with nil it stays in the queue. It
// reports false once the database is being closed.
func (d *DB) wait(into *[]*work, cause error) (open bool) {
	away := errAway(cause)
	d.refused.Store(&away)
	tick := time.NewTimer(againAfter)
	defer tick.Stop()
	var queue <-chan *work
	if into != nil && len(*into) < groupLimit {
		queue = d.queue
	}
	for {
		select {
		case <-tick.C:
			return true
		case <-d.closing:
			return false
		case w, ok := <-queue:
			if !ok {
				return false
			}
			if !d.giveUp(w, cause) {
				*into = append(*into, w)
			}
		}
	}
}

func errUnknown(cause error) error {
	return errs.Wrap(cause, errs.Unavailable, "database.unknown", "the connection to the database broke while the write was stored, "+
		"and what became of it cannot be found out any more: look whether it is there")
}

func errAway(cause error) error {
	return errs.Wrap(cause, errs.Unavailable, "database.away",
		"the database server cannot be reached: nothing was changed; it is tried again by itself")
}
