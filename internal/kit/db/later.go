package db

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sextant/sdk/go/sqldb"
)

// mostRows is how many rows one statement writes at most.
const mostRows = 64

// later is what the functions of a commit on a server have left to be written together,
// before it: a statement of many rows takes one way to the server and back, as one of a
// single row does, and PostgreSQL takes all of them at once. It belongs to the writer's goroutine.
type later struct {
	order  []string // texts, as they came first
	rows   map[string]*leftRows
	tables map[string]*leftTable
	steps  steps
	names  map[string]bool     // of the tables that something was left for
	said   map[string][]string // the words of texts, kept from wave to wave
}

// leftTable is what becomes of rows of a table that has a key of two columns: the last
// word about each.
type leftTable struct {
	columns []string // the key first
	order   [][2]any
	rows    map[[2]any][]any // nil for one that is removed
}

// leftRows are the rows of one text.
type leftRows struct {
	remove bool
	values [][]any
	keys   map[any]bool // the first values
}

// Append adds a row that nothing in the same write reads, unless it calls Settle first.
// insert is a statement that ends with the places of one row; the first value names what
// the row belongs to. On a server it shares a statement with the rows of other writes.
func (t *Tx) Append(insert string, values ...any) error { return t.leave(insert, false, values) }

// Remove removes the rows of a key, in the same way as Append adds some: remove ends with
// the place of the key.
func (t *Tx) Remove(remove string, key any) error { return t.leave(remove, true, []any{key}) }

// Put sets the row of a table with a key of its first two columns, in the same way as
// Append adds one; Drop removes it.
func (t *Tx) Put(table string, columns []string, values ...any) error {
	if t.db.dialect == sqldb.SQLite {
		return t.Upsert(table, 2, columns, values...)
	}
	return t.word(table, columns, [2]any{values[0], values[1]}, values)
}

// Drop removes the row with a key of the first two columns of a table.
func (t *Tx) Drop(table string, columns []string, first, second any) error {
	if t.db.dialect == sqldb.SQLite {
		_, err := t.Exec("DELETE FROM "+table+" WHERE "+columns[0]+" = ? AND "+columns[1]+" = ?", first, second)
		return err
	}
	return t.word(table, columns, [2]any{first, second}, nil)
}

func (t *Tx) word(table string, columns []string, key [2]any, values []any) error {
	if t.broken != nil {
		return t.broken
	}
	t.wrote = true
	l := &t.db.later
	l.touch(table)
	of := l.tables[table]
	if of == nil {
		if l.tables == nil {
			l.tables = map[string]*leftTable{}
		}
		of = &leftTable{columns: columns, rows: map[[2]any][]any{}}
		l.tables[table] = of
	}
	if _, known := of.rows[key]; !known {
		of.order = append(of.order, key)
	}
	of.rows[key] = values
	return nil
}

// Later changes rows of a table in the same way as Append adds some: text is an insert,
// an upsert, an update or a removal of what key names alone, and ends as those of Append
// and Remove do; an update has its places in SET and in WHERE. What is left for a key is
// written in the order in which it came.
func (t *Tx) Later(table string, key any, text string, values ...any) error {
	if t.db.dialect == sqldb.SQLite {
		_, err := t.Exec(text, values...)
		return err
	}
	if t.broken != nil {
		return t.broken
	}
	t.wrote = true
	t.db.later.touch(table)
	t.db.later.steps.add(table, key, text, values, false)
	return nil
}

// Once is Later for a text that changes one row or none, and reports whether it changed
// one. On a server that is taken for granted; where the commit finds that it is not so,
// it is done again in a way that tells.
func (t *Tx) Once(table string, key any, text string, values ...any) (bool, error) {
	if t.db.dialect == sqldb.SQLite || t.exact {
		n, err := t.Exec(text, values...)
		return n > 0, err
	}
	if t.broken != nil {
		return false, t.broken
	}
	t.wrote = true
	t.db.later.touch(table)
	t.db.later.steps.add(table, key, text, values, true)
	return true, nil
}

func (t *Tx) leave(text string, remove bool, values []any) error {
	if t.db.dialect == sqldb.SQLite {
		_, err := t.Exec(text, values...)
		return err
	}
	if t.broken != nil {
		return t.broken
	}
	t.wrote = true
	l := &t.db.later
	of := l.rows[text]
	if of == nil {
		if l.rows == nil {
			l.rows = map[string]*leftRows{}
		}
		of = &leftRows{remove: remove, keys: map[any]bool{}}
		l.rows[text], l.order = of, append(l.order, text)
		l.touch(tableOf(text))
	}
	of.values = append(of.values, values)
	of.keys[values[0]] = true
	return nil
}

// Settle writes what was left by text for a key, so that what follows finds it.
func (t *Tx) Settle(text string, key any) error {
	of := t.db.later.rows[text]
	if of == nil || !of.keys[key] {
		return nil
	}
	if err := t.db.later.send(t.own(), t.db, []sqldb.Rows{of.of(text)}); err != nil {
		return t.fault(err)
	}
	of.values, of.keys = nil, map[any]bool{}
	return nil
}

func (l *later) reset() {
	l.order, l.rows, l.tables, l.steps = nil, nil, nil, steps{}
	clear(l.names)
}

func (l *later) touch(table string) {
	if l.names == nil {
		l.names = map[string]bool{}
	}
	l.names[table] = true
}

var (
	word   = regexp.MustCompile(`[a-z0-9_]+`)
	target = regexp.MustCompile(`^(?:INSERT INTO|DELETE FROM|UPDATE) ([a-z0-9_]+)`)
)

// tableOf is the table that a text changes.
func tableOf(text string) string {
	if m := target.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// concerns reports whether a statement names a table that something was left for.
func (l *later) concerns(text string) bool {
	if len(l.names) == 0 {
		return false
	}
	words, known := l.said[text]
	if !known {
		if len(l.said) >= cachedStatements || l.said == nil {
			l.said = map[string][]string{}
		}
		words = word.FindAllString(text, -1)
		l.said[text] = words
	}
	return slices.ContainsFunc(words, func(w string) bool { return l.names[w] })
}

// flush writes all that was left, and forgets it: rows first, then what they become, and
// then what is removed.
func (l *later) flush(ctx context.Context, d *DB) error {
	defer l.reset()
	var all, removed []sqldb.Rows
	for _, text := range l.order {
		if rows := l.rows[text].of(text); rows.Removes {
			removed = append(removed, rows)
		} else {
			all = append(all, rows)
		}
	}
	for table, of := range l.tables {
		all = append(all, of.settled(table)...)
	}
	all = append(all, l.steps.all()...)
	return l.send(ctx, d, append(all, removed...))
}

func (r *leftRows) of(text string) sqldb.Rows {
	return sqldb.Rows{Text: text, Removes: r.remove, Counted: !r.remove, Values: r.values}
}

// settled says the last word about the rows of a table.
func (of *leftTable) settled(table string) []sqldb.Rows {
	var put, gone [][]any
	for _, key := range of.order {
		if values := of.rows[key]; values != nil {
			put = append(put, values)
		} else {
			gone = append(gone, []any{key[0], key[1]})
		}
	}
	return []sqldb.Rows{
		{Text: "DELETE FROM " + table + " WHERE (" + of.columns[0] + ", " + of.columns[1] + ") = (?, ?)", Removes: true, Values: gone},
		{Text: sqldb.Upsert(table, 2, of.columns), Values: put},
	}
}

// send writes rows, all of them together where the server takes that.
func (l *later) send(ctx context.Context, d *DB, all []sqldb.Rows) error {
	all = slices.DeleteFunc(all, func(r sqldb.Rows) bool { return len(r.Values) == 0 })
	if len(all) == 0 {
		return nil
	}
	if sent, err := sqldb.Send(ctx, d.conn, all); sent || err != nil {
		return err
	}
	for _, rows := range all {
		if err := l.write(ctx, d, rows); err != nil {
			return err
		}
	}
	return nil
}

// write writes rows in portions of few sizes, so that few statements are prepared.
func (l *later) write(ctx context.Context, d *DB, rows sqldb.Rows) error {
	for rest := rows.Values; len(rest) > 0; {
		n := mostRows
		for n > len(rest) {
			n /= 2
		}
		if strings.HasPrefix(rows.Text, "UPDATE ") && d.dialect != sqldb.MySQL {
			n = 1 // where they are of types that go in no array
		}
		s, err := d.prepared(ctx, many(rows.Text, rows.Removes, n))
		if err != nil {
			return err
		}
		var args []any
		for _, values := range rest[:n] {
			args = append(args, values...)
		}
		var res sql.Result
		if res, err = s.ExecContext(ctx, args...); err != nil {
			return err
		}
		if written, err := res.RowsAffected(); err == nil && rows.Counted && written != int64(n) {
			return fmt.Errorf("%d of %d rows were written", written, n)
		}
		rest = rest[n:]
	}
	return nil
}

// many makes a statement for one row one for n.
func many(text string, remove bool, n int) string {
	if n == 1 {
		return text
	}
	if strings.HasPrefix(text, "UPDATE ") {
		return joined(text, n)
	}
	if remove {
		head, row, _ := strings.Cut(text, "= ")
		return head + "IN (" + row + strings.Repeat(", "+row, n-1) + ")"
	}
	end := strings.Index(text, " ON CONFLICT")
	if end < 0 {
		end = len(text)
	}
	row := text[strings.LastIndexByte(text[:end], '('):end]
	return text[:end] + strings.Repeat(", "+row, n-1) + text[end:]
}

// joined makes an update of one row one of n rows, as MariaDB and MySQL know it.
func joined(text string, n int) string {
	first, next := "", ""
	for i := range strings.Count(text, "?") {
		if i > 0 {
			first, next = first+", ", next+", "
		}
		name := "c" + strconv.Itoa(i)
		first, next = first+"? AS "+name, next+"?"
		text = strings.Replace(text, "?", "given."+name, 1)
	}
	head, rest, _ := strings.Cut(text, " SET ")
	set, where, _ := strings.Cut(rest, " WHERE ")
	return head + " JOIN (SELECT " + first + strings.Repeat(" UNION ALL SELECT "+next, n-1) + ") AS given ON " + where + " SET " + set
}
