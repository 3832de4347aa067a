package sqldb

import (
	"database/sql"
	"time"
)

// OpenHasty is Open with another silence.
func OpenHasty(address string, silence time.Duration) (*sql.DB, error) {
	db, _, err := lines{silence}.open(address, false)
	return db, err
}
