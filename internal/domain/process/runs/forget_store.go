package runs

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"sextant/internal/domain/dispatch/record"
	"sextant/internal/engine/state"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

// Forgetters remove what others keep of a run that has ended, each within the write
// that removes the run.
type Forgetters []func(tx *db.Tx, run int64) error

// Forget removes the runs that ended before a time, those that ended first, at most
// limit, and says how many. What is much of a run goes before it: a server that is
// killed meanwhile goes on with the same run.
func (s *Service) Forget(ctx context.Context, before time.Time, limit int, others Forgetters) (int, error) {
	rows, err := s.DB.Query(ctx, "SELECT run FROM process_run WHERE ended > 0 AND ended < ? ORDER BY ended, run LIMIT ?",
		clock.Micros(before), limit)
	old, err := db.Scan(rows, err, func(r *sql.Rows) (run int64, err error) { return run, r.Scan(&run) })
	if err != nil {
		return 0, err
	}
	for i, run := range old {
		if err := s.host.Forget(ctx, state.Key(run)); err != nil {
			return i, err
		}
		if err := s.Dispatch.Store.Remove(run); err != nil {
			return i, err
		}
		err := s.DB.Do(ctx, func(tx *db.Tx) error {
			if err := record.Forget(tx, run); err != nil {
				return err
			}
			for _, forget := range others {
				if err := forget(tx, run); err != nil {
					return err
				}
			}
			return forgetRun(tx, run)
		})
		if err != nil {
			return i, err
		}
	}
	return len(old), nil
}

func forgetRun(tx *db.Tx, run int64) error {
	var project, objects string
	if err := tx.QueryRow(context.Background(), "SELECT project, objects FROM process_run WHERE run = ?", run).
		Scan(&project, &objects); err != nil {
		return err
	}
	for _, o := range strings.Split(objects, "\n") { // by the key: there is no index by run
		if _, err := tx.Exec("DELETE FROM process_run_object WHERE project = ? AND object = ? AND run = ?", project, o, run); err != nil {
			return err
		}
	}
	for _, table := range []string{"process_incident_past", "process_call", "process_run"} {
		if _, err := tx.Exec("DELETE FROM "+table+" WHERE run = ?", run); err != nil {
			return err
		}
	}
	return nil
}
