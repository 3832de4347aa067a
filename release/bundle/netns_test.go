package bundle_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// within makes requests from a network namespace: the file is one of the kernel's,
// such as /proc/<pid>/ns/net.
func within(file string) *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		type result struct {
			conn net.Conn
			err  error
		}
		got := make(chan result, 1)
		go func() {
			runtime.LockOSThread() // and never given back: the thread ends with this goroutine
			ns, err := os.Open(file)
			if err == nil {
				err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
				_ = ns.Close()
			}
			if err != nil {
				got <- result{nil, err}
				return
			}
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			got <- result{conn, err}
		}()
		r := <-got
		return r.conn, r.err
	}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

// get asks an address, with a name of the server if there is one.
func get(t *testing.T, c *http.Client, address, host string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// background is a program that goes on while a test does.
type background struct {
	*exec.Cmd
	lines chan string
	said  strings.Builder
}

// start starts a program and listens to both of its streams.
func start(t *testing.T, c *exec.Cmd) *background {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = w, w
	b := &background{Cmd: c, lines: make(chan string, 10_000)}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	go func() {
		defer close(b.lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			b.lines <- s.Text()
		}
	}()
	return b
}

// until waits for a line that holds a text.
func (b *background) until(t *testing.T, text string) string {
	t.Helper()
	late := time.After(3 * time.Minute)
	for {
		select {
		case line, ok := <-b.lines:
			fmt.Fprintln(&b.said, line)
			if !ok {
				t.Fatalf("%s ended without saying %q:\n%s", b.Path, text, b.said.String())
			}
			if strings.Contains(line, text) {
				return line
			}
		case <-late:
			t.Fatalf("%s did not say %q:\n%s", b.Path, text, b.said.String())
		}
	}
}
