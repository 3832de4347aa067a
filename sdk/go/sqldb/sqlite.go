package sqldb

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"

	"modernc.org/sqlite" // registers the driver "sqlite" and carries its error type
	sqlite3 "modernc.org/sqlite/lib"
)

func openSQLite(path string, readOnly bool) (*sql.DB, error) {
	if !readOnly { // a new one is read by its owner alone; one that is there keeps its rights
		if f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err == nil {
			_ = f.Close() // it is empty
		}
	}
	db, err := sql.Open("sqlite", dsn(path, readOnly))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

func dsn(path string, readOnly bool) string {
	q := url.Values{}
	for _, p := range []string{"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(10000)",
		"foreign_keys(OFF)", "cache_size(-4000)", "journal_size_limit(16777216)"} {
		q.Add("_pragma", p)
	}
	if readOnly {
		q.Add("_pragma", "query_only(1)")
	} else { // what a savepoint would put back lies in memory, not in a file of its own
		q.Add("_pragma", "temp_store(MEMORY)")
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func classifySQLite(err error) (Fault, bool) {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return FaultOther, false
	}
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT:
		switch se.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
			return FaultConflict, true
		}
		return FaultOther, true // a missing value and the like is a mistake in code, no conflict
	case sqlite3.SQLITE_FULL:
		return FaultFull, true
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return FaultReadOnly, true
	case sqlite3.SQLITE_IOERR:
		if se.Code() == sqlite3.SQLITE_IOERR_SHMSIZE { // the index of the log finds no space to grow
			return FaultFull, true
		}
		return FaultIO, true
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return FaultCorrupt, true
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return FaultBusy, true
	}
	return FaultOther, true
}
