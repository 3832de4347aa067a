package record

import "sextant/internal/kit/db"

// Forget removes the jobs of a run that has ended.
func Forget(tx *db.Tx, run int64) error {
	for _, table := range []string{"dispatch_chunk", "dispatch_row"} {
		if _, err := tx.Exec("DELETE FROM "+table+" WHERE job IN (SELECT job FROM dispatch_job WHERE run = ?)", run); err != nil {
			return err
		}
	}
	_, err := tx.Exec("DELETE FROM dispatch_job WHERE run = ?", run)
	return err
}
