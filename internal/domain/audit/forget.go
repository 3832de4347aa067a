package audit

import (
	"context"
	"time"

	"sextant/internal/kit/retention"
)

// Forget removes the oldest records that were written before a time, at most limit,
// and says how many.
func (l *Log) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	return retention.Numbered(ctx, l.db, "audit_record", before, limit)
}
