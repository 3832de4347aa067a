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
	first = 200
	least = 20
	most  = 20_000
	quick = 15 * time.Millisecond
	slow  = 40 * time.Millisecond
)

type meterKey struct{}

// meter is how long the writes of a portion held the writer, in nanoseconds: the longest
// and all together.
type meter struct{ longest, all atomic.Int64 }

// Do writes as d.Do does, for a Forget: how long the write holds others up, to the end of
// its commit, decides how much the next one removes.
func Do(ctx context.Context, d *db.DB, fn func(*db.Tx) error) error {
	var begun time.Time
	err := d.Do(ctx, func(tx *db.Tx) error {
		begun = time.Now()
		return fn(tx)
	})
	if m, _ := ctx.Value(meterKey{}).(*meter); m != nil && !begun.IsZero() {
		took := int64(time.Since(begun))
		m.longest.Store(max(m.longest.Load(), took))
		m.all.Add(took)
	}
	return err
}

// rest is how long others have the writer for themselves after a portion: as long as it
// took.
func (m *meter) rest(ctx context.Context) {
	t := time.NewTimer(time.Duration(m.all.Load()))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
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
