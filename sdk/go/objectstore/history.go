package objectstore

import (
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
	limit = min(max(limit, 0), maxRows)
	rows, err := s.db.QueryContext(ctx, "SELECT version, time, operator, run, op, diff "+
		"FROM object_history WHERE type = ? AND id = ? ORDER BY version DESC LIMIT ?", typ, id, limit)
	return scan(rows, err, func(r *sql.Rows) (Version, error) {
		var v Version
		var at int64
		var diff []byte
		err := r.Scan(&v.Version, &at, &v.Operator, &v.Run, &v.Op, &diff)
		v.Time, v.Diff = time.UnixMicro(at).UTC(), diff
		return v, err
	})
}

// HistoryType is the object type of the entries that QueryHistory gives.
func HistoryType(name string) wire.ObjectType {
	attr := func(name, kind, en, zh string) wire.Attribute {
		return wire.Attribute{Name: name, Type: kind, Title: wire.Text{"en": en, "zh": zh}}
	}
	op := attr("op", wire.TypeEnum, "Operation", "操作")
	op.Values = []string{"create", "update", "delete"}
	return wire.ObjectType{
		Type: name, Title: wire.Text{"en": "History", "zh": "历史"},
		Description: wire.Text{"en": "Every change of every object, newest first. It cannot be written.", "zh": "所有对象的变更记录，最新的在前，不可修改。"},
		Scope:       &wire.ObjectScope{Project: "project", Environment: "environment"}, Paging: true, ReadOnly: true, Display: "object_id",
		Attributes: []wire.Attribute{
			{Name: wire.AttrID, Type: wire.TypeString, Required: true, Unique: true, Title: wire.Text{"en": "Id", "zh": "标识"}},
			attr("object_type", wire.TypeString, "Object type", "对象类型"),
			attr("object_id", wire.TypeString, "Object", "对象"),
			attr("version", wire.TypeInt, "Version", "版本"),
			attr("time", wire.TypeDateTime, "Time", "时间"),
			attr("operator", wire.TypeString, "Operator", "操作人"),
			attr("run", wire.TypeString, "Run", "运行"),
			op,
			attr("project", wire.TypeString, "Project", "项目"),
			attr("environment", wire.TypeString, "Environment", "环境"),
			attr("difference", wire.TypeText, "Difference", "差异"),
		},
	}
}

// historyColumn gives the column behind an attribute that a database can compare.
func historyColumn(attr string) string {
	switch attr {
	case "object_type":
		return "type"
	case "object_id":
		return "id"
	case wire.AttrID:
		return "seq"
	case "operator", "run", "op", "project", "environment":
		return attr
	}
	return ""
}

// QueryHistory reads the changes of all rows, newest first, as rows of the type
// HistoryType. Another order is refused.
func (s *Store) QueryHistory(ctx context.Context, q wire.Query) ([]wire.Row, string, error) {
	t := newShape(shape{plugin: s.name}, HistoryType("history"))
	if len(q.OrderBy) > 0 && !slices.Equal(q.OrderBy, []string{"-time"}) {
		return nil, "", plugin.Fail("object.order", "the history comes newest first and in no other order")
	}
	filters, err := compile(t, q)
	if err != nil {
		return nil, "", err
	}
	for i, f := range filters { // what is of no environment is for those of every one
		if f.attr == "environment" && (f.op == wire.OpEq || f.op == wire.OpIn) {
			filters[i].wants = append(slices.Clone(f.wants), "*")
			filters[i].among["*"] = true
		}
	}
	for _, f := range q.Fields {
		if _, ok := t.attr(f); !ok {
			return nil, "", t.unknown(f)
		}
	}
	before := int64(1<<63 - 1)
	if q.After != "" {
		if before, err = strconv.ParseInt(q.After, 10, 64); err != nil {
			return nil, "", plugin.Fail("object.after", fmt.Sprintf("%q is no mark of a page", q.After))
		}
	}
	limit := q.Limit
	if limit <= 0 || limit > portion {
		limit = portion
	}
	where, args := narrow(filters)
	out, size := []wire.Row{}, 0
	for {
		rows, err := s.db.QueryContext(ctx, "SELECT seq, type, id, version, time, operator, run, op, project, environment, diff "+
			"FROM object_history WHERE seq < ?"+where+" ORDER BY seq DESC LIMIT ?",
			append(append([]any{before}, args...), portion)...)
		page, err := scan(rows, err, entry)
		if err != nil {
			return nil, "", err
		}
		for _, row := range page {
			if !matchAll(filters, row) {
				continue
			}
			if size += len(row["difference"]) + 200; len(out) == limit || len(out) > 0 && size > maxBytes {
				return out, text(out[len(out)-1][wire.AttrID]), nil
			}
			out = append(out, project(t.shown(row), q.Fields))
		}
		if len(page) < portion {
			return out, "", nil
		}
		before, err = strconv.ParseInt(text(page[len(page)-1][wire.AttrID]), 10, 64)
		if err != nil {
			return nil, "", err
		}
	}
}

// narrow lets the database look at no more entries than it must.
func narrow(filters []filter) (where string, args []any) {
	for _, f := range filters {
		column := historyColumn(f.attr)
		if column == "" || f.op != wire.OpEq && f.op != wire.OpIn || len(f.wants) == 0 || len(f.wants) > chunk {
			continue
		}
		where += " AND " + column + " IN (?" + strings.Repeat(", ?", len(f.wants)-1) + ")"
		for _, w := range f.wants {
			args = append(args, w)
		}
	}
	return where, args
}

func entry(r *sql.Rows) (wire.Row, error) {
	var seq, version, at int64
	var typ, id, operator, run, op, project, environment string
	var diff []byte
	if err := r.Scan(&seq, &typ, &id, &version, &at, &operator, &run, &op, &project, &environment, &diff); err != nil {
		return nil, err
	}
	return wire.Row{
		wire.AttrID: wire.Raw(strconv.FormatInt(seq, 10)), "object_type": wire.Raw(typ), "object_id": wire.Raw(id), "version": wire.Raw(version),
		"time":     wire.Raw(time.UnixMicro(at).UTC().Format(time.RFC3339Nano)),
		"operator": wire.Raw(operator), "run": wire.Raw(run), "op": wire.Raw(op),
		"project": wire.Raw(project), "environment": wire.Raw(environment), "difference": wire.Raw(string(diff)),
	}, nil
}
