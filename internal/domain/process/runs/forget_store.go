package runs

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"sextant/internal/domain/dispatch/record"
	"sextant/internal/engine/state"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/retention"
)

// Forgetters remove what others keep of a run that has ended, each within the write
// that removes the run.
type Forgetters []func(tx *db.Tx, run int64) error

// together is how many runs one write removes.
const together = 10

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
	n := 0
	for some := range slices.Chunk(old, together) {
		if err := s.host.Forget(ctx, keys(some)...); err != nil {
			return n, err
		}
		if err := retention.Do(ctx, s.DB, func(tx *db.Tx) error { return s.forget(tx, some, others) }); err != nil {
			return n, err
		}
		n += len(some)
	}
	return n, nil
}

// Stock tells how many runs are kept that are over.
func (s *Service) Stock(ctx context.Context) (retention.Stock, error) {
	st := retention.Stock{Bytes: -1}
	var oldest sql.NullInt64
	err := s.DB.QueryRow(ctx, "SELECT COUNT(*), MIN(ended) FROM process_run WHERE ended > 0").Scan(&st.Count, &oldest)
	if oldest.Valid {
		st.Oldest = clock.FromMicros(oldest.Int64)
	}
	return st, err
}

func keys(runs []int64) (all []state.Key) {
	for _, run := range runs {
		all = append(all, state.Key(run))
	}
	return all
}

func (s *Service) forget(tx *db.Tx, some []int64, others Forgetters) error {
	for _, run := range some {
		if err := s.host.ForgetTx(tx, state.Key(run)); err != nil {
			return err
		}
		if err := record.Forget(tx, run); err != nil {
			return err
		}
		for _, forget := range others {
			if err := forget(tx, run); err != nil {
				return err
			}
		}
		if err := s.forgetRun(tx, run); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) forgetRun(tx *db.Tx, run int64) error {
	var project, process, objects string
	if err := tx.QueryRow(context.Background(), "SELECT project, process, objects FROM process_run WHERE run = ?", run).
		Scan(&project, &process, &objects); err != nil {
		return err
	}
	// its output goes then
	if err := removed.Publish(s.Bus, tx, about(Run{Key: api.Key(run), Project: project}), Begun{Process: process}); err != nil {
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
