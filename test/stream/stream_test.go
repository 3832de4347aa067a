package stream_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
)

// refused reads a problem.
func refused(t *testing.T, resp *http.Response, status int, code string) {
	t.Helper()
	var problem struct{ Code string }
	body := text(t, resp)
	if err := json.Unmarshal([]byte(body), &problem); err != nil || resp.StatusCode != status || problem.Code != code ||
		resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s, %v; want %d %s", resp.StatusCode, body, err, status, code)
	}
}

// heap watches how much memory is used while something passes by.
type heap struct {
	io.Reader
	seen, next int64
	most       uint64
}

const look = 32 << 20 // bytes between two looks at the memory

// Read reads on and now and then looks at the memory.
func (h *heap) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if h.seen += int64(n); h.seen >= h.next {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		h.most, h.next = max(h.most, m.HeapInuse), h.seen+look
	}
	return n, err
}

// A gigabyte passes either way, and the platform's memory stays flat: its own process
// is this one.
func TestAGigabyteEitherWay(t *testing.T) {
	p, _ := plugged(t)
	const most = 256 << 20
	up := &heap{Reader: io.LimitReader(zeros{}, bulk)}
	if got, want := text(t, send(t, p, "POST", "/in/bulk/count", up)), fmt.Sprint(bulk, nil); got != want {
		t.Errorf("the plugin has %q of an upload, want %q", got, want)
	}
	down := &heap{Reader: send(t, p, "GET", fmt.Sprintf("/data/bulk/zeros/%d", bulk), nil).Body}
	if n, err := io.Copy(io.Discard, down); n != bulk || err != nil {
		t.Errorf("%d bytes of a download, %v", n, err)
	}
	t.Logf("heap in use at most: %d MiB up, %d MiB down", up.most>>20, down.most>>20)
	if up.most == 0 || down.most == 0 || up.most > most || down.most > most {
		t.Errorf("the heap grew to %d MiB and %d MiB", up.most>>20, down.most>>20)
	}
}

// A reader that does not read holds the plugin back, not the platform's memory.
func TestASlowReader(t *testing.T) {
	p, _ := plugged(t)
	resp := send(t, p, "GET", fmt.Sprintf("/data/bulk/zeros/%d", bulk), nil)
	slow := &heap{Reader: resp.Body}
	for range 20 { // little by little: what was not read waits in the kernel and at the plugin
		if _, err := io.CopyN(io.Discard, slow, 1<<20); err != nil {
			t.Fatal(err)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if m.HeapInuse > 256<<20 {
			t.Fatalf("the heap has %d MiB", m.HeapInuse>>20)
		}
	}
}

func TestEventsAndConversations(t *testing.T) {
	p, _ := plugged(t)
	events := send(t, p, "GET", "/data/bulk/events", nil)
	lines := bufio.NewScanner(events.Body)
	for i := range 3 { // the plugin goes on until its reader leaves: nothing waits for an end
		if !lines.Scan() || lines.Text() != fmt.Sprint("data: ", i) || !lines.Scan() {
			t.Fatalf("event %d: %q, %v", i, lines.Text(), lines.Err())
		}
	}
	if got := events.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	_ = events.Body.Close()
	if got := text(t, send(t, p, "GET", "/data/bulk/left", nil)); got != "events" {
		t.Errorf("the plugin saw %q", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, p.URL+"/in/bulk/talk",
		&websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + p.Token}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for _, word := range []string{"one", strings.Repeat("x", 30_000)} {
		if err := c.Write(ctx, websocket.MessageBinary, []byte(word)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(ctx); err != nil || string(got) != "echo "+word {
			t.Fatalf("%.40q, %v", got, err)
		}
	}
}

// Who asks is known at the border and told to the plugin; nothing that claims to be
// somebody passes, nor what would let the plugin act on the console.
func TestWhoAsksAndWhatMayPass(t *testing.T) {
	p, _ := plugged(t)
	resp := send(t, p, "PUT", "/in/bulk/asked?match[]=a&match[]=b", strings.NewReader("x"),
		"Sextant-Operator", "root", "X-Forwarded-For", "10.0.0.1", "X_User", "root", "X-Hub-Signature", "sha1=1", "Idempotency-Key", "k")
	var got struct {
		Method, URL, Operator, Project string
		Header                         http.Header
	}
	if err := json.Unmarshal([]byte(text(t, resp)), &got); err != nil {
		t.Fatal(err)
	}
	if got.Method != "PUT" || got.URL != "/in/bulk/asked?match[]=a&match[]=b" || got.Operator != "admin" || got.Project != "default" ||
		got.Header.Get("X-Forwarded-For")+got.Header.Get("X_User")+got.Header.Get("Cookie") != "" ||
		got.Header.Get("X-Hub-Signature") != "sha1=1" || strings.Contains(got.Header.Get("Authorization"), p.Token) {
		t.Errorf("%+v", got)
	}
	page := send(t, p, "GET", "/data/bulk/page", nil)
	for name, want := range map[string]string{"Set-Cookie": "", "Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox", "Cross-Origin-Resource-Policy": "same-origin"} {
		if got := strings.Join(page.Header.Values(name), "|"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, c := range []struct {
		method, path string
		header       []string
		status       int
		code         string
	}{
		{"GET", "/data/bulk/page", []string{"Sec-Fetch-Dest", "script"}, 403, "plugin.stream_use"},
		{"GET", "/data/bulk/page", []string{"Sec-Fetch-Dest", "iframe"}, 403, "plugin.stream_use"},
		{"GET", "/data/bulk/page", []string{"Sec-Fetch-Site", "cross-site"}, 403, "request.cross_origin"},
		{"GET", "/data/nobody/page", nil, 404, "plugin.no_route"},
		{"GET", "/in/bulkier", nil, 404, "plugin.no_route"},
		{"DELETE", "/in/bulk/asked", nil, 405, "request.method"},
		{"POST", "/data/bulk/page", nil, 405, "request.method"},
		{"GET", "/in/bulk/..%2f..%2fmanifest", nil, 400, "request.path"},
		{"GET", "/data/bulk/page", []string{"Authorization", "Bearer x"}, 401, "identity.token"},
	} {
		refused(t, send(t, p, c.method, c.path, nil, c.header...), c.status, c.code)
	}
	// A cookie opens a connection from a page of the platform alone.
	for origin, status := range map[string]int{"": 403, "https://elsewhere": 403, "null": 403, p.URL: 101} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", p.URL+"/in/bulk/talk", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
			"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Cookie": "sextant_session=" + p.Token, "Origin": origin} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("from %q: %d, want %d", origin, resp.StatusCode, status)
		}
	}
}

func TestLimitsOfARoute(t *testing.T) {
	p, _ := plugged(t)
	if got := text(t, send(t, p, "POST", "/in/small/count", strings.NewReader(strings.Repeat("x", 1000)))); got != "1000" {
		t.Errorf("%q", got)
	}
	refused(t, send(t, p, "POST", "/in/small/count", strings.NewReader(strings.Repeat("x", 1001))), 413, "plugin.request_too_large")
	refused(t, send(t, p, "POST", "/in/small/count", io.LimitReader(zeros{}, 1<<20)), 413, "plugin.request_too_large")
	refused(t, send(t, p, "GET", "/in/small/zeros", nil), 503, "plugin.answer_too_large")
	begun := time.Now()
	waits := send(t, p, "GET", "/in/narrow/waits", nil)
	busy := send(t, p, "GET", "/in/narrow/waits", nil)
	if busy.Header.Get("Retry-After") == "" {
		t.Error("nothing says when to try again")
	}
	refused(t, busy, 429, "plugin.streams")
	if _, err := io.ReadAll(waits.Body); err == nil || time.Since(begun) > patience/2 {
		t.Errorf("a stream beyond its time ended with %v after %s", err, time.Since(begun))
	}
}

func TestWhoeverLeavesInTheMiddle(t *testing.T) {
	t.Run("client", func(t *testing.T) {
		p, _ := plugged(t)
		ctx, leave := context.WithTimeout(t.Context(), patience)
		read, write := io.Pipe()
		req, err := http.NewRequestWithContext(ctx, "POST", p.URL+"/in/bulk/count", read)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+p.Token)
		failed := make(chan error, 1)
		go func() {
			_, err := http.DefaultTransport.RoundTrip(req)
			failed <- err
		}()
		if _, err := write.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		leave()
		if err := <-failed; err == nil {
			t.Error("it did not leave")
		}
		if got := text(t, send(t, p, "GET", "/data/bulk/left", nil)); got != "upload" {
			t.Errorf("the plugin saw %q", got)
		}
	})
	t.Run("plugin", func(t *testing.T) {
		p, run := plugged(t)
		refused(t, send(t, p, "POST", "/in/bulk/dies", io.LimitReader(zeros{}, bulk)), 503, "plugin.stream")
		<-run.ended
		var one client.PluginListed
		deadline := time.Now().Add(patience)
		for one.State != "unreachable" { // the failure has its health asked for at once, not at the next round
			if time.Now().After(deadline) {
				t.Fatalf("%+v", one)
			}
			p.Must("GET", "/api/v1/plugins/streamer", nil, &one)
		}
		refused(t, send(t, p, "GET", "/data/bulk/page", nil), 503, "plugin.stream")
	})
	t.Run("right", func(t *testing.T) {
		p, _ := plugged(t)
		reader, id := account(t, p)
		events := send(t, reader, "GET", "/data/bulk/events", nil)
		if events.StatusCode != http.StatusOK {
			t.Fatal(text(t, events))
		}
		refused(t, send(t, reader, "POST", "/in/bulk/asked", nil), 403, "identity.forbidden")
		refused(t, send(t, reader, "GET", "/data/bulk/page", nil, "Sextant-Project", "another"), 403, "identity.forbidden")
		p.Must("DELETE", "/api/v1/users/"+id+"/sessions", nil, nil)
		if _, err := io.ReadAll(events.Body); err == nil {
			t.Error("the stream whose session was ended ends as if it were whole")
		}
	})
}

// account is a user who may read streams of one project.
func account(t *testing.T, p *platform.Platform) (of *platform.Platform, id string) {
	t.Helper()
	var made struct{ ID string }
	p.Must("POST", "/api/v1/users", map[string]any{"name": "reader", "password": platform.Password,
		"grants": []map[string]string{{"permission": "stream.read", "project": "default"}}}, &made)
	other := *p
	api := *p.Client
	other.Client = &api
	other.Login("reader", platform.Password)
	return &other, made.ID
}
