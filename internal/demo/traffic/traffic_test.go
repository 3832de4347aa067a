package traffic_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sextant/internal/demo/traffic"
)

// site answers as its mode says and counts.
type site struct {
	mode  atomic.Value
	asked atomic.Int64
	hold  chan struct{}
	held  chan struct{}
}

func (s *site) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	n := s.asked.Add(1)
	switch s.mode.Load() {
	case "error":
		http.Error(w, "no", http.StatusInternalServerError)
	case "nameless":
		_, _ = fmt.Fprint(w, "version 1.0.0")
	case "other page":
		w.Header().Set("X-Version", "1.0.0")
		_, _ = fmt.Fprint(w, "something else")
	case "broken off":
		w.Header().Set("Content-Length", "100")
		_, _ = fmt.Fprint(w, "version")
	case "gone":
		panic(http.ErrAbortHandler)
	case "hold":
		select {
		case s.held <- struct{}{}:
		default:
		}
		<-s.hold
		fallthrough
	default:
		version := fmt.Sprintf("1.%d.0", n%2)
		w.Header().Set("X-Version", version)
		_, _ = fmt.Fprint(w, "version "+version)
	}
}

func start(t *testing.T, mode string) (*site, *traffic.Client) {
	s := &site{hold: make(chan struct{}), held: make(chan struct{}, 1)}
	s.mode.Store(mode)
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return s, traffic.Start(t.Context(), srv.URL)
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			t.Fatal("it did not happen")
		case <-tick.C:
		}
	}
}

func TestServedRequestsAreCountedByVersion(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	s, c := start(t, "")
	until(t, func() bool { return c.Now().Served >= 40 })
	if rate := float64(40) / time.Since(begin).Seconds(); rate > 60 {
		t.Errorf("%.0f requests a second", rate)
	}
	got := c.Stop()
	if n := int(s.asked.Load()); got.Served != n || got.Failed != 0 || got.Versions["1.0.0"]+got.Versions["1.1.0"] != n ||
		got.Versions["1.0.0"] == 0 || got.Slowest <= 0 {
		t.Errorf("%d were asked, counted %+v", n, got)
	}
}

func TestFailuresAreCounted(t *testing.T) {
	t.Parallel()
	for mode, reason := range map[string]string{"error": "status 500", "nameless": "names no version",
		"other page": "not that of version 1.0.0", "broken off": "broke off", "gone": "EOF"} {
		s, c := start(t, mode)
		until(t, func() bool { return c.Now().Failed >= 6 })
		s.mode.Store("")
		until(t, func() bool { return c.Now().Served > 0 })
		got := c.Stop()
		if len(got.Reasons) != 5 || !strings.Contains(got.Reasons[0], reason) {
			t.Errorf("%s: %+v", mode, got)
		}
	}
}

func TestNobodyThereIsAFailure(t *testing.T) {
	t.Parallel()
	c := traffic.Start(t.Context(), "http://127.0.0.1:1/")
	until(t, func() bool { return c.Now().Failed > 0 })
	if got := c.Stop(); got.Served > 0 || !strings.Contains(got.Reasons[0], "refused") {
		t.Errorf("%+v", got)
	}
}

func TestStopWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s, c := start(t, "hold")
	<-s.held
	stopped := make(chan traffic.Summary)
	go func() { stopped <- c.Stop() }()
	select {
	case got := <-stopped:
		t.Fatalf("it did not wait: %+v", got)
	default:
	}
	close(s.hold)
	if got := <-stopped; got.Failed > 0 || got.Served != int(s.asked.Load()) {
		t.Errorf("%d were asked, counted %+v", s.asked.Load(), got)
	}
}

func TestTheEndOfTheContextStops(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(&site{})
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	c := traffic.Start(ctx, srv.URL)
	until(t, func() bool { return c.Now().Served > 0 })
	cancel()
	if got := c.Stop(); got.Failed > 0 {
		t.Errorf("%+v", got)
	}
}
