package secret_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"sextant/internal/kit/secret"
)

func box(t testing.TB, b byte) *secret.Box {
	t.Helper()
	s, err := secret.New(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedTextsOpenInTheirPlaceAlone(t *testing.T) {
	t.Parallel()
	mine, other := box(t, 1), box(t, 2)
	rapid.Check(t, func(rt *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(rt, "plain")
		place := rapid.String().Draw(rt, "place")
		sealed, err := mine.Seal(place, plain)
		if err != nil {
			rt.Fatal(err)
		}
		if got, err := mine.Open(place, sealed); err != nil || !bytes.Equal(got, plain) {
			rt.Fatalf("%q, %v", got, err)
		}
		if len(plain) > 3 && strings.Contains(sealed, string(plain)) {
			rt.Fatal("it is not sealed")
		}
		again, err := mine.Seal(place, plain)
		if err != nil || again == sealed {
			rt.Fatalf("the same text twice: %v", err)
		}
		if _, err := mine.Open(place+"x", sealed); !errors.Is(err, secret.ErrSealed) {
			rt.Fatalf("in another place: %v", err)
		}
		if _, err := other.Open(place, sealed); !errors.Is(err, secret.ErrSealed) {
			rt.Fatalf("with another key: %v", err)
		}
		at := rapid.IntRange(0, len(sealed)-1).Draw(rt, "at")
		with := rapid.SampledFrom([]byte("AZaz09+/:")).Draw(rt, "with")
		if sealed[at] != with {
			bad := sealed[:at] + string(with) + sealed[at+1:]
			// The last character of base64 may carry bits that mean nothing.
			if got, err := mine.Open(place, bad); err == nil && !(at == len(sealed)-1 && bytes.Equal(got, plain)) {
				rt.Fatalf("damaged at %d it opens as %q", at, got)
			}
		}
		if _, err := mine.Open(place, sealed[:at]); !errors.Is(err, secret.ErrSealed) {
			rt.Fatalf("cut at %d: %v", at, err)
		}
	})
}

func TestTheKeyFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys", "master.key")
	first, err := secret.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 32 {
		t.Errorf("%v, mode %v, %d bytes", err, info.Mode(), info.Size())
	}
	sealed, err := first.Seal("x", []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := secret.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := second.Open("x", sealed); err != nil || string(got) != "plain" {
		t.Errorf("after opening it again: %q, %v", got, err)
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v", err, left)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o666} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := secret.Open(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestADamagedKeyFile(t *testing.T) {
	t.Parallel()
	for name, key := range map[string][]byte{"empty": {}, "short": make([]byte, 31), "long": make([]byte, 33)} {
		file := filepath.Join(t.TempDir(), "master.key")
		if err := os.WriteFile(file, key, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := secret.Open(file); err == nil || !strings.Contains(err.Error(), "backup") {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if _, err := secret.Open(t.TempDir()); err == nil {
		t.Error("a folder is taken for a key")
	}
}

// Whoever is first makes the key; all have the same one.
func TestManyStartAtOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys", "master.key")
	boxes := make([]*secret.Box, 8)
	var wg sync.WaitGroup
	for i := range boxes {
		wg.Go(func() {
			b, err := secret.Open(file)
			if err != nil {
				t.Error(err)
			}
			boxes[i] = b
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	sealed, err := boxes[0].Seal("x", []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range boxes {
		if _, err := b.Open("x", sealed); err != nil {
			t.Errorf("box %d: %v", i, err)
		}
	}
}

func TestEachPurposeHasItsKey(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, b := range []*secret.Box{box(t, 1), box(t, 2)} {
		for _, purpose := range []string{"plugin/a", "plugin/b"} {
			key, err := b.Derive(purpose)
			if err != nil || len(key) != 32 || seen[string(key)] {
				t.Errorf("%d bytes, %v", len(key), err)
			}
			seen[string(key)] = true
			if again, err := b.Derive(purpose); err != nil || !bytes.Equal(key, again) {
				t.Errorf("another key the second time: %v", err)
			}
		}
	}
}
