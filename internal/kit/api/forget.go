package api

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/retention"
)

// Forget removes the oldest answers to requests with an Idempotency-Key that were
// stored before a time, about as many as the limit, and says how many.
func (a *API) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	var last int64
	err := a.deps.DB.QueryRow(ctx, "SELECT created FROM api_idempotency WHERE created < ? ORDER BY created LIMIT 1 OFFSET ?",
		clock.Micros(before), limit-1).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) {
		last, err = clock.Micros(before)-1, nil
	}
	if err != nil {
		return 0, err
	}
	var n int64
	err = retention.Do(ctx, a.deps.DB, func(tx *db.Tx) error {
		n, err = tx.Exec("DELETE FROM api_idempotency WHERE created <= ?", last)
		return err
	})
	return int(n), err
}

// Stock tells how many answers are kept.
func (a *API) Stock(ctx context.Context) (retention.Stock, error) {
	s := retention.Stock{Bytes: -1}
	var oldest sql.NullInt64
	err := a.deps.DB.QueryRow(ctx, "SELECT COUNT(*), MIN(created) FROM api_idempotency").Scan(&s.Count, &oldest)
	if oldest.Valid {
		s.Oldest = clock.FromMicros(oldest.Int64)
	}
	return s, err
}
