package server

import (
	_ "embed"
	"net/http"

	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
)

//go:embed page.html
var page []byte

// frontPage tells a browser what runs here, until there is a console.
func frontPage(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		e := errs.New(errs.NotFound, "route.not_found", "there is nothing at %s %s", r.Method, r.URL.Path)
		api.WriteProblem(w, r, &api.Problem{Status: e.Kind.Status(), Title: e.Message, Code: e.Code})
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'")
	_, _ = w.Write(page) // the client is gone if this fails
}
