// Package dbserver starts real PostgreSQL and MariaDB servers for tests, from
// Debian's packages, and makes databases on them.
//
// A server has a folder, a user and a socket of its own and is reached by nobody
// else. The tests of a process share one of each kind; it ends with the process,
// however that ends. Tests that harm a server start one of their own.
package dbserver

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sextant/sdk/go/sqldb"
)

// variable chooses the database of tests: sqlite, postgres or mysql.
const variable = "SEXTANT_TEST_DATABASE"

// inherited is the address of the one database of a process that a test started.
const inherited = "SEXTANT_TEST_ADDRESS"

// Inherit gives what a process that a test starts needs in its environment to use
// the database that stands for a file here.
func Inherit(t testing.TB, file string) []string {
	t.Helper()
	if Chosen(t) == sqldb.SQLite {
		return nil
	}
	return []string{inherited + "=" + Address(t, file)}
}

// Kinds are the values of SEXTANT_TEST_DATABASE.
func Kinds() []sqldb.Dialect {
	return []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres, sqldb.MySQL}
}

// Chosen is the kind of database that SEXTANT_TEST_DATABASE asks for.
func Chosen(t testing.TB) sqldb.Dialect {
	t.Helper()
	switch kind := os.Getenv(variable); kind {
	case "", "sqlite":
		return sqldb.SQLite
	case "postgres":
		return sqldb.Postgres
	case "mysql":
		return sqldb.MySQL
	default:
		t.Fatalf("%s is %q: set sqlite, postgres or mysql", variable, kind)
		return ""
	}
}

// Address gives the address of a database: of the file itself, or, where
// SEXTANT_TEST_DATABASE asks for a server, of a database that stands for the
// file in this process. It is gone when the test ends.
func Address(t testing.TB, file string) string {
	t.Helper()
	kind := Chosen(t)
	if kind == sqldb.SQLite {
		return "sqlite:" + file
	}
	if given := os.Getenv(inherited); given != "" {
		return given
	}
	places.mu.Lock()
	defer places.mu.Unlock()
	if a, ok := places.by[file]; ok {
		return a
	}
	a := Fresh(t, kind)
	places.by[file] = a
	t.Cleanup(func() {
		places.mu.Lock()
		defer places.mu.Unlock()
		delete(places.by, file)
	})
	return a
}

// Setting is the setting database of a server with a data folder: empty for the
// file in it.
func Setting(t testing.TB, data string) string {
	t.Helper()
	if Chosen(t) == sqldb.SQLite {
		return ""
	}
	return Address(t, filepath.Join(data, "sextant.db"))
}

// OnSQLite skips a test of what only SQLite has.
func OnSQLite(t testing.TB, what string) {
	t.Helper()
	if kind := Chosen(t); kind != sqldb.SQLite {
		t.Skipf("%s: that is SQLite's alone, this is %s", what, kind)
	}
}

// Fresh makes an empty database of a kind and gives its address. It is gone when
// the test ends.
func Fresh(t testing.TB, kind sqldb.Dialect) string {
	t.Helper()
	if kind == sqldb.SQLite {
		return "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	}
	return Shared(t, kind).Fresh(t)
}

var (
	places = &struct {
		mu sync.Mutex
		by map[string]string
	}{by: map[string]string{}}
	shared = map[sqldb.Dialect]*struct {
		once   sync.Once
		server *Server
		err    error
	}{sqldb.Postgres: {}, sqldb.MySQL: {}}
)

// Server is a running server.
type Server struct {
	Kind   sqldb.Dialect
	dir    string
	admin  *sql.DB
	args   []string
	as     *syscall.Credential
	keep   bool // the folder outlives the process
	synced bool // it survives a power cut, which tests have no time for
	stdin  io.Closer
	cmd    *exec.Cmd
	mu     sync.Mutex
	number int
}

// Own starts a server for one test, which may stop and start it.
func Own(t testing.TB, kind sqldb.Dialect) *Server {
	t.Helper()
	s, err := start(kind, false)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		_ = s.admin.Close()
		s.Stop(t, syscall.SIGKILL)
		_ = os.RemoveAll(s.dir)
	})
	return s
}

// Synced starts a server that keeps what it acknowledged through a power cut, as those
// in use do, and gives the address of an empty database on it.
func Synced(kind sqldb.Dialect) (address string, stop func(), err error) {
	s, err := startAs(&Server{Kind: kind, synced: true})
	if err != nil {
		return "", nil, err
	}
	make := []string{"CREATE DATABASE bench OWNER sextant"}
	if kind == sqldb.MySQL {
		make = []string{"CREATE DATABASE bench", "GRANT ALL ON `bench`.* TO 'sextant'@'localhost'",
			"GRANT ALL ON `bench\\_%`.* TO 'sextant'@'localhost'"}
	}
	for _, text := range make {
		if _, err := s.admin.ExecContext(context.Background(), text); err != nil {
			return "", nil, fmt.Errorf("%s: %w", text, err)
		}
	}
	return s.Address("bench"), func() {
		_ = s.admin.Close()
		_ = s.stdin.Close() // its guard ends it
		_ = s.cmd.Wait()
	}, nil
}

// Socket is where the server listens.
func (s *Server) Socket() string {
	if s.Kind == sqldb.Postgres {
		return filepath.Join(s.dir, ".s.PGSQL.5432")
	}
	return filepath.Join(s.dir, "socket")
}

// Admin gives a connection that may do everything.
func (s *Server) Admin() *sql.DB { return s.admin }

// Fresh makes an empty database and gives its address, for a user who may do
// nothing beside it.
func (s *Server) Fresh(t testing.TB) string {
	t.Helper()
	s.mu.Lock()
	s.number++
	name := "t" + strconv.Itoa(s.number)
	s.mu.Unlock()
	make := []string{"CREATE DATABASE " + name + " OWNER sextant"}
	drop := []string{"DROP DATABASE " + name + " WITH (FORCE)"}
	if s.Kind == sqldb.MySQL {
		make = []string{"CREATE DATABASE " + name, "GRANT ALL ON `" + name + "`.* TO 'sextant'@'localhost'",
			"GRANT ALL ON `" + name + `\_%` + "`.* TO 'sextant'@'localhost'"}
		drop = []string{"DROP DATABASE " + name}
	}
	for _, text := range make {
		if _, err := s.admin.ExecContext(context.WithoutCancel(t.Context()), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // a commit may wait for a standby that is gone
		defer cancel()
		for _, text := range drop {
			_, _ = s.admin.ExecContext(ctx, text) // the whole server goes with the process
		}
	})
	return s.Address(name)
}

// Address is that of a database of the server.
func (s *Server) Address(name string) string {
	if s.Kind == sqldb.Postgres {
		return "postgres://sextant:secret@/" + name + "?host=" + s.dir
	}
	return "mysql://sextant:secret@/" + name + "?socket=" + s.Socket()
}

// Stop ends the server with a signal and waits for its end. One that is stopped
// stays so.
func (s *Server) Stop(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	pid, err := s.pid()
	if err != nil {
		t.Fatal(err)
	}
	var more []int
	if signal == syscall.SIGKILL { // as a machine that is gone: what works for connections goes, too
		more = children(pid)
	}
	_ = syscall.Kill(pid, signal) // it may have ended
	for _, child := range more {
		_ = syscall.Kill(child, signal)
	}
	for _, child := range more {
		for state, _ := about(child); state != "" && state != "Z"; state, _ = about(child) { // who reaps it may take its time
			<-time.After(time.Millisecond)
		}
	}
	_ = s.stdin.Close()
	_ = s.cmd.Wait() // ends as the server did
	s.cmd = nil
}

// children are the processes that a process has started and that still run.
func children(of int) (all []int) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	for _, f := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil {
			continue // no process
		}
		if _, parent := about(pid); parent == of {
			all = append(all, pid)
		}
	}
	return all
}

// about gives the state of a process and who started it; nothing once it is gone.
func about(pid int) (state string, parent int) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", 0
	}
	if _, err := fmt.Sscan(string(data[bytes.LastIndexByte(data, ')')+1:]), &state, &parent); err != nil {
		return "", 0
	}
	return state, parent
}

func (s *Server) pid() (int, error) {
	data, err := os.ReadFile(filepath.Join(s.dir, "child"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}

// Start starts a server that was stopped.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
}

func start(kind sqldb.Dialect, common bool) (*Server, error) {
	return startAs(&Server{Kind: kind, keep: !common})
}

func startAs(s *Server) (_ *Server, err error) {
	kind := s.Kind
	if s.dir, err = os.MkdirTemp("", "sextant-"+string(kind)); err != nil {
		return nil, err
	}
	prepare := map[sqldb.Dialect]func() error{sqldb.Postgres: s.initPostgres, sqldb.MySQL: s.initMariaDB}[kind]
	if err := prepare(); err != nil {
		return nil, err
	}
	if err := s.run(); err != nil {
		return nil, err
	}
	for _, text := range map[sqldb.Dialect][]string{
		sqldb.Postgres: {"CREATE ROLE sextant LOGIN PASSWORD 'secret'"},
		sqldb.MySQL:    {"CREATE USER 'sextant'@'localhost' IDENTIFIED BY 'secret'"},
	}[kind] {
		if _, err := s.admin.ExecContext(context.Background(), text); err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
	}
	return s, nil
}

// watch runs a server until its own input ends, which it does with the process
// that holds the other end.
const watch = `"$@" >log 2>&1 </dev/null & pid=$!; echo $pid >child; ` +
	`read -r _; kill -9 $pid 2>/dev/null; wait $pid; [ -n "$KEEP" ] || { cd /; rm -rf "$FOLDER"; }`

func (s *Server) run() error {
	s.cmd = exec.Command("sh", append([]string{"-c", watch, "sh"}, s.args...)...)
	s.cmd.Dir = s.dir
	s.cmd.Env = append(os.Environ(), "FOLDER="+s.dir, "TMPDIR="+s.dir)
	if s.keep {
		s.cmd.Env = append(s.cmd.Env, "KEEP=yes")
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: s.as}
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		return err
	}
	s.stdin = stdin
	if err := s.cmd.Start(); err != nil {
		return err
	}
	return s.await()
}

// await connects until the server answers.
func (s *Server) await() error {
	address := "postgres://postgres@/postgres?target_session_attrs=any&host=" + s.dir // a standby, too
	if s.Kind == sqldb.MySQL {
		address = "mysql://root@/mysql?socket=" + s.Socket()
	}
	if s.admin == nil {
		db, _, err := sqldb.Open(address, false)
		if err != nil {
			return err
		}
		s.admin = db
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.admin.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			said, _ := os.ReadFile(filepath.Join(s.dir, "log")) // for the message alone
			return fmt.Errorf("%s does not answer: %w\n%s", s.Kind, err, said)
		case <-tick.C:
		}
	}
}

// become lets what is started run as a user of its own, where the test runs as
// root, which servers refuse.
func (s *Server) become(name string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return fmt.Errorf("the user %s is not here: install the server with .ci/packages: %w", name, err)
	}
	uid, _ := strconv.Atoi(u.Uid) // numbers on every Unix
	gid, _ := strconv.Atoi(u.Gid)
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.dir, uid, gid)
}

func (s *Server) initPostgres() error {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the form is right
	if len(found) == 0 {
		return fmt.Errorf("PostgreSQL is not here: .ci/packages postgresql installs it")
	}
	bin := filepath.Dir(found[len(found)-1])
	if err := s.become("postgres"); err != nil {
		return err
	}
	// Its own texts are ordered by a language, as on many machines: the platform's are not.
	if err := s.once(filepath.Join(bin, "initdb"), "-D", "data", "-U", "postgres",
		"-A", "trust", "-E", "UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en", "--no-sync"); err != nil {
		return err
	}
	s.args = []string{filepath.Join(bin, "postgres"), "-D", "data", "-k", s.dir}
	sync := "fsync=off"
	if s.synced {
		sync = "fsync=on"
	}
	for _, setting := range []string{"listen_addresses=", sync, "full_page_writes=" + strings.TrimPrefix(sync, "fsync="),
		"max_connections=600", "shared_buffers=64MB", "max_wal_size=512MB", "unix_socket_permissions=0777", "timezone=Asia/Shanghai",
		"default_transaction_isolation=repeatable read"} {
		s.args = append(s.args, "-c", setting)
	}
	return nil
}

func (s *Server) initMariaDB() error {
	bin, err := exec.LookPath("mariadbd")
	if err != nil {
		bin, err = exec.LookPath("/usr/sbin/mariadbd")
	}
	if err != nil {
		return fmt.Errorf("MariaDB is not here: .ci/packages mariadb-server installs it")
	}
	if err := s.become("mysql"); err != nil {
		return err
	}
	if err := s.once("mariadb-install-db", "--no-defaults", "--datadir="+filepath.Join(s.dir, "data"),
		"--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=64M"); err != nil {
		return err
	}
	flush, doublewrite := "2", "0"
	if s.synced {
		flush, doublewrite = "1", "1"
	}
	s.args = []string{bin, "--no-defaults", "--datadir=" + filepath.Join(s.dir, "data"),
		"--socket=" + s.Socket(), "--pid-file=" + filepath.Join(s.dir, "pid"), "--skip-networking", "--skip-log-bin",
		"--tmpdir=" + s.dir, // else a server that starts removes what another one has there
		"--innodb-flush-log-at-trx-commit=" + flush, "--innodb-buffer-pool-size=128M",
		"--innodb-log-file-size=64M", "--innodb-doublewrite=" + doublewrite, "--max-connections=600", "--performance-schema=off",
		"--character-set-server=latin1", "--collation-server=latin1_swedish_ci", "--default-time-zone=+08:00", "--sql-mode="}
	return nil
}

func (s *Server) once(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, &out, &out
	cmd.Env = append(os.Environ(), "TMPDIR="+s.dir) // servers that are made at once share no temporary tables
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out.String())
	}
	return nil
}
