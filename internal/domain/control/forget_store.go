package control

import (
	"context"
	"database/sql"
	"time"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/retention"
)

// Forget removes what the door said of a run that has ended, and what was asked.
func (d *Door) Forget(tx *db.Tx, run int64) error {
	for _, table := range []string{"control_verdict", "control_request"} {
		if _, err := tx.Exec("DELETE FROM "+table+" WHERE run = ?", run); err != nil {
			return err
		}
	}
	return nil
}

// ForgetRefused removes the oldest refusals that are older than a time, at most
// limit, and says how many.
func (d *Door) ForgetRefused(ctx context.Context, before time.Time, limit int) (int, error) {
	rows, err := d.DB.Query(ctx, "SELECT id FROM control_verdict WHERE id < ? AND verdict = ? ORDER BY id LIMIT ?",
		clock.IDBefore(before), Rejected, limit)
	old, err := db.Scan(rows, err, func(r *sql.Rows) (id string, err error) { return id, r.Scan(&id) })
	if err != nil || len(old) == 0 {
		return 0, err
	}
	return len(old), retention.Do(ctx, d.DB, func(tx *db.Tx) error {
		for _, id := range old {
			if _, err := tx.Exec("DELETE FROM control_verdict WHERE id = ?", id); err != nil {
				return err
			}
		}
		return nil
	})
}
