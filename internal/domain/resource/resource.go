// Package resource gives runs and plugins what they work with: files, which are
// named by the SHA-256 of their content and never change, and the places that
// instances of plugins run in.
package resource

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/blob"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

// MaxFile is the largest file that can be uploaded, in bytes.
const MaxFile = 8 << 30

// Files keeps files.
type Files struct {
	store blob.Store
	db    *db.DB
	audit *audit.Log
}

// NewFiles makes the service over a blob store.
func NewFiles(s blob.Store, d *db.DB, a *audit.Log) *Files { return &Files{store: s, db: d, audit: a} }

// Open reads a file.
func (f *Files) Open(ctx context.Context, digest string) (io.ReadCloser, int64, error) {
	if len(digest) != 64 || strings.Trim(digest, "0123456789abcdef") != "" {
		return nil, 0, errs.New(errs.Malformed, "blob.digest", "%q is no SHA-256 in hexadecimal", digest)
	}
	r, size, err := f.store.Open(ctx, digest)
	if errors.Is(err, blob.ErrNotFound) {
		err = errs.New(errs.NotFound, "blob.not_found", "there is no file %s", digest)
	}
	return r, size, err
}

// put stores a file.
func (f *Files) put(ctx context.Context, r io.Reader) (string, int64, error) {
	digest, size, err := f.store.Put(ctx, r, MaxFile)
	switch {
	case errors.Is(err, blob.ErrTooLarge):
		err = errs.Wrap(err, errs.TooLarge, "blob.too_large", "the file is too large")
	case errors.Is(err, blob.ErrFull):
		err = errs.Wrap(err, errs.Full, "blob.full", "the disk for files is full: free some space; nothing was stored")
	}
	return digest, size, api.BodyError(err)
}

// Routes adds the endpoints.
func (f *Files) Routes(a *api.API) {
	a.Handle(api.Endpoint{ID: "uploadFile", Tag: "files", Summary: "Store a file under its SHA-256",
		Method: http.MethodPost, Path: "/api/v1/blobs", Permission: "blob.write"}, func(w http.ResponseWriter, r *http.Request) error {
		digest, size, err := f.put(r.Context(), r.Body)
		if err != nil {
			return err
		}
		err = f.db.Do(r.Context(), func(tx *db.Tx) error {
			return f.audit.Write(r.Context(), tx,
				audit.Record{Project: "default", Actor: identity.From(r.Context()).Actor(), Verb: "blob.write", Object: "blob/" + digest})
		})
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		return json.NewEncoder(w).Encode(map[string]any{"sha256": digest, "size": size})
	})
	a.Handle(api.Endpoint{ID: "downloadFile", Tag: "files", Summary: "Read a file",
		Method: http.MethodGet, Path: "/api/v1/blobs/{sha256}", Permission: "blob.read"}, func(w http.ResponseWriter, r *http.Request) error {
		file, size, err := f.Open(r.Context(), r.PathValue("sha256"))
		if err != nil {
			return err
		}
		defer file.Close()
		whole := bufio.NewReader(file)
		if _, err := whole.Peek(1); errors.Is(err, blob.ErrDamaged) {
			return errs.Wrap(err, errs.Unavailable, "blob.damaged", "the file "+
				r.PathValue("sha256")+" is damaged: restore it from a backup, or store it anew")
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", "attachment")
		w.Header().Set("Content-Length", fmt.Sprint(size))
		_, _ = io.Copy(w, whole) // the answer has begun: what is missing shows by its length
		return nil
	})
}
