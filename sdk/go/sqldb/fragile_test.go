package sqldb_test

import (
	"slices"
	"testing"

	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/sqldb"
)

// A server that would lose in a power cut what it acknowledged is told; those of tests
// are such, since they have no time.
func TestServersThatForgetAreTold(t *testing.T) {
	t.Parallel()
	for kind, want := range map[sqldb.Dialect][]string{
		sqldb.Postgres: {"fsync is off and should be on", "full_page_writes is off and should be on"},
		sqldb.MySQL:    {"innodb_flush_log_at_trx_commit is 2 and should be 1"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			db, dialect, err := sqldb.Open(dbserver.Fresh(t, kind), true)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			got, err := sqldb.Fragile(t.Context(), db, dialect)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%q, %v; want %q", got, err, want)
			}
			address, stop, err := dbserver.Synced(kind)
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
			safe, _, err := sqldb.Open(address, true)
			if err != nil {
				t.Fatal(err)
			}
			defer safe.Close()
			if got, err := sqldb.Fragile(t.Context(), safe, dialect); err != nil || len(got) > 0 {
				t.Errorf("of one that syncs: %q, %v", got, err)
			}
		})
	}
}
