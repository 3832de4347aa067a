package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	query "net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sextant/internal/domain/gateway"
	"sextant/internal/kit/errs"
)

// What names an identity, or a place to come from, or another method, stays here,
// however it is written; what is the caller's business passes.
func TestHeadersThatStayAtTheBorder(t *testing.T) {
	t.Parallel()
	h := func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		var names []string
		for name := range q.Header {
			names = append(names, name)
		}
		slices.Sort(names)
		fmt.Fprintf(w, "%s %s", strings.Join(names, " "), q.Trailer)
	}
	lines(t, h, gateway.Limits{}, func(t *testing.T, url string) {
		header := http.Header{"X-Hub-Signature-256": {"sha256=1"}, "Traceparent": {"00-1"}, "User-Agent": {"t"}, "Accept-Encoding": {"identity"}}
		for _, name := range []string{"X-User", "X_User", "x_forwarded_for", "X-Forwarded-Host", "Forwarded", "X-Real-Ip", "X-Remote-User",
			"X-Auth-Request-User", "X-Http-Method-Override", "X-Original-Url", "X-Rewrite-Url", "Sextant-Job", "Sextant_Operator",
			"Proxy-Authorization", "X-Roles", "Sec-Fetch-Site"} {
			header[name] = []string{"hostile"}
		}
		body, err := io.ReadAll(send(t, "POST", url, strings.NewReader("x"), header).Body)
		const want = "Accept-Encoding Authorization Connection Content-Length Sextant-Project Traceparent User-Agent X-Hub-Signature-256 map[]"
		if err != nil || string(body) != want {
			t.Errorf("%v\n%s\n%s", err, body, want)
		}
	})
}

// An answer sets no cookie, loosens no policy, leads nowhere else and runs nothing; not
// in a head before the last or after the body either.
func TestAnAnswerCannotTouchThePlatform(t *testing.T) {
	t.Parallel()
	h := func(w http.ResponseWriter, q *http.Request) {
		hostile := []string{"Set-Cookie", "Content-Security-Policy", "Access-Control-Allow-Origin", "Clear-Site-Data", "Refresh", "Link",
			"Strict-Transport-Security", "Www-Authenticate", "Service-Worker-Allowed", "X-Frame-Options", "X-Content-Type-Options", "Cache-Control"}
		for _, name := range hostile {
			w.Header().Set(name, "early")
		}
		w.WriteHeader(http.StatusEarlyHints)
		for _, name := range hostile {
			w.Header().Set(name, "hostile")
		}
		w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", "1")
		w.Header().Set("Content-Type", q.URL.Query().Get("type"))
		w.Header().Set("Location", q.URL.Query().Get("to"))
		_, _ = w.Write([]byte("x"))
		_ = http.NewResponseController(w).Flush()
		w.Header().Set(http.TrailerPrefix+"Set-Cookie", "late")
	}
	lines(t, h, gateway.Limits{}, func(t *testing.T, url string) {
		for _, c := range []struct{ kind, to, wantKind, disposition, wantTo string }{
			{"application/json", "/in/x/y", "application/json", "", "/in/x/y"},
			{"text/html", "https://elsewhere", "text/html", "attachment", ""},
			{"image/svg+xml", "//elsewhere", "image/svg+xml", "attachment", ""},
			{"text/javascript; charset=utf-8", "/in/x/../../api/v1/me", "text/plain; charset=utf-8", "attachment", ""},
			{"application/ecmascript", "/in/xy", "text/plain; charset=utf-8", "attachment", ""},
			{"text/event-stream", `/in/x/\elsewhere`, "text/event-stream", "", ""},
			{"text/html;;", "", "application/octet-stream", "attachment", ""},
		} {
			req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.URL.RawQuery = query.Values{"type": {c.kind}, "to": {c.to}}.Encode()
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			for name, values := range resp.Header {
				if strings.Contains(strings.Join(values, ""), "hostile") || strings.Contains(strings.Join(values, ""), "early") {
					t.Errorf("%s: %s passes", c.kind, name)
				}
			}
			if len(resp.Trailer) > 0 || resp.Header.Get("X-Prometheus-Remote-Write-Samples-Written") != "1" ||
				resp.Header.Get("X-Platform") != "here" {
				t.Errorf("%v, trailers %v", resp.Header, resp.Trailer)
			}
			if resp.Header.Get("Content-Type") != c.wantKind || resp.Header.Get("Content-Disposition") != c.disposition ||
				resp.Header.Get("Location") != c.wantTo {
				t.Errorf("%+v: %v", c, resp.Header)
			}
		}
	})
}

func TestAConnectionChangesToWebSocketAlone(t *testing.T) {
	t.Parallel()
	lines(t, echo, gateway.Limits{}, func(t *testing.T, url string) {
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		fmt.Fprint(c, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%v, %v", resp, err)
		}
	})
}

// A plugin that dies in the middle of an answer has its health asked for; a reader that
// leaves has not.
func TestAStreamThatBreaksOff(t *testing.T) {
	t.Parallel()
	begun, left := make(chan struct{}, 1), make(chan struct{}, 1)
	h := func(w http.ResponseWriter, q *http.Request) {
		_, _ = w.Write([]byte("x"))
		_ = http.NewResponseController(w).Flush()
		if q.URL.Path == "/in/dies" {
			panic(http.ErrAbortHandler)
		}
		begun <- struct{}{}
		<-q.Context().Done()
		left <- struct{}{}
	}
	both(t, h, func(t *testing.T, r *gateway.Router) {
		told := make(chan string, 10)
		r.Unreached = func(plugin string) { told <- plugin }
		url := front(t, r, &gateway.Line{Plugin: "p"})
		leaving := send(t, "GET", url+"/leaves", nil, nil)
		<-begun
		_ = leaving.Body.Close()
		select {
		case <-left:
		case <-time.After(patience):
			t.Fatal("the plugin does not see that its reader has left")
		}
		if body, err := io.ReadAll(send(t, "GET", url+"/dies", nil, nil).Body); err == nil {
			t.Errorf("an answer that broke off ends as if it were whole: %q", body)
		}
		select {
		case got := <-told:
			if got != "p" || len(told) > 0 {
				t.Errorf("told of %s and %d more", got, len(told))
			}
		case <-time.After(patience):
			t.Fatal("nobody asks how the plugin is")
		}
	})
}

func TestAPluginThatDoesNotAnswerInTime(t *testing.T) {
	t.Parallel()
	both(t, func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }, func(t *testing.T, r *gateway.Router) {
		err := r.Serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/x", nil),
			&gateway.Line{Plugin: "p", Limits: gateway.Limits{For: 50 * time.Millisecond}}, "/x", nil)
		if errs.As(err).Code != "plugin.stream_timeout" {
			t.Error(err)
		}
	})
}
