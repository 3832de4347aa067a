package server

import (
	"io"
	"net/http"
	"sync"
)

// direct carries requests of plugins in this process to the API without a
// socket. Bodies are streamed, so that a large file is never held in memory.
type direct struct{ handler http.Handler }

// RoundTrip calls the handler.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	read, write := io.Pipe()
	w := &answering{header: http.Header{}, begun: make(chan struct{}), body: write}
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	go func() {
		d.handler.ServeHTTP(w, in)
		w.WriteHeader(http.StatusOK)
		_ = write.Close() // never fails
	}()
	select {
	case <-w.begun:
	case <-r.Context().Done():
		_ = read.CloseWithError(r.Context().Err()) // never fails
		return nil, r.Context().Err()
	}
	return &http.Response{Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: read, ContentLength: -1, Request: r}, nil
}

// answering is the response of a direct request on its way.
type answering struct {
	header http.Header
	sent   http.Header
	status int
	once   sync.Once
	begun  chan struct{}
	body   *io.PipeWriter
}

// Header is that of the response, until it begins.
func (a *answering) Header() http.Header { return a.header }

// WriteHeader begins the response.
func (a *answering) WriteHeader(status int) {
	a.once.Do(func() {
		a.status, a.sent = status, a.header.Clone()
		close(a.begun)
	})
}

// Write hands a part of the body over.
func (a *answering) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}
