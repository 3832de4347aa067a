package plugin

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	keepResults = 24 * time.Hour
	sweepEvery  = 10 * time.Minute
)

// errOtherBody refuses a key that was used with other bytes.
var errOtherBody = errors.New("this Idempotency-Key was used with another body")

// work is a call that runs or has run.
type work struct {
	digest [32]byte
	seal   cipher.AEAD
	cancel context.CancelCauseFunc
	done   chan struct{}
	// Set once done is closed. A body of nil means that the plugin was stopped.
	body  []byte
	ended time.Time
}

// results gives a repeated call the answer of the first: it attaches to one that
// still runs. Answers are kept for a day, in files where the plugin has a
// folder, so that they survive a restart, and else in memory. An answer may tell
// what was secret in the request, so a file is sealed with the request itself:
// who does not have that cannot read it.
type results struct {
	host *Host
	dir  string
	mu   sync.Mutex
	open map[string]*work
	next time.Time // of the next sweep
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
	// fresh means that the caller of claim has to do the work.
	fresh bool
}

// claim looks a key up and takes it if it is new. With mark the beginning is
// stored and synced first, so that a restarted plugin knows of it.
func (r *results) claim(key string, body []byte, cancel context.CancelCauseFunc, mark bool) (prior, error) {
	r.sweep(r.host.Clock.Now())
	digest := sha256.Sum256(body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.open[key]; w != nil {
		if w.digest != digest {
			return prior{}, errOtherBody
		}
		return prior{work: w}, nil
	}
	seal, err := sealOf(body)
	if err != nil {
		return prior{}, err
	}
	kept, begun, err := r.read(key, digest, seal)
	if err != nil || kept != nil {
		return prior{body: kept}, err
	}
	if r.dir != "" && mark && !begun {
		if err := r.write(key, "begun", digest[:]); err != nil {
			return prior{}, err
		}
	}
	w := &work{digest: digest, seal: seal, cancel: cancel, done: make(chan struct{})}
	r.open[key] = w
	return prior{work: w, begun: begun, fresh: true}, nil
}

// finish keeps an answer and wakes everybody who waits for it. An answer of nil
// is none: the same key is worked on again when it comes back.
func (r *results) finish(key string, w *work, body []byte) {
	forget := body == nil
	if r.dir != "" && body != nil {
		err := r.write(key, "done", w.seal.Seal(w.digest[:], nil, body, []byte(key)))
		if err != nil {
			r.host.Log.Error("an answer cannot be kept in a file; it is kept in memory", "key", key, "err", err)
		}
		forget = err == nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	w.body, w.ended = body, r.host.Clock.Now()
	close(w.done)
	if forget {
		delete(r.open, key)
	}
}

// cancel ends a running call; it reports false where there is none.
func (r *results) cancel(key string) bool {
	r.mu.Lock()
	w := r.open[key]
	r.mu.Unlock()
	if w == nil {
		return false
	}
	select {
	case <-w.done:
		return false
	default:
		w.cancel(ErrCancelled)
		return true
	}
}

func (r *results) path(key, what string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(r.dir, hex.EncodeToString(sum[:16])+"."+what)
}

// sealOf makes of a request what seals its answer. The digest that is kept beside
// the answer does not lead to it.
func sealOf(request []byte) (cipher.AEAD, error) {
	secret, err := hkdf.Key(sha256.New, request, nil, "sextant: the kept answer", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (r *results) read(key string, digest [32]byte, seal cipher.AEAD) (kept []byte, begun bool, err error) {
	if r.dir == "" {
		return nil, false, nil
	}
	data, err := os.ReadFile(r.path(key, "done"))
	if err == nil && len(data) >= len(digest) {
		if !bytes.Equal(data[:len(digest)], digest[:]) {
			return nil, false, errOtherBody
		}
		// A file that a power cut damaged is none: what was begun tells.
		if kept, err := seal.Open(nil, nil, data[len(digest):], []byte(key)); err == nil {
			return kept, false, nil
		}
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, false, err
	}
	data, err = os.ReadFile(r.path(key, "begun"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	if err == nil && !bytes.Equal(data, digest[:]) {
		return nil, false, errOtherBody
	}
	return nil, err == nil, err
}

// write stores a file under its name all at once. A beginning is synced; of an
// answer that a power cut takes, the beginning tells.
func (r *results) write(key, what string, data []byte) error {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	path := r.path(key, what)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && what == "begun" {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil || what != "begun" {
		return err
	}
	dir, err := os.Open(r.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// sweep removes answers that are older than a day, every now and then.
func (r *results) sweep(now time.Time) {
	r.mu.Lock()
	due := !now.Before(r.next)
	if due {
		r.next = now.Add(sweepEvery)
		for key, w := range r.open {
			if !w.ended.IsZero() && now.Sub(w.ended) > keepResults {
				delete(r.open, key)
			}
		}
	}
	r.mu.Unlock()
	if !due || r.dir == "" {
		return
	}
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return // there are none yet
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > keepResults {
			_ = os.Remove(filepath.Join(r.dir, e.Name())) // the next sweep tries again
		}
	}
}
