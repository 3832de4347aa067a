package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sextant/internal/kit/errs"
)

const heartbeat = 15 * time.Second

// Message is one server-sent event. ID is what the client sends back as
// Last-Event-ID to go on after it.
type Message struct {
	ID    string
	Event string
	Data  []byte
}

// Feed is where a stream comes from.
type Feed struct {
	// After reads what follows the id, empty for the start. done ends the
	// stream once the messages are sent.
	After func(ctx context.Context, id string) (messages []Message, done bool, err error)
	// News pokes when After may have more.
	News <-chan struct{}
}

// Stream sends a feed as server-sent events until it is done or the client
// leaves. A client that reconnects with Last-Event-ID misses nothing.
func (a *API) Stream(w http.ResponseWriter, r *http.Request, feed Feed) error {
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("after")
	}
	if strings.ContainsAny(last, "\r\n") {
		return errs.New(errs.Malformed, "stream.last_event_id", "the Last-Event-ID is not one that was sent")
	}
	messages, done, err := feed.After(r.Context(), last)
	if err != nil {
		return err
	}
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Time{}) // not every writer has one
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	for {
		for _, m := range messages {
			if _, err := fmt.Fprint(w, frame(m)); err != nil {
				return nil
			}
			last = m.ID
		}
		if err := rc.Flush(); err != nil || done {
			return nil
		}
		if !a.await(r.Context(), w, feed.News) {
			return nil
		}
		messages, done, err = feed.After(r.Context(), last)
		if err != nil {
			return nil // the client reconnects and gets the error as an answer
		}
	}
}

// await waits for news and keeps the connection alive meanwhile.
func (a *API) await(ctx context.Context, w http.ResponseWriter, news <-chan struct{}) bool {
	tick, stop := a.deps.Clock.After(heartbeat)
	defer stop()
	select {
	case <-ctx.Done():
		return false
	case <-news:
		return true
	case <-tick:
		_, err := fmt.Fprint(w, ": still here\n\n")
		return err == nil
	}
}

func frame(m Message) string {
	var b strings.Builder
	if m.ID != "" {
		b.WriteString("id: " + m.ID + "\n")
	}
	if m.Event != "" {
		b.WriteString("event: " + m.Event + "\n")
	}
	// A carriage return would end a line too.
	for line := range strings.SplitSeq(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(m.Data)), "\n") {
		b.WriteString("data: " + line + "\n")
	}
	b.WriteString("\n")
	return b.String()
}
