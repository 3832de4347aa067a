package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/sqldb"
)

const (
	queueLength = 4096 // writers waiting before Do refuses with Exhausted
	groupLimit  = 256  // functions that share one commit at most
	readers     = 4    // connections for reading

	serverReaders = 16 // the same on a server
)

// Querier reads rows: a DB outside a write, a Tx within one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) *sql.Row
}

// DB is an open database with its writer. It is safe for concurrent use.
type DB struct {
	dialect sqldb.Dialect
	write   *sql.DB
	read    *sql.DB
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt // by SQL text; owned by the writer goroutine
	reads   statements
	wary    int // groups that still get savepoints, after one whose function failed; owned by the writer goroutine
	queue   chan *work
	done    chan struct{}
	mu      sync.RWMutex
	closed  bool
	broken  atomic.Pointer[error] // set once the disk failed: nothing is written any more
	commits atomic.Int64
	reserve reserve
	low     atomic.Bool           // the disk was full: urgent writes alone are taken
	refused atomic.Pointer[error] // why the last write was not possible; nil when it was
	closing chan struct{}
	first   bool
	lease   lease // of a database on a server; owned by the writer goroutine
	later   later // the same
}

type work struct {
	ctx    context.Context // of the caller, looked at when the work is taken from the queue
	fn     func(*Tx) error
	rider  *rider // nil for none
	urgent bool
	tx     *Tx
	err    error
	reply  chan error
}

// Open opens the database at address for a program without a name and starts its
// writer.
func Open(ctx context.Context, address string) (*DB, error) {
	return OpenAs(ctx, address, Holder{ID: clock.NewID(clock.Real{}), Name: "another program"})
}

// OpenAs opens the database at address and starts its writer. One on a server
// has one holder at a time.
//
// Returns Unavailable with database.held if another has it, and database.unfit if
// it does not suit.
func OpenAs(ctx context.Context, address string, h Holder) (*DB, error) {
	write, dialect, err := sqldb.Open(address, false)
	if err != nil {
		return nil, err
	}
	if err := sqldb.Check(ctx, write, dialect); err != nil {
		return nil, errors.Join(translate(err), write.Close())
	}
	write.SetMaxOpenConns(1)
	if dialect != sqldb.SQLite {
		write.SetMaxOpenConns(2) // the second while the first one ends
		write.SetMaxIdleConns(1)
	}
	conn, err := write.Conn(ctx)
	if err != nil {
		return nil, errors.Join(translate(err), write.Close())
	}
	read, _, err := sqldb.Open(address, true)
	if err != nil {
		return nil, errors.Join(err, conn.Close(), write.Close())
	}
	d := &DB{dialect: dialect, write: write, read: read, conn: conn, stmts: map[string]*sql.Stmt{},
		queue: make(chan *work, queueLength), done: make(chan struct{}), closing: make(chan struct{})}
	read.SetMaxOpenConns(d.readers())
	read.SetMaxIdleConns(d.readers())
	if dialect != sqldb.SQLite {
		if err := errors.Join(d.take(ctx, h), d.number(ctx)); err != nil {
			return nil, errors.Join(err, d.conn.Close(), read.Close(), write.Close())
		}
		go d.renew()
	}
	go d.writer()
	return d, nil
}

// readers is how many connections read at once.
func (d *DB) readers() int {
	if d.dialect == sqldb.SQLite {
		return readers
	}
	return serverReaders
}

// Close waits for what was queued, then closes the database.
func (d *DB) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	close(d.queue)
	close(d.closing)
	d.mu.Unlock()
	<-d.done
	d.letGo()
	d.forget()
	d.reads.close()
	var err error
	if d.conn != nil { // else the server is away
		if err = d.conn.Close(); errors.Is(err, sql.ErrConnDone) {
			err = nil
		}
	}
	return errors.Join(err, d.read.Close(), d.write.Close())
}

// forget closes the cached statements, without which the driver keeps the file
// open.
func (d *DB) forget() {
	for _, s := range d.stmts {
		_ = s.Close() // the connection goes next
	}
	d.stmts = map[string]*sql.Stmt{}
}

// Fragile lists what has the database server forget, in a power cut, what it
// acknowledged; its error is that of the question.
func (d *DB) Fragile(ctx context.Context) ([]string, error) {
	return sqldb.Fragile(ctx, d.read, d.dialect)
}

// Dialect tells which SQL dialect the database speaks.
func (d *DB) Dialect() sqldb.Dialect { return d.dialect }

// Commits counts the commits so far; with the number of Do calls it tells how
// many share one.
func (d *DB) Commits() int64 { return d.commits.Load() }

// Migrate brings the tables of a domain up to date. It must be called before
// the first Do of that domain, while nothing is being written.
func (d *DB) Migrate(ctx context.Context, domain string, fsys fs.FS) error {
	sub, err := fs.Sub(fsys, "migrations")
	if err != nil {
		return fmt.Errorf("migrate %s: %w", domain, err)
	}
	release := make(chan error, 1)
	err = d.exclusive(ctx, func() error {
		var merr error
		err := d.lend(ctx, func() error {
			merr = sqldb.Migrate(ctx, d.write, d.dialect, domain, sub)
			return nil
		})
		release <- merr
		return err
	})
	if err != nil {
		return translate(err)
	}
	return translate(<-release)
}

// lend lets fn use the writer's only connection.
func (d *DB) lend(ctx context.Context, fn func() error) error {
	d.forget()
	if err := d.conn.Close(); err != nil {
		return err
	}
	err := fn()
	conn, cerr := d.write.Conn(context.WithoutCancel(ctx))
	d.conn = conn
	if cerr == nil && d.dialect != sqldb.SQLite {
		cerr = d.number(context.WithoutCancel(ctx))
	}
	return errors.Join(err, cerr)
}

// Do queues fn and returns after the commit that holds it was synced, or with
// the error that fn returned, in which case nothing of it is kept. A ctx that
// ends while fn is still queued leaves it undone; once fn was taken from the
// queue Do waits for the outcome even when ctx ends.
func (d *DB) Do(ctx context.Context, fn func(*Tx) error) error {
	wait, err := d.Submit(ctx, fn)
	if err != nil {
		return err
	}
	return <-wait
}

// Submit queues fn and returns at once; the channel yields what Do would
// return. Callers that prepare their next write while this one syncs use it.
func (d *DB) Submit(ctx context.Context, fn func(*Tx) error) (<-chan error, error) {
	w := &work{ctx: ctx, fn: fn, reply: make(chan error, 1)}
	w.rider, _ = ctx.Value(riderKey{}).(*rider)
	w.urgent, _ = ctx.Value(urgentKey{}).(bool)
	if err := d.enqueue(ctx, w); err != nil {
		return nil, err
	}
	return w.reply, nil
}

// failed says that the disk has failed. What a failed sync left behind is not
// known, so that nothing more is written on top of it.
func (d *DB) failed() error {
	if broken := d.broken.Load(); broken != nil {
		if errs.As(*broken).Code != "internal" { // on a server
			return *broken
		}
		return errs.Wrap(*broken, errs.Unavailable, "database.failed",
			"the database's disk failed; writing has stopped until the server is restarted")
	}
	return nil
}

func (d *DB) enqueue(ctx context.Context, w *work) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.failed(); err != nil {
		return err
	}
	if d.low.Load() && !w.urgent && w.fn != nil && !d.roomAgain() {
		return errFull()
	}
	if d.dialect != sqldb.SQLite && ctx.Done() != nil && !w.urgent {
		if p := d.refused.Load(); p != nil && errs.As(*p).Code == "database.away" {
			return *p
		}
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return errs.New(errs.Unavailable, "database.closed", "the server is stopping")
	}
	select {
	case d.queue <- w:
		return nil
	default:
		return errBusy()
	}
}

// Query reads outside a write.
func (d *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := d.reads.of(ctx, d.read, query); s != nil {
		rows, err := s.QueryContext(ctx, args...)
		return rows, Translate(err)
	}
	rows, err := d.read.QueryContext(ctx, query, args...)
	return rows, Translate(err)
}

// QueryRow reads one row outside a write.
func (d *DB) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	if s := d.reads.of(ctx, d.read, query); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return d.read.QueryRowContext(ctx, query, args...)
}

type riderKey struct{}

// rider belongs to the writer's goroutine. by is the write that carries it: a
// write that is undone gives it back to the next one.
type rider struct {
	fn func(*Tx) error
	by *work
}

// WithRider returns a context whose first write that is kept carries fn along,
// in the same savepoint. It lets the edge remember, in the very commit of a
// command, that the command was done.
func WithRider(ctx context.Context, fn func(*Tx) error) context.Context {
	return context.WithValue(ctx, riderKey{}, &rider{fn: fn})
}

// WithoutRider returns a context whose writes leave the rider of ctx alone: for
// what is noted beside a command.
func WithoutRider(ctx context.Context) context.Context {
	return context.WithValue(ctx, riderKey{}, (*rider)(nil))
}

// Translate gives an error of the database the code and the words that people
// get, and leaves every other one as it is.
func Translate(err error) error {
	if err == nil || errs.As(err).Code != "internal" {
		return err
	}
	return translate(err)
}

// Unasked reports whether an error of a read says that the database could not be asked
// just then, and nothing of what was to be read.
func Unasked(err error) bool {
	switch sqldb.Classify(err) {
	case sqldb.FaultAway, sqldb.FaultTimeout, sqldb.FaultBusy, sqldb.FaultSerial, sqldb.FaultDenied:
		return true
	case sqldb.FaultOther, sqldb.FaultConflict, sqldb.FaultFull, sqldb.FaultReadOnly, sqldb.FaultIO, sqldb.FaultCorrupt, sqldb.FaultValue:
	}
	return false
}

func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return err
	}
	switch sqldb.Classify(err) {
	case sqldb.FaultFull:
		return errs.Wrap(err, errs.Full, "database.full", "the database's disk is full: free some space; nothing was changed")
	case sqldb.FaultReadOnly:
		return errs.Wrap(err, errs.Unavailable, "database.read_only",
			"the database cannot be written: check the rights of the data folder and its file system; nothing was changed")
	case sqldb.FaultIO:
		return errs.Wrap(err, errs.Unavailable, "database.failed", "the database's disk failed")
	case sqldb.FaultCorrupt:
		return errs.Wrap(err, errs.Unavailable, "database.corrupt", "the database file is damaged or is no database: restore it from a backup")
	case sqldb.FaultBusy:
		return errs.Wrap(err, errs.Unavailable, "database.locked",
			"another program holds the database: end it and try again; nothing was changed")
	case sqldb.FaultConflict:
		return errs.Wrap(err, errs.Conflict, "database.conflict", "it exists already")
	case sqldb.FaultAway:
		return errAway(err)
	case sqldb.FaultTimeout:
		return errs.Wrap(err, errs.Unavailable, "database.slow", "the database took too long: try again; nothing was changed")
	case sqldb.FaultSerial:
		return errs.Wrap(err, errs.Unavailable, "database.contended",
			"the database undid the write, since others hold what it changes: try again; nothing was changed")
	case sqldb.FaultValue:
		return errs.Wrap(err, errs.Invalid, "database.value",
			"a text is too long for the database or holds a character that it cannot keep; nothing was changed")
	case sqldb.FaultDenied:
		return errs.Wrap(err, errs.Unavailable, "database.denied",
			"the database server refuses the user, or what it has to do: check name, password and rights of the setting database")
	case sqldb.FaultOther:
	}
	if errors.Is(err, sqldb.ErrUnfit) {
		return errs.Wrap(err, errs.Unavailable, "database.unfit", err.Error())
	}
	return err
}
