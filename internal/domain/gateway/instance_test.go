package gateway_test

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"sextant/internal/domain/gateway"
	"sextant/sdk/go/wire"
)

// named is an instance that says its id.
func named(id string, weight int) gateway.Instance {
	return gateway.Instance{
		ID: id, Weight: weight, Route: gateway.Route{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(id))
		})}}
}

// gone is an instance at an address where nothing listens.
func gone(t *testing.T, id string) gateway.Instance {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	return gateway.Instance{ID: id, Route: gateway.Route{URL: s.URL}}
}

func shares(t *testing.T, r *gateway.Router, calls int) map[string]int {
	t.Helper()
	got := map[string]int{}
	for range calls {
		a, err := r.Do(t.Context(), call("/x", ""))
		if err != nil {
			t.Fatal(err)
		}
		got[string(a.Body)]++
	}
	return got
}

// Calls are shared out by weight.
func TestShares(t *testing.T) {
	t.Parallel()
	r := gateway.New()
	r.Put("p", named("a", 3))
	r.Put("p", named("b", 1))
	r.Put("p", named("c", 0)) // which is 1
	if got := shares(t, r, 500); got["a"] != 300 || got["b"] != 100 || got["c"] != 100 {
		t.Errorf("the shares are %v", got)
	}
	r.Put("p", named("a", 1)) // in the place of the first
	if got := shares(t, r, 300); got["a"] != 100 || len(r.Instances("p")) != 3 {
		t.Errorf("the shares are %v", got)
	}
}

// A call that certainly was not sent goes to another instance, and the one that was
// not reached gets none until it answers, or is the last.
func TestAnInstanceThatIsGone(t *testing.T) {
	t.Parallel()
	r, told := gateway.New(), 0
	r.Unreached = func(string) { told++ }
	r.Put("p", gone(t, "gone"))
	r.Put("p", named("here", 1))
	if got := shares(t, r, 100); got["here"] != 100 || told != 1 {
		t.Errorf("%v, told %d times", got, told)
	}
	all := r.Instances("p")
	if len(all) != 2 || all[0].Err == nil || all[1].Err != nil || all[0].Calls+all[1].Calls != 0 {
		t.Errorf("%+v", all)
	}
	r.Mark("p", "here", errors.New("it says so itself"))
	r.Mark("p", "gone", nil)
	if got := shares(t, r, 10); got["here"] != 10 { // the only one that can be reached
		t.Errorf("%v", got)
	}
	if all := r.Instances("p"); all[1].Err != nil {
		t.Errorf("an instance that answers counts as failed: %v", all[1].Err)
	}
}

// A call that may have been sent goes to no second instance.
func TestNoCallIsMadeTwice(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		calls.Add(1)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(s.Close)
	r := gateway.New()
	r.Put("p", gateway.Instance{ID: "breaks", Route: gateway.Route{URL: s.URL}})
	r.Put("p", named("here", 1))
	c := call("/x", "body")
	c.Once = true
	if _, err := r.Do(t.Context(), c); err == nil || errors.Is(err, gateway.ErrNotSent) || calls.Load() != 1 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}

// A draining instance ends the calls that it has, gets no new ones, and is gone then.
func TestDrain(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	r := gateway.New()
	r.Put("p", gateway.Instance{ID: "old", Route: gateway.Route{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		_, _ = w.Write([]byte("old"))
	})}})
	answered := make(chan string, 1)
	go func() {
		a, err := r.Do(context.WithoutCancel(t.Context()), call("/x", ""))
		if err != nil {
			answered <- err.Error()
			return
		}
		answered <- string(a.Body)
	}()
	<-begun
	r.Put("p", named("new", 1))
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Drain(short, "p", "old"); !errors.Is(err, context.Canceled) {
		t.Errorf("a drain that nobody waits for: %v", err)
	}
	if got := shares(t, r, 20); got["new"] != 20 {
		t.Errorf("while it drains the calls go to %v", got)
	}
	if all := r.Instances("p"); len(all) != 2 || !all[0].Draining || all[0].Calls != 1 {
		t.Errorf("%+v", all)
	}
	drained := make(chan error, 1)
	go func() { drained <- r.Drain(t.Context(), "p", "old") }()
	close(goOn)
	if got := <-answered; got != "old" {
		t.Errorf("the call that was under way: %s", got)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if all := r.Instances("p"); len(all) != 1 || all[0].ID != "new" {
		t.Errorf("%+v", all)
	}
	if err := r.Drain(t.Context(), "p", "none"); err != nil {
		t.Error(err)
	}
}

// Keys are spread by weight, and where an instance leaves, its keys alone go elsewhere.
func TestKeysStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	r := gateway.New()
	for id, weight := range map[string]int{"a": 1, "b": 1, "c": 2} {
		r.Put("p", named(id, weight))
	}
	where := func() map[string]string {
		t.Helper()
		at := map[string]string{}
		for i := range 2000 {
			key := strconv.Itoa(i)
			c := call("/x", "")
			c.Header = http.Header{wire.HeaderIdempotencyKey: {key}}
			got, err := r.Do(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			at[key] = string(got.Body)
		}
		return at
	}
	first, count := where(), map[string]int{}
	for _, id := range first {
		count[id]++
	}
	if count["a"] < 400 || count["a"] > 600 || count["b"] < 400 || count["b"] > 600 || count["c"] < 900 {
		t.Errorf("the shares are %v", count)
	}
	if err := r.Drain(t.Context(), "p", "a"); err != nil {
		t.Fatal(err)
	}
	for key, id := range where() {
		if first[key] != "a" && first[key] != id {
			t.Fatalf("the key %s went to %s and goes to %s now", key, first[key], id)
		}
	}
}

// TestOverTLS runs anew in a process whose system trusts one certificate, as an
// administrator makes it do.
func TestOverTLS(t *testing.T) {
	t.Parallel()
	if address := os.Getenv("GATEWAY_ADDRESS"); address != "" {
		got, err := gateway.New().Ask(t.Context(), gateway.Route{URL: address}, call("/x", ""))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("answer %s", got.Body)
		return
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("sealed")) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(trust string) (string, error) {
		cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestOverTLS$", "-test.v")
		cmd.Env = append(os.Environ(), "GATEWAY_ADDRESS="+s.URL, "SSL_CERT_FILE="+trust, "SSL_CERT_DIR=/nonexistent")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := ask(file); err != nil || !strings.Contains(out, "answer sealed") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := ask("/nonexistent"); err == nil || !strings.Contains(out, "certificate signed by unknown authority") {
		t.Errorf("a certificate that nobody trusts is taken: %v\n%s", err, out)
	}
}

// An address is judged when it is dialled, too: a name may lead anywhere.
func TestWhereNoPluginCanBe(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"http://169.254.169.254", "http://0.0.0.0:80",
		"http://[fd00:ec2::254]", "http://[::ffff:169.254.169.254]"} {
		_, err := gateway.New().Ask(t.Context(), gateway.Route{URL: address}, call("/x", ""))
		if !errors.Is(err, gateway.ErrNotSent) || !strings.Contains(err.Error(), "no plugin can be at") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
