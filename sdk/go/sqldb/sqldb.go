// Package sqldb opens SQL databases the way Sextant wants them and migrates
// them. Plugins and platform share it, so that the settings durability rests
// on are written down once.
//
// SQL is written once, in the subset that SQLite, PostgreSQL, MariaDB and MySQL
// share, with ? for values; what a dialect writes otherwise is rendered here:
// placeholders, "ON CONFLICT (…) DO …", the types of migrations. Every
// connection has the same settings: READ COMMITTED, UTC, strict, and texts that
// are compared by their bytes.
//
// SQLite databases run in WAL mode with synchronous=FULL: a commit that was
// acknowledged survives a power cut, not only the end of the process.
package sqldb

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Dialect names the SQL dialect of a database.
type Dialect string

// The dialects. SQLite is the embedded default.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
	// MySQL is that of MariaDB too.
	MySQL Dialect = "mysql"
	// MariaDB is no dialect of its own, but for the types of migrations.
	MariaDB Dialect = "mariadb"
)

// Fault is what a database error means to its caller.
type Fault int

// The faults that callers tell apart.
const (
	// FaultOther is any error without a meaning of its own here.
	FaultOther Fault = iota
	// FaultConflict is a violated uniqueness constraint.
	FaultConflict
	// FaultFull means that the disk is full.
	FaultFull
	// FaultReadOnly means that the database cannot be written.
	FaultReadOnly
	// FaultIO means that the disk failed; what was being written is in doubt.
	FaultIO
	// FaultCorrupt means that the file is damaged or no database.
	FaultCorrupt
	// FaultBusy means that another process holds the database.
	FaultBusy
	// FaultAway means that the server cannot be reached, or that the connection
	// broke. A commit that ended so may have happened.
	FaultAway
	// FaultSerial means that the transaction met another one and was undone: it may
	// be done again.
	FaultSerial
	// FaultValue means that a value is longer than its column, or holds what a text
	// cannot.
	FaultValue
	// FaultDenied means that the server does not let this user do it, or not in.
	FaultDenied
	// FaultTimeout means that the server took too long and gave up.
	FaultTimeout
)

// ErrURL is returned for a database address that is not understood.
var ErrURL = errors.New("database address not understood")

// forms is how an address is written.
const forms = "want sqlite:<file>, postgres://user:password@host:5432/database or mysql://user:password@host:3306/database"

// Open opens the database at address:
//
//	sqlite:<file>
//	postgres://user:password@host:5432/database?sslmode=verify-full
//	mysql://user:password@host:3306/database?tls=true
//
// Of a PostgreSQL server with standbys all are named, each with its port: the one that
// can be written is looked for (host1:5432,host2:5432).
//
// A socket is named by ?host=/folder with PostgreSQL and ?socket=/file with
// MySQL. With readOnly the connections cannot write. No connection is made yet.
//
// Returns ErrURL if the address has none of the forms.
func Open(address string, readOnly bool) (*sql.DB, Dialect, error) {
	return lines{silence}.open(address, readOnly)
}

func (l lines) open(address string, readOnly bool) (*sql.DB, Dialect, error) {
	scheme, rest, _ := strings.Cut(address, ":")
	switch {
	case scheme == "sqlite" && rest != "":
		db, err := openSQLite(rest, readOnly)
		return db, SQLite, err
	case scheme == "postgres" || scheme == "postgresql":
		db, err := openPostgres(address, readOnly, l)
		return pooled(db), Postgres, err
	case scheme == "mysql" || scheme == "mariadb":
		db, err := openMySQL(address, readOnly, l)
		return pooled(db), MySQL, err
	}
	return nil, "", fmt.Errorf("%w: %s; %s", ErrURL, Redact(address), forms)
}

// pooled bounds the connections to a server.
func pooled(db *sql.DB) *sql.DB {
	if db != nil {
		db.SetMaxOpenConns(8)
		db.SetMaxIdleConns(8)
		db.SetConnMaxIdleTime(5 * time.Minute)
	}
	return db
}

// Redact gives an address as it may be shown: without the password. Of a form
// that it does not know nothing is shown.
func Redact(address string) string {
	if file, ok := strings.CutPrefix(address, "sqlite:"); ok {
		return "sqlite:" + file
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" && u.Path == "" || u.Scheme == "" || u.Opaque != "" {
		return "(unreadable)"
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if u.User != nil {
		shown.User = url.User(u.User.Username())
	}
	q := u.Query()
	for _, place := range []string{"host", "socket", "search_path"} {
		if v := q.Get(place); v != "" {
			shown.RawQuery = url.Values{place: {v}}.Encode()
		}
	}
	return shown.String()
}

// Classify says what a database error means.
func Classify(err error) Fault {
	if err == nil {
		return FaultOther
	}
	for _, classify := range []func(error) (Fault, bool){classifySQLite, classifyPostgres, classifyMySQL, classifyNet} {
		if fault, ok := classify(err); ok {
			return fault
		}
	}
	return FaultOther
}
