package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/ncruces/go-sqlite3/driver" // SQLite over files of our own
	_ "github.com/ncruces/go-sqlite3/embed"
	"github.com/ncruces/go-sqlite3/vfs"

	"sextant/internal/kit/db"
)

const sector = 512

// disk is a disk whose power may be cut: of what was not synced any part may be lost,
// sector by sector.
type disk struct {
	mu    sync.Mutex
	files map[string]*image
	moves int // writes and syncs
	told  func(moves int)
}

// image is a file: what is surely on the disk, and what was written since.
type image struct {
	synced, now []byte
	pending     []change
}

// change is a write, or the cutting off of an end.
type change struct {
	off  int64
	data []byte
	size int64 // of a truncation; -1 for none
}

func apply(b []byte, c change) []byte {
	if c.size >= 0 {
		if int64(len(b)) > c.size {
			return b[:c.size]
		}
		return append(b, make([]byte, c.size-int64(len(b)))...)
	}
	if end := c.off + int64(len(c.data)); end > int64(len(b)) {
		b = append(b, make([]byte, end-int64(len(b)))...)
	}
	copy(b[c.off:], c.data)
	return b
}

// cut is the disk after its power was cut: of each file what was synced, and of the rest
// nothing, all, or any sectors. The lock is held.
func (d *disk) cut(r *rand.Rand) *disk {
	after := &disk{files: map[string]*image{}}
	for name, f := range d.files {
		b := slices.Clone(f.synced)
		how := r.IntN(3)
		for _, c := range f.pending {
			switch {
			case how == 0 || how == 2 && r.IntN(2) == 0:
			case how == 2 && c.size < 0: // it was torn
				for from := 0; from < len(c.data); from += sector {
					if r.IntN(2) == 0 {
						b = apply(b, change{c.off + int64(from), c.data[from:min(from+sector, len(c.data))], -1})
					}
				}
			default:
				b = apply(b, c)
			}
		}
		after.files[name] = &image{synced: b, now: slices.Clone(b)}
	}
	return after
}

func (d *disk) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files[name] == nil {
		d.files[name] = &image{}
	}
	return &file{d, name}, flags, nil
}

// Delete removes a file at once: the entry of a folder is synced with it.
func (d *disk) Delete(name string, _ bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, name)
	return nil
}

func (d *disk) Access(name string, _ vfs.AccessFlag) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.files[name] != nil, nil
}

func (d *disk) FullPathname(name string) (string, error) { return name, nil }

// file is an open file of a disk.
type file struct {
	*disk
	name string
}

// do changes the file, and tells that the disk has moved.
func (f *file) do(fn func(i *image)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := f.files[f.name]; i != nil {
		fn(i)
	}
	f.moves++
	if f.told != nil {
		f.told(f.moves)
	}
}

func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := f.files[f.name]; i != nil && off < int64(len(i.now)) {
		n = copy(p, i.now[off:])
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	c := change{off, slices.Clone(p), -1}
	f.do(func(i *image) { i.now, i.pending = apply(i.now, c), append(i.pending, c) })
	return len(p), nil
}

func (f *file) Truncate(size int64) error {
	c := change{size: size}
	f.do(func(i *image) { i.now, i.pending = apply(i.now, c), append(i.pending, c) })
	return nil
}

func (f *file) Sync(vfs.SyncFlag) error {
	f.do(func(i *image) {
		for _, c := range i.pending {
			i.synced = apply(i.synced, c)
		}
		i.pending = nil
	})
	return nil
}

func (f *file) Size() (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := f.files[f.name]; i != nil {
		return int64(len(i.now)), nil
	}
	return 0, nil
}

func (*file) Close() error                                    { return nil }
func (*file) Lock(vfs.LockLevel) error                        { return nil }
func (*file) Unlock(vfs.LockLevel) error                      { return nil }
func (*file) CheckReservedLock() (bool, error)                { return false, nil }
func (*file) SectorSize() int                                 { return sector }
func (*file) DeviceCharacteristics() vfs.DeviceCharacteristic { return 0 }

var disks atomic.Int64

// mount gives a database on a disk, with the settings of the platform but for how much
// is synced.
func (d *disk) mount(t *testing.T, synchronous string) *sql.DB {
	t.Helper()
	name := fmt.Sprint("power", disks.Add(1))
	vfs.Register(name, d)
	t.Cleanup(func() { vfs.Unregister(name) })
	pragmas := []string{"locking_mode(EXCLUSIVE)", "journal_mode(WAL)", "synchronous(" + synchronous + ")",
		"temp_store(MEMORY)", "wal_autocheckpoint(40)"}
	s, err := sql.Open("sqlite3", "file:x.db?vfs="+name+"&_pragma="+strings.Join(pragmas, "&_pragma="))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cuts writes with the writer of the platform from several sides while the power is cut
// n times, and tells how many cuts lost something that was acknowledged.
func cuts(t *testing.T, synchronous string, n int, seed uint64) (lost int) {
	t.Helper()
	ctx := t.Context()
	r := rand.New(rand.NewPCG(seed, 1))
	d := &disk{files: map[string]*image{}}
	s := d.mount(t, synchronous)
	w, err := db.Over(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	err = w.Do(ctx, func(tx *db.Tx) error {
		_, a := tx.Exec("CREATE TABLE one (id INTEGER NOT NULL PRIMARY KEY, body BLOB NOT NULL)")
		_, b := tx.Exec("CREATE TABLE other (id INTEGER NOT NULL PRIMARY KEY, of INTEGER NOT NULL)")
		_, c := tx.Exec("CREATE INDEX other_of ON other (of)")
		return errors.Join(a, b, c)
	})
	if err != nil {
		t.Fatal(err)
	}
	type after struct {
		*disk
		acknowledged []int64
	}
	var mu sync.Mutex // of what follows; the disk's comes second
	var acknowledged []int64
	var all []after
	next := r.IntN(60)
	d.mu.Lock()
	d.told = func(moves int) { // the lock of the disk is held
		if moves < next || len(all) >= n {
			return
		}
		next = moves + 1 + r.IntN(60)
		mu.Lock()
		known := slices.Clone(acknowledged)
		mu.Unlock()
		all = append(all, after{d.cut(r), known})
	}
	d.mu.Unlock()
	full := func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(all) >= n
	}
	var id atomic.Int64
	var wg sync.WaitGroup
	for side := range 4 {
		wg.Go(func() {
			sizes := rand.New(rand.NewPCG(seed, uint64(side+2)))
			for !full() {
				me, size := id.Add(1), 1+sizes.IntN(3000)
				err := w.Do(ctx, func(tx *db.Tx) error {
					_, a := tx.Exec("INSERT INTO one (id, body) VALUES (?, ?)", me, make([]byte, size))
					_, b := tx.Exec("INSERT INTO other (id, of) VALUES (?, ?)", me, size)
					if me%7 == 0 {
						return errors.Join(a, b, errors.New("undone"))
					}
					return errors.Join(a, b)
				})
				if (err != nil) != (me%7 == 0) {
					t.Error(err)
				}
				if err == nil {
					mu.Lock()
					acknowledged = append(acknowledged, me)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	for i, a := range all {
		if !whole(t, a.mount(t, synchronous), a.acknowledged, fmt.Sprint("cut ", i)) {
			lost++
		}
	}
	return lost
}

// whole reports whether a database has all that was acknowledged. That it is sound, and
// that no write is there in part, holds in any case.
func whole(t *testing.T, s *sql.DB, acknowledged []int64, what string) bool {
	t.Helper()
	defer s.Close()
	s.SetMaxOpenConns(1)
	ctx := context.Background()
	var sound string
	if err := s.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&sound); err != nil || sound != "ok" {
		t.Logf("%s: %.80s, %v", what, sound, err)
		return false
	}
	rows, err := s.QueryContext(ctx, "SELECT one.id, LENGTH(one.body) = other.of FROM one LEFT JOIN other ON other.id = one.id")
	if err != nil {
		return len(acknowledged) == 0 // before there were tables
	}
	defer rows.Close()
	there := map[int64]bool{}
	for rows.Next() {
		var id int64
		var same sql.NullBool
		if err := rows.Scan(&id, &same); err != nil || !same.Valid || !same.Bool || id%7 == 0 {
			t.Errorf("%s: the write %d is there in part, or was undone: %v", what, id, err)
		}
		there[id] = true
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
	return !slices.ContainsFunc(acknowledged, func(id int64) bool { return !there[id] })
}

// Whenever the power is cut, and whatever of what was not synced is lost, all that was
// acknowledged is there, and nothing in part. SEXTANT_CUTS says how often it is cut.
func TestNoPowerCutLosesWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	n := 200
	if text, ok := os.LookupEnv("SEXTANT_CUTS"); ok {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := rand.Uint64()
	for done := 0; done < n; done += 100 {
		if lost := cuts(t, "FULL", min(100, n-done), seed+uint64(done)); lost > 0 {
			t.Fatalf("%d of %d cuts lost something (seed %d)", lost, min(100, n-done), seed+uint64(done))
		}
	}
	t.Logf("%d cuts from the seed %d, nothing lost", n, seed)
}

// Where less is synced something is lost: the disk of these tests forgets what it may.
func TestTheDiskForgets(t *testing.T) {
	t.Parallel()
	for _, synchronous := range []string{"NORMAL", "OFF"} {
		if lost := cuts(t, synchronous, 100, 1); lost < 10 {
			t.Errorf("synchronous=%s lost something in %d of 100 cuts alone", synchronous, lost)
		}
	}
}
