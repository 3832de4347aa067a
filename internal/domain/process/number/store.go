// Package number stores what the numbers of elements and flows mean that state and
// history name, for each version of a process.
package number

import (
	"context"
	"database/sql"

	"sextant/internal/engine/program"
	"sextant/internal/kit/db"
)

// Keep stores the numbers of a definition: those that are there stay.
func Keep(tx *db.Tx, definition int64, t program.Table) error {
	had, err := Of(context.Background(), tx, definition)
	if err != nil {
		return err
	}
	for flow, ids := range [][2][]string{{had.Nodes, t.Nodes}, {had.Flows, t.Flows}} {
		for i := len(ids[0]); i < len(ids[1]); i++ {
			if _, err := tx.Exec("INSERT INTO process_element (definition, flow, number, id) VALUES (?, ?, ?, ?)",
				definition, flow, i, ids[1][i]); err != nil {
				return err
			}
		}
	}
	_, err = tx.Exec("UPDATE process_definition SET compiler = ? WHERE definition = ?", program.Version, definition)
	return err
}

// Of reads the numbers of a definition; an older one may have none.
func Of(ctx context.Context, q db.Querier, definition int64) (program.Table, error) {
	var t program.Table
	rows, err := q.Query(ctx, "SELECT flow, id FROM process_element WHERE definition = ? ORDER BY flow, number", definition)
	_, err = db.Scan(rows, err, func(r *sql.Rows) (struct{}, error) {
		var flow int
		var id string
		err := r.Scan(&flow, &id)
		if flow == 0 {
			t.Nodes = append(t.Nodes, id)
		} else {
			t.Flows = append(t.Flows, id)
		}
		return struct{}{}, err
	})
	return t, err
}
