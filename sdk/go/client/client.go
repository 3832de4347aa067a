// Package client calls a platform from Go: the types of its API, made from its
// description, a small transport and the live view of runs.
package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client calls a platform. The zero Token is for what needs no log-in.
type Client struct {
	URL   string
	Token string
	// HTTP makes the requests; http.DefaultClient where it is nil.
	HTTP *http.Client
}

// Error is a refusal of the platform.
type Error struct{ Problem }

// Error is the title with the places at fault.
func (p *Error) Error() string {
	var b strings.Builder
	b.WriteString(p.Title)
	for _, f := range p.Fields {
		b.WriteString("\n  ")
		if f.Line > 0 {
			fmt.Fprintf(&b, "line %d: ", f.Line)
		}
		b.WriteString(f.Path + ": " + f.Message)
	}
	return b.String()
}

// ErrUnreachable says that no server answered.
var ErrUnreachable = errors.New("the server cannot be reached")

func (c *Client) do(ctx context.Context, method, path string, header map[string]string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, body)
	if err != nil {
		return nil, err
	}
	for name, value := range header {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	return c.send(req)
}

func (c *Client) send(req *http.Request) (*http.Response, error) {
	h := c.HTTP
	if h == nil {
		h = http.DefaultClient
	}
	resp, err := h.Do(req)
	if err != nil {
		if req.Context().Err() != nil {
			return nil, context.Cause(req.Context())
		}
		var cause *url.Error
		if errors.As(err, &cause) {
			err = cause.Err
		}
		return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, c.URL, err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	p := &Error{}
	if json.Unmarshal(data, &p.Problem) != nil || p.Title == "" {
		p.Title = fmt.Sprintf("the server answered %s: %.200s", resp.Status, data)
	}
	p.Status = int64(resp.StatusCode)
	return nil, p
}

// Call sends in as JSON, unless it is nil, and reads the answer into out, unless
// that is nil.
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	return c.CallWith(ctx, method, path, nil, in, out)
}

// CallWith is Call with headers, such as If-Match; empty ones are left out.
func (c *Client) CallWith(ctx context.Context, method, path string, header map[string]string, in, out any) error {
	var body io.Reader
	all := maps.Clone(header)
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		if all == nil {
			all = map[string]string{}
		}
		body, all["Content-Type"] = bytes.NewReader(data), "application/json"
	}
	resp, err := c.do(ctx, method, path, all, body)
	if err != nil {
		return err
	}
	return decode(resp, out)
}

// restOf is how much of an answer that nobody reads is read all the same, for its
// connection to serve the next request.
const restOf = 64 << 10

func decode(resp *http.Response, out any) error {
	defer resp.Body.Close()
	defer func() { _, _ = io.CopyN(io.Discard, resp.Body, restOf) }()
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	d := json.NewDecoder(resp.Body)
	d.UseNumber()
	if err := d.Decode(out); err != nil {
		return fmt.Errorf("the server's answer is not understood: %w", err)
	}
	return nil
}

// Upload sends a body as it is.
func (c *Client) Upload(ctx context.Context, path, media string, body io.Reader, out any) error {
	resp, err := c.do(ctx, http.MethodPost, path, map[string]string{"Content-Type": media}, body)
	if err != nil {
		return err
	}
	return decode(resp, out)
}

// Download reads a body as it is.
func (c *Client) Download(ctx context.Context, path string) ([]byte, error) {
	resp, err := c.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// Update is one message of a run's live view: the run as it is, and the steps
// that changed. The first message of a connection alone names the run's objects.
type Update struct {
	Run   ProcessRun    `json:"run"`
	Steps []ProcessStep `json:"steps"`
}

const (
	reconnectFirst = 200 * time.Millisecond
	reconnectMax   = 5 * time.Second
)

// Watch calls fn with every update of a run until it is over, fn returns false,
// or ctx ends. A lost connection is taken up again where it broke; lost is told
// of it and may be nil.
func (c *Client) Watch(ctx context.Context, run string, lost func(error), fn func(Update) bool) error {
	last, wait := "", reconnectFirst
	for {
		done, err := c.watch(ctx, run, &last, fn)
		var refused *Error
		switch {
		case done:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &refused) && refused.Status < http.StatusInternalServerError:
			return err
		case err == nil:
			wait = reconnectFirst
		}
		if lost != nil {
			lost(err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
		wait = min(2*wait, reconnectMax)
	}
}

func (c *Client) watch(ctx context.Context, run string, last *string, fn func(Update) bool) (done bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.URL, "/")+
		"/api/v1/runs/"+url.PathEscape(run)+"/events", nil)
	if err != nil {
		return false, err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	if *last != "" {
		req.Header.Set("Last-Event-ID", *last)
	}
	resp, err := c.send(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	id, event := "", ""
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return false, nil // the connection broke; the next one goes on
		}
		name, value, _ := strings.Cut(strings.TrimRight(line, "\n"), ": ")
		switch name {
		case "id":
			id = value
		case "event":
			event = value
		case "data":
			if event != "run" {
				continue
			}
			var u Update
			if err := json.Unmarshal([]byte(value), &u); err != nil {
				return false, fmt.Errorf("an event is not understood: %w", err)
			}
			*last = id
			if !fn(u) || !u.Run.Ended.IsZero() {
				return true, nil
			}
		}
	}
}

// Query builds the query of a path from pairs; empty values are left out.
func Query(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// Limit is the text of a page's size.
func Limit(n int) string { return strconv.Itoa(n) }
