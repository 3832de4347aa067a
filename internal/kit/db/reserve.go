package db

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"sextant/internal/kit/errs"
	"sextant/sdk/go/sqldb"
)

const (
	share    = 4         // a reserve takes at most a quarter of what is free
	smallest = 512 << 10 // bytes below which a reserve is of no use
)

// reserve is disk space that is given up when the disk is full, so that what must
// work then can still be written.
type reserve struct {
	file string
	size int64
	mu   sync.Mutex
}

// Reserve keeps up to size bytes of the disk in a file. When the disk is full the
// file goes: from then on only urgent writes are taken, until there is room for
// it again and some more. On a disk with little space there is none.
func (d *DB) Reserve(file string, size int64) {
	if info, err := os.Stat(file); err == nil && info.Size() > 0 {
		d.reserve.file, d.reserve.size = file, info.Size()
		return
	}
	if size = min(size, free(filepath.Dir(file))/share); size < smallest {
		return
	}
	d.reserve.file, d.reserve.size = file, size
	if !d.reserve.keep() {
		d.reserve.file = ""
	}
}

func (r *reserve) keep() bool {
	f, err := os.OpenFile(r.file, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = errors.Join(allocate(f, r.size), f.Close())
	}
	if err != nil {
		r.spend()
	}
	return err == nil
}

func (r *reserve) spend() { _ = os.Remove(r.file) } // it is there or not

// again makes the reserve anew where there is room for it and a quarter more.
func (r *reserve) again() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return free(filepath.Dir(r.file)) >= r.size+r.size/share && r.keep()
}

// free tells how much room a file system has for this process.
func free(dir string) int64 {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0
	}
	return int64(fs.Bavail) * fs.Bsize
}

type urgentKey struct{}

// Urgent returns a context whose writes are taken on a full disk too: to log in,
// to stop everything.
func Urgent(ctx context.Context) context.Context { return context.WithValue(ctx, urgentKey{}, true) }

// Trouble says why nothing can be written now; nil when writes are taken.
func (d *DB) Trouble() error {
	if err := d.failed(); err != nil {
		return err
	}
	if d.low.Load() {
		return errFull()
	}
	if p := d.refused.Load(); p != nil {
		return *p
	}
	if len(d.queue) == cap(d.queue) {
		return errBusy()
	}
	return nil
}

func errFull() error {
	return errs.New(errs.Full, "database.full", "the database's disk is full: free some space; nothing was changed")
}

func errBusy() error {
	return errs.New(errs.Exhausted, "database.busy", "too many writes are waiting; try again shortly")
}

// Mend looks whether what stopped the writing is over. It is called now and then
// while there is Trouble.
func (d *DB) Mend(ctx context.Context) {
	if d.low.Load() {
		d.roomAgain()
	}
	if d.refused.Load() == nil || d.dialect != sqldb.SQLite && errs.As(*d.refused.Load()).Code == "database.away" { // that ends by itself
		return
	}
	_ = d.Do(Urgent(ctx), func(tx *Tx) error { // a write that changes nothing; note takes down how it went
		if d.dialect != sqldb.SQLite {
			return nil
		}
		_, err := tx.Exec("PRAGMA user_version = 0")
		return err
	})
}

// roomAgain reports whether a full disk has room again.
func (d *DB) roomAgain() bool {
	if d.reserve.again() {
		d.low.Store(false)
		return true
	}
	return false
}

// note takes down how a write went. It reports whether the reserve was given up
// for it, so that an urgent one may be tried again.
func (d *DB) note(err error) (again bool) {
	switch {
	case err == nil:
		if d.refused.Load() != nil {
			d.refused.Store(nil)
		}
	case errs.As(err).Code == "database.read_only":
		d.refused.Store(&err)
	case errs.As(err).Code == "database.full" && d.reserve.file != "" && !d.low.Swap(true):
		d.reserve.spend()
		return true
	}
	return false
}

func allocateByWriting(f *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros, at); err != nil {
			return fmt.Errorf("reserve: %w", err)
		}
	}
	return nil
}
