package audit

import (
	"context"
	"time"

	"sextant/internal/kit/retention"
)

// Forget removes the oldest records that were written before a time, at most limit,
// and says how many.
func (l *Log) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	t := retention.Table{Name: "audit_record"}
	return t.Forget(ctx, l.db, before, limit)
}

// Stock tells how many records are kept.
func (l *Log) Stock(ctx context.Context) (retention.Stock, error) {
	return retention.Table{Name: "audit_record"}.Stock(ctx, l.db)
}
