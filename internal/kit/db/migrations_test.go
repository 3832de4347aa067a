package db_test

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "add the sums of new migrations")

// A migration that was ever released has run somewhere: editing it would leave
// those databases different from new ones for ever. So every migration is
// listed with its sum in the file migrations.sum beside its folder.
// "go test ./internal/kit/db -run Migrations -update" adds new ones; a changed
// one is never accepted.
func TestOldMigrationsAreNotEdited(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..")
	var folders []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		switch {
		case d.Name() == "migrations":
			folders = append(folders, p)
			return filepath.SkipDir
		case d.Name() == "node_modules", d.Name() == "testdata", strings.HasPrefix(d.Name(), ".") && p != root:
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil || len(folders) < 10 {
		t.Fatalf("%v; folders %v", err, folders)
	}
	for _, dir := range folders {
		have, err := sums(dir)
		if err != nil {
			t.Fatal(err)
		}
		file := dir + ".sum"
		listed, err := readSums(file)
		if err != nil && !*update {
			t.Errorf("%v; add it with -update", err)
			continue
		}
		fresh := compareSums(t, file, have, listed)
		if fresh && *update {
			var b strings.Builder
			for _, name := range slices.Sorted(maps.Keys(have)) {
				fmt.Fprintf(&b, "%s  %s\n", have[name], name)
			}
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// compareSums reports whether new migrations are to be listed.
func compareSums(t *testing.T, file string, have, listed map[string]string) (fresh bool) {
	t.Helper()
	for name, sum := range listed {
		switch have[name] {
		case sum:
		case "":
			t.Errorf("%s lists %s, which is gone: migrations that ran somewhere stay", file, name)
		default:
			t.Errorf("%s was edited after it was listed in %s: write a new migration instead", name, file)
		}
	}
	for name := range have {
		if _, ok := listed[name]; ok {
			continue
		}
		fresh = true
		if !*update {
			t.Errorf("%s is not listed in %s; add it with -update", name, file)
		}
	}
	return fresh && !t.Failed()
}

func sums(dir string) (map[string]string, error) {
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, p)
		sum := sha256.Sum256(data)
		all[filepath.ToSlash(name)] = hex.EncodeToString(sum[:])
		return err
	})
	return all, err
}

func readSums(file string) (map[string]string, error) {
	data, err := os.ReadFile(file)
	all := map[string]string{}
	for line := range strings.Lines(string(data)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		all[name] = sum
	}
	return all, err
}
