package db

import (
	"context"
	"database/sql"

	"sextant/sdk/go/sqldb"
)

// Over opens a writer over a database of another driver, which nothing is read from.
func Over(ctx context.Context, write *sql.DB) (*DB, error) {
	write.SetMaxOpenConns(1)
	conn, err := write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	d := &DB{dialect: sqldb.SQLite, write: write, read: write, conn: conn, stmts: map[string]*sql.Stmt{},
		queue: make(chan *work, queueLength), done: make(chan struct{}), closing: make(chan struct{})}
	go d.writer()
	return d, nil
}
