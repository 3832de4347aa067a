package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each line to break is still there, once, and the test that has to turn red is a
// test of its package. Whether it does turn red is what this program tells.
func TestEveryEntryNamesALineAndATestThatAreThere(t *testing.T) {
	t.Parallel()
	all, err := read(list)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Errorf("only %d entries", len(all))
	}
	const root = "../.."
	seen := map[string]bool{}
	for _, s := range all {
		if seen[s.name] {
			t.Errorf("%s stands twice", s.name)
		}
		seen[s.name] = true
		data, err := os.ReadFile(filepath.Join(root, s.file))
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if n := strings.Count(string(data), s.old); n != 1 || s.old == s.new {
			t.Errorf("%s: %s holds the old text %d times, want once, and another new text", s.name, s.file, n)
		}
		files, err := filepath.Glob(filepath.Join(root, s.pkg, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		test, _, _ := strings.Cut(s.test, "/")
		found := false
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			found = found || regexp.MustCompile(`(?m)^func `+test+`\(`).Match(text)
		}
		if !found {
			t.Errorf("%s: %s has no %s", s.name, s.pkg, test)
		}
	}
}
