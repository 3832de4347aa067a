package plugin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

// sink takes output as the platform does: by offset. It refuses what refuse says.
type sink struct {
	mu     sync.Mutex
	text   strings.Builder
	end    int64
	lost   wire.LogChunk
	posts  int
	refuse func(post int) bool
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasSuffix(r.URL.Path, "/log") {
		return
	}
	if s.posts++; s.refuse != nil && s.refuse(s.posts) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var batch wire.LogBatch
	if err := json.Unmarshal(body, &batch); err != nil || len(body) > 2<<20 {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	for _, c := range batch.Chunks {
		switch {
		case c.Offset+max(c.Lost, int64(len(c.Bytes))) <= s.end: // sent again
		case c.Offset != s.end:
			fmt.Fprintf(&s.text, "<%d after %d>", c.Offset, s.end)
		case c.Lost > 0:
			s.lost.Lost, s.lost.Lines = s.lost.Lost+c.Lost, s.lost.Lines+c.Lines
			s.text.WriteString("<lost>")
			s.end += c.Lost
		default:
			s.text.Write(c.Bytes)
			s.end += int64(len(c.Bytes))
		}
	}
}

// say runs a function as a plugin whose platform is the sink.
func (s *sink) run(t *testing.T, host *plugin.Host, fn func(*plugin.Call)) {
	t.Helper()
	srv := httptest.NewServer(s)
	defer srv.Close()
	host.URL, host.Token = srv.URL, "mine"
	p := serve(t, greeter(plugin.Spec{}, func(_ context.Context, c *plugin.Call, _ greetIn) (greetOut, error) {
		fn(c)
		return greetOut{}, nil
	}), host)
	if w := p.post(say, "k", ann); w.Code != http.StatusOK {
		t.Fatalf("got %d", w.Code)
	}
}

func TestOutputFasterThanItIsSentIsSentWhole(t *testing.T) {
	t.Parallel()
	s := &sink{refuse: func(post int) bool { return post%3 == 1 }}
	var want strings.Builder
	s.run(t, &plugin.Host{}, func(c *plugin.Call) {
		for i := range 400_000 { // much more than waits in memory
			line := fmt.Sprintf("line %d of output that comes fast: ärger 漢字\n", i)
			want.WriteString(line)
			_, _ = io.WriteString(c, line) // it never fails
		}
	})
	if got := s.text.String(); got != want.String() {
		t.Fatalf("%d bytes came, want %d", len(got), want.Len())
	}
}

// hasty is a clock on which patience ends at once.
type hasty struct{}

func (hasty) Now() time.Time { return time.Now() }

func (hasty) After(d time.Duration) (<-chan time.Time, func()) {
	if d >= 5*time.Second {
		d = 0
	}
	t := time.NewTimer(d / 100)
	return t.C, func() { t.Stop() }
}

func TestWhatNobodyTakesIsAGapOfWholeLines(t *testing.T) {
	t.Parallel()
	back := make(chan struct{})
	s := &sink{refuse: func(int) bool {
		select {
		case <-back:
			return false
		default:
			return true
		}
	}}
	lines, bytes := 0, 0
	s.run(t, &plugin.Host{Clock: hasty{}}, func(c *plugin.Call) {
		for i := 0; bytes < 10<<20; i++ {
			line := fmt.Sprintf("line %d of output that nobody takes\n", i)
			for _, part := range []string{line[:7], line[7:]} {
				_, _ = io.WriteString(c, part) // it never fails
			}
			lines, bytes = lines+1, bytes+len(line)
		}
		close(back)
	})
	before, after, _ := strings.Cut(s.text.String(), "<lost>")
	after = strings.ReplaceAll(after, "<lost>", "")
	if s.lost.Lost == 0 || !strings.HasSuffix(before, "\n") || after != "" {
		t.Fatalf("%d bytes are told as lost; before them %q, behind them %.80q", s.lost.Lost, before[max(0, len(before)-40):], after)
	}
	if s.end != int64(bytes) || int(s.lost.Lines)+strings.Count(before, "\n") != lines || int(s.lost.Lost)+len(before) != bytes {
		t.Fatalf("of %d bytes in %d lines came %d in %d, and %d in %d are told as lost",
			bytes, lines, len(before), strings.Count(before, "\n"), s.lost.Lost, s.lost.Lines)
	}
}
