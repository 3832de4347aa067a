package resource_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/resource"
	"sextant/internal/kit/api"
	"sextant/internal/kit/blob"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/testkit/dbserver"
)

// serve gives the address of files in a folder.
func serve(t *testing.T, dir string) (string, *db.DB, *resource.Files) {
	t.Helper()
	d, err := db.Open(t.Context(), dbserver.Address(t, filepath.Join(t.TempDir(), "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	store, err := blob.NewDir(dir)
	if err := errors.Join(err, d.Migrate(t.Context(), audit.Domain, audit.Migrations),
		d.Migrate(t.Context(), api.Domain, api.Migrations)); err != nil {
		t.Fatal(err)
	}
	c := clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	files := resource.NewFiles(store, d, audit.New(d, c))
	a := api.New(api.Deps{Version: "test", DB: d, Clock: c, Log: slog.New(slog.DiscardHandler), Authorize: identity.Require,
		Authenticate: func(q *http.Request) (context.Context, string, error) {
			sub := identity.Subject{ID: "user/x", Name: "x", Kind: identity.User}
			for p := range strings.FieldsSeq(q.Header.Get("Authorization")) {
				sub.Grants = append(sub.Grants, identity.Grant{Permission: p, Project: "default"})
			}
			return identity.With(q.Context(), sub), sub.ID, nil
		}})
	files.Routes(a)
	s := httptest.NewServer(a.Handler())
	t.Cleanup(s.Close)
	return s.URL, d, files
}

func ask(t *testing.T, method, url, grants string, body io.Reader) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", grants)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func TestFiles(t *testing.T) {
	t.Parallel()
	url, d, files := serve(t, t.TempDir())
	data := bytes.Repeat([]byte("0123456789"), 300_000)
	sum := sha256.Sum256(data)
	want := hex.EncodeToString(sum[:])
	status, body := ask(t, "POST", url+"/api/v1/blobs", "blob.write", bytes.NewReader(data))
	var got struct {
		SHA256 string
		Size   int64
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 201 || got.SHA256 != want || got.Size != int64(len(data)) {
		t.Errorf("%d %s, %v", status, body, err)
	}
	if status, body := ask(t, "GET", url+"/api/v1/blobs/"+want, "blob.read", nil); status != 200 || body != string(data) {
		t.Errorf("%d, %d bytes", status, len(body))
	}
	var audited string
	if err := d.QueryRow(t.Context(), "SELECT subject || ' ' || verb || ' ' || object FROM audit_record").Scan(&audited); err != nil ||
		audited != "user/x blob.write blob/"+want {
		t.Errorf("%s, %v", audited, err)
	}
	for _, c := range []struct {
		method, path, grants string
		status               int
		code                 string
	}{
		{"GET", "/" + strings.Repeat("0", 64), "blob.read", 404, "blob.not_found"},
		{"GET", "/nonsense", "blob.read", 400, "blob.digest"},
		{"GET", "/" + strings.ToUpper(want), "blob.read", 400, "blob.digest"},
		{"GET", "/" + want, "blob.write", 403, "identity.forbidden"},
		{"POST", "", "blob.read", 403, "identity.forbidden"},
	} {
		if status, body := ask(t, c.method, url+"/api/v1/blobs"+c.path, c.grants, nil); status != c.status || !strings.Contains(body, c.code) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, status, body, c.status, c.code)
		}
	}
	if _, _, err := files.Open(t.Context(), strings.Repeat("0", 64)); !errs.Is(err, errs.NotFound) {
		t.Errorf("%v", err)
	}
}

func TestAFullDiskIsSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	url, d, _ := serve(t, dir)
	if status, body := ask(t, "POST", url+"/api/v1/blobs", "blob.write", bytes.NewReader(make([]byte, 1<<20))); status != 507 ||
		!strings.Contains(body, "blob.full") {
		t.Errorf("%d %s", status, body)
	}
	var n int
	if err := d.QueryRow(t.Context(), "SELECT COUNT(*) FROM audit_record").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d records of what was not stored, %v", n, err)
	}
	if status, body := ask(t, "POST", url+"/api/v1/blobs", "blob.write", strings.NewReader("small")); status != 201 {
		t.Error(fmt.Sprint(status, " ", body))
	}
}
