package retention

import (
	"context"
	"sync/atomic"
	"time"

	"sextant/internal/kit/db"
)

// How long one write may hold others up, and how much it removes: a portion grows while
// its writes are quick, and shrinks when one is slow.
const (
	first = 500
	least = 100
	most  = 20_000
	quick = 10 * time.Millisecond
	slow  = 30 * time.Millisecond
)

type meterKey struct{}

// meter is how long the longest write of a portion held the writer, in nanoseconds.
type meter struct{ longest atomic.Int64 }

// Do writes as d.Do does, for a Forget: how long the write holds others up decides how
// much the next one removes.
func Do(ctx context.Context, d *db.DB, fn func(*db.Tx) error) error {
	m, _ := ctx.Value(meterKey{}).(*meter)
	return d.Do(ctx, func(tx *db.Tx) error {
		begun := time.Now()
		err := fn(tx)
		if m != nil {
			m.longest.Store(max(m.longest.Load(), int64(time.Since(begun))))
		}
		return err
	})
}

// next is how much to remove after a portion.
func (m *meter) next(portion int) int {
	switch took := time.Duration(m.longest.Load()); {
	case took > slow:
		return max(portion/2, least)
	case took > 0 && took < quick:
		return min(portion*2, most)
	}
	return portion
}
