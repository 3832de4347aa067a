package retention

import (
	"context"
	"sync/atomic"
	"time"

	"sextant/internal/kit/db"
)

// How long one write may hold others up, and how much it removes: a portion grows while
// its writes are quick, and shrinks when one is slow. What a write costs in its commit
// goes with that; how long a commit takes on a busy disk says nothing of it.
const (
	first = 200
	least = 50
	most  = 2000
	quick = 4 * time.Millisecond
	slow  = 12 * time.Millisecond
)

type meterKey struct{}

// meter is how long the longest write of a portion took before its commit, and how long
// all of them with their commits, in nanoseconds.
type meter struct{ longest, all atomic.Int64 }

// Do writes as d.Do does, for a Forget: how long the write takes decides how much the
// next one removes, and how long it holds others up how long they are left alone then.
func Do(ctx context.Context, d *db.DB, fn func(*db.Tx) error) error {
	var begun time.Time
	var took time.Duration
	err := d.Do(ctx, func(tx *db.Tx) error {
		begun = time.Now()
		defer func() { took = time.Since(begun) }()
		return fn(tx)
	})
	if m, _ := ctx.Value(meterKey{}).(*meter); m != nil && !begun.IsZero() {
		m.longest.Store(max(m.longest.Load(), int64(took)))
		m.all.Add(int64(time.Since(begun)))
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
