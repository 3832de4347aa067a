package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/errs"
)

const (
	maxAddress = 8 << 10 // bytes of an address with its query
	maxQuery   = 32      // parameters of a query
	// stallFor is how long a body may take to come, and an answer to be taken, on
	// top of a second for every slowest bytes.
	stallFor = 30 * time.Second
	slowest  = 1 << 10
)

// The library matches the names of fields in any case unless its one switch for
// all APIs says otherwise; encoding/json would then take the last of two that
// differ in case alone, unseen by those who read the first.
var _ = strictCasing()

func strictCasing() bool {
	huma.ValidateStrictCasing = true
	return true
}

// guard says what every answer of the API says to browsers: it is kept nowhere,
// and whatever it holds, nothing in it runs, is loaded or is framed.
func guard(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
}

// requestID is what a client may call its request; others get a name from here,
// since it is written into the audit log and the server's log.
var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// check refuses requests that two readers could understand in two ways, or that
// are larger than any true one, before anything else looks at them.
func (a *API) check(r *http.Request) error {
	if n := len(r.URL.EscapedPath()) + len(r.URL.RawQuery); n > maxAddress {
		return errs.New(errs.LongAddress, "request.address_too_long",
			"the address has %d bytes: at most %d are read; send long values in the body", n, maxAddress)
	}
	if !plain(r.URL.Path) {
		return errs.New(errs.Malformed, "request.path",
			"the path is not a plain one: leave out empty and dot segments, backslashes and control characters")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return errs.New(errs.Malformed, "request.query", "the query of the address cannot be read: encode its values")
	}
	if len(query) > maxQuery {
		return errs.New(errs.Malformed, "request.query", "the query has %d parameters: at most %d are read", len(query), maxQuery)
	}
	_, pattern := a.mux.Handler(r)
	for name, values := range query {
		if len(values) > 1 && !a.patterns[pattern].Raw {
			return errs.New(errs.Malformed, "request.query", "the parameter %.40q stands %d times in the query: give it once", name, len(values))
		}
	}
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		return errs.New(errs.Forbidden, "request.cross_origin", "pages of other sites cannot call this platform")
	}
	if err := a.cross.Check(r); err != nil {
		return errs.New(errs.Forbidden, "request.cross_origin", "a page of another site sent this request: %s", err)
	}
	return nil
}

// plain reports whether a path, decoded, means the same to everybody.
func plain(p string) bool {
	if !strings.HasPrefix(p, "/") || !utf8.ValidString(p) || strings.ContainsRune(p, '\\') || strings.ContainsFunc(p, unicode.IsControl) {
		return false
	}
	return p == path.Clean(p) || p == path.Clean(p)+"/"
}

// methods are what requests ask with.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// otherMethod tells that a path of the API is there, for other methods.
func (a *API) otherMethod(w http.ResponseWriter, r *http.Request) error {
	if _, pattern := a.mux.Handler(r); pattern != "/" && pattern != "" || !strings.HasPrefix(r.URL.Path, "/api/") {
		return nil
	}
	var allowed []string
	for _, m := range methods {
		as := r.Clone(r.Context())
		as.Method = m
		if _, pattern := a.mux.Handler(as); pattern != "/" && pattern != "" {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 || slices.Contains(allowed, r.Method) {
		return nil
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return errs.New(errs.Method, "request.method", "%s is not possible here: use %s", r.Method, strings.Join(allowed, ", "))
}

// typed checks that a typed endpoint's body says that it is JSON.
func typed(hc huma.Context) error {
	r, _ := humago.Unwrap(hc)
	if r.ContentLength == 0 || r.Header.Get("Content-Type") != "" || hc.Operation().RequestBody == nil {
		return nil
	}
	return errs.New(errs.Media, "request.media_type", "the body does not say what it is: send the header Content-Type: application/json")
}

// whole reads the body of a typed endpoint, so that one that breaks off is the
// client's fault: the library takes it for one of the server.
func whole(hc huma.Context, limit int64) error {
	r, w := humago.Unwrap(hc)
	if r.Body == nil || r.Body == http.NoBody || hc.Operation().RequestBody == nil {
		return nil
	}
	body, err := ReadBody(w, r, limit)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err
}

// known checks the query of a plain endpoint; the library checks that of others.
func (e Endpoint) known(r *http.Request) error {
	for name := range r.URL.Query() {
		if !slices.Contains(e.Query, name) {
			return errs.New(errs.Invalid, "request.invalid", "the query has a parameter that is not known here").
				At(errs.Field{Path: "query." + name, Message: "unknown"})
		}
	}
	return nil
}

// strict reads JSON of which every object has each of its names once.
func strict(data []byte, into any) error {
	if _, first := into.(*any); first { // the library reads twice: first to check the form
		d := json.NewDecoder(bytes.NewReader(data))
		if err := once(d); err != nil {
			return err
		}
	}
	return json.Unmarshal(data, into)
}

// once reads one value. What else may be wrong with it, json.Unmarshal tells.
func once(d *json.Decoder) error {
	type level struct {
		names map[string]bool // of an object; nil of an array
		name  bool            // a name comes next
	}
	var open []level
	for {
		tok, err := d.Token()
		if err != nil {
			return nil
		}
		top := len(open) - 1
		if top >= 0 && open[top].name {
			if name, ok := tok.(string); ok {
				if open[top].names[name] {
					return fmt.Errorf("the name %.60q stands twice in one object", name)
				}
				open[top].names[name], open[top].name = true, false
				continue
			}
		}
		switch tok {
		case json.Delim('{'):
			open = append(open, level{map[string]bool{}, true})
			continue
		case json.Delim('['):
			open = append(open, level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:top]
		}
		if len(open) == 0 {
			return nil
		}
		open[len(open)-1].name = open[len(open)-1].names != nil
	}
}

// ReadBody reads a body of a plain endpoint up to its limit.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err = BodyError(err); err != nil && errs.Is(err, errs.Internal) {
		err = errs.Wrap(err, errs.Malformed, "request.malformed", "the body broke off")
	}
	return data, err
}

// BodyError is what an error that broke off the reading of a body says to the
// client; other errors stay as they are.
func BodyError(err error) error {
	var long *http.MaxBytesError
	var late interface{ Timeout() bool }
	switch {
	case errors.As(err, &long):
		return errs.New(errs.TooLarge, "request.too_large", "the body has more than %d bytes", long.Limit)
	case errors.As(err, &late) && late.Timeout():
		return errs.New(errs.Slow, "request.timeout", "the body came too slowly: send at least %d bytes a second", slowest)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errs.Wrap(err, errs.Malformed, "request.malformed", "the body broke off")
	}
	return err
}

// pace bounds how long a peer may take: stall, and a second for every slowest
// bytes.
type pace struct {
	began time.Time
	stall time.Duration
	bytes int64
}

func (p *pace) deadline() time.Time {
	return p.began.Add(p.stall + time.Duration(p.bytes/slowest)*time.Second)
}

// pacedBody is a body that has to come at a pace.
type pacedBody struct {
	io.ReadCloser
	pace
	conn *http.ResponseController
}

func (b *pacedBody) Read(p []byte) (int, error) {
	_ = b.conn.SetReadDeadline(b.deadline()) // requests of plugins in this process have no connection
	n, err := b.ReadCloser.Read(p)
	b.bytes += int64(n)
	if errors.Is(err, io.EOF) { // from here on the connection is read to see whether the client leaves
		_ = b.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}

// paced makes the body of a request come at a pace.
func (a *API) paced(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	r.Body = &pacedBody{r.Body, pace{began: clock.Real{}.Now(), stall: cmp.Or(a.deps.Stall, stallFor)}, http.NewResponseController(w)}
}

// noteKey finds what is noted about an answer while it is made.
type noteKey struct{}

// keepOut marks the answer of a request as one that is not remembered.
func keepOut(ctx context.Context) {
	if secret, ok := ctx.Value(noteKey{}).(*bool); ok {
		*secret = true
	}
}
