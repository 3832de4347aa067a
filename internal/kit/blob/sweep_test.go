package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sextant/internal/kit/blob"
)

func put(t *testing.T, d *blob.Dir, text string) string {
	t.Helper()
	digest, _, err := d.Put(t.Context(), bytes.NewReader([]byte(text)), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func there(t *testing.T, d *blob.Dir, digest string) bool {
	t.Helper()
	r, _, err := d.Open(t.Context(), digest)
	if err == nil {
		return r.Close() == nil
	}
	if !errors.Is(err, blob.ErrNotFound) {
		t.Fatal(err)
	}
	return false
}

// What is old and used by nobody goes; what is used stays, and what was stored again
// meanwhile.
func TestSweep(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "blobs")
	d, err := blob.NewDir(root)
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-48 * time.Hour)
	digests := map[string]string{}
	for _, text := range []string{"used", "unused", "again", "other", "new"} {
		digests[text] = put(t, d, text)
		if text != "new" {
			if err := os.Chtimes(filepath.Join(root, digests[text][:2], digests[text]), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	used := func(_ context.Context, digest string) (bool, error) {
		if digest == digests["again"] {
			put(t, d, "again") // between the question and the removal
		}
		return digest == digests["used"], nil
	}
	before := time.Now().Add(-24 * time.Hour)
	if n, err := d.Sweep(t.Context(), before, 1, used); n != 1 || err != nil {
		t.Errorf("%d went, %v", n, err)
	}
	if n, err := d.Sweep(t.Context(), before, 10, used); n != 1 || err != nil {
		t.Errorf("%d went, %v", n, err)
	}
	for text, want := range map[string]bool{"used": true, "unused": false, "again": true, "other": false, "new": true} {
		if got := there(t, d, digests[text]); got != want {
			t.Errorf("%s is there: %v", text, got)
		}
	}
	if s, err := d.Stock(t.Context()); s.Count != 3 || s.Bytes != int64(len("usedagainnew")) || err != nil {
		t.Errorf("%+v, %v", s, err)
	}
	if n, err := d.Sweep(t.Context(), time.Now().Add(time.Hour), 10, func(context.Context, string) (bool, error) {
		return false, errors.New("away")
	}); n != 0 || err == nil {
		t.Errorf("where nobody can tell what is used %d went, %v", n, err)
	}
}

// Whoever stores a blob has it afterwards, however old the one before was and whatever
// is swept meanwhile.
func TestSweepWhileStoring(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "blobs")
	d, err := blob.NewDir(root)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var sweeper sync.WaitGroup
	sweeper.Go(func() {
		for ctx.Err() == nil {
			_, _ = d.Sweep(ctx, time.Now().Add(-time.Hour), 100, func(context.Context, string) (bool, error) { return false, nil })
		}
	})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for range 100 {
				digest := put(t, d, fmt.Sprint(w))
				if !there(t, d, digest) {
					t.Error("what was stored is gone")
				}
				old := time.Now().Add(-48 * time.Hour)
				_ = os.Chtimes(filepath.Join(root, digest[:2], digest), old, old) // it goes now, or is stored anew before
			}
		})
	}
	writers.Wait()
	stop()
	sweeper.Wait()
}
