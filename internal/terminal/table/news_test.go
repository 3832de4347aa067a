package table_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"sextant/internal/terminal/table"
	"sextant/sdk/go/client"
)

// lines takes what is written, a line each.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// What a row waits for is told once for each thing that it says, in the order of the
// rows; a server that fails meanwhile ends nothing, and after quiet nothing is told.
func TestNews(t *testing.T) {
	t.Parallel()
	answers := []string{
		`{"items": [{"job": "1", "progress": {"h:h/b": {"message": "unpacking"}, "h:h/a": {"message": "waiting"}}}]}`,
		`{"items": [{"job": "1", "progress": {"h:h/a": {"message": "waiting"}, "h:h/c": {"message": ""}}}]}`,
		``, // it fails
		`{"items": [{"job": "1", "progress": {"h:h/a": {"message": "done"}}}]}`,
	}
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(asked.Add(1)) - 1
		if body := answers[min(n, len(answers)-1)]; r.URL.Path != "/api/v1/runs/1.1.5/jobs" || body == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
		} else {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(body))
		}
	}))
	defer s.Close()
	told := make(lines, 10)
	quiet := table.News(t.Context(), &client.Client{URL: s.URL, Token: "t"}, "1.1.5", told)
	for _, want := range []string{"h:h/a: waiting\n", "h:h/b: unpacking\n", "h:h/a: done\n"} {
		if got := <-told; got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	quiet()
	if n := asked.Load(); n < 4 {
		t.Errorf("%d answers were read", n)
	}
	select {
	case text := <-told:
		t.Errorf("told %q besides", text)
	default:
	}
}
