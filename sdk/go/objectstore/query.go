package objectstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

const (
	chunk    = 500     // ids in one statement
	portion  = 1000    // rows read at once
	maxBytes = 8 << 20 // bytes of the rows of a page
)

// reader is a database or a transaction.
type reader interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// query finds rows of a type.
func query(ctx context.Context, from reader, t *shape, q wire.Query) ([]wire.Row, string, error) {
	filters, err := compile(t, q)
	if err != nil {
		return nil, "", err
	}
	limit := q.Limit
	if limit <= 0 || limit > maxRows {
		limit = maxRows
	}
	s, err := newSorting(t, q, limit+1)
	if err != nil {
		return nil, "", err
	}
	for _, f := range q.Fields {
		if _, ok := t.attr(f); !ok {
			return nil, "", t.unknown(f)
		}
	}
	if err := find(ctx, from, filters, s); err != nil {
		return nil, "", err
	}
	found := s.result()
	out, size := make([]wire.Row, 0, min(len(found), limit)), 0
	for i, row := range found {
		shown := project(t.shown(row), q.Fields)
		for k, v := range shown {
			size += len(k) + len(v) + 4
		}
		if i < limit && (i == 0 || size <= maxBytes) {
			out = append(out, shown)
			continue
		}
		if q.Limit <= 0 && !t.Paging {
			return nil, "",
				plugin.Fail("object.too_many", fmt.Sprintf("more than %d rows of %s:%s match: ask for pages, or filter", len(out), t.plugin, t.Type))
		}
		return out, s.mark(found[i-1]), nil
	}
	return out, "", nil
}

func project(row wire.Row, fields []string) wire.Row {
	if len(fields) == 0 {
		return row
	}
	out := wire.Row{wire.AttrID: row[wire.AttrID], wire.AttrDisplayName: row[wire.AttrDisplayName]}
	if v, ok := row[wire.AttrVersion]; ok {
		out[wire.AttrVersion] = v
	}
	for _, f := range fields {
		if v, ok := row[f]; ok {
			out[f] = v
		}
	}
	return out
}

// filter is a compiled condition.
type filter struct {
	t     *shape
	attr  string
	op    string
	kind  string
	wants []string        // to compare with; keys for eq, neq and in
	among map[string]bool // the same, where there may be many
}

func compile(t *shape, q wire.Query) ([]filter, error) {
	var out []filter
	all := q.AdditionalFilters
	if q.Criteria != nil {
		all = append([]wire.Filter{*q.Criteria}, all...)
	}
	for _, f := range all {
		a, ok := t.attr(f.Attr)
		if !ok || f.Attr == wire.AttrVersion {
			return nil, t.unknown(f.Attr)
		}
		c := filter{t: t, attr: f.Attr, op: f.Op, kind: a.Type}
		switch f.Op {
		case wire.OpEq, wire.OpNeq, wire.OpLike, wire.OpNotLike, wire.OpGt, wire.OpLt:
			c.wants = []string{text(f.Condition)}
		case wire.OpIn:
			c.wants = ids(f.Condition)
		case wire.OpIs, wire.OpIsNot:
		default:
			return nil, plugin.Fail("object.operator", fmt.Sprintf("the operator %q is none of eq, neq, in, like, notLike, gt, lt, is, isnot", f.Op))
		}
		if err := c.suits(a); err != nil {
			return nil, err
		}
		if f.Op == wire.OpEq || f.Op == wire.OpNeq || f.Op == wire.OpIn {
			c.among = make(map[string]bool, len(c.wants))
			for i, w := range c.wants {
				c.wants[i] = key(c.kind, w)
				c.among[c.wants[i]] = true
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// suits refuses what has no answer: an order that a type has not, and questions
// whose answers would give a secret away.
func (f filter) suits(a wire.Attribute) error {
	if a.Secret && f.op != wire.OpIs && f.op != wire.OpIsNot {
		return plugin.Fail("object.secret", fmt.Sprintf("%s is secret: it can only be asked whether it is there", f.attr))
	}
	if f.op != wire.OpGt && f.op != wire.OpLt {
		return nil
	}
	kind := wire.Attribute{Type: f.kind}
	switch f.kind {
	case wire.TypeMultiRef, wire.TypeBool:
		return plugin.Fail("object.operator", fmt.Sprintf("%s is of type %s, which has no order", f.attr, f.kind))
	case wire.TypeInt: // may be compared with any number
		kind.Type = wire.TypeNumber
	case wire.TypeNumber, wire.TypeDateTime:
	default:
		return nil
	}
	if _, problem := canonical(kind, wire.Raw(f.wants[0])); problem != "" {
		return plugin.Fail("object.condition", f.attr+": "+problem)
	}
	return nil
}

// poor reports whether many rows have the value that the filter asks for.
func (f filter) poor() bool { return f.t.scoped(f.attr) }

// indexed reports whether the rows of a filter can be looked up.
func (f filter) indexed() bool {
	return (f.op == wire.OpEq || f.op == wire.OpIn) && f.attr != wire.AttrDisplayName
}

// candidates gives the ids that one filter allows by the index; ok is false
// where no filter can be looked up.
func candidates(ctx context.Context, from reader, t *shape, filters []filter) (found []string, ok bool, err error) {
	var best *filter
	for i, f := range filters {
		if !f.indexed() || f.poor() {
			continue
		}
		if f.attr == wire.AttrID {
			return sorted(f.wants), true, nil
		}
		if best == nil {
			best = &filters[i]
		}
	}
	if best == nil {
		return nil, false, nil
	}
	for part := range slices.Chunk(best.wants, chunk) {
		args := []any{t.Type, best.attr}
		for _, w := range part {
			args = append(args, cut(w))
		}
		rows, err := from.QueryContext(ctx, "SELECT DISTINCT id FROM object_value WHERE type = ? AND attr = ? AND value IN (?"+
			strings.Repeat(", ?", len(part)-1)+")", args...)
		more, err := scan(rows, err, func(r *sql.Rows) (string, error) {
			var id string
			return id, r.Scan(&id)
		})
		if err != nil {
			return nil, false, err
		}
		found = append(found, more...)
	}
	return sorted(found), true, nil
}

func sorted(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
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

// decode reads a row with its version.
func (s *shape) decode(r *sql.Rows) (wire.Row, error) {
	var version int64
	var data []byte
	if err := r.Scan(&version, &data); err != nil {
		return nil, err
	}
	row, err := s.read(data)
	if err == nil {
		row[wire.AttrVersion] = wire.Raw(version)
	}
	return row, err
}

// find hands matching rows to a sorting, by id, until it has enough.
func find(ctx context.Context, from reader, filters []filter, s *sorting) error {
	found, looked, err := candidates(ctx, from, s.t, filters)
	if err != nil {
		return err
	}
	if looked {
		return byID(ctx, from, filters, found, s)
	}
	for after := s.begin(); ; {
		rows, err := from.QueryContext(ctx, "SELECT version, data FROM object_row WHERE type = ? AND id > ? ORDER BY id LIMIT ?",
			s.t.Type, after, portion)
		page, err := scan(rows, err, s.t.decode)
		if err != nil {
			return err
		}
		if s.take(filters, page) || len(page) < portion {
			return nil
		}
		after = text(page[len(page)-1][wire.AttrID])
	}
}

func byID(ctx context.Context, from reader, filters []filter, ids []string, s *sorting) error {
	first, _ := slices.BinarySearch(ids, s.begin())
	for part := range slices.Chunk(ids[first:], chunk) {
		args := []any{s.t.Type, s.begin()}
		for _, id := range part {
			args = append(args, id)
		}
		rows, err := from.QueryContext(ctx, "SELECT version, data FROM object_row WHERE type = ? AND id > ? AND id IN (?"+
			strings.Repeat(", ?", len(part)-1)+") ORDER BY id", args...)
		page, err := scan(rows, err, s.t.decode)
		if err != nil {
			return err
		}
		if s.take(filters, page) {
			return nil
		}
	}
	return nil
}

func matchAll(filters []filter, row wire.Row) bool {
	for _, f := range filters {
		raw := row[f.attr]
		if f.attr == wire.AttrDisplayName {
			raw = f.t.label(row)
		}
		if !f.match(raw) {
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
		return null || !f.oneOf(raw)
	case wire.OpNotLike:
		return null || !f.like(raw)
	}
	if null {
		return false
	}
	switch f.op {
	case wire.OpLike:
		return f.like(raw)
	case wire.OpGt:
		return compare(f.kind, text(raw), f.wants[0]) > 0
	case wire.OpLt:
		return compare(f.kind, text(raw), f.wants[0]) < 0
	}
	return f.oneOf(raw)
}

func (f filter) oneOf(raw json.RawMessage) bool {
	if f.kind == wire.TypeMultiRef {
		return slices.ContainsFunc(ids(raw), func(id string) bool { return f.among[id] })
	}
	return f.among[key(f.kind, text(raw))]
}

// like reports whether a value contains a text, whatever the case of letters.
func (f filter) like(raw json.RawMessage) bool {
	want := strings.ToLower(f.wants[0])
	if f.kind == wire.TypeMultiRef {
		return slices.ContainsFunc(ids(raw), func(id string) bool { return strings.Contains(strings.ToLower(id), want) })
	}
	return strings.Contains(strings.ToLower(text(raw)), want)
}
