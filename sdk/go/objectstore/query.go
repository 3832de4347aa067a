package objectstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

const chunk = 500 // ids in one statement

// Query finds rows. Without an order they come by id, and only then can be
// paged.
func (s *Store) Query(ctx context.Context, typ string, q wire.Query) ([]wire.Row, string, error) {
	t, err := s.typ(ctx, typ)
	if err != nil {
		return nil, "", err
	}
	filters, err := compile(t, q)
	if err != nil {
		return nil, "", err
	}
	limit := q.Limit
	if limit <= 0 || limit > maxRows {
		limit = maxRows
	}
	found, err := s.find(ctx, t, filters, q.After, limit+1, len(q.OrderBy) > 0)
	if err != nil {
		return nil, "", err
	}
	if err := order(t, found, q.OrderBy); err != nil {
		return nil, "", err
	}
	next := ""
	if len(found) > limit {
		if q.Limit <= 0 && !t.Paging {
			return nil, "", plugin.Fail("object.too_many", fmt.Sprintf("more than %d rows of %s:%s match: ask for pages, or filter", maxRows, s.name, typ))
		}
		found = found[:limit]
		next = text(found[limit-1][wire.AttrID])
	}
	out := make([]wire.Row, len(found))
	for i, row := range found {
		out[i] = project(shown(t, row), q.Fields)
	}
	return out, next, nil
}

func project(row wire.Row, fields []string) wire.Row {
	if len(fields) == 0 {
		return row
	}
	out := wire.Row{wire.AttrID: row[wire.AttrID], wire.AttrDisplayName: row[wire.AttrDisplayName]}
	for _, f := range fields {
		if v, ok := row[f]; ok {
			out[f] = v
		}
	}
	return out
}

// filter is a compiled condition.
type filter struct {
	attr  string
	op    string
	multi bool
	kind  string
	wants []string // texts to compare with
}

func compile(t wire.ObjectType, q wire.Query) ([]filter, error) {
	var out []filter
	all := q.AdditionalFilters
	if q.Criteria != nil {
		all = append([]wire.Filter{*q.Criteria}, all...)
	}
	for _, f := range all {
		a, ok := attr(t, f.Attr)
		if !ok {
			return nil, unknown(t, f.Attr)
		}
		c := filter{attr: f.Attr, op: f.Op, kind: a.Type, multi: a.Type == wire.TypeMultiRef}
		switch f.Op {
		case wire.OpEq, wire.OpNeq, wire.OpLike, wire.OpNotLike, wire.OpGt, wire.OpLt:
			c.wants = []string{text(f.Condition)}
		case wire.OpIn:
			c.wants = ids(f.Condition)
		case wire.OpIs, wire.OpIsNot:
		default:
			return nil, plugin.Fail("object.operator", fmt.Sprintf("the operator %q is none of eq, neq, in, like, notLike, gt, lt, is, isnot", f.Op))
		}
		if f.Attr == wire.AttrDisplayName {
			c.attr = cmp.Or(t.Display, "name")
		}
		out = append(out, c)
	}
	return out, nil
}

// candidates gives the ids that one filter allows by the index; ok is false
// where no filter can be looked up.
func (s *Store) candidates(ctx context.Context, t wire.ObjectType, filters []filter) (ids []string, ok bool, err error) {
	var best *filter
	for i, f := range filters {
		if f.op != wire.OpEq && f.op != wire.OpIn {
			continue
		}
		if f.attr == wire.AttrID {
			return f.wants, true, nil
		}
		if best == nil || best.attr == "project" || best.attr == "environment" {
			best = &filters[i]
		}
	}
	if best == nil || best.attr == "project" || best.attr == "environment" {
		return nil, false, nil
	}
	for part := range slices.Chunk(best.wants, chunk) {
		args := []any{t.Type, best.attr}
		for _, w := range part {
			args = append(args, cut(w))
		}
		rows, err := s.db.QueryContext(ctx, "SELECT DISTINCT id FROM object_value WHERE type = ? AND attr = ? AND value IN (?"+strings.Repeat(", ?", len(part)-1)+")", args...)
		found, err := scan(rows, err, func(r *sql.Rows) (string, error) {
			var id string
			return id, r.Scan(&id)
		})
		if err != nil {
			return nil, false, err
		}
		ids = append(ids, found...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), true, nil
}

func scan[T any](rows *sql.Rows, err error, one func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := one(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

func decodeRow(r *sql.Rows) (wire.Row, error) {
	var data []byte
	if err := r.Scan(&data); err != nil {
		return nil, err
	}
	var row wire.Row
	return row, json.Unmarshal(data, &row)
}

// find reads matching rows by id after a mark; all of them where they are to be
// ordered otherwise.
func (s *Store) find(ctx context.Context, t wire.ObjectType, filters []filter, after string, limit int, all bool) ([]wire.Row, error) {
	ids, looked, err := s.candidates(ctx, t, filters)
	if err != nil {
		return nil, err
	}
	if looked {
		return s.byID(ctx, t, filters, ids, after)
	}
	var out []wire.Row
	for {
		rows, err := s.db.QueryContext(ctx, "SELECT data FROM object_row WHERE type = ? AND id > ? ORDER BY id LIMIT 1000", t.Type, after)
		page, err := scan(rows, err, decodeRow)
		if err != nil {
			return nil, err
		}
		for _, row := range page {
			if matchAll(filters, row) {
				out = append(out, row)
			}
		}
		if len(page) < 1000 || !all && len(out) >= limit {
			return out[:min(len(out), max(limit, map[bool]int{true: len(out)}[all]))], nil
		}
		after = text(page[len(page)-1][wire.AttrID])
	}
}

func (s *Store) byID(ctx context.Context, t wire.ObjectType, filters []filter, ids []string, after string) ([]wire.Row, error) {
	var out []wire.Row
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for part := range slices.Chunk(ids, chunk) {
		args := []any{t.Type, after}
		for _, id := range part {
			args = append(args, id)
		}
		rows, err := s.db.QueryContext(ctx, "SELECT data FROM object_row WHERE type = ? AND id > ? AND id IN (?"+strings.Repeat(", ?", len(part)-1)+") ORDER BY id", args...)
		page, err := scan(rows, err, decodeRow)
		if err != nil {
			return nil, err
		}
		for _, row := range page {
			if matchAll(filters, row) {
				out = append(out, row)
			}
		}
	}
	return out, nil
}

func matchAll(filters []filter, row wire.Row) bool {
	for _, f := range filters {
		if !f.match(row[f.attr]) {
			return false
		}
	}
	return true
}

func (f filter) match(raw json.RawMessage) bool {
	null := isNull(raw)
	switch f.op {
	case wire.OpIs:
		return null
	case wire.OpIsNot:
		return !null
	case wire.OpNeq:
		return null || !f.any(raw)
	case wire.OpNotLike:
		return null || !strings.Contains(strings.ToLower(text(raw)), strings.ToLower(f.wants[0]))
	}
	if null {
		return false
	}
	switch f.op {
	case wire.OpLike:
		return strings.Contains(strings.ToLower(text(raw)), strings.ToLower(f.wants[0]))
	case wire.OpGt:
		return compare(f.kind, text(raw), f.wants[0]) > 0
	case wire.OpLt:
		return compare(f.kind, text(raw), f.wants[0]) < 0
	}
	return f.any(raw)
}

func (f filter) any(raw json.RawMessage) bool {
	if f.multi {
		return slices.ContainsFunc(ids(raw), func(id string) bool { return slices.Contains(f.wants, id) })
	}
	return slices.Contains(f.wants, text(raw))
}

// compare orders two values of a type.
func compare(kind, a, b string) int {
	switch kind {
	case wire.TypeInt, wire.TypeNumber:
		x, err1 := strconv.ParseFloat(a, 64)
		y, err2 := strconv.ParseFloat(b, 64)
		if err1 == nil && err2 == nil {
			return cmp.Compare(x, y)
		}
	case wire.TypeDateTime:
		x, err1 := time.Parse(time.RFC3339Nano, a)
		y, err2 := time.Parse(time.RFC3339Nano, b)
		if err1 == nil && err2 == nil {
			return x.Compare(y)
		}
	}
	return strings.Compare(a, b)
}

func order(t wire.ObjectType, rows []wire.Row, by []string) error {
	for _, name := range by {
		if _, ok := attr(t, strings.TrimPrefix(name, "-")); !ok {
			return unknown(t, name)
		}
	}
	if len(by) == 0 {
		return nil
	}
	slices.SortStableFunc(rows, func(a, b wire.Row) int {
		for _, name := range by {
			name, down := strings.CutPrefix(name, "-")
			def, _ := attr(t, name)
			c := compare(def.Type, text(a[name]), text(b[name]))
			if down {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	return nil
}

// Version is one entry in the history of a row.
type Version struct {
	Version  int64           `json:"version"`
	Time     time.Time       `json:"time"`
	Operator string          `json:"operator"`
	Run      string          `json:"run,omitempty"`
	Op       string          `json:"op"`
	Diff     json.RawMessage `json:"diff"`
}

// History reads how a row became what it is, newest first, at most limit
// entries.
func (s *Store) History(ctx context.Context, typ, id string, limit int) ([]Version, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT version, time, operator, run, op, diff FROM object_history WHERE type = ? AND id = ? ORDER BY version DESC LIMIT ?", typ, id, limit)
	return scan(rows, err, func(r *sql.Rows) (Version, error) {
		var v Version
		var at int64
		var diff []byte
		err := r.Scan(&v.Version, &at, &v.Operator, &v.Run, &v.Op, &diff)
		v.Time, v.Diff = time.UnixMicro(at).UTC(), diff
		return v, err
	})
}
