package host_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sextant/sdk/go/wire"
)

// left finds processes by a word on their command line.
func left(t *testing.T, word string) int {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range lines {
		if data, err := os.ReadFile(f); err == nil && strings.HasPrefix(string(data), "sleep\x00"+word) {
			n++
		}
	}
	return n
}

// until polls for what another process brings about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(30 * time.Second); !ok(); {
		select {
		case <-deadline:
			t.Fatalf("it did not happen: %s", what)
		case <-tick.C:
		}
	}
}

// said reports whether the live output has a text.
func (r *rig) said(text string) bool {
	r.platform.mu.Lock()
	defer r.platform.mu.Unlock()
	return strings.Contains(r.platform.log.String(), text)
}

// send makes a call with a deadline and gives its answer.
func (r *rig) send(path, key string, deadline time.Time, input map[string]any) chan map[string]any {
	r.Helper()
	body, err := json.Marshal(map[string]any{"inputs": []any{input}})
	if err != nil {
		r.Fatal(err)
	}
	handler := r.handler
	answer := make(chan map[string]any, 1)
	go func() {
		req := httptest.NewRequestWithContext(r.Context(), http.MethodPost, path, strings.NewReader(string(body)))
		req.Header.Set(wire.HeaderIdempotencyKey, key)
		req.Header.Set(wire.HeaderDeadline, deadline.UTC().Format(time.RFC3339Nano))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		var resp struct {
			Results struct {
				Outputs []map[string]any `json:"outputs"`
			} `json:"results"`
		}
		if json.Unmarshal(w.Body.Bytes(), &resp) != nil || len(resp.Results.Outputs) == 0 {
			answer <- map[string]any{"status": w.Code}
			return
		}
		answer <- resp.Results.Outputs[0]
	}()
	return answer
}

// A row is cancelled, or too late, only once nothing of it runs any more: while the
// host cannot be reached the call is at work, and says why.
func TestARowThatIsStoppedIsAnsweredOnceItHasEnded(t *testing.T) {
	t.Parallel()
	for i, how := range []string{"cancelled", "timed_out"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			word := fmt.Sprintf("8%d.%d", i, os.Getpid())
			in := r.input(map[string]any{"script": "echo go; sleep " + word, "grace": "PT0.3S"})
			if how == "timed_out" {
				in["timeout"] = "PT2S"
			}
			answer := r.send("/v1/script/run", "k", time.Now().Add(time.Hour), in)
			until(t, "the script begins", func() bool { return r.said("go\n") })
			r.sshd.Down(t)
			if how == "cancelled" {
				if w := r.call("/v1/script/run/cancel", "k", "{}"); w.Code != http.StatusAccepted {
					t.Fatalf("cancel: %d %s", w.Code, w.Body)
				}
			}
			until(t, "the log says that the host cannot be reached", func() bool {
				return r.said("the host cannot be reached; still trying to stop the script")
			})
			select {
			case got := <-answer:
				t.Fatalf("it was answered while it ran: %v", got)
			default:
			}
			if left(t, word) == 0 {
				t.Fatal("the script is gone, which nobody ended")
			}
			r.sshd.Run(t)
			expect(t, how, <-answer, map[string]any{"outcome": how})
			if n := left(t, word); n > 0 {
				t.Errorf("%d processes are left", n)
			}
		})
	}
}

// A plugin that was started anew ends what it began before, when the call comes
// again only for that, and begins nothing.
func TestACallThatComesAgainTooLateEndsWhatRuns(t *testing.T) {
	t.Parallel()
	r := start(t)
	word := fmt.Sprintf("85.%d", os.Getpid())
	in := r.input(map[string]any{"script": "echo go; sleep " + word, "grace": "PT0.3S"})
	first := r.send("/v1/script/run", "k", time.Now().Add(time.Hour), in)
	until(t, "the script begins", func() bool { return r.said("go\n") })
	r.host.Close()
	expect(t, "stopped", <-first, map[string]any{"status": http.StatusServiceUnavailable})
	if left(t, word) == 0 {
		t.Fatal("the script did not go on")
	}
	r.boot()
	expect(t, "again", <-r.send("/v1/script/run", "k", time.Now().Add(-time.Second), in), map[string]any{"outcome": "timed_out"})
	if n := left(t, word); n > 0 {
		t.Errorf("%d processes are left", n)
	}
	mark := filepath.Join(r.sshd.Home, "mark")
	r.sshd.Down(t) // nothing was begun, so nothing is asked
	late := r.input(map[string]any{"script": "touch " + mark})
	expect(t, "never begun", <-r.send("/v1/script/run", "late", time.Now().Add(-time.Second), late), map[string]any{"outcome": "timed_out"})
	if notes, err := filepath.Glob(filepath.Join(r.data, "begun", "*")); err != nil || len(notes) > 0 {
		t.Errorf("notes are left: %v %v", notes, err)
	}
}

// What leads to this machine or to a cloud's own services
// is not asked, however it is written.
func TestAddressesThatAreNotAsked(t *testing.T) {
	t.Parallel()
	r := start(t)
	var asked atomic.Int32
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer web.Close()
	_, port, err := net.SplitHostPort(web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "localhost", "[::1]", "[::ffff:127.0.0.1]",
		"[::ffff:7f00:1]", "0.0.0.0", "[::]", "169.254.169.254", "[fe80::1%25lo]", "[fd00:ec2::254]",
		"168.63.129.16", "100.100.100.200", "192.0.0.192", "224.0.0.1", "255.255.255.255", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
	} {
		in := map[string]any{"callbackParameter": "h", "url": "http://" + host + ":" + port + "/", "timeout": "PT5S"}
		expect(t, host, r.do("/v1/wait/http", host, in)[0],
			map[string]any{"outcome": "failed", "errorCode": "host.reach", "status": 0.0, "matched": false})
	}
	_, sshPort, err := net.SplitHostPort(r.sshd.Address)
	if err != nil {
		t.Fatal(err)
	}
	// A port is asked like a web address; so is a host where somebody typed its
	// address, which one that is registered there is not.
	for i, host := range []string{"127.0.0.1", "localhost", "::1", "169.254.169.254", "100.100.100.200", "0.0.0.0"} {
		key := fmt.Sprint("typed", i)
		port := map[string]any{"callbackParameter": "h", "address": host, "port": 9, "timeout": "PT5S"}
		expect(t, "port of "+host, r.do("/v1/wait/port", "port"+key, port)[0],
			map[string]any{"outcome": "failed", "errorCode": "host.reach", "state": "closed"})
		typed := r.input(map[string]any{"address": net.JoinHostPort(host, sshPort), "script": "true", "typedInputs": []string{"address"}})
		expect(t, "typed "+host, r.do("/v1/script/run", key, typed)[0],
			map[string]any{"outcome": "failed", "errorCode": "host.reach", "state": "unknown"})
		scan := map[string]any{"callbackParameter": "a", "address": net.JoinHostPort(host, sshPort), "typedInputs": []string{"address"}}
		expect(t, "scan "+host, r.do("/v1/keys/scan", "scan"+key, scan)[0], map[string]any{"outcome": "failed", "errorCode": "host.reach"})
	}
	own := r.input(map[string]any{"script": "true"})
	expect(t, "its own address", r.do("/v1/script/run", "own", own)[0], map[string]any{"outcome": "ok"})
	warm := r.input(map[string]any{"script": "true", "typedInputs": []string{"address"}})
	expect(t, "a warm connection", r.do("/v1/script/run", "warm", warm)[0], map[string]any{"outcome": "failed", "errorCode": "host.reach"})
	for _, host := range []string{"169.254.169.254:22", "[fd00:ec2::254]:22", "0.0.0.0:22"} {
		expect(t, "own "+host, r.do("/v1/script/run", host, r.input(map[string]any{"script": "true", "address": host}))[0],
			map[string]any{"outcome": "failed", "errorCode": "host.reach"})
	}
	for _, host := range []string{"2130706433", "0x7f.1", "127.1", "0177.0.0.1", "good@127.0.0.1", "evil#@good"} {
		in := map[string]any{"callbackParameter": "h", "url": "http://" + host + ":" + port + "/", "timeout": "PT0.5S"}
		if got := r.do("/v1/wait/http", host, in)[0]; got["outcome"] == "ok" || got["status"] != 0.0 {
			t.Errorf("%s: %v", host, got)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// An address that is listed is asked; where it sends one to is not, and nothing of
// an answer but its status comes back.
func TestWhatComesBackOfAnAnswer(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.reach = "127.0.0.1"
	r.boot()
	var asked atomic.Int32
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	inner := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte("hunter2"))
	})}
	defer inner.Close()
	go func() { _ = inner.Serve(l) }() // it ends with the test
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/away" {
			http.Redirect(w, q, "http://"+l.Addr().String()+"/", http.StatusFound)
			return
		}
		w.Header().Set("X-Token", "hunter2")
		_, _ = w.Write([]byte("the secret is hunter2"))
	}))
	defer web.Close()
	speaks, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer speaks.Close()
	go func() {
		for {
			c, err := speaks.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("SSH-2.0-hunter2\r\nhunter2\r\n"))
			_ = c.Close()
		}
	}()
	tests := []struct {
		name, url string
		more      map[string]any
		want      map[string]any
	}{
		{"status", web.URL, nil, map[string]any{"outcome": "ok", "status": 200.0, "matched": true}},
		{"match", web.URL, map[string]any{"expect_match": "secret is h.*2"}, map[string]any{"outcome": "ok", "matched": true}},
		{"no match", web.URL, map[string]any{"expect_body": "other"}, map[string]any{"outcome": "timed_out", "status": 200.0, "matched": false}},
		{"sent away", web.URL + "/away", nil, map[string]any{"outcome": "timed_out", "status": 302.0}},
		{"sent away as expected", web.URL + "/away", map[string]any{"expect_status": []int{302}},
			map[string]any{"outcome": "ok", "status": 302.0}},
		{"no HTTP", "http://" + speaks.Addr().String(), nil,
			map[string]any{"outcome": "timed_out", "status": 0.0, "errorMessage": "no answer of HTTP"}},
		{"not listed", "http://" + l.Addr().String(), nil, map[string]any{"outcome": "failed", "errorCode": "host.reach"}},
	}
	for _, tt := range tests {
		in := map[string]any{"callbackParameter": "h", "url": tt.url, "timeout": "PT0.4S", "interval": "PT0.1S"}
		for k, v := range tt.more {
			in[k] = v
		}
		got := r.do("/v1/wait/http", tt.name, in)[0]
		expect(t, tt.name, got, tt.want)
		if strings.Contains(fmt.Sprint(got), "hunter2") {
			t.Errorf("%s tells what only the server may read: %v", tt.name, got)
		}
	}
	r.host.Close()
	if asked.Load() > 0 || r.said("hunter2") {
		t.Errorf("asked %d times; live output has it: %v", asked.Load(), r.said("hunter2"))
	}
}

// A call that comes again and cannot be asked about is unknown: an earlier sending of
// it may be at work. What only reads fails.
func TestACallThatComesAgainWithoutItsCredentialIsUnknown(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, tt := range []struct{ path, outcome string }{
		{"/v1/script/run", "unknown"}, {"/v1/file/render", "unknown"}, {"/v1/facts/collect", "failed"}} {
		for code, credential := range map[string]map[string]any{"user": {"password": "x"}, "credential": {"user": "x"}} {
			body, err := json.Marshal(map[string]any{
				"inputs": []any{r.input(map[string]any{"credential": credential, "script": "true", "template": "x", "path": "/x"})}})
			if err != nil {
				t.Fatal(err)
			}
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, tt.path, strings.NewReader(string(body)))
			req.Header.Set(wire.HeaderIdempotencyKey, tt.path+code)
			req.Header.Set(wire.HeaderAgain, "true")
			w := httptest.NewRecorder()
			r.handler.ServeHTTP(w, req)
			if got := w.Body.String(); !strings.Contains(got, `"outcome":"`+tt.outcome+`"`) {
				t.Errorf("%s without a %s: %d %s", tt.path, code, w.Code, got)
			}
		}
	}
}
