package plugin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sextant/sdk/go/sqldb"
)

// Clock tells the time; tests replace it.
type Clock interface {
	Now() time.Time
	After(d time.Duration) (<-chan time.Time, func())
}

// Host is everything that a plugin gets from where it runs: its database, its
// folder, a way to the platform.
type Host struct {
	// DB is the plugin's own database; Dialect is sqlite, mysql or postgres.
	DB      *sql.DB
	Dialect string
	// Data is a folder of the plugin's own.
	Data  string
	Clock Clock
	Log   *slog.Logger
	// URL and Token lead to the platform.
	URL, Token string
	// Client calls the platform; http.DefaultTransport where it is nil.
	Client *http.Client
	// Reach lists addresses and networks, with commas between them, that the plugin
	// may ask on behalf of others although they lead to this machine or to a cloud.
	Reach string
	// Key seals what the plugin keeps secret: 32 bytes, the same over restarts. Empty
	// asks for one in a file of the plugin's folder, made where there is none.
	Key []byte
	// Incoming is the token that calls to the plugin have to carry; empty
	// accepts all, which is right only in process.
	Incoming string

	ctx    context.Context
	cancel context.CancelCauseFunc
	mu     sync.Mutex // guards closed and the adding to work
	closed bool
	work   sync.WaitGroup
}

type realClock struct{}

func (realClock) Now() time.Time { return time.Now().UTC() }

func (realClock) After(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

// HostFrom builds a host from the settings that the platform gives a separate
// process: SEXTANT_URL, SEXTANT_TOKEN, SEXTANT_KEY, SEXTANT_DATABASE_URL,
// SEXTANT_DATA, SEXTANT_REACH.
func HostFrom(getenv func(string) string, log *slog.Logger) (*Host, error) {
	h := &Host{Data: getenv("SEXTANT_DATA"), URL: getenv("SEXTANT_URL"), Token: getenv("SEXTANT_TOKEN"),
		Incoming: getenv("SEXTANT_TOKEN"), Reach: getenv("SEXTANT_REACH"), Log: log}
	if h.Token == "" {
		return nil, errors.New("SEXTANT_TOKEN is empty: a plugin is started by the platform, or by hand with the token of its instance")
	}
	if h.Data == "" {
		h.Data = "."
	}
	if text := getenv("SEXTANT_KEY"); text != "" {
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(key) != keySize {
			return nil, fmt.Errorf("SEXTANT_KEY is no key of %d bytes in base64: it comes from the platform as it is", keySize)
		}
		h.Key = key
	}
	address := getenv("SEXTANT_DATABASE_URL")
	if address == "" {
		address = "sqlite:" + filepath.Join(h.Data, "plugin.db")
	}
	db, dialect, err := sqldb.Open(address, false)
	if err != nil {
		return nil, err
	}
	h.DB, h.Dialect = db, string(dialect)
	return h, nil
}

// begin fills what was left empty.
func (h *Host) begin() error {
	if len(h.Key) == 0 && h.Data != "" {
		key, err := keyFile(filepath.Join(h.Data, "secrets.key"))
		if err != nil {
			return fmt.Errorf("key of the plugin: %w", err)
		}
		h.Key = key
	}
	if h.Clock == nil {
		h.Clock = realClock{}
	}
	if h.Log == nil {
		h.Log = slog.New(slog.DiscardHandler)
	}
	if h.Client == nil {
		h.Client = &http.Client{Timeout: time.Minute}
	}
	if h.ctx == nil {
		h.ctx, h.cancel = context.WithCancelCause(context.Background())
	}
	return nil
}

// Context ends when the plugin is stopped, with the cause ErrStopping. Work in
// the background belongs to it. It may be used once the plugin starts.
func (h *Host) Context() context.Context { return h.ctx }

// Go runs work in the background, which Close waits for; it has to end soon
// after Context has. It reports false, and runs nothing, on a closed host.
func (h *Host) Go(fn func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.work.Go(fn)
	}
	return !h.closed
}

// Close ends the background work of the plugin and waits for it. Calls that are
// running end without an answer; what they began on other machines goes on.
func (h *Host) Close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	if h.cancel != nil {
		h.cancel(ErrStopping)
	}
	h.work.Wait()
}

// post calls the platform with a JSON body.
func (h *Host) post(ctx context.Context, path string, body any) (int, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(h.URL, "/")+path, bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+h.Token)
	resp, err := h.Client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // so that the connection is used again
	return resp.StatusCode, nil
}

// ErrFile says that a file cannot be had from the platform.
var ErrFile = errors.New("the file cannot be read")

// File opens a file of the platform by its SHA-256, and keeps a checked copy in
// the plugin's folder.
func (h *Host) File(ctx context.Context, digest string) (*os.File, error) {
	if len(digest) != 64 || strings.Trim(digest, "0123456789abcdef") != "" {
		return nil, fmt.Errorf("%w: %q is no SHA-256", ErrFile, digest)
	}
	path := filepath.Join(h.Data, "files", digest)
	if f, err := os.Open(path); err == nil {
		return f, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(h.URL, "/")+"/api/v1/blobs/"+digest, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+h.Token)
	resp, err := h.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return nil, fmt.Errorf("%w: the platform has no file with the SHA-256 %s: "+
			"upload it first with sextant file put <file>, which prints its SHA-256", ErrFile, digest)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: the platform answered %s for %s", ErrFile, resp.Status, digest)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return keep(resp.Body, path, digest)
}

func keep(from io.Reader, path, digest string) (*os.File, error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".partial-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(tmp, sum), from); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrFile, err), tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != digest {
		return nil, fmt.Errorf("%w: it should have the SHA-256 %s and has %s", ErrFile, digest, got)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return nil, err
	}
	return os.Open(path)
}
