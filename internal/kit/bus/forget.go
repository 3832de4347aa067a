package bus

import (
	"context"
	"time"

	"sextant/internal/kit/retention"
)

// Forget removes the oldest events that were written before a time, at most limit,
// and says how many.
func (b *Bus) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	return retention.Numbered(ctx, b.db, "bus_event", before, limit)
}

// First is the number of the oldest event that is kept, 0 where there is none.
func (b *Bus) First(ctx context.Context) (seq int64, err error) {
	err = b.db.QueryRow(ctx, "SELECT COALESCE(MIN(seq), 0) FROM bus_event WHERE seq > 0").Scan(&seq)
	return seq, err
}
