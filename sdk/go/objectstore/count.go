package objectstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

// Count counts the rows of a type that match, by the values of attributes: in the
// database where its index tells, else row by row.
func (s *Store) Count(ctx context.Context, typ string, c wire.Counting) ([]wire.Tally, error) {
	t, err := resolve(ctx, shape{plugin: s.name, sealer: s.sealer}, s.types, typ)
	if err != nil {
		return nil, err
	}
	filters, err := compile(t, wire.Query{Criteria: c.Criteria, AdditionalFilters: c.AdditionalFilters})
	if err != nil {
		return nil, err
	}
	for _, name := range c.By {
		a, ok := t.by[name]
		if !ok {
			return nil, t.unknown(name)
		}
		if a.Secret || a.Name == wire.AttrID || a.Type != wire.TypeEnum && a.Type != wire.TypeBool && a.Type != wire.TypeString {
			return nil, plugin.Fail("object.count_by", fmt.Sprintf("rows are counted by attributes of few values, and %s is none", name))
		}
	}
	count := countRows
	if !slices.ContainsFunc(filters, func(f filter) bool { return !f.counted() }) {
		count = countIndex
	}
	out, err := count(ctx, s.db, t, filters, c.By)
	slices.SortFunc(out, func(a, b wire.Tally) int { return slices.Compare(a.Values, b.Values) })
	return out, err
}

// counted reports whether the index alone tells which rows a filter lets pass: they
// stand there under whole values.
func (f filter) counted() bool {
	return f.indexed() && f.attr != wire.AttrID && len(f.wants) > 0 && len(f.wants) <= chunk &&
		!slices.ContainsFunc(f.wants, func(w string) bool { return len(w) >= maxIndexed })
}

// countIndex counts by the index of values.
func countIndex(ctx context.Context, from reader, t *shape, filters []filter, by []string) ([]wire.Tally, error) {
	var columns, joins strings.Builder
	var args []any
	groups := make([]string, len(by))
	for i, name := range by {
		groups[i] = fmt.Sprintf("COALESCE(b%d.value, '')", i)
		columns.WriteString(groups[i] + ", ")
		fmt.Fprintf(&joins, " LEFT JOIN object_value b%d ON b%d.type = r.type AND b%d.id = r.id AND b%d.attr = ?", i, i, i, i)
		args = append(args, name)
	}
	grouped := ""
	if len(by) > 0 {
		grouped = " GROUP BY " + strings.Join(groups, ", ")
	}
	var conditions strings.Builder
	args = append(args, t.Type)
	for i, f := range filters {
		fmt.Fprintf(&conditions, " AND EXISTS (SELECT 1 FROM object_value f%d WHERE f%d.type = r.type "+
			"AND f%d.id = r.id AND f%d.attr = ? AND f%d.value IN (?%s))", i, i, i, i, i, strings.Repeat(", ?", len(f.wants)-1))
		args = append(args, f.attr)
		for _, w := range f.wants {
			args = append(args, w)
		}
	}
	rows, err := from.QueryContext(ctx, "SELECT "+columns.String()+"COUNT(*) FROM object_row r"+
		joins.String()+" WHERE r.type = ?"+conditions.String()+grouped, args...)
	return scan(rows, err, func(r *sql.Rows) (wire.Tally, error) {
		tally := wire.Tally{Values: make([]string, len(by))}
		into := make([]any, 0, len(by)+1)
		for i := range tally.Values {
			into = append(into, &tally.Values[i])
		}
		return tally, r.Scan(append(into, &tally.Count)...)
	})
}

// countRows counts by reading every row.
func countRows(ctx context.Context, from reader, t *shape, filters []filter, by []string) ([]wire.Tally, error) {
	counts := map[string]*wire.Tally{}
	for after := ""; ; {
		rows, err := from.QueryContext(ctx, "SELECT version, data FROM object_row WHERE type = ? AND id > ? ORDER BY id LIMIT ?",
			t.Type, after, portion)
		page, err := scan(rows, err, t.decode)
		if err != nil {
			return nil, err
		}
		for _, row := range page {
			after = text(row[wire.AttrID])
			if !matchAll(filters, row) {
				continue
			}
			values := make([]string, len(by))
			for i, name := range by {
				if !isNull(row[name]) {
					values[i] = text(row[name])
				}
			}
			at := strings.Join(values, "\x1f")
			if counts[at] == nil {
				counts[at] = &wire.Tally{Values: values}
			}
			counts[at].Count++
		}
		if len(page) < portion {
			break
		}
	}
	out := make([]wire.Tally, 0, len(counts))
	for _, tally := range counts {
		out = append(out, *tally)
	}
	return out, nil
}
