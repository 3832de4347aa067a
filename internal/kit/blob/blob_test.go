package blob_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"sextant/internal/kit/blob"
	"sextant/internal/kit/blob/blobtest"
)

func TestDir(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(t *testing.T) blob.Store {
		d, err := blob.NewDir(filepath.Join(t.TempDir(), "blobs [1]*"))
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}

// A process that ended in the middle of a Put leaves half a file: the next start
// removes it and keeps the rest.
func TestLeftoversOfACrashAreRemoved(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "blobs [1]*")
	d, err := blob.NewDir(root)
	if err != nil {
		t.Fatal(err)
	}
	digest, _, err := d.Put(t.Context(), bytes.NewReader([]byte("kept")), 100)
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(root, "tmp", "put-123")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err = blob.NewDir(root); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half file is still there: %v", err)
	}
	r, _, err := d.Open(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	all, err := os.ReadDir(filepath.Join(root, "tmp"))
	if err != nil || len(all) != 0 {
		t.Errorf("%v, left %v", err, all)
	}
}

func TestFilesAreForTheOwnerAlone(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "blobs")
	d, err := blob.NewDir(root)
	if err != nil {
		t.Fatal(err)
	}
	digest, _, err := d.Put(t.Context(), bytes.NewReader([]byte("x")), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{root, filepath.Join(root, digest[:2]), filepath.Join(root, digest[:2], digest)} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
}

func TestAFullDisk(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(root, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	d, err := blob.NewDir(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Put(t.Context(), bytes.NewReader(make([]byte, 1<<20)), 1<<21); !errors.Is(err, blob.ErrFull) {
		t.Errorf("got %v", err)
	}
	if _, _, err := d.Put(t.Context(), bytes.NewReader([]byte("small")), 100); err != nil {
		t.Errorf("the failed one keeps its space: %v", err)
	}
}

// A blob that has changed is never taken for a whole one, whatever its size.
func TestADamagedBlobIsNotRead(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	d, err := blob.NewDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 1000, 64 << 10, 64<<10 + 1, 1 << 20} {
		for name, harm := range map[string]func([]byte) []byte{
			"first_byte": func(b []byte) []byte { b[0] ^= 1; return b },
			"last_byte":  func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
			"cut":        func(b []byte) []byte { return b[:len(b)-1] },
			"longer":     func(b []byte) []byte { return append(b, 'x') },
		} {
			data := bytes.Repeat([]byte{7}, size)
			digest, _, err := d.Put(t.Context(), bytes.NewReader(data), 2<<20)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, digest[:2], digest), harm(data), 0o600); err != nil {
				t.Fatal(err)
			}
			r, _, err := d.Open(t.Context(), digest)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if !errors.Is(err, blob.ErrDamaged) || len(got) >= size {
				t.Errorf("%d bytes, %s: %d bytes were read, %v", size, name, len(got), err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
