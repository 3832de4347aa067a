package record

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"

	"sextant/internal/domain/control"
	"sextant/internal/kit/db"
)

// ActedOn lists what the jobs of a step act on, or of a whole run where none is named.
func ActedOn(ctx context.Context, q db.Querier, run int64, node string) ([]string, error) {
	where, args := "j.run = ?", []any{run}
	if node != "" {
		where, args = where+" AND j.node = ?", append(args, node)
	}
	rows, err := q.Query(ctx, "SELECT c.claims FROM dispatch_chunk c JOIN dispatch_job j ON j.job = c.job WHERE "+where, args...)
	claims, err := db.Scan(rows, err, scanText)
	if err != nil {
		return nil, err
	}
	rows, err = q.Query(ctx, "SELECT DISTINCT r.object FROM dispatch_row r JOIN dispatch_job j ON j.job = r.job WHERE "+where, args...)
	all, err := db.Scan(rows, err, scanText)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(all))
	for _, o := range all {
		known[o] = true
	}
	for _, raw := range claims {
		var held []control.Claim
		if err := json.Unmarshal([]byte(raw), &held); err != nil {
			return nil, err
		}
		for _, c := range held {
			if !known[c.Object] {
				known[c.Object], all = true, append(all, c.Object)
			}
		}
	}
	return slices.DeleteFunc(all, func(o string) bool { return !strings.Contains(o, "/") }), nil
}

func scanText(r *sql.Rows) (text string, err error) { return text, r.Scan(&text) }
