package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/wire"
)

// odd is a plugin that answers in whatever way a test wants.
type odd struct {
	mu    sync.Mutex
	calls []call
}

type call struct {
	key  string
	body []byte
}

func manifestOf(timeout string) wire.Manifest {
	return wire.Manifest{Plugin: "odd", Version: "1.0.0", Title: wire.Text{"en": "Odd", "zh": "怪"}, Run: &wire.Run{Builtin: true},
		Services: []wire.Service{{Name: "task", Title: wire.Text{"en": "Task", "zh": "工作"}, Actions: []wire.Action{{
			Action: "do", Title: wire.Text{"en": "Do", "zh": "做"}, Path: "/v1/task/do", Method: "POST", Batch: 2, Timeout: timeout,
			Risk: wire.RiskChange, Idempotent: true, Cancel: true,
			Retry: &wire.Retry{Max: 2, Backoff: "PT0.01S", On: []string{"transport"}},
			Input: []wire.Param{{Name: "text", Type: wire.TypeString}}, Output: []wire.Param{{Name: "answer", Type: wire.TypeString}},
		}}}}}
}

func (o *odd) serve(answer http.HandlerFunc) func(string) http.Handler {
	return func(token string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+token {
				http.Error(w, "not mine", http.StatusUnauthorized)
				return
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			if !strings.HasSuffix(r.URL.Path, "/cancel") {
				o.mu.Lock()
				o.calls = append(o.calls, call{r.Header.Get("Idempotency-Key"), body})
				o.mu.Unlock()
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			answer(w, r)
		})
	}
}

func (o *odd) seen() []call {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]call(nil), o.calls...)
}

// echo answers every row with ok.
func echo(w http.ResponseWriter, r *http.Request) {
	var req wire.Request
	if json.NewDecoder(r.Body).Decode(&req) != nil {
		http.Error(w, "?", http.StatusBadRequest)
		return
	}
	resp := wire.Response{ResultCode: "0"}
	for _, in := range req.Inputs {
		resp.Results.Outputs = append(resp.Results.Outputs,
			wire.Row{"callbackParameter": in["callbackParameter"], "errorCode": wire.Raw("0"), "answer": in["text"]})
	}
	_, _ = w.Write(wire.Raw(resp))
}

func TestServicesThatMisbehave(t *testing.T) {
	t.Parallel()
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = io.WriteString(w, body) }
	}
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		outcome string
		code    string
		kind    string
		says    string
	}{
		"500":     {text(500, "boom"), "unknown", "sextant.plugin_failed", "unknown", "status 500"},
		"garbage": {text(200, "<html>"), "unknown", "sextant.garbage", "unknown", "not the JSON"},
		"100_MB": {func(w http.ResponseWriter, _ *http.Request) { flood(w, 100<<20) }, "unknown", "sextant.no_answer", "unknown",
			"more than 16777216 bytes"},
		"nothing": {text(200, ""), "unknown", "sextant.garbage", "unknown", "not the JSON"},
		"cut_off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "unknown", "sextant.no_answer",
			"unknown", "no answer"},
		"wrong_row": {text(200, `{"resultCode":"0","results":{"outputs":[{"callbackParameter":"somebody else","errorCode":"0"}]}}`),
			"unknown", "sextant.row_missing", "unknown", `no row with callbackParameter "run"`},
		"no_rows": {text(200, `{"resultCode":"0","results":{"outputs":[]}}`), "unknown", "sextant.row_missing", "unknown", "no row"},
		"bad_outcome": {text(200, `{"resultCode":"0","results":{"outputs":[{"callbackParameter":"run","outcome":"splendid"}]}}`),
			"unknown", "sextant.garbage", "unknown", "splendid"},
		"refused": {text(400, `{"resultCode":"1","resultMessage":"no such thing"}`), "failed", "sextant.refused", "service_failed",
			"no such thing"},
		"failed": {text(200,
			`{"resultCode":"1","resultMessage":"x","results":{"outputs":[{"callbackParameter":"run",`+
				`"errorCode":"disk.full","errorMessage":"no space"}]}}`), "failed", "disk.full", "service_failed", "no space"},
		"failed_whole": {text(200, `{"resultCode":"1","resultMessage":"all wrong"}`), "failed", "sextant.failed", "service_failed",
			"all wrong"},
		"too_late": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "unknown", "sextant.timed_out", "unknown",
			"until the deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := platform.Start(t, nil)
			o := &odd{}
			timeout := "PT10M"
			if name == "too_late" {
				timeout = "PT0.2S"
			}
			p.Plug(manifestOf(timeout), o.serve(c.answer))
			run := p.Service("odd/task/do", map[string]any{"text": "x"})
			if r := p.Ended(run); r.State != "incident" {
				t.Fatalf("the run is %s", r.State)
			}
			row := p.Jobs(run)[0].Rows[0]
			if string(row.Outcome) != c.outcome || row.Code != c.code || !strings.Contains(row.Message, c.says) {
				t.Errorf("the row is %+v, want %s %s with %q", row, c.outcome, c.code, c.says)
			}
			if i := p.Incidents(); len(i) != 1 || i[0].Kind != c.kind {
				t.Errorf("the incidents are %+v, want one of kind %s", i, c.kind)
			}
			for _, again := range o.seen() {
				if first := o.seen()[0]; again.key != first.key || !bytes.Equal(again.body, first.body) {
					t.Errorf("the call came again as %s with %s, first as %s with %s", again.key, again.body, first.key, first.body)
				}
			}
		})
	}
}

func flood(w io.Writer, n int) {
	block := bytes.Repeat([]byte("x"), 1<<20)
	for range n >> 20 {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// A retry by a person is a new round, with the new inputs, and only of the rows
// that are not done.
func TestAPersonRetriesWithNewInputs(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	o := &odd{}
	p.Plug(manifestOf("PT10M"), o.serve(func(w http.ResponseWriter, r *http.Request) {
		var req wire.Request
		if json.NewDecoder(r.Body).Decode(&req) != nil {
			return
		}
		resp := wire.Response{ResultCode: "0"}
		for _, in := range req.Inputs {
			row := wire.Row{"callbackParameter": in["callbackParameter"], "errorCode": wire.Raw("0"), "answer": in["text"]}
			if string(in["text"]) == `"bad"` && string(in["callbackParameter"]) == `"host:host/h2"` {
				row["errorCode"], row["errorMessage"] = wire.Raw("1"), wire.Raw("not so")
			}
			resp.Results.Outputs = append(resp.Results.Outputs, row)
		}
		_, _ = w.Write(wire.Raw(resp))
	}))
	hosts := []string{"host:host/h1", "host:host/h2", "host:host/h3"}
	for _, h := range hosts {
		id := strings.TrimPrefix(h, "host:host/")
		p.Must("POST", "/api/v1/objects/host:host", []map[string]any{{"id": id, "name": id, "address": "127.0.0.1"}}, nil)
	}
	run := p.Service("odd/task/do", map[string]any{"text": "bad"}, hosts...)
	if r := p.Ended(run); r.State != "incident" {
		t.Fatalf("the run is %s", r.State)
	}
	if n := len(o.seen()); n != 2 { // three rows, two in a call
		t.Fatalf("%d calls, want 2", n)
	}
	incident := p.Incidents()[0]
	if !strings.Contains(incident.Message, "1 of 3 rows: host:host/h2 failed: not so") {
		t.Errorf("the incident says %q", incident.Message)
	}
	p.Must("POST", "/api/v1/incidents/"+incident.Key+"/retry", map[string]any{"inputs": map[string]any{"text": "good"}}, nil)
	if r := p.Ended(run); r.State != "completed" {
		t.Fatalf("the run is %s: %+v", r.State, p.Incidents())
	}
	seen := o.seen()
	if len(seen) != 3 || seen[2].key == seen[0].key || bytes.Contains(seen[2].body, []byte(`"callbackParameter":"host:host/h1"`)) ||
		!bytes.Contains(seen[2].body, []byte(`"callbackParameter":"host:host/h2"`)) {
		t.Errorf("the last call is %s %s", seen[2].key, seen[2].body)
	}
	for _, row := range p.Jobs(run)[0].Rows {
		if row.Outcome != "ok" {
			t.Errorf("row %+v", row)
		}
	}
}

// Rows that the plugin lets be tried again are, and the others are not.
func TestTransportFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	o := &odd{}
	p.Plug(manifestOf("PT10M"), o.serve(func(w http.ResponseWriter, r *http.Request) {
		if len(o.seen()) < 3 {
			_,
				_ = io.WriteString(w,
				`{"resultCode":"1","results":{"outputs":[{"callbackParameter":"run","errorCode":"host.unreachable","errorMessage":"no `+
					`way","outcome":"failed","retryOn":"transport"}]}}`)
			return
		}
		echo(w, r)
	}))
	run := p.Service("odd/task/do", map[string]any{"text": "x"})
	if r := p.Ended(run); r.State != "completed" {
		t.Fatalf("the run is %s: %+v", r.State, p.Incidents())
	}
	if j := p.Jobs(run)[0]; j.Tries != 2 || len(o.seen()) != 3 {
		t.Errorf("tries %d, calls %d, want 2 and 3", j.Tries, len(o.seen()))
	}
}

// A call that is accepted is answered by call-back, once, and only by the plugin
// that it was sent to.
func TestCallBack(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	o := &odd{}
	keys := make(chan string, 10)
	token := ""
	p.Plug(manifestOf("PT10M"), func(issued string) http.Handler {
		token = issued
		return o.serve(func(w http.ResponseWriter, r *http.Request) {
			keys <- r.Header.Get("Idempotency-Key")
			w.WriteHeader(http.StatusAccepted)
		})(issued)
	})
	run := p.Service("odd/task/do", map[string]any{"text": "x"})
	key := <-keys
	answer := json.RawMessage(`{"resultCode":"0","results":{"outputs":[{"callbackParameter":"run","errorCode":"0","answer":"late"}]}}`)
	path := "/api/v1/jobs/" + key + "/result"
	for what, as := range map[string]string{"a user": p.Token, "nobody": "", "a guess": "sxp_guess"} {
		other := client.Client{URL: p.URL, Token: as}
		if err := other.Call(t.Context(), "POST", path, answer, nil); err == nil {
			t.Fatalf("%s may answer for the plugin", what)
		}
	}
	mine := client.Client{URL: p.URL, Token: token}
	if err := mine.Call(t.Context(), "POST", path, answer, nil); err != nil {
		t.Fatal(err)
	}
	if r := p.Ended(run); r.State != "completed" {
		t.Fatalf("the run is %s", r.State)
	}
	if row := p.Jobs(run)[0].Rows[0]; fmt.Sprint(row.Outputs["answer"]) != "late" {
		t.Errorf("the row is %+v", row)
	}
	if err := mine.Call(t.Context(), "POST", path, answer, nil); err == nil || !strings.Contains(err.Error(), "answer already") {
		t.Errorf("a second call-back gets %v", err)
	}
}

// Who cancels a run has its calls told to stop.
func TestCancelReachesThePlugin(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, nil)
	o := &odd{}
	begun, cancelled := make(chan string, 1), make(chan string, 1)
	p.Plug(manifestOf("PT10M"), o.serve(func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/cancel") {
			cancelled <- r.Header.Get("Idempotency-Key")
			return
		}
		begun <- r.Header.Get("Idempotency-Key")
		<-r.Context().Done()
	}))
	run := p.Service("odd/task/do", map[string]any{"text": "x"})
	key := <-begun
	p.Must("POST", "/api/v1/runs/"+run+"/cancel", map[string]any{"reason": "not any more"}, nil)
	select {
	case got := <-cancelled:
		if got != key {
			t.Errorf("the call %s was cancelled, want %s", got, key)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the plugin was not told to stop")
	}
	if r := p.Ended(run); r.State != "cancelled" || r.Code != "not any more" {
		t.Errorf("the run is %+v", r)
	}
}
