package bus

import (
	"context"
	"time"

	"sextant/internal/kit/retention"
)

// Forget removes the oldest events that were written before a time, at most limit,
// and says how many. Those stay that a handler has not come to.
func (b *Bus) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	t := retention.Table{Name: "bus_event", Kept: b.awaited()}
	return t.Forget(ctx, b.db, before, limit)
}

// awaited is the number of the oldest event that a handler may not have come to, 0 for
// none.
func (b *Bus) awaited() (seq int64) {
	for i, f := range b.followers {
		if next := b.reached(f) + 1; i == 0 || next < seq {
			seq = max(next, 1)
		}
	}
	return seq
}

// First is the number of the oldest event that is kept, 0 where there is none.
func (b *Bus) First(ctx context.Context) (seq int64, err error) {
	err = b.db.QueryRow(ctx, "SELECT COALESCE(MIN(seq), 0) FROM bus_event WHERE seq > 0").Scan(&seq)
	return seq, err
}
