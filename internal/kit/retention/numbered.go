package retention

import (
	"context"
	"database/sql"
	"time"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

// Numbered removes the oldest rows of a table that were written before a time, at
// most limit, and says how many. The table numbers its rows by seq as they come; the
// newest stays, since the numbers go on from it.
func Numbered(ctx context.Context, d *db.DB, table string, before time.Time, limit int) (int, error) {
	rows, err := d.Query(ctx, "SELECT seq, time FROM "+table+" WHERE seq > 0 AND seq < (SELECT MAX(seq) FROM "+
		table+") ORDER BY seq LIMIT ?", limit)
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
	return n, d.Do(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec("DELETE FROM "+table+" WHERE seq > 0 AND seq <= ?", oldest[n-1].seq)
		return err
	})
}
