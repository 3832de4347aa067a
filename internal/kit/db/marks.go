package db

import (
	"context"
	"database/sql"
	"sync"
)

// Marks knows of which keys a table may have rows, so that a write that would find none
// need not ask the database. A key with rows is always marked; one that is marked may
// have none. One server writes to a database, so that it knows of all rows. Who inserts
// a row calls Add in the write, who removes some Gone or Less.
type Marks struct {
	Load string // selects each key and how many rows it has, once
	mu   sync.Mutex
	by   map[int64]int
	read bool
}

// Add notes that a write inserts a row of a key. It stays noted where the write fails.
func (m *Marks) Add(key int64) { m.change(key, 1) }

// May reports whether there may be rows of a key. It says so, too, where they cannot be
// counted now.
func (m *Marks) May(tx *Tx, key int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.read {
		if err := m.load(tx.db); err != nil {
			return true // who asks reads it for himself, and tells
		}
	}
	n := m.by[key]
	for _, l := range tx.less {
		if l.of == m && l.key == key {
			n -= l.n
		}
	}
	return n > 0
}

// less is what a write removes of what is marked.
type less struct {
	of  *Marks
	key int64
	n   int
}

// load counts the rows that are stored. What the write at work has removed is among
// them: it may be put back.
func (m *Marks) load(d *DB) error {
	type count struct {
		key int64
		n   int
	}
	rows, err := d.Query(context.Background(), m.Load)
	all, err := Scan(rows, err, func(r *sql.Rows) (c count, err error) { return c, r.Scan(&c.key, &c.n) })
	if err != nil {
		return err
	}
	if m.by == nil {
		m.by = map[int64]int{}
	}
	for _, c := range all {
		m.by[c.key] += c.n
	}
	m.read = true
	return nil
}

// Gone notes that a write removes all rows of a key.
func (m *Marks) Gone(tx *Tx, key int64) {
	m.mu.Lock()
	n := m.by[key]
	m.mu.Unlock()
	m.remove(tx, key, n) // what is added after it stays
}

// Less notes that a write removes one row of a key.
func (m *Marks) Less(tx *Tx, key int64) { m.remove(tx, key, 1) }

func (m *Marks) remove(tx *Tx, key int64, n int) {
	if n > 0 {
		tx.less = append(tx.less, less{m, key, n})
		tx.AfterCommit(func() { m.change(key, -n) })
	}
}

func (m *Marks) change(key int64, by int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by == nil {
		m.by = map[int64]int{}
	}
	if m.by[key] += by; m.by[key] <= 0 {
		delete(m.by, key)
	}
}
