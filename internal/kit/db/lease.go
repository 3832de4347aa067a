package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"sextant/internal/kit/errs"
	"sextant/sdk/go/sqldb"
)

//go:embed migrations
var migrations embed.FS

const (
	leaseTerm  = 20 * time.Second // without a word after which a server is taken for gone
	leaseRenew = 5 * time.Second
)

// Holder says who writes to a database on a server: one program at a time does.
type Holder struct {
	// ID is the same over restarts: who comes again with it takes over at once.
	ID string
	// Name is what others are told who find the database held.
	Name string
}

// Copying is the ID of who copies a platform into a database.
const Copying = "copy"

// copying is the row that stands while a copy is not complete.
const copying = 2

// BeginCopy marks the database, before anything is copied into it, as one that no
// server may use.
func (d *DB) BeginCopy(ctx context.Context) error {
	return d.mark(ctx, "INSERT INTO db_writer (id, epoch, wave, holder, name, expires) VALUES (?, 0, 0, '', '', 0)")
}

// EndCopy takes the mark away: the copy is complete.
func (d *DB) EndCopy(ctx context.Context) error {
	return d.mark(ctx, "DELETE FROM db_writer WHERE id = ?")
}

func (d *DB) mark(ctx context.Context, query string) error {
	if d.dialect == sqldb.SQLite {
		return nil
	}
	return d.Do(ctx, func(tx *Tx) error {
		_, err := tx.Exec(query, copying)
		return err
	})
}

// now is the server's clock in microseconds, in its own words.
func now(d sqldb.Dialect) string {
	if d == sqldb.Postgres {
		return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
	}
	return "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
}

// lease is the right to write, as the writer's goroutine knows it.
type lease struct {
	holder  Holder
	epoch   int64
	wave    int64  // of the last commit
	backend int64  // the server's number of the connection
	count   string // the statement that begins each wave
}

// take takes the lease when the database is opened.
//
// Returns Unavailable with database.held if another server has it.
func (d *DB) take(ctx context.Context, h Holder) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	if err := d.lend(ctx, func() error { return sqldb.Migrate(ctx, d.write, d.dialect, "db", sub) }); err != nil {
		return translate(err)
	}
	d.lease = lease{holder: h, count: "UPDATE db_writer SET wave = ?, expires = ? + " + now(d.dialect) + " WHERE id = 1 AND epoch = ?"}
	began := time.Now()
	for {
		err := d.hold(ctx, h)
		// MariaDB gives up waiting for the row of who stands still before that one's time is over.
		if sqldb.Classify(err) != sqldb.FaultSerial || ctx.Err() != nil || time.Since(began) > leaseTerm+leaseRenew {
			return translate(err)
		}
	}
}

// hold takes the lease if nobody else has it.
func (d *DB) hold(ctx context.Context, h Holder) error {
	return d.locked(ctx, func(tx *sql.Tx) error {
		var epoch, wave, left int64
		var holder, name string
		err := tx.QueryRowContext(ctx, "SELECT epoch, wave, holder, name FROM db_writer WHERE id = 1 FOR UPDATE").
			Scan(&epoch, &wave, &holder, &name)
		if err != nil {
			return err
		}
		// The row may have been waited for: its clock is read afterwards.
		if err := tx.QueryRowContext(ctx, "SELECT expires - "+now(d.dialect)+" FROM db_writer WHERE id = 1").Scan(&left); err != nil {
			return err
		}
		if holder != "" && holder != h.ID && left > 0 {
			return errs.New(errs.Unavailable, "database.held",
				"the database is in use by %s: stop that one first; if it is gone, it lets go in %d s", name, 1+left/1e6)
		}
		var partial int
		if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM db_writer WHERE id = ?", copying).Scan(&partial); err != nil {
			return err
		}
		if partial > 0 && h.ID != Copying {
			return errs.New(errs.Unavailable, "database.partial",
				"a copy into the database did not come to its end: empty the database and copy again")
		}
		d.lease.epoch, d.lease.wave, d.first = epoch+1, wave, epoch == 0
		_, err = tx.ExecContext(ctx, "UPDATE db_writer SET epoch = ?, holder = ?, name = ?, expires = ? + "+now(d.dialect)+" WHERE id = 1",
			epoch+1, h.ID, h.Name, leaseTerm.Microseconds())
		return err
	})
}

// First reports whether nobody has used a database on a server before.
func (d *DB) First() bool { return d.first }

// locked runs fn in a transaction of its own on the writing connection.
func (d *DB) locked(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := d.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// letGo gives the lease up, so that another server need not wait.
func (d *DB) letGo() {
	if d.dialect == sqldb.SQLite || d.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	// else it ends by itself
	_, _ = d.conn.ExecContext(ctx, "UPDATE db_writer SET holder = '', expires = 0 WHERE id = 1 AND epoch = ?", d.lease.epoch)
}

// renew keeps the lease while nothing is written, and finds out that the server
// is away.
func (d *DB) renew() {
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	for {
		select {
		case <-d.done:
			return
		case <-tick.C:
			if len(d.queue) == 0 {
				_, _ = d.Submit(context.Background(), func(*Tx) error { return nil }) // the wave counts; a closed database needs none
			}
		}
	}
}

// number asks the server for its number of the writing connection. Who stands still
// within a write holds its rows no longer than a lease: PostgreSQL is told so of each
// connection, MariaDB of this one, and MySQL has no such time.
func (d *DB) number(ctx context.Context) error {
	query := "SELECT CAST(CONNECTION_ID() AS SIGNED)"
	if d.dialect == sqldb.Postgres {
		query = "SELECT CAST(pg_backend_pid() AS BIGINT)"
	} else {
		_, _ = d.conn.ExecContext(ctx, fmt.Sprintf("SET SESSION idle_write_transaction_timeout = %d", int(leaseTerm.Seconds()))) // MySQL refuses
	}
	return d.conn.QueryRowContext(ctx, query).Scan(&d.lease.backend)
}

// end ends the connection that was the writer's before: what it began is over
// then, one way or the other.
func (d *DB) end(ctx context.Context, c *sql.Conn, backend int64) {
	if d.dialect == sqldb.Postgres {
		_, _ = c.ExecContext(ctx, "SELECT pg_terminate_backend(CAST(? AS INTEGER))", backend) // gone as a rule
		return
	}
	_, _ = c.ExecContext(ctx, fmt.Sprintf("KILL CONNECTION %d", backend))
}

// errTaken says that another server writes by now.
func errTaken() error {
	return errs.New(errs.Unavailable, "database.taken",
		"another server has taken the database over: nothing more is written from here; stop this one")
}
