// Package corpora finds the test data that is kept outside the repository.
package corpora

import (
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// Dir is the folder of the test data: SEXTANT_CORPORA, or ../shared/corpora
// beside the repository. The test is skipped, visibly, where it is absent.
func Dir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SEXTANT_CORPORA")
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared", "corpora")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no test data at %s: set SEXTANT_CORPORA", dir)
	}
	return dir
}

// Files lists the files with the suffix below a folder of the test data, in
// order.
func Files(t testing.TB, folder, suffix string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(Dir(t), folder), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, suffix) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(files)
	return files
}

func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}
