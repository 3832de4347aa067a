package objectstore

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

// compare orders two values of a type.
func compare(kind, a, b string) int {
	switch kind {
	case wire.TypeInt, wire.TypeNumber:
		x, ok1 := parseDecimal(a)
		y, ok2 := parseDecimal(b)
		if ok1 && ok2 {
			return x.compare(y)
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

// sorting collects the rows of one page: by id, or in an order by attributes and
// then by id. It keeps no more than it needs.
type sorting struct {
	t     *shape
	by    []string // attributes, with - for descending
	want  int      // rows
	after wire.Row // the last row of the page before; nil on the first
	rows  []wire.Row
}

// mark is what a page's last row leaves for the next one in an ordered query.
type mark struct {
	By     []string          `json:"by"`
	Values []json.RawMessage `json:"values"`
	ID     string            `json:"id"`
}

func newSorting(t *shape, q wire.Query, want int) (*sorting, error) {
	s := &sorting{t: t, by: q.OrderBy, want: want}
	for _, name := range q.OrderBy {
		a, ok := t.attr(strings.TrimPrefix(name, "-"))
		switch {
		case !ok || a.Name == "" && strings.HasSuffix(name, wire.AttrVersion):
			return nil, t.unknown(name)
		case a.Secret:
			return nil, plugin.Fail("object.secret", fmt.Sprintf("%s is secret: nothing can be ordered by it", a.Name))
		}
	}
	if q.After == "" {
		return s, nil
	}
	s.after = wire.Row{wire.AttrID: wire.Raw(q.After)}
	if len(s.by) == 0 {
		return s, nil
	}
	var m mark
	data, err := base64.RawURLEncoding.DecodeString(q.After)
	if err != nil || json.Unmarshal(data, &m) != nil || !slices.Equal(m.By, s.by) || len(m.Values) != len(s.by) {
		return nil, plugin.Fail("object.after", "the mark does not belong to a query in this order: begin with the first page")
	}
	s.after[wire.AttrID] = wire.Raw(m.ID)
	for i, name := range s.by {
		s.after[strings.TrimPrefix(name, "-")] = m.Values[i]
	}
	return s, nil
}

// begin is the id after which rows are of interest.
func (s *sorting) begin() string {
	if s.after == nil || len(s.by) > 0 {
		return ""
	}
	return text(s.after[wire.AttrID])
}

// take adds those rows that match and reports whether there are enough.
func (s *sorting) take(filters []filter, page []wire.Row) bool {
	for _, row := range page {
		if matchAll(filters, row) && (s.after == nil || len(s.by) == 0 || s.compare(row, s.after) > 0) {
			s.rows = append(s.rows, row)
		}
	}
	if len(s.by) == 0 {
		return len(s.rows) >= s.want
	}
	if len(s.rows) > 2*s.want+portion {
		s.sort()
	}
	return false
}

func (s *sorting) sort() {
	if len(s.by) > 0 {
		slices.SortFunc(s.rows, s.compare)
	}
	if len(s.rows) > s.want {
		s.rows = s.rows[:s.want]
	}
}

func (s *sorting) result() []wire.Row {
	s.sort()
	return s.rows
}

func (s *sorting) value(row wire.Row, name string) json.RawMessage {
	if v, ok := row[name]; ok || name != wire.AttrDisplayName {
		return v
	}
	return s.t.label(row)
}

// compare orders rows; those without a value come first.
func (s *sorting) compare(a, b wire.Row) int {
	for _, name := range s.by {
		name, down := strings.CutPrefix(name, "-")
		x, y := s.value(a, name), s.value(b, name)
		c := compare(s.t.by[name].Type, text(x), text(y))
		if isNull(x) || isNull(y) {
			c = rank(x) - rank(y)
		}
		if down {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return strings.Compare(text(a[wire.AttrID]), text(b[wire.AttrID]))
}

func rank(raw json.RawMessage) int {
	if isNull(raw) {
		return 0
	}
	return 1
}

// mark makes the mark behind a row.
func (s *sorting) mark(row wire.Row) string {
	id := text(row[wire.AttrID])
	if len(s.by) == 0 {
		return id
	}
	m := mark{By: s.by, ID: id}
	for _, name := range s.by {
		v := s.value(row, strings.TrimPrefix(name, "-"))
		if isNull(v) {
			v = json.RawMessage("null")
		}
		m.Values = append(m.Values, v)
	}
	return base64.RawURLEncoding.EncodeToString(wire.Raw(m))
}
