package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sextant/internal/domain/gateway"
	"sextant/internal/kit/errs"
)

// front serves a line as a route of the platform would.
func front(t *testing.T, r *gateway.Router, l *gateway.Line) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("X-Platform", "here")
		if err := r.Serve(w, q, l, "/in"+q.URL.Path, http.Header{"Sextant-Project": {"default"}}); err != nil {
			e := errs.As(err)
			http.Error(w, e.Code, e.Kind.Status())
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// lines tests a stream to a handler in this process and behind a socket.
func lines(t *testing.T, h http.HandlerFunc, limits gateway.Limits, test func(t *testing.T, url string)) {
	t.Helper()
	both(t, h, func(t *testing.T, r *gateway.Router) {
		test(t, front(t, r, &gateway.Line{Plugin: "p", Route: "/in/x", Limits: limits}))
	})
}

func send(t *testing.T, method, url string, body io.Reader, header http.Header) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// A stream carries what it likes: its type, its status, its query. Who asks stays
// here; cookies of a plugin do too.
func TestAStreamCarriesAnything(t *testing.T) {
	t.Parallel()
	h := func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.Header().Set("Set-Cookie", "session=stolen")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "%s %s %s %q %q %q %s", q.Method, q.URL, q.Header.Get("Content-Type"),
			q.Header["Authorization"], q.Header["Cookie"], q.Header["Sextant-Subject"], q.Header.Get("Sextant-Project"))
		_, _ = w.Write(body)
	}
	lines(t, h, gateway.Limits{}, func(t *testing.T, url string) {
		resp := send(t, "PUT", url+"/prom/write?a=1&b=%2F", strings.NewReader("\x00\xff"),
			http.Header{"Content-Type": {"application/octet-stream"}, "Authorization": {"Bearer of-somebody"},
				"Cookie": {"a=b"}, "Sextant-Subject": {"admin"}, "Sextant-Project": {"other"}})
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		want := `PUT /in/prom/write?a=1&b=%2F application/octet-stream ["Bearer of-p"] [] [] default` + "\x00\xff"
		if string(body) != want || resp.StatusCode != http.StatusAccepted ||
			resp.Header.Get("Content-Type") != "application/x-protobuf" || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("%d %v\n%q\n%q", resp.StatusCode, resp.Header, body, want)
		}
	})
}

// The plugin has the first bytes of an upload before the last are sent.
func TestAnUploadIsNotHeldBack(t *testing.T) {
	t.Parallel()
	first := make(chan string, 2)
	h := func(w http.ResponseWriter, q *http.Request) {
		part := make([]byte, 5)
		if _, err := io.ReadFull(q.Body, part); err != nil {
			t.Error(err)
		}
		first <- string(part)
		n, err := io.Copy(io.Discard, q.Body)
		fmt.Fprint(w, n, err)
	}
	lines(t, h, gateway.Limits{}, func(t *testing.T, url string) {
		read, write := io.Pipe()
		go func() {
			_, _ = write.Write([]byte("begin"))
			select {
			case got := <-first:
				if got != "begin" {
					t.Errorf("the plugin has %q", got)
				}
			case <-time.After(patience):
				t.Error("the plugin has nothing of the upload")
			}
			for range 16 {
				_, _ = write.Write(make([]byte, 1<<20))
			}
			_ = write.Close()
		}()
		body, err := io.ReadAll(send(t, "POST", url, read, nil).Body)
		if want := fmt.Sprint(16<<20, nil); err != nil || string(body) != want {
			t.Errorf("%q, %v, want %q", body, err, want)
		}
	})
}

// An event is there before the next one is made.
func TestEventsComeAsTheyAreMade(t *testing.T) {
	t.Parallel()
	h := func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
		}
		<-q.Context().Done() // it ends when the reader leaves
	}
	lines(t, h, gateway.Limits{}, func(t *testing.T, url string) {
		s := bufio.NewScanner(send(t, "GET", url, nil, nil).Body)
		for i := range 3 {
			if !s.Scan() || s.Text() != fmt.Sprintf("data: %d", i) || !s.Scan() {
				t.Fatalf("event %d: %q, %v", i, s.Text(), s.Err())
			}
		}
	})
}

// A connection that changes its protocol, as for WebSocket, carries both ways.
func TestAConnectionChangesItsProtocol(t *testing.T) {
	t.Parallel()
	lines(t, echo, gateway.Limits{}, func(t *testing.T, url string) {
		c, lines := upgraded(t, url)
		for _, word := range []string{"one", "two"} {
			fmt.Fprintln(c, word)
			if !lines.Scan() || lines.Text() != "echo "+word {
				t.Fatalf("%q, %v", lines.Text(), lines.Err())
			}
		}
	})
}

// echo takes over its connection and answers each line.
func echo(w http.ResponseWriter, _ *http.Request) {
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer c.Close()
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	_ = rw.Flush()
	for s := bufio.NewScanner(rw); s.Scan(); {
		fmt.Fprintln(c, "echo", s.Text())
	}
}

func upgraded(t *testing.T, url string) (net.Conn, *bufio.Scanner) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	fmt.Fprint(c, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", resp, err)
	}
	return c, bufio.NewScanner(r)
}

func TestLimitsOfAStream(t *testing.T) {
	t.Parallel()
	swallow := func(w http.ResponseWriter, q *http.Request) {
		n, _ := io.Copy(io.Discard, q.Body)
		fmt.Fprint(w, n)
	}
	refused := func(t *testing.T, resp *http.Response, status int, code string) {
		t.Helper()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != status || strings.TrimSpace(string(body)) != code {
			t.Errorf("%d %q, %v; want %d %s", resp.StatusCode, body, err, status, code)
		}
	}
	lines(t, swallow, gateway.Limits{Request: 10}, func(t *testing.T, url string) {
		body, err := io.ReadAll(send(t, "POST", url, strings.NewReader("0123456789"), nil).Body)
		if err != nil || string(body) != "10" {
			t.Errorf("%q, %v", body, err)
		}
		refused(t, send(t, "POST", url, strings.NewReader("0123456789a"), nil), 413, "plugin.request_too_large")
		refused(t, send(t, "POST", url, io.MultiReader(strings.NewReader("0123456789"), strings.NewReader("a")), nil),
			413, "plugin.request_too_large")
	})
	much := func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/in/told" {
			w.Header().Set("Content-Length", "11")
		}
		_, _ = w.Write([]byte("0123456789"))
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write([]byte("a"))
	}
	lines(t, much, gateway.Limits{Answer: 10}, func(t *testing.T, url string) {
		refused(t, send(t, "GET", url+"/told", nil, nil), 503, "plugin.answer_too_large")
		if body, err := io.ReadAll(send(t, "GET", url+"/untold", nil, nil).Body); err == nil || len(body) > 10 {
			t.Errorf("%q, %v: the answer has to break off", body, err)
		}
	})
	lines(t, echo, gateway.Limits{Request: 10, Answer: 1000}, func(t *testing.T, url string) {
		c, lines := upgraded(t, url)
		fmt.Fprintln(c, "12345")
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
		fmt.Fprintln(c, "12345")
		if lines.Scan() {
			t.Errorf("it goes on with %q", lines.Text())
		}
	})
	endless := func(w http.ResponseWriter, q *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-q.Context().Done()
	}
	lines(t, endless, gateway.Limits{For: 200 * time.Millisecond}, func(t *testing.T, url string) {
		if _, err := io.ReadAll(send(t, "GET", url, nil, nil).Body); err == nil {
			t.Error("a stream that took its time ends as if it were whole")
		}
	})
	lines(t, endless, gateway.Limits{Streams: 1}, func(t *testing.T, url string) {
		first := send(t, "GET", url, nil, nil)
		refused(t, send(t, "GET", url, nil, nil), 429, "plugin.streams")
		_ = first.Body.Close()
	})
}

// What is not there is said before anything is answered.
func TestAStreamToNobody(t *testing.T) {
	t.Parallel()
	r, told := gateway.New(), 0
	r.Unreached = func(string) { told++ }
	l := &gateway.Line{Plugin: "p"}
	serve := func() error {
		return r.Serve(httptest.NewRecorder(), httptest.NewRequest("POST", "/x", bytes.NewReader([]byte("x"))), l, "/x", nil)
	}
	if err := serve(); errs.As(err).Code != "plugin.not_running" {
		t.Error(err)
	}
	r.Put("p", gone(t, "gone"))
	if err := serve(); errs.As(err).Code != "plugin.stream" || told != 1 || r.Instances("p")[0].Err == nil {
		t.Errorf("%v, told %d times", err, told)
	}
	r.Put("p", gateway.Instance{ID: "gone", Route: gateway.Route{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(errors.New("a mistake"))
	})}})
	if err := serve(); errs.As(err).Code != "plugin.stream" {
		t.Error(err)
	}
	if all := r.Instances("p"); all[0].Calls != 0 {
		t.Errorf("%+v", all)
	}
}
