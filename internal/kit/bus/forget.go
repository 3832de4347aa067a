package bus

import (
	"context"
	"database/sql"
	"time"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

// Forget removes the oldest events that were written before a time, at most limit,
// and says how many. The newest stays: the numbers go on from it.
func (b *Bus) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	last, err := b.Last(ctx)
	if err != nil {
		return 0, err
	}
	rows, err := b.db.Query(ctx, "SELECT seq, time FROM bus_event WHERE seq > 0 AND seq < ? ORDER BY seq LIMIT ?", last, limit)
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
	return n, b.db.Do(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec("DELETE FROM bus_event WHERE seq > 0 AND seq <= ?", oldest[n-1].seq)
		return err
	})
}

// First is the number of the oldest event that is kept, 0 where there is none.
func (b *Bus) First(ctx context.Context) (seq int64, err error) {
	err = b.db.QueryRow(ctx, "SELECT COALESCE(MIN(seq), 0) FROM bus_event WHERE seq > 0").Scan(&seq)
	return seq, err
}
