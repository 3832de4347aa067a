package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// Options is what the console is served with.
type Options struct {
	// Base is the path under which a browser finds the platform, with a slash at
	// both ends.
	Base string
	// Docs are the documents that the help shows, by their path.
	Docs fs.FS
	// Missing answers what is no page of the console.
	Missing http.Handler
}

// Nothing but the console's own files runs or is loaded, nobody frames it; it
// frames cards of plugins, which cannot leave for elsewhere. The
// diagram library sets the style attribute of its elements; style sheets are the
// console's own.
const policy = "default-src 'none'; script-src 'self'; style-src-elem 'self'; style-src-attr 'unsafe-inline'; " +
	"img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// handler serves the files of one build.
type handler struct {
	Options
	files fs.FS
	page  []byte // index.html, or the fallback
	tag   string
}

// Handler serves the console: hashed files for a year, documents, and for every
// other path the page, whose router knows what it is.
func Handler(o Options) (http.Handler, error) {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	return newHandler(files, o)
}

func newHandler(files fs.FS, o Options) (*handler, error) {
	h := &handler{Options: o, files: files}
	page, err := fs.ReadFile(files, "index.html")
	if errors.Is(err, fs.ErrNotExist) {
		h.page = fallback
		return h, nil
	}
	if err != nil {
		return nil, err
	}
	// The build knows no path, so the addresses of the page are made absolute.
	page = bytes.ReplaceAll(page, []byte(`content="/" />`), []byte(`content="`+o.Base+`" />`))
	for _, attr := range []string{"src", "href"} {
		page = bytes.ReplaceAll(page, []byte(attr+`="./`), []byte(attr+`="`+o.Base))
	}
	sum := sha256.Sum256(page)
	h.page, h.tag = page, `"`+hex.EncodeToString(sum[:8])+`"`
	return h, nil
}

// ServeHTTP answers a path below the base.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead, strings.HasPrefix(name, "api/"), name == "api":
		h.Missing.ServeHTTP(w, r)
	case strings.HasPrefix(name, "docs/"):
		h.document(w, r, strings.TrimPrefix(name, "docs/"))
	case h.isFile(name):
		h.file(w, r, name)
	case strings.HasPrefix(name, "assets/"), path.Ext(name) == ".map":
		h.Missing.ServeHTTP(w, r)
	default:
		h.index(w, r)
	}
}

func (h *handler) isFile(name string) bool {
	if name == "" || name == "index.html" || strings.HasPrefix(path.Base(name), ".") {
		return false
	}
	info, err := fs.Stat(h.files, name)
	return err == nil && info.Mode().IsRegular()
}

func (h *handler) index(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Cache-Control", "no-cache")
	head.Set("Referrer-Policy", "same-origin")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Content-Security-Policy", policy)
	if h.tag == "" { // the fallback brings its style within
		head.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	} else {
		head.Set("ETag", h.tag)
		if r.Header.Get("If-None-Match") == h.tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	write(w, r, h.page)
}

// file serves a file of the build, compressed where the browser takes it so.
func (h *handler) file(w http.ResponseWriter, r *http.Request, name string) {
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		kind = "application/octet-stream"
	}
	head := w.Header()
	head.Set("Content-Type", kind)
	head.Set("Vary", "Accept-Encoding")
	head.Set("Cache-Control", "public, max-age=3600")
	if strings.HasPrefix(name, "assets/") { // their names hold the hash of their content
		head.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	data, err := fs.ReadFile(h.files, name)
	if accepts(r, "br") {
		if small, err := fs.ReadFile(h.files, name+".br"); err == nil {
			head.Set("Content-Encoding", "br")
			write(w, r, small)
			return
		}
	}
	if err != nil {
		http.Error(w, "the file cannot be read", http.StatusInternalServerError)
		return
	}
	write(w, r, data)
}

// document serves a text of the manual.
func (h *handler) document(w http.ResponseWriter, r *http.Request, name string) {
	if !fs.ValidPath(name) || path.Ext(name) != ".md" && path.Ext(name) != ".svg" || h.Docs == nil {
		h.Missing.ServeHTTP(w, r)
		return
	}
	data, err := fs.ReadFile(h.Docs, name)
	if err != nil {
		h.Missing.ServeHTTP(w, r)
		return
	}
	kind := "text/markdown; charset=utf-8"
	if path.Ext(name) == ".svg" {
		kind = "image/svg+xml"
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	write(w, r, data)
}

func accepts(r *http.Request, encoding string) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == encoding && strings.TrimSpace(q) != "q=0" {
			return true
		}
	}
	return false
}

func write(w http.ResponseWriter, r *http.Request, data []byte) {
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(data) // the client is gone if this fails
	}
}
