package bus

import (
	"context"
	"time"

	"sextant/internal/kit/retention"
)

// Forget removes the oldest events that were written before a time, at most limit,
// and says how many. Those stay that a handler has not come to.
func (b *Bus) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	kept, err := b.awaited(ctx)
	if err != nil {
		return 0, err
	}
	return retention.Table{Name: "bus_event", Kept: kept}.Forget(ctx, b.db, before, limit)
}

// Stock tells how many events are kept.
func (b *Bus) Stock(ctx context.Context) (retention.Stock, error) {
	return retention.Table{Name: "bus_event"}.Stock(ctx, b.db)
}

// awaited is the number of the oldest event that a handler may not have come to, 0 for
// none.
func (b *Bus) awaited(ctx context.Context) (seq int64, err error) {
	for i, f := range b.followers {
		at := b.reached(f)
		if at < 0 { // it does not act here yet
			if at, err = placeOf(ctx, b.db, f.Name); err != nil {
				return 0, err
			}
		}
		if i == 0 || at+1 < seq {
			seq = at + 1
		}
	}
	return seq, nil
}

// First is the number of the oldest event that is kept, 0 where there is none.
func (b *Bus) First(ctx context.Context) (seq int64, err error) {
	err = b.db.QueryRow(ctx, "SELECT COALESCE(MIN(seq), 0) FROM bus_event WHERE seq > 0").Scan(&seq)
	return seq, err
}
