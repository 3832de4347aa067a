package guestbook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	drainWithin  = 10 * time.Second
	readWithin   = 30 * time.Second
	maxForm      = 16 << 10 // bytes
	plainText    = "text/plain; charset=utf-8"
	versionField = "X-Version"
)

// Options say what to run and where.
type Options struct {
	// Dir is the folder of the release.
	Dir string
	// Data is the folder for what visitors write; it is made where it is
	// missing. Empty keeps nothing.
	Data string
	// Address is host:port to listen on.
	Address string
	// Out takes the log; nil discards it.
	Out io.Writer
}

// Run serves a release until ctx ends. Then it takes no more connections and
// finishes the requests that it has, for at most ten seconds.
func Run(ctx context.Context, o Options) error {
	if o.Out == nil {
		o.Out = io.Discard
	}
	r, err := load(os.DirFS(o.Dir))
	if err != nil {
		return fmt.Errorf("guestbook: the release in %s cannot be run: %w", o.Dir, err)
	}
	b, err := openBook(o.Data)
	if err != nil {
		return fmt.Errorf("guestbook: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Address)
	if err != nil {
		return fmt.Errorf("guestbook: %w", err)
	}
	a := &app{release: r, book: b, log: slog.New(slog.NewTextHandler(o.Out, nil)).With("version", r.version)}
	return a.serve(ctx, l)
}

// app is a release at work.
type app struct {
	release *release
	book    *book
	log     *slog.Logger
}

func (a *app) serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{Handler: a.routes(), ReadTimeout: readWithin, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn)}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	a.log.Info("serving", "address", l.Addr().String(), "pid", os.Getpid())
	select {
	case err := <-ended:
		return fmt.Errorf("guestbook: %w", err)
	case <-ctx.Done():
	}
	a.log.Info("draining")
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWithin)
	defer cancel()
	if err := srv.Shutdown(last); err != nil {
		_ = srv.Close() // what is left has had its time
		return fmt.Errorf("guestbook: requests were still under way after %v: %w", drainWithin, err)
	}
	<-ended
	a.log.Info("ended")
	return nil
}

func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.show)
	mux.HandleFunc("POST /{$}", a.add)
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { a.text(w, http.StatusOK, a.release.version) })
	mux.HandleFunc("GET /healthz", a.health)
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(a.release.static)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(versionField, a.release.version)
		mux.ServeHTTP(w, r)
	})
}

func (a *app) text(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", plainText)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // the visitor has gone if it fails
}

// health renders every template with made-up entries: what works with them
// works with real ones.
func (a *app) health(w http.ResponseWriter, _ *http.Request) {
	if err := a.release.check(); err != nil {
		a.text(w, http.StatusInternalServerError, err.Error())
		return
	}
	a.text(w, http.StatusOK, "ok "+a.release.version)
}

func (a *app) show(w http.ResponseWriter, r *http.Request) {
	entries, err := a.book.newest()
	if err != nil {
		a.fail(w, r, err)
		return
	}
	var page bytes.Buffer
	if err := a.release.render(&page, entries); err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = page.WriteTo(w) // the visitor has gone if it fails
}

func (a *app) add(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		a.text(w, http.StatusBadRequest, "the form cannot be read: "+err.Error())
		return
	}
	err := a.book.add(Entry{Name: r.PostForm.Get("name"), Text: r.PostForm.Get("text"), Time: time.Now().UTC().Truncate(time.Second)})
	var wrong *entryError
	switch {
	case errors.As(err, &wrong):
		a.text(w, http.StatusUnprocessableEntity, wrong.message)
	case errors.Is(err, errFull):
		a.text(w, http.StatusInsufficientStorage, err.Error())
	case err != nil:
		a.fail(w, r, err)
	default:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

func (a *app) fail(w http.ResponseWriter, r *http.Request, err error) {
	a.log.ErrorContext(r.Context(), "a request failed", "path", r.URL.Path, "err", err)
	a.text(w, http.StatusInternalServerError, "the page cannot be shown")
}
