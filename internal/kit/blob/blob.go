// Package blob keeps files by the SHA-256 of their content. A blob never
// changes, so it can be written twice without harm and read without locks.
package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
)

// ErrNotFound is returned for a digest that is not stored.
var ErrNotFound = errors.New("blob not found")

// ErrTooLarge is returned when the content passes the limit of a Put.
var ErrTooLarge = errors.New("blob too large")

// ErrFull is returned when there is no space for a blob.
var ErrFull = errors.New("no space for the blob")

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Store keeps blobs. Implementations share one conformance suite, blobtest.
type Store interface {
	// Put stores what r yields, at most limit bytes, and returns its SHA-256 in
	// hexadecimal and its size. When it returns without error the content is
	// synced.
	Put(ctx context.Context, r io.Reader, limit int64) (digest string, size int64, err error)
	// Open reads a blob; the caller closes it. Reading ends with ErrDamaged in
	// place of io.EOF where the content is no longer what was stored.
	Open(ctx context.Context, digest string) (io.ReadCloser, int64, error)
}

// Dir keeps blobs as files of a folder, spread over 256 sub-folders.
type Dir struct {
	root string
	mu   sync.RWMutex // held for reading while a blob is put in its place, for writing while one is removed
}

// NewDir uses the folder, which is made if absent, and removes what a process
// that ended in the middle of a Put has left. One process has it at a time.
func NewDir(root string) (*Dir, error) {
	if err := os.MkdirAll(filepath.Join(root, "tmp"), 0o700); err != nil {
		return nil, fmt.Errorf("blob folder: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(escape(root), "tmp", "put-*"))
	for _, file := range left {
		err = errors.Join(err, os.Remove(file))
	}
	if err != nil {
		return nil, fmt.Errorf("blob folder: %w", err)
	}
	return &Dir{root: root}, nil
}

// escape lets a path match itself alone.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// Put writes to a temporary file, syncs it and renames it into place.
func (d *Dir) Put(_ context.Context, r io.Reader, limit int64) (string, int64, error) {
	tmp, err := os.CreateTemp(filepath.Join(d.root, "tmp"), "put-")
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone already after the rename
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(tmp, sum), io.LimitReader(r, limit+1))
	if err == nil && size > limit {
		err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = fmt.Errorf("%w: %w", ErrFull, err)
	}
	if err != nil {
		return "", 0, err
	}
	return d.settle(tmp.Name(), sum, size)
}

func (d *Dir) settle(tmp string, sum hash.Hash, size int64) (string, int64, error) {
	digest := hex.EncodeToString(sum.Sum(nil))
	target := d.path(digest)
	switch err := os.Mkdir(filepath.Dir(target), 0o700); {
	case err == nil:
		if err := syncDir(d.root); err != nil {
			return "", 0, err
		}
	case !errors.Is(err, fs.ErrExist):
		return "", 0, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := os.Rename(tmp, target); err != nil { // one that was there is as new as this one from here on
		return "", 0, err
	}
	return digest, size, syncDir(filepath.Dir(target))
}

// Open opens the file of the digest, and checks it while it is read.
func (d *Dir) Open(_ context.Context, digest string) (io.ReadCloser, int64, error) {
	if !digestForm.MatchString(digest) {
		return nil, 0, fmt.Errorf("%w: %q is no SHA-256 in hexadecimal", ErrNotFound, digest)
	}
	f, err := os.Open(d.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("%w: %s", ErrNotFound, digest)
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return check(f, digest), info.Size(), nil
}

func (d *Dir) path(digest string) string { return filepath.Join(d.root, digest[:2], digest) }

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
