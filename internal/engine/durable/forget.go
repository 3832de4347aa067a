package durable

import (
	"context"

	"sextant/internal/engine/state"
	"sextant/internal/kit/db"
)

// forgotten is how many pieces of history one write removes.
const forgotten = 5000

// Forget removes the history of a run that has ended, in writes that hold others up
// for a moment only. A run that is at work keeps its own.
func (h *Host) Forget(ctx context.Context, run state.Key) error {
	for {
		var first, last int64
		err := h.deps.DB.QueryRow(ctx, "SELECT COALESCE(MIN(seq), -1), COALESCE(MAX(seq), -1) "+
			"FROM engine_history WHERE run = ? AND run NOT IN (SELECT run FROM engine_record WHERE run = ?)",
			int64(run), int64(run)).Scan(&first, &last)
		if err != nil || last < 0 {
			return err
		}
		err = h.deps.DB.Do(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec("DELETE FROM engine_history WHERE run = ? AND seq < ?", int64(run), first+forgotten)
			return err
		})
		if err != nil {
			return err
		}
	}
}
