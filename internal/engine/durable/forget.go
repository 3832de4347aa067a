package durable

import (
	"context"
	"database/sql"
	"strings"

	"sextant/internal/engine/state"
	"sextant/internal/kit/db"
)

// forgotten is how many pieces of history one write removes.
const forgotten = 5000

// Forget removes the history of runs that have ended, in writes that hold others up for
// a moment only, until what is left of each is for ForgetTx. A run that is at work keeps
// its own.
func (h *Host) Forget(ctx context.Context, runs ...state.Key) error {
	for len(runs) > 0 {
		long, err := h.longer(ctx, runs)
		if err != nil {
			return err
		}
		for _, run := range long {
			err := h.deps.DB.Do(ctx, func(tx *db.Tx) error {
				var first int64
				if err := tx.QueryRow(ctx, "SELECT MIN(seq) FROM engine_history WHERE run = ?", int64(run)).Scan(&first); err != nil {
					return err
				}
				_, err := tx.Exec("DELETE FROM engine_history WHERE run = ? AND seq < ?", int64(run), first+forgotten)
				return err
			})
			if err != nil {
				return err
			}
		}
		runs = long
	}
	return nil
}

// longer lists those of some runs that are over and have more history than one write
// removes.
func (h *Host) longer(ctx context.Context, runs []state.Key) ([]state.Key, error) {
	args := make([]any, len(runs), len(runs)+1)
	for i, run := range runs {
		args[i] = int64(run)
	}
	rows, err := h.deps.DB.Query(ctx, "SELECT DISTINCT run FROM engine_history h WHERE run IN (?"+
		strings.Repeat(", ?", len(runs)-1)+") AND seq >= ? "+
		"AND NOT EXISTS (SELECT 1 FROM engine_record r WHERE r.run = h.run)", append(args, forgotten)...)
	return db.Scan(rows, err, func(r *sql.Rows) (run state.Key, err error) { return run, r.Scan(&run) })
}

// ForgetTx removes what Forget has left, in the write that removes the run.
func (h *Host) ForgetTx(tx *db.Tx, run state.Key) error {
	_, err := tx.Exec("DELETE FROM engine_history WHERE run = ? AND run NOT IN (SELECT run FROM engine_record WHERE run = ?)",
		int64(run), int64(run))
	return err
}
