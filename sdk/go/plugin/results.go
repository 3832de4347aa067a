package plugin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const keepResults = 24 * time.Hour

// errOtherBody refuses a key that was used with other bytes.
var errOtherBody = errors.New("this Idempotency-Key was used with another body")

// work is a call that runs or has run.
type work struct {
	digest [32]byte
	done   chan struct{}
	body   []byte // set once done is closed
	cancel context.CancelCauseFunc
}

// results gives a repeated call the answer of the first: it attaches to one that
// still runs. Answers are kept for a day, in files where the plugin has a
// folder, so that they survive a restart.
type results struct {
	host *Host
	dir  string
	mu   sync.Mutex
	open map[string]*work
}

func newResults(h *Host) *results {
	r := &results{host: h, open: map[string]*work{}}
	if h.Data != "" {
		r.dir = filepath.Join(h.Data, "results")
	}
	return r
}

// prior is what is known about a key.
type prior struct {
	work *work
	body []byte // the kept answer
	// begun means that the call was begun by a process that is gone.
	begun bool
	fresh bool
}

func (r *results) claim(key string, body []byte) (prior, error) {
	digest := sha256.Sum256(body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.open[key]; w != nil {
		if w.digest != digest {
			return prior{}, errOtherBody
		}
		return prior{work: w}, nil
	}
	kept, begun, err := r.read(key, digest)
	if err != nil || kept != nil {
		return prior{body: kept}, err
	}
	w := &work{digest: digest, done: make(chan struct{})}
	r.open[key] = w
	if r.dir != "" && !begun {
		if err := r.write(key, "begun", digest[:]); err != nil {
			delete(r.open, key)
			return prior{}, err
		}
	}
	return prior{work: w, begun: begun, fresh: true}, nil
}

// finish keeps an answer and wakes everybody who waits for it.
func (r *results) finish(key string, w *work, body []byte) {
	w.body = body
	if r.dir != "" {
		if err := r.write(key, "done", append(w.digest[:], body...)); err != nil {
			r.host.Log.Error("an answer cannot be kept", "key", key, "err", err)
		}
	}
	close(w.done)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dir != "" {
		delete(r.open, key)
	}
}

func (r *results) cancel(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.open[key]
	if w == nil || w.cancel == nil {
		return false
	}
	w.cancel(errCancelled)
	return true
}

func (r *results) path(key, what string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(r.dir, hex.EncodeToString(sum[:16])+"."+what)
}

func (r *results) read(key string, digest [32]byte) (kept []byte, begun bool, err error) {
	if r.dir == "" {
		return nil, false, nil
	}
	if data, err := os.ReadFile(r.path(key, "done")); err == nil && len(data) >= len(digest) {
		if !bytes.Equal(data[:len(digest)], digest[:]) {
			return nil, false, errOtherBody
		}
		return data[len(digest):], false, nil
	}
	data, err := os.ReadFile(r.path(key, "begun"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	if err == nil && !bytes.Equal(data, digest[:]) {
		return nil, false, errOtherBody
	}
	return nil, err == nil, err
}

func (r *results) write(key, what string, data []byte) error {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	path := r.path(key, what)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// sweep removes answers that are older than a day.
func (r *results) sweep(now time.Time) {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > keepResults {
			_ = os.Remove(filepath.Join(r.dir, e.Name())) // the next sweep tries again
		}
	}
}
