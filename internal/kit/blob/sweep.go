package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sextant/internal/kit/retention"
)

// Sweep removes blobs that were stored last before a time and that are not used, at
// most limit, and says how many. Whoever stores a blob and then refers to it has to do
// both after that time: a blob that is stored again meanwhile is new, and stays.
func (d *Dir) Sweep(ctx context.Context, before time.Time, limit int,
	used func(ctx context.Context, digest string) (bool, error)) (int, error) {
	n := 0
	err := d.each(func(digest string, info fs.FileInfo) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if n == limit {
			return fs.SkipAll
		}
		if !info.ModTime().Before(before) {
			return nil
		}
		if yes, err := used(ctx, digest); err != nil || yes {
			return err
		}
		gone, err := d.remove(digest, before)
		if gone {
			n++
		}
		return err
	})
	return n, err
}

// remove removes a blob unless it was stored again since a time.
func (d *Dir) remove(digest string, before time.Time) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	info, err := os.Stat(d.path(digest))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.ModTime().Before(before) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, os.Remove(d.path(digest))
}

// Stock tells how many blobs there are, and how large they are.
func (d *Dir) Stock(ctx context.Context) (s retention.Stock, err error) {
	err = d.each(func(_ string, info fs.FileInfo) error {
		s.Count++
		s.Bytes += info.Size()
		if s.Oldest.IsZero() || info.ModTime().Before(s.Oldest) {
			s.Oldest = info.ModTime()
		}
		return ctx.Err()
	})
	return s, err
}

// each visits every blob, until fn returns fs.SkipAll.
func (d *Dir) each(fn func(digest string, info fs.FileInfo) error) error {
	return filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !digestForm.MatchString(e.Name()) {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return err
		}
		return fn(e.Name(), info)
	})
}
