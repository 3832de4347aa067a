package guestbook_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/examples/apps/guestbook"
)

// unpack puts a release into a folder, the way a host does.
func unpack(t *testing.T, version string) string {
	t.Helper()
	data, _, err := guestbook.Package(version)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	archive := tar.NewReader(zip)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, h.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, fs.FileMode(h.Mode)); err != nil {
			t.Fatal(err)
		}
	}
}

// running is a guestbook at work.
type running struct {
	address string
	stop    context.CancelFunc
	ended   chan error
}

// announced takes the log until it names the address.
type announced struct {
	mu   sync.Mutex
	text strings.Builder
	ch   chan string
	once sync.Once
}

func (a *announced) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.text.Write(p)
	if _, rest, ok := strings.Cut(a.text.String(), "address="); ok {
		a.once.Do(func() { a.ch <- strings.Fields(rest)[0] })
	}
	return len(p), nil
}

func run(t *testing.T, version, data string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out := &announced{ch: make(chan string, 1)}
	r := &running{stop: stop, ended: make(chan error, 1)}
	o := guestbook.Options{Dir: unpack(t, version), Data: data, Address: "127.0.0.1:0", Out: out}
	go func() { r.ended <- guestbook.Run(ctx, o) }()
	select {
	case r.address = <-out.ch:
	case err := <-r.ended:
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return r
}

func get(t *testing.T, r *running, path string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Get("http://" + r.address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestReleases(t *testing.T) {
	t.Parallel()
	tests := []struct {
		version      string
		page, health int
		want, why    string
	}{
		{"1.0.0", 200, 200, "Nobody has written yet.", "ok 1.0.0\n"},
		{"1.1.0", 200, 200, "0 entries", "ok 1.1.0\n"},
		{"1.2.0-broken", 500, 500, "the page cannot be shown", "LastVisitor"},
	}
	versions, err := fs.ReadDir(guestbook.Releases(), ".")
	if err != nil || len(versions) != len(tests) {
		t.Fatalf("there are %d releases, %v", len(versions), err)
	}
	for _, tt := range tests {
		r := run(t, tt.version, t.TempDir())
		resp, body := get(t, r, "/")
		if resp.StatusCode != tt.page || !strings.Contains(body, tt.want) || resp.Header.Get("X-Version") != tt.version {
			t.Errorf("%s: the page is %d %s", tt.version, resp.StatusCode, body)
		}
		if resp, body := get(t, r, "/healthz"); resp.StatusCode != tt.health || !strings.Contains(body, tt.why) {
			t.Errorf("%s: the health is %d %s", tt.version, resp.StatusCode, body)
		}
		if _, body := get(t, r, "/version"); body != tt.version+"\n" {
			t.Errorf("%s: the version is %q", tt.version, body)
		}
		if resp,
			_ := get(t, r, "/static/style.css"); resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/css") {
			t.Errorf("%s: the style is %d", tt.version, resp.StatusCode)
		}
		r.stop()
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
	}
}

func TestEntriesOutliveTheReleaseAndAreShared(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	first, second := run(t, "1.0.0", data), run(t, "1.1.0", data)
	for i, r := range []*running{first, second} {
		resp, err := http.PostForm("http://"+r.address, url.Values{"name": {"<b>Eve</b>"}, "text": {fmt.Sprint("line ", i)}})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close() // it was read
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), "&lt;b&gt;Eve") ||
			strings.Contains(string(body), "<b>Eve") {
			t.Errorf("%d %s %v", resp.StatusCode, body, err)
		}
	}
	first.stop()
	if _,
		body := get(t, second, "/"); !strings.Contains(body, "2 entries") || strings.Index(body, "line 1") > strings.Index(body, "line 0") {
		t.Errorf("the page is %s", body)
	}
	for _, text := range []string{"", strings.Repeat("x", 501), strings.Repeat("x", 20<<10)} {
		resp, err := http.PostForm("http://"+second.address, url.Values{"text": {text}})
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // only the status counts
		if resp.StatusCode != 422 && resp.StatusCode != 400 {
			t.Errorf("%d characters: %d", len(text), resp.StatusCode)
		}
	}
}

// A request that is under way when the application is told to end is answered.
func TestDrainingLosesNoRequest(t *testing.T) {
	t.Parallel()
	r := run(t, "1.0.0", t.TempDir())
	const n = 8
	conns := make([]net.Conn, n)
	for i := range conns {
		c, err := net.Dial("tcp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// Expect makes the server say that it has the request and waits for the rest.
		if _,
			err := io.WriteString(c,
			"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\nExpect: "+
				"100-continue\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		said := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
		if _, err := io.ReadFull(c, said); err != nil || !bytes.Contains(said, []byte("100")) {
			t.Fatalf("%q %v", said, err)
		}
		conns[i] = c
	}
	r.stop()
	deadline := time.Now().Add(5 * time.Second)
	for {
		c, err := net.Dial("tcp", r.address)
		if err != nil {
			break // it takes no more
		}
		_ = c.Close()
		if time.Now().After(deadline) {
			t.Fatal("it still takes connections")
		}
	}
	for i, c := range conns {
		if _, err := io.WriteString(c, "text=late"); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		answer, err := io.ReadAll(c)
		if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 303")) {
			t.Errorf("request %d: %q %v", i, answer, err)
		}
	}
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

func TestPackagesAreAlwaysTheSame(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, version := range []string{"1.0.0", "1.1.0", "1.2.0-broken"} {
		a, sum, err := guestbook.Package(version)
		b, again, err2 := guestbook.Package(version)
		if err != nil || err2 != nil || !bytes.Equal(a, b) || sum != again || len(sum) != 64 {
			t.Errorf("%s: %s and %s, %v %v", version, sum, again, err, err2)
		}
		if other := seen[sum]; other != "" {
			t.Errorf("%s and %s are the same", version, other)
		}
		seen[sum] = version
		if info, err := os.Stat(filepath.Join(unpack(t, version), "start")); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: the start script: %v", version, err)
		}
	}
	if _, _, err := guestbook.Package("9.9.9"); err == nil {
		t.Error("a release that does not exist was packed")
	}
}

func TestAFolderThatIsNoReleaseIsRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(dir string) error{
		"no version":    func(dir string) error { return os.Remove(filepath.Join(dir, "VERSION")) },
		"bad version":   func(dir string) error { return os.WriteFile(filepath.Join(dir, "VERSION"), []byte("a b"), 0o600) },
		"unknown field": func(dir string) error { return os.WriteFile(filepath.Join(dir, "app.json"), []byte(`{"x":1}`), 0o600) },
		"bad template": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "templates", "x.html"), []byte(`{{`), 0o600)
		},
		"no page": func(dir string) error { return os.Remove(filepath.Join(dir, "templates", "page.html")) },
	} {
		dir := unpack(t, "1.0.0")
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		if err := guestbook.Run(t.Context(), guestbook.Options{Dir: dir, Address: "127.0.0.1:0"}); err == nil {
			t.Errorf("%s: it ran", name)
		}
	}
}
