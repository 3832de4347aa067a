package db

import (
	"strings"

	"sextant/sdk/go/sqldb"
)

// steps are changes that are left for the end of a commit: those of one text share a
// statement as far as the order of what is done to each key allows.
type steps struct {
	groups []*group
	tables map[string]*ordered
}

// group are changes of one text, of different keys.
type group struct {
	table, text string
	values      [][]any
	counted     bool // each changes a row
}

// ordered are the groups of a table, and how far in them each key is.
type ordered struct {
	groups []*group
	last   map[any]int // 1 for the first group
}

// add puts a change into the first group of its text behind all that was left for its key.
func (s *steps) add(table string, key any, text string, values []any, counted bool) {
	of := s.tables[table]
	if of == nil {
		if s.tables == nil {
			s.tables = map[string]*ordered{}
		}
		of = &ordered{last: map[any]int{}}
		s.tables[table] = of
	}
	at := of.last[key]
	for at < len(of.groups) && (of.groups[at].text != text || of.groups[at].counted != counted) {
		at++
	}
	if at == len(of.groups) {
		g := &group{table: table, text: text, counted: counted}
		of.groups, s.groups = append(of.groups, g), append(s.groups, g)
	}
	of.groups[at].values = append(of.groups[at].values, values)
	of.last[key] = at + 1
}

// all are the groups, those of each table in their order.
func (s *steps) all() []sqldb.Rows {
	all := make([]sqldb.Rows, 0, len(s.groups))
	for _, g := range s.groups {
		all = append(all, sqldb.Rows{Text: g.text, Values: g.values, Counted: g.counted, Removes: strings.HasPrefix(g.text, "DELETE ")})
	}
	return all
}
