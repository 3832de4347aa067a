// Package sqldb opens SQL databases the way Sextant wants them and migrates
// them. Plugins and platform share it, so that the settings durability rests
// on are written down once.
//
// SQLite databases run in WAL mode with synchronous=FULL: a commit that was
// acknowledged survives a power cut, not only the end of the process.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"modernc.org/sqlite" // registers the driver "sqlite" and carries its error type
	sqlite3 "modernc.org/sqlite/lib"
)

// Dialect names the SQL dialect of a database.
type Dialect string

// SQLite is the embedded default. The subset of SQL in use is the one that
// MySQL and PostgreSQL share with it, so that they can stand beside it.
const SQLite Dialect = "sqlite"

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
)

// ErrURL is returned for a database address that is not understood.
var ErrURL = errors.New("database address not understood")

// Open opens the database at address, which is "sqlite:" and a file path. With
// readOnly the connections cannot write.
func Open(address string, readOnly bool) (*sql.DB, Dialect, error) {
	path, ok := strings.CutPrefix(address, "sqlite:")
	if !ok || path == "" {
		return nil, "", fmt.Errorf("%w: %q; want sqlite:<file>", ErrURL, redact(address))
	}
	db, err := sql.Open("sqlite", dsn(path, readOnly))
	if err != nil {
		return nil, "", fmt.Errorf("open %s: %w", path, err)
	}
	return db, SQLite, nil
}

func dsn(path string, readOnly bool) string {
	q := url.Values{}
	for _, p := range []string{"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(10000)", "foreign_keys(OFF)", "cache_size(-4000)", "journal_size_limit(16777216)"} {
		q.Add("_pragma", p)
	}
	if readOnly {
		q.Add("_pragma", "query_only(1)")
	} else { // what a savepoint would put back lies in memory, not in a file of its own
		q.Add("_pragma", "temp_store(MEMORY)")
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// redact removes a password from a database address, for messages. Of a form
// that it does not know nothing is shown.
func redact(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "(unreadable)"
	}
	return u.Redacted()
}

// Classify says what a database error means.
func Classify(err error) Fault {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return FaultOther
	}
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT:
		switch se.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
			return FaultConflict
		}
		return FaultOther // a missing value and the like is a mistake in code, no conflict
	case sqlite3.SQLITE_FULL:
		return FaultFull
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return FaultReadOnly
	case sqlite3.SQLITE_IOERR:
		if se.Code() == sqlite3.SQLITE_IOERR_SHMSIZE { // the index of the log finds no space to grow
			return FaultFull
		}
		return FaultIO
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return FaultCorrupt
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return FaultBusy
	}
	return FaultOther
}

// Migrate brings the tables of one domain up to date. The files of fsys are
// named YYYYMMDDHHMM_<verb>.sql; each domain keeps a version table of its own,
// <domain>_version. Migrations go forward only.
func Migrate(ctx context.Context, db *sql.DB, dialect Dialect, domain string, fsys fs.FS) error {
	store, err := database.NewStore(gooseDialect(dialect), domain+"_version")
	if err != nil {
		return fmt.Errorf("migrate %s: %w", domain, err)
	}
	provider, err := goose.NewProvider("", db, fsys, goose.WithStore(store), goose.WithDisableGlobalRegistry(true))
	if errors.Is(err, goose.ErrNoMigrations) {
		return fmt.Errorf("migrate %s: there are no migrations for the dialect %q", domain, dialect)
	}
	if err != nil {
		return fmt.Errorf("migrate %s: %w", domain, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", domain, err)
	}
	return nil
}

func gooseDialect(d Dialect) database.Dialect {
	return map[Dialect]database.Dialect{SQLite: database.DialectSQLite3}[d]
}
