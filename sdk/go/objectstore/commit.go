package objectstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"sextant/sdk/go/sqldb"
)

const (
	lookFor   = time.Minute     // until it counts as unknown what became of a commit
	lookAgain = time.Second / 4 // between two tries to find it out
	oldWriter = 90 * 24 * time.Hour
)

// ErrUnknown is returned for changes of which nobody can tell whether they were made.
var ErrUnknown = errors.New("the connection to the database broke while the change was stored, " +
	"and what became of it could not be found out: look whether it is there")

// commits counts what a process commits on a database server, in each commit itself, so
// that one without an answer can be looked up. It is used under the store's one token.
type commits struct {
	id   string // of the process; empty before its row is there
	wave int64  // of the last try, whatever became of it
}

// begin begins a transaction that is counted.
func (s *Store) begin(ctx context.Context) (*sql.Tx, error) {
	if s.dialect == string(sqldb.SQLite) {
		return s.db.BeginTx(ctx, nil)
	}
	for range 2 {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			return nil, err
		}
		s.commits.wave++
		res, err := tx.ExecContext(ctx, "UPDATE object_writer SET wave = ?, since = ? WHERE id = ?",
			s.commits.wave, s.now().UnixMicro(), s.commits.id)
		var n int64
		if err == nil {
			n, err = res.RowsAffected()
		}
		if err == nil && n > 0 {
			return tx, nil
		}
		if err = errors.Join(err, tx.Rollback()); err != nil {
			return nil, err
		}
		if err := s.enlist(ctx); err != nil { // the first one
			return nil, err
		}
	}
	return nil, errors.New("the row of object_writer that counts commits goes again and again: does another program remove it?")
}

// enlist makes the row of this process, and removes those of processes of long ago.
func (s *Store) enlist(ctx context.Context) error {
	id, now := ulid.Make().String(), s.now()
	if _, err := s.db.ExecContext(ctx, "DELETE FROM object_writer WHERE since < ?", now.Add(-oldWriter).UnixMicro()); err != nil {
		return err
	}
	if _, err := s.db.ExecContext(ctx, "INSERT INTO object_writer (id, wave, since) VALUES (?, 0, ?)", id, now.UnixMicro()); err != nil {
		return err
	}
	s.commits.id = id
	return nil
}

// commit ends a transaction. Where no answer comes it is looked up whether it was kept.
//
// Returns ErrUnknown if that cannot be found out.
func (s *Store) commit(ctx context.Context, tx *sql.Tx) error {
	err := tx.Commit()
	if err == nil || s.dialect == string(sqldb.SQLite) {
		return err
	}
	if fault := sqldb.Classify(err); fault != sqldb.FaultAway && fault != sqldb.FaultTimeout && ctx.Err() == nil {
		return err
	}
	kept, lost := s.kept(context.WithoutCancel(ctx))
	switch {
	case lost != nil:
		return fmt.Errorf("%w: %w", ErrUnknown, lost)
	case kept:
		return nil
	}
	return fmt.Errorf("nothing was changed: %w", err)
}

// kept reports whether the last commit is in the database. It waits for the transaction,
// which the server may still have open, and for the server.
func (s *Store) kept(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	for {
		var is int64
		err := s.db.QueryRowContext(ctx, "SELECT wave FROM object_writer WHERE id = ? FOR UPDATE", s.commits.id).Scan(&is)
		if err == nil {
			return is == s.commits.wave, nil
		}
		again := time.NewTimer(lookAgain)
		select {
		case <-ctx.Done():
			again.Stop()
			return false, err
		case <-again.C:
		}
	}
}
