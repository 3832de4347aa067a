package obs_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sextant/internal/kit/obs"
)

func TestLogLinesNameTheirRequest(t *testing.T) {
	t.Parallel()
	for name, derive := range map[string]func(*slog.Logger) *slog.Logger{
		"plain": func(l *slog.Logger) *slog.Logger { return l },
		"with":  func(l *slog.Logger) *slog.Logger { return l.With("component", "x") },
	} {
		var b bytes.Buffer
		log := derive(obs.NewLogger(&b, slog.LevelInfo, obs.JSON))
		log.InfoContext(obs.WithRequestID(t.Context(), "r1"), "hello", "a", 1)
		log.InfoContext(t.Context(), "outside")
		log.DebugContext(t.Context(), "too much")
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		if len(lines) != 2 {
			t.Fatalf("%s: %s", name, b.String())
		}
		var in map[string]any
		if err := json.Unmarshal([]byte(lines[0]), &in); err != nil || in["request"] != "r1" || in["msg"] != "hello" {
			t.Errorf("%s: %s, %v", name, lines[0], err)
		}
		if strings.Contains(lines[1], "request") {
			t.Errorf("%s: outside a request: %s", name, lines[1])
		}
	}
	var b bytes.Buffer
	obs.NewLogger(&b, slog.LevelInfo, obs.Text).WithGroup("g").InfoContext(obs.WithRequestID(t.Context(), "r1"), "hello")
	if !strings.Contains(b.String(), "request=r1") {
		t.Errorf("in a group: %s", b.String())
	}
}

func TestFiguresInBothForms(t *testing.T) {
	t.Parallel()
	m := obs.NewMetrics()
	n := 3.0
	m.Gauge("sextant_things", "Things.", func() float64 { return n })
	m.Counter("sextant_done_total", "Done.", func() float64 { return 7 })
	observe := m.Requests()
	observe("GET /x", "200", 0.002)
	observe("GET /x", "200", 3)
	s := httptest.NewServer(m.Handler())
	defer s.Close()
	get := func(accept string) (string, string) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.Header.Get("Content-Type"), string(body)
	}
	media, body := get("application/openmetrics-text;version=1.0.0")
	if !strings.HasPrefix(media, "application/openmetrics-text") || !strings.HasSuffix(body, "# EOF\n") {
		t.Errorf("asked for OpenMetrics: %s", media)
	}
	for _, want := range []string{"sextant_things 3", "sextant_done_total 7",
		`sextant_http_request_seconds_count{route="GET /x",status="200"} 2`, "go_goroutines"} {
		if !strings.Contains(body, want) {
			t.Errorf("there is no %s", want)
		}
	}
	n = 4
	media, body = get("*/*")
	if !strings.HasPrefix(media, "text/plain") || strings.Contains(body, "# EOF") || !strings.Contains(body, "sextant_things 4\n") {
		t.Errorf("without asking: %s", media)
	}
}
