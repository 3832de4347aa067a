package retention

import (
	"context"
	"database/sql"
	"time"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

// Table numbers its rows by seq as they come, each with its time.
type Table struct {
	Name string
	// Kept is the first number whose row, and those after it, stay; 0 for none.
	Kept int64
}

// Forget removes the oldest rows that were written before a time, at most limit, and says
// how many. The newest stays, since the numbers go on from it.
func (t Table) Forget(ctx context.Context, d *db.DB, before time.Time, limit int) (int, error) {
	query, args := "SELECT seq, time FROM "+t.Name+" WHERE seq > 0 AND seq < (SELECT MAX(seq) FROM "+t.Name+")", []any{}
	if t.Kept > 0 {
		query, args = query+" AND seq < ?", append(args, t.Kept)
	}
	rows, err := d.Query(ctx, query+" ORDER BY seq LIMIT ?", append(args, limit)...)
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
	return n, Do(ctx, d, func(tx *db.Tx) error {
		_, err := tx.Exec("DELETE FROM "+t.Name+" WHERE seq > 0 AND seq <= ?", oldest[n-1].seq)
		return err
	})
}

// Stock counts the rows by their numbers, which a row that was undone has none of, and
// tells the time of the oldest.
func (t Table) Stock(ctx context.Context, d *db.DB) (Stock, error) {
	s := Stock{Bytes: -1}
	var oldest sql.NullInt64
	err := d.QueryRow(ctx, "SELECT COALESCE(MAX(seq) - MIN(seq) + 1, 0) FROM "+t.Name+" WHERE seq > 0").Scan(&s.Count)
	if err == nil {
		err = d.QueryRow(ctx, "SELECT MIN(time) FROM "+t.Name+" WHERE seq = (SELECT MIN(seq) FROM "+t.Name+" WHERE seq > 0)").Scan(&oldest)
	}
	if oldest.Valid {
		s.Oldest = clock.FromMicros(oldest.Int64)
	}
	return s, err
}
