package audit

import (
	"context"
	"database/sql"
	"time"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

// Forget removes the oldest records that were written before a time, at most limit,
// and says how many. The newest stays: the numbers go on from it.
func (l *Log) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	rows, err := l.db.Query(ctx, "SELECT seq, time FROM audit_record WHERE seq < (SELECT MAX(seq) FROM audit_record) ORDER BY seq LIMIT ?", limit)
	type place struct{ seq, time int64 }
	oldest, err := db.Scan(rows, err, func(r *sql.Rows) (p place, err error) { return p, r.Scan(&p.seq, &p.time) })
	if err != nil {
		return 0, err
	}
	n := 0
	for n < len(oldest) && oldest[n].time < clock.Micros(before) {
		n++
	}
	if n == 0 {
		return 0, nil
	}
	return n, l.db.Do(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec("DELETE FROM audit_record WHERE seq <= ?", oldest[n-1].seq)
		return err
	})
}
