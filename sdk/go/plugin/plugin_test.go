package plugin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

type where struct {
	Address string `sx:"address,required,from=path,expr=.address" doc:"host or host:port"`
}

type greetIn struct {
	where
	Name     string            `sx:"name,required"`
	Times    int               `sx:"times,default=1"`
	Wait     plugin.Duration   `sx:"wait,default=PT1M"`
	Tone     string            `sx:"tone,values=kind|rude,default=kind"`
	Password plugin.Secret     `sx:"password"`
	Exact    json.Number       `sx:"exact"`
	Extra    map[string]string `sx:"extra"`
	File     plugin.File       `sx:"file"`
	Begin    *time.Time        `sx:"begin"`
}

type greetOut struct {
	Text  string      `sx:"text,to=.greeting"`
	Exact json.Number `sx:"exact"`
}

// greeter is a small plugin; its function is fn.
func greeter(spec plugin.Spec, fn plugin.Func[greetIn, greetOut]) *plugin.Plugin {
	p := plugin.New(wire.Manifest{Plugin: "greeter", Version: "0.1.0", Objects: []wire.ObjectType{{Type: "person"}}})
	spec.Service, spec.Action, spec.Target = "greeting", "say", "greeter:person"
	plugin.Action(p, spec, fn)
	return p
}

func greet(_ context.Context, c *plugin.Call, in greetIn) (greetOut, error) {
	fmt.Fprintf(c, "greeting %s\n", in.Name)
	c.Progress(50, "half")
	return greetOut{Text: strings.Repeat("hello "+in.Name+" ", in.Times), Exact: in.Exact}, nil
}

type served struct {
	t *testing.T
	h http.Handler
}

func serve(t *testing.T, p *plugin.Plugin, host *plugin.Host) served {
	t.Helper()
	h, err := p.Handler(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.Close)
	return served{t, h}
}

const say = "/v1/greeting/say"

func (s served) post(path, key, body string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set(wire.HeaderIdempotencyKey, key)
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w
}

func rows(t *testing.T, w *httptest.ResponseRecorder) []map[string]any {
	t.Helper()
	var resp struct {
		Results struct {
			Outputs []map[string]any `json:"outputs"`
		} `json:"results"`
	}
	d := json.NewDecoder(w.Body)
	d.UseNumber()
	if err := d.Decode(&resp); err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d, %v", w.Code, err)
	}
	return resp.Results.Outputs
}

func one(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	all := rows(t, w)
	if len(all) != 1 {
		t.Fatalf("got %d rows", len(all))
	}
	return all[0]
}

const ann = `{"inputs":[{"callbackParameter":"p1","address":"h","name":"Ann","times":"2","exact":0.10}]}`

func TestARowGoesInAndComesOut(t *testing.T) {
	t.Parallel()
	s := serve(t, greeter(plugin.Spec{}, greet), &plugin.Host{})
	want := map[string]any{"callbackParameter": "p1", "errorCode": "0", "errorMessage": "",
		"outcome": "ok", "text": "hello Ann hello Ann ", "exact": json.Number("0.10")}
	if diff := cmp.Diff(want, one(t, s.post(say, "k", ann))); diff != "" {
		t.Error(diff)
	}
}

func TestTheManifestComesFromTheStructs(t *testing.T) {
	t.Parallel()
	m, err := greeter(plugin.Spec{Timeout: 90 * time.Minute}, greet).Manifest()
	if err != nil {
		t.Fatal(err)
	}
	a := m.Services[0].Actions[0]
	types := map[string]string{}
	for _, p := range a.Input {
		types[p.Name] = p.Type
	}
	want := map[string]string{"address": "string", "name": "string", "times": "int",
		"wait": "duration", "tone": "enum", "password": "string", "exact": "number", "extra": "object", "file": "file", "begin": "datetime"}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Error(diff)
	}
	got := []string{a.Path, a.Timeout, a.Risk, a.Locks[0].On, a.Input[0].Expr, a.Output[0].To}
	if diff := cmp.Diff([]string{say, "PT1H30M", "change", "target", ".address", ".greeting"}, got); diff != "" {
		t.Error(diff)
	}
	type twice struct {
		A int `sx:"a"`
		B int `sx:"a"`
	}
	bad := plugin.New(wire.Manifest{Plugin: "bad"})
	plugin.Action(bad, plugin.Spec{Service: "s", Action: "a"}, func(context.Context, *plugin.Call, twice) (struct{}, error) {
		return struct{}{}, nil
	})
	if _, err := bad.Handler(t.Context(), &plugin.Host{}); err == nil {
		t.Error("two parameters of one name were accepted")
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		row  string
		fn   plugin.Func[greetIn, greetOut]
		want []any // outcome, errorCode, a part of the message
	}{
		{"missing", `"name":"x"`, greet, []any{"failed", "input.missing", "address"}},
		{"of another type", `"name":"x","address":"h","times":"many"`, greet, []any{"failed", "input.type", "times"}},
		{"no duration", `"name":"x","address":"h","wait":"soon"`, greet, []any{"failed", "input.type", `"soon" is no duration`}},
		{"not of the list", `"name":"x","address":"h","tone":"odd"`, greet, []any{"failed", "input.value", "kind, rude"}},
		{"a panic", `"name":"x","address":"h"`, func(context.Context, *plugin.Call, greetIn) (greetOut, error) { panic("oh") },
			[]any{"failed", "panic", "oh"}},
		{"an error", `"name":"x","address":"h"`, ends(errors.New("plain")), []any{"failed", "failed", "plain"}},
		{"fail", `"name":"x","address":"h"`, ends(plugin.Fail("greet.no", "will not")), []any{"failed", "greet.no", "will not"}},
		{"unknown", `"name":"x","address":"h"`, ends(plugin.Unknown("who knows")), []any{"unknown", "unknown", "who knows"}},
		{"skipped", `"name":"x","address":"h"`, ends(plugin.Skip("nothing to do")), []any{"skipped", "0", "nothing"}},
		{"too long", `"name":"x","address":"h"`, func(ctx context.Context, _ *plugin.Call, _ greetIn) (greetOut, error) {
			<-ctx.Done()
			return greetOut{}, ctx.Err()
		}, []any{"timed_out", "timed_out", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, greeter(plugin.Spec{Timeout: 200 * time.Millisecond}, tt.fn), &plugin.Host{})
			got := one(t, s.post(say, "k", `{"inputs":[{"callbackParameter":"p1",`+tt.row+`}]}`))
			if got["outcome"] != tt.want[0] || got["errorCode"] != tt.want[1] ||
				!strings.Contains(fmt.Sprint(got["errorMessage"]), tt.want[2].(string)) {
				t.Errorf("got %v", got)
			}
		})
	}
}

func ends(err error) plugin.Func[greetIn, greetOut] {
	return func(context.Context, *plugin.Call, greetIn) (greetOut, error) { return greetOut{}, err }
}

func TestAKeyIsWorkedOnOnce(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"", t.TempDir()} {
		var runs atomic.Int32
		begun, goOn := make(chan struct{}), make(chan struct{})
		fn := func(ctx context.Context, c *plugin.Call, in greetIn) (greetOut, error) {
			runs.Add(1)
			close(begun)
			<-goOn
			return greet(ctx, c, in)
		}
		s := serve(t, greeter(plugin.Spec{}, fn), &plugin.Host{Data: data})
		answers := make([]string, 4)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() { answers[i] = s.post(say, "k", ann).Body.String() })
		}
		<-begun
		if w := s.post(say, "k", strings.Replace(ann, "Ann", "Bob", 1)); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("another body while it runs: %d", w.Code)
		}
		close(goOn)
		wg.Wait()
		later := s.post(say, "k", ann).Body.String()
		for _, a := range answers {
			if a != later || a == "" {
				t.Errorf("answers differ: %q and %q", a, later)
			}
		}
		if w := s.post(say, "k", strings.Replace(ann, "Ann", "Bob", 1)); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("another body afterwards: %d", w.Code)
		}
		if runs.Load() != 1 {
			t.Errorf("it ran %d times", runs.Load())
		}
	}
}

// An answer may tell what was secret in its request: what is kept of it in files
// is of no use to who does not have the request.
func TestKeptAnswersAreReadByTheirRequestAlone(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	var runs atomic.Int32
	tell := func(_ context.Context, _ *plugin.Call, in greetIn) (greetOut, error) {
		runs.Add(1)
		return greetOut{Text: "the password is " + string(in.Password)}, nil
	}
	secret := strings.Replace(ann, `"name"`, `"password":"canary-0815","name"`, 1)
	host := &plugin.Host{Data: data}
	first := serve(t, greeter(plugin.Spec{Idempotent: true}, tell), host).post(say, "k", secret).Body.String()
	if !strings.Contains(first, "canary-0815") {
		t.Fatalf("got %s", first)
	}
	host.Close()
	files, err := filepath.Glob(data + "/results/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing is kept: %v", err)
	}
	for _, f := range files {
		kept, err := os.ReadFile(f)
		if err != nil || bytes.Contains(kept, []byte("canary")) {
			t.Errorf("%s: %q %v", f, kept, err)
		}
	}
	s := serve(t, greeter(plugin.Spec{Idempotent: true}, tell), &plugin.Host{Data: data})
	if again := s.post(say, "k", secret).Body.String(); again != first || runs.Load() != 1 {
		t.Errorf("after a restart: %s, it ran %d times", again, runs.Load())
	}
	// What is damaged is no answer: an idempotent call is done again.
	for _, f := range files {
		kept, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f, ".done") {
			kept[len(kept)-1] ^= 1
		}
		if err := os.WriteFile(f, kept, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if again := s.post(say, "k", secret).Body.String(); again != first || runs.Load() != 2 {
		t.Errorf("damaged: %s, it ran %d times", again, runs.Load())
	}
}

func TestAStoppedPluginGivesNoAnswerAndGoesOnLater(t *testing.T) {
	t.Parallel()
	for _, idempotent := range []bool{true, false} {
		data := t.TempDir()
		begun := make(chan struct{})
		hang := func(ctx context.Context, _ *plugin.Call, _ greetIn) (greetOut, error) {
			close(begun)
			<-ctx.Done()
			return greetOut{}, context.Cause(ctx)
		}
		host := &plugin.Host{Data: data}
		s := serve(t, greeter(plugin.Spec{Idempotent: idempotent}, hang), host)
		go func() { <-begun; host.Close() }()
		if w := s.post(say, "k", ann); w.Code != http.StatusServiceUnavailable {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		again := serve(t, greeter(plugin.Spec{Idempotent: idempotent}, greet), &plugin.Host{Data: data})
		want := map[bool]string{true: "ok", false: "unknown"}[idempotent]
		if got := one(t, again.post(say, "k", ann)); got["outcome"] != want {
			t.Errorf("idempotent %v: got %v", idempotent, got)
		}
	}
}

func TestCancelEndsTheRows(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{}, 1)
	fn := func(ctx context.Context, _ *plugin.Call, _ greetIn) (greetOut, error) {
		begun <- struct{}{}
		<-ctx.Done()
		return greetOut{}, ctx.Err()
	}
	s := serve(t, greeter(plugin.Spec{Parallel: 1}, fn), &plugin.Host{})
	if w := s.post(say+"/cancel", "k", ""); w.Code != http.StatusNotFound {
		t.Errorf("nothing to cancel: %d", w.Code)
	}
	go func() {
		<-begun
		if w := s.post(say+"/cancel", "k", ""); w.Code != http.StatusAccepted {
			t.Errorf("cancel: %d", w.Code)
		}
	}()
	for _, got := range rows(t,
		s.post(say, "k", `{"inputs":[{"callbackParameter":"a","name":"x","address":"h"},{"callbackParameter":"b","name":"y","address":"h"}]}`)) {
		if got["outcome"] != "cancelled" {
			t.Errorf("got %v", got)
		}
	}
}

func TestWhatIsNoCallIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, greeter(plugin.Spec{}, greet), &plugin.Host{})
	tests := []struct {
		name, path, key, body string
		want                  int
	}{
		{"no JSON", say, "k", `{`, 400},
		{"no rows of objects", say, "k", `{"inputs":[1]}`, 400},
		{"no key", say, "", ann, 400},
		{"one id twice", say, "k", `{"inputs":[{"callbackParameter":"a"},{"callbackParameter":"a"}]}`, 400},
		{"too large", say, "k", `{"requestId":"` + strings.Repeat("x", 17<<20) + `"}`, 413},
		{"no such service", "/v1/greeting/shout", "k", ann, 404},
		{"no such type", "/entities/pet/query", "", `{}`, 404},
	}
	for _, tt := range tests {
		if w := s.post(tt.path, tt.key, tt.body); w.Code != tt.want {
			t.Errorf("%s: got %d %.200s", tt.name, w.Code, w.Body)
		}
	}
}

func TestTheTokenIsAskedFor(t *testing.T) {
	t.Parallel()
	s := serve(t, greeter(plugin.Spec{}, greet), &plugin.Host{Incoming: "right"})
	for token, want := range map[string]int{"": 401, "wrong": 401, "right": 200} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/manifest", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("token %q: %d", token, w.Code)
		}
	}
}

// platform records what a plugin sends, and refuses the first of each.
type platform struct {
	mu     sync.Mutex
	log    []byte
	seen   map[string]int
	result chan []byte
}

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	what := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	if p.seen[what]++; p.seen[what] == 1 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	switch what {
	case "log":
		var batch wire.LogBatch
		if err := json.Unmarshal(body, &batch); err != nil || r.Header.Get("Authorization") != "Bearer mine" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, c := range batch.Chunks {
			if int(c.Offset) == len(p.log) {
				p.log = append(p.log, c.Bytes...)
			}
		}
	case "result":
		p.result <- body
	}
}

func TestLiveOutputAndCallBackAreBroughtAgain(t *testing.T) {
	t.Parallel()
	pf := &platform{seen: map[string]int{}, result: make(chan []byte, 1)}
	srv := httptest.NewServer(pf)
	defer srv.Close()
	fn := func(_ context.Context, c *plugin.Call, _ greetIn) (greetOut, error) {
		for i := range 100 {
			fmt.Fprintf(c, "line %d\n", i)
		}
		return greetOut{Text: "done"}, nil
	}
	s := serve(t, greeter(plugin.Spec{Async: true}, fn), &plugin.Host{URL: srv.URL, Token: "mine"})
	if w := s.post(say, "k", ann); w.Code != http.StatusAccepted {
		t.Fatalf("got %d", w.Code)
	}
	if body := <-pf.result; !bytes.Contains(body, []byte(`"done"`)) {
		t.Errorf("got %s", body)
	}
	pf.mu.Lock()
	defer pf.mu.Unlock()
	if lines := strings.Split(string(pf.log), "\n"); len(lines) != 101 || lines[99] != "line 99" {
		t.Errorf("got %d lines", len(lines))
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"PT90S": 90 * time.Second, "P1DT2H": 26 * time.Hour, "PT0.5S": 500 * time.Millisecond,
		"90s": 90 * time.Second, "P2W": 14 * 24 * time.Hour, "P": -1, "PT": -1, "P1M": -1, "": -1, "-PT1S": -1, "P99999999999999D": -1} {
		got, err := plugin.ParseDuration(text)
		if want < 0 && err == nil || want >= 0 && got != want {
			t.Errorf("%q: got %v %v", text, got, err)
		}
	}
}

func FuzzCall(f *testing.F) {
	f.Add("k", ann)
	f.Add("", `{"inputs":[{"callbackParameter":1,"extra":"{}","file":"sha256:00","begin":""}]}`)
	f.Add("k", `{"inputs":[{"callbackParameter":null,"wait":"P1D","times":1e999,"exact":"x"}]}`)
	h, err := greeter(plugin.Spec{Idempotent: true}, greet).Handler(context.Background(), &plugin.Host{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key, body string) {
		for _, path := range []string{say, say + "/cancel", "/entities/person/query"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
			r.Header.Set(wire.HeaderIdempotencyKey, key)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code >= 500 || strings.Contains(w.Body.String(), `"panic"`) {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	})
}

// What fails before a function could find out what became of an earlier sending is
// unknown where there was one, unless the action only reads.
func TestWhatFailsEarlyInACallThatComesAgainIsUnknown(t *testing.T) {
	t.Parallel()
	early := func(_ context.Context, c *plugin.Call, in greetIn) (greetOut, error) {
		if in.Name == "late" {
			return greetOut{}, plugin.Fail("greeter.late", "it was looked at")
		}
		return greetOut{}, c.Early(plugin.Fail("greeter.early", "no credential"))
	}
	body := func(name string) string {
		return `{"inputs":[{"callbackParameter":"p1","address":"h","times":"2","name":` + name + `}]}`
	}
	for _, tt := range []struct {
		name, in, risk string
		again          bool
		outcome        string
	}{
		{"first", `"Ann"`, wire.RiskChange, false, "failed"},
		{"again", `"Ann"`, wire.RiskChange, true, "unknown"},
		{"again, asked", `"late"`, wire.RiskChange, true, "failed"},
		{"again, reading", `"Ann"`, wire.RiskRead, true, "failed"},
		{"first, no input", `{"a":1}`, wire.RiskChange, false, "failed"},
		{"again, no input", `{"a":1}`, wire.RiskChange, true, "unknown"},
	} {
		s := serve(t, greeter(plugin.Spec{Risk: tt.risk, Idempotent: true}, early), &plugin.Host{})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, say, strings.NewReader(body(tt.in)))
		r.Header.Set(wire.HeaderIdempotencyKey, "k")
		if tt.again {
			r.Header.Set(wire.HeaderAgain, "true")
		}
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, r)
		if row := one(t, w); row["outcome"] != tt.outcome {
			t.Errorf("%s: %v", tt.name, row)
		}
	}
}
