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
	Copies   []string `json:"copies"`
	Room     int64    `json:"room"`
	Free     int64    `json:"free"`
	database string   // the address of one on a server
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
	u = &Upgrade{Folder: root, database: c.Database, Knows: dataFormat, Copies: []string{}, Domains: []DomainVersion{}}
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
	if err := u.look(ctx); err != nil {
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

// look reads the versions of all tables, and what would be copied.
func (u *Upgrade) look(ctx context.Context) error {
	if u.database != "" { // who keeps the server keeps its backups
		d, dialect, err := sqldb.Open(u.database, true)
		if err != nil {
			return err
		}
		_, err = u.versions(ctx, d, dialect, "", migrations())
		return errors.Join(err, d.Close())
	}
	pending, err := u.versionsIn(ctx, filepath.Join(u.Folder, "sextant.db"), "", migrations())
	if err != nil {
		return err
	}
	if pending {
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
		if _, err := u.versionsIn(ctx, file, "plugin "+b.name+": ", []migration{{objectstore.Domain, objectstore.Migrations()}}); err != nil {
			return err
		}
	}
	return nil
}

// versionsIn is versions of a file.
func (u *Upgrade) versionsIn(ctx context.Context, file, prefix string, all []migration) (bool, error) {
	d, err := openToLook(file)
	if err != nil {
		return false, err
	}
	pending, err := u.versions(ctx, d, sqldb.SQLite, prefix, all)
	return pending, errors.Join(err, d.Close())
}

// versions reads those of one database, and reports whether migrations are pending.
func (u *Upgrade) versions(ctx context.Context, d *sql.DB, dialect sqldb.Dialect, prefix string, all []migration) (pending bool, err error) {
	for _, m := range all {
		applied, err := sqldb.Applied(ctx, d, dialect, m.domain)
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
