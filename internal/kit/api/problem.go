package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/kit/obs"
)

// Problem is the body of every error: RFC 9457 with a stable code that clients
// translate, its parameters, and the fields at fault.
type Problem struct {
	Status    int               `json:"status" doc:"HTTP status"`
	Title     string            `json:"title" doc:"What happened, in English"`
	Code      string            `json:"code" doc:"Stable dotted code, also the key of its translations"`
	Params    map[string]string `json:"params,omitempty" doc:"Parameters of the translated text"`
	Fields    []errs.Field      `json:"fields,omitempty" doc:"The places at fault"`
	Data      any               `json:"data,omitempty" doc:"More about it, by code; with object.stale: version, stored and yours"`
	RequestID string            `json:"requestId,omitempty" doc:"Find the request by this in the server's log"`
}

// Error is the title.
func (p *Problem) Error() string { return p.Title }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is that of problems.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders are the headers that belong to the status.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	switch p.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	return h
}

// problem turns an error into its answer; the cause of an internal error goes
// to the log alone.
func (a *API) problem(ctx context.Context, err error) *Problem {
	e := errs.As(db.Translate(err))                  // a row's error comes as the driver has it
	if e.Kind == errs.Internal && ctx.Err() == nil { // else the client left, which is no error of ours
		a.deps.Log.ErrorContext(ctx, "internal error", "err", err)
	}
	return &Problem{Status: e.Kind.Status(), Title: e.Message, Code: e.Code,
		Params: e.Params, Fields: e.Fields, Data: e.Data, RequestID: obs.RequestID(ctx)}
}

// problems turns the errors that come from validating a request into problems.
func (a *API) problems(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := &Problem{Status: m.Status, Title: m.Detail, Code: validationCode(m.Status), RequestID: obs.RequestID(ctx.Context())}
	if m.Status >= http.StatusInternalServerError {
		p.Title, p.Code = "internal error", "internal"
	}
	for _, d := range m.Errors {
		p.Fields = append(p.Fields, errs.Field{Path: strings.TrimPrefix(d.Location, "body."), Message: d.Message})
	}
	return p, nil
}

func validationCode(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "request.malformed"
	case http.StatusRequestEntityTooLarge:
		return "request.too_large"
	case http.StatusRequestTimeout:
		return "request.timeout"
	case http.StatusUnsupportedMediaType:
		return "request.media_type"
	}
	return "request.invalid"
}

func (a *API) write(hc huma.Context, err error) {
	p := a.problem(hc.Context(), err)
	hc.SetHeader("Content-Type", p.ContentType(""))
	for name, values := range p.GetHeaders() {
		hc.SetHeader(name, values[0])
	}
	hc.SetStatus(p.Status)
	_ = json.NewEncoder(hc.BodyWriter()).Encode(p) // the client is gone if this fails
}

// WriteProblem answers a plain handler's request with a problem.
func WriteProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	if p.RequestID == "" {
		p.RequestID = obs.RequestID(r.Context())
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone if this fails
}

// Page is the answer of a list: items, and where to go on.
type Page[T any] struct {
	Items []T    `json:"items" doc:"The rows of this page"`
	Next  string `json:"next,omitempty" doc:"Pass as after to read the next page; absent on the last"`
	own   bool   // Next is ours, and not that of a plugin, which seals and checks its own
}

// MarshalJSON seals where to go on: clients hand it back as it is.
func (p Page[T]) MarshalJSON() ([]byte, error) {
	next := p.Next
	if p.own {
		next = seal(next)
	}
	return json.Marshal(struct {
		Items []T    `json:"items"`
		Next  string `json:"next,omitempty"`
	}{p.Items, next})
}

// sumBytes of a hash tell that a cursor was not made up or cut.
const sumBytes = 6

func sumOf(mark string) []byte {
	sum := sha256.Sum256([]byte("cursor\x00" + mark))
	return sum[:sumBytes]
}

func seal(mark string) string {
	if mark == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(sumOf(mark), mark...))
}

func unseal(text string) (mark string, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) <= sumBytes {
		return "", false
	}
	mark = string(raw[sumBytes:])
	return mark, bytes.Equal(raw[:sumBytes], sumOf(mark))
}

// BadCursor refuses an after that no page of this list has given.
func BadCursor() error {
	return errs.New(errs.Malformed, "request.malformed", "the parameter after is not the next of a page of this list: begin without it").
		At(errs.Field{Path: "query.after", Message: "not a next that was given"})
}

// PageOf cuts limit+1 read rows to a page; mark gives the key of a row.
func PageOf[T any](rows []T, limit int, mark func(T) string) Page[T] {
	p := Page[T]{Items: rows, own: true}
	if len(rows) > limit {
		p.Items, p.Next = rows[:limit], mark(rows[limit-1])
	}
	if p.Items == nil {
		p.Items = []T{}
	}
	return p
}

// Paging is the query of every list.
type Paging struct {
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"Rows on a page"`
	After string `query:"after" maxLength:"400" doc:"The next of the page before"`
	open  bool   // After was unsealed: the library may resolve twice
}

// Resolve reads the cursor. One that was not given by a page is refused: to begin
// anew in silence would show rows twice.
func (p *Paging) Resolve(huma.Context) []error {
	if p.open || p.After == "" {
		return nil
	}
	mark, ok := unseal(p.After)
	if !ok {
		return []error{&badCursor{huma.ErrorDetail{Location: "query.after", Message: "not a next that was given"}}}
	}
	p.After, p.open = mark, true
	return nil
}

// badCursor is a cursor that the library answers 400 to.
type badCursor struct{ huma.ErrorDetail }

// GetStatus is the HTTP status.
func (*badCursor) GetStatus() int { return http.StatusBadRequest }

var entityTag = regexp.MustCompile(`^"([0-9]+)"$`)

// Version reads an If-Match header of the form "<version>".
func Version(header string) (int64, error) {
	if header == "" {
		return 0, errs.New(errs.Required, "request.if_match", `this needs the header If-Match: "<version>" with the version that was read`)
	}
	m := entityTag.FindStringSubmatch(header)
	var v int64
	err := strconv.ErrSyntax
	if m != nil {
		v, err = strconv.ParseInt(m[1], 10, 64)
	}
	if err != nil {
		return 0, errs.New(errs.Malformed, "request.if_match", "the header If-Match is %s: want a version in quotes", header)
	}
	return v, nil
}
