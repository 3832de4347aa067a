// Package blobtest is the suite that every blob.Store has to pass.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"sextant/internal/kit/blob"
)

// Run tests a store; open makes an empty one.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	t.Run("put-and-open", func(t *testing.T) { t.Parallel(); contents(t, open(t)) })
	t.Run("limit", func(t *testing.T) { t.Parallel(); limit(t, open(t)) })
	t.Run("not-there", func(t *testing.T) { t.Parallel(); missing(t, open(t)) })
	t.Run("broken-source", func(t *testing.T) { t.Parallel(); broken(t, open(t)) })
	t.Run("same-content-at-once", func(t *testing.T) { t.Parallel(); concurrent(t, open(t)) })
	t.Run("any-content", func(t *testing.T) { t.Parallel(); anyContent(t, open(t)) })
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// has reports what differs from data in the store.
func has(ctx context.Context, s blob.Store, data []byte) error {
	r, size, err := s.Open(ctx, digest(data))
	if err != nil {
		return err
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if size != int64(len(data)) || !bytes.Equal(got, data) {
		return fmt.Errorf("%d bytes, told %d, want %d", len(got), size, len(data))
	}
	return nil
}

func contents(t *testing.T, s blob.Store) {
	for name, data := range map[string][]byte{"empty": {}, "text": []byte("hello"), "zeros": make([]byte, 3<<20)} {
		for range 2 { // the second time it is there already
			got, size, err := s.Put(t.Context(), bytes.NewReader(data), 4<<20)
			if err != nil || got != digest(data) || size != int64(len(data)) {
				t.Errorf("%s: %s, %d, %v", name, got, size, err)
			}
			if err := has(t.Context(), s, data); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func limit(t *testing.T, s blob.Store) {
	data := []byte("0123456789")
	if _, _, err := s.Put(t.Context(), bytes.NewReader(data), 9); !errors.Is(err, blob.ErrTooLarge) {
		t.Errorf("ten bytes where nine are possible: %v", err)
	}
	if _, _, err := s.Open(t.Context(), digest(data)); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("what was too large: %v", err)
	}
	if _, _, err := s.Open(t.Context(), digest(data[:9])); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("the beginning of what was too large: %v", err)
	}
	if _, _, err := s.Put(t.Context(), bytes.NewReader(data), 10); err != nil {
		t.Errorf("ten bytes where ten are possible: %v", err)
	}
}

func missing(t *testing.T, s blob.Store) {
	for _, d := range []string{digest([]byte("never stored")), "", "..", "../../etc/passwd",
		strings.Repeat("z", 64), strings.Repeat("A", 64), digest(nil)[:63]} {
		if _, _, err := s.Open(t.Context(), d); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%q: %v", d, err)
		}
	}
}

func broken(t *testing.T, s blob.Store) {
	gone := errors.New("the client left")
	r := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(gone))
	if _, _, err := s.Put(t.Context(), r, 100); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
	if _, _, err := s.Open(t.Context(), digest([]byte("half"))); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("half a blob: %v", err)
	}
}

func concurrent(t *testing.T, s blob.Store) {
	data := bytes.Repeat([]byte("same"), 10_000)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if _, _, err := s.Put(t.Context(), bytes.NewReader(data), 1<<20); err != nil {
					t.Error(err)
				}
				if err := has(t.Context(), s, data); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func anyContent(t *testing.T, s blob.Store) {
	rapid.Check(t, func(rt *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(rt, "data")
		got, _, err := s.Put(t.Context(), iotest.OneByteReader(bytes.NewReader(data)), 2000)
		if err != nil || got != digest(data) {
			rt.Fatalf("%s, %v", got, err)
		}
		if err := has(t.Context(), s, data); err != nil {
			rt.Fatal(err)
		}
	})
}
