package server

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// No part of a request is waited for without end.
func TestListenersHaveLimits(t *testing.T) {
	t.Parallel()
	s := limited(http.NotFoundHandler())
	if s.ReadHeaderTimeout <= 0 || s.ReadHeaderTimeout > headersFor || s.IdleTimeout <= 0 ||
		s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > 64<<10 {
		t.Errorf("%+v", s)
	}
}

// What others could change or read is not used, or made private.
func TestTheFolderIsPrivate(t *testing.T) {
	t.Parallel()
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := openFolder(open); err == nil || !strings.Contains(err.Error(), "0777") || !strings.Contains(err.Error(), "chmod 700 "+open) {
		t.Errorf("it says %v", err)
	}
	if entries, err := os.ReadDir(open); err != nil || len(entries) != 0 {
		t.Errorf("the folder was touched: %v %v", entries, err)
	}
	f, err := openFolder(filepath.Join(t.TempDir(), "new"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.close() })
	if err := os.WriteFile(f.path("old.db"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"old.db", "new.db"} {
		if err := f.private(name); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(f.path(name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	if info, err := os.Stat(f.root); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v %v", info, err)
	}
}
