package stream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	sdk "sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

const (
	patience = time.Minute
	bulk     = 1 << 30
)

// The test's own program is the plugin, too: with its token it serves.
func TestMain(m *testing.M) {
	if os.Getenv("SEXTANT_TOKEN") == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	h, err := sdk.HostFrom(os.Getenv, slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	if err == nil {
		err = sdk.Serve(ctx, streamer(), h, "127.0.0.1:0")
	}
	fmt.Fprintln(os.Stderr, err)
}

// streamer is the plugin.
func streamer() *sdk.Plugin {
	p := sdk.New(wire.Manifest{Plugin: "streamer", Version: "1.0.0"})
	left := make(chan string, 10)
	in, data := http.NewServeMux(), http.NewServeMux()
	in.HandleFunc("POST /in/bulk/count", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
		if err != nil {
			left <- "upload"
		}
	})
	in.HandleFunc("POST /in/bulk/dies", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
		os.Exit(9)
	})
	in.HandleFunc("/in/bulk/asked", asked)
	in.HandleFunc("GET /in/bulk/talk", talk)
	data.HandleFunc("GET /data/bulk/zeros/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.ParseInt(r.PathValue("n"), 10, 64)
		_, _ = io.CopyN(w, zeros{}, n)
	})
	data.HandleFunc("GET /data/bulk/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
		left <- "events"
	})
	data.HandleFunc("GET /data/bulk/left", func(w http.ResponseWriter, r *http.Request) {
		select {
		case what := <-left:
			fmt.Fprint(w, what)
		case <-r.Context().Done():
		}
	})
	data.HandleFunc("GET /data/bulk/page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Set-Cookie", "sextant_session=stolen; Path=/")
		w.Header().Set("Content-Security-Policy", "default-src *")
		fmt.Fprint(w, "<script>alert(1)</script>")
	})
	p.Route(wire.Route{Path: "/in/bulk", Methods: []string{"GET", "POST", "PUT"}, Request: "2Gi"}, in)
	p.Route(wire.Route{Path: "/data/bulk", Answer: "2Gi"}, data)
	small := http.NewServeMux()
	small.HandleFunc("POST /in/small/count", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	small.HandleFunc("GET /in/small/zeros", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "3000")
		_, _ = io.CopyN(w, zeros{}, 3000)
	})
	p.Route(wire.Route{Path: "/in/small", Methods: []string{"GET", "POST"}, Request: "1k", Answer: "2k"}, small)
	narrow := http.NewServeMux()
	narrow.HandleFunc("GET /in/narrow/waits", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	p.Route(wire.Route{Path: "/in/narrow", Methods: []string{"GET"}, Timeout: "PT1S", Connections: 1}, narrow)
	return p
}

// asked says again what it was asked, and by whom.
func asked(w http.ResponseWriter, r *http.Request) {
	operator, project := sdk.AskedBy(r)
	w.Header().Set("X-Plugin", "here")
	_ = json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "url": r.URL.String(),
		"operator": operator, "project": project, "header": r.Header})
}

// talk says again what it hears.
func talk(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // the platform has checked who asks
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		kind, data, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, append([]byte("echo "), data...)) != nil {
			return
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// process is a running plugin.
type process struct {
	*exec.Cmd
	url   string
	ended chan struct{}
}

// plugged gives a platform with the plugin connected to it.
func plugged(t *testing.T) (*platform.Platform, *process) {
	t.Helper()
	p := platform.Start(t, nil)
	var issued client.TokenOutBody
	p.Must("POST", "/api/v1/plugins/streamer/token", map[string]any{}, &issued)
	run := start(t, p, issued.Token)
	p.Must("PUT", "/api/v1/plugins/streamer", map[string]any{"url": run.url}, nil)
	return p, run
}

func start(t *testing.T, p *platform.Platform, token string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "SEXTANT_TOKEN="+token, "SEXTANT_URL="+p.URL, "SEXTANT_DATA="+t.TempDir())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	run := &process{Cmd: cmd, ended: make(chan struct{})}
	var line struct{ Listen string }
	if err := json.NewDecoder(out).Decode(&line); err != nil {
		t.Fatal(err)
	}
	run.url = "http://" + line.Listen
	go func() {
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		close(run.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended already
		<-run.ended
	})
	return run
}

// send makes a request as the platform's client.
func send(t *testing.T, p *platform.Platform, method, path string, body io.Reader, header ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, p.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.Token)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
