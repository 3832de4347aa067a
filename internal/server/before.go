package server

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"sextant/sdk/go/sqldb"
)

// beforeDir keeps the database as it was before the last migration.
const beforeDir = "before"

// unfinished is the file in beforeDir that names the copy whose migration has not
// come to its end: tried again, it takes no second copy of what it has half changed.
const unfinished = "unfinished"

// copied are the files of the database that lies in the data folder.
func copied() []string { return []string{"sextant.db", "sextant.db-wal"} }

// beforeUpgrade is a copy of the database of an older version.
//
//	copy ─► its name is noted as unfinished ─► migrations ─► older copies and the note go
type beforeUpgrade struct{ dir, name string }

// copyBefore copies the database of a folder that was used, if this program is about
// to migrate it. The folder is held and no database is open yet. It returns an error
// if there is no room for the copy.
func (s *Server) copyBefore(ctx context.Context) (*beforeUpgrade, error) {
	b := &beforeUpgrade{dir: s.folder.path(beforeDir)}
	if !s.folder.used || s.folder.away { // of a database on a server its owner makes a dump
		return b, nil
	}
	if name, err := os.ReadFile(filepath.Join(b.dir, unfinished)); err == nil {
		b.name = string(name)
		return b, nil
	}
	u := &Upgrade{Folder: s.folder.root}
	if err := u.look(ctx, ""); sqldb.Classify(err) == sqldb.FaultCorrupt {
		return b, nil // opened in a moment, the database says so itself
	} else if err != nil {
		return nil, fmt.Errorf("database: the versions of its tables: %w", err)
	}
	if len(u.Copies) == 0 {
		return b, nil
	}
	free, err := freeBytes(s.folder.root)
	if err == nil && u.Room > free {
		err = noRoom(s.folder.root, u.Room, free)
	}
	if err != nil {
		return nil, err
	}
	for _, d := range u.Domains {
		b.name = max(b.name, strconv.FormatInt(d.Now, 10)) // all have twelve digits, or are 0
	}
	if err := b.take(s.folder.root, u.Copies); err != nil {
		return nil, fmt.Errorf("data: the copy before the upgrade: %w", err)
	}
	s.Log.InfoContext(ctx, "the database was copied before its tables are migrated", "to", filepath.Join(b.dir, b.name), "bytes", u.Room)
	return b, nil
}

// take copies files into a folder of their own, which has its name once it is whole
// and on the disk.
func (b *beforeUpgrade) take(root string, files []string) error {
	part, whole := filepath.Join(b.dir, "part"), filepath.Join(b.dir, b.name)
	if err := errors.Join(os.RemoveAll(part), os.RemoveAll(whole), os.MkdirAll(part, 0o700)); err != nil {
		return err
	}
	for _, name := range files {
		if err := copyTo(filepath.Join(root, name), filepath.Join(part, name)); err != nil {
			return err
		}
	}
	if err := errors.Join(syncDir(part), os.Rename(part, whole)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.dir, unfinished), []byte(b.name), 0o600); err != nil {
		return err
	}
	return syncDir(b.dir)
}

func copyTo(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// done keeps this copy alone, now that the migration has succeeded.
func (b *beforeUpgrade) done() error {
	if b.name == "" {
		return nil
	}
	all, err := os.ReadDir(b.dir)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	for _, e := range all {
		if e.Name() != b.name {
			err = errors.Join(err, os.RemoveAll(filepath.Join(b.dir, e.Name())))
		}
	}
	if err != nil {
		return fmt.Errorf("data: older copies of the database: %w", err)
	}
	return nil
}

func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("room of %s: %w", dir, err)
	}
	return int64(s.Bavail) * s.Bsize, nil
}

func noRoom(root string, room, free int64) error {
	const mib = 1 << 20
	return fmt.Errorf("data: the upgrade copies the database of the folder %s first, which takes %d MiB, and %d MiB are free: make room",
		root, (room+mib-1)/mib, free/mib)
}

// openToLook opens a SQLite file so that nothing of it changes. Where no log stands
// beside it nobody has it open, and it is read as it lies there.
func openToLook(file string) (*sql.DB, sqldb.Dialect, error) {
	q := url.Values{"mode": {"ro"}, "_pragma": {"query_only(1)", "busy_timeout(10000)"}}
	if _, err := os.Stat(file + "-wal"); errors.Is(err, fs.ErrNotExist) {
		q.Set("immutable", "1")
	} else if err != nil {
		return nil, "", err
	}
	if _, err := os.Stat(file); err != nil {
		return nil, "", err
	}
	address := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: q.Encode()}).String()
	d, err := sql.Open("sqlite", address)
	if err != nil {
		return nil, "", errors.New(strings.ReplaceAll(err.Error(), address, file))
	}
	d.SetMaxOpenConns(1)
	return d, sqldb.SQLite, nil
}
