package decision

import "sextant/internal/kit/db"

// Forget removes what a run that has ended got of decisions.
func (s *Service) Forget(tx *db.Tx, run int64) error {
	_, err := tx.Exec("DELETE FROM decision_made WHERE run = ?", run)
	return err
}
