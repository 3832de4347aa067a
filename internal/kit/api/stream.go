package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"sextant/internal/kit/errs"
)

const (
	heartbeat = 15 * time.Second
	recheck   = 3 * time.Second // between checks that the client may still listen
)

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
	// Every is the shortest time between two looks at After, so that a thing that
	// changes a thousand times a second is told of some ten times; 0 is at once.
	Every time.Duration
	// Last pokes with the news after which little comes: After is asked at once.
	Last <-chan struct{}
	// Allowed checks again, every few seconds, whether the subject of ctx may see
	// this very thing; nil where the endpoint's permission is all there is.
	Allowed func(ctx context.Context) error
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
	id, _ := r.Context().Value(identityKey{}).(identity)
	leave, err := a.streams.enter(id.principal)
	if err != nil {
		return err
	}
	defer leave()
	messages, done, err := feed.After(r.Context(), last)
	if err != nil {
		return err
	}
	rc := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	s := &stream{a: a, w: w, r: r, feed: feed, checked: a.deps.Clock.Now(), looked: a.deps.Clock.Now()}
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
		if !s.await() {
			return nil
		}
		messages, done, err = feed.After(r.Context(), last)
		if err != nil {
			return nil // the client reconnects and gets the error as an answer
		}
	}
}

const (
	streamsOfOne = 64  // live views of one subject at once
	streamsOfAll = 512 // of everybody; each holds a connection
)

// streams counts live views, so that those of one leave connections to others.
type streams struct {
	mu  sync.Mutex
	all int
	of  map[string]int
}

// enter takes a place; the function that it gives leaves it.
func (s *streams) enter(principal string) (func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= streamsOfAll || s.of[principal] >= streamsOfOne {
		return nil, errs.New(errs.Exhausted, "stream.too_many",
			"too many live views are open: %d of one subject and %d in all are possible; close some", streamsOfOne, streamsOfAll)
	}
	if s.of == nil {
		s.of = map[string]int{}
	}
	s.all++
	s.of[principal]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.of[principal]--; s.of[principal] == 0 {
			delete(s.of, principal)
		}
	}, nil
}

// stream is a client that listens.
type stream struct {
	a       *API
	w       http.ResponseWriter
	r       *http.Request
	feed    Feed
	checked time.Time     // when it was last found that the client may listen
	quiet   time.Duration // since the last sign of life
	looked  time.Time     // when the feed was last asked
}

// await waits for news, sends a ping every 15 seconds meanwhile, which keeps the
// connection open and shows the client that it is, and ends it when the client
// may no longer listen.
func (s *stream) await() bool {
	tick, stop := s.a.deps.Clock.After(recheck)
	defer stop()
	select {
	case <-s.r.Context().Done():
		return false
	case <-s.feed.News:
		s.quiet = 0
		return s.settle() && (s.a.deps.Clock.Now().Sub(s.checked) < recheck || s.may())
	case <-tick:
	}
	if !s.may() {
		return false
	}
	if s.quiet += recheck; s.quiet < heartbeat {
		return true
	}
	s.quiet = 0
	_, err := fmt.Fprint(s.w, frame(Message{Event: "ping", Data: []byte("{}")}))
	return err == nil
}

// settle waits until the feed may be asked again.
func (s *stream) settle() bool {
	if left := s.feed.Every - s.a.deps.Clock.Now().Sub(s.looked); left > 0 {
		tick, stop := s.a.deps.Clock.After(left)
		defer stop()
		select {
		case <-s.r.Context().Done():
			return false
		case <-s.feed.Last:
		case <-tick:
		}
	}
	s.looked = s.a.deps.Clock.Now()
	return true
}

// may checks that the client may still listen.
func (s *stream) may() bool {
	s.checked = s.a.deps.Clock.Now()
	ctx, err := s.a.again(s.r)
	return err == nil && (s.feed.Allowed == nil || s.feed.Allowed(ctx) == nil)
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
