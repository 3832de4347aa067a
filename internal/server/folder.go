package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// dataFormat is the form of the data folder that this program writes.
const dataFormat = 1

// folder is the data folder, held by one server at a time.
type folder struct {
	root string
	lock *os.File
	used bool // a first start was completed in it
	away bool // its database is on a server
	made bool // its key was made by this start
}

// openFolder makes or takes the data folder. One that another server uses, or a
// newer program has written, is refused and not touched.
func openFolder(root string) (*folder, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("data: the folder cannot be made: %w", err)
	}
	if err := errors.Join(checkMode(root), checkFormat(root)); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(root, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data: the folder cannot be written: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil,
			errors.Join(fmt.Errorf("data: another server uses the folder %s: stop it, or set another folder with --data", root), lock.Close())
	}
	f := &folder{root: root, lock: lock}
	for _, sub := range []string{"keys", "blobs", "plugins", "run", "output"} {
		if err := os.MkdirAll(f.path(sub), 0o700); err != nil {
			return nil, errors.Join(err, lock.Close())
		}
	}
	_, err = os.Stat(f.path("format"))
	f.used = err == nil
	return f, nil
}

// whole refuses a folder that has been used and whose database is gone: a new and
// empty platform in its place would look as if everything had been deleted.
func (f *folder) whole() error {
	if f.away {
		return nil // the database itself tells
	}
	if info, err := os.Stat(f.path("sextant.db")); f.used && (errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0) {
		return f.lost("its database sextant.db is missing or empty")
	}
	return nil
}

func (f *folder) lost(what string) error {
	return fmt.Errorf("data: a server has used the folder %s and %s: restore it from a backup, "+
		"or name another folder with --data to begin anew", f.root, what)
}

// fresh reports whether nothing was kept in the folder yet.
func (f *folder) fresh() bool {
	if f.away {
		return !f.used
	}
	info, err := os.Stat(f.path("sextant.db"))
	return !f.used && (err != nil || info.Size() == 0)
}

// key is the file of the master key. It is made before the database, and with it
// alone: a new one beside a database could open nothing of what is sealed there.
func (f *folder) key() (string, error) {
	file := f.path("keys", "master.key")
	_, err := os.Stat(file)
	f.made = errors.Is(err, fs.ErrNotExist)
	if f.made && !f.fresh() {
		return "", fmt.Errorf("data: the folder %s has a database and its key %s is missing, "+
			"without which no secret can be opened: restore the file from a backup", f.root, file)
	}
	return file, nil
}

// belongs refuses a database on a server that is not the folder's: an empty one
// for a folder with a platform, and a used one for a folder that has just made its
// key, with which nothing in the database can be opened.
func (f *folder) belongs(first bool) error {
	switch {
	case f.used && first:
		return fmt.Errorf("data: a server has used the folder %s and this database is empty: "+
			"copy the platform into it first with sextant database copy, or name another folder with --data to begin anew", f.root)
	case f.made && !first:
		if err := os.Remove(f.path("keys", "master.key")); err != nil {
			return err
		}
		return fmt.Errorf("data: a server with another folder has used the database, and the folder %s has no keys/master.key, "+
			"without which no secret can be opened: restore the folder from a backup, or name an empty database", f.root)
	}
	return nil
}

// checkMode refuses a folder in which every user of the machine could put files
// in place of the platform's.
func checkMode(root string) error {
	info, err := os.Stat(root)
	if err == nil && info.Mode().Perm()&0o002 != 0 {
		err = fmt.Errorf("data: every user of this machine can write to the folder %s (mode %04o): chmod 700 %s", root, info.Mode().Perm(), root)
	}
	return err
}

func checkFormat(root string) error {
	data, err := os.ReadFile(filepath.Join(root, "format"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return fmt.Errorf("data: the file format in %s holds %.40q and no number: this is no data folder of sextant, or it is damaged",
			root, data)
	}
	if n > dataFormat {
		return fmt.Errorf("data: the folder %s has format %d, written by a newer sextant; this one knows up to %d: use the newer program",
			root, n, dataFormat)
	}
	return nil
}

// settled notes that the first start is complete.
func (f *folder) settled() error {
	if f.used {
		return nil
	}
	return os.WriteFile(f.path("format"), []byte(strconv.Itoa(dataFormat)+"\n"), 0o600)
}

func (f *folder) path(parts ...string) string {
	return filepath.Join(append([]string{f.root}, parts...)...)
}

// private makes a file that only its owner can read, or makes it so.
func (f *folder) private(name string) error {
	file, err := os.OpenFile(f.path(name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(file.Chmod(0o600), file.Close())
}

func (f *folder) close() error { return f.lock.Close() }
