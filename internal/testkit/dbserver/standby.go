package dbserver

import (
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"sextant/sdk/go/sqldb"
)

// Standby starts a PostgreSQL server that follows this one, which a test has of its own.
// With synchronous nothing is acknowledged that it does not have.
func (s *Server) Standby(t testing.TB, synchronous bool) *Server {
	t.Helper()
	f := &Server{Kind: s.Kind, keep: true}
	var err error
	if f.dir, err = os.MkdirTemp("", "sextant-"+string(sqldb.Postgres)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if f.admin != nil {
			_ = f.admin.Close()
		}
		f.Stop(t, syscall.SIGKILL)
		_ = os.RemoveAll(f.dir)
	})
	if err := f.become("postgres"); err != nil {
		t.Fatal(err)
	}
	copying := filepath.Join(filepath.Dir(s.args[0]), "pg_basebackup")
	if err := f.once(copying, "-h", s.dir, "-U", "postgres", "-D", "data", "-R", "-X", "stream", "-c", "fast", "--no-sync"); err != nil {
		t.Fatal(err)
	}
	for _, arg := range s.args {
		if arg == s.dir { // its socket
			arg = f.dir
		}
		f.args = append(f.args, arg)
	}
	f.Start(t)
	if synchronous { // after the copy, which waits for nobody
		for _, text := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
			if _, err := s.admin.ExecContext(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
	}
	return f
}

// Promote makes a standby a server of its own.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	var done bool
	if err := s.admin.QueryRowContext(t.Context(), "SELECT pg_promote(true, 60)").Scan(&done); err != nil || !done {
		t.Fatalf("the standby is not promoted: %t, %v", done, err)
	}
}

// Pair leads over two lines to the database of an address, wherever it can be written.
func Pair(t testing.TB, address string, one, other *Line) string {
	t.Helper()
	u, err := url.Parse(one.Address(t, address))
	if err != nil {
		t.Fatal(err)
	}
	u.Host += "," + other.listen.Addr().String()
	return u.String()
}
