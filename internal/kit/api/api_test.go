package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/testkit/dbserver"
)

const patience = 30 * time.Second

// rig is an edge with a real database and a fake clock. The bearer token is the
// name of the principal; "low" has no permission.
type rig struct {
	*api.API
	t     *testing.T
	db    *db.DB
	file  string
	clock *clock.Fake
	log   *lockedBuffer
	url   string

	mu       sync.Mutex
	observed []string
	disabled sync.Map // principals who are let in no more
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var tables = fstest.MapFS{"migrations/202601010000_create.sql": {Data: []byte("-- +goose Up\nCREATE TABLE thing (name TEXT NOT NULL);\n")}}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, file: filepath.Join(t.TempDir(), "x.db"), clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		log: &lockedBuffer{}}
	r.boot()
	return r
}

// boot opens the database and makes a new edge over it, as a restart does.
func (r *rig) boot(change ...func(*api.Deps)) {
	r.t.Helper()
	d, err := db.OpenAs(r.t.Context(), dbserver.Address(r.t, r.file), db.Holder{ID: "again", Name: "the one before"})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = d.Close() })
	if err := errors.Join(d.Migrate(r.t.Context(), api.Domain, api.Migrations), d.Migrate(r.t.Context(), "test", tables)); err != nil {
		r.t.Fatal(err)
	}
	r.db = d
	deps := api.Deps{
		Version: "test", DB: d, Clock: r.clock, Log: slog.New(slog.NewTextHandler(r.log, nil)),
		Authenticate: func(q *http.Request) (context.Context, string, error) {
			name, ok := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
			if !ok {
				return nil, "", errs.New(errs.Unauthenticated, "x.unauthenticated", "log in first")
			}
			if _, gone := r.disabled.Load(name); gone {
				return nil, "", errs.New(errs.Unauthenticated, "x.disabled", "disabled")
			}
			return context.WithValue(q.Context(), who{}, name), name, nil
		},
		Fresh: func(ctx context.Context) error {
			if ctx.Value(who{}) == "stale" {
				return errs.New(errs.Unauthenticated, "x.reauth", "prove it")
			}
			return nil
		},
		Authorize: func(ctx context.Context, permission, _ string) error {
			if ctx.Value(who{}) == "low" {
				return errs.New(errs.Forbidden, "x.forbidden", "no %s", permission)
			}
			return nil
		},
		Observe: func(route, status string, _ float64) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.observed = append(r.observed, route+" "+status)
		},
	}
	for _, c := range change {
		c(&deps)
	}
	r.API = api.New(deps)
	s := httptest.NewServer(r.Handler())
	r.t.Cleanup(s.Close)
	r.url = s.URL
}

type who struct{}

// reply is an answer, read.
type reply struct {
	*http.Response
	body    string
	problem api.Problem
}

func (r *rig) ask(method, path, body string, header ...string) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer ann")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			req.Header.Del(header[i])
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	a := reply{Response: resp, body: string(data)}
	if resp.Header.Get("Content-Type") == "application/problem+json" {
		if err := json.Unmarshal(data, &a.problem); err != nil {
			r.t.Fatalf("%s: %v", data, err)
		}
	}
	return a
}

func (r *rig) wants(a reply, status int, code string) {
	r.t.Helper()
	if a.StatusCode != status || a.problem.Code != code {
		r.t.Errorf("answered %d %s, want %d %s", a.StatusCode, a.body, status, code)
	}
	if a.problem.Status != status || a.problem.Title == "" || a.problem.RequestID == "" ||
		a.problem.RequestID != a.Header.Get("X-Request-Id") {
		r.t.Errorf("a problem lacks something: %s (request %s)", a.body, a.Header.Get("X-Request-Id"))
	}
}

func (r *rig) things() (n int) {
	r.t.Helper()
	if err := r.db.QueryRow(r.t.Context(), "SELECT COUNT(*) FROM thing").Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

type thing struct {
	Name string  `json:"name" minLength:"1" maxLength:"10"`
	Size int     `json:"size,omitempty" minimum:"0"`
	Key  api.Key `json:"key,omitempty"`
}

type thingIn struct {
	Project string `query:"project" default:"default"`
	Body    thing
}

type thingOut struct{ Body thing }

func (r *rig) endpoints() {
	api.Register(r.API, api.Endpoint{ID: "createThing", Method: http.MethodPost,
		Path: "/things", Permission: "thing.write", Status: http.StatusCreated, MaxBody: 4096},
		func(ctx context.Context, in *thingIn) (*thingOut, error) {
			switch in.Body.Name {
			case "stale":
				return nil, errs.New(errs.Stale, "thing.stale", "somebody changed it").
					With("version", "7").At(errs.Field{Path: "name", Message: "old", Line: 3, Column: 4})
			case "raw":
				return nil, errors.New("the password is hunter2")
			case "panic":
				panic("the password is hunter2")
			case "busy":
				return nil, errs.New(errs.Exhausted, "thing.busy", "later")
			}
			err := r.db.Do(ctx, func(tx *db.Tx) error { _, err := tx.Exec("INSERT INTO thing VALUES (?)", in.Body.Name); return err })
			return &thingOut{in.Body}, err
		})
	type get struct {
		Key api.KeyParam `path:"key"`
		Run api.KeyParam `query:"run"`
	}
	api.Register(r.API, api.Endpoint{ID: "getThing", Method: http.MethodGet, Path: "/things/{key}", Permission: api.SignedIn},
		func(_ context.Context, in *get) (*thingOut, error) {
			return &thingOut{thing{Name: in.Run.String(), Key: in.Key.Key}}, nil
		})
	r.Handle(api.Endpoint{ID: "plainThing", Method: http.MethodPut, Path: "/plain/{what}", Permission: "thing.write"},
		func(w http.ResponseWriter, q *http.Request) error {
			if q.PathValue("what") == "none" {
				return errs.New(errs.NotFound, "thing.not_found", "none")
			}
			w.WriteHeader(http.StatusNoContent)
			return nil
		})
	r.Handle(api.Endpoint{Method: http.MethodGet, Path: "/public", Public: true}, func(w http.ResponseWriter, _ *http.Request) error {
		_, err := io.WriteString(w, "hello")
		return err
	})
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoints()
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code                     string
	}{
		{"typed", "POST", "/things", `{"name":"a"}`, nil, 201, ""},
		{"public", "GET", "/public", "", []string{"Authorization", ""}, 200, ""},
		{"plain", "PUT", "/plain/x", "", nil, 204, ""},
		{"not-logged-in", "POST", "/things", `{"name":"a"}`, []string{"Authorization", ""}, 401, "x.unauthenticated"},
		{"not-logged-in-plain", "PUT", "/plain/x", "", []string{"Authorization", ""}, 401, "x.unauthenticated"},
		{"no-permission", "POST", "/things", `{"name":"a"}`, []string{"Authorization", "Bearer low"}, 403, "x.forbidden"},
		{"no-permission-plain", "PUT", "/plain/x", "", []string{"Authorization", "Bearer low"}, 403, "x.forbidden"},
		{"no-permission-wanted", "GET", "/things/1", "", []string{"Authorization", "Bearer low"}, 200, ""},
		{"permission-before-form", "POST", "/things", `{"nonsense":1}`, []string{"Authorization", "Bearer low"}, 403, "x.forbidden"},
		{"unknown-query", "POST", "/things?projct=a", `{"name":"a"}`, nil, 422, "request.invalid"},
		{"unknown-field", "POST", "/things", `{"name":"a","nmae":"b"}`, nil, 422, "request.invalid"},
		{"too-long", "POST", "/things", `{"name":"aaaaaaaaaaaaaaa"}`, nil, 422, "request.invalid"},
		{"no-json", "POST", "/things", `{"name"`, nil, 400, "request.malformed"},
		{"other-media", "POST", "/things", `name=a`, []string{"Content-Type", "text/csv"}, 415, "request.media_type"},
		{"large", "POST", "/things", `{"name":"` + strings.Repeat("a", 5000) + `"}`, nil, 413, "request.too_large"},
		{"own-error", "POST", "/things", `{"name":"stale"}`, nil, 412, "thing.stale"},
		{"own-error-plain", "PUT", "/plain/none", "", nil, 404, "thing.not_found"},
		{"internal", "POST", "/things", `{"name":"raw"}`, nil, 500, "internal"},
		{"panic", "POST", "/things", `{"name":"panic"}`, nil, 500, "internal"},
		{"bad-key", "GET", "/things/abc", "", nil, 422, "request.invalid"},
		{"negative-key", "GET", "/things/-1", "", nil, 422, "request.invalid"},
		{"huge-key", "GET", "/things/99999999999999999999", "", nil, 422, "request.invalid"},
		{"bad-query-key", "GET", "/things/1?run=x", "", nil, 422, "request.invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := r.ask(c.method, c.path, c.body, c.header...)
			if c.code != "" {
				r.wants(a, c.status, c.code)
			}
			if a.StatusCode != c.status {
				t.Errorf("answered %d %s, want %d", a.StatusCode, a.body, c.status)
			}
			if strings.Contains(a.body, "hunter2") || strings.Contains(a.body, "goroutine") {
				t.Errorf("tells what is inside: %s", a.body)
			}
			if got := a.Header.Get("WWW-Authenticate") != ""; got != (c.status == 401) {
				t.Errorf("WWW-Authenticate with %d: %v", c.status, got)
			}
			if got := a.Header.Get("Retry-After") != ""; got {
				t.Errorf("Retry-After with %d", c.status)
			}
		})
	}
	if got := r.log.String(); strings.Count(got, "hunter2") < 2 {
		t.Errorf("the log does not tell both causes: %s", got)
	}
	if r.ask("POST", "/things", `{"name":"busy"}`).Header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
}

func TestProblemsNameThePlaces(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoints()
	a := r.ask("POST", "/things", `{"name":"stale"}`)
	if f := a.problem.Fields; len(f) != 1 || f[0].Path != "name" || f[0].Line != 3 || f[0].Column != 4 || a.problem.Params["version"] != "7" {
		t.Errorf("%s", a.body)
	}
	a = r.ask("POST", "/things", `{"name":"","size":-1,"more":1}`)
	var paths []string
	for _, f := range a.problem.Fields {
		paths = append(paths, f.Path)
	}
	slices.Sort(paths)
	if !slices.Contains(paths, "name") || !slices.Contains(paths, "size") || len(paths) != 3 {
		t.Errorf("paths %v: %s", paths, a.body)
	}
	if a = r.ask("GET", "/things/1", "", "X-Request-Id", "mine"); a.Header.Get("X-Request-Id") != "mine" {
		t.Errorf("the request id %q", a.Header.Get("X-Request-Id"))
	}
	if a = r.ask("GET", "/things/1", "", "X-Request-Id", strings.Repeat("x", 65)); len(a.Header.Get("X-Request-Id")) != 26 {
		t.Errorf("the request id %q", a.Header.Get("X-Request-Id"))
	}
}

func TestRoutesAreObserved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoints()
	r.ask("GET", "/things/1", "")
	r.ask("POST", "/things", `{"name":"raw"}`)
	r.ask("POST", "/things", `{"name":"panic"}`)
	r.ask("POST", "/things", `{"name":"x"}`, "Idempotency-Key", "k")
	r.ask("GET", "/nothing", "")
	// An answer can be read before its time is taken: closing the server waits.
	srv := httptest.NewServer(r.Handler())
	resp, err := http.Get(srv.URL + "/public")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	srv.Close()
	want := []string{"GET /things/{key} 200", "POST /things 500", "POST /things 500", "POST /things 201", " 404", "GET /public 200"}
	eventually(t, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		got, wanted := slices.Sorted(slices.Values(r.observed)), slices.Sorted(slices.Values(want))
		if !slices.Equal(got, wanted) {
			return fmt.Errorf("observed %q, want %q", got, wanted)
		}
		return nil
	})
}

// eventually waits for what comes by itself.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

func TestKeysSurviveAsText(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoints()
	rapid.Check(t, func(rt *rapid.T) {
		k := api.Key(rapid.Int64Range(0, math.MaxInt64).Draw(rt, "key"))
		a := r.ask("GET", fmt.Sprintf("/things/%d?run=%d", k, k), "")
		var got struct {
			Name string
			Key  any
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.StatusCode != 200 {
			rt.Fatalf("%d %s: %v", a.StatusCode, a.body, err)
		}
		if got.Name != k.String() || k != 0 && got.Key != k.String() {
			rt.Fatalf("%s for %d", a.body, k)
		}
		var back api.Key
		text, err := json.Marshal(k)
		if err != nil || json.Unmarshal(text, &back) != nil || back != k {
			rt.Fatalf("%d became %s and %d", k, text, back)
		}
	})
	if a := r.ask("POST", "/things", `{"name":"k","key":9223372036854775807}`); a.StatusCode != 422 {
		t.Errorf("a key that is a number: %d %s", a.StatusCode, a.body)
	}
	if a := r.ask("POST", "/things", `{"name":"k","key":"9223372036854775807"}`); !strings.Contains(a.body, `"9223372036854775807"`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header string
		want   int64
		kind   errs.Kind
	}{
		{`"7"`, 7, errs.Internal}, {`"9223372036854775807"`, math.MaxInt64, errs.Internal},
		{"", 0, errs.Required}, {`"x"`, 0, errs.Malformed}, {"*", 0, errs.Malformed},
		{`W/"7"`, 0, errs.Malformed}, {`"7", "8"`, 0, errs.Malformed}, {"7", 0, errs.Malformed},
		{`"7`, 0, errs.Malformed}, {`""7""`, 0, errs.Malformed}, {`"-7"`, 0, errs.Malformed},
	} {
		got, err := api.Version(c.header)
		if got != c.want || (err == nil) != (c.kind == errs.Internal) || err != nil && !errs.Is(err, c.kind) {
			t.Errorf("%s: %d, %v", c.header, got, err)
		}
	}
}

// Whoever follows next sees every row once, in order.
func TestPagesAreWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		total, limit := rapid.IntRange(0, 40).Draw(rt, "total"), rapid.IntRange(1, 12).Draw(rt, "limit")
		read := func(after string) (rows []string) {
			for i := range total {
				if row := fmt.Sprintf("%03d", i); row > after && len(rows) <= limit {
					rows = append(rows, row)
				}
			}
			return rows
		}
		var seen []string
		for after, n := "", 0; ; n++ {
			page := api.PageOf(read(after), limit, func(s string) string { return s })
			if page.Items == nil || len(page.Items) > limit || n > total {
				rt.Fatalf("page %d: %v", n, page)
			}
			seen = append(seen, page.Items...)
			if after = page.Next; after == "" {
				break
			}
		}
		if len(seen) != total || !slices.IsSorted(seen) {
			rt.Fatalf("saw %v of %d", seen, total)
		}
	})
}

func TestNamesInTheDescriptionAreUnique(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoints()
	type page struct{ Body api.Page[thing] }
	api.Register(r.API, api.Endpoint{ID: "listThings", Method: http.MethodGet, Path: "/things", Permission: api.SignedIn},
		func(context.Context, *api.Paging) (*page, error) {
			return &page{api.PageOf([]thing{}, 1, func(x thing) string { return x.Name })}, nil
		})
	type errors struct{ Body api.Page[errs.Field] }
	api.Register(r.API, api.Endpoint{ID: "listFields", Method: http.MethodGet, Path: "/fields", Permission: api.SignedIn},
		func(context.Context, *api.Paging) (*errors, error) {
			return &errors{}, nil
		})
	for name, make := range map[string]func() ([]byte, error){"3.1": r.OpenAPI, "3.0": r.OpenAPI30} {
		doc, err := make()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"openapi: " + name, "PageOfErrsField:",
			"PageOfApitestThing:", "operationId: plainThing", "Problem:", "requestId:"} {
			if !strings.Contains(string(doc), want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		if n := strings.Count(string(doc), "operationId: createThing\n"); n != 1 {
			t.Errorf("createThing %d times", n)
		}
	}
	resp := r.ask("GET", "/api/v1/openapi.yaml", "")
	if resp.StatusCode != 200 {
		t.Errorf("the description: %d", resp.StatusCode)
	}
}

func TestClientThatLeavesIsNoErrorOfOurs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	entered := make(chan struct{})
	left := make(chan struct{})
	type out struct{}
	api.Register(r.API, api.Endpoint{ID: "wait", Method: http.MethodGet, Path: "/wait", Permission: api.SignedIn},
		func(ctx context.Context, _ *struct{}) (*out, error) {
			close(entered)
			<-ctx.Done()
			defer close(left)
			return nil, ctx.Err()
		})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", r.url+"/wait", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer ann")
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-entered
	cancel()
	<-left
	<-done
	eventually(t, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.observed) == 0 {
			return errors.New("not observed")
		}
		return nil
	})
	if got := r.log.String(); strings.Contains(got, "internal error") {
		t.Error(got)
	}
}
