package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
)

const (
	rememberFor = 24 * time.Hour
	maxKey      = 190 // characters of an Idempotency-Key
	maxAnswer   = 48 << 10
)

// call names a repeated request together with its route.
type call struct{ principal, rights, key string }

// idempotency answers a repeated POST with the first answer. That the first was
// carried out is stored in the very commit of its first write; the answer
// follows, unless its endpoint keeps it secret. A refusal is kept only where it
// cannot change: a lock, a limit or a log-in of now is no answer for tomorrow.
type idempotency struct {
	db    *db.DB
	clock clock.Clock
	keep  time.Duration
	mu    sync.Mutex
	open  map[string]bool
}

func newIdempotency(d *db.DB, c clock.Clock, keep time.Duration) *idempotency {
	return &idempotency{db: d, clock: c, keep: cmp.Or(keep, rememberFor), open: map[string]bool{}}
}

type answer struct {
	rights string // of the subject, as they were
	digest []byte
	status int
	media  string
	body   []byte
}

// serve answers a request from memory or lets next do it. An error is returned
// before anything was written.
func (i *idempotency) serve(w http.ResponseWriter, r *http.Request, c call, may func() error, next http.Handler) error {
	if len(c.key) > maxKey {
		return errs.New(errs.Malformed, "idempotency.key", "the Idempotency-Key has %d characters: at most %d are possible", len(c.key), maxKey)
	}
	body, err := ReadBody(w, r, MaxBody)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	digest := sha256.Sum256([]byte(r.URL.RawQuery + "\x00" + string(body)))
	route := r.Method + " " + r.URL.Path
	name := c.principal + "\x00" + route + "\x00" + c.key
	if !i.claim(name) {
		w.Header().Set("Retry-After", "1")
		return errs.New(errs.Conflict, "idempotency.running", "the first request with this Idempotency-Key is still running")
	}
	defer i.free(name)
	first, err := i.find(r.Context(), c, route)
	if err != nil {
		return err
	}
	if first != nil {
		if err := may(); err != nil {
			return err
		}
		return replay(w, first, digest[:], c.rights)
	}
	rec := &recorder{ResponseWriter: w}
	written := false
	ctx := db.WithRider(r.Context(), func(tx *db.Tx) error {
		written = true
		return i.store(tx, c, route, answer{rights: c.rights, digest: digest[:]})
	})
	secret := false
	next.ServeHTTP(rec, r.WithContext(context.WithValue(ctx, noteKey{}, &secret)))
	if !kept(rec.status) {
		// It may be tried again. Where a failure came after something was written the
		// rider has stored that; a refusal has done nothing that would count.
		if written && rec.status < http.StatusInternalServerError {
			_ = i.db.Do(context.WithoutCancel(r.Context()), func(tx *db.Tx) error { return i.forget(tx, c, route) })
		}
		return nil
	}
	done := answer{c.rights, digest[:], rec.status, rec.Header().Get("Content-Type"), rec.body.Bytes()}
	if rec.long || secret {
		done = answer{rights: c.rights, digest: digest[:]} // too long, or a secret that is shown once
	}
	// The answer has gone out; that it cannot be stored only costs a replay.
	_ = i.db.Do(context.WithoutCancel(r.Context()), func(tx *db.Tx) error { return i.store(tx, c, route, done) })
	return nil
}

// kept reports whether an answer is the one for every repetition.
func kept(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusGone, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return true
	}
	return status < http.StatusBadRequest
}

func (i *idempotency) claim(name string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.open[name] {
		return false
	}
	i.open[name] = true
	return true
}

func (i *idempotency) free(name string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.open, name)
}

func (i *idempotency) find(ctx context.Context, c call, route string) (*answer, error) {
	var a answer
	var created int64
	err := i.db.QueryRow(ctx, "SELECT rights, digest, status, media, body, created "+
		"FROM api_idempotency WHERE principal = ? AND route = ? AND command = ?",
		c.principal, route, c.key).Scan(&a.rights, &a.digest, &a.status, &a.media, &a.body, &created)
	if errors.Is(err, sql.ErrNoRows) || (err == nil && i.clock.Now().Sub(clock.FromMicros(created)) > i.keep) {
		return nil, nil
	}
	return &a, err
}

func (i *idempotency) store(tx *db.Tx, c call, route string, a answer) error {
	body := a.body
	if body == nil {
		body = []byte{}
	}
	return tx.Upsert("api_idempotency", 3, []string{"principal", "route", "command", "rights", "digest", "status", "media", "body", "created"},
		c.principal, route, c.key, a.rights, a.digest, a.status, a.media, body, clock.Micros(i.clock.Now()))
}

func (i *idempotency) forget(tx *db.Tx, c call, route string) error {
	_, err := tx.Exec("DELETE FROM api_idempotency WHERE principal = ? AND route = ? AND command = ?", c.principal, route, c.key)
	return err
}

func replay(w http.ResponseWriter, a *answer, digest []byte, rights string) error {
	if !bytes.Equal(a.digest, digest) {
		return errs.New(errs.Invalid, "idempotency.reused", "this Idempotency-Key was used with another body")
	}
	if a.status == 0 {
		return errs.New(errs.Gone, "idempotency.answer_lost",
			"the first request with this Idempotency-Key was carried out, but its answer is not kept: look at the result instead of repeating it")
	}
	if a.rights != rights { // which only the use case could check against the very object
		return errs.New(errs.Gone, "idempotency.rights_changed", "the first request with "+
			"this Idempotency-Key was carried out with other rights than yours now, so that its answer is not shown: look at the result instead")
	}
	if a.media != "" {
		w.Header().Set("Content-Type", a.media)
	}
	w.Header().Set("Idempotent-Replay", "true")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client is gone if this fails
	return nil
}

// recorder keeps a copy of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
	long   bool
}

// WriteHeader notes the status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write copies what is written, up to the largest answer that is kept.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.body.Len()+len(b) > maxAnswer {
		r.long = true
	} else {
		r.body.Write(b)
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets handlers reach what they need of the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
