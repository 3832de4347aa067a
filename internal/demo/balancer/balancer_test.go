package balancer_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sextant/internal/demo/balancer"
)

// backend is an application that can be stopped and started at its address.
type backend struct {
	t       *testing.T
	address string
	served  atomic.Int64
	wait    chan struct{} // /slow waits for it
	srv     *http.Server
	ended   chan struct{}
}

func newBackend(t *testing.T) *backend {
	// On an address of its own no outgoing connection takes its port meanwhile.
	var r [3]byte
	_, _ = rand.Read(r[:]) // never fails
	b := &backend{t: t, address: fmt.Sprintf("127.%d.%d.%d:0", 1+r[0]%250, r[1], 1+r[2]%250), wait: make(chan struct{})}
	b.start()
	t.Cleanup(func() { _ = b.srv.Close() })
	return b
}

func (b *backend) start() {
	b.t.Helper()
	l, err := net.Listen("tcp", b.address)
	if err != nil {
		b.t.Fatal(err)
	}
	b.address = l.Addr().String()
	b.srv = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush() // the client sees the rest
			<-b.wait
		}
		b.served.Add(1)
		_, _ = fmt.Fprintf(w, "%s %s %s", b.address, r.Host, r.Header.Get("X-Forwarded-For"))
	})}
	b.ended = make(chan struct{})
	go func(s *http.Server, ended chan struct{}) { defer close(ended); _ = s.Serve(l) }(b.srv, b.ended)
}

func (b *backend) stop() {
	b.t.Helper()
	if err := b.srv.Shutdown(b.t.Context()); err != nil {
		b.t.Error(err)
	}
	<-b.ended
}

func list(t *testing.T, file string, backends ...*backend) {
	t.Helper()
	text := "# upstreams\n"
	for _, b := range backends {
		text += b.address + "\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, backends ...*backend) (b *balancer.Balancer, file, url string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "upstreams")
	list(t, file, backends...)
	b, err := balancer.New(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(b)
	t.Cleanup(front.Close)
	return b, file, front.URL
}

func get(url string) (int, string, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func TestRequestsGoRound(t *testing.T) {
	t.Parallel()
	all := []*backend{newBackend(t), newBackend(t), newBackend(t)}
	_, _, url := start(t, all...)
	for range 30 {
		status, body, err := get(url)
		if err != nil || status != 200 || !strings.HasSuffix(body, strings.TrimPrefix(url, "http://")+" 127.0.0.1") {
			t.Fatalf("%d %q %v", status, body, err)
		}
	}
	for i, b := range all {
		if n := b.served.Load(); n != 10 {
			t.Errorf("upstream %d served %d of 30", i, n)
		}
	}
}

// Clients ask all the time while each upstream in turn is taken out, stopped,
// started and put back.
func TestNoRequestIsLostWhileUpstreamsComeAndGo(t *testing.T) {
	t.Parallel()
	all := []*backend{newBackend(t), newBackend(t), newBackend(t)}
	b, file, url := start(t, all...)
	ctx, stop := context.WithCancel(t.Context())
	var served, failed atomic.Int64
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if status, body, err := get(url); err != nil || status != 200 {
					failed.Add(1)
					t.Errorf("%d %q %v", status, body, err)
				} else {
					served.Add(1)
				}
			}
		})
	}
	for round := range 12 {
		i := round % len(all)
		others := slices.Delete(slices.Clone(all), i, i+1)
		before := served.Load()
		list(t, file, others...)
		if err := b.Reload(ctx); err != nil {
			t.Fatal(err)
		}
		all[i].stop()
		all[i].start()
		list(t, file, all...)
		if err := b.Reload(ctx); err != nil {
			t.Fatal(err)
		}
		for served.Load() < before+50 && failed.Load() == 0 {
			if _, _, err := get(url); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop()
	wg.Wait()
	if failed.Load() > 0 || served.Load() < 500 {
		t.Errorf("%d served, %d failed", served.Load(), failed.Load())
	}
}

func TestARefusedConnectionGoesToTheNext(t *testing.T) {
	t.Parallel()
	up, down := newBackend(t), newBackend(t)
	_, _, url := start(t, up, down)
	down.stop()
	for range 10 {
		if status, _, err := get(url); err != nil || status != 200 {
			t.Fatalf("%d %v", status, err)
		}
	}
	refused := 0
	for range 10 {
		resp, err := http.Post(url, "text/plain", strings.NewReader("once"))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // only the status counts
		if resp.StatusCode == http.StatusBadGateway {
			refused++
		}
	}
	if refused != 5 {
		t.Errorf("%d of 10 posts were refused", refused)
	}
	up.stop()
	if status, _, err := get(url); err != nil || status != http.StatusBadGateway {
		t.Errorf("%d %v", status, err)
	}
}

func TestWhoLeavesFinishesFirst(t *testing.T) {
	t.Parallel()
	leaving, staying := newBackend(t), newBackend(t)
	b, file, url := start(t, leaving)
	resp, err := http.Get(url + "/slow")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	list(t, file, staying)
	reloaded := make(chan error, 1)
	go func() { reloaded <- b.Reload(t.Context()) }()
	for {
		status, body, err := get(url)
		if err != nil || status != 200 {
			t.Fatalf("%d %v", status, err)
		}
		if strings.HasPrefix(body, staying.address) {
			break
		}
	}
	select {
	case err := <-reloaded:
		t.Fatalf("it did not wait for the request: %v", err)
	default:
	}
	if live, err := os.ReadFile(file + balancer.LiveSuffix); err != nil || !strings.Contains(string(live), leaving.address) {
		t.Errorf("the live list is %q already, %v", live, err)
	}
	close(leaving.wait)
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(string(body), leaving.address) {
		t.Errorf("the slow request got %q %v", body, err)
	}
	if err := <-reloaded; err != nil {
		t.Error(err)
	}
	want, err := os.ReadFile(file)
	if live, err2 := os.ReadFile(file + balancer.LiveSuffix); err != nil || err2 != nil || string(live) != string(want) {
		t.Errorf("the live list is %q, %v %v", live, err, err2)
	}
}

func TestAnEmptyListAndABadOne(t *testing.T) {
	t.Parallel()
	up := newBackend(t)
	b, file, url := start(t)
	if status, _, err := get(url); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("%d %v", status, err)
	}
	list(t, file, up)
	if err := b.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("no address\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Reload(t.Context()); err == nil {
		t.Error("a bad list was taken")
	}
	if status, _, err := get(url); err != nil || status != 200 {
		t.Errorf("after a bad list: %d %v", status, err)
	}
	if _, err := balancer.New(filepath.Join(t.TempDir(), "none"), nil); err == nil {
		t.Error("a missing list was taken")
	}
}

func TestRunReloadsAtHangUpAndDrains(t *testing.T) {
	t.Parallel()
	up := newBackend(t)
	file := filepath.Join(t.TempDir(), "upstreams")
	list(t, file)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // Run takes the port
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- balancer.Run(ctx, balancer.Options{Address: address, UpstreamFile: file, PIDFile: file + ".pid"})
	}()
	until(t, func() bool { status, _, err := get("http://" + address); return err == nil && status == 503 })
	until(t, func() bool {
		pid, err := os.ReadFile(file + ".pid")
		return err == nil && string(pid) == fmt.Sprintln(os.Getpid())
	})
	list(t, file, up)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { status, _, err := get("http://" + address); return err == nil && status == 200 })
	resp, err := http.Get("http://" + address + "/slow")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	stop()
	until(t, func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	close(up.wait)
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(string(body), up.address) {
		t.Errorf("the last request got %q %v", body, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file + ".pid"); err == nil {
		t.Error("the file with the process id is left behind")
	}
}

// until polls a condition that another goroutine brings about.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
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
