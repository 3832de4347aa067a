package server

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"sextant/internal/config"
	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/sqldb"
)

// Upgrade is what a start of this program would do to a data folder.
type Upgrade struct {
	// Folder is the data folder; Format the number of its form, Knows that of this
	// program.
	Folder string `json:"folder"`
	Format int    `json:"format"`
	Knows  int    `json:"knows"`
	// Running tells that a server uses the folder now.
	Running bool `json:"running"`
	// Domains are the parts whose tables differ in version, or all of them.
	Domains []DomainVersion `json:"domains"`
	// Copies are the files that are copied before the first table is touched, Room
	// the bytes that they need and Free those that the disk has.
	Copies []string `json:"copies"`
	Room   int64    `json:"room"`
	Free   int64    `json:"free"`
	// Refused says why this program would not start on the folder; empty if it would.
	Refused string `json:"refused,omitempty"`
}

// DomainVersion is one domain's tables: the version that they have, the version that
// this program wants, and the migrations between.
type DomainVersion struct {
	Domain  string   `json:"domain"`
	Now     int64    `json:"now"`
	Wanted  int64    `json:"wanted"`
	Pending []string `json:"pending"`
}

// Needed reports whether anything would be migrated.
func (u *Upgrade) Needed() bool {
	return u.Format < u.Knows || slices.ContainsFunc(u.Domains, func(d DomainVersion) bool { return len(d.Pending) > 0 })
}

var migrationName = regexp.MustCompile(`^(\d{12})_\w+\.sql$`)

// CheckUpgrade says what a start of this program would do to a data folder. It
// changes nothing and works beside a server that runs. It returns an error if the
// folder has not been used by a server or cannot be read.
func CheckUpgrade(ctx context.Context, c config.Config) (u *Upgrade, err error) {
	root := c.Data
	u = &Upgrade{Folder: root, Knows: dataFormat, Copies: []string{}, Domains: []DomainVersion{}}
	data, err := os.ReadFile(filepath.Join(root, "format"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data: no server has used the folder %s: name its folder with --data", root)
	}
	if err == nil {
		u.Format, err = strconv.Atoi(strings.TrimSpace(string(data)))
	}
	if err != nil {
		return nil, fmt.Errorf("data: the file format in %s: %w", root, err)
	}
	if u.Running, err = inUse(root); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	if u.Format > dataFormat {
		u.Refused = fmt.Sprintf("the folder has format %d, written by a newer sextant; this one knows up to %d", u.Format, dataFormat)
	}
	if err := u.look(ctx, c.Database); err != nil {
		return nil, fmt.Errorf("data: the versions of the tables in %s: %w", root, err)
	}
	if u.Free, err = freeBytes(root); err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	if u.Refused == "" && u.Room > u.Free {
		u.Refused = noRoom(root, u.Room, u.Free).Error()
	}
	return u, nil
}

// inUse reports whether a server holds the folder's lock.
func inUse(root string) (bool, error) {
	lock, err := os.Open(filepath.Join(root, "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer lock.Close()
	// Shared, so that two who look do not take each other for a server.
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// look reads the versions of all tables, and what would be copied: of a database on a
// server nothing.
func (u *Upgrade) look(ctx context.Context, server string) error {
	here := func() (*sql.DB, sqldb.Dialect, error) { return openToLook(filepath.Join(u.Folder, "sextant.db")) }
	if server != "" {
		here = func() (*sql.DB, sqldb.Dialect, error) { return sqldb.Open(server, true) }
	}
	pending, err := u.versions(ctx, here, "", migrations())
	if err != nil {
		return err
	}
	if pending && server == "" {
		for _, name := range copied() {
			if info, err := os.Stat(filepath.Join(u.Folder, name)); err == nil {
				u.Copies, u.Room = append(u.Copies, name), u.Room+info.Size()
			}
		}
	}
	for _, b := range builtins() {
		file := filepath.Join(u.Folder, "plugins", b.name, "db", "plugin.db")
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		of := func() (*sql.DB, sqldb.Dialect, error) { return openToLook(file) }
		if _, err := u.versions(ctx, of, "plugin "+b.name+": ", []migration{{objectstore.Domain, objectstore.Migrations()}}); err != nil {
			return err
		}
	}
	return nil
}

// versions reads those of one database, and reports whether migrations are pending.
func (u *Upgrade) versions(ctx context.Context, open func() (*sql.DB, sqldb.Dialect, error),
	prefix string, all []migration) (pending bool, err error) {
	database, dialect, err := open()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	for _, m := range all {
		applied, err := appliedTo(ctx, database, dialect, m.domain)
		if err != nil {
			return false, err
		}
		v, err := between(m.files, applied)
		if err != nil {
			return false, err
		}
		v.Domain = prefix + m.domain
		u.Domains = append(u.Domains, v)
		pending = pending || len(v.Pending) > 0
		if unknown := slices.ContainsFunc(applied, func(n int64) bool { return n > v.Wanted }); unknown && u.Refused == "" {
			u.Refused = fmt.Sprintf("the tables of %s have version %d, made by a newer sextant; this one knows up to %d", v.Domain, v.Now, v.Wanted)
		}
	}
	return pending, nil
}

// between compares the migrations of a domain with those that were applied.
func between(files fs.FS, applied []int64) (DomainVersion, error) {
	v := DomainVersion{Pending: []string{}}
	if len(applied) > 0 {
		v.Now = slices.Max(applied)
	}
	err := fs.WalkDir(files, "migrations", func(p string, d fs.DirEntry, err error) error {
		m := migrationName.FindStringSubmatch(path.Base(p))
		if err != nil || m == nil {
			return err
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return err
		}
		v.Wanted = max(v.Wanted, n)
		name := strings.TrimSuffix(m[0], ".sql")
		if !slices.Contains(applied, n) && !slices.Contains(v.Pending, name) { // a dialect may have its own text
			v.Pending = append(v.Pending, name)
		}
		return nil
	})
	slices.Sort(v.Pending)
	return v, err
}

// appliedTo are the migrations that a domain's tables have had.
func appliedTo(ctx context.Context, database *sql.DB, dialect sqldb.Dialect, domain string) (all []int64, err error) {
	tables := map[sqldb.Dialect]string{
		sqldb.SQLite:   "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?",
		sqldb.Postgres: "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = ?",
		sqldb.MySQL:    "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?",
	}
	var there int
	if err := database.QueryRowContext(ctx, tables[dialect], domain+"_version").Scan(&there); err != nil || there == 0 {
		return nil, err
	}
	rows, err := database.QueryContext(ctx, "SELECT version_id FROM "+domain+"_version WHERE version_id > 0 ORDER BY version_id LIMIT 10000")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, rows.Err()
}
