// Package traffic is a client that asks a site for its page all the time and
// counts what comes back, so that a release can show that it loses nothing.
//
// A request counts as served when the answer has status 200, says its version in
// the header X-Version and has that version in its body. Everything else is a
// failure. A request that is under way when the client is told to stop is still
// waited for and counted.
package traffic

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	workers     = 4
	pace        = 20 * time.Millisecond // between requests, of all workers together
	answerIn    = 10 * time.Second
	maxBody     = 1 << 20 // bytes
	keptReasons = 5
)

// Summary is what has happened so far.
type Summary struct {
	Served, Failed int
	// Versions counts the served requests by the version that answered.
	Versions map[string]int
	Slowest  time.Duration
	// Reasons are the first failures.
	Reasons []string
}

// Client asks until it is stopped. It is safe for concurrent use.
type Client struct {
	url    string
	client *http.Client
	stop   context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	sum    Summary
}

// Start begins to ask. It goes on until Stop or the end of ctx.
func Start(ctx context.Context, url string) *Client {
	ctx, stop := context.WithCancel(ctx)
	transport := &http.Transport{MaxIdleConnsPerHost: workers, IdleConnTimeout: time.Minute}
	c := &Client{url: url, stop: stop, sum: Summary{Versions: map[string]int{}}}
	c.client = &http.Client{Transport: transport, Timeout: answerIn, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	tick := time.NewTicker(pace)
	context.AfterFunc(ctx, tick.Stop)
	for range workers {
		c.wg.Go(func() { c.work(ctx, tick.C) })
	}
	return c
}

// Stop waits for the requests that are under way and gives the whole count.
func (c *Client) Stop() Summary {
	c.stop()
	c.wg.Wait()
	c.client.CloseIdleConnections()
	return c.Now()
}

// Now gives the count so far.
func (c *Client) Now() Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sum
	s.Versions = maps.Clone(s.Versions)
	s.Reasons = append([]string(nil), s.Reasons...)
	return s
}

func (c *Client) work(ctx context.Context, tick <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		begin := time.Now()
		version, err := c.ask(context.WithoutCancel(ctx))
		c.count(version, err, time.Since(begin))
	}
}

func (c *Client) ask(ctx context.Context) (version string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return "", err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	version = resp.Header.Get("X-Version")
	switch {
	case err != nil:
		return "", fmt.Errorf("the answer broke off: %w", err)
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("the answer has status %d", resp.StatusCode)
	case version == "":
		return "", fmt.Errorf("the answer names no version")
	case !strings.Contains(string(body), version):
		return "", fmt.Errorf("the page is not that of version %s: %.100q", version, body)
	}
	return version, nil
}

func (c *Client) count(version string, err error, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.Slowest = max(c.sum.Slowest, took)
	if err == nil {
		c.sum.Served++
		c.sum.Versions[version]++
		return
	}
	c.sum.Failed++
	if len(c.sum.Reasons) < keptReasons {
		c.sum.Reasons = append(c.sum.Reasons, err.Error())
	}
}
